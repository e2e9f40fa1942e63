//! Differences of two trees.

use std::path::Path;

use super::repo::{Repo, link_to, show_diff, with_filter};
use crate::source::{At, Options};

#[test]
fn files_are_added_changed_moved_and_removed() {
    let repo = Repo::new();
    let old = repo.commit(&[
        ("same.yaml", "same"),
        ("d/same.yaml", "same too"),
        ("changed.yaml", "1"),
        ("gone.yaml", "gone"),
        ("moved.yaml", "moved"),
        ("edited.yaml", "a long text that stays\nmostly the same\n1"),
        ("notes.txt", "1"),
    ]);
    for path in ["gone.yaml", "moved.yaml", "edited.yaml"] {
        repo.remove(path);
    }
    let new = repo.commit(&[
        ("changed.yaml", "2"),
        ("added.yaml", "added"),
        ("d/moved.yaml", "moved"),
        ("d/edited.yaml", "a long text that stays\nmostly the same\n2"),
        ("notes.txt", "2"),
    ]);
    let expected = [
        "A added.yaml",
        "M changed.yaml",
        "A d/edited.yaml",
        "V moved.yaml d/moved.yaml",
        "D edited.yaml",
        "D gone.yaml",
    ];
    assert_eq!(repo.diff(&old, &new), expected);
    // The same from packs, and without a working tree.
    let bare = Repo::bare();
    bare.git(&["fetch", "--quiet", repo.top.to_str().unwrap(), "main:main"]);
    bare.git(&["repack", "-a", "-d", "--quiet"]);
    assert_eq!(bare.diff(&old, &new), expected);
    assert_eq!(bare.diff(&new, &new), [""; 0]);
}

#[test]
fn both_sides_of_a_change_can_be_read() {
    let repo = Repo::new();
    let old = repo.commit(&[("a.yaml", "old")]);
    let new = repo.commit(&[("a.yaml", "new")]);
    let diff = repo.compare(Some(&old), Some(&new), &Options::default());
    let change = &diff.changes[0];
    for opened in [repo.open(), repo.open_process()] {
        let mut reader = opened.reader(10).unwrap();
        assert_eq!(reader.read(change.old.as_ref().unwrap()).unwrap().bytes, b"old");
        assert_eq!(reader.read(change.new.as_ref().unwrap()).unwrap().bytes, b"new");
    }
}

#[test]
fn of_several_files_with_the_same_bytes_those_of_one_name_belong_together() {
    let repo = Repo::new();
    let old = repo.commit(&[("a/x.yaml", "same"), ("a/y.yaml", "same"), ("a/z.yaml", "same"), ("stays.yaml", "same")]);
    repo.remove("a");
    let new = repo.commit(&[("b/w.yaml", "same"), ("b/y.yaml", "same")]);
    assert_eq!(repo.diff(&old, &new), ["D a/z.yaml", "V a/x.yaml b/w.yaml", "V a/y.yaml b/y.yaml"]);
    // A copy is no move.
    let copied = repo.commit(&[("c.yaml", "same")]);
    assert_eq!(repo.diff(&new, &copied), ["A c.yaml"]);
}

#[test]
fn a_file_that_only_now_is_called_a_manifest_is_new() {
    let repo = Repo::new();
    let old = repo.commit(&[("a.txt", "a: 1"), ("b.yaml", "b: 1")]);
    repo.remove("a.txt");
    repo.remove("b.yaml");
    let new = repo.commit(&[("a.yaml", "a: 1"), ("b.txt", "b: 1")]);
    assert_eq!(repo.diff(&old, &new), ["A a.yaml", "D b.yaml"]);
}

