//! Policies written in CEL: the verdict that Kyverno, or the API server, gives.
//!
//! In: a form of a policy, a request, what is known of the cluster. Out: an [`Outcome`] for each thing that the policy
//! says. Which expressions are evaluated, in which order, and what comes of their errors is decided here; what they
//! compute is decided by [`expr::cel`](crate::expr::cel).

mod admission;
mod body;
mod equivalent;
mod exceptions;
mod explain;
mod host;
pub(crate) mod matching;
mod names;
mod params;
mod rights;
mod rule;
mod validating;
mod webhook;

pub(super) use explain::explain;
pub(super) use rule::check;
pub(super) use webhook::{Admittance, admit, each as each_condition};

use super::{Outcome, Status, context::Session, validate::Verdict};
use crate::policy::{
    Action,
    cel::{Engine, FailurePolicy, Form, Policy},
    set::RuleRef,
};

/// Judges a request by one form of a policy.
pub(super) fn evaluate<'v>(
    policy: &'v Policy,
    form: &'v Form,
    session: &Session<'v>,
    origin: RuleRef,
) -> Vec<Outcome<'v>> {
    let judging = Judging { policy, form, session, origin };
    match policy.engine {
        Engine::Kyverno => validating::judge(&judging).into_iter().collect(),
        Engine::Kubernetes => admission::judge(&judging),
    }
}

/// One form of a policy and one request.
struct Judging<'v, 's> {
    policy: &'v Policy,
    form: &'v Form,
    session: &'s Session<'v>,
    origin: RuleRef,
}

impl<'v> Judging<'v, '_> {
    fn is_command_line(&self) -> bool {
        self.session.cluster.is_command_line()
    }

    /// The outcome of a verdict, by `action` if the policy's own expressions could be evaluated.
    fn outcome(&self, rule: &'v str, verdict: Verdict, action: Action) -> Outcome<'v> {
        let heeds_errors = self.policy.failure == FailurePolicy::Fail;
        let action = if verdict.status == Status::Error && !heeds_errors { Action::Audit } else { action };
        Outcome {
            policy: &self.policy.head,
            rule,
            status: verdict.status,
            message: verdict.message,
            action,
            evidence: verdict.evidence,
            exceptions: Vec::new(),
            waived: None,
            tolerated: false,
            near_misses: Vec::new(),
            withheld: Vec::new(),
            properties: verdict.properties,
            origin: Some(self.origin),
        }
    }
}
