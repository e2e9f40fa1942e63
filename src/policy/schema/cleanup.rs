//! `CleanupPolicy` and `ClusterCleanupPolicy`.

use super::{
    Field, Object, Shape,
    conditions::CURRENT_CONDITIONS,
    context,
    matching::{EXCLUDE, MATCH},
};

/// A cleanup policy of either kind.
pub(crate) static CLEANUP_POLICY: Object = object!("a cleanup policy", top!(Shape::Object(&SPEC)));

static SPEC: Object = object!(
    "spec",
    &[
        required!("schedule", Shape::Text),
        required!("match", Shape::Object(&MATCH)),
        field!("exclude", Shape::Object(&EXCLUDE)),
        field!("conditions", Shape::Object(&CURRENT_CONDITIONS)),
        field!("context", Shape::List(&Shape::Object(&context::ENTRY))),
        field!("deletionPropagationPolicy", Shape::Choice(PROPAGATION)),
    ],
);

/// What becomes of the objects that a removed object owns.
pub(super) const PROPAGATION: &[&str] = &["Foreground", "Background", "Orphan"];
