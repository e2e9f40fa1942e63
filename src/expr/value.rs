//! What expressions compute with: values that borrow from documents or from the memory of one evaluation.
//!
//! A [`Value`] is `Copy`. Scalars stand in it, lists and maps are either nodes of a document or slices in an
//! [`Arena`], which lives as long as the judging of one resource.

use bumpalo::Bump;
use rustc_hash::FxHashSet;

use crate::document::{Integers, Kind, Node};

/// Memory for computed values; everything in it is dropped at once.
pub(crate) type Arena = Bump;

/// A number: integers stay integers where Kyverno keeps them (literals in policies, `compare()`, `elementIndex`).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    /// A 64-bit integer.
    Int(i64),
    /// A 64-bit float; finite except as the result of `avg([])`.
    Float(f64),
}

impl Number {
    /// The number as a float, rounded to the nearest.
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Number::Int(value) => value as f64,
            Number::Float(value) => value,
        }
    }
}

/// A JSON value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'v> {
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    String(&'v str),
    /// A list.
    List(List<'v>),
    /// A map with string keys.
    Map(Map<'v>),
}

/// A list, from a document or computed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum List<'v> {
    /// A list node.
    Node(Node<'v>),
    /// Computed items.
    Items(&'v [Value<'v>]),
}

/// A map, from a document or computed. Keys are unique.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Map<'v> {
    /// A map node.
    Node(Node<'v>),
    /// Computed entries, in any order.
    Entries(&'v [(&'v str, Value<'v>)]),
    /// A map of which only a part is known.
    Partial(&'v Partial<'v>),
}

/// A map of which a cluster knows more than is known here. An expression that reads what is missing, or all of the map, is
/// indeterminate, so that such a map is never the value of an expression.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Partial<'v> {
    /// What is known: the entries that the map gives.
    pub known: &'v [(&'v str, Value<'v>)],
    /// Keys of what is not, each with what it takes to know it.
    pub unknown: &'v [(&'v str, &'v str)],
}

impl<'v> From<Node<'v>> for Value<'v> {
    fn from(node: Node<'v>) -> Self {
        match node.kind() {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(value),
            Kind::Int(value) => match node.document().integers() {
                Integers::Exact => Value::Number(Number::Int(value)),
                Integers::Wire | Integers::Floats => Value::Number(Number::Float(value as f64)),
            },
            Kind::Float(value) => Value::Number(Number::Float(value)),
            Kind::String(value) => Value::String(value),
            Kind::List => Value::List(List::Node(node)),
            Kind::Map => Value::Map(Map::Node(node)),
        }
    }
}

impl<'v> Value<'v> {
    /// A float.
    pub(crate) const fn float(value: f64) -> Self {
        Value::Number(Number::Float(value))
    }

    /// An integer.
    pub(crate) const fn int(value: i64) -> Self {
        Value::Number(Number::Int(value))
    }

    /// Text copied into the arena.
    pub(crate) fn string_in(arena: &'v Arena, text: &str) -> Self {
        Value::String(arena.alloc_str(text))
    }

