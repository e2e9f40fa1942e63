//! What a pusher might send so that a changed manifest is neither listed as a change nor passed over aloud.

use super::repo::{Repo, link_to, show_diff, try_compare, unread_link_to, with_filter};
use crate::source::{Options, Reader, Skip, SourceError, git_tree};

/// A commit over a base with one manifest. Returns what the diff says.
fn push(base: &[(&str, &str)], change: impl FnOnce(&Repo)) -> Vec<String> {
    let repo = Repo::new();
    let old = repo.commit(base);
    change(&repo);
    let new = repo.commit(&[]);
    repo.diff(&old, &new)
}

#[test]
fn a_directory_called_like_an_ignore_file_is_a_directory() {
    let said = push(&[("apps/.admitignore", "*\n")], |repo| {
        repo.remove("apps/.admitignore");
        repo.write("apps/.admitignore/a.yaml", "a: 1");
        repo.write(".admitignore/b.yaml", "b: 1");
    });
    assert_eq!(said, ["A .admitignore/b.yaml", "A apps/.admitignore/a.yaml", "#apps/.admitignore"]);
    let repo = Repo::new();
    repo.commit(&[(".admitignore/a.yaml", "")]);
    assert_eq!(repo.list("HEAD"), [".admitignore/a.yaml"]);
    assert_eq!(repo.worktree(), [".admitignore/a.yaml"]);
}

#[test]
fn a_submodule_or_link_called_like_an_ignore_file_is_named() {
    let repo = Repo::new();
    let commit = repo.commit(&[]);
    let (rules, empty) = (repo.blob("*\n"), repo.tree(&[]));
    let submodule = repo.tree(&[("160000", b".admitignore", &commit), ("100644", b"a.yaml", &rules)]);
    let said = ".admitignore: the content of a submodule is not in this repository";
    assert_eq!(repo.diff(&empty, &submodule), ["A a.yaml", said]);
    let link = repo.tree(&[("120000", b".admitignore", &rules), ("100644", b"a.yaml", &rules)]);
    let said = ".admitignore: can't be read: an ignore file must not be a symbolic link";
    assert_eq!(repo.diff(&empty, &link), ["A a.yaml", said]);
}

#[test]
fn other_spellings_of_the_extension_count() {
    let names = ["a.YAML", "b.Yml", "c.JSON", "d.yaml.", "e.yaml ", "f.yaml. .", "g.yml\n", "h.yaml\u{a0}"];
    let said = push(&[], |repo| names.iter().for_each(|it| repo.write(it, it)));
    assert_eq!(said, names.map(|it| format!("A {it}")));
}

#[test]
fn names_that_only_differ_in_case_are_two() {
    let base = [("Apps/a.yaml", "1"), ("apps/a.yaml", "2"), ("apps/A.yaml", "3")];
    let said = push(&base, |repo| {
        for (path, _) in base {
            repo.write(path, path);
        }
    });
    assert_eq!(said, ["M Apps/a.yaml", "M apps/A.yaml", "M apps/a.yaml"]);
    // Only the exact name makes rules.
    let said = push(&[(".ADMITIGNORE", "*\n"), ("a.yaml", "1")], |repo| repo.write("a.yaml", "2"));
    assert_eq!(said, ["M a.yaml"]);
}

#[test]
fn a_program_that_makes_manifests_is_named() {
    let said = push(&[("same.jsonnet", "{}")], |repo| {
        repo.write("a.jsonnet", "{}");
        repo.write("lib.libsonnet", "{}");
    });
    assert_eq!(
        said,
        ["a.jsonnet: a Jsonnet program is not run: the manifests that Argo CD would get from it are not known"]
    );
}

#[test]
fn a_link_cannot_smuggle_in_what_is_no_manifest_yet() {
    // The first push must be refused: the second one shows nothing.
    let said = push(&[("payload", "a: 1")], |repo| repo.link("a.yaml", "payload"));
    assert_eq!(said, [unread_link_to("a.yaml", "payload")]);
    let said = push(&[], |repo| repo.link("a.yaml", "later"));
    assert_eq!(said, [unread_link_to("a.yaml", "later")]);
}

#[test]
fn a_link_that_changes_its_target_is_named() {
    let repo = Repo::new();
    repo.link("current", "v1");
    let old = repo.commit(&[("v1/a.yaml", "1"), ("v2/a.yaml", "2")]);
    repo.remove("current");
    repo.link("current", "v2");
    let new = repo.commit(&[]);
    assert_eq!(repo.diff(&old, &new), [link_to("current", "v2")]);
}

#[test]
fn names_that_no_checkout_takes_are_named() {
    let repo = Repo::new();
    let blob = repo.blob("a: 1");
    let below = repo.tree(&[("100644", b"a.yaml", &blob)]);
    let names: [&[u8]; 7] = [b"..", b".git", b".GIT", b"git~1", b"a/b", b".git. ", "\u{200c}.git".as_bytes()];
    let mut shown = names.map(crate::source::path::display);
    shown.sort();
    let said = shown.map(|it| format!("{it}: a name that Git itself refuses to check out"));
    for (mode, id) in [("40000", &below), ("100644", &blob)] {
        let (tree, empty) = (repo.tree(&names.map(|name| (mode, name, id.as_str()))), repo.tree(&[]));
        assert_eq!(repo.diff(&empty, &tree), said);
        assert_eq!(repo.list(&tree), said);
        assert_eq!(repo.diff(&tree, &empty), [""; 0]);
    }
}

