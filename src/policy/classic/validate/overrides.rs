//! Other actions for some namespaces: no namespace may get two.

use super::{Draft, given};
use crate::{document::Node, k8s::wildcard::Wildcard, policy::Action};

pub(super) fn check(draft: &Draft<'_>) {
    if let Some(list) = draft.spec.get("validationFailureActionOverrides") {
        conflicts(draft, list);
    }
    for rule in draft.declared() {
        if let Some(list) = rule.object().at(&["validate", "failureActionOverrides"]) {
            conflicts(draft, list);
        }
    }
}

/// One namespace of an override.
struct Named<'d> {
    action: Action,
    text: &'d str,
}

fn conflicts(draft: &Draft<'_>, list: Node<'_>) {
    let mut named: Vec<Named<'_>> = Vec::new();
    // An override with a selector covers only part of the namespaces that it names.
    for entry in list.items().filter(|entry| given(*entry, "namespaceSelector").is_none()) {
        let Some(action) = entry.str_at(&["action"]).and_then(Action::parse) else { continue };
        for node in entry.get("namespaces").into_iter().flat_map(Node::items) {
            let Some(text) = node.as_str() else { continue };
            let other = named.iter().find(|it| it.action != action && meet(it.text, text));
            if let Some(other) = other {
                let message = if other.text == text {
                    format!(
                        "conflicting namespaces found: `{text}` is in {} and in {}",
                        other.action.name(),
                        action.name()
                    )
                } else if is_wild(other.text) {
                    format!("wildcard pattern '{}' matches with namespace '{text}'", other.text)
                } else {
                    format!("wildcard pattern '{text}' matches with namespace '{}'", other.text)
                };
                draft.refuse(node, message, "give each namespace one action");
            }
            named.push(Named { action, text });
        }
    }
}

fn is_wild(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether two entries stand for the same namespace.
fn meet(a: &str, b: &str) -> bool {
    a == b || (is_wild(a) && Wildcard::new(a).matches(b)) || (is_wild(b) && Wildcard::new(b).matches(a))
}
