//! From the expressions of a policy as written to programs.
//!
//! In: the lists of a `spec`, and what kind of policy they stand in. Out: a [`Body`]. What an expression may name depends on
//! the kind: `variables` grows while they are declared, and not every condition may use them.

use std::collections::HashMap;

use super::{
    constraints::Constraints,
    expression::{Expression, Part, Reads},
    generating,
    images::Images,
    model::{Body, Existing, Mutation, Named, Patch, Validation, Variables},
};
use crate::{
    document::Node,
    expr::cel::{Environment, Expected, Family, Program, Root, Type},
    policy::{Measure, Operation},
};

/// What kind of policy expressions stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// `MutatingAdmissionPolicy`.
    AdmissionMutating {
        /// Whether it has parameters.
        params: bool,
        /// Who evaluates it.
        measure: Measure,
    },
    /// `ValidatingAdmissionPolicy`.
    Admission {
        /// Whether it has parameters.
        params: bool,
        /// Who evaluates it.
        measure: Measure,
    },
    /// `validate.cel` in a rule.
    Rule {
        /// Whether it has parameters.
        params: bool,
    },
    /// `matchConditions` of a webhook, which the API server evaluates before it asks Kyverno.
    Webhook,
    /// `PolicyException` of `policies.kyverno.io`.
    Exception,
    /// A policy of `policies.kyverno.io`.
    Kyverno {
        /// Which one.
        family: Family,
        /// Whether it sees its own namespace only.
        namespaced: bool,
    },
}

/// Compiles the expressions of one policy.
pub(crate) struct Compiler {
    profile: Profile,
    environment: Environment,
}

impl Compiler {
    /// A compiler for a kind of policy.
    pub(crate) fn new(profile: Profile) -> Self {
        let environment = match profile {
            Profile::Webhook => Environment::new(Family::ClusterPolicy).without(Root::NamespaceObject),
            Profile::AdmissionMutating { params, measure } => {
                with_params(native(Family::MutatingAdmissionPolicy, measure), params)
            }
            Profile::Exception => Environment::new(Family::ValidatingPolicy).without(Root::Exceptions),
            Profile::Kyverno { family, namespaced: false } => Environment::new(family),
            Profile::Kyverno { family, namespaced: true } => Environment::new(family).namespaced(),
            Profile::Admission { params, measure } => {
                with_params(native(Family::ValidatingAdmissionPolicy, measure), params)
            }
            Profile::Rule { params } => with_params(Environment::new(Family::ClusterPolicy), params),
        };
        Self { profile, environment }
    }

    /// Conditions that may not use variables.
    pub(crate) fn conditions(&self, list: Option<Node<'_>>) -> Vec<Named> {
        let environment = self.environment.clone().without_variables();
        conditions(list, &Known { environment, reads: HashMap::new() })
    }

    /// The expressions of a policy.
    pub(crate) fn body(&self, spec: Node<'_>) -> Body {
        let (variables, known) = self.variables(spec.get("variables"));
        let list = spec.get("matchConditions").or_else(|| spec.get("conditions"));
        let body = Body {
            conditions: match self.profile {
                Profile::Admission { .. }
                | Profile::Rule { .. }
                | Profile::AdmissionMutating { .. }
                | Profile::Kyverno { family: Family::MutatingPolicy | Family::DeletingPolicy, .. } => {
                    conditions(list, &known)
                }
                Profile::Webhook | Profile::Exception | Profile::Kyverno { .. } => self.conditions(list),
            },
            variables,
            // Of the kinds that have none the schema lets none in.
            validations: validations(spec.get("validations"), &known),
            annotations: annotations(spec.get("auditAnnotations"), &known),
            products: match self.profile {
                Profile::Kyverno { family: Family::GeneratingPolicy, .. } => generating::products(spec, &known),
                _ => Vec::new(),
            },
            images: match self.profile {
                Profile::Kyverno { family: Family::ImageValidatingPolicy, .. } => {
                    let mut environment = known.environment.clone();
                    environment.declare(Root::Reference, Type::String);
                    let of_reference = Known { environment, reads: known.reads.clone() };
                    Some(Box::new(Images::compile(spec, &known, &of_reference)))
                }
                _ => None,
            },
            mutations: match self.profile {
                Profile::Kyverno { family: Family::MutatingPolicy, .. } | Profile::AdmissionMutating { .. } => {
                    mutations(spec.get("mutations"), &known)
                }
                _ => Vec::new(),
            },
            reads: Reads::NONE,
        };
        body.noted()
    }

    /// Which existing objects a policy changes; `constraints` are those of its targets.
    pub(crate) fn existing(&self, spec: Node<'_>, constraints: Option<Constraints>) -> Existing {
        let (_, known) = self.variables(spec.get("variables"));
        let expression = spec.at(&["targetMatchConstraints", "expression"]);
        let expression = expression.filter(|it| it.as_str().is_some_and(|text| !text.is_empty()));
        let of_any_operation = |mut constraints: Constraints| {
            let rules = constraints.rules.iter_mut().chain(&mut constraints.excludes);
            rules.for_each(|rule| rule.operations = Operation::ALL.to_vec());
            constraints
        };
        Existing {
            // Nothing is done to a target but what the policy does.
            constraints: constraints.filter(|it| !it.rules.is_empty()).map(of_any_operation),
            expression: expression.map(|node| known.compile(node, Expected::Map)),
            conditions: conditions(spec.get("targetMatchConditions"), &known),
        }
    }

