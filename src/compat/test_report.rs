//! What `admit test` prints: tables, and the forms for machines.
//!
//! In: comparisons. Out: text of one format, complete and safe to print or to parse.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use super::{
    check::{Checked, Mark},
    table::{self, Paint},
};
use crate::report::escape;

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A table for each suite.
    Table(Paint),
    /// One JSON array.
    Json,
    /// One YAML list.
    Yaml,
    /// One Markdown table.
    Markdown,
    /// `JUnit` XML.
    Junit,
}

impl Form {
    /// Reads the value of `--output-format`.
    pub(crate) fn parse(text: &str, paint: Paint) -> Option<Self> {
        Some(match text {
            "" | "table" => Form::Table(paint),
            "json" => Form::Json,
            "yaml" => Form::Yaml,
            "markdown" => Form::Markdown,
            "junit" => Form::Junit,
            _ => return None,
        })
    }
}

/// A row, with the field names of `kyverno test`.
#[derive(Serialize)]
#[serde(rename_all = "UPPERCASE")]
struct Row<'c> {
    id: usize,
    policy: &'c str,
    rule: &'c str,
    resource: &'c str,
    result: &'static str,
    reason: &'c str,
    #[serde(rename = "Message", skip_serializing_if = "Option::is_none")]
    message: Option<&'c str>,
}

impl<'c> Row<'c> {
    fn new(id: usize, checked: &'c Checked, detailed: bool) -> Self {
        let Checked { policy, rule, resource, mark, reason, message } = checked;
        let message = detailed.then_some(message.as_str());
        Self { id, policy, rule, resource, result: mark.name(), reason, message }
    }
}

/// Writes comparisons in a form; `detailed` adds what the rules say.
pub(crate) fn write(checked: &[Checked], form: Form, detailed: bool) -> String {
    let row = |(index, it): (usize, &'_ Checked)| -> Vec<String> {
        let Checked { policy, rule, resource, mark, reason, message } = it;
        let mut cells: Vec<String> = [policy, rule, resource].into_iter().cloned().collect();
        cells.insert(0, (index + 1).to_string());
        cells.extend([mark.name().to_owned(), reason.clone()]);
        cells.extend(detailed.then(|| message.clone()));
        cells
    };
    let rows = || checked.iter().enumerate().map(row).collect::<Vec<_>>();
    let mut header = vec!["ID", "POLICY", "RULE", "RESOURCE", "RESULT", "REASON"];
    header.extend(detailed.then_some("MESSAGE"));
    match form {
        Form::Table(paint) => table::draw(&header, &rows(), paint),
        Form::Markdown => table::markdown(&header, &rows()),
        Form::Junit => junit(checked, detailed),
        // Neither fails for strings and numbers.
        Form::Json => serde_json::to_string_pretty(&machine(checked, detailed)).unwrap_or_default() + "\n",
        Form::Yaml => serde_yaml::to_string(&machine(checked, detailed)).unwrap_or_default(),
    }
}

fn machine(checked: &[Checked], detailed: bool) -> Vec<Row<'_>> {
    checked.iter().enumerate().map(|(index, it)| Row::new(index + 1, it, detailed)).collect()
}

fn junit(checked: &[Checked], detailed: bool) -> String {
    let mut report = Report::new("kyverno-test");
    let mut suites: Vec<(&str, Vec<TestCase>)> = Vec::new();
    for it in checked {
        let mut status = match it.mark {
            Mark::Pass => TestCaseStatus::success(),
            Mark::Skip => TestCaseStatus::skipped(),
            Mark::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        };
        if it.mark != Mark::Pass {
            status.set_message(escape::line(&it.reason));
        }
        if detailed {
            status.set_description(escape::paragraph(&it.message));
        }
        let mut case = TestCase::new(escape::line(&it.resource), status);
        case.set_classname(escape::line(&it.rule));
        match suites.iter_mut().find(|(policy, _)| *policy == it.policy) {
            Some((_, cases)) => cases.push(case),
            None => suites.push((&it.policy, vec![case])),
        }
    }
    for (policy, cases) in suites {
        let mut suite = TestSuite::new(escape::line(policy));
        suite.add_test_cases(cases);
        report.add_test_suite(suite);
    }
    let mut out = Vec::new();
    // Writing to memory doesn't fail, and every text was made fit for XML.
    let _ = report.serialize(&mut out);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked() -> Vec<Checked> {
        let one = |mark, reason: &str, message: &str| Checked {
            policy: "limits".to_owned(),
            rule: "cpu".to_owned(),
            resource: "v1/Pod/shop/web".to_owned(),
            mark,
            reason: reason.to_owned(),
            message: message.to_owned(),
        };
        vec![one(Mark::Pass, "Ok", "fine"), one(Mark::Fail, "Want fail, got pass", "a <b> & \"c\"|d")]
    }

    #[test]
    fn every_form_is_complete() {
        assert_eq!(
            write(&checked()[1..], Form::Json, true),
            "[\n  {\n    \"ID\": 1,\n    \"POLICY\": \"limits\",\n    \"RULE\": \"cpu\",\n    \"RESOURCE\": \"v1/Pod/shop/web\",\n    \
             \"RESULT\": \"Fail\",\n    \"REASON\": \"Want fail, got pass\",\n    \"Message\": \"a <b> & \\\"c\\\"|d\"\n  }\n]\n"
        );
        let yaml = write(&checked()[..1], Form::Yaml, false);
        assert_eq!(
            yaml,
            "- ID: 1\n  POLICY: limits\n  RULE: cpu\n  RESOURCE: v1/Pod/shop/web\n  RESULT: Pass\n  REASON: Ok\n"
        );
        let markdown = write(&checked()[1..], Form::Markdown, true);
        assert!(markdown.ends_with("| Fail | Want fail, got pass | a &lt;b&gt; &amp; \"c\"&#124;d |\n"), "{markdown}");
        let junit = write(&checked(), Form::Junit, true);
        assert!(junit.contains("<testsuite name=\"limits\" tests=\"2\""), "{junit}");
        assert!(
            junit.contains("<failure message=\"Want fail, got pass\">a &lt;b&gt; &amp; &quot;c&quot;|d</failure>"),
            "{junit}"
        );
    }
}
