//! Exceptions whose policy goes away.

use super::{Context, Out};
use crate::finding::Place;

rule! {
    /// Whoever removes what an exception is for removes the exception.
    ///
    /// ## Why
    /// An exception that outlives its policy, or its rule, sleeps until somebody gives another one that name. It is
    /// noticed best in the change that leaves it behind.
    ///
    /// ## Fires
    /// ```yaml before
    /// apiVersion: kyverno.io/v1
    /// kind: ClusterPolicy
    /// metadata: { name: ports }
    /// spec: { rules: [{ name: low, match: { any: [{ resources: { kinds: [Pod] } }] }, validate: { deny: {} } }] }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: ports, ruleNames: [low] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ```
    /// ```yaml after
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions:
    ///     - policyName: ports # <-
    ///       ruleNames: [low]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml before
    /// apiVersion: kyverno.io/v1
    /// kind: ClusterPolicy
    /// metadata: { name: ports }
    /// spec: { rules: [{ name: low, match: { any: [{ resources: { kinds: [Pod] } }] }, validate: { deny: {} } }] }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: ports, ruleNames: [low] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ```
    /// ```yaml after
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: { name: delta }
    /// ```
    ///
    /// ## Fix
    /// Delete the exception, or the entry, in the same change. That the last object of an exception goes is not looked at:
    /// EXC030 tells of such exceptions in a check of the whole tree.
    EXC035, "orphaned", Error, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let Some(change) = &context.change else { return };
    for (item, exception) in context.classic() {
        for reference in &exception.references {
            let Some(before) = change.base.policy(&reference.policy) else { continue };
            let place = Place::new(&before.head.file, before.head.name_span);
            let Some(after) = context.policy(&reference.policy) else {
                if context.policies.iter().any(|it| it.key() == reference.policy) {
                    continue;
                }
                let message = format!("the change removes policy `{}` and leaves its exception", reference.policy);
                let finding = out.finding(item, reference.policy_span, message).related(place, "the policy, as it was");
                out.add(item, finding.help("delete the exception, too"));
                continue;
            };
            for (pattern, at) in &reference.rules {
                let names = |policy: &crate::policy::classic::Policy| {
                    policy.rules.iter().any(|rule| pattern.matches(&rule.name))
                };
                if names(before) && !names(after) {
                    let message = format!(
                        "the change removes rule `{}` of `{}` and leaves its exception",
                        pattern.as_str(),
                        reference.policy
                    );
                    out.add(item, out.finding(item, *at, message).help("delete the name, too"));
                }
            }
        }
    }
}
