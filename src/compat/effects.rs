//! `apply --output` and `apply --diff`: the objects that policies change or make, as files or as a difference.
//!
//! In: the rows of a run. Out: files to write and what goes into them (a directory gets a file for each object, any other
//! path is one file for all of them), or the difference between the files as read and as they would be.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value as Json;
use similar::TextDiff;

use super::{compare::identity, evaluation::Judged, load::Object, rewrite};
use crate::{finding::Status, span::File};

/// The files and what goes into them, in the order of the rows.
pub(crate) fn files(judged: &Judged, path: &Path, is_directory: bool) -> Vec<(PathBuf, String)> {
    let mut out: Vec<(PathBuf, String)> = Vec::new();
    // A single file is there even when nothing was changed or made.
    if !is_directory {
        out.push((path.to_owned(), String::new()));
    }
    let mut last = None;
    for row in &judged.rows {
        let policy = &judged.heads[row.policy].name;
        // Each rule of a policy knows the object as all of them leave it, which is written once.
        let is_new = row.status == Status::Pass && last != Some((row.policy, row.resource));
        let changed = row.effect.patched.iter().filter(|_| is_new);
        let changed = changed.map(|object| (format!("{}-mutated.yaml", file_name(object)), object));
        if is_new && row.effect.patched.is_some() {
            last = Some((row.policy, row.resource));
        }
        let made = row.effect.generated.iter().map(|object| (format!("{policy}-generated.yaml"), object));
        for (name, object) in changed.chain(made) {
            let path = if is_directory { path.join(name) } else { path.to_owned() };
            let position = out.iter().position(|(known, _)| *known == path).unwrap_or_else(|| {
                out.push((path, String::new()));
                out.len() - 1
            });
            let yaml = rewrite::yaml(object);
            let _ = writeln!(out[position].1, "{yaml}---");
        }
    }
    out
}

/// What policies change in the files that hold the objects, as a unified diff. Objects that are made are in no file.
pub(crate) fn diff(judged: &Judged, objects: &[Object]) -> String {
    // The last policy to change an object knows what all of them made of it.
    let mut changed: BTreeMap<usize, &Json> = BTreeMap::new();
    for row in judged.rows.iter().filter(|row| row.status == Status::Pass) {
        if let Some(patched) = &row.effect.patched {
            changed.insert(row.resource, patched);
        }
    }
    let mut out = String::new();
    let mut done: Vec<&Arc<File>> = Vec::new();
    for index in changed.keys() {
        let file = objects[*index].document.file();
        if done.iter().any(|it| Arc::ptr_eq(it, file)) {
            continue;
        }
        done.push(file);
        let of_file = changed.iter().filter(|(index, _)| Arc::ptr_eq(objects[**index].document.file(), file));
        let pairs: Vec<_> = of_file.map(|(index, wanted)| (objects[*index].node(), *wanted)).collect();
        let text = rewrite::rewrite(file, &pairs);
        let (before, after) = (format!("a/{}", file.path()), format!("b/{}", file.path()));
        out += &TextDiff::from_lines(file.text(), &text).unified_diff().header(&before, &after).to_string();
    }
    out
}

/// The name of an object as part of a file's name.
fn file_name(object: &Json) -> String {
    identity(object)[3].replace(['/', '\\'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::testing;

    #[test]
    fn one_file_holds_everything_and_a_directory_a_file_for_each_name() {
        let (mut judged, _) = testing::judged();
        let object = |name: &str| serde_json::json!({"kind": "Pod", "metadata": {"name": name}});
        judged.rows[0].status = Status::Pass;
        judged.rows[0].effect.patched = Some(object("a"));
        judged.rows[0].effect.generated = vec![object("b"), object("c/d")];
        let yaml = |name: &str| format!("kind: Pod\nmetadata:\n  name: {name}\n---\n");
        let path = Path::new("out");
        assert_eq!(files(&judged, path, false), [(path.to_owned(), yaml("a") + &yaml("b") + &yaml("c/d"))]);
        let expected =
            [(path.join("a-mutated.yaml"), yaml("a")), (path.join("host-generated.yaml"), yaml("b") + &yaml("c/d"))];
        assert_eq!(files(&judged, path, true), expected);
        assert_eq!(files(&Judged::default(), path, false), [(path.to_owned(), String::new())]);
    }

    #[test]
    fn a_difference_shows_the_lines_that_change() {
        let (mut judged, resources) = testing::judged();
        judged.rows[0].status = Status::Pass;
        judged.rows[0].effect.patched = Some(serde_json::json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}, "spec": {"hostIPC": false}
        }));
        let text = diff(&judged, &resources);
        assert!(text.starts_with("--- a/resources.yaml\n+++ b/resources.yaml\n@@ "), "{text}");
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(['+', '-'])).skip(2).collect();
        assert_eq!(lines.len(), 2, "{text}");
        judged.rows.clear();
        assert_eq!(diff(&judged, &resources), "");
    }
}
