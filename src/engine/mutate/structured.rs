//! Structured merge: parts of an object into the whole, as server-side apply does it.
//!
//! In: an object, the parts, what is known of the kind. Out: the object with the parts in it, or why they don't fit. The
//! steps are those of the API server's `ApplyConfiguration`: the parts must be of their types, what is replaced as a whole
//! may only be replaced where that is asked for, and items of lists with keys keep the order of the object.
//! Public description: <https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy>.

use std::collections::VecDeque;

use super::patched::{Patched, Sort};
use crate::{
    document::Node,
    expr::{Arena, List, Map, Value},
    k8s::structure::{Join, Key, Place, Scalar, View},
};

/// Whether what is replaced as a whole may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Atomics {
    /// It may.
    Replaced,
    /// It may not: what a policy leaves out of it would be lost.
    Refused,
}

/// Joins parts of an object with it. `apiVersion` and `kind` are those of the object, whatever the parts say.
///
/// # Errors
/// The API server's text for parts that don't fit.
pub(in crate::engine) fn apply<'v>(
    object: &mut Patched<'v>,
    parts: Value<'v>,
    top: Place<'_>,
    atomics: Atomics,
    arena: &'v Arena,
) -> Result<(), String> {
    let Value::Map(map) = parts else { return Err("the applied configuration is no object".to_owned()) };
    let entries: Vec<_> = map.iter().filter(|(key, _)| !matches!(*key, "apiVersion" | "kind")).collect();
    let parts = Value::map_in(arena, &entries);
    let mut check = Check { path: String::new(), misfits: Vec::new(), atomics: Vec::new(), arena };
    check.value(parts, top);
    match check.misfits.as_slice() {
        [] => {}
        [only] => return Err(format!("failed to convert patch object to typed object: {only}")),
        several => {
            let lines = several.join("\n  ");
            return Err(format!("failed to convert patch object to typed object: errors:\n  {lines}"));
        }
    }
    if atomics == Atomics::Refused && !check.atomics.is_empty() {
        let places = check.atomics.join(", ");
        return Err(format!("invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {places}"));
    }
    Joining { arena }.value(object, parts, top);
    Ok(())
}

/// Whether some list stands in parts of an object outside of its metadata.
pub(in crate::engine) fn has_lists(parts: Value<'_>) -> bool {
    fn below(value: Value<'_>) -> bool {
        match value {
            Value::List(_) => true,
            Value::Map(map) => map.iter().any(|(_, it)| below(it)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
    }
    matches!(parts, Value::Map(map) if map.iter().any(|(key, it)| key != "metadata" && below(it)))
}

/// Looks for what may not stand in the parts.
struct Check<'v> {
    path: String,
    /// What is of no type, or of another.
    misfits: Vec<String>,
    /// What is replaced as a whole.
    atomics: Vec<String>,
    arena: &'v Arena,
}

impl<'v> Check<'v> {
    fn within(&mut self, step: &str, look: impl FnOnce(&mut Self)) {
        let before = self.path.len();
        self.path.push_str(step);
        look(self);
        self.path.truncate(before);
    }

    fn misfit(&mut self, text: &str) {
        self.misfits.push(format!("{}: {text}", self.path));
    }

    fn value(&mut self, value: Value<'v>, place: Place<'_>) {
        if value.is_null() {
            return;
        }
        match (place.view(), value) {
            (View::Open, _) => {}
            (View::Scalar(scalar), _) => {
                if let Some(wanted) = misses(scalar, value) {
                    self.misfit(&format!("expected {wanted}, got {}", described(value)));
                }
            }
            (View::Map(atomic), Value::Map(map)) => {
                if atomic {
                    self.atomics.push(self.path.clone());
                }
                let has_fields = place.has_fields();
                for (key, value) in map.iter() {
                    self.within(&format!(".{key}"), |it| match place.below(key) {
                        None => it.misfit("field not declared in schema"),
                        Some(below) => {
                            let before = it.atomics.len();
                            it.value(value, below);
                            // Entries that are data are not looked into.
                            if !has_fields {
                                it.atomics.truncate(before);
                            }
                        }
                    });
                }
            }
            (View::List(join, item), Value::List(list)) => {
                if join == Join::Atomic {
                    self.atomics.push(self.path.clone());
                }
                let mut known: Vec<Identity<'v>> = Vec::new();
                for (index, value) in list.iter().enumerate() {
                    self.within(&format!("[{index}]"), |it| it.value(value, item));
                    match identity(value, &join, self.arena) {
                        Ok(None) => {}
                        Ok(Some(identity)) if known.iter().any(|it| it.is(&identity)) => {
                            self.misfit(&format!("duplicate entries for key {}", identity.text()));
                        }
                        Ok(Some(identity)) => known.push(identity),
                        Err(key) => self.misfit(&format!(
                            "element {index}: associative list with keys has an element that omits key field \"{key}\" \
                             (and doesn't have default value)"
                        )),
                    }
                }
            }
            (View::Map(_), _) => self.misfit(&format!("expected map, got {}", described(value))),
            (View::List(..), _) => self.misfit(&format!("expected list, got {}", described(value))),
        }
    }
}

/// What a scalar should be, if a value is something else.
fn misses(scalar: Scalar, value: Value<'_>) -> Option<&'static str> {
    let is_scalar = matches!(value, Value::Bool(_) | Value::Number(_) | Value::String(_));
    match scalar {
        Scalar::Bool => (!matches!(value, Value::Bool(_))).then_some("boolean"),
        Scalar::Number => (!matches!(value, Value::Number(_))).then_some("numeric (int or float)"),
        Scalar::Text => (!matches!(value, Value::String(_))).then_some("string"),
        Scalar::Any => (!is_scalar).then_some("any scalar"),
    }
}

fn described(value: Value<'_>) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::List(_) => "list",
        Value::Map(_) => "map",
    }
}

/// What tells an item of a list from the others.
#[derive(Clone)]
struct Identity<'v>(Vec<Value<'v>>, Vec<String>);

