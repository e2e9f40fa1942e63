//! All policies and exceptions of a run.
//!
//! In: documents, in load order. Out: what could be compiled, and the errors of the rest. Rules are found by kind
//! through [`PolicySet::rules_for`], so that a rule costs nothing for a kind that it can't match.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{
    Measure, cel,
    classic::{self, Body, Policy, Rule, model::FailureAction},
    cleanup,
    error::{PolicyError, Problem},
    exception::{self, Exception},
    fields::Problems,
    kinds::{self, Cel, Family},
    matching::{Block, Filter},
    schema,
};
use crate::{
    document::{Document, Node, NodeId},
    k8s::scope::{Scope, Scopes},
};

/// Compiled policies and exceptions.
#[derive(Debug, Default)]
pub(crate) struct PolicySet {
    /// `ClusterPolicy` and `Policy`, in load order.
    pub classic: Vec<Policy>,
    /// `PolicyException` of `kyverno.io`, in load order.
    pub exceptions: Vec<Exception>,
    /// Positions of the exceptions that name a policy, by its key.
    by_policy: FxHashMap<String, Vec<u32>>,
    measure: Measure,
    scopes: Scopes,
}

/// A rule of a set, by position. For which kind it was found makes no difference.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RuleRef {
    policy: u32,
    rule: u32,
    kinds: KindsHold,
}

impl PartialEq for RuleRef {
    fn eq(&self, other: &Self) -> bool {
        (self.policy, self.rule) == (other.policy, other.rule)
    }
}

impl Eq for RuleRef {}

impl RuleRef {
    /// Position of the policy in [`PolicySet::classic`].
    pub(crate) fn policy_index(self) -> usize {
        self.policy as usize
    }

    /// Which filters of the rule are for the kind that it was found for.
    pub(crate) fn kinds(self) -> KindsHold {
        self.kinds
    }
}

/// For which filters of a rule the list of kinds holds: one answer for all objects of a kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KindsHold {
    /// Filters of `match`, the first one in the lowest bit; `None` when that was not asked.
    matching: Option<u64>,
    /// Filters of `exclude`.
    exclude: Option<u64>,
}

impl KindsHold {
    fn new(rule: &Rule, kind: ResourceKind<'_>) -> Self {
        let bits = |block: &Block| {
            let held = block.filters.iter().enumerate().filter(|(_, filter)| is_for(filter, kind));
            (block.filters.len() <= 64).then(|| held.fold(0, |bits, (index, _)| bits | 1 << index))
        };
        Self { matching: bits(&rule.matching), exclude: rule.exclude.as_ref().and_then(bits) }
    }

    /// Whether the kinds of a filter of `match` hold, if that is known.
    pub(crate) fn of_match(self, index: usize) -> Option<bool> {
        self.matching.map(|bits| bits >> index & 1 == 1)
    }

    /// Whether the kinds of a filter of `exclude` hold, if that is known.
    pub(crate) fn of_exclude(self, index: usize) -> Option<bool> {
        self.exclude.map(|bits| bits >> index & 1 == 1)
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
    /// An empty set for policies and exceptions that Kyverno's command line would take.
    pub(crate) fn for_command_line() -> Self {
        Self { measure: Measure::CommandLine, ..Self::default() }
    }

    /// Takes note of the kind that a `CustomResourceDefinition` defines, for policies that are added later.
    pub(crate) fn define(&mut self, object: Node<'_>) {
        if object.str_at(&["kind"]) != Some("CustomResourceDefinition") {
            return;
        }
        let (group, kind) = (object.str_at(&["spec", "group"]), object.str_at(&["spec", "names", "kind"]));
        if let (Some(group), Some(kind)) = (group, kind) {
            let is_cluster = object.str_at(&["spec", "scope"]) == Some("Cluster");
            self.scopes.define(group, kind, if is_cluster { Scope::Cluster } else { Scope::Namespaced });
        }
    }

    /// Compiles a policy or exception and adds it; gives what is wrong with it otherwise.
    pub(crate) fn add(&mut self, document: &Arc<Document>, node: NodeId) -> Result<(), Vec<PolicyError>> {
        let problems = Problems::default();
        let object = document.node(node);
        for key in document.duplicates().iter().chain(document.overridden()) {
            if object.span().covers(*key) {
                let key_text = document.file().slice(*key).to_owned();
                problems.at_span(object, *key, Problem::Duplicate { key: key_text });
            }
        }
        if let Some(kind) = kinds::find(object) {
            schema::check(object, kind.schema, &problems);
            // What the API server refuses reaches nobody who could refuse it for other reasons.
            if problems.is_empty() {
                self.take(kind.family, document, node, &problems);
            }
        } else {
            let problem = unknown(object);
            let at = if matches!(problem, Problem::Version { .. }) { "apiVersion" } else { "kind" };
            problems.at(object.get(at).unwrap_or(object), problem);
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.into_vec()) }
    }

