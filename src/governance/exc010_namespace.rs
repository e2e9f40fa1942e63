//! Where exceptions may live.

use serde::{Deserialize, Serialize};

use super::{Context, Item, Out, context::listed};
use crate::{
    document::edit::{self, Text},
    k8s::wildcard,
};

rule! {
    /// Exceptions belong in the namespaces set aside for them.
    ///
    /// ## Why
    /// Whoever may write to any namespace could otherwise waive any policy. A cluster limits exceptions to one namespace
    /// (`exceptionNamespace`), but only warns. An exception without a namespace lands in whichever the tool that applies
    /// it thinks of.
    ///
    /// The same is told of an exception that does not count at all: where `exceptions` of `admit.yaml`, or a flag, switches
    /// exceptions off (`enabled: false`) or limits them to `namespaces` and `directories`.
    ///
    /// ## Fires
    /// ```yaml
    /// governance: { rules: { EXC010: { namespaces: [exceptions-*] } } }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata:
    ///   name: tool
    ///   namespace: delta # <-
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: # <-
    ///   name: tool
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// governance: { rules: { EXC010: { namespaces: [exceptions-*] } } }
    /// ---
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: exceptions-delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], names: [tool] } }] }
    /// ```
    ///
    /// ## Fix
    /// Move the exception, or add the namespace to the option.
    /// Where the option names one namespace, `admit lint --fix` writes it.
    ///
    /// ## Options
    /// - `namespaces`: where exceptions may be, with wildcards.
    /// - `requireExplicit`: whether `metadata.namespace` must be written at all.
    EXC010, "namespace", Error, check, Options
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Options {
    pub(super) namespaces: Vec<String>,
    require_explicit: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { namespaces: vec!["*".to_owned()], require_explicit: true }
    }
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let options: Options = out.options();
    let literal = match options.namespaces.as_slice() {
        [one] if !wildcard::is_wildcard(one) => Some(one.as_str()),
        _ => None,
    };
    let set = |item: &Item<'_>| {
        let metadata = item.node.get("metadata")?;
        edit::set(metadata, "namespace", &Text::String(literal?), Some("name"))
    };
    let allowed = listed(options.namespaces.iter().map(String::as_str));
    for item in &context.exceptions {
        if let Some(why) = context.why_not(item) {
            let finding = out.finding(item, item.span(&["metadata", "namespace"]), format!("it exempts nothing: {why}"));
            out.add(item, finding.label("does not count").help("move it, or change `exceptions` of admit.yaml"));
            continue;
        }
        let at = item.span(&["metadata", "namespace"]);
        if item.namespace.is_empty() {
            if options.require_explicit {
                let finding = out.finding(item, at, "the exception doesn't say in which namespace it lives");
                out.add(item, finding.help("write `metadata.namespace`").fix([set(item)]));
            }
        } else if !options.namespaces.iter().any(|it| wildcard::matches(it, item.namespace)) {
            let finding = out.finding(item, at, "the exception lives outside of the namespaces for exceptions");
            let finding = finding.label("not set aside for exceptions").help(format!("move it to {allowed}"));
            out.add(item, finding.fix([set(item)]));
        }
    }
}
