//! Whether Kyverno is asked about a request at all: the match conditions of the webhook of a `ClusterPolicy` or `Policy`.
//!
//! In: a policy and a request. Out: what comes of the policy's rules. The API server evaluates the conditions before any
//! `match` block is looked at, so that they hold for a policy as a whole, generated rules included, and no exception helps
//! where they can't be evaluated. Kyverno's command line has no verdict on a policy with such conditions: it breaks down.

use super::{
    Evidence, Outcome, Status,
    cel::Admittance,
    context::Session,
    in_namespace,
    matching::{Mismatch, Reader, Subjected},
    undecided,
};
use crate::{
    policy::{
        Action,
        classic::{Policy, Rule},
    },
    span::Span,
};

/// Why it is not known, or not decided, whether Kyverno is asked.
#[derive(Clone, Debug)]
pub(super) struct Obstacle {
    /// Which condition, and what is the matter with it.
    pub text: String,
    /// Where the condition stands.
    pub at: Span,
}

/// Evaluates the conditions of a policy once for all its rules, which are together.
#[derive(Default)]
pub(super) struct Gatekeeper<'w> {
    last: Option<(&'w Policy, Admittance)>,
}

impl<'w> Gatekeeper<'w> {
    /// What comes of a request to the webhook of a policy.
    pub(super) fn admit<'v>(&mut self, policy: &'w Policy, session: &Session<'v>) -> &Admittance
    where
        'w: 'v,
    {
        let known = self.last.take().filter(|(known, _)| std::ptr::eq(*known, policy));
        let admittance = match known {
            Some((_, admittance)) => admittance,
            None => super::cel::admit(session, &policy.gate),
        };
        &self.last.insert((policy, admittance)).1
    }

    /// Whether the request was refused without asking the policy: all its rules would say the same.
    pub(super) fn has_refused(&self) -> bool {
        matches!(self.last, Some((_, Admittance::Refused(..))))
    }
}

/// What the API server says of a request of whose conditions one can't be evaluated; nothing where the webhook of the policy
/// is not for such a request. The webhook knows kinds and operations, nothing else of `match`.
pub(super) fn refused<'v>(
    policy: &'v Policy,
    rule: &'v Rule,
    subject: &Subjected<'_>,
    (status, obstacle): (Status, &Obstacle),
) -> Option<Outcome<'v>> {
    let is_for =
        |held: Result<(), Mismatch>| !matches!(held, Err(Mismatch::Empty | Mismatch::Operation | Mismatch::Kind));
    let is_asked = rule.matching.filters.iter().any(|filter| is_for(subject.holds(filter, Reader::Match)));
    if !is_asked || (!policy.head.cluster_wide() && !in_namespace(policy, subject)) {
        return None;
    }
    let evidence = Evidence { clause: Some(obstacle.at), ..Evidence::default() };
    let outcome = undecided(policy, rule, rule.node, &obstacle.text);
    // The API server refuses, whatever the policy does with violations.
    Some(Outcome { status, evidence, action: Action::Enforce, ..outcome })
}

/// What a rule says when it is not known whether it applies: what lets the request in does so either way.
pub(super) fn left_open<'v>(outcomes: Vec<Outcome<'v>>, obstacle: &Obstacle) -> Vec<Outcome<'v>> {
    let left_open = |outcome: Outcome<'v>| match outcome.status {
        Status::Pass | Status::Skip | Status::Indeterminate => outcome,
        Status::Fail | Status::Error => undone(outcome, obstacle),
    };
    outcomes.into_iter().map(left_open).collect()
}

/// An outcome that may be none at all.
pub(super) fn undone<'v>(outcome: Outcome<'v>, obstacle: &Obstacle) -> Outcome<'v> {
    Outcome {
        status: Status::Indeterminate,
        message: format!("{}; if it applies: {}", obstacle.text, outcome.message),
        evidence: Evidence { clause: outcome.evidence.clause.or(Some(obstacle.at)), ..outcome.evidence },
        ..outcome
    }
}
