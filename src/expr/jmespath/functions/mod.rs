//! The functions of the dialect: the standard ones and Kyverno's, a table of each subject.
//!
//! A function gets arguments that its signature allows, and gives a value or an error; it never panics, whatever its
//! arguments. To add one, add a line to a table and write its `apply`.

#![allow(clippy::unnecessary_wraps, reason = "all functions of a table have one type")]

mod arithmetic;
mod collections;
mod conversions;
mod encodings;
mod network;
mod numbers;
mod patterns;
mod strings;
mod times;
mod versions;

#[cfg(test)]
mod tests;

use std::fmt;

use super::{
    EvalError,
    ast::Ast,
    eval::{Evaluator, Outcome, Stop, Subject},
};
use crate::expr::{Arena, List, Map, Number, Value};

/// A function that expressions can call.
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: &'static str,
    parameters: &'static [Parameter],
    result: &'static str,
    /// What it does, in a line.
    pub(crate) note: &'static str,
    /// Whether it is one of standard JMESPath.
    pub(crate) standard: bool,
    pub(super) apply: Apply,
}

/// The body of a function; its arguments have been checked against the signature.
pub(super) type Apply = for<'c, 'e, 'v> fn(&Call<'c, 'e, 'v>) -> Outcome<'e, 'v>;

impl Function {
    /// One of Kyverno's own.
    const fn own(
        name: &'static str,
        parameters: &'static [Parameter],
        result: &'static str,
        note: &'static str,
        apply: Apply,
    ) -> Self {
        Function { name, parameters, result, note, standard: false, apply }
    }

    /// One of standard JMESPath.
    const fn standard(
        name: &'static str,
        parameters: &'static [Parameter],
        result: &'static str,
        note: &'static str,
        apply: Apply,
    ) -> Self {
        Function { name, parameters, result, note, standard: true, apply }
    }

    /// How it is called: `truncate(string, number) string`.
    pub(crate) fn signature(&self) -> String {
        let parameters: Vec<_> = self.parameters.iter().map(Parameter::to_string).collect();
        format!("{}({}) {}", self.name, parameters.join(", "), self.result)
    }

