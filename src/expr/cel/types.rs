//! The types that the checker knows, and their text: `map(string, list(dyn))`.
//!
//! The same text stands in signatures of functions, declarations of environments and messages.

use std::{fmt, sync::Arc};

/// The type of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// Known only when it is evaluated.
    Dyn,
    /// Of no values so far, as the items of `[]`: fits everywhere.
    Free,
    /// Only null.
    Null,
    /// A boolean.
    Bool,
    /// A 64-bit integer.
    Int,
    /// A 64-bit integer without sign.
    Uint,
    /// A 64-bit float.
    Double,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// A point in time.
    Timestamp,
    /// A span of time.
    Duration,
    /// A list of items of one type.
    List(Arc<Type>),
    /// A map of keys of one type to values of one type.
    Map(Arc<(Type, Type)>),
    /// A value that may be missing.
    Optional(Arc<Type>),
    /// A type as a value.
    Meta,
    /// A value that only functions of a library can look into.
    Opaque(&'static str),
    /// A map with fields known beforehand.
    Struct(&'static Struct),
    /// `Object` and what is below it, `JSONPatch`: maps built by the policy, of whatever fields.
    Object(Arc<str>),
    /// A parameter of a signature.
    Parameter(u8),
}

/// A map with fields known beforehand, such as `request`.
#[derive(Debug)]
pub(crate) struct Struct {
    /// Its name in messages.
    pub(crate) name: &'static str,
    /// Names and types of its fields.
    pub(crate) fields: &'static [(&'static str, Field)],
}

