//! `kyverno-test.yaml`: what a suite gives and what it expects.
//!
//! In: a document of kind `Test`. Out: the suite; a field that is wrong is a notice, and the rest is read all the same.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{Notices, Weight, fields::Fields, values::Values};
use crate::{
    document::{Document, Node},
    expr::Value,
    policy::Operation,
    span::Span,
};

/// One test case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Suite {
    /// `metadata.name`.
    pub name: String,
    /// Files and directories of policies.
    pub policies: Vec<String>,
    /// Files of resources, or one directory.
    pub resources: Vec<String>,
    /// Files of objects that rules change beside the one that triggers them.
    pub targets: Vec<String>,
    /// Files of payloads that are no objects of Kubernetes.
    pub payloads: Vec<String>,
    /// Files of HTTP requests.
    pub http_payloads: Vec<String>,
    /// Files of Envoy's authorization requests.
    pub envoy_payloads: Vec<String>,
    /// Files of parameters for admission policies.
    pub parameters: Vec<String>,
    /// A file of values.
    pub values_file: Option<String>,
    /// Values written in place; they go before the file.
    pub values: Option<Values>,
    /// A file of user info.
    pub user_info: Option<String>,
    /// Files of exceptions.
    pub exceptions: Vec<String>,
    /// A file with what CEL expressions look up.
    pub context: Option<String>,
    /// Files of what a fake cluster holds; with them the resources are in it, too.
    pub cluster_resources: Vec<String>,
    /// Answers to API calls.
    pub responses: Vec<Response>,
    /// Entries of the global context.
    pub globals: Vec<GlobalEntry>,
    /// What is expected.
    pub results: Vec<Expectation>,
}

/// The answer to an API call.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    /// A path of the API server, or the address of a service.
    pub url: String,
    /// `GET` or `POST`.
    pub method: String,
    /// The HTTP status.
    pub status: i64,
    /// The body.
    pub body: Json,
}

/// An entry of the global context.
#[derive(Clone, Debug)]
pub(crate) struct GlobalEntry {
    /// Its name.
    pub name: String,
    /// The value, when it is written in place.
    pub data: Option<Json>,
    /// Objects written in place.
    pub resources: Vec<Json>,
    /// Files of objects.
    pub files: Vec<String>,
    /// A field of the data that is the value.
    pub field: String,
    /// Further entries made from this one: name and JMESPath.
    pub projections: Vec<(String, String)>,
}

/// One expected result.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expectation {
    /// The policy as written, `name` or `namespace/name`.
    pub policy: String,
    /// The rule as declared; empty for all.
    pub rule: String,
    /// `name` or `namespace/name` of resources; `None` when the field is absent.
    pub resources: Option<Vec<String>>,
    /// Resources, spelled out.
    pub specs: Vec<ResourceSpec>,
    /// The kind as written, which only notices ask for.
    pub kind: String,
    /// `pass`, `fail`, `skip`, `warn`, `error`.
    pub result: String,
    /// An operation other than that of the values.
    pub operation: Option<Operation>,
    /// A file with the object after mutation.
    pub patched: Option<String>,
    /// Files with generated objects, one of which must match.
    pub generated: Vec<String>,
    /// A file with the object that is cloned.
    pub clone_source: Option<String>,
    /// An object that the comparison file lacks is a failure.
    pub fail_on_missing: bool,
    /// Where it stands.
    pub at: Span,
}

/// A resource, spelled out.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResourceSpec {
    /// API group.
    pub group: String,
    /// API version.
    pub version: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

const FIELDS: [&str; 21] = [
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "policies",
    "resources",
    "targetResources",
    "jsonPayloads",
    "jsonPayload",
    "httpPayloads",
    "envoyPayloads",
    "paramResources",
    "variables",
    "values",
    "userinfo",
    "exceptions",
    "context",
    "clusterResources",
    "apiCallResponses",
    "globalContextEntries",
    "results",
];

const RESULT_FIELDS: [&str; 23] = [
    "policy",
    "rule",
    "resources",
    "resourceSpecs",
    "kind",
    "result",
    "operation",
    "patchedResources",
    "generatedResource",
    "generatedResources",
    "cloneSourceResource",
    "failOnMissingResources",
    "isValidatingAdmissionPolicy",
    "isMutatingAdmissionPolicy",
    "isValidatingPolicy",
    "isImageValidatingPolicy",
    "isMutatingPolicy",
    "isGeneratingPolicy",
    "isDeletingPolicy",
    // What Kyverno read before 1.15, and refuses since.
    "resource",
    "namespace",
    "status",
    "patchedResource",
];

