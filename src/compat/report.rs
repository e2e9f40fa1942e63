//! Reports as `kyverno apply --policy-report` writes them.
//!
//! In: the rows of a run. Out: one merged report for policies of the whole cluster, and one for each namespaced policy
//! and resource, in YAML or JSON. The same bytes for the same input; a timestamp only when a time is given.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    evaluation::{Judged, Row},
    load::Object,
};
use crate::{finding::Status, policy::Head};

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Documents that begin with `---` where there is more than one.
    Yaml,
    /// One object a line.
    Json,
}

/// Writes the reports of a run.
pub(crate) fn write(judged: &Judged, resources: &[Object], now: Option<i64>, form: Form) -> String {
    let mut merged = Vec::new();
    let mut others: BTreeMap<(usize, usize), Vec<Entry>> = BTreeMap::new();
    for row in &judged.rows {
        let head = &judged.heads[row.policy];
        let entry = Entry::new(row, head, &resources[row.resource], now);
        if head.cluster_wide() {
            merged.push(entry);
        } else {
            others.entry((row.policy, row.resource)).or_default().push(entry);
        }
    }
    let mut documents = Vec::new();
    if !merged.is_empty() {
        let metadata = Metadata { name: "merged".to_owned(), namespace: String::new() };
        documents.push(Document::new("ClusterReport", metadata, merged));
    }
    for ((policy, _), entries) in others {
        let head = &judged.heads[policy];
        let metadata = Metadata { name: head.name.clone(), namespace: head.namespace.clone() };
        documents.push(Document::new("PolicyReport", metadata, entries));
    }
    let texts: Vec<String> = documents.iter().map(|document| document.write(form)).collect();
    texts.join("---\n")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    results: Vec<Entry>,
    source: &'static str,
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
    #[serde(skip)]
    order: (String, String, Resource),
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
    fn new(kind: &'static str, metadata: Metadata, mut results: Vec<Entry>) -> Self {
        results.sort();
        let statuses = [Status::Error, Status::Fail, Status::Pass, Status::Skip, Status::Warn].map(Status::as_str);
        let count = |status: &'static str| (status, results.iter().filter(|entry| entry.result == status).count());
        let summary = statuses.into_iter().map(count).collect();
        Self { api_version: "openreports.io/v1alpha1", kind, metadata, results, source: "", summary }
    }

    fn write(&self, form: Form) -> String {
        match form {
            // Both fail only for keys that are no strings, which a report doesn't have.
            Form::Json => serde_json::to_string(self).unwrap_or_default() + "\n",
            Form::Yaml => serde_yaml::to_string(self).unwrap_or_default(),
        }
    }
}

impl Entry {
    fn new(row: &Row, head: &Head, object: &Object, now: Option<i64>) -> Self {
        let identity = object.identity();
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
            order: (head.key.clone(), row.rule.clone(), resource.clone()),
            category: head.category.clone().unwrap_or_default(),
            message: row.message.clone(),
            policy: head.key.clone(),
            properties,
            resources: vec![resource],
            result: row.status.as_str(),
            rule: row.rule.clone(),
            scored: head.scored,
            severity: head.severity.clone().unwrap_or_default(),
            source: "kyverno",
            timestamp: now.map(|seconds| Timestamp { nanos: 0, seconds }),
        }
    }
}
