//! Groups, versions and kinds: entries of a `kinds` list, `apiVersion`, and the names of the API's resources.

use std::collections::HashMap;

use super::wildcard::Wildcard;

/// The group and the version of an `apiVersion`: `apps/v1` is (`apps`, `v1`), `v1` is (empty, `v1`).
pub(crate) fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// One entry of a `kinds` list, such as `Pod`, `apps/v1/Deployment`, `*/*`, `Pod/exec` or `Pod.status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KindPattern {
    /// `None` when nothing matches: the entry has too many parts.
    parts: Option<Parts>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    group: Wildcard,
    version: Wildcard,
    kind: Wildcard,
    subresource: Wildcard,
}

impl KindPattern {
    /// Reads an entry; every text is one, though some match nothing.
    pub(crate) fn parse(entry: &str) -> Self {
        let (before, last) = match entry.rsplit_once('/') {
            Some((before, last)) => (Some(before), last),
            None => (None, entry),
        };
        let parts: Vec<&str> = before.into_iter().flat_map(|it| it.split('/')).chain(last.split('.')).collect();
        let (group, version, kind, subresource) = match parts[..] {
            [kind] => ("*", "*", kind, ""),
            ["*", rest] if rest.to_lowercase() == rest => ("*", "*", "*", rest),
            [version, kind] if is_version(version) => ("*", version, kind, ""),
            [kind, subresource] => ("*", "*", kind, subresource),
            [version, kind, subresource] if is_version(version) => ("*", version, kind, subresource),
            [group, version, kind] => (group, version, kind, ""),
            [group, version, kind, subresource] => (group, version, kind, subresource),
            _ => return Self { parts: None },
        };
        Self {
            parts: Some(Parts {
                group: Wildcard::new(group),
                version: Wildcard::new(version),
                kind: Wildcard::new(kind),
                subresource: Wildcard::new(subresource),
            }),
        }
    }

    /// Whether the entry covers a resource. `subresource` is empty for the resource itself.
    pub(crate) fn matches(&self, group: &str, version: &str, kind: &str, subresource: &str) -> bool {
        self.parts.as_ref().is_some_and(|it| {
            it.kind.matches(kind)
                && it.subresource.matches(subresource)
                && it.group.matches(group)
                && it.version.matches(version)
        })
    }

    /// The only kind that can match; `None` when the entry has a wildcard there. An entry that matches nothing has the
    /// kind of no name.
    pub(crate) fn literal_kind(&self) -> Option<&str> {
        self.parts.as_ref().map_or(Some(""), |it| it.kind.literal())
    }

    /// The kind as written; empty for an entry that matches nothing.
    pub(crate) fn kind(&self) -> &str {
        self.parts.as_ref().map_or("", |it| it.kind.as_str())
    }

    /// Group, version, kind and subresource as understood; `None` for an entry that matches nothing.
    pub(crate) fn parts(&self) -> Option<(&str, &str, &str, &str)> {
        let it = self.parts.as_ref()?;
        Some((it.group.as_str(), it.version.as_str(), it.kind.as_str(), it.subresource.as_str()))
    }
}

/// Whether the first part of an entry is a version: `*`, or `v1`, `v1alpha1`, `v1beta1` with single digits.
fn is_version(text: &str) -> bool {
    match text.as_bytes() {
        b"*" => true,
        // Kyverno: versions such as `v10` or `v1alpha10` are not seen as versions.
        [b'v', major, rest @ ..] if major.is_ascii_digit() => match rest {
            [] => true,
            [b'a', b'l', b'p', b'h', b'a', minor] | [b'b', b'e', b't', b'a', minor] => minor.is_ascii_digit(),
            _ => false,
        },
        _ => false,
    }
}

/// A resource type of Kubernetes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Builtin {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Name in URLs: the plural in lower case.
    pub plural: &'static str,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

/// The resource type of a group and kind of Kubernetes itself.
pub(crate) fn builtin(group: &str, kind: &str) -> Option<Builtin> {
    builtins().find(|it| it.kind == kind && it.group == group)
}

/// The resource types of a kind, in whatever group.
pub(crate) fn builtins_of_kind(kind: &str) -> impl Iterator<Item = Builtin> {
    builtins().filter(move |it| it.kind == kind)
}

/// Whether objects of a kind are only ever sent to a subresource of another, such as `Scale` to `deployments/scale`.
pub(crate) fn is_subresource_kind(kind: &str) -> bool {
    SUBRESOURCE_KINDS.contains(&kind)
}

