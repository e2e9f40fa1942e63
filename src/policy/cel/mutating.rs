//! `MutatingPolicy`.

use super::refuse;
use crate::{document::Node, policy::fields::Problems};

pub(super) fn check(spec: Node<'_>, problems: &Problems) {
    let is_on = |mode: &str| spec.at(&["evaluation", mode, "enabled"]).and_then(Node::as_bool);
    if is_on("admission") == Some(false) && is_on("mutateExisting") != Some(true) {
        let message = "disabling both admission and mutateExisting evaluation modes is not allowed";
        refuse(spec.get("evaluation").unwrap_or(spec), problems, message, "leave one of the two on");
    }
}
