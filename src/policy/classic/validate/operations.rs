//! What a rule does: exactly one thing.

use super::{Draft, given_of, name_of};
use crate::document::Node;

const OPERATIONS: [&str; 4] = ["mutate", "validate", "generate", "verifyImages"];

pub(super) fn check(draft: &Draft<'_>, rule: Node<'_>) {
    let name = name_of(rule);
    let found: Vec<_> = given_of(rule, &OPERATIONS).into_iter().filter(|it| it.len() > 0).collect();
    match found.as_slice() {
        [] => {
            let message =
                format!("No operation defined in the rule '{name}'. (supported operations: {})", OPERATIONS.join(", "));
            draft.refuse_key(rule, message, "add one of them");
        }
        [_] => {}
        [_, others @ ..] => {
            for other in others {
                let message = format!(
                    "Multiple operations defined in the rule '{name}', only one operation ({}) is allowed per rule",
                    OPERATIONS.join(", ")
                );
                draft.refuse_key(*other, message, format!("move `{}` into a rule of its own", other.key()));
            }
        }
    }
    let extractors = rule.get("imageExtractors").filter(|it| it.len() > 0);
    if let Some(extractors) = extractors
        && !found.iter().any(|it| it.key() == "verifyImages")
    {
        let message = format!("imageExtractors can only be defined for verifyImages rule '{name}'");
        draft.refuse_key(extractors, message, "remove `imageExtractors`");
    }
}
