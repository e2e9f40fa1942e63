//! From what an expression reads to the place in the resource.
//!
//! In: a path that an expression reads. Out: the deepest node of the resource on that path that exists. Only failures
//! pay for this.

use crate::{
    document::{Node, resource::place_of_missing},
    expr::{
        Value,
        jmespath::{Path, Step},
        operator::go_text,
    },
    policy::classic::condition::Condition,
    span::Span,
};

/// The deepest node that a path reads, and where to point: at its value, or at its heading when the path goes on to
/// something missing. `None` for a path that doesn't begin in the resource or the element.
pub(crate) fn locate<'d>(path: &Path, resource: Node<'d>, element: Option<Node<'d>>) -> Option<(Node<'d>, Span)> {
    let (start, rest) = match path.as_slice() {
        [Step::Field(request), Step::Field(object), rest @ ..]
            if request == "request" && (object == "object" || object == "oldObject") =>
        {
            (resource, rest)
        }
        [Step::Field(name), rest @ ..] if name.starts_with("element") && !name.starts_with("elementIndex") => {
            (element?, rest)
        }
        [Step::Field(name), ..] if name == "images" => {
            let spec = resource.str_at(&["kind"]).and_then(super::images::pod_spec_path)?;
            let containers = resource.at(spec)?.get("containers")?;
            return Some((containers, containers.span()));
        }
        _ => return None,
    };
    let mut node = start;
    for step in rest {
        let next = match step {
            Step::Field(key) => node.get(key),
            Step::Index(index) => usize::try_from(*index).ok().and_then(|index| node.items().nth(index)),
            Step::Each => None,
        };
        match next {
            Some(next) => node = next,
            None if *step == Step::Each => break,
            None => return Some((node, place_of_missing(node, resource))),
        }
    }
    Some((node, node.span()))
}

/// What was found and how it was compared, short.
pub(crate) fn describe(key: Value<'_>, condition: &Condition) -> String {
    let mut text = go_text(key);
    if text.chars().count() > 60 {
        text = text.chars().take(57).chain("...".chars()).collect();
    }
    let operator = condition.operator.map_or("", |operator| operator.name());
    format!("`{text}` ({operator})")
}

/// The place of a node below a resource in Kyverno's notation, `/spec/containers/0/`; empty if it is not below it.
pub(crate) fn pointer(node: Node<'_>, resource: Node<'_>) -> String {
    let mut path = String::from("/");
    let mut at = resource;
    while at != node {
        let inside = |child: &Node<'_>| child.span().covers(node.span());
        if at.is_list() {
            let Some((index, child)) = at.items().enumerate().find(|(_, child)| inside(child)) else { break };
            path.push_str(&format!("{index}/"));
            at = child;
        } else {
            let Some((key, child)) = at.entries().find(|(_, child)| inside(child)) else { break };
            path.push_str(&format!("{key}/"));
            at = child;
        }
    }
    path
}
