//! Expressions in variables must parse.

use super::{Draft, variables::Variables};
use crate::{document::Node, expr::jmespath::Expression};

pub(super) fn check(draft: &Draft<'_>, rule: Node<'_>) {
    for variable in Variables::of_rule(rule) {
        if variable.text.is_empty() {
            let message = "invalid JMESPath query: there is nothing between the braces";
            draft.refuse_at(
                variable.node,
                variable.span(),
                message,
                "write an expression, or `\\{{` for the braces themselves",
            );
        } else if let Err(error) = Expression::parse(&variable.text) {
            let message = format!("failed to resolve {}: invalid JMESPath query: {error}", variable.text);
            draft.refuse_at(variable.node, variable.span(), message, "try it with `admit jp`");
        }
    }
}
