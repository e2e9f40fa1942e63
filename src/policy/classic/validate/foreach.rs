//! `foreach` of `validate`: a list, and one check for its elements.

use super::{Draft, given, given_of};
use crate::document::Node;

const CHECKS: [&str; 4] = ["pattern", "anyPattern", "deny", "foreach"];

pub(super) fn check(draft: &Draft<'_>, rule: Node<'_>) {
    let mut items = Vec::new();
    if let Some(validate) = given(rule, "validate") {
        collect(validate, &mut items);
    }
    for item in items {
        if item.str_at(&["list"]).is_none_or(str::is_empty) {
            draft.refuse_key(item, "foreach.list is required", "add `list` with an expression");
        }
        match given_of(item, &CHECKS).as_slice() {
            [] => {
                let message = "one of pattern, anyPattern, deny, or a nested foreach must be specified";
                draft.refuse_key(item, message, "add one of them");
            }
            [_] => {}
            [_, second, ..] => {
                let message = "only one of pattern, anyPattern, deny, or a nested foreach can be specified";
                draft.refuse_key(*second, message, "make an item of `foreach` for each of them");
            }
        }
    }
}

/// The items of the `foreach` lists below a block, however nested.
pub(super) fn collect<'d>(block: Node<'d>, out: &mut Vec<Node<'d>>) {
    for item in block.get("foreach").into_iter().flat_map(Node::items) {
        out.push(item);
        collect(item, out);
    }
}
