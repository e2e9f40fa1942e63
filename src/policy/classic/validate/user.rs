//! Nobody asks for what is already there, so rules for background mode can't ask who does.

use super::{Draft, filters, given, variables::Variables};
use crate::document::Node;

/// What of a request tells who asks.
const TELLING: [&str; 5] =
    ["request.userInfo", "request.roles", "request.clusterRoles", "serviceAccountNamespace", "serviceAccountName"];

const HELP: &str = "set `background: false`";

pub(super) fn check(draft: &Draft<'_>, rule: Node<'_>) {
    if !draft.background() {
        return;
    }
    for block in ["match", "exclude"].into_iter().filter_map(|key| given(rule, key)) {
        for list in filters::user_info(block) {
            let message = format!(
                "only select variables are allowed in background mode. Set spec.background=false to disable background mode for this policy rule: invalid variable used at {}/{}",
                block.key(),
                list.key()
            );
            draft.refuse_key(list, message, HELP);
        }
    }
    // Rules that change other objects run for a request, whatever the mode.
    if rule.at(&["mutate", "targets"]).is_some_and(|targets| targets.len() > 0) {
        return;
    }
    for variable in Variables::of_rule(rule) {
        if let Some(name) = TELLING.into_iter().find(|name| names(&variable.text, name)) {
            let message = format!(
                "only select variables are allowed in background mode. Set spec.background=false to disable background mode for this policy rule: variable {{{{{name}}}}} is not allowed"
            );
            draft.refuse_at(variable.node, variable.span(), message, HELP);
        }
    }
}

/// Whether an expression reads `name` at its root.
fn names(expression: &str, name: &str) -> bool {
    expression.match_indices(name).any(|(at, _)| {
        let before = expression[..at].chars().next_back();
        before.is_none_or(|it| !(it.is_alphanumeric() || it == '.' || it == '_'))
    })
}
