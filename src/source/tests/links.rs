//! Symbolic links: where they lead, in a working tree and in a Git tree alike.

use super::repo::{Repo, link_to, outside_link_to, show, unread_link_to, with_filter};
use crate::source::Options;

/// Commits everything, lists the commit and the working tree, and returns what is said of the links.
fn links(repo: &Repo, options: &Options) -> Vec<String> {
    repo.commit(&[]);
    let in_git = show(&repo.list_with("HEAD", options));
    assert_eq!(in_git, show(&repo.worktree_with(&[], options)));
    let tree = repo.git(&["rev-parse", "HEAD^{tree}"]);
    let added = repo.compare(None, Some(&tree), options);
    let in_git: Vec<_> = in_git.into_iter().filter(|it| it.contains("link")).collect();
    let in_diff: Vec<_> = added.skipped.iter().map(|(path, skip)| format!("{path}: {skip}")).collect();
    assert_eq!(in_diff, in_git);
    in_git
}

#[test]
fn a_link_to_what_is_read_is_only_named() {
    let repo = Repo::new();
    repo.write("lib/a.yaml", "");
    repo.write("lib/README.md", "");
    repo.link("app/a.yaml", "../lib/a.yaml");
    repo.link("app/all", "../lib");
    repo.link("app/later.yaml", "../lib/later.yaml");
    repo.link("README.md", "lib/README.md");
    repo.link("loop", ".");
    assert_eq!(
        links(&repo, &Options::default()),
        [
            link_to("README.md", "lib/README.md"),
            link_to("app/a.yaml", "../lib/a.yaml"),
            link_to("app/all", "../lib"),
            link_to("app/later.yaml", "../lib/later.yaml"),
            link_to("loop", "."),
        ]
    );
}

#[test]
fn a_link_named_like_a_manifest_leads_to_one() {
    let repo = Repo::new();
    repo.write("payload.txt", "");
    repo.write("d/a.yaml", "");
    repo.link("a.yaml", "payload.txt");
    repo.link("b.yaml", "nothing-yet");
    repo.link("c.yaml", "d");
    repo.link("ok", "payload.txt");
    assert_eq!(
        links(&repo, &Options::default()),
        [
            unread_link_to("a.yaml", "payload.txt"),
            unread_link_to("b.yaml", "nothing-yet"),
            unread_link_to("c.yaml", "d"),
            link_to("ok", "payload.txt"),
        ]
    );
}

#[test]
fn a_link_to_what_is_ignored_or_excluded_is_unread() {
    let repo = Repo::new();
    repo.write(".admitignore", "vendor/\n");
    repo.write("vendor/a.yaml", "");
    repo.write("generated/b.yaml", "");
    repo.write("notes/n.txt", "");
    repo.link("apps/a.yaml", "../vendor/a.yaml");
    repo.link("apps/all", "../vendor");
    repo.link("apps/b.yaml", "../generated/b.yaml");
    repo.link("apps/generated", "../generated");
    repo.link("apps/later.yaml", "../vendor/later.yaml");
    repo.link("apps/git.yaml", "../.git/x.yaml");
    assert_eq!(
        links(&repo, &with_filter(&[], &["generated"])),
        [
            unread_link_to("apps/a.yaml", "../vendor/a.yaml"),
            unread_link_to("apps/all", "../vendor"),
            unread_link_to("apps/b.yaml", "../generated/b.yaml"),
            unread_link_to("apps/generated", "../generated"),
            unread_link_to("apps/git.yaml", "../.git/x.yaml"),
            unread_link_to("apps/later.yaml", "../vendor/later.yaml"),
        ]
    );
}

#[test]
fn a_link_out_of_what_is_included_is_unread() {
    let repo = Repo::new();
    repo.write("apps/v2/a.yaml", "");
    repo.write("lib/b.yaml", "");
    repo.link("apps/current", "v2");
    repo.link("apps/lib", "../lib");
    repo.link("apps/b.yaml", "../lib/b.yaml");
    assert_eq!(
        links(&repo, &with_filter(&["apps"], &[])),
        [
            unread_link_to("apps/b.yaml", "../lib/b.yaml"),
            link_to("apps/current", "v2"),
            unread_link_to("apps/lib", "../lib"),
        ]
    );
}

#[test]
fn a_link_out_of_the_repository_is_said_to_be_one() {
    let repo = Repo::new();
    repo.link("a.yaml", "/etc/passwd");
    repo.link("d/b.yaml", "../../b.yaml");
    repo.link("d/c", "../..");
    // Where `up` stands is the root, and above it is not.
    repo.link("d/up", "..");
    repo.link("d/e.yaml", "up/../e.yaml");
    assert_eq!(
        links(&repo, &Options::default()),
        [
            outside_link_to("a.yaml", "/etc/passwd"),
            outside_link_to("d/b.yaml", "../../b.yaml"),
            outside_link_to("d/c", "../.."),
            outside_link_to("d/e.yaml", "up/../e.yaml"),
            link_to("d/up", ".."),
        ]
    );
}

#[test]
fn links_to_links_are_followed_to_their_end() {
    let repo = Repo::new();
    repo.write(".admitignore", "vendor/\n");
    repo.write("v2/a.yaml", "");
    repo.write("vendor/a.yaml", "");
    repo.link("current", "v2");
    repo.link("theirs", "vendor");
    repo.link("out", "/tmp");
    repo.link("a.yaml", "current/a.yaml");
    repo.link("b.yaml", "a.yaml");
    repo.link("c.yaml", "theirs/a.yaml");
    repo.link("d.yaml", "out/a.yaml");
    repo.link("e.yaml", "e.yaml");
    assert_eq!(
        links(&repo, &Options::default()),
        [
            link_to("a.yaml", "current/a.yaml"),
            link_to("b.yaml", "a.yaml"),
            unread_link_to("c.yaml", "theirs/a.yaml"),
            link_to("current", "v2"),
            outside_link_to("d.yaml", "out/a.yaml"),
            unread_link_to("e.yaml", "e.yaml"),
            outside_link_to("out", "/tmp"),
            unread_link_to("theirs", "vendor"),
        ]
    );
}

#[test]
fn a_link_into_a_submodule_is_unread() {
    let repo = Repo::new();
    let blob = repo.blob("../mod/a.yaml");
    let apps = repo.tree(&[("120000", b"a.yaml", &blob)]);
    let commit = repo.commit(&[]);
    let tree = repo.tree(&[("40000", b"apps", &apps), ("160000", b"mod", &commit)]);
    let submodule = "mod: the content of a submodule is not in this repository";
    assert_eq!(repo.list(&tree), [&unread_link_to("apps/a.yaml", "../mod/a.yaml"), submodule]);
}

#[test]
fn a_link_with_a_hostile_text_ends_the_search() {
    let repo = Repo::new();
    // Each link leads through the one after it, deeper than anybody looks.
    let mut entries = Vec::new();
    let texts: Vec<_> = (0..50).map(|at| format!("l{:02}/x/x/x/x/x/x/x/x", at + 1)).collect();
    let blobs: Vec<_> = texts.iter().map(|it| repo.blob(it)).collect();
    let names: Vec<_> = (0..50).map(|at| format!("l{at:02}")).collect();
    for (name, blob) in names.iter().zip(&blobs) {
        entries.push(("120000", name.as_bytes(), blob.as_str()));
    }
    let shown = repo.list(&repo.tree(&entries));
    assert_eq!(shown[0], unread_link_to("l00", &texts[0]));
    assert_eq!(shown[49], link_to("l49", &texts[49]));
}
