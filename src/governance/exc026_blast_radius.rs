//! Exceptions that reach far.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Context, Out, context::listed};
use crate::finding::resource_ref;

rule! {
    /// An exception exempts few objects.
    ///
    /// ## Why
    /// A pattern that looks narrow may cover half of the tree. What counts is what it exempts today.
    ///
    /// ## Fires
    /// ```yaml
    /// governance: { rules: { EXC026: { max: 1 } } }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata:
    ///   name: tools # <-
    ///   namespace: delta
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool-*] } }] }
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
    /// metadata: { name: tools, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool-*] } }] }
    /// ---
    /// { apiVersion: v1, kind: Pod, metadata: { name: tool-a, namespace: delta }, spec: { hostPID: true } }
    /// ```
    ///
    /// ## Fix
    /// Name the objects, or write one exception for each workload.
    ///
    /// ## Options
    /// - `max`: how many objects one exception may exempt.
    EXC026, "blast-radius", Warning, check, Options
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { max: 10 }
    }
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    for item in &context.exceptions {
        let effects = context.effects_of(item).unwrap_or_default();
        let objects: BTreeSet<u32> = effects.iter().map(|it| it.object).collect();
        if objects.len() > options.max {
            let message = format!("the exception exempts {} objects, more than {}", objects.len(), options.max);
            let titles: Vec<String> = objects
                .iter()
                .filter_map(|index| context.objects.get(*index as usize))
                .map(|node| resource_ref(*node).title())
                .collect();
            let finding = out.finding(item, item.name_span(), message);
            out.add(item, finding.note(format!("it exempts {}", listed(titles.iter().map(String::as_str)))));
        }
    }
}
