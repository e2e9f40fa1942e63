//! Parts of exceptions that contribute nothing.

use super::{Context, Item, Out, exc030_unused::can_be_told};
use crate::{
    document::Node,
    engine::Status,
    k8s::{gvk::KindPattern, gvk::split_api_version, wildcard::Wildcard},
    policy::exception::Exception,
};

rule! {
    /// Every name in an exception is needed.
    ///
    /// ## Why
    /// An exception is as wide as what is written in it, not as what is used of it. Names of workloads that are gone are
    /// free for others to take.
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
    ///       - resources:
    ///           kinds: [Pod]
    ///           namespaces:
    ///             - delta
    ///             - gamma # <-
    ///           names:
    ///             - tool
    ///             - former-tool # <-
    /// ---
    /// { apiVersion: v1, kind: Pod, metadata: { name: tool, namespace: delta }, spec: { hostPID: true } }
    /// ```
    ///
    /// ## Stays quiet
    /// What a controller creates is in no tree: `NAME-*` and the kinds of its children are not held against anybody.
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns, autogen-no-host-ns] }]
    ///   match:
    ///     any:
    ///       - resources: { kinds: [Pod, Deployment, ReplicaSet], namespaces: [delta], names: [tool, tool-*] }
    /// ---
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: { name: tool, namespace: delta }
    /// spec: { template: { spec: { hostPID: true } } }
    /// ```
    ///
    /// ## Fix
    /// Remove what is named.
    EXC032, "partly-unneeded", Info, check
}

/// What controllers create; an exception that covers a controller needs them though no file holds one.
const CREATED: [&str; 3] = ["Pod", "ReplicaSet", "Job"];

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    for (item, exception) in context.classic() {
        for (entry, text) in idle(context, item, exception) {
            say(item, entry, text, out);
        }
    }
}

/// The entries of an exception without which it would do as much; none for one that does nothing at all, which is another
/// rule's to say.
pub(super) fn idle<'c>(context: &Context<'_>, item: &Item<'c>, exception: &Exception) -> Vec<(Node<'c>, &'c str)> {
    let effects = context.effects_of(item).unwrap_or_default();
    let used: Vec<Node<'_>> = effects
        .iter()
        .filter(|it| !matches!(it.without, None | Some(Status::Pass | Status::Skip)))
        .filter_map(|it| context.object(it))
        .collect();
    if !context.is_complete || used.is_empty() || !can_be_told(context, exception) {
        return Vec::new();
    }
    let mut out = Vec::new();
    for (_, filter) in item.filters() {
        for (entry, text) in entries(filter, "names").chain(entries(filter, "namespaces")) {
            let pattern = Wildcard::new(text);
            let field = entry_field(filter, entry);
            let takes = |object: &Node<'_>| {
                let value = object.str_at(&["metadata", field]).unwrap_or_default();
                pattern.matches(value) || (field == "name" && text.strip_suffix("-*") == Some(value))
            };
            if !used.iter().any(takes) {
                out.push((entry, text));
            }
        }
        for (entry, text) in entries(filter, "kinds") {
            let pattern = KindPattern::parse(text);
            let takes = |object: &Node<'_>| {
                let (group, version) = split_api_version(object.str_at(&["apiVersion"]).unwrap_or_default());
                pattern.matches(group, version, object.str_at(&["kind"]).unwrap_or_default(), "")
            };
            if !CREATED.contains(&pattern.kind()) && !used.iter().any(takes) {
                out.push((entry, text));
            }
        }
    }
    out
}

fn entries<'n>(filter: Node<'n>, field: &'static str) -> impl Iterator<Item = (Node<'n>, &'n str)> {
    let list = filter.at(&["resources", field]).into_iter().flat_map(Node::items);
    list.filter_map(|node| Some((node, node.as_str()?)))
}

/// Whether an entry is one of the names or of the namespaces.
fn entry_field(filter: Node<'_>, entry: Node<'_>) -> &'static str {
    let is_name = filter.at(&["resources", "names"]).is_some_and(|list| list.items().any(|it| it == entry));
    if is_name { "name" } else { "namespace" }
}

fn say(item: &Item<'_>, entry: Node<'_>, text: &str, out: &mut Out<'_>) {
    let message = format!("`{text}` contributes nothing: no object that needs the exception has it");
    out.add(item, out.finding(item, entry.span(), message).help("remove it"));
}
