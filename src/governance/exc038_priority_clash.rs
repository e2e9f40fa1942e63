//! Exceptions that disagree on how an exemption is reported.

use super::{Context, Item, Out};
use crate::{document::Node, finding::Place};

rule! {
    /// Exceptions to one policy that report differently say which of them comes first.
    ///
    /// ## Why
    /// Of several exceptions of `policies.kyverno.io` that waive a policy for one resource, the one with the highest label
    /// `polex.kyverno.io/priority` says whether the result is `skip` or `pass`. Without the label it is the one that
    /// happens to be loaded first.
    ///
    /// Expressions are not evaluated: two exceptions whose conditions demand different names or namespaces, as in
    /// `object.metadata.name == 'tool'`, never meet; all others may.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   policyRefs: [{ name: registries, kind: ValidatingPolicy }]
    ///   matchConditions: [{ name: tool, expression: "object.metadata.name == 'tool'" }]
    ///   reportResult: pass
    /// ---
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: PolicyException
    /// metadata:
    ///   name: all-of-delta # <-
    ///   namespace: delta
    /// spec:
    ///   policyRefs: [{ name: registries, kind: ValidatingPolicy }]
    ///   matchConditions: [{ name: delta, expression: "object.metadata.namespace == 'delta'" }]
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   policyRefs: [{ name: registries, kind: ValidatingPolicy }]
    ///   matchConditions: [{ name: tool, expression: "object.metadata.name == 'tool'" }]
    ///   reportResult: pass
    /// ---
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: PolicyException
    /// metadata: { name: other, namespace: delta }
    /// spec:
    ///   policyRefs: [{ name: registries, kind: ValidatingPolicy }]
    ///   matchConditions: [{ name: other, expression: "object.metadata.name == 'other'" }]
    /// ---
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: PolicyException
    /// metadata: { name: all, namespace: delta, labels: { polex.kyverno.io/priority: "10" } }
    /// spec:
    ///   policyRefs: [{ name: registries, kind: ValidatingPolicy }]
    ///   matchConditions: [{ name: delta, expression: "object.metadata.namespace == 'delta'" }]
    /// ```
    ///
    /// ## Fix
    /// Give one of them the label `polex.kyverno.io/priority` with a higher number, or let both report the same.
    EXC038, "priority-clash", Warning, check
}

/// The label that decides.
const PRIORITY: &str = "polex.kyverno.io/priority";

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let full: Vec<&Item<'_>> = context.cel().filter(|item| waives_all(item)).collect();
    for (n, item) in full.iter().enumerate() {
        // Of two that clash the later one is told.
        let clash = full[..n].iter().find(|other| {
            result(other) != result(item)
                && priority(other) == priority(item)
                && shares_policy(other, item)
                && may_meet(other, item)
        });
        if let Some(other) = clash {
            let message = format!(
                "`{}` waives the same policy and reports `{}`, this one `{}`; neither comes first",
                other.key,
                result(other),
                result(item)
            );
            let place = Place::new(other.node.file(), other.name_span());
            let finding = out.finding(item, item.name_span(), message).related(place, "the other one");
            out.add(item, finding.help(format!("give one of them the label `{PRIORITY}`")));
        }
    }
}

fn waives_all(item: &Item<'_>) -> bool {
    ["images", "allowedValues"].iter().all(|field| item.node.at(&["spec", field]).is_none_or(|it| it.len() == 0))
}

fn result<'c>(item: &Item<'c>) -> &'c str {
    item.node.str_at(&["spec", "reportResult"]).unwrap_or("skip")
}

/// The number in the label; what is no positive number counts as none.
fn priority(item: &Item<'_>) -> u64 {
    item.node.str_at(&["metadata", "labels", PRIORITY]).and_then(|it| it.parse().ok()).unwrap_or_default()
}

fn shares_policy(a: &Item<'_>, b: &Item<'_>) -> bool {
    a.policy_refs().any(|a| b.policy_refs().any(|b| (a.kind, a.name) == (b.kind, b.name)))
}

/// Whether both can match one resource, as far as equalities tell.
fn may_meet(a: &Item<'_>, b: &Item<'_>) -> bool {
    ["object.metadata.name", "object.metadata.namespace"].iter().all(|path| {
        match (demanded(a, path), demanded(b, path)) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        }
    })
}

/// The text that a condition wants at a path, if that is all that the condition says.
fn demanded<'c>(item: &Item<'c>, path: &str) -> Option<&'c str> {
    let conditions = item.node.at(&["spec", "matchConditions"]).into_iter().flat_map(Node::items);
    conditions.into_iter().find_map(|it| {
        let rest = it.str_at(&["expression"])?.trim().strip_prefix(path)?.trim_start().strip_prefix("==")?.trim();
        let quote = rest.chars().next().filter(|it| matches!(it, '\'' | '"'))?;
        let text = rest.strip_prefix(quote)?.strip_suffix(quote)?;
        (!text.contains([quote, '\\'])).then_some(text)
    })
}
