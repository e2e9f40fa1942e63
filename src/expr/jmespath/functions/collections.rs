//! Functions over lists and maps.

use std::cmp::Ordering;

use super::{
    ANY, ARRAY, Call, EXPRESSION, Function, OBJECT, OBJECT_OR_ARRAY, Parameter, STRING, STRING_OR_NUMBER, Type,
};
use crate::expr::{
    Number, Value,
    jmespath::eval::{Outcome, float_order},
};

const SORTABLE: Parameter = Parameter::of(&[Type::ArrayString, Type::ArrayNumber]);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::standard(
        "contains",
        &[Parameter::of(&[Type::Array, Type::String]), ANY],
        "bool",
        "whether a list has an item, or a text a part",
        contains,
    ),
    Function::standard("keys", &[OBJECT], "array", "the keys of a map", keys),
    Function::standard(
        "length",
        &[Parameter::of(&[Type::String, Type::Array, Type::Object])],
        "number",
        "number of characters, items or entries",
        length,
    ),
    Function::standard("map", &[EXPRESSION, ARRAY], "array", "an expression applied to each item, nulls kept", map),
    Function::standard(
        "max",
        &[Parameter::of(&[Type::ArrayNumber, Type::ArrayString])],
        "any",
        "the greatest item, null of none",
        |call| extreme(call, Ordering::Greater),
    ),
    Function::standard("max_by", &[ARRAY, EXPRESSION], "any", "the item for which an expression is greatest", |call| {
        extreme_by(call, Ordering::Greater)
    }),
    Function::standard(
        "merge",
        &[Parameter::many(&[Type::Object])],
        "object",
        "maps put together, later ones win",
        merge,
    ),
    Function::standard(
        "min",
        &[Parameter::of(&[Type::ArrayNumber, Type::ArrayString])],
        "any",
        "the least item, null of none",
        |call| extreme(call, Ordering::Less),
    ),
    Function::standard("min_by", &[ARRAY, EXPRESSION], "any", "the item for which an expression is least", |call| {
        extreme_by(call, Ordering::Less)
    }),
    Function::standard(
        "not_null",
        &[Parameter::many(&[Type::Any])],
        "any",
        "the first argument that is not null",
        not_null,
    ),
    Function::standard(
        "reverse",
        &[Parameter::of(&[Type::Array, Type::String])],
        "any",
        "items or characters from the last to the first",
        reverse,
    ),
    Function::standard("sort", &[SORTABLE], "array", "texts or numbers in order", sort),
    Function::standard("sort_by", &[ARRAY, EXPRESSION], "array", "items in the order of an expression", sort_by),
    Function::standard("values", &[OBJECT], "array", "the values of a map", values),
    Function::own(
        "items",
        &[OBJECT_OR_ARRAY, STRING, STRING],
        "array",
        "converts a map or list to a list of maps with the given names for key and value",
        items,
    ),
    Function::own(
        "label_match",
        &[OBJECT, OBJECT],
        "bool",
        "whether every pair of the first map is in the second",
        label_match,
    ),
    Function::own(
        "lookup",
        &[OBJECT_OR_ARRAY, STRING_OR_NUMBER],
        "any",
        "the value of a key of a map or of an index of a list, null when absent",
        lookup,
    ),
    Function::own(
        "object_from_lists",
        &[ARRAY, ARRAY],
        "object",
        "makes a map of a list of keys and a list of values",
        object_from_lists,
    ),
];

fn contains<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let sought = call.value(1);
    if let Value::String(text) = call.value(0) {
        call.charge(text.len() / 32)?;
        return Ok(Value::Bool(sought.as_str().is_some_and(|part| text.contains(part))));
    }
    for item in call.list(0)?.iter() {
        if call.evaluator.equal(item, sought)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn keys<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let keys: Vec<_> = call.map(0)?.iter().map(|(key, _)| Value::String(key)).collect();
    call.give_list(&keys)
}

fn values<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let values: Vec<_> = call.map(0)?.iter().map(|(_, value)| value).collect();
    call.give_list(&values)
}

fn length<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let length = match call.value(0) {
        Value::String(text) => {
            call.charge(text.len() / 32)?;
            text.chars().count()
        }
        Value::Map(map) => map.len(),
        _ => call.list(0)?.len(),
    };
    Ok(Value::float(length as f64))
}

fn map<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let mut made = Vec::new();
    for item in call.list(1)?.iter() {
        call.charge(1)?;
        made.push(call.expression(0, item)?);
    }
    call.give_list(&made)
}

/// What sorting compares: numbers with numbers, texts with texts.
#[derive(Clone, Copy)]
enum Rank<'v> {
    Number(f64),
    Text(&'v str),
}

impl<'v> Rank<'v> {
    fn of(value: Value<'v>) -> Option<Self> {
        match value {
            Value::Number(Number::Float(number)) => Some(Rank::Number(number)),
            Value::String(text) => Some(Rank::Text(text)),
            _ => None,
        }
    }

    /// The order, or `None` between a number and a text.
    fn order(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Rank::Number(left), Rank::Number(right)) => Some(float_order(left, right)),
            (Rank::Text(left), Rank::Text(right)) => Some(left.cmp(right)),
            _ => None,
        }
    }
}

fn extreme<'e, 'v>(call: &Call<'_, 'e, 'v>, wanted: Ordering) -> Outcome<'e, 'v> {
    let mut best: Option<(Rank<'v>, Value<'v>)> = None;
    for item in call.list(0)?.iter() {
        call.charge(1)?;
        let Some(rank) = Rank::of(item) else { return Err(call.wrong(0)) };
        if best.is_none_or(|(best, _)| rank.order(best) == Some(wanted)) {
            best = Some((rank, item));
        }
    }
    Ok(best.map_or(Value::Null, |(_, item)| item))
}

