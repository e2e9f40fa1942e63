//! Why a policy written in CEL says what it says of a resource, step by step, for people who ask.
//!
//! In: a form of a policy and its outcome. Out: the steps in the order in which they are taken, each with its place.

use std::sync::Arc;

use super::{
    matching::{Mismatch, Target},
    names::{Names, Sight},
};
use crate::{
    engine::{
        Outcome, Request, World,
        context::Session,
        explain::{Explanation, Steps},
    },
    expr::Arena,
    policy::cel::{Constraints, Engine, Form, Mode, Named, Policy, Task},
    span::Span,
};

pub(in crate::engine) fn explain<'v>(
    world: World<'v>,
    policy: &'v Policy,
    form: &'v Form,
    outcome: Option<Outcome<'v>>,
    request: &'v Request<'v>,
    arena: &'v Arena,
) -> Explanation {
    let mut out = Explanation {
        policy: policy.head.key.clone(),
        rule: form.flavor.map(|flavor| flavor.rule_name(&policy.head.name)).unwrap_or_default(),
        status: outcome.as_ref().map(|it| it.status),
        is_for_other_kinds: false,
        steps: Vec::new(),
    };
    let Some(resource) = request.resource() else { return out };
    let session = Session::new(request, world, arena);
    let Some(target) = session.target() else { return out };
    out.is_for_other_kinds = outcome.is_none() && target.meets(&form.constraints) == Err(Mismatch::Kind);
    let steps = &mut Steps { file: Arc::clone(&policy.head.file), steps: &mut out.steps };
    if policy.mode == Mode::Kubernetes {
        match target.meets(&form.constraints) {
            Err(Mismatch::Kind) if outcome.is_some() => {
                let text = "holds for the kind in another version, to which a cluster converts the object".to_owned();
                steps.at("match", text, form.constraints.span);
            }
            met => constraints("match", &form.constraints, met, steps),
        }
    }
    let Some(outcome) = outcome else {
        why_silent(policy, request, world, target, steps);
        return out;
    };
    for (_, exception) in world.policies.exceptions_to(&policy.head) {
        let counts = outcome.exceptions.iter().any(|it| std::ptr::eq(*it, exception));
        let withheld = outcome.withheld.iter().find(|(it, _)| std::ptr::eq(*it, exception));
        let text = match withheld {
            Some((_, reason)) => reason.note(&exception.key),
            None if counts => format!("{} counts", exception.key),
            None => format!("{} does not count", exception.key),
        };
        let place = (Arc::clone(exception.document.file()), exception.name_span);
        steps.push("exception", text, Some(place));
    }
    let sight = match (policy.engine, policy.mode) {
        (Engine::Kubernetes, _) => Sight::Admission,
        (Engine::Kyverno, Mode::Json) => Sight::Payload,
        (Engine::Kyverno, _) => Sight::Policy,
    };
    let names = Names::new(&session, &policy.head.namespace, sight, &form.body.variables, form.body.reads);
    conditions(&names, &form.body.conditions, steps);
    steps.missing(&outcome);
    steps.verdict(&outcome, resource);
    out
}

/// A step for constraints and why they don't hold.
fn constraints(part: &'static str, constraints: &Constraints, met: Result<(), Mismatch>, steps: &mut Steps<'_>) {
    let (text, span) = match met {
        Ok(()) => ("holds".to_owned(), constraints.span),
        Err(mismatch) => {
            let (why, span) = reason(mismatch, constraints.span);
            let word = if mismatch == Mismatch::NamespaceUnknown { "may hold" } else { "does not hold" };
            (format!("{word}: {why}"), span)
        }
    };
    steps.at(part, text, span);
}

fn reason(mismatch: Mismatch, whole: Span) -> (&'static str, Span) {
    match mismatch {
        Mismatch::Kind => ("no resource rule is about this kind", whole),
        Mismatch::Operation => ("no resource rule is about this operation", whole),
        Mismatch::Scope => ("it is of another scope", whole),
        Mismatch::Name => ("it has another name", whole),
        Mismatch::Excluded(at) => ("it is excluded", at),
        Mismatch::NamespaceLabel => ("the labels of the namespace do not match the selector", whole),
        Mismatch::Label => ("the labels do not match the selector", whole),
        Mismatch::NamespaceUnknown => {
            ("that takes the labels of its Namespace, which the repository does not hold", whole)
        }
    }
}

/// Why a policy says nothing, beyond its constraints.
fn why_silent(policy: &Policy, request: &Request<'_>, world: World<'_>, target: &Target<'_>, steps: &mut Steps<'_>) {
    let head = &policy.head;
    let namespace = request.resource().and_then(|it| it.str_at(&["metadata", "namespace"])).unwrap_or_default();
    if !policy.admission {
        steps.at("match", "it judges no requests: `evaluation.admission` is off".to_owned(), head.name_span);
    }
    if !head.cluster_wide() && head.namespace != namespace {
        steps.at("match", format!("it judges its own namespace `{}` only", head.namespace), head.name_span);
    }
    if policy.task == Task::Generate {
        steps.at("match", "it makes objects, and refuses none".to_owned(), head.name_span);
    }
    if policy.engine == Engine::Kubernetes {
        let mut bindings = world.policies.bindings_of(policy).peekable();
        if bindings.peek().is_none() {
            steps.at("match", "no binding binds it".to_owned(), head.name_span);
        }
        for binding in bindings {
            let met = binding.resources.as_ref().map_or(Ok(()), |it| target.meets_binding(it));
            let text = match met {
                Ok(()) => format!("binding `{}` holds", binding.name),
                Err(mismatch) => {
                    format!("binding `{}` does not hold: {}", binding.name, reason(mismatch, Span::default()).0)
                }
            };
            steps.push("match", text, None);
        }
    }
}

/// A step for each condition.
fn conditions<'v>(names: &Names<'v>, conditions: &'v [Named], steps: &mut Steps<'_>) {
    for condition in conditions {
        let text = match names.truth(&condition.expression) {
            Ok(true) => format!("`{}` holds", condition.name),
            Ok(false) => format!("`{}` does not hold", condition.name),
            Err(failure) => format!("`{}` can't be evaluated: {}", condition.name, failure.text()),
        };
        steps.at("preconditions", text, condition.expression.span());
    }
}
