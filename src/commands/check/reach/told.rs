//! What to say of objects that fail after a change which does not touch them.
//!
//! In: objects and rules, each with what is to blame. Out: one finding for each thing to blame, at the place where it
//! changed, with a few of the objects.

use std::collections::{BTreeMap, BTreeSet};

use super::touched::Cause;
use crate::finding::{Finding, Severity};

/// Objects that are shown.
const SHOWN: usize = 3;

/// An object that fails by a rule after the change, and did not before.
#[derive(Debug)]
pub(in crate::commands::check) struct Failing {
    /// What is to blame.
    pub(in crate::commands::check) cause: Option<Cause>,
    /// What is said of it after the change.
    pub(in crate::commands::check) finding: Finding,
}

/// One finding for each thing to blame.
pub(super) fn tell(mut failing: Vec<Failing>, severity: Severity) -> Vec<Finding> {
    failing.sort_by(|a, b| a.finding.order(&b.finding));
    let mut groups: BTreeMap<_, (Option<Cause>, Vec<Finding>)> = BTreeMap::new();
    for Failing { cause, finding } in failing {
        let key = cause.as_ref().map(|it| (it.place.path.to_string(), it.place.span, it.id, it.name.clone()));
        groups.entry(key).or_insert_with(|| (cause, Vec::new())).1.push(finding);
    }
    groups.into_values().filter_map(|(cause, findings)| group(cause, &findings, severity)).collect()
}

fn group(cause: Option<Cause>, findings: &[Finding], severity: Severity) -> Option<Finding> {
    let object = |it: &Finding| it.verdict.as_ref().map(|it| it.resource.clone());
    let objects: BTreeSet<_> = findings.iter().map(|it| (it.primary.path.to_string(), object(it))).collect();
    let n = objects.len();
    let would_fail = if n == 1 { "1 object would fail".to_owned() } else { format!("{n} objects would fail") };
    let place = cause.as_ref().map(|it| it.place.clone()).or_else(|| Some(findings.first()?.primary.clone()))?;
    let (id, name) = cause.as_ref().map_or(("reach/object", ""), |it| (it.id, &*it.name));
    let (why, help) = match id {
        "reach/policy" => (format!("by `{name}`"), "mend them first, or let the policy begin with `Audit`"),
        "reach/exception" => {
            (format!("without `{name}` as it was"), "mend them first, or keep the exception until they are")
        }
        "reach/namespace" => (format!("in namespace `{name}` as it is now"), "mend them first"),
        "reach/definition" => ("by how their kind is defined now".to_owned(), "mend them first"),
        "reach/layout" => ("that were no objects before".to_owned(), "mend them, or keep them out of what is applied"),
        "reach/settings" => (format!("by what `{name}` says now"), "mend them first"),
        _ => (format!("since a rule reads `{name}`"), "mend them first"),
    };
    let mut out = Finding::new(id, severity, place, format!("after this change {would_fail} {why}"));
    let mut shown = BTreeSet::new();
    for it in findings {
        if shown.len() < SHOWN && shown.insert((it.primary.path.to_string(), object(it))) {
            let title = object(it).map(|it| it.title()).unwrap_or_default();
            out = out.related(it.primary.clone(), format!("{title}: {}", it.id));
        }
    }
    if n > shown.len() {
        out = out.note(format!("and {} more: `admit check` of what is pushed shows all of them", n - shown.len()));
    }
    Some(out.help(help))
}
