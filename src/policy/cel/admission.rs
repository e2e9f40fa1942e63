//! `ValidatingAdmissionPolicy`, `MutatingAdmissionPolicy` and their bindings, of Kubernetes itself.
//!
//! In: a document. Out: the policy or binding, and what the API server would refuse in it.

use std::sync::Arc;

use super::{
    compile::{Compiler, Profile},
    constraints, decode,
    model::{Binding, Changes, Engine, Form, Mode, NotFound, ParamKind, ParamRef, Policy, Task},
    mutating, refuse,
};
use crate::{
    document::{Document, Node, NodeId},
    k8s::gvk::split_api_version,
    policy::{
        Action, Measure,
        fields::{Fields, Problems},
        kinds::Admission,
    },
};

/// Decodes and compiles a `ValidatingAdmissionPolicy`.
pub(crate) fn policy(document: &Arc<Document>, node: NodeId, measure: Measure, problems: &Problems) -> Option<Policy> {
    let object = document.node(node);
    let head = decode::head(document, object, "ValidatingAdmissionPolicy", false, problems)?;
    let spec = object.get("spec")?;
    let param_kind = param_kind(spec);
    let profile = Profile::Admission { params: param_kind.is_some(), measure };
    let body = Compiler::new(profile).body(spec);
    // Kyverno: its command line takes a policy that does not compile and says so of each object.
    if measure == Measure::Cluster {
        body.report(problems);
    }
    let constraints = constraints::decode(spec.get("matchConstraints"), problems).unwrap_or_default();
    Some(Policy {
        document: Arc::clone(document),
        node,
        head,
        engine: Engine::Kubernetes,
        task: Task::Validate,
        mode: Mode::Kubernetes,
        admission: true,
        failure: decode::failure_policy(spec),
        action: Action::Audit,
        param_kind,
        forms: vec![Form { flavor: None, constraints, body }],
        changes: None,
    })
}

/// Decodes and compiles a `MutatingAdmissionPolicy`.
pub(crate) fn mutating(
    document: &Arc<Document>,
    node: NodeId,
    measure: Measure,
    problems: &Problems,
) -> Option<Policy> {
    let object = document.node(node);
    let head = decode::head(document, object, "MutatingAdmissionPolicy", false, problems)?;
    let spec = object.get("spec")?;
    let param_kind = param_kind(spec);
    let body = Compiler::new(Profile::AdmissionMutating { params: param_kind.is_some(), measure }).body(spec);
    if measure == Measure::Cluster {
        body.report(problems);
        body.mutations.iter().for_each(|it| it.expression.report(problems));
    }
    let constraints = constraints::decode(spec.get("matchConstraints"), problems).unwrap_or_default();
    Some(Policy {
        document: Arc::clone(document),
        node,
        head,
        engine: Engine::Kubernetes,
        task: Task::Mutate,
        mode: Mode::Kubernetes,
        admission: true,
        failure: decode::failure_policy(spec),
        action: Action::Enforce,
        param_kind,
        forms: vec![Form { flavor: None, constraints, body }],
        changes: Some(Changes {
            replaces: false,
            again: spec.str_at(&["reinvocationPolicy"]) == Some("IfNeeded"),
            existing: None,
        }),
    })
}

/// Decodes a binding.
pub(crate) fn binding(object: Node<'_>, problems: &Problems) -> Option<Binding> {
    let fields = Fields::read(object, "a binding", problems)?;
    let metadata = Fields::read(fields.require("metadata")?, "metadata", problems)?;
    let spec = Fields::read(fields.require("spec")?, "spec", problems)?;
    Some(Binding {
        mutates: object.str_at(&["kind"]) == Some("MutatingAdmissionPolicyBinding"),
        name: metadata.string("name")?.to_owned(),
        policy: spec.string("policyName").unwrap_or_default().to_owned(),
        resources: constraints::decode(spec.get("matchResources"), problems),
        params: spec.get("paramRef").and_then(|node| param_ref(node, problems)),
        action: decode::action(spec.node()).unwrap_or_default(),
    })
}

