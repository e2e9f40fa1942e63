//! `DurationGreaterThan` and its three siblings. A number counts in whole seconds: `1.9` equals `1`.

use std::cmp::Ordering;

use crate::{
    expr::Value,
    k8s::duration::{self, Duration},
};

/// Whether the key is longer.
pub(super) fn greater(key: Value<'_>, value: Value<'_>) -> bool {
    compare(key, value).is_some_and(Ordering::is_gt)
}

/// Whether the key is longer or as long.
pub(super) fn greater_or_equal(key: Value<'_>, value: Value<'_>) -> bool {
    compare(key, value).is_some_and(Ordering::is_ge)
}

/// Whether the key is shorter.
pub(super) fn less(key: Value<'_>, value: Value<'_>) -> bool {
    compare(key, value).is_some_and(Ordering::is_lt)
}

/// Whether the key is shorter or as long.
pub(super) fn less_or_equal(key: Value<'_>, value: Value<'_>) -> bool {
    compare(key, value).is_some_and(Ordering::is_le)
}

/// `None` when a side is no duration (a list, null, `"10"` without unit): all four operators are false then.
fn compare(key: Value<'_>, value: Value<'_>) -> Option<Ordering> {
    Some(read(key)?.cmp(&read(value)?))
}

fn read(side: Value<'_>) -> Option<Duration> {
    match side {
        Value::Number(seconds) => Some(Duration::from_whole_seconds(seconds.as_f64())),
        Value::String(text) => duration::parse(text),
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => None,
    }
}
