//! The report for programs: everything that is known, under names that stay.
//!
//! In: a report. Out: one JSON object, described by `json_schema.json` beside this file. Fields are added within a
//! version of the format, never renamed or removed. Every finding is there, whatever the caps of other formats. Strings
//! are exact; what could steer a terminal is written as `\u001b`.

use std::{collections::BTreeMap, io};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use super::{Options, Report, TOOL, escape};
use crate::finding::{Place, ResourceRef, Verdict};

/// JSON Schema of what [`write`] writes.
#[cfg(test)]
pub(crate) const SCHEMA: &str = include_str!("json_schema.json");

/// Version of the format; a new one means that a field went away or changed its meaning.
const VERSION: u32 = 1;

/// Writes the report.
pub(super) fn write(report: &Report, _: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let tally = report.tally();
    let summary = &report.summary;
    let (documents, rules) = (&summary.documents, &summary.rules);
    let whole = Whole {
        version: VERSION,
        tool: Tool { name: TOOL.0, version: TOOL.1 },
        summary: Summary {
            files: summary.files,
            documents: Documents {
                policies: documents.policies,
                exceptions: documents.exceptions,
                manifests: documents.manifests,
                kustomize: documents.kustomize,
                patches: documents.patches,
                helm: documents.helm,
                suites: documents.suites,
                values: documents.values,
                other: documents.other,
            },
            rules: Rules {
                pass: rules.pass,
                fail: rules.fail,
                warn: rules.warn,
                error: rules.error,
                skip: rules.skip,
                indeterminate: rules.indeterminate,
                waived: summary.waived,
            },
            findings: Counts {
                error: tally.errors,
                warning: tally.warnings,
                info: tally.infos,
                waived: tally.waived,
                baseline: tally.known,
            },
        },
        findings: findings(report),
        results: report
            .quiet
            .iter()
            .map(|it| Quiet { path: &it.path, line: it.line, message: &it.message, verdict: judged(&it.verdict) })
            .collect(),
        rules: report.rules.iter().map(|(id, it)| (&**id, rule(it))).collect(),
        notes: &report.notes,
        shard: report.shard.map(|it| Shard {
            number: it.number,
            of: it.of,
            checked: it.checked.as_str(),
            is_root: it.is_root,
            run: format!("{:032x}", it.run),
        }),
    };
    print(&whole, out)
}

/// Writes a value as indented JSON with a line break at the end, with nothing in it that a terminal obeys.
pub(super) fn print(value: &impl Serialize, out: &mut dyn io::Write) -> io::Result<()> {
    let mut serializer = Serializer::with_formatter(&mut *out, Careful(PrettyFormatter::new()));
    value.serialize(&mut serializer).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

fn findings(report: &Report) -> Vec<Finding<'_>> {
    let all = report.findings.iter().zip(report.fingerprints());
    // Whoever joins reports needs the source that they show; others have the files.
    let location = |place| location(place, report.shard.is_some());
    let all = all.map(|(it, fingerprint)| Finding {
        id: &it.id,
        severity: it.severity.as_str(),
        message: &it.message,
        label: &it.label,
        location: location(&it.primary),
        pointer: &it.pointer,
        related: it.related.iter().map(|it| Related { label: &it.label, location: location(&it.place) }).collect(),
        help: &it.help,
        notes: &it.notes,
        verdict: it.verdict.as_ref().map(judged),
        waived: it.waived.as_ref().map(|it| Waiver {
            exception: &it.exception,
            reason: &it.reason,
            location: it.place.as_ref().map(location),
        }),
        baseline: it.known,
        fingerprint,
    });
    all.collect()
}

fn rule(it: &super::Rule) -> Rule<'_> {
    Rule { title: &it.title, description: &it.description, url: &it.url, tags: &it.tags, path: &it.path }
}

fn location(place: &Place, with_source: bool) -> Location<'_> {
    let excerpt = &place.excerpt;
    Location {
        path: &place.path,
        line: place.start.line,
        column: place.start.column,
        end_line: place.end.line,
        end_column: place.end.column,
        byte_start: place.span.start,
        byte_end: place.span.end,
        source: (with_source && !excerpt.text.is_empty()).then(|| Source {
            text: &excerpt.text,
            line: excerpt.first_line,
            start: excerpt.mark.start,
            end: excerpt.mark.end,
            is_whole: excerpt.whole_lines,
        }),
    }
}

