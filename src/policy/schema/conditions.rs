//! Conditions in the places where their form is known: `any` and `all` of comparisons.

use super::{Field, Object, Shape};

/// The comparisons.
const OPERATORS: &[&str] = &[
    "Equals",
    "NotEquals",
    "In",
    "NotIn",
    "AnyIn",
    "AllIn",
    "AnyNotIn",
    "AllNotIn",
    "GreaterThan",
    "GreaterThanOrEquals",
    "LessThan",
    "LessThanOrEquals",
    "DurationGreaterThan",
    "DurationGreaterThanOrEquals",
    "DurationLessThan",
    "DurationLessThanOrEquals",
];

/// The comparisons without those that are deprecated.
const CURRENT_OPERATORS: &[&str] = &[
    "Equals",
    "NotEquals",
    "AnyIn",
    "AllIn",
    "AnyNotIn",
    "AllNotIn",
    "GreaterThan",
    "GreaterThanOrEquals",
    "LessThan",
    "LessThanOrEquals",
    "DurationGreaterThan",
    "DurationGreaterThanOrEquals",
    "DurationLessThan",
    "DurationLessThanOrEquals",
];

static CONDITION: Object = object!(
    "a condition",
    &[
        field!("key", Shape::Any),
        field!("operator", Shape::Choice(OPERATORS)),
        field!("value", Shape::Any),
        field!("message", Shape::Text),
    ],
);

static CURRENT_CONDITION: Object = object!(
    "a condition",
    &[
        field!("key", Shape::Any),
        field!("operator", Shape::Choice(CURRENT_OPERATORS)),
        field!("value", Shape::Any),
        field!("message", Shape::Text),
    ],
);

/// Conditions of `foreach` and of attestations.
pub(super) static CONDITIONS: Object = object!(
    "conditions",
    &[field!("any", Shape::List(&Shape::Object(&CONDITION))), field!("all", Shape::List(&Shape::Object(&CONDITION))),],
);

/// Conditions of exceptions and cleanup policies.
pub(super) static CURRENT_CONDITIONS: Object = object!(
    "conditions",
    &[
        field!("any", Shape::List(&Shape::Object(&CURRENT_CONDITION))),
        field!("all", Shape::List(&Shape::Object(&CURRENT_CONDITION))),
    ],
);

/// A condition in CEL: a name and an expression.
pub(super) static CEL_CONDITION: Object =
    object!("a match condition", &[required!("name", Shape::Text), required!("expression", Shape::Text)]);
