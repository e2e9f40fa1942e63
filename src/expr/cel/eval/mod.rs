//! Evaluates compiled expressions.
//!
//! Each part costs a step of the budget of its policy, and what it makes costs bytes. `&&`, `||`, `all` and `exists`
//! make up for errors: an operand that decides does so whatever the others come to.

mod macros;
mod operators;

pub(super) use macros::elements;
use smallvec::SmallVec;

use super::{
    EvalError, List, Map, Scope, Value,
    library::Call,
    tree::{self, Expr, Kind},
};

type Outcome<'v> = Result<Value<'v>, EvalError>;

/// The value of an expression that is no part of another.
pub(super) fn evaluate<'v>(expr: &'v Expr, scope: &Scope<'v>) -> Outcome<'v> {
    scope.within_budget(|| Evaluator::new(scope).eval(expr))
}

/// One evaluation: the scope, and the values of the names that macros bind.
pub(super) struct Evaluator<'s, 'v> {
    pub scope: &'s Scope<'v>,
    pub locals: SmallVec<[Value<'v>; 4]>,
}

impl<'s, 'v> Evaluator<'s, 'v> {
    pub(super) fn new(scope: &'s Scope<'v>) -> Self {
        Evaluator { scope, locals: SmallVec::new() }
    }

    pub(super) fn eval(&mut self, expr: &'v Expr) -> Outcome<'v> {
        self.scope.charge(1)?;
        match &expr.kind {
            Kind::Constant(constant) => Ok(constant.value()),
            Kind::Root(root) => self.scope.get(*root).ok_or_else(|| EvalError::NoSuchAttribute(root.name().into())),
            Kind::Local(slot) => known(self.locals.get(*slot).copied().ok_or(EvalError::NoSuchOverload)?),
            _ => {
                self.scope.enter()?;
                let result = self.compound(expr);
                self.scope.leave();
                result
            }
        }
    }

    fn compound(&mut self, expr: &'v Expr) -> Outcome<'v> {
        match &expr.kind {
            Kind::Constant(_) | Kind::Root(_) | Kind::Local(_) => self.eval(expr),
            Kind::Field { operand, field, optional } => {
                let operand = self.eval(operand)?;
                self.field(operand, field, *optional)
            }
            Kind::Variable(index) => self.scope.variable(*index),
            Kind::NamedVariable(index, name) => self.scope.variable(*index).map_err(|error| match error {
                EvalError::Indeterminate { .. } | EvalError::Cost => error,
                _ => EvalError::refused(format!("composited variable {name:?} fails to evaluate: {error}")),
            }),
            Kind::Has { operand, field } => {
                let operand = self.eval(operand)?;
                Ok(Value::Bool(find_field(operand, field)?.map(known).transpose()?.is_some()))
            }
            Kind::Index { operand, index, optional } => {
                let operand = self.eval(operand)?;
                let index = self.eval(index)?;
                self.index(operand, index, *optional)
            }
            Kind::Not(operand) => match self.eval(operand)? {
                Value::Bool(value) => Ok(Value::Bool(!value)),
                _ => Err(EvalError::NoSuchOverload),
            },
            Kind::Negate(operand) => {
                let operand = self.eval(operand)?;
                operators::negate(operand)
            }
            Kind::Binary(operator, operands) => {
                let [left, right] = &**operands;
                let left = self.eval(left)?;
                let right = self.eval(right)?;
                self.binary(*operator, left, right)
            }
            Kind::Among(operand, constants) => {
                let operand = self.eval(operand)?;
                self.scope.charge(constants.len() as u64)?;
                self.scope.whole(operand)?;
                Ok(Value::Bool(constants.iter().any(|it| it.value().equals(operand))))
            }
            Kind::And(operands) => self.decide(operands, false),
            Kind::Or(operands) => self.decide(operands, true),
            Kind::Conditional(parts) => {
                let [condition, yes, no] = &**parts;
                match self.eval(condition)? {
                    Value::Bool(true) => self.eval(yes),
                    Value::Bool(false) => self.eval(no),
                    _ => Err(EvalError::NoSuchOverload),
                }
            }
            Kind::List(items) => self.list(items),
            Kind::Map(entries) => self.map(entries),
            Kind::Call(call) => self.call(call),
            Kind::Macro(it) => self.repeat(it),
            Kind::Bind(parts) => {
                let [value, body] = &**parts;
                let value = self.eval(value)?;
                self.bound(&[value], |it| it.eval(body))
            }
            Kind::OptionalMap { parts, flat } => {
                let [target, body] = &**parts;
                let Value::Optional(target) = self.eval(target)? else { return Err(EvalError::NoSuchOverload) };
                let Some(value) = target else { return Ok(Value::Optional(None)) };
                let result = self.bound(&[*value], |it| it.eval(body))?;
                Ok(if *flat { result } else { self.some(result) })
            }
            Kind::Fail(text) => Err(EvalError::refused(&**text)),
        }
    }

    /// Evaluates with more names bound.
    pub(super) fn bound<T>(&mut self, values: &[Value<'v>], evaluate: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.locals.len();
        self.locals.extend_from_slice(values);
        let result = evaluate(self);
        self.locals.truncate(before);
        result
    }

    fn some(&self, value: Value<'v>) -> Value<'v> {
        Value::Optional(Some(self.scope.arena().alloc(value)))
    }

    /// `&&` is decided by a false operand, `||` by a true one; else the first error is the result, if there is one.
    fn decide(&mut self, operands: &'v [Expr], deciding: bool) -> Outcome<'v> {
        let mut verdict = Verdict { deciding, error: None };
        for operand in operands {
            let value = self.eval(operand).and_then(|it| it.as_bool().ok_or(EvalError::NoSuchOverload));
            if verdict.is_decided_by(value)? {
                return Ok(Value::Bool(deciding));
            }
        }
        verdict.undecided()
    }

    fn field(&self, operand: Value<'v>, field: &str, optional: bool) -> Outcome<'v> {
        if let Value::Map(map) = operand {
            self.charge_look_up(map)?;
            return match map.field(field).map(known).transpose()? {
                Some(value) if optional => Ok(self.some(value)),
                Some(value) => Ok(value),
                None if optional => Ok(Value::Optional(None)),
                None => Err(EvalError::NoSuchKey(field.into())),
            };
        }
        match (operand, find_field(operand, field)?.map(known).transpose()?) {
            // What follows an optional value is optional.
            (Value::Optional(_), Some(value)) => Ok(self.some(value)),
            (Value::Optional(_), None) => Ok(Value::Optional(None)),
            (_, None) if optional => Ok(Value::Optional(None)),
            _ => Err(EvalError::NoSuchKey(field.into())),
        }
    }

    fn charge_look_up(&self, map: Map<'v>) -> Result<(), EvalError> {
        self.scope.charge(map.len() as u64 / 16)
    }

    fn index(&self, operand: Value<'v>, index: Value<'v>, optional: bool) -> Outcome<'v> {
        let (container, is_optional) = match operand {
            Value::Optional(None) => return Ok(Value::Optional(None)),
            Value::Optional(Some(value)) => (*value, true),
            _ => (operand, optional),
        };
        let found = match container {
            Value::Map(map) => {
                self.charge_look_up(map)?;
                match map.get(index) {
                    Some(value) => Ok(known(value)?),
                    None => Err(EvalError::NoSuchKey(super::text::string(index).unwrap_or_default().into())),
                }
            }
            Value::List(list) => {
                let at = list_index(index)?;
                self.scope.charge(at.unsigned_abs().min(list.len() as u64) / 16)?;
                usize::try_from(at).ok().and_then(|at| list.get(at)).ok_or(EvalError::OutOfBounds(at))
            }
            _ => match index {
                Value::String(key) => Err(EvalError::NoSuchKey(key.into())),
                _ => Err(EvalError::NoSuchOverload),
            },
        };
        match found {
            Ok(value) if is_optional => Ok(self.some(value)),
            Err(_) if is_optional => Ok(Value::Optional(None)),
            other => other,
        }
    }

    fn list(&mut self, items: &'v [tree::Item]) -> Outcome<'v> {
        let mut out: SmallVec<[Value<'v>; 8]> = SmallVec::new();
        for item in items {
            let value = self.eval(&item.value)?;
            match value {
                _ if !item.optional => out.push(value),
                Value::Optional(value) => out.extend(value.copied()),
                _ => return Err(EvalError::NoSuchOverload),
            }
        }
        self.make_list(&out)
    }

    pub(super) fn make_list(&self, items: &[Value<'v>]) -> Outcome<'v> {
        self.scope.charge_bytes(size_of_val(items))?;
        Ok(Value::List(List::Items(self.scope.arena().alloc_slice_copy(items))))
    }

    fn map(&mut self, entries: &'v [tree::Entry]) -> Outcome<'v> {
        let mut out: Entries<'v> = Entries::default();
        for entry in entries {
            let key = self.eval(&entry.key)?;
            let value = self.eval(&entry.value)?;
            let value = match value {
                _ if !entry.optional => value,
                Value::Optional(Some(value)) => *value,
                Value::Optional(None) => continue,
                _ => return Err(EvalError::NoSuchOverload),
            };
            out.insert(self.scope, key, value)?;
        }
        out.finish(self.scope)
    }

    fn call(&mut self, call: &'v tree::Call) -> Outcome<'v> {
        let mut arguments: SmallVec<[Value<'v>; 4]> = SmallVec::new();
        for argument in &call.arguments {
            let value = self.eval(argument)?;
            // What only changes the type looks at nothing.
            if call.name != "dyn" {
                self.scope.whole(value)?;
            }
            arguments.push(value);
        }
        if let Some(overload) = call.overloads.iter().find(|overload| overload.admits(&arguments)) {
            return overload.apply(&Call { arguments: &arguments, scope: self.scope, pattern: call.pattern.as_ref() });
        }
        let types: Vec<_> = arguments.iter().map(|it| it.type_name()).collect();
        Err(EvalError::refused(format!("no such overload: {}({})", call.name, types.join(", "))))
    }
}

/// What `&&` or `||` have come to so far.
struct Verdict {
    /// The value that decides.
    deciding: bool,
    error: Option<EvalError>,
}

impl Verdict {
    /// Takes the next operand. An error only counts when nothing decides, and one that more knowledge could turn into
    /// anything counts before others.
    fn is_decided_by(&mut self, operand: Result<bool, EvalError>) -> Result<bool, EvalError> {
        match operand {
            Ok(value) => return Ok(value == self.deciding),
            Err(fatal) if fatal.is_final() => return Err(fatal),
            Err(unknown @ EvalError::Indeterminate { .. })
                if !matches!(self.error, Some(EvalError::Indeterminate { .. })) =>
            {
                self.error = Some(unknown);
            }
            Err(other) => self.error = self.error.take().or(Some(other)),
        }
        Ok(false)
    }

    fn undecided<'v>(self) -> Outcome<'v> {
        self.error.map_or(Ok(Value::Bool(!self.deciding)), Err)
    }
}

/// The value, unless it is not known.
fn known(value: Value<'_>) -> Outcome<'_> {
    match value {
        Value::Unknown(what) => Err(EvalError::indeterminate(what)),
        value => Ok(value),
    }
}

/// The value of a field; `None` when the operand has none. A list has no fields at all.
pub(super) fn find_field<'v>(operand: Value<'v>, field: &str) -> Result<Option<Value<'v>>, EvalError> {
    match operand {
        Value::Map(map) => Ok(map.field(field)),
        Value::Optional(Some(value)) => find_field(*value, field),
        Value::List(_) => Err(EvalError::refused("unsupported index type 'string' in list")),
        _ => Ok(None),
    }
}

/// The place in a list that an index means.
pub(super) fn list_index(index: Value<'_>) -> Result<i64, EvalError> {
    match index {
        Value::Int(at) => Ok(at),
        Value::Uint(at) => Ok(i64::try_from(at).unwrap_or(i64::MAX)),
        Value::Double(at) if at.fract() == 0.0 && at.abs() < 9e15 => Ok(at as i64),
        Value::Double(at) => Err(EvalError::refused(format!("unsupported index value {at} in list"))),
        _ => Err(EvalError::refused(format!("unsupported index type '{}' in list", index.type_name()))),
    }
}

/// A map that is being made: keys of the right types, each once.
#[derive(Default)]
pub(super) struct Entries<'v> {
    list: Vec<(Value<'v>, Value<'v>)>,
}

impl<'v> Entries<'v> {
    /// Adds an entry, or says why there can be none.
    pub(super) fn insert(&mut self, scope: &Scope<'v>, key: Value<'v>, value: Value<'v>) -> Result<(), EvalError> {
        if !matches!(key, Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::String(_) | Value::Double(_)) {
            return Err(EvalError::refused(format!("unsupported key type: {}", key.type_name())));
        }
        scope.charge(self.list.len() as u64 / 4)?;
        if self.list.iter().any(|(known, _)| known.equals(key)) {
            let key = super::text::string(key).unwrap_or_default();
            return Err(EvalError::refused(format!("Failed with repeated key: {key}")));
        }
        self.list.push((key, value));
        Ok(())
    }

    /// The map.
    pub(super) fn finish(self, scope: &Scope<'v>) -> Outcome<'v> {
        scope.charge_bytes(size_of_val(self.list.as_slice()))?;
        Ok(Value::Map(Map::Entries(scope.arena().alloc_slice_copy(&self.list))))
    }
}