fn judged(it: &Verdict) -> Judged<'_> {
    let ResourceRef { api_version, kind, namespace, name } = &it.resource;
    Judged {
        policy: &it.policy,
        rule: &it.rule,
        status: it.status.as_str(),
        action: it.action.as_str(),
        source: it.source.as_str(),
        category: &it.category,
        severity: &it.severity,
        properties: it.properties.iter().map(|(key, value)| [&**key, &**value]).collect(),
        resource: Resource { api_version, kind, namespace, name },
    }
}

/// Indented JSON that also escapes what JSON itself would let through: C1 controls and characters that reorder text.
struct Careful<'a>(PrettyFormatter<'a>);

impl Formatter for Careful<'_> {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.bytes().all(|byte| byte != b'#' && (b' '..=b'~').contains(&byte)) {
            return self.0.write_string_fragment(out, fragment);
        }
        for part in fragment.split_inclusive(escape::is_hostile) {
            let last = part.chars().next_back().filter(|it| escape::is_hostile(*it));
            let plain = &part[..part.len() - last.map_or(0, char::len_utf8)];
            // A runner looks for this anywhere in a line of its log.
            for (at, piece) in plain.split("##[").enumerate() {
                if at > 0 {
                    out.write_all(b"#\\u0023[")?;
                }
                self.0.write_string_fragment(out, piece)?;
            }
            for unit in last.iter().flat_map(|it| it.encode_utf16(&mut [0; 2]).to_vec()) {
                write!(out, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

#[derive(Serialize)]
struct Whole<'a> {
    version: u32,
    tool: Tool,
    summary: Summary,
    findings: Vec<Finding<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    results: Vec<Quiet<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    rules: BTreeMap<&'a str, Rule<'a>>,
    notes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<Shard>,
}

#[derive(Serialize)]
struct Rule<'a> {
    title: &'a str,
    description: &'a str,
    url: &'a str,
    tags: &'a [String],
    path: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shard {
    number: u32,
    of: u32,
    checked: &'static str,
    is_root: bool,
    run: String,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Summary {
    files: usize,
    documents: Documents,
    rules: Rules,
    findings: Counts,
}

#[derive(Serialize)]
struct Documents {
    policies: usize,
    exceptions: usize,
    manifests: usize,
    kustomize: usize,
    patches: usize,
    helm: usize,
    suites: usize,
    values: usize,
    other: usize,
}

#[derive(Serialize)]
struct Rules {
    pass: usize,
    fail: usize,
    warn: usize,
    error: usize,
    skip: usize,
    indeterminate: usize,
    waived: usize,
}

#[derive(Serialize)]
struct Counts {
    error: usize,
    warning: usize,
    info: usize,
    waived: usize,
    baseline: usize,
}

#[derive(Serialize)]
struct Finding<'a> {
    id: &'a str,
    severity: &'a str,
    message: &'a str,
    label: &'a str,
    #[serde(flatten)]
    location: Location<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pointer: &'a str,
    related: Vec<Related<'a>>,
    help: &'a [String],
    notes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Judged<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waived: Option<Waiver<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    baseline: bool,
    fingerprint: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    path: &'a str,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
    byte_start: u32,
    byte_end: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Source<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Source<'a> {
    text: &'a str,
    line: u32,
    start: u32,
    end: u32,
    is_whole: bool,
}

#[derive(Serialize)]
struct Related<'a> {
    label: &'a str,
    #[serde(flatten)]
    location: Location<'a>,
}

#[derive(Serialize)]
struct Judged<'a> {
    policy: &'a str,
    rule: &'a str,
    status: &'a str,
    action: &'a str,
    source: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    category: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    severity: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<[&'a str; 2]>,
    resource: Resource<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    api_version: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct Waiver<'a> {
    exception: &'a str,
    reason: &'a str,
    #[serde(flatten)]
    location: Option<Location<'a>>,
}

#[derive(Serialize)]
struct Quiet<'a> {
    path: &'a str,
    line: u32,
    message: &'a str,
    verdict: Judged<'a>,
}
