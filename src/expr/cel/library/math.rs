//! The extension `math` of cel-go, and Kyverno's `math.round` to digits.

use std::cmp::Ordering;

use super::{Call, Function};
use crate::expr::cel::{EvalError, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("math.abs(A) -> A", "without sign", abs),
    Function::new("math.bitAnd(A, A) -> A", "bits that are set in both", |call| bits(call, |a, b| a & b)),
    Function::new("math.bitNot(A) -> A", "bits that are not set", |call| match call.value(0) {
        Value::Int(value) => Ok(Value::Int(!value)),
        Value::Uint(value) => Ok(Value::Uint(!value)),
        _ => Err(EvalError::NoSuchOverload),
    }),
    Function::new("math.bitOr(A, A) -> A", "bits that are set in one", |call| bits(call, |a, b| a | b)),
    Function::new("math.bitShiftLeft(A, int) -> A", "bits moved up", |call| shift(call, true)),
    Function::new("math.bitShiftRight(A, int) -> A", "bits moved down, zeros following", |call| shift(call, false)),
    Function::new("math.bitXor(A, A) -> A", "bits that are set in just one", |call| bits(call, |a, b| a ^ b)),
    Function::new("math.ceil(double) -> double", "the next integer above", |call| round(call, f64::ceil)),
    Function::new("math.floor(double) -> double", "the next integer below", |call| round(call, f64::floor)),
    Function::new("math.greatest(dyn...) -> dyn", "the greatest number, also of a list", |call| {
        extreme(call, Ordering::Greater)
    }),
    Function::new("math.isFinite(double) -> bool", "whether it is a finite number", |call| test(call, f64::is_finite)),
    Function::new("math.isInf(double) -> bool", "whether it is infinite", |call| test(call, f64::is_infinite)),
    Function::new("math.isNaN(double) -> bool", "whether it is not a number", |call| test(call, f64::is_nan)),
    Function::new("math.least(dyn...) -> dyn", "the least number, also of a list", |call| {
        extreme(call, Ordering::Less)
    }),
    Function::new("math.round(double) -> double", "the nearest integer, halves away from zero", |call| {
        round(call, f64::round)
    }),
    Function::new("math.round(double, int) -> double", "rounded to so many decimals", |call| {
        let digits = call.int(1)?.clamp(-300, 300) as i32;
        let scale = 10_f64.powi(digits);
        let value = number(call, 0)?;
        Ok(Value::Double((value * scale).round() / scale))
    }),
    Function::new("math.sign(A) -> A", "-1, 0 or 1", |call| match call.value(0) {
        Value::Int(value) => Ok(Value::Int(value.signum())),
        Value::Uint(value) => Ok(Value::Uint(value.min(1))),
        Value::Double(value) if value == 0.0 || value.is_nan() => Ok(Value::Double(value)),
        Value::Double(value) => Ok(Value::Double(value.signum())),
        _ => Err(EvalError::NoSuchOverload),
    }),
    Function::new("math.sqrt(dyn) -> double", "the square root", |call| match call.value(0) {
        Value::Int(value) => Ok(Value::Double((value as f64).sqrt())),
        Value::Uint(value) => Ok(Value::Double((value as f64).sqrt())),
        Value::Double(value) => Ok(Value::Double(value.sqrt())),
        _ => Err(EvalError::NoSuchOverload),
    }),
    Function::new("math.trunc(double) -> double", "without its fraction", |call| round(call, f64::trunc)),
];

fn number(call: &Call<'_, '_>, index: usize) -> Result<f64, EvalError> {
    match call.value(index) {
        Value::Double(value) => Ok(value),
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn round<'v>(call: &Call<'_, 'v>, to: fn(f64) -> f64) -> Result<Value<'v>, EvalError> {
    Ok(Value::Double(to(number(call, 0)?)))
}

fn test<'v>(call: &Call<'_, 'v>, holds: fn(f64) -> bool) -> Result<Value<'v>, EvalError> {
    Ok(Value::Bool(holds(number(call, 0)?)))
}

fn abs<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    match call.value(0) {
        Value::Int(value) => value.checked_abs().map(Value::Int).ok_or_else(|| EvalError::refused("integer overflow")),
        Value::Uint(value) => Ok(Value::Uint(value)),
        Value::Double(value) => Ok(Value::Double(value.abs())),
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn bits<'v>(call: &Call<'_, 'v>, combine: fn(u64, u64) -> u64) -> Result<Value<'v>, EvalError> {
    match (call.value(0), call.value(1)) {
        (Value::Int(a), Value::Int(b)) => Ok(Value::Int(combine(a as u64, b as u64) as i64)),
        (Value::Uint(a), Value::Uint(b)) => Ok(Value::Uint(combine(a, b))),
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn shift<'v>(call: &Call<'_, 'v>, left: bool) -> Result<Value<'v>, EvalError> {
    let count = call.int(1)?;
    let name = if left { "math.bitShiftLeft()" } else { "math.bitShiftRight()" };
    let Ok(count) = u32::try_from(count.clamp(-1, 64)) else {
        return Err(EvalError::refused(format!("{name} negative offset: {count}")));
    };
    let moved = |value: u64| if left { value.checked_shl(count) } else { value.checked_shr(count) }.unwrap_or(0);
    match call.value(0) {
        Value::Int(value) => Ok(Value::Int(moved(value as u64) as i64)),
        Value::Uint(value) => Ok(Value::Uint(moved(value))),
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn extreme<'v>(call: &Call<'_, 'v>, wanted: Ordering) -> Result<Value<'v>, EvalError> {
    let name = if wanted == Ordering::Greater { "math.greatest()" } else { "math.least()" };
    let items = match call.arguments {
        [Value::List(_)] => call.items(0)?,
        arguments => arguments.to_vec(),
    };
    let Some((first, rest)) = items.split_first() else {
        return Err(EvalError::refused(format!("{name} argument must not be empty")));
    };
    let mut best = *first;
    for item in items.iter().take(1).chain(rest) {
        if !item.is_number() {
            return Err(EvalError::refused(format!("no such overload: {name}")));
        }
        if item.compare(best) == Some(wanted) {
            best = *item;
        }
    }
    Ok(best)
}
