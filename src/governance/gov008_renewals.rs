//! Exceptions that are renewed again and again.

use serde::{Deserialize, Serialize};

use super::{
    Context, Item, Out, exc027_expiry_required as required,
    expiry::{self, Expiry},
    past,
};

rule! {
    /// An exception is not renewed for ever.
    ///
    /// ## Why
    /// An end that is always moved is none. After a few renewals the policy is wrong, or the workload is.
    ///
    /// Renewals are counted in the history of the file, as far as it is here: each commit that moved the end of the
    /// exception, and the change at hand.
    ///
    /// ## Fires
    /// ```yaml past 2025-03-01
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta, labels: { cleanup.kyverno.io/ttl: "2025-06-30" } }
    /// ```
    /// ```yaml past 2025-06-01
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta, labels: { cleanup.kyverno.io/ttl: "2025-09-30" } }
    /// ```
    /// ```yaml past 2025-09-01
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta, labels: { cleanup.kyverno.io/ttl: "2025-12-31" } }
    /// ```
    /// ```yaml before
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta, labels: { cleanup.kyverno.io/ttl: "2025-12-31" } }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ```
    /// ```yaml after
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata:
    ///   name: tool
    ///   namespace: delta
    ///   labels:
    ///     cleanup.kyverno.io/ttl: "2026-03-31" # <-
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml past 2025-09-01
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta, labels: { cleanup.kyverno.io/ttl: "2025-12-31" } }
    /// ```
    /// ```yaml before
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta, labels: { cleanup.kyverno.io/ttl: "2025-12-31" } }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ```
    /// ```yaml after
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta, labels: { cleanup.kyverno.io/ttl: "2026-03-31" } }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool] } }] }
    /// ```
    ///
    /// ## Fix
    /// Mend the workload, change the policy, or take the end away and say why the exception is for good.
    ///
    /// ## Options
    /// - `max`: how many renewals are fine.
    GOV008, "renewals", Warning, check, Options
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { max: 2 }
    }
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    let Some(change) = &context.change else { return };
    let keys = out.options_of::<required::Options>(&required::EXC027).keys;
    for item in &context.exceptions {
        let same = |it: &&Item<'_>| it.key == item.key && it.is_cel() == item.is_cel();
        let Some(before) = change.base.exceptions.iter().find(same) else { continue };
        let (Some((now, node)), Some((was, _))) = (expiry::find(item, &keys), expiry::find(before, &keys)) else {
            continue;
        };
        if !is_later(was, now) {
            continue;
        }
        // The newest first; whether the newest is the change itself depends on where the history was read.
        let mut ends = vec![now, was];
        for end in past::versions(context, item).iter().filter_map(|it| it.end(&keys)) {
            if ends.last() != Some(&end) && !(ends.len() == 2 && end == now) {
                ends.push(end);
            }
        }
        let n = ends.windows(2).filter(|pair| is_later(pair[1], pair[0])).count();
        if n > options.max {
            let message = format!("the exception is renewed for the {} time", ordinal(n));
            out.add(item, out.finding(item, node.span(), message).help("mend the workload, or change the policy"));
        }
    }
}

fn is_later(was: Expiry, is: Expiry) -> bool {
    match (was, is) {
        (Expiry::At(was), Expiry::At(is)) => is > was,
        (Expiry::After(was), Expiry::After(is)) => is > was,
        _ => false,
    }
}

fn ordinal(n: usize) -> String {
    let suffix = match (n % 10, n % 100) {
        (1, it) if it != 11 => "st",
        (2, it) if it != 12 => "nd",
        (3, it) if it != 13 => "rd",
        _ => "th",
    };
    format!("{n}{suffix}")
}