    /// Checks number and types of arguments.
    pub(super) fn check(&self, arguments: &[Argument<'_, '_>]) -> Result<(), EvalError> {
        let Some(last) = self.parameters.last() else {
            // Kyverno: a function without parameters takes any arguments.
            return Ok(());
        };
        let too_many = arguments.len() > self.parameters.len() && !last.variadic;
        if arguments.len() < self.parameters.len() || too_many {
            return Err(EvalError::ArgumentCount);
        }
        for (index, argument) in arguments.iter().enumerate() {
            let parameter = self.parameters.get(index).unwrap_or(last);
            if !parameter.types.iter().any(|expected| expected.allows(argument)) {
                return Err(parameter.refuse(argument));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A type in a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Any,
    Number,
    String,
    Array,
    ArrayNumber,
    ArrayString,
    Object,
    Expression,
}

impl Type {
    const fn name(self) -> &'static str {
        match self {
            Type::Any => "any",
            Type::Number => "number",
            Type::String => "string",
            Type::Array => "array",
            Type::ArrayNumber => "array[number]",
            Type::ArrayString => "array[string]",
            Type::Object => "object",
            Type::Expression => "expref",
        }
    }

    fn allows(self, argument: &Argument<'_, '_>) -> bool {
        let value = match argument {
            Argument::Expression(_) => return self == Type::Expression,
            Argument::Value(value) => *value,
        };
        match self {
            Type::Any => true,
            Type::Number => is_number(value),
            Type::String => matches!(value, Value::String(_)),
            Type::Array => matches!(value, Value::List(_)),
            Type::ArrayNumber => matches!(value, Value::List(list) if list.iter().all(is_number)),
            Type::ArrayString => matches!(value, Value::List(list) if list.iter().all(|it| it.as_str().is_some())),
            Type::Object => matches!(value, Value::Map(_)),
            Type::Expression => false,
        }
    }
}

/// A foreign integer is no number here.
fn is_number(value: Value<'_>) -> bool {
    matches!(value, Value::Number(Number::Float(_)))
}

/// A parameter: the types it allows, and whether more of it may follow.
struct Parameter {
    types: &'static [Type],
    variadic: bool,
}

impl Parameter {
    const fn of(types: &'static [Type]) -> Self {
        Parameter { types, variadic: false }
    }

    const fn many(types: &'static [Type]) -> Self {
        Parameter { types, variadic: true }
    }

    fn refuse(&self, argument: &Argument<'_, '_>) -> EvalError {
        let value = match argument {
            Argument::Value(value) => printed(*value),
            Argument::Expression(_) => "an expression".to_owned(),
        };
        let expected: Vec<_> = self.types.iter().map(|it| format!("{:?}", it.name())).collect();
        EvalError::InvalidType { value, expected: expected.join(", ") }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.types.iter().map(|it| it.name()).collect();
        f.write_str(&names.join("|"))?;
        f.write_str(if self.variadic { "..." } else { "" })
    }
}

const ANY: Parameter = Parameter::of(&[Type::Any]);
const NUMBER: Parameter = Parameter::of(&[Type::Number]);
const STRING: Parameter = Parameter::of(&[Type::String]);
const STRING_OR_NUMBER: Parameter = Parameter::of(&[Type::String, Type::Number]);
const ARRAY: Parameter = Parameter::of(&[Type::Array]);
const OBJECT: Parameter = Parameter::of(&[Type::Object]);
const OBJECT_OR_ARRAY: Parameter = Parameter::of(&[Type::Object, Type::Array]);
const EXPRESSION: Parameter = Parameter::of(&[Type::Expression]);

/// An argument as the function gets it.
#[derive(Clone, Copy)]
pub(super) enum Argument<'e, 'v> {
    /// An evaluated argument.
    Value(Value<'v>),
    /// `&expression`.
    Expression(&'e Ast),
}

/// One call of a function.
pub(super) struct Call<'c, 'e, 'v> {
    pub(super) evaluator: &'c Evaluator<'c, 'v>,
    pub(super) function: &'static Function,
    pub(super) arguments: &'c [Argument<'e, 'v>],
}

impl<'e, 'v> Call<'_, 'e, 'v> {
    /// The argument at `index`; null when there is none.
    fn value(&self, index: usize) -> Value<'v> {
        match self.arguments.get(index) {
            Some(Argument::Value(value)) => *value,
            _ => Value::Null,
        }
    }

    fn text(&self, index: usize) -> Result<&'v str, Stop<'e>> {
        self.value(index).as_str().ok_or_else(|| self.wrong(index))
    }

    fn number(&self, index: usize) -> Result<f64, Stop<'e>> {
        match self.value(index) {
            Value::Number(Number::Float(number)) => Ok(number),
            _ => Err(self.wrong(index)),
        }
    }

    fn list(&self, index: usize) -> Result<List<'v>, Stop<'e>> {
        match self.value(index) {
            Value::List(list) => Ok(list),
            _ => Err(self.wrong(index)),
        }
    }

    fn map(&self, index: usize) -> Result<Map<'v>, Stop<'e>> {
        match self.value(index) {
            Value::Map(map) => Ok(map),
            _ => Err(self.wrong(index)),
        }
    }

    /// The value of the expression at `index`, applied to `subject`.
    fn expression(&self, index: usize, subject: Value<'v>) -> Outcome<'e, 'v> {
        match self.arguments.get(index) {
            Some(Argument::Expression(ast)) => self.evaluator.eval(ast, Subject::Value(subject)),
            _ => Err(self.wrong(index)),
        }
    }

