//! From a parsed document to the objects that it holds, as the API server would see them.
//!
//! In: a document. Out: its objects, lists taken apart, with the namespace that a client would fill in.

use super::{Builder, Document, Integers, Node, NodeId};
use crate::span::Span;

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
///
/// Clients take anything with `items` for a list. What isn't called one may be an object of its own all the same, so
/// then both are given: the whole, and those items that are objects.
pub(crate) fn objects(root: Node<'_>) -> Vec<Node<'_>> {
    let mut out = Vec::new();
    collect(root, &mut out);
    out
}

fn collect<'d>(node: Node<'d>, out: &mut Vec<Node<'d>>) {
    let Some(items) = node.get("items").filter(|items| items.is_list()) else {
        out.push(node);
        return;
    };
    let is_list = list_kind(node).is_some();
    if !is_list {
        out.push(node);
    }
    items.items().filter(|item| is_list || is_object(*item)).for_each(|item| collect(item, out));
}

/// The kind of a list's items as far as its own kind tells it: `Pod` for `PodList`, nothing for `List`. `None` if the
/// node isn't called a list.
fn list_kind(node: Node<'_>) -> Option<&str> {
    node.str_at(&["kind"])?.strip_suffix("List")
}

/// Makes a document what the API server would see: numbers are those of JSON, null maps are empty, items of a list that don't
/// say what they are get kind and version from the list, and an object of a namespaced kind without a namespace is in
/// `default`.
///
/// Kyverno: its command line fills in `default`, too, also for kinds that it doesn't know.
pub(crate) fn prepare(document: Document, is_cluster_scoped: &dyn Fn(&str, &str) -> bool) -> Document {
    prepare_in(document, "default", is_cluster_scoped)
}

/// The same for objects that go into another namespace where they name none.
pub(crate) fn prepare_in(
    document: Document,
    namespace: &str,
    is_cluster_scoped: &dyn Fn(&str, &str) -> bool,
) -> Document {
    let mut document = document;
    document.set_integers(Integers::Wire);
    let is_empty_map = |node: &Node<'_>| node.is_null() && NULL_IS_EMPTY.contains(&node.key());
    let empty: Vec<_> = document.nodes().filter(is_empty_map).map(Node::id).collect();
    let mut nameless = Vec::new();
    nameless_items(document.root(), &mut nameless);
    if !empty.is_empty() || !nameless.is_empty() {
        let mut builder = Builder::from(document);
        for id in empty {
            builder.empty_map_for_null(id);
        }
        for Nameless { item, version, kind } in nameless {
            let span = builder.node(item).span();
            let version = builder.string(&version, span);
            builder.insert(item, "apiVersion", version);
            let kind = builder.string(&kind, span);
            builder.insert(item, "kind", kind);
        }
        document = builder.resume();
    }
    let homeless: Vec<NodeId> = objects(document.root())
        .into_iter()
        .filter(|object| is_object(*object))
        .filter_map(|object| {
            let metadata = object.get("metadata").filter(|node| node.is_map())?;
            let api = object.str_at(&["apiVersion"])?;
            let group = api.rsplit_once('/').map_or("", |(group, _)| group);
            // A value of a wrong type stays, for those who tell of it.
            let named = metadata.get("namespace").is_some_and(|it| !it.is_null() && it.as_str() != Some(""));
            let skip = named || is_cluster_scoped(group, object.str_at(&["kind"])?);
            (!skip).then(|| metadata.id())
        })
        .collect();
    if homeless.is_empty() {
        return document;
    }
    let mut builder = Builder::from(document);
    for metadata in homeless {
        let span = builder.node(metadata).span();
        let value = builder.string(namespace, span);
        builder.insert(metadata, "namespace", value);
    }
    builder.resume()
}

/// An item of a list that has neither version nor kind, and those that it gets.
struct Nameless {
    item: NodeId,
    version: String,
    kind: String,
}

fn nameless_items(node: Node<'_>, out: &mut Vec<Nameless>) {
    let Some(items) = node.get("items") else { return };
    let version = node.str_at(&["apiVersion"]).unwrap_or_default();
    let kind = list_kind(node).unwrap_or_default();
    for item in items.items().filter(|item| item.is_map()) {
        let text = |key| item.str_at(&[key]).unwrap_or_default();
        if !kind.is_empty() && !version.is_empty() && text("apiVersion").is_empty() && text("kind").is_empty() {
            out.push(Nameless { item: item.id(), version: version.to_owned(), kind: kind.to_owned() });
        }
        nameless_items(item, out);
    }
}

/// Group and kind that a `CustomResourceDefinition` places outside of namespaces.
pub(crate) fn defines_cluster_scoped(object: Node<'_>) -> Option<(&str, &str)> {
    let is_definition = object.str_at(&["kind"]) == Some("CustomResourceDefinition");
    (is_definition && object.str_at(&["spec", "scope"]) == Some("Cluster"))
        .then_some((object.str_at(&["spec", "group"])?, object.str_at(&["spec", "names", "kind"])?))
}
