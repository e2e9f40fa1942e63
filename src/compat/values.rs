//! `Values`: what a cluster would know, given by hand.
//!
//! In: a file of kind `Values`, the `values` of a suite, `--set`. Out: values by policy, resource and rule. Resource
//! values go over global ones, rule values over both.

use serde_json::Value as Json;

use super::{Notices, Weight, fields::Fields};
use crate::{
    cluster::NamespaceLabels,
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
        let Some(fields) = Fields::read(root, "values", &known, notices) else { return Self::default() };
        fields.expect_header("Values");
        Self::decode(fields, notices)
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

    /// Adds what `--set` gives: `key=value`, several separated by commas; `Err` names what is no such pair.
    pub(crate) fn set(&mut self, text: &str, notices: &Notices) -> Result<(), String> {
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let named = pair.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
            let Some((key, value)) = named.filter(|(key, _)| !key.is_empty()) else {
                return Err(format!("`--set {pair}` is no `key=value`"));
            };
            // Kyverno: of two values for one name the first counts, an empty one never does, and the object itself is
            // not changed so.
            if key.contains("request.object.") || value.is_empty() || self.has_global(key) {
                notices.say(Weight::Warning, "", format!("`--set {pair}` has no effect"));
            } else {
                self.globals.push((key.to_owned(), Json::from(value)));
            }
        }
        Ok(())
    }

    fn has_global(&self, name: &str) -> bool {
        self.globals.iter().any(|(known, _)| known == name)
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

    /// A whole namespace, if the values know it.
    pub(crate) fn namespace<'v>(&self, name: &str, arena: &'v Arena) -> Option<Value<'v>> {
        let (_, object) = self.namespaces.iter().find(|(known, _)| known == name)?;
        Some(Value::from_json(arena, object, crate::document::Integers::Floats))
    }

    /// The labels of a namespace, if the values know it.
    pub(crate) fn namespace_labels<'v>(&self, namespace: &str, arena: &'v Arena) -> Option<NamespaceLabels<'v>> {
        let integers = crate::document::Integers::Floats;
        let whole = self.namespaces.iter().find(|(name, _)| name == namespace);
        if let Some((_, object)) = whole {
            let labels = object.pointer("/metadata/labels").unwrap_or(&Json::Null);
            return Some(NamespaceLabels::written(Some(Value::from_json(arena, labels, integers))));
        }
        let (_, labels) = self.namespace_labels.iter().find(|(name, _)| name == namespace)?;
        Some(NamespaceLabels::written(Some(Value::from_json(arena, labels, integers))))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{compat::testing, finding::Status};

    const VALUES: &str = r"
ApiVersion: cli.kyverno.io/v1alpha1
kind: Values
globalvalues: { a.b: global, request.operation: DELETE }
policies:
  - name: p
    resources: [{ name: web, values: { a.b: resource } }]
    rules: [{ name: of-rule, values: { a.b: rule } }, { name: each, foreachValues: { a.c: [x, y] } }]
namespaceSelector: [{ name: shop, labels: { tier: one } }, { name: other, labels: { tier: two } }]
namespaces: [{ apiVersion: v1, kind: Namespace, metadata: { name: shop, labels: { tier: three } } }]
subresources:
  - subresource: { group: autoscaling, version: v1, kind: Scale, name: deployments/scale }
    parentResource: { group: apps, version: v1, kind: Deployment, name: deployments }
