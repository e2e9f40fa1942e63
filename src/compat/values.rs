//! `Values`: what a cluster would know, given by hand.
//!
//! In: a file of kind `Values`, the `values` of a suite, `--set`. Out: values by policy, resource and rule. Resource
//! values go over global ones, rule values over both.

use serde_json::Value as Json;

use super::{Notices, Weight, fields::Fields};
use crate::{
    document::Node,
    expr::{Arena, Value},
    policy::Operation,
};

/// Names with dots, and what they stand for.
pub(crate) type Pairs = Vec<(String, Json)>;

/// Values of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    /// For every policy and resource.
    pub globals: Pairs,
    /// For single policies.
    pub policies: Vec<PolicyValues>,
    /// Labels of namespaces.
    namespace_labels: Vec<(String, Json)>,
    /// Whole namespaces; they go over `namespace_labels`.
    namespaces: Vec<(String, Json)>,
    /// Kinds that are subresources of others.
    pub subresources: Vec<Subresource>,
}

/// Values for one policy.
#[derive(Clone, Debug, Default)]
pub(crate) struct PolicyValues {
    /// The policy's name.
    pub name: String,
    /// By the name of a resource.
    pub resources: Vec<(String, Pairs)>,
    /// By rule.
    pub rules: Vec<RuleSpec>,
}

/// Values for one rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuleSpec {
    /// The rule's name.
    pub name: String,
    /// Its values.
    pub values: Pairs,
    /// Values for the elements of a foreach: lists by name.
    pub foreach: Pairs,
}

/// A kind that is the subresource of another one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subresource {
    /// API group, version and kind of the object as it is written.
    pub own: [String; 3],
    /// API group, version and kind of the parent.
    pub parent: [String; 3],
    /// `scale` of `deployments/scale`.
    pub name: String,
}

impl Values {
    /// Reads a document of kind `Values`.
    pub(crate) fn read(root: Node<'_>, notices: &Notices) -> Self {
        let known = [
            "apiVersion",
            "kind",
            "metadata",
            "globalValues",
            "policies",
            "namespaceSelector",
            "namespaces",
            "subresources",
        ];
        if root.get("apiVersion").is_none() || root.get("kind").is_none() {
            let text = "values without `apiVersion: cli.kyverno.io/v1alpha1` and `kind: Values`; Kyverno refuses them";
            notices.at(Weight::Warning, root.file(), root.span(), text);
        }
        Fields::read(root, "values", &known, notices).map(|fields| Self::decode(fields, notices)).unwrap_or_default()
    }

    /// Reads the `values` of a suite.
    pub(super) fn inline(node: Node<'_>, notices: &Notices) -> Self {
        let known = ["globalValues", "policies", "namespaceSelector", "namespaces", "subresources"];
        Fields::read(node, "values", &known, notices).map(|fields| Self::decode(fields, notices)).unwrap_or_default()
    }

    fn decode(fields: Fields<'_, '_>, notices: &Notices) -> Self {
        let policy = |node| {
            let fields = Fields::read(node, "a policy of values", &["name", "resources", "rules"], notices)?;
            let resource = |node| {
                let fields = Fields::read(node, "a resource of values", &["name", "values"], notices)?;
                Some((fields.string("name").to_owned(), pairs(fields, "values")))
            };
            let rule = |node| {
                let fields = Fields::read(node, "a rule of values", &["name", "values", "foreachValues"], notices)?;
                let name = fields.string("name").to_owned();
                Some(RuleSpec { name, values: pairs(fields, "values"), foreach: pairs(fields, "foreachValues") })
            };
            Some(PolicyValues {
                name: fields.string("name").to_owned(),
                resources: fields.list("resources").filter_map(resource).collect(),
                rules: fields.list("rules").filter_map(rule).collect(),
            })
        };
        let labels = |node| {
            let fields = Fields::read(node, "a namespaceSelector of values", &["name", "labels"], notices)?;
            let labels = fields.get("labels").map_or(Json::Null, |node| Value::from(node).to_serde());
            Some((fields.string("name").to_owned(), labels))
        };
        let namespace =
            |node: Node<'_>| Some((node.str_at(&["metadata", "name"])?.to_owned(), Value::from(node).to_serde()));
        Self {
            globals: pairs(fields, "globalValues"),
            policies: fields.list("policies").filter_map(policy).collect(),
            namespace_labels: fields.list("namespaceSelector").filter_map(labels).collect(),
            namespaces: fields.list("namespaces").filter_map(namespace).collect(),
            subresources: fields.list("subresources").filter_map(|node| subresource(node, notices)).collect(),
        }
    }

