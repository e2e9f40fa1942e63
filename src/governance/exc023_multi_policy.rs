//! Exceptions that waive many things at once.

use serde::{Deserialize, Serialize};

use super::{Context, Out, rule};
use crate::document::Node;

rule! {
    /// An exception is for one policy and few rules.
    ///
    /// ## Why
    /// Reasons differ from policy to policy, and so do owners and ends. What is written as one exception can only be
    /// ended as one.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: # <-
    ///     - { policyName: host-ns, ruleNames: [no-host-ns] }
    ///     - { policyName: images, ruleNames: [registry] }
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
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ```
    ///
    /// ## Fix
    /// Write one exception for each policy.
    ///
    /// ## Options
    /// - `maxPolicies`: how many policies one exception may name.
    /// - `maxRules`: how many names of rules.
    EXC023, "multi-policy", Warning, check, Options
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    max_policies: usize,
    max_rules: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_policies: 1, max_rules: 10 }
    }
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    for item in &context.exceptions {
        let classic = item.classic.iter().flat_map(|it| &it.references).map(|it| it.policy.clone());
        let cel = item.policy_refs().map(|it| format!("{}/{}", it.kind, it.name));
        let mut policies: Vec<String> = classic.chain(cel).collect();
        policies.sort();
        policies.dedup();
        let list = if item.is_cel() { "policyRefs" } else { "exceptions" };
        let at = item.node.at(&["spec", list]).map_or(item.name_span(), Node::key_span);
        if policies.len() > options.max_policies {
            let message = format!("one exception for {} policies", policies.len());
            out.add(item, out.finding(item, at, message).help("write one exception for each policy"));
        }
        let n_rules: usize = item.classic.iter().flat_map(|it| &it.references).map(|it| it.rules.len()).sum();
        if n_rules > options.max_rules {
            let message = format!("{n_rules} names of rules are more than {}", options.max_rules);
            out.add(item, out.finding(item, at, message).help("write several exceptions"));
        }
    }
}
