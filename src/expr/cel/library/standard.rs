//! Functions of the language itself, but for conversions and times.

use std::borrow::Cow;

use regex::Regex;

use super::{Call, Function};
use crate::{
    expr::cel::{EvalError, Value},
    k8s::goregex,
};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("size(string) -> int", "number of characters", size),
    Function::new("size(bytes) -> int", "number of bytes", size),
    Function::new("size(list(A)) -> int", "number of items", size),
    Function::new("size(map(K, V)) -> int", "number of entries", size),
    Function::new("string.size() -> int", "number of characters", size),
    Function::new("bytes.size() -> int", "number of bytes", size),
    Function::new("list(A).size() -> int", "number of items", size),
    Function::new("map(K, V).size() -> int", "number of entries", size),
    Function::new("string.contains(string) -> bool", "whether the other text is part of it", |call| {
        test(call, |text, other| text.contains(other))
    }),
    Function::new("string.startsWith(string) -> bool", "whether it begins with the other text", |call| {
        test(call, |text, other| text.starts_with(other))
    }),
    Function::new("string.endsWith(string) -> bool", "whether it ends with the other text", |call| {
        test(call, |text, other| text.ends_with(other))
    }),
    Function::new("string.matches(string) -> bool", "whether a regular expression is found in it", matches),
    Function::new("matches(string, string) -> bool", "whether a regular expression is found in it", matches),
];

fn size<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let size = match call.value(0) {
        Value::String(text) => {
            call.charge(text.len() / 32)?;
            text.chars().count()
        }
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        _ => return Err(EvalError::NoSuchOverload),
    };
    Ok(Value::Int(size as i64))
}

fn test<'v>(call: &Call<'_, 'v>, holds: fn(&str, &str) -> bool) -> Result<Value<'v>, EvalError> {
    let (text, other) = (call.text(0)?, call.text(1)?);
    call.charge(text.len() / 32)?;
    Ok(Value::Bool(holds(text, other)))
}

fn matches<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let (text, regex) = (call.text(0)?, pattern(call)?);
    call.charge(text.len() / 8)?;
    Ok(Value::Bool(regex.is_match(text)))
}

/// The regular expression that is the second argument; compiling one is charged by its length.
pub(super) fn pattern<'c>(call: &Call<'c, '_>) -> Result<Cow<'c, Regex>, EvalError> {
    if let Some(known) = call.pattern {
        return Ok(Cow::Borrowed(known));
    }
    Ok(Cow::Owned(compile(call, call.text(1)?)?))
}

/// Compiles a pattern, charged by what that costs.
pub(super) fn compile(call: &Call<'_, '_>, pattern: &str) -> Result<Regex, EvalError> {
    call.charge(weight(pattern))?;
    goregex::compile(pattern).map_err(|error| EvalError::refused(error.to_string()))
}

/// How much there is to compile in a pattern, roughly: what is repeated counts as often as it is, and classes of Unicode
/// are large.
fn weight(pattern: &str) -> usize {
    /// Go refuses patterns that repeat more.
    const MAX_REPEATS: usize = 1000;
    const UNICODE: [&str; 3] = ["\\p", "\\P", "(?i"];
    let bound = |after: &str| {
        let counts = after.split_once('}').map_or("", |(counts, _)| counts);
        counts.split(',').filter_map(|it| it.parse::<usize>().ok()).max().unwrap_or(1)
    };
    let repeats = pattern.split('{').skip(1).map(bound).fold(1_usize, usize::saturating_mul).clamp(1, MAX_REPEATS);
    let class = if UNICODE.iter().any(|it| pattern.contains(it)) { 20 } else { 1 };
    pattern.len().saturating_mul(repeats).saturating_mul(class)
}
