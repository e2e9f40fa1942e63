//! Names of rules that a policy doesn't have.

use super::{Context, Out, context::listed};
use crate::{document::edit, policy::error::nearest};

rule! {
    /// The rules that an exception names exist.
    ///
    /// ## Why
    /// `ruleNames` is compared with the names that Kyverno computes, `autogen-…` among them, and a name that none of them
    /// has is no error in a cluster. It exempts nothing today, and something unforeseen once a rule gets that name.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions:
    ///     - policyName: host-ns
    ///       ruleNames:
    ///         - no-host-ns
    ///         - no-hosts # <-
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns, autogen-no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod, Deployment], names: [tool] } }] }
    /// ```
    ///
    /// ## Fix
    /// Correct the name; the computed ones are listed.
    /// `admit lint --fix` does where only one is near.
    EXC005, "rule-not-found", Error, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    for (item, exception) in context.classic() {
        for reference in &exception.references {
            let Some(policy) = context.policy(&reference.policy) else { continue };
            let names = || policy.rules.iter().map(|rule| rule.name.as_str());
            for (wildcard, at) in &reference.rules {
                if names().any(|name| wildcard.matches(name)) {
                    continue;
                }
                let message = format!("policy `{}` has no rule `{}`", reference.policy, wildcard.as_str());
                let finding = out.finding(item, *at, message);
                let finding = match nearest(wildcard.as_str(), names()) {
                    Some(name) => {
                        let finding = finding.help(format!("did you mean `{name}`?"));
                        // A second name that is as near may be the one that was meant.
                        let others = names().filter(|it| *it != name);
                        match nearest(wildcard.as_str(), others) {
                            None => finding.fix([edit::replace(item.node.file(), *at, name)]),
                            Some(_) => finding,
                        }
                    }
                    None => finding,
                };
                out.add(item, finding.note(format!("its rules are {}", listed(names()))));
            }
        }
    }
}
