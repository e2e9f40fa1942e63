//! What the engine says of one rule and one resource.

use super::{near_miss::NearMiss, withheld::Reason};
use crate::{
    cluster::Missing,
    policy::{Action, Head, exception::Exception, set::RuleRef},
    span::Span,
};

/// The status of a rule for a resource; a rule that doesn't apply has no outcome at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Status {
    /// The check holds.
    Pass,
    /// The check doesn't hold.
    Fail,
    /// The rule doesn't count for this resource: preconditions, anchors, an exception.
    Skip,
    /// The rule could not be evaluated; a cluster says so, too.
    Error,
    /// A cluster could tell, but not without something that is not at hand.
    Indeterminate,
}

/// What a rule says of a resource.
#[derive(Clone, Debug)]
pub(crate) struct Outcome<'p> {
    /// The policy.
    pub policy: &'p Head,
    /// The computed name of the rule. For policies without rules Kyverno's word: empty, `exception` or `evaluation`, or
    /// the name of a policy of Kubernetes.
    pub rule: &'p str,
    /// The verdict.
    pub status: Status,
    /// Kyverno's text.
    pub message: String,
    /// What a failure does for this resource.
    pub action: Action,
    /// Where to look: the offending value and the clause that demands otherwise.
    pub evidence: Evidence,
    /// Exceptions that waive the rule.
    pub exceptions: Vec<&'p Exception>,
    /// What the rule would say without those exceptions; the evidence is of that.
    pub waived: Option<Status>,
    /// Whether the rule is broken, and was before: then the policy lets it be.
    pub tolerated: bool,
    /// For a failure: exceptions that nearly covered it.
    pub near_misses: Vec<NearMiss<'p>>,
    /// For a failure: exceptions that would cover it and do not count, and why.
    pub withheld: Vec<(&'p Exception, Reason)>,
    /// What the repository does not hold, and the verdict hangs on.
    pub hangs_on: Vec<Missing>,
    /// Properties for reports.
    pub properties: Vec<(String, String)>,
    /// The rule that says it.
    pub origin: Option<RuleRef>,
}

impl<'p> Outcome<'p> {
    /// What a rule says; beside that there is nothing to say.
    pub(crate) fn new(policy: &'p Head, rule: &'p str, status: Status, message: String, action: Action) -> Self {
        Self {
            policy,
            rule,
            status,
            message,
            action,
            evidence: Evidence::default(),
            exceptions: Vec::new(),
            waived: None,
            tolerated: false,
            near_misses: Vec::new(),
            withheld: Vec::new(),
            hangs_on: Vec::new(),
            properties: Vec::new(),
            origin: None,
        }
    }
}

/// Where an outcome comes from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    /// In the file of the resource: the offending value, or the nearest parent of what is missing.
    pub value: Option<Span>,
    /// What stands there, and what was wanted.
    pub label: String,
    /// In the file of the policy: the clause that decides.
    pub clause: Option<Span>,
    /// What the clause demands.
    pub demand: String,
    /// The path of the value in Kyverno's notation, `/spec/hostIPC/`.
    pub path: String,
}
