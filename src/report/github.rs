//! Annotations on a GitHub pull request, as workflow commands on standard output.
//!
//! In: a report. Out: one `::error …::` line per annotation and nothing else. A step shows ten annotations of each
//! level and drops the rest without a word, so that past ten the tenth says how many more there are.

use std::io;

use super::{Options, Report, escape};
use crate::finding::{Finding, Severity};

/// Annotations of one level that GitHub shows for a step.
const PER_LEVEL: usize = 10;

/// Writes the report.
pub(super) fn write(report: &Report, _: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let all = report.by_urgency();
    for (severity, level) in [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Info, "notice")] {
        let of_level: Vec<_> = all.iter().filter(|it| it.severity == severity).collect();
        let ranked = one_per_object_first(&of_level);
        let room = if ranked.len() > PER_LEVEL { PER_LEVEL - 1 } else { PER_LEVEL };
        for finding in ranked.iter().take(room) {
            annotation(level, finding, out)?;
        }
        if ranked.len() > room {
            let rest = ranked.len() - room;
            writeln!(
                out,
                "::{level} title=admit::and {rest} more of level {level}; see the job summary or the full report"
            )?;
        }
    }
    Ok(())
}

/// The first finding of each object before the second of any: ten annotations on one Deployment hide nine others.
fn one_per_object_first<'a>(findings: &[&&'a Finding]) -> Vec<&'a Finding> {
    let mut seen = std::collections::BTreeSet::new();
    let object = |it: &'a Finding| (&*it.primary.path, it.verdict.as_ref().map(|it| &it.resource));
    let (mut first, later): (Vec<_>, Vec<_>) = findings.iter().map(|it| **it).partition(|it| seen.insert(object(it)));
    first.extend(later);
    first
}

fn annotation(level: &str, finding: &Finding, out: &mut dyn io::Write) -> io::Result<()> {
    let place = &finding.primary;
    write!(out, "::{level} file={},line={}", escape::workflow_property(&place.path), place.start.line)?;
    // Columns are understood within one line only.
    if place.start.line == place.end.line {
        if place.start.column < place.end.column {
            write!(out, ",col={},endColumn={}", place.start.column, place.end.column)?;
        } else {
            write!(out, ",col={}", place.start.column)?;
        }
    } else {
        write!(out, ",endLine={}", place.end.line)?;
    }
    let mut text = finding.message.clone();
    if let Some(verdict) = &finding.verdict {
        text = format!("{}: {text}", verdict.resource.title());
    }
    for help in &finding.help {
        text = format!("{text}\nhelp: {help}");
    }
    for related in &finding.related {
        let place = &related.place;
        text = format!("{text}\n{}: {}:{}", related.label, place.path, place.start.line);
    }
    writeln!(out, ",title={}::{}", escape::workflow_property(&finding.id), escape::workflow_data(text.trim()))
}
