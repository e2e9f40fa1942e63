//! Exceptions that can match nothing.

use super::{Context, Item, Out};
use crate::policy::matching::Join;

rule! {
    /// An exception that can match nothing is none.
    ///
    /// ## Why
    /// An empty `match`, a filter that asks for nothing, an empty list of rules: all pass the schema and exempt nothing.
    /// Whoever reads the file believes in an exemption that is not there.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions:
    ///     - policyName: host-ns
    ///       ruleNames: [] # <-
    ///   match:
    ///     any:
    ///       - resources: {} # <-
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: all, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: {} # <-
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ```
    ///
    /// ## Fix
    /// Complete the part that is named, or delete the exception.
    EXC002, "empty-match", Error, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    const HELP: &str = "complete it, or delete the exception";
    for (item, exception) in context.classic() {
        if exception.references.is_empty() {
            let at = item.span(&["spec", "exceptions"]);
            out.add(item, out.finding(item, at, "the exception names no policy").help(HELP));
        }
        for reference in exception.references.iter().filter(|it| it.rules.is_empty()) {
            let message = format!("the exception names no rule of `{}`", reference.policy);
            out.add(item, out.finding(item, reference.rules_span, message).help(HELP));
        }
        let matching = &exception.matching;
        if matching.filters.is_empty() {
            out.add(item, out.finding(item, matching.span, "`match` holds for no resource").help(HELP));
        }
        for filter in matching.filters.iter().filter(|it| it.asks_no_resource() && !it.asks_user()) {
            let message = match matching.join {
                Join::All => "this filter holds for no resource, so that `all` never does",
                Join::Any | Join::Direct => "this filter holds for no resource",
            };
            out.add(item, out.finding(item, filter.span, message).help(HELP));
        }
    }
    for item in context.cel().filter(|item| names_nothing(item)) {
        let at = item.span(&["spec", "policyRefs"]);
        out.add(item, out.finding(item, at, "the exception names no policy").help(HELP));
    }
}

fn names_nothing(item: &Item<'_>) -> bool {
    item.policy_refs().next().is_none()
}
