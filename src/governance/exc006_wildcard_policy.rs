//! Wildcards where none count.

use super::{Context, Out, context::listed};
use crate::k8s::wildcard;

rule! {
    /// Policies are named exactly: wildcards match nothing.
    ///
    /// ## Why
    /// `ruleNames` takes wildcards, `policyName` doesn't: `*` there is compared as a star and exempts nothing. Whoever
    /// wrote it expected the contrary.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions:
    ///     - policyName: host-* # <-
    ///       ruleNames: [no-host-ns]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: ["*no-host-ns"] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ```
    ///
    /// ## Fix
    /// Write one entry for each policy; those that the pattern would cover are listed.
    EXC006, "wildcard-policy", Error, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    for item in &context.exceptions {
        let classic = item.classic.iter().flat_map(|it| &it.references).map(|it| (it.policy.as_str(), it.policy_span));
        let cel = item.policy_refs().map(|it| (it.name, it.span("name")));
        for (name, at) in classic.chain(cel).filter(|(name, _)| wildcard::is_wildcard(name)) {
            let message = format!("`{name}` names no policy: wildcards don't count here");
            let mut finding = out.finding(item, at, message);
            let meant: Vec<String> = context
                .policies
                .iter()
                .filter(|it| it.is_classic() != item.is_cel())
                .map(super::context::Named::key)
                .filter(|key| wildcard::matches(name, key))
                .collect();
            if !meant.is_empty() {
                finding = finding.help(format!("name each policy: {}", listed(meant.iter().map(String::as_str))));
            }
            out.add(item, finding);
        }
    }
}
