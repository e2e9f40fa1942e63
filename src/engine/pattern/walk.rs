//! The walk over pattern and resource.
//!
//! The order in which keys are looked at, and when a mismatch of one anchor swallows another, are Kyverno's; they
//! decide between `fail` and `skip`, so they are kept exactly. Cases: `tests/engine/pattern/`.

#![expect(clippy::unnecessary_box_returns, clippy::vec_box, reason = "keeps the many steps that match small")]

use std::fmt::{self, Write as _};

use super::notes::{self, Notes};
use crate::{
    document::Node,
    expr::{List, Map, Value, operator::go_text},
    policy::classic::pattern::{Anchor, Entry, Form, MapPattern, Pattern},
    span::Span,
};

/// What a mismatch means for the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MismatchClass {
    /// The resource breaks the rule.
    Fail,
    /// A condition or global anchor doesn't hold: the rule doesn't count.
    Skip,
    /// The pattern can't be applied.
    Error,
}

/// The first mismatch.
#[derive(Clone, Debug)]
pub(crate) struct Mismatch {
    /// What it means.
    pub class: MismatchClass,
    /// Where, in Kyverno's notation; empty when the walk has no place for it.
    pub path: String,
    /// What was found and wanted, in Kyverno's words.
    pub text: String,
    /// The offending value in the resource, or the heading of its nearest parent that exists.
    pub value: Option<Span>,
    /// What stands there, in words.
    pub found: String,
    /// The clause of the pattern.
    pub clause: Option<Span>,
}

/// Where the walk is: printed only for mismatches.
#[derive(Clone, Copy)]
enum Place<'p> {
    Root,
    Key(&'p Place<'p>, &'p str),
    Index(&'p Place<'p>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Root => f.write_char('/'),
            Place::Key(parent, key) => write!(f, "{parent}{key}/"),
            Place::Index(parent, index) => write!(f, "{parent}{index}/"),
        }
    }
}

/// Where to point for a mismatch. Most walks end without one, so the span is worked out only then.
#[derive(Clone, Copy)]
enum Spot<'v> {
    /// What the caller has chosen.
    Given(Option<Span>),
    /// A value.
    At(Node<'v>),
    /// The parent of something that is missing.
    Heading(Node<'v>),
    /// The value under a key of a map that has it.
    Entry(Node<'v>, &'v str),
    /// An item of a list that has it.
    Item(Node<'v>, usize),
}

impl<'v> Spot<'v> {
    /// The value of an entry that is there, if the map stands in a document; else what is nearest to it.
    fn entry(map: Map<'v>, key: &'v str, present: bool, nearest: Self) -> Self {
        match map {
            Map::Node(node) if present => Spot::Entry(node, key),
            Map::Node(_) | Map::Entries(_) | Map::Partial(_) => nearest,
        }
    }

    /// An item, if the list stands in a document; else what is nearest to it.
    fn item(list: List<'v>, index: usize, nearest: Self) -> Self {
        match list {
            List::Node(node) => Spot::Item(node, index),
            List::Items(_) => nearest,
        }
    }

    fn span(self) -> Option<Span> {
        match self {
            Spot::Given(span) => span,
            Spot::At(node) => Some(node.span()),
            Spot::Heading(node) => Some(node.heading()),
            Spot::Entry(map, key) => map.get(key).map(Node::span),
            Spot::Item(list, index) => list.items().nth(index).map(Node::span),
        }
    }
}

/// How a mismatch travels upward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Fail,
    /// A skip of this level or handed up unchanged.
    RawSkip,
    /// A skip of a nested map or list as a whole.
    JoinedSkip,
    /// The pattern can't be applied.
    Error,
}

struct Stop {
    class: Class,
    path: String,
    text: String,
    value: Option<Span>,
    found: String,
    clause: Option<Span>,
}

type Step = Result<(), Box<Stop>>;

/// The keys with `( )` and `^( )` that were looked at, and whether they were ever found.
#[derive(Default)]
struct Seen<'p> {
    keys: Vec<(&'p str, bool)>,
}

impl<'p> Seen<'p> {
    fn note(&mut self, raw: &'p str, found: bool) {
        match self.keys.iter_mut().find(|(known, _)| *known == raw) {
            Some(entry) => entry.1 |= found,
            None => self.keys.push((raw, found)),
        }
    }

    fn never_found(&self) -> bool {
        self.keys.iter().any(|(_, found)| !found)
    }
}

/// Matches a value with a pattern.
///
/// `nearest` is where to point when the value itself is wrong or lacks something.
pub(crate) fn matches(pattern: &Pattern, value: Value<'_>, nearest: Option<Span>) -> Result<(), Mismatch> {
    matches_noting(pattern, value, nearest, None)
}

/// The same; what each anchor came to is noted.
pub(crate) fn matches_noting(
    pattern: &Pattern,
    value: Value<'_>,
    nearest: Option<Span>,
    notes: Option<&Notes>,
) -> Result<(), Mismatch> {
    let mut walk = Walk { seen: Seen::default(), notes };
    let Err(stop) = walk.node(pattern, value, Place::Root, Spot::Given(nearest)) else { return Ok(()) };
    let class = match stop.class {
        Class::RawSkip | Class::JoinedSkip => MismatchClass::Skip,
        Class::Fail if stop.text.starts_with(NEGATION) => MismatchClass::Fail,
        // Kyverno: a `( )` or `^( )` key that was never found makes a failure an error.
        Class::Fail if walk.seen.never_found() => MismatchClass::Error,
        Class::Fail if stop.path.is_empty() => MismatchClass::Error,
        Class::Fail => MismatchClass::Fail,
        Class::Error => MismatchClass::Error,
    };
    let Stop { path, text, value, found, clause, .. } = *stop;
    Err(Mismatch { class, path, text, value, found, clause })
}

const NEGATION: &str = "negation anchor matched in resource";
const CONDITION: &str = "conditional anchor mismatch: ";
const GLOBAL: &str = "global anchor mismatch: ";

struct Walk<'p> {
    seen: Seen<'p>,
    notes: Option<&'p Notes>,
}

