//! Exceptions that exempt nothing.

use serde::{Deserialize, Serialize};

use super::{Context, Item, Out, PolicyRef, matching::named_rules};
use crate::{
    finding::Severity,
    policy::{
        cel::{self, Mode, Task},
        classic::Body,
        exception::Exception,
        matching::Filter,
    },
};

rule! {
    /// Every exception exempts something.
    ///
    /// ## Why
    /// The workload is gone, the exception stayed: it sleeps until somebody creates an object of that name. Or it never
    /// matched what it was written for.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata:
    ///   name: tool # <-
    ///   namespace: delta
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ---
    /// { apiVersion: v1, kind: Pod, metadata: { name: other, namespace: delta }, spec: { hostPID: false } }
    /// ```
    /// ```yaml
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: ValidatingPolicy
    /// metadata: { name: no-host }
    /// spec:
    ///   matchConstraints: { resourceRules: [{ apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods] }] }
    ///   validations: [{ expression: "!object.spec.?hostPID.orValue(false)" }]
    /// ---
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: PolicyException
    /// metadata:
    ///   name: tool # <-
    ///   namespace: delta
    /// spec:
    ///   policyRefs: [{ name: no-host, kind: ValidatingPolicy }]
    ///   matchConditions: [{ name: tool, expression: "object.metadata.name == 'tool'" }]
    /// ---
    /// { apiVersion: v1, kind: Pod, metadata: { name: other, namespace: delta }, spec: { hostPID: true } }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ---
    /// { apiVersion: v1, kind: Pod, metadata: { name: tool, namespace: delta }, spec: { hostPID: true } }
    /// ```
    ///
    /// ## Fix
    /// Delete the exception, or correct what keeps it from matching. Where objects live outside of the tree that an
    /// exception is for, set the option.
    ///
    /// Nothing is said of exceptions that depend on who asks, or that are for rules that are not evaluated here.
    ///
    /// ## Options
    /// - `externalResources`: whether exceptions may be for objects that are not in the tree; then it is for the record.
    EXC030, "unused", Warning, check, Options
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    external_resources: bool,
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    for item in &context.exceptions {
        let is_idle = context.is_complete && context.effects_of(item).is_some_and(|effects| effects.is_empty());
        if !is_idle || !can_be_told(context, item) {
            continue;
        }
        let mut finding = out.finding(item, item.name_span(), "the exception exempts nothing in this tree");
        if options.external_resources {
            finding.severity = Severity::Info;
        }
        out.add(item, finding.help("delete it, or correct what keeps it from matching"));
    }
}

/// Whether a tree alone tells what an exception does: what it names is evaluated here, and it doesn't ask for what only a
/// request or a cluster tells.
pub(super) fn can_be_told(context: &Context<'_>, item: &Item<'_>) -> bool {
    match &item.classic {
        Some(exception) => classic_can_be_told(context, exception),
        None => cel_can_be_told(context, item),
    }
}

/// The same for an exception of `kyverno.io`.
pub(super) fn classic_can_be_told(context: &Context<'_>, exception: &Exception) -> bool {
    let is_evaluated = |reference: &crate::policy::exception::Reference| {
        context.policy(&reference.policy).is_some_and(|policy| {
            let rules = named_rules(reference, policy);
            !rules.is_empty() && rules.iter().all(|rule| matches!(rule.body, Body::Validate(_)))
        })
    };
    !exception.references.is_empty()
        && exception.references.iter().all(is_evaluated)
        && !exception.matching.filters.iter().any(Filter::asks_user)
}

fn cel_can_be_told(context: &Context<'_>, item: &Item<'_>) -> bool {
    let compiled = item.counted.and_then(|n| context.set.exceptions.get(n)?.cel.as_ref());
    let of_the_object_alone = compiled.is_some_and(|it| {
        let reads = it.reads();
        !reads.request && !reads.namespace && !reads.objects
    });
    // Several policies may have the name in different namespaces.
    let is_evaluated = |reference: PolicyRef<'_>| {
        let is_it = |it: &&cel::Policy| it.head.kind == reference.kind && it.head.name == reference.name;
        let mut named = context.set.cel().filter(is_it).peekable();
        named.peek().is_some() && named.all(|it| it.task == Task::Validate && it.mode == Mode::Kubernetes)
    };
    of_the_object_alone && item.policy_refs().all(is_evaluated)
}
