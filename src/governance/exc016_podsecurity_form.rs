//! Entries of `podSecurity` that exempt something else than they say.

use super::{Context, Out};

rule! {
    /// The entries of `podSecurity` fit the controls that they name.
    ///
    /// ## Why
    /// Controls of containers need `images`, controls of the Pod can't have any, and `restrictedField` goes with
    /// `values`. Kyverno's webhook refuses anything else. Its command line doesn't look: there a control at the wrong
    /// level exempts nothing, and a field without values exempts every value.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: pss, ruleNames: [baseline] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    ///   podSecurity:
    ///     - controlName: Capabilities # <-
    ///     - controlName: Host Namespaces
    ///       images: ["*"] # <-
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: pss, ruleNames: [baseline] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    ///   podSecurity:
    ///     - controlName: Capabilities
    ///       images: [registry.example.com/tool*]
    ///       restrictedField: spec.containers[*].securityContext.capabilities.add
    ///       values: [NET_ADMIN]
    ///     - controlName: Host Namespaces
    /// ```
    ///
    /// ## Fix
    /// Add or remove what the message names.
    EXC016, "podsecurity-form", Error, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    for (item, exception) in context.classic() {
        for (at, problem) in exception.pod_security.iter().flat_map(crate::policy::pod_security::Exclusion::flaws) {
            let finding = out.finding(item, at, problem.to_string());
            out.add(item, problem.help().into_iter().fold(finding, crate::finding::Finding::help));
        }
    }
}
