//! Entries of `context`: names that are free, and what each kind of entry needs.

use super::{Draft, foreach, given};
use crate::{document::Node, expr::jmespath::Expression, k8s::image_ref};

/// Names that are always taken, also with a `.` behind them.
const TAKEN: [&str; 6] =
    ["images", "request", "serviceAccountName", "serviceAccountNamespace", "element", "elementIndex"];

pub(super) fn check(draft: &Draft<'_>, rule: Node<'_>) {
    for entry in entries(rule) {
        name(draft, entry);
        if let Some(node) = given(entry, "variable") {
            variable(draft, node);
        }
        if let Some(node) = given(entry, "configMap") {
            config_map(draft, node);
        }
        if let Some(node) = given(entry, "apiCall") {
            api_call(draft, node);
        }
        if let Some(node) = given(entry, "imageRegistry") {
            image_registry(draft, node);
        }
        if let Some(node) = given(entry, "globalReference") {
            required(draft, node, "name", "a name is required for globalReference context entry");
            jmes_path(draft, node);
        }
    }
}

/// Every entry in a rule, of the rule itself, of `foreach` and of targets.
fn entries(rule: Node<'_>) -> Vec<Node<'_>> {
    let mut holders = vec![rule];
    for body in ["validate", "mutate", "generate"].into_iter().filter_map(|key| given(rule, key)) {
        foreach::collect(body, &mut holders);
    }
    holders.extend(rule.at(&["mutate", "targets"]).into_iter().flat_map(Node::items));
    holders.into_iter().filter_map(|holder| holder.get("context")).flat_map(Node::items).collect()
}

fn name(draft: &Draft<'_>, entry: Node<'_>) {
    let Some(node) = entry.get("name") else { return };
    let text = node.as_str().unwrap_or_default();
    let taken = |name: &&str| text == *name || text.strip_prefix(*name).is_some_and(|rest| rest.starts_with('.'));
    if text.is_empty() {
        draft.refuse(node, "a name is required for context entries", "give the entry a name");
    } else if let Some(name) = TAKEN.iter().find(|it| taken(it)) {
        let message = format!("entry name {text} is invalid as it conflicts with a pre-defined variable {name}");
        draft.refuse(node, message, "choose another name");
    }
}

fn variable(draft: &Draft<'_>, node: Node<'_>) {
    let jmes_path_text = node.str_at(&["jmesPath"]).unwrap_or_default();
    if given(node, "value").is_none() && jmes_path_text.is_empty() {
        let message = "a variable must define a value or a jmesPath expression";
        draft.refuse_key(node, message, "add `value` or `jmesPath`");
    } else if let Some(default) = given(node, "default").filter(|_| jmes_path_text.is_empty()) {
        let message = "a variable with a default must define a jmesPath expression";
        draft.refuse_key(default, message, "write the default as `value`");
    }
    jmes_path(draft, node);
}

fn config_map(draft: &Draft<'_>, node: Node<'_>) {
    required(draft, node, "name", "a name is required for configMap context entry");
    required(draft, node, "namespace", "a namespace is required for configMap context entry");
    let own = &draft.policy.head.namespace;
    let literal = given(node, "namespace").filter(|it| it.as_str().is_some_and(|text| !text.contains("{{")));
    if let Some(namespace) = literal
        && draft.is_namespaced()
        && !own.is_empty()
        && namespace.as_str() != Some(own)
    {
        let message = format!("a namespaced policy can only read ConfigMaps of its own namespace, `{own}`");
        draft.refuse(namespace, message, "use a ClusterPolicy to read others");
    }
}

fn api_call(draft: &Draft<'_>, node: Node<'_>) {
    let url_path = given(node, "urlPath").filter(|it| it.as_str().is_some_and(|text| !text.is_empty()));
    match (url_path, given(node, "service")) {
        (None, None) => {
            let message = "an apiCall must define either urlPath or service";
            draft.refuse_key(node, message, "add one of them");
        }
        (Some(_), Some(service)) => {
            let message = "urlPath cannot be used together with service";
            draft.refuse_key(service, message, "remove one of them");
        }
        _ => {}
    }
    jmes_path(draft, node);
}

fn image_registry(draft: &Draft<'_>, node: Node<'_>) {
    required(draft, node, "reference", "a ref is required for imageRegistry context entry");
    if let Some(reference) = given(node, "reference")
        && let Some(text) = reference.as_str().filter(|text| !text.is_empty() && !text.contains("{{"))
        && let Err(error) = image_ref::parse(text)
    {
        draft.refuse(reference, format!("bad image reference: {error}"), "write an image as a container names it");
    }
    jmes_path(draft, node);
}

fn required(draft: &Draft<'_>, node: Node<'_>, key: &str, message: &str) {
    if given(node, key).is_none_or(|it| it.as_str() == Some("")) {
        draft.refuse_key(node, message, format!("add `{key}`"));
    }
}

/// Kyverno: an expression with variables in it is not looked at before it is known.
fn jmes_path(draft: &Draft<'_>, node: Node<'_>) {
    if let Some(path) = given(node, "jmesPath")
        && let Some(text) = path.as_str().filter(|text| !text.is_empty() && !text.contains("{{"))
        && let Err(error) = Expression::parse(text)
    {
        let message = format!("failed to parse JMESPath {text}: {error}");
        draft.refuse(path, message, "try it with `admit jp`");
    }
}
