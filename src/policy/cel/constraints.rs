//! `matchConstraints` and `matchResources`: which requests a policy or a binding is about.
//!
//! In: the node of the block. Out: its rules and selectors, compiled. Which kinds a rule covers is decided here, so that
//! policies can be indexed; the rest, which takes a request, is the engine's.

use super::refuse;
use crate::{
    document::Node,
    k8s::{label_selector::LabelSelector, scope::Scope},
    policy::{
        Operation,
        error::Problem,
        fields::{Fields, Problems},
    },
    span::Span,
};

/// `matchConstraints` of a policy, or `matchResources` of a binding.
#[derive(Clone, Debug, Default)]
pub(crate) struct Constraints {
    /// `resourceRules`, one of which must hold.
    pub rules: Vec<ResourceRule>,
    /// `excludeResourceRules`, none of which may hold.
    pub excludes: Vec<ResourceRule>,
    /// Labels of the namespace.
    pub namespace_selector: Option<LabelSelector>,
    /// Labels of the object, before or after the operation.
    pub object_selector: Option<LabelSelector>,
    /// `matchPolicy: Exact`: kinds in another version than a rule names are others.
    pub exact: bool,
    /// Where the block stands, or the name of the policy that lacks one.
    pub span: Span,
}

/// One entry of `resourceRules` or `excludeResourceRules`: everything in it must hold.
#[derive(Clone, Debug)]
pub(crate) struct ResourceRule {
    /// `apiGroups`: exact, or `*`.
    pub groups: Vec<String>,
    /// `apiVersions`: exact, or `*`.
    pub versions: Vec<String>,
    /// `resources`: plurals, `*`, `pods/status`, `pods/*`, `*/scale`.
    pub resources: Vec<String>,
    /// `operations`; without any the rule matches nothing.
    pub operations: Vec<Operation>,
    /// `scope`; `None` for `*`.
    pub scope: Option<Scope>,
    /// `resourceNames`; without any every name counts.
    pub names: Vec<String>,
    /// Where the entry stands.
    pub span: Span,
}

/// A kind as resource rules see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResourceType<'r> {
    /// The API group; empty for the core group.
    pub group: &'r str,
    /// The version.
    pub version: &'r str,
    /// The plural in lower case.
    pub plural: &'r str,
    /// The subresource; empty for the object itself.
    pub subresource: &'r str,
}

impl Constraints {
    /// Whether some rule covers a kind in another version, which a cluster may convert.
    pub(crate) fn cover_converted(&self, resource: ResourceType<'_>) -> bool {
        !self.exact && self.rules.iter().any(|rule| rule.covers_but_version(resource))
    }

    /// Whether some rule covers a kind, whatever else is asked.
    pub(crate) fn cover(&self, resource: ResourceType<'_>) -> bool {
        self.rules.iter().any(|rule| rule.covers(resource))
    }
}

impl ResourceRule {
    /// Whether the rule is about a kind. Group and version count as written: nothing is converted.
    pub(crate) fn covers(&self, resource: ResourceType<'_>) -> bool {
        has(&self.versions, resource.version) && self.covers_any_version(resource)
    }

    /// Whether the rule is about a kind, but in another version.
    pub(crate) fn covers_but_version(&self, resource: ResourceType<'_>) -> bool {
        !has(&self.versions, resource.version) && self.covers_any_version(resource)
    }

    /// Whether the rule is about kinds of a group.
    pub(crate) fn covers_group(&self, group: &str) -> bool {
        has(&self.groups, group)
    }

    fn covers_any_version(&self, resource: ResourceType<'_>) -> bool {
        has(&self.groups, resource.group)
            && self.resources.iter().any(|it| names_resource(it, resource.plural, resource.subresource))
    }
}

fn has(list: &[String], text: &str) -> bool {
    list.iter().any(|it| it == "*" || it == text)
}

/// Whether an entry of `resources` names a resource.
fn names_resource(entry: &str, plural: &str, subresource: &str) -> bool {
    let (resource, sub) = entry.split_once('/').unwrap_or((entry, ""));
    // `*` alone stands for every resource and none of their subresources, `pods/*` for Pods and all their subresources.
    (resource == "*" || resource == plural) && (sub == "*" || sub == subresource)
}