fn extreme_by<'e, 'v>(call: &Call<'_, 'e, 'v>, wanted: Ordering) -> Outcome<'e, 'v> {
    let list = call.list(0)?;
    let mut best: Option<(Rank<'v>, Value<'v>)> = None;
    for item in list.iter() {
        // Kyverno: the only item is the answer whatever the expression makes of it.
        if list.len() == 1 {
            return Ok(item);
        }
        call.charge(1)?;
        let Some(rank) = Rank::of(call.expression(1, item)?) else {
            return Err(call.refuse(match best {
                None => "invalid type, must be number of string",
                Some((Rank::Number(_), _)) => "invalid type, must be number",
                Some((Rank::Text(_), _)) => "invalid type, must be string",
            }));
        };
        let better = match best {
            None => true,
            Some((best, _)) => match rank.order(best) {
                Some(order) => order == wanted,
                None if matches!(best, Rank::Number(_)) => return Err(call.refuse("invalid type, must be number")),
                None => return Err(call.refuse("invalid type, must be string")),
            },
        };
        if better {
            best = Some((rank, item));
        }
    }
    Ok(best.map_or(Value::Null, |(_, item)| item))
}

fn sort<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let mut items: Vec<Value<'v>> = call.list(0)?.iter().collect();
    call.charge(items.len().saturating_mul(4))?;
    items.sort_by(|left, right| match (Rank::of(*left), Rank::of(*right)) {
        (Some(left), Some(right)) => left.order(right).unwrap_or(Ordering::Equal),
        _ => Ordering::Equal,
    });
    call.give_list(&items)
}

fn sort_by<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let list = call.list(0)?;
    let mut ranked: Vec<(Rank<'v>, Value<'v>)> = Vec::with_capacity(list.len());
    for item in list.iter() {
        call.charge(4)?;
        let value = match call.expression(1, item) {
            Err(super::Stop::Missing(_)) if !ranked.is_empty() => {
                return Err(call.refuse("error in sort_by comparison"));
            }
            other => other?,
        };
        let rank = match (Rank::of(value), ranked.first()) {
            (None, None) => return Err(call.refuse("invalid type, must be number of string")),
            (None, Some(_)) => return Err(call.refuse("error in sort_by comparison")),
            (Some(rank), None) => rank,
            (Some(rank), Some((first, _))) if rank.order(*first).is_some() => rank,
            (Some(_), Some(_)) => return Err(call.refuse("error in sort_by comparison")),
        };
        ranked.push((rank, item));
    }
    ranked.sort_by(|(left, _), (right, _)| left.order(*right).unwrap_or(Ordering::Equal));
    let items: Vec<_> = ranked.into_iter().map(|(_, item)| item).collect();
    call.give_list(&items)
}

fn merge<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let mut entries = Vec::new();
    for index in 0..call.arguments.len() {
        entries.extend(call.map(index)?.iter());
    }
    call.give_map(entries)
}

fn not_null<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let values = (0..call.arguments.len()).map(|index| call.value(index));
    Ok(values.into_iter().find(|value| !value.is_null()).unwrap_or(Value::Null))
}

fn reverse<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    if let Value::String(text) = call.value(0) {
        call.charge_bytes(text.len())?;
        return call.give_text(&text.chars().rev().collect::<String>());
    }
    let mut items: Vec<_> = call.list(0)?.iter().collect();
    items.reverse();
    call.give_list(&items)
}

fn items<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let (key_name, value_name) = (call.text(1)?, call.text(2)?);
    let pairs: Vec<(Value<'v>, Value<'v>)> = if let Value::Map(map) = call.value(0) {
        let mut entries: Vec<_> = map.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        entries.into_iter().map(|(key, value)| (Value::String(key), value)).collect()
    } else {
        let list = call.list(0)?;
        list.iter().enumerate().map(|(index, value)| (Value::float(index as f64), value)).collect()
    };
    let mut made = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        made.push(call.give_map(vec![(key_name, key), (value_name, value)])?);
    }
    call.give_list(&made)
}

fn label_match<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let (wanted, labels) = (call.map(0)?, call.map(1)?);
    for (key, value) in wanted.iter() {
        call.charge(1 + labels.len() / 4)?;
        let found = match labels.get(key) {
            Some(found) => call.evaluator.equal(value, found)?,
            None => false,
        };
        if !found {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}

fn lookup<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    match (call.value(0), call.value(1)) {
        (Value::Map(map), Value::String(key)) => Ok(map.get(key).unwrap_or(Value::Null)),
        (Value::Map(_), _) => Err(call.refuse("argument #2 is expected of string type")),
        (Value::List(list), Value::Number(Number::Float(index))) => {
            if index.fract() != 0.0 || !index.is_finite() {
                return Err(call.refuse("argument #2 is expected of integer type"));
            }
            if index < 0.0 || index >= list.len() as f64 {
                return Ok(Value::Null);
            }
            call.charge(index as usize / 16)?;
            Ok(list.get(index as usize).unwrap_or(Value::Null))
        }
        _ => Err(call.refuse("argument #2 is expected of integer type")),
    }
}

fn object_from_lists<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let mut values = call.list(1)?.iter();
    let mut entries = Vec::new();
    for key in call.list(0)?.iter() {
        call.charge(1)?;
        let key = match key {
            Value::String(key) => key,
            Value::Bool(true) => "true",
            Value::Bool(false) => "false",
            Value::Number(_) => call.arena().alloc_str(&super::printed(key)),
            Value::Null | Value::List(_) | Value::Map(_) => {
                return Err(call.refuse("keys must be strings, numbers or booleans"));
            }
        };
        entries.push((key, values.next().unwrap_or(Value::Null)));
    }
    call.give_map(entries)
}
