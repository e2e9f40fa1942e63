//! Versions of exceptions that are on their way out.

use super::{Context, Out};
use crate::document::edit;

rule! {
    /// Exceptions are written in the version that is stored.
    ///
    /// ## Why
    /// `kyverno.io/v2alpha1` is no longer read by Kyverno's own command line, `v2beta1` is only served for old files, and
    /// `policies.kyverno.io/v1alpha1` is deprecated. A release that drops one of them drops the exemption.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v2beta1 # <-
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
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
    /// ```
    ///
    /// ## Fix
    /// Change `apiVersion`; nothing else differs between the versions.
    /// `admit lint --fix` does.
    EXC003, "deprecated-version", Warning, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    for item in &context.exceptions {
        let version = item.node.str_at(&["apiVersion"]).unwrap_or_default();
        let instead = match version {
            "kyverno.io/v2alpha1" | "kyverno.io/v2beta1" => "kyverno.io/v2",
            "policies.kyverno.io/v1alpha1" => "policies.kyverno.io/v1beta1",
            _ => continue,
        };
        let finding = out.finding(item, item.span(&["apiVersion"]), format!("`{version}` is deprecated"));
        let fix = edit::replace(item.node.file(), item.span(&["apiVersion"]), instead);
        out.add(item, finding.help(format!("write `apiVersion: {instead}`")).fix([fix]));
    }
}
