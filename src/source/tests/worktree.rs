//! Working trees: what is listed, what is not, and why.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::repo::{Repo, link_to, show, with_filter};
use crate::source::{At, Options, Reader, Skip, SourceError, worktree};

#[test]
fn ignore_files_count_where_they_stand_and_below() {
    let repo = Repo::new();
    repo.write(".gitignore", "*.gen.yaml\n/build/\n");
    repo.write(".admitignore", "vendor/\n");
    repo.write("apps/.gitignore", "!keep.gen.yaml\nlocal.yaml\n");
    repo.write("apps/.admitignore", "/skip.yaml\n");
    for path in [
        "a.yaml",
        "x.gen.yaml",
        "build/b.yaml",
        "sub/build/b.yaml",
        "vendor/v.yaml",
        "apps/vendor/v.yaml",
        "apps/keep.gen.yaml",
        "apps/drop.gen.yaml",
        "apps/local.yaml",
        "apps/skip.yaml",
        "apps/sub/skip.yaml",
        "apps/README.md",
    ] {
        repo.write(path, "");
    }
    assert_eq!(repo.worktree(), ["a.yaml", "apps/keep.gen.yaml", "apps/sub/skip.yaml", "sub/build/b.yaml"]);
}

#[test]
fn admitignore_can_show_what_gitignore_hides() {
    let repo = Repo::new();
    repo.write(".gitignore", "*.gen.yaml\n");
    repo.write(".admitignore", "!web.gen.yaml\n");
    repo.write("web.gen.yaml", "");
    repo.write("api.gen.yaml", "");
    assert_eq!(repo.worktree(), ["web.gen.yaml"]);
}

#[test]
fn a_tracked_file_is_listed_though_gitignore_hides_it() {
    let repo = Repo::new();
    repo.write(".gitignore", "build/\n*.local.yaml\n");
    repo.write(".admitignore", "secret/\n");
    repo.commit(&[("build/a.yaml", ""), ("x.local.yaml", ""), ("secret/s.yaml", ""), ("build/link/l.yaml", "")]);
    repo.write("build/untracked.yaml", "");
    repo.write("y.local.yaml", "");
    repo.remove("build/link");
    repo.link("build/link", "../secret");
    assert_eq!(repo.worktree(), ["build/a.yaml", "x.local.yaml"]);
}

#[test]
fn a_tracked_link_is_listed_though_gitignore_hides_it() {
    let repo = Repo::new();
    repo.write(".gitignore", "build/\n");
    repo.link("build/a.yaml", "../a.yaml");
    repo.commit(&[("a.yaml", "")]);
    repo.link("build/untracked.yaml", "../a.yaml");
    assert_eq!(repo.worktree(), ["a.yaml", &link_to("build/a.yaml", "../a.yaml")]);
}

#[test]
fn tracked_files_count_below_the_root_of_the_run_only() {
    let repo = Repo::new();
    repo.write(".gitignore", "*.local.yaml\n");
    repo.commit(&[("a/x.local.yaml", ""), ("a/b/y.local.yaml", ""), ("ab/z.local.yaml", "")]);
    let listing = worktree::list(&repo.top.join("a"), &[], Some(&repo.open()), &Options::default()).unwrap();
    // The ignore file above the root does not count, so that these are found by the walk.
    assert_eq!(show(&listing), ["b/y.local.yaml", "x.local.yaml"]);
    repo.write("a/.gitignore", "*.local.yaml\n");
    let listing = worktree::list(&repo.top.join("a"), &[], Some(&repo.open()), &Options::default()).unwrap();
    assert_eq!(show(&listing), ["b/y.local.yaml", "x.local.yaml"]);
}

#[test]
fn rules_from_outside_the_root_never_count() {
    let repo = Repo::new();
    fs::write(repo.beside(".gitignore"), "*.yaml\n").unwrap();
    fs::write(repo.beside(".admitignore"), "*.yaml\n").unwrap();
    repo.write(".git/info/exclude", "*.yaml\n");
    repo.write(".ignore", "*.yaml\n");
    repo.write("a.yaml", "");
    assert_eq!(repo.worktree(), ["a.yaml"]);
}

#[test]
fn hidden_directories_are_listed_but_git_is_not() {
    let repo = Repo::new();
    repo.write(".github/workflows/ci.yml", "");
    repo.write(".hidden.yaml", "");
    repo.write(".git/x.yaml", "");
    repo.write("sub/.git/x.yaml", "");
    repo.write("sub/a.yaml", "");
    assert_eq!(repo.worktree(), [".github/workflows/ci.yml", ".hidden.yaml", "sub/a.yaml"]);
}