impl Identity<'_> {
    fn is(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a.equals(*b))
    }

    fn text(&self) -> String {
        let parts = self.0.iter().zip(&self.1).map(|(value, name)| format!("{name}={}", value.to_json()));
        format!("[{}]", parts.collect::<Vec<_>>().join(","))
    }
}

/// What tells an item of a list from the others, `None` in a list that is replaced as a whole; or the key that it lacks.
fn identity<'v>(item: Value<'v>, join: &Join, arena: &'v Arena) -> Result<Option<Identity<'v>>, String> {
    match join {
        Join::Atomic => Ok(None),
        Join::Set => Ok(Some(Identity(vec![item], vec![String::new()]))),
        Join::Keys(keys) => {
            let value = |key: &Key| {
                let default = || key.default.as_deref().map(|text| Value::string_in(arena, text));
                item.get(&key.name).filter(|it| !it.is_null()).or_else(default).ok_or_else(|| key.name.clone())
            };
            let values = keys.iter().map(value).collect::<Result<Vec<_>, _>>()?;
            Ok(Some(Identity(values, keys.iter().map(|key| key.name.clone()).collect())))
        }
    }
}

struct Joining<'v> {
    arena: &'v Arena,
}

impl<'v> Joining<'v> {
    fn value(&self, object: &mut Patched<'v>, part: Value<'v>, place: Place<'_>) {
        match (place.view(), part) {
            (View::Open | View::Map(false), Value::Map(map)) => self.map(object, map, place),
            (View::List(join @ (Join::Keys(_) | Join::Set), item), Value::List(list)) => {
                self.list(object, list, &join, item);
            }
            // What is there is not taken away by saying nothing.
            (View::Map(_) | View::List(..), Value::Null) if !is_empty(object) => {}
            _ => *object = Patched::Added(part),
        }
    }

    fn map(&self, object: &mut Patched<'v>, map: Map<'v>, place: Place<'_>) {
        if map.is_empty() {
            if is_empty(object) {
                *object = Patched::Added(Value::Map(map));
            }
            return;
        }
        if object.sort() != Sort::Map {
            *object = Patched::Map(Vec::new(), None);
        }
        let Some(entries) = object.entries() else { return };
        for (key, value) in map.iter() {
            let below = place.below(key).unwrap_or(Place::Open);
            match entries.iter_mut().find(|(known, _)| *known == key) {
                Some((_, entry)) => self.value(entry, value, below),
                None => entries.push((key, Patched::Added(value))),
            }
        }
    }

