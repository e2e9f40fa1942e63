//! Preconditions and deny conditions, compiled.

use crate::{
    document::{Kind, Node},
    expr::{
        operator::{self, Operator},
        template::{Template, Tree},
    },
    policy::{
        error::Problem,
        fields::{Fields, Problems},
    },
    span::Span,
};

/// A block of conditions.
#[derive(Debug)]
pub(crate) enum Conditions {
    /// `any` and `all`; a block that is not given is `None`.
    Blocks {
        /// At least one must hold; an empty block never does.
        any: Option<Vec<Condition>>,
        /// Every one must hold.
        all: Option<Vec<Condition>>,
    },
    /// The old form: a list, of which every one must hold.
    Flat(Vec<Condition>),
}

impl Conditions {
    /// Every condition, `any` first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Condition> {
        let (first, second) = match self {
            Conditions::Blocks { any, all } => (any.as_deref(), all.as_deref()),
            Conditions::Flat(list) => (None, Some(list.as_slice())),
        };
        first.unwrap_or_default().iter().chain(second.unwrap_or_default())
    }
}

/// One comparison.
#[derive(Debug)]
pub(crate) struct Condition {
    /// The left side; `None` when it is missing or null, which policy validation refuses.
    pub key: Option<Tree>,
    /// The comparison; `None` for a name that is no operator, which policy validation refuses.
    pub operator: Option<Operator>,
    /// The right side.
    pub value: Option<Tree>,
    /// What to say when the condition decides.
    pub message: Option<Template>,
    /// Where the condition stands.
    pub span: Span,
}

/// Whether the old form, a plain list, is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlatList {
    /// Rule preconditions and deny conditions.
    Allowed,
    /// Everywhere else.
    Refused,
}

/// Decodes `preconditions` or `conditions`.
pub(crate) fn decode(node: Node<'_>, flat: FlatList, problems: &Problems) -> Option<Conditions> {
    if node.is_list() {
        if flat == FlatList::Refused {
            problems.at(
                node,
                Problem::Type { field: node.key().to_owned(), wanted: "a map with any or all", found: "a list" },
            );
            return None;
        }
        let mut list = Vec::new();
        for item in node.items() {
            // Kyverno: the items of the old form may be `any`/`all` blocks themselves.
            if item.get("any").is_some() || item.get("all").is_some() {
                match decode(item, flat, problems)? {
                    Conditions::Blocks { any, all } if node.len() == 1 => return Some(Conditions::Blocks { any, all }),
                    Conditions::Blocks { any, all } => list.extend(any.into_iter().chain(all).flatten()),
                    Conditions::Flat(inner) => list.extend(inner),
                }
            } else {
                list.extend(condition(item, problems));
            }
        }
        return Some(Conditions::Flat(list));
    }
    let fields = Fields::read(node, "conditions", problems)?;
    let block = |key: &str| {
        fields.get(key)?;
        Some(fields.list(key).filter_map(|item| condition(item, problems)).collect::<Vec<_>>())
    };
    Some(Conditions::Blocks { any: block("any"), all: block("all") })
}

fn condition(node: Node<'_>, problems: &Problems) -> Option<Condition> {
    let fields = Fields::read(node, "a condition", problems)?;
    let operator = fields.string("operator").unwrap_or_default();
    let value = fields.get("value");
    Some(Condition {
        key: fields.get("key").map(Tree::compile),
        operator: operator::find(operator),
        value: value.map(Tree::compile),
        message: fields.get("message").and_then(|node| match node.kind() {
            Kind::String(text) => Some(Template::compile(text)),
            _ => None,
        }),
        span: node.span(),
    })
}
