//! Owner, reason, ticket.

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::{Context, Out, metadata};

rule! {
    /// Exceptions say who owns them, and why they are there.
    ///
    /// ## Why
    /// The reason is gone with whoever wrote it, and an exception without an owner is never removed. `kyverno.io` has no
    /// fields for them, so that annotations (or labels) stand in; `policies.kyverno.io` has `spec.properties`.
    ///
    /// ## Fires
    /// ```yaml
    /// governance: { rules: { EXC029: { required: [{ key: "*/owner" }, { key: "*/ticket", pattern: "^OPS-[0-9]+$" }] } } }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata:
    ///   name: tool # <-
    ///   namespace: delta
    ///   annotations:
    ///     example.com/ticket: see chat # <-
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ```
    ///
    /// What stands in `<>`, as `admit exceptions generate` writes it, waits to be filled in, and is an error whatever the
    /// rest weighs.
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata:
    ///   name: tool
    ///   namespace: delta
    ///   annotations:
    ///     example.com/owner: team-delta
    ///     example.com/reason: <reason> # <-
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata:
    ///   name: tool
    ///   namespace: delta
    ///   annotations: { example.com/owner: team-delta, example.com/reason: reads the process table }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ```
    ///
    /// ## Fix
    /// Add the annotations.
    /// `admit lint --fix` writes their keys, for you to fill in.
    ///
    /// ## Options
    /// - `required`: the keys, each with an optional `pattern` (a regular expression) for its value. `*/owner` is `owner`
    ///   with any prefix or none.
    EXC029, "metadata", Warning, check, Options
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Options {
    pub(super) required: Vec<Required>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Required {
    pub(super) key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pattern: Option<Pattern>,
}

/// A regular expression that was read with the options.
#[derive(Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
struct Pattern(Regex);

impl Clone for Pattern {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl TryFrom<String> for Pattern {
    type Error = regex::Error;

    fn try_from(text: String) -> Result<Self, regex::Error> {
        Regex::new(&text).map(Self)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0.as_str().to_owned()
    }
}

impl Default for Options {
    fn default() -> Self {
        let key = |key: &str| Required { key: key.to_owned(), pattern: None };
        Self { required: vec![key("*/owner"), key("*/reason")] }
    }
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    for item in &context.exceptions {
        let (found, missing): (Vec<_>, Vec<_>) = options
            .required
            .iter()
            .filter(|required| metadata::waiting(item, &required.key).is_none())
            .map(|required| (required, metadata::find(item, &required.key)))
            .partition(|(_, node)| node.is_some());
        if !missing.is_empty() {
            let bare = |key: &str| key.trim_start_matches("*/").to_owned();
            let names: Vec<String> = missing.iter().map(|(it, _)| format!("`{}`", bare(&it.key))).collect();
            let message = format!("the exception doesn't say its {}", names.join(", "));
            let finding = out.finding(item, item.name_span(), message);
            let example: Vec<String> =
                missing.iter().map(|(it, _)| it.key.replace("*/", "exceptions.policy/")).collect();
            // What is there and empty waits for somebody to fill it in.
            let keys: Vec<&str> = example.iter().map(String::as_str).filter(|it| !metadata::is_there(item, it)).collect();
            let finding = finding.fix(metadata::skeleton(item, &keys));
            out.add(item, finding.help(format!("add annotations such as `{}`", example.join("`, `"))));
        }
        for required in &options.required {
            let Some(node) = metadata::waiting(item, &required.key) else { continue };
            let finding = out.finding(item, node.span(), format!("`{}` waits to be filled in", node.key()));
            out.add(item, out.raise(finding).help("write what is asked for, without the brackets"));
        }
        for (required, node) in found {
            let (Some(pattern), Some(node)) = (&required.pattern, node) else { continue };
            let text = node.as_str().map_or_else(|| format!("{node:?}"), str::to_owned);
            if !pattern.0.is_match(&text) {
                let message = format!("`{}` doesn't match `{}`", node.key(), pattern.0.as_str());
                out.add(item, out.finding(item, node.span(), message));
            }
        }
    }
}
