//! Exemptions that reports count as passes.

use super::{Context, Out};

rule! {
    /// An exempted result is reported as skipped.
    ///
    /// ## Why
    /// With `reportResult: pass` nobody who reads a report sees that the policy was waived.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   policyRefs: [{ name: host-ns, kind: ValidatingPolicy }]
    ///   matchConditions: [{ name: tool, expression: "object.metadata.name == 'tool'" }]
    ///   reportResult: pass # <-
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   policyRefs: [{ name: host-ns, kind: ValidatingPolicy }]
    ///   matchConditions: [{ name: tool, expression: "object.metadata.name == 'tool'" }]
    /// ```
    ///
    /// ## Fix
    /// Remove the field, or write `skip`.
    EXC037, "pass-report", Warning, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    for item in context.cel().filter(|item| item.node.str_at(&["spec", "reportResult"]) == Some("pass")) {
        let finding = out.finding(item, item.span(&["spec", "reportResult"]), "the exemption is reported as a pass");
        out.add(item, finding.help("write `reportResult: skip`"));
    }
}
