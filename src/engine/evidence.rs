//! From what a condition reads to the value in the resource that is to blame.
//!
//! In: a condition that decided, the names of its rule, the elements of foreach around it. Out: the node to point at.
//! Best effort: where an expression computes with many values, and none of them alone would decide, it is the list or
//! map that holds them. Only failures pay for this.

use std::fmt::Write as _;

use super::{conditions::Deciding, context::RuleScope};
use crate::{
    document::{Kind, Node, resource::place_of_missing},
    expr::{
        List, Map, Value,
        jmespath::{Expression, Path, Step},
        operator::go_text,
        template::Tree,
    },
    policy::classic::{condition::Condition, context::Source},
    span::Span,
};

/// How many values of one path are looked at.
const MAX_SPOTS: usize = 1000;

/// How many context entries are followed to where they come from.
const MAX_ENTRIES: usize = 8;

/// An element of a foreach that is being looked at.
#[derive(Clone, Copy)]
pub(crate) struct Level<'v> {
    /// What gave the elements.
    pub list: &'v Expression,
    /// The element.
    pub value: Value<'v>,
    /// Its index.
    pub index: usize,
}

/// Where the names of a rule come from.
pub(crate) struct Reading<'v, 's> {
    /// The object that is judged.
    pub resource: Node<'v>,
    /// The names.
    pub scope: &'s RuleScope<'v, 's>,
    /// Elements of foreach, the outermost first.
    pub levels: &'s [Level<'v>],
}

/// A value that a path reads. It differs from that of the node where the node is taken apart, as images are.
#[derive(Clone, Copy)]
struct Spot<'v> {
    node: Node<'v>,
    value: Value<'v>,
}

/// What a path reads.
#[derive(Default)]
struct Found<'v> {
    spots: Vec<Spot<'v>>,
    /// The first list or map each part of which is read.
    container: Option<Node<'v>>,
    /// The first node that lacks what the path asks of it.
    lacking: Option<Node<'v>>,
}

