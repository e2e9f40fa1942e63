//! Whether `matchConstraints` or `matchResources` hold for a request.
//!
//! In: compiled constraints and a request. Out: yes, or the first thing that does not hold. Never an error.

use crate::{
    cluster::{Cluster, NamespaceLabels},
    document::Node,
    engine::{
        Request,
        matching::{selects, selects_namespace},
    },
    expr::{Arena, Value},
    k8s::{gvk::Plurals, label_selector::LabelSelector, scope::Scope},
    policy::{
        Operation,
        cel::{Constraints, ResourceRule, ResourceType},
    },
    span::Span,
};

/// What constraints ask of a request.
#[derive(Debug)]
pub(crate) struct Target<'r> {
    resource: ResourceType<'r>,
    operation: Operation,
    scope: Scope,
    name: &'r str,
    generate_name: &'r str,
    labels: Option<Value<'r>>,
    old_labels: Option<Value<'r>>,
    /// Labels of the namespace; of a Namespace its own. `None` for what has no namespace.
    namespace_labels: Option<NamespaceLabels<'r>>,
    /// The namespace, if only its name is known.
    unknown_namespace: Option<&'r str>,
}

/// Whether constraints hold for a request. The order is that of certainty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// They don't.
    No,
    /// That takes labels of a namespace that are not known.
    DependsOnNamespace,
    /// They do.
    Yes,
}

impl Reach {
    /// What is known of constraints that hold or miss.
    pub(super) fn of(met: Result<(), Mismatch>) -> Self {
        match met {
            Ok(()) => Reach::Yes,
            Err(Mismatch::NamespaceUnknown) => Reach::DependsOnNamespace,
            Err(_) => Reach::No,
        }
    }

    /// What is known of two that must both hold.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Reach::No, _) | (_, Reach::No) => Reach::No,
            (Reach::DependsOnNamespace, _) | (_, Reach::DependsOnNamespace) => Reach::DependsOnNamespace,
            (Reach::Yes, Reach::Yes) => Reach::Yes,
        }
    }
}

/// The first thing that keeps constraints from holding. The order is that of certainty: the later, the nearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mismatch {
    /// Another kind.
    Kind,
    /// Another operation.
    Operation,
    /// In a namespace, or outside of namespaces.
    Scope,
    /// Another name.
    Name,
    /// A rule excludes it.
    Excluded(Span),
    /// The labels of the namespace don't match.
    NamespaceLabel,
    /// The labels of the object don't match.
    Label,
    /// Everything holds but for labels of a namespace of which nothing is known.
    NamespaceUnknown,
}

impl<'r> Target<'r> {
    /// Reads what constraints ask for from a request.
    pub(crate) fn new(
        request: &'r Request<'r>,
        plurals: &Plurals,
        cluster: &Cluster,
        arena: &'r Arena,
    ) -> Option<Self> {
        let object = request.resource()?;
        let kind = request.kind();
        let text = |key: &str| object.str_at(&["metadata", key]).unwrap_or_default();
        let labels = |node: Option<Node<'r>>| node.and_then(|it| it.at(&["metadata", "labels"])).map(Value::from);
        let namespace = text("namespace");
        let is_namespace = kind.group.is_empty() && kind.kind == "Namespace";
        let plural = arena.alloc_str(&plurals.of(kind.group, kind.kind));
        let resource = ResourceType { group: kind.group, version: kind.version, plural, subresource: kind.subresource };
        let own = labels(request.object).or_else(|| labels(request.old_object));
        let namespace_labels = if is_namespace {
            let name = text("name");
            // The API server labels a namespace before anybody is asked about it.
            let is_bare = cluster.is_command_line();
            Some(if is_bare { NamespaceLabels::written(own) } else { NamespaceLabels::named(own, name) })
        } else {
            let held = request.namespace_labels.map(|it| it.with_name(namespace));
            (!namespace.is_empty()).then(|| held.unwrap_or_else(|| NamespaceLabels::named(None, namespace)))
        };
        Some(Self {
            resource,
            operation: match request.operation {
                // Kyverno: for its command line a connection is a creation.
                Operation::Connect if cluster.is_command_line() => Operation::Create,
                operation => operation,
            },
            scope: if is_namespace || namespace.is_empty() { Scope::Cluster } else { Scope::Namespaced },
            name: text("name"),
            generate_name: text("generateName"),
            labels: labels(request.object),
            old_labels: labels(request.old_object),
            namespace_labels,
            unknown_namespace: request.unknown_namespace(cluster).filter(|_| !is_namespace),
        })
    }

    /// What the kind is called in URLs.
    pub(super) fn plural(&self) -> &'r str {
        self.resource.plural
    }

    /// The kind as resource rules see it.
    pub(super) fn resource(&self) -> ResourceType<'r> {
        self.resource
    }

    /// Whether constraints hold.
    pub(crate) fn meets(&self, constraints: &Constraints) -> Result<(), Mismatch> {
        let missed = constraints.rules.iter().map(|rule| self.meets_rule(rule));
        let nearest = missed.clone().filter_map(Result::err).max();
        if !missed.clone().any(|it| it.is_ok()) {
            return Err(nearest.unwrap_or(Mismatch::Kind));
        }
        self.passes(constraints)
    }

    /// Whether everything in constraints holds but for the resource rules where there are none: `matchResources`.
    pub(crate) fn meets_binding(&self, constraints: &Constraints) -> Result<(), Mismatch> {
        if constraints.rules.is_empty() { self.passes(constraints) } else { self.meets(constraints) }
    }

    fn passes(&self, constraints: &Constraints) -> Result<(), Mismatch> {
        if let Some(rule) = constraints.excludes.iter().find(|rule| self.meets_rule(rule).is_ok()) {
            return Err(Mismatch::Excluded(rule.span));
        }
        let selects = |selector: &Option<LabelSelector>, labels: Option<Value<'_>>| {
            selector.as_ref().is_none_or(|it| selects(it, labels))
        };
        let is_housed = match &constraints.namespace_selector {
            // What lives outside of namespaces has no labels of one to fall short of.
            Some(selector) if self.namespace_labels.is_some() => {
                selects_namespace(selector, self.namespace_labels, self.unknown_namespace)
            }
            _ => Some(true),
        };
        if is_housed == Some(false) {
            return Err(Mismatch::NamespaceLabel);
        }
        let object = &constraints.object_selector;
        let is_old = self.old_labels.is_some() && selects(object, self.old_labels);
        if !is_old && !selects(object, self.labels) {
            return Err(Mismatch::Label);
        }
        // Last, since what does not hold for certain decides.
        if is_housed.is_some() { Ok(()) } else { Err(Mismatch::NamespaceUnknown) }
    }

    fn meets_rule(&self, rule: &ResourceRule) -> Result<(), Mismatch> {
        let check = |ok: bool, why: Mismatch| if ok { Ok(()) } else { Err(why) };
        check(rule.covers(self.resource), Mismatch::Kind)?;
        check(rule.operations.contains(&self.operation), Mismatch::Operation)?;
        check(rule.scope.is_none_or(|it| it == self.scope), Mismatch::Scope)?;
        let is_named = if self.name.is_empty() {
            // Kyverno: of a name that the API server makes up every listed one must be the beginning.
            rule.names.iter().all(|it| self.generate_name.starts_with(it.as_str()))
        } else {
            rule.names.is_empty() || rule.names.iter().any(|it| it == self.name)
        };
        check(is_named, Mismatch::Name)
    }
}
