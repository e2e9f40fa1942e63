//! Reading of the command line's own files: field names in any case, unknown ones and repeated ones are errors.
//!
//! In: a map node. Out: typed fields, and a notice with a place for each that is wrong; the rest is read all the same.

use super::{Notices, Weight};
use crate::document::Node;

/// A map of a known type.
#[derive(Clone, Copy)]
pub(super) struct Fields<'d, 'n> {
    node: Node<'d>,
    owner: &'static str,
    notices: &'n Notices,
}

impl<'d, 'n> Fields<'d, 'n> {
    /// Reads `node` as a map with the fields `known`; `None`, with a notice, when it is no map.
    pub(super) fn read(
        node: Node<'d>,
        owner: &'static str,
        known: &[&'static str],
        notices: &'n Notices,
    ) -> Option<Self> {
        let fields = Self { node, owner, notices };
        if !node.is_map() {
            fields.wrong(node, owner, "a map");
            return None;
        }
        for (key, value) in node.entries() {
            if !known.iter().any(|name| name.eq_ignore_ascii_case(key)) {
                let text = match crate::policy::error::nearest(key, known.iter().copied()) {
                    Some(near) => format!("unknown field `{key}` in {owner}; did you mean `{near}`?"),
                    None => format!("unknown field `{key}` in {owner}"),
                };
                notices.at(Weight::Error, node.file(), value.key_span(), text);
            }
        }
        for key in node.document().duplicates() {
            if node.span().covers(*key) {
                let text = format!("the key `{}` stands here twice", node.file().slice(*key));
                notices.at(Weight::Error, node.file(), *key, text);
            }
        }
        Some(fields)
    }

    /// Says when `apiVersion` or `kind` is missing: Kyverno refuses such a file.
    pub(super) fn expect_header(self, kind: &str) {
        if self.get("apiVersion").is_none() || self.get("kind").is_none() {
            let text = format!("Kyverno refuses this without `apiVersion: cli.kyverno.io/v1alpha1` and `kind: {kind}`");
            self.notices.at(Weight::Warning, self.node.file(), self.node.span(), text);
        }
    }

    /// The value of a field that is there and not null.
    pub(super) fn get(self, key: &str) -> Option<Node<'d>> {
        let found = self.node.entries().find(|(name, _)| name.eq_ignore_ascii_case(key));
        found.map(|(_, node)| node).filter(|node| !node.is_null())
    }

    /// The text of a field; empty when it is absent.
    pub(super) fn string(self, key: &'static str) -> &'d str {
        let Some(node) = self.get(key) else { return "" };
        node.as_str().unwrap_or_else(|| {
            self.wrong(node, key, "a string");
            ""
        })
    }

    /// The boolean of a field; false when it is absent.
    pub(super) fn boolean(self, key: &'static str) -> bool {
        let Some(node) = self.get(key) else { return false };
        node.as_bool().unwrap_or_else(|| {
            self.wrong(node, key, "a boolean");
            false
        })
    }

    /// The items of a list; none when it is absent.
    pub(super) fn list(self, key: &'static str) -> impl Iterator<Item = Node<'d>> + use<'d> {
        let node = self.get(key);
        if let Some(node) = node.filter(|node| !node.is_list()) {
            self.wrong(node, key, "a list");
        }
        node.into_iter().flat_map(Node::items)
    }

    /// The texts of a list; none when it is absent.
    pub(super) fn strings(self, key: &'static str) -> Vec<String> {
        let text = |node: Node<'d>| {
            if node.as_str().is_none() {
                self.wrong(node, key, "a list of strings");
            }
            node.as_str().map(str::to_owned)
        };
        self.list(key).filter_map(text).collect()
    }

    /// The entries of a map; none when it is absent.
    pub(super) fn entries(self, key: &'static str) -> impl Iterator<Item = (&'d str, Node<'d>)> + use<'d> {
        let node = self.get(key);
        if let Some(node) = node.filter(|node| !node.is_map()) {
            self.wrong(node, key, "a map");
        }
        node.into_iter().flat_map(Node::entries)
    }

    /// Says that something is wrong at a node.
    pub(super) fn error(self, node: Node<'_>, text: impl Into<String>) {
        self.notices.at(Weight::Error, node.file(), node.span(), text);
    }

    fn wrong(self, node: Node<'_>, what: &str, wanted: &str) {
        self.error(node, format!("`{what}` in {} must be {wanted}, found {}", self.owner, node.kind().name()));
    }
}
