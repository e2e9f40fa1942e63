//! From a parsed document to the objects that it holds, as the API server would see them.
//!
//! In: a document. Out: its objects, lists taken apart, with the namespace that a client would fill in.

use super::{Builder, Document, Integers, Kind, Node, NodeId};
use crate::span::Span;

/// How deep lists of lists are taken apart.
const MAX_LIST_DEPTH: usize = 8;

/// Maps that are empty when they are null.
const NULL_IS_EMPTY: [&str; 6] = ["annotations", "labels", "matchLabels", "nodeSelector", "data", "stringData"];

/// Whether a node has the `apiVersion` and `kind` of an object.
pub(crate) fn is_object(node: Node<'_>) -> bool {
    let text = |key| node.str_at(&[key]).is_some_and(|text| !text.is_empty());
    text("apiVersion") && text("kind")
}

/// Where to point for something that is missing in `node`, a part of `object`: at the node's heading, and for the object
/// itself at its name.
pub(crate) fn place_of_missing(node: Node<'_>, object: Node<'_>) -> Span {
    let name = |key| object.at(&["metadata", key]).map(Node::span);
    let named = if node == object { name("name").or_else(|| name("generateName")) } else { None };
    named.unwrap_or_else(|| node.heading())
}

/// The objects of a document: its root, or the items of a list, however nested.
pub(crate) fn objects(root: Node<'_>) -> Vec<Node<'_>> {
    let mut out = Vec::new();
    collect(root, 0, &mut out);
    out
}

fn collect<'d>(node: Node<'d>, depth: usize, out: &mut Vec<Node<'d>>) {
    let is_list = node.str_at(&["kind"]).is_some_and(|kind| kind.ends_with("List"));
    match node.get("items") {
        Some(items) if is_list && items.is_list() && depth < MAX_LIST_DEPTH => {
            items.items().for_each(|item| collect(item, depth + 1, out));
        }
        _ => out.push(node),
    }
}

/// Makes a document what the API server would see: numbers are floats, null maps are empty, and an object of a
/// namespaced kind without a namespace is in `default`.
///
/// Kyverno: its command line fills in `default`, too, also for kinds that it doesn't know.
pub(crate) fn prepare(document: Document, is_cluster_scoped: &dyn Fn(&str, &str) -> bool) -> Document {
    let mut empty = Vec::new();
    null_maps(document.root(), &mut empty);
    let homeless: Vec<(NodeId, NodeId)> = objects(document.root())
        .into_iter()
        .filter(|object| is_object(*object))
        .filter_map(|object| {
            let metadata = object.get("metadata").filter(|node| node.is_map())?;
            let api = object.str_at(&["apiVersion"])?;
            let group = api.rsplit_once('/').map_or("", |(group, _)| group);
            let named = metadata.str_at(&["namespace"]).is_some_and(|text| !text.is_empty());
            let skip = named || is_cluster_scoped(group, object.str_at(&["kind"])?);
            (!skip).then(|| (object.id(), metadata.id()))
        })
        .collect();
    let mut builder = Builder::from(document);
    for id in empty {
        builder.empty_map_for_null(id);
    }
    for (_, metadata) in homeless {
        let span = builder.node(metadata).span();
        let value = builder.string("default", span);
        builder.insert(metadata, "namespace", value);
    }
    let mut document = builder.resume();
    document.set_integers(Integers::Floats);
    document
}

/// Group and kind that a CustomResourceDefinition places outside of namespaces.
pub(crate) fn defines_cluster_scoped(object: Node<'_>) -> Option<(&str, &str)> {
    let is_definition = object.str_at(&["kind"]) == Some("CustomResourceDefinition");
    (is_definition && object.str_at(&["spec", "scope"]) == Some("Cluster"))
        .then_some((object.str_at(&["spec", "group"])?, object.str_at(&["spec", "names", "kind"])?))
}

fn null_maps(node: Node<'_>, out: &mut Vec<NodeId>) {
    match node.kind() {
        Kind::Map => {
            for (key, value) in node.entries() {
                if value.is_null() && NULL_IS_EMPTY.contains(&key) {
                    out.push(value.id());
                }
                null_maps(value, out);
            }
        }
        Kind::List => node.items().for_each(|item| null_maps(item, out)),
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::String(_) => {}
    }
}
