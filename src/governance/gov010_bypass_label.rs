//! Objects that label themselves out of a policy.

use super::{Context, Out};
use crate::{
    document::Node,
    engine::{matching::selects, request::kind_of},
    expr::Value,
    finding::{Place, resource_ref},
    policy::{classic::Rule, matching::Filter},
    span::{File, Span},
};

rule! {
    /// No object gives itself the label that exempts it.
    ///
    /// ## Why
    /// Where an `exclude` or an exception selects by labels or annotations, whoever writes a manifest writes the exemption,
    /// too, and no register shows it. The same goes for a Namespace that gets the label by which its objects are left
    /// out.
    ///
    /// ## Fires
    /// ```yaml before
    /// apiVersion: kyverno.io/v1
    /// kind: ClusterPolicy
    /// metadata: { name: ports }
    /// spec:
    ///   rules:
    ///     - name: low
    ///       match: { any: [{ resources: { kinds: [Pod] } }] }
    ///       exclude: { any: [{ resources: { selector: { matchLabels: { tier: system } } } }] }
    ///       validate: { failureAction: Enforce, message: refused, deny: {} }
    /// ```
    /// ```yaml after
    /// apiVersion: kyverno.io/v1
    /// kind: ClusterPolicy
    /// metadata: { name: ports }
    /// spec:
    ///   rules:
    ///     - name: low
    ///       match: { any: [{ resources: { kinds: [Pod] } }] }
    ///       exclude: { any: [{ resources: { selector: { matchLabels: { tier: system } } } }] }
    ///       validate: { failureAction: Enforce, message: refused, deny: {} }
    /// ---
    /// apiVersion: v1
    /// kind: Pod
    /// metadata:
    ///   name: tool
    ///   namespace: delta
    ///   labels: # <-
    ///     tier: system
    /// spec: {}
    /// ```
    ///
    /// ## Stays quiet
    /// An object that had the label before, and one with another label.
    /// ```yaml before
    /// apiVersion: kyverno.io/v1
    /// kind: ClusterPolicy
    /// metadata: { name: ports }
    /// spec:
    ///   rules:
    ///     - name: low
    ///       match: { any: [{ resources: { kinds: [Pod] } }] }
    ///       exclude: { any: [{ resources: { selector: { matchLabels: { tier: system } } } }] }
    ///       validate: { failureAction: Enforce, message: refused, deny: {} }
    /// ---
    /// { apiVersion: v1, kind: Pod, metadata: { name: tool, namespace: delta, labels: { tier: system } }, spec: {} }
    /// ```
    /// ```yaml after
    /// apiVersion: kyverno.io/v1
    /// kind: ClusterPolicy
    /// metadata: { name: ports }
    /// spec:
    ///   rules:
    ///     - name: low
    ///       match: { any: [{ resources: { kinds: [Pod] } }] }
    ///       exclude: { any: [{ resources: { selector: { matchLabels: { tier: system } } } }] }
    ///       validate: { failureAction: Enforce, message: refused, deny: {} }
    /// ---
    /// apiVersion: v1
    /// kind: Pod
    /// metadata: { name: tool, namespace: delta, labels: { tier: system, team: a } }
    /// spec: { hostPID: true }
    /// ---
    /// { apiVersion: v1, kind: Pod, metadata: { name: web, namespace: delta, labels: { tier: web } }, spec: {} }
    /// ```
    ///
    /// ## Fix
    /// Exclude by namespace and name, or write an exception that names the object.
    GOV010, "bypass-label", Warning, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    if context.change.is_none() {
        return;
    }
    for (object, old) in context.objects.iter().zip(&context.old_objects) {
        let is_removed = old.is_some_and(|it| it == *object);
        if is_removed {
            continue;
        }
        if let Some(found) = first(context, *object, *old) {
            let at = found.at.map_or_else(|| object.at(&["metadata", "name"]).unwrap_or(*object).span(), Node::key_span);
            let who = resource_ref(*object).title();
            let message = match &found.exception {
                Some(key) => format!("{who} gives itself what exception `{key}` selects by"),
                None => format!("{who} gives itself what rule `{}` excludes by", found.rule),
            };
            let finding = out.finding_at(Place::new(object.file(), at), message);
            let finding = finding.related(Place::new(found.file, found.clause), "selected here");
            let key = found.exception.clone().unwrap_or_default();
            out.add_for(&key, finding.help("exclude by namespace and name, or write an exception that names the object"));
        }
    }
}

/// What an object came to be selected by.
struct Found<'c> {
    rule: String,
    exception: Option<String>,
    file: &'c File,
    clause: Span,
    at: Option<Node<'c>>,
}

fn first<'c>(context: &Context<'c>, object: Node<'c>, old: Option<Node<'c>>) -> Option<Found<'c>> {
    let kind = kind_of(object);
    let is_namespace = kind.kind == "Namespace" && kind.group.is_empty();
    let takes_kind = |filter: &Filter| {
        filter.kinds.is_empty()
            || filter.kinds.iter().any(|it| it.matches(kind.group, kind.version, kind.kind, kind.subresource))
    };
    let rule_takes = |rule: &Rule| is_namespace || rule.matching.filters.iter().any(takes_kind);
    let comes_to_match = |filter: &Filter| -> Option<Option<Node<'c>>> {
        if is_namespace {
            let selector = filter.namespace_selector.as_ref()?;
            let holds = |node: Node<'_>| selects(selector, labels(node).map(Value::from));
            return (holds(object) && !old.is_some_and(holds)).then(|| labels(object));
        }
        if !takes_kind(filter) || (filter.selector.is_none() && filter.annotations.is_empty()) {
            return None;
        }
        let holds = |node: Node<'_>| {
            let labelled = filter.selector.as_ref().is_none_or(|it| selects(it, labels(node).map(Value::from)));
            labelled && has_annotations(filter, node)
        };
        // A selector that an object without any label meets is none that anybody gives themselves.
        let asks_nothing = filter.selector.as_ref().is_none_or(|it| selects(it, None)) && filter.annotations.is_empty();
        if asks_nothing || !holds(object) || old.is_some_and(holds) {
            return None;
        }
        Some(if filter.selector.is_some() { labels(object) } else { annotations(object) })
    };
    for policy in &context.set.classic {
        // What is generated excludes as the declared rule does.
        for rule in policy.rules.iter().filter(|it| it.generated.is_none() && rule_takes(it)) {
            for filter in rule.exclude.iter().flat_map(|it| &it.filters) {
                if let Some(at) = comes_to_match(filter) {
                    let rule = format!("{}/{}", policy.head.key, rule.name);
                    return Some(Found { rule, exception: None, file: &policy.head.file, clause: filter.span, at });
                }
            }
        }
    }
    for exception in &context.set.exceptions {
        for filter in &exception.matching.filters {
            if let Some(at) = comes_to_match(filter) {
                let (key, file) = (Some(exception.key.clone()), exception.document.file());
                return Some(Found { rule: String::new(), exception: key, file, clause: filter.span, at });
            }
        }
    }
    None
}

fn labels(object: Node<'_>) -> Option<Node<'_>> {
    object.at(&["metadata", "labels"])
}

fn annotations(object: Node<'_>) -> Option<Node<'_>> {
    object.at(&["metadata", "annotations"])
}

fn has_annotations(filter: &Filter, object: Node<'_>) -> bool {
    filter.annotations.iter().all(|(key, value)| {
        let mut pairs = annotations(object).into_iter().flat_map(Node::entries);
        pairs.any(|(name, text)| key.matches(name) && text.as_str().is_some_and(|it| value.matches(it)))
    })
}
