//! The compiled form of an expression: names resolved, overloads chosen, macros as what they do.

use regex::Regex;

use super::{Value, ast::Binary, environment::Root, library::Overload};
use crate::k8s::gotime::Time;

/// A compiled part and where it stands in the text.
#[derive(Debug)]
pub(super) struct Expr {
    pub at: u32,
    pub kind: Kind,
}

/// What is computed.
#[derive(Debug)]
pub(super) enum Kind {
    Constant(Constant),
    Root(Root),
    /// A name bound by a macro: its place among those in scope.
    Local(usize),
    /// `variables.NAME`, by its number.
    Variable(usize),
    /// The same, where errors name the variable.
    NamedVariable(usize, Box<str>),
    /// `has(operand.field)`
    Has {
        operand: Box<Expr>,
        field: Box<str>,
    },
    Field {
        operand: Box<Expr>,
        field: Box<str>,
        optional: bool,
    },
    Index {
        operand: Box<Expr>,
        index: Box<Expr>,
        optional: bool,
    },
    Not(Box<Expr>),
    Negate(Box<Expr>),
    Binary(Binary, Box<[Expr; 2]>),
    /// `operand in [constants]`
    Among(Box<Expr>, Box<[Constant]>),
    And(Box<[Expr]>),
    Or(Box<[Expr]>),
    Conditional(Box<[Expr; 3]>),
    List(Box<[Item]>),
    /// A map, or a struct as one.
    Map(Box<[Entry]>),
    Call(Box<Call>),
    Macro(Box<Macro>),
    /// Binds a name to a value within a body.
    Bind(Box<[Expr; 2]>),
    /// `optMap` and `optFlatMap`.
    OptionalMap {
        parts: Box<[Expr; 2]>,
        flat: bool,
    },
    /// What the checker let pass and the evaluation refuses.
    Fail(Box<str>),
}

/// An item of a list literal.
#[derive(Debug)]
pub(super) struct Item {
    pub optional: bool,
    pub value: Expr,
}

/// An entry of a map literal.
#[derive(Debug)]
pub(super) struct Entry {
    pub optional: bool,
    pub key: Expr,
    pub value: Expr,
}

/// A call of a function of a library.
#[derive(Debug)]
pub(super) struct Call {
    /// The name in messages.
    pub name: &'static str,
    /// What may be called, depending on the arguments that come.
    pub overloads: Box<[&'static Overload]>,
    /// The receiver first.
    pub arguments: Box<[Expr]>,
    /// The regular expression that the second argument is, when it is a constant.
    pub pattern: Option<Regex>,
}

/// A loop over a list or map.
#[derive(Debug)]
pub(super) struct Macro {
    pub form: Form,
    pub range: Expr,
    /// Whether index or key and value are bound, or only one of them.
    pub two: bool,
    pub filter: Option<Expr>,
    /// What is computed of each element.
    pub body: Expr,
}

/// What a loop makes of its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    All,
    Exists,
    ExistsOne,
    List,
    Filter,
    Map,
    /// The body is a map whose entries are added.
    Entries,
    /// The list sorted by the body.
    SortBy,
}

/// A value known beforehand.
#[derive(Clone, Debug)]
pub(super) enum Constant {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(Box<str>),
    Bytes(Box<[u8]>),
    Timestamp(Time),
    Duration(i64),
    Type(&'static str),
}

impl Constant {
    /// The value, borrowed.
    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Constant::Null => Value::Null,
            Constant::Bool(value) => Value::Bool(*value),
            Constant::Int(value) => Value::Int(*value),
            Constant::Uint(value) => Value::Uint(*value),
            Constant::Double(value) => Value::Double(*value),
            Constant::String(text) => Value::String(text),
            Constant::Bytes(bytes) => Value::Bytes(bytes),
            Constant::Timestamp(time) => Value::Timestamp(time),
            Constant::Duration(nanos) => Value::Duration(*nanos),
            Constant::Type(name) => Value::Type(name),
        }
    }

    /// A copy of a scalar; `None` for others.
    pub(super) fn of(value: Value<'_>) -> Option<Self> {
        Some(match value {
            Value::Null => Constant::Null,
            Value::Bool(value) => Constant::Bool(value),
            Value::Int(value) => Constant::Int(value),
            Value::Uint(value) => Constant::Uint(value),
            Value::Double(value) => Constant::Double(value),
            Value::String(text) => Constant::String(text.into()),
            Value::Bytes(bytes) => Constant::Bytes(bytes.into()),
            Value::Timestamp(time) => Constant::Timestamp(*time),
            Value::Duration(nanos) => Constant::Duration(nanos),
            Value::Type(name) => Constant::Type(name),
            Value::List(_) | Value::Map(_) | Value::Optional(_) | Value::Opaque(_) | Value::Unknown(_) => return None,
        })
    }
}
