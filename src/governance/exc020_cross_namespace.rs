//! Exceptions for other namespaces than their own.

use super::{Context, Item, Out};
use crate::document::Node;

rule! {
    /// An exception only exempts what lives in its own namespace.
    ///
    /// ## Why
    /// Where teams keep their exceptions beside their workloads, the right to write to one namespace should not reach
    /// into another. Off by default, since the contrary, one namespace for all exceptions, is as common.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions:
    ///     - policyName: gamma/host-ns # <-
    ///       ruleNames: [no-host-ns]
    ///   match:
    ///     any:
    ///       - resources:
    ///           kinds: [Pod]
    ///           names: [tool]
    ///           namespaces: [gamma] # <-
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool], namespaces: [delta] } }] }
    /// ```
    ///
    /// ## Fix
    /// Move the exception into the namespace that it is for.
    EXC020, "cross-namespace", Off, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    for (item, exception) in context.classic().filter(|(item, _)| !item.namespace.is_empty()) {
        let own = item.namespace;
        for reference in &exception.references {
            let foreign = reference.policy.split_once('/').filter(|(namespace, _)| *namespace != own);
            if let Some((namespace, _)) = foreign {
                let message = format!("this policy is one of `{namespace}`, the exception lives in `{own}`");
                out.add(item, out.finding(item, reference.policy_span, message));
            }
        }
        for (_, node) in item.filters() {
            let nodes = node.at(&["resources", "namespaces"]).into_iter().flat_map(Node::items);
            let mut foreign = nodes.filter(|node| node.as_str() != Some(own)).peekable();
            if foreign.peek().is_none() && node.at(&["resources", "namespaces"]).is_none() {
                let message = format!("this filter is not limited to `{own}`, where the exception lives");
                out.add(item, out.finding(item, Item::field(node, "namespaces"), message));
            }
            for node in foreign {
                let message = format!("the exception lives in `{own}`");
                out.add(item, out.finding(item, node.span(), message));
            }
        }
    }
}