    /// A list copied into the arena.
    pub(crate) fn list_in(arena: &'v Arena, items: &[Value<'v>]) -> Self {
        Value::List(List::Items(arena.alloc_slice_copy(items)))
    }

    /// A map copied into the arena; the caller has dropped duplicate keys.
    pub(crate) fn map_in(arena: &'v Arena, entries: &[(&'v str, Value<'v>)]) -> Self {
        Value::Map(Map::Entries(arena.alloc_slice_copy(entries)))
    }

    /// Copies a JSON value of `serde_json` into the arena. Integers that fit are integers when `integers` says so.
    pub(crate) fn from_json(arena: &'v Arena, json: &serde_json::Value, integers: Integers) -> Self {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(*value),
            serde_json::Value::Number(number) => match (number.as_i64(), integers) {
                (Some(value), Integers::Exact) => Value::int(value),
                _ => Value::float(number.as_f64().unwrap_or(f64::MAX)),
            },
            serde_json::Value::String(text) => Value::string_in(arena, text),
            serde_json::Value::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| Value::from_json(arena, item, integers)).collect();
                Value::list_in(arena, &items)
            }
            serde_json::Value::Object(map) => {
                let entries: Vec<(&'v str, Value<'v>)> = map
                    .iter()
                    .map(|(key, item)| (&*arena.alloc_str(key), Value::from_json(arena, item, integers)))
                    .collect();
                Value::map_in(arena, &entries)
            }
        }
    }

    /// The value with all its parts copied into an arena that may outlive the document it stands in.
    pub(crate) fn copied_to<'a>(self, arena: &'a Arena) -> Value<'a> {
        match self {
            Value::Null => Value::Null,
            Value::Bool(value) => Value::Bool(value),
            Value::Number(value) => Value::Number(value),
            Value::String(text) => Value::string_in(arena, text),
            Value::List(list) => {
                let items: Vec<Value<'a>> = list.iter().map(|item| item.copied_to(arena)).collect();
                Value::list_in(arena, &items)
            }
            Value::Map(map) => {
                let entries: Vec<(&'a str, Value<'a>)> =
                    map.iter().map(|(key, item)| (&*arena.alloc_str(key), item.copied_to(arena))).collect();
                Value::map_in(arena, &entries)
            }
        }
    }

    /// The text of a string.
    pub(crate) fn as_str(self) -> Option<&'v str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value under `key`, when this is a map that has it.
    pub(crate) fn get(self, key: &str) -> Option<Self> {
        match self {
            Value::Map(map) => map.get(key),
            _ => None,
        }
    }

    /// Whether this is null.
    pub(crate) fn is_null(self) -> bool {
        matches!(self, Value::Null)
    }

    /// The node this value is, for lists and maps that stand in a document.
    pub(crate) fn node(self) -> Option<Node<'v>> {
        match self {
            Value::List(List::Node(node)) | Value::Map(Map::Node(node)) => Some(node),
            _ => None,
        }
    }

    /// What it takes to know all of the value, of which a part is not known here. Nodes of documents are known.
    pub(crate) fn missing(self) -> Option<&'v str> {
        self.missing_beside(&mut FxHashSet::default())
    }

    /// The same beside computed lists and maps that were looked through: few of them can stand in one another so often that
    /// nobody gets through all.
    fn missing_beside(self, seen: &mut FxHashSet<usize>) -> Option<&'v str> {
        match self {
            Value::Map(Map::Partial(map)) => {
                let first = map.unknown.first().map(|(_, what)| *what);
                first.or_else(|| map.known.iter().find_map(|(_, it)| it.missing_beside(seen)))
            }
            Value::List(List::Items(items)) if seen.insert(items.as_ptr() as usize) => {
                items.iter().find_map(|it| it.missing_beside(seen))
            }
            Value::Map(Map::Entries(entries)) if seen.insert(entries.as_ptr() as usize) => {
                entries.iter().find_map(|(_, it)| it.missing_beside(seen))
            }
            _ => None,
        }
    }

    /// Deep equality as JMESPath has it: numbers by value, maps in any order.
    pub(crate) fn equals(self, other: Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
            (Value::String(a), Value::String(b)) => a == b,
            (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.equals(b)),
            (Value::Map(a), Value::Map(b)) => {
                a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| a.equals(b)))
            }
            _ => false,
        }
    }

    /// Compact JSON as Go's encoder writes it: keys sorted, `<`, `>` and `&` escaped, floats in Go's form.
    pub(crate) fn to_json(self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    /// About how long the value is as JSON, in bytes: escapes and the digits of numbers are not counted.
    pub(crate) fn json_size(self) -> usize {
        match self {
            Value::Null | Value::Bool(_) | Value::Number(_) => 4,
            Value::String(text) => text.len() + 2,
            Value::List(list) => list.iter().fold(2, |sum, item| sum + item.json_size() + 1),
            Value::Map(map) => map.iter().fold(2, |sum, (key, item)| sum + key.len() + item.json_size() + 4),
        }
    }

    fn write_json(self, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Value::Number(Number::Int(value)) => out.push_str(&value.to_string()),
            Value::Number(Number::Float(value)) => out.push_str(&json_float(value)),
            Value::String(text) => write_json_string(text, out),
            Value::List(list) => {
                out.push('[');
                for (index, item) in list.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write_json(out);
                }
                out.push(']');
            }
            Value::Map(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
                out.push('{');
                for (index, (key, item)) in entries.into_iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_json_string(key, out);
                    out.push(':');
                    item.write_json(out);
                }
                out.push('}');
            }
        }
    }

    /// The value as `serde_json` has it, for reports.
    pub(crate) fn to_serde(self) -> serde_json::Value {
        match self {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => value.into(),
            Value::Number(Number::Int(value)) => value.into(),
            Value::Number(Number::Float(value)) if value.fract() == 0.0 && value.abs() < 1e15 => (value as i64).into(),
            Value::Number(Number::Float(value)) => value.into(),
            Value::String(text) => text.into(),
            Value::List(list) => list.iter().map(Value::to_serde).collect(),
            Value::Map(map) => {
                serde_json::Value::Object(map.iter().map(|(key, value)| (key.to_owned(), value.to_serde())).collect())
            }
        }
    }
}

