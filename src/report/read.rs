//! JSON reports, read back.
//!
//! In: what `json` wrote for a run with `--shard`. Out: the report as it was, and several of them as the one that the
//! undivided run would have made. Traces are not in JSON, and so are lost.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Checked, Documents, Quiet, Report, Rule, Rules, Shard, Summary};
use crate::{
    finding::{self, Action, Finding, Place, Related, ResourceRef, Severity, Source, Status, Verdict, Waiver},
    span::{Position, Span},
};

/// Why reports can't be joined.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MergeError {
    /// The text is no report.
    #[error("it is no JSON report of this version of admit")]
    NoReport(#[source] serde_json::Error),
    /// The report is that of a whole run.
    #[error("it is the report of a run without --shard: there is nothing to join")]
    NoShard,
    /// A word that this version doesn't know.
    #[error("`{0}` is not known to this version of admit")]
    UnknownWord(String),
    /// The reports divide their runs differently.
    #[error("the reports are of runs in {0} and in {1} parts")]
    Divided(u32, u32),
    /// One part is there more than once.
    #[error("part {0} of {1} is there twice")]
    Twice(u32, u32),
    /// Two parts read different files, or judged them differently: what lies between them nobody judged.
    #[error("parts {0} and {1} are of different runs: of other files, or with other flags")]
    Foreign(u32, u32),
    /// Parts are missing; what they would say nobody knows.
    #[error("part {0} of {1} is missing")]
    Missing(u32, u32),
}

/// Reads one report.
pub(crate) fn read(bytes: &[u8]) -> Result<Report, MergeError> {
    let whole: Whole = serde_json::from_slice(bytes).map_err(MergeError::NoReport)?;
    let shard = whole.shard.ok_or(MergeError::NoShard)?;
    let mut report = Report {
        findings: whole.findings.into_iter().map(finding).collect::<Result<_, _>>()?,
        quiet: whole.results.into_iter().map(quiet).collect::<Result<_, _>>()?,
        notes: whole.notes,
        ..Report::default()
    };
    let checked = [Checked::Something, Checked::NoPolicy, Checked::NoManifest];
    report.shard = Some(Shard {
        number: shard.number,
        of: shard.of,
        checked: word(&shard.checked, &checked, Checked::as_str)?,
        is_root: shard.is_root,
        run: u128::from_str_radix(&shard.run, 16).map_err(|_| MergeError::UnknownWord(shard.run))?,
    });
    let CountsOfRules { pass, fail, warn, error, skip, indeterminate, waived } = whole.summary.rules;
    report.summary = Summary {
        files: whole.summary.files,
        documents: documents(&whole.summary.documents),
        rules: Rules { pass, fail, warn, error, skip, indeterminate },
        waived,
    };
    report.rules = whole.rules.into_iter().map(|(id, it)| (id, it.into())).collect();
    Ok(report)
}

/// What policies hold against objects in a report, of a whole run or of a part.
pub(crate) fn verdicts(bytes: &[u8]) -> Result<Vec<Verdict>, MergeError> {
    let whole: Whole = serde_json::from_slice(bytes).map_err(MergeError::NoReport)?;
    let open = whole.findings.into_iter().filter(|it| it.waived.is_none());
    open.filter_map(|it| it.verdict.map(verdict)).collect()
}

/// Joins the reports of all parts of a run; `checked` and `is_root` of the result say what the whole was.
pub(crate) fn merge(mut parts: Vec<Report>) -> Result<(Report, Shard), MergeError> {
    let shards: Vec<Shard> = parts.iter().filter_map(|it| it.shard).collect();
    let first = *shards.first().ok_or(MergeError::NoShard)?;
    if let Some(other) = shards.iter().find(|it| it.of != first.of) {
        return Err(MergeError::Divided(first.of, other.of));
    }
    for number in 1..=first.of {
        match shards.iter().filter(|it| it.number == number).count() {
            0 => return Err(MergeError::Missing(number, first.of)),
            1 => {}
            _ => return Err(MergeError::Twice(number, first.of)),
        }
    }
    if let Some(other) = shards.iter().find(|it| it.run != first.run) {
        return Err(MergeError::Foreign(first.number, other.number));
    }
    parts.sort_by_key(|it| it.shard.map(|it| it.number));
    let checked = if shards.iter().any(|it| it.checked == Checked::NoPolicy) {
        Checked::NoPolicy
    } else if shards.iter().all(|it| it.checked == Checked::NoManifest) {
        Checked::NoManifest
    } else {
        Checked::Something
    };
    let mut findings = Vec::new();
    let mut out = Report::default();
    for (n, part) in parts.into_iter().enumerate() {
        findings.extend(part.findings);
        out.quiet.extend(part.quiet);
        out.rules.extend(part.rules);
        for note in part.notes {
            if !out.notes.contains(&note) {
                out.notes.push(note);
            }
        }
        // Each part reads all of the tree, and judges its own.
        if n == 0 {
            out.summary = part.summary;
        } else {
            add(&mut out.summary.rules, part.summary.rules);
            out.summary.waived += part.summary.waived;
        }
    }
    finding::sort_and_dedup(&mut findings);
    out.findings = findings;
    out.quiet.sort();
    if checked == Checked::NoManifest {
        out.notes.extend(checked.note().map(str::to_owned));
    }
    Ok((out, Shard { checked, ..first }))
}

fn add(sum: &mut Rules, part: Rules) {
    let Rules { pass, fail, warn, error, skip, indeterminate } = part;
    sum.pass += pass;
    sum.fail += fail;
    sum.warn += warn;
    sum.error += error;
    sum.skip += skip;
    sum.indeterminate += indeterminate;
}

