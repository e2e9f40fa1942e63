//! Exceptions for whoever comes.

use super::{Context, Out};

rule! {
    /// Exceptions name who may use them.
    ///
    /// ## Why
    /// Where workloads are applied by known accounts only, an exception for that account can't be used by anybody who
    /// gets hold of the name. Off by default: such exceptions need `background: false`, and then reports show the
    /// resource as failing.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match:
    ///     any:
    ///       - resources: { kinds: [Pod], names: [tool] } # <-
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   background: false
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match:
    ///     any:
    ///       - resources: { kinds: [Pod], names: [tool] }
    ///         subjects: [{ kind: ServiceAccount, name: deployer, namespace: argocd }]
    /// ```
    ///
    /// ## Fix
    /// Add `subjects` to the filter, and `background: false` below `spec`.
    EXC025, "require-subject", Off, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    for (item, _) in context.classic() {
        for (filter, node) in item.filters() {
            if filter.subjects.is_empty() {
                let finding = out.finding(item, node.heading(), "this filter holds for whoever asks");
                out.add(item, finding.help("add `subjects`"));
            }
        }
    }
}
