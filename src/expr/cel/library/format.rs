//! `"…".format([…])`: verbs and the texts of values, as version 2 of cel-go's strings has them.

use std::fmt::Write as _;

use crate::{
    expr::cel::{EvalError, List, Scope, Value, text},
    k8s::gofloat,
};

/// Most digits after the point.
const MAX_PRECISION: usize = 1000;

/// The text with each `%…` replaced by the next argument.
pub(super) fn format<'v>(scope: &Scope<'v>, template: &str, arguments: List<'v>) -> Result<String, EvalError> {
    let mut out = String::new();
    let mut rest = template;
    let count = arguments.len();
    let mut arguments = arguments.iter();
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (verb, precision, tail) = clause(after)?;
        rest = tail;
        let Some(argument) = arguments.next() else {
            return Err(EvalError::refused(format!("index {count} out of range")));
        };
        scope.charge_parts(argument)?;
        write(verb, precision, argument, &mut out)?;
        scope.charge_bytes(out.len() / 8 + 1)?;
    }
    out.push_str(rest);
    match arguments.next() {
        Some(_) => Err(EvalError::refused("too many arguments supplied to string.format")),
        None => Ok(out),
    }
}

/// The verb, its precision, and what follows.
fn clause(text: &str) -> Result<(char, Option<usize>, &str), EvalError> {
    let parse = |reason: &str| EvalError::refused(format!("could not parse formatting clause: {reason}"));
    let mut rest = text;
    let mut precision = None;
    if let Some(after) = rest.strip_prefix('.') {
        let len = after.bytes().take_while(u8::is_ascii_digit).count();
        let value = after[..len].parse().map_err(|_| parse("error while parsing precision"))?;
        if value > MAX_PRECISION {
            return Err(parse("precision is too large"));
        }
        precision = Some(value);
        rest = &after[len..];
    }
    let Some(verb) = rest.chars().next() else { return Err(parse("unexpected end of string")) };
    if !"sdfeboxX".contains(verb) {
        return Err(parse(&format!("unrecognized formatting clause \"{verb}\"")));
    }
    Ok((verb, precision, &rest[1..]))
}

fn write(verb: char, precision: Option<usize>, value: Value<'_>, out: &mut String) -> Result<(), EvalError> {
    let refuse = |clause: &str, kinds: &str| {
        let name = value.type_name();
        EvalError::refused(format!(
            "error during formatting: {clause} clause can only be used on {kinds}, was given {name}"
        ))
    };
    let special = match value {
        Value::Double(number) if number.is_nan() => Some("NaN"),
        Value::Double(number) if number.is_infinite() => Some(if number > 0.0 { "Infinity" } else { "-Infinity" }),
        _ => None,
    };
    match (verb, value) {
        ('s', _) => show(value, false, out)?,
        ('d' | 'f' | 'e', Value::Double(_)) if special.is_some() => out.push_str(special.unwrap_or("")),
        ('d', Value::Int(number)) => {
            let _ = write!(out, "{number}");
        }
        ('d', Value::Uint(number)) => {
            let _ = write!(out, "{number}");
        }
        ('d', _) => return Err(refuse("decimal", "integers")),
        ('f' | 'e', Value::Double(_) | Value::Int(_) | Value::Uint(_)) => {
            let number = match value {
                Value::Int(number) => number as f64,
                Value::Uint(number) => number as f64,
                Value::Double(number) => number,
                _ => 0.0,
            };
            let digits = precision.unwrap_or(6);
            if verb == 'f' {
                let _ = write!(out, "{number:.digits$}");
            } else {
                scientific(number, digits, out);
            }
        }
        ('f', _) => return Err(refuse("fixed-point", "doubles")),
        ('e', _) => return Err(refuse("scientific", "doubles")),
        ('b', Value::Bool(value)) => out.push(if value { '1' } else { '0' }),
        ('b' | 'o' | 'x' | 'X', Value::Int(number)) => {
            out.push_str(if number < 0 { "-" } else { "" });
            radix(verb, number.unsigned_abs(), out);
        }
        ('b' | 'o' | 'x' | 'X', Value::Uint(number)) => radix(verb, number, out),
        ('x' | 'X', Value::String(text)) => hexadecimal(verb, text.as_bytes(), out),
        ('x' | 'X', Value::Bytes(bytes)) => hexadecimal(verb, bytes, out),
        ('b', _) => return Err(refuse("binary", "integers and bools")),
        ('o', _) => return Err(refuse("octal", "integers")),
        _ => return Err(refuse("hex", "integers, byte buffers, and strings")),
    }
    Ok(())
}

