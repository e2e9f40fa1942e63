//! From documents to compiled policies and exceptions.
//!
//! In: documents of policy kinds. Out: a [`PolicySet`](set::PolicySet) whose patterns, templates and expressions are
//! parsed and whose autogen rules are expanded, and the errors of the policies that take no part. Compiling happens
//! once a run; nothing here evaluates.

pub(crate) mod cel;
pub(crate) mod classic;
pub(crate) mod cleanup;
mod definition;
pub(crate) mod draft;
pub(crate) mod error;
pub(crate) mod exception;
pub(crate) mod fields;
pub(crate) mod kinds;
pub(crate) mod look_ups;
pub(crate) mod manifests;
pub(crate) mod matching;
pub(crate) mod pod_security;
pub(crate) mod schema;
pub(crate) mod set;

use std::sync::Arc;

pub(crate) use error::PolicyError;

use crate::span::{File, Span};

/// What a policy of any kind is called, and what reports say of it.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The file that holds it.
    pub file: Arc<File>,
    /// `ClusterPolicy`, `Policy`, `ValidatingPolicy`, …
    pub kind: &'static str,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`; empty for a kind without.
    pub namespace: String,
    /// `namespace/name`, or `name`: how exceptions and reports name it.
    pub key: String,
    /// Where `metadata.name` stands.
    pub name_span: Span,
    /// The annotation `policies.kyverno.io/scored` is not `"false"`.
    pub scored: bool,
    /// The annotation `policies.kyverno.io/category`.
    pub category: Option<String>,
    /// The annotation `policies.kyverno.io/severity`.
    pub severity: Option<String>,
    /// Whether it judges existing objects, too.
    pub background: bool,
}

impl Head {
    /// Whether the policy is not bound to a namespace.
    pub(crate) fn cluster_wide(&self) -> bool {
        self.kind != "Policy" && !self.kind.starts_with("Namespaced")
    }

    /// Whether the policy has rules with names of their own.
    pub(crate) fn has_rules(&self) -> bool {
        matches!(self.kind, "ClusterPolicy" | "Policy")
    }
}

/// Whose refusals count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Measure {
    /// A cluster's.
    #[default]
    Cluster,
    /// Those of Kyverno's command line, which knows less and looks at less.
    CommandLine,
}

/// What a failed rule does at admission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Action {
    /// The resource is let in; the failure goes to a report.
    #[default]
    Audit,
    /// The resource is refused.
    Enforce,
}

impl Action {
    /// Reads `Audit`, `Enforce` and their lower-case forms.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "Audit" | "audit" => Some(Action::Audit),
            "Enforce" | "enforce" => Some(Action::Enforce),
            _ => None,
        }
    }

    /// Kyverno's word.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Action::Audit => "Audit",
            Action::Enforce => "Enforce",
        }
    }
}

/// What is done to a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    /// A new object.
    #[default]
    Create,
    /// A changed object.
    Update,
    /// A removed object.
    Delete,
    /// A connection to a subresource.
    Connect,
}

impl Operation {
    /// Every operation.
    pub(crate) const ALL: [Self; 4] = [Operation::Create, Operation::Update, Operation::Delete, Operation::Connect];

    /// The API server's word.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
            Operation::Connect => "CONNECT",
        }
    }

    /// Reads the API server's word.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == text)
    }
}
