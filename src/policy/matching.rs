//! `match` and `exclude` blocks, of policies and of exceptions, compiled.
//!
//! In: the nodes of the blocks. Out: filters whose kinds, wildcards and selectors are parsed. Whether a filter holds for
//! a resource is decided by the engine.

use super::{
    Operation,
    error::Problem,
    fields::{Fields, Problems},
};
use crate::{
    document::Node,
    k8s::{gvk::KindPattern, label_selector::LabelSelector, wildcard::Wildcard},
    span::Span,
};

/// How the filters of a block are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Join {
    /// One filter is enough.
    Any,
    /// Every filter must hold.
    All,
    /// The form with `resources` directly below `match`: one filter.
    Direct,
}

/// A `match` or `exclude` block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// How the filters are joined.
    pub join: Join,
    /// The filters, in order.
    pub filters: Vec<Filter>,
    /// Where the block stands.
    pub span: Span,
}

/// One filter: everything given in it must hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Kinds, one of which must match; empty means any.
    pub kinds: Vec<KindPattern>,
    /// The kinds as written.
    pub kinds_written: Vec<String>,
    /// Names, one of which must match; empty means any.
    pub names: Vec<Wildcard>,
    /// Whether the names were given as `name`.
    pub single_name: bool,
    /// Namespaces, one of which must match; empty means any.
    pub namespaces: Vec<Wildcard>,
    /// Annotations, each of which must be found.
    pub annotations: Vec<(Wildcard, Wildcard)>,
    /// Operations, one of which must be asked for; empty means any.
    pub operations: Vec<Operation>,
    /// Selector on the labels of the resource.
    pub selector: Option<LabelSelector>,
    /// Selector on the labels of the resource's namespace.
    pub namespace_selector: Option<LabelSelector>,
    /// Users, groups and service accounts, one of which must ask.
    pub subjects: Vec<Subject>,
    /// Roles as `namespace:name`, one of which the user must have.
    pub roles: Vec<String>,
    /// Cluster roles, one of which the user must have.
    pub cluster_roles: Vec<String>,
    /// Where the filter stands.
    pub span: Span,
    /// Where `names` (or `name`) stands, if it is given.
    pub names_span: Option<Span>,
    /// Where `kinds` stands, if it is given.
    pub kinds_span: Option<Span>,
    /// Where `namespaces` stands, if it is given.
    pub namespaces_span: Option<Span>,
    /// Where `operations` stands, if it is given.
    pub operations_span: Option<Span>,
}

impl Filter {
    /// Whether the filter asks for a user.
    pub(crate) fn asks_user(&self) -> bool {
        !(self.subjects.is_empty() && self.roles.is_empty() && self.cluster_roles.is_empty())
    }

    /// Whether the `resources` part asks for nothing.
    pub(crate) fn asks_no_resource(&self) -> bool {
        self.kinds.is_empty()
            && self.names.is_empty()
            && self.namespaces.is_empty()
            && self.annotations.is_empty()
            && self.operations.is_empty()
            && self.selector.is_none()
            && self.namespace_selector.is_none()
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    /// A user name, with wildcards.
    User(Wildcard),
    /// A group, with wildcards.
    Group(Wildcard),
    /// `system:serviceaccount:NAMESPACE:NAME`, with wildcards.
    ServiceAccount(Wildcard),
}

/// Who a subject can be.
pub(crate) const KINDS_OF_SUBJECTS: [&str; 3] = ["User", "Group", "ServiceAccount"];

/// Which form of blocks the schema of the kind has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forms {
    /// `any`, `all` and `resources` directly: policies of `kyverno.io/v1`.
    Legacy,
    /// `any` and `all` only: `kyverno.io/v2beta1` and exceptions.
    AnyAll,
}

/// Decodes a `match` or `exclude` block.
pub(crate) fn decode_block(node: Node<'_>, forms: Forms, problems: &Problems) -> Option<Block> {
    let owner = if node.key() == "exclude" { "exclude" } else { "match" };
    let fields = Fields::read(node, owner, problems)?;
    let span = node.span();
    for (key, join) in [("any", Join::Any), ("all", Join::All)] {
        if fields.get(key).is_some() {
            let filters = fields.list(key).filter_map(|item| decode_filter(item, problems)).collect();
            return Some(Block { join, filters, span });
        }
    }
    if forms == Forms::AnyAll {
        return Some(Block { join: Join::Any, filters: Vec::new(), span });
    }
    Some(Block { join: Join::Direct, filters: vec![filter(fields, problems)], span })
}

