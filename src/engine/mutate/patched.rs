//! An object while it is changed: what is not touched stays the node that it was.
//!
//! In: an object, and values that go into it. Out: a document with the changed object, whose untouched nodes keep their
//! spans; a new one has that of the nearest node that the file holds.

use std::sync::Arc;

use crate::{
    document::{Builder, Document, Node, NodeId},
    expr::{Arena, List, Map, Number, Value},
    span::Span,
};

/// A part of an object.
#[derive(Clone, Debug)]
pub(in crate::engine) enum Patched<'v> {
    /// As it was.
    Kept(Node<'v>),
    /// New.
    Added(Value<'v>),
    /// A map whose entries may have changed, and what it was before.
    Map(Vec<(&'v str, Patched<'v>)>, Option<Node<'v>>),
    /// A list whose items may have changed, and what it was before.
    List(Vec<Patched<'v>>, Option<Node<'v>>),
}

/// What a part is, without what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Sort {
    Null,
    Scalar,
    List,
    Map,
}

impl<'v> Patched<'v> {
    /// What it is.
    pub(in crate::engine) fn sort(&self) -> Sort {
        let value = match self {
            Patched::Kept(node) => Value::from(*node),
            Patched::Added(value) => *value,
            Patched::Map(..) => return Sort::Map,
            Patched::List(..) => return Sort::List,
        };
        match value {
            Value::Null => Sort::Null,
            Value::Bool(_) | Value::Number(_) | Value::String(_) => Sort::Scalar,
            Value::List(_) => Sort::List,
            Value::Map(_) => Sort::Map,
        }
    }

    /// The entries of a map, to be changed; `None` for anything else.
    pub(in crate::engine) fn entries(&mut self) -> Option<&mut Vec<(&'v str, Patched<'v>)>> {
        match self {
            Patched::Kept(node) if node.is_map() => {
                let entries = node.entries().map(|(key, value)| (key, Patched::Kept(value))).collect();
                *self = Patched::Map(entries, Some(*node));
            }
            Patched::Added(Value::Map(map)) => {
                *self = Patched::Map(map.iter().map(|(key, value)| (key, Patched::Added(value))).collect(), None);
            }
            _ => {}
        }
        match self {
            Patched::Map(entries, _) => Some(entries),
            _ => None,
        }
    }

    /// The items of a list, to be changed; `None` for anything else.
    pub(in crate::engine) fn items(&mut self) -> Option<&mut Vec<Patched<'v>>> {
        match self {
            Patched::Kept(node) if node.is_list() => {
                *self = Patched::List(node.items().map(Patched::Kept).collect(), Some(*node));
            }
            Patched::Added(Value::List(list)) => {
                *self = Patched::List(list.iter().map(Patched::Added).collect(), None);
            }
            _ => {}
        }
        match self {
            Patched::List(items, _) => Some(items),
            _ => None,
        }
    }

    /// The value, as expressions see it.
    pub(in crate::engine) fn value(&self, arena: &'v Arena) -> Value<'v> {
        match self {
            Patched::Kept(node) => Value::from(*node),
            Patched::Added(value) => *value,
            Patched::Map(entries, _) => {
                let entries: Vec<_> = entries.iter().map(|(key, it)| (*key, it.value(arena))).collect();
                Value::map_in(arena, &entries)
            }
            Patched::List(items, _) => {
                let items: Vec<_> = items.iter().map(|it| it.value(arena)).collect();
                Value::list_in(arena, &items)
            }
        }
    }

    /// The value below a key of a map.
    pub(in crate::engine) fn get(&self, key: &str, arena: &'v Arena) -> Option<Value<'v>> {
        match self {
            Patched::Map(entries, _) => entries.iter().find(|(name, _)| *name == key).map(|(_, it)| it.value(arena)),
            Patched::Kept(node) => node.get(key).map(Value::from),
            Patched::Added(value) => value.get(key),
            Patched::List(..) => None,
        }
    }

    /// Whether it still has the value of a node.
    pub(in crate::engine) fn is(&self, node: Node<'v>) -> bool {
        match self {
            Patched::Kept(kept) => *kept == node || Value::from(*kept).equals(Value::from(node)),
            Patched::Added(value) => value.equals(Value::from(node)),
            Patched::Map(entries, _) => {
                node.is_map()
                    && node.len() == entries.len()
                    && entries.iter().all(|(key, it)| node.get(key).is_some_and(|node| it.is(node)))
            }
            Patched::List(items, _) => {
                node.is_list()
                    && node.len() == items.len()
                    && items.iter().zip(node.items()).all(|(it, node)| it.is(node))
            }
        }
    }

    /// A document with the part on top, for the file of `object`, which it was made from.
    pub(in crate::engine) fn into_document(self, object: Node<'v>) -> Document {
        let mut builder = Builder::new(Arc::clone(object.file()));
        let root = build(&mut builder, &self, object.heading());
        let mut document = builder.finish(root);
        document.set_integers(object.document().integers());
        document
    }
}

fn build(builder: &mut Builder, part: &Patched<'_>, nearest: Span) -> NodeId {
    match part {
        Patched::Kept(node) => builder.copy(*node, nearest),
        Patched::Added(value) => add(builder, *value, nearest),
        Patched::Map(entries, origin) => {
            let here = origin.map_or(nearest, Node::heading);
            let entries: Vec<_> = entries
                .iter()
                .map(|(key, part)| {
                    let id = build(builder, part, here);
                    let key = match part {
                        Patched::Kept(node) | Patched::Map(_, Some(node)) | Patched::List(_, Some(node))
                            if node.key() == *key && Arc::ptr_eq(node.file(), builder.file()) =>
                        {
                            builder.key_like(*node)
                        }
                        _ => builder.key(key, here),
                    };
                    (key, id)
                })
                .collect();
            builder.map(&entries, origin.map_or(nearest, Node::span))
        }
        Patched::List(items, origin) => {
            let here = origin.map_or(nearest, Node::heading);
            let items: Vec<_> = items.iter().map(|part| build(builder, part, here)).collect();
            builder.list(&items, origin.map_or(nearest, Node::span))
        }
    }
}

/// Adds a value; all of it stands at one place.
fn add(builder: &mut Builder, value: Value<'_>, at: Span) -> NodeId {
    match value {
        Value::Null => builder.null(at),
        Value::Bool(value) => builder.bool(value, at),
        Value::Number(Number::Int(value)) => builder.int(value, at),
        Value::Number(Number::Float(value)) if value.fract() == 0.0 && value.abs() < 1e15 => {
            builder.int(value as i64, at)
        }
        Value::Number(Number::Float(value)) => builder.float(value, at),
        Value::String(text) => builder.string(text, at),
        Value::List(list) => of_list(builder, list, at),
        Value::Map(map) => of_map(builder, map, at),
    }
}

fn of_list(builder: &mut Builder, list: List<'_>, at: Span) -> NodeId {
    let items: Vec<_> = list.iter().map(|item| add(builder, item, at)).collect();
    builder.list(&items, at)
}

fn of_map(builder: &mut Builder, map: Map<'_>, at: Span) -> NodeId {
    let entries: Vec<_> = map
        .iter()
        .map(|(key, item)| {
            let id = add(builder, item, at);
            (builder.key(key, at), id)
        })
        .collect();
    builder.map(&entries, at)
}
