//! JSON patches, RFC 6902. Rules of Kyverno apply them leniently: indexes may be negative, `remove` of what is not there
//! does nothing, `add` makes the parents that are missing. Policies in CEL apply them as the API server does: what is not
//! there is an error, and only indexes may be negative.
//!
//! In: an object and a list of operations. Out: the object after all of them, or why one of them can't be done. Crates
//! for this change a `serde_json` value, which would be a copy of the whole object and knows no places; here only the
//! parts on the way are opened.

use super::patched::{Patched, Sort};
use crate::expr::{Arena, Value};

/// Why a patch could not be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Stop {
    /// A `test` does not hold. For the API server that is no error: the object stays what it was.
    Test,
    /// An operation can't be done.
    Error(String),
}

impl From<String> for Stop {
    fn from(text: String) -> Self {
        Stop::Error(text)
    }
}

/// Applies operations as the API server does.
///
/// # Errors
/// The first operation that can't be done; what the object is then is of no use.
pub(in crate::engine) fn apply_strictly<'v>(
    object: &mut Patched<'v>,
    operations: Value<'v>,
    arena: &'v Arena,
) -> Result<(), Stop> {
    let Value::List(operations) = operations else {
        return Err("a JSON patch is a list of operations".to_owned().into());
    };
    operations.iter().try_for_each(|operation| strictly(object, operation, arena))
}

fn strictly<'v>(object: &mut Patched<'v>, operation: Value<'v>, arena: &'v Arena) -> Result<(), Stop> {
    let text = |key: &str| operation.get(key).and_then(Value::as_str).unwrap_or_default();
    let (op, written, from) = (text("op"), text("path"), text("from"));
    let (path, source) = (steps(written, arena), steps(from, arena));
    let value = || operation.get("value").map_or(Patched::Added(Value::Null), Patched::Added);
    let missing =
        |what: &str, path: &str| format!("{op} operation does not apply: doc is missing {what}: {path}: missing value");
    let quoted = format!("{written:?}");
    match op {
        "add" => {
            check_parent(object, &path).ok_or_else(|| missing("path", &quoted))?;
            insert_at(object, &path, value(), written)?;
        }
        "replace" => {
            check_parent(object, &path).ok_or_else(|| missing("path", written))?;
            let part = find(object, &path).ok_or_else(|| missing("key", written))?;
            *part = value();
        }
        "remove" => {
            check_parent(object, &path).ok_or_else(|| missing("path", &quoted))?;
            let last = path.last().copied().unwrap_or_default();
            take(object, &path).ok_or_else(|| {
                format!(
                    "error in remove for path: '{written}': Unable to remove nonexistent key: {last}: missing value"
                )
            })?;
        }
        "test" => {
            let found = find(object, &path).map(|it| it.value(arena));
            if !found.unwrap_or(Value::Null).equals(value().value(arena)) {
                return Err(Stop::Test);
            }
        }
        "move" | "copy" => {
            check_parent(object, &source).ok_or_else(|| missing("from path", from))?;
            let part = if op == "copy" {
                find(object, &source).map(|it| Patched::Added(it.value(arena)))
            } else {
                take(object, &source)
            };
            let part = part.ok_or_else(|| format!("error in {op} for path: '{from}': missing value"))?;
            check_parent(object, &path).ok_or_else(|| missing("destination path", written))?;
            insert_at(object, &path, part, written)?;
        }
        op => return Err(format!("unexpected kind: {op}").into()),
    }
    Ok(())
}

/// Whether what holds the last step of a path is there; the object as a whole has no place in anything.
fn check_parent(object: &mut Patched<'_>, path: &[&str]) -> Option<()> {
    let (_, parents) = path.split_last()?;
    let parent = find(object, parents)?;
    matches!(parent.sort(), Sort::Map | Sort::List).then_some(())
}

fn insert_at<'v>(object: &mut Patched<'v>, path: &[&'v str], value: Patched<'v>, written: &str) -> Result<(), String> {
    let Some((last, parents)) = path.split_last() else { return Ok(()) };
    match find(object, parents) {
        Some(parent) => insert(parent, last, value, written),
        None => Ok(()),
    }
}

/// Applies the operations in their order, leniently.
///
/// # Errors
/// The first operation that can't be done; what the object is then is of no use.
pub(super) fn apply<'v>(object: &mut Patched<'v>, operations: Value<'v>, arena: &'v Arena) -> Result<(), String> {
    let Value::List(operations) = operations else { return Err("a JSON patch is a list of operations".to_owned()) };
    for operation in operations.iter() {
        let text = |key: &str| operation.get(key).and_then(Value::as_str);
        let written = text("path").unwrap_or_default();
        let path = steps(written, arena);
        let path = path.as_slice();
        let value = || operation.get("value").map_or(Patched::Added(Value::Null), Patched::Added);
        match text("op").unwrap_or_default() {
            "add" => add(object, path, value(), written)?,
            "replace" => replace(object, path, value(), written)?,
            "remove" => {
                take(object, path);
            }
            "test" => {
                let found = find(object, path).map(|it| it.value(arena));
                if !found.unwrap_or(Value::Null).equals(value().value(arena)) {
                    return Err(format!("testing value {written} failed: test failed"));
                }
            }
            op @ ("move" | "copy") => {
                let from = steps(text("from").unwrap_or_default(), arena);
                let part = if op == "copy" {
                    find(object, &from).map(|it| Patched::Added(it.value(arena)))
                } else {
                    take(object, &from)
                };
                let Some(part) = part else {
                    let last = from.last().copied().unwrap_or_default();
                    return Err(format!("error in {op} for path: '{last}': missing value"));
                };
                add(object, path, part, written)?;
            }
            op => return Err(format!("unexpected kind of operation: {op}")),
        }
    }
    Ok(())
}

