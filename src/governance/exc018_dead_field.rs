//! Fields of `match` that don't do what they say.

use super::{Context, Item, Out, matching::only_cluster_scoped};
use crate::document::{Node, edit};

rule! {
    /// Every field of `match` has an effect.
    ///
    /// ## Why
    /// Kyverno doesn't look at `operations` in exceptions: one for `DELETE` also waives a CREATE. A `namespaceSelector`
    /// that fits no Namespace never holds, and neither do literal `namespaces` for kinds that live in none.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: { name: delta, labels: { team: delta } }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match:
    ///     any:
    ///       - resources:
    ///           kinds: [Pod]
    ///           names: [tool]
    ///           operations: [DELETE] # <-
    ///       - resources:
    ///           kinds: [Pod]
    ///           names: [tool]
    ///           namespaceSelector: { matchLabels: { team: gamma } } # <-
    ///       - resources:
    ///           kinds: [ClusterRole]
    ///           names: [tool]
    ///           namespaces: [delta] # <-
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: { name: delta, labels: { team: delta } }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match:
    ///     any:
    ///       - resources:
    ///           kinds: [Pod]
    ///           names: [tool]
    ///           namespaceSelector: { matchLabels: { team: delta } }
    ///       - resources: { kinds: [Namespace], names: [delta], namespaces: [delta] }
    /// ```
    ///
    /// ## Fix
    /// Remove the field. A condition on `request.operation` tells operations apart.
    /// `admit lint --fix` removes `operations`.
    EXC018, "dead-field", Warning, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let namespaces: Vec<Node<'_>> = context.namespaces().collect();
    for (item, _) in context.classic() {
        for (filter, node) in item.filters() {
            if !filter.operations.is_empty() {
                let message = "`operations` is ignored in exceptions: every operation is exempted";
                let finding = out.finding(item, Item::field(node, "operations"), message);
                let resources = node.get("resources");
                let fix = resources.and_then(|it| edit::remove(it, it.get("operations")?));
                out.add(item, finding.help("remove it, or add a condition on `{{ request.operation }}`").fix([fix]));
            }
            if let Some(selector) = &filter.namespace_selector {
                let selected = namespaces.iter().any(|namespace| {
                    let labels = namespace.at(&["metadata", "labels"]).into_iter().flat_map(Node::entries);
                    let pairs: Vec<(&str, &str)> =
                        labels.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?))).collect();
                    selector.matches(pairs.iter().copied())
                });
                if context.is_complete && !namespaces.is_empty() && !selected {
                    let message = "no Namespace of the tree has such labels";
                    let finding = out.finding(item, Item::field(node, "namespaceSelector"), message);
                    out.add(item, finding.help("name the namespaces instead"));
                }
            }
            let is_housed = filter.namespaces.iter().any(|it| it.matches(""));
            let is_namespace = filter.kinds.iter().any(|it| it.literal_kind() == Some("Namespace"));
            if !filter.namespaces.is_empty() && !is_housed && !is_namespace && only_cluster_scoped(filter) {
                let message = "objects of these kinds have no namespace, so that this filter never holds";
                let finding = out.finding(item, Item::field(node, "namespaces"), message);
                out.add(item, finding.help("remove `namespaces`"));
            }
        }
    }
}