#[test]
fn a_tree_out_of_order_compares_as_if_sorted() {
    let repo = Repo::new();
    let (one, two, three) = (repo.blob("1"), repo.blob("2"), repo.blob("3"));
    let below = repo.tree(&[("100644", b"x.yaml", &one)]);
    let sorted: [(&str, &[u8], &str); 4] = [
        ("100644", b"a.yaml", &one),
        ("40000", b"d", &below),
        ("100644", b"m.yaml", &one),
        ("100644", b"z.yaml", &two),
    ];
    let changed_below = repo.tree(&[("100644", b"x.yaml", &two)]);
    let mut shuffled = sorted;
    shuffled[0].2 = &three;
    shuffled[1].2 = &changed_below;
    shuffled.reverse();
    let (old, new) = (repo.tree(&sorted), repo.tree(&shuffled));
    assert_eq!(repo.diff(&old, &new), ["M a.yaml", "M d/x.yaml"]);
    assert_eq!(repo.diff(&new, &old), ["M a.yaml", "M d/x.yaml"]);
    assert_eq!(repo.list(&new), ["a.yaml", "d/x.yaml", "m.yaml", "z.yaml"]);
}

#[test]
fn each_of_several_entries_of_one_name_is_seen() {
    let repo = Repo::new();
    let (one, two) = (repo.blob("1"), repo.blob("2"));
    let (dir_one, dir_two) = (repo.tree(&[("100644", b"x.yaml", &one)]), repo.tree(&[("100644", b"x.yaml", &two)]));
    let old = repo.tree(&[("100644", b"a.yaml", &one), ("40000", b"d", &dir_one)]);
    let new = repo.tree(&[
        ("100644", b"a.yaml", &one),
        ("100644", b"a.yaml", &two),
        ("40000", b"d", &dir_one),
        ("40000", b"d", &dir_two),
        ("100644", b"d", &two),
    ]);
    assert_eq!(repo.diff(&old, &new), ["A a.yaml", "A d/x.yaml"]);
    assert_eq!(repo.list(&new), ["a.yaml", "a.yaml", "d/x.yaml", "d/x.yaml"]);
    let first_wins = repo.tree(&[("100644", b"a.yaml", &two), ("100644", b"a.yaml", &one), ("40000", b"d", &dir_one)]);
    assert_eq!(repo.diff(&old, &first_wins), ["M a.yaml", "A a.yaml"]);
}

#[test]
fn a_second_ignore_file_of_the_same_directory_hides_nothing() {
    let repo = Repo::new();
    let (one, two) = (repo.blob("1"), repo.blob("2"));
    let (rules, other) = (repo.blob("*.txt\n"), repo.blob("*.yaml\n"));
    let old = repo.tree(&[("100644", b".admitignore", &rules), ("100644", b"a.yaml", &one)]);
    let new = repo.tree(&[
        ("100644", b".admitignore", &rules),
        ("100644", b".admitignore", &other),
        ("100644", b"a.yaml", &two),
    ]);
    assert_eq!(repo.diff(&old, &new), ["M a.yaml", "#.admitignore"]);
}

#[test]
fn modes_that_nobody_knows_are_files() {
    let repo = Repo::new();
    let blob = repo.blob("a: 1");
    let modes = ["100664", "0100644", "00000100644", "644", "0", "60000"];
    let names = ["a.yaml", "b.yaml", "c.yaml", "d.yaml", "e.yaml", "f.yaml"];
    let entries: Vec<_> = modes.iter().zip(names).map(|(mode, name)| (*mode, name.as_bytes(), blob.as_str())).collect();
    let tree = repo.tree(&entries);
    assert_eq!(repo.list(&tree), names);
    assert_eq!(repo.diff(&repo.tree(&[]), &tree), names.map(|it| format!("A {it}")));
    let below = repo.tree(&[("100644", b"x.yaml", &blob)]);
    assert_eq!(repo.list(&repo.tree(&[("040000", b"d", &below)])), ["d/x.yaml"]);
    // So long a mode is no mode, and the tree is broken.
    assert_eq!(
        repo.list(&repo.tree(&[("000000000000100644", b"x.yaml", &blob)])),
        [": can't be read: broken tree object"]
    );
}

#[test]
fn a_path_without_end_is_named_where_it_is_cut() {
    let repo = Repo::new();
    let blob = repo.blob("a: 1");
    let name = "n".repeat(250);
    let deep = [name.as_str(); 20].join("/");
    let tree = repo.tree_at(&format!("{deep}/a.yaml"), &blob);
    let cut = [name.as_str(); 17].join("/");
    let said = format!("{cut}: the path is too long");
    assert_eq!(repo.list(&tree), [said.as_str()]);
    assert_eq!(repo.diff(&repo.tree(&[]), &tree), [said.as_str()]);
    // A long name alone is no reason.
    let long = format!("{}.yaml", "n".repeat(5000));
    let tree = repo.tree_at(&long, &blob);
    assert_eq!(repo.list(&tree), [long]);
}

