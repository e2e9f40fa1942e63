//! GitLab's Code Quality report, shown in a merge request.
//!
//! In: a report. Out: a JSON array, `[]` when there is nothing to say: GitLab takes an empty file for a failed job.
//! Findings that an exception covers, or that a baseline holds, are left out, since GitLab has no word for them.
//!
//! The fields are those of <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>.

use std::io;

use serde::Serialize;

use super::{Options, Report, json};
use crate::finding::Severity;

/// Writes the report.
pub(super) fn write(report: &Report, _: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let all = report.findings.iter().zip(report.fingerprints()).filter(|(it, _)| it.counts());
    let issues: Vec<_> = all
        .map(|(it, fingerprint)| Issue {
            description: match &it.verdict {
                Some(verdict) => format!("{}: {}", verdict.resource.title(), it.message),
                None => it.message.clone(),
            },
            check_name: &it.id,
            fingerprint,
            severity: match it.severity {
                Severity::Error => "critical",
                Severity::Warning => "minor",
                Severity::Info => "info",
            },
            location: Location {
                path: it.primary.path.strip_prefix("./").unwrap_or(&it.primary.path),
                lines: Lines { begin: it.primary.start.line, end: it.primary.end.line },
            },
        })
        .collect();
    json::print(&issues, out)
}

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'a str,
    fingerprint: String,
    severity: &'static str,
    location: Location<'a>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
    end: u32,
}
