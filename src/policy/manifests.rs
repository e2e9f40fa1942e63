//! `validate.manifests`, compiled: who must have signed an object, and what may differ from what was signed.
//!
//! In: the node of the block. Out: keys that are read and fields as regular expressions. What is wrong with the block is
//! refused elsewhere; a key that is none is an error when it is asked for, as in Kyverno.

use regex::RegexSet;

use crate::{
    document::{Kind, Node},
    k8s::wildcard::Wildcard,
    signature::PublicKey,
    span::Span,
};

/// Who must have signed, and what doesn't count.
#[derive(Debug)]
pub(crate) struct Manifests {
    /// What the names of annotations begin with.
    pub domain: String,
    /// The signers; every set must be satisfied.
    pub sets: Vec<Set>,
    /// Fields that may differ, by object; Kyverno's own come first.
    pub ignored: Vec<Ignored>,
    /// Whether signatures are in a registry, whatever the annotations hold.
    pub in_registry: bool,
    /// Where the block stands.
    pub span: Span,
}

/// Signers of which some must have signed.
#[derive(Debug)]
pub(crate) struct Set {
    /// How many; all of them when that is not said.
    pub count: usize,
    /// The signers.
    pub entries: Vec<Entry>,
}

/// One signer.
#[derive(Debug)]
pub(crate) struct Entry {
    /// What messages call it: `entries[0].keys`.
    pub name: String,
    /// The signer.
    pub signer: Signer,
    /// Annotations that the object must have.
    pub annotations: Vec<(String, String)>,
}

/// Who signs.
#[derive(Debug)]
pub(crate) enum Signer {
    /// A key.
    Key(PublicKey),
    /// A text that is no key.
    NoKey,
    /// Somebody whose key is elsewhere, and where.
    Elsewhere(&'static str),
    /// Some of several.
    Set(Set),
}

/// Fields that may differ in some objects.
#[derive(Debug)]
pub(crate) struct Ignored {
    /// The objects.
    pub objects: Vec<Objects>,
    /// Their fields: any part of a path may match.
    pub fields: RegexSet,
}

/// Objects, by wildcards; empty for all.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    pub kind: Option<Wildcard>,
    pub group: Option<Wildcard>,
    pub version: Option<Wildcard>,
    pub name: Option<Wildcard>,
    pub namespace: Option<Wildcard>,
}

impl Manifests {
    /// Compiles a block.
    pub(crate) fn decode(node: Node<'_>) -> Self {
        let domain = match node.str_at(&["annotationDomain"]) {
            None | Some("") => "cosign.sigstore.dev",
            Some(domain) => domain,
        };
        let own = node.get("ignoreFields").into_iter().flat_map(Node::items).map(ignored);
        Self {
            domain: domain.to_owned(),
            sets: node.get("attestors").into_iter().flat_map(Node::items).map(set).collect(),
            ignored: defaults(domain).into_iter().chain(own).collect(),
            in_registry: node.str_at(&["repository"]).is_some_and(|it| !it.is_empty()),
            span: node.key_span(),
        }
    }
}

fn set(node: Node<'_>) -> Set {
    let mut entries = Vec::new();
    for node in node.get("entries").into_iter().flat_map(Node::items) {
        let annotations = node.get("annotations").into_iter().flat_map(Node::entries);
        let annotations: Vec<(String, String)> =
            annotations.filter_map(|(key, value)| Some((key.to_owned(), value.as_str()?.to_owned()))).collect();
        let (kind, signers) = signers(node);
        for signer in signers {
            let name = format!("entries[{}].{kind}", entries.len());
            entries.push(Entry { name, signer, annotations: annotations.clone() });
        }
    }
    let count = match node.get("count").map(Node::kind) {
        Some(Kind::Int(count)) if count > 0 => count as usize,
        _ => entries.len(),
    };
    Set { count, entries }
}

/// The signers of an entry, and what they are called.
fn signers(node: Node<'_>) -> (&'static str, Vec<Signer>) {
    if let Some(keys) = node.get("keys") {
        let signers = match keys.str_at(&["publicKeys"]) {
            Some(text) => {
                blocks(text).map(|block| PublicKey::parse(block).map_or(Signer::NoKey, Signer::Key)).collect()
            }
            None if keys.get("kms").is_some() => vec![Signer::Elsewhere("a key management service")],
            None => vec![Signer::Elsewhere("the Secret that holds the key")],
        };
        return ("keys", signers);
    }
    if let Some(nested) = node.get("attestor") {
        return ("attestor", vec![Signer::Set(set(nested))]);
    }
    let kind = if node.get("certificates").is_some() { "certificates" } else { "keyless" };
    (kind, vec![Signer::Elsewhere("the trust root of the transparency log")])
}

