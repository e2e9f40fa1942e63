//! Lists and sets: the extensions `lists` (version 3) and `sets` of cel-go, and the lists of Kubernetes.

use std::cmp::Ordering;

use super::{Call, Function, sort_by_key};
use crate::expr::cel::{EvalError, List, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("list(A).distinct() -> list(A)", "each item once, in the order of first sight", distinct),
    Function::new("list(A).first() -> optional(A)", "the first item, if there is one", |call| {
        Ok(call.give_optional(call.list(0)?.get(0)))
    }),
    Function::new("list(A).flatten() -> list(dyn)", "with the items of lists in their place", flatten),
    Function::new("list(A).flatten(int) -> list(dyn)", "the same, so many levels deep", flatten),
    Function::new("list(A).last() -> optional(A)", "the last item, if there is one", |call| {
        let list = call.list(0)?;
        call.charge(list.len() / 8)?;
        Ok(call.give_optional(list.len().checked_sub(1).and_then(|last| list.get(last))))
    }),
    Function::new("lists.range(int) -> list(int)", "the numbers from 0 on, so many", range),
    Function::new("list(A).reverse() -> list(A)", "from the last to the first", |call| {
        let mut items = call.items(0)?;
        items.reverse();
        call.give_list(&items)
    }),
    Function::new("list(A).slice(int, int) -> list(A)", "the items between two places", slice),
    Function::new("list(A).sort() -> list(A)", "from the least to the greatest", |call| {
        let mut keyed: Vec<_> = call.items(0)?.into_iter().map(|item| (item, item)).collect();
        sort_by_key(call.scope, &mut keyed)?;
        let items: Vec<_> = keyed.into_iter().map(|(_, item)| item).collect();
        call.give_list(&items)
    }),
];

pub(super) const KUBERNETES: &[Function] = &[
    Function::new("list(A).indexOf(A) -> int", "the place of the first equal item; -1 when there is none", |call| {
        Ok(Value::Int(positions(call)?.first().map_or(-1, |at| *at as i64)))
    }),
    Function::new("list(A).isSorted() -> bool", "whether no item is less than the one before", |call| {
        let items = call.items(0)?;
        for pair in items.windows(2) {
            if pair[0].compare(pair[1]).ok_or(EvalError::NoSuchOverload)? == Ordering::Greater {
                return Ok(Value::Bool(false));
            }
        }
        Ok(Value::Bool(true))
    }),
    Function::new("list(A).lastIndexOf(A) -> int", "the place of the last equal item; -1 when there is none", |call| {
        Ok(Value::Int(positions(call)?.last().map_or(-1, |at| *at as i64)))
    }),
    Function::new("list(A).max() -> A", "the greatest item", |call| extreme(call, "max", Ordering::Greater)),
    Function::new("list(A).min() -> A", "the least item", |call| extreme(call, "min", Ordering::Less)),
    Function::new("list(A).sum() -> A", "the sum of numbers or durations", sum),
];