impl<'v> Reading<'v, '_> {
    /// The node that is to blame for a condition, and the span to show.
    pub(crate) fn blame(&self, decided: &Deciding<'v>) -> Option<(Node<'v>, Span)> {
        let key = self.read(decided.condition.key.as_ref());
        let spots = || key.iter().flat_map(|found| &found.spots);
        let alone = if let Value::List(_) = decided.key {
            let operator = decided.condition.operator.filter(|operator| operator.compares_sets());
            let decides = |spot: &Spot<'v>| {
                operator.is_some_and(|it| it.holds(Value::List(List::Items(&[spot.value])), decided.value))
            };
            spots().flat_map(Spot::items).find(decides)
        } else {
            spots().find(|spot| spot.value.equals(decided.key)).copied()
        };
        let place = |node: Node<'v>| Some((node, node.span()));
        if let Some(spot) = alone {
            return place(spot.node);
        }
        let value = self.read(decided.condition.value.as_ref());
        for side in [key, value] {
            let one = side.iter().find(|found| found.container.is_none() && !found.spots.is_empty());
            if let Some(spot) = one.and_then(|found| found.spots.first()) {
                return place(spot.node);
            }
            if let Some(node) = side.iter().find_map(|found| found.container) {
                return place(node);
            }
            if let Some(node) = side.iter().find_map(|found| found.lacking) {
                return Some((node, place_of_missing(node, self.resource)));
            }
        }
        None
    }

    /// Where to point for the innermost element as a whole; `None` outside of foreach.
    pub(crate) fn element(&self) -> Option<(Node<'v>, Span)> {
        let (level, outer) = self.levels.split_last()?;
        if let Some(node) = level.value.node() {
            return Some((node, node.heading()));
        }
        if let Some(spot) = self.element_spot(level, outer) {
            return Some((spot.node, spot.node.span()));
        }
        let found = level.list.paths().into_iter().flat_map(|path| self.find(&path, outer, 0)).next()?;
        let node = found.container.or(found.spots.first().map(|spot| spot.node)).or(found.lacking)?;
        Some((node, node.heading()))
    }

    fn read(&self, tree: Option<&Tree>) -> Vec<Found<'v>> {
        tree.map(paths_of).into_iter().flatten().flat_map(|path| self.find(&path, self.levels, 0)).collect()
    }

    /// What a path reads, `levels` being the elements in sight; several answers for a path through a context entry.
    fn find(&self, path: &[Step], levels: &[Level<'v>], entries: usize) -> Vec<Found<'v>> {
        match path {
            [Step::Field(request), Step::Field(object), rest @ ..] if request == "request" => {
                let is_judged = match object.as_str() {
                    "object" => true,
                    "oldObject" => self.scope.session().request.old_object == Some(self.resource),
                    _ => false,
                };
                is_judged.then(|| self.walk(Value::from(self.resource), rest)).into_iter().collect()
            }
            [Step::Field(name), rest @ ..] if name == "images" => self.images(rest).into_iter().collect(),
            [Step::Field(name), rest @ ..] => {
                let number =
                    name.strip_prefix("element").map(|digits| digits.parse().unwrap_or(levels.len().max(1) - 1));
                if let Some(level) = number.filter(|_| !name.starts_with("elementIndex")).and_then(|it| levels.get(it))
                {
                    let outer = &levels[..number.unwrap_or_default()];
                    return vec![match self.element_spot(level, outer) {
                        Some(spot) if rest.is_empty() => Found { spots: vec![spot], ..Found::default() },
                        _ => self.walk(level.value, rest),
                    }];
                }
                if entries >= MAX_ENTRIES {
                    return Vec::new();
                }
                let longer = |path: Path| path.into_iter().chain(rest.iter().cloned()).collect::<Path>();
                let paths = self.definition(name).into_iter().map(longer);
                paths.flat_map(|path| self.find(&path, levels, entries + 1)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The paths from which the variable of a context entry comes.
    fn definition(&self, name: &str) -> Vec<Path> {
        match self.scope.entry(name).map(|entry| &entry.source) {
            Some(Source::Variable { value: Some(tree), .. }) => paths_of(tree),
            Some(Source::Variable { jmes_path: Some(query), .. }) => {
                query.plain().and_then(|text| Expression::parse(text).ok()).map(|it| it.paths()).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    fn walk(&self, start: Value<'v>, steps: &[Step]) -> Found<'v> {
        let mut found = Found::default();
        let mut now = vec![(start.node(), start)];
        for step in steps {
            let mut next = Vec::new();
            for (node, value) in now {
                let parts = parts(node, value, step);
                if *step == Step::Each {
                    found.container = found.container.or(node);
                } else if parts.is_empty() {
                    found.lacking = found.lacking.or(node);
                }
                next.extend(parts);
            }
            next.truncate(MAX_SPOTS);
            now = next;
        }
        let spot = |(node, value): (Option<Node<'v>>, Value<'v>)| match (node, value) {
            (Some(node), value) => Some(Spot { node, value }),
            (None, Value::String(text)) => text_node(self.resource, text).map(|node| Spot { node, value }),
            _ => None,
        };
        found.spots = now.into_iter().filter_map(spot).collect();
        found
    }

    /// Where an element that is no node itself stands in the resource.
    fn element_spot(&self, level: &Level<'v>, outer: &[Level<'v>]) -> Option<Spot<'v>> {
        match level.value {
            Value::List(List::Node(node)) | Value::Map(Map::Node(node)) => Some(Spot { node, value: level.value }),
            Value::String(text) => text_node(self.resource, text).map(|node| Spot { node, value: level.value }),
            value => {
                let found = level.list.paths().into_iter().flat_map(|path| self.find(&path, outer, 0));
                let items: Vec<_> = found.flat_map(|found| found.spots).flat_map(|it| it.items()).collect();
                let at_index = items.get(level.index).into_iter();
                at_index.chain(&items).find(|spot| spot.value.equals(value)).copied()
            }
        }
    }

    /// `images`, then what follows: a group of containers, the name of one, a part of the image.
    fn images(&self, steps: &[Step]) -> Option<Found<'v>> {
        let path = self.resource.str_at(&["kind"]).and_then(super::images::pod_spec_path)?;
        let spec = self.resource.at(path)?;
        let images = super::images::value(self.resource, self.scope.arena()).ok()??;
        let named = |name: &str| steps.iter().any(|step| matches!(step, Step::Field(field) if field == name));
        let part = steps.iter().rev().find_map(|step| match step {
            Step::Field(name) => Some(name.as_str()),
            Step::Index(_) | Step::Each => None,
        });
        let mut found = Found::default();
        let groups = ["initContainers", "containers", "ephemeralContainers"];
        let all_groups = !groups.into_iter().any(named);
        for group in groups.into_iter().filter(|group| all_groups || named(group)) {
            let Some(list) = spec.get(group) else { continue };
            for container in list.items() {
                let Some((name, image)) = container.str_at(&["name"]).zip(container.get("image")) else { continue };
                let whole = images.get(group).and_then(|images| images.get(name)).unwrap_or(Value::Null);
                let spot = Spot { node: image, value: part.and_then(|part| whole.get(part)).unwrap_or(whole) };
                if named(name) {
                    return Some(Found { spots: vec![spot], ..Found::default() });
                }
                found.spots.push(spot);
            }
            found.container = found.container.or(Some(list));
        }
        Some(found)
    }
}

impl Spot<'_> {
    /// The items of a list, or the value itself.
    fn items(&self) -> Vec<Self> {
        match self.value {
            Value::List(List::Node(list)) => list.items().map(|node| Spot { node, value: Value::from(node) }).collect(),
            _ => vec![*self],
        }
    }
}

/// The paths that the variables of a tree read.
fn paths_of(tree: &Tree) -> Vec<Path> {
    let mut out = Vec::new();
    tree.visit(&mut |template, _| out.extend(template.expressions().flat_map(Expression::paths)));
    out
}

/// What a step finds in a value, with the node where it has one.
fn parts<'v>(node: Option<Node<'v>>, value: Value<'v>, step: &Step) -> Vec<(Option<Node<'v>>, Value<'v>)> {
    let of_node = |node: Node<'v>| (Some(node), Value::from(node));
    let computed = |value: Value<'v>| (value.node(), value);
    match (step, node, value) {
        (Step::Field(key), Some(node), _) => node.get(key).map(of_node).into_iter().collect(),
        (Step::Field(key), None, value) => value.get(key).map(computed).into_iter().collect(),
        (Step::Index(index), Some(node), _) => {
            let index = if *index < 0 { node.len() as i64 + index } else { *index };
            usize::try_from(index).ok().and_then(|index| node.items().nth(index)).map(of_node).into_iter().collect()
        }
        (Step::Each, Some(node), Value::List(_)) => node.items().map(of_node).collect(),
        (Step::Each, Some(node), _) => node.entries().map(|(_, value)| of_node(value)).collect(),
        (Step::Each, None, Value::List(list)) => list.iter().map(computed).collect(),
        (Step::Each, None, Value::Map(map)) => map.iter().map(|(_, value)| computed(value)).collect(),
        (Step::Index(_) | Step::Each, None, _) => Vec::new(),
    }
}

/// The node that a text was read from: expressions pass texts on without copying, so it is the one at the same address.
fn text_node<'v>(root: Node<'v>, text: &str) -> Option<Node<'v>> {
    if text.is_empty() {
        return None;
    }
    if root.as_str().is_some_and(|it| std::ptr::eq(it, text)) {
        return Some(root);
    }
    let below = root.items().chain(root.entries().map(|(_, value)| value));
    below.into_iter().find_map(|node| text_node(node, text))
}

/// What was found and how it was compared, short.
pub(crate) fn describe(key: Value<'_>, condition: &Condition) -> String {
    let text = short(go_text(key));
    let operator = condition.operator.map_or("", |operator| operator.name());
    format!("`{text}` ({operator})")
}

/// What stands at a node, for a label; nothing for a list or a map.
pub(crate) fn shown(node: Node<'_>) -> String {
    match node.kind() {
        Kind::List | Kind::Map => String::new(),
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::String(_) => {
            format!("`{}`", short(go_text(Value::from(node))))
        }
    }
}

/// Where to point for a node: at a scalar itself, at the heading of a list or a map.
pub(crate) fn place_of(node: Node<'_>, resource: Node<'_>) -> Span {
    match node.kind() {
        Kind::List | Kind::Map => place_of_missing(node, resource),
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::String(_) => node.span(),
    }
}

fn short(text: String) -> String {
    if text.chars().count() > 60 { text.chars().take(57).chain("...".chars()).collect() } else { text }
}

/// The place of a node below a resource in Kyverno's notation, `/spec/containers/0/`; empty if it is not below it.
pub(crate) fn pointer(node: Node<'_>, resource: Node<'_>) -> String {
    let mut path = String::from("/");
    let mut at = resource;
    while at != node {
        let inside = |child: &Node<'_>| child.span().covers(node.span());
        if at.is_list() {
            let Some((index, child)) = at.items().enumerate().find(|(_, child)| inside(child)) else { break };
            let _ = write!(path, "{index}/");
            at = child;
        } else {
            let Some((key, child)) = at.entries().find(|(_, child)| inside(child)) else { break };
            let _ = write!(path, "{key}/");
            at = child;
        }
    }
    path
}
