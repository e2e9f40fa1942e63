//! Exceptions that are past their end.

use serde::{Deserialize, Serialize};

use super::{
    Context, Out, exc027_expiry_required as required,
    expiry::{self, Expiry},
};

rule! {
    /// No exception is past its end.
    ///
    /// ## Why
    /// With GitOps an exception that the cluster's cleanup deletes comes back from Git with the next sync: only its file
    /// can end it. Kyverno's command line and its background scans still honour an expired one.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata:
    ///   name: tool
    ///   namespace: delta
    ///   labels: { cleanup.kyverno.io/ttl: "2025-12-31" } # <-
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ```
    ///
    /// ## Stays quiet
    /// The examples are read on 1 January 2026.
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta, labels: { cleanup.kyverno.io/ttl: "2026-01-31" } }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: relative, namespace: delta, labels: { cleanup.kyverno.io/ttl: 1h } }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [relative] } }] }
    /// ```
    ///
    /// ## Fix
    /// Delete the exception, or renew it with a new date. A duration counts from the creation of the object, which a file
    /// doesn't tell: only dates and times are looked at, at the keys of EXC027.
    ///
    /// ## Options
    /// - `graceDays`: days after the end on which nothing is said yet.
    EXC028, "expired", Error, check, Options
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    grace_days: i64,
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    let keys = out.options_of::<required::Options>(&required::EXC027).keys;
    for item in &context.exceptions {
        let Some((Expiry::At(then), node)) = required::end(item, &keys) else { continue };
        let left = expiry::days_between(context.now, then);
        if then <= context.now && left + options.grace_days <= 0 {
            let message = match -left {
                0 | 1 => "the exception has ended".to_owned(),
                days => format!("the exception ended {days} days ago"),
            };
            out.add(item, out.finding(item, node.span(), message).help("delete the exception, or renew it"));
        }
    }
}
