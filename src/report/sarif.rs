//! SARIF 2.1.0, for code scanning and other viewers.
//!
//! In: a report. Out: one run with a rule per finding ID. An exception is a suppression with its place and reason, so
//! that viewers close the alert instead of losing it. GitHub takes no more than 25,000 results: the least urgent are
//! left out beyond that, and a notification says how many.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io,
};

use serde_json::json;
use serde_sarif::sarif::{
    ArtifactContent, ArtifactLocation, Invocation, Location, Message, MultiformatMessageString, Notification,
    PhysicalLocation, PropertyBag, Region, ReportingDescriptor, Result as SarifResult, ResultLevel, Run, Sarif,
    Suppression, Tool, ToolComponent,
};

use super::{Options, Report, Rule, TOOL, json};
use crate::finding::{Finding, Place, Severity, Waiver};

/// Where GitHub's documentation says the schema is.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// Results that GitHub accepts in a run.
const MAX_RESULTS: usize = 25_000;
/// Characters of a rule's descriptions.
const MAX_DESCRIPTION: usize = 1024;
/// Tags of a rule.
const MAX_TAGS: usize = 20;
/// Related places of a result that are stored.
const MAX_RELATED: usize = 100;

/// Writes the report.
pub(super) fn write(report: &Report, _: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let mut all: Vec<_> = report.findings.iter().zip(report.fingerprints()).collect();
    let n_cut = all.len().saturating_sub(MAX_RESULTS);
    if n_cut > 0 {
        all.sort_by_key(|(it, _)| (!it.counts(), it.severity));
        all.truncate(MAX_RESULTS);
        all.sort_by(|(a, _), (b, _)| a.order(b));
    }
    let ids: BTreeSet<&str> = all.iter().map(|(it, _)| &*it.id).collect();
    let index: BTreeMap<&str, i64> = ids.iter().copied().zip(0..).collect();
    let mut examples = BTreeMap::<&str, &Finding>::new();
    for (finding, _) in &all {
        examples.entry(&finding.id).or_insert(finding);
    }
    let rules: Vec<_> = examples.values().map(|it| descriptor(it, report.rules.get(&it.id))).collect();
    let mut notes = report.notes.clone();
    if n_cut > 0 {
        notes.push(format!("{n_cut} less urgent results are left out: code scanning takes no more than {MAX_RESULTS}"));
    }
    let run = Run::builder()
        .tool(Tool::builder().driver(driver(rules)).build())
        .column_kind(json!("unicodeCodePoints"))
        .invocations(vec![invocation(&notes)])
        .results(all.iter().map(|(it, print)| result(it, index[&*it.id], print)).collect::<Vec<_>>())
        .build();
    let sarif = Sarif::builder().schema(SCHEMA.to_owned()).version(json!("2.1.0")).runs(vec![run]).build();
    json::print(&sarif, out)
}

fn driver(rules: Vec<ReportingDescriptor>) -> ToolComponent {
    ToolComponent::builder()
        .name(TOOL.0.to_owned())
        .version(TOOL.1.to_owned())
        .semantic_version(TOOL.1.to_owned())
        .rules(rules)
        .build()
}

fn invocation(notes: &[String]) -> Invocation {
    let notes: Vec<_> =
        notes.iter().map(|it| Notification::builder().level(json!("note")).message(message(it)).build()).collect();
    let mut out = Invocation::builder().execution_successful(true).build();
    out.tool_execution_notifications = (!notes.is_empty()).then_some(notes);
    out
}

/// A rule as far as it is known; viewers want a description, so that an unknown one is described by its name.
fn descriptor(example: &Finding, rule: Option<&Rule>) -> ReportingDescriptor {
    let text = |it: &str| MultiformatMessageString::builder().text(clip(it)).build();
    let name = match &example.verdict {
        Some(it) if it.rule.is_empty() => format!("policy `{}`", it.policy),
        Some(it) => format!("rule `{}` of policy `{}`", it.rule, it.policy),
        None => example.message.clone(),
    };
    let title = rule.map(|it| &it.title).filter(|it| !it.is_empty()).unwrap_or(&name);
    let description = rule.map(|it| &it.description).filter(|it| !it.is_empty()).unwrap_or(title);
    let help = match rule {
        Some(_) => description.clone(),
        None => std::iter::once(description).chain(&example.help).cloned().collect::<Vec<_>>().join("\n\n"),
    };
    let mut out = ReportingDescriptor::builder()
        .id(example.id.clone())
        .short_description(text(first_line(title)))
        .full_description(text(description))
        .help(MultiformatMessageString::builder().text(help).build())
        .build();
    out.help_uri = rule.filter(|it| !it.url.is_empty()).map(|it| it.url.clone());
    out.properties = properties(example, rule);
    out
}

