//! Optional values.

use super::{Call, Function};
use crate::expr::cel::{EvalError, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("optional.of(A) -> optional(A)", "the value", |call| Ok(call.give_optional(Some(call.value(0))))),
    Function::new("optional.none() -> optional(A)", "no value", |_| Ok(Value::Optional(None))),
    Function::new("optional.ofNonZeroValue(A) -> optional(A)", "the value, unless it is empty, zero or null", |call| {
        let value = call.value(0);
        Ok(call.give_optional((!is_zero(value)).then_some(value)))
    }),
    Function::new("optional(A).hasValue() -> bool", "whether there is a value", |call| {
        Ok(Value::Bool(inner(call, 0)?.is_some()))
    }),
    Function::new("optional(A).value() -> A", "the value, which must be there", |call| {
        inner(call, 0)?.ok_or_else(|| EvalError::refused("optional.none() dereference"))
    }),
    Function::new("optional(A).or(optional(A)) -> optional(A)", "the first of the two that has a value", |call| {
        let second = call.value(1);
        Ok(inner(call, 0)?.map_or(second, |_| call.value(0)))
    }),
    Function::new("optional(A).orValue(A) -> A", "the value, or the other", |call| {
        Ok(inner(call, 0)?.unwrap_or(call.value(1)))
    }),
];

/// Kyverno: what is not optional at all is its own value.
pub(super) const LENIENT: &[Function] = &[Function::new(
    "dyn.orValue(dyn) -> dyn",
    "the value, or the other when it is optional and none",
    |call| match call.value(0) {
        Value::Optional(value) => Ok(value.copied().unwrap_or(call.value(1))),
        value => Ok(value),
    },
)];

fn inner<'v>(call: &Call<'_, 'v>, index: usize) -> Result<Option<Value<'v>>, EvalError> {
    match call.value(index) {
        Value::Optional(value) => Ok(value.copied()),
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn is_zero(value: Value<'_>) -> bool {
    match value {
        Value::Null | Value::Optional(None) => true,
        Value::Bool(value) => !value,
        Value::Int(value) => value == 0,
        Value::Uint(value) => value == 0,
        Value::Double(value) => value == 0.0,
        Value::String(text) => text.is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::List(list) => list.is_empty(),
        Value::Map(map) => map.is_empty(),
        Value::Duration(nanos) => nanos == 0,
        Value::Timestamp(_) | Value::Type(_) | Value::Optional(Some(_)) | Value::Opaque(_) | Value::Unknown(_) => false,
    }
}
