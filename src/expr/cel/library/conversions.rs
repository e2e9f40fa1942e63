//! Functions from one type to another.

use super::{Call, Function};
use crate::{
    expr::cel::{EvalError, Value, text},
    k8s::{
        duration, gofloat,
        gotime::{self, Time},
    },
};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("bool(bool) -> bool", "the boolean itself", itself),
    Function::new("bool(string) -> bool", "`true`, `True`, `TRUE`, `t`, `1` and their opposites", parse_bool),
    Function::new("bytes(bytes) -> bytes", "the bytes themselves", itself),
    Function::new("bytes(string) -> bytes", "the bytes of a text in UTF-8", |call| {
        Ok(Value::Bytes(call.text(0)?.as_bytes()))
    }),
    Function::new("double(double) -> double", "the float itself", itself),
    Function::new("double(int) -> double", "the nearest float", double),
    Function::new("double(uint) -> double", "the nearest float", double),
    Function::new("double(string) -> double", "the float of a text", double),
    Function::new("duration(duration) -> duration", "the duration itself", itself),
    Function::new("duration(string) -> duration", "the duration of a text such as `1h30m`", parse_duration),
    Function::new("dyn(A) -> dyn", "the value, whose type is no longer checked beforehand", itself),
    Function::new("int(int) -> int", "the integer itself", itself),
    Function::new("int(uint) -> int", "the integer, if it fits", int),
    Function::new("int(double) -> int", "the integer, without its fraction", int),
    Function::new("int(string) -> int", "the integer of a text", int),
    Function::new("int(timestamp) -> int", "seconds since 1970", int),
    Function::new("string(string) -> string", "the text itself", itself),
    Function::new("string(bool) -> string", "`true` or `false`", string),
    Function::new("string(int) -> string", "the digits", string),
    Function::new("string(uint) -> string", "the digits", string),
    Function::new("string(double) -> string", "the shortest digits", string),
    Function::new("string(bytes) -> string", "the text, which must be UTF-8", string),
    Function::new("string(timestamp) -> string", "the time as RFC 3339 has it", string),
    Function::new("string(duration) -> string", "the duration in seconds: `5400s`", string),
    Function::new("timestamp(timestamp) -> timestamp", "the time itself", itself),
    Function::new("timestamp(string) -> timestamp", "the time of a text as RFC 3339 has it", parse_timestamp),
    Function::new("timestamp(int) -> timestamp", "the time so many seconds after 1970", |call| {
        time(call, Time::from_seconds(call.int(0)?))
    }),
    Function::new("type(A) -> type", "the type of a value", |call| Ok(Value::Type(call.value(0).type_name()))),
    Function::new("uint(uint) -> uint", "the integer itself", itself),
    Function::new("uint(int) -> uint", "the integer, which must not be negative", uint),
    Function::new("uint(double) -> uint", "the integer, without its fraction", uint),
    Function::new("uint(string) -> uint", "the integer of a text", uint),
];

fn itself<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    Ok(call.value(0))
}

/// As Go refuses a text.
fn syntax(function: &str, text: &str) -> EvalError {
    EvalError::refused(format!("strconv.{function}: parsing {text:?}: invalid syntax"))
}

fn parse_bool<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    match call.text(0)? {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
        text => Err(syntax("ParseBool", text)),
    }
}

fn double<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    Ok(Value::Double(match call.value(0) {
        Value::Int(value) => value as f64,
        Value::Uint(value) => value as f64,
        Value::String(text) => gofloat::parse(text).ok_or_else(|| syntax("ParseFloat", text))?,
        _ => return Err(EvalError::NoSuchOverload),
    }))
}

fn int<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let overflow = || EvalError::refused("integer overflow");
    Ok(Value::Int(match call.value(0) {
        Value::Uint(value) => i64::try_from(value).map_err(|_| overflow())?,
        // 2⁶³ itself does not fit, and neither does what rounds to it.
        Value::Double(value) if value > -9.223_372_036_854_775e18 && value < 9.223_372_036_854_775e18 => value as i64,
        Value::Double(_) => return Err(overflow()),
        Value::String(text) => text.parse().map_err(|_| syntax("ParseInt", text))?,
        Value::Timestamp(time) => time.nanos().div_euclid(1_000_000_000) as i64,
        _ => return Err(EvalError::NoSuchOverload),
    }))
}

fn uint<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let overflow = || EvalError::refused("unsigned integer overflow");
    Ok(Value::Uint(match call.value(0) {
        Value::Int(value) => u64::try_from(value).map_err(|_| overflow())?,
        Value::Double(value) if value > -1.0 && value < 1.844_674_407_370_955e19 => value as u64,
        Value::Double(_) => return Err(overflow()),
        Value::String(text) if !text.starts_with('+') => text.parse().map_err(|_| syntax("ParseUint", text))?,
        Value::String(text) => return Err(syntax("ParseUint", text)),
        _ => return Err(EvalError::NoSuchOverload),
    }))
}

fn string<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    match text::string(call.value(0)) {
        Some(text) => call.give_text(&text),
        None => Err(EvalError::refused("invalid UTF-8 in bytes, cannot convert to string")),
    }
}

fn parse_duration<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let text = call.text(0)?;
    match duration::read(text) {
        // Days are of Prometheus, not of Go.
        Ok(parsed) => Ok(Value::Duration(parsed.nanos())),
        Err(error) => Err(EvalError::refused(error.to_string())),
    }
}

fn parse_timestamp<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    match gotime::parse(gotime::RFC_3339, call.text(0)?) {
        Ok(parsed) => time(call, parsed),
        Err(error) => Err(EvalError::refused(error.to_string())),
    }
}

/// A time as result, between the years 1 and 9999.
pub(super) fn time<'v>(call: &Call<'_, 'v>, time: Time) -> Result<Value<'v>, EvalError> {
    if !(-62_135_596_800..=253_402_300_799).contains(&time.nanos().div_euclid(1_000_000_000)) {
        return Err(EvalError::refused("timestamp overflow"));
    }
    Ok(Value::Timestamp(call.scope.arena().alloc(time)))
}
