//! Kyverno's dialect of JMESPath.
//!
//! In: the text of an expression, a [`Scope`] that knows the names at the root, an arena. Out: a value that borrows
//! from documents and the arena, or a typed error. The grammar is that of 2015; what differs from the standard:
//! a key that a map lacks is an error ([`EvalError::NotFound`]) which some constructs turn into null (see [`eval`]),
//! and there are more functions ([`functions`]). All numbers are 64-bit floats; a [`Number::Int`](super::Number) is
//! a foreign integer that equals no number and that functions refuse, as in Kyverno. Depth, steps and output are
//! bounded; no input panics.

mod ast;
mod eval;
mod functions;
mod lexer;
mod parser;
mod paths;

#[cfg(test)]
mod tests;

pub(crate) use functions::{Function, find as find_function, list as list_functions};
pub(crate) use paths::{Path, Step};

use super::{Arena, Value};

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(crate) struct ParseError {
    text: String,
    offset: usize,
}

impl ParseError {
    /// A syntax error at a byte offset.
    fn new(text: String, offset: usize) -> Self {
        ParseError { text: format!("SyntaxError: {text}"), offset }
    }

    /// An error of a part with its own grammar, such as a JSON literal.
    fn plain(text: String, offset: usize) -> Self {
        ParseError { text, offset }
    }

    /// Where in the expression, in bytes; at most its length.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EvalError {
    /// A map or the root lacks a key.
    #[error("Unknown key \"{key}\" in path")]
    NotFound {
        /// The key.
        key: String,
    },
    /// An argument has a type that the signature does not allow.
    #[error("Invalid type for: {value}, expected: []jmespath.JpType{{{expected}}}")]
    InvalidType {
        /// The argument as Go prints it.
        value: String,
        /// Names of the allowed types, in quotes.
        expected: String,
    },
    /// Too few or too many arguments.
    #[error("incorrect number of args")]
    ArgumentCount,
    /// There is no such function.
    #[error("unknown function: {name}")]
    UnknownFunction {
        /// The name as written.
        name: String,
    },
    /// A standard function refuses its arguments.
    #[error("{text}")]
    Refused {
        /// Why.
        text: String,
    },
    /// One of Kyverno's own functions refuses its arguments.
    #[error("JMESPath function '{name}': {text}")]
    Function {
        /// Name of the function.
        name: &'static str,
        /// Why.
        text: String,
    },
    /// A name at the root could not be loaded. Never turned into null.
    #[error("{text}")]
    Context {
        /// Why.
        text: String,
    },
    /// The value depends on something that is not at hand, such as DNS or chance.
    #[error("cannot be known offline: {missing}")]
    Indeterminate {
        /// What is missing.
        missing: String,
    },
    /// The expression took too many steps or made too much.
    #[error("evaluation limit exceeded: {what}")]
    LimitExceeded {
        /// Which limit.
        what: &'static str,
    },
}

impl EvalError {
    /// For a value that is not known here.
    pub(crate) fn unknown(what: &str) -> Self {
        EvalError::Indeterminate { missing: what.to_owned() }
    }
}

/// The names at the root of an expression.
///
/// The root is no materialized map: a name is looked up when evaluation comes to it.
pub(crate) trait Scope<'v> {
    /// The value of a name; `None` when there is none. An error is final: no construct turns it into null.
    fn lookup(&self, name: &str) -> Result<Option<Value<'v>>, EvalError>;

    /// The root as a value: `@` outside of any projection.
    fn whole(&self) -> Result<Value<'v>, EvalError>;

    /// The time of evaluation in nanoseconds since 1970, UTC.
    fn now(&self) -> i128;

    /// Whether the root is null; only a plain value can be.
    fn is_null(&self) -> bool {
        false
    }
}

/// A plain value as root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ValueScope<'v> {
    /// The root.
    pub(crate) value: Value<'v>,
    /// See [`Scope::now`].
    pub(crate) now: i128,
}

impl<'v> Scope<'v> for ValueScope<'v> {
    fn lookup(&self, name: &str) -> Result<Option<Value<'v>>, EvalError> {
        Ok(match self.value {
            Value::Map(map) => map.get(name),
            _ => Some(Value::Null),
        })
    }

    fn whole(&self) -> Result<Value<'v>, EvalError> {
        Ok(self.value)
    }

    fn now(&self) -> i128 {
        self.now
    }

    fn is_null(&self) -> bool {
        self.value.is_null()
    }
}

/// A parsed expression.
#[derive(Debug)]
pub(crate) struct Expression {
    ast: ast::Ast,
}

impl Expression {
    /// Parses an expression; white space around it is ignored.
    pub(crate) fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(Expression { ast: parser::parse(text)? })
    }

    /// The value in a scope. Cost is bounded by [`eval::MAX_STEPS`] and [`eval::MAX_BYTES`].
    pub(crate) fn evaluate<'v>(&self, scope: &dyn Scope<'v>, arena: &'v Arena) -> Result<Value<'v>, EvalError> {
        eval::evaluate(&self.ast, scope, arena)
    }

    /// The names that evaluation may look up at the root, each once, in order of appearance.
    pub(crate) fn root_names(&self) -> impl Iterator<Item = &str> {
        paths::root_names(&self.ast).into_iter()
    }

    /// The paths below the root that evaluation may read, in order of appearance. Best effort: a field of a computed
    /// value has none.
    pub(crate) fn paths(&self) -> Vec<Path> {
        paths::read(&self.ast)
    }

    /// The syntax tree, a node a line.
    pub(crate) fn tree(&self) -> String {
        self.ast.tree()
    }
}
