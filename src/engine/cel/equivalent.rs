//! `matchPolicy: Equivalent`: requests for a kind in another version than the one that a policy names.
//!
//! In: a form of a policy and a request. Out: whether the policy is about it. The API server converts such an object to the
//! version that is named, if it serves that one. A custom kind without a webhook for conversion looks the same in all its
//! versions; what others look like is not known here, and never taken for something that the policy is not about.

use super::{
    Judging, Verdict,
    matching::{Reach, Target},
    names::Failure,
};
use crate::{
    document::Node,
    policy::cel::{Constraints, ResourceRule},
    span::Span,
};

/// Whether a policy is about a request.
#[derive(Clone, Debug)]
pub(super) enum About<'v> {
    /// It isn't.
    No,
    /// It is, as far as that is known.
    Yes(Reach, As<'v>),
    /// It may be about the object in another version; the text says what is not known, the span which rule asks.
    Unclear(String, Span),
}

/// The version of the object that a policy sees, which differs in nothing but that; `None`: as it is written.
pub(super) type As<'v> = Option<&'v str>;

/// Whether a form of a policy is about a request, bindings aside.
pub(super) fn about<'v>(judging: &Judging<'v, '_>, target: &Target<'v>) -> About<'v> {
    let constraints = &judging.form.constraints;
    let reach = Reach::of(target.meets(constraints));
    if reach != Reach::No {
        return About::Yes(reach, None);
    }
    if constraints.exact || judging.is_command_line() {
        return About::No;
    }
    let mut unclear = None;
    for rule in &constraints.rules {
        if !rule.covers_but_version(target.resource()) {
            continue;
        }
        let reach = Reach::of(target.meets(&of_any_version(constraints, rule)));
        if reach == Reach::No {
            continue;
        }
        match version(judging, rule) {
            Ok(Some(version)) => return About::Yes(reach, Some(version)),
            Ok(None) => {}
            Err(text) => unclear = unclear.or(Some((text, rule.span))),
        }
    }
    unclear.map_or(About::No, |(text, at)| About::Unclear(text, at))
}

/// Whether a binding is about a request that its policy is about, in whatever version.
pub(super) fn bound(target: &Target<'_>, resources: &Constraints) -> Reach {
    let reach = Reach::of(target.meets_binding(resources));
    if reach != Reach::No || resources.exact {
        return reach;
    }
    let rules = resources.rules.iter().filter(|rule| rule.covers_but_version(target.resource()));
    let as_converted = rules.map(|rule| Reach::of(target.meets(&of_any_version(resources, rule))));
    as_converted.max().unwrap_or(Reach::No)
}

/// Constraints with one rule only, which holds for every version.
fn of_any_version(constraints: &Constraints, rule: &ResourceRule) -> Constraints {
    let rule = ResourceRule { versions: vec!["*".to_owned()], ..rule.clone() };
    Constraints { rules: vec![rule], ..constraints.clone() }
}

/// The version that a rule names in which the object looks the same; nothing where no such version is served, and what is not
/// known otherwise.
fn version<'v>(judging: &Judging<'v, '_>, rule: &'v ResourceRule) -> Result<Option<&'v str>, String> {
    let kind = judging.session.request.kind();
    let wanted = rule.versions.join(", ");
    let (group, kind, written) = (kind.group, kind.kind, kind.version);
    let title = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
    let Some(definition) = judging.session.world.policies.definition(group, kind) else {
        return Err(format!(
            "the policy is about {title} of version {wanted}: what a cluster converts one of version {written} to"
        ));
    };
    let Some(version) = rule.versions.iter().find(|it| definition.served.contains(it)) else { return Ok(None) };
    if definition.converts {
        return Err(format!(
            "the policy is about {title} of version {wanted}: what its webhook converts one of version {written} to"
        ));
    }
    Ok(Some(version))
}

/// What is said of a policy that may be about the object in another version.
pub(super) fn unclear(what: String, at: Span) -> Verdict {
    let mut verdict = Failure::Unknown(what).verdict(str::to_owned);
    verdict.evidence.clause = Some(at);
    verdict
}

/// What is said of a policy that makes something of the object in another version, which is not followed here.
pub(super) fn unconverted(version: &str) -> Verdict {
    let what = format!("what the policy makes of the object in version {version}, to which a cluster converts it");
    Failure::Unknown(what).verdict(str::to_owned)
}

/// The API version of an object in another version of its group.
pub(super) fn api_version<'v>(object: Node<'v>, version: &str, arena: &'v crate::expr::Arena) -> &'v str {
    let written = object.str_at(&["apiVersion"]).unwrap_or_default();
    match written.split_once('/') {
        Some((group, _)) => arena.alloc_str(&format!("{group}/{version}")),
        None => arena.alloc_str(version),
    }
}
