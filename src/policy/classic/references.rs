//! References `$(…)` in patterns: a leaf that repeats another leaf of the same pattern.
//!
//! In: a document whose root is a rule, and the pattern in it. Out: the same rule with each reference replaced by the
//! text of the leaf that it names. Only relative references are replaced: Kyverno looks absolute ones up in the rule when
//! it validates a policy and in the pattern alone when it runs it, so that those which are valid fail for each resource.

use crate::{
    document::{Builder, Document, Kind, Node, NodeId},
    policy::error::Problem,
};

use super::pattern::Anchor;

/// The first reference in a tree, as written.
pub(crate) fn first(node: Node<'_>) -> Option<&str> {
    match node.kind() {
        Kind::String(text) => find(text, 0).map(|(start, end)| &text[start..end]),
        Kind::List => node.items().find_map(first),
        Kind::Map => node.entries().find_map(|(_, value)| first(value)),
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => None,
    }
}

/// Whether a pattern of a `validate` block, or of a `foreach` in it, holds a reference.
pub(crate) fn in_patterns(check: Node<'_>) -> bool {
    let of_check =
        ["pattern", "anyPattern"].into_iter().any(|key| check.get(key).is_some_and(|it| first(it).is_some()));
    of_check || check.get("foreach").is_some_and(|list| list.items().any(in_patterns))
}

/// A copy of `root` in which the references below it are resolved.
pub(crate) fn resolve(root: Node<'_>, report: &mut dyn FnMut(Node<'_>, Problem)) -> Document {
    let mut builder = Builder::new(std::sync::Arc::clone(root.file()));
    let id = copy(root, root, &mut Vec::new(), &mut builder, report);
    let mut document = builder.finish(id);
    document.set_integers(root.document().integers());
    document
}

#[derive(Clone)]
enum Step {
    Key(String),
    Index(usize),
}

fn copy(
    root: Node<'_>,
    node: Node<'_>,
    path: &mut Vec<Step>,
    builder: &mut Builder,
    report: &mut dyn FnMut(Node<'_>, Problem),
) -> NodeId {
    match node.kind() {
        Kind::String(text) if find(text, 0).is_some() => match expand(root, text, path) {
            Ok(text) => builder.string(&text, node.span()),
            Err(problem) => {
                report(node, problem);
                builder.copy(node, node.span())
            }
        },
        Kind::List => {
            let items: Vec<_> = node
                .items()
                .enumerate()
                .map(|(index, item)| {
                    path.push(Step::Index(index));
                    let id = copy(root, item, path, builder, report);
                    path.pop();
                    id
                })
                .collect();
            builder.list(&items, node.span())
        }
        Kind::Map => {
            let entries: Vec<_> = node
                .entries()
                .map(|(key, value)| {
                    path.push(Step::Key(Anchor::split(key).1.to_owned()));
                    let id = copy(root, value, path, builder, report);
                    path.pop();
                    (builder.key(key, value.key_span()), id)
                })
                .collect();
            builder.map(&entries, node.span())
        }
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::String(_) => builder.copy(node, node.span()),
    }
}

/// The next reference at or after `from`: start of `$(`, end behind `)`.
fn find(text: &str, from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    loop {
        let start = at + text.get(at..)?.find("$(")?;
        let escaped = start > 0 && text.as_bytes()[start - 1] == b'\\';
        match text[start + 2..].find(')') {
            Some(length) if !escaped && length > 0 => return Some((start, start + 2 + length + 1)),
            _ => at = start + 2,
        }
    }
}

/// What operators in front of a reference are made of.
const OPERATOR_SIGNS: [char; 5] = ['!', '-', '>', '<', '='];

fn expand(root: Node<'_>, text: &str, path: &[Step]) -> Result<String, Problem> {
    let mut out = String::new();
    let mut from = 0;
    while let Some((start, end)) = find(text, from) {
        out.push_str(&text[from..start]);
        let reference = &text[start + 2..end - 1];
        let value = value(root, reference, path)?;
        let is_absolute = reference.trim_start_matches(OPERATOR_SIGNS).trim_start().starts_with('/');
        out.push_str(if is_absolute { &text[start..end] } else { &value });
        from = end;
    }
    out.push_str(&text[from..]);
    Ok(out)
}

fn value(root: Node<'_>, reference: &str, path: &[Step]) -> Result<String, Problem> {
    let operator =
        ["!-", ">=", "<=", ">", "<", "!", "-"].into_iter().find(|it| reference.starts_with(it)).unwrap_or("");
    let target = reference[operator.len()..].trim();
    let steps = target_steps(target, path);
    let leaf = steps.iter().try_fold(root, |node, step| match step {
        Step::Key(key) => node.entries().find(|(raw, _)| Anchor::split(raw).1 == key).map(|(_, value)| value),
        Step::Index(index) => node.items().nth(*index),
    });
    let unresolved = |why: &str| Problem::invalid(format!("{why}: $({reference})"));
    match leaf.map(Node::kind) {
        None | Some(Kind::Null) => Err(unresolved("got nil resolved variable")),
        Some(Kind::String(text)) => Ok(format!("{operator}{text}")),
        Some(Kind::Int(number)) if !operator.is_empty() => Ok(format!("{operator}{number}")),
        Some(Kind::Float(number)) if !operator.is_empty() => Ok(format!("{operator}{number:.6}")),
        Some(Kind::Int(_) | Kind::Float(_) | Kind::Bool(_) | Kind::List | Kind::Map) => {
            Err(unresolved("NotResolvedReferenceErr, the reference is no string"))
        }
    }
}

fn target_steps(target: &str, path: &[Step]) -> Vec<Step> {
    let mut steps = if target.starts_with('/') { Vec::new() } else { path.to_vec() };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                steps.pop();
            }
            part => {
                steps.push(part.parse().map_or_else(|_| Step::Key(Anchor::split(part).1.to_owned()), Step::Index));
            }
        }
    }
    steps
}