impl<'v> List<'v> {
    /// Whether there are no items.
    pub(crate) fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Number of items.
    pub(crate) fn len(self) -> usize {
        match self {
            List::Node(node) => node.len(),
            List::Items(items) => items.len(),
        }
    }

    /// The items in order.
    pub(crate) fn iter(self) -> impl Iterator<Item = Value<'v>> {
        let (nodes, items) = match self {
            List::Node(node) => (Some(node.items()), &[][..]),
            List::Items(items) => (None, items),
        };
        nodes.into_iter().flatten().map(Value::from).chain(items.iter().copied())
    }

    /// The item at `index`. Linear for lists of a document.
    pub(crate) fn get(self, index: usize) -> Option<Value<'v>> {
        match self {
            List::Node(node) => node.items().nth(index).map(Value::from),
            List::Items(items) => items.get(index).copied(),
        }
    }
}

impl<'v> Map<'v> {
    /// Whether there are no entries.
    pub(crate) fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Number of entries.
    pub(crate) fn len(self) -> usize {
        match self {
            Map::Node(node) => node.len(),
            Map::Entries(entries) => entries.len(),
            Map::Partial(map) => map.known.len() + map.unknown.len(),
        }
    }

    /// The entries, in the order of the file or of their making; of a map that is known in part the known ones.
    pub(crate) fn iter(self) -> impl Iterator<Item = (&'v str, Value<'v>)> + Clone {
        let (node, entries) = match self {
            Map::Node(node) => (Some(node), &[][..]),
            Map::Entries(entries) => (None, entries),
            Map::Partial(map) => (None, map.known),
        };
        let nodes = node.into_iter().flat_map(Node::entries).map(|(key, value)| (key, Value::from(value)));
        nodes.chain(entries.iter().copied())
    }

    /// The value under `key`.
    pub(crate) fn get(self, key: &str) -> Option<Value<'v>> {
        let entries = match self {
            Map::Node(node) => return node.get(key).map(Value::from),
            Map::Entries(entries) => entries,
            Map::Partial(map) => map.known,
        };
        entries.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    /// What it takes to know the value under `key`, if it is not known here.
    pub(crate) fn missing(self, key: &str) -> Option<&'v str> {
        let Map::Partial(map) = self else { return None };
        map.unknown.iter().find(|(name, _)| *name == key).map(|(_, what)| *what)
    }
}

/// A float as Go's `encoding/json` writes it: shortest form, exponent below 1e-6 and from 1e21 up.
pub(crate) fn json_float(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format!("{value:e}");
        return match text.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
            _ => text,
        };
    }
    format!("{value}")
}

/// A string as Go's `encoding/json` writes it.
fn write_json_string(text: &str, out: &mut String) {
    use std::fmt::Write as _;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// A JSON literal as a policy would hold it, for tables of cases.
#[cfg(test)]
pub(crate) fn from_literal<'v>(arena: &'v Arena, json: &str) -> Value<'v> {
    let json: serde_json::Value = serde_json::from_str(json).expect("a JSON literal");
    Value::from_json(arena, &json, Integers::Exact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_written_as_go_writes_it() {
        let arena = Arena::new();
        let json: serde_json::Value =
            serde_json::from_str(r#"{"b":[1,1.5,1e21,1e-7,8080.0],"a":"<&\n"}"#).expect("valid JSON");
        let value = Value::from_json(&arena, &json, Integers::Floats);
        assert_eq!(value.to_json(), r#"{"a":"\u003c\u0026\n","b":[1,1.5,1e+21,1e-7,8080]}"#);
    }
}
