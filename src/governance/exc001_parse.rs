//! Exceptions that a cluster refuses.

use super::{Context, Out};
use crate::finding::Place;

rule! {
    /// An exception that a cluster refuses exempts nothing.
    ///
    /// ## Why
    /// An unknown field, a missing one, a version that is not served: the API server or Kyverno's webhook turns the
    /// exception away, and whatever it was meant to cover stays blocked. Kyverno's own command line stops at the first
    /// such file; here the exception is left out and everything else is judged.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool], namespaces: [delta] } }] }
    ///   exclude: { any: [{ resources: { names: [tool-2] } }] } # <-
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool], namespaces: [delta] } }] }
    /// ```
    ///
    /// ## Fix
    /// Change the line that is named; the nearest field or value is suggested.
    EXC001, "parse", Error, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    for item in &context.exceptions {
        for error in item.refused.iter().filter(|error| !error.problem.is_indeterminate()) {
            let finding = out.finding_at(Place::new(&error.file, error.at), error.problem.to_string());
            let finding = match error.problem.help() {
                Some(help) => finding.help(help),
                None => finding,
            };
            out.add(item, finding);
        }
    }
}
