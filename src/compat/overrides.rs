//! Values that change the object itself: `request.object.spec.replicas`.
//!
//! In: an object, values under dotted names. Out: the object with the values in their places, or nothing when no value
//! is about it. What was changed has the span of the nearest node that the file holds.

use std::sync::Arc;

use serde_json::Value as Json;

use super::load::Object;
use crate::{
    document::{Builder, Node, NodeId},
    span::Span,
};

/// What a name begins with that means a place in the object.
const PREFIX: &str = "request.object.";

/// The object with the values that are about it.
pub(super) fn apply<'v>(object: &Object, values: impl Iterator<Item = (&'v str, &'v Json)>) -> Option<Object> {
    let mut values = values.filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?, value))).peekable();
    values.peek()?;
    let node = object.node();
    let mut builder = Builder::new(Arc::clone(node.file()));
    let root = builder.copy(node, node.span());
    for (place, value) in values {
        put(&mut builder, root, place, value);
    }
    let mut document = builder.finish(root);
    document.set_integers(object.document.integers());
    let document = Arc::new(document);
    Some(Object::new(&document, document.root().id()))
}

fn put(builder: &mut Builder, map: NodeId, place: &str, value: &Json) {
    let span = builder.node(map).span();
    let Some((first, rest)) = place.split_once('.') else {
        let node = node_of(builder, value, span);
        builder.insert(map, place, node);
        return;
    };
    let found = builder.node(map).get(first).filter(|child| child.is_map()).map(Node::id);
    let child = found.unwrap_or_else(|| {
        let child = builder.map(&[], span);
        builder.insert(map, first, child);
        child
    });
    put(builder, child, rest, value);
}

fn node_of(builder: &mut Builder, value: &Json, span: Span) -> NodeId {
    match value {
        Json::Null => builder.null(span),
        Json::Bool(value) => builder.bool(*value, span),
        Json::Number(number) => match number.as_i64() {
            Some(value) => builder.int(value, span),
            None => builder.float(number.as_f64().unwrap_or(f64::MAX), span),
        },
        Json::String(text) => builder.string(text, span),
        Json::Array(items) => {
            let items: Vec<NodeId> = items.iter().map(|item| node_of(builder, item, span)).collect();
            builder.list(&items, span)
        }
        Json::Object(entries) => {
            let entries: Vec<_> = entries
                .iter()
                .map(|(name, item)| {
                    let node = node_of(builder, item, span);
                    (builder.key(name, span), node)
                })
                .collect();
            builder.map(&entries, span)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        document::{Limits, parse},
        span::File,
    };

    #[test]
    fn a_value_replaces_what_stands_at_its_place() {
        let file = File::new("pod.yaml", b"kind: Pod\nspec: {hostIPC: true, hostPID: true}\n".to_vec());
        let document = Arc::new(parse(&file, &Limits::default()).documents.remove(0));
        let object = Object::new(&document, document.root().id());
        let values = [
            ("request.object.spec.hostIPC".to_owned(), Json::from(false)),
            ("request.object.metadata.labels.app".to_owned(), Json::from("x")),
            ("request.operation".to_owned(), Json::from("UPDATE")),
        ];
        let pairs = || values.iter().map(|(name, value)| (name.as_str(), value));
        let changed = apply(&object, pairs()).expect("something changes");
        let expected =
            r#"{"kind": "Pod", "spec": {"hostIPC": false, "hostPID": true}, "metadata": {"labels": {"app": "x"}}}"#;
        assert_eq!(format!("{:?}", changed.node()), expected);
        assert!(apply(&object, pairs().skip(2)).is_none());
    }
}
