//! An object while it is changed: what is not touched stays the node that it was.
//!
//! In: an object, and values that go into it. Out: a document with the changed object, whose untouched nodes keep their
//! spans; a new one has that of the nearest node that the file holds.

use std::sync::Arc;

use crate::{
    document::{Builder, Document, Node, NodeId},
    expr::{Arena, Number, Value},
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
                // Most entries stand where they stood.
                let mut in_order = node.entries();
                node.is_map()
                    && node.len() == entries.len()
                    && entries.iter().all(|(key, it)| {
                        let next = in_order.next().filter(|(name, _)| name == key).map(|(_, child)| child);
                        next.or_else(|| node.get(key)).is_some_and(|child| it.is(child))
                    })
            }
            Patched::List(items, _) => {
                node.is_list()
                    && node.len() == items.len()
                    && items.iter().zip(node.items()).all(|(it, node)| it.is(node))
            }
        }
    }

    /// A text below keys of maps.
    pub(in crate::engine) fn str_at(&self, path: &[&str]) -> Option<&'v str> {
        match (self, path) {
            (Patched::Kept(node), _) => node.str_at(path),
            (Patched::Added(value), _) => path.iter().try_fold(*value, |value, key| value.get(key))?.as_str(),
            (Patched::Map(entries, _), [key, rest @ ..]) => {
                entries.iter().find(|(name, _)| name == key).and_then(|(_, it)| it.str_at(rest))
            }
            (Patched::Map(..) | Patched::List(..), _) => None,
        }
    }

    /// A document with the part on top, for the file of `object`, which it was made from.
    pub(in crate::engine) fn into_document(self, object: Node<'v>) -> Document {
        self.draft(object).copied(object.document())
    }

    /// The part, free of the document of `object`, which it was made from.
    pub(in crate::engine) fn draft(&self, object: Node<'v>) -> Draft {
        draft(self, object.document(), object.heading())
    }
}

/// A changed object that borrows nothing: what is left of its document is named by the places there.
///
/// Rules come in rows, and each changes a little of what the one before left. With a draft the document of that one is
/// taken over, and only what is new is added to it.
#[derive(Debug)]
pub(in crate::engine) struct Draft {
    part: Part,
    span: Span,
}

#[derive(Debug)]
enum Part {
    /// A node of the document.
    Kept(NodeId),
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Box<str>),
    List(Vec<Draft>),
    Map(Vec<(Name, Draft)>),
}

/// The key of an entry.
#[derive(Debug)]
enum Name {
    /// That of a node of the document.
    Kept(NodeId),
    New(Box<str>, Span),
}

impl Draft {
    /// A document of its own, made from the one that the draft came from.
    pub(in crate::engine) fn copied(&self, source: &Document) -> Document {
        let mut builder = Builder::new(Arc::clone(source.file()));
        let root = self.build(&mut builder, Some(source));
        let mut document = builder.finish(root);
        document.set_integers(source.integers());
        document
    }

    /// The document that the draft came from, with the changes.
    pub(in crate::engine) fn replacing(&self, document: Document) -> Document {
        let mut builder = Builder::from(document);
        let root = self.build(&mut builder, None);
        builder.finish(root)
    }

    /// Builds the part from nodes of `source`, or of the builder's own document.
    fn build(&self, builder: &mut Builder, source: Option<&Document>) -> NodeId {
        match &self.part {
            Part::Kept(id) => source.map_or(*id, |source| builder.copy(source.node(*id), self.span)),
            Part::Null => builder.null(self.span),
            Part::Bool(value) => builder.bool(*value, self.span),
            Part::Int(value) => builder.int(*value, self.span),
            Part::Float(value) => builder.float(*value, self.span),
            Part::Text(text) => builder.string(text, self.span),
            Part::List(items) => {
                let items: Vec<_> = items.iter().map(|item| item.build(builder, source)).collect();
                builder.list(&items, self.span)
            }
            Part::Map(entries) => {
                let mut built = Vec::with_capacity(entries.len());
                for (name, draft) in entries {
                    let id = draft.build(builder, source);
                    let key = match (name, source) {
                        (Name::Kept(id), Some(source)) => builder.key_like(source.node(*id)),
                        (Name::Kept(id), None) => builder.node(*id).key_token(),
                        (Name::New(text, span), _) => builder.key(text, *span),
                    };
                    built.push((key, id));
                }
                builder.map(&built, self.span)
            }
        }
    }
}

fn draft(part: &Patched<'_>, document: &Document, nearest: Span) -> Draft {
    let is_of_document = |node: &Node<'_>| std::ptr::eq(node.document(), document);
    match part {
        Patched::Kept(node) if is_of_document(node) => Draft { part: Part::Kept(node.id()), span: node.span() },
        Patched::Kept(node) => added(Value::from(*node), nearest),
        Patched::Added(value) => added(*value, nearest),
        Patched::Map(entries, origin) => {
            let here = origin.map_or(nearest, Node::heading);
            let entries = entries.iter().map(|(key, part)| {
                let name = match part {
                    Patched::Kept(node) | Patched::Map(_, Some(node)) | Patched::List(_, Some(node))
                        if node.key() == *key && is_of_document(node) =>
                    {
                        Name::Kept(node.id())
                    }
                    _ => Name::New((*key).into(), here),
                };
                (name, draft(part, document, here))
            });
            Draft { part: Part::Map(entries.collect()), span: origin.map_or(nearest, Node::span) }
        }
        Patched::List(items, origin) => {
            let here = origin.map_or(nearest, Node::heading);
            // What was an entry of a map has a key that no item has.
            let item = |part: &Patched<'_>| match part {
                Patched::Kept(node) if !node.key().is_empty() => added(Value::from(*node), node.span()),
                _ => draft(part, document, here),
            };
            let items = items.iter().map(item).collect();
            Draft { part: Part::List(items), span: origin.map_or(nearest, Node::span) }
        }
    }
}

/// A new value; all of it stands at one place.
fn added(value: Value<'_>, span: Span) -> Draft {
    let part = match value {
        Value::Null => Part::Null,
        Value::Bool(value) => Part::Bool(value),
        Value::Number(Number::Int(value)) => Part::Int(value),
        Value::Number(Number::Float(value)) if value.fract() == 0.0 && value.abs() < 1e15 => Part::Int(value as i64),
        Value::Number(Number::Float(value)) => Part::Float(value),
        Value::String(text) => Part::Text(text.into()),
        Value::List(list) => Part::List(list.iter().map(|item| added(item, span)).collect()),
        Value::Map(map) => {
            Part::Map(map.iter().map(|(key, item)| (Name::New(key.into(), span), added(item, span))).collect())
        }
    };
    Draft { part, span }
}
