//! `PolicyException`, compiled. What is said in CEL is decoded by [`cel::exception`](super::cel::exception).
//!
//! In: a document. Out: the exception, or what a cluster would refuse in it; a refused exception exempts nothing.

use std::sync::Arc;

use super::{
    cel::exception::Waiver,
    classic::{
        condition::{self, Conditions, FlatList},
        validate,
    },
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

/// A `PolicyException` of either group. What the other group says is empty and exempts nothing.
#[derive(Debug)]
pub(crate) struct Exception {
    /// The document that holds it.
    pub document: Arc<Document>,
    /// The node of the object in the document.
    pub node: NodeId,
    /// `metadata.name`.
    pub name: String,
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
    /// Of `policies.kyverno.io`: which policies written in CEL, and when.
    pub cel: Option<Waiver>,
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

/// Decodes and compiles an exception.
pub(crate) fn decode(document: &Arc<Document>, node: NodeId, problems: &Problems) -> Option<Exception> {
    let object = document.node(node);
    let fields = Fields::read(object, "an exception", problems)?;
    let metadata = Fields::read(fields.require("metadata")?, "metadata", problems)?;
    let name_node = metadata.require("name")?;
    let name = metadata.text(name_node)?.to_owned();
    let namespace = metadata.string("namespace").unwrap_or_default().to_owned();
    let spec = Fields::read(fields.require("spec")?, "spec", problems)?;
    let references = spec.list("exceptions").filter_map(|item| reference(item, problems)).collect();
    let matching = matching::decode_block(spec.require("match")?, Forms::AnyAll, problems)?;
    let conditions = spec.get("conditions").and_then(|node| condition::decode(node, FlatList::Refused, problems));
    Some(Exception {
        document: Arc::clone(document),
        node,
        key: if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") },
        name,
        name_span: name_node.span(),
        background: spec.boolean("background").unwrap_or(true),
        references,
        matching,
        conditions,
        pod_security: spec.list("podSecurity").filter_map(|item| pod_security::exclusion(item, problems)).collect(),
        pod_security_span: spec.get("podSecurity").map(Node::key_span),
        cel: None,
    })
}

fn reference(node: Node<'_>, problems: &Problems) -> Option<Reference> {
    let fields = Fields::read(node, "an entry of exceptions", problems)?;
    let policy_node = fields.require("policyName")?;
    let policy = fields.text(policy_node)?.to_owned();
    let rules_node = fields.require("ruleNames")?;
    let rules =
        fields.strings("ruleNames").into_iter().map(|(text, node)| (Wildcard::new(text), node.span())).collect();
    Some(Reference { policy, policy_span: policy_node.span(), rules, rules_span: rules_node.span() })
}

/// Notes what a cluster would refuse in an exception that its schema lets in.
///
/// Kyverno's command line looks at none of this and applies the exception as it is written.
pub(crate) fn check(object: Node<'_>, problems: &Problems) {
    let Some(spec) = object.get("spec") else { return };
    if let Some(block) = spec.get("match") {
        validate::check_filters(block, problems);
        if spec.get("background").and_then(Node::as_bool) != Some(false) {
            for list in validate::user_info(block) {
                let message = format!("`{}` can't be used in an exception for background scans", list.key());
                let help = "set `background: false`: nobody asks for what is already there";
                problems.at_key(list, Problem::invalid_with(message, help));
            }
        }
    }
    for name in spec.get("exceptions").into_iter().flat_map(Node::items).filter_map(|it| it.get("policyName")) {
        if name.as_str() == Some("") {
            problems.at(name, Problem::invalid_with("An exception requires a policy name", "name a policy"));
        }
    }
    for entry in spec.get("podSecurity").into_iter().flat_map(Node::items) {
        for (at, problem) in pod_security::exclusion(entry, problems).iter().flat_map(Exclusion::flaws) {
            problems.at_span(entry, at, problem);
        }
    }
}