impl Suite {
    /// Reads a suite; `None`, with a notice, for a document that is none.
    pub(crate) fn read(document: &Arc<Document>, notices: &Notices) -> Option<Self> {
        let root = document.root();
        let fields = Fields::read(root, "a test", &FIELDS, notices)?;
        fields.expect_header("Test");
        if fields.get("name").is_some() {
            let text = "Kyverno refuses `name` here; it stands in `metadata`";
            notices.at(Weight::Warning, root.file(), root.span(), text);
        }
        let optional = |key| Some(fields.string(key).to_owned()).filter(|text| !text.is_empty());
        let mut payloads = fields.strings("jsonPayloads");
        payloads.extend(optional("jsonPayload"));
        let name = root.str_at(&["metadata", "name"]).unwrap_or_else(|| fields.string("name"));
        Some(Self {
            name: name.to_owned(),
            policies: fields.strings("policies"),
            resources: fields.strings("resources"),
            targets: fields.strings("targetResources"),
            payloads,
            http_payloads: fields.strings("httpPayloads"),
            envoy_payloads: fields.strings("envoyPayloads"),
            parameters: fields.strings("paramResources"),
            values_file: optional("variables"),
            values: fields.get("values").map(|node| Values::inline(node, notices)),
            user_info: optional("userinfo"),
            exceptions: fields.strings("exceptions"),
            context: optional("context"),
            cluster_resources: fields.strings("clusterResources"),
            responses: fields.list("apiCallResponses").filter_map(|node| response(node, notices)).collect(),
            globals: fields.list("globalContextEntries").filter_map(|node| global(node, notices)).collect(),
            results: fields.list("results").filter_map(|node| expectation(node, notices)).collect(),
        })
    }
}

fn expectation(node: Node<'_>, notices: &Notices) -> Option<Expectation> {
    let fields = Fields::read(node, "a result", &RESULT_FIELDS, notices)?;
    let operation = match fields.string("operation") {
        "" => None,
        text => {
            let operation = Operation::parse(text).filter(|operation| *operation != Operation::Connect);
            if operation.is_none() {
                fields.error(node, format!("`{text}` is no operation: CREATE, UPDATE or DELETE"));
            }
            operation
        }
    };
    let optional = |key| Some(fields.string(key).to_owned()).filter(|text| !text.is_empty());
    let mut generated = fields.strings("generatedResources");
    generated.extend(optional("generatedResource"));
    let spec = |node| {
        let known = ["group", "version", "kind", "namespace", "subresource", "name"];
        let fields = Fields::read(node, "resourceSpecs", &known, notices)?;
        let text = |key| fields.string(key).to_owned();
        Some(ResourceSpec {
            group: text("group"),
            version: text("version"),
            namespace: text("namespace"),
            name: text("name"),
        })
    };
    let old = |old: &'static str, new: &'static str| -> Option<String> {
        let found = fields.get(old)?;
        let (weight, text) = if fields.get(new).is_some() {
            (Weight::Error, format!("`{old}` is the old name of `{new}`, which is there, too"))
        } else {
            (Weight::Warning, format!("`{old}` is read as `{new}`; Kyverno refuses the old name"))
        };
        notices.at(weight, found.file(), found.key_span(), text);
        Some(fields.string(old).to_owned())
    };
    let status = old("status", "result");
    let mut resources = old("resource", "resources").map(|name| vec![name]);
    resources = fields.get("resources").map(|_| fields.strings("resources")).or(resources);
    if let Some(found) = fields.get("namespace") {
        let text = "`namespace` is read as a part of the names in `resources`; Kyverno refuses the field";
        notices.at(Weight::Warning, found.file(), found.key_span(), text);
        let namespace = fields.string("namespace");
        for name in resources.iter_mut().flatten().filter(|name| !namespace.is_empty() && !name.contains('/')) {
            *name = format!("{namespace}/{name}");
        }
    }
    Some(Expectation {
        policy: fields.string("policy").to_owned(),
        rule: fields.string("rule").to_owned(),
        resources,
        specs: fields.list("resourceSpecs").filter_map(spec).collect(),
        kind: fields.string("kind").to_owned(),
        result: Some(fields.string("result").to_owned()).filter(|it| !it.is_empty()).or(status).unwrap_or_default(),
        operation,
        patched: optional("patchedResources").or(old("patchedResource", "patchedResources")),
        generated,
        clone_source: optional("cloneSourceResource"),
        fail_on_missing: fields.boolean("failOnMissingResources"),
        at: node.span(),
    })
}

fn response(node: Node<'_>, notices: &Notices) -> Option<Response> {
    let fields = Fields::read(node, "an API call's response", &["url", "urlPath", "method", "response"], notices)?;
    let response = Fields::read(fields.get("response")?, "response", &["statusCode", "body"], notices)?;
    let (url, path) = (fields.string("url"), fields.string("urlPath"));
    if url.is_empty() == path.is_empty() {
        fields.error(node, "exactly one of `url` and `urlPath` says what is answered");
    }
    let method = match fields.string("method") {
        "" => "GET",
        text => text,
    };
    let status = match response.get("statusCode").map(|node| Value::from(node).to_serde()) {
        Some(Json::Number(number)) => number.as_i64().unwrap_or_default(),
        _ => 200,
    };
    let body = response.get("body").map_or(Json::Null, |node| Value::from(node).to_serde());
    Some(Response { url: format!("{url}{path}"), method: method.to_owned(), status, body })
}

