//! Owner, reason, ticket: what people write on an exception, wherever they write it.

use super::Item;
use crate::{
    document::{
        Node,
        edit::{self, Edit, Text},
    },
    k8s::wildcard,
};

/// The value of a key on an exception: in its annotations, its labels, or the `properties` of `policies.kyverno.io`.
///
/// `*/owner` finds `example.com/owner` and a bare `owner`; without a slash in it the key must be the whole one.
pub(super) fn find<'c>(item: &Item<'c>, key: &str) -> Option<Node<'c>> {
    let maps = [["metadata", "annotations"], ["metadata", "labels"], ["spec", "properties"]];
    let entries = maps.iter().filter_map(|path| item.node.at(path)).flat_map(Node::entries);
    entries.into_iter().find(|(name, value)| matches(key, name) && is_filled(*value)).map(|(_, value)| value)
}

/// The value of a key that somebody has yet to fill in.
pub(super) fn waiting<'c>(item: &Item<'c>, key: &str) -> Option<Node<'c>> {
    let maps = [["metadata", "annotations"], ["metadata", "labels"], ["spec", "properties"]];
    let entries = maps.iter().filter_map(|path| item.node.at(path)).flat_map(Node::entries);
    let is_blank = |value: Node<'_>| value.as_str().is_some_and(is_blank);
    let is_filled_elsewhere = find(item, key).is_some();
    entries
        .into_iter()
        .filter(|_| !is_filled_elsewhere)
        .find(|(name, value)| matches(key, name) && is_blank(*value))
        .map(|it| it.1)
}

/// What stands for something that is not known yet.
pub(super) fn blank(what: &str) -> String {
    format!("<{what}>")
}

/// Whether a text stands for something that is not known yet.
pub(super) fn is_blank(text: &str) -> bool {
    let text = text.trim();
    text.starts_with('<') && text.ends_with('>')
}

/// Edits that write keys without a value into the annotations of an exception, for somebody to fill in.
pub(super) fn skeleton(item: &Item<'_>, keys: &[&str]) -> Vec<Option<Edit>> {
    let Some(metadata) = item.node.get("metadata") else { return vec![None] };
    match metadata.get("annotations") {
        _ if keys.is_empty() => Vec::new(),
        // One insertion for all of them: two at the same place have no order.
        Some(annotations) => vec![edit::set_all(annotations, keys)],
        None => {
            let all = keys.iter().map(|key| (*key, "")).collect();
            vec![edit::set(metadata, "annotations", &Text::Map(all), None)]
        }
    }
}

/// Whether a key stands among the annotations, with a value or without.
pub(super) fn is_there(item: &Item<'_>, key: &str) -> bool {
    item.node.at(&["metadata", "annotations", key]).is_some()
}

/// Whether a key pattern covers a key.
pub(super) fn matches(pattern: &str, key: &str) -> bool {
    wildcard::matches(pattern, key) || pattern.strip_prefix("*/") == Some(key)
}

fn is_filled(value: Node<'_>) -> bool {
    value.as_str().is_none_or(|text| !text.trim().is_empty() && !is_blank(text)) && !value.is_null()
}
