//! Validation patterns, compiled: keys split from their anchors, in the order in which they are looked at.
//!
//! In: the value of a pattern, literal or after substitution. Out: a tree that the engine walks beside the resource.

use crate::{
    document::Node,
    expr::{List, Map, Number, Value, scalar::ScalarPattern},
    span::Span,
};

/// The mark around a key that says when its value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// `key`.
    Plain,
    /// `(key)`: the siblings count only if this holds.
    Condition,
    /// `=(key)`: counts only if the key is there.
    Equality,
    /// `X(key)`: the key must be absent.
    Negation,
    /// `^(key)`: at least one item of the list must hold.
    Existence,
    /// `<(key)`: the whole rule counts only if this holds.
    Global,
    /// `+(key)`: for mutation only.
    Addition,
}

impl Anchor {
    /// Splits a key into its anchor and the key inside.
    pub(crate) fn split(raw: &str) -> (Self, &str) {
        let trimmed = raw.trim();
        let Some(open) = trimmed.find('(').filter(|at| *at <= 1) else { return (Anchor::Plain, raw) };
        let Some(inside) = trimmed[open + 1..].strip_suffix(')').filter(|inside| !inside.is_empty()) else {
            return (Anchor::Plain, raw);
        };
        let anchor = match &trimmed[..open] {
            "" => Anchor::Condition,
            "=" => Anchor::Equality,
            "X" => Anchor::Negation,
            "^" => Anchor::Existence,
            "<" => Anchor::Global,
            "+" => Anchor::Addition,
            _ => return (Anchor::Plain, raw),
        };
        (anchor, inside)
    }

    /// Whether keys with this anchor are looked at before all others.
    const fn goes_first(self) -> bool {
        matches!(self, Anchor::Condition | Anchor::Equality | Anchor::Negation | Anchor::Existence)
    }
}

/// A compiled pattern with its place in the policy.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    /// What must hold.
    pub form: Form,
    /// Where it stands in the file of the policy; `None` below a key that a variable made.
    pub span: Option<Span>,
}

/// What a pattern asks of a value.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    /// A map.
    Map(MapPattern),
    /// A list each of whose items must match the one pattern.
    Each(Box<Pattern>),
    /// A list compared place by place.
    Places(Vec<Pattern>),
    /// `[]`, which nothing matches.
    Nothing,
    /// A scalar, or a list of scalars each of which must satisfy it.
    Scalar(ScalarPattern),
    /// A list each of whose items must satisfy the scalar.
    EachScalar(ScalarPattern),
}

/// The keys of a map pattern.
#[derive(Clone, Debug)]
pub(crate) struct MapPattern {
    /// Keys with `( )`, `=( )`, `X( )` and `^( )`, ascending.
    pub anchored: Vec<Entry>,
    /// All other keys: those with anchors below first, from the last to the first; then the rest, ascending.
    pub plain: Vec<Entry>,
    /// Whether this is `labels` or `annotations` below `metadata`, where keys may hold wildcards and only texts count.
    pub metadata: bool,
}

/// One key of a map pattern.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The key as written, with its anchor.
    pub raw: String,
    /// The key inside the anchor.
    pub key: String,
    /// The anchor.
    pub anchor: Anchor,
    /// What the value must match.
    pub pattern: Pattern,
    /// Whether the value is the text `*`.
    pub star: bool,
    /// Whether the key holds `*` or `?`.
    pub wild: bool,
    /// Whether the value is a text.
    pub text: bool,
    /// For `^( )`: the items of the list, each of which must be found. `None` when the value is no list of maps.
    pub items: Option<Vec<Pattern>>,
}

/// Whether integers of the pattern are compared as floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// As written: `pattern`.
    Exact,
    /// Kyverno: as floats: `anyPattern`.
    Floats,
}

impl Pattern {
    /// Compiles a pattern. `node` is where the value stands in the policy, when it stands there.
    pub(crate) fn compile(value: Value<'_>, node: Option<Node<'_>>, numbers: Numbers) -> Self {
        compile(value, node, numbers, Parent::Other)
    }
}

/// What a map pattern stands in, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parent {
    Metadata,
    LabelsOrAnnotations,
    Other,
}

fn compile(value: Value<'_>, node: Option<Node<'_>>, numbers: Numbers, parent: Parent) -> Pattern {
    let mut span = node.map(Node::span);
    let form = match value {
        Value::Map(map) => Form::Map(compile_map(map, node, numbers, parent)),
        Value::List(list) => compile_list(list, node, numbers),
        Value::Number(Number::Int(value)) if numbers == Numbers::Floats => {
            Form::Scalar(ScalarPattern::compile(Value::float(value as f64)))
        }
        scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            Form::Scalar(ScalarPattern::compile(scalar))
        }
    };
    if let (Form::EachScalar(_), Some(item)) = (&form, part(node, |list| list.items().next())) {
        span = Some(item.span());
    }
    Pattern { form, span }
}

