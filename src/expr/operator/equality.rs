//! `Equals` and `NotEquals`.

use std::cmp::Ordering;

use super::order::{durations, number_and_text};
use crate::{
    expr::{Number, Value},
    k8s::{quantity, wildcard},
};

/// Whether key and value are equal; only the value is a pattern.
pub(super) fn equals(key: Value<'_>, value: Value<'_>) -> bool {
    match key {
        Value::Null => false,
        Value::Bool(key) => matches!(value, Value::Bool(value) if key == value),
        Value::Number(key) => match value {
            Value::Number(value) => key.as_f64() == value.as_f64(),
            Value::String(text) => number_and_text(key.as_f64(), text) == Some(Ordering::Equal),
            Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => false,
        },
        Value::List(_) | Value::Map(_) => same(key, value),
        Value::String(text) => text_equals(text, value),
    }
}

/// Kyverno: a key of null is neither equal nor unequal to anything.
pub(super) fn not_equals(key: Value<'_>, value: Value<'_>) -> bool {
    !key.is_null() && !equals(key, value)
}

fn text_equals(key: &str, value: Value<'_>) -> bool {
    if let Some(order) = durations(key, value) {
        return order.is_eq();
    }
    let Value::String(value) = value else { return false };
    if let Some(key) = quantity::parse(key) {
        return quantity::parse(value).is_some_and(|value| key.compare(value).is_eq());
    }
    wildcard::matches(value, key)
}

/// Kyverno: deep equality as Go's `reflect.DeepEqual` has it, so an integer is not the float of the same value.
fn same(a: Value<'_>, b: Value<'_>) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Number(Number::Int(a)), Value::Number(Number::Int(b))) => a == b,
        (Value::Number(Number::Float(a)), Value::Number(Number::Float(b))) => a == b,
        (Value::String(a), Value::String(b)) => a == b,
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => false,
    }
}