/// The steps of a pointer.
fn steps<'v>(path: &'v str, arena: &'v Arena) -> Vec<&'v str> {
    let step = |step: &'v str| {
        if step.contains('~') { &*arena.alloc_str(&step.replace("~1", "/").replace("~0", "~")) } else { step }
    };
    path.split('/').skip(1).map(step).collect()
}

/// The place of an existing item; a negative index counts from the end.
fn index(step: &str, len: usize) -> Option<usize> {
    let index: i64 = step.parse().ok()?;
    let index = if index < 0 { index.checked_add(i64::try_from(len).ok()?)? } else { index };
    usize::try_from(index).ok().filter(|index| *index < len)
}

/// A part that is there.
fn find<'p, 'v>(object: &'p mut Patched<'v>, path: &[&str]) -> Option<&'p mut Patched<'v>> {
    let mut part = object;
    for step in path {
        part = child(part, step)?;
    }
    Some(part)
}

fn child<'p, 'v>(part: &'p mut Patched<'v>, step: &str) -> Option<&'p mut Patched<'v>> {
    match part.sort() {
        Sort::Map => part.entries()?.iter_mut().find(|(key, _)| *key == step).map(|(_, it)| it),
        Sort::List => {
            let items = part.items()?;
            let at = index(step, items.len())?;
            items.get_mut(at)
        }
        Sort::Null | Sort::Scalar => None,
    }
}

fn add<'v>(object: &mut Patched<'v>, steps: &[&'v str], value: Patched<'v>, path: &str) -> Result<(), String> {
    let Some((last, parents)) = steps.split_last() else {
        *object = value;
        return Ok(());
    };
    let mut part = object;
    for (at, step) in parents.iter().enumerate() {
        let next = &steps[at + 1];
        if child(part, step).is_none_or(|child| child.sort() == Sort::Null) {
            let made = if is_index(next) { Patched::List(Vec::new(), None) } else { Patched::Map(Vec::new(), None) };
            put(part, step, made, path)?;
        }
        let step = if *step == "-" { "-1" } else { step };
        part = child(part, step).ok_or_else(|| format!("error in add for path: '{path}': missing value"))?;
    }
    insert(part, last, value, path)
}

/// Whether a step asks for an item of a list.
fn is_index(step: &str) -> bool {
    step == "-" || step.parse::<i64>().is_ok()
}

/// Puts a part where there is none, or null.
fn put<'v>(parent: &mut Patched<'v>, step: &'v str, part: Patched<'v>, path: &str) -> Result<(), String> {
    match child(parent, step) {
        Some(null) => *null = part,
        None => insert(parent, step, part, path)?,
    }
    Ok(())
}

/// Adds an entry to a map or an item to a list.
fn insert<'v>(parent: &mut Patched<'v>, step: &'v str, value: Patched<'v>, path: &str) -> Result<(), String> {
    match parent.sort() {
        Sort::Map => {
            set(parent, step, value);
            Ok(())
        }
        Sort::List => {
            let Some(items) = parent.items() else { return Ok(()) };
            if step == "-" {
                items.push(value);
                return Ok(());
            }
            // An index one beyond the last item is allowed, and counts from there when it is negative.
            let wrong = || {
                format!(
                    "error in add for path: '{path}': Unable to access invalid index: {step}: invalid index referenced"
                )
            };
            let at = index(step, items.len() + 1).ok_or_else(wrong)?;
            items.insert(at, value);
            Ok(())
        }
        Sort::Null | Sort::Scalar => Err(format!("error in add for path: '{path}': invalid state detected")),
    }
}

fn set<'v>(map: &mut Patched<'v>, key: &'v str, value: Patched<'v>) {
    let Some(entries) = map.entries() else { return };
    match entries.iter_mut().find(|(name, _)| *name == key) {
        Some(entry) => entry.1 = value,
        None => entries.push((key, value)),
    }
}

fn replace<'v>(object: &mut Patched<'v>, steps: &[&str], value: Patched<'v>, path: &str) -> Result<(), String> {
    match find(object, steps) {
        Some(part) => {
            *part = value;
            Ok(())
        }
        None => Err(format!("replace operation does not apply: doc is missing key: {path}: missing value")),
    }
}

/// Removes a part; `None` when it is not there.
fn take<'v>(object: &mut Patched<'v>, path: &[&str]) -> Option<Patched<'v>> {
    let (last, parents) = path.split_last()?;
    let parent = find(object, parents)?;
    match parent.sort() {
        Sort::Map => {
            let entries = parent.entries()?;
            let at = entries.iter().position(|(key, _)| key == last)?;
            Some(entries.remove(at).1)
        }
        Sort::List => {
            let items = parent.items()?;
            Some(items.remove(index(last, items.len())?))
        }
        Sort::Null | Sort::Scalar => None,
    }
}
