//! Small libraries of Kyverno: `user`, `random`, `transform`, `jsonpatch`.

use super::{Call, Function, standard::compile};
use crate::expr::cel::{EvalError, Value};

pub(super) const USER: &[Function] = &[
    Function::new(
        "parseServiceAccount(string) -> map(string, string)",
        "`Name` and `Namespace` of a user name",
        account,
    ),
    Function::new(
        "user.parseServiceAccount(string) -> map(string, string)",
        "`Name` and `Namespace` of a user name",
        account,
    ),
];

fn account<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let parts = call.text(0)?.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    let (namespace, name) = parts.filter(|(_, name)| !name.contains(':')).unwrap_or_default();
    call.give_map(&[
        (Value::String("Name"), Value::String(name)),
        (Value::String("Namespace"), Value::String(namespace)),
    ])
}

pub(super) const RANDOM: &[Function] = &[
    Function::new("random() -> string", "eight letters and digits by chance", |_| unknown("[0-9a-z]{8}")),
    Function::new("random(string) -> string", "a text by chance that a regular expression matches", random),
    Function::new("random.random() -> string", "eight letters and digits by chance", |_| unknown("[0-9a-z]{8}")),
    Function::new("random.random(string) -> string", "a text by chance that a regular expression matches", random),
];

/// What chance decides is not known before the cluster has thrown the dice.
fn unknown<'v>(pattern: &str) -> Result<Value<'v>, EvalError> {
    Err(EvalError::indeterminate(format!("a random text like {pattern:?}")))
}

fn random<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let pattern = call.text(0)?;
    compile(call, pattern)?;
    unknown(pattern)
}

pub(super) const TRANSFORM: &[Function] = &[
    Function::new(
        "listObjToMap(list(dyn), list(dyn), string, string) -> map(string, dyn)",
        "a map from a field of the items of one list to a field of those of another",
        list_to_map,
    ),
    Function::new(
        "transform.listObjToMap(list(dyn), list(dyn), string, string) -> map(string, dyn)",
        "a map from a field of the items of one list to a field of those of another",
        list_to_map,
    ),
];

fn list_to_map<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let (keys, values) = (call.items(0)?, call.items(1)?);
    let (key_field, value_field) = (call.text(2)?, call.text(3)?);
    if keys.len() != values.len() {
        return Err(EvalError::refused("lists should have same length"));
    }
    let field = |of: Value<'v>, name: &str| match of {
        Value::Map(map) => map.field(name).ok_or_else(|| EvalError::NoSuchKey(name.into())),
        _ => Err(EvalError::NoSuchOverload),
    };
    let mut out: Vec<(Value<'v>, Value<'v>)> = Vec::with_capacity(keys.len());
    for (key, value) in keys.into_iter().zip(values) {
        let (key, value) = (field(key, key_field)?, field(value, value_field)?);
        if key.as_str().is_none() {
            return Err(EvalError::NoSuchOverload);
        }
        call.charge(1 + out.len())?;
        match out.iter_mut().find(|(known, _)| known.equals(key)) {
            Some((_, place)) => *place = value,
            None => out.push((key, value)),
        }
    }
    call.give_map(&out)
}

pub(super) const JSON_PATCH: &[Function] = &[Function::new(
    "jsonpatch.escapeKey(string) -> string",
    "a key as part of a path: `~1` for `/`, `~0` for `~`",
    |call| {
        let text = call.text(0)?;
        call.give_text(&text.replace('~', "~0").replace('/', "~1"))
    },
)];