    /// Joins two lists item by item. What both have stands in the order of the parts, everything else as near as can be to
    /// where it stood.
    fn list(&self, object: &mut Patched<'v>, parts: List<'v>, join: &Join, place: Place<'_>) {
        let parts: Vec<Value<'v>> = parts.iter().collect();
        let (is_empty_before, origin) = (is_empty(object), origin(object));
        if parts.is_empty() || is_empty_before {
            if is_empty_before {
                *object = Patched::Added(Value::list_in(self.arena, &parts));
            }
            return;
        }
        let Some(items) = object.items() else {
            *object = Patched::Added(Value::list_in(self.arena, &parts));
            return;
        };
        let before: Vec<Patched<'v>> = std::mem::take(items);
        let of = |value: Value<'v>| identity(value, join, self.arena).ok().flatten();
        let old: Vec<_> = before.iter().map(|it| of(it.value(self.arena))).collect();
        let new: Vec<_> = parts.iter().map(|it| of(*it)).collect();
        let find = |list: &[Option<Identity<'v>>], wanted: &Option<Identity<'v>>| {
            let wanted = wanted.as_ref()?;
            list.iter().position(|it| it.as_ref().is_some_and(|it| it.is(wanted)))
        };
        let in_new: Vec<Option<usize>> = old.iter().map(|it| find(&new, it)).collect();
        let in_old: Vec<Option<usize>> = new.iter().map(|it| find(&old, it)).collect();
        let mut shared: VecDeque<usize> = (0..new.len()).filter(|at| in_old[*at].is_some()).collect();
        let mut next = shared.pop_front();
        let mut is_done = vec![false; new.len()];
        let mut out: Vec<Patched<'v>> = Vec::with_capacity(before.len() + parts.len());
        let joined = |old: usize, new: usize| {
            let mut item = before[old].clone();
            if matches!(join, Join::Keys(_)) {
                self.value(&mut item, parts[new], place);
            }
            item
        };
        let (mut at, mut part) = (0, 0);
        while at < before.len() || part < parts.len() {
            if at < before.len() && part < parts.len() {
                if in_new[at] == Some(part) {
                    out.push(joined(at, part));
                    is_done[part] = true;
                    (at, part, next) = (at + 1, part + 1, shared.pop_front());
                    continue;
                }
                // It has its turn when the parts come to it.
                if in_new[at].is_some() && next.is_some() && in_new[at] != next {
                    at += 1;
                    continue;
                }
            }
            if at < before.len() {
                match in_new[at] {
                    None => {
                        out.push(before[at].clone());
                        at += 1;
                        continue;
                    }
                    Some(new) if is_done[new] => at += 1,
                    Some(_) => {}
                }
            }
            if part < parts.len() {
                out.push(match in_old[part] {
                    Some(old) => joined(old, part),
                    None => Patched::Added(parts[part]),
                });
                is_done[part] = true;
                if next == Some(part) {
                    next = shared.pop_front();
                }
                part += 1;
            }
        }
        *object = Patched::List(out, origin);
    }
}

/// The node that a list was.
fn origin<'v>(object: &Patched<'v>) -> Option<Node<'v>> {
    match object {
        Patched::Kept(node) | Patched::List(_, Some(node)) => Some(*node),
        _ => None,
    }
}

fn is_empty(object: &Patched<'_>) -> bool {
    match object {
        Patched::Kept(node) => node.is_null() || ((node.is_list() || node.is_map()) && node.len() == 0),
        Patched::Added(Value::Null) => true,
        Patched::Added(Value::Map(map)) => map.len() == 0,
        Patched::Added(Value::List(list)) => list.len() == 0,
        Patched::Added(_) => false,
        Patched::Map(entries, _) => entries.is_empty(),
        Patched::List(items, _) => items.is_empty(),
    }
}
