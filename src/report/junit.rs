//! `JUnit` XML, for CI systems that know nothing else.
//!
//! In: a report. Out: a test suite per policy, a test case per rule and resource. A finding of severity error is a
//! failure; a rule that could not be decided is an error; an exception is a skip with its reason. `JUnit` has no warning:
//! those are passed cases whose output is the message. Characters that XML can't hold are spelled out.

use std::{collections::BTreeMap, io};

use quick_junit::{NonSuccessKind, Report as Xml, TestCase, TestCaseStatus, TestSuite};

use super::{Options, Quiet, Report, TOOL, escape};
use crate::finding::{Finding, Severity, Status, Verdict};

/// Writes the report.
pub(super) fn write(report: &Report, _: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let mut suites = BTreeMap::<String, Vec<TestCase>>::new();
    for finding in &report.findings {
        suites.entry(suite(finding.verdict.as_ref())).or_default().push(finding_case(finding));
    }
    for quiet in &report.quiet {
        suites.entry(suite(Some(&quiet.verdict))).or_default().push(quiet_case(quiet));
    }
    let mut xml = Xml::new(TOOL.0);
    for (name, cases) in suites {
        let mut suite = TestSuite::new(escape::line(&name));
        suite.add_test_cases(cases);
        xml.add_test_suite(suite);
    }
    xml.serialize(out).map_err(io::Error::other)
}

fn suite(verdict: Option<&Verdict>) -> String {
    verdict.map_or_else(|| TOOL.0.to_owned(), |it| it.policy.clone())
}

fn finding_case(finding: &Finding) -> TestCase {
    let place = &finding.primary;
    let mut status = match (&finding.waived, finding.severity, finding.verdict.as_ref().map(|it| it.status)) {
        (Some(_), _, _) => TestCaseStatus::skipped(),
        (None, ..) if finding.known => TestCaseStatus::skipped(),
        (None, _, Some(Status::Error | Status::Indeterminate)) => TestCaseStatus::non_success(NonSuccessKind::Error),
        (None, Severity::Error, _) => TestCaseStatus::non_success(NonSuccessKind::Failure),
        (None, Severity::Warning | Severity::Info, _) => TestCaseStatus::success(),
    };
    let mut text =
        format!("{}:{}:{}: {}", escape::path(&place.path), place.start.line, place.start.column, finding.message);
    for help in &finding.help {
        text = format!("{text}\nhelp: {help}");
    }
    let text = escape::paragraph(&text);
    if let Some(waiver) = &finding.waived {
        let reason = if waiver.reason.is_empty() { String::new() } else { format!(": {}", waiver.reason) };
        status.set_message(escape::line(&format!("waived by exception {}{reason}", waiver.exception)));
    } else if finding.known {
        status.set_message(escape::line(&format!("in the baseline: {}", finding.message)));
    } else {
        status.set_message(escape::line(&finding.message));
        status.set_description(text.clone());
    }
    status.set_type(finding.severity.as_str());
    let passed = matches!(status, TestCaseStatus::Success { .. });
    let mut case = case(&place.path, place.start.line, &finding.id, finding.verdict.as_ref(), status);
    if passed {
        case.set_system_out(format!("{}: {text}", finding.severity.as_str()));
    }
    case
}

fn quiet_case(quiet: &Quiet) -> TestCase {
    let mut status = match quiet.verdict.status {
        Status::Skip => TestCaseStatus::skipped(),
        Status::Pass | Status::Warn | Status::Fail | Status::Error | Status::Indeterminate => TestCaseStatus::success(),
    };
    if !quiet.message.is_empty() {
        status.set_message(escape::line(&quiet.message));
    }
    let id = match &*quiet.verdict.rule {
        "" => quiet.verdict.policy.clone(),
        rule => format!("{}/{rule}", quiet.verdict.policy),
    };
    case(&quiet.path, quiet.line, &id, Some(&quiet.verdict), status)
}

fn case(path: &str, line: u32, id: &str, verdict: Option<&Verdict>, status: TestCaseStatus) -> TestCase {
    let path = escape::path(path);
    let name = match verdict.map(|it| &it.resource) {
        Some(it) if it.namespace.is_empty() => format!("{path}:{}/{}", it.kind, it.name),
        Some(it) => format!("{path}:{}/{}/{}", it.kind, it.namespace, it.name),
        None => format!("{path}:{line}"),
    };
    let mut case = TestCase::new(escape::line(&name), status);
    case.set_classname(escape::line(id));
    case.extra.insert("file".into(), path.into());
    case.extra.insert("line".into(), line.to_string().into());
    case
}
