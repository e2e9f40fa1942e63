//! The texts of values, as Go prints them.

use std::fmt::Write as _;

use super::{Opaque, Value};
use crate::k8s::{gofloat, gotime::Time};

/// What `string(x)` gives; `None` for values that it refuses.
pub(super) fn string(value: Value<'_>) -> Option<String> {
    Some(match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Uint(value) => value.to_string(),
        Value::Double(value) => gofloat::general(value),
        Value::String(text) => text.to_owned(),
        Value::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.to_owned(),
        Value::Timestamp(time) => timestamp(time),
        Value::Duration(nanos) => duration(nanos),
        Value::Opaque(Opaque::Ip(address)) => address.to_string(),
        Value::Opaque(Opaque::Cidr(address, bits)) => format!("{address}/{bits}"),
        Value::Type(name) => (*name).to_owned(),
        Value::Null | Value::List(_) | Value::Map(_) | Value::Optional(_) | Value::Opaque(_) | Value::Unknown(_) => {
            return None;
        }
    })
}

/// RFC 3339 with as much of a fraction as there is.
pub(super) fn timestamp(time: &Time) -> String {
    let text = time.to_string();
    let nanos = time.nanos().rem_euclid(1_000_000_000);
    if nanos == 0 {
        return text;
    }
    let fraction = format!("{nanos:09}");
    let (date, zone) = text.split_at("0000-00-00T00:00:00".len().min(text.len()));
    format!("{date}.{}{zone}", fraction.trim_end_matches('0'))
}

/// Seconds with as much of a fraction as there is: `5400s`, `1.5s`.
pub(super) fn duration(nanos: i64) -> String {
    let (seconds, rest) = (nanos.unsigned_abs() / 1_000_000_000, nanos.unsigned_abs() % 1_000_000_000);
    let mut out = String::new();
    if nanos < 0 {
        out.push('-');
    }
    let _ = write!(out, "{seconds}");
    if rest != 0 {
        let fraction = format!("{rest:09}");
        let _ = write!(out, ".{}", fraction.trim_end_matches('0'));
    }
    out.push('s');
    out
}

/// A value as an expression that gives it, for people.
pub(crate) fn literal(value: Value<'_>) -> String {
    fn write(value: Value<'_>, out: &mut String) {
        match value {
            Value::Null => out.push_str("null"),
            Value::String(text) => {
                let _ = write!(out, "{text:?}");
            }
            Value::Uint(value) => {
                let _ = write!(out, "{value}u");
            }
            Value::Double(value) => {
                let text = gofloat::general(value);
                out.push_str(&text);
                if text.bytes().all(|it| it.is_ascii_digit() || it == b'-') {
                    out.push_str(".0");
                }
            }
            Value::Bytes(bytes) => {
                out.push_str("b\"");
                for byte in bytes {
                    let _ = write!(out, "{}", byte.escape_ascii());
                }
                out.push('"');
            }
            Value::List(list) => {
                out.push('[');
                for (index, item) in list.iter().enumerate() {
                    out.push_str(if index > 0 { ", " } else { "" });
                    write(item, out);
                }
                out.push(']');
            }
            Value::Map(map) => {
                out.push('{');
                for (index, (key, item)) in map.iter().enumerate() {
                    out.push_str(if index > 0 { ", " } else { "" });
                    write(key, out);
                    out.push_str(": ");
                    write(item, out);
                }
                out.push('}');
            }
            Value::Timestamp(time) => {
                let _ = write!(out, "timestamp({:?})", timestamp(time));
            }
            Value::Duration(nanos) => {
                let _ = write!(out, "duration({:?})", duration(nanos));
            }
            Value::Optional(None) => out.push_str("optional.none()"),
            Value::Optional(Some(value)) => {
                out.push_str("optional.of(");
                write(*value, out);
                out.push(')');
            }
            Value::Opaque(opaque) => out.push_str(&opaque.literal()),
            Value::Unknown(_) => out.push('?'),
            Value::Bool(_) | Value::Int(_) | Value::Type(_) => out.push_str(&string(value).unwrap_or_default()),
        }
    }
    let mut out = String::new();
    write(value, &mut out);
    out
}