pub(super) const SETS: &[Function] = &[
    Function::new("sets.contains(list(A), list(A)) -> bool", "whether the first has all items of the second", |call| {
        Ok(Value::Bool(contains_all(call, 0, 1)?))
    }),
    Function::new("sets.equivalent(list(A), list(A)) -> bool", "whether both have the same items", |call| {
        Ok(Value::Bool(contains_all(call, 0, 1)? && contains_all(call, 1, 0)?))
    }),
    Function::new("sets.intersects(list(A), list(A)) -> bool", "whether an item is in both", |call| {
        let (a, b) = (call.items(0)?, call.items(1)?);
        call.charge(a.len().saturating_mul(b.len()))?;
        for a in a {
            if has(call, &b, a)? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }),
];

fn contains_all(call: &Call<'_, '_>, whole: usize, part: usize) -> Result<bool, EvalError> {
    let (whole, part) = (call.items(whole)?, call.items(part)?);
    call.charge(whole.len().saturating_mul(part.len()))?;
    for item in part {
        if !has(call, &whole, item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether an item is among others.
fn has<'v>(call: &Call<'_, 'v>, items: &[Value<'v>], wanted: Value<'v>) -> Result<bool, EvalError> {
    for item in items {
        if call.scope.equal(*item, wanted)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn distinct<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let mut out: Vec<Value<'v>> = Vec::new();
    for item in call.list(0)?.iter() {
        call.charge(1 + out.len())?;
        if !has(call, &out, item)? {
            out.push(item);
        }
    }
    call.give_list(&out)
}

fn flatten<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    fn add<'v>(call: &Call<'_, 'v>, list: List<'v>, depth: i64, out: &mut Vec<Value<'v>>) -> Result<(), EvalError> {
        for item in list.iter() {
            call.charge(1)?;
            match item {
                Value::List(inner) if depth > 0 => add(call, inner, depth - 1, out)?,
                _ => out.push(item),
            }
        }
        Ok(())
    }
    let depth = if call.arguments.len() > 1 { call.int(1)? } else { 1 };
    if depth < 0 {
        return Err(EvalError::refused("level must be non-negative"));
    }
    let mut out = Vec::new();
    // Documents and expressions don't nest deeper than this.
    add(call, call.list(0)?, depth.min(256), &mut out)?;
    call.give_list(&out)
}

fn range<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let count = usize::try_from(call.int(0)?).unwrap_or(0);
    call.scope.charge_bytes(count.saturating_mul(size_of::<Value<'_>>()))?;
    let items: Vec<_> = (0..count as i64).map(Value::Int).collect();
    call.give_list(&items)
}

fn slice<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let (items, start, end) = (call.items(0)?, call.int(1)?, call.int(2)?);
    let refuse = |text: String| Err(EvalError::refused(text));
    if start < 0 || end < 0 {
        return refuse(format!("cannot slice({start}, {end}), negative indexes not supported"));
    }
    if start > end {
        return refuse(format!("cannot slice({start}, {end}), start index must be less than or equal to end index"));
    }
    match items.get(start as usize..end as usize) {
        Some(items) => call.give_list(items),
        None => refuse(format!("cannot slice({start}, {end}), list is length {}", items.len())),
    }
}

/// The places of all items that equal the argument.
fn positions(call: &Call<'_, '_>) -> Result<Vec<usize>, EvalError> {
    let (list, wanted) = (call.list(0)?, call.value(1));
    call.charge(list.len())?;
    let mut out = Vec::new();
    for (at, item) in list.iter().enumerate() {
        if call.scope.equal(item, wanted)? {
            out.push(at);
        }
    }
    Ok(out)
}

fn extreme<'v>(call: &Call<'_, 'v>, name: &str, wanted: Ordering) -> Result<Value<'v>, EvalError> {
    let items = call.items(0)?;
    let Some((first, rest)) = items.split_first() else {
        return Err(EvalError::refused(format!("{name} called on empty list")));
    };
    let mut best = *first;
    for item in rest {
        if item.compare(best).ok_or(EvalError::NoSuchOverload)? == wanted {
            best = *item;
        }
    }
    Ok(best)
}

fn sum<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let overflow = || EvalError::refused("integer overflow");
    let mut total: Option<Value<'v>> = None;
    for item in call.items(0)? {
        total = Some(match (total, item) {
            (None, Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::Duration(_)) => item,
            (Some(Value::Int(a)), Value::Int(b)) => Value::Int(a.checked_add(b).ok_or_else(overflow)?),
            (Some(Value::Uint(a)), Value::Uint(b)) => Value::Uint(a.checked_add(b).ok_or_else(overflow)?),
            (Some(Value::Double(a)), Value::Double(b)) => Value::Double(a + b),
            (Some(Value::Duration(a)), Value::Duration(b)) => Value::Duration(a.checked_add(b).ok_or_else(overflow)?),
            _ => return Err(EvalError::NoSuchOverload),
        });
    }
    Ok(total.unwrap_or(Value::Int(0)))
}