/// The kind of the parameters, if there are any.
pub(crate) fn param_kind(spec: Node<'_>) -> Option<ParamKind> {
    let node = spec.get("paramKind").filter(|it| it.len() > 0)?;
    let (group, version) = split_api_version(node.str_at(&["apiVersion"]).unwrap_or_default());
    let kind = node.str_at(&["kind"]).unwrap_or_default();
    Some(ParamKind { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() })
}

/// Which parameters are meant.
pub(crate) fn param_ref(node: Node<'_>, problems: &Problems) -> Option<ParamRef> {
    let fields = Fields::read(node, "paramRef", problems)?;
    let text = |key| fields.string(key).filter(|text| !text.is_empty()).map(str::to_owned);
    Some(ParamRef {
        name: text("name"),
        namespace: text("namespace"),
        selector: fields.get("selector").map(|node| constraints::selector(node, problems)),
        not_found: if fields.string("parameterNotFoundAction") == Some("Allow") {
            NotFound::Allow
        } else {
            NotFound::Deny
        },
        span: node.span(),
    })
}

/// Notes what the API server would refuse in a policy or binding that its schema lets in.
pub(crate) fn check(object: Node<'_>, kind: Admission, problems: &Problems) {
    let Some(spec) = object.get("spec") else { return };
    let lacks = |key: &str| spec.get(key).is_none_or(|it| it.len() == 0 && it.as_str().is_none_or(str::is_empty));
    match kind {
        Admission::MutatingPolicy => {
            if spec.at(&["matchConstraints", "resourceRules"]).is_none_or(|it| it.len() == 0) {
                let at = spec.get("matchConstraints").unwrap_or(spec);
                refuse(at, problems, "matchConstraints.resourceRules: Required value", "say what the policy matches");
            }
            if lacks("mutations") {
                refuse(spec, problems, "mutations: Required value", "say what is changed in `mutations`");
            }
            if lacks("reinvocationPolicy") {
                let help = "write `reinvocationPolicy: Never` or `IfNeeded`";
                refuse(spec, problems, "reinvocationPolicy: Required value", help);
            }
            for mutation in spec.get("mutations").into_iter().flat_map(Node::items) {
                if let Some(key) = mutating::lacks_expression(mutation) {
                    let help = format!("add `{key}` with an `expression`");
                    refuse(mutation, problems, &format!("{key}: Required value"), &help);
                }
            }
        }
        Admission::Policy => {
            if spec.at(&["matchConstraints", "resourceRules"]).is_none_or(|it| it.len() == 0) {
                let at = spec.get("matchConstraints").unwrap_or(spec);
                refuse(at, problems, "matchConstraints.resourceRules: Required value", "say what the policy matches");
            }
            if lacks("validations") && lacks("auditAnnotations") {
                let message = "validations or auditAnnotations must contain at least one item";
                refuse(spec, problems, message, "say what must hold in `validations`");
            }
        }
        Admission::Binding | Admission::MutatingBinding => {
            if lacks("policyName") {
                refuse(spec, problems, "policyName: Required value", "name the policy that is bound");
            }
            if kind == Admission::Binding && lacks("validationActions") {
                let help = "write `validationActions: [Deny]` to refuse what fails";
                refuse(spec, problems, "validationActions: Required value", help);
            }
            if let Some(reference) = spec.get("paramRef").filter(|it| it.is_map()) {
                check_param_ref(reference, problems);
            }
        }
    }
}

fn check_param_ref(reference: Node<'_>, problems: &Problems) {
    match (reference.get("name"), reference.get("selector")) {
        (None, None) => {
            refuse(reference, problems, "one of name or selector must be specified in paramRef", "add one of them");
        }
        (Some(_), Some(selector)) => {
            let message = "name and selector are mutually exclusive in paramRef";
            refuse(selector, problems, message, "remove one of them");
        }
        _ => {}
    }
    if reference.get("parameterNotFoundAction").is_none() {
        let message = "paramRef.parameterNotFoundAction: Required value";
        refuse(reference, problems, message, "add `parameterNotFoundAction: Deny` or `Allow`");
    }
}
