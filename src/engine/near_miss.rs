//! Exceptions that nearly covered a failure, and what is in the way.
//!
//! In: a rule that failed. Out: the exceptions that a single change would make cover it, the likeliest first. Another
//! exception to the same rule is no near miss: it must single out the resource in all but one respect. Only failures
//! pay for this. Cases: `tests/engine/exceptions/near-*.yaml`.

use super::matching::{Mismatch, Reader, Subjected};
use crate::{
    policy::{
        classic::{Policy, Rule},
        exception::{Exception, Reference},
        matching::{Filter, Join},
        set::PolicySet,
    },
    span::Span,
};

/// An exception that does not count, though it nearly covers the failure.
#[derive(Clone, Debug)]
pub(crate) struct NearMiss<'p> {
    /// The exception.
    pub exception: &'p Exception,
    /// The place in its file to change.
    pub at: Span,
    /// What is in the way.
    pub obstacle: Obstacle,
}

/// What keeps an exception from counting; likelier slips come first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Obstacle {
    /// It names the declared rule but not the one generated for Pod controllers.
    GeneratedRule {
        /// The computed name.
        rule: String,
        /// The kind of the resource, if the filter forgets that, too.
        kind: Option<String>,
    },
    /// It names the policy by another key, such as another namespace.
    PolicyKey {
        /// The name as written.
        written: String,
        /// The key of the policy.
        key: String,
    },
    /// It exempts some controls of the pod security standards, but these are violated beyond that.
    Controls(Vec<&'static str>),
    /// Its conditions don't hold.
    Conditions,
    /// This one of its match conditions doesn't hold.
    MatchCondition(String),
    /// Its filters match the resource in all but this.
    Filter {
        /// What doesn't match.
        mismatch: Mismatch,
        /// What the resource has there; empty where that is no single word.
        found: String,
    },
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
    /// What is in the way, in a few words for the place itself.
    pub(crate) fn label(&self) -> String {
        match self {
            Obstacle::GeneratedRule { rule, .. } => format!("`{rule}` is missing"),
            Obstacle::PolicyKey { key, .. } => format!("should be `{key}`"),
            Obstacle::Controls(_) => "exempts only these".to_owned(),
            Obstacle::Conditions | Obstacle::MatchCondition(_) => "does not hold".to_owned(),
            Obstacle::Filter { found, .. } if found.is_empty() => "does not match".to_owned(),
            Obstacle::Filter { found, .. } => format!("does not match `{found}`"),
        }
    }

    /// What to change, as a sentence for help.
    pub(crate) fn advice(&self, exception: &str) -> String {
        let what = match self {
            Obstacle::GeneratedRule { rule, kind } => {
                let kind = kind.as_ref().map(|kind| format!(", and `{kind}` to its `kinds`")).unwrap_or_default();
                format!("add `{rule}`, which Kyverno generates for Pod controllers, to its `ruleNames`{kind}")
            }
            Obstacle::PolicyKey { written, key } => format!("its `policyName` should be `{key}`, not `{written}`"),
            Obstacle::Controls(violated) => {
                format!(
                    "it exempts some pod security controls, but not all that is violated of `{}`",
                    violated.join("`, `")
                )
            }
            Obstacle::Conditions => "its `conditions` do not hold".to_owned(),
            Obstacle::MatchCondition(name) => format!("its match condition `{name}` does not hold"),
            Obstacle::Filter { mismatch, found } => {
                let field = match mismatch {
                    Mismatch::Kind => "kinds",
                    Mismatch::Name => "names",
                    Mismatch::Namespace => "namespaces",
                    Mismatch::Annotation => "annotations",
                    Mismatch::Label => "selector",
                    Mismatch::NamespaceLabel | Mismatch::NamespaceUnknown => "namespaceSelector",
                    Mismatch::User => "subjects",
                    Mismatch::Operation => "operations",
                    Mismatch::Empty => "match",
                };
                if found.is_empty() {
                    format!("its `{field}` does not match")
                } else {
                    format!("nothing in its `{field}` matches `{found}`")
                }
            }
        };
        format!("exception `{exception}` nearly covers it: {what}")
    }
}

