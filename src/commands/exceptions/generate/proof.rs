//! What exceptions come to: the same tree judged without and with them.

use std::collections::{BTreeMap, BTreeSet};

use super::place::Place;
use crate::{
    finding::{Finding, ResourceRef, Severity, Source, Status, Verdict},
    report::Report,
};

/// What a verdict is about. A policy written in CEL has no rules, but for the one that says that it is waived.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    source: Source,
    policy: String,
    rule: String,
    resource: ResourceRef,
}

impl Row {
    /// The row of a verdict.
    pub(super) fn of(verdict: &Verdict) -> Self {
        let rule = if verdict.source == Source::Kyverno { verdict.rule.clone() } else { String::new() };
        Self { source: verdict.source, policy: verdict.policy.clone(), rule, resource: verdict.resource.clone() }
    }

    fn title(&self) -> String {
        let slash = if self.rule.is_empty() { "" } else { "/" };
        format!("{} {}{slash}{}", self.resource.title(), self.policy, self.rule)
    }
}

/// The difference that exceptions make.
#[derive(Debug, Default)]
pub(super) struct Proof {
    /// Findings that stay, by position among those asked for, with what is said of them.
    pub uncovered: Vec<(usize, Vec<String>)>,
    /// What else changes.
    pub wider: Vec<String>,
    /// What is wrong with the exceptions themselves.
    pub own: Vec<String>,
    /// Whether one of that is an error.
    own_fails: bool,
}

impl Proof {
    /// Compares two reports of the same tree; in the second one `files` are there, too.
    pub(super) fn new(before: &Report, after: &Report, asked: &[&Finding], files: &[Place]) -> Self {
        let (was, is) = (states(before), states(after));
        let wanted: BTreeSet<Row> = asked.iter().filter_map(|it| it.verdict.as_ref()).map(Row::of).collect();
        let is_own = |path: &str| files.iter().any(|it| it.shown == path);
        let mut out = Self::default();
        for (position, finding) in asked.iter().enumerate() {
            let Some(row) = finding.verdict.as_ref().map(Row::of) else { continue };
            let stays = |it: &&Finding| it.waived.is_none() && it.verdict.as_ref().map(Row::of).as_ref() == Some(&row);
            if let Some(left) = after.findings.iter().find(stays) {
                out.uncovered.push((position, [left.notes.clone(), left.help.clone()].concat()));
            }
        }
        let own: BTreeSet<Row> = after
            .findings
            .iter()
            .filter(|it| is_own(&it.primary.path))
            .filter_map(|it| it.verdict.as_ref())
            .chain(after.quiet.iter().filter(|it| is_own(&it.path)).map(|it| &it.verdict))
            .map(Row::of)
            .collect();
        let rows: BTreeSet<&Row> = was.keys().chain(is.keys()).collect();
        for row in rows.into_iter().filter(|it| !wanted.contains(it) && !own.contains(it)) {
            if was.get(row) != is.get(row) {
                out.wider.push(row.title());
            }
        }
        // A finding that was there before may point into them only if a file of that name was there, which is refused.
        for finding in after.findings.iter().filter(|it| it.waived.is_none() && is_own(&it.primary.path)) {
            out.own_fails |= finding.severity == Severity::Error;
            let help = finding.help.first().map(|it| format!(" ({it})")).unwrap_or_default();
            out.own.push(format!("{}[{}] {}{help}", finding.severity.as_str(), finding.id, finding.message));
        }
        out
    }

    /// Whether the exceptions don't do what they should, or more.
    pub(super) fn is_short(&self) -> bool {
        !self.uncovered.is_empty() || !self.wider.is_empty() || self.own_fails
    }
}

/// What is said of each row, in order.
fn states(report: &Report) -> BTreeMap<Row, Vec<(Status, bool)>> {
    let mut out: BTreeMap<Row, Vec<(Status, bool)>> = BTreeMap::new();
    let findings = report.findings.iter().filter_map(|it| Some((it.verdict.as_ref()?, it.waived.is_some())));
    for (verdict, is_waived) in findings.chain(report.quiet.iter().map(|it| (&it.verdict, false))) {
        out.entry(Row::of(verdict)).or_default().push((verdict.status, is_waived));
    }
    for objects in out.values_mut() {
        objects.sort_unstable();
    }
    out
}
