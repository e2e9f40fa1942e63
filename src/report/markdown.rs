//! The summary of a CI job, in GitHub's Markdown.
//!
//! In: a report. Out: the totals, a table of what refuses the change, and the rest folded away. GitHub drops a summary
//! above 1 MiB as a whole, so that rows end well before and the last line says how many are missing.

use std::{fmt::Write as _, io};

use super::{Options, Report, escape, text};
use crate::finding::{Finding, Severity};

/// Bytes of rows; the frame around them is small.
const MAX_BYTES: usize = 900 * 1024;

/// Writes the report.
pub(super) fn write(report: &Report, _: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let mut page = format!("### admit: {}\n\n", text::headline(report.tally()));
    let all = report.by_urgency();
    let mut n_cut = 0;
    for (severity, title) in
        [(Severity::Error, "Errors"), (Severity::Warning, "Warnings"), (Severity::Info, "For information")]
    {
        let rows: Vec<_> = all.iter().filter(|it| it.severity == severity).map(|it| row(it)).collect();
        n_cut += section(&mut page, title, "| Where | Rule | What |\n| --- | --- | --- |\n", &rows, severity);
    }
    let waived: Vec<_> = report.findings.iter().filter_map(waived_row).collect();
    let header = "| Where | Rule | Exception |\n| --- | --- | --- |\n";
    n_cut += section(&mut page, "Waived by exceptions", header, &waived, Severity::Info);
    if n_cut > 0 {
        let _ = writeln!(page, "... and {n_cut} more; the full report has them all.\n");
    }
    for line in [Some(text::looked_at(report)), text::verdicts(report)].into_iter().flatten() {
        let _ = writeln!(page, "- {}", escape::markdown(&line));
    }
    for note in &report.notes {
        let _ = writeln!(page, "- note: {}", escape::markdown(note));
    }
    out.write_all(page.as_bytes())
}

/// Adds a table, folded unless it holds errors. Returns how many rows had no room.
fn section(page: &mut String, title: &str, header: &str, rows: &[String], severity: Severity) -> usize {
    if rows.is_empty() {
        return 0;
    }
    let open = if severity == Severity::Error { " open" } else { "" };
    let _ = write!(page, "<details{open}><summary>{title} ({})</summary>\n\n{header}", rows.len());
    let fitting = rows.iter().take_while(|it| {
        let fits = page.len() + it.len() <= MAX_BYTES;
        if fits {
            page.push_str(it);
        }
        fits
    });
    let n_shown = fitting.count();
    page.push_str("\n</details>\n\n");
    rows.len() - n_shown
}

fn row(finding: &Finding) -> String {
    let mut what = escape::markdown(finding.message.trim());
    if let Some(verdict) = &finding.verdict {
        what = format!("{}: {what}", escape::markdown_code(&verdict.resource.title()));
    }
    for help in &finding.help {
        what = format!("{what}<br>**help:** {}", escape::markdown(help));
    }
    for related in &finding.related {
        let place = &related.place;
        let at = escape::markdown_code(&format!("{}:{}", place.path, place.start.line));
        what = format!("{what}<br>{}: {at}", escape::markdown(&related.label));
    }
    format!("| {} | {} | {what} |\n", place(finding), escape::markdown_code(&finding.id))
}

fn waived_row(finding: &Finding) -> Option<String> {
    let waiver = finding.waived.as_ref()?;
    let mut by = escape::markdown_code(&waiver.exception);
    if !waiver.reason.is_empty() {
        by = format!("{by}: {}", escape::markdown(&waiver.reason));
    }
    Some(format!("| {} | {} | {by} |\n", place(finding), escape::markdown_code(&finding.id)))
}

fn place(finding: &Finding) -> String {
    escape::markdown_code(&format!("{}:{}", finding.primary.path, finding.primary.start.line))
}
