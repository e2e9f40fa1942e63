//! Parts of exceptions that contribute nothing.

use super::{Context, Effect, Item, Out, exc030_unused::classic_can_be_told};
use crate::{
    document::{Node, edit},
    engine::Status,
    k8s::{gvk::KindPattern, gvk::split_api_version, wildcard::Wildcard},
    policy::{
        classic::{Policy, Rule},
        exception::Exception,
    },
};

rule! {
    /// Every name in an exception is needed, of objects and of rules.
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
    /// Remove what is named, which `admit lint --fix` does where others in the list stay.
    EXC032, "partly-unneeded", Info, check
}

/// What controllers create; an exception that covers a controller needs them though no file holds one.
const CREATED: [&str; 3] = ["Pod", "ReplicaSet", "Job"];

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    for (item, exception) in context.classic() {
        let idle = idle(context, item, exception);
        for it in &idle {
            // A list that loses all of its items would stand for everything, or for nothing.
            let is_idle = |entry: Node<'_>| idle.iter().any(|it| it.entry.id() == entry.id());
            let others_stay = it.list.items().any(|entry| !is_idle(entry));
            let fix = if others_stay { edit::remove_item(it.list, it.entry) } else { None };
            let text = it.entry.as_str().unwrap_or_default();
            let message = format!("`{text}` contributes nothing: {}", it.why);
            out.add(item, out.finding(item, it.entry.span(), message).help("remove it").fix([fix]));
        }
    }
}

/// An entry without which an exception would do as much.
pub(super) struct Idle<'c> {
    list: Node<'c>,
    entry: Node<'c>,
    why: &'static str,
}

/// The entries of an exception without which it would do as much; none for one that does nothing at all, which is another
/// rule's to say.
pub(super) fn idle<'c>(context: &Context<'_>, item: &Item<'c>, exception: &Exception) -> Vec<Idle<'c>> {
    let mut effects = context.effects_of(item).unwrap_or_default();
    effects.retain(|it| !matches!(it.without, None | Some(Status::Pass | Status::Skip)));
    let used: Vec<Node<'_>> = effects.iter().filter_map(|it| context.object(it)).collect();
    if !context.is_complete || used.is_empty() || !classic_can_be_told(context, exception) {
        return Vec::new();
    }
    let mut out = idle_rules(context, item, exception, &effects);
    let why = "no object that needs the exception has it";
    for (_, filter) in item.filters() {
        for (field, key) in [("names", "name"), ("namespaces", "namespace")] {
            for (list, entry, text) in entries(filter, field) {
                let pattern = Wildcard::new(text);
                let takes = |object: &Node<'_>| {
                    let value = value_of(*object, key);
                    pattern.matches(value) || (key == "name" && text.strip_suffix("-*") == Some(value))
                };
                if !used.iter().any(takes) {
                    out.push(Idle { list, entry, why });
                }
            }
        }
        for (list, entry, text) in entries(filter, "kinds") {
            let pattern = KindPattern::parse(text);
            let takes = |object: &Node<'_>| {
                let (group, version) = split_api_version(object.str_at(&["apiVersion"]).unwrap_or_default());
                pattern.matches(group, version, object.str_at(&["kind"]).unwrap_or_default(), "")
            };
            if !CREATED.contains(&pattern.kind()) && !used.iter().any(takes) {
                out.push(Idle { list, entry, why });
            }
        }
    }
    out
}

/// The names of rules that nothing would break, nor the rules that were generated with them: what a controller creates is
/// judged by these.
fn idle_rules<'c>(
    context: &Context<'_>,
    item: &Item<'c>,
    exception: &Exception,
    effects: &[&Effect],
) -> Vec<Idle<'c>> {
    let broken: Vec<_> = effects.iter().filter_map(|it| context.set.classic_rule(it.rule)).collect();
    let mut out = Vec::new();
    for reference in &exception.references {
        let Some(policy) = context.policy(&reference.policy) else { continue };
        for (pattern, at) in &reference.rules {
            let mut named = policy.rules.iter().filter(|it| pattern.matches(&it.name)).peekable();
            let is_broken = |rule: &Rule| {
                let is_it = |(of, it): &(&Policy, &Rule)| {
                    of.head.key == policy.head.key && it.declared_name == rule.declared_name
                };
                broken.iter().any(is_it)
            };
            // A name without a rule is another rule's to say.
            if named.peek().is_none() || named.any(is_broken) {
                continue;
            }
            if let Some((list, entry)) = item.rule_name(*at) {
                out.push(Idle { list, entry, why: "nothing that needs the exception breaks it" });
            }
        }
    }
    out
}

fn entries<'n>(filter: Node<'n>, field: &'static str) -> impl Iterator<Item = (Node<'n>, Node<'n>, &'n str)> {
    let list = filter.at(&["resources", field]);
    let all = list.into_iter().flat_map(|list| list.items().map(move |entry| (list, entry)));
    all.filter_map(|(list, entry)| Some((list, entry, entry.as_str()?)))
}

/// The name or the namespace of an object. Where the cluster makes the name, the engine compares what it is made of.
fn value_of<'n>(object: Node<'n>, key: &str) -> &'n str {
    let written = object.str_at(&["metadata", key]).filter(|it| !it.is_empty());
    let made = if key == "name" { object.str_at(&["metadata", "generateName"]) } else { None };
    written.or(made).unwrap_or_default()
}
