//! Exceptions that nearly covered a failure, and what is in the way.
//!
//! In: a rule that failed. Out: for each exception that is about this policy, the one thing that keeps it from
//! counting. Only failures pay for this.

use super::matching::{Mismatch, Reader, Subjected};
use crate::{
    policy::{
        classic::{Policy, Rule},
        exception::Exception,
        set::PolicySet,
    },
    span::Span,
};

/// An exception that does not count, though it is about the policy.
#[derive(Clone, Debug)]
pub(crate) struct NearMiss<'p> {
    /// The exception.
    pub exception: &'p Exception,
    /// The place in its file to change.
    pub at: Span,
    /// What is in the way.
    pub obstacle: Obstacle,
}

/// What keeps an exception from counting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// It names the policy by another key, such as another namespace.
    PolicyKey {
        /// The name as written.
        written: String,
        /// The key of the policy.
        key: String,
    },
    /// It names the declared rule but not the one generated for Pod controllers.
    GeneratedRule {
        /// The computed name.
        rule: String,
    },
    /// Its filters don't match the resource.
    Filter(Mismatch),
    /// Its conditions don't hold.
    Conditions,
    /// It exempts some controls of the pod security standards, but these are violated beyond that.
    Controls(Vec<&'static str>),
}

/// The exceptions that count for a rule but exempt only part of what it finds.
#[derive(Clone, Copy)]
pub(crate) struct Partial<'a, 'p> {
    /// The exceptions.
    pub exceptions: &'a [&'p Exception],
    /// The controls that are violated beyond.
    pub violated: &'a [&'static str],
}

impl Obstacle {
    /// What is in the way and what to change, as a sentence for help.
    pub(crate) fn advice(&self, exception: &str, resource: &str) -> String {
        match self {
            Obstacle::PolicyKey { written, key } => {
                format!("exception `{exception}` names the policy `{written}`; its key is `{key}`")
            }
            Obstacle::GeneratedRule { rule } => {
                format!("exception `{exception}` does not name the generated rule: add `{rule}` to its `ruleNames`")
            }
            Obstacle::Filter(mismatch) => {
                let what = match mismatch {
                    Mismatch::Kind => "`kinds`",
                    Mismatch::Name => "`names`",
                    Mismatch::Namespace => "`namespaces`",
                    Mismatch::Annotation => "`annotations`",
                    Mismatch::Label => "`selector`",
                    Mismatch::NamespaceLabel => "`namespaceSelector`",
                    Mismatch::User => "subjects and roles",
                    Mismatch::Operation => "`operations`",
                    Mismatch::Empty => "empty `match`",
                };
                format!("exception `{exception}` waives this rule, but its {what} does not cover {resource}")
            }
            Obstacle::Controls(violated) => {
                let violated = violated.join("`, `");
                format!(
                    "exception `{exception}` exempts {resource} from some pod security controls, but not from all that \
                     it violates of `{violated}`"
                )
            }
            Obstacle::Conditions => {
                format!("exception `{exception}` waives this rule for {resource}, but its `conditions` do not hold")
            }
        }
    }
}

/// The exceptions that nearly covered a failure, in load order.
pub(crate) fn find<'p>(
    policies: &'p PolicySet,
    policy: &Policy,
    rule: &Rule,
    subject: &Subjected<'_>,
    partial: Partial<'_, 'p>,
) -> Vec<NearMiss<'p>> {
    let exempts_some = |exception: &Exception| partial.exceptions.iter().any(|it| std::ptr::eq(*it, exception));
    policies
        .exceptions
        .iter()
        .filter_map(|exception| {
            if exempts_some(exception) {
                let at = exception.pod_security_span.unwrap_or(exception.matching.span);
                return Some(NearMiss { exception, at, obstacle: Obstacle::Controls(partial.violated.to_vec()) });
            }
            near_miss(exception, policy, rule, subject)
        })
        .collect()
}

fn near_miss<'p>(
    exception: &'p Exception,
    policy: &Policy,
    rule: &Rule,
    subject: &Subjected<'_>,
) -> Option<NearMiss<'p>> {
    let closest = closest_filter(exception, subject);
    let covers = closest.is_none();
    for reference in &exception.references {
        let names = |name: &str| reference.rules.iter().any(|(wildcard, _)| wildcard.matches(name));
        if reference.policy == policy.head.key {
            if names(&rule.name) {
                let (mismatch, at) = match closest {
                    None => (Obstacle::Conditions, exception.matching.span),
                    Some((mismatch, at)) if mismatch >= Mismatch::Name => (Obstacle::Filter(mismatch), at),
                    Some(_) => continue,
                };
                return Some(NearMiss { exception, at, obstacle: mismatch });
            }
            if covers && rule.name != rule.declared_name && names(&rule.declared_name) {
                let obstacle = Obstacle::GeneratedRule { rule: rule.name.clone() };
                return Some(NearMiss { exception, at: reference.rules_span, obstacle });
            }
        }
        let bare = reference.policy.rsplit('/').next().unwrap_or_default();
        let other_key = reference.policy != policy.head.key && bare == policy.head.name;
        if covers && other_key && (names(&rule.name) || names(&rule.declared_name)) {
            let obstacle = Obstacle::PolicyKey { written: reference.policy.clone(), key: policy.head.key.clone() };
            return Some(NearMiss { exception, at: reference.policy_span, obstacle });
        }
    }
    None
}

/// The mismatch of the filter that comes closest, and the place to change; `None` when the block matches.
fn closest_filter(exception: &Exception, subject: &Subjected<'_>) -> Option<(Mismatch, Span)> {
    if subject.matches(&exception.matching, Reader::Exception) {
        return None;
    }
    let block = &exception.matching;
    let found = block.filters.iter().filter_map(|filter| {
        let mismatch = subject.holds(filter, Reader::Exception).err()?;
        let at = match mismatch {
            Mismatch::Name => filter.names_span,
            Mismatch::Namespace => filter.namespaces_span,
            Mismatch::Kind => filter.kinds_span,
            Mismatch::Empty
            | Mismatch::Operation
            | Mismatch::Annotation
            | Mismatch::Label
            | Mismatch::NamespaceLabel
            | Mismatch::User => None,
        };
        Some((mismatch, at.unwrap_or(filter.span)))
    });
    found.max_by_key(|(mismatch, _)| *mismatch).or(Some((Mismatch::Empty, block.span)))
}
