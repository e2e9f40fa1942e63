//! `matchPolicy: Equivalent`: requests for a kind in another version than the one that a policy names.
//!
//! In: a form of a policy and a request. Out: whether the policy is about it. The API server converts such an object to the
//! version that is named, if it serves that one. A custom kind without a webhook for conversion looks the same in all its
//! versions; what others look like is not known here, and never taken for something that the policy is not about.

use super::{Judging, matching::Target};
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
    /// It is, as the object is written.
    Yes,
    /// It is about the object in this version, which differs in nothing but that.
    Converted(&'v str),
    /// It may be about the object in another version; the text says what is not known, the span which rule asks.
    Unclear(String, Span),
}

/// Whether a form of a policy is about a request, bindings aside.
pub(super) fn about<'v>(judging: &Judging<'v, '_>, target: &Target<'v>) -> About<'v> {
    let constraints = &judging.form.constraints;
    if target.meets(constraints).is_ok() {
        return About::Yes;
    }
    if constraints.exact || judging.is_command_line() {
        return About::No;
    }
    let mut unclear = None;
    for rule in &constraints.rules {
        if !rule.covers_but_version(target.resource()) || target.meets(&of_any_version(constraints, rule)).is_err() {
            continue;
        }
        match version(judging, rule) {
            Ok(Some(version)) => return About::Converted(version),
            Ok(None) => {}
            Err(text) => unclear = unclear.or(Some((text, rule.span))),
        }
    }
    unclear.map_or(About::No, |(text, at)| About::Unclear(text, at))
}

/// Whether a binding is about a request that its policy is about, in whatever version.
pub(super) fn is_bound(target: &Target<'_>, resources: &Constraints) -> bool {
    let as_converted = |rule: &ResourceRule| {
        rule.covers_but_version(target.resource()) && target.meets(&of_any_version(resources, rule)).is_ok()
    };
    target.meets_binding(resources).is_ok() || (!resources.exact && resources.rules.iter().any(as_converted))
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

/// The API version of an object in another version of its group.
pub(super) fn api_version<'v>(object: Node<'v>, version: &str, arena: &'v crate::expr::Arena) -> &'v str {
    let written = object.str_at(&["apiVersion"]).unwrap_or_default();
    match written.split_once('/') {
        Some((group, _)) => arena.alloc_str(&format!("{group}/{version}")),
        None => arena.alloc_str(version),
    }
}
