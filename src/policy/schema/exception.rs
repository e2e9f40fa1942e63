//! `PolicyException` of `kyverno.io`.

use super::{Field, Object, Shape, conditions::CURRENT_CONDITIONS, matching::MATCH, validate::CONTROL};

/// A `PolicyException`.
pub(crate) static EXCEPTION: Object = object!("an exception", top!(Shape::Object(&SPEC)));

static SPEC: Object = object!(
    "spec",
    &[
        field!("background", Shape::Bool),
        required!("match", Shape::Object(&MATCH)),
        field!("conditions", Shape::Object(&CURRENT_CONDITIONS)),
        required!("exceptions", Shape::List(&Shape::Object(&REFERENCE))),
        field!("podSecurity", Shape::List(&Shape::Object(&CONTROL))),
    ],
);

static REFERENCE: Object = object!(
    "an entry of exceptions",
    &[required!("policyName", Shape::Text), required!("ruleNames", Shape::List(&Shape::Text))],
);
