//! Exceptions that reach into every namespace.

use serde::{Deserialize, Serialize};

use super::{
    Context, Item, Out,
    context::{listed, literal_prefix},
    matching::only_cluster_scoped,
};
use crate::{document::Node, k8s::wildcard::Wildcard};

rule! {
    /// Exceptions name the namespaces that they are for.
    ///
    /// ## Why
    /// A name means little without a namespace: whoever may create objects anywhere gives one the right name. The
    /// namespaces of the cluster's own components are where a waived rule hurts most.
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
    ///           names: [tool]
    ///       - resources:
    ///           kinds: [Pod]
    ///           names: [tool]
    ///           namespaces:
    ///             - "*" # <-
    ///             - kube-* # <-
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match:
    ///     any:
    ///       - resources: { kinds: [Pod], names: [tool], namespaces: [delta, delta-*] }
    ///       - resources: { kinds: [Pod], names: [tool], namespaceSelector: { matchLabels: { team: delta } } }
    ///       - resources: { kinds: [ClusterRole], names: [tool] }
    /// ```
    ///
    /// ## Fix
    /// Write the namespaces; those that the exception covers in the tree are listed.
    ///
    /// ## Options
    /// - `forbidden`: namespaces that no exception may reach, with wildcards.
    EXC019, "broad-namespaces", Error, check, Options
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    forbidden: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { forbidden: ["kube-system", "kube-public", "kube-node-lease", "kyverno"].map(str::to_owned).into() }
    }
}

impl Options {
    fn reached(&self, pattern: &Wildcard) -> Option<&str> {
        let reaches = |it: &&String| pattern.matches(it) || Wildcard::new(it).matches(pattern.as_str());
        self.forbidden.iter().find(reaches).map(String::as_str)
    }
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    for (item, exception) in context.classic() {
        // A Policy only looks at its own namespace.
        if exception.references.iter().all(|it| it.policy.contains('/')) {
            continue;
        }
        let help = covered(context, item);
        for (filter, node) in item.filters() {
            if filter.asks_no_resource() || only_cluster_scoped(filter) {
                continue;
            }
            if filter.namespaces.is_empty() && filter.namespace_selector.is_none() {
                let at = Item::field(node, "namespaces");
                out.add(item, out.finding(item, at, "this filter names no namespace").help(help.clone()));
            }
            for node in node.at(&["resources", "namespaces"]).into_iter().flat_map(Node::items) {
                let pattern = Wildcard::new(node.as_str().unwrap_or_default());
                let text = pattern.as_str();
                if pattern.literal().is_none() && literal_prefix(&pattern).is_empty() {
                    let message = format!("`{text}` covers namespaces that nobody named");
                    out.add(item, out.finding(item, node.span(), message).help(help.clone()));
                } else if let Some(forbidden) = options.reached(&pattern) {
                    let message = format!("no exception may reach the namespace `{forbidden}`");
                    out.add(item, out.finding(item, node.span(), message));
                }
            }
        }
    }
}

fn covered(context: &Context<'_>, item: &Item<'_>) -> String {
    let effects = context.effects_of(item).unwrap_or_default();
    let mut names: Vec<&str> =
        effects.iter().filter_map(|effect| context.object(effect)?.str_at(&["metadata", "namespace"])).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { "write the namespaces".to_owned() } else { format!("write the namespaces: {}", listed(names)) }
}
