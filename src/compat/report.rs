//! Reports as `kyverno apply --policy-report` writes them.
//!
//! In: the rows of a run. Out: reports in YAML or JSON, the same bytes for the same input; a timestamp only when a time is
//! given. In `openreports.io` they are Kyverno's: one merged report for policies of the whole cluster, and one for each
//! namespaced policy and resource. In `wgpolicyk8s.io` they are what a cluster can hold: one for each namespace that
//! resources are in, and one for the resources outside of namespaces.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    evaluation::{Judged, Row},
    load::Object,
};
use crate::{
    finding::{Source, Status},
    policy::Head,
};

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Documents, each namespaced one after a line `---`.
    Yaml,
    /// One object a line.
    Json,
}

/// The API group of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    /// `openreports.io`, as Kyverno's command line writes.
    OpenReports,
    /// `wgpolicyk8s.io`, as most viewers read.
    WorkingGroup,
}

/// How reports are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// The form.
    pub form: Form,
    /// The API group.
    pub api: Api,
    /// The time of the run in seconds since 1970; without it results have no timestamp.
    pub now: Option<i64>,
}

/// Writes the reports of a run; nothing for a run without rows.
pub(crate) fn write(judged: &Judged, resources: &[Object], options: Options) -> String {
    let mut reports: BTreeMap<Scope, Vec<Entry>> = BTreeMap::new();
    for row in &judged.rows {
        let head = &judged.heads[row.policy];
        let entry = Entry::new(row, head, &resources[row.resource], options.now);
        let scope = match options.api {
            Api::OpenReports if head.cluster_wide() => Scope::Cluster,
            Api::OpenReports => Scope::Policy(row.policy, row.resource),
            Api::WorkingGroup => match entry.resources[0].namespace.as_str() {
                "" => Scope::Cluster,
                namespace => Scope::Namespace(namespace.to_owned()),
            },
        };
        reports.entry(scope).or_default().push(entry);
    }
    let mut out = String::new();
    for (scope, entries) in reports {
        let cluster_wide = scope == Scope::Cluster;
        // A stream of documents needs the line between them, and Kyverno writes it before each namespaced one.
        if options.form == Form::Yaml && !cluster_wide {
            out += "---\n";
        }
        let (name, namespace) = match scope {
            Scope::Cluster => (MERGED, ""),
            Scope::Namespace(ref namespace) => (MERGED, namespace.as_str()),
            Scope::Policy(policy, _) => {
                let head = &judged.heads[policy];
                (head.name.as_str(), head.namespace.as_str())
            }
        };
        let metadata = Metadata { name: name.to_owned(), namespace: namespace.to_owned() };
        out += &Document::new(options.api, cluster_wide, metadata, entries).write(options.form);
    }
    out
}

/// The name of a report that holds the results of several policies.
const MERGED: &str = "merged";

/// What a report is about; in this order they are written.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    /// Policies of the whole cluster, or resources outside of namespaces.
    Cluster,
    /// The resources of a namespace.
    Namespace(String),
    /// A namespaced policy and a resource, by their indexes.
    Policy(usize, usize),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    results: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    summary: BTreeMap<&'static str, usize>,
}

#[derive(Serialize)]
struct Metadata {
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    namespace: String,
}

/// A result; the fields are sorted by name, as Kyverno's are.
#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// Policy, rule, and apiVersion, kind, namespace and name of the resource.
    #[serde(skip)]
    order: [String; 6],
    /// File and offset of the resource: the same may be given twice.
    #[serde(skip)]
    place: (String, u32),
    #[serde(skip_serializing_if = "String::is_empty")]
    category: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    policy: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    properties: BTreeMap<String, String>,
    resources: Vec<Resource>,
    result: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    rule: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    scored: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    severity: String,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Timestamp>,
}

