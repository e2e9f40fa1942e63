//! The anchors of a strategic merge patch: which parts of it count for an object.
//!
//! In: a patch and an object. Out: a patch without anchors, or nothing when a condition drops it as a whole. The steps,
//! their order and their slips are Kyverno's: the copy of an element that all elements of a list share, and the places
//! from which elements with anchors are removed. Cases: `tests/engine/mutate/`.

use super::patch::{Entries, Patch, counts};
use crate::{
    engine::pattern,
    expr::{Arena, List, Value},
    policy::classic::pattern::{Anchor, Numbers, Pattern},
};

/// Works off the anchors of a patch; `false` when nothing is left to apply.
///
/// # Errors
/// The text for a patch that can't be applied.
pub(super) fn work_off<'v>(patch: &mut Patch<'v>, object: Value<'v>, arena: &'v Arena) -> Result<bool, String> {
    if patch.has_anchor(counts) {
        match walk(patch, Some(object), arena) {
            Ok(()) => {}
            Err(Stop::Condition | Stop::Global) => return Ok(false),
            Err(Stop::Broken) => return Err(BROKEN.to_owned()),
        }
    }
    clean(patch).map(|left| left == Left::Something).map_err(|_| BROKEN.to_owned())
}

/// Kyverno ends with a panic there.
const BROKEN: &str = "several elements with anchors stand in one list";

/// Why a part of a patch doesn't count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// A condition doesn't hold: the element of the list doesn't count, outside of lists the whole patch.
    Condition,
    /// A global condition doesn't hold: the whole patch doesn't count.
    Global,
    /// The patch can't be worked off.
    Broken,
}

fn walk<'v>(patch: &mut Patch<'v>, object: Option<Value<'v>>, arena: &'v Arena) -> Result<(), Stop> {
    match patch {
        Patch::Scalar(_) => Ok(()),
        Patch::Map(entries) => walk_map(entries, object, arena),
        Patch::List(items) => walk_list(items, object, arena),
    }
}

fn walk_map<'v>(entries: &mut Entries<'v>, object: Option<Value<'v>>, arena: &'v Arena) -> Result<(), Stop> {
    add_missing(entries, object);
    for (wanted, stop) in [(Anchor::Global, Stop::Global), (Anchor::Condition, Stop::Condition)] {
        for (raw, value) in entries.iter_mut() {
            let (anchor, key) = Anchor::split(raw);
            if anchor == wanted && !holds(value, object.and_then(|it| it.get(key)), arena) {
                return Err(stop);
            }
        }
    }
    for (raw, value) in entries.iter_mut().filter(|(raw, _)| !counts(Anchor::split(raw).0)) {
        walk(value, object.and_then(|it| it.get(raw)), arena)?;
    }
    Ok(())
}

/// Makes `+(key)` a plain key where the object lacks it, and nothing where it doesn't.
fn add_missing<'v>(entries: &mut Entries<'v>, object: Option<Value<'v>>) {
    entries.retain_mut(|(raw, _)| {
        let (Anchor::Addition, key) = Anchor::split(raw) else { return true };
        if object.is_some_and(|it| it.get(key).is_some()) {
            return false;
        }
        *raw = key;
        true
    });
}

/// Whether a condition holds for what the object has there.
fn holds<'v>(wanted: &mut Patch<'v>, found: Option<Value<'v>>, arena: &'v Arena) -> bool {
    let Some(found) = found else { return false };
    if let Patch::Map(entries) = wanted
        && entries.iter().any(|(raw, _)| Anchor::split(raw).0 == Anchor::Addition)
    {
        add_missing(entries, Some(found));
        return true;
    }
    let pattern = Pattern::compile(wanted.value(arena), None, Numbers::Exact);
    pattern::matches(&pattern, found, None).is_ok()
}

fn walk_list<'v>(items: &mut Vec<Patch<'v>>, object: Option<Value<'v>>, arena: &'v Arena) -> Result<(), Stop> {
    if !matches!(items.first(), Some(Patch::Map(_))) {
        return Ok(());
    }
    let elements = match object {
        Some(Value::List(list)) => Some(list),
        _ => None,
    };
    let mut expanded = Vec::new();
    for item in items.iter().filter(|item| item.has_anchor(counts)) {
        expand(item, elements, &mut expanded, arena)?;
    }
    items.append(&mut expanded);
    Ok(())
}

/// What an element with anchors comes to for each element of the object's list.
fn expand<'v>(
    item: &Patch<'v>,
    elements: Option<List<'v>>,
    out: &mut Vec<Patch<'v>>,
    arena: &'v Arena,
) -> Result<(), Stop> {
    // Kyverno: one copy for all elements, so that what an earlier one did to it stays done.
    let mut copy = item.clone();
    let Some(elements) = elements else {
        return match walk(&mut copy, None, arena) {
            Err(stop @ (Stop::Global | Stop::Broken)) => Err(stop),
            Ok(()) | Err(Stop::Condition) => Ok(()),
        };
    };
    let is_global = item.has_anchor(|anchor| anchor == Anchor::Global);
    let (mut passed, mut dropped) = (false, false);
    for element in elements.iter() {
        match walk(&mut copy, Some(element), arena) {
            Ok(()) => passed = true,
            Err(Stop::Condition) => continue,
            Err(Stop::Global) => {
                dropped = true;
                continue;
            }
            Err(Stop::Broken) => return Err(Stop::Broken),
        }
        let Some(name) = element.get("name").filter(|_| !is_global) else { continue };
        let mut clone = copy.clone();
        if clean(&mut clone)? == Left::Nothing {
            continue;
        }
        if let Patch::Map(entries) = &mut clone {
            entries.retain(|(key, _)| *key != "name");
            entries.push(("name", Patch::from(name)));
        }
        out.push(clone);
    }
    if dropped && !passed { Err(Stop::Global) } else { Ok(()) }
}

/// Whether anything is left of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Something,
    Nothing,
}

/// Removes the anchors that are left, and what becomes empty by that.
fn clean(patch: &mut Patch<'_>) -> Result<Left, Stop> {
    match patch {
        Patch::Scalar(_) => Ok(Left::Something),
        Patch::Map(entries) => {
            let mut kept = Vec::with_capacity(entries.len());
            for (raw, mut value) in std::mem::take(entries) {
                let (anchor, key) = Anchor::split(raw);
                let left = match anchor {
                    Anchor::Global => Left::Nothing,
                    Anchor::Condition if matches!(value, Patch::Scalar(_)) => Left::Nothing,
                    _ => clean(&mut value)?,
                };
                if left == Left::Something {
                    kept.push((if counts(anchor) { key } else { raw }, value));
                }
            }
            *entries = kept;
            Ok(if entries.is_empty() { Left::Nothing } else { Left::Something })
        }
        Patch::List(items) => {
            let was_empty = items.is_empty();
            let mut removed = Vec::with_capacity(items.len());
            for item in items.iter_mut() {
                removed.push(item.has_anchor(counts) || clean(item)? == Left::Nothing);
            }
            // Kyverno: the place is that before anything was removed.
            for at in removed.iter().enumerate().filter(|(_, removed)| **removed).map(|(at, _)| at) {
                if at >= items.len() {
                    return Err(Stop::Broken);
                }
                items.remove(at);
            }
            Ok(if items.is_empty() && !was_empty { Left::Nothing } else { Left::Something })
        }
    }
}