#[test]
fn the_executable_bit_is_no_change() {
    let repo = Repo::new();
    let old = repo.commit(&[("a.yaml", "1"), ("b.yaml", "1")]);
    repo.git(&["config", "core.fileMode", "true"]);
    for path in ["a.yaml", "b.yaml"] {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(repo.top.join(path), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let new = repo.commit(&[("b.yaml", "2")]);
    assert_eq!(repo.git(&["ls-tree", "HEAD", "a.yaml"]).get(..6), Some("100755"));
    assert_eq!(repo.diff(&old, &new), ["M b.yaml"]);
}

#[test]
fn a_change_of_type_is_a_removal_and_more() {
    let repo = Repo::new();
    repo.write("lib/a.yaml", "lib");
    repo.link("l.yaml", "lib/a.yaml");
    let old = repo.commit(&[("a.yaml", "1"), ("b.yaml", "1"), ("d/x.yaml", "1"), ("e", "1")]);
    for path in ["a.yaml", "b.yaml", "d", "e", "l.yaml"] {
        repo.remove(path);
    }
    repo.link("a.yaml", "lib/a.yaml");
    repo.link("d", "lib");
    let new = repo.commit(&[("b.yaml/y.yaml", "2"), ("e/z.yaml", "3"), ("l.yaml", "4")]);
    assert_eq!(
        repo.diff(&old, &new),
        [
            "D a.yaml",
            "D b.yaml",
            "A b.yaml/y.yaml",
            "D d/x.yaml",
            "A e/z.yaml",
            "A l.yaml",
            &link_to("a.yaml", "lib/a.yaml"),
            &link_to("d", "lib"),
        ]
    );
    let back = repo.diff(&new, &old);
    assert_eq!(
        back,
        [
            "A a.yaml",
            "A b.yaml",
            "D b.yaml/y.yaml",
            "A d/x.yaml",
            "D e/z.yaml",
            "D l.yaml",
            &link_to("l.yaml", "lib/a.yaml"),
        ]
    );
}

#[test]
fn a_submodule_is_named_when_it_moves() {
    let repo = Repo::new();
    let one = repo.commit(&[]);
    let two = repo.commit(&[]);
    let blob = repo.blob("a: 1");
    let tree = |commit: &str| repo.tree(&[("160000", b"m.yaml", commit)]);
    let said = "m.yaml: the content of a submodule is not in this repository";
    assert_eq!(repo.diff(&tree(&one), &tree(&two)), [said]);
    assert_eq!(repo.diff(&tree(&one), &tree(&one)), [""; 0]);
    let file = repo.tree(&[("100644", b"m.yaml", &blob)]);
    assert_eq!(repo.diff(&file, &tree(&one)), ["D m.yaml", said]);
    assert_eq!(repo.diff(&tree(&one), &file), ["A m.yaml"]);
}

#[test]
fn without_an_old_side_everything_is_new() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "1"), ("d/b.yaml", "1")]);
    let all = |old: Option<&str>, new: Option<&str>| show_diff(&repo.compare(old, new, &Options::default()));
    assert_eq!(all(None, Some("HEAD")), ["A a.yaml", "A d/b.yaml"]);
    assert_eq!(all(Some("HEAD"), None), ["D a.yaml", "D d/b.yaml"]);
    assert_eq!(all(None, None), [""; 0]);
    // The empty tree is always there, stored or not.
    let empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    assert_eq!(all(Some(empty), Some("HEAD")), ["A a.yaml", "A d/b.yaml"]);
}

#[test]
fn a_path_is_ignored_only_if_both_sides_say_so() {
    let repo = Repo::new();
    let old = repo.commit(&[
        (".admitignore", "vendor/\nold.yaml\n"),
        ("vendor/v.yaml", "1"),
        ("old.yaml", "1"),
        ("new.yaml", "1"),
        ("vendor.txt", "1"),
    ]);
    let new = repo.commit(&[
        (".admitignore", "vendor/\nnew.yaml\n*.txt\n"),
        ("vendor/v.yaml", "2"),
        ("old.yaml", "2"),
        ("new.yaml", "2"),
        ("vendor.txt", "2"),
    ]);
    assert_eq!(repo.diff(&old, &new), ["M new.yaml", "M old.yaml", "#.admitignore", "-vendor"]);
}

#[test]
fn a_change_cannot_hide_itself_by_an_ignore_file() {
    let repo = Repo::new();
    let old = repo.commit(&[("apps/a.yaml", "1"), ("b.yaml", "1")]);
    let new = repo.commit(&[
        (".admitignore", "*\n"),
        ("apps/.admitignore", "*\n"),
        ("apps/a.yaml", "2"),
        ("b.yaml", "2"),
        ("new/c.yaml", "1"),
    ]);
    assert_eq!(
        repo.diff(&old, &new),
        ["M apps/a.yaml", "M b.yaml", "A new/c.yaml", "#.admitignore", "#apps/.admitignore"]
    );
}

#[test]
fn what_a_first_push_ignores_is_named() {
    let repo = Repo::new();
    repo.commit(&[
        (".admitignore", "vendor/\n*.gen.yaml\n"),
        ("a.yaml", ""),
        ("a.gen.yaml", ""),
        ("a.txt", ""),
        ("vendor/v.yaml", ""),
    ]);
    let diff = show_diff(&repo.compare(None, Some("HEAD"), &Options::default()));
    assert_eq!(diff, ["A a.yaml", "#.admitignore", "-a.gen.yaml", "-vendor"]);
}

#[test]
fn gitignore_means_nothing_to_a_diff() {
    let repo = Repo::new();
    let old = repo.commit(&[(".gitignore", "*.yaml\n")]);
    let new = repo.commit(&[("a.yaml", "1")]);
    assert_eq!(repo.diff(&old, &new), ["A a.yaml"]);
}

