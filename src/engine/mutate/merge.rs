//! Strategic merge: a patch without anchors into an object.
//!
//! In: an object, a patch, what is known of the object's type. Out: the object with the patch in it. Lists with a merge
//! key put what the patch names in front, sets keep each value once, all other lists are replaced.

use std::fmt;

use super::{
    patch::{Entries, Patch},
    patched::{Patched, Sort},
};
use crate::{
    expr::{Arena, Value},
    k8s::merge_keys::{ListRule, Place},
};

/// The key of a directive.
const DIRECTIVE: &str = "$patch";

/// Merges a patch into an object.
///
/// # Errors
/// The text for a map, list or scalar that meets another of these.
pub(super) fn merge<'v>(
    object: &mut Patched<'v>,
    patch: Patch<'v>,
    place: Place,
    arena: &'v Arena,
) -> Result<(), String> {
    match patch {
        Patch::Map(entries) => Merging { arena }.map(object, entries, place, &Trail { above: None, key: "" }),
        Patch::Scalar(_) | Patch::List(_) => Err("the patch is no map".to_owned()),
    }
}

/// A path of keys that is written out when something is wrong there.
struct Trail<'t> {
    above: Option<&'t Trail<'t>>,
    key: &'t str,
}

impl Trail<'_> {
    fn below<'t>(&'t self, key: &'t str) -> Trail<'t> {
        Trail { above: Some(self), key }
    }
}

impl fmt::Display for Trail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.above {
            Some(above) => write!(f, "{above}/{}", self.key),
            None => Ok(()),
        }
    }
}

struct Merging<'v> {
    arena: &'v Arena,
}

/// What a map of a patch says of itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

impl<'v> Merging<'v> {
    fn map(&self, object: &mut Patched<'v>, patch: Entries<'v>, place: Place, path: &Trail<'_>) -> Result<(), String> {
        let found = object.sort();
        let Some(entries) = object.entries() else { return Err(clash(path, Sort::Map, found)) };
        for (key, value) in patch {
            if key == DIRECTIVE {
                continue;
            }
            let at = entries.iter().position(|(name, _)| *name == key);
            let current = at.map(|at| entries[at].1.sort()).filter(|sort| *sort != Sort::Null);
            let merged = match (value, current) {
                (Patch::Scalar(Value::Null), _) => None,
                (Patch::Scalar(value), None | Some(Sort::Scalar)) => Some(Patched::Added(value)),
                (Patch::Scalar(_), Some(found)) => return Err(clash(&path.below(key), Sort::Scalar, found)),
                (Patch::Map(patch), current) => match (directive(&patch), at, current) {
                    (Directive::Delete, _, _) => None,
                    (Directive::Merge, Some(at), Some(_)) => {
                        self.map(&mut entries[at].1, patch, place.below(key), &path.below(key))?;
                        continue;
                    }
                    _ => Some(fresh(Patch::Map(patch))),
                },
                (Patch::List(patch), None) => {
                    Some(self.list(&mut Vec::new(), patch, place.rule(key), place.below(key), path)?)
                }
                (Patch::List(patch), Some(_)) => {
                    let Some(at) = at else { continue };
                    let path = path.below(key);
                    let found = entries[at].1.sort();
                    let origin = match &entries[at].1 {
                        Patched::Kept(node) | Patched::List(_, Some(node)) => Some(*node),
                        _ => None,
                    };
                    let Some(items) = entries[at].1.items() else { return Err(clash(&path, Sort::List, found)) };
                    let mut items = std::mem::take(items);
                    let merged = self.list(&mut items, patch, place.rule(key), place.below(key), &path)?;
                    Some(match merged {
                        Patched::List(items, _) => Patched::List(items, origin),
                        other => other,
                    })
                }
            };
            match (merged, at) {
                (Some(part), Some(at)) => entries[at].1 = part,
                (Some(part), None) => entries.push((key, part)),
                (None, Some(at)) => {
                    entries.remove(at);
                }
                (None, None) => {}
            }
        }
        Ok(())
    }

