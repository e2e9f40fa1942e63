//! What `kyverno apply` prints of objects that policies change: each of them as the policy leaves it.
//!
//! In: the rows of a run. Out: text that is safe to print, a block for each policy and object.

use std::fmt::Write as _;

use super::{
    evaluation::{Judged, Row},
    load::Object,
    rewrite, violations,
};
use crate::{finding::Status, report::escape};

/// A block for each policy and object that the policy may change.
pub(crate) fn blocks(judged: &Judged, objects: &[Object]) -> String {
    let mut out = String::new();
    for rows in judged.rows.chunk_by(|a, b| a.policy == b.policy && a.resource == b.resource) {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.effect.patched.is_some()).collect();
        let Some(last) = rows.last() else { continue };
        let Some(patched) = &last.effect.patched else { continue };
        let policy = escape::line(&judged.heads[last.policy].name);
        let resource = escape::line(&violations::title(&objects[last.resource]));
        if let Some(failed) = rows.iter().find(|row| matches!(row.status, Status::Error | Status::Indeterminate)) {
            let message = escape::line(&failed.message);
            let _ = writeln!(out, "\nerror while applying mutate policy {policy} -> resource {resource}: {message}");
        } else if rows.iter().all(|row| row.status == Status::Skip && row.exceptions.is_empty()) {
            let _ = writeln!(out, "\nskipped mutate policy {policy} -> resource {resource}");
        } else {
            let yaml = rewrite::wide_yaml(patched);
            let _ = writeln!(out, "\npolicy {policy} applied to {resource}:\n{}---", escape::paragraph(&yaml));
            let _ = write!(out, "\nMutation:\nMutation has been applied successfully.");
        }
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::testing;

    #[test]
    fn each_changed_object_is_printed_as_its_policy_leaves_it() {
        let (mut judged, objects) = testing::judged();
        judged.rows.truncate(1);
        let row = &mut judged.rows[0];
        row.status = Status::Pass;
        row.effect.patched = Some(serde_json::json!({ "kind": "Pod", "spec": { "hostIPC": false } }));
        let yaml = "kind: Pod\nspec:\n    hostIPC: false\n";
        let expected = format!(
            "\npolicy host applied to shop/Pod/web:\n{yaml}---\n\nMutation:\nMutation has been applied successfully.\n"
        );
        assert_eq!(blocks(&judged, &objects), expected);
        judged.rows[0].status = Status::Skip;
        assert_eq!(blocks(&judged, &objects), "\nskipped mutate policy host -> resource shop/Pod/web\n\n");
        judged.rows[0].exceptions = vec!["e".to_owned()];
        assert_eq!(blocks(&judged, &objects), expected);
        judged.rows[0].status = Status::Error;
        judged.rows[0].message = "no".to_owned();
        let expected = "\nerror while applying mutate policy host -> resource shop/Pod/web: no\n\n";
        assert_eq!(blocks(&judged, &objects), expected);
    }
}