impl<'p> Walk<'p> {
    fn node<'v>(&mut self, pattern: &'p Pattern, value: Value<'v>, place: Place<'_>, nearest: Spot<'v>) -> Step {
        // The whole resource is no place to point at, so the caller has chosen one for the root.
        let (nearest, heading) = match (place, value.node()) {
            (Place::Key(..) | Place::Index(..), Some(node)) => (Spot::At(node), Spot::Heading(node)),
            (Place::Root, _) | (_, None) => (nearest, nearest),
        };
        match (&pattern.form, value) {
            (Form::Map(map), Value::Map(resource)) => self.map(map, resource, place, heading),
            (Form::Each(item), Value::List(list)) => self.each(item, list, place, nearest),
            (Form::EachScalar(scalar), Value::List(list)) => {
                every(list, |item| scalar.matches(item), || mismatch(pattern, value, place, nearest))
            }
            (Form::Places(items), Value::List(list)) => self.places(items, list, place, nearest),
            (Form::Scalar(scalar), Value::List(list)) => {
                let matches = |item| !matches!(item, Value::Map(_) | Value::List(_)) && scalar.matches(item);
                every(list, matches, || mismatch(pattern, value, place, nearest))
            }
            (Form::Scalar(scalar), _) => {
                if scalar.matches(value) {
                    Ok(())
                } else {
                    Err(mismatch(pattern, value, place, nearest))
                }
            }
            (Form::Nothing, _) => Err(mismatch(pattern, value, place, nearest)),
            (Form::Map(_) | Form::Each(_) | Form::EachScalar(_) | Form::Places(_), _) => {
                let wanted =
                    if matches!(pattern.form, Form::Map(_)) { "map[string]interface {}" } else { "[]interface {}" };
                let text = format!(
                    "Pattern and resource have different structures. Path: {place}. Expected {wanted}, found {}",
                    go_type(value)
                );
                Err(stop(Class::Fail, place, text, nearest.span(), found(value), pattern.span))
            }
        }
    }

    fn each<'v>(&mut self, pattern: &'p Pattern, list: List<'v>, place: Place<'_>, nearest: Spot<'v>) -> Step {
        let mut applied = false;
        let mut skipped: Vec<Box<Stop>> = Vec::new();
        let mut any = false;
        for (index, item) in list.iter().enumerate() {
            any = true;
            match self.node(pattern, item, Place::Index(&place, index), Spot::item(list, index, nearest)) {
                Ok(()) => applied = true,
                Err(stop) if matches!(stop.class, Class::RawSkip | Class::JoinedSkip) => skipped.push(stop),
                Err(stop) => return Err(stop),
            }
        }
        if applied || !any { Ok(()) } else { Err(joined(skipped)) }
    }

    fn places<'v>(&mut self, items: &'p [Pattern], list: List<'v>, place: Place<'_>, nearest: Spot<'v>) -> Step {
        let count = list.len();
        if count < items.len() {
            let text = format!(
                "validate Array failed, array length mismatch, resource Array len is {count} and pattern Array len is {}",
                items.len()
            );
            return Err(Box::new(Stop {
                class: Class::Error,
                path: String::new(),
                text,
                value: nearest.span(),
                found: format!("{count} items"),
                clause: items.first().and_then(|item| item.span),
            }));
        }
        for (index, (pattern, item)) in items.iter().zip(list.iter()).enumerate() {
            self.node(pattern, item, Place::Index(&place, index), Spot::item(list, index, nearest))?;
        }
        Ok(())
    }

    fn map<'v>(&mut self, pattern: &'p MapPattern, resource: Map<'v>, place: Place<'_>, nearest: Spot<'v>) -> Step {
        let mut applied = false;
        let mut raw_skip = false;
        let mut skipped: Vec<Box<Stop>> = Vec::new();
        for entry in &pattern.anchored {
            if pattern.metadata && !entry.text {
                continue;
            }
            let key = actual_key(entry, resource);
            let at = notes::begin(self.notes);
            let step = self.anchored(entry, key, resource, place, nearest);
            self.note(at, (entry, key), resource, place, step.is_ok());
            match step {
                Ok(()) => applied = true,
                Err(stop) => match stop.class {
                    Class::RawSkip => {
                        raw_skip = true;
                        skipped.push(stop);
                    }
                    Class::JoinedSkip => skipped.push(stop),
                    // Kyverno: once a condition doesn't hold, failures of later anchors no longer count.
                    Class::Fail | Class::Error if raw_skip => {}
                    Class::Fail | Class::Error => return Err(stop),
                },
            }
        }
        if !skipped.is_empty() {
            if !applied {
                return Err(joined(skipped));
            }
            if raw_skip {
                let first = skipped.into_iter().find(|stop| stop.class == Class::RawSkip);
                return first.map_or(Ok(()), Err);
            }
        }
        for entry in &pattern.plain {
            if pattern.metadata && !entry.text {
                continue;
            }
            let key = actual_key(entry, resource);
            let at = notes::begin(self.notes);
            let step = self.plain(entry, key, resource, place, nearest);
            if entry.anchor == Anchor::Global {
                self.note(at, (entry, key), resource, place, step.is_ok());
            }
            step?;
        }
        Ok(())
    }

    fn note(&self, at: usize, (entry, key): (&Entry, &str), resource: Map<'_>, place: Place<'_>, holds: bool) {
        if self.notes.is_some() {
            let below = Place::Key(&place, key);
            let found = resource.get(key).is_some();
            notes::end(self.notes, at, (entry.anchor, &entry.raw, &below, entry.pattern.span), (found, holds));
        }
    }

    fn anchored<'v>(
        &mut self,
        entry: &'p Entry,
        key: &'v str,
        resource: Map<'v>,
        place: Place<'_>,
        nearest: Spot<'v>,
    ) -> Step {
        let below = Place::Key(&place, key);
        let present = resource.get(key);
        let spot = Spot::entry(resource, key, present.is_some(), nearest);
        let clause = entry.pattern.span;
        match entry.anchor {
            Anchor::Condition => {
                self.seen.note(&entry.raw, present.is_some());
                let Some(value) = present else {
                    let text = format!("{CONDITION}conditional anchor key doesn't exist in the resource");
                    return Err(stop(Class::RawSkip, below, text, nearest.span(), "absent".to_owned(), clause));
                };
                self.node(&entry.pattern, value, below, spot).map_err(|mut stop| {
                    stop.class = Class::RawSkip;
                    stop.text.insert_str(0, CONDITION);
                    stop
                })
            }
            Anchor::Equality => match present {
                Some(value) => self.node(&entry.pattern, value, below, spot),
                None => Ok(()),
            },
            Anchor::Negation => match present {
                Some(value) => {
                    let text = format!("{NEGATION}: {} is not allowed", below.to_string().trim_end_matches('/'));
                    Err(stop(Class::Fail, below, text, entry_span(resource, key).or(spot.span()), found(value), clause))
                }
                None => Ok(()),
            },
            Anchor::Existence => {
                self.seen.note(&entry.raw, present.is_some());
                let Some(value) = present else { return Ok(()) };
                let missing = |text: String| stop(Class::Fail, below, text, spot.span(), found(value), clause);
                let Value::List(list) = value else {
                    return Err(missing(format!(
                        "Invalid resource type {}: existence ^ () anchor can be used only on list/array type resource",
                        go_type(value)
                    )));
                };
                let Some(items) = &entry.items else {
                    return Err(missing(
                        "Invalid pattern type: Pattern has to be of list to compare against resource".to_owned(),
                    ));
                };
                for wanted in items {
                    let found = list.iter().enumerate().any(|(index, item)| {
                        self.node(wanted, item, Place::Index(&below, index), Spot::item(list, index, spot)).is_ok()
                    });
                    if !found {
                        return Err(missing(format!("existence anchor validation failed at path {below}")));
                    }
                }
                Ok(())
            }
            Anchor::Plain | Anchor::Global | Anchor::Addition => self.plain(entry, key, resource, place, nearest),
        }
    }

    fn plain<'v>(
        &mut self,
        entry: &'p Entry,
        key: &'v str,
        resource: Map<'v>,
        place: Place<'_>,
        nearest: Spot<'v>,
    ) -> Step {
        let below = Place::Key(&place, key);
        let present = resource.get(key);
        let spot = Spot::entry(resource, key, present.is_some(), nearest);
        if entry.anchor == Anchor::Global {
            let Some(value) = present else { return Ok(()) };
            return self.node(&entry.pattern, value, below, spot).map_err(|mut stop| {
                stop.class = Class::RawSkip;
                stop.text.insert_str(0, GLOBAL);
                stop
            });
        }
        let value = present.unwrap_or(Value::Null);
        if entry.star {
            if !value.is_null() {
                return Ok(());
            }
            // Kyverno: for `*` the path is that of the parent.
            let text = format!("resource value '{}' does not match '*' at path {below}", go_text(value));
            return Err(stop(Class::Fail, place, text, spot.span(), missing(key), entry.pattern.span));
        }
        let mut step = self.node(&entry.pattern, value, below, spot);
        if let (Err(stop), None) = (&mut step, present)
            && stop.found == "null"
        {
            stop.found = missing(key);
        }
        step
    }
}

