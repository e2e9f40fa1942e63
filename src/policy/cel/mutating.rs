//! `MutatingPolicy` and its namespaced form.

use std::sync::Arc;

use super::{
    autogen::Rewriting,
    compile::{Compiler, Profile},
    constraints, decode,
    model::{Changes, Engine, Existing, Mode, Policy, Task},
    refuse,
};
use crate::{
    document::{Document, Node, NodeId},
    expr::cel::Family,
    policy::{Action, Head, fields::Problems},
};

/// Decodes and compiles a policy.
pub(crate) fn policy(document: &Arc<Document>, node: NodeId, problems: &Problems) -> Option<Policy> {
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

/// Refuses mutations that say nothing, or something else than they are.
pub(super) fn check_mutations(spec: Node<'_>, problems: &Problems) {
    for mutation in spec.get("mutations").into_iter().flat_map(Node::items) {
        let (key, other) = match mutation.str_at(&["patchType"]) {
            Some("JSONPatch") => ("jsonPatch", "applyConfiguration"),
            Some("ApplyConfiguration") => ("applyConfiguration", "jsonPatch"),
            _ => continue,
        };
        let is_given = |key: &str| mutation.str_at(&[key, "expression"]).is_some_and(|text| !text.trim().is_empty());
        if !is_given(key) {
            let message = format!("{key} is required for this patchType");
            refuse(mutation, problems, &message, &format!("add `{key}` with an `expression`"));
        }
        if let Some(node) = mutation.get(other) {
            let message = format!("{other} does not belong to this patchType");
            refuse(node, problems, &message, "remove it, or change `patchType`");
        }
    }
}

pub(super) fn check(spec: Node<'_>, problems: &Problems) {
    let is_on = |mode: &str| spec.at(&["evaluation", mode, "enabled"]).and_then(Node::as_bool);
    if is_on("admission") == Some(false) && is_on("mutateExisting") != Some(true) {
        let message = "disabling both admission and mutateExisting evaluation modes is not allowed";
        refuse(spec.get("evaluation").unwrap_or(spec), problems, message, "leave one of the two on");
    }
    check_mutations(spec, problems);
}