    fn take(&mut self, family: Family, document: &Arc<Document>, node: NodeId, problems: &Problems) {
        let object = document.node(node);
        match family {
            Family::Classic => {
                let policy = classic::decode::decode(document, node, problems);
                if let Some(policy) = policy {
                    classic::validate::check(&policy, self.measure, &self.scopes, problems);
                    if problems.is_empty() {
                        self.classic.push(policy);
                    }
                }
            }
            Family::Exception => {
                let exception = exception::decode(document, node, problems);
                if self.measure == Measure::Cluster {
                    exception::check(object, problems);
                }
                if let (Some(exception), true) = (exception, problems.is_empty()) {
                    let position = self.exceptions.len() as u32;
                    for reference in &exception.references {
                        let named = self.by_policy.entry(reference.policy.clone()).or_default();
                        if named.last() != Some(&position) {
                            named.push(position);
                        }
                    }
                    self.exceptions.push(exception);
                }
            }
            Family::Cleanup => {
                if self.measure == Measure::Cluster {
                    cleanup::check(object, problems);
                }
            }
            Family::Cel(kind) => {
                if self.measure == Measure::Cluster {
                    cel::check(object, kind, problems);
                }
                if problems.is_empty() {
                    let at = object.get("kind").unwrap_or(object);
                    match kind {
                        Cel::Validating | Cel::ImageValidating => problems.at(at, not_evaluated(object)),
                        Cel::Mutating => problems.at(at, not_applied(object)),
                        Cel::Generating | Cel::Deleting | Cel::Exception => {}
                    }
                }
            }
        }
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
                    let kinds = KindsHold::new(rule, kind);
                    out.push(RuleRef { policy: policy_idx as u32, rule: rule_idx as u32, kinds });
                }
            }
        }
        out
    }

    /// The exceptions that name a rule of a policy, in load order.
    pub(crate) fn exceptions_for<'s>(&'s self, policy: &'s str, rule: &'s str) -> impl Iterator<Item = &'s Exception> {
        self.placed_exceptions_for(policy, rule).map(|(_, exception)| exception)
    }

    /// The same, each with its position in [`PolicySet::exceptions`].
    pub(crate) fn placed_exceptions_for<'s>(
        &'s self,
        policy: &'s str,
        rule: &'s str,
    ) -> impl Iterator<Item = (u32, &'s Exception)> {
        let positions = self.by_policy.get(policy).map(Vec::as_slice).unwrap_or_default();
        let placed = positions.iter().map(|&it| (it, &self.exceptions[it as usize]));
        placed.filter(move |(_, it)| it.names(policy, rule))
    }

    /// Every rule that exists for a kind, whether or not it matches it.
    pub(crate) fn rules_existing_for(&self, kind: &str) -> Vec<RuleRef> {
        let mut out = Vec::new();
        for (policy_idx, policy) in self.classic.iter().enumerate() {
            for (rule_idx, rule) in policy.rules.iter().enumerate() {
                if rule.generated.as_ref().is_none_or(|(_, kinds)| kinds.contains(&kind)) {
                    let kinds = KindsHold::default();
                    out.push(RuleRef { policy: policy_idx as u32, rule: rule_idx as u32, kinds });
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

/// Whether the kinds of a filter hold; a filter without kinds is for all of them.
fn is_for(filter: &Filter, kind: ResourceKind<'_>) -> bool {
    let ResourceKind { group, version, kind, subresource } = kind;
    filter.kinds.is_empty() || filter.kinds.iter().any(|it| it.matches(group, version, kind, subresource))
}

fn may_match(rule: &Rule, kind: ResourceKind<'_>) -> bool {
    let exists = rule.generated.as_ref().is_none_or(|(_, kinds)| kinds.contains(&kind.kind));
    exists && rule.matching.filters.iter().any(|filter| is_for(filter, kind))
}

fn not_applied(object: Node<'_>) -> Problem {
    Problem::NotApplied { what: object.str_at(&["kind"]).unwrap_or_default().to_owned() }
}

fn not_evaluated(object: Node<'_>) -> Problem {
    Problem::NotEvaluated { what: object.str_at(&["kind"]).unwrap_or_default().to_owned() }
}

/// What to say of a kind that is not known in its version.
fn unknown(object: Node<'_>) -> Problem {
    match kinds::served_as(object) {
        Some(instead) => Problem::Version {
            kind: object.str_at(&["kind"]).unwrap_or_default().to_owned(),
            api_version: object.str_at(&["apiVersion"]).unwrap_or_default().to_owned(),
            instead,
        },
        None if object.str_at(&["kind"]).is_some_and(|kind| kind.contains("Mutating")) => not_applied(object),
        None => not_evaluated(object),
    }
}
