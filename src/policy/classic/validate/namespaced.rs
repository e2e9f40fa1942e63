//! What a policy of one namespace may not do: look or reach beyond it.

use super::{Draft, filters, given};
use crate::{
    document::Node,
    k8s::{
        gvk::{KindPattern, builtins_of_kind},
        scope::Scope,
    },
    policy::Measure,
};

pub(super) fn check(draft: &Draft<'_>) {
    if !draft.is_namespaced() {
        return;
    }
    if let Some(list) = given(draft.spec, "validationFailureActionOverrides").filter(|it| it.len() > 0) {
        let message = "Use of validationFailureActionOverrides is supported only with ClusterPolicy";
        draft.refuse_key(list, message, "set `validationFailureAction`");
    }
    for rule in draft.declared().map(|rule| rule.object()) {
        for block in ["match", "exclude"].into_iter().filter_map(|key| given(rule, key)) {
            for filter in filters::of_block(block) {
                of_filter(draft, filter, block.key() == "match");
            }
        }
        targets(draft, rule);
    }
}

fn of_filter(draft: &Draft<'_>, filter: Node<'_>, is_match: bool) {
    let Some(resources) = given(filter, "resources") else { return };
    if let Some(list) = given(resources, "namespaces").filter(|it| it.len() > 0) {
        let message = "Filtering namespaces not allowed in namespaced policies";
        draft.refuse_key(list, message, "remove `namespaces`: the policy sees its own namespace only");
    }
    // Kyverno: its command line knows no scopes.
    if is_match && draft.measure == Measure::Cluster {
        for kind in resources.get("kinds").into_iter().flat_map(Node::items) {
            if kind.as_str().is_some_and(|it| is_cluster_scoped(draft, it)) {
                let message = format!(
                    "namespaced policy should not match cluster-scoped resources: {}",
                    kind.as_str().unwrap_or_default()
                );
                draft.refuse(kind, message, "use a ClusterPolicy");
            }
        }
    }
}

/// Whether an entry of `kinds` can only mean objects that live in no namespace.
fn is_cluster_scoped(draft: &Draft<'_>, entry: &str) -> bool {
    let pattern = KindPattern::parse(entry);
    let Some((group, _, kind, _)) = pattern.parts() else { return false };
    if group != "*" {
        return draft.scopes.of(group, kind) == Some(Scope::Cluster);
    }
    builtins_of_kind(kind).map(|it| !it.namespaced).reduce(|a, b| a && b).unwrap_or(false)
}

/// What a rule changes or makes must be in the policy's namespace.
fn targets(draft: &Draft<'_>, rule: Node<'_>) {
    let own = draft.policy.head.namespace.as_str();
    let own = if own.is_empty() { "default" } else { own };
    let mut places: Vec<Node<'_>> = Vec::new();
    places.extend(rule.at(&["mutate", "targets"]).into_iter().flat_map(Node::items));
    if let Some(generate) = given(rule, "generate") {
        let mut holders = vec![generate];
        super::foreach::collect(generate, &mut holders);
        for holder in holders {
            places.push(holder);
            places.extend(given(holder, "clone"));
            places.extend(given(holder, "cloneList"));
        }
    }
    for namespace in places.into_iter().filter_map(|place| given(place, "namespace")) {
        if namespace.as_str().is_some_and(|text| !text.is_empty() && text != own) {
            let message = format!("a namespaced policy cannot reach other namespaces: expected `{own}`");
            draft.refuse(namespace, message, format!("write `{own}`, or use a ClusterPolicy"));
        }
    }
}
