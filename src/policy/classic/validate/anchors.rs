//! Anchors in patterns.

use super::{Draft, foreach, given};
use crate::{document::Node, policy::classic::pattern::Anchor};

pub(super) fn check(draft: &Draft<'_>, rule: Node<'_>) {
    let Some(validate) = given(rule, "validate") else { return };
    let mut holders = vec![validate];
    foreach::collect(validate, &mut holders);
    for holder in holders {
        for pattern in ["pattern", "anyPattern"].into_iter().filter_map(|key| given(holder, key)) {
            below(draft, pattern);
        }
    }
}

fn below(draft: &Draft<'_>, node: Node<'_>) {
    for (raw, value) in node.entries() {
        match Anchor::split(raw) {
            (Anchor::Addition, key) => {
                let message = format!("unsupported anchor {raw}");
                draft.refuse_key(value, message, format!("`+()` is for mutation; write `{key}` or `=({key})`"));
            }
            (Anchor::Existence, _) if value.len() == 0 || !value.is_list() => {
                let message = "existence anchor should have value of type list";
                draft.refuse_key(value, message, "give it a list with the items that must be there");
            }
            _ => {}
        }
        below(draft, value);
    }
    node.items().for_each(|item| below(draft, item));
}