fn radix(verb: char, number: u64, out: &mut String) {
    let _ = match verb {
        'b' => write!(out, "{number:b}"),
        'o' => write!(out, "{number:o}"),
        'x' => write!(out, "{number:x}"),
        _ => write!(out, "{number:X}"),
    };
}

fn hexadecimal(verb: char, bytes: &[u8], out: &mut String) {
    for byte in bytes {
        let _ = if verb == 'x' { write!(out, "{byte:02x}") } else { write!(out, "{byte:02X}") };
    }
}

/// `1.000000×10⁰¹`
fn scientific(number: f64, digits: usize, out: &mut String) {
    let text = format!("{number:.digits$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(("", exponent), |rest| ("⁻", rest));
    let _ = write!(out, "{mantissa}×10{sign}");
    for digit in format!("{exponent:0>2}").bytes() {
        out.push(['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][usize::from(digit.wrapping_sub(b'0')) % 10]);
    }
}

/// The text of a value for `%s`. Within lists and maps texts stand in quotes and floats have six decimals.
fn show(value: Value<'_>, within: bool, out: &mut String) -> Result<(), EvalError> {
    match value {
        Value::Null => out.push_str("null"),
        Value::String(text) if within => out.push_str(&quoted(text)),
        Value::String(text) => out.push_str(text),
        Value::Double(number) if within && number.is_finite() => {
            let _ = write!(out, "{number:.6}");
        }
        Value::Double(number) if number.is_infinite() => {
            out.push_str(if number > 0.0 { "Infinity" } else { "-Infinity" });
        }
        Value::Double(number) => out.push_str(&gofloat::plain(number)),
        Value::Bytes(bytes) if within => {
            let _ = write!(out, "b{}", quoted(&String::from_utf8_lossy(bytes)));
        }
        Value::Bytes(bytes) => out.push_str(&String::from_utf8_lossy(bytes)),
        Value::Timestamp(_) if within => {
            let _ = write!(out, "timestamp({})", quoted(&text::string(value).unwrap_or_default()));
        }
        Value::Duration(_) if within => {
            let _ = write!(out, "duration({})", quoted(&text::string(value).unwrap_or_default()));
        }
        Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Timestamp(_) | Value::Duration(_) | Value::Type(_) => {
            out.push_str(&text::string(value).unwrap_or_default());
        }
        Value::List(list) => {
            out.push('[');
            for (index, item) in list.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                show(item, true, out)?;
            }
            out.push(']');
        }
        Value::Map(map) => {
            let mut entries = Vec::with_capacity(map.len());
            for (key, value) in map.iter() {
                let (mut key_text, mut value_text) = (String::new(), String::new());
                show(key, true, &mut key_text)?;
                show(value, true, &mut value_text)?;
                entries.push((key_text, value_text));
            }
            entries.sort_unstable();
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                let _ = write!(out, "{}{key}:{value}", if index > 0 { ", " } else { "" });
            }
            out.push('}');
        }
        Value::Unknown(what) => return Err(EvalError::indeterminate(what)),
        Value::Optional(_) | Value::Opaque(_) => {
            let name = value.type_name();
            return Err(EvalError::refused(format!(
                "error during formatting: string clause can only be used on strings, bools, bytes, ints, doubles, maps, \
                 lists, types, durations, and timestamps, was given {name}"
            )));
        }
    }
    Ok(())
}

/// In quotes, with escapes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}