#[derive(Serialize, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
struct Resource {
    #[serde(skip_serializing_if = "String::is_empty")]
    api_version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    namespace: String,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct Timestamp {
    nanos: i32,
    seconds: i64,
}

impl Document {
    fn new(api: Api, cluster_wide: bool, metadata: Metadata, mut results: Vec<Entry>) -> Self {
        results.sort();
        let statuses = [Status::Error, Status::Fail, Status::Pass, Status::Skip, Status::Warn].map(Status::as_str);
        let count = |status: &'static str| (status, results.iter().filter(|entry| entry.result == status).count());
        let summary = statuses.into_iter().map(count).collect();
        let (api_version, kind, source) = match (api, cluster_wide) {
            (Api::OpenReports, true) => ("openreports.io/v1alpha1", "ClusterReport", Some("")),
            // Kyverno: the kind is called so although the group has none of that name.
            (Api::OpenReports, false) => ("openreports.io/v1alpha1", "PolicyReport", Some("")),
            (Api::WorkingGroup, true) => ("wgpolicyk8s.io/v1alpha2", "ClusterPolicyReport", None),
            (Api::WorkingGroup, false) => ("wgpolicyk8s.io/v1alpha2", "PolicyReport", None),
        };
        Self { api_version, kind, metadata, results, source, summary }
    }