#[test]
fn what_is_excluded_is_not_entered() {
    let repo = Repo::new();
    let old = repo.commit(&[("apps/a.yaml", "1"), ("vendor/v.yaml", "1"), ("lib/l.yaml", "1")]);
    repo.link("vendor/l.yaml", "v.yaml");
    let new = repo.commit(&[("apps/a.yaml", "2"), ("vendor/v.yaml", "2"), ("lib/l.yaml", "2")]);
    let diff = |options| show_diff(&repo.compare(Some(&old), Some(&new), &options));
    assert_eq!(diff(with_filter(&[], &["vendor"])), ["M apps/a.yaml", "M lib/l.yaml"]);
    assert_eq!(diff(with_filter(&["apps"], &["vendor"])), ["M apps/a.yaml"]);
}

#[test]
fn names_that_are_no_plain_text_stay_apart() {
    let repo = Repo::new();
    let (one, two) = (repo.blob("1"), repo.blob("2"));
    let names = [&b"\x1b[0m.yaml"[..], b"a\nb.yaml", b"a:b.yaml", b"caf\\xe9.yaml", b"caf\xe9.yaml"];
    let tree = |blob: &str| repo.tree(&names.map(|name| ("100644", name, blob)));
    assert_eq!(
        repo.diff(&tree(&one), &tree(&two)),
        ["M \x1b[0m.yaml", "M a\nb.yaml", "M a:b.yaml", "M caf\\x5cxe9.yaml", "M caf\\xe9.yaml"]
    );
}

#[test]
fn entries_carry_the_id_of_their_side() {
    let repo = Repo::new();
    let old = repo.commit(&[("a.yaml", "1")]);
    let new = repo.commit(&[("a.yaml", "2")]);
    let change = repo.compare(Some(&old), Some(&new), &Options::default()).changes.remove(0);
    let id = |entry: Option<crate::source::Entry>| match entry.unwrap().at {
        At::Object(oid) => oid.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(id(change.old), repo.blob("1"));
    assert_eq!(id(change.new), repo.blob("2"));
}

#[test]
fn a_diff_from_the_merge_base_leaves_out_what_the_other_branch_did() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "1")]);
    repo.git(&["checkout", "--quiet", "-b", "topic"]);
    repo.commit(&[("t.yaml", "1")]);
    repo.git(&["checkout", "--quiet", "main"]);
    repo.commit(&[("a.yaml", "2")]);
    let opened = repo.open();
    let show = |range: &str| {
        let comparison = opened.comparison(range).unwrap();
        let old = comparison.old.map(|it| it.tree);
        let mut trees = opened.trees().unwrap();
        let new = Some(comparison.new.tree);
        show_diff(&crate::source::git_diff::compare(&mut trees, old, new, &Options::default()).unwrap())
    };
    assert_eq!(show("main...topic"), ["A t.yaml"]);
    assert_eq!(show("main..topic"), ["M a.yaml", "A t.yaml"]);
}

/// Every path of the new side is either the same on the old side, or named by the diff: on many random histories.
#[test]
fn a_diff_and_two_listings_agree() {
    let repo = Repo::new();
    let mut state = 7_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut previous = repo.commit(&[("seed.yaml", "")]);
    for _ in 0..12 {
        for _ in 0..random(12) {
            let depth = random(3);
            let mut path = String::new();
            for _ in 0..depth {
                path.push_str(["d0/", "d1/", "d2/"][random(3) as usize]);
            }
            path.push_str(["a.yaml", "b.yml", "c.txt", "d0", ".admitignore"][random(5) as usize]);
            let place = repo.top.join(&path);
            if place.ancestors().skip(1).any(Path::is_file) || place.is_dir() {
                continue;
            }
            match random(4) {
                0 if place.exists() => repo.remove(&path),
                _ => repo.write(
                    &path,
                    if path.ends_with("ignore") { "c.txt\n" } else { ["1", "2", "3"][random(3) as usize] },
                ),
            }
        }
        let next = repo.commit(&[]);
        let list = |revision: &str| repo.list_with(revision, &Options::default()).entries;
        let (old, new) = (list(&previous), list(&next));
        let diff = repo.compare(Some(&previous), Some(&next), &Options::default());
        let changed = |path: &str, at: &At, old_side: bool| {
            diff.changes.iter().any(|it| {
                let side = if old_side { &it.old } else { &it.new };
                side.as_ref().is_some_and(|it| *it.path == *path && it.at == *at)
            })
        };
        for (ours, theirs, old_side) in [(&old, &new, true), (&new, &old, false)] {
            for entry in ours {
                let is_same = theirs.contains(entry);
                assert_ne!(is_same, changed(&entry.path, &entry.at, old_side), "{}", entry.path);
            }
        }
        previous = next;
    }
}