/// The exceptions that nearly covered a failure, the likeliest slip first.
pub(crate) fn find<'p>(
    policies: &'p PolicySet,
    policy: &Policy,
    rule: &Rule,
    subject: &Subjected<'_>,
    partial: Partial<'_, 'p>,
) -> Vec<NearMiss<'p>> {
    let exempts_some = |exception: &Exception| partial.exceptions.iter().any(|it| std::ptr::eq(*it, exception));
    let near_miss = |exception: &'p Exception| {
        if exempts_some(exception) {
            let at = exception.pod_security_span.unwrap_or(exception.matching.span);
            return Some((at, Obstacle::Controls(partial.violated.to_vec())));
        }
        exception.references.iter().find_map(|reference| obstacle(exception, reference, policy, rule, subject))
    };
    let found = policies.exceptions.iter().filter_map(|exception| {
        let (at, obstacle) = near_miss(exception)?;
        Some(NearMiss { exception, at, obstacle })
    });
    let mut out: Vec<_> = found.collect();
    out.sort_by(|a, b| a.obstacle.cmp(&b.obstacle));
    out
}

/// What keeps one entry of an exception from covering the failure, if it is one thing, and where.
fn obstacle(
    exception: &Exception,
    reference: &Reference,
    policy: &Policy,
    rule: &Rule,
    subject: &Subjected<'_>,
) -> Option<(Span, Obstacle)> {
    let names = |name: &str| reference.rules.iter().any(|(wildcard, _)| wildcard.matches(name));
    let (named, declared) = (names(&rule.name), names(&rule.declared_name));
    if !named && !declared {
        return None;
    }
    if reference.policy != policy.head.key {
        let bare = reference.policy.rsplit('/').next().unwrap_or_default();
        let covers = bare == policy.head.name && subject.matches(&exception.matching, Reader::Exception);
        let obstacle = || Obstacle::PolicyKey { written: reference.policy.clone(), key: policy.head.key.clone() };
        return covers.then(|| (reference.policy_span, obstacle()));
    }
    let matches = subject.matches(&exception.matching, Reader::Exception);
    let in_the_way = if matches { None } else { Some(only_mismatch(exception, subject)?) };
    match in_the_way {
        None if named => {
            let condition = exception.conditions.as_ref().and_then(|it| it.iter().next());
            Some((condition.map_or(exception.matching.span, |it| it.span), Obstacle::Conditions))
        }
        None => Some((reference.rules_span, Obstacle::GeneratedRule { rule: rule.name.clone(), kind: None })),
        Some((at, mismatch)) if named => {
            Some((at, Obstacle::Filter { mismatch, found: subject.at(mismatch).to_owned() }))
        }
        Some((_, Mismatch::Kind)) => {
            let kind = Some(subject.at(Mismatch::Kind).to_owned());
            Some((reference.rules_span, Obstacle::GeneratedRule { rule: rule.name.clone(), kind }))
        }
        Some(_) => None,
    }
}

/// The one thing that keeps the filters of an exception from matching a resource that they otherwise single out.
fn only_mismatch(exception: &Exception, subject: &Subjected<'_>) -> Option<(Span, Mismatch)> {
    let block = &exception.matching;
    let failing = || block.filters.iter().filter(|filter| subject.holds(filter, Reader::Exception).is_err());
    if block.join == Join::All && failing().count() > 1 {
        return None;
    }
    failing().find_map(|filter| {
        let mismatch = subject.holds(filter, Reader::Exception).err()?;
        let at = match mismatch {
            Mismatch::Kind => filter.kinds_span,
            Mismatch::Name => {
                let alike = filter.names.iter().any(|it| are_alike(it.as_str(), subject.at(mismatch)));
                filter.names_span.filter(|_| alike)
            }
            Mismatch::Namespace => filter.namespaces_span,
            Mismatch::Annotation | Mismatch::Label | Mismatch::NamespaceLabel | Mismatch::User => Some(filter.span),
            // Whether it is in the way is not known.
            Mismatch::Empty | Mismatch::Operation | Mismatch::NamespaceUnknown => None,
        };
        let is_only = || subject.holds_but_for(filter, Reader::Exception, mismatch);
        (singles_out(filter, mismatch) && is_only()).then_some((at?, mismatch))
    })
}

/// Whether what does match is more than a kind: other exceptions to a rule are no near misses.
fn singles_out(filter: &Filter, mismatch: Mismatch) -> bool {
    match mismatch {
        Mismatch::Name => true,
        Mismatch::Kind | Mismatch::Namespace => !filter.names.is_empty(),
        _ => !(filter.names.is_empty() && filter.namespaces.is_empty()),
    }
}

/// Whether a name looks like a slip of the pen for a pattern, or as if it grew out of it: `web-2` for `web`.
fn are_alike(pattern: &str, name: &str) -> bool {
    let stem = pattern.trim_matches(['*', '?']);
    stem.len() > 2 && (name.starts_with(stem) || stem.starts_with(name) || strsim::jaro_winkler(stem, name) > 0.9)
}
