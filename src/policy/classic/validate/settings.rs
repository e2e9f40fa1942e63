//! Settings of the whole policy that exclude one another.

use super::{Draft, given};
use crate::document::{Kind, Node};

pub(super) fn check(draft: &Draft<'_>) {
    modes(draft);
    deprecated(draft);
    timeouts(draft);
    existing(draft);
}

/// `admission` and `background`.
fn modes(draft: &Draft<'_>) {
    if draft.policy.admission {
        return;
    }
    if !draft.background()
        && let Some(node) = draft.spec.get("background")
    {
        let message = "disabling both admission and background processing is not allowed";
        draft.refuse(node, message, "leave one of `admission` and `background` on");
    }
    for rule in draft.declared() {
        for key in ["mutate", "generate", "verifyImages"] {
            if let Some(node) = given(rule.object(), key).filter(|it| it.len() > 0) {
                let message = format!(
                    "disabling admission processing is only allowed with validation policies, not with `{key}`"
                );
                draft.refuse_key(node, message, "remove `admission: false`");
            }
        }
    }
}

/// Fields that moved.
fn deprecated(draft: &Draft<'_>) {
    for (old, new) in [("webhookTimeoutSeconds", "timeoutSeconds"), ("failurePolicy", "failurePolicy")] {
        if let Some(node) = given(draft.spec, old)
            && draft.spec.at(&["webhookConfiguration", new]).is_some_and(|it| !it.is_null())
        {
            let better = format!("spec.webhookConfiguration.{new}");
            let message = format!("remove the deprecated field and use {better} instead");
            draft.refuse_key(node, message, format!("remove `{old}`"));
        }
    }
    if let Some(node) = given(draft.spec, "generateExistingOnPolicyUpdate") {
        let message = "remove the deprecated field and use spec.rules[].generate.generateExisting instead";
        draft.refuse_key(node, message, "write `generateExisting` in the `generate` block of each rule");
    }
}

fn timeouts(draft: &Draft<'_>) {
    let places = [&["webhookTimeoutSeconds"][..], &["webhookConfiguration", "timeoutSeconds"]];
    for node in places.into_iter().filter_map(|path| draft.spec.at(path)) {
        if seconds(node).is_some_and(|seconds| !(1.0..=30.0).contains(&seconds)) {
            let message = "the timeout value must be between 1 and 30 seconds";
            draft.refuse(node, message, "write a number from 1 to 30");
        }
    }
}

fn seconds(node: Node<'_>) -> Option<f64> {
    match node.kind() {
        Kind::Int(seconds) => Some(seconds as f64),
        Kind::Float(seconds) => Some(seconds),
        Kind::Null | Kind::Bool(_) | Kind::String(_) | Kind::List | Kind::Map => None,
    }
}

/// `mutateExistingOnPolicyUpdate` needs something to mutate.
fn existing(draft: &Draft<'_>) {
    let is_on = |node: Option<Node<'_>>| node.and_then(Node::as_bool) == Some(true);
    let of_policy = is_on(draft.spec.get("mutateExistingOnPolicyUpdate"));
    for (index, rule) in draft.declared().enumerate() {
        let Some(mutate) = given(rule.object(), "mutate").filter(|it| it.len() > 0) else { continue };
        let wanted = of_policy || is_on(mutate.get("mutateExistingOnPolicyUpdate"));
        if wanted && given(mutate, "targets").is_none_or(|targets| targets.len() == 0) {
            let message =
                format!("rules[{index}].mutate.targets has to be specified when mutateExistingOnPolicyUpdate is set");
            draft.refuse_key(mutate, message, "say in `targets` what is to be changed");
        }
    }
}