    fn write(&self, form: Form) -> String {
        match form {
            // Both fail only for keys that are no strings, which a report doesn't have.
            Form::Json => serde_json::to_string(self).unwrap_or_default() + "\n",
            Form::Yaml => serde_yaml::to_string(self).unwrap_or_default(),
        }
    }
}

/// The words that both API groups allow; Kyverno leaves out any other.
const SEVERITIES: [&str; 5] = ["critical", "high", "medium", "low", "info"];

impl Entry {
    fn new(row: &Row, head: &Head, object: &Object, now: Option<i64>) -> Self {
        let (identity, node) = (object.identity(), object.node());
        let severity = head.severity.as_deref().filter(|word| SEVERITIES.contains(word));
        let resource = Resource {
            api_version: identity.api_version,
            kind: identity.kind,
            name: identity.name,
            namespace: identity.namespace,
        };
        let process = if head.background { "background scan" } else { "admission review" };
        let mut properties: BTreeMap<String, String> = row.properties.iter().cloned().collect();
        properties.insert("process".to_owned(), process.to_owned());
        if !row.exceptions.is_empty() {
            properties.insert("exceptions".to_owned(), row.exceptions.join(","));
        }
        Self {
            order: [
                head.key.clone(),
                row.rule.clone(),
                resource.api_version.clone(),
                resource.kind.clone(),
                resource.namespace.clone(),
                resource.name.clone(),
            ],
            place: (node.file().path().to_string(), node.span().start),
            category: head.category.clone().unwrap_or_default(),
            message: message(row),
            policy: head.key.clone(),
            properties,
            resources: vec![resource],
            result: row.status.as_str(),
            rule: row.rule.clone(),
            scored: head.scored,
            severity: severity.unwrap_or_default().to_owned(),
            source: Source::of(head.kind).as_str(),
            timestamp: now.map(|seconds| Timestamp { nanos: 0, seconds }),
        }
    }
}

/// The message of a row; a property of the rule may replace it.
fn message(row: &Row) -> String {
    let of_status = format!("{}Message", row.status.as_str());
    let named = |name: &str| row.properties.iter().find(|(key, _)| key == name).map(|(_, text)| text.clone());
    named(&of_status).or_else(|| named("message")).unwrap_or_else(|| row.message.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::{testing, values::Values};

    #[test]
    fn policies_of_the_cluster_are_merged_and_namespaced_ones_stand_alone() {
        let (judged, resources) = testing::judged();
        let options = Options { form: Form::Yaml, api: Api::OpenReports, now: None };
        let expected = "\
apiVersion: openreports.io/v1alpha1
kind: ClusterReport
metadata:
  name: merged
results:
- category: Sample
  message: 'validation error: no. rule ipc failed at path /spec/hostIPC/'
  policy: host
  properties:
    process: background scan
  resources:
  - apiVersion: v1
    kind: Pod
    name: web
    namespace: shop
  result: fail
  rule: ipc
  scored: true
  severity: high
  source: kyverno
source: ''
summary:
  error: 0
  fail: 1
  pass: 0
  skip: 0
  warn: 0
---
apiVersion: openreports.io/v1alpha1
kind: PolicyReport
metadata:
  name: own
  namespace: shop
results:
- message: validation rule 'pid' passed.
  policy: shop/own
  properties:
    process: background scan
  resources:
  - apiVersion: v1
    kind: Pod
    name: web
    namespace: shop
  result: pass
  rule: pid
  scored: true
  source: kyverno
source: ''
summary:
  error: 0
  fail: 0
  pass: 1
  skip: 0
  warn: 0
";
        assert_eq!(write(&judged, &resources, options), expected);
    }

    #[test]
    fn every_line_of_json_is_an_object() {
        let (judged, resources) = testing::judged();
        let options = Options { form: Form::Json, api: Api::WorkingGroup, now: Some(7) };
        let text = write(&judged, &resources, options);
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
        assert_eq!(lines.len(), 1, "{text}");
        assert_eq!(lines[0]["kind"], "PolicyReport");
        assert_eq!(lines[0]["results"][0]["timestamp"], serde_json::json!({"nanos": 0, "seconds": 7}));
        assert_eq!(lines[0]["summary"]["pass"], 1);
    }

    #[test]
    fn reports_of_the_working_group_are_one_for_each_namespace_and_one_for_what_has_none() {
        let policies = testing::policies(
            "{ apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: { name: named, annotations: \
             { policies.kyverno.io/severity: loud } }, spec: { rules: [{ name: app, match: { any: [{ resources: \
             { kinds: [Pod, Node] } }] }, validate: { message: m, pattern: { metadata: { labels: { app: '?*' } } } } }] } }",
        );
        let resources = testing::objects(
            "{ apiVersion: v1, kind: Pod, metadata: { name: web, namespace: shop } }\n---\n\
             { apiVersion: v1, kind: Pod, metadata: { name: web, namespace: depot } }\n---\n\
             { apiVersion: v1, kind: Node, metadata: { name: one } }\n---\n\
             { apiVersion: v1, kind: Pod, metadata: { name: api, namespace: shop } }\n",
        );
        let judged = testing::judge(&policies, &resources, &Values::default());
        let reports = |api| {
            let text = write(&judged, &resources, Options { form: Form::Json, api, now: None });
            let line = |line: &str| {
                let json: serde_json::Value = serde_json::from_str(line).expect("an object");
                let names = json["results"].as_array().expect("a list").iter().map(|it| {
                    assert_eq!(it.get("severity"), None, "a word that an API server refuses");
                    it["resources"][0]["name"].as_str().unwrap_or_default()
                });
                let names = names.collect::<Vec<_>>().join(" ");
                let namespace = json["metadata"]["namespace"].as_str().unwrap_or("-");
                format!("{} {} {namespace}: {names}", json["apiVersion"], json["kind"]).replace('"', "")
            };
            text.lines().map(line).collect::<Vec<_>>()
        };
        assert_eq!(
            reports(Api::WorkingGroup),
            [
                "wgpolicyk8s.io/v1alpha2 ClusterPolicyReport -: one",
                "wgpolicyk8s.io/v1alpha2 PolicyReport depot: web",
                "wgpolicyk8s.io/v1alpha2 PolicyReport shop: api web",
            ]
        );
        assert_eq!(reports(Api::OpenReports), ["openreports.io/v1alpha1 ClusterReport -: one web api web"]);
    }

    #[test]
    fn a_property_may_replace_the_message() {
        let (mut judged, _) = testing::judged();
        judged.rows[0].properties.push(("message".to_owned(), "any".to_owned()));
        assert_eq!(message(&judged.rows[0]), "any");
        judged.rows[0].properties.push(("failMessage".to_owned(), "failed".to_owned()));
        assert_eq!(message(&judged.rows[0]), "failed");
    }
}
