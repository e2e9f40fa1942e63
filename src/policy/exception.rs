//! `PolicyException` of `kyverno.io`, compiled.
//!
//! In: a document. Out: the exception, or what a cluster would refuse in it; a refused exception exempts nothing.

use std::sync::Arc;

use super::{
    classic::condition::{self, Conditions, FlatList},
    error::Problem,
    fields::{Fields, Problems},
    matching::{self, Block, Forms},
    pod_security::{self, Exclusion},
};
use crate::{
    document::{Document, Node, NodeId},
    k8s::wildcard::Wildcard,
    span::Span,
};

/// A `PolicyException`.
#[derive(Debug)]
pub(crate) struct Exception {
    /// The document that holds it.
    pub document: Arc<Document>,
    /// The node of the object in the document.
    pub node: NodeId,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`; may be empty.
    pub namespace: String,
    /// `namespace/name`, or `name` without a namespace: how results name it.
    pub key: String,
    /// Where `metadata.name` stands.
    pub name_span: Span,
    /// `spec.background`.
    pub background: bool,
    /// Which rules of which policies.
    pub references: Vec<Reference>,
    /// Which resources.
    pub matching: Block,
    /// Under which further conditions.
    pub conditions: Option<Conditions>,
    /// Which violations of the pod security standards only; empty means the whole rule.
    pub pod_security: Vec<Exclusion>,
    /// Where `spec.podSecurity` stands.
    pub pod_security_span: Option<Span>,
}

/// One entry of `spec.exceptions`.
#[derive(Debug)]
pub(crate) struct Reference {
    /// `policyName`: the key of a policy, exactly.
    pub policy: String,
    /// Where it stands.
    pub policy_span: Span,
    /// `ruleNames`, with wildcards.
    pub rules: Vec<(Wildcard, Span)>,
    /// Where the list stands.
    pub rules_span: Span,
}

impl Exception {
    /// The object as written.
    pub(crate) fn object(&self) -> Node<'_> {
        self.document.node(self.node)
    }

    /// Whether the exception names a rule of a policy.
    pub(crate) fn names(&self, policy: &str, rule: &str) -> bool {
        self.references
            .iter()
            .any(|it| it.policy == policy && it.rules.iter().any(|(wildcard, _)| wildcard.matches(rule)))
    }
}

/// Whether a node is a `PolicyException` of `kyverno.io`.
pub(crate) fn is_exception(node: Node<'_>) -> bool {
    node.str_at(&["kind"]) == Some("PolicyException")
        && node.str_at(&["apiVersion"]).is_some_and(|api| api.starts_with("kyverno.io/"))
}

/// Decodes and compiles an exception.
pub(crate) fn decode(document: &Arc<Document>, node: NodeId, problems: &Problems) -> Option<Exception> {
    let object = document.node(node);
    let fields = Fields::read(object, "an exception", &["apiVersion", "kind", "metadata", "spec"], problems)?;
    let version = fields.string("apiVersion").unwrap_or_default();
    if !matches!(version, "kyverno.io/v2" | "kyverno.io/v2beta1" | "kyverno.io/v2alpha1") {
        let (kind, api_version) = ("PolicyException".to_owned(), version.to_owned());
        let at = fields.get("apiVersion").unwrap_or(object);
        problems.at(at, Problem::Version { kind, api_version, instead: "kyverno.io/v2" });
    }
    let metadata = Fields::open(fields.require("metadata")?, "metadata", problems)?;
    let name_node = metadata.require("name")?;
    let name = metadata.text(name_node)?.to_owned();
    let namespace = metadata.string("namespace").unwrap_or_default().to_owned();
    let known = &["background", "conditions", "exceptions", "match", "podSecurity"];
    let spec = Fields::read(fields.require("spec")?, "spec", known, problems)?;
    spec.require("exceptions");
    let references = spec.list("exceptions").filter_map(|item| reference(item, problems)).collect();
    let matching = matching::decode_block(spec.require("match")?, Forms::AnyAll, problems)?;
    let conditions = spec.get("conditions").and_then(|node| condition::decode(node, FlatList::Refused, problems));
    for condition in conditions.iter().flat_map(Conditions::iter) {
        let deprecated =
            condition.operator.is_none_or(|operator| matches!(operator.name(), "Equal" | "NotEqual" | "In" | "NotIn"));
        if deprecated {
            problems.at_span(object, condition.span, Problem::invalid("this operator is not allowed in an exception"));
        }
    }
    Some(Exception {
        document: Arc::clone(document),
        node,
        key: if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") },
        name,
        namespace,
        name_span: name_node.span(),
        background: spec.boolean("background").unwrap_or(true),
        references,
        matching,
        conditions,
        pod_security: spec.list("podSecurity").filter_map(|item| pod_security::exclusion(item, problems)).collect(),
        pod_security_span: spec.get("podSecurity").map(Node::key_span),
    })
}

fn reference(node: Node<'_>, problems: &Problems) -> Option<Reference> {
    let fields = Fields::read(node, "an entry of exceptions", &["policyName", "ruleNames"], problems)?;
    let policy_node = fields.require("policyName")?;
    let policy = fields.text(policy_node)?.to_owned();
    if policy.is_empty() {
        problems.at(policy_node, Problem::invalid("`policyName` is empty"));
    }
    let rules_node = fields.require("ruleNames")?;
    let rules =
        fields.strings("ruleNames").into_iter().map(|(text, node)| (Wildcard::new(text), node.span())).collect();
    Some(Reference { policy, policy_span: policy_node.span(), rules, rules_span: rules_node.span() })
}
