//! Values as Go's `%v` prints them: what set operators compare and messages show.

use crate::{
    expr::{Number, Value},
    k8s::gofloat,
};

/// The text of a value: floats with an exponent from 1e+06 on, maps as `map[a:1]`, lists as `[a b]`, null as `<nil>`.
pub(crate) fn go_text(value: Value<'_>) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(Number::Int(value)) => value.to_string(),
        Value::Number(Number::Float(value)) => gofloat::general(value),
        Value::String(text) => text.to_owned(),
        Value::List(list) => format!("[{}]", list.iter().map(go_text).collect::<Vec<_>>().join(" ")),
        Value::Map(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
            let entries: Vec<_> = entries.into_iter().map(|(key, value)| format!("{key}:{}", go_text(value))).collect();
            format!("map[{}]", entries.join(" "))
        }
    }
}
