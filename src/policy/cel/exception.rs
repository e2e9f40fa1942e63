//! `PolicyException` of `policies.kyverno.io`.

use std::sync::Arc;

use super::{
    compile::{Compiler, Profile},
    expression::Reads,
    model::Named,
    refuse,
};
use crate::{
    document::{Document, Node, NodeId},
    policy::{
        exception::Exception,
        fields::{Fields, Problems},
        matching::{Block, Join},
    },
    span::Span,
};

/// The label that says which of several exceptions decides how a waived policy is reported.
const PRIORITY: &str = "polex.kyverno.io/priority";

/// What an exception says in CEL.
#[derive(Debug)]
pub(crate) struct Waiver {
    /// Which policies.
    pub references: Vec<Reference>,
    /// When: all must hold.
    pub conditions: Vec<Named>,
    /// `images`, for the policy to look at.
    pub images: Vec<String>,
    /// `allowedValues`, for the policy to look at.
    pub values: Vec<String>,
    /// How a waived policy is reported.
    pub report: Report,
    /// Of several exceptions the one with the highest priority decides how; 0 is none.
    pub priority: u32,
    /// Until when a cluster heeds it, in nanoseconds since 1970.
    pub expires: Option<i128>,
}

/// One entry of `spec.policyRefs`.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    /// The kind of the policy, exactly.
    pub kind: String,
    /// The name of the policy, exactly; its namespace doesn't count.
    pub name: String,
}

/// How a waived policy is reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Report {
    /// As one that doesn't count.
    #[default]
    Skip,
    /// As one that holds.
    Pass,
}

impl Waiver {
    /// Whether the exception names a policy.
    pub(crate) fn names(&self, kind: &str, name: &str) -> bool {
        self.references.iter().any(|it| it.kind == kind && it.name == name)
    }

    /// Whether it waives policies as a whole, without a word of theirs.
    pub(crate) fn is_whole(&self) -> bool {
        self.images.is_empty() && self.values.is_empty()
    }

    /// What the conditions read that is not always known.
    pub(crate) fn reads(&self) -> Reads {
        self.conditions.iter().fold(Reads::NONE, |reads, it| reads.and(it.expression.reads()))
    }
}

/// Decodes and compiles an exception.
pub(crate) fn decode(document: &Arc<Document>, node: NodeId, problems: &Problems) -> Option<Exception> {
    let object = document.node(node);
    let fields = Fields::read(object, "an exception", problems)?;
    let metadata = Fields::read(fields.require("metadata")?, "metadata", problems)?;
    let name_node = metadata.require("name")?;
    let name = metadata.text(name_node)?.to_owned();
    let namespace = metadata.string("namespace").unwrap_or_default();
    let spec = Fields::read(fields.require("spec")?, "spec", problems)?;
    let texts = |key| spec.strings(key).into_iter().map(|(text, _)| text.to_owned()).collect();
    let conditions = Compiler::new(Profile::Exception).conditions(spec.get("matchConditions"));
    for condition in &conditions {
        condition.expression.report(problems);
    }
    let waiver = Waiver {
        references: spec.list("policyRefs").filter_map(|item| reference(item, problems)).collect(),
        conditions,
        images: texts("images"),
        values: texts("allowedValues"),
        report: if spec.string("reportResult") == Some("pass") { Report::Pass } else { Report::Skip },
        priority: object.str_at(&["metadata", "labels", PRIORITY]).and_then(|it| it.parse().ok()).unwrap_or(0),
        expires: spec
            .string("expiresAt")
            .and_then(|it| it.parse::<jiff::Timestamp>().ok())
            .map(jiff::Timestamp::as_nanosecond),
    };
    Some(Exception {
        document: Arc::clone(document),
        node,
        key: if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") },
        name,
        name_span: name_node.span(),
        background: true,
        references: Vec::new(),
        matching: Block { join: Join::Any, filters: Vec::new(), span: Span::default() },
        conditions: None,
        pod_security: Vec::new(),
        pod_security_span: None,
        cel: Some(waiver),
    })
}

fn reference(node: Node<'_>, problems: &Problems) -> Option<Reference> {
    let fields = Fields::read(node, "an entry of policyRefs", problems)?;
    let text = |key| fields.string(key).unwrap_or_default().to_owned();
    Some(Reference { kind: text("kind"), name: text("name") })
}

pub(super) fn check(spec: Node<'_>, problems: &Problems) {
    let references = spec.get("policyRefs");
    if references.is_none_or(|it| it.len() == 0) {
        let help = "name a policy and its kind in `policyRefs`";
        refuse(references.unwrap_or(spec), problems, "must specify at least one policy ref", help);
    }
    for reference in references.into_iter().flat_map(Node::items) {
        for (key, message) in [("name", "must specify policy name"), ("kind", "must specify policy kind")] {
            if reference.str_at(&[key]).is_none_or(str::is_empty) {
                refuse(reference, problems, message, &format!("add `{key}`"));
            }
        }
    }
}
