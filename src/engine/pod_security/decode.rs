//! Whether an object is of the Go types that Kyverno reads it into.
//!
//! In: an object and the type of its kind. Out: nothing, or the error that Go's `encoding/json` gives, and the value to
//! blame. Nothing is built: the checks read the document itself. Unknown fields are fine, and null is always the zero
//! value.

use crate::{
    document::{Kind, Node},
    k8s::{
        gofloat, quantity,
        types::{Object, Type},
    },
};

/// A value of the wrong type.
#[derive(Debug)]
pub(crate) struct Misfit<'d> {
    /// Go's text.
    pub message: String,
    /// The value.
    pub at: Node<'d>,
    /// What it should be, for people.
    pub wanted: &'static str,
    /// Go stops at once at an error of a type that decodes itself; of other errors it gives the first when it is done.
    stops: bool,
}

/// Where a value stands in the types.
#[derive(Clone, Copy)]
struct Place<'p> {
    owner: &'static str,
    inlined: Option<&'static str>,
    key: &'static str,
    parent: Option<&'p Place<'p>>,
}

impl Place<'_> {
    /// The names of the fields from the top, inlined structs included.
    fn path(&self) -> String {
        let mut out = self.parent.map(|parent| parent.path() + ".").unwrap_or_default();
        if let Some(inlined) = self.inlined {
            out.push_str(inlined);
            out.push('.');
        }
        out.push_str(self.key);
        out
    }
}

/// The error of an object that is not of a type.
pub(super) fn misfit<'d>(node: Node<'d>, object: &'static Object) -> Option<Misfit<'d>> {
    fields(node, object, None)
}

fn fields<'d>(node: Node<'d>, object: &'static Object, parent: Option<&Place<'_>>) -> Option<Misfit<'d>> {
    let found = node.entries().filter_map(|(name, value)| {
        let (key, inlined, of) = object.field(name)?;
        let place = Place { owner: object.name, inlined, key, parent };
        Some((name, check(value, of, &place)?))
    });
    first_of(found)
}

/// What Go meets first: it reads maps in the order of their keys.
fn first_of<'d>(found: impl Iterator<Item = (&'d str, Misfit<'d>)>) -> Option<Misfit<'d>> {
    found.min_by_key(|(name, misfit)| (!misfit.stops, *name)).map(|(_, misfit)| misfit)
}

fn check<'d>(node: Node<'d>, of: &'static Type, place: &Place<'_>) -> Option<Misfit<'d>> {
    // Most values are texts where texts are wanted; what they say doesn't matter.
    if node.is_string() && matches!(of, Type::Text(_) | Type::Time | Type::IntOrString) {
        return None;
    }
    let kind = node.kind();
    let wrong = |wanted: &'static str, stops: bool| {
        let message = format!(
            "json: cannot unmarshal {} into Go struct field {}.{} of type {}",
            found(kind, of),
            place.owner,
            place.path(),
            of.go_name()
        );
        Some(Misfit { message, at: node, wanted, stops })
    };
    match (of, kind) {
        (_, Kind::Null) | (Type::Any, _) => None,
        (Type::Bool, Kind::Bool(_)) | (Type::Text(_) | Type::Time | Type::IntOrString, Kind::String(_)) => None,
        (Type::Int64, Kind::Int(_) | Kind::Float(_)) if integer(kind).is_some() => None,
        (Type::Int32 | Type::IntOrString, Kind::Int(_) | Kind::Float(_))
            if integer(kind).is_some_and(|value| i32::try_from(value).is_ok()) =>
        {
            None
        }
        (Type::List(item), Kind::List) => {
            let mut found = node.items().filter_map(|value| check(value, item, place));
            let first = found.next()?;
            if first.stops { Some(first) } else { found.find(|misfit| misfit.stops).or(Some(first)) }
        }
        (Type::Map(item), Kind::Map) => {
            first_of(node.entries().filter_map(|(name, value)| Some((name, check(value, item, place)?))))
        }
        (Type::Resources, Kind::Map) => {
            first_of(node.entries().filter_map(|(name, value)| Some((name, quantity_misfit(value)?))))
        }
        (Type::Object(object), Kind::Map) => fields(node, object, Some(place)),
        (Type::Quantity, _) => quantity_misfit(node),
        (Type::Bool, _) => wrong("a boolean", false),
        (Type::Int32 | Type::Int64, _) => wrong("an integer", false),
        (Type::IntOrString, _) => wrong("an integer or a string", true),
        (Type::Text(_), _) => wrong("a string", false),
        (Type::Time, _) => wrong("a time", true),
        (Type::List(_), _) => wrong("a list", false),
        (Type::Map(_) | Type::Resources | Type::Object(_), _) => wrong("a map", false),
    }
}

/// Go's word for a value that doesn't fit.
fn found(kind: Kind<'_>, of: &Type) -> String {
    let word = match kind {
        Kind::Null => "null",
        Kind::Bool(_) => "bool",
        Kind::String(_) => "string",
        Kind::List => "array",
        Kind::Map => "object",
        Kind::Int(_) | Kind::Float(_) => match of {
            Type::Int32 | Type::Int64 | Type::IntOrString => return format!("number {}", json_number(kind)),
            _ => "number",
        },
    };
    word.to_owned()
}

fn quantity_misfit(node: Node<'_>) -> Option<Misfit<'_>> {
    let text = match node.kind() {
        Kind::Null => return None,
        Kind::String(text) => text.trim(),
        Kind::Int(_) | Kind::Float(_) => return None,
        Kind::Bool(_) | Kind::List | Kind::Map => "",
    };
    if quantity::parse(text).is_some() {
        return None;
    }
    let message = if is_quantity_like(text) {
        "unable to parse quantity's suffix"
    } else {
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    };
    Some(Misfit { message: message.to_owned(), at: node, wanted: "a quantity such as `500m` or `1Gi`", stops: true })
}

/// Whether a text is a number, letters of a suffix, and digits.
fn is_quantity_like(text: &str) -> bool {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    rest = &rest[digits(rest)..];
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = &fraction[digits(fraction)..];
    }
    rest = rest.trim_start_matches(|letter| "eEinumkKMGTP".contains(letter));
    rest = rest.strip_prefix(['+', '-']).unwrap_or(rest);
    !text.is_empty() && digits(rest) == rest.len()
}

/// The integer that a number is, also when it is written as `80.0`.
pub(super) fn integer(kind: Kind<'_>) -> Option<i64> {
    match kind {
        Kind::Int(value) => Some(value),
        // Go writes a float below 1e21 without exponent, so a whole one reads back as an integer.
        Kind::Float(value) if value.fract() == 0.0 && value.abs() < 9.2e18 => Some(value as i64),
        _ => None,
    }
}

/// A number as Go writes it to JSON.
fn json_number(kind: Kind<'_>) -> String {
    match kind {
        Kind::Int(value) => value.to_string(),
        Kind::Float(value) if value != 0.0 && !(1e-6..1e21).contains(&value.abs()) => {
            let text = format!("{value:e}");
            if value.abs() < 1.0 { text } else { text.replace('e', "e+") }
        }
        Kind::Float(value) => gofloat::plain(value),
        _ => String::new(),
    }
}
