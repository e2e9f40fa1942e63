//! `validate.cel` of a `ClusterPolicy` or `Policy`, with `celPreconditions`, as Kyverno evaluates it.
//!
//! In: a rule that matches and that no exception waives. Out: one verdict. What can't be evaluated fails, whatever the
//! failure policy: only parameters that are missing are an error.

use super::{
    Status, Verdict, admission,
    body::{self, Gate},
    names::{Failure, Names, Sight},
    params::{self, Params},
};
use crate::{
    engine::context::Session,
    expr::{Value, template::Template},
    policy::classic::{Rule, cel::Cel, model::Validate},
};

/// Runs the check of a rule.
pub(in crate::engine) fn check<'v>(
    session: &Session<'v>,
    rule: &'v Rule,
    validate: &'v Validate,
    cel: &'v Cel,
) -> Verdict {
    if cel.param_kind.is_some() && session.cluster.is_command_line() {
        // Kyverno: its command line has no cluster to ask for parameters.
        let mut verdict = Verdict::new(Status::Error, "parameters can't be looked up without a cluster");
        verdict.evidence.clause = cel.param_ref.as_ref().map(|it| it.span);
        return verdict;
    }
    let found = params::find(session, cel.param_kind.as_ref(), cel.param_ref.as_ref());
    let each = match found {
        Params::None => vec![None],
        Params::Each(each) => each.into_iter().map(Some).collect(),
        Params::Unbound => Vec::new(),
        Params::Unknown(what) => {
            let mut verdict = Failure::Unknown(what).verdict(str::to_owned);
            verdict.evidence.clause = cel.param_ref.as_ref().map(|it| it.span);
            return verdict;
        }
    };
    let mut passed = None;
    for params in each {
        let verdict = with_params(session, rule, validate, cel, params);
        if !matches!(verdict.status, Status::Pass | Status::Skip) {
            return verdict;
        }
        passed = Some(verdict);
    }
    passed.unwrap_or_else(|| passes(rule))
}

fn passes(rule: &Rule) -> Verdict {
    Verdict::new(Status::Pass, format!("Validation rule '{}' passed.", rule.name))
}

fn with_params<'v>(
    session: &Session<'v>,
    rule: &'v Rule,
    validate: &'v Validate,
    cel: &'v Cel,
    params: Option<Value<'v>>,
) -> Verdict {
    let body = &cel.body;
    let names = Names::new(session, "", Sight::Rule, &body.variables, body.reads).parameterized(params);
    match body::gate(&names, &body.conditions, admission::unevaluated) {
        Gate::Open => {}
        Gate::Closed => return Verdict::new(Status::Skip, "cel preconditions not met"),
        Gate::Broken(failure) => return failed(&failure, str::to_owned),
    }
    let mut unknown = None;
    for validation in &body.validations {
        match names.truth(&validation.expression) {
            Ok(true) => {}
            Ok(false) => {
                let evidence = names.blame(&validation.expression);
                let of_rule = validate.message.as_ref().map(Template::source).unwrap_or_default();
                let message = admission::message(&names, validation, of_rule);
                return Verdict { evidence, ..Verdict::new(Status::Fail, message) };
            }
            Err(failure) => {
                let mut verdict = failed(&failure, |text| admission::unevaluated(&validation.expression, text));
                verdict.evidence = names.blame(&validation.expression);
                if verdict.status == Status::Fail {
                    return verdict;
                }
                unknown.get_or_insert(verdict);
            }
        }
    }
    unknown.unwrap_or_else(|| passes(rule))
}

/// Kyverno: what can't be evaluated fails.
fn failed(failure: &Failure, text: impl Fn(&str) -> String) -> Verdict {
    let verdict = failure.verdict(text);
    match verdict.status {
        Status::Error => Verdict { status: Status::Fail, ..verdict },
        _ => verdict,
    }
}
