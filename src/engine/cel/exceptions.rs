//! `PolicyException` of `policies.kyverno.io`: which of them waive a policy for a request.
//!
//! In: a policy that is about the request. Out: the exceptions that waive it as a whole, or those whose lists it may
//! look at.

use super::{
    Judging, Status, Verdict,
    names::{Failure, NO_VARIABLES, Names, Sight},
};
use crate::{
    document::classify::is_law,
    engine::{
        near_miss::{NearMiss, Obstacle},
        withheld::Reason,
    },
    policy::{
        cel::{
            FailurePolicy, Mode, Task,
            exception::{Report, Waiver},
        },
        exception::Exception,
    },
};

/// What exceptions do to a policy.
#[derive(Debug)]
pub(super) enum Exemption<'v> {
    /// Nothing.
    None,
    /// They waive it.
    Whole {
        /// All that do.
        exceptions: Vec<&'v Exception>,
        /// How it is reported.
        report: Report,
    },
    /// The policy is evaluated, and may look at their lists.
    Partial(Vec<&'v Exception>),
}

/// What is said of a policy that exceptions waive.
pub(super) fn told(exceptions: &[&Exception], report: Report) -> Verdict {
    let keys = exceptions.iter().map(|it| it.key.as_str()).collect::<Vec<_>>().join(", ");
    let (status, word) = match report {
        Report::Skip => (Status::Skip, "skipped"),
        Report::Pass => (Status::Pass, "passed"),
    };
    Verdict::new(status, format!("rule is {word} due to policy exception: {keys}"))
}

/// The exceptions to a policy that match the request.
pub(super) struct Waivers<'v> {
    /// What those do that count.
    pub exemption: Exemption<'v>,
    /// Those that don't count, and why.
    pub withheld: Vec<(&'v Exception, Reason)>,
}

/// Finds the exceptions to a policy that match the request.
pub(super) fn find<'v>(judging: &Judging<'v, '_>) -> Result<Waivers<'v>, Failure> {
    let (mut whole, mut partial, mut withheld) = (Vec::new(), Vec::new(), Vec::new());
    for (position, exception, waiver) in candidates(judging) {
        match holds(judging, waiver) {
            Ok(true) => match why_withheld(judging, position) {
                Some(reason) => withheld.push((exception, reason)),
                None if waiver.is_whole() => whole.push((exception, waiver)),
                None => partial.push(exception),
            },
            Ok(false) => {}
            // Kyverno: an error counts only until the policy is waived, and where errors count at all.
            Err(Failure::Error(_)) if judging.policy.failure == FailurePolicy::Ignore || !whole.is_empty() => {}
            Err(failure) => return Err(failure),
        }
    }
    // Of several with the same priority the first one decides.
    let first = whole.iter().map(|(_, waiver)| *waiver).rev().max_by_key(|it| it.priority);
    let exemption = match first {
        Some(first) => Exemption::Whole {
            report: first.report,
            exceptions: whole.into_iter().map(|(exception, _)| exception).collect(),
        },
        None if partial.is_empty() => Exemption::None,
        None => Exemption::Partial(partial),
    };
    Ok(Waivers { exemption, withheld })
}

fn why_withheld(judging: &Judging<'_, '_>, position: u32) -> Option<Reason> {
    let (withheld, request) = (judging.session.world.withheld, judging.session.request);
    let guards = || withheld.guards_law && request.resource().is_some_and(is_law);
    withheld.why(position, judging.policy.action).cloned().or_else(|| guards().then_some(Reason::Guards))
}

/// The exceptions that name the policy, with their positions. A cluster doesn't heed those whose time is over; Kyverno's
/// command line does.
fn candidates<'v>(judging: &Judging<'v, '_>) -> impl Iterator<Item = (u32, &'v Exception, &'v Waiver)> {
    let (heeds_all, now) = (judging.is_command_line(), judging.session.now);
    let policies = judging.session.world.policies;
    // Kyverno: its command line gives a policy that generates every exception, whatever policy it names.
    let takes_all = heeds_all && judging.policy.task == Task::Generate;
    let all = policies.exceptions.iter().enumerate().filter(move |_| takes_all);
    let named = policies.exceptions_to(&judging.policy.head).filter(move |_| !takes_all);
    let named = named.chain(all.map(|(position, it)| (position as u32, it)));
    let waivers = named.filter_map(|(position, it)| Some((position, it, it.cel.as_ref()?)));
    waivers.filter(move |(_, _, waiver)| heeds_all || waiver.expires.is_none_or(|end| end > now))
}

fn sight(judging: &Judging<'_, '_>) -> Sight {
    if judging.policy.mode == Mode::Json { Sight::Payload } else { Sight::Policy }
}

fn holds<'v>(judging: &Judging<'v, '_>, waiver: &'v Waiver) -> Result<bool, Failure> {
    let names = Names::new(judging.session, "", sight(judging), &NO_VARIABLES, waiver.reads());
    for condition in &waiver.conditions {
        if !names.truth(&condition.expression)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The exceptions that one condition of several keeps from covering the request.
pub(super) fn near_misses<'v>(judging: &Judging<'v, '_>) -> Vec<NearMiss<'v>> {
    let only_obstacle = |(_, exception, waiver): (u32, &'v Exception, &'v Waiver)| {
        let names = Names::new(judging.session, "", sight(judging), &NO_VARIABLES, waiver.reads());
        let mut failing = waiver.conditions.iter().filter(|it| !names.truth(&it.expression).unwrap_or(true));
        let first = failing.next()?;
        let is_near = waiver.conditions.len() > 1 && failing.next().is_none();
        let obstacle = || Obstacle::MatchCondition(first.name.clone());
        is_near.then(|| NearMiss { exception, at: first.expression.span(), obstacle: obstacle() })
    };
    candidates(judging).filter_map(only_obstacle).collect()
}