    /// Adds what `--set` gives: `key=value`, several separated by commas.
    pub(crate) fn set(&mut self, text: &str, notices: &Notices) {
        for pair in text.split(',') {
            match pair.split_once('=') {
                Some((key, value)) if !key.trim().is_empty() && !value.trim().is_empty() => {
                    self.globals.push((key.trim().to_owned(), Json::from(value.trim())));
                }
                _ => notices.say(Weight::Warning, "", format!("`--set {pair}` is no `key=value`, passed over")),
            }
        }
    }

    /// Says which operations are none.
    pub(crate) fn check(&self, notices: &Notices) {
        let of_resources = self.policies.iter().flat_map(|it| &it.resources).flat_map(|(_, values)| values);
        for (_, value) in self.globals.iter().chain(of_resources).filter(|(name, _)| name == OPERATION) {
            if value.as_str().and_then(Operation::parse).is_none() {
                let text = format!("invalid {OPERATION} value {value}, must be one of CREATE, UPDATE, DELETE, CONNECT");
                notices.say(Weight::Error, "", text);
            }
        }
    }

    /// The values for a policy.
    pub(crate) fn policy(&self, name: &str, key: &str) -> Option<&PolicyValues> {
        self.policies.iter().find(|it| it.name == name || it.name == key)
    }

    /// The labels of a namespace, if the values know it.
    pub(crate) fn namespace_labels<'v>(&self, namespace: &str, arena: &'v Arena) -> Option<Value<'v>> {
        let integers = crate::document::Integers::Floats;
        let whole = self.namespaces.iter().find(|(name, _)| name == namespace);
        if let Some((_, object)) = whole {
            let labels = object.pointer("/metadata/labels").unwrap_or(&Json::Null);
            return Some(Value::from_json(arena, labels, integers));
        }
        let (_, labels) = self.namespace_labels.iter().find(|(name, _)| name == namespace)?;
        Some(Value::from_json(arena, labels, integers))
    }
}

impl PolicyValues {
    /// The values for a resource.
    pub(crate) fn resource(&self, name: &str) -> &[(String, Json)] {
        self.resources.iter().find(|(known, _)| known == name).map_or(&[], |(_, values)| values)
    }
}

/// The operation that values ask for; the last one counts.
pub(crate) fn operation<'p>(values: impl Iterator<Item = (&'p str, &'p Json)>) -> Option<Operation> {
    let (_, value) = values.filter(|(name, _)| *name == OPERATION).last()?;
    Operation::parse(value.as_str()?)
}

const OPERATION: &str = "request.operation";

fn pairs(fields: Fields<'_, '_>, key: &'static str) -> Pairs {
    fields.entries(key).map(|(name, node)| (name.to_owned(), Value::from(node).to_serde())).collect()
}

fn subresource(node: Node<'_>, notices: &Notices) -> Option<Subresource> {
    let known = ["name", "kind", "group", "version", "namespaced", "singularName", "verbs", "categories", "shortNames"];
    let fields = Fields::read(node, "a subresource of values", &["subresource", "parentResource"], notices)?;
    let own = Fields::read(fields.get("subresource")?, "subresource", &known, notices)?;
    let parent = Fields::read(fields.get("parentResource")?, "parentResource", &known, notices)?;
    let gvk = |fields: Fields<'_, '_>| ["group", "version", "kind"].map(|key| fields.string(key).to_owned());
    let name = own.string("name").split_once('/').map_or("", |(_, name)| name).to_owned();
    Some(Subresource { own: gvk(own), parent: gvk(parent), name })
}
