//! Which built-in kinds live outside of namespaces.
//!
//! Source: `kubectl api-resources --namespaced=false` of Kubernetes 1.34, and Kyverno's own cluster-scoped kinds.

use std::collections::HashMap;

use super::gvk::builtin;

/// Group and kind of each, sorted by group.
const CLUSTER_SCOPED: &[(&str, &[&str])] = &[
    ("", &["ComponentStatus", "Namespace", "Node", "PersistentVolume"]),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    ("authentication.k8s.io", &["SelfSubjectReview", "TokenReview"]),
    ("authorization.k8s.io", &["SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"]),
    ("certificates.k8s.io", &["CertificateSigningRequest", "ClusterTrustBundle"]),
    ("flowcontrol.apiserver.k8s.io", &["FlowSchema", "PriorityLevelConfiguration"]),
    ("internal.apiserver.k8s.io", &["StorageVersion"]),
    ("kyverno.io", &["ClusterCleanupPolicy", "ClusterPolicy", "GlobalContextEntry"]),
    ("networking.k8s.io", &["IPAddress", "IngressClass", "ServiceCIDR"]),
    ("node.k8s.io", &["RuntimeClass"]),
    (
        "policies.kyverno.io",
        &["DeletingPolicy", "GeneratingPolicy", "ImageValidatingPolicy", "MutatingPolicy", "ValidatingPolicy"],
    ),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"]),
    ("resource.k8s.io", &["DeviceClass", "ResourceSlice"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    ("storage.k8s.io", &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"]),
    ("storagemigration.k8s.io", &["StorageVersionMigration"]),
    ("wgpolicyk8s.io", &["ClusterPolicyReport"]),
];

/// Where the objects of a kind live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// In namespaces.
    Namespaced,
    /// Outside of them.
    Cluster,
}

/// Where objects live, of the kinds of Kubernetes, of Kyverno and of definitions that were read.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    defined: HashMap<(String, String), Scope>,
}

impl Scopes {
    /// Notes a kind that a `CustomResourceDefinition` defines.
    pub(crate) fn define(&mut self, group: &str, kind: &str, scope: Scope) {
        self.defined.insert((group.to_owned(), kind.to_owned()), scope);
    }

    /// Where the objects of a kind live; `None` when that is not known.
    pub(crate) fn of(&self, group: &str, kind: &str) -> Option<Scope> {
        if is_cluster_scoped(group, kind) {
            return Some(Scope::Cluster);
        }
        if builtin(group, kind).is_some() {
            return Some(Scope::Namespaced);
        }
        self.defined.get(&(group.to_owned(), kind.to_owned())).copied()
    }
}

/// Whether a kind is known to live outside of namespaces. Unknown kinds count as namespaced, as on Kyverno's command
/// line.
pub(crate) fn is_cluster_scoped(group: &str, kind: &str) -> bool {
    CLUSTER_SCOPED.iter().any(|(known, kinds)| *known == group && kinds.contains(&kind))
}
