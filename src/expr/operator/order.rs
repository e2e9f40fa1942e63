//! `GreaterThan`, `GreaterThanOrEquals`, `LessThan`, `LessThanOrEquals`.

use std::cmp::Ordering;

use crate::{
    expr::Value,
    k8s::{
        duration::{self, Duration},
        gofloat, quantity, semver,
    },
};

/// Whether the key is greater.
pub(super) fn greater(key: Value<'_>, value: Value<'_>) -> bool {
    compare(key, value).is_some_and(Ordering::is_gt)
}

/// Whether the key is greater or equal.
pub(super) fn greater_or_equal(key: Value<'_>, value: Value<'_>) -> bool {
    compare(key, value).is_some_and(Ordering::is_ge)
}

/// Whether the key is less.
pub(super) fn less(key: Value<'_>, value: Value<'_>) -> bool {
    compare(key, value).is_some_and(Ordering::is_lt)
}

/// Whether the key is less or equal.
pub(super) fn less_or_equal(key: Value<'_>, value: Value<'_>) -> bool {
    compare(key, value).is_some_and(Ordering::is_le)
}

/// The order of two sides; `None` when they can't be compared, which makes all four operators false.
fn compare(key: Value<'_>, value: Value<'_>) -> Option<Ordering> {
    match key {
        Value::Number(key) => number(key.as_f64(), value),
        Value::String(key) => text(key, value),
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => None,
    }
}

fn number(key: f64, value: Value<'_>) -> Option<Ordering> {
    match value {
        Value::Number(value) => key.partial_cmp(&value.as_f64()),
        Value::String(text) => match duration::parse(text) {
            Some(value) => key.partial_cmp(&value.seconds()),
            None => number_and_text(key, text),
        },
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => None,
    }
}

fn text(key: &str, value: Value<'_>) -> Option<Ordering> {
    if let Some(order) = durations(key, value) {
        return Some(order);
    }
    if let Value::String(value) = value
        && let (Some(key), Some(value)) = (quantity::parse(key), quantity::parse(value))
    {
        return Some(key.compare(value));
    }
    if let Some(key) = gofloat::parse(key) {
        return number(key, value);
    }
    let Value::String(value) = value else { return None };
    Some(semver::compare(&semver::parse(key)?, &semver::parse(value)?))
}

/// A number and a text that is one.
pub(super) fn number_and_text(key: f64, text: &str) -> Option<Ordering> {
    key.partial_cmp(&gofloat::parse(text)?)
}

/// Two sides of which at least the text is a duration; a number counts in whole seconds.
///
/// Kyverno: the text `0` is a number here and no duration.
pub(super) fn durations(key: &str, value: Value<'_>) -> Option<Ordering> {
    let read = |text: &str| if text == "0" { None } else { duration::parse(text) };
    let key = read(key)?;
    let value = match value {
        Value::String(text) => read(text)?,
        Value::Number(number) => Duration::from_whole_seconds(number.as_f64()),
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => return None,
    };
    Some(key.cmp(&value))
}
