//! Policies written in CEL, compiled.

use std::sync::Arc;

use super::{
    constraints::Constraints,
    expression::{Expression, Reads},
    generating::Product,
};
use crate::{
    document::{Document, Node, NodeId},
    expr::cel::Program,
    k8s::label_selector::LabelSelector,
    policy::{Action, Head, classic::autogen::Flavor, fields::Problems},
    span::Span,
};

/// A policy of `policies.kyverno.io`, or a `ValidatingAdmissionPolicy` or `MutatingAdmissionPolicy`.
#[derive(Debug)]
pub(crate) struct Policy {
    /// The document that holds it.
    pub document: Arc<Document>,
    /// The node of the object in the document.
    pub node: NodeId,
    /// What it is called, and what reports say of it.
    pub head: Head,
    /// Who evaluates it.
    pub engine: Engine,
    /// What it is for.
    pub task: Task,
    /// What it looks at.
    pub mode: Mode,
    /// Whether it judges requests at all: `evaluation.admission.enabled`.
    pub admission: bool,
    /// What an expression that can't be evaluated does.
    pub failure: FailurePolicy,
    /// What a failure does; of a policy of Kubernetes its bindings say that.
    pub action: Action,
    /// `paramKind`, of a policy of Kubernetes.
    pub param_kind: Option<ParamKind>,
    /// The policy as written, then its forms for Pod controllers.
    pub forms: Vec<Form>,
    /// How it changes objects; `None` for a policy that only judges them.
    pub changes: Option<Changes>,
}

/// How a policy changes objects, beside the mutations of its forms.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// What is replaced as a whole may be replaced: `evaluation.useServerSideApply`.
    pub replaces: bool,
    /// It runs once more when others changed the object after it: `reinvocationPolicy: IfNeeded`.
    pub again: bool,
    /// Which other objects it changes, if it changes any: `evaluation.mutateExisting`.
    pub existing: Option<Existing>,
}

/// Which existing objects a policy changes.
#[derive(Debug)]
pub(crate) struct Existing {
    /// `targetMatchConstraints`, where it has resource rules.
    pub constraints: Option<Constraints>,
    /// `targetMatchConstraints.expression`.
    pub expression: Option<Expression>,
    /// `targetMatchConditions`.
    pub conditions: Vec<Named>,
}

impl Existing {
    /// What its expressions read that is not always known.
    pub(crate) fn reads(&self) -> Reads {
        self.expressions().fold(Reads::NONE, |reads, it| reads.and(it.reads()))
    }

    /// Its expressions.
    pub(super) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.expression.iter().chain(self.conditions.iter().map(|it| &it.expression))
    }
}

/// One change to an object.
#[derive(Debug)]
pub(crate) struct Mutation {
    /// How.
    pub patch: Patch,
    /// What computes the patch.
    pub expression: Expression,
}

/// How an object is changed: `patchType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patch {
    /// `JSONPatch`: operations of RFC 6902.
    Json,
    /// `ApplyConfiguration`: parts of an object that are joined with it.
    Apply,
}

impl Policy {
    /// The object as written.
    pub(crate) fn object(&self) -> Node<'_> {
        self.document.node(self.node)
    }

    /// Whether it judges requests to other servers than the API server.
    pub(crate) fn asks_servers(&self) -> bool {
        matches!(self.mode, Mode::Http | Mode::Envoy)
    }

    /// Whether it changes objects before others judge them.
    pub(crate) fn mutates(&self) -> bool {
        self.changes.is_some()
    }
}

/// Who evaluates a policy; the two differ in what expressions may call, and in what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// Kyverno.
    Kyverno,
    /// The API server.
    Kubernetes,
}

/// What a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// It says whether objects are as they should be.
    Validate,
    /// It changes objects before others judge them.
    Mutate,
    /// It makes objects when others come.
    Generate,
}

/// What a policy looks at: `evaluation.mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Requests for admission.
    #[default]
    Kubernetes,
    /// JSON of any kind.
    Json,
    /// Requests to an HTTP server.
    Http,
    /// Requests that Envoy asks about.
    Envoy,
}

/// What an expression that can't be evaluated does: `failurePolicy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FailurePolicy {
    /// The request is refused.
    #[default]
    Fail,
    /// The policy doesn't count.
    Ignore,
}

/// A policy as written, or its form for Pod controllers.
#[derive(Debug)]
pub(crate) struct Form {
    /// Set for a form that is generated.
    pub flavor: Option<Flavor>,
    /// What it matches.
    pub constraints: Constraints,
    /// What it asks.
    pub body: Body,
}

