//! `mutate`: one way of changing things at a time.

use super::{Draft, given, given_of};
use crate::document::Node;

const WAYS: [&str; 3] = ["foreach", "patchStrategicMerge", "patchesJson6902"];

pub(super) fn check(draft: &Draft<'_>, rule: Node<'_>) {
    let Some(mutate) = given(rule, "mutate") else { return };
    one_way(draft, mutate, false);
    items(draft, mutate);
}

fn items(draft: &Draft<'_>, block: Node<'_>) {
    for item in block.get("foreach").into_iter().flat_map(Node::items) {
        one_way(draft, item, true);
        items(draft, item);
    }
}

fn one_way(draft: &Draft<'_>, block: Node<'_>, needed: bool) {
    let message = "only one of `foreach`, `patchStrategicMerge`, or `patchesJson6902` is allowed";
    match given_of(block, &WAYS).as_slice() {
        [] if needed => draft.refuse_key(block, message, "add one of them"),
        [_, others @ ..] => {
            for other in others {
                draft.refuse_key(*other, message, format!("move `{}` into a rule of its own", other.key()));
            }
        }
        [] => {}
    }
}
