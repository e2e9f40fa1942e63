//! `validate`: exactly one check.

use super::{Draft, given, given_of};
use crate::document::Node;

const CHECKS: [&str; 6] = ["pattern", "anyPattern", "deny", "foreach", "podSecurity", "cel"];

pub(super) fn check(draft: &Draft<'_>, rule: Node<'_>) {
    let Some(validate) = given(rule, "validate").filter(|it| it.len() > 0) else { return };
    let mut found = given_of(validate, &CHECKS);
    if let Some(manifests) = given(validate, "manifests") {
        if manifests.get("attestors").is_some_and(|it| it.len() > 0) {
            found.push(manifests);
        } else if found.is_empty() {
            let message = "one of pattern, anyPattern, deny, foreach, cel must be specified: manifests without attestors check nothing";
            draft.refuse_key(manifests, message, "add `attestors`");
            return;
        }
    }
    match found.as_slice() {
        [] => {
            let message = "one of pattern, anyPattern, deny, foreach, cel must be specified";
            match given(validate, "assert") {
                Some(assert) => {
                    draft.refuse_key(assert, message, "`assert` is not evaluated by this release of Kyverno");
                }
                None => draft.refuse_key(validate, message, "add one of them"),
            }
        }
        [_] => {}
        [_, second, ..] => {
            let message = "only one of pattern, anyPattern, deny, foreach, cel can be specified";
            draft.refuse_key(*second, message, format!("move `{}` into a rule of its own", second.key()));
        }
    }
    if let Some(list) = given(validate, "anyPattern")
        && !list.is_list()
    {
        draft.refuse(list, "failed to deserialize anyPattern, expect array", "write a list of patterns");
    }
}