#[test]
fn a_directory_without_repository_is_listed_too() {
    let temp = tempfile::TempDir::new().unwrap();
    fs::write(temp.path().join(".gitignore"), "b.yaml\n").unwrap();
    fs::write(temp.path().join("a.yaml"), "").unwrap();
    fs::write(temp.path().join("b.yaml"), "").unwrap();
    let listing = worktree::list(temp.path(), &[], None, &Options::default()).unwrap();
    assert_eq!(show(&listing), ["a.yaml"]);
}

#[test]
fn a_submodule_is_listed_where_it_is_checked_out_and_named_where_it_is_not() {
    let inner = Repo::new();
    inner.commit(&[("inner.yaml", "")]);
    let repo = Repo::new();
    let url = inner.top.to_str().unwrap();
    repo.git(&["submodule", "--quiet", "add", url, "here"]);
    repo.git(&["submodule", "--quiet", "add", url, "there"]);
    repo.commit(&[("a.yaml", "")]);
    repo.git(&["submodule", "--quiet", "deinit", "there"]);
    let not_here = "there: the content of a submodule is not in this repository";
    assert_eq!(repo.worktree(), ["a.yaml", "here/inner.yaml", not_here]);
    let excluded = show(&repo.worktree_with(&[], &with_filter(&[], &["there"])));
    assert_eq!(excluded, ["a.yaml", "here/inner.yaml"]);
}

#[test]
fn names_that_are_no_plain_text_stay_apart() {
    let repo = Repo::new();
    for name in
        [&b"caf\xe9.yaml"[..], b"caf\xc3\xa9.yaml", b"caf\\xe9.yaml", b"a\nb.yaml", b"\x1b[31m.yaml", b"a:b.yaml"]
    {
        repo.write(OsStr::from_bytes(name), "a: 1");
    }
    repo.write(Path::new(OsStr::from_bytes(b"d\xff")).join("x.yaml"), "");
    let expected =
        ["\x1b[31m.yaml", "a\nb.yaml", "a:b.yaml", "caf\\x5cxe9.yaml", "caf\\xe9.yaml", "café.yaml", "d\\xff/x.yaml"];
    assert_eq!(repo.worktree(), expected);
    let listing = repo.worktree_with(&[], &Options::default());
    let mut reader = Reader::files(100);
    for entry in &listing.entries {
        reader.read(entry).unwrap();
    }
    repo.commit(&[]);
    assert_eq!(repo.list("HEAD"), expected);
    assert_eq!(repo.worktree(), expected);
}

#[test]
fn a_pipe_is_no_file() {
    let repo = Repo::new();
    assert!(Command::new("mkfifo").arg(repo.top.join("p.yaml")).status().unwrap().success());
    assert_eq!(repo.worktree(), ["p.yaml: not a regular file"]);
}

#[test]
fn one_file_that_went_away_does_not_hide_the_others() {
    let repo = Repo::new();
    repo.write("a.yaml", "a: 1");
    repo.write("b.yaml", "b: 1");
    let listing = repo.worktree_with(&[], &Options::default());
    repo.remove("a.yaml");
    let mut reader = Reader::files(100);
    assert!(matches!(reader.read(&listing.entries[0]), Err(Skip::Unreadable(_))));
    assert_eq!(reader.read(&listing.entries[1]).unwrap().bytes, b"b: 1");
}

#[test]
fn a_file_that_became_a_link_is_not_followed() {
    let repo = Repo::new();
    repo.write("a.yaml", "a: 1");
    let listing = repo.worktree_with(&[], &Options::default());
    repo.remove("a.yaml");
    repo.link("a.yaml", "/etc/passwd");
    assert_eq!(Reader::files(100).read(&listing.entries[0]), Err(Skip::NotAFile));
}

#[test]
fn what_is_closed_to_us_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let repo = Repo::new();
    repo.write("closed/a.yaml", "");
    repo.write("b.yaml", "");
    fs::set_permissions(repo.top.join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(repo.top.join("b.yaml"), fs::Permissions::from_mode(0o000)).unwrap();
    let shown = repo.worktree();
    let is_root = fs::read_dir(repo.top.join("closed")).is_ok();
    fs::set_permissions(repo.top.join("closed"), fs::Permissions::from_mode(0o755)).unwrap();
    if is_root {
        assert_eq!(shown, ["b.yaml", "closed/a.yaml"]);
        return;
    }
    assert_eq!(shown[0], "b.yaml");
    assert!(shown[1].starts_with("closed: can't be read: Permission denied"), "{shown:?}");
    let listing = repo.worktree_with(&["b.yaml"], &Options::default());
    assert!(matches!(Reader::files(100).read(&listing.entries[0]), Err(Skip::Unreadable(_))));
}