/// The keys of a text, each with what stands before it. Kyverno: all but the first begin with a line end, and so are no
/// keys to it.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    let blocks = text.split_inclusive("-----END PUBLIC KEY-----").filter(|block| !block.trim().is_empty());
    blocks.map(|block| if block.starts_with('\n') { "" } else { block })
}

fn ignored(node: Node<'_>) -> Ignored {
    let wildcard = |object: Node<'_>, key: &str| object.str_at(&[key]).filter(|it| !it.is_empty()).map(Wildcard::new);
    let objects = node.get("objects").into_iter().flat_map(Node::items).map(|object| Objects {
        kind: wildcard(object, "kind"),
        group: wildcard(object, "group"),
        version: wildcard(object, "version"),
        name: wildcard(object, "name"),
        namespace: wildcard(object, "namespace"),
    });
    let fields = node.get("fields").into_iter().flat_map(Node::items).filter_map(Node::as_str);
    Ignored { objects: objects.collect(), fields: regexes(fields) }
}

/// Kyverno: `*` is any run of characters, a dot is any character, and any part of a path may match. A field that is no
/// regular expression matches nothing.
fn regexes<'f>(fields: impl Iterator<Item = &'f str>) -> RegexSet {
    let valid = fields.map(|field| field.replace('*', ".*")).filter(|text| regex::Regex::new(text).is_ok());
    RegexSet::new(valid).unwrap_or_default()
}

/// Fields that differ between what people write and what clusters hold.
fn defaults(domain: &str) -> Vec<Ignored> {
    let of_domain: Vec<String> = ["message", "signature", "certificate", "bundle", "resourceBundleRef"]
        .iter()
        .map(|name| format!("metadata.annotations.{domain}/{name}"))
        .collect();
    let everywhere = Ignored {
        objects: vec![Objects::default()],
        fields: regexes(EVERYWHERE.iter().copied().chain(of_domain.iter().map(String::as_str))),
    };
    let of_kinds = OF_KINDS.iter().map(|(kinds, fields)| {
        let object = |kind: &&str| Objects { kind: Some(Wildcard::new(kind)), ..Objects::default() };
        Ignored { objects: kinds.iter().map(object).collect(), fields: regexes(fields.iter().copied()) }
    });
    std::iter::once(everywhere).chain(of_kinds).collect()
}

const EVERYWHERE: &[&str] = &[
    "metadata.namespace",
    "metadata.managedFields.*",
    "metadata.resourceVersion",
    "metadata.selfLink",
    "metadata.creationTimestamp",
    "metadata.generation",
    "metadata.uid",
    "metadata.finalizers*",
    "metadata.annotations.kubectl.kubernetes.io/last-applied-configuration",
    "metadata.annotations.control-plane.alpha.kubernetes.io/leader",
    "metadata.annotations.namespace",
    "metadata.annotations.deprecated.daemonset.template.generation",
    "metadata.annotations.deployment.kubernetes.io/revision",
    "metadata.labels.app.kubernetes.io/instance",
    "status",
    "spec.containers.*.imagePullPolicy",
    "spec.containers.*.terminationMessagePath",
    "spec.containers.*.terminationMessagePolicy",
    "spec.dnsPolicy",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.terminationGracePeriodSeconds",
];

const OF_KINDS: &[(&[&str], &[&str])] = &[
    (
        &["Pod"],
        &[
            "spec.volumes.*.name",
            "spec.volumes.*.projected.*",
            "spec.volumes.*.configMap.defaultMode",
            "spec.containers.*.volumeMounts.*",
            "spec.tolerations.*",
            "spec.enableServiceLinks",
            "spec.preemptionPolicy",
            "spec.priority",
            "spec.serviceAccount",
        ],
    ),
    (
        &["Deployment"],
        &[
            "spec.progressDeadlineSeconds",
            "spec.revisionHistoryLimit",
            "spec.strategy.*",
            "spec.template.metadata.creationTimestamp",
            "spec.containers.*.ports.*.protocol",
            "spec.containers.*.resources",
            "spec.securityContext",
        ],
    ),
    (
        &["Service"],
        &[
            "spec.ports.*.nodePort",
            "spec.clusterIP",
            "spec.clusterIPs.0",
            "spec.sessionAffinity",
            "spec.type",
            "spec.ipFamilies.*",
            "spec.ipFamilyPolicy",
            "spec.internalTrafficPolicy",
        ],
    ),
    (&["ServiceAccount"], &["secrets.*.name", "imagePullSecrets.*.name"]),
    (&["CustomResourceDefinition"], &["spec.conversion.strategy", "spec.names.listKind"]),
    (
        &["ClusterPolicy", "Policy"],
        &[
            "metadata.annotations.pod-policies.kyverno.io/autogen-controllers",
            "spec.failurePolicy",
            "spec.background",
            "spec.validationFailureAction",
        ],
    ),
    (&["Route"], &["spec.host"]),
];
