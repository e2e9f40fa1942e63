//! All policies and exceptions of a run.
//!
//! In: documents, in load order. Out: what could be compiled, and the errors of the rest. Rules are found by kind
//! through [`PolicySet::rules_for`], so that a rule costs nothing for a kind that it can't match.

use std::{collections::HashMap, sync::Arc};

use super::{
    classic::{self, Body, Policy, Rule, model::FailureAction},
    error::{PolicyError, Problem},
    exception::{self, Exception},
    fields::Problems,
    matching::Block,
};
use crate::document::{Document, Node, NodeId};

/// Compiled policies and exceptions.
#[derive(Debug, Default)]
pub(crate) struct PolicySet {
    /// `ClusterPolicy` and `Policy`, in load order.
    pub classic: Vec<Policy>,
    /// `PolicyException` of `kyverno.io`, in load order.
    pub exceptions: Vec<Exception>,
    /// Positions of the exceptions that name a policy, by its key.
    by_policy: HashMap<String, Vec<u32>>,
}

/// A rule of a set, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RuleRef {
    policy: u32,
    rule: u32,
}

impl RuleRef {
    /// Position of the policy in [`PolicySet::classic`].
    pub(crate) fn policy_index(self) -> usize {
        self.policy as usize
    }
}

/// What the kinds of a match block are compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct ResourceKind<'k> {
    /// The API group; empty for the core group.
    pub group: &'k str,
    /// The version.
    pub version: &'k str,
    /// The kind.
    pub kind: &'k str,
    /// The subresource; empty for the resource itself.
    pub subresource: &'k str,
}

impl PolicySet {
    /// Whether there is no policy at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.classic.is_empty()
    }

    /// Compiles a policy or exception and adds it; gives what is wrong with it otherwise.
    pub(crate) fn add(&mut self, document: &Arc<Document>, node: NodeId) -> Result<(), Vec<PolicyError>> {
        let problems = Problems::default();
        let object = document.node(node);
        for key in document.duplicates() {
            if object.span().covers(*key) {
                let key_text = document.file().slice(*key).to_owned();
                problems.at_span(object, *key, Problem::Duplicate { key: key_text });
            }
        }
        if classic::decode::is_classic(object) {
            let policy = classic::decode::decode(document, node, &problems);
            if let (Some(policy), true) = (policy, problems.is_empty()) {
                self.classic.push(policy);
                return Ok(());
            }
        } else if exception::is_exception(object) {
            let exception = exception::decode(document, node, &problems);
            if let (Some(exception), true) = (exception, problems.is_empty()) {
                let position = self.exceptions.len() as u32;
                for reference in &exception.references {
                    let named = self.by_policy.entry(reference.policy.clone()).or_default();
                    if named.last() != Some(&position) {
                        named.push(position);
                    }
                }
                self.exceptions.push(exception);
                return Ok(());
            }
        } else {
            match judging(object) {
                Judging::Never => return Ok(()),
                Judging::NotYet => problems.at(object.get("kind").unwrap_or(object), not_evaluated(object)),
                Judging::Changes => problems.at(object.get("kind").unwrap_or(object), not_applied(object)),
                Judging::UnknownVersion => problems.at(object.get("apiVersion").unwrap_or(object), unknown(object)),
            }
        }
        Err(problems.into_vec())
    }

    /// Whether any rule reads objects of the cluster: ConfigMaps, answers of the API server.
    pub(crate) fn reads_objects(&self) -> bool {
        self.rules().any(|rule| rule.context.iter().any(|entry| entry.source.reads_objects()))
    }

    /// Whether a verdict may depend on the labels of a namespace.
    pub(crate) fn reads_namespaces(&self) -> bool {
        let selects = |block: &Block| block.filters.iter().any(|filter| filter.namespace_selector.is_some());
        let overrides = |action: &FailureAction| action.overrides.iter().any(|it| it.selector.is_some());
        self.rules().any(|rule| {
            let acts = matches!(&rule.body, Body::Validate(validate) if overrides(&validate.action));
            selects(&rule.matching) || rule.exclude.as_ref().is_some_and(selects) || acts
        }) || self.exceptions.iter().any(|it| selects(&it.matching))
            || self.classic.iter().any(|it| overrides(&it.action))
    }

    fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.classic.iter().flat_map(|policy| &policy.rules)
    }

    /// The rules whose match block has a filter for the kind, in the order of evaluation.
    pub(crate) fn rules_for(&self, kind: ResourceKind<'_>) -> Vec<RuleRef> {
        let mut out = Vec::new();
        for (policy_idx, policy) in self.classic.iter().enumerate() {
            for (rule_idx, rule) in policy.rules.iter().enumerate() {
                if may_match(rule, kind) {
                    out.push(RuleRef { policy: policy_idx as u32, rule: rule_idx as u32 });
                }
            }
        }
        out
    }

    /// The exceptions that name a rule of a policy, in load order.
    pub(crate) fn exceptions_for<'s>(&'s self, policy: &'s str, rule: &'s str) -> impl Iterator<Item = &'s Exception> {
        let positions = self.by_policy.get(policy).map(Vec::as_slice).unwrap_or_default();
        positions.iter().map(|&it| &self.exceptions[it as usize]).filter(move |it| it.names(policy, rule))
    }

    /// Every rule that exists for a kind, whether or not it matches it.
    pub(crate) fn rules_existing_for(&self, kind: &str) -> Vec<RuleRef> {
        let mut out = Vec::new();
        for (policy_idx, policy) in self.classic.iter().enumerate() {
            for (rule_idx, rule) in policy.rules.iter().enumerate() {
                if rule.generated.as_ref().is_none_or(|(_, kinds)| kinds.contains(&kind)) {
                    out.push(RuleRef { policy: policy_idx as u32, rule: rule_idx as u32 });
                }
            }
        }
        out
    }

    /// The policy and the rule of a reference that this set gave out.
    pub(crate) fn get(&self, rule: RuleRef) -> (&Policy, &Rule) {
        let policy = &self.classic[rule.policy as usize];
        (policy, &policy.rules[rule.rule as usize])
    }
}

