//! `apply --output`: the objects that policies change or make, as files.
//!
//! In: the rows of a run, and a path. Out: files to write and what goes into them. A directory gets a file for each
//! object; any other path is one file for all of them.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use serde_json::Value as Json;

use super::{compare::identity, evaluation::Judged};
use crate::finding::Status;

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
            let yaml = serde_yaml::to_string(object).unwrap_or_default();
            let _ = writeln!(out[position].1, "{yaml}---");
        }
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
}
