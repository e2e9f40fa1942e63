//! `mutate` rules.

use super::{Field, Object, Shape, conditions::CONDITIONS, context, matching::SELECTOR};

/// `mutate`.
pub(super) static MUTATE: Object = object!(
    "mutate",
    &[
        field!("mutateExistingOnPolicyUpdate", Shape::Bool),
        field!("targets", Shape::List(&Shape::Object(&TARGET))),
        field!("patchStrategicMerge", Shape::Any),
        field!("patchesJson6902", Shape::Text),
        field!("foreach", Shape::List(&Shape::Object(&FOREACH))),
    ],
);

static TARGET: Object = object!(
    "a target",
    &[
        field!("apiVersion", Shape::Text),
        field!("kind", Shape::Text),
        field!("namespace", Shape::Text),
        field!("name", Shape::Text),
        field!("uid", Shape::Text),
        field!("selector", Shape::Object(&SELECTOR)),
        field!("context", Shape::List(&Shape::Object(&context::ENTRY))),
        field!("preconditions", Shape::Any),
    ],
);

static FOREACH: Object = object!(
    "foreach",
    &[
        field!("list", Shape::Text),
        field!("order", Shape::Choice(&["Ascending", "Descending"])),
        field!("context", Shape::List(&Shape::Object(&context::ENTRY))),
        field!("preconditions", Shape::Object(&CONDITIONS)),
        field!("patchStrategicMerge", Shape::Any),
        field!("patchesJson6902", Shape::Text),
        // Anything for the API server.
        field!("foreach", Shape::Any),
    ],
);
