//! The same exemption twice.

use std::collections::HashMap;

use super::{Context, Item, Out};
use crate::{expr::Value, finding::Place};

rule! {
    /// An exemption is written once.
    ///
    /// ## Why
    /// Of two objects with one key a cluster holds one, whichever came last. Of two exceptions that say the same, whoever
    /// removes one is surprised that nothing changes, and nobody knows who owns the exemption.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata:
    ///   name: same-tool # <-
    ///   namespace: delta
    /// spec:
    ///   exceptions:
    ///     - { policyName: host-ns, ruleNames: [no-host-ns] }
    ///     - { policyName: host-ns, ruleNames: [no-host-ns] } # <-
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: gamma }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [other] } }] }
    /// ```
    ///
    /// ## Fix
    /// Keep one of the two.
    EXC009, "duplicate", Warning, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let mut by_key: HashMap<(bool, &str), &Item<'_>> = HashMap::new();
    let mut by_effect: HashMap<Vec<String>, &Item<'_>> = HashMap::new();
    for item in &context.exceptions {
        let place = |it: &Item<'_>| Place::new(it.node.file(), it.name_span());
        let same_key = by_key.insert((item.is_cel(), &item.key), item);
        let same_effect = by_effect.insert(effect(item), item);
        if let Some(first) = same_key {
            let finding = out.finding(item, item.name_span(), format!("there are two exceptions `{}`", item.key));
            out.add(item, finding.related(place(first), "the other one"));
        } else if let Some(first) = same_effect {
            let message = format!("`{}` exempts the same as `{}`", item.key, first.key);
            out.add(item, out.finding(item, item.name_span(), message).related(place(first), "the other one"));
        }
        let entries = ["exceptions", "policyRefs"].iter().filter_map(|key| item.node.at(&["spec", key]));
        let mut seen = Vec::new();
        for entry in entries.flat_map(crate::document::Node::items) {
            let text = Value::from(entry).to_json();
            if seen.contains(&text) {
                out.add(item, out.finding(item, entry.span(), "this entry stands here twice").help("remove it"));
            }
            seen.push(text);
        }
    }
}

/// What an exception says, without its name: keys sorted, entries once.
fn effect(item: &Item<'_>) -> Vec<String> {
    let json = |key: &str| item.node.at(&["spec", key]).map(|node| Value::from(node).to_json()).unwrap_or_default();
    let entries = ["exceptions", "policyRefs"].iter().filter_map(|key| item.node.at(&["spec", key]));
    let mut out: Vec<String> =
        entries.flat_map(crate::document::Node::items).map(|entry| Value::from(entry).to_json()).collect();
    out.sort();
    out.dedup();
    let rest = ["match", "conditions", "podSecurity", "matchConditions", "images", "allowedValues"];
    out.extend(rest.iter().map(|key| json(key)));
    out
}