    /// The expressions of a rule: its `celPreconditions` and `validate.cel`.
    pub(crate) fn rule(&self, list: Option<Node<'_>>, cel: Node<'_>) -> Body {
        let (variables, known) = self.variables(cel.get("variables"));
        let body = Body {
            conditions: conditions(list, &known),
            variables,
            validations: validations(cel.get("expressions"), &known),
            annotations: annotations(cel.get("auditAnnotations"), &known),
            products: Vec::new(),
            images: None,
            mutations: Vec::new(),
            reads: Reads::NONE,
        };
        body.noted()
    }

    fn variables(&self, list: Option<Node<'_>>) -> (Variables, Known) {
        let mut known = Known { environment: self.environment.clone(), reads: HashMap::new() };
        let mut out = Variables::default();
        for item in list.into_iter().flat_map(Node::items) {
            let (Some(name), Some(node)) = (item.str_at(&["name"]), item.get("expression")) else { continue };
            let expression = known.compile(node, Expected::Any);
            out.reads = out.reads.and(expression.reads());
            known.reads.insert(name.to_owned(), expression.reads());
            let of = expression.program().map_or(Type::Dyn, |program| program.result_type().clone());
            match expression.into_program() {
                Ok(program) => out.programs.push(program),
                Err(expression) => {
                    // Those that follow keep their places.
                    out.programs.extend(Program::compile("null", &known.environment, Expected::Any));
                    out.broken.push(expression);
                }
            }
            known.environment.declare_variable(name, of);
        }
        (out, known)
    }
}

/// What policies of Kubernetes may name. Kyverno: its command line has no `authorizer` for them, the API server has.
fn native(family: Family, measure: Measure) -> Environment {
    let environment = Environment::new(family);
    match measure {
        Measure::Cluster => environment.with_authorizer(),
        Measure::CommandLine => environment,
    }
}

fn with_params(mut environment: Environment, params: bool) -> Environment {
    if params {
        environment.declare(Root::Params, Type::Dyn);
    }
    environment
}

/// What expressions may name, and what variables read.
pub(super) struct Known {
    environment: Environment,
    reads: HashMap<String, Reads>,
}

impl Known {
    /// Compiles the text of a node.
    pub(super) fn compile(&self, node: Node<'_>, expected: Expected) -> Expression {
        let through = self.through_variables(node.as_str().unwrap_or_default());
        Expression::compile(node, &self.environment, expected, through)
    }

    /// Compiles a part of the text of a node.
    pub(super) fn compile_part(&self, part: Part<'_>, expected: Expected) -> Expression {
        Expression::compile_part(part, &self.environment, expected, self.through_variables(part.text))
    }

    /// What the variables read that a text names.
    fn through_variables(&self, text: &str) -> Reads {
        let named = self.reads.iter().filter(|(name, _)| text.contains(&format!("variables.{name}")));
        named.fold(Reads::default(), |reads, (_, it)| reads.and(*it))
    }
}

fn conditions(list: Option<Node<'_>>, known: &Known) -> Vec<Named> {
    named(list, "name", "expression", known, Expected::Bool)
}

fn annotations(list: Option<Node<'_>>, known: &Known) -> Vec<Named> {
    named(list, "key", "valueExpression", known, Expected::StringOrNull)
}

fn named(list: Option<Node<'_>>, name: &str, expression: &str, known: &Known, expected: Expected) -> Vec<Named> {
    let compiled = |item: Node<'_>| {
        let name = item.str_at(&[name]).unwrap_or_default().to_owned();
        Some(Named { name, expression: known.compile(item.get(expression)?, expected) })
    };
    list.into_iter().flat_map(Node::items).filter_map(compiled).collect()
}

fn mutations(list: Option<Node<'_>>, known: &Known) -> Vec<Mutation> {
    let compiled = |item: Node<'_>| {
        let (patch, key, expected) = match item.str_at(&["patchType"])? {
            "JSONPatch" => (Patch::Json, "jsonPatch", Expected::JsonPatches),
            _ => (Patch::Apply, "applyConfiguration", Expected::Object),
        };
        Some(Mutation { patch, expression: known.compile(item.at(&[key, "expression"])?, expected) })
    };
    list.into_iter().flat_map(Node::items).filter_map(compiled).collect()
}

fn validations(list: Option<Node<'_>>, known: &Known) -> Vec<Validation> {
    let compiled = |item: Node<'_>| {
        let computed = item.get("messageExpression").filter(|it| it.as_str().is_some_and(|text| !text.is_empty()));
        Some(Validation {
            expression: known.compile(item.get("expression")?, Expected::Bool),
            message: item.str_at(&["message"]).unwrap_or_default().to_owned(),
            message_expression: computed.map(|node| known.compile(node, Expected::String)),
        })
    };
    list.into_iter().flat_map(Node::items).filter_map(compiled).collect()
}