fn decode_filter(node: Node<'_>, problems: &Problems) -> Option<Filter> {
    Some(filter(Fields::read(node, "a filter", problems)?, problems))
}

fn filter(fields: Fields<'_, '_>, problems: &Problems) -> Filter {
    let mut out = Filter { span: fields.node().span(), ..Filter::default() };
    if let Some(node) = fields.get("resources")
        && let Some(resources) = Fields::read(node, "resources", problems)
    {
        resource_filter(resources, problems, &mut out);
    }
    out.roles = fields.strings("roles").into_iter().map(|(text, _)| text.to_owned()).collect();
    out.cluster_roles = fields.strings("clusterRoles").into_iter().map(|(text, _)| text.to_owned()).collect();
    out.subjects = fields.list("subjects").filter_map(|node| subject(node, problems)).collect();
    out
}

fn resource_filter(fields: Fields<'_, '_>, problems: &Problems, out: &mut Filter) {
    let wildcards =
        |key: &str| -> Vec<Wildcard> { fields.strings(key).into_iter().map(|(text, _)| Wildcard::new(text)).collect() };
    let span_of = |key: &str| fields.get(key).map(Node::span);
    for (text, _) in fields.strings("kinds") {
        out.kinds.push(KindPattern::parse(text));
        out.kinds_written.push(text.to_owned());
    }
    out.kinds_span = span_of("kinds");
    out.names = wildcards("names");
    out.names_span = span_of("names");
    if let Some(name) = fields.string("name").filter(|name| !name.is_empty()) {
        out.single_name = true;
        out.names.push(Wildcard::new(name));
        out.names_span = span_of("name");
    }
    out.namespaces = wildcards("namespaces");
    out.namespaces_span = span_of("namespaces");
    out.annotations = fields
        .pairs("annotations")
        .into_iter()
        .map(|(key, value)| (Wildcard::new(key), Wildcard::new(value)))
        .collect();
    out.operations_span = span_of("operations");
    out.operations = fields.strings("operations").into_iter().filter_map(|(text, _)| Operation::parse(text)).collect();
    out.selector = fields.get("selector").and_then(|node| decode_selector(node, problems));
    out.namespace_selector = fields.get("namespaceSelector").and_then(|node| decode_selector(node, problems));
}

fn subject(node: Node<'_>, problems: &Problems) -> Option<Subject> {
    let fields = Fields::read(node, "a subject", problems)?;
    let name = fields.string("name").unwrap_or_default();
    match fields.string("kind")? {
        "User" => Some(Subject::User(Wildcard::new(name))),
        "Group" => Some(Subject::Group(Wildcard::new(name))),
        "ServiceAccount" => {
            let namespace = fields.string("namespace").unwrap_or_default();
            Some(Subject::ServiceAccount(Wildcard::new(&format!("system:serviceaccount:{namespace}:{name}"))))
        }
        _ => None,
    }
}

/// Decodes a label selector; of an expression that is none Kubernetes' complaint is noted.
pub(crate) fn decode_selector(node: Node<'_>, problems: &Problems) -> Option<LabelSelector> {
    let fields = Fields::read(node, "a label selector", problems)?;
    let mut selector = LabelSelector::new();
    for (key, value) in fields.pairs("matchLabels") {
        selector.match_label(key, value);
    }
    for item in fields.list("matchExpressions") {
        let Some(entry) = Fields::read(item, "a label expression", problems) else {
            continue;
        };
        let key = entry.string("key").unwrap_or_default();
        let operator = entry.string("operator").unwrap_or_default();
        let values = entry.strings("values");
        if let Err(error) = selector.match_expression(key, operator, values.iter().map(|(text, _)| *text)) {
            problems.at(item, Problem::invalid(format!("selector: Invalid value: {error}")));
        }
    }
    Some(selector)
}
