//! Exceptions for users that also count in background scans.

use super::{Context, Item, Out};
use crate::document::{
    Node,
    edit::{self, Text},
};

rule! {
    /// An exception that asks for a user says `background: false`.
    ///
    /// ## Why
    /// Background scans have no user. Kyverno's webhook refuses an exception with `subjects`, `roles` or `clusterRoles`
    /// unless `spec.background` is false; its command line applies it all the same, so that a green pipeline proves
    /// nothing.
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
    ///       - resources: { kinds: [Pod], names: [tool] }
    ///         subjects: [{ kind: User, name: deployer }] # <-
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   background: false
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match:
    ///     any:
    ///       - resources: { kinds: [Pod], names: [tool] }
    ///         subjects: [{ kind: User, name: deployer }]
    /// ```
    ///
    /// ## Fix
    /// Write `background: false` below `spec`.
    /// `admit lint --fix` does.
    EXC011, "background-userinfo", Error, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    for (item, _) in context.classic().filter(|(_, exception)| exception.background) {
        let filters = item.filters();
        for (filter, node) in filters.iter().filter(|(filter, _)| filter.asks_user()) {
            let field = ["subjects", "roles", "clusterRoles"].into_iter().find_map(|key| node.get(key));
            let at = field.map_or(filter.span, Node::key_span);
            let message = "background scans know no user, so that a cluster refuses this";
            let finding = out.finding(item, at, message).help("write `background: false` below `spec`");
            let spec = item.node.get("spec");
            let finding = finding.fix([spec.and_then(|it| edit::set(it, "background", &Text::Literal("false"), None))]);
            out.add(item, related(item, finding));
        }
    }
}

fn related(item: &Item<'_>, finding: crate::finding::Finding) -> crate::finding::Finding {
    match item.node.at(&["spec", "background"]) {
        Some(node) => finding.related(crate::finding::Place::new(node.file(), node.span()), "must be false"),
        None => finding,
    }
}
