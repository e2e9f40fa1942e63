//! Policy reports, as viewers of a cluster read them.
//!
//! In: a report. Out: YAML documents, one for each namespace and one for what has none, in either of the two API groups
//! (`wgpolicyk8s.io`, which most viewers know, and its successor `openreports.io`). Only verdicts of policies are in
//! them. A verdict that could not be reached is an `error`, one that an exception turned is a `skip` that names it.
//! The same results in the same order each time; a timestamp only when one is given.

use std::{collections::BTreeMap, io};

use serde::Serialize;

use super::{Options, Report, TOOL, escape};
use crate::finding::{Status, Verdict};

/// Writes `wgpolicyk8s.io/v1alpha2` reports.
pub(super) fn write(report: &Report, options: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let api = Api {
        version: "wgpolicyk8s.io/v1alpha2",
        cluster_wide: "ClusterPolicyReport",
        namespaced: "PolicyReport",
        source: None,
    };
    documents(&api, report, options, out)
}

/// Writes `openreports.io/v1alpha1` reports.
pub(super) fn write_openreports(report: &Report, options: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let api = Api {
        version: "openreports.io/v1alpha1",
        cluster_wide: "ClusterReport",
        namespaced: "Report",
        source: Some(TOOL.0),
    };
    documents(&api, report, options, out)
}

/// What the definitions of both groups allow:
/// <https://github.com/kubernetes-sigs/wg-policy-prototypes/blob/master/policy-report/crd/v1alpha2>,
/// <https://github.com/openreports/reports-api/tree/main/crd/openreports.io/v1alpha1>.
const SEVERITIES: [&str; 5] = ["critical", "high", "medium", "low", "info"];

/// What differs between the two groups.
struct Api {
    version: &'static str,
    cluster_wide: &'static str,
    namespaced: &'static str,
    source: Option<&'static str>,
}

fn documents(api: &Api, report: &Report, options: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    for (namespace, mut entries) in by_namespace(report) {
        entries.sort();
        let mut summary = Summary::default();
        for entry in &entries {
            *match entry.status() {
                Status::Pass => &mut summary.pass,
                Status::Fail => &mut summary.fail,
                Status::Warn => &mut summary.warn,
                Status::Error | Status::Indeterminate => &mut summary.error,
                Status::Skip => &mut summary.skip,
            } += 1;
        }
        let document = Document {
            api_version: api.version,
            kind: if namespace.is_empty() { api.cluster_wide } else { api.namespaced },
            metadata: Metadata { name: TOOL.0, namespace: (!namespace.is_empty()).then(|| escape::line(namespace)) },
            source: api.source,
            results: entries.iter().map(|it| row(it, options)).collect(),
            summary,
        };
        let text = serde_yaml::to_string(&document).map_err(io::Error::other)?;
        write!(out, "---\n{text}")?;
    }
    Ok(())
}

/// A verdict with its place; the order of the fields is that of the results.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry<'a> {
    verdict: &'a Verdict,
    path: &'a str,
    line: u32,
    message: &'a str,
    exception: Option<&'a str>,
    known: bool,
}

impl Entry<'_> {
    fn status(&self) -> Status {
        if self.exception.is_some() { Status::Skip } else { self.verdict.status }
    }
}

fn by_namespace(report: &Report) -> BTreeMap<&str, Vec<Entry<'_>>> {
    let findings = report.findings.iter().filter_map(|it| {
        Some(Entry {
            verdict: it.verdict.as_ref()?,
            path: &it.primary.path,
            line: it.primary.start.line,
            message: &it.message,
            exception: it.waived.as_ref().map(|it| &*it.exception),
            known: it.known,
        })
    });
    let quiet = report.quiet.iter().map(|it| Entry {
        verdict: &it.verdict,
        path: &it.path,
        line: it.line,
        message: &it.message,
        exception: None,
        known: false,
    });
    let mut out = BTreeMap::<&str, Vec<Entry<'_>>>::new();
    for entry in findings.chain(quiet) {
        out.entry(&entry.verdict.resource.namespace).or_default().push(entry);
    }
    out
}

fn row(entry: &Entry<'_>, options: &Options) -> Row {
    let Verdict { policy, rule, resource, source, category, severity, properties, .. } = entry.verdict;
    let text = |it: &str| escape::line(it);
    let mut properties: BTreeMap<_, _> = properties.iter().map(|(key, value)| (text(key), text(value))).collect();
    properties.insert("file".into(), format!("{}:{}", escape::path(entry.path), entry.line));
    if let Some(exception) = entry.exception {
        properties.insert("exceptions".into(), text(exception));
    }
    if entry.known {
        properties.insert("baseline".into(), "true".into());
    }
    if entry.verdict.status == Status::Indeterminate {
        properties.insert("indeterminate".into(), "true".into());
    }
    Row {
        message: escape::paragraph(entry.message),
        policy: text(policy),
        rule: text(rule),
        result: match entry.status() {
            Status::Indeterminate => Status::Error.as_str(),
            status => status.as_str(),
        },
        scored: true,
        category: text(category),
        // An API server takes no other word.
        severity: if SEVERITIES.contains(&severity.as_str()) { severity.clone() } else { String::new() },
        source: source.as_str(),
        properties,
        resources: vec![Resource {
            api_version: text(&resource.api_version),
            kind: text(&resource.kind),
            name: text(&resource.name),
            namespace: text(&resource.namespace),
        }],
        timestamp: options.now.map(|it| Timestamp { seconds: it.as_second(), nanos: it.subsec_nanosecond() }),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    results: Vec<Row>,
    summary: Summary,
}

#[derive(Serialize)]
struct Metadata {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
}

#[derive(Serialize)]
struct Row {
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    policy: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    rule: String,
    result: &'static str,
    scored: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    category: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    severity: String,
    source: &'static str,
    properties: BTreeMap<String, String>,
    resources: Vec<Resource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Timestamp>,
}

#[derive(Serialize)]
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

#[derive(Serialize)]
struct Timestamp {
    seconds: i64,
    nanos: i32,
}

#[derive(Default, Serialize)]
struct Summary {
    pass: usize,
    fail: usize,
    warn: usize,
    error: usize,
    skip: usize,
}
