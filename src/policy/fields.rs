//! Reading of typed maps: missing fields, wrong types and values outside a list become errors with a place.

use std::{cell::RefCell, sync::Arc};

use super::error::{PolicyError, Problem};
use crate::{document::Node, span::Span};

/// The errors found while decoding one document.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: RefCell<Vec<PolicyError>>,
}

impl Problems {
    /// Notes a problem at a node's value.
    pub(crate) fn at(&self, node: Node<'_>, problem: Problem) {
        self.at_span(node, node.span(), problem);
    }

    /// Notes a problem at a node's key.
    pub(crate) fn at_key(&self, node: Node<'_>, problem: Problem) {
        self.at_span(node, node.key_span(), problem);
    }

    /// Notes a problem at a place in the file of `node`.
    pub(crate) fn at_span(&self, node: Node<'_>, at: Span, problem: Problem) {
        self.found.borrow_mut().push(PolicyError { file: Arc::clone(node.file()), at, problem });
    }

    /// Notes a problem whose place is known.
    pub(crate) fn add(&self, error: PolicyError) {
        self.found.borrow_mut().push(error);
    }

    /// Whether nothing was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// Everything found, in the order of finding.
    pub(crate) fn into_vec(self) -> Vec<PolicyError> {
        self.found.into_inner()
    }
}

/// A map of a known type.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'d, 'e> {
    node: Node<'d>,
    owner: &'static str,
    problems: &'e Problems,
}

impl<'d, 'e> Fields<'d, 'e> {
    /// Reads `node` as a map; `None`, with an error noted, when it is none. Which fields may stand in it is the schema's
    /// business.
    pub(crate) fn read(node: Node<'d>, owner: &'static str, problems: &'e Problems) -> Option<Self> {
        if !node.is_map() {
            let field = if node.key().is_empty() { owner.to_owned() } else { node.key().to_owned() };
            problems.at(node, Problem::Type { field, wanted: "a map", found: node.kind().name() });
            return None;
        }
        Some(Self { node, owner, problems })
    }

    /// The map itself.
    pub(crate) fn node(self) -> Node<'d> {
        self.node
    }

    /// The value of a field that is there and not null.
    pub(crate) fn get(self, key: &str) -> Option<Node<'d>> {
        self.node.get(key).filter(|node| !node.is_null())
    }

    /// The value of a field that must be there.
    pub(crate) fn require(self, key: &'static str) -> Option<Node<'d>> {
        let found = self.get(key);
        if found.is_none() {
            self.problems.at_span(self.node, self.node.heading(), Problem::Missing { field: key, owner: self.owner });
        }
        found
    }

    /// The text of a field.
    pub(crate) fn string(self, key: &str) -> Option<&'d str> {
        self.get(key).and_then(|node| self.text(node))
    }

    /// The boolean of a field.
    pub(crate) fn boolean(self, key: &str) -> Option<bool> {
        let node = self.get(key)?;
        if node.as_bool().is_none() {
            self.wrong(node, "a boolean");
        }
        node.as_bool()
    }

    /// The texts of a list field, with their nodes.
    pub(crate) fn strings(self, key: &str) -> Vec<(&'d str, Node<'d>)> {
        self.list(key).filter_map(|item| Some((self.text(item)?, item))).collect()
    }

    /// The pairs of a map of texts.
    pub(crate) fn pairs(self, key: &str) -> Vec<(&'d str, &'d str)> {
        let Some(node) = self.get(key) else { return Vec::new() };
        if !node.is_map() {
            self.wrong(node, "a map");
        }
        node.entries().filter_map(|(name, value)| Some((name, self.text(value)?))).collect()
    }

    /// The items of a list field; nothing, with an error noted, when it is no list.
    pub(crate) fn list(self, key: &str) -> impl Iterator<Item = Node<'d>> + use<'d> {
        let node = self.get(key);
        if let Some(node) = node
            && !node.is_list()
        {
            self.wrong(node, "a list");
        }
        node.into_iter().flat_map(Node::items)
    }

    /// The text of a field that is one of a closed list.
    pub(crate) fn choice(self, key: &str, allowed: &'static [&'static str]) -> Option<&'d str> {
        let node = self.get(key)?;
        let text = self.text(node)?;
        if allowed.contains(&text) {
            return Some(text);
        }
        self.problems.at(node, Problem::Choice { field: key.to_owned(), value: text.to_owned(), allowed });
        None
    }

    /// The text of a node that must be a string.
    pub(crate) fn text(self, node: Node<'d>) -> Option<&'d str> {
        if node.as_str().is_none() {
            self.wrong(node, "a string");
        }
        node.as_str()
    }

    fn wrong(self, node: Node<'_>, wanted: &'static str) {
        let field = if node.key().is_empty() { self.owner.to_owned() } else { node.key().to_owned() };
        self.problems.at(node, Problem::Type { field, wanted, found: node.kind().name() });
    }
}
