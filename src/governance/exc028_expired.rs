//! Exceptions that are past their end.

use serde::{Deserialize, Serialize};

use super::{
    Context, Out, exc027_expiry_required as required,
    expiry::{self, Expiry},
    past::{self, From},
};
use crate::finding::{Finding, Severity};

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
    /// With a duration, in a file that somebody committed on 1 November 2025:
    /// ```yaml past 2025-11-01
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta, labels: { cleanup.kyverno.io/ttl: 30d } }
    /// ```
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata:
    ///   name: tool
    ///   namespace: delta
    ///   labels: { cleanup.kyverno.io/ttl: 30d } # <-
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ```
    ///
    /// ## Stays quiet
    /// The examples are read on 1 January 2026.
    /// ```yaml past 2025-12-15
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: relative, namespace: delta, labels: { cleanup.kyverno.io/ttl: 30d } }
    /// ```
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
    /// metadata: { name: relative, namespace: delta, labels: { cleanup.kyverno.io/ttl: 30d } }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [relative] } }] }
    /// ```
    ///
    /// ## Fix
    /// Delete the exception, or renew it with a new date. Ends are looked for at the keys of EXC027.
    ///
    /// A duration counts in a cluster from the creation of the object. In Git that is the commit that added the exception to
    /// its file, as far as the history of the file is here; without it, in a shallow clone for instance, a duration can't
    /// be judged, and that is said.
    ///
    /// ## Options
    /// - `graceDays`: days after the end on which nothing is said yet.
    /// - `from`: `added`, or `changed` for the commit that gave the exception the duration that it has.
    EXC028, "expired", Error, check, Options
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    grace_days: i64,
    from: From,
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    let keys = out.options_of::<required::Options>(&required::EXC027).keys;
    for item in &context.exceptions {
        let Some((end, node)) = required::end(item, &keys) else { continue };
        let then = match end {
            Expiry::At(then) => then,
            Expiry::After(length) => {
                let Some(since) = past::since(context, item, &keys, options.from) else {
                    if let Some(Err(error)) = context.history {
                        let message = format!("when the exception ends can't be told: {error}");
                        let finding = out.finding(item, node.span(), message);
                        out.add(item, Finding { severity: Severity::Info, ..finding }.help("write a date"));
                    }
                    continue;
                };
                since.checked_add(length).unwrap_or(jiff::Timestamp::MAX)
            }
            Expiry::Unreadable => continue,
        };
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