/// Decodes a block; `None` for one that is missing.
pub(crate) fn decode(node: Option<Node<'_>>, problems: &Problems) -> Option<Constraints> {
    let fields = Fields::read(node?, "matchConstraints", problems)?;
    let selector = |key| fields.get(key).map(|node| selector(node, problems));
    Some(Constraints {
        rules: fields.list("resourceRules").filter_map(|node| rule(node, problems)).collect(),
        excludes: fields.list("excludeResourceRules").filter_map(|node| rule(node, problems)).collect(),
        namespace_selector: selector("namespaceSelector"),
        object_selector: selector("objectSelector"),
        exact: fields.string("matchPolicy") == Some("Exact"),
        span: fields.node().key_span(),
    })
}

fn rule(node: Node<'_>, problems: &Problems) -> Option<ResourceRule> {
    let fields = Fields::read(node, "a resource rule", problems)?;
    let texts = |key| fields.strings(key).into_iter().map(|(text, _)| text.to_owned()).collect();
    let mut operations = Vec::new();
    for (text, node) in fields.strings("operations") {
        match (text, Operation::parse(text)) {
            ("*", _) => operations.extend(Operation::ALL),
            (_, Some(operation)) => operations.push(operation),
            (_, None) => {
                let help = "write CREATE, UPDATE, DELETE, CONNECT or *";
                problems.at(node, Problem::invalid_with(format!("`{text}` is no operation"), help));
            }
        }
    }
    Some(ResourceRule {
        groups: texts("apiGroups"),
        versions: texts("apiVersions"),
        resources: texts("resources"),
        operations,
        scope: match fields.string("scope") {
            Some("Cluster") => Some(Scope::Cluster),
            Some("Namespaced") => Some(Scope::Namespaced),
            _ => None,
        },
        names: texts("resourceNames"),
        span: node.span(),
    })
}

/// A label selector as Kubernetes has it, without wildcards.
pub(super) fn selector(node: Node<'_>, problems: &Problems) -> LabelSelector {
    let mut selector = LabelSelector::new();
    let Some(fields) = Fields::read(node, "a label selector", problems) else { return selector };
    let mut add = |key: &str, operator: &str, values: &[&str], at: Node<'_>| {
        if let Err(error) = selector.match_expression(key, operator, values.iter().copied()) {
            problems.at(at, Problem::invalid(format!("selector: Invalid value: {error}")));
        }
    };
    for (key, value) in fields.pairs("matchLabels") {
        add(key, "In", &[value], node);
    }
    for item in fields.list("matchExpressions") {
        let text = |key| item.str_at(&[key]).unwrap_or_default();
        let values: Vec<&str> = item.get("values").into_iter().flat_map(Node::items).filter_map(Node::as_str).collect();
        add(text("key"), text("operator"), &values, item);
    }
    selector
}

/// Refuses constraints that ask for nothing.
pub(super) fn check(spec: Node<'_>, problems: &Problems) {
    // Policies on JSON and on requests of other servers match no resources.
    let mode = spec.str_at(&["evaluation", "mode"]).unwrap_or("Kubernetes");
    let rules = spec.at(&["matchConstraints", "resourceRules"]);
    if mode == "Kubernetes" && rules.is_none_or(|rules| rules.len() == 0) {
        let message = "a matchConstraints with at least one resource rule is required";
        let at = spec.get("matchConstraints").filter(|it| it.is_map()).unwrap_or(spec);
        refuse(
            rules.unwrap_or(at),
            problems,
            message,
            "add `resourceRules` with groups, versions, operations and resources",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_resources_name_subresources_after_a_slash() {
        for (entry, subresource, expected) in [
            ("pods", "", true),
            ("pods", "status", false),
            ("*", "", true),
            ("*", "status", false),
            ("*/*", "", true),
            ("*/*", "status", true),
            ("pods/*", "", true),
            ("pods/*", "exec", true),
            ("pods/exec", "exec", true),
            ("pods/exec", "", false),
            ("*/exec", "exec", true),
            ("services", "", false),
        ] {
            assert_eq!(names_resource(entry, "pods", subresource), expected, "{entry} {subresource}");
        }
    }
}
