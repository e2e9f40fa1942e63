//! Exceptions that forget the rules generated for Pod controllers, or the declared one.

use super::{
    Context, Out,
    matching::{kinds_meet, named_rules},
};
use crate::{
    document::edit,
    policy::{
        classic::{Policy, Rule},
        exception::{Exception, Reference},
    },
};

rule! {
    /// An exception for a controller names the rule that Kyverno generates for it, and the one for its Pods.
    ///
    /// ## Why
    /// A rule `r` for Pods comes with `autogen-r` for Deployments and their like and `autogen-cronjob-r` for a `CronJob`.
    /// `ruleNames` is compared with those names: `r` alone leaves the Deployment blocked, `autogen-r` alone lets the
    /// Deployment in and blocks its Pods.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions:
    ///     - policyName: host-ns
    ///       ruleNames: [no-host-ns] # <-
    ///   match: { any: [{ resources: { kinds: [Pod, DaemonSet], names: [tool*], namespaces: [delta] } }] }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: other, namespace: delta }
    /// spec:
    ///   exceptions:
    ///     - policyName: host-ns
    ///       ruleNames: [autogen-no-host-ns] # <-
    ///   match: { any: [{ resources: { kinds: [Deployment], names: [other*], namespaces: [delta] } }] }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns, autogen-no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod, DaemonSet], names: [tool*], namespaces: [delta] } }] }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: bare, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [bare], namespaces: [delta] } }] }
    /// ```
    ///
    /// ## Fix
    /// Add the names that are missing.
    /// `admit lint --fix` does.
    EXC021, "autogen-missing", Error, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    for (item, exception) in context.classic() {
        for reference in &exception.references {
            let Some(policy) = context.policy(&reference.policy) else { continue };
            let missing = missing(exception, reference, policy);
            if missing.is_empty() {
                continue;
            }
            let missing_names: Vec<&str> = missing.iter().map(|rule| rule.name.as_str()).collect();
            let fix = item.rule_names(reference.rules_span).and_then(|list| edit::add_items(list, &missing_names));
            let names = missing.iter().map(|rule| format!("`{}`", rule.name)).collect::<Vec<_>>().join(", ");
            let is_declared = missing.iter().any(|rule| rule.generated.is_none());
            let message = if is_declared {
                format!("the controllers are exempted, their Pods are not: {names} is missing")
            } else {
                format!("the exception is for controllers, but {names} is missing")
            };
            let finding = out.finding(item, reference.rules_span, message);
            let why = if is_declared {
                "the controller creates Pods that the declared rule judges"
            } else {
                "Kyverno generates a rule for Pod controllers and compares `ruleNames` with its name"
            };
            out.add(item, finding.note(why).help(format!("add {names} to `ruleNames`")).fix([fix]));
        }
    }
}

/// The rules that belong to those that are named and are for kinds of the exception, but are not named.
fn missing<'p>(exception: &Exception, reference: &Reference, policy: &'p Policy) -> Vec<&'p Rule> {
    let named = named_rules(reference, policy);
    let is_named = |rule: &Rule| named.iter().any(|it| std::ptr::eq(*it, rule));
    let is_family = |rule: &&Rule| named.iter().any(|it| it.declared_name == rule.declared_name) && !is_named(rule);
    let wants = |rule: &Rule| match &rule.generated {
        // Only controllers that are asked for by their names: a rule for Pods alone is a choice.
        Some((_, kinds)) => exception.matching.filters.iter().any(|filter| {
            kinds.iter().any(|kind| {
                filter.kinds.iter().any(|it| it.literal_kind() == Some(*kind))
                    || (filter.kinds.is_empty() && !filter.asks_no_resource())
            })
        }),
        // Pods of controllers that are exempted.
        None => named.iter().any(|it| {
            it.declared_name == rule.declared_name
                && it.matching.filters.iter().any(|generated| {
                    exception.matching.filters.iter().any(|it| kinds_meet(&it.kinds, &generated.kinds))
                })
        }),
    };
    policy.rules.iter().filter(is_family).filter(|rule| wants(rule)).collect()
}
