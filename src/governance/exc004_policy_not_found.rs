//! Names of policies that nobody has.

use serde::{Deserialize, Serialize};

use super::{Context, Out, context::listed};
use crate::{k8s::wildcard, policy::error::nearest};

rule! {
    /// The policies that an exception names exist.
    ///
    /// ## Why
    /// A name with a slip in it is no error in a cluster: the exception is stored and exempts nothing, and it begins to
    /// exempt on the day somebody gives a policy that name. A `Policy` is named `namespace/name`, a `ClusterPolicy` by
    /// its bare name.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions:
    ///     - policyName: host-nss # <-
    ///       ruleNames: [no-host-ns]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// governance: { rules: { EXC004: { externalPolicies: [platform-*] } } }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions:
    ///     - { policyName: host-ns, ruleNames: [no-host-ns] }
    ///     - { policyName: platform-images, ruleNames: [registry] }
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ```
    ///
    /// ## Fix
    /// Correct the name; the nearest one is suggested. Delete the entry if the policy is gone. A policy that lies in the
    /// repository is there, even where `--policies` has others judge; where only some of the repository was read, in a
    /// change judged by `--policies`, nothing is said of policies that may lie elsewhere in it.
    ///
    /// ## Options
    /// - `externalPolicies`: keys of policies that live elsewhere, with wildcards.
    EXC004, "policy-not-found", Error, check, Options
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    external_policies: Vec<String>,
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    let is_external = |name: &str| options.external_policies.iter().any(|it| wildcard::matches(it, name));
    let classic: Vec<String> =
        context.policies.iter().filter(|it| it.is_classic()).map(super::context::Named::key).collect();
    for (item, exception) in context.classic() {
        for reference in &exception.references {
            let name = reference.policy.as_str();
            // Wildcards and kinds of the other group have rules of their own.
            let other_kind = context.policies.iter().any(|it| !it.is_classic() && it.key() == name);
            let is_known = classic.iter().any(|it| it == name) || context.is_elsewhere("kyverno.io", name);
            if wildcard::is_wildcard(name) || other_kind || is_external(name) || is_known {
                continue;
            }
            let finding = out.finding(item, reference.policy_span, format!("there is no policy `{name}`"));
            let finding = match suggestion(name, &classic) {
                Some(help) => finding.help(help),
                None if classic.is_empty() => finding.note("no policy is known at all"),
                None => finding.note(format!("known are {}", listed(classic.iter().map(String::as_str)))),
            };
            out.add(item, finding);
        }
    }
    for item in context.cel() {
        for reference in item.policy_refs() {
            let known = context.policies.iter().any(|it| it.name == reference.name)
                || context.is_elsewhere("policies.kyverno.io", reference.name);
            if known || wildcard::is_wildcard(reference.name) || is_external(reference.name) {
                continue;
            }
            let message = format!("there is no policy `{}`", reference.name);
            let finding = out.finding(item, reference.span("name"), message);
            let names = context.policies.iter().filter(|it| it.group == "policies.kyverno.io").map(|it| it.name);
            let finding = match nearest(reference.name, names) {
                Some(name) => finding.help(format!("did you mean `{name}`?")),
                None => finding,
            };
            out.add(item, finding);
        }
    }
}

fn suggestion(name: &str, known: &[String]) -> Option<String> {
    let bare = |key: &str| key.rsplit('/').next().unwrap_or_default().to_owned();
    if let Some(key) = known.iter().find(|key| bare(key) == bare(name)) {
        let why = if key.contains('/') { "a `Policy` is named with its namespace" } else { "it has no namespace" };
        return Some(format!("write `{key}`: {why}"));
    }
    nearest(name, known.iter().map(String::as_str)).map(|key| format!("did you mean `{key}`?"))
}