fn global(node: Node<'_>, notices: &Notices) -> Option<GlobalEntry> {
    let known = ["name", "data", "resources", "resourceFiles", "fieldPath", "projections"];
    let fields = Fields::read(node, "a global context entry", &known, notices)?;
    let projection = |node| {
        let fields = Fields::read(node, "a projection", &["name", "path"], notices)?;
        Some((fields.string("name").to_owned(), fields.string("path").to_owned()))
    };
    Some(GlobalEntry {
        name: fields.string("name").to_owned(),
        data: fields.get("data").map(|node| Value::from(node).to_serde()),
        resources: fields.list("resources").map(|node| Value::from(node).to_serde()).collect(),
        files: fields.strings("resourceFiles"),
        field: fields.string("fieldPath").to_owned(),
        projections: fields.list("projections").filter_map(projection).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::testing;

    fn read(text: &str) -> (Suite, Vec<String>) {
        let notices = Notices::default();
        let suite = Suite::read(&testing::document(text), &notices).expect("a map");
        (suite, notices.take().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_suite_is_read_whatever_the_case_of_its_fields() {
        let (suite, notices) = read(
            "apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\nmetadata: { name: t }\npolicies: [p.yaml]\nResources: [r.yaml]\n\
             results:\n- { policy: ns/p, RULE: r, resources: [a], kind: Pod, result: fail, operation: UPDATE, isMUtatingPolicy: true }\n\
             - { policy: q, resourceSpecs: [{ group: apps, version: v1, name: d }], generatedResource: g.yaml, result: pass }\n",
        );
        assert_eq!(notices, [""; 0]);
        assert_eq!((suite.name.as_str(), suite.resources.len(), suite.results.len()), ("t", 1, 2));
        assert_eq!(suite.results[0].rule, "r");
        assert_eq!(suite.results[0].operation, Some(Operation::Update));
        assert_eq!(suite.results[1].resources, None);
        assert_eq!(suite.results[1].specs[0].group, "apps");
        assert_eq!(suite.results[1].generated, ["g.yaml"]);
    }

    #[test]
    fn what_is_wrong_is_said_and_the_rest_is_read() {
        let (suite, notices) = read(
            "apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\nresults:\n- { policy: p, outcome: pass, operation: PATCH }\n\
             - { policy: q, result: pass }\n",
        );
        assert_eq!(suite.results.len(), 2);
        assert_eq!(
            notices,
            [
                "error: file.yaml:4:16: unknown field `outcome` in a result",
                "error: file.yaml:4:3: `PATCH` is no operation: CREATE, UPDATE or DELETE",
            ]
        );
        let (_, notices) = read("{ name: old, policies: [] }");
        assert_eq!(notices.len(), 2, "{notices:?}");
    }

    #[test]
    fn old_fields_of_a_result_are_read_and_said() {
        let (suite, notices) = read(
            "apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\nresults:\n\
             - { policy: p, resource: web, namespace: shop, status: fail, patchedResource: p.yaml }\n\
             - { policy: p, resources: [db], status: fail, result: pass }\n",
        );
        let [one, two] = &suite.results[..] else { panic!("{suite:?}") };
        assert_eq!(one.resources, Some(vec!["shop/web".to_owned()]));
        assert_eq!((one.result.as_str(), one.patched.as_deref()), ("fail", Some("p.yaml")));
        assert_eq!(two.result, "pass");
        let old = |text| format!("warning: file.yaml:4:{text}");
        assert_eq!(
            notices,
            [
                old("48: `status` is read as `result`; Kyverno refuses the old name"),
                old("16: `resource` is read as `resources`; Kyverno refuses the old name"),
                old("31: `namespace` is read as a part of the names in `resources`; Kyverno refuses the field"),
                old("62: `patchedResource` is read as `patchedResources`; Kyverno refuses the old name"),
                "error: file.yaml:5:33: `status` is the old name of `result`, which is there, too".to_owned(),
            ]
        );
    }

    #[test]
    fn answers_to_calls_are_read() {
        let (suite, notices) = read(
            "apiVersion: x\nkind: Test\napiCallResponses:\n- { urlPath: /api/v1/pods, response: { statusCode: 404, body: {} } }\n\
             - { url: 'https://a', method: POST, response: { body: { ok: true } } }\n",
        );
        assert_eq!(notices, [""; 0]);
        let calls: Vec<_> = suite.responses.iter().map(|it| (it.method.as_str(), it.url.as_str(), it.status)).collect();
        assert_eq!(calls, [("GET", "/api/v1/pods", 404), ("POST", "https://a", 200)]);
    }
}
