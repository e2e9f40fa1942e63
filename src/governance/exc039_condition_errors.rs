//! Conditions that can't be evaluated.

use super::{Context, Out};
use crate::document::Node;
use crate::finding::{Place, resource_ref};

rule! {
    /// The conditions of an exception can be evaluated for whatever it matches.
    ///
    /// ## Why
    /// A condition that reads a field which an object lacks is an error, and an error counts as "doesn't hold", silently:
    /// the exception exempts some of the objects that it matches and not others.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    ///   conditions: # <-
    ///     all:
    ///       - { key: "{{ request.object.metadata.labels.tier }}", operator: Equals, value: infra }
    /// ---
    /// { apiVersion: v1, kind: Pod, metadata: { name: tool, namespace: delta }, spec: { hostPID: true } }
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
    ///   conditions:
    ///     all:
    ///       - { key: "{{ request.object.metadata.labels.tier || '' }}", operator: Equals, value: infra }
    /// ---
    /// { apiVersion: v1, kind: Pod, metadata: { name: tool, namespace: delta }, spec: { hostPID: true } }
    /// ```
    ///
    /// ## Fix
    /// Say what a missing field counts as: `{{ … || '' }}`.
    EXC039, "condition-errors", Error, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let Some(effects) = context.effects else { return };
    for item in &context.exceptions {
        let mut broken = effects.broken.iter().filter(|it| Some(it.exception as usize) == item.counted);
        let Some(first) = broken.next() else { continue };
        let at = item.node.at(&["spec", "conditions"]).map_or(item.name_span(), Node::key_span);
        let mut finding = out.finding(item, at, format!("the conditions can't be evaluated: {}", first.message));
        if let Some(object) = context.objects.get(first.object as usize) {
            let name = object.at(&["metadata", "name"]).unwrap_or(*object);
            let label = format!("for {}", resource_ref(*object).title());
            finding = finding.related(Place::new(name.file(), name.span()), label);
        }
        out.add(item, finding.help("say what a missing field counts as: `{{ … || '' }}`"));
    }
}
