//! Exceptions that cover more than before.

use super::{
    Context, Item, Out, cover, exc027_expiry_required as required,
    expiry::{self, Expiry},
};
use crate::{
    document::Node,
    k8s::wildcard::Wildcard,
    policy::exception::Exception,
};

rule! {
    /// An exception that is widened is looked at as a new one.
    ///
    /// ## Why
    /// One more name in a list is one more workload that may break the rule, and easily overlooked.
    ///
    /// ## Fires
    /// ```yaml before
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta, labels: { cleanup.kyverno.io/ttl: "2026-01-31" } }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool-a, tool-b] } }] }
    /// ```
    /// ```yaml after
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata:
    ///   name: tool
    ///   namespace: delta
    ///   labels:
    ///     cleanup.kyverno.io/ttl: "2026-12-31" # <-
    /// spec:
    ///   exceptions:
    ///     - policyName: host-ns
    ///       ruleNames:
    ///         - no-host-ns
    ///         - autogen-no-host-ns # <-
    ///   match:
    ///     any:
    ///       - resources:
    ///           kinds: [Pod]
    ///           namespaces: [delta]
    ///           names:
    ///             - tool-a
    ///             - tool-b
    ///             - tool-* # <-
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml before
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta, labels: { cleanup.kyverno.io/ttl: "2026-03-31" } }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool-*] } }] }
    /// ```
    /// ```yaml after
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta, labels: { cleanup.kyverno.io/ttl: "2026-01-31" } }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod], namespaces: [delta], names: [tool-a] } }] }
    /// ```
    ///
    /// ## Fix
    /// Have it looked at; or write a second exception for what is new.
    GOV007, "exception-widened", Warning, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let Some(change) = &context.change else { return };
    let keys = out.options_of::<required::Options>(&required::EXC027).keys;
    for item in &context.exceptions {
        let Some(before) = change.base.exceptions.iter().find(|it| it.key == item.key && it.is_cel() == item.is_cel())
        else {
            continue;
        };
        let end = |item: &Item<'_>| expiry::find(item, &keys).map(|(end, _)| end);
        match (end(before), expiry::find(item, &keys)) {
            (Some(Expiry::At(was)), Some((Expiry::At(is), node))) if is > was => {
                let days = expiry::days_between(was, is);
                out.add(item, out.finding(item, node.span(), format!("the exception ends {days} days later")));
            }
            (Some(Expiry::After(was)), Some((Expiry::After(is), node))) if is > was => {
                out.add(item, out.finding(item, node.span(), "the exception ends later"));
            }
            (Some(_), None) => {
                out.add(item, out.finding(item, item.name_span(), "the exception no longer ends"));
            }
            (Some(Expiry::At(_)), Some((Expiry::After(_), node))) | (Some(Expiry::After(_)), Some((Expiry::At(_), node))) => {
                out.add(item, out.finding(item, node.span(), "the exception says its end in another way"));
            }
            _ => {}
        }
        if item.is_cel() {
            widened_cel(item, before, out);
        }
        let (Some(was), Some(is)) = (&before.classic, &item.classic) else { continue };
        for reference in &is.references {
            for (pattern, at) in &reference.rules {
                if !names(was, &reference.policy, pattern) {
                    let message = format!("`{}` of `{}` is waived, too", pattern.as_str(), reference.policy);
                    out.add(item, out.finding(item, *at, message));
                }
            }
        }
        let n_told = out.len();
        for field in ["names", "name", "namespaces", "kinds"] {
            widened_field(item, before, field, out);
        }
        if out.len() == n_told && !cover::block(&was.matching, &is.matching) {
            out.add(item, out.finding(item, item.span(&["spec", "match"]), "the exception matches more than before"));
        }
        let path = &["spec", "conditions"];
        match (before.node.at(path), item.node.at(path)) {
            (Some(_), None) => {
                out.add(item, out.finding(item, item.name_span(), "the exception has no conditions any more"));
            }
            (was, is) if !cover::conditions(was, is) => {
                let message = "the conditions of the exception hold for more than before";
                out.add(item, out.finding(item, item.span(&["spec", "conditions"]), message));
            }
            _ => {}
        }
        if is.pod_security.is_empty() && !was.pod_security.is_empty() {
            out.add(item, out.finding(item, item.name_span(), "the exception is no longer limited to some controls"));
        }
        let was_controls: Vec<&str> = was.pod_security.iter().map(|it| it.control.name()).collect();
        let entries = |item: &Item<'_>| -> Vec<String> {
            let list = item.node.at(&["spec", "podSecurity"]).into_iter().flat_map(Node::items);
            list.map(|it| cover::json(it, &[])).collect()
        };
        let (known, count) = (entries(before), was_controls.len());
        for (exclusion, text) in is.pod_security.iter().zip(entries(item)).filter(|_| count > 0) {
            if was_controls.contains(&exclusion.control.name()) && !known.contains(&text) {
                let message = format!("control `{}` is waived for something else than before", exclusion.control.name());
                out.add(item, out.finding(item, exclusion.span, message));
            }
        }
        for exclusion in is.pod_security.iter().filter(|_| !was.pod_security.is_empty()) {
            if !was_controls.contains(&exclusion.control.name()) {
                let message = format!("control `{}` is waived, too", exclusion.control.name());
                out.add(item, out.finding(item, exclusion.span, message));
            }
        }
    }
}