fn may_match(rule: &Rule, kind: ResourceKind<'_>) -> bool {
    let exists = rule.generated.as_ref().is_none_or(|(_, kinds)| kinds.contains(&kind.kind));
    exists
        && rule.matching.filters.iter().any(|filter| {
            filter.kinds.is_empty()
                || filter.kinds.iter().any(|it| it.matches(kind.group, kind.version, kind.kind, kind.subresource))
        })
}

/// What a policy that is not compiled would do to a request.
enum Judging {
    /// It never judges one.
    Never,
    /// It does, in a way that is not evaluated here.
    NotYet,
    /// It changes objects before others judge them, and is not applied here.
    Changes,
    /// The kind is known, the version is not.
    UnknownVersion,
}

fn judging(object: Node<'_>) -> Judging {
    let api = object.str_at(&["apiVersion"]).unwrap_or_default();
    let kind = object.str_at(&["kind"]).unwrap_or_default();
    match api.split_once('/').map_or("", |(group, _)| group) {
        "kyverno.io" if kind.ends_with("CleanupPolicy") => Judging::Never,
        "policies.kyverno.io" if kind == "PolicyException" => Judging::Never,
        "policies.kyverno.io" if kind.ends_with("GeneratingPolicy") || kind.ends_with("DeletingPolicy") => {
            Judging::Never
        }
        "policies.kyverno.io" | "admissionregistration.k8s.io" if kind.contains("Mutating") => Judging::Changes,
        "policies.kyverno.io" | "admissionregistration.k8s.io" => Judging::NotYet,
        _ => Judging::UnknownVersion,
    }
}

fn not_applied(object: Node<'_>) -> Problem {
    Problem::NotApplied { what: object.str_at(&["kind"]).unwrap_or_default().to_owned() }
}

fn not_evaluated(object: Node<'_>) -> Problem {
    Problem::NotEvaluated { what: object.str_at(&["kind"]).unwrap_or_default().to_owned() }
}

fn unknown(object: Node<'_>) -> Problem {
    let kind = object.str_at(&["kind"]).unwrap_or_default().to_owned();
    let api_version = object.str_at(&["apiVersion"]).unwrap_or_default().to_owned();
    Problem::Version { kind, api_version, instead: "kyverno.io/v1" }
}
