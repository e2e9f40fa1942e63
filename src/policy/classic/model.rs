//! A classic policy, compiled.

use std::sync::Arc;

use super::{
    autogen::Flavor,
    cel::Cel,
    condition::Conditions,
    context::ContextEntry,
    gate::Gate,
    generate::Generate,
    images::VerifyImages,
    mutate::Mutate,
    pattern::{Numbers, Pattern},
};
use crate::{
    document::{Document, Node, NodeId},
    expr::{
        jmespath::{Expression, ParseError},
        template::{Template, Tree},
    },
    k8s::{label_selector::LabelSelector, wildcard::Wildcard},
    policy::{Action, Head, manifests::Manifests, matching::Block, pod_security::PodSecurity},
    span::Span,
};

/// A `ClusterPolicy` or `Policy`.
#[derive(Debug)]
pub(crate) struct Policy {
    /// The document that holds it.
    pub document: Arc<Document>,
    /// The node of the object in the document.
    pub node: NodeId,
    /// What it is called, and what reports say of it.
    pub head: Head,
    /// `spec.admission`.
    pub admission: bool,
    /// `spec.webhookConfiguration.matchConditions`.
    pub gate: Gate,
    /// `spec.validationFailureAction` and its overrides.
    pub action: FailureAction,
    /// `spec.applyRules: One`.
    pub first_rule_only: bool,
    /// Declared rules, then generated ones.
    pub rules: Vec<Rule>,
}

impl Policy {
    /// The object as written.
    pub(crate) fn object(&self) -> Node<'_> {
        self.document.node(self.node)
    }
}

/// What a failure does, with the exceptions by namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct FailureAction {
    /// The action, if it is given.
    pub action: Option<Action>,
    /// Other actions for some namespaces, the first that matches counts.
    pub overrides: Vec<ActionOverride>,
}

/// Another action for some namespaces.
#[derive(Clone, Debug)]
pub(crate) struct ActionOverride {
    /// The action; `None` for a word that is none.
    pub action: Option<Action>,
    /// Namespaces, one of which must match; empty means any.
    pub namespaces: Vec<Wildcard>,
    /// Labels of the namespace.
    pub selector: Option<LabelSelector>,
}

/// One rule, declared or generated.
#[derive(Debug)]
pub(crate) struct Rule {
    /// The computed name: `host-ns`, `autogen-host-ns`.
    pub name: String,
    /// The name of the declared rule.
    pub declared_name: String,
    /// The document in which the rule's nodes stand: the policy's, or one rewritten for Pod controllers.
    pub document: Arc<Document>,
    /// The rule in it.
    pub node: NodeId,
    /// Where the declared name stands.
    pub name_span: Span,
    /// For a generated rule: the flavor and the bare kinds for which it exists.
    pub generated: Option<(Flavor, Vec<&'static str>)>,
    /// What it applies to.
    pub matching: Block,
    /// What it doesn't apply to.
    pub exclude: Option<Block>,
    /// Named values.
    pub context: Vec<ContextEntry>,
    /// When it applies.
    pub preconditions: Option<Conditions>,
    /// Extra report properties.
    pub report_properties: Vec<(String, Template)>,
    /// What it does.
    pub body: Body,
}

impl Rule {
    /// The rule as written or rewritten.
    pub(crate) fn object(&self) -> Node<'_> {
        self.document.node(self.node)
    }
}

/// What a rule does.
#[derive(Debug)]
pub(crate) enum Body {
    /// Checks the resource.
    Validate(Validate),
    /// Changes the resource, or others.
    Mutate(Mutate),
    /// Makes other resources.
    Generate(Generate),
    /// Checks the images of the resource.
    VerifyImages(VerifyImages),
    /// Nothing that is known; policy validation refuses it.
    Nothing,
}

/// A `validate` block.
#[derive(Debug)]
pub(crate) struct Validate {
    /// What to say when the check fails.
    pub message: Option<Template>,
    /// `failureAction` and its overrides.
    pub action: FailureAction,
    /// `allowExistingViolations`.
    pub allow_existing: bool,
    /// The check.
    pub check: Check,
}

/// What a `validate` block or a `foreach` item checks.
#[derive(Debug)]
pub(crate) enum Check {
    /// One pattern.
    Pattern(PatternSource),
    /// Several patterns, one of which must match.
    AnyPattern(Vec<PatternSource>),
    /// Conditions under which the resource is refused; `None` for `deny: {}`.
    Deny(Option<Conditions>, Span),
    /// A check for each element of a list.
    ForEach(Vec<ForEach>),
    /// Pod security standards.
    PodSecurity(PodSecurity),
    /// CEL expressions.
    Cel(Box<Cel>),
    /// A signature on the manifest.
    Manifests(Box<Manifests>),
    /// Nothing that is known; policy validation refuses it.
    Nothing,
}

/// A pattern: compiled once if it holds no variables, else for each resource.
#[derive(Debug)]
pub(crate) struct PatternSource {
    /// The compiled form of a pattern without variables.
    pub compiled: Option<Pattern>,
    /// The pattern with its variables.
    pub tree: Tree,
    /// Whether integers compare as floats.
    pub numbers: Numbers,
    /// A reference `$(/…)`, which is valid and yet never finds anything.
    pub unresolved: Option<String>,
}

/// One item of a `foreach` list.
#[derive(Debug)]
pub(crate) struct ForEach {
    /// The list expression as written.
    pub list_text: String,
    /// The list expression.
    pub list: Result<Expression, ParseError>,
    /// `elementScope`.
    pub element_scope: Option<bool>,
    /// Named values.
    pub context: Vec<ContextEntry>,
    /// Which elements count.
    pub preconditions: Option<Conditions>,
    /// The check.
    pub check: Check,
    /// Where the item stands.
    pub span: Span,
}
