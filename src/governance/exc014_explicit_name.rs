//! Exceptions that don't say which resources they are for.

use serde::{Deserialize, Serialize};

use super::{
    Context, Item, Out,
    context::{listed, literal_prefix},
};
use crate::{document::Node, k8s::wildcard::Wildcard};

rule! {
    /// Exceptions name the resources that they are for.
    ///
    /// ## Why
    /// An exception without names, or with `*` for a name, covers whatever is added later: the next workload needs no
    /// review to break the rule. A pattern such as `?*` passes policies that only ask for some name.
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
    ///           kinds: [Pod]
    ///           namespaces: [delta]
    ///       - resources:
    ///           kinds: [Pod]
    ///           namespaces: [gamma]
    ///           names:
    ///             - tool
    ///             - "?*" # <-
    ///             - t* # <-
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool, tool-*], namespaces: [delta] } }] }
    /// ```
    ///
    /// ## Fix
    /// Write the names; those that the exception covers in the tree are listed. For what a controller creates, write
    /// `NAME-*`.
    ///
    /// ## Options
    /// - `minLiteralPrefix`: how many characters come before the first wildcard.
    /// - `allowTrailingStar`: whether wildcards may follow them at all.
    EXC014, "explicit-name", Error, check, Options
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    min_literal_prefix: usize,
    allow_trailing_star: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { min_literal_prefix: 3, allow_trailing_star: true }
    }
}

impl Options {
    /// What is wrong with a name.
    fn fault(&self, name: &Wildcard) -> Option<String> {
        let text = name.as_str();
        if name.literal().is_some_and(|it| !it.is_empty()) {
            return None;
        }
        if !self.allow_trailing_star {
            return Some(format!("`{text}` is no name but a pattern"));
        }
        let n = literal_prefix(name).chars().count();
        let least = self.min_literal_prefix.max(1);
        (n < least).then(|| format!("`{text}` names too little: {least} characters must come before a wildcard"))
    }
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    for (item, _) in context.classic() {
        let help = covered(context, item);
        for (filter, node) in item.filters() {
            if filter.names.is_empty() {
                let finding = out.finding(item, Item::field(node, "names"), "this filter names no resource");
                out.add(item, finding.help(help.clone()));
                continue;
            }
            let nodes: Vec<Node<'_>> = match node.at(&["resources", "names"]) {
                Some(list) => list.items().collect(),
                None => node.at(&["resources", "name"]).into_iter().collect(),
            };
            for name in nodes {
                let Some(fault) = name.as_str().and_then(|text| options.fault(&Wildcard::new(text))) else { continue };
                out.add(item, out.finding(item, name.span(), fault).help(help.clone()));
            }
        }
    }
}

/// What to write instead: the names that the exception covers in the tree.
fn covered(context: &Context<'_>, item: &Item<'_>) -> String {
    let effects = context.effects_of(item).unwrap_or_default();
    let mut names: Vec<&str> =
        effects.iter().filter_map(|effect| context.object(effect)?.str_at(&["metadata", "name"])).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { "write the names".to_owned() } else { format!("write the names: {}", listed(names)) }
}
