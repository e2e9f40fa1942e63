//! What is remembered of trees: always what a whole listing would give, whatever becomes of the files that remember.

use std::fs;

use super::repo::Repo;
use crate::source::holdings::{self, Screen};
use crate::source::{Filter, Listing, Oid, Options, Repository, git_tree};

const SCREEN: Screen<'static> = Screen {
    version: 1,
    purpose: None,
    name: &|path| path.ends_with("Chart.yaml"),
    content: &|bytes| bytes.starts_with(b"law"),
};

/// A whole listing without the files that the screen leaves out.
fn whole(repository: &Repository, tree: Oid, options: &Options) -> Listing {
    let mut out = git_tree::list(repository, tree, options).unwrap();
    let mut reader = repository.reader(1000).unwrap();
    out.entries.retain(|it| (SCREEN.name)(&it.path) || reader.read(it).is_ok_and(|it| (SCREEN.content)(&it.bytes)));
    out
}

fn tree(repo: &Repo, commit: &str) -> Oid {
    repo.git(&["rev-parse", &format!("{commit}^{{tree}}")]).parse().unwrap()
}

#[test]
fn what_is_remembered_is_what_a_whole_listing_finds() {
    let repo = Repo::new();
    let trees = [
        repo.commit(&[("a.yaml", "law 1"), ("b.yaml", "x"), ("deep/er/c.yaml", "law 2"), ("d.txt", "law")]),
        repo.commit(&[
            ("b.yaml", "law now"),
            ("deep/er/c.yaml", "x"),
            ("Chart.yaml", "x"),
            (".admitignore", "a.yaml\n"),
        ]),
        repo.commit(&[(".admitignore", "/deep\n"), ("deep/new.yaml", "law"), ("a", "x"), ("a.b/c.yaml", "law")]),
        repo.commit(&[(".admitignore", "# none\n"), ("deep/.admitignore", "new.yaml\n"), ("x.jsonnet", "x")]),
    ];
    std::os::unix::fs::symlink("../b.yaml", repo.top.join("deep/link.yaml")).unwrap();
    std::os::unix::fs::symlink("/etc", repo.top.join("out")).unwrap();
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "--quiet", "-m", "links"]);
    let mut trees: Vec<Oid> = trees.iter().map(|it| tree(&repo, it)).collect();
    trees.push(tree(&repo, "HEAD"));
    repo.git(&["rm", "--quiet", "-r", "deep", "b.yaml"]);
    repo.git(&["commit", "--quiet", "-m", "gone"]);
    trees.push(tree(&repo, "HEAD"));
    let opened = repo.open().remembering();
    let kept = repo.top.join(".git/admit/holdings");
    let filters = [Filter::default(), Filter::new(&[""; 0], &["deep/er"]).unwrap()];
    for round in 0..4 {
        // Forwards, backwards, and forwards again with what is remembered broken in several ways.
        let order: Vec<Oid> = if round == 1 { trees.iter().rev().copied().collect() } else { trees.clone() };
        for tree in order {
            for filter in &filters {
                let options = Options { filter: filter.clone(), ..Options::default() };
                let found = holdings::list(&opened, tree, &options, &SCREEN).unwrap();
                assert_eq!(found, whole(&opened, tree, &options), "round {round}, tree {tree}");
            }
        }
        for (at, file) in fs::read_dir(&kept).unwrap().enumerate() {
            let path = file.unwrap().path();
            let mut bytes = fs::read(&path).unwrap();
            match (round, at % 3) {
                (0, _) => continue,
                (_, 0) => bytes.truncate(bytes.len() / 2),
                (_, 1) => bytes = b"admit\n".to_vec(),
                (_, _) => *bytes.last_mut().unwrap() ^= 1,
            }
            fs::write(path, bytes).unwrap();
        }
    }
}

#[test]
fn only_what_differs_is_read_again() {
    let repo = Repo::new();
    let files: Vec<(String, String)> = (0..300).map(|n| (format!("d{}/{n}.yaml", n % 30), format!("{n}"))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
    let first = repo.commit(&files);
    let second = repo.commit(&[("d7/7.yaml", "law")]);
    let opened = repo.open().remembering();
    holdings::list(&opened, tree(&repo, &first), &Options::default(), &SCREEN).unwrap();
    assert!(opened.take_n_reads() > 300);
    let found = holdings::list(&opened, tree(&repo, &second), &Options::default(), &SCREEN).unwrap();
    assert_eq!(found.entries.len(), 1);
    let n_reads = opened.take_n_reads();
    assert!(n_reads <= 5, "two trees on each side and a file, not {n_reads}");
    holdings::list(&opened, tree(&repo, &second), &Options::default(), &SCREEN).unwrap();
    assert_eq!(opened.take_n_reads(), 0);
}

#[test]
fn where_nothing_can_be_written_the_listing_is_the_same() {
    let repo = Repo::new();
    let commit = repo.commit(&[("a.yaml", "law"), ("b.yaml", "x")]);
    fs::write(repo.top.join(".git/admit"), "in the way").unwrap();
    let opened = repo.open().remembering();
    let found = holdings::list(&opened, tree(&repo, &commit), &Options::default(), &SCREEN).unwrap();
    assert_eq!(found.entries.iter().map(|it| &*it.path).collect::<Vec<_>>(), ["a.yaml"]);
    // Nothing is remembered where nobody asked for it.
    fs::remove_file(repo.top.join(".git/admit")).unwrap();
    let found = holdings::list(&repo.open(), tree(&repo, &commit), &Options::default(), &SCREEN).unwrap();
    assert_eq!(found.entries.len(), 2);
    assert!(!repo.top.join(".git/admit").exists());
}
