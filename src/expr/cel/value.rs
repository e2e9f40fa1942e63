//! What CEL computes with: values that borrow from documents, from the compiled expression, or from the arena.

use std::{cmp::Ordering, net::IpAddr};

use rustc_hash::FxHashSet;

use crate::{
    document::{Integers, Kind, Node},
    expr::{self, Arena, Number},
    k8s::{gotime::Time, quantity::Quantity},
};

/// A value. `Copy`; whatever is large stands elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'v> {
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer without sign.
    Uint(u64),
    /// A float.
    Double(f64),
    /// Text.
    String(&'v str),
    /// Bytes.
    Bytes(&'v [u8]),
    /// A list.
    List(List<'v>),
    /// A map.
    Map(Map<'v>),
    /// A point in time.
    Timestamp(&'v Time),
    /// A span of time in nanoseconds.
    Duration(i64),
    /// A type, by its name.
    Type(&'static str),
    /// An optional value.
    Optional(Option<&'v Value<'v>>),
    /// A value of a library.
    Opaque(&'v Opaque<'v>),
    /// What a cluster knows, and is not known here; the text says what it is. It stands in maps, and no expression gets it.
    Unknown(&'v str),
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
    /// A map node; its keys are strings.
    Node(Node<'v>),
    /// Computed entries; keys are booleans, integers or strings.
    Entries(&'v [(Value<'v>, Value<'v>)]),
    /// Entries that are known, and maybe others that are not.
    Open(&'v Open<'v>),
}

/// A map of which only some entries are known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open<'v> {
    /// What is known.
    pub(crate) entries: &'v [(Value<'v>, Value<'v>)],
    /// What would have to be known to tell the others.
    pub(crate) rest: &'v str,
}

/// A value that only functions of a library can look into.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Opaque<'v> {
    /// A Kubernetes quantity.
    Quantity(Quantity),
    /// An IP address.
    Ip(IpAddr),
    /// An IP network: address as written, length of the prefix.
    Cidr(IpAddr, u8),
    /// A URL that was read, as written.
    Url(&'v str),
    /// A semantic version that was read, without a leading `v`.
    Semver(&'v str),
    /// A named format, such as `dns1123Label`.
    Format(&'static str),
    /// An image reference that was read.
    Image(Image<'v>),
    /// A client made by `http.client`.
    Http,
    /// A question to the authorizer, or its answer.
    Authorizer(&'static str, &'v [(&'static str, Value<'v>)]),
}

/// The parts of an image reference, as Go's `go-containerregistry` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Image<'v> {
    /// The reference as written, which counts for equality.
    pub(crate) text: &'v str,
    /// Host with optional port.
    pub(crate) registry: &'v str,
    /// Path below the registry.
    pub(crate) repository: &'v str,
    /// The tag; empty when there is a digest.
    pub(crate) tag: &'v str,
    /// The digest; empty when there is none.
    pub(crate) digest: &'v str,
}

/// Values stand in lists by the thousand.
const _: () = assert!(size_of::<Value<'_>>() <= 32);

impl<'v> From<Node<'v>> for Value<'v> {
    fn from(node: Node<'v>) -> Self {
        match node.kind() {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(value),
            Kind::Int(value) => match node.document().integers() {
                Integers::Exact | Integers::Wire => Value::Int(value),
                Integers::Floats => Value::Double(value as f64),
            },
            Kind::Float(value) => Value::Double(value),
            Kind::String(text) => Value::String(text),
            Kind::List => Value::List(List::Node(node)),
            Kind::Map => Value::Map(Map::Node(node)),
        }
    }
}

impl<'v> Value<'v> {
    /// What is not known of the value: of itself, or of a part of it. Nodes of documents are known.
    pub(super) fn missing(self) -> Option<&'v str> {
        self.missing_beside(&mut FxHashSet::default())
    }

    /// The same beside computed lists and maps that were looked through: few of them can stand in one another so often that
    /// nobody gets through all.
    fn missing_beside(self, seen: &mut FxHashSet<(usize, usize)>) -> Option<&'v str> {
        match self {
            Value::Unknown(what) => Some(what),
            Value::List(List::Items(items)) if seen.insert((items.as_ptr() as usize, items.len())) => {
                items.iter().find_map(|it| it.missing_beside(seen))
            }
            Value::Map(Map::Entries(entries)) if seen.insert((entries.as_ptr() as usize, entries.len())) => {
                entries.iter().find_map(|(_, it)| it.missing_beside(seen))
            }
            Value::Map(Map::Open(open)) => Some(open.rest),
            Value::Optional(Some(value)) => value.missing_beside(seen),
            _ => None,
        }
    }

    /// A value of other expressions. Nodes are borrowed, computed lists and maps are copied into the arena.
    pub(crate) fn from_expr(arena: &'v Arena, value: expr::Value<'v>) -> Self {
        match value {
            expr::Value::Null => Value::Null,
            expr::Value::Bool(value) => Value::Bool(value),
            expr::Value::Number(Number::Int(value)) => Value::Int(value),
            expr::Value::Number(Number::Float(value)) => Value::Double(value),
            expr::Value::String(text) => Value::String(text),
            expr::Value::List(expr::List::Node(node)) | expr::Value::Map(expr::Map::Node(node)) => Value::from(node),
            expr::Value::List(expr::List::Items(items)) => {
                let items = items.iter().map(|item| Value::from_expr(arena, *item));
                Value::List(List::Items(arena.alloc_slice_fill_iter(items.collect::<Vec<_>>())))
            }
            expr::Value::Map(map) => {
                let known = map.iter().map(|(key, value)| (Value::String(key), Value::from_expr(arena, value)));
                let unknown: &[(&str, &str)] = if let expr::Map::Partial(map) = map { map.unknown } else { &[] };
                let unknown = unknown.iter().map(|(key, what)| (Value::String(key), Value::Unknown(what)));
                Value::Map(Map::Entries(arena.alloc_slice_fill_iter(known.chain(unknown).collect::<Vec<_>>())))
            }
        }
    }

    /// The value as other expressions and messages know it; `None` for what JSON has no form for.
    ///
    /// Keys that are no strings become their text. Optional values stand for what they hold, or null; bytes are base
    /// 64; times and durations are their text.
    pub(crate) fn to_expr(self, arena: &'v Arena) -> Option<expr::Value<'v>> {
        Some(match self {
            Value::Null | Value::Optional(None) => expr::Value::Null,
            Value::Bool(value) => expr::Value::Bool(value),
            Value::Int(value) => expr::Value::int(value),
            Value::Uint(value) => match i64::try_from(value) {
                Ok(value) => expr::Value::int(value),
                Err(_) => expr::Value::float(value as f64),
            },
            Value::Double(value) if value.is_finite() => expr::Value::float(value),
            Value::Double(_) => return None,
            Value::String(text) => expr::Value::String(text),
            Value::Bytes(bytes) => {
                use base64::Engine as _;
                expr::Value::string_in(arena, &base64::engine::general_purpose::STANDARD.encode(bytes))
            }
            Value::List(List::Node(node)) | Value::Map(Map::Node(node)) => expr::Value::from(node),
            Value::List(list) => {
                let items = list.iter().map(|item| item.to_expr(arena)).collect::<Option<Vec<_>>>()?;
                expr::Value::list_in(arena, &items)
            }
            Value::Map(map) => {
                let mut entries = Vec::with_capacity(map.len());
                for (key, value) in map.iter() {
                    let key = match key {
                        Value::String(text) => text,
                        other => arena.alloc_str(&super::text::string(other)?),
                    };
                    entries.push((key, value.to_expr(arena)?));
                }
                expr::Value::map_in(arena, &entries)
            }
            Value::Timestamp(_) | Value::Duration(_) => expr::Value::string_in(arena, &super::text::string(self)?),
            Value::Optional(Some(value)) => return value.to_expr(arena),
            Value::Opaque(_) | Value::Type(_) | Value::Unknown(_) => return None,
        })
    }

    /// The name of its type, as `type(x)` and messages have it.
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Value::Null => "null_type",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Uint(_) => "uint",
            Value::Double(_) => "double",
            Value::String(_) => "string",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "list",
            Value::Map(_) => "map",
            Value::Timestamp(_) => "google.protobuf.Timestamp",
            Value::Duration(_) => "google.protobuf.Duration",
            Value::Type(_) => "type",
            Value::Optional(_) => "optional_type",
            Value::Opaque(opaque) => opaque.type_name(),
            Value::Unknown(_) => "unknown",
        }
    }

    /// The text of a string.
    pub(crate) fn as_str(self) -> Option<&'v str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a boolean.
    pub(crate) fn as_bool(self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The node this value is, for lists and maps that stand in a document.
    pub(crate) fn node(self) -> Option<Node<'v>> {
        match self {
            Value::List(List::Node(node)) | Value::Map(Map::Node(node)) => Some(node),
            _ => None,
        }
    }

    /// Equality: numbers by value across their types, lists and maps deep, everything else within its type.
    pub(crate) fn equals(self, other: Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::String(a), Value::String(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::Timestamp(a), Value::Timestamp(b)) => a.nanos() == b.nanos(),
            (Value::Duration(a), Value::Duration(b)) => a == b,
            (Value::Type(a), Value::Type(b)) => a == b,
            (Value::Optional(None), Value::Optional(None)) => true,
            (Value::Optional(Some(a)), Value::Optional(Some(b))) => a.equals(*b),
            (Value::Opaque(a), Value::Opaque(b)) => a.equals(b),
            (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.equals(b)),
            (Value::Map(a), Value::Map(b)) => {
                a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| a.equals(b)))
            }
            _ => compare_numbers(self, other) == Some(Ordering::Equal),
        }
    }

    /// Order of numbers, strings, booleans, bytes, times and durations; `None` for values without one.
    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(&b)),
            (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
            (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
            (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.nanos().cmp(&b.nanos())),
            (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(&b)),
            _ => compare_numbers(self, other),
        }
    }

    /// Whether this is a number.
    pub(crate) fn is_number(self) -> bool {
        matches!(self, Value::Int(_) | Value::Uint(_) | Value::Double(_))
    }
}

/// Compares two numbers by value; `None` when one is none or not a number.
fn compare_numbers(a: Value<'_>, b: Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(&b)),
        (Value::Uint(a), Value::Uint(b)) => Some(a.cmp(&b)),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(&b),
        (Value::Int(a), Value::Uint(b)) => Some(i128::from(a).cmp(&i128::from(b))),
        (Value::Uint(a), Value::Int(b)) => Some(i128::from(a).cmp(&i128::from(b))),
        (Value::Int(a), Value::Double(b)) => compare_with_double(i128::from(a), b),
        (Value::Uint(a), Value::Double(b)) => compare_with_double(i128::from(a), b),
        (Value::Double(a), Value::Int(b)) => compare_with_double(i128::from(b), a).map(Ordering::reverse),
        (Value::Double(a), Value::Uint(b)) => compare_with_double(i128::from(b), a).map(Ordering::reverse),
        _ => None,
    }
}

/// Exact, also where a float can't hold the integer.
fn compare_with_double(whole: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    // Beyond 2⁶⁴ the cast saturates at 2¹²⁷ at most, which compares alike.
    let floor = double.floor();
    Some(whole.cmp(&(floor as i128)).then(if double > floor { Ordering::Less } else { Ordering::Equal }))
}

impl Opaque<'_> {
    /// The name of the type in signatures of functions.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Opaque::Quantity(_) => "Quantity",
            Opaque::Ip(_) => "IP",
            Opaque::Cidr(..) => "CIDR",
            Opaque::Url(_) => "URL",
            Opaque::Semver(_) => "Semver",
            Opaque::Format(_) => "Format",
            Opaque::Image(_) => "Image",
            Opaque::Http => "Http",
            Opaque::Authorizer(name, _) => name,
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Opaque::Quantity(_) => "kubernetes.Quantity",
            Opaque::Ip(_) => "net.IP",
            Opaque::Cidr(..) => "net.CIDR",
            Opaque::Url(_) => "kubernetes.URL",
            Opaque::Semver(_) => "kubernetes.Semver",
            Opaque::Format(_) => "kubernetes.NamedFormat",
            Opaque::Image(_) => "kyverno.image",
            Opaque::Http => "kyverno.http",
            Opaque::Authorizer(name, _) => match *name {
                "PathCheck" => "kubernetes.authorization.PathCheck",
                "GroupCheck" => "kubernetes.authorization.GroupCheck",
                "ResourceCheck" => "kubernetes.authorization.ResourceCheck",
                "Decision" => "kubernetes.authorization.Decision",
                _ => "kubernetes.authorization.Authorizer",
            },
        }
    }

    /// The value as an expression that gives it, for people.
    pub(super) fn literal(&self) -> String {
        match self {
            Opaque::Quantity(quantity) => format!("quantity(\"{quantity}\")"),
            Opaque::Ip(address) => format!("ip(\"{address}\")"),
            Opaque::Cidr(address, bits) => format!("cidr(\"{address}/{bits}\")"),
            Opaque::Url(text) => format!("url({text:?})"),
            Opaque::Semver(text) => format!("semver({text:?})"),
            Opaque::Format(name) => format!("format.{name}()"),
            Opaque::Image(image) => format!("image({:?})", image.text),
            Opaque::Http => "http.client(…)".to_owned(),
            Opaque::Authorizer(name, _) => format!("<{name}>"),
        }
    }

    fn equals(&self, other: &Self) -> bool {
        use crate::k8s::semver;
        match (self, other) {
            (Opaque::Quantity(a), Opaque::Quantity(b)) => a.compare(*b) == Ordering::Equal,
            (Opaque::Ip(a), Opaque::Ip(b)) => a == b,
            (Opaque::Cidr(a, n), Opaque::Cidr(b, m)) => a == b && n == m,
            (Opaque::Url(a), Opaque::Url(b)) => a == b,
            (Opaque::Semver(a), Opaque::Semver(b)) => match (semver::parse(a), semver::parse(b)) {
                (Some(a), Some(b)) => semver::compare(&a, &b) == Ordering::Equal,
                _ => false,
            },
            (Opaque::Format(a), Opaque::Format(b)) => a == b,
            (Opaque::Image(a), Opaque::Image(b)) => a == b,
            _ => false,
        }
    }
}

