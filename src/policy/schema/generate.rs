//! `generate` rules.

use super::{Bond, Field, Object, Shape, conditions::CONDITIONS, context, matching::SELECTOR};

/// What is made, and from what.
const TARGET: [Field; 8] = [
    field!("apiVersion", Shape::Text),
    field!("kind", Shape::Text),
    field!("namespace", Shape::Text),
    field!("name", Shape::Text),
    field!("uid", Shape::Text),
    field!("data", Shape::Any),
    field!("clone", Shape::Object(&CLONE)),
    field!("cloneList", Shape::Object(&CLONE_LIST)),
];

const EITHER: &[Bond] = &[Bond::AtMostOne(&["data", "clone"])];

/// `generate`.
pub(super) static GENERATE: Object = Object {
    owner: "generate",
    fields: &[
        TARGET[0],
        TARGET[1],
        TARGET[2],
        TARGET[3],
        TARGET[4],
        TARGET[5],
        TARGET[6],
        TARGET[7],
        field!("generateExisting", Shape::Bool),
        field!("synchronize", Shape::Bool),
        field!("orphanDownstreamOnPolicyDelete", Shape::Bool),
        field!("foreach", Shape::List(&Shape::Object(&FOREACH))),
    ],
    bonds: EITHER,
};

static FOREACH: Object = Object {
    owner: "foreach",
    fields: &[
        TARGET[0],
        TARGET[1],
        TARGET[2],
        TARGET[3],
        TARGET[4],
        TARGET[5],
        TARGET[6],
        TARGET[7],
        field!("list", Shape::Text),
        field!("context", Shape::List(&Shape::Object(&context::ENTRY))),
        field!("preconditions", Shape::Object(&CONDITIONS)),
    ],
    bonds: EITHER,
};

static CLONE: Object = object!("clone", &[field!("namespace", Shape::Text), field!("name", Shape::Text)]);

static CLONE_LIST: Object = object!(
    "cloneList",
    &[
        field!("namespace", Shape::Text),
        field!("kinds", Shape::List(&Shape::Text)),
        field!("selector", Shape::Object(&SELECTOR)),
    ],
);
