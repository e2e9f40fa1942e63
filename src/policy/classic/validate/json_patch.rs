//! `patchesJson6902`: operations that RFC 6902 knows, at paths that begin with `/`.

use super::{Draft, given, name_of};
use crate::{
    document::{self, Limits, Node},
    expr::template,
    span::File,
};

const OPERATIONS: [&str; 6] = ["add", "remove", "replace", "move", "copy", "test"];

pub(super) fn check(draft: &Draft<'_>, rule: Node<'_>) {
    let Some(mutate) = given(rule, "mutate") else { return };
    let everything = rule
        .at(&["match"])
        .is_some_and(|matching| super::filters::of_block(matching).into_iter().any(matches_everything));
    patch(draft, rule, mutate, Variables::Refused, everything);
    let mut items = Vec::new();
    super::foreach::collect(mutate, &mut items);
    for item in items {
        patch(draft, rule, item, Variables::Allowed, everything);
    }
}

fn matches_everything(filter: Node<'_>) -> bool {
    let kinds = filter.at(&["resources", "kinds"]);
    kinds.into_iter().flat_map(Node::items).any(|kind| kind.as_str() == Some("*"))
}

/// Whether paths may hold variables.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Variables {
    Allowed,
    Refused,
}

fn patch(draft: &Draft<'_>, rule: Node<'_>, holder: Node<'_>, variables: Variables, everything: bool) {
    let Some(node) = given(holder, "patchesJson6902") else { return };
    let Some(text) = node.as_str() else { return };
    // Kyverno: a patch that becomes YAML only when its variables are known is not looked at.
    let file = File::new("", text.as_bytes().to_vec());
    let parsed = document::parse(&file, &Limits::default());
    let [document] = parsed.documents.as_slice() else { return };
    if !parsed.errors.is_empty() {
        return;
    }
    for operation in document.root().items() {
        let path = operation.str_at(&["path"]).unwrap_or_default();
        if variables == Variables::Refused && !template::variables(path).is_empty() {
            let message =
                format!("rule \"{}\" should not have variables in patchesJSON6902 path section", name_of(rule));
            draft.refuse(node, message, format!("`{path}`: use `foreach`, in which paths may have variables"));
        }
        if let Some((message, help)) = fault(operation) {
            draft.refuse(node, message, help);
        }
        if everything && !path.starts_with("/metadata") {
            let message = "wildcard policy can only deal with the metadata field of the resource";
            draft.refuse(node, message, format!("`{path}`: name the kinds that have it"));
        }
    }
}

/// What is wrong with an operation, and what to do.
fn fault(operation: Node<'_>) -> Option<(String, String)> {
    let op = operation.str_at(&["op"]).unwrap_or_default();
    let path = operation.str_at(&["path"]).unwrap_or_default();
    if !path.starts_with('/') {
        return Some((format!("path must begin with a forward slash: `{path}`"), format!("write `/{path}`")));
    }
    if !OPERATIONS.contains(&op) {
        let names = OPERATIONS.join(", ");
        return Some((format!("`{op}` at `{path}` is no operation of a JSON patch"), format!("use one of {names}")));
    }
    if matches!(op, "add" | "replace" | "test") && operation.get("value").is_none() {
        return Some((format!("`{op}` at `{path}` has no value"), "add `value`".to_owned()));
    }
    None
}
