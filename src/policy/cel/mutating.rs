//! `MutatingPolicy` and its namespaced form.

use std::sync::Arc;

use super::{
    autogen::Rewriting,
    compile::{Compiler, Profile},
    constraints, decode,
    model::{Changes, Engine, Existing, Form, Mode, Policy, Task},
    refuse,
};
use crate::{
    document::{Document, Node, NodeId},
    expr::cel::Family,
    policy::{Action, Head, Measure, error::Problem, fields::Problems},
};

/// Decodes and compiles a policy.
pub(crate) fn policy(document: &Arc<Document>, node: NodeId, measure: Measure, problems: &Problems) -> Option<Policy> {
    let object = document.node(node);
    let namespaced = object.str_at(&["kind"]) == Some("NamespacedMutatingPolicy");
    let kind = if namespaced { "NamespacedMutatingPolicy" } else { "MutatingPolicy" };
    let head = decode::head(document, object, kind, namespaced, problems)?;
    let spec = object.get("spec")?;
    let is_on = |part: &str| spec.at(&["evaluation", part, "enabled"]).and_then(Node::as_bool);
    let compiler = Compiler::new(Profile::Kyverno { family: Family::MutatingPolicy, namespaced });
    let existing = (is_on("mutateExisting") == Some(true)).then(|| {
        let constraints = constraints::decode(spec.get("targetMatchConstraints"), problems);
        compiler.existing(spec, constraints)
    });
    let forms = decode::forms(spec, &compiler, Some(Rewriting::Words), problems);
    for mutation in spec.get("mutations").into_iter().flat_map(Node::items) {
        if let Some(key) = lacks_expression(mutation) {
            let message = format!("`{key}.expression` is missing");
            problems.at_span(mutation, mutation.heading(), Problem::Unapplied { message });
        }
    }
    // What does not compile as written would say the same things once more in each generated form.
    let is_broken = |form: &&Form| form.body.mutations.iter().any(|it| it.expression.program().is_err());
    for mutation in forms.iter().find(is_broken).into_iter().flat_map(|form| &form.body.mutations) {
        // Kyverno: a cluster takes such a policy, its command line does not.
        mutation.expression.report_as(problems, |message| match measure {
            Measure::Cluster => Problem::Unapplied { message },
            Measure::CommandLine => Problem::Expression { message },
        });
    }
    existing.iter().flat_map(Existing::expressions).for_each(|expression| expression.report(problems));
    Some(Policy {
        document: Arc::clone(document),
        node,
        head: Head { background: is_on("background").unwrap_or(true), ..head },
        engine: Engine::Kyverno,
        task: Task::Mutate,
        mode: Mode::Kubernetes,
        admission: is_on("admission").unwrap_or(true),
        failure: decode::failure_policy(spec),
        action: Action::Enforce,
        param_kind: None,
        forms,
        changes: Some(Changes {
            replaces: spec.at(&["evaluation", "useServerSideApply"]).and_then(Node::as_bool) == Some(true),
            again: spec.str_at(&["reinvocationPolicy"]) == Some("IfNeeded"),
            existing,
        }),
    })
}

/// The block of a mutation that should hold its expression, if it holds none.
pub(super) fn lacks_expression(mutation: Node<'_>) -> Option<&'static str> {
    let key = match mutation.str_at(&["patchType"])? {
        "JSONPatch" => "jsonPatch",
        _ => "applyConfiguration",
    };
    let is_given = mutation.str_at(&[key, "expression"]).is_some_and(|text| !text.trim().is_empty());
    (!is_given).then_some(key)
}

pub(super) fn check(spec: Node<'_>, problems: &Problems) {
    let is_on = |mode: &str| spec.at(&["evaluation", mode, "enabled"]).and_then(Node::as_bool);
    if is_on("admission") == Some(false) && is_on("mutateExisting") != Some(true) {
        let message = "disabling both admission and mutateExisting evaluation modes is not allowed";
        refuse(spec.get("evaluation").unwrap_or(spec), problems, message, "leave one of the two on");
    }
}