/// Kinds that only subresources take.
const SUBRESOURCE_KINDS: [&str; 9] = [
    "Eviction",
    "NodeProxyOptions",
    "PodAttachOptions",
    "PodExecOptions",
    "PodPortForwardOptions",
    "PodProxyOptions",
    "Scale",
    "ServiceProxyOptions",
    "TokenRequest",
];

/// Whether a kind of Kubernetes has a subresource. One that also is a custom kind may have what these have.
pub(crate) fn has_subresource(kind: &str, subresource: &str) -> bool {
    let own: &[&str] = match kind {
        "CertificateSigningRequest" => &["approval"],
        "Namespace" => &["finalize"],
        "Node" | "Service" => &["proxy"],
        "Pod" => {
            &["attach", "binding", "ephemeralcontainers", "eviction", "exec", "log", "portforward", "proxy", "resize"]
        }
        "ServiceAccount" => &["token"],
        _ => &[],
    };
    matches!(subresource, "status" | "scale") || own.contains(&subresource)
}

/// The resource type of a plural name, such as `pods` or `ingresses`.
pub(crate) fn builtin_by_plural(group: &str, plural: &str) -> Option<Builtin> {
    builtins().find(|it| it.plural == plural && it.group == group)
}

/// The plural name of a kind in URLs: that of Kubernetes' own types, else the usual guess.
pub(crate) fn plural(group: &str, kind: &str) -> String {
    builtin(group, kind).map_or_else(|| guess_plural(kind), |it| it.plural.to_owned())
}

/// What kinds are called in URLs: those of Kubernetes, those of definitions that were read, and a guess for the rest.
#[derive(Debug, Default)]
pub(crate) struct Plurals {
    defined: HashMap<(String, String), String>,
    /// Whether the guess is that of Kubernetes' libraries, else what authors of kinds mostly choose.
    as_libraries: bool,
}

impl Plurals {
    /// None yet, and guesses as Kubernetes' libraries make them.
    pub(crate) fn guessed_by_libraries() -> Self {
        Self { as_libraries: true, ..Self::default() }
    }

    /// Notes the plural of a kind that a `CustomResourceDefinition` defines.
    pub(crate) fn define(&mut self, group: &str, kind: &str, plural: &str) {
        self.defined.insert((group.to_owned(), kind.to_owned()), plural.to_owned());
    }

    /// Whether a kind of this plural is defined.
    pub(crate) fn defines(&self, group: &str, plural: &str) -> bool {
        self.defined.iter().any(|((known, _), it)| known == group && it == plural)
    }

    /// What definitions say: a group and a kind, and the plural.
    pub(crate) fn defined(&self) -> impl Iterator<Item = (&(String, String), &String)> {
        self.defined.iter()
    }

    /// Whether the plural of a kind is only guessed.
    pub(crate) fn is_guess(&self, group: &str, kind: &str) -> bool {
        builtin(group, kind).is_none() && !self.defined.contains_key(&(group.to_owned(), kind.to_owned()))
    }

    /// The plural of a kind.
    pub(crate) fn of(&self, group: &str, kind: &str) -> String {
        if let Some(builtin) = builtin(group, kind) {
            return builtin.plural.to_owned();
        }
        // A look-up takes owned keys; most runs define nothing.
        let defined = if self.defined.is_empty() { None } else { self.defined.get(&(group.into(), kind.into())) };
        defined.cloned().unwrap_or_else(|| if self.as_libraries { guess_plural(kind) } else { usual_plural(kind) })
    }
}

/// The plural that the author of a kind is most likely to have chosen: `gateways`, where Kubernetes' libraries would say
/// `gatewaies`.
fn usual_plural(kind: &str) -> String {
    let name = kind.to_lowercase();
    let is_spoken = |ending: &str| matches!(ending, "ay" | "ey" | "iy" | "oy" | "uy");
    match name.get(name.len().saturating_sub(2)..) {
        Some(ending) if is_spoken(ending) => name + "s",
        Some(ending) if matches!(ending, "ch" | "sh") || ending.ends_with(['x', 'z']) => name + "es",
        _ => guess_plural(kind),
    }
}

/// The plural that Kubernetes' libraries guess for a kind they don't know.
fn guess_plural(kind: &str) -> String {
    let name = kind.to_lowercase();
    if name.is_empty() || name.ends_with("endpoints") {
        name
    } else if name.ends_with('s') {
        name + "es"
    } else if let Some(stem) = name.strip_suffix('y') {
        format!("{stem}ies")
    } else {
        name + "s"
    }
}

