//! Exceptions that waive what guards exceptions and policies.

use serde::{Deserialize, Serialize};

use super::{
    Context, Item, Out,
    context::listed,
    matching::{named_rules, takes_kind},
};
use crate::{k8s::wildcard, policy::matching::Filter};

rule! {
    /// No exception exempts exceptions or policies.
    ///
    /// ## Why
    /// Policies over `PolicyException` and policy objects are the guardrails. An exception that covers itself switches
    /// them off, and Kyverno lets it.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v1
    /// kind: ClusterPolicy
    /// metadata: { name: exact-names }
    /// spec:
    ///   rules:
    ///     - name: names
    ///       match: { any: [{ resources: { kinds: [PolicyException] } }] }
    ///       validate: { deny: {} }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: free, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: exact-names, ruleNames: [names] }]
    ///   match:
    ///     any:
    ///       - resources:
    ///           kinds: ["*"] # <-
    ///           names: [free]
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
    /// ```
    ///
    /// ## Fix
    /// Name other kinds, or delete the exception.
    ///
    /// ## Options
    /// - `protectedPolicies`: keys of policies that no exception may name, with wildcards.
    EXC040, "self-exempt", Error, check, Options
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    protected_policies: Vec<String>,
}

/// What guards a cluster: group, version, kind.
const GUARDS: [(&str, &str, &str); 11] = [
    ("kyverno.io", "v2", "PolicyException"),
    ("kyverno.io", "v1", "ClusterPolicy"),
    ("kyverno.io", "v1", "Policy"),
    ("policies.kyverno.io", "v1", "PolicyException"),
    ("policies.kyverno.io", "v1", "ValidatingPolicy"),
    ("policies.kyverno.io", "v1", "MutatingPolicy"),
    ("policies.kyverno.io", "v1", "ImageValidatingPolicy"),
    ("policies.kyverno.io", "v1", "GeneratingPolicy"),
    ("policies.kyverno.io", "v1", "NamespacedValidatingPolicy"),
    ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "v1", "MutatingAdmissionPolicy"),
];

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    for item in &context.exceptions {
        let classic = item.classic.iter().flat_map(|it| &it.references).map(|it| (it.policy.as_str(), it.policy_span));
        let cel = item.policy_refs().map(|it| (it.name, it.span("name")));
        for (name, at) in classic.chain(cel) {
            if options.protected_policies.iter().any(|it| wildcard::matches(it, name)) {
                out.add(item, out.finding(item, at, format!("no exception may waive `{name}`")));
            }
        }
    }
    for (item, exception) in context.classic() {
        for (filter, node) in item.filters() {
            if filter.asks_no_resource() {
                continue;
            }
            let mut exempted: Vec<&str> = GUARDS
                .iter()
                .filter(|guard| takes(filter, guard))
                .filter(|guard| {
                    exception.references.iter().any(|reference| match context.policy(&reference.policy) {
                        Some(policy) => named_rules(reference, policy)
                            .iter()
                            .any(|rule| rule.matching.filters.iter().any(|it| takes(it, guard))),
                        // Nobody knows what the policy looks at: only kinds that are asked for by name.
                        None => filter.kinds.iter().any(|it| it.literal_kind() == Some(guard.2)),
                    })
                })
                .map(|(_, _, kind)| *kind)
                .collect();
            exempted.dedup();
            if !exempted.is_empty() {
                let message = format!("this exempts {}, which guard the cluster", listed(exempted));
                out.add(item, out.finding(item, Item::field(node, "kinds"), message).help("name other kinds"));
            }
        }
    }
}

fn takes(filter: &Filter, (group, version, kind): &(&str, &str, &str)) -> bool {
    takes_kind(filter, group, version, kind)
}