    /// The error for an argument that the signature does not allow.
    fn wrong(&self, index: usize) -> Stop<'e> {
        let argument = self.arguments.get(index).copied().unwrap_or(Argument::Value(Value::Null));
        let parameters = self.function.parameters;
        match parameters.get(index).or(parameters.last()) {
            Some(parameter) => parameter.refuse(&argument).into(),
            None => EvalError::ArgumentCount.into(),
        }
    }

    /// The error of a function that refuses its arguments.
    fn refuse(&self, text: impl Into<String>) -> Stop<'e> {
        let (name, text) = (self.function.name, text.into());
        if self.function.standard {
            EvalError::Refused { text }.into()
        } else {
            EvalError::Function { name, text }.into()
        }
    }

    fn arena(&self) -> &'v Arena {
        self.evaluator.arena
    }

    /// Text as result.
    fn give_text(&self, text: &str) -> Outcome<'e, 'v> {
        Ok(self.evaluator.text(text)?)
    }

    /// A list as result.
    fn give_list(&self, items: &[Value<'v>]) -> Outcome<'e, 'v> {
        Ok(self.evaluator.list(items)?)
    }

    /// A map as result; of equal keys the last wins.
    fn give_map(&self, entries: Vec<(&'v str, Value<'v>)>) -> Outcome<'e, 'v> {
        Ok(self.evaluator.map(entries)?)
    }

    /// Takes steps from the budget of the evaluation.
    fn charge(&self, steps: usize) -> Result<(), Stop<'e>> {
        Ok(self.evaluator.charge(steps)?)
    }

    /// Takes bytes from the budget before text of that length is made.
    fn charge_bytes(&self, bytes: usize) -> Result<(), Stop<'e>> {
        Ok(self.evaluator.charge_bytes(bytes)?)
    }
}

/// A value as Go's `%v` prints it, shortened: for messages.
fn printed(value: Value<'_>) -> String {
    const MAX: usize = 512;
    fn write(value: Value<'_>, out: &mut String) {
        if out.len() > MAX {
            return;
        }
        match value {
            Value::Null => out.push_str("<nil>"),
            Value::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Value::Number(Number::Int(value)) => out.push_str(&value.to_string()),
            Value::Number(Number::Float(value)) => out.push_str(&value.to_string()),
            Value::String(text) => out.push_str(text),
            Value::List(list) => {
                out.push('[');
                for (index, item) in list.iter().enumerate() {
                    out.push_str(if index > 0 { " " } else { "" });
                    write(item, out);
                }
                out.push(']');
            }
            Value::Map(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_unstable_by_key(|(key, _)| *key);
                out.push_str("map[");
                for (index, (key, item)) in entries.into_iter().enumerate() {
                    out.push_str(if index > 0 { " " } else { "" });
                    out.push_str(key);
                    out.push(':');
                    write(item, out);
                }
                out.push(']');
            }
        }
    }
    let mut out = String::new();
    write(value, &mut out);
    if out.len() > MAX {
        let end = (0..=MAX).rev().find(|at| out.is_char_boundary(*at)).unwrap_or(0);
        out.truncate(end);
        out.push('…');
    }
    out
}

/// The tables, by subject.
const TABLES: &[&[Function]] = &[
    arithmetic::FUNCTIONS,
    collections::FUNCTIONS,
    conversions::FUNCTIONS,
    encodings::FUNCTIONS,
    network::FUNCTIONS,
    numbers::FUNCTIONS,
    patterns::FUNCTIONS,
    strings::FUNCTIONS,
    times::FUNCTIONS,
    versions::FUNCTIONS,
];

/// All functions, by name.
pub(crate) fn list() -> Vec<&'static Function> {
    let mut all: Vec<&'static Function> = TABLES.iter().flat_map(|table| table.iter()).collect();
    all.sort_unstable_by_key(|function| function.name);
    all
}

/// The function of a name.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    TABLES.iter().flat_map(|table| table.iter()).find(|function| function.name == name)
}