/// The key of the resource that a key of a pattern stands for: itself, or the first that its wildcards match.
fn actual_key<'k>(entry: &'k Entry, resource: Map<'k>) -> &'k str {
    if !entry.wild {
        return &entry.key;
    }
    resource.iter().map(|(key, _)| key).find(|key| crate::k8s::wildcard::matches(&entry.key, key)).unwrap_or(&entry.key)
}

fn missing(key: &str) -> String {
    format!("`{key}` is missing")
}

fn mismatch(pattern: &Pattern, value: Value<'_>, place: Place<'_>, nearest: Spot<'_>) -> Box<Stop> {
    let wanted = match &pattern.form {
        Form::Scalar(scalar) | Form::EachScalar(scalar) => scalar.source().to_owned(),
        Form::Map(_) | Form::Each(_) | Form::Places(_) | Form::Nothing => "[]".to_owned(),
    };
    let text = format!("resource value '{}' does not match '{wanted}' at path {place}", go_text(value));
    stop(Class::Fail, place, text, nearest.span(), found(value), pattern.span)
}

fn stop(
    class: Class,
    place: Place<'_>,
    text: String,
    value: Option<Span>,
    found: String,
    clause: Option<Span>,
) -> Box<Stop> {
    Box::new(Stop { class, path: place.to_string(), text, value, found, clause })
}