/// The one of `all` that has this name.
fn word<T: Copy>(text: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T, MergeError> {
    let found = all.iter().copied().find(|it| name(*it) == text);
    found.ok_or_else(|| MergeError::UnknownWord(text.to_owned()))
}

fn finding(it: AFinding) -> Result<Finding, MergeError> {
    Ok(Finding {
        severity: word(&it.severity, &[Severity::Error, Severity::Warning, Severity::Info], Severity::as_str)?,
        label: it.label,
        pointer: it.pointer,
        related: it.related.into_iter().map(|it| Related { place: it.location.into(), label: it.label }).collect(),
        help: it.help,
        notes: it.notes,
        verdict: it.verdict.map(verdict).transpose()?,
        waived: it.waived.map(|it| Waiver {
            exception: it.exception,
            reason: it.reason,
            place: it.location.map(Place::from),
        }),
        known: it.baseline,
        ..Finding::new(it.id, Severity::Error, it.location.into(), it.message)
    })
}

fn quiet(it: AQuiet) -> Result<Quiet, MergeError> {
    Ok(Quiet { path: it.path, line: it.line, message: it.message, verdict: verdict(it.verdict)? })
}

fn verdict(it: AVerdict) -> Result<Verdict, MergeError> {
    let statuses = [Status::Pass, Status::Fail, Status::Warn, Status::Error, Status::Skip, Status::Indeterminate];
    let sources = [
        Source::Kyverno,
        Source::ValidatingPolicy,
        Source::MutatingPolicy,
        Source::ImageValidatingPolicy,
        Source::GeneratingPolicy,
        Source::ValidatingAdmissionPolicy,
        Source::MutatingAdmissionPolicy,
    ];
    let AResource { api_version, kind, namespace, name } = it.resource;
    Ok(Verdict {
        policy: it.policy,
        rule: it.rule,
        status: word(&it.status, &statuses, Status::as_str)?,
        action: word(&it.action, &[Action::Enforce, Action::Audit], Action::as_str)?,
        source: word(&it.source, &sources, Source::as_str)?,
        category: it.category,
        severity: it.severity,
        properties: it.properties,
        resource: ResourceRef { api_version, kind, namespace, name },
    })
}

/// Counts by class; one that this version doesn't know is left out.
fn documents(counts: &BTreeMap<String, usize>) -> Documents {
    let of = |class: &str| counts.get(class).copied().unwrap_or_default();
    Documents {
        policies: of("policies"),
        exceptions: of("exceptions"),
        manifests: of("manifests"),
        kustomize: of("kustomize"),
        patches: of("patches"),
        helm: of("helm"),
        suites: of("suites"),
        values: of("values"),
        other: of("other"),
    }
}

impl From<ARule> for Rule {
    fn from(it: ARule) -> Self {
        Self { title: it.title, description: it.description, url: it.url, tags: it.tags, path: it.path }
    }
}

impl From<ALocation> for Place {
    fn from(it: ALocation) -> Self {
        let mut place = Self::whole_file(it.path);
        place.span = Span::new(it.byte_start, it.byte_end);
        place.start = Position { line: it.line, column: it.column };
        place.end = Position { line: it.end_line, column: it.end_column };
        if let Some(source) = it.source {
            place.excerpt.mark = Span::new(source.start, source.end);
            place.excerpt.text = source.text;
            place.excerpt.first_line = source.line;
            place.excerpt.whole_lines = source.is_whole;
        }
        place
    }
}

#[derive(Deserialize)]
struct Whole {
    summary: ASummary,
    findings: Vec<AFinding>,
    #[serde(default)]
    results: Vec<AQuiet>,
    #[serde(default)]
    rules: BTreeMap<String, ARule>,
    notes: Vec<String>,
    shard: Option<AShard>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AShard {
    number: u32,
    of: u32,
    checked: String,
    is_root: bool,
    run: String,
}

#[derive(Deserialize)]
struct ASummary {
    files: usize,
    documents: BTreeMap<String, usize>,
    rules: CountsOfRules,
}

#[derive(Deserialize)]
struct CountsOfRules {
    pass: usize,
    fail: usize,
    warn: usize,
    error: usize,
    skip: usize,
    indeterminate: usize,
    waived: usize,
}

#[derive(Deserialize)]
struct ARule {
    title: String,
    description: String,
    url: String,
    tags: Vec<String>,
    path: String,
}

#[derive(Deserialize)]
struct AFinding {
    id: String,
    severity: String,
    message: String,
    label: String,
    #[serde(flatten)]
    location: ALocation,
    #[serde(default)]
    pointer: String,
    related: Vec<ARelated>,
    help: Vec<String>,
    notes: Vec<String>,
    verdict: Option<AVerdict>,
    waived: Option<AWaiver>,
    #[serde(default)]
    baseline: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ALocation {
    path: String,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    byte_start: u32,
    byte_end: u32,
    source: Option<ASource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ASource {
    text: String,
    line: u32,
    start: u32,
    end: u32,
    is_whole: bool,
}

#[derive(Deserialize)]
struct ARelated {
    label: String,
    #[serde(flatten)]
    location: ALocation,
}

#[derive(Deserialize)]
struct AWaiver {
    exception: String,
    reason: String,
    #[serde(flatten)]
    location: Option<ALocation>,
}

#[derive(Deserialize)]
struct AQuiet {
    path: String,
    line: u32,
    message: String,
    verdict: AVerdict,
}

#[derive(Deserialize)]
struct AVerdict {
    policy: String,
    rule: String,
    status: String,
    action: String,
    source: String,
    #[serde(default)]
    category: String,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    properties: Vec<(String, String)>,
    resource: AResource,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AResource {
    api_version: String,
    kind: String,
    namespace: String,
    name: String,
}
