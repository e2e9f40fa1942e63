//! What `kyverno apply` prints: violations, refused policies, the line of counts.
//!
//! In: the rows of a run. Out: text that is safe to print. The same lines as Kyverno's, in the order of the resources.

use std::fmt::Write as _;

use super::{
    evaluation::{Judged, Row},
    load::{InvalidPolicy, Object},
    table::{self, Paint},
};
use crate::{finding::Status, report::escape};

/// Rows by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Rules that hold.
    pub pass: usize,
    /// Rules that don't.
    pub fail: usize,
    /// Rules that don't, where only a warning is asked for.
    pub warn: usize,
    /// Rules that could not be evaluated, and policies that can't be read.
    pub error: usize,
    /// Rules that don't count for a resource.
    pub skip: usize,
}

impl Counts {
    /// Counts the rows, and the policies that take no part.
    pub(crate) fn of(judged: &Judged, invalid: &[InvalidPolicy]) -> Self {
        let mut counts = Self { error: invalid.len(), ..Self::default() };
        for row in &judged.rows {
            let n = match row.status {
                Status::Pass => &mut counts.pass,
                Status::Fail => &mut counts.fail,
                Status::Warn => &mut counts.warn,
                Status::Skip => &mut counts.skip,
                Status::Error | Status::Indeterminate => &mut counts.error,
            };
            // Kyverno: what such policies say is counted twice.
            let is_twice = matches!(judged.heads[row.policy].kind, "MutatingPolicy" | "NamespacedMutatingPolicy");
            *n += 1 + usize::from(is_twice);
        }
        counts
    }

    /// The last line, with the space that Kyverno leaves at its end.
    pub(crate) fn line(self) -> String {
        let Self { pass, fail, warn, error, skip } = self;
        format!("\npass: {pass}, fail: {fail}, warn: {warn}, error: {error}, skip: {skip} \n")
    }
}

/// The line before everything else.
pub(crate) fn header(n_rules: usize, n_resources: usize, n_exceptions: usize) -> String {
    let exceptions = if n_exceptions > 0 { format!(" with {n_exceptions} exception(s)") } else { String::new() };
    format!("\nApplying {n_rules} policy rule(s) to {n_resources} resource(s){exceptions}...\n")
}

/// A block for each policy and resource with failures.
pub(crate) fn blocks(judged: &Judged, resources: &[Object]) -> String {
    let mut out = String::new();
    for rows in judged.rows.chunk_by(|a, b| a.policy == b.policy && a.resource == b.resource) {
        let failed: Vec<&Row> = rows.iter().filter(|row| matches!(row.status, Status::Fail | Status::Warn)).collect();
        let Some(first) = failed.first() else { continue };
        let how = if first.audit_warning { "failed as audit warning" } else { "failed" };
        let policy = escape::line(&judged.heads[first.policy].key);
        let resource = escape::line(&title(&resources[first.resource]));
        let _ = writeln!(out, "policy {policy} -> resource {resource} {how}:");
        for (index, row) in failed.into_iter().enumerate() {
            let message = if row.message.is_empty() { "validation failed" } else { &row.message };
            let _ = writeln!(out, "{} - {} {}", index + 1, escape::line(&row.rule), escape::paragraph(message));
        }
        out.push('\n');
    }
    out
}

/// Policies that take no part.
pub(crate) fn refused(invalid: &[InvalidPolicy]) -> String {
    let mut out = String::new();
    let rule = "-".repeat(70);
    // Kyverno: a reason that begins so has a heading of its own.
    let is_other = |it: &&InvalidPolicy| it.reason.starts_with("variable 'element.name'");
    let skipped: Vec<&InvalidPolicy> = invalid.iter().filter(|it| !is_other(it)).collect();
    let others: Vec<&InvalidPolicy> = invalid.iter().filter(is_other).collect();
    for (heading, policies) in [("Policies Skipped", skipped), ("Invalid Policies", others)] {
        if policies.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{rule}\n{heading}:");
        for (index, policy) in policies.into_iter().enumerate() {
            let _ = writeln!(out, "{}. {}: {}", index + 1, escape::line(&policy.name), escape::line(&policy.reason));
        }
        let _ = writeln!(out, "{rule}");
    }
    out
}

/// The table of `--table`.
pub(crate) fn draw(judged: &Judged, resources: &[Object], detailed: bool, paint: Paint) -> String {
    let mut header = vec!["ID", "POLICY", "RULE", "RESOURCE", "RESULT", "REASON"];
    header.extend(detailed.then_some("MESSAGE"));
    let cells = |(index, row): (usize, &Row)| {
        let (result, reason) = match row.status {
            Status::Pass => ("Pass", "Ok"),
            Status::Fail => ("Fail", "Violation"),
            Status::Warn => ("Warn", "Violation"),
            Status::Skip if row.exceptions.is_empty() => ("Skip", "Not applicable"),
            Status::Skip => ("Skip", "Exception"),
            Status::Error | Status::Indeterminate => ("Error", "Not evaluated"),
        };
        let head = &judged.heads[row.policy];
        let mut cells = vec![(index + 1).to_string(), head.key.clone(), row.rule.clone()];
        cells.extend([title(&resources[row.resource]), result.to_owned(), reason.to_owned()]);
        cells.extend(detailed.then(|| row.message.clone()));
        cells
    };
    let rows: Vec<Vec<String>> = judged.rows.iter().enumerate().map(cells).collect();
    table::draw(&header, &rows, paint)
}

/// `namespace/Kind/name`; `/Kind/name` outside of namespaces.
pub(crate) fn title(object: &Object) -> String {
    if object.payload.is_some() {
        return "JSON payload".to_owned();
    }
    let identity = object.identity();
    [identity.namespace, identity.kind, identity.name].join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::testing;

    #[test]
    fn failures_stand_in_blocks_and_everything_is_counted() {
        let (mut judged, resources) = testing::judged();
        let text = "policy host -> resource shop/Pod/web failed:\n\
                    1 - ipc validation error: no. rule ipc failed at path /spec/hostIPC/\n\n";
        assert_eq!(blocks(&judged, &resources), text);
        assert_eq!(Counts::of(&judged, &[]).line(), "\npass: 1, fail: 1, warn: 0, error: 0, skip: 0 \n");
        judged.rows[0].audit_warning = true;
        judged.rows[0].message.clear();
        let text = "policy host -> resource shop/Pod/web failed as audit warning:\n1 - ipc validation failed\n\n";
        assert_eq!(blocks(&judged, &resources), text);
    }

    #[test]
    fn refused_policies_are_listed_and_count_as_errors() {
        let policy = |name: &str, reason: &str| InvalidPolicy {
            name: name.to_owned(),
            reason: reason.to_owned(),
            readable: true,
        };
        let invalid = [policy("a", "no rule"), policy("b", "variable 'element.name' present outside of foreach")];
        let rule = "-".repeat(70);
        let expected = format!(
            "{rule}\nPolicies Skipped:\n1. a: no rule\n{rule}\n{rule}\nInvalid Policies:\n\
             1. b: variable 'element.name' present outside of foreach\n{rule}\n"
        );
        assert_eq!(refused(&invalid), expected);
        assert_eq!(Counts::of(&Judged::default(), &invalid).error, 2);
    }

    #[test]
    fn the_header_names_exceptions_only_where_there_are_any() {
        assert_eq!(header(2, 1, 0), "\nApplying 2 policy rule(s) to 1 resource(s)...\n");
        assert_eq!(header(2, 1, 3), "\nApplying 2 policy rule(s) to 1 resource(s) with 3 exception(s)...\n");
    }
}
