//! `mutate` blocks, compiled: patches, lists to go through, other objects to change.
//!
//! In: the node of a block. Out: its patches with their variables found and, where a patch has none, its text read.

use std::sync::Arc;

use super::{
    condition::{self, Conditions, FlatList},
    context::{self, ContextEntry},
};
use crate::{
    document::{self, Document, Limits, Node},
    expr::{
        jmespath::{Expression, ParseError},
        template::{Template, Tree},
    },
    policy::fields::{Fields, Problems},
    span::File,
};

/// A `mutate` block.
#[derive(Debug)]
pub(crate) struct Mutate {
    /// What changes.
    pub change: Change,
    /// Other objects to change; empty when the object of the request is changed.
    pub targets: Vec<Target>,
}

/// What a `mutate` block or a `foreach` item changes.
#[derive(Debug)]
pub(crate) enum Change {
    /// `patchStrategicMerge`.
    Merge(Tree),
    /// `patchesJson6902`.
    JsonPatch(JsonPatch),
    /// A change for each element of some lists.
    ForEach(Vec<ForEach>),
    /// Nothing that is known; policy validation refuses it.
    Nothing,
}

/// The text of a JSON patch.
#[derive(Debug)]
pub(crate) struct JsonPatch {
    /// The text with its variables.
    pub text: Template,
    /// The operations of a text without variables; `None` when it has some, or can't be read.
    pub operations: Option<Arc<Document>>,
}

/// The order in which the elements of a list are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The first one first.
    Ascending,
    /// The last one first.
    Descending,
}

/// One item of a `foreach` list.
#[derive(Debug)]
pub(crate) struct ForEach {
    /// The list expression as written.
    pub list_text: String,
    /// The list expression.
    pub list: Result<Expression, ParseError>,
    /// The order of the elements.
    pub order: Order,
    /// Named values.
    pub context: Vec<ContextEntry>,
    /// Which elements count.
    pub preconditions: Option<Conditions>,
    /// The change.
    pub change: Change,
}

/// Other objects to change.
#[derive(Debug)]
pub(crate) struct Target {
    /// Their `apiVersion`; wildcards are allowed in this and the next three.
    pub api_version: Template,
    /// Their kind.
    pub kind: Template,
    /// Their namespace.
    pub namespace: Template,
    /// Their name.
    pub name: Template,
    /// Labels that they must have: a label selector that may hold variables.
    pub selector: Option<Tree>,
    /// Named values.
    pub context: Vec<ContextEntry>,
    /// Which of them count.
    pub preconditions: Option<Conditions>,
}

/// Decodes a `mutate` block.
pub(super) fn decode(node: Node<'_>, problems: &Problems) -> Option<Mutate> {
    let fields = Fields::read(node, "mutate", problems)?;
    let targets = fields.list("targets").filter_map(|node| target(node, problems)).collect();
    Some(Mutate { change: change(fields, problems), targets })
}

/// Whether a block, or a list of a `foreach` in it, holds a JSON patch.
pub(super) fn patches_by_path(mutate: &Mutate) -> bool {
    fn within(change: &Change) -> bool {
        match change {
            Change::JsonPatch(_) => true,
            Change::ForEach(items) => items.iter().any(|item| within(&item.change)),
            Change::Merge(_) | Change::Nothing => false,
        }
    }
    within(&mutate.change)
}

fn change(fields: Fields<'_, '_>, problems: &Problems) -> Change {
    if let Some(node) = fields.get("patchStrategicMerge") {
        return Change::Merge(Tree::compile(node));
    }
    if let Some(text) = fields.string("patchesJson6902").filter(|text| !text.is_empty()) {
        return Change::JsonPatch(json_patch(text));
    }
    if fields.get("foreach").is_some() {
        return Change::ForEach(fields.list("foreach").filter_map(|node| for_each(node, problems)).collect());
    }
    Change::Nothing
}

fn json_patch(text: &str) -> JsonPatch {
    let template = Template::compile(text);
    let operations = template.plain().and_then(|text| read_operations(text).ok());
    JsonPatch { text: template, operations }
}

/// Reads the text of a JSON patch, which is YAML or JSON.
///
/// # Errors
/// The first thing that is wrong with it, or that it holds no single document.
pub(crate) fn read_operations(text: &str) -> Result<Arc<Document>, String> {
    let file = File::new("patchesJson6902", text.as_bytes().to_vec());
    let mut parsed = document::parse(&file, &Limits::default());
    if let Some(error) = parsed.errors.first() {
        return Err(error.to_string());
    }
    match (parsed.documents.pop(), parsed.documents.pop()) {
        (Some(document), None) if document.root().is_list() => Ok(Arc::new(document)),
        _ => Err("a JSON patch is a list of operations".to_owned()),
    }
}

fn for_each(node: Node<'_>, problems: &Problems) -> Option<ForEach> {
    let fields = Fields::read(node, "foreach", problems)?;
    let list_text = fields.string("list").unwrap_or_default().to_owned();
    let change = change(fields, problems);
    // Kyverno: a merge puts what it touches in front, so that going backwards keeps the order.
    let order = match (fields.string("order"), &change) {
        (Some("Ascending"), _) => Order::Ascending,
        (Some("Descending"), _) | (None, Change::Merge(_)) => Order::Descending,
        _ => Order::Ascending,
    };
    Some(ForEach {
        list: Expression::parse(&list_text),
        list_text,
        order,
        context: context::decode(fields, problems),
        preconditions: fields
            .get("preconditions")
            .and_then(|node| condition::decode(node, FlatList::Refused, problems)),
        change,
    })
}

fn target(node: Node<'_>, problems: &Problems) -> Option<Target> {
    let fields = Fields::read(node, "a target", problems)?;
    let template = |key| Template::compile(fields.string(key).unwrap_or_default());
    Some(Target {
        api_version: template("apiVersion"),
        kind: template("kind"),
        namespace: template("namespace"),
        name: template("name"),
        selector: fields.get("selector").map(Tree::compile),
        context: context::decode(fields, problems),
        preconditions: fields
            .get("preconditions")
            .and_then(|node| condition::decode(node, FlatList::Allowed, problems)),
    })
}
