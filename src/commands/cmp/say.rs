//! What people see of a refusal in Argo CD's UI: the verdict first, a line or two for each finding, few in all.
//!
//! The whole of standard error becomes the condition of the application, between other words; no color, no excerpts.

use std::fmt::Write as _;

use super::app::App;
use crate::{
    finding::{Finding, Severity},
    report::{Report, escape},
};

/// Findings that are told; each takes two lines.
const MAX_FINDINGS: usize = 8;

/// Characters of a line.
const MAX_LINE: usize = 400;

/// What there is to say of the findings of one weight.
pub(super) fn text(app: &App, report: &Report, severity: Severity, judged_by: &str) -> String {
    let own: Vec<&Finding> =
        report.by_urgency().into_iter().filter(|it| it.counts() && it.severity == severity).collect();
    if own.is_empty() {
        return String::new();
    }
    let s = if own.len() == 1 { "" } else { "s" };
    let verdict = match severity {
        Severity::Error => "is not let in",
        Severity::Warning | Severity::Info => "is let in",
    };
    let mut out = String::new();
    let title = escape::line(&app.title());
    let _ = writeln!(out, "admit: {title} {verdict}: {} {}{s}, judged by {judged_by}", own.len(), severity.as_str());
    for finding in own.iter().take(MAX_FINDINGS) {
        let at = format!("{}:{}", escape::path(&finding.primary.path), finding.primary.start.line);
        let object = finding.verdict.as_ref().map(|it| format!("{}: ", it.resource.title())).unwrap_or_default();
        let _ = writeln!(out, "{}", cut(&format!("{at}: {object}{}", finding.message)));
        let rendered = finding.notes.iter().find(|it| it.starts_with("rendered from"));
        let help = finding.help.first().or(rendered).map(|it| format!("; {it}")).unwrap_or_default();
        let _ = writeln!(out, "  {}", cut(&format!("[{}]{help}", finding.id)));
    }
    if own.len() > MAX_FINDINGS {
        let _ = writeln!(out, "and {} more", own.len() - MAX_FINDINGS);
    }
    out
}

/// One line that is safe to print and not too long.
fn cut(text: &str) -> String {
    let line = escape::line(text);
    match line.char_indices().nth(MAX_LINE) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line,
    }
}
