//! From the document of a policy of `policies.kyverno.io` to its compiled form.
//!
//! In: a document and the node of an object that the API server's schema lets in. Out: the policy, and what keeps it from
//! being compiled: expressions that don't parse, or of another type than they must be.

use std::sync::Arc;

use super::{
    autogen::{self, Rewriting},
    compile::{Compiler, Profile},
    constraints::{self, Constraints},
    model::{Engine, FailurePolicy, Form, Mode, Policy, Task},
};
use crate::{
    document::{Document, Node, NodeId},
    expr::cel::Family,
    policy::{
        Action, Head,
        fields::{Fields, Problems},
        kinds::Cel,
    },
};

/// Decodes and compiles a policy of `policies.kyverno.io`; `None` for kinds that are not evaluated.
pub(crate) fn policy(document: &Arc<Document>, node: NodeId, kind: Cel, problems: &Problems) -> Option<Policy> {
    let object = document.node(node);
    let namespaced = object.str_at(&["kind"]).is_some_and(|kind| kind.starts_with("Namespaced"));
    let (task, family, [wide, narrow]) = match kind {
        Cel::Validating => {
            let names = ["ValidatingPolicy", "NamespacedValidatingPolicy"];
            (Task::Validate, Family::ValidatingPolicy, names)
        }
        Cel::Generating => {
            let names = ["GeneratingPolicy", "NamespacedGeneratingPolicy"];
            (Task::Generate, Family::GeneratingPolicy, names)
        }
        Cel::Mutating | Cel::ImageValidating | Cel::Deleting | Cel::Exception => return None,
    };
    let head = head(document, object, if namespaced { narrow } else { wide }, namespaced, problems)?;
    let spec = object.get("spec")?;
    let mode = match spec.str_at(&["evaluation", "mode"]) {
        Some("JSON") => Mode::Json,
        Some("HTTP") => Mode::Http,
        Some("Envoy") => Mode::Envoy,
        _ => Mode::Kubernetes,
    };
    let enabled = |part: &str| spec.at(&["evaluation", part, "enabled"]).and_then(Node::as_bool).unwrap_or(true);
    let forms = if matches!(mode, Mode::Kubernetes | Mode::Json) {
        let rewriting = (task == Task::Validate).then_some(Rewriting::Text);
        forms(spec, &Compiler::new(Profile::Kyverno { family, namespaced }), rewriting, problems)
    } else {
        // Such a policy speaks to other servers, in another language; nothing of it reaches an API server.
        Vec::new()
    };
    Some(Policy {
        document: Arc::clone(document),
        node,
        head: Head { background: enabled("background"), ..head },
        engine: Engine::Kyverno,
        task,
        mode,
        admission: enabled("admission"),
        failure: failure_policy(spec),
        action: action(spec).unwrap_or(Action::Enforce),
        param_kind: None,
        forms,
        changes: None,
    })
}

/// Compiles conditions and variables of a kind that is not evaluated, and notes what is wrong with them.
pub(crate) fn other(object: Node<'_>, kind: Cel, problems: &Problems) {
    let family = match kind {
        Cel::ImageValidating => Family::ImageValidatingPolicy,
        Cel::Deleting => Family::DeletingPolicy,
        Cel::Validating | Cel::Mutating | Cel::Generating | Cel::Exception => return,
    };
    let namespaced = object.str_at(&["kind"]).is_some_and(|kind| kind.starts_with("Namespaced"));
    if let Some(spec) = object.get("spec") {
        constraints::decode(spec.get("matchConstraints"), problems);
        Compiler::new(Profile::Kyverno { family, namespaced }).body(spec).report(problems);
    }
}

/// The policy as written and its forms for Pod controllers, if there are to be any.
pub(super) fn forms(
    spec: Node<'_>,
    compiler: &Compiler,
    rewriting: Option<Rewriting>,
    problems: &Problems,
) -> Vec<Form> {
    let constraints = constraints::decode(spec.get("matchConstraints"), problems).unwrap_or_default();
    let mut out = Vec::new();
    let body = compiler.body(spec);
    body.report(problems);
    // A generated form of what does not compile would say the same things once more.
    let rewriting = rewriting.filter(|_| problems.is_empty());
    let generated = rewriting.map(|it| autogen::forms(spec, &constraints, it)).unwrap_or_default();
    for form in generated {
        let constraints = Constraints { rules: form.rules, ..constraints.clone() };
        let body = compiler.body(form.spec.root());
        body.report(problems);
        out.push(Form { flavor: Some(form.flavor), constraints, body });
    }
    out.insert(0, Form { flavor: None, constraints, body });
    out
}

/// What a policy is called.
pub(super) fn head(
    document: &Arc<Document>,
    object: Node<'_>,
    kind: &'static str,
    namespaced: bool,
    problems: &Problems,
) -> Option<Head> {
    let fields = Fields::read(object, "a policy", problems)?;
    let metadata = Fields::read(fields.require("metadata")?, "metadata", problems)?;
    let name_node = metadata.require("name")?;
    let name = metadata.text(name_node)?.to_owned();
    let namespace = if namespaced { metadata.string("namespace").unwrap_or_default() } else { "" };
    let annotation = |key: &str| object.str_at(&["metadata", "annotations", key]).map(str::to_owned);
    Some(Head {
        file: Arc::clone(document.file()),
        kind,
        key: if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") },
        name,
        namespace: namespace.to_owned(),
        name_span: name_node.span(),
        scored: annotation("policies.kyverno.io/scored").as_deref() != Some("false"),
        category: annotation("policies.kyverno.io/category"),
        severity: annotation("policies.kyverno.io/severity"),
        background: true,
    })
}

/// What an expression that can't be evaluated does.
pub(super) fn failure_policy(spec: Node<'_>) -> FailurePolicy {
    match spec.str_at(&["failurePolicy"]) {
        Some("Ignore") => FailurePolicy::Ignore,
        _ => FailurePolicy::Fail,
    }
}

/// What a failure does, as `validationActions` says; `None` where they are not given.
pub(super) fn action(spec: Node<'_>) -> Option<Action> {
    let actions = spec.get("validationActions").filter(|it| it.len() > 0)?;
    let denies = actions.items().any(|it| it.as_str() == Some("Deny"));
    Some(if denies { Action::Enforce } else { Action::Audit })
}