impl<'v> List<'v> {
    /// Number of items.
    pub(crate) fn len(self) -> usize {
        match self {
            List::Node(node) => node.len(),
            List::Items(items) => items.len(),
        }
    }

    /// Whether there are no items.
    pub(crate) fn is_empty(self) -> bool {
        self.len() == 0
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
    /// Number of entries, of those that are known.
    pub(crate) fn len(self) -> usize {
        match self {
            Map::Node(node) => node.len(),
            Map::Entries(entries) => entries.len(),
            Map::Open(open) => open.entries.len(),
        }
    }

    /// Whether there are no entries.
    pub(crate) fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The entries, in the order of the file or of their making. One that is not known stands for all that aren't.
    pub(crate) fn iter(self) -> impl Iterator<Item = (Value<'v>, Value<'v>)> {
        let (node, entries, rest) = match self {
            Map::Node(node) => (Some(node), &[][..], None),
            Map::Entries(entries) => (None, entries, None),
            Map::Open(open) => (None, open.entries, Some(Value::Unknown(open.rest))),
        };
        let nodes =
            node.into_iter().flat_map(Node::entries).map(|(key, value)| (Value::String(key), Value::from(value)));
        nodes.chain(entries.iter().copied()).chain(rest.map(|it| (it, it)))
    }

    /// The value under a key; integers find each other across their types.
    pub(crate) fn get(self, key: Value<'_>) -> Option<Value<'v>> {
        match (self, key) {
            (_, Value::String(text)) => self.field(text),
            (Map::Node(_), _) => None,
            (Map::Entries(entries), _) => entries.iter().find(|(known, _)| known.equals(key)).map(|(_, value)| *value),
            (Map::Open(open), _) => Map::Entries(open.entries).get(key).or(Some(Value::Unknown(open.rest))),
        }
    }

    /// The value under a string.
    pub(crate) fn field(self, name: &str) -> Option<Value<'v>> {
        match self {
            Map::Node(node) => node.get(name).map(Value::from),
            Map::Entries(entries) => entries
                .iter()
                .find(|(key, _)| matches!(key, Value::String(text) if *text == name))
                .map(|(_, value)| *value),
            Map::Open(open) => Map::Entries(open.entries).field(name).or(Some(Value::Unknown(open.rest))),
        }
    }
}