#[test]
fn a_file_that_is_named_is_taken_whatever_its_name() {
    let repo = Repo::new();
    repo.write(".gitignore", "ignored\n");
    for path in ["notes.txt", "ignored/a.yaml", "apps/b.yaml", "apps/c.txt"] {
        repo.write(path, "");
    }
    let list = |paths: &[&str]| show(&repo.worktree_with(paths, &Options::default()));
    assert_eq!(list(&["notes.txt"]), ["notes.txt"]);
    assert_eq!(list(&["apps"]), ["apps/b.yaml"]);
    assert_eq!(list(&["apps", "apps/b.yaml", "apps/../apps", "notes.txt", "notes.txt"]), ["apps/b.yaml", "notes.txt"]);
    assert_eq!(list(&["ignored"]), ["ignored/a.yaml"]);
    assert_eq!(list(&["ignored/a.yaml"]), ["ignored/a.yaml"]);
    assert_eq!(list(&["", "apps"]), ["apps/b.yaml"]);
}

#[test]
fn a_link_that_is_named_is_followed() {
    let repo = Repo::new();
    repo.write("apps/b.yaml", "b: 1");
    repo.link("dir", "apps");
    repo.link("file", "apps/b.yaml");
    let list = |paths: &[&str]| repo.worktree_with(paths, &Options::default());
    assert_eq!(show(&list(&["dir"])), ["dir/b.yaml"]);
    let listing = list(&["file"]);
    assert_eq!(show(&listing), ["file"]);
    assert_eq!(Reader::files(100).read(&listing.entries[0]).unwrap().bytes, b"b: 1");
}

#[test]
fn what_is_named_outside_of_the_root_keeps_its_name() {
    let repo = Repo::new();
    fs::create_dir(repo.beside("other")).unwrap();
    fs::write(repo.beside("other/a.yaml"), "").unwrap();
    let outside = repo.beside("other");
    let file = outside.join("a.yaml");
    let listing = worktree::list(&repo.top, std::slice::from_ref(&outside), None, &Options::default()).unwrap();
    assert_eq!(show(&listing), [file.to_str().unwrap()]);
    let listing = worktree::list(&repo.top, &[file.clone(), outside], None, &Options::default()).unwrap();
    assert_eq!(show(&listing), [file.to_str().unwrap()]);
}

#[test]
fn a_path_that_does_not_exist_is_an_error() {
    let repo = Repo::new();
    let missing = PathBuf::from("no/such.yaml");
    let error = worktree::list(&repo.top, &[missing], None, &Options::default()).unwrap_err();
    assert!(matches!(&error, SourceError::Path { path, .. } if path == Path::new("no/such.yaml")), "{error}");
}

#[test]
fn globs_narrow_a_listing() {
    let repo = Repo::new();
    for path in ["apps/a.yaml", "apps/vendor/v.yaml", "lib/l.yaml"] {
        repo.write(path, "");
    }
    assert_eq!(show(&repo.worktree_with(&[], &with_filter(&["apps"], &["**/vendor"]))), ["apps/a.yaml"]);
}

#[test]
fn pointers_and_encrypted_files_are_told_when_they_are_read() {
    let repo = Repo::new();
    repo.write("lfs.yaml", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n");
    repo.write("old.yaml", "\n version https://hawser.github.com/spec/v1\noid sha256:00\nsize 1\n");
    let padded =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n{}---\na: 1\n", " ".repeat(2000));
    repo.write("padded.yaml", padded);
    repo.write("crypt.yaml", "\0GITCRYPT\0abc");
    repo.write("big.yaml", "x".repeat(5000));
    repo.write("version.yaml", "version: https://git-lfs.github.com/spec/v1\n");
    let listing = repo.worktree_with(&[], &Options::default());
    let mut reader = Reader::files(4000);
    let read: Vec<_> = listing.entries.iter().map(|it| reader.read(it).err()).collect();
    let too_large = Skip::TooLarge { size: 5000, max_bytes: 4000 };
    let (lfs, crypt) = (Some(Skip::LfsPointer), Some(Skip::GitCrypt));
    assert_eq!(read, [Some(too_large), crypt, lfs.clone(), lfs.clone(), lfs, None]);
}

#[test]
fn entries_know_how_they_were_found() {
    let repo = Repo::new();
    repo.write("a.yaml", "");
    let at = |paths: &[&str]| repo.worktree_with(paths, &Options::default()).entries.remove(0).at;
    assert_eq!(at(&[]), At::Worktree(repo.top.join("a.yaml")));
    assert_eq!(at(&["a.yaml"]), At::Named(repo.top.join("a.yaml")));
}
