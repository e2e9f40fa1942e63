//! Functions that match and replace by pattern: regular expressions of Go, and wildcards.

use super::{Call, Function, STRING, STRING_OR_NUMBER};
use crate::{
    expr::{Number, Value, jmespath::eval::Outcome},
    k8s::{gofloat, goregex, wildcard},
};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::own(
        "pattern_match",
        &[STRING, STRING_OR_NUMBER],
        "bool",
        "whether a wildcard matches a text or a number",
        |call| {
            let text = text(call, 1)?;
            call.charge(text.len())?;
            Ok(Value::Bool(wildcard::matches(call.text(0)?, &text)))
        },
    ),
    Function::own("random", &[STRING], "string", "a random text that a regular expression matches", random),
    Function::own(
        "regex_match",
        &[STRING, STRING_OR_NUMBER],
        "bool",
        "whether a regular expression matches some part of a text or a number",
        |call| {
            let text = text(call, 1)?;
            let regex = regex(call)?;
            call.charge(text.len())?;
            Ok(Value::Bool(regex.is_match(&text)))
        },
    ),
    Function::own(
        "regex_replace_all",
        &[STRING, STRING_OR_NUMBER, STRING_OR_NUMBER],
        "string",
        "replaces what a regular expression matches; `$1` stands for a group",
        |call| {
            let (source, replacement) = (text(call, 1)?, text(call, 2)?);
            replace(call, &source, &replacement, |captures, out| captures.expand(&replacement, out))
        },
    ),
    Function::own(
        "regex_replace_all_literal",
        &[STRING, STRING_OR_NUMBER, STRING_OR_NUMBER],
        "string",
        "replaces what a regular expression matches",
        |call| {
            let (source, replacement) = (text(call, 1)?, text(call, 2)?);
            replace(call, &source, &replacement, |_, out| out.push_str(&replacement))
        },
    ),
];

/// A text, or a number in plain decimal.
fn text<'e>(call: &Call<'_, 'e, '_>, index: usize) -> Result<String, super::Stop<'e>> {
    Ok(match call.value(index) {
        Value::Number(Number::Float(number)) => gofloat::plain(number),
        _ => call.text(index)?.to_owned(),
    })
}

fn regex<'e>(call: &Call<'_, 'e, '_>) -> Result<regex::Regex, super::Stop<'e>> {
    let pattern = call.text(0)?;
    call.charge(pattern.len())?;
    goregex::compile(pattern).map_err(|error| call.refuse(error.to_string()))
}

fn replace<'e, 'v>(
    call: &Call<'_, 'e, 'v>,
    source: &str,
    replacement: &str,
    write: impl Fn(&regex::Captures<'_>, &mut String),
) -> Outcome<'e, 'v> {
    let regex = regex(call)?;
    let mut out = String::new();
    let mut end = 0;
    for captures in regex.captures_iter(source) {
        let Some(found) = captures.get(0) else { continue };
        // A replacement may repeat groups as often as it has room to name them.
        call.charge_bytes(found.start() - end + replacement.len() + found.len() * (replacement.len() / 2))?;
        out.push_str(&source[end..found.start()]);
        write(&captures, &mut out);
        end = found.end();
    }
    call.charge_bytes(source.len() - end)?;
    out.push_str(&source[end..]);
    call.give_text(&out)
}

/// What chance decides is not known before the cluster has thrown the dice.
fn random<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let pattern = call.text(0)?;
    if pattern.is_empty() {
        return Err(call.refuse("pattern provided is empty"));
    }
    regex(call)?;
    Err(crate::expr::jmespath::EvalError::Indeterminate { missing: format!("a random text like {pattern:?}") }.into())
}
