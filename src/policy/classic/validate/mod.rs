//! What Kyverno refuses in a policy that the API server's schema lets in.
//!
//! In: a policy as compiled and as written. Out: a problem for each thing that a cluster would refuse it for, all of
//! them at once, where a cluster stops at the first. Each file holds what is said of one subject, and [`CHECKS`] is the
//! list of them all. Cases: `tests/engine/refused/`.

mod anchors;
mod bodies;
mod cel;
mod conditions;
mod context;
mod expressions;
mod filters;
mod foreach;
mod generate;
mod identity;
mod images;
mod json_patch;
mod kinds;
mod labels;
mod mutate;
mod namespaced;
mod operations;
mod overlap;
mod overrides;
mod rule_names;
mod settings;
mod user;
mod variables;
mod walk;

pub(crate) use filters::{filters as check_filters, user_info};
pub(crate) use overlap::equal;
pub(crate) use variables::{calls_function, context_names};
pub(crate) use walk::{Variable, variables_below};

use super::{Policy, Rule};
use crate::{
    document::Node,
    k8s::scope::Scopes,
    policy::{Measure, error::Problem, fields::Problems},
    span::Span,
};

/// What is looked at: the policy as a whole, or each declared rule.
#[derive(Clone, Copy)]
enum Check {
    Policy(fn(&Draft<'_>)),
    Rule(fn(&Draft<'_>, Node<'_>)),
}

/// Every check, in about the order in which Kyverno makes them.
const CHECKS: &[Check] = &[
    Check::Policy(identity::check),
    Check::Policy(settings::check),
    Check::Policy(overrides::check),
    Check::Policy(rule_names::check),
    Check::Policy(namespaced::check),
    Check::Policy(kinds::exist),
    Check::Rule(user::check),
    Check::Rule(expressions::check),
    Check::Rule(variables::check),
    Check::Rule(operations::check),
    Check::Rule(filters::check_rule),
    Check::Rule(overlap::check),
    Check::Rule(kinds::check),
    Check::Rule(conditions::check),
    Check::Rule(context::check),
    Check::Rule(bodies::check),
    Check::Rule(foreach::check),
    Check::Rule(anchors::check),
    Check::Rule(labels::check),
    Check::Rule(cel::check),
    Check::Policy(cel::compiles),
    Check::Rule(mutate::check),
    Check::Rule(json_patch::check),
    Check::Rule(generate::check),
    Check::Rule(images::check),
];

/// Notes everything that a cluster, or Kyverno's command line, would refuse in a policy.
pub(crate) fn check(policy: &Policy, measure: Measure, scopes: &Scopes, problems: &Problems) {
    let Some(spec) = policy.object().get("spec") else { return };
    let draft = Draft { policy, spec, measure, scopes, problems };
    for check in CHECKS {
        match check {
            Check::Policy(check) => check(&draft),
            Check::Rule(check) => draft.declared().for_each(|rule| check(&draft, rule.object())),
        }
    }
}

/// A policy before it is let in.
struct Draft<'p> {
    policy: &'p Policy,
    spec: Node<'p>,
    measure: Measure,
    scopes: &'p Scopes,
    problems: &'p Problems,
}

impl<'p> Draft<'p> {
    /// The rules as written.
    fn declared(&self) -> impl Iterator<Item = &'p Rule> + use<'p> {
        self.policy.rules.iter().filter(|rule| rule.generated.is_none())
    }

    /// Whether the policy judges what is already there, too.
    fn background(&self) -> bool {
        self.policy.head.background
    }

    /// Whether the policy is bound to a namespace.
    fn is_namespaced(&self) -> bool {
        !self.policy.head.cluster_wide()
    }

    /// Refuses the policy for the value of `node`.
    fn refuse(&self, node: Node<'_>, message: impl Into<String>, help: impl Into<String>) {
        self.refuse_at(node, node.span(), message, help);
    }

    /// Refuses the policy for the key of `node`, or for something that is missing in it.
    fn refuse_key(&self, node: Node<'_>, message: impl Into<String>, help: impl Into<String>) {
        self.refuse_at(node, node.heading(), message, help);
    }

    /// Refuses the policy for a place in the file of `node`.
    fn refuse_at(&self, node: Node<'_>, at: Span, message: impl Into<String>, help: impl Into<String>) {
        self.problems.at_span(node, at, Problem::invalid_with(message, help));
    }
}

/// The value of a field that is there and not null.
fn given<'d>(node: Node<'d>, key: &str) -> Option<Node<'d>> {
    node.get(key).filter(|it| !it.is_null())
}

/// Which of several fields are given.
fn given_of<'d>(node: Node<'d>, keys: &[&str]) -> Vec<Node<'d>> {
    node.entries().filter(|(key, value)| keys.contains(key) && !value.is_null()).map(|(_, value)| value).collect()
}

/// The name of a rule, for messages.
fn name_of(rule: Node<'_>) -> &str {
    rule.str_at(&["name"]).unwrap_or_default()
}
