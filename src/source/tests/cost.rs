//! How many objects are read.

use std::fmt::Write as _;
use std::process::Stdio;

use super::repo::{Repo, git_command, show_diff, try_compare};
use crate::source::{Options, git_tree, staged::Snapshot};

const DIRECTORIES: usize = 500;
const FILES: usize = 10;
const CHANGED: usize = 10;

/// A bare repository with 5,000 manifests, three directories deep; the last of two commits changes ten of them, each
/// in another directory.
fn large() -> Repo {
    let repo = Repo::bare();
    let mut script = String::new();
    let mut commit = |message: &str, files: &mut dyn Iterator<Item = (String, String)>| {
        script.push_str("commit refs/heads/main\ncommitter a <a@example.com> 1700000000 +0000\n");
        writeln!(script, "data {}\n{message}", message.len()).unwrap();
        for (path, text) in files {
            writeln!(script, "M 100644 inline {path}\ndata {}\n{text}", text.len()).unwrap();
        }
    };
    let path = |at: usize, file: usize| format!("clusters/c{}/app{at}/{file}.yaml", at % 5);
    let all = (0..DIRECTORIES).flat_map(|at| (0..FILES).map(move |file| (at, file)));
    commit("all", &mut all.map(|(at, file)| (path(at, file), format!("{at} {file}"))));
    commit("some", &mut (0..CHANGED).map(|at| (path(at * 7, 3), format!("changed {at}"))));
    let mut child = git_command(&repo.top).args(["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    repo
}

#[test]
fn a_diff_costs_as_much_as_the_change() {
    let repo = large();
    for opened in [repo.open(), repo.open_process()] {
        let diff = try_compare(&opened, Some("main~1"), Some("main"), &Options::default()).unwrap();
        assert_eq!(diff.changes.len(), CHANGED);
        // On each side the root, `clusters`, its five directories, and one of each change.
        assert_eq!(opened.take_n_reads(), 2 * (1 + 1 + 5 + CHANGED));
        let mut reader = opened.reader(100).unwrap();
        for entry in diff.changes.iter().flat_map(|it| it.old.iter().chain(&it.new)) {
            reader.read(entry).unwrap();
        }
        assert_eq!(opened.take_n_reads(), 2 * CHANGED);
    }
}

#[test]
fn a_listing_reads_each_tree_once_and_no_blob() {
    let repo = large();
    let opened = repo.open();
    let tree = opened.resolve("main").unwrap().tree;
    let listing = git_tree::list(&opened, tree, &Options { jobs: 4, ..Options::default() }).unwrap();
    assert_eq!(listing.entries.len(), DIRECTORIES * FILES);
    assert_eq!(opened.take_n_reads(), 1 + 1 + 5 + DIRECTORIES);
}

#[test]
fn one_file_costs_its_depth() {
    let repo = large();
    let opened = repo.open();
    let tree = opened.resolve("main").unwrap().tree;
    assert!(git_tree::find(&mut opened.trees().unwrap(), tree, "clusters/c1/app1/3.yaml").unwrap().is_some());
    assert_eq!(opened.take_n_reads(), 4);
}

#[test]
fn a_staged_file_costs_the_trees_on_its_way() {
    let repo = Repo::new();
    let files: Vec<_> = (0..200).map(|at| format!("d{}/e{at}/f.yaml", at % 4)).collect();
    repo.commit(&files.iter().map(|it| (it.as_str(), it.as_str())).collect::<Vec<_>>());
    repo.write("d1/e5/f.yaml", "2");
    repo.git(&["add", "--all"]);
    let opened = repo.open();
    let diff = Snapshot::new(&opened, None).unwrap().compare(&Options::default()).unwrap();
    assert_eq!(show_diff(&diff), ["M d1/e5/f.yaml"]);
    // Those of `HEAD` are read; those of the index were made in memory.
    assert_eq!(opened.take_n_reads(), 3);
}
