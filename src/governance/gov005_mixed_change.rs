//! Exceptions that come with what they exempt.

use super::{Context, Item, Out};
use crate::{
    expr::Value,
    finding::{Place, resource_ref},
};

rule! {
    /// An exception and what it exempts come in different changes.
    ///
    /// ## Why
    /// Who reviews a workload looks at the workload. An exception that comes along grants itself.
    ///
    /// ## Fires
    /// ```yaml before
    /// { apiVersion: v1, kind: Namespace, metadata: { name: delta } }
    /// ```
    /// ```yaml after
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata:
    ///   name: tool # <-
    ///   namespace: delta
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ---
    /// { apiVersion: v1, kind: Pod, metadata: { name: tool, namespace: delta }, spec: { hostPID: true } }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml before
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ```
    /// ```yaml after
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
    /// Bring the exception in a change of its own, before the workload.
    GOV005, "mixed-change", Warning, check
}

/// Objects that are shown with the finding.
const SHOWN: usize = 3;

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let Some(change) = &context.change else { return };
    for item in context.exceptions.iter().filter(|item| change.changed.contains(&**item.node.file().path())) {
        let spec = |item: &Item<'_>| item.node.get("spec").map(|node| Value::from(node).to_json());
        if change.base.exceptions.iter().any(|it| it.key == item.key && spec(it) == spec(item)) {
            continue;
        }
        let effects = context.effects_of(item).unwrap_or_default();
        let failing = effects.iter().filter(|it| it.without == Some(crate::engine::Status::Fail));
        let objects: Vec<_> = failing.filter_map(|it| context.object(it)).collect();
        let Some(first) = objects.first() else { continue };
        let message = format!("the exception comes in one change with {}, which it exempts", resource_ref(*first).title());
        let mut finding = out.finding(item, item.name_span(), message);
        for object in objects.iter().take(SHOWN) {
            let at = object.at(&["metadata", "name"]).unwrap_or(*object);
            finding = finding.related(Place::new(at.file(), at.span()), "exempted");
        }
        out.add(item, finding.help("bring the exception in a change of its own"));
    }
}