#[test]
fn a_tree_that_repeats_itself_ends_the_run() {
    let repo = Repo::new();
    let blob = repo.blob("a: 1");
    let names: Vec<_> = (0..10).map(|at| format!("d{at}")).collect();
    let mut tree = repo.tree(&[("100644", b"a.yaml", &blob)]);
    for _ in 0..12 {
        let entries: Vec<_> = names.iter().map(|it| ("40000", it.as_bytes(), tree.as_str())).collect();
        tree = repo.tree(&entries);
    }
    let options = Options { max_entries: 20_000, ..Options::default() };
    for opened in [repo.open(), repo.open_process()] {
        for jobs in [1, 4] {
            let options = Options { jobs, ..options.clone() };
            let oid = opened.resolve(&tree).unwrap().tree;
            let listed = git_tree::list(&opened, oid, &options);
            assert!(matches!(listed, Err(SourceError::TooManyEntries { max_entries: 20_000 })));
        }
        let compared = try_compare(&opened, None, Some(&tree), &options);
        assert!(matches!(compared, Err(SourceError::TooManyEntries { .. })));
        // Equal halves cost nothing.
        let other = repo.tree(&[("40000", b"big", &tree), ("100644", b"a.yaml", &blob)]);
        let one = repo.tree(&[("40000", b"big", &tree)]);
        assert_eq!(show_diff(&try_compare(&opened, Some(&one), Some(&other), &options).unwrap()), ["A a.yaml"]);
    }
}

#[test]
fn long_paths_count_as_several() {
    let repo = Repo::new();
    let blob = repo.blob("a: 1");
    let names: Vec<_> = (0..100).map(|at| format!("{at}.yaml")).collect();
    let entries: Vec<_> = names.iter().map(|it| ("100644", it.as_bytes(), blob.as_str())).collect();
    let mut tree = repo.tree(&entries);
    let name = "n".repeat(255);
    for _ in 0..15 {
        tree = repo.tree(&[("40000", name.as_bytes(), &tree)]);
    }
    let opened = repo.open();
    let oid = opened.resolve(&tree).unwrap().tree;
    let list = |max_entries| git_tree::list(&opened, oid, &Options { max_entries, ..Options::default() });
    assert!(matches!(list(1_000), Err(SourceError::TooManyEntries { .. })));
    assert_eq!(list(2_000).unwrap().entries.len(), 100);
}

#[test]
fn a_huge_ignore_file_is_passed_over_aloud() {
    let repo = Repo::new();
    let patterns = "*a10*\n".repeat(20_000);
    let (rules, blob) = (repo.blob(&patterns), repo.blob("a: 1"));
    let tree = repo.tree(&[("100644", b".admitignore", &rules), ("100644", b"a10.yaml", &blob)]);
    let said = format!(".admitignore: can't be read: {} bytes are more than the limit", patterns.len());
    assert_eq!(repo.list(&tree), ["a10.yaml", &said]);
}

#[test]
fn what_the_configuration_includes_no_longer_covers_is_not_a_hole_for_links() {
    let repo = Repo::new();
    let old = repo.commit(&[("apps/a.yaml", "1"), ("lib/b.yaml", "1")]);
    repo.link("apps/lib", "../lib");
    let new = repo.commit(&[]);
    let diff = repo.compare(Some(&old), Some(&new), &with_filter(&["apps"], &[]));
    assert_eq!(show_diff(&diff), [unread_link_to("apps/lib", "../lib")]);
}

#[test]
fn a_pointer_is_told_whatever_stands_around_it() {
    let repo = Repo::new();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    let hidden = format!("\n\n{pointer}{}\n---\na: 1\n", " ".repeat(1100));
    repo.commit(&[("a.yaml", pointer), ("b.yaml", &hidden), ("c.yaml", "\0GITCRYPT\0x")]);
    let listing = repo.list_with("HEAD", &Options::default());
    let mut reader: Reader = repo.open().reader(5000).unwrap();
    let read: Vec<_> = listing.entries.iter().map(|it| reader.read(it).unwrap_err()).collect();
    assert_eq!(read, [Skip::LfsPointer, Skip::LfsPointer, Skip::GitCrypt]);
}

#[test]
fn replacements_of_objects_do_not_count() {
    let repo = Repo::new();
    let old = repo.commit(&[("a.yaml", "1")]);
    let new = repo.commit(&[("a.yaml", "2")]);
    repo.git(&["replace", &new, &old]);
    repo.git(&["replace", &repo.blob("2"), &repo.blob("1")]);
    assert_eq!(repo.diff(&old, &new), ["M a.yaml"]);
    let entry = repo.list_with(&new, &Options::default()).entries.remove(0);
    for opened in [repo.open(), repo.open_process()] {
        assert_eq!(opened.reader(10).unwrap().read(&entry).unwrap().bytes, b"2");
    }
}
