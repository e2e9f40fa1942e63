//! `PolicyException` of `policies.kyverno.io`.

use super::refuse;
use crate::{document::Node, policy::fields::Problems};

pub(super) fn check(spec: Node<'_>, problems: &Problems) {
    let references = spec.get("policyRefs");
    if references.is_none_or(|it| it.len() == 0) {
        let help = "name a policy and its kind in `policyRefs`";
        refuse(references.unwrap_or(spec), problems, "must specify at least one policy ref", help);
    }
    for reference in references.into_iter().flat_map(Node::items) {
        for (key, message) in [("name", "must specify policy name"), ("kind", "must specify policy kind")] {
            if reference.str_at(&[key]).is_none_or(str::is_empty) {
                refuse(reference, problems, message, &format!("add `{key}`"));
            }
        }
    }
}