fn builtins() -> impl Iterator<Item = Builtin> {
    let groups = NAMESPACED.iter().map(|it| (it, true)).chain(CLUSTER.iter().map(|it| (it, false)));
    groups.flat_map(|((group, kinds), namespaced)| {
        kinds.iter().map(move |(kind, plural)| Builtin { group, kind, plural, namespaced })
    })
}

type Group = (&'static str, &'static [(&'static str, &'static str)]);

const NAMESPACED: &[Group] = &[
    (
        "",
        &[
            ("Pod", "pods"),
            ("Service", "services"),
            ("ConfigMap", "configmaps"),
            ("Secret", "secrets"),
            ("ServiceAccount", "serviceaccounts"),
            ("Endpoints", "endpoints"),
            ("Event", "events"),
            ("LimitRange", "limitranges"),
            ("PersistentVolumeClaim", "persistentvolumeclaims"),
            ("PodTemplate", "podtemplates"),
            ("ReplicationController", "replicationcontrollers"),
            ("ResourceQuota", "resourcequotas"),
            ("Binding", "bindings"),
        ],
    ),
    (
        "apps",
        &[
            ("Deployment", "deployments"),
            ("StatefulSet", "statefulsets"),
            ("DaemonSet", "daemonsets"),
            ("ReplicaSet", "replicasets"),
            ("ControllerRevision", "controllerrevisions"),
        ],
    ),
    ("batch", &[("Job", "jobs"), ("CronJob", "cronjobs")]),
    ("autoscaling", &[("HorizontalPodAutoscaler", "horizontalpodautoscalers")]),
    ("networking.k8s.io", &[("Ingress", "ingresses"), ("NetworkPolicy", "networkpolicies")]),
    ("policy", &[("PodDisruptionBudget", "poddisruptionbudgets")]),
    ("rbac.authorization.k8s.io", &[("Role", "roles"), ("RoleBinding", "rolebindings")]),
    ("authorization.k8s.io", &[("LocalSubjectAccessReview", "localsubjectaccessreviews")]),
    ("coordination.k8s.io", &[("Lease", "leases"), ("LeaseCandidate", "leasecandidates")]),
    ("discovery.k8s.io", &[("EndpointSlice", "endpointslices")]),
    ("events.k8s.io", &[("Event", "events")]),
    ("resource.k8s.io", &[("ResourceClaim", "resourceclaims"), ("ResourceClaimTemplate", "resourceclaimtemplates")]),
    ("storage.k8s.io", &[("CSIStorageCapacity", "csistoragecapacities")]),
];

