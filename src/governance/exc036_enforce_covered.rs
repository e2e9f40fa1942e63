//! Exceptions to what matters most.

use serde::{Deserialize, Serialize};

use super::{Context, Out, exc007_wildcard_rules::enforces, metadata};
use crate::k8s::wildcard;

rule! {
    /// Exceptions to grave policies say who approved them.
    ///
    /// ## Why
    /// A policy that refuses requests and is marked as grave was put there on purpose. Whoever reviews an exception to it
    /// should be named in it.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v1
    /// kind: ClusterPolicy
    /// metadata: { name: host-ns, annotations: { policies.kyverno.io/severity: high } }
    /// spec:
    ///   rules:
    ///     - name: no-host-ns
    ///       match: { any: [{ resources: { kinds: [Pod] } }] }
    ///       validate: { failureAction: Enforce, deny: {} }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions:
    ///     - policyName: host-ns # <-
    ///       ruleNames: [no-host-ns]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v1
    /// kind: ClusterPolicy
    /// metadata: { name: host-ns, annotations: { policies.kyverno.io/severity: high } }
    /// spec:
    ///   rules:
    ///     - name: no-host-ns
    ///       match: { any: [{ resources: { kinds: [Pod] } }] }
    ///       validate: { failureAction: Enforce, deny: {} }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta, annotations: { example.com/approved-by: security } }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ```
    ///
    /// ## Fix
    /// Have it approved, and write who did.
    ///
    /// ## Options
    /// - `severities`: of `policies.kyverno.io/severity`, those that count as grave.
    /// - `categories`: of `policies.kyverno.io/category`, those that count as grave, with wildcards.
    /// - `approval`: the key that names who approved.
    EXC036, "enforce-covered", Warning, check, Options
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    severities: Vec<String>,
    categories: Vec<String>,
    approval: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            severities: vec!["high".to_owned(), "critical".to_owned()],
            categories: Vec::new(),
            approval: "*/approved-by".to_owned(),
        }
    }
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    for (item, exception) in context.classic() {
        if metadata::find(item, &options.approval).is_some() {
            continue;
        }
        for reference in &exception.references {
            let Some(policy) = context.policy(&reference.policy) else { continue };
            let severity = policy.head.severity.as_deref().unwrap_or_default();
            let category = policy.head.category.as_deref().unwrap_or_default();
            let is_grave = options.severities.iter().any(|it| it == severity)
                || options.categories.iter().any(|it| !category.is_empty() && wildcard::matches(it, category));
            if is_grave && enforces(policy) {
                let what = if severity.is_empty() { category } else { severity };
                let message = format!("`{}` is enforced and of severity {what}; nobody is named who approved this", reference.policy);
                let finding = out.finding(item, reference.policy_span, message);
                let key = options.approval.replace("*/", "exceptions.policy/");
                out.add(item, finding.help(format!("add the annotation `{key}`")));
            }
        }
    }
}
