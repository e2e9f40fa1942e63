//! `GeneratingPolicy`.

use super::refuse;
use crate::{document::Node, policy::fields::Problems};

pub(super) fn check(spec: Node<'_>, problems: &Problems) {
    for entry in spec.get("generate").into_iter().flat_map(Node::items) {
        let is_given =
            |key: &str| entry.get(key).is_some_and(|it| it.len() > 0 || it.as_str().is_some_and(|it| !it.is_empty()));
        match (is_given("expression"), is_given("template")) {
            (true, true) => {
                refuse(entry, problems, "only one of expression and template can be specified", "remove one of them");
            }
            (false, false) => {
                refuse(entry, problems, "one of expression and template must be specified", "add one of them");
            }
            (true, false) | (false, true) => {}
        }
    }
}