fn properties(example: &Finding, rule: Option<&Rule>) -> Option<PropertyBag> {
    let mut tags: Vec<String> = rule.map(|it| it.tags.clone()).unwrap_or_default();
    let verdict = example.verdict.as_ref();
    if let Some(verdict) = verdict.filter(|it| !it.category.is_empty() && !tags.contains(&it.category)) {
        tags.push(verdict.category.clone());
    }
    // GitHub ranks by these: critical above 9, high from 7, medium from 4.
    let weight = match verdict.map(|it| &*it.severity) {
        Some("critical") => Some("9.5"),
        Some("high") => Some("8.0"),
        Some("medium") => Some("5.5"),
        Some("low") => Some("2.0"),
        _ => None,
    };
    if weight.is_some() {
        tags.insert(0, "security".to_owned());
    }
    tags.retain(|it| !it.is_empty());
    tags.truncate(MAX_TAGS);
    if tags.is_empty() {
        return None;
    }
    let extra = weight.map(|it| ("security-severity".to_owned(), json!(it)));
    Some(PropertyBag::builder().tags(tags).additional_properties(extra.into_iter().collect::<BTreeMap<_, _>>()).build())
}

fn result(finding: &Finding, rule_index: i64, print: &str) -> SarifResult {
    let mut text = finding.message.clone();
    if let Some(verdict) = &finding.verdict {
        text = format!("{}: {text}", verdict.resource.title());
    }
    for help in &finding.help {
        text = format!("{text}\n{help}");
    }
    let related = finding.related.iter().take(MAX_RELATED).zip(1..).map(|(it, id)| {
        let mut out = location(&it.place);
        out.id = Some(id);
        out.message = (!it.label.is_empty()).then(|| message(&it.label));
        out
    });
    let related: Vec<_> = related.collect();
    let mut out = SarifResult::builder()
        .rule_id(finding.id.clone())
        .rule_index(rule_index)
        .level(match finding.severity {
            Severity::Error => ResultLevel::Error,
            Severity::Warning => ResultLevel::Warning,
            Severity::Info => ResultLevel::Note,
        })
        .message(message(&text))
        .locations(vec![location(&finding.primary)])
        .partial_fingerprints(BTreeMap::from([("primaryLocationLineHash".to_owned(), print.to_owned())]))
        .build();
    out.related_locations = (!related.is_empty()).then_some(related);
    out.suppressions = match &finding.waived {
        Some(it) => Some(vec![suppression(it)]),
        None if finding.known => {
            let known = Suppression::builder().kind(json!("external")).status(json!("accepted"));
            Some(vec![known.justification("in the baseline".to_owned()).build()])
        }
        None => None,
    };
    out
}

fn suppression(waiver: &Waiver) -> Suppression {
    let reason = if waiver.reason.is_empty() { String::new() } else { format!(": {}", waiver.reason) };
    let mut out = Suppression::builder()
        .kind(json!("external"))
        .status(json!("accepted"))
        .justification(format!("exception {}{reason}", waiver.exception))
        .build();
    out.location = waiver.place.as_ref().map(location);
    out
}

fn location(place: &Place) -> Location {
    let mut region = Region::builder()
        .start_line(i64::from(place.start.line))
        .start_column(i64::from(place.start.column))
        .end_line(i64::from(place.end.line))
        .end_column(i64::from(place.end.column))
        .byte_offset(i64::from(place.span.start))
        .byte_length(i64::from(place.span.end - place.span.start))
        .build();
    let marked = place.excerpt.marked();
    region.snippet = (!marked.is_empty()).then(|| ArtifactContent::builder().text(marked.to_owned()).build());
    let file = ArtifactLocation::builder().uri(uri(&place.path)).build();
    Location::builder()
        .physical_location(PhysicalLocation::builder().artifact_location(file).region(region).build())
        .build()
}

/// A message in plain text. SARIF reads `[text](target)` in it as a link, so that brackets are escaped where foreign
/// text could make one.
fn message(text: &str) -> Message {
    let text = if text.contains("](") { text.replace('[', "\\[").replace(']', "\\]") } else { text.to_owned() };
    // An empty text counts as a missing one.
    Message::builder().text(if text.trim().is_empty() { "no message".to_owned() } else { text }).build()
}

/// A path relative to the root of the repository as a URI.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(byte as char),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default()
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(MAX_DESCRIPTION) {
        Some(_) => text.chars().take(MAX_DESCRIPTION - 3).chain("...".chars()).collect(),
        None if text.trim().is_empty() => "no description".to_owned(),
        None => text.to_owned(),
    }
}
