//! Quantities and semantic versions as Kubernetes' libraries have them.

use std::cmp::Ordering;

use super::{Call, Function};
use crate::{
    expr::cel::{EvalError, Opaque, Value},
    k8s::{
        quantity::{self, Quantity},
        semver,
    },
};

pub(super) const QUANTITY: &[Function] = &[
    Function::new("quantity(string) -> Quantity", "reads a quantity such as `500m` or `1Gi`", |call| {
        match quantity::parse(call.text(0)?) {
            Some(quantity) => Ok(call.give(Opaque::Quantity(quantity))),
            None => Err(EvalError::refused(
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
            )),
        }
    }),
    Function::new("isQuantity(string) -> bool", "whether it is a quantity", |call| {
        Ok(Value::Bool(quantity::parse(call.text(0)?).is_some()))
    }),
    // Kubernetes: a function, not a method like its siblings.
    Function::new("sign(Quantity) -> int", "-1, 0 or 1", |call| {
        Ok(Value::Int(number(read(call, 0)?.compare(Quantity::from(0)))))
    }),
    Function::new("Quantity.isGreaterThan(Quantity) -> bool", "whether it is greater", |call| {
        Ok(Value::Bool(read(call, 0)?.compare(read(call, 1)?) == Ordering::Greater))
    }),
    Function::new("Quantity.isLessThan(Quantity) -> bool", "whether it is less", |call| {
        Ok(Value::Bool(read(call, 0)?.compare(read(call, 1)?) == Ordering::Less))
    }),
    Function::new("Quantity.compareTo(Quantity) -> int", "-1, 0 or 1: less, equal, greater", |call| {
        Ok(Value::Int(number(read(call, 0)?.compare(read(call, 1)?))))
    }),
    Function::new("Quantity.isInteger() -> bool", "whether `asInteger` has a value", |call| {
        Ok(Value::Bool(read(call, 0)?.as_i64().is_some()))
    }),
    Function::new("Quantity.asInteger() -> int", "the integer", |call| {
        let refuse = || EvalError::refused("cannot convert value to integer");
        Ok(Value::Int(read(call, 0)?.as_i64().ok_or_else(refuse)?))
    }),
    Function::new("Quantity.asApproximateFloat() -> double", "the nearest float", |call| {
        Ok(Value::Double(read(call, 0)?.as_f64()))
    }),
    Function::new("Quantity.add(Quantity) -> Quantity", "the sum", |call| compute(call, Quantity::add)),
    Function::new("Quantity.add(int) -> Quantity", "the sum", |call| compute(call, Quantity::add)),
    Function::new("Quantity.sub(Quantity) -> Quantity", "the difference", |call| compute(call, Quantity::sub)),
    Function::new("Quantity.sub(int) -> Quantity", "the difference", |call| compute(call, Quantity::sub)),
];

pub(super) const SEMVER: &[Function] = &[
    Function::new("semver(string) -> Semver", "reads a semantic version", parse),
    Function::new("semver(string, bool) -> Semver", "the same; `true` allows `v1.2`", parse),
    Function::new("isSemver(string) -> bool", "whether it is a semantic version", |call| {
        Ok(Value::Bool(normalized(call)?.is_some()))
    }),
    Function::new("isSemver(string, bool) -> bool", "the same; `true` allows `v1.2`", |call| {
        Ok(Value::Bool(normalized(call)?.is_some()))
    }),
    Function::new("Semver.major() -> int", "the first number", |call| Ok(Value::Int(version(call, 0)?.major as i64))),
    Function::new("Semver.minor() -> int", "the second number", |call| Ok(Value::Int(version(call, 0)?.minor as i64))),
    Function::new("Semver.patch() -> int", "the third number", |call| Ok(Value::Int(version(call, 0)?.patch as i64))),
    Function::new("Semver.isLessThan(Semver) -> bool", "whether it precedes", |call| {
        Ok(Value::Bool(order(call)? == Ordering::Less))
    }),
    Function::new("Semver.isGreaterThan(Semver) -> bool", "whether it comes after", |call| {
        Ok(Value::Bool(order(call)? == Ordering::Greater))
    }),
    Function::new("Semver.compareTo(Semver) -> int", "-1, 0 or 1: before, equal, after", |call| {
        Ok(Value::Int(number(order(call)?)))
    }),
];

fn number(ordering: Ordering) -> i64 {
    ordering as i64
}

fn read(call: &Call<'_, '_>, index: usize) -> Result<Quantity, EvalError> {
    match call.value(index) {
        Value::Opaque(Opaque::Quantity(quantity)) => Ok(*quantity),
        Value::Int(value) => Ok(Quantity::from(value)),
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn compute<'v>(
    call: &Call<'_, 'v>,
    combine: fn(Quantity, Quantity) -> Option<Quantity>,
) -> Result<Value<'v>, EvalError> {
    match combine(read(call, 0)?, read(call, 1)?) {
        Some(result) => Ok(call.give(Opaque::Quantity(result))),
        None => Err(EvalError::refused("quantity overflow")),
    }
}

/// The version as written, or with what `true` makes up for; `None` when it is none.
fn normalized(call: &Call<'_, '_>) -> Result<Option<String>, EvalError> {
    let text = call.text(0)?;
    let lenient = call.arguments.len() > 1 && call.value(1).as_bool().ok_or(EvalError::NoSuchOverload)?;
    let text = if lenient { complete(text) } else { text.to_owned() };
    Ok(semver::parse(&text).map(|_| text))
}

/// Without a leading `v` and leading zeros, and with three numbers.
fn complete(text: &str) -> String {
    let text = text.strip_prefix('v').unwrap_or(text);
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at(end);
    let mut parts: Vec<&str> = numbers
        .split('.')
        .map(|part| match part.trim_start_matches('0') {
            "" if !part.is_empty() => "0",
            trimmed => trimmed,
        })
        .collect();
    while parts.len() < 3 {
        parts.push("0");
    }
    format!("{}{rest}", parts.join("."))
}

fn parse<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    match normalized(call)? {
        Some(text) => {
            call.scope.charge_bytes(text.len())?;
            Ok(call.give(Opaque::Semver(call.scope.arena().alloc_str(&text))))
        }
        None => Err(EvalError::refused("No Major.Minor.Patch elements found")),
    }
}

fn version(call: &Call<'_, '_>, index: usize) -> Result<semver::Version, EvalError> {
    match call.opaque(index)? {
        Opaque::Semver(text) => semver::parse(text).ok_or(EvalError::NoSuchOverload),
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn order(call: &Call<'_, '_>) -> Result<Ordering, EvalError> {
    Ok(semver::compare(&version(call, 0)?, &version(call, 1)?))
}