/// Each item must match. Kyverno: the mismatch is that of the whole list; the item is where to look.
fn every<'v>(list: List<'v>, matches: impl Fn(Value<'v>) -> bool, mismatch: impl FnOnce() -> Box<Stop>) -> Step {
    let Some((index, item)) = list.iter().enumerate().find(|(_, item)| !matches(*item)) else { return Ok(()) };
    let mut stop = mismatch();
    stop.value = Spot::item(list, index, Spot::Given(stop.value)).span();
    stop.found = found(item);
    Err(stop)
}

/// Several skips as one.
fn joined(skipped: Vec<Box<Stop>>) -> Box<Stop> {
    let text = skipped.iter().map(|stop| stop.text.as_str()).collect::<Vec<_>>().join("; ");
    let mut first = skipped
        .into_iter()
        .next()
        .unwrap_or_else(|| stop(Class::JoinedSkip, Place::Root, String::new(), None, String::new(), None));
    first.class = Class::JoinedSkip;
    first.text = text;
    first
}

/// A value in words, short.
fn found(value: Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => format!("found {}", go_text(value)),
        Value::String(text) if text.len() <= 40 => format!("found {text:?}"),
        Value::String(_) => "found another text".to_owned(),
        Value::List(list) => format!("found a list of {}", list.len()),
        Value::Map(_) => "found a map".to_owned(),
    }
}

fn go_type(value: Value<'_>) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::List(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
    }
}

/// Key and value: what must go away.
fn entry_span(map: Map<'_>, key: &str) -> Option<Span> {
    let Map::Node(node) = map else { return None };
    let value = node.get(key)?;
    let (start, end) = (value.key_span().start, value.span().end);
    Some(if start <= end { Span::new(start, end) } else { value.span() })
}
