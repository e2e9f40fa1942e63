//! Functions over text.

use super::{Call, Function, NUMBER, Parameter, STRING, Type};
use crate::expr::{Value, jmespath::eval::Outcome};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::standard("ends_with", &[STRING, STRING], "bool", "whether a text ends with another", |call| {
        Ok(Value::Bool(call.text(0)?.ends_with(call.text(1)?)))
    }),
    Function::standard(
        "join",
        &[STRING, Parameter::of(&[Type::ArrayString])],
        "string",
        "texts put together with a separator",
        join,
    ),
    Function::standard("starts_with", &[STRING, STRING], "bool", "whether a text begins with another", |call| {
        Ok(Value::Bool(call.text(0)?.starts_with(call.text(1)?)))
    }),
    Function::own("compare", &[STRING, STRING], "number", "compares two strings lexicographically", |call| {
        Ok(Value::int(call.text(0)?.cmp(call.text(1)?) as i64))
    }),
    Function::own("equal_fold", &[STRING, STRING], "bool", "whether two strings are equal in any case", equal_fold),
    Function::own(
        "path_canonicalize",
        &[STRING],
        "string",
        "a path without double slashes, `.` and `..`",
        path_canonicalize,
    ),
    Function::own(
        "replace",
        &[STRING, STRING, STRING, NUMBER],
        "string",
        "replaces the first n occurrences of a text, all when n is negative",
        replace,
    ),
    Function::own("replace_all", &[STRING, STRING, STRING], "string", "replaces all occurrences of a text", |call| {
        replace_first(call, usize::MAX)
    }),
    Function::own("split", &[STRING, STRING], "array", "splits a text at a separator", split),
    Function::own("to_lower", &[STRING], "string", "the text in lower case", |call| {
        let text = call.text(0)?;
        call.charge_bytes(text.len())?;
        call.give_text(&text.chars().map(lower).collect::<String>())
    }),
    Function::own("to_upper", &[STRING], "string", "the text in upper case", |call| {
        let text = call.text(0)?;
        call.charge_bytes(text.len())?;
        call.give_text(&text.chars().map(upper).collect::<String>())
    }),
    Function::own("trim", &[STRING, STRING], "string", "strips the given characters from both ends", trim),
    Function::own("trim_prefix", &[STRING, STRING], "string", "strips a prefix", |call| {
        let (text, prefix) = (call.text(0)?, call.text(1)?);
        Ok(Value::String(text.strip_prefix(prefix).unwrap_or(text)))
    }),
    Function::own("truncate", &[STRING, NUMBER], "string", "the first n characters", truncate),
];

fn join<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let separator = call.text(0)?;
    let parts: Vec<&str> = call.list(1)?.iter().filter_map(Value::as_str).collect();
    let length = parts.iter().fold(0, |sum: usize, part| sum.saturating_add(part.len() + separator.len()));
    call.charge_bytes(length)?;
    call.give_text(&parts.join(separator))
}

fn single(mut cased: impl Iterator<Item = char>, otherwise: char) -> char {
    match (cased.next(), cased.next()) {
        (Some(c), None) => c,
        _ => otherwise,
    }
}

/// Upper case of one character, as Go has it: never several.
fn upper(c: char) -> char {
    single(c.to_uppercase(), c)
}

fn lower(c: char) -> char {
    match c {
        'İ' => 'i',
        _ => single(c.to_lowercase(), c),
    }
}

/// The representative of all cases of a character. The dotless i and the dotted capital I have no other case.
fn fold(c: char) -> char {
    match c {
        'ı' | 'İ' => c,
        _ => lower(upper(c)),
    }
}

fn equal_fold<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let (left, right) = (call.text(0)?, call.text(1)?);
    call.charge(left.len().min(right.len()) / 8)?;
    Ok(Value::Bool(left.chars().map(fold).eq(right.chars().map(fold))))
}

/// The path as Go's `filepath.Join` cleans it; nothing stays nothing.
fn path_canonicalize<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let path = call.text(0)?;
    if path.is_empty() {
        return Ok(Value::String(""));
    }
    let rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match kept.last() {
                Some(&last) if last != ".." => {
                    kept.pop();
                }
                _ if rooted => {}
                _ => kept.push(".."),
            },
            _ => kept.push(part),
        }
    }
    call.charge_bytes(path.len())?;
    match (rooted, kept.is_empty()) {
        (true, _) => call.give_text(&format!("/{}", kept.join("/"))),
        (false, true) => Ok(Value::String(".")),
        (false, false) => call.give_text(&kept.join("/")),
    }
}

fn replace<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let count = call.number(3)?;
    // The conversion drops the fraction and saturates.
    replace_first(call, if count <= -1.0 { usize::MAX } else { count as usize })
}

fn replace_first<'e, 'v>(call: &Call<'_, 'e, 'v>, count: usize) -> Outcome<'e, 'v> {
    let (text, old, new) = (call.text(0)?, call.text(1)?, call.text(2)?);
    call.charge(text.len() / 8)?;
    let found = text.matches(old).take(count).count();
    call.charge_bytes(text.len().saturating_add(found.saturating_mul(new.len())))?;
    call.give_text(&text.replacen(old, new, count))
}

fn split<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let (text, separator) = (call.text(0)?, call.text(1)?);
    call.charge(text.len())?;
    let parts: Vec<Value<'v>> = if separator.is_empty() {
        text.char_indices().map(|(at, c)| Value::String(&text[at..at + c.len_utf8()])).collect()
    } else {
        text.split(separator).map(Value::String).collect()
    };
    call.give_list(&parts)
}

fn trim<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let (text, set) = (call.text(0)?, call.text(1)?);
    call.charge(text.len().saturating_mul(1 + set.len() / 16) / 8)?;
    Ok(Value::String(text.trim_matches(|c| set.contains(c))))
}

fn truncate<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let (text, length) = (call.text(0)?, call.number(1)?);
    // The conversion drops the fraction; negative numbers become 0.
    let end = text.char_indices().nth(length as usize).map_or(text.len(), |(at, _)| at);
    call.charge(end / 32)?;
    Ok(Value::String(&text[..end]))
}
