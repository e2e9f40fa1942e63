//! Exceptions of one group that name policies of the other.

use super::{Context, Out};

rule! {
    /// An exception is of the group of the policy that it names, and names its kind.
    ///
    /// ## Why
    /// Exceptions of `kyverno.io` count for `ClusterPolicy` and `Policy`, those of `policies.kyverno.io` for the kinds of
    /// that group, each only for the kind that it names. Across the border nothing is exempted and nothing complains.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: ValidatingPolicy
    /// metadata: { name: host-ns }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions:
    ///     - policyName: host-ns # <-
    ///       ruleNames: [no-host-ns]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ---
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   policyRefs:
    ///     - name: host-ns
    ///       kind: NamespacedValidatingPolicy # <-
    ///   matchConditions: [{ name: tool, expression: "object.metadata.name == 'tool'" }]
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: ValidatingPolicy
    /// metadata: { name: host-ns }
    /// ---
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   policyRefs: [{ name: host-ns, kind: ValidatingPolicy }]
    ///   matchConditions: [{ name: tool, expression: "object.metadata.name == 'tool'" }]
    /// ```
    ///
    /// ## Fix
    /// Write the exception in the group of the policy, with the kind that it has.
    EXC008, "wrong-kind-ref", Error, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    for (item, exception) in context.classic() {
        for reference in &exception.references {
            let named = || context.policies.iter().filter(|it| it.key() == reference.policy);
            let Some(other) = named().find(|it| !it.is_classic()) else { continue };
            if named().any(super::context::Named::is_classic) {
                continue;
            }
            let message = format!("`{}` is a {}: exceptions of `kyverno.io` don't count for it", other.name, other.kind);
            let finding = out.finding(item, reference.policy_span, message).related(other.place(), "the policy");
            let help = format!("write it as `apiVersion: {}/v1beta1`", other.group);
            out.add(item, if other.group == "policies.kyverno.io" { finding.help(help) } else { finding });
        }
    }
    for item in context.cel() {
        for reference in item.policy_refs() {
            let named = || context.policies.iter().filter(|it| it.name == reference.name);
            let is_right = |it: &super::context::Named<'_>| {
                it.group == "policies.kyverno.io" && it.kind == reference.kind
            };
            let (Some(other), false) = (named().next(), named().any(is_right)) else { continue };
            let message = format!("`{}` is a {}, not a {}", reference.name, other.kind, reference.kind);
            let finding = out.finding(item, reference.span("kind"), message).related(other.place(), "the policy");
            let help = if other.group == "policies.kyverno.io" {
                format!("write `kind: {}`", other.kind)
            } else {
                "write the exception as `apiVersion: kyverno.io/v2`".to_owned()
            };
            out.add(item, finding.help(help));
        }
    }
}
