//! `ValidatingPolicy` and its namespaced form, as Kyverno evaluates them.
//!
//! In: a form of a policy and a request. Out: one outcome, or nothing for a request that the policy is not about.
//! Exceptions come after the constraints and before the match conditions.

use super::{
    EVALUATION, EXCEPTION, Judging, Outcome, Status, Verdict,
    body::{self, Gate},
    equivalent::{About, As, unclear},
    exceptions::{self, Exemption, Waivers},
    names::{Failure, Names, Sight},
};
use crate::policy::{
    cel::{FailurePolicy, Mode},
    exception::Exception,
};

pub(super) fn judge<'v>(judging: &Judging<'v, '_>) -> Option<Outcome<'v>> {
    match judging.applies() {
        About::No => None,
        About::Yes(reach, version) => Some(judging.as_far_as(reach, matched(judging, version))),
        About::Unclear(what, at) => Some(judging.outcome("", unclear(what, at), judging.policy.action)),
    }
}

/// What the policy says of a request that it is about, as it sees the object.
fn matched<'v>(judging: &Judging<'v, '_>, version: As<'v>) -> Outcome<'v> {
    let outcome = |rule, verdict| judging.outcome(rule, verdict, judging.policy.action);
    let Waivers { exemption, withheld } = match exceptions::find(judging) {
        Ok(waivers) => waivers,
        Err(failure) => return outcome(EVALUATION, unloaded(&failure)),
    };
    let exemption = match exemption {
        Exemption::Whole { exceptions, report } => {
            let told = exceptions::told(&exceptions, report);
            // Kyverno's command line, whose rows say nothing of this, is not asked twice.
            let without = (!judging.is_command_line()).then(|| verdict(judging, version, &Exemption::None).1);
            let waived = without.as_ref().map(|it| it.status);
            let evidence = without.map(|it| it.evidence).unwrap_or_default();
            let verdict = Verdict { evidence, ..told };
            return Outcome { exceptions, waived, ..outcome(EXCEPTION, verdict) };
        }
        exemption => exemption,
    };
    let (rule, verdict) = verdict(judging, version, &exemption);
    let near_misses = match verdict.status {
        Status::Fail if !judging.is_command_line() => exceptions::near_misses(judging),
        _ => Vec::new(),
    };
    let partial = partly_waived(judging, version, &exemption, &verdict);
    let withheld = if verdict.status == Status::Fail { withheld } else { Vec::new() };
    let mut out = Outcome { near_misses, withheld, ..outcome(rule, verdict) };
    if let Some((exceptions, without)) = partial {
        (out.exceptions, out.waived, out.evidence) = (exceptions, Some(without.status), without.evidence);
    }
    out
}

/// What the policy itself says, and the rule of the row.
fn verdict<'v>(
    judging: &Judging<'v, '_>,
    version: Option<&'v str>,
    exemption: &Exemption<'v>,
) -> (&'static str, Verdict) {
    let sight = match judging.policy.mode {
        Mode::Json => Sight::Payload,
        Mode::Kubernetes | Mode::Http | Mode::Envoy => Sight::Policy,
    };
    let body = &judging.form.body;
    let names = Names::new(judging.session, &judging.policy.head.namespace, sight, &body.variables, body.reads)
        .converted(judging.session, sight, version)
        .exempting(exemption);
    match body::gate(&names, &body.conditions, |_, error| error.to_owned()) {
        Gate::Open => {}
        Gate::Closed => return ("", Verdict::new(Status::Skip, "skip")),
        Gate::Broken(Failure::Error(_)) if judging.policy.failure == FailurePolicy::Ignore => {
            return ("", Verdict::new(Status::Skip, "skip"));
        }
        Gate::Broken(failure) => return (EVALUATION, unloaded(&failure)),
    }
    let mut verdict = validations(&names, judging);
    match body::annotations(&names, &body.annotations) {
        Ok(annotations) => verdict.properties.extend(annotations),
        Err(failure) => {
            let rule = if verdict.status == Status::Pass { EVALUATION } else { "" };
            return (rule, failure.verdict(|text| format!("failed to evaluate policy: {text}")));
        }
    }
    ("", verdict)
}

fn validations<'v>(names: &Names<'v>, judging: &Judging<'v, '_>) -> Verdict {
    let mut unknown = None;
    for (index, validation) in judging.form.body.validations.iter().enumerate() {
        let place = |verdict: Verdict| {
            let mut verdict = verdict;
            verdict.properties.push(("cel.validationIndex".to_owned(), index.to_string()));
            verdict
        };
        match names.truth(&validation.expression) {
            Ok(true) => {}
            Ok(false) => {
                let message = match &validation.message_expression {
                    Some(expression) => match names.text(expression) {
                        Ok(text) => text.unwrap_or_default(),
                        Err(failure) => format!("failed to evaluate message expression: {}", failure.text()),
                    },
                    None => validation.message.clone(),
                };
                let message = if message.is_empty() {
                    format!("CEL expression validation failed at index {index}")
                } else {
                    message
                };
                let evidence = names.blame(&validation.expression);
                return place(Verdict { evidence, ..Verdict::new(Status::Fail, message) });
            }
            Err(failure) => {
                let mut verdict = failure.verdict(|text| format!("error: {text}"));
                verdict.evidence = names.blame(&validation.expression);
                if verdict.status == Status::Error {
                    return place(verdict);
                }
                // Whatever it says, a later one may refuse the request for certain.
                unknown.get_or_insert(place(verdict));
            }
        }
    }
    unknown.unwrap_or_else(|| Verdict::new(Status::Pass, "success"))
}

/// What is said of a policy whose conditions, or those of an exception to it, can't be evaluated.
fn unloaded(failure: &Failure) -> Verdict {
    failure.verdict(|text| format!("failed to load context: {text}"))
}

/// The exceptions without whose lists the policy would say something else, and what.
fn partly_waived<'v>(
    judging: &Judging<'v, '_>,
    version: Option<&'v str>,
    exemption: &Exemption<'v>,
    with: &Verdict,
) -> Option<(Vec<&'v Exception>, Verdict)> {
    let Exemption::Partial(exceptions) = exemption else { return None };
    // Kyverno: its rows don't name such exceptions.
    if judging.is_command_line() || with.status != Status::Pass {
        return None;
    }
    let (_, without) = verdict(judging, version, &Exemption::None);
    (without.status != with.status).then(|| (exceptions.clone(), without))
}
