//! Exceptions without an end.

use serde::{Deserialize, Serialize};

use super::{
    Context, Out,
    context::listed,
    expiry::{self, Expiry, TTL},
    metadata,
};
use crate::document::{
    Node,
    edit::{self, Edit, Text},
};

rule! {
    /// Exceptions end.
    ///
    /// ## Why
    /// What was meant for a month stays for years: nobody looks at an exception that bothers nobody. Kyverno has no field
    /// for an end in exceptions of `kyverno.io`; its cleanup deletes what carries the label `cleanup.kyverno.io/ttl`. As
    /// an annotation that key does nothing.
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
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata:
    ///   name: other
    ///   namespace: delta
    ///   labels:
    ///     cleanup.kyverno.io/ttl: next-year # <-
    ///   annotations:
    ///     cleanup.kyverno.io/ttl: 30d # <-
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [other] } }] }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta, labels: { cleanup.kyverno.io/ttl: "2026-03-31" } }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: other, namespace: delta, annotations: { example.com/expires: "2026-03-31" } }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [other] } }] }
    /// ```
    ///
    /// ## Fix
    /// Add the label: a date (`2026-03-31`), a time without colons (`2026-03-31T235959Z`) or a duration (`720h`, `30d`).
    /// `admit lint --fix` writes one: three months from now, or `max`.
    ///
    /// ## Options
    /// - `keys`: where an end may stand: `label:KEY`, `annotation:KEY`, or a path. `*/KEY` is any prefix.
    /// - `max`: the farthest end, as a duration from now (`90d`); empty for any.
    EXC027, "expiry-required", Warning, check, Options
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Options {
    pub(super) keys: Vec<String>,
    max: String,
}

impl Default for Options {
    fn default() -> Self {
        let keys = [
            "label:cleanup.kyverno.io/ttl",
            "annotation:*/expires",
            "annotation:*/expires-at",
            "annotation:*/review-date",
            "spec.expiresAt",
        ];
        Self { keys: keys.map(str::to_owned).into(), max: String::new() }
    }
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    let max = expiry::parse_duration(&options.max);
    for item in &context.exceptions {
        let annotation = item.node.at(&["metadata", "annotations", TTL]);
        if let Some(node) = annotation {
            let finding = out.finding(item, node.span(), format!("as an annotation `{TTL}` does nothing"));
            out.add(item, finding.help("make it a label"));
        }
        match expiry::find(item, &options.keys) {
            None if annotation.is_some() => {}
            None => {
                let finding = out.finding(item, item.name_span(), "the exception has no end");
                let keys = listed(options.keys.iter().map(String::as_str));
                let finding = finding.help(format!("add the label `{TTL}: YYYY-MM-DD`")).note(format!("looked for {keys}"));
                let is_looked_at = options.keys.iter().any(|it| it == &format!("label:{TTL}"));
                let date = if is_looked_at && !item.is_cel() { default_end(context.now, max) } else { None };
                out.add(item, finding.fix([date.and_then(|date| label(item, &date))]));
            }
            Some((Expiry::Unreadable, node)) if metadata::is_blank(node.as_str().unwrap_or_default()) => {
                let finding = out.finding(item, node.span(), format!("`{}` waits to be filled in", node.key()));
                out.add(item, out.raise(finding).help("write the day on which the exception ends, as `2026-03-31`"));
            }
            Some((Expiry::Unreadable, node)) => {
                let finding = out.finding(item, node.span(), "this is no time at which an exception could end");
                let forms = if node.key() == TTL { "`2026-03-31`, `2026-03-31T235959Z` or `720h`" } else { "`2026-03-31`" };
                out.add(item, finding.help(format!("write it as {forms}")));
            }
            Some((end, node)) => {
                let Some(max) = max else { continue };
                let length = match end {
                    Expiry::At(then) => then.duration_since(context.now),
                    Expiry::After(length) => length,
                    Expiry::Unreadable => continue,
                };
                if length > max {
                    let message = format!("the end is farther away than {}", options.max);
                    out.add(item, out.finding(item, node.span(), message));
                }
            }
        }
    }
}

/// The last day that is not too far away, or one in three months, as a date.
fn default_end(now: jiff::Timestamp, max: Option<jiff::SignedDuration>) -> Option<String> {
    const USUAL: jiff::SignedDuration = jiff::SignedDuration::from_hours(90 * 24);
    let end = now.checked_add(max.map_or(USUAL, |max| max.min(USUAL))).ok()?;
    Some(jiff::tz::TimeZone::UTC.to_datetime(end).date().to_string())
}

/// Writes the label that Kyverno's cleanup looks at.
fn label(item: &super::Item<'_>, date: &str) -> Option<Edit> {
    let metadata = item.node.get("metadata")?;
    match metadata.get("labels") {
        Some(labels) => edit::set(labels, TTL, &Text::String(date), None),
        None => edit::set(metadata, "labels", &Text::Map(vec![(TTL, date)]), Some("namespace")),
    }
}

/// The node of an end, for rules that point at it.
pub(super) fn end<'c>(item: &super::Item<'c>, keys: &[String]) -> Option<(Expiry, Node<'c>)> {
    expiry::find(item, keys)
}