/// The expressions of a policy, or of a rule.
#[derive(Debug, Default)]
pub(crate) struct Body {
    /// `matchConditions`, or `celPreconditions`.
    pub conditions: Vec<Named>,
    /// `variables`: each may use those before it.
    pub variables: Variables,
    /// `validations`, or `expressions`.
    pub validations: Vec<Validation>,
    /// `auditAnnotations`.
    pub annotations: Vec<Named>,
    /// `generate`.
    pub products: Vec<Product>,
    /// `mutations`.
    pub mutations: Vec<Mutation>,
    /// What any of them reads that is not always known.
    pub reads: Reads,
}

impl Body {
    /// Every expression but those of mutations, and of variables that compile.
    fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let conditions = self.conditions.iter().map(|it| &it.expression);
        let validations = self.validations.iter().flat_map(|it| [Some(&it.expression), it.message_expression.as_ref()]);
        let annotations = self.annotations.iter().map(|it| &it.expression);
        let products = self.products.iter().flat_map(Product::expressions);
        let judging = conditions.chain(validations.flatten()).chain(annotations);
        self.variables.broken.iter().chain(judging).chain(products)
    }

    /// Notes what keeps expressions from being compiled, those of mutations aside.
    pub(crate) fn report(&self, problems: &Problems) {
        self.expressions().for_each(|it| it.report(problems));
        self.products.iter().flat_map(Product::flaws).for_each(|flaw| problems.add(flaw.clone()));
    }

    /// Whether a message may quote what expressions read.
    pub(crate) fn quotes(&self) -> bool {
        self.validations.iter().any(|it| it.message_expression.is_some())
    }

    /// The body with a note of what its expressions read.
    pub(super) fn noted(self) -> Self {
        let mutations = self.mutations.iter().map(|it| &it.expression);
        let reads = self.expressions().chain(mutations).fold(self.variables.reads, |reads, it| reads.and(it.reads()));
        Self { reads, ..self }
    }
}

impl Variables {
    /// No variables.
    pub(crate) const NONE: Self = Self { programs: Vec::new(), broken: Vec::new(), reads: Reads::NONE };
}

/// The variables of a policy.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    /// Their programs, in the order of declaration; null for one that does not compile.
    pub programs: Vec<Program>,
    /// Those that don't compile.
    pub broken: Vec<Expression>,
    /// What any of them reads that is not always known.
    pub reads: Reads,
}

/// An expression with a name.
#[derive(Debug)]
pub(crate) struct Named {
    /// Its name; the key of an audit annotation.
    pub name: String,
    /// The expression.
    pub expression: Expression,
}

/// What must hold, and what is said when it does not.
#[derive(Debug)]
pub(crate) struct Validation {
    /// The expression.
    pub expression: Expression,
    /// `message`; empty for none.
    pub message: String,
    /// `messageExpression`.
    pub message_expression: Option<Expression>,
}

/// The kind of objects that hold parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParamKind {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind.
    pub kind: String,
}

impl ParamKind {
    /// Whether it is that of Secrets.
    pub(crate) fn is_secret(&self) -> bool {
        self.group.is_empty() && self.kind == "Secret"
    }
}

/// Which parameters a binding, or a rule, takes.
#[derive(Clone, Debug)]
pub(crate) struct ParamRef {
    /// The name of one object.
    pub name: Option<String>,
    /// The namespace in which parameters are; without one that of the object which is judged.
    pub namespace: Option<String>,
    /// The labels of several objects.
    pub selector: Option<LabelSelector>,
    /// What happens where there are none.
    pub not_found: NotFound,
    /// Where it stands.
    pub span: Span,
}

/// What happens where there are no parameters: `parameterNotFoundAction`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum NotFound {
    /// As `failurePolicy` says.
    #[default]
    Deny,
    /// The policy doesn't count.
    Allow,
}

/// A `ValidatingAdmissionPolicyBinding` or a `MutatingAdmissionPolicyBinding`.
#[derive(Debug)]
pub(crate) struct Binding {
    /// Whether it binds a policy that changes objects.
    pub mutates: bool,
    /// `metadata.name`.
    pub name: String,
    /// The policy that it binds.
    pub policy: String,
    /// What it matches; `None` for everything that the policy matches.
    pub resources: Option<Constraints>,
    /// The parameters.
    pub params: Option<ParamRef>,
    /// What a failure does.
    pub action: Action,
}
