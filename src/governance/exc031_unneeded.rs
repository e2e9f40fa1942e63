//! Exceptions for what would pass anyway.

use super::{Context, Out};
use crate::{
    engine::Status,
    finding::{Place, resource_ref},
};

rule! {
    /// What an exception exempts would fail without it.
    ///
    /// ## Why
    /// Kyverno doesn't evaluate a rule that an exception waives, so that nobody notices when the workload was mended and
    /// the exception is no longer needed.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata:
    ///   name: tool # <-
    ///   namespace: delta
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ---
    /// { apiVersion: v1, kind: Pod, metadata: { name: tool, namespace: delta }, spec: { hostPID: false } }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ---
    /// { apiVersion: v1, kind: Pod, metadata: { name: tool, namespace: delta }, spec: { hostPID: true } }
    /// ```
    ///
    /// ## Fix
    /// Delete the exception.
    EXC031, "unneeded", Warning, check
}

/// Objects that are shown with the finding.
const SHOWN: usize = 3;

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    if !context.is_complete {
        return;
    }
    for item in &context.exceptions {
        let effects = context.effects_of(item).unwrap_or_default();
        let passes = |without: Option<Status>| matches!(without, None | Some(Status::Pass | Status::Skip));
        if effects.is_empty() || !effects.iter().all(|it| passes(it.without)) {
            continue;
        }
        let message = "everything that the exception exempts would pass without it";
        let mut finding = out.finding(item, item.name_span(), message).help("delete it");
        for effect in effects.iter().take(SHOWN) {
            let Some(object) = context.object(effect) else { continue };
            let at = object.at(&["metadata", "name"]).unwrap_or(object);
            let rule = context.set.get(effect.rule).title();
            let label = format!("{} passes `{rule}`", resource_ref(object).title());
            finding = finding.related(Place::new(at.file(), at.span()), label);
        }
        out.add(item, finding);
    }
}
