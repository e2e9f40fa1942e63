//! References that reach into several namespaces.

use std::collections::BTreeSet;

use super::{Context, Out, context::listed};

rule! {
    /// An exception for a namespaced policy means one namespace.
    ///
    /// ## Why
    /// `policyRefs` has no field for a namespace: the exception counts for the policy of that name in every namespace.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: NamespacedValidatingPolicy
    /// metadata: { name: host-ns, namespace: delta }
    /// ---
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: NamespacedValidatingPolicy
    /// metadata: { name: host-ns, namespace: gamma }
    /// ---
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   policyRefs:
    ///     - name: host-ns # <-
    ///       kind: NamespacedValidatingPolicy
    ///   matchConditions: [{ name: tool, expression: "object.metadata.name == 'tool'" }]
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: NamespacedValidatingPolicy
    /// metadata: { name: host-ns, namespace: delta }
    /// ---
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   policyRefs: [{ name: host-ns, kind: NamespacedValidatingPolicy }]
    ///   matchConditions: [{ name: tool, expression: "object.metadata.name == 'tool'" }]
    /// ```
    ///
    /// ## Fix
    /// Add a condition on `object.metadata.namespace`.
    EXC013, "namespaced-ref-leak", Warning, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    for item in context.cel() {
        let conditions = item.node.at(&["spec", "matchConditions"]).into_iter().flat_map(crate::document::Node::items);
        let asks_namespace =
            |node: crate::document::Node<'_>| node.str_at(&["expression"]).is_some_and(|it| it.contains(".namespace"));
        if conditions.into_iter().any(asks_namespace) {
            continue;
        }
        for reference in item.policy_refs().filter(|it| it.kind.starts_with("Namespaced")) {
            let same = context.policies.iter().filter(|it| it.name == reference.name && it.kind == reference.kind);
            let namespaces: BTreeSet<&str> = same.map(|it| it.namespace).collect();
            if namespaces.len() > 1 {
                let message =
                    format!("`{}` is a policy of {}; this counts for all of them", reference.name, listed(namespaces));
                let finding = out.finding(item, reference.span("name"), message);
                out.add(item, finding.help("add a condition on `object.metadata.namespace`"));
            }
        }
    }
}