    fn list(
        &self,
        object: &mut Vec<Patched<'v>>,
        patch: Vec<Patch<'v>>,
        rule: ListRule,
        place: Place,
        path: &Trail<'_>,
    ) -> Result<Patched<'v>, String> {
        let all = |items: Vec<Patch<'v>>| items.into_iter().map(|it| fresh(it)).collect::<Vec<_>>();
        let items = match rule {
            // Kyverno: a list without items takes the place of any other.
            _ if patch.is_empty() => Vec::new(),
            ListRule::Replace => all(patch),
            ListRule::Union => {
                let mut out: Vec<Patched<'v>> = Vec::new();
                for part in all(patch).into_iter().chain(object.drain(..)) {
                    let value = part.value(self.arena);
                    if !out.iter().any(|known| known.value(self.arena).equals(value)) {
                        out.push(part);
                    }
                }
                out
            }
            ListRule::Keys(keys) => return self.keyed(object, patch, keys, place, path),
        };
        Ok(Patched::List(items, None))
    }

    /// A list whose items are merged by keys.
    fn keyed(
        &self,
        object: &mut Vec<Patched<'v>>,
        patch: Vec<Patch<'v>>,
        keys: &[&str],
        place: Place,
        path: &Trail<'_>,
    ) -> Result<Patched<'v>, String> {
        let is_replaced = patch.iter().any(|item| matches!(item, Patch::Map(entries) if is_replacement(entries)));
        let (keyed, keyless): (Vec<_>, Vec<_>) = patch.into_iter().partition(|item| has_key(item, keys[0]));
        // Kyverno: one item without its key, and nothing that the object has is found again.
        let is_keyless = keyless.iter().any(|item| !matches!(item, Patch::Map(entries) if is_replacement(entries)));
        if is_replaced || is_keyless {
            return Ok(Patched::List(keyed.into_iter().map(|it| fresh(it)).collect(), None));
        }
        let mut before: Vec<Patched<'v>> = Vec::new();
        let mut seen: Vec<Vec<Option<Value<'v>>>> = Vec::new();
        for item in keyed {
            let Patch::Map(entries) = item else { continue };
            let key: Vec<Option<Value<'v>>> = keys
                .iter()
                .map(|key| entries.iter().find(|(name, _)| name == key).map(|(_, it)| it.value(self.arena)))
                .collect();
            if seen.iter().any(|known| is_same(known, &key)) {
                continue;
            }
            let at = object.iter().position(|it| {
                let found: Vec<_> = keys.iter().map(|key| it.get(key, self.arena)).collect();
                is_same(&found, &key)
            });
            seen.push(key);
            match (directive(&entries), at) {
                (Directive::Delete, Some(at)) => {
                    object.remove(at);
                }
                (Directive::Delete, None) => {}
                (Directive::Replace, Some(at)) => {
                    object[at] = fresh(Patch::Map(entries));
                }
                (Directive::Merge, Some(at)) if keys.len() > 1 => {
                    self.map(&mut object[at], entries, place, path)?;
                }
                (Directive::Merge, Some(at)) => {
                    let mut part = object.remove(at);
                    self.map(&mut part, entries, place, path)?;
                    before.push(part);
                }
                (Directive::Merge | Directive::Replace, None) => before.push(fresh(Patch::Map(entries))),
            }
        }
        before.append(object);
        Ok(Patched::List(before, None))
    }
}

/// A part of a patch that meets nothing: without directives and without what it deletes.
fn fresh(patch: Patch<'_>) -> Patched<'_> {
    match patch {
        Patch::Scalar(value) => Patched::Added(value),
        Patch::List(items) => Patched::List(items.into_iter().map(|it| fresh(it)).collect(), None),
        Patch::Map(entries) => {
            let kept = entries.into_iter().filter(|(key, value)| {
                let deletes = match value {
                    Patch::Scalar(value) => value.is_null(),
                    Patch::Map(entries) => directive(entries) == Directive::Delete,
                    Patch::List(_) => false,
                };
                *key != DIRECTIVE && !deletes
            });
            Patched::Map(kept.map(|(key, value)| (key, fresh(value))).collect(), None)
        }
    }
}

fn directive(entries: &[(&str, Patch<'_>)]) -> Directive {
    let text = entries.iter().find(|(key, _)| *key == DIRECTIVE).map(|(_, value)| value);
    match text {
        Some(Patch::Scalar(Value::String("replace"))) => Directive::Replace,
        Some(Patch::Scalar(Value::String("delete"))) => Directive::Delete,
        _ => Directive::Merge,
    }
}

/// Whether an item is `$patch: replace` and nothing else.
fn is_replacement(entries: &[(&str, Patch<'_>)]) -> bool {
    entries.len() == 1 && directive(entries) == Directive::Replace
}

fn has_key(item: &Patch<'_>, key: &str) -> bool {
    match item {
        Patch::Map(entries) => {
            entries.iter().any(|(name, value)| *name == key && !matches!(value, Patch::Scalar(Value::Null)))
        }
        Patch::Scalar(_) | Patch::List(_) => false,
    }
}

/// Whether two items have the same keys; the first one must be there, others may be missing on either side.
fn is_same(a: &[Option<Value<'_>>], b: &[Option<Value<'_>>]) -> bool {
    a.iter().zip(b).enumerate().all(|(index, pair)| match pair {
        (Some(a), Some(b)) => a.equals(*b),
        _ => index > 0,
    })
}

fn clash(path: &Trail<'_>, wanted: Sort, found: Sort) -> String {
    let name = |sort| match sort {
        Sort::Null => "null",
        Sort::Scalar => "a scalar",
        Sort::List => "a list",
        Sort::Map => "a map",
    };
    format!("wrong kind of node at {path}: the patch has {}, the object {}", name(wanted), name(found))
}
