//! Evaluation of a syntax tree.
//!
//! In: a tree, a scope, an arena. Out: a value or an error. A key that a map lacks stops evaluation; on its way out
//! the stop becomes null in: operands of comparisons, arguments of functions, both sides of `||`, the left side of
//! `&&`, the operand of `!`, members of `[…]` and `{…}`, both sides of `|`, the source and each element of a
//! projection, and filter conditions. It passes through `a.b`, `a[0]` and the right side of `&&`.
//! Steps and bytes are counted, so that no expression runs on: [`MAX_STEPS`], [`MAX_BYTES`].

use std::{cell::Cell, cmp::Ordering};

use smallvec::SmallVec;

use super::{
    EvalError, Scope,
    ast::{Ast, Comparison},
    functions::{self, Argument, Call},
};
use crate::{
    document::Integers,
    expr::{Arena, Number, Value},
};

/// Steps that one evaluation may take: a visited node, an element, some dozen bytes compared or copied.
pub(super) const MAX_STEPS: u64 = 10_000_000;

/// Bytes that one evaluation may make, and that its result may have when written out.
pub(super) const MAX_BYTES: u64 = 32 << 20;

/// Why evaluation of a node stopped.
#[derive(Debug)]
pub(super) enum Stop<'e> {
    /// A map lacks this key.
    Missing(&'e str),
    /// Anything else; never turned into null.
    Failed(Box<EvalError>),
}

impl From<EvalError> for Stop<'_> {
    fn from(error: EvalError) -> Self {
        Stop::Failed(Box::new(error))
    }
}

pub(super) type Outcome<'e, 'v> = Result<Value<'v>, Stop<'e>>;

/// What an expression is applied to.
#[derive(Clone, Copy)]
pub(super) enum Subject<'v> {
    /// The scope, not materialized.
    Root,
    /// Any value.
    Value(Value<'v>),
}

/// Evaluates a whole expression.
pub(super) fn evaluate<'v>(ast: &Ast, scope: &dyn Scope<'v>, arena: &'v Arena) -> Result<Value<'v>, EvalError> {
    let evaluator = Evaluator { scope, arena, steps: Cell::new(MAX_STEPS), bytes: Cell::new(MAX_BYTES) };
    let finished = evaluator.eval(ast, Subject::Root).and_then(|value| {
        // Parts of a document are as large as the document; computed values may share parts and grow when written.
        if value.node().is_none() {
            known(value)?;
            evaluator.charge_written(value)?;
        }
        Ok(value)
    });
    finished.map_err(|stop| match stop {
        Stop::Missing(key) => EvalError::NotFound { key: key.to_owned() },
        Stop::Failed(error) => *error,
    })
}

/// One evaluation.
pub(super) struct Evaluator<'s, 'v> {
    pub(super) scope: &'s dyn Scope<'v>,
    pub(super) arena: &'v Arena,
    steps: Cell<u64>,
    bytes: Cell<u64>,
}

/// Null for a missing key.
fn absorb<'e, 'v>(outcome: Outcome<'e, 'v>) -> Outcome<'e, 'v> {
    match outcome {
        Err(Stop::Missing(_)) => Ok(Value::Null),
        other => other,
    }
}

