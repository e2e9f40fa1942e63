//! The Common Expression Language as policies of Kubernetes and Kyverno have it.
//!
//! In: the text of an expression and an [`Environment`]. Out: a [`Program`], checked and compiled once, `Send + Sync`;
//! then, for each request, a [`Scope`] with what the names stand for, and a [`Value`] that borrows from documents, the
//! program and the arena. Errors have the texts of cel-go. Length, depth, steps and memory are bounded; no input panics.
//!
//! ```text
//! text → lexer → parser → ast → check (types, overloads, constants) → tree → eval
//! ```
//!
//! The reference is the [language definition](https://github.com/google/cel-spec/blob/master/doc/langdef.md) and
//! [CEL in Kubernetes](https://kubernetes.io/docs/reference/using-api/cel/).

mod ast;
mod check;
mod environment;
mod error;
mod eval;
mod evidence;
mod host;
mod lexer;
mod library;
mod parser;
mod scope;
mod text;
mod tree;
mod types;
mod value;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;

pub(crate) use environment::{Environment, Family, Root};
pub(crate) use error::{CompileError, EvalError};
pub(crate) use evidence::Evidence;
pub(crate) use host::{Host, Nowhere, Question, ResourceType};
pub(crate) use library::{Function, Library, functions};
pub(crate) use scope::Scope;
pub(crate) use text::literal;
pub(crate) use types::Type;
pub(crate) use value::{Image, List, Map, Opaque, Open, Value};

/// The type that an expression must have where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Any: variables.
    Any,
    /// A boolean known as such: validations and conditions.
    Bool,
    /// Text known as such: `messageExpression`.
    String,
    /// Text or null: `auditAnnotations`.
    StringOrNull,
    /// `Object`: `applyConfiguration`.
    Object,
    /// A list of `JSONPatch`.
    JsonPatches,
    /// A map with string keys: `targetMatchConstraints.expression`.
    Map,
}

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Program {
    tree: tree::Expr,
    of: Type,
}

impl Program {
    /// Parses, checks and compiles an expression.
    pub(crate) fn compile(source: &str, environment: &Environment, expected: Expected) -> Result<Self, CompileError> {
        let ast = parser::parse(source)?;
        let (tree, of) = check::check(&ast, environment)?;
        match expected.refuses(&of) {
            Some(text) => Err(CompileError::new(0, text)),
            None => Ok(Program { tree, of }),
        }
    }

    /// The type of its value, as far as it is known.
    pub(crate) fn result_type(&self) -> &Type {
        &self.of
    }

    /// Its value. Whatever [`Scope::set`] was not told of is an error.
    pub(crate) fn evaluate<'v>(&'v self, scope: &Scope<'v>) -> Result<Value<'v>, EvalError> {
        eval::evaluate(&self.tree, scope)
    }

    /// Which part decided that a boolean expression is false, and what it read. Evaluates parts again.
    pub(crate) fn evidence<'v>(&'v self, scope: &Scope<'v>) -> Option<Evidence<'v>> {
        evidence::find(&self.tree, scope)
    }

    pub(in crate::expr::cel) fn root(&self) -> &tree::Expr {
        &self.tree
    }

    /// The syntax, for people who try expressions.
    pub(crate) fn tree(&self) -> String {
        format!("{:#?}\n", self.tree)
    }
}

impl Expected {
    /// Why a type is not the one asked for.
    fn refuses(self, of: &Type) -> Option<String> {
        let object = |of: &Type, name: &str| matches!(of, Type::Object(it) if &**it == name);
        let (holds, name) = match self {
            Expected::Any => (true, ""),
            Expected::Bool => (*of == Type::Bool, "bool"),
            Expected::String => (*of == Type::String, "string"),
            Expected::StringOrNull => (matches!(of, Type::String | Type::Null), "string"),
            Expected::Object => (object(of, "Object"), "Object"),
            Expected::JsonPatches => (matches!(of, Type::List(item) if object(item, "JSONPatch")), "list"),
            Expected::Map => (matches!(of, Type::Map(entry) if entry.0 == Type::String), "map"),
        };
        (!holds).then(|| format!("output is expected to be of type {name}"))
    }
}
