//! Repositories with objects that are missing, broken or of the wrong kind. One of them never hides the others.

use std::fs;
use std::path::Path;

use super::repo::{Repo, show, show_diff, try_compare};
use crate::source::{Options, Repository, Skip, SourceError, git_tree};

/// Overwrites a loose object, which Git stores without write permission.
fn spoil(place: &Path) {
    fs::remove_file(place).unwrap();
    fs::write(place, b"no zlib stream").unwrap();
}

/// What comes of reading each manifest of `HEAD`: its text, or why not.
fn read_all(opened: &Repository) -> Vec<String> {
    let tree = opened.resolve("HEAD").unwrap().tree;
    let listing = git_tree::list(opened, tree, &Options::default()).unwrap();
    let mut reader = opened.reader(100).unwrap();
    let read = listing.entries.iter().map(|entry| match reader.read(entry) {
        Ok(blob) => format!("{} {}", blob.path, String::from_utf8_lossy(&blob.bytes)),
        Err(Skip::Unreadable(reason)) => {
            format!("{} {}", entry.path, reason.rsplit_once(" is ").map_or(&*reason, |(_, what)| what))
        }
        Err(other) => panic!("{other}"),
    });
    let skipped = listing.skipped.iter().map(|(path, skip)| match skip {
        Skip::Unreadable(_) => format!("{path} unreadable"),
        other => panic!("{other}"),
    });
    read.chain(skipped).collect()
}

fn both(repo: &Repo) -> Vec<String> {
    let found = read_all(&repo.open());
    assert_eq!(found, read_all(&repo.open_process()));
    found
}

#[test]
fn one_blob_that_is_missing_or_broken_is_named() {
    for repo in [Repo::new(), Repo::sha256()] {
        repo.commit(&[("a.yaml", "1"), ("b.yaml", "2"), ("c.yaml", "3"), ("d.yaml", "4"), ("e.yaml", "5")]);
        fs::remove_file(repo.loose(&repo.blob("2"))).unwrap();
        spoil(&repo.loose(&repo.blob("4")));
        let what = "missing or broken";
        let expected = ["a.yaml 1", &format!("b.yaml {what}"), "c.yaml 3", &format!("d.yaml {what}"), "e.yaml 5"];
        assert_eq!(both(&repo), expected);
    }
}

#[test]
fn one_directory_that_is_missing_or_broken_is_named() {
    for repo in [Repo::new(), Repo::sha256()] {
        repo.commit(&[("a.yaml", "1"), ("b/x.yaml", "2"), ("c/x.yaml", "3"), ("d/x.yaml", "4")]);
        fs::remove_file(repo.loose(&repo.git(&["rev-parse", "HEAD:b"]))).unwrap();
        spoil(&repo.loose(&repo.git(&["rev-parse", "HEAD:c"])));
        assert_eq!(both(&repo), ["a.yaml 1", "d/x.yaml 4", "b unreadable", "c unreadable"]);
    }
}

#[test]
fn without_the_topmost_tree_there_is_nothing_to_list() {
    let repo = Repo::new();
    let old = repo.commit(&[("a.yaml", "1")]);
    let new = repo.commit(&[("a.yaml", "2")]);
    fs::remove_file(repo.loose(&repo.git(&["rev-parse", "HEAD~1^{tree}"]))).unwrap();
    for opened in [repo.open(), repo.open_process()] {
        let tree = opened.resolve(&old).unwrap().tree;
        let listed = git_tree::list(&opened, tree, &Options::default());
        assert!(matches!(listed, Err(SourceError::Tree { oid, .. }) if oid == tree));
        let compared = try_compare(&opened, Some(&old), Some(&new), &Options::default());
        assert!(matches!(compared, Err(SourceError::Tree { oid, .. }) if oid == tree));
        let compared = try_compare(&opened, None, Some(&new), &Options::default()).unwrap();
        assert_eq!(show_diff(&compared), ["A a.yaml"]);
    }
}

