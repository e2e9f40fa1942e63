//! Methods of texts: the extension `strings`, version 2, of cel-go. Places count characters.

use super::{Call, Function};
use crate::expr::cel::{EvalError, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("string.charAt(int) -> string", "the character at a place; empty at the end", char_at),
    Function::new("string.format(list(dyn)) -> string", "the text with `%s`, `%d` … replaced by values", |call| {
        let text = super::format::format(call.scope, call.text(0)?, call.list(1)?)?;
        call.give_text(&text)
    }),
    Function::new("string.indexOf(string) -> int", "where another text begins in it; -1 when it doesn't", index_of),
    Function::new("string.indexOf(string, int) -> int", "where another text begins from a place on", index_of),
    Function::new("string.lastIndexOf(string) -> int", "where another text begins last", last_index_of),
    Function::new(
        "string.lastIndexOf(string, int) -> int",
        "where another text begins last up to a place",
        last_index_of,
    ),
    Function::new("list(string).join() -> string", "the texts one after another", join),
    Function::new("list(string).join(string) -> string", "the texts with another between them", join),
    Function::new("string.lowerAscii() -> string", "with ASCII letters in lower case", |call| {
        call.give_text(&call.text(0)?.to_ascii_lowercase())
    }),
    Function::new("string.upperAscii() -> string", "with ASCII letters in upper case", |call| {
        call.give_text(&call.text(0)?.to_ascii_uppercase())
    }),
    Function::new("string.replace(string, string) -> string", "with a text replaced by another", replace),
    Function::new("string.replace(string, string, int) -> string", "with a text replaced so many times", replace),
    Function::new("string.split(string) -> list(string)", "the parts between separators", split),
    Function::new("string.split(string, int) -> list(string)", "at most so many parts between separators", split),
    Function::new("string.substring(int) -> string", "the text from a place on", substring),
    Function::new("string.substring(int, int) -> string", "the text between two places", substring),
    Function::new("string.trim() -> string", "without white space around it", |call| {
        Ok(Value::String(call.text(0)?.trim()))
    }),
    Function::new("strings.quote(string) -> string", "in quotes, with escapes", |call| {
        let text = call.text(0)?;
        call.give_text(&super::format::quoted(text))
    }),
];

fn out_of_range(index: i64) -> EvalError {
    EvalError::refused(format!("index out of range: {index}"))
}

/// The byte offset of a place; `None` beyond the end.
fn offset(text: &str, place: i64) -> Option<usize> {
    let place = usize::try_from(place).ok()?;
    text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(place)
}

fn place(text: &str, offset: usize) -> i64 {
    text[..offset].chars().count() as i64
}

fn char_at<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let (text, index) = (call.text(0)?, call.int(1)?);
    call.charge(text.len() / 32)?;
    let at = offset(text, index).ok_or_else(|| out_of_range(index))?;
    let end = text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
    Ok(Value::String(&text[at..end]))
}

fn index_of<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let (text, other) = (call.text(0)?, call.text(1)?);
    call.charge(text.len() / 8)?;
    let from = if call.arguments.len() > 2 { call.int(2)? } else { 0 };
    if from < 0 {
        return Err(out_of_range(from));
    }
    if other.is_empty() {
        return Ok(Value::Int(from));
    }
    let found = offset(text, from).and_then(|start| Some(start + text[start..].find(other)?));
    Ok(Value::Int(found.map_or(-1, |at| place(text, at))))
}

fn last_index_of<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let (text, other) = (call.text(0)?, call.text(1)?);
    call.charge(text.len() / 8)?;
    let length = place(text, text.len());
    let until = if call.arguments.len() > 2 { call.int(2)? } else { length };
    if until < 0 {
        return Err(out_of_range(until));
    }
    if other.is_empty() {
        return Ok(Value::Int(until));
    }
    if call.arguments.len() > 2 && until >= length {
        return Ok(Value::Int(-1));
    }
    let end = offset(text, until).map_or(text.len(), |at| (at + other.len()).min(text.len()));
    // The end may fall into a character; nothing that ends there is a match.
    let end = (0..=end).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    Ok(Value::Int(text[..end].rfind(other).map_or(-1, |at| place(text, at))))
}

fn join<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let list = call.list(0)?;
    let separator = if call.arguments.len() > 1 { call.text(1)? } else { "" };
    let mut out = String::new();
    for (index, item) in list.iter().enumerate() {
        let text = item.as_str().ok_or(EvalError::NoSuchOverload)?;
        call.charge(1 + (text.len() + separator.len()) / 32)?;
        if index > 0 {
            out.push_str(separator);
        }
        out.push_str(text);
    }
    call.give_text(&out)
}

fn replace<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let (text, old, new) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let limit = if call.arguments.len() > 3 { call.int(3)? } else { -1 };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    // Where the old text is empty, the new one stands between all characters.
    let found = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() }.min(limit);
    call.scope.charge_bytes(text.len().saturating_add(found.saturating_mul(new.len())))?;
    call.give_text(&text.replacen(old, new, limit))
}

fn split<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let (text, separator) = (call.text(0)?, call.text(1)?);
    let limit = if call.arguments.len() > 2 { call.int(2)? } else { -1 };
    call.charge(text.len() / 8)?;
    let Ok(limit) = usize::try_from(limit) else {
        return finish(call, text, separator, usize::MAX);
    };
    if limit == 0 { call.give_list(&[]) } else { finish(call, text, separator, limit) }
}

fn finish<'v>(call: &Call<'_, 'v>, text: &'v str, separator: &str, limit: usize) -> Result<Value<'v>, EvalError> {
    if !separator.is_empty() {
        let parts: Vec<_> = text.splitn(limit, separator).map(Value::String).collect();
        return call.give_list(&parts);
    }
    // Without separator, each character is a part.
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let len = if parts.len() + 1 == limit { rest.len() } else { c.len_utf8() };
        parts.push(Value::String(&rest[..len]));
        rest = &rest[len..];
    }
    call.give_list(&parts)
}

fn substring<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let (text, start) = (call.text(0)?, call.int(1)?);
    call.charge(text.len() / 32)?;
    let from = offset(text, start);
    if call.arguments.len() < 3 {
        return Ok(Value::String(&text[from.ok_or_else(|| out_of_range(start))?..]));
    }
    let end = call.int(2)?;
    if start > end {
        return Err(EvalError::refused(format!("invalid substring range. start: {start}, end: {end}")));
    }
    let (Some(from), Some(to)) = (from, offset(text, end)) else {
        return Err(out_of_range(if from.is_none() { start } else { end }));
    };
    Ok(Value::String(&text[from..to]))
}
