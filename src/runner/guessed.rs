//! Kinds that policies select by a plural which nothing here defines.
//!
//! In: policies with resource rules, and the objects that are judged. Out: a finding for each rule and kind that meet
//! only by a guess, and a warning where they may belong together and the guess says otherwise: a rule that is never
//! asked passes everything.

use std::collections::BTreeSet;

use super::Subject;
use crate::{
    engine::request::kind_of,
    finding::{Finding, Place, Severity},
    k8s::gvk::builtin_by_plural,
    policy::{
        cel::{Policy, ResourceRule},
        set::PolicySet,
    },
};

/// A custom kind of an object: group and kind.
type Kind<'k> = (&'k str, &'k str);

/// A finding for each resource rule that names a kind of these objects by a plural that is only guessed.
pub(crate) fn guessed_kinds(policies: &PolicySet, subjects: &[Subject<'_>]) -> Vec<Finding> {
    let kinds = subjects.iter().filter_map(Subject::resource).map(kind_of).map(|it| (it.group, it.kind));
    let kinds: BTreeSet<Kind<'_>> = kinds.filter(|(group, kind)| policies.plurals().is_guess(group, kind)).collect();
    let mut out = Vec::new();
    for policy in policies.cel() {
        let written = policy.forms.iter().filter(|form| form.flavor.is_none());
        for rule in written.flat_map(|form| form.constraints.rules.iter().chain(&form.constraints.excludes)) {
            for kind in kinds.iter().filter(|(group, _)| rule.covers_group(group)) {
                let names = rule.resources.iter().map(|it| it.split_once('/').map_or(it.as_str(), |(name, _)| name));
                let unknown = |name: &&str| {
                    *name != "*"
                        && !policies.plurals().defines(kind.0, name)
                        && builtin_by_plural(kind.0, name).is_none()
                };
                let guess = policies.plurals().of(kind.0, kind.1);
                out.extend(names.filter(unknown).filter_map(|name| finding(policy, rule, name, *kind, &guess)));
            }
        }
    }
    out
}

fn finding(policy: &Policy, rule: &ResourceRule, name: &str, (group, kind): Kind<'_>, guess: &str) -> Option<Finding> {
    let (severity, message) = if guess == name {
        (
            Severity::Info,
            format!("`{name}` is guessed to be the plural of `{kind}` in {group}: nothing here defines it"),
        )
    } else if resembles(name, kind) {
        let message = format!(
            "`{name}` may be the plural of `{kind}` in {group}, but without a definition that is taken for `{guess}`: the \
             rule says nothing of such objects"
        );
        (Severity::Warning, message)
    } else {
        return None;
    };
    let place = Place::new(&policy.head.file, rule.span);
    let out = Finding::new("policy/guessed-kind", severity, place, message);
    Some(
        out.help(format!(
            "add the CustomResourceDefinition of `{kind}` to the repository, or name its file by --cluster"
        )),
    )
}

/// Whether a plural may be that of a kind: it begins like it, but for the last letters, which plurals change.
fn resembles(plural: &str, kind: &str) -> bool {
    let kind = kind.to_lowercase();
    let stem = kind.char_indices().rev().nth(1).map_or("", |(at, _)| &kind[..at]);
    let longer = plural.len().saturating_sub(stem.len());
    !stem.is_empty() && plural.starts_with(stem) && (1..=5).contains(&longer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_begin_like_their_kind() {
        for (plural, kind, expected) in [
            ("gateways", "Gateway", true),
            ("prometheuses", "Prometheus", true),
            ("indices", "Index", true),
            ("gatewayclasses", "Gateway", false),
            ("httproutes", "Gateway", false),
            ("widgets", "Gadget", false),
            ("x", "X", false),
        ] {
            assert_eq!(resembles(plural, kind), expected, "{plural} {kind}");
        }
    }
}
