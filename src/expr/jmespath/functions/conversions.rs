//! Functions from one type to another.

use super::{ANY, Call, Function, STRING};
use crate::expr::{Number, Value, jmespath::eval::Outcome};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::standard("to_array", &[ANY], "array", "a list as it is, anything else as the only item of one", to_array),
    Function::standard("to_number", &[ANY], "number", "the number that a text says, null when it says none", to_number),
    Function::standard("to_string", &[ANY], "string", "a text as it is, anything else as JSON", to_string),
    Function::standard("type", &[ANY], "string", "the name of the type", type_name),
    Function::own("to_boolean", &[STRING], "bool", "true or false from a text, in any case", to_boolean),
];

fn to_array<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    match call.value(0) {
        list @ Value::List(_) => Ok(list),
        other => call.give_list(&[other]),
    }
}

fn to_number<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    Ok(match call.value(0) {
        number @ Value::Number(Number::Float(_)) => number,
        Value::String(text) => text.parse().map_or(Value::Null, Value::float),
        _ => Value::Null,
    })
}

fn to_string<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    match call.value(0) {
        text @ Value::String(_) => Ok(text),
        Value::Number(Number::Float(number)) if !number.is_finite() => {
            Err(call.refuse(format!("json: unsupported value: {number}")))
        }
        other => {
            call.evaluator.charge_written(other)?;
            call.give_text(&other.to_json())
        }
    }
}

fn type_name<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    Ok(Value::String(match call.value(0) {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(Number::Float(_)) => "number",
        Value::Number(Number::Int(_)) => return Err(call.refuse("unknown type")),
        Value::String(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
    }))
}

fn to_boolean<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    match call.text(0)? {
        text if text.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
        text if text.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
        text => Err(call.refuse(format!("lowercase argument must be 'true' or 'false' (provided: '{text}')"))),
    }
}