/// A part of a pattern in the policy. What a variable inserted has no parts there: all of it stands where the variable is.
fn part<'d>(node: Option<Node<'d>>, of: impl FnOnce(Node<'d>) -> Option<Node<'d>>) -> Option<Node<'d>> {
    let node = node?;
    if node.is_map() || node.is_list() { of(node) } else { Some(node) }
}

/// The items of a list pattern, each with its place.
fn items<'v, 'd>(list: List<'v>, node: Option<Node<'d>>) -> impl Iterator<Item = (Value<'v>, Option<Node<'d>>)> {
    let mut nodes = node.into_iter().flat_map(Node::items);
    list.iter().map(move |item| (item, part(node, |_| nodes.next())))
}

fn compile_list(list: List<'_>, node: Option<Node<'_>>, numbers: Numbers) -> Form {
    let Some((first, first_node)) = items(list, node).next() else { return Form::Nothing };
    let first_pattern = || compile(first, first_node, numbers, Parent::Other);
    match first {
        Value::Map(_) => Form::Each(Box::new(first_pattern())),
        Value::List(_) => {
            Form::Places(items(list, node).map(|(item, node)| compile(item, node, numbers, Parent::Other)).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => match first_pattern().form {
            Form::Scalar(scalar) => Form::EachScalar(scalar),
            other => other,
        },
    }
}

fn compile_map(map: Map<'_>, node: Option<Node<'_>>, numbers: Numbers, parent: Parent) -> MapPattern {
    let metadata = parent == Parent::LabelsOrAnnotations;
    let mut entries: Vec<Entry> = map
        .iter()
        .map(|(raw, value)| {
            let (anchor, key) = Anchor::split(raw);
            let child_node = part(node, |map| map.get(raw));
            let child = match (parent, key) {
                (_, "metadata") => Parent::Metadata,
                (Parent::Metadata, "labels" | "annotations") => Parent::LabelsOrAnnotations,
                _ => Parent::Other,
            };
            let items = (anchor == Anchor::Existence).then(|| existence_items(value, child_node, numbers)).flatten();
            Entry {
                raw: raw.to_owned(),
                key: key.to_owned(),
                anchor,
                pattern: compile(value, child_node, numbers, child),
                star: value.as_str() == Some("*"),
                wild: metadata && key.contains(['*', '?']),
                text: value.as_str().is_some(),
                items,
            }
        })
        .collect();
    entries.sort_by(|a, b| a.raw.cmp(&b.raw));
    let (anchored, rest): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.anchor.goes_first());
    let (mut plain, last): (Vec<_>, Vec<_>) =
        rest.into_iter().partition(|entry| entry.anchor == Anchor::Global || has_anchor(&entry.pattern));
    plain.reverse();
    plain.extend(last);
    MapPattern { anchored, plain, metadata }
}

fn existence_items(value: Value<'_>, node: Option<Node<'_>>, numbers: Numbers) -> Option<Vec<Pattern>> {
    let Value::List(list) = value else { return None };
    items(list, node)
        .map(|(item, node)| match item {
            Value::Map(_) => Some(compile(item, node, numbers, Parent::Other)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::List(_) => None,
        })
        .collect()
}

/// Whether an anchor stands anywhere in the pattern.
fn has_anchor(pattern: &Pattern) -> bool {
    match &pattern.form {
        Form::Map(map) => {
            !map.anchored.is_empty()
                || map.plain.iter().any(|entry| entry.anchor == Anchor::Global || has_anchor(&entry.pattern))
        }
        Form::Each(item) => has_anchor(item),
        Form::Places(items) => items.iter().any(has_anchor),
        Form::Nothing | Form::Scalar(_) | Form::EachScalar(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_split_as_kyverno_splits_them() {
        assert_eq!(Anchor::split("(a)"), (Anchor::Condition, "a"));
        assert_eq!(Anchor::split(" =( a)"), (Anchor::Equality, " a"));
        assert_eq!(Anchor::split("((a))"), (Anchor::Condition, "(a)"));
        assert_eq!(Anchor::split("Z(a)"), (Anchor::Plain, "Z(a)"));
        assert_eq!(Anchor::split("()"), (Anchor::Plain, "()"));
        assert_eq!(Anchor::split("a(b)"), (Anchor::Plain, "a(b)"));
        assert_eq!(Anchor::split("^(l)"), (Anchor::Existence, "l"));
    }
}
