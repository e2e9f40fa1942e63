//! `match`, `exclude` and label selectors.

use super::{Bond, Field, Object, Shape};

static LABEL_EXPRESSION: Object = object!(
    "a label expression",
    &[required!("key", Shape::Text), required!("operator", Shape::Text), field!("values", Shape::List(&Shape::Text)),],
);

/// A label selector.
pub(super) static SELECTOR: Object = object!(
    "a label selector",
    &[
        field!("matchLabels", Shape::Map(&Shape::Text)),
        field!("matchExpressions", Shape::List(&Shape::Object(&LABEL_EXPRESSION))),
    ],
);

static RESOURCES: Object = Object {
    owner: "resources",
    fields: &[
        field!("annotations", Shape::Map(&Shape::Text)),
        field!("kinds", Shape::List(&Shape::Text)),
        field!("name", Shape::Text),
        field!("names", Shape::List(&Shape::Text)),
        field!("namespaces", Shape::List(&Shape::Text)),
        field!("namespaceSelector", Shape::Object(&SELECTOR)),
        field!("operations", Shape::List(&Shape::Choice(&["CREATE", "CONNECT", "UPDATE", "DELETE"]))),
        field!("selector", Shape::Object(&SELECTOR)),
    ],
    bonds: &[Bond::AtMostOne(&["name", "names"])],
};

static SUBJECT: Object = object!(
    "a subject",
    &[
        required!("kind", Shape::Text),
        field!("apiGroup", Shape::Text),
        required!("name", Shape::Text),
        field!("namespace", Shape::Text),
    ],
);

const FILTER_FIELDS: [Field; 4] = [
    field!("resources", Shape::Object(&RESOURCES)),
    field!("subjects", Shape::List(&Shape::Object(&SUBJECT))),
    field!("roles", Shape::List(&Shape::Text)),
    field!("clusterRoles", Shape::List(&Shape::Text)),
];

static FILTER: Object = object!("a filter", &FILTER_FIELDS);

const ANY: Field = field!("any", Shape::List(&Shape::Object(&FILTER)));
const ALL: Field = field!("all", Shape::List(&Shape::Object(&FILTER)));

const EITHER: &[Bond] = &[Bond::AtMostOne(&["any", "all"])];

/// `match` with `any` or `all`.
pub(super) static MATCH: Object = Object { owner: "match", fields: &[ANY, ALL], bonds: EITHER };

/// `exclude` with `any` or `all`.
pub(super) static EXCLUDE: Object = Object { owner: "exclude", fields: &[ANY, ALL], bonds: EITHER };

static LEGACY_FIELDS: [Field; 6] = [ANY, ALL, FILTER_FIELDS[0], FILTER_FIELDS[1], FILTER_FIELDS[2], FILTER_FIELDS[3]];

/// `match` of `kyverno.io/v1`, which may hold a filter directly.
pub(super) static LEGACY_MATCH: Object = Object { owner: "match", fields: &LEGACY_FIELDS, bonds: EITHER };

/// `exclude` of `kyverno.io/v1`.
pub(super) static LEGACY_EXCLUDE: Object = Object { owner: "exclude", fields: &LEGACY_FIELDS, bonds: EITHER };