/// The type of a field of a [`Struct`].
#[derive(Debug)]
pub(crate) enum Field {
    /// Written out.
    Of(&'static str),
    /// Another struct.
    Struct(&'static Struct),
}

impl PartialEq for Struct {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Struct {}

impl Struct {
    /// The type of a field.
    pub(super) fn field(&self, name: &str) -> Option<Type> {
        let (_, field) = self.fields.iter().find(|(known, _)| *known == name)?;
        Some(match field {
            Field::Of(text) => Type::parse(text),
            Field::Struct(it) => Type::Struct(it),
        })
    }
}

/// What the parameters of one signature came to stand for.
pub(super) type Bindings = [Option<Type>; 4];

impl Type {
    /// A list of such items.
    pub(crate) fn list(item: Type) -> Self {
        Type::List(Arc::new(item))
    }

    /// A map of such entries.
    pub(crate) fn map(key: Type, value: Type) -> Self {
        Type::Map(Arc::new((key, value)))
    }

    /// Such a value, or none.
    pub(crate) fn optional(value: Type) -> Self {
        Type::Optional(Arc::new(value))
    }

    /// Reads the text of a type in a table of this program.
    ///
    /// Single capitals `A B K V` are parameters, other capitalized names are opaque types.
    pub(super) fn parse(text: &'static str) -> Self {
        let inner = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(item) = inner("list") {
            return Type::list(Type::parse(item));
        }
        if let Some(value) = inner("optional") {
            return Type::optional(Type::parse(value));
        }
        if let Some(entry) = inner("map") {
            let (key, value) = entry.split_once(", ").unwrap_or((entry, "dyn"));
            return Type::map(Type::parse(key), Type::parse(value));
        }
        match text {
            "dyn" => Type::Dyn,
            "null" => Type::Null,
            "bool" => Type::Bool,
            "int" => Type::Int,
            "uint" => Type::Uint,
            "double" => Type::Double,
            "string" => Type::String,
            "bytes" => Type::Bytes,
            "timestamp" => Type::Timestamp,
            "duration" => Type::Duration,
            "type" => Type::Meta,
            "A" => Type::Parameter(0),
            "B" => Type::Parameter(1),
            "K" => Type::Parameter(2),
            "V" => Type::Parameter(3),
            name => Type::Opaque(name),
        }
    }

    /// Whether nothing is known of it.
    pub(super) fn is_dyn(&self) -> bool {
        matches!(self, Type::Dyn | Type::Free)
    }

    /// Whether a value of type `given` may stand where this is asked for. Binds parameters of this.
    pub(super) fn accepts(&self, given: &Type, bindings: &mut Bindings) -> bool {
        match (self, given) {
            (Type::Parameter(index), _) => {
                let index = usize::from(*index) % bindings.len();
                let Some(bound) = bindings[index].take() else {
                    bindings[index] = Some(given.clone());
                    return true;
                };
                let agrees = bound.agrees(given);
                bindings[index] = Some(if agrees { bound.join(given) } else { bound });
                agrees
            }
            (Type::Dyn | Type::Free, _) | (_, Type::Dyn | Type::Free) => true,
            (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => a.accepts(b, bindings),
            (Type::Map(a), Type::Map(b)) => a.0.accepts(&b.0, bindings) && a.1.accepts(&b.1, bindings),
            (Type::Timestamp | Type::Duration | Type::Opaque(_) | Type::Struct(_) | Type::Object(_), Type::Null) => {
                true
            }
            _ => self == given,
        }
    }

    /// Whether values of both may meet in one place, in whatever order.
    pub(super) fn agrees(&self, other: &Type) -> bool {
        let mut none = Bindings::default();
        self.accepts(other, &mut none) || other.accepts(self, &mut none)
    }

    /// The more general of two types that agree; dyn for two that don't.
    pub(super) fn join(&self, other: &Type) -> Type {
        match (self, other) {
            (Type::Free, _) => other.clone(),
            (_, Type::Free) => self.clone(),
            (Type::Dyn, _) | (_, Type::Dyn) => Type::Dyn,
            (Type::Null, _) if self != other && other.agrees(self) => other.clone(),
            (_, Type::Null) if self != other && self.agrees(other) => self.clone(),
            (Type::List(a), Type::List(b)) => Type::list(a.join(b)),
            (Type::Optional(a), Type::Optional(b)) => Type::optional(a.join(b)),
            (Type::Map(a), Type::Map(b)) => Type::map(a.0.join(&b.0), a.1.join(&b.1)),
            _ if self == other => self.clone(),
            _ => Type::Dyn,
        }
    }

    /// Whether two items of one literal are of the same type, as Kubernetes demands of lists and maps.
    pub(super) fn same(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Free, _) | (_, Type::Free) => true,
            (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => a.same(b),
            (Type::Map(a), Type::Map(b)) => a.0.same(&b.0) && a.1.same(&b.1),
            _ => self == other,
        }
    }

    /// This with its parameters replaced; what is bound to nothing fits everywhere.
    pub(super) fn bound(&self, bindings: &Bindings) -> Type {
        match self {
            Type::Parameter(index) => {
                bindings.get(usize::from(*index)).and_then(Option::as_ref).map_or(Type::Free, Type::clone)
            }
            Type::List(item) => Type::list(item.bound(bindings)),
            Type::Optional(value) => Type::optional(value.bound(bindings)),
            Type::Map(entry) => Type::map(entry.0.bound(bindings), entry.1.bound(bindings)),
            _ => self.clone(),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Dyn | Type::Free => "dyn",
            Type::Null => "null",
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Uint => "uint",
            Type::Double => "double",
            Type::String => "string",
            Type::Bytes => "bytes",
            Type::Timestamp => "timestamp",
            Type::Duration => "duration",
            Type::Meta => "type",
            Type::Opaque(name) => name,
            Type::Struct(it) => it.name,
            Type::Object(name) => name,
            Type::Parameter(index) => ["A", "B", "K", "V"].get(usize::from(*index)).copied().unwrap_or("A"),
            Type::List(item) => return write!(f, "list({item})"),
            Type::Map(entry) => return write!(f, "map({}, {})", entry.0, entry.1),
            Type::Optional(value) => return write!(f, "optional_type({value})"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_type_is_read_and_written() {
        for text in ["map(string, list(dyn))", "list(list(int))", "timestamp", "Quantity", "map(K, V)"] {
            assert_eq!(Type::parse(text).to_string(), text);
        }
        assert_eq!(Type::parse("optional(A)").to_string(), "optional_type(A)");
    }

    #[test]
    fn parameters_take_the_more_general_type() {
        let mut bindings = Bindings::default();
        let parameter = Type::parse("A");
        assert!(parameter.accepts(&Type::Int, &mut bindings));
        assert!(parameter.accepts(&Type::Dyn, &mut bindings));
        assert_eq!(parameter.bound(&bindings), Type::Dyn);

        let mut bindings = Bindings::default();
        assert!(Type::parse("list(A)").accepts(&Type::list(Type::Int), &mut bindings));
        assert!(!parameter.accepts(&Type::Double, &mut bindings), "an int is no double");
    }
}
