//! Names that two policies could have.

use super::{Context, Out};

rule! {
    /// The name of a policy means one policy.
    ///
    /// ## Why
    /// A `ClusterPolicy` and a `Policy` may have one name; only the namespace before it tells them apart. A `Policy`
    /// whose file leaves the namespace open is named by its bare name on the command line, and in a cluster by the
    /// namespace that it is applied to.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v1
    /// kind: ClusterPolicy
    /// metadata: { name: host-ns }
    /// spec: { rules: [{ name: no-host-ns, match: { any: [{ resources: { kinds: [Pod] } }] }, validate: { deny: {} } }] }
    /// ---
    /// apiVersion: kyverno.io/v1
    /// kind: Policy
    /// metadata: { name: host-ns, namespace: delta }
    /// spec: { rules: [{ name: no-host-ns, match: { any: [{ resources: { kinds: [Pod] } }] }, validate: { deny: {} } }] }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions:
    ///     - policyName: host-ns # <-
    ///       ruleNames: [no-host-ns]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool], namespaces: [delta] } }] }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v1
    /// kind: ClusterPolicy
    /// metadata: { name: host-ns }
    /// spec: { rules: [{ name: no-host-ns, match: { any: [{ resources: { kinds: [Pod] } }] }, validate: { deny: {} } }] }
    /// ---
    /// apiVersion: kyverno.io/v1
    /// kind: Policy
    /// metadata: { name: host-ns, namespace: delta }
    /// spec: { rules: [{ name: no-host-ns, match: { any: [{ resources: { kinds: [Pod] } }] }, validate: { deny: {} } }] }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: delta/host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool], namespaces: [delta] } }] }
    /// ```
    ///
    /// ## Fix
    /// Rename one of the policies, or give the `Policy` its namespace and name it with that.
    EXC012, "ambiguous-policy", Warning, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    for (item, exception) in context.classic() {
        for reference in exception.references.iter().filter(|it| !it.policy.contains('/')) {
            let named: Vec<_> =
                context.policies.iter().filter(|it| it.is_classic() && it.name == reference.policy).collect();
            let namespaced = named.iter().find(|it| it.kind == "Policy");
            let wide = named.iter().find(|it| it.kind == "ClusterPolicy");
            let name = &reference.policy;
            let finding = match (wide, namespaced) {
                (Some(_), Some(policy)) if !policy.namespace.is_empty() => out
                    .finding(item, reference.policy_span, format!("`{name}` is the ClusterPolicy, not the Policy"))
                    .related(policy.place(), "the Policy of that name")
                    .help(format!("if the Policy is meant, write `{}`", policy.key())),
                (_, Some(policy)) if policy.namespace.is_empty() => out
                    .finding(item, reference.policy_span, format!("in a cluster `{name}` has a namespace before it"))
                    .related(policy.place(), "this Policy doesn't say its namespace")
                    .help(format!("write the namespace in the Policy, and `NAMESPACE/{name}` here")),
                _ => continue,
            };
            out.add(item, finding);
        }
    }
}