#[test]
fn a_diff_goes_on_beside_a_directory_that_is_missing() {
    let repo = Repo::new();
    let old = repo.commit(&[("a.yaml", "1"), ("b/x.yaml", "b1"), ("c/x.yaml", "c1"), ("d/x.yaml", "1")]);
    let new = repo.commit(&[("a.yaml", "2"), ("b/x.yaml", "b2"), ("c/x.yaml", "c2")]);
    let missing = |revision: &str| {
        let id = repo.git(&["rev-parse", revision]);
        fs::remove_file(repo.loose(&id)).unwrap();
        format!("can't be read: object {id} is missing or broken")
    };
    let (b, c) = (missing("HEAD:b"), missing("HEAD~1:c"));
    assert_eq!(repo.diff(&old, &new), ["M a.yaml", "D b/x.yaml", "A c/x.yaml", &format!("b: {b}"), &format!("c: {c}")]);
}

#[test]
fn an_object_of_the_wrong_kind_is_named() {
    let repo = Repo::new();
    let blob = repo.blob("1");
    let tree = repo.tree(&[("100644", b"x.yaml", &blob)]);
    let commit = repo.commit(&[]);
    let root = repo.tree(&[
        ("100644", b"a.yaml", &tree),
        ("100644", b"b.yaml", &commit),
        ("40000", b"c", &blob),
        ("40000", b"d", &commit),
        ("100644", b"e.yaml", &blob),
        ("120000", b"l", &tree),
    ]);
    repo.git(&["update-ref", "HEAD", &repo.git(&["commit-tree", "-m", "c", &root])]);
    let shown = both(&repo);
    assert_eq!(shown, ["a.yaml no blob", "b.yaml no blob", "e.yaml 1", "c unreadable", "d unreadable", "l unreadable"]);
}

#[test]
fn a_tree_that_breaks_off_is_named_after_its_good_entries() {
    let repo = Repo::new();
    let (one, two) = (repo.blob("1"), repo.blob("2"));
    // An id of 19 bytes.
    let broken = |blob: &str| repo.tree(&[("100644", b"a.yaml", blob), ("100644", b"b.yaml", &blob[..38])]);
    assert_eq!(repo.list(&broken(&one)), ["a.yaml", ": can't be read: broken tree object"]);
    let said = ": can't be read: broken tree object";
    assert_eq!(repo.diff(&broken(&one), &broken(&two)), ["M a.yaml", said, said]);
    let nonsense = repo.tree(&[("+1x", b"a.yaml", &one)]);
    assert_eq!(repo.list(&nonsense), [said]);
}

#[test]
fn an_ignore_file_that_cannot_be_read_hides_nothing() {
    let repo = Repo::new();
    repo.commit(&[(".admitignore", "*.yaml\n"), ("a.yaml", "1")]);
    let id = repo.git(&["rev-parse", "HEAD:.admitignore"]);
    fs::remove_file(repo.loose(&id)).unwrap();
    assert_eq!(
        repo.list("HEAD"),
        ["a.yaml", &format!(".admitignore: can't be read: object {id} is missing or broken")]
    );
}

#[test]
fn a_pack_that_is_cut_off_spoils_its_own_objects_only() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "1")]);
    repo.git(&["repack", "-a", "-d", "--quiet"]);
    repo.commit(&[("b.yaml", "2")]);
    let packs = repo.top.join(".git/objects/pack");
    let pack =
        fs::read_dir(&packs).unwrap().map(|it| it.unwrap().path()).find(|it| it.extension() == Some("pack".as_ref()));
    let pack = pack.unwrap();
    let bytes = fs::read(&pack).unwrap();
    fs::remove_file(&pack).unwrap();
    fs::write(&pack, &bytes[..40]).unwrap();
    for opened in [repo.open(), repo.open_process()] {
        let tree = opened.resolve("HEAD").unwrap().tree;
        let listing = git_tree::list(&opened, tree, &Options::default()).unwrap();
        assert_eq!(show(&listing), ["a.yaml", "b.yaml"]);
        let mut reader = opened.reader(10).unwrap();
        assert!(matches!(reader.read(&listing.entries[0]), Err(Skip::Unreadable(_))));
        assert_eq!(reader.read(&listing.entries[1]).unwrap().bytes, b"2");
    }
}