";

    fn read(text: &str) -> (Values, Vec<String>) {
        let notices = Notices::default();
        let values = Values::read(testing::document(text).root(), &notices);
        (values, notices.take().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn field_names_may_have_any_case_and_unknown_ones_are_said() {
        let (values, notices) = read(VALUES);
        assert_eq!(notices, [""; 0]);
        assert_eq!(values.globals.len(), 2);
        assert_eq!(values.subresources[0].parent, ["apps", "v1", "Deployment"]);
        assert_eq!(values.subresources[0].name, "scale");
        let (_, notices) = read("{apiVersion: x, kind: Values, globalValue: {}}");
        let text = "error: file.yaml:1:31: unknown field `globalValue` in values; did you mean `globalValues`?";
        assert_eq!(notices, [text]);
    }

    #[test]
    fn labels_of_whole_namespaces_go_before_selectors() {
        let (values, _) = read(VALUES);
        let arena = Arena::new();
        let labels = |namespace| values.namespace_labels(namespace, &arena).map(|it| it.value(&arena).to_json());
        assert_eq!(labels("shop"), Some("{\"tier\":\"three\"}".to_owned()));
        assert_eq!(labels("other"), Some("{\"tier\":\"two\"}".to_owned()));
        assert_eq!(labels("unknown"), None);
    }

    #[test]
    fn only_pairs_are_set() {
        let (mut values, notices) = (Values::default(), Notices::default());
        values.set("a=1, b.c=x=y,,d=,a=2,request.object.spec.x=1,", &notices).expect("pairs");
        let pairs: Vec<String> = values.globals.iter().map(|(name, value)| format!("{name} {value}")).collect();
        assert_eq!(pairs, ["a \"1\"", "b.c \"x=y\""]);
        let said: Vec<String> = notices.take().into_iter().map(|notice| notice.text).collect();
        let has_no_effect = |pair: &str| format!("`--set {pair}` has no effect");
        assert_eq!(said, ["d=", "a=2", "request.object.spec.x=1"].map(has_no_effect));
        for text in ["e", "a=1,e", "=x"] {
            assert!(values.set(text, &notices).is_err(), "{text}");
        }
    }

    const POLICY: &str = r#"
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: { name: p }
spec:
  rules:
    - name: of-resource
      match: { any: [{ resources: { kinds: [Pod] } }] }
      context: [{ name: a, globalReference: { name: a } }]
      validate: { message: "{{ a.b }}", deny: { conditions: { all: [{ key: "{{ a.b }}", operator: NotEquals, value: "" }] } } }
    - name: of-rule
      match: { any: [{ resources: { kinds: [Pod] } }] }
      context: [{ name: a, globalReference: { name: a } }]
      validate: { message: "{{ a.b }}", deny: { conditions: { all: [{ key: "{{ a.b }}", operator: NotEquals, value: "" }] } } }
    - name: of-variable
      match: { any: [{ resources: { kinds: [Pod] } }] }
      context: [{ name: a, variable: { value: { b: own } } }]
      validate: { message: "{{ a.b }}", deny: { conditions: { all: [{ key: "{{ a.b }}", operator: NotEquals, value: "" }] } } }
    - name: each
      match: { any: [{ resources: { kinds: [Pod] } }] }
      context: [{ name: a, globalReference: { name: a } }]
      validate:
        message: "no"
        foreach:
          - list: request.oldObject.spec.list
            deny: { conditions: { any: [{ key: "{{ a.c }}", operator: Equals, value: "{{ element }}" }] } }
"#;

    #[test]
    fn rule_goes_over_resource_goes_over_global_and_variables_over_all() {
        let (values, _) = read(VALUES);
        let resources = testing::objects(
            "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {list: [a, y]}}\n---\n\
             {apiVersion: v1, kind: Pod, metadata: {name: db}, spec: {list: [y, x]}}",
        );
        let policies = testing::policies(&POLICY.replace("a.b }}\", operator", "a.b || '' }}\", operator"));
        let judged = testing::judge(&policies, &resources, &values);
        let rows: Vec<String> = judged
            .rows
            .iter()
            .map(|row| format!("{} {} {} {}", row.resource, row.rule, row.status.as_str(), row.message))
            .collect();
        assert_eq!(
            rows,
            [
                "0 of-resource fail resource",
                "0 of-rule fail rule",
                "0 of-variable fail own",
                "0 each fail validation failure: no",
                "1 of-resource fail global",
                "1 of-rule fail rule",
                "1 of-variable fail own",
                "1 each pass rule passed",
            ]
        );
        assert!(judged.rows.iter().all(|row| row.status != Status::Error));
    }
}
