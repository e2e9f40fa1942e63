//! Exceptions whose policy goes away.

use super::{Context, Item, Out};
use crate::{
    document::Node,
    finding::{Place, resource_ref},
    k8s::wildcard::Wildcard,
};

rule! {
    /// Whoever removes what an exception is for removes the exception.
    ///
    /// ## Why
    /// An exception that outlives its policy, or its rule, sleeps until somebody gives another one that name. It is
    /// noticed best in the change that leaves it behind.
    ///
    /// ## Fires
    /// ```yaml before
    /// apiVersion: kyverno.io/v1
    /// kind: ClusterPolicy
    /// metadata: { name: ports }
    /// spec: { rules: [{ name: low, match: { any: [{ resources: { kinds: [Pod] } }] }, validate: { deny: {} } }] }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: ports, ruleNames: [low] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ```
    /// ```yaml after
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions:
    ///     - policyName: ports # <-
    ///       ruleNames: [low]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ```
    ///
    /// The last object goes:
    /// ```yaml before
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ---
    /// { apiVersion: v1, kind: Pod, metadata: { name: tool, namespace: delta }, spec: { hostPID: true } }
    /// ```
    /// ```yaml after
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata:
    ///   name: tool # <-
    ///   namespace: delta
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml before
    /// apiVersion: kyverno.io/v1
    /// kind: ClusterPolicy
    /// metadata: { name: ports }
    /// spec: { rules: [{ name: low, match: { any: [{ resources: { kinds: [Pod] } }] }, validate: { deny: {} } }] }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: ports, ruleNames: [low] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ```
    /// ```yaml after
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: { name: delta }
    /// ```
    ///
    /// ## Fix
    /// Delete the exception, or the entry, in the same change.
    ///
    /// That the last object goes is told where the exception names its objects literally, by name and namespace, and none of
    /// them stays; `NAME-*` beside `NAME` stands for what a controller makes. For others EXC030 tells in a check of the
    /// whole tree.
    EXC035, "orphaned", Error, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let Some(change) = &context.change else { return };
    for (item, exception) in context.classic() {
        for reference in &exception.references {
            let Some(before) = change.base.policy(&reference.policy) else { continue };
            let place = Place::new(&before.head.file, before.head.name_span);
            let Some(after) = context.policy(&reference.policy) else {
                if context.policies.iter().any(|it| it.key() == reference.policy) {
                    continue;
                }
                let message = format!("the change removes policy `{}` and leaves its exception", reference.policy);
                let finding = out.finding(item, reference.policy_span, message).related(place, "the policy, as it was");
                out.add(item, finding.help("delete the exception, too"));
                continue;
            };
            for (pattern, at) in &reference.rules {
                let names = |policy: &crate::policy::classic::Policy| {
                    policy.rules.iter().any(|rule| pattern.matches(&rule.name))
                };
                if names(before) && !names(after) {
                    let message = format!(
                        "the change removes rule `{}` of `{}` and leaves its exception",
                        pattern.as_str(),
                        reference.policy
                    );
                    out.add(item, out.finding(item, *at, message).help("delete the name, too"));
                }
            }
        }
        if let Some(last) = last_object(context, item) {
            let message = format!("the change removes {}, the last that the exception is for", resource_ref(last).title());
            let at = last.at(&["metadata", "name"]).unwrap_or(last);
            let finding = out.finding(item, item.name_span(), message);
            let finding = finding.related(Place::new(at.file(), at.span()), "the object, as it was");
            out.add(item, finding.help("delete the exception, too"));
        }
    }
}

/// An object that the change removes, if all that an exception names by kind, namespace and name are gone with it.
fn last_object<'c>(context: &Context<'c>, item: &Item<'_>) -> Option<Node<'c>> {
    let removed: Vec<Node<'c>> = context
        .objects
        .iter()
        .zip(&context.old_objects)
        .filter(|(object, old)| **old == Some(**object))
        .map(|(object, _)| *object)
        .collect();
    if removed.is_empty() {
        return None;
    }
    let is_at = |object: &Node<'_>, kind: &str, namespace: &str, name: &str| {
        object.str_at(&["kind"]) == Some(kind)
            && object.str_at(&["metadata", "namespace"]) == Some(namespace)
            && object.str_at(&["metadata", "name"]) == Some(name)
    };
    let mut last = None;
    for (filter, _) in item.filters() {
        let literal = |list: &'_ [Wildcard]| list.iter().filter_map(Wildcard::literal).map(str::to_owned).collect::<Vec<_>>();
        let (names, namespaces) = (literal(&filter.names), literal(&filter.namespaces));
        let is_children = |it: &Wildcard| it.as_str().strip_suffix("-*").is_some_and(|stem| names.iter().any(|n| n == stem));
        let open = filter.names.iter().any(|it| it.literal().is_none() && !is_children(it));
        let kinds: Option<Vec<&str>> = filter.kinds.iter().map(|it| it.literal_kind()).collect();
        let (Some(kinds), false) = (kinds, open || names.is_empty()) else { return None };
        if kinds.is_empty() || namespaces.is_empty() || namespaces.len() != filter.namespaces.len() {
            return None;
        }
        // What controllers make lies in no tree; where nothing else is named, it does.
        let made = ["Pod", "ReplicaSet", "Job"];
        let written: Vec<&str> = kinds.iter().copied().filter(|it| !made.contains(it)).collect();
        let kinds = if written.is_empty() { kinds } else { written };
        for name in &names {
            for namespace in &namespaces {
                let mut of_name = kinds.iter().map(|kind| removed.iter().find(|it| is_at(it, kind, namespace, name)));
                // One of several kinds may stay where nobody looks.
                last = Some(*of_name.try_fold(None, |_, found| found.map(Some))??);
            }
        }
    }
    last
}
