//! A strategic merge patch while its anchors are worked off.
//!
//! In: the value of a patch after substitution. Out: a tree of its own, since one patch is worked off against many
//! objects. Maps are in the order of their keys, as Kyverno's are.

use crate::{
    expr::{Arena, Value},
    policy::classic::pattern::Anchor,
};

/// A part of a patch.
#[derive(Clone, Debug)]
pub(super) enum Patch<'v> {
    /// Null, a boolean, a number or a text.
    Scalar(Value<'v>),
    /// A list.
    List(Vec<Patch<'v>>),
    /// A map; keys with their anchors.
    Map(Entries<'v>),
}

/// The entries of a map.
pub(super) type Entries<'v> = Vec<(&'v str, Patch<'v>)>;

impl<'v> From<Value<'v>> for Patch<'v> {
    fn from(value: Value<'v>) -> Self {
        match value {
            Value::List(list) => Patch::List(list.iter().map(Patch::from).collect()),
            Value::Map(map) => {
                let mut entries: Entries<'v> = map.iter().map(|(key, value)| (key, Patch::from(value))).collect();
                entries.sort_by(|a, b| a.0.cmp(b.0));
                Patch::Map(entries)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Patch::Scalar(value),
        }
    }
}

impl<'v> Patch<'v> {
    /// The value that the part stands for.
    pub(super) fn value(&self, arena: &'v Arena) -> Value<'v> {
        match self {
            Patch::Scalar(value) => *value,
            Patch::List(items) => {
                let items: Vec<_> = items.iter().map(|it| it.value(arena)).collect();
                Value::list_in(arena, &items)
            }
            Patch::Map(entries) => {
                let entries: Vec<_> = entries.iter().map(|(key, it)| (*key, it.value(arena))).collect();
                Value::map_in(arena, &entries)
            }
        }
    }

    /// Whether a key here or below has an anchor of those that a patch knows, and `wanted` takes it.
    pub(super) fn has_anchor(&self, wanted: fn(Anchor) -> bool) -> bool {
        match self {
            Patch::Scalar(_) => false,
            Patch::List(items) => items.iter().any(|it| it.has_anchor(wanted)),
            Patch::Map(entries) => {
                entries.iter().any(|(key, it)| wanted(Anchor::split(key).0) || it.has_anchor(wanted))
            }
        }
    }
}

/// Whether an anchor means something in a patch. Kyverno: other anchors are keys like any other.
pub(super) fn counts(anchor: Anchor) -> bool {
    matches!(anchor, Anchor::Condition | Anchor::Global | Anchor::Addition)
}
