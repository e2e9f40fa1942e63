//! Rules named by wildcards.

use serde::{Deserialize, Serialize};

use super::{Context, Out, context::listed};
use crate::{
    document::edit,
    k8s::wildcard,
    policy::{
        Action,
        classic::{Body, Policy},
    },
};

rule! {
    /// Rules are named one by one.
    ///
    /// ## Why
    /// A pattern also covers the rules that a policy gets tomorrow, without anybody looking at them again. A bare `*` on
    /// a policy that refuses requests weighs as an error.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions:
    ///     - policyName: host-ns
    ///       ruleNames: ["*"] # <-
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns, "autogen-*"] }]
    ///   match: { any: [{ resources: { kinds: [Pod, Deployment], names: [tool] } }] }
    /// ```
    ///
    /// ## Fix
    /// Write the names that the pattern covers today; they are listed.
    /// `admit lint --fix` does.
    ///
    /// ## Options
    /// - `allowPrefixStar`: `autogen` here lets `autogen-*` be.
    EXC007, "wildcard-rules", Warning, check, Options
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    allow_prefix_star: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { allow_prefix_star: vec!["autogen".to_owned()] }
    }
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    let is_allowed = |text: &str| {
        let rest = |prefix: &String| text.strip_prefix(prefix.as_str()).is_some_and(|rest| matches!(rest, "*" | "-*"));
        options.allow_prefix_star.iter().any(rest)
    };
    for (item, exception) in context.classic() {
        for reference in &exception.references {
            let policy = context.policy(&reference.policy);
            for (pattern, at) in &reference.rules {
                let text = pattern.as_str();
                if !wildcard::is_wildcard(text) || is_allowed(text) {
                    continue;
                }
                let message = format!("`{text}` also covers rules that `{}` gets later", reference.policy);
                let mut finding = out.finding(item, *at, message);
                if let Some(policy) = policy {
                    let covered = policy.rules.iter().map(|rule| rule.name.as_str()).filter(|it| pattern.matches(it));
                    let missing: Vec<&str> =
                        covered.clone().filter(|it| !reference.rules.iter().any(|(rule, _)| rule.as_str() == *it)).collect();
                    finding = finding.help(format!("name the rules: {}", listed(covered)));
                    if let Some((list, name)) = item.rule_name(*at) {
                        finding = finding.fix([edit::replace_item(list, name, &missing)]);
                    }
                    if text.trim_matches('*').is_empty() && enforces(policy) {
                        finding = out.raise(finding);
                    }
                }
                out.add(item, finding);
            }
        }
    }
}

/// Whether a policy refuses requests, by itself or by one of its rules.
pub(super) fn enforces(policy: &Policy) -> bool {
    policy.rules.iter().any(|rule| match &rule.body {
        Body::Validate(validate) => {
            validate.action.action.or(policy.action.action).unwrap_or_default() == Action::Enforce
        }
        Body::Mutate(_) | Body::Generate(_) | Body::VerifyImages(_) | Body::Nothing => false,
    })
}
