//! Which kinds a repository can answer for.
//!
//! In: the group and plural of a kind of which the repository holds no object. Out: whether that says anything of the
//! cluster. People keep workloads in Git, but nobody keeps the nodes there, or what controllers make.

use crate::k8s::gvk::{self, Plurals};

/// Kinds whose objects a cluster makes itself, or that people keep out of Git; `*` is every kind of the group.
const MADE_BY_CLUSTERS: [(&str, &[&str]); 17] = [
    (
        "",
        &[
            "bindings",
            "componentstatuses",
            "endpoints",
            "events",
            "namespaces",
            "nodes",
            "persistentvolumes",
            "pods",
            "secrets",
        ],
    ),
    ("apiregistration.k8s.io", &["*"]),
    ("apps", &["controllerrevisions", "replicasets"]),
    ("authentication.k8s.io", &["*"]),
    ("authorization.k8s.io", &["*"]),
    ("certificates.k8s.io", &["certificatesigningrequests"]),
    ("coordination.k8s.io", &["*"]),
    ("custom.metrics.k8s.io", &["*"]),
    ("discovery.k8s.io", &["*"]),
    ("events.k8s.io", &["*"]),
    ("external.metrics.k8s.io", &["*"]),
    ("metrics.k8s.io", &["*"]),
    ("openreports.io", &["*"]),
    ("reports.kyverno.io", &["*"]),
    ("resource.k8s.io", &["resourceslices"]),
    ("storage.k8s.io", &["csinodes", "csistoragecapacities", "volumeattachments"]),
    ("wgpolicyk8s.io", &["*"]),
];

/// Whether objects of a kind come into being without any manifest, so that none in a repository says nothing.
pub(super) fn is_made_by_clusters(group: &str, plural: &str) -> bool {
    let of_group = MADE_BY_CLUSTERS.iter().find(|(known, _)| *known == group);
    of_group.is_some_and(|(_, plurals)| plurals.iter().any(|it| *it == "*" || *it == plural))
}

/// Whether a cluster is known to have the kind: its own, Kyverno's, or one that a definition in the repository defines.
pub(super) fn is_defined(group: &str, plural: &str, plurals: &Plurals) -> bool {
    gvk::builtin_by_plural(group, plural).is_some()
        || matches!(group, "kyverno.io" | "policies.kyverno.io")
        || plurals.defines(group, plural)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_keeps_in_git_is_told_from_what_people_keep_there() {
        for (group, plural) in [("", "nodes"), ("", "pods"), ("apps", "replicasets"), ("metrics.k8s.io", "pods")] {
            assert!(is_made_by_clusters(group, plural), "{group}/{plural}");
        }
        for (group, plural) in [("", "services"), ("apps", "deployments"), ("example.com", "nodes")] {
            assert!(!is_made_by_clusters(group, plural), "{group}/{plural}");
        }
        let mut plurals = Plurals::default();
        assert!(!is_defined("example.com", "widgets", &plurals));
        plurals.define("example.com", "Widget", "widgets");
        assert!(is_defined("example.com", "widgets", &plurals));
        assert!(is_defined("apps", "deployments", &plurals));
    }
}
