//! `podSecurity` where it does nothing, and its absence where it should be.

use serde::{Deserialize, Serialize};

use super::{Context, Out, matching::named_rules};
use crate::policy::classic::{Body, Check, Rule};

rule! {
    /// Exceptions to the pod security standards name the controls that they waive.
    ///
    /// ## Why
    /// Without `podSecurity` the whole profile is off for the workload, with all its controls. On any other rule the list
    /// is ignored, and the whole rule is off although only a control is named.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v1
    /// kind: ClusterPolicy
    /// metadata: { name: pss }
    /// spec:
    ///   rules:
    ///     - name: baseline
    ///       match: { any: [{ resources: { kinds: [Pod] } }] }
    ///       validate: { podSecurity: { level: baseline, version: latest } }
    ///     - name: labels
    ///       match: { any: [{ resources: { kinds: [Pod] } }] }
    ///       validate: { pattern: { metadata: { labels: { app: "?*" } } } }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: whole, namespace: delta }
    /// spec:
    ///   exceptions:
    ///     - policyName: pss
    ///       ruleNames: [baseline] # <-
    ///   match: { any: [{ resources: { kinds: [Pod], names: [whole] } }] }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: other, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: pss, ruleNames: [labels] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [other] } }] }
    ///   podSecurity: [{ controlName: Host Namespaces }] # <-
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v1
    /// kind: ClusterPolicy
    /// metadata: { name: pss }
    /// spec:
    ///   rules:
    ///     - name: baseline
    ///       match: { any: [{ resources: { kinds: [Pod] } }] }
    ///       validate: { podSecurity: { level: baseline, version: latest } }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: pss, ruleNames: [baseline] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    ///   podSecurity: [{ controlName: Host Namespaces }]
    /// ```
    ///
    /// ## Fix
    /// List the controls below `spec.podSecurity`; remove the list where no such rule is named.
    ///
    /// ## Options
    /// - `requireControls`: whether the controls must be listed.
    EXC017, "podsecurity-misuse", Warning, check, Options
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    require_controls: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { require_controls: true }
    }
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    for (item, exception) in context.classic() {
        let mut any_standard = false;
        let mut all_known = true;
        for reference in &exception.references {
            let Some(policy) = context.policy(&reference.policy) else {
                all_known = false;
                continue;
            };
            let rules = named_rules(reference, policy);
            let standard = rules.iter().find(|rule| is_standard(rule));
            any_standard |= standard.is_some();
            if let (Some(rule), true, true) = (standard, exception.pod_security.is_empty(), options.require_controls) {
                let message = format!("all of `{}` is waived, since no control is named", rule.name);
                let finding = out.finding(item, reference.rules_span, message);
                out.add(item, finding.help("list the controls that the workload needs below `spec.podSecurity`"));
            }
        }
        if let (Some(at), false, true) = (exception.pod_security_span, any_standard, all_known) {
            let message = "`podSecurity` counts for no rule that is named here: the rules are waived as a whole";
            out.add(item, out.finding(item, at, message).help("remove it, or name the rule that it is for"));
        }
    }
}

/// Whether a rule demands a profile of the pod security standards.
pub(super) fn is_standard(rule: &Rule) -> bool {
    matches!(&rule.body, Body::Validate(validate) if matches!(validate.check, Check::PodSecurity(_)))
}