const CLUSTER: &[Group] = &[
    (
        "",
        &[
            ("Namespace", "namespaces"),
            ("Node", "nodes"),
            ("PersistentVolume", "persistentvolumes"),
            ("ComponentStatus", "componentstatuses"),
        ],
    ),
    ("rbac.authorization.k8s.io", &[("ClusterRole", "clusterroles"), ("ClusterRoleBinding", "clusterrolebindings")]),
    (
        "storage.k8s.io",
        &[
            ("StorageClass", "storageclasses"),
            ("CSIDriver", "csidrivers"),
            ("CSINode", "csinodes"),
            ("VolumeAttachment", "volumeattachments"),
            ("VolumeAttributesClass", "volumeattributesclasses"),
        ],
    ),
    ("apiextensions.k8s.io", &[("CustomResourceDefinition", "customresourcedefinitions")]),
    ("apiregistration.k8s.io", &[("APIService", "apiservices")]),
    (
        "admissionregistration.k8s.io",
        &[
            ("ValidatingWebhookConfiguration", "validatingwebhookconfigurations"),
            ("MutatingWebhookConfiguration", "mutatingwebhookconfigurations"),
            ("ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
            ("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"),
            ("MutatingAdmissionPolicy", "mutatingadmissionpolicies"),
            ("MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings"),
        ],
    ),
    (
        "certificates.k8s.io",
        &[("CertificateSigningRequest", "certificatesigningrequests"), ("ClusterTrustBundle", "clustertrustbundles")],
    ),
    ("authentication.k8s.io", &[("TokenReview", "tokenreviews"), ("SelfSubjectReview", "selfsubjectreviews")]),
    (
        "authorization.k8s.io",
        &[
            ("SubjectAccessReview", "subjectaccessreviews"),
            ("SelfSubjectAccessReview", "selfsubjectaccessreviews"),
            ("SelfSubjectRulesReview", "selfsubjectrulesreviews"),
        ],
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        &[("FlowSchema", "flowschemas"), ("PriorityLevelConfiguration", "prioritylevelconfigurations")],
    ),
    (
        "networking.k8s.io",
        &[("IngressClass", "ingressclasses"), ("IPAddress", "ipaddresses"), ("ServiceCIDR", "servicecidrs")],
    ),
    ("node.k8s.io", &[("RuntimeClass", "runtimeclasses")]),
    ("scheduling.k8s.io", &[("PriorityClass", "priorityclasses")]),
    ("resource.k8s.io", &[("DeviceClass", "deviceclasses"), ("ResourceSlice", "resourceslices")]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_are_guessed_as_authors_choose_them_or_as_libraries_do() {
        for (kind, usual, of_libraries) in [
            ("Widget", "widgets", "widgets"),
            ("Policy", "policies", "policies"),
            ("Gas", "gases", "gases"),
            ("Gateway", "gateways", "gatewaies"),
            ("Mesh", "meshes", "meshs"),
            ("Index", "indexes", "indexs"),
            ("ServiceEndpoints", "serviceendpoints", "serviceendpoints"),
            ("É", "és", "és"),
        ] {
            assert_eq!(Plurals::default().of("example.com", kind), usual);
            assert_eq!(Plurals::guessed_by_libraries().of("example.com", kind), of_libraries);
        }
    }

    #[test]
    fn entries_match_as_observed() {
        let resources = [
            ("", "v1", "Pod"),
            ("apps", "v1", "Deployment"),
            ("batch", "v1", "CronJob"),
            ("probe.io", "v1", "Foo"),
            ("", "v1", "Namespace"),
            ("rbac.authorization.k8s.io", "v1", "ClusterRole"),
        ];
        let all = ["Pod", "Deployment", "CronJob", "Foo", "Namespace", "ClusterRole"];
        let cases: &[(&str, &[&str])] = &[
            ("Pod", &["Pod"]),
            ("v1/Pod", &["Pod"]),
            ("*/Pod", &["Pod"]),
            ("?od", &["Pod"]),
            ("*", &all),
            ("*/*", &all),
            ("Deploy*", &["Deployment"]),
            ("apps/v1/Deployment", &["Deployment"]),
            ("apps/*/Deployment", &["Deployment"]),
            ("apps/v1/*", &["Deployment"]),
            ("v1/Deployment", &["Deployment"]),
            ("Deployment/*", &["Deployment"]),
            ("*/*/Deployment", &[]),
            ("*/v1/*", &[]),
            ("apps/Deployment", &[]),
            ("pod", &[]),
            ("", &[]),
            ("Pod/status", &[]),
            ("Pod.status", &[]),
            ("v1/Pod/exec", &[]),
            ("batch/v1beta1/CronJob", &[]),
            ("v10/Pod", &[]),
            ("a/b/c/d/e", &[]),
        ];
        for (entry, expected) in cases {
            let pattern = KindPattern::parse(entry);
            let matched: Vec<_> = resources
                .iter()
                .filter(|(group, version, kind)| pattern.matches(group, version, kind, ""))
                .map(|(_, _, kind)| *kind)
                .collect();
            assert_eq!(&matched, expected, "{entry}");
        }
    }

    #[test]
    fn subresources() {
        for (entry, expected) in [
            ("Pod/exec", true),
            ("Pod.exec", true),
            ("v1/Pod/exec", true),
            ("v1/Pod.exec", true),
            ("*/exec", true),
            ("*/*", true),
            ("*", false),
            ("Pod", false),
            ("Pod/*", true),
            ("*/v1/Pod/exec", true),
        ] {
            assert_eq!(KindPattern::parse(entry).matches("", "v1", "Pod", "exec"), expected, "{entry}");
        }
    }

    #[test]
    fn names_of_resources() {
        assert_eq!(plural("networking.k8s.io", "Ingress"), "ingresses");
        assert_eq!(plural("", "Endpoints"), "endpoints");
        assert_eq!(plural("example.com", "Policy"), "policies");
        assert_eq!(plural("example.com", "Widget"), "widgets");
        assert!(builtin("", "Namespace").is_some_and(|it| !it.namespaced));
        assert!(builtin_by_plural("apps", "deployments").is_some_and(|it| it.kind == "Deployment" && it.namespaced));
        assert_eq!(split_api_version("apps/v1"), ("apps", "v1"));
        assert_eq!(split_api_version("v1"), ("", "v1"));
    }
}
