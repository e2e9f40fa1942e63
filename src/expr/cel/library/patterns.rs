//! Regular expressions: `find` and `findAll` of Kubernetes, and the extension `regex` of cel-go.

use std::borrow::Cow;

use regex::Regex;

use super::{Call, Function, standard::pattern};
use crate::expr::cel::{EvalError, Value};

pub(super) const KUBERNETES: &[Function] = &[
    Function::new("string.find(string) -> string", "the first match of a regular expression; empty without", |call| {
        let (text, regex) = subject(call)?;
        Ok(Value::String(regex.find(text).map_or("", |found| found.as_str())))
    }),
    Function::new("string.findAll(string) -> list(string)", "all matches of a regular expression", find_all),
    Function::new("string.findAll(string, int) -> list(string)", "the first matches of a regular expression", find_all),
];

pub(super) const EXTENSION: &[Function] = &[
    Function::new("regex.extract(string, string) -> optional(string)", "the first match, or its group", |call| {
        let (text, regex) = subject(call)?;
        let group = group(&regex)?;
        let found = regex.captures(text).and_then(|captures| captures.get(group));
        Ok(call.give_optional(found.map(|found| Value::String(found.as_str()))))
    }),
    Function::new("regex.extractAll(string, string) -> list(string)", "all matches, or their groups", |call| {
        let (text, regex) = subject(call)?;
        let group = group(&regex)?;
        let found = regex.captures_iter(text).filter_map(|captures| captures.get(group));
        let items: Vec<_> = found.map(|found| Value::String(found.as_str())).collect();
        call.give_list(&items)
    }),
    Function::new("regex.replace(string, string, string) -> string", "matches replaced; `\\1` is a group", replace),
    Function::new("regex.replace(string, string, string, int) -> string", "so many matches replaced", replace),
];

fn subject<'c, 'v>(call: &Call<'c, 'v>) -> Result<(&'v str, Cow<'c, Regex>), EvalError> {
    let text = call.text(0)?;
    call.charge(text.len() / 8)?;
    Ok((text, pattern(call)?))
}

/// The only group of a pattern, or the whole.
fn group(regex: &Regex) -> Result<usize, EvalError> {
    match regex.captures_len() {
        1 => Ok(0),
        2 => Ok(1),
        _ => Err(EvalError::refused(format!(
            "regular expression has more than one capturing group: {:?}",
            regex.as_str()
        ))),
    }
}

fn find_all<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let (text, regex) = subject(call)?;
    let limit = if call.arguments.len() > 2 { call.int(2)? } else { -1 };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let items: Vec<_> = regex.find_iter(text).take(limit).map(|found| Value::String(found.as_str())).collect();
    call.give_list(&items)
}

fn replace<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let (text, regex) = subject(call)?;
    let replacement = call.text(2)?;
    let limit = if call.arguments.len() > 3 { call.int(3)? } else { -1 };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut out, mut end) = (String::new(), 0);
    for captures in regex.captures_iter(text).take(limit) {
        let Some(whole) = captures.get(0) else { continue };
        out.push_str(&text[end..whole.start()]);
        end = whole.end();
        let mut characters = replacement.chars();
        while let Some(c) = characters.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            match characters.next() {
                Some('\\') => out.push('\\'),
                Some(digit) if digit.is_ascii_digit() => {
                    let index = digit as usize - '0' as usize;
                    if index >= captures.len() {
                        let text = format!(
                            "replacement string references group {index} but regex has only {} group(s)",
                            captures.len() - 1
                        );
                        return Err(EvalError::refused(text));
                    }
                    out.push_str(captures.get(index).map_or("", |group| group.as_str()));
                }
                _ => return Err(EvalError::refused("invalid replacement string: \\ must be followed by a digit")),
            }
        }
        call.scope.charge_bytes(replacement.len() + out.len() / 64)?;
    }
    out.push_str(&text[end..]);
    call.give_text(&out)
}
