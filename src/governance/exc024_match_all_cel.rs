//! Exceptions of `policies.kyverno.io` that match everything.

use super::{Context, Out};
use crate::document::Node;

rule! {
    /// An exception of `policies.kyverno.io` has conditions.
    ///
    /// ## Why
    /// Without `matchConditions`, or with one that is always true, the exception waives the policy for every resource
    /// that the policy is for: the policy is off.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: PolicyException
    /// metadata: { name: all, namespace: delta }
    /// spec: # <-
    ///   policyRefs: [{ name: host-ns, kind: ValidatingPolicy }]
    /// ---
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: PolicyException
    /// metadata: { name: true, namespace: delta }
    /// spec:
    ///   policyRefs: [{ name: host-ns, kind: ValidatingPolicy }]
    ///   matchConditions:
    ///     - name: always
    ///       expression: "true" # <-
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   policyRefs: [{ name: host-ns, kind: ValidatingPolicy }]
    ///   matchConditions: [{ name: tool, expression: "object.metadata.name == 'tool'" }]
    /// ---
    /// apiVersion: policies.kyverno.io/v1beta1
    /// kind: PolicyException
    /// metadata: { name: images, namespace: delta }
    /// spec:
    ///   policyRefs: [{ name: host-ns, kind: ValidatingPolicy }]
    ///   images: [registry.example.com/tool*]
    /// ```
    ///
    /// ## Fix
    /// Add a condition that names the resource.
    EXC024, "match-all-cel", Error, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    const HELP: &str = "add a condition such as `object.metadata.name == 'NAME'`";
    for item in context.cel() {
        let list = |key: &str| item.node.at(&["spec", key]).into_iter().flat_map(Node::items).collect::<Vec<_>>();
        if !list("images").is_empty() || !list("allowedValues").is_empty() {
            continue;
        }
        let conditions = list("matchConditions");
        let text = |node: &Node<'_>| node.str_at(&["expression"]).map(str::trim) == Some("true");
        if conditions.is_empty() {
            let at = item.span(&["spec", "matchConditions"]);
            out.add(item, out.finding(item, at, "the policy is waived for every resource").help(HELP));
        } else if conditions.iter().all(text) {
            let at = conditions[0].get("expression").map_or(conditions[0].span(), Node::span);
            out.add(item, out.finding(item, at, "this is always true: the policy is off").help(HELP));
        }
    }
}
