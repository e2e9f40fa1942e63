//! Exceptions for kinds that nobody thought of.

use serde::{Deserialize, Serialize};

use super::{
    Context, Item, Out,
    context::listed,
    matching::{meet, named_rules},
};
use crate::{
    document::Node,
    k8s::gvk::KindPattern,
    policy::classic::{Policy, Rule},
};

rule! {
    /// Exceptions name the kinds that they are for, and only those that the rules look at.
    ///
    /// ## Why
    /// Without kinds an exception covers every kind that the rule covers, now and later. A kind that the rule never looks
    /// at does nothing but mislead.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match:
    ///     any:
    ///       - resources: # <-
    ///           names: [tool]
    ///       - resources:
    ///           kinds: ["*"] # <-
    ///           names: [tool]
    ///       - resources:
    ///           kinds: [Pod, Service] # <-
    ///           names: [tool]
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns, autogen-no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [v1/Pod, Deployment], names: [tool] } }] }
    /// ```
    ///
    /// ## Fix
    /// Name the kinds; those of the rules are listed.
    ///
    /// ## Options
    /// - `maxKinds`: how many kinds one filter may name.
    EXC015, "broad-kinds", Warning, check, Options
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    max_kinds: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_kinds: 6 }
    }
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    for (item, exception) in context.classic() {
        let policies: Vec<(&Policy, Vec<&Rule>)> = exception
            .references
            .iter()
            .filter_map(|it| context.policy(&it.policy).map(|policy| (policy, named_rules(it, policy))))
            .collect();
        // Rules of a policy that is not known may be for any kind.
        let all_known = policies.len() == exception.references.len() && policies.iter().any(|(_, it)| !it.is_empty());
        let help = help(&policies);
        for (filter, node) in item.filters() {
            let at = Item::field(node, "kinds");
            if filter.asks_no_resource() {
                continue;
            }
            if filter.kinds.is_empty() {
                out.add(item, out.finding(item, at, "this filter names no kind").help(help.clone()));
            } else if filter.kinds.len() > options.max_kinds {
                let message = format!("{} kinds are more than {}", filter.kinds.len(), options.max_kinds);
                out.add(item, out.finding(item, at, message).help("write an exception for each workload"));
            }
            for kind in node.at(&["resources", "kinds"]).into_iter().flat_map(Node::items) {
                let text = kind.as_str().unwrap_or_default();
                let pattern = KindPattern::parse(text);
                if pattern.kind().contains('*') {
                    let message = format!("`{text}` covers any kind that it fits");
                    out.add(item, out.finding(item, kind.span(), message).help(help.clone()));
                } else if all_known && !policies.iter().any(|(policy, rules)| looks_at(policy, rules, &pattern)) {
                    let message = format!("none of the rules looks at `{text}`");
                    out.add(item, out.finding(item, kind.span(), message).help(help.clone()));
                }
            }
        }
    }
}

/// Whether one of the rules is for a kind. Rules generated for controllers count though the exception forgets them: that
/// is another rule's to say.
fn looks_at(policy: &Policy, rules: &[&Rule], kind: &KindPattern) -> bool {
    let is_sibling = |rule: &&Rule| rules.iter().any(|it| it.declared_name == rule.declared_name);
    policy.rules.iter().filter(is_sibling).any(|rule| {
        let filters = &rule.matching.filters;
        filters.iter().any(|filter| filter.kinds.is_empty() || filter.kinds.iter().any(|it| meet(it, kind)))
    })
}

fn help(policies: &[(&Policy, Vec<&Rule>)]) -> String {
    let rules = policies.iter().flat_map(|(_, rules)| rules);
    let mut kinds: Vec<&str> =
        rules.flat_map(|rule| &rule.matching.filters).flat_map(|it| &it.kinds).map(KindPattern::kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.is_empty() { "name the kinds".to_owned() } else { format!("the rules look at {}", listed(kinds)) }
}
