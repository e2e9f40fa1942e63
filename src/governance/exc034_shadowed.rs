//! Exceptions that others make superfluous.

use std::collections::BTreeSet;

use super::{Context, Out};
use crate::finding::Place;

rule! {
    /// No exception exempts only what others exempt already.
    ///
    /// ## Why
    /// Whoever removes one of the two believes that the exemption is gone, and whoever reviews the other one believes that
    /// it matters. Each exemption should have one place that says why it is there and until when.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tools, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool-a, tool-b] } }] }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata:
    ///   name: tool-a # <-
    ///   namespace: delta
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool-a] } }] }
    /// ---
    /// { apiVersion: v1, kind: Pod, metadata: { name: tool-a, namespace: delta }, spec: { hostPID: true } }
    /// ---
    /// { apiVersion: v1, kind: Pod, metadata: { name: tool-b, namespace: delta }, spec: { hostPID: true } }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool-b, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool-b] } }] }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool-a, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool-a] } }] }
    /// ---
    /// { apiVersion: v1, kind: Pod, metadata: { name: tool-a, namespace: delta }, spec: { hostPID: true } }
    /// ---
    /// { apiVersion: v1, kind: Pod, metadata: { name: tool-b, namespace: delta }, spec: { hostPID: true } }
    /// ```
    ///
    /// ## Fix
    /// Keep the narrower one.
    EXC034, "shadowed", Info, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let Some(effects) = context.effects.filter(|_| context.is_complete) else { return };
    for item in &context.exceptions {
        let Some(position) = item.counted else { continue };
        let own: Vec<_> = effects.of(position).collect();
        if own.is_empty() || own.iter().any(|it| it.n_exceptions < 2) {
            continue;
        }
        let pairs = |position: usize, also_idle: bool| -> BTreeSet<_> {
            let which = effects.of(position).filter(|it| it.counts || also_idle);
            which.map(|it| (it.object, it.rule.policy_index(), context.set.get(it.rule).rule())).collect()
        };
        let mine = pairs(position, true);
        // Of two that exempt the same, the later one is told.
        let covers = |other: &&super::Item<'_>| {
            let Some(n) = other.counted.filter(|n| *n != position) else { return false };
            if !effects.of(n).any(|it| it.object == own[0].object) {
                return false;
            }
            // What doesn't count makes nothing superfluous.
            let theirs = pairs(n, false);
            theirs.is_superset(&mine) && (theirs != mine || n < position)
        };
        if let Some(other) = context.exceptions.iter().find(covers) {
            let message = format!("everything that the exception exempts is exempted by `{}`, too", other.key);
            let place = Place::new(other.node.file(), other.name_span());
            out.add(item, out.finding(item, item.name_span(), message).related(place, "the other one"));
        }
    }
}
