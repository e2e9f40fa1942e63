//! `generate`: what is made, from one source, in a place that the kind can have.

use super::{Draft, given, given_of};
use crate::{
    document::Node,
    k8s::{gvk::split_api_version, scope::Scope},
    policy::{Measure, classic::pattern::Anchor},
};

const SOURCES: [&str; 4] = ["data", "clone", "cloneList", "foreach"];

pub(super) fn check(draft: &Draft<'_>, rule: Node<'_>) {
    let Some(generate) = given(rule, "generate").filter(|it| it.len() > 0) else { return };
    let items: Vec<_> = generate.get("foreach").into_iter().flat_map(Node::items).collect();
    if let [_, second, ..] = given_of(generate, &SOURCES).as_slice() {
        let message = "only one of data, clone, cloneList and foreach can be specified";
        draft.refuse_key(*second, message, "keep one of them");
    }
    same_kind(draft, rule, generate);
    for target in if items.is_empty() { vec![generate] } else { items } {
        if let Some(data) = given(target, "data") {
            anchors(draft, data);
        }
        match given(target, "cloneList") {
            Some(list) => clone_list(draft, list),
            None => one(draft, target),
        }
    }
}

/// Kyverno: a rule that would trigger itself is found only where `match` has its old form.
fn same_kind(draft: &Draft<'_>, rule: Node<'_>, generate: Node<'_>) {
    let Some(kind) = given(generate, "kind") else { return };
    let kinds = rule.at(&["match", "resources", "kinds"]).into_iter().flat_map(Node::items);
    if kinds.filter_map(Node::as_str).any(|it| Some(it) == kind.as_str()) {
        let message = "generation kind and match resource kind should not be the same";
        draft.refuse(kind, message, "the rule would trigger itself");
    }
}

fn anchors(draft: &Draft<'_>, node: Node<'_>) {
    for (key, value) in node.entries() {
        if Anchor::split(key).0 == Anchor::Plain {
            anchors(draft, value);
        } else {
            draft.refuse_key(
                value,
                format!("anchors not supported on generate resources: {key}"),
                "write the plain key",
            );
        }
    }
    node.items().for_each(|item| anchors(draft, item));
}

/// A rule that makes one object.
fn one(draft: &Draft<'_>, target: Node<'_>) {
    for key in ["kind", "name", "apiVersion"] {
        if target.str_at(&[key]).is_none_or(str::is_empty) {
            draft.refuse_key(target, format!("generate.{key} cannot be empty"), format!("add `{key}`"));
        }
    }
    let (Some(api_version), Some(kind)) = (target.str_at(&["apiVersion"]), target.str_at(&["kind"])) else { return };
    let namespace = given(target, "namespace").filter(|it| it.as_str() != Some(""));
    match (scope(draft, split_api_version(api_version).0, kind), namespace) {
        (Some(Scope::Namespaced), None) => {
            let message = "target namespace must be set for a namespaced resource";
            draft.refuse_key(target, message, "add `namespace`");
        }
        (Some(Scope::Cluster), Some(namespace)) => {
            let message = "target namespace must not be set for a cluster-wide resource";
            draft.refuse_key(namespace, message, "remove `namespace`");
        }
        _ => {}
    }
}

/// A rule that copies all objects of some kinds.
fn clone_list(draft: &Draft<'_>, list: Node<'_>) {
    let scopes: Vec<_> = list
        .get("kinds")
        .into_iter()
        .flat_map(Node::items)
        .filter_map(|node| {
            let (api_version, kind) = node.as_str()?.rsplit_once('/')?;
            Some((node, scope(draft, split_api_version(api_version).0, kind)?))
        })
        .collect();
    let namespace = given(list, "namespace").filter(|it| it.as_str() != Some(""));
    let first = scopes.first().map(|(_, scope)| *scope);
    if let Some((node, _)) = scopes.iter().find(|(_, scope)| Some(*scope) != first) {
        let message = "mixed scope: cloneList kinds must be all namespaced or all cluster-wide";
        draft.refuse(*node, message, "make a rule for each scope");
        return;
    }
    match (first, namespace) {
        (Some(Scope::Namespaced), None) => {
            let message = "namespace is required in cloneList for namespaced kinds";
            draft.refuse_key(list, message, "add the `namespace` to copy from");
        }
        (Some(Scope::Cluster), Some(namespace)) => {
            let message = "namespace must not be set in cloneList for cluster-wide kinds";
            draft.refuse_key(namespace, message, "remove `namespace`");
        }
        _ => {}
    }
    let labels = list.at(&["selector", "matchLabels"]).into_iter().flat_map(Node::entries);
    for (key, value) in labels {
        if key.contains(['*', '?']) || value.as_str().is_some_and(|text| text.contains(['*', '?'])) {
            let message = "wildcard characters are not supported in the selector of cloneList";
            draft.refuse(value, message, "write the labels in full");
        }
    }
}

/// Where objects of a kind live; `None` when that is not known.
fn scope(draft: &Draft<'_>, group: &str, kind: &str) -> Option<Scope> {
    if kind.contains("{{") || group.contains("{{") {
        return None;
    }
    // Kyverno: its command line takes every kind for a namespaced one.
    if draft.measure == Measure::CommandLine {
        return Some(Scope::Namespaced);
    }
    draft.scopes.of(group, kind.split('/').next().unwrap_or(kind))
}