/// What an exception of `policies.kyverno.io` waives beyond what it did.
fn widened_cel(item: &Item<'_>, before: &Item<'_>, out: &mut Out<'_>) {
    let list = |item: &Item<'_>, field: &str, without: &[&str]| -> Vec<String> {
        let list = item.node.at(&["spec", field]).into_iter().flat_map(Node::items);
        list.map(|it| cover::json(it, without)).collect()
    };
    let say = |out: &mut Out<'_>, field: &str, message: &str| {
        out.add(item, out.finding(item, item.span(&["spec", field]), message));
    };
    let (was, is) = (list(before, "matchConditions", &["name"]), list(item, "matchConditions", &["name"]));
    if was.iter().any(|it| !is.contains(it)) {
        say(out, "matchConditions", "the exception asks for less than before, or for something else");
    }
    let (was, is) = (list(before, "policyRefs", &[]), list(item, "policyRefs", &[]));
    if is.iter().any(|it| !was.contains(it)) {
        say(out, "policyRefs", "the exception waives another policy, too");
    }
    for field in ["images", "allowedValues"] {
        let (was, is) = (list(before, field, &[]), list(item, field, &[]));
        if is.iter().any(|it| !was.contains(it)) || (is.is_empty() && !was.is_empty()) {
            say(out, field, "the exception lets more through than before");
        }
    }
}

/// Whether an exception named a rule, or a pattern at least as wide.
fn names(exception: &Exception, policy: &str, pattern: &Wildcard) -> bool {
    let mut references = exception.references.iter().filter(|it| it.policy == policy).flat_map(|it| &it.rules);
    references.any(|(was, _)| cover::text(was, pattern))
}

/// Entries of a field that nothing in the exception covered before.
fn widened_field(item: &Item<'_>, before: &Item<'_>, field: &str, out: &mut Out<'_>) {
    let of = |filter: Node<'_>| -> Vec<String> {
        let fields: &[&str] = if field.starts_with("name") && field != "namespaces" { &["name", "names"] } else { &[field] };
        let nodes = fields.iter().filter_map(|field| filter.at(&["resources", field]));
        nodes
            .flat_map(|node| if node.is_list() { node.items().collect::<Vec<_>>() } else { vec![node] })
            .filter_map(|node| node.as_str().map(str::to_owned))
            .collect()
    };
    let filters_before = before.filters();
    // A filter that asked for nothing in this field covered everything.
    if filters_before.iter().any(|(_, node)| of(*node).is_empty()) {
        return;
    }
    let was: Vec<Wildcard> =
        filters_before.iter().flat_map(|(_, node)| of(*node)).map(|text| Wildcard::new(&text)).collect();
    for (_, filter) in item.filters() {
        if of(filter).is_empty() && field != "name" {
            let message = format!("`{field}` is no longer limited");
            out.add(item, out.finding(item, Item::field(filter, field), message));
        }
        let node = filter.at(&["resources", field]);
        let entries = node.into_iter().flat_map(|node| {
            if node.is_list() { node.items().collect::<Vec<_>>() } else { vec![node] }
        });
        for entry in entries {
            let text = entry.as_str().unwrap_or_default();
            if !was.iter().any(|it| cover::text(it, &Wildcard::new(text))) {
                out.add(item, out.finding(item, entry.span(), format!("`{text}` is exempted, too")));
            }
        }
    }
}