impl<'v> Evaluator<'_, 'v> {
    /// Takes steps from the budget.
    pub(super) fn charge(&self, steps: usize) -> Result<(), EvalError> {
        match self.steps.get().checked_sub(steps as u64) {
            Some(rest) => {
                self.steps.set(rest);
                Ok(())
            }
            None => Err(EvalError::LimitExceeded { what: "too many steps" }),
        }
    }

    /// Takes bytes from the budget, before they are allocated.
    pub(super) fn charge_bytes(&self, bytes: usize) -> Result<(), EvalError> {
        self.charge(bytes / 32)?;
        match self.bytes.get().checked_sub(bytes as u64) {
            Some(rest) => {
                self.bytes.set(rest);
                Ok(())
            }
            None => Err(EvalError::LimitExceeded { what: "too much output" }),
        }
    }

    /// Takes what the value written as JSON would need from the budget.
    pub(super) fn charge_written(&self, value: Value<'v>) -> Result<(), EvalError> {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => self.charge_bytes(8),
            Value::String(text) => self.charge_bytes(text.len() + 2),
            Value::List(list) => {
                self.charge_bytes(8)?;
                list.iter().try_for_each(|item| self.charge_written(item))
            }
            Value::Map(map) => {
                self.charge_bytes(8)?;
                map.iter().try_for_each(|(key, item)| {
                    self.charge_bytes(key.len() + 4)?;
                    self.charge_written(item)
                })
            }
        }
    }

    /// Deep equality; an integer never equals a float.
    pub(super) fn equal(&self, left: Value<'v>, right: Value<'v>) -> Result<bool, EvalError> {
        self.charge(1)?;
        Ok(match (left, right) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(left), Value::Bool(right)) => left == right,
            (Value::Number(Number::Int(left)), Value::Number(Number::Int(right))) => left == right,
            (Value::Number(Number::Float(left)), Value::Number(Number::Float(right))) => left == right,
            (Value::String(left), Value::String(right)) => {
                self.charge(left.len().min(right.len()) / 32)?;
                left == right
            }
            (Value::List(left), Value::List(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (left, right) in left.iter().zip(right.iter()) {
                    if !self.equal(left, right)? {
                        return Ok(false);
                    }
                }
                true
            }
            (Value::Map(left), Value::Map(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (key, left) in left.iter() {
                    self.charge(1 + right.len() / 4)?;
                    let Some(right) = right.get(key) else {
                        return Ok(false);
                    };
                    if !self.equal(left, right)? {
                        return Ok(false);
                    }
                }
                true
            }
            _ => false,
        })
    }

    /// The subject that the value of `ast` is; the root stays the root.
    fn subject<'e>(&self, ast: &'e Ast, subject: Subject<'v>) -> Result<Subject<'v>, Stop<'e>> {
        match ast {
            Ast::Identity | Ast::Current => Ok(subject),
            _ => self.eval(ast, subject).map(Subject::Value),
        }
    }

    fn value(&self, subject: Subject<'v>) -> Result<Value<'v>, EvalError> {
        match subject {
            Subject::Root => self.scope.whole(),
            Subject::Value(value) => Ok(value),
        }
    }

    fn is_null(&self, subject: Subject<'v>) -> bool {
        match subject {
            Subject::Root => self.scope.is_null(),
            Subject::Value(value) => value.is_null(),
        }
    }

    /// The value of `ast` applied to `subject`.
    pub(super) fn eval<'e>(&self, ast: &'e Ast, subject: Subject<'v>) -> Outcome<'e, 'v> {
        self.charge(1)?;
        match ast {
            Ast::Identity | Ast::Current => Ok(self.value(subject)?),
            Ast::Field(name) => self.field(name, subject),
            Ast::Subexpression(left, right) | Ast::IndexExpression(left, right) => {
                let subject = self.subject(left, subject)?;
                self.eval(right, subject)
            }
            Ast::Pipe(left, right) => {
                let subject = match self.subject(left, subject) {
                    Err(Stop::Missing(_)) => Subject::Value(Value::Null),
                    other => other?,
                };
                absorb(self.eval(right, subject))
            }
            Ast::Or(left, right) => {
                let left = absorb(self.eval(left, subject))?;
                if is_true(left) { Ok(left) } else { absorb(self.eval(right, subject)) }
            }
            Ast::And(left, right) => {
                let left = absorb(self.eval(left, subject))?;
                if is_true(left) { self.eval(right, subject) } else { Ok(left) }
            }
            Ast::Not(child) => Ok(Value::Bool(!is_true(absorb(self.eval(child, subject))?))),
            Ast::Index(index) => self.index(*index, subject),
            Ast::Slice(parts) => self.slice(*parts, subject),
            Ast::Literal(json) => self.literal(json),
            Ast::Comparator(comparison, left, right) => {
                let left = absorb(self.eval(left, subject))?;
                let right = absorb(self.eval(right, subject))?;
                Ok(self.compare(*comparison, left, right)?)
            }
            Ast::Flatten(child) => self.flatten(child, subject),
            Ast::Projection(source, each) => self.projection(source, each, None, subject),
            Ast::FilterProjection(source, each, condition) => self.projection(source, each, Some(condition), subject),
            Ast::ValueProjection(source, each) => self.value_projection(source, each, subject),
            Ast::MultiSelectList(items) => self.multi_select_list(items, subject),
            Ast::MultiSelectHash(pairs) => self.multi_select_hash(pairs, subject),
            Ast::Call { name, function, arguments } => match function {
                Some(function) => self.call(function, arguments, subject),
                None => Err(EvalError::UnknownFunction { name: name.to_string() }.into()),
            },
            // Only written as an argument does it mean something; see `call`.
            Ast::Reference(_) => Ok(Value::Null),
        }
    }

    fn field<'e>(&self, name: &'e str, subject: Subject<'v>) -> Outcome<'e, 'v> {
        let found = match subject {
            Subject::Root => self.scope.lookup(name)?,
            Subject::Value(Value::Map(map)) => {
                self.charge(map.len() / 16)?;
                if let Some(what) = map.missing(name) {
                    return Err(EvalError::unknown(what).into());
                }
                map.get(name)
            }
            Subject::Value(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::List(_)) => {
                Some(Value::Null)
            }
        };
        found.ok_or(Stop::Missing(name))
    }

    #[inline(never)]
    fn index<'e>(&self, index: i64, subject: Subject<'v>) -> Outcome<'e, 'v> {
        let Value::List(list) = self.value(subject)? else {
            return Ok(Value::Null);
        };
        let len = list.len() as i64;
        let index = if index < 0 { index.saturating_add(len) } else { index };
        if index < 0 || index >= len {
            return Ok(Value::Null);
        }
        self.charge(index as usize / 16)?;
        Ok(list.get(index as usize).unwrap_or(Value::Null))
    }

    #[inline(never)]
    fn slice<'e>(&self, [start, stop, step]: [Option<i64>; 3], subject: Subject<'v>) -> Outcome<'e, 'v> {
        let Value::List(list) = self.value(subject)? else {
            return Ok(Value::Null);
        };
        let len = list.len() as i64;
        let step = step.unwrap_or(1);
        // Bounds of indices as in Python: an upward slice lies in 0..len, a downward one in -1..len-1.
        let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
        let clamp = |bound: i64| (if bound < 0 { bound.saturating_add(len) } else { bound }).clamp(low, high);
        let start = start.map_or(if step > 0 { low } else { high }, clamp);
        let stop = stop.map_or(if step > 0 { high } else { low }, clamp);
        self.charge(list.len())?;
        let items: Vec<Value<'v>> = list.iter().collect();
        let mut out = Vec::new();
        let mut at = start;
        while if step > 0 { at < stop } else { at > stop } {
            out.extend(items.get(at as usize).copied());
            let Some(next) = at.checked_add(step) else { break };
            at = next;
        }
        Ok(self.list(&out)?)
    }

    #[inline(never)]
    fn literal<'e>(&self, json: &serde_json::Value) -> Outcome<'e, 'v> {
        match json {
            serde_json::Value::String(text) => Ok(self.text(text)?),
            serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
                let value = Value::from_json(self.arena, json, Integers::Floats);
                self.charge_written(value)?;
                Ok(value)
            }
            scalar => Ok(Value::from_json(self.arena, scalar, Integers::Floats)),
        }
    }

    fn compare(&self, comparison: Comparison, left: Value<'v>, right: Value<'v>) -> Result<Value<'v>, EvalError> {
        known(left)?;
        known(right)?;
        let ordered = |holds: fn(f64, f64) -> bool| match (left, right) {
            (Value::Number(Number::Float(left)), Value::Number(Number::Float(right))) => {
                Value::Bool(holds(left, right))
            }
            _ => Value::Null,
        };
        Ok(match comparison {
            Comparison::Equal => Value::Bool(self.equal(left, right)?),
            Comparison::NotEqual => Value::Bool(!self.equal(left, right)?),
            Comparison::Less => ordered(|left, right| left < right),
            Comparison::LessOrEqual => ordered(|left, right| left <= right),
            Comparison::Greater => ordered(|left, right| left > right),
            Comparison::GreaterOrEqual => ordered(|left, right| left >= right),
        })
    }

    #[inline(never)]
    fn flatten<'e>(&self, child: &'e Ast, subject: Subject<'v>) -> Outcome<'e, 'v> {
        let Value::List(list) = self.eval(child, subject)? else {
            return Ok(Value::Null);
        };
        let mut out = Vec::new();
        for item in list.iter() {
            self.charge(1)?;
            match item {
                Value::List(inner) => {
                    self.charge(inner.len())?;
                    out.extend(inner.iter());
                }
                other => out.push(other),
            }
        }
        Ok(self.list(&out)?)
    }

    #[inline(never)]
    fn projection<'e>(
        &self,
        source: &'e Ast,
        each: &'e Ast,
        condition: Option<&'e Ast>,
        subject: Subject<'v>,
    ) -> Outcome<'e, 'v> {
        let Value::List(list) = absorb(self.eval(source, subject))? else {
            return Ok(Value::Null);
        };
        if condition.is_none() && matches!(each, Ast::Identity) && list.iter().all(|item| !item.is_null()) {
            self.charge(list.len())?;
            return Ok(Value::List(list));
        }
        let mut out = Vec::new();
        for item in list.iter() {
            self.charge(1)?;
            if let Some(condition) = condition
                && !is_true(absorb(self.eval(condition, Subject::Value(item)))?)
            {
                continue;
            }
            let made = match each {
                Ast::Identity => item,
                _ => absorb(self.eval(each, Subject::Value(item)))?,
            };
            if !made.is_null() {
                out.push(made);
            }
        }
        Ok(self.list(&out)?)
    }

    #[inline(never)]
    fn value_projection<'e>(&self, source: &'e Ast, each: &'e Ast, subject: Subject<'v>) -> Outcome<'e, 'v> {
        let Value::Map(map) = absorb(self.eval(source, subject))? else {
            return Ok(Value::Null);
        };
        known(Value::Map(map))?;
        let mut out = Vec::new();
        // Kyverno: the values are preceded by one null for each key, seen when `each` makes something of null.
        if !map.is_empty() {
            let of_null = absorb(self.eval(each, Subject::Value(Value::Null)))?;
            if !of_null.is_null() {
                out.resize(map.len(), of_null);
            }
        }
        for (_, item) in map.iter() {
            self.charge(1)?;
            let made = absorb(self.eval(each, Subject::Value(item)))?;
            if !made.is_null() {
                out.push(made);
            }
        }
        Ok(self.list(&out)?)
    }

    #[inline(never)]
    fn multi_select_list<'e>(&self, items: &'e [Ast], subject: Subject<'v>) -> Outcome<'e, 'v> {
        if self.is_null(subject) {
            return Ok(Value::Null);
        }
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            out.push(absorb(self.eval(item, subject))?);
        }
        Ok(self.list(&out)?)
    }

    #[inline(never)]
    fn multi_select_hash<'e>(&self, pairs: &'e [(Box<str>, Ast)], subject: Subject<'v>) -> Outcome<'e, 'v> {
        if self.is_null(subject) {
            return Ok(Value::Null);
        }
        let mut out = Vec::with_capacity(pairs.len());
        for (key, item) in pairs {
            let value = absorb(self.eval(item, subject))?;
            self.charge_bytes(key.len())?;
            out.push((&*self.arena.alloc_str(key), value));
        }
        Ok(self.map(out)?)
    }

    #[inline(never)]
    fn call<'e>(
        &self,
        function: &'static functions::Function,
        arguments: &'e [Ast],
        subject: Subject<'v>,
    ) -> Outcome<'e, 'v> {
        let mut values: SmallVec<[Argument<'e, 'v>; 4]> = SmallVec::new();
        for argument in arguments {
            values.push(match argument {
                Ast::Reference(inner) => Argument::Expression(inner),
                _ => Argument::Value(absorb(self.eval(argument, subject))?),
            });
            if let Some(Argument::Value(value)) = values.last() {
                known(*value)?;
            }
        }
        function.check(&values)?;
        (function.apply)(&Call { evaluator: self, function, arguments: &values })
    }

    /// A list copied into the arena.
    pub(super) fn list(&self, items: &[Value<'v>]) -> Result<Value<'v>, EvalError> {
        self.charge_bytes(size_of_val(items))?;
        Ok(Value::list_in(self.arena, items))
    }

    /// A map copied into the arena; of equal keys the last wins, at the place of the first.
    pub(super) fn map(&self, entries: Vec<(&'v str, Value<'v>)>) -> Result<Value<'v>, EvalError> {
        self.charge_bytes(size_of_val(&*entries))?;
        let mut unique: indexmap::IndexMap<&'v str, Value<'v>> = indexmap::IndexMap::with_capacity(entries.len());
        unique.extend(entries);
        let entries: Vec<(&'v str, Value<'v>)> = unique.into_iter().collect();
        Ok(Value::map_in(self.arena, &entries))
    }

    /// Text copied into the arena.
    pub(super) fn text(&self, text: &str) -> Result<Value<'v>, EvalError> {
        self.charge_bytes(text.len())?;
        Ok(Value::string_in(self.arena, text))
    }
}

/// Refuses a value of which a part is not known to whoever looks at all of it.
fn known(value: Value<'_>) -> Result<(), EvalError> {
    value.missing().map_or(Ok(()), |what| Err(EvalError::unknown(what)))
}

/// Whether a value counts as true: all but null, false, and empty text, lists and maps.
pub(super) fn is_true(value: Value<'_>) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => value,
        Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
        Value::List(list) => !list.is_empty(),
        Value::Map(map) => !map.is_empty(),
    }
}

/// Order of floats for sorting; NaN first, as in Go.
pub(super) fn float_order(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| right.is_nan().cmp(&left.is_nan()))
}
