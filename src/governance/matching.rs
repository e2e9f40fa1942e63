//! What filters could match, as far as that can be told without an object.

use crate::{
    k8s::{gvk::KindPattern, scope::is_cluster_scoped},
    policy::{
        classic::{Policy, Rule},
        exception::Reference,
        matching::Filter,
    },
};

/// Whether filters that both name kinds can meet: one of the kinds of the one covers one of the other.
pub(super) fn kinds_meet(a: &[KindPattern], b: &[KindPattern]) -> bool {
    a.is_empty() || b.is_empty() || a.iter().any(|a| b.iter().any(|b| meet(a, b)))
}

/// Whether two entries of `kinds` can cover the same kind. Where both hold wildcards that is taken for granted.
pub(super) fn meet(a: &KindPattern, b: &KindPattern) -> bool {
    let covers = |pattern: &KindPattern, literal: &KindPattern| {
        let Some((group, version, kind, subresource)) = literal.parts() else { return false };
        // A part that is open on the other side is no obstacle.
        let part = |text: &str, other: &str| text.contains(['*', '?']) || other.contains(['*', '?']) || text == other;
        let Some((own_group, own_version, _, own_subresource)) = pattern.parts() else { return false };
        part(own_group, group)
            && part(own_version, version)
            && part(own_subresource, subresource)
            && crate::k8s::wildcard::matches(pattern.kind(), kind)
    };
    covers(a, b) || covers(b, a) || (a.literal_kind().is_none() && b.literal_kind().is_none())
}

/// Whether a filter can match objects of a kind, by its kinds.
pub(super) fn takes_kind(filter: &Filter, group: &str, version: &str, kind: &str) -> bool {
    filter.kinds.is_empty() || filter.kinds.iter().any(|it| it.matches(group, version, kind, ""))
}

/// The rules of a policy that a reference names.
pub(super) fn named_rules<'p>(reference: &Reference, policy: &'p Policy) -> Vec<&'p Rule> {
    let named = |rule: &&Rule| reference.rules.iter().any(|(wildcard, _)| wildcard.matches(&rule.name));
    policy.rules.iter().filter(named).collect()
}

/// Whether every kind that a filter names lives outside of namespaces; false where any kind may match.
pub(super) fn only_cluster_scoped(filter: &Filter) -> bool {
    !filter.kinds.is_empty()
        && filter.kinds.iter().all(|it| {
            let Some(kind) = it.literal_kind() else { return false };
            let group = it.parts().map_or("", |(group, ..)| group);
            if group.contains(['*', '?']) { is_known_cluster_scoped(kind) } else { is_cluster_scoped(group, kind) }
        })
}

/// Whether a bare kind is one of Kubernetes' or Kyverno's that lives outside of namespaces.
fn is_known_cluster_scoped(kind: &str) -> bool {
    const GROUPS: [&str; 14] = [
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "certificates.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "kyverno.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policies.kyverno.io",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    ];
    GROUPS.iter().any(|group| is_cluster_scoped(group, kind))
}
