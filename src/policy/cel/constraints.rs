//! `matchConstraints`: something must be asked for.

use super::refuse;
use crate::{document::Node, policy::fields::Problems};

pub(super) fn check(spec: Node<'_>, problems: &Problems) {
    // Policies on JSON and on requests of other servers match no resources.
    let mode = spec.str_at(&["evaluation", "mode"]).unwrap_or("Kubernetes");
    let rules = spec.at(&["matchConstraints", "resourceRules"]);
    if mode == "Kubernetes" && rules.is_none_or(|rules| rules.len() == 0) {
        let message = "a matchConstraints with at least one resource rule is required";
        let at = spec.get("matchConstraints").filter(|it| it.is_map()).unwrap_or(spec);
        refuse(
            rules.unwrap_or(at),
            problems,
            message,
            "add `resourceRules` with groups, versions, operations and resources",
        );
    }
}
