//! `ValidatingAdmissionPolicy`, as the API server evaluates it, or as Kyverno's command line does.
//!
//! In: a policy and a request. Out: an outcome for each binding and each object of parameters. The two differ a lot:
//! the API server does nothing without a binding, where Kyverno's command line judges what the policy matches; with
//! bindings the latter looks at what they match only, and the last of them counts.

use super::{
    Judging, Outcome, Status, Verdict,
    body::{self, Gate},
    equivalent::{self, About, As, about, unclear},
    matching::{Reach, Target},
    names::{Failure, Names, Sight},
    params::{self, Params},
};
use crate::{
    policy::{
        Action,
        cel::{Binding, Body, Expression, FailurePolicy, Policy, Validation},
    },
    span::Span,
};

pub(super) fn judge<'v>(judging: &Judging<'v, '_>) -> Vec<Outcome<'v>> {
    let (session, name) = (judging.session, &judging.policy.head.name);
    let Some(target) = session.target() else { return Vec::new() };
    let bindings = match bindings(judging, target) {
        Bound::To(bindings) => bindings,
        Bound::Unclear(what, at, bindings) => {
            let unclear = |it: &Binding| judging.outcome(name, unclear(what.clone(), at), it.action);
            return bindings.into_iter().map(unclear).collect();
        }
    };
    let of_binding = |(reach, version, binding): (Reach, As<'v>, Option<&'v Binding>)| {
        let said = of_params(judging, binding, (version, binding.map_or(Action::Enforce, |it| it.action)));
        said.into_iter().map(move |it| judging.as_far_as(reach, it))
    };
    bindings.into_iter().flat_map(of_binding).collect()
}

/// By which bindings a policy is about a request.
pub(super) enum Bound<'v> {
    /// By these, as far as that is known, and in which version; without a binding it is so by itself.
    To(Vec<(Reach, As<'v>, Option<&'v Binding>)>),
    /// Maybe by these: the text says what is not known, the span which rule asks.
    Unclear(String, Span, Vec<&'v Binding>),
}

pub(super) fn bindings<'v>(judging: &Judging<'v, '_>, target: &Target<'v>) -> Bound<'v> {
    let all = || judging.session.world.policies.bindings_of(judging.policy);
    if judging.is_command_line() {
        if all().next().is_none() {
            let meets = target.meets(&judging.form.constraints).is_ok();
            return Bound::To(if meets { vec![(Reach::Yes, None, None)] } else { Vec::new() });
        }
        let meets = |it: &&Binding| it.resources.as_ref().is_none_or(|it| target.meets_binding(it).is_ok());
        return Bound::To(all().filter(meets).last().map(|it| (Reach::Yes, None, Some(it))).into_iter().collect());
    }
    let bound = |it: &Binding| it.resources.as_ref().map_or(Reach::Yes, |it| equivalent::bound(target, it));
    match about(judging, target) {
        About::No => Bound::To(Vec::new()),
        About::Yes(reach, version) => {
            let each = all().map(|it| (reach.and(bound(it)), version, Some(it)));
            Bound::To(each.filter(|(reach, ..)| *reach != Reach::No).collect())
        }
        About::Unclear(what, at) => Bound::Unclear(what, at, all().filter(|it| bound(it) != Reach::No).collect()),
    }
}

/// An outcome for each object of parameters; one for a policy without.
fn of_params<'v>(
    judging: &Judging<'v, '_>,
    binding: Option<&'v Binding>,
    (version, action): (As<'v>, Action),
) -> Vec<Outcome<'v>> {
    let outcome = |verdict: Verdict| {
        let mut verdict = verdict;
        if let Some(binding) = binding {
            verdict.properties.push(("binding".to_owned(), binding.name.clone()));
        }
        judging.outcome(&judging.policy.head.name, verdict, action)
    };
    let reference = binding.and_then(|it| it.params.as_ref());
    let found = params::find(judging.session, judging.policy.param_kind.as_ref(), reference);
    let each = match found {
        Params::None => vec![None],
        Params::Each(each) => each.into_iter().map(Some).collect(),
        // Said, since it may be otherwise where there are some.
        Params::Unbound => return vec![outcome(Verdict::new(Status::Skip, "there are no parameters"))],
        Params::Unknown(what) => return vec![outcome(Failure::Unknown(what).verdict(str::to_owned))],
    };
    let body = &judging.form.body;
    let verdict = |params| {
        let names = Names::new(judging.session, "", Sight::Admission, &body.variables, body.reads)
            .converted(judging.session, Sight::Admission, version)
            .parameterized(params);
        verdict(judging.policy, body, &names)
    };
    each.into_iter().map(verdict).map(outcome).collect()
}

fn verdict<'v>(policy: &Policy, body: &'v Body, names: &Names<'v>) -> Verdict {
    match body::gate(names, &body.conditions, unevaluated) {
        Gate::Open => {}
        Gate::Closed => return Verdict::new(Status::Skip, "match conditions aren't met"),
        Gate::Broken(Failure::Error(_)) if policy.failure == FailurePolicy::Ignore => {
            return Verdict::new(Status::Skip, "match conditions aren't met");
        }
        Gate::Broken(failure) => return failure.verdict(str::to_owned),
    }
    let mut unknown = None;
    for validation in &body.validations {
        match names.truth(&validation.expression) {
            Ok(true) => {}
            Ok(false) => {
                let evidence = names.blame(&validation.expression);
                let message = message(names, validation, "");
                return Verdict { evidence, ..Verdict::new(Status::Fail, message) };
            }
            Err(failure) => {
                let mut verdict = failure.verdict(|text| unevaluated(&validation.expression, text));
                verdict.evidence = names.blame(&validation.expression);
                if verdict.status == Status::Error {
                    return verdict;
                }
                unknown.get_or_insert(verdict);
            }
        }
    }
    unknown.unwrap_or_else(|| Verdict::new(Status::Pass, ""))
}

/// The API server's text for an expression that can't be evaluated.
pub(super) fn unevaluated(expression: &Expression, error: &str) -> String {
    if expression.program().is_err() {
        return error.to_owned();
    }
    format!("expression '{}' resulted in error: {error}", expression.text())
}

/// What is said of a validation that doesn't hold: what its message expression gives, its message, or `otherwise`.
pub(super) fn message<'v>(names: &Names<'v>, validation: &'v Validation, otherwise: &str) -> String {
    let computed = validation.message_expression.as_ref().and_then(|it| names.text(it).ok().flatten());
    let computed = computed.filter(|it| !it.trim().is_empty());
    let written = [validation.message.trim(), otherwise].into_iter().find(|it| !it.is_empty()).map(str::to_owned);
    computed.or(written).unwrap_or_else(|| format!("failed expression: {}", validation.expression.text().trim()))
}
