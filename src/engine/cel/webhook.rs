//! `matchConditions` of a webhook, as the API server evaluates them.
//!
//! In: the conditions of a classic policy, a request. Out: whether the webhook is called. One that is false decides; of the
//! rest the failure policy says what an error does.

use super::{
    Status,
    names::{Failure, NO_VARIABLES, Names, Sight},
};
use crate::{
    engine::{context::Session, gate::Obstacle},
    policy::{cel::FailurePolicy, classic::gate::Gate},
    span::Span,
};

/// What comes of a request to a webhook.
#[derive(Clone, Debug)]
pub(in crate::engine) enum Admittance {
    /// It is asked.
    Open,
    /// It is not asked, and the request goes on.
    Closed,
    /// It is not asked, and the request is refused; or, where that is not known, indeterminate.
    Refused(Status, Obstacle),
    /// It is asked, or it is not and the request goes on.
    Unknown(Obstacle),
}

/// Whether a webhook is called for a request.
pub(in crate::engine) fn admit<'v>(session: &Session<'v>, gate: &'v Gate) -> Admittance {
    if gate.conditions.is_empty() {
        return Admittance::Open;
    }
    let names = names(session, gate);
    let (mut broken, mut unknown) = (None, None);
    for condition in &gate.conditions {
        let failure = match names.truth(&condition.expression) {
            Ok(true) => continue,
            Ok(false) => return Admittance::Closed,
            Err(failure) => failure,
        };
        let text = format!("match condition `{}` can't be evaluated: {}", condition.name, failure.text());
        let obstacle = Obstacle { text, at: condition.expression.span() };
        match failure {
            Failure::Error(_) => broken.get_or_insert(obstacle),
            Failure::Unknown(_) => unknown.get_or_insert(obstacle),
        };
    }
    match (broken, unknown) {
        (None, None) => Admittance::Open,
        (Some(_), _) if gate.failure == FailurePolicy::Ignore => Admittance::Closed,
        (Some(broken), None) => Admittance::Refused(Status::Error, broken),
        // If what is not known is false, nothing is refused.
        (Some(_), Some(unknown)) => Admittance::Refused(Status::Indeterminate, unknown),
        (None, Some(unknown)) => Admittance::Unknown(unknown),
    }
}

/// What each condition comes to, with its place, for people who ask.
pub(in crate::engine) fn each<'v>(session: &Session<'v>, gate: &'v Gate) -> Vec<(Span, String)> {
    let names = names(session, gate);
    let told = |condition: &'v crate::policy::cel::Named| {
        let name = &condition.name;
        let text = match names.truth(&condition.expression) {
            Ok(true) => format!("match condition `{name}` holds"),
            Ok(false) => format!("match condition `{name}` does not hold: Kyverno is not asked"),
            Err(failure) => format!("match condition `{name}` can't be evaluated: {}", failure.text()),
        };
        (condition.expression.span(), text)
    };
    gate.conditions.iter().map(told).collect()
}

fn names<'v>(session: &Session<'v>, gate: &'v Gate) -> Names<'v> {
    Names::new(session, "", Sight::Rule, &NO_VARIABLES, gate.reads)
}
