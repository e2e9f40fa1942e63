//! The index: what the next commit would hold and change.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use super::repo::{Repo, link_to, show, show_diff};
use crate::source::{Options, Repository, staged::Snapshot};

/// What the index holds and what it changes, as both ways of reading the repository have it.
fn snapshot(repo: &Repo) -> (Vec<String>, Vec<String>) {
    let by = |opened: &Repository| {
        let index_file = repo.environment(&[]).index_file();
        let snapshot = Snapshot::new(opened, index_file.as_deref()).unwrap();
        let options = Options::default();
        (snapshot.list(&options).unwrap(), snapshot.compare(&options).unwrap())
    };
    let by_library = by(&repo.open());
    assert_eq!(by_library, by(&repo.open_process()));
    (show(&by_library.0), show_diff(&by_library.1))
}

fn changes(repo: &Repo) -> Vec<String> {
    snapshot(repo).1
}

#[test]
fn only_what_is_staged_counts() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "1"), ("b.yaml", "1"), ("gone.yaml", "gone"), ("moved.yaml", "moved"), ("d/x.yaml", "1")]);
    repo.write("a.yaml", "2");
    repo.write("added.yaml", "1");
    repo.write("d/e/y.yaml", "1");
    repo.git(&["add", "a.yaml", "added.yaml", "d/e/y.yaml"]);
    repo.git(&["rm", "--quiet", "gone.yaml"]);
    repo.git(&["mv", "moved.yaml", "d/moved.yaml"]);
    repo.write("a.yaml", "3");
    repo.write("b.yaml", "2");
    repo.write("untracked.yaml", "1");
    repo.remove("d/x.yaml");
    let (list, diff) = snapshot(&repo);
    assert_eq!(list, ["a.yaml", "added.yaml", "b.yaml", "d/e/y.yaml", "d/moved.yaml", "d/x.yaml"]);
    assert_eq!(diff, ["M a.yaml", "A added.yaml", "A d/e/y.yaml", "V moved.yaml d/moved.yaml", "D gone.yaml"]);
    // The bytes are those of the index, not of the file.
    let opened = repo.open();
    let snapshot = Snapshot::new(&opened, None).unwrap();
    let diff = snapshot.compare(&Options::default()).unwrap();
    let read = opened.reader(10).unwrap().read(diff.changes[0].new.as_ref().unwrap()).unwrap();
    assert_eq!(read.bytes, b"2");
}

#[test]
fn nothing_staged_is_no_change() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "1"), ("a-b/x.yaml", "1"), ("a/x.yaml", "1"), ("a0.yaml", "1")]);
    assert_eq!(changes(&repo), [""; 0]);
}

#[test]
fn before_the_first_commit_all_is_new() {
    let repo = Repo::new();
    assert_eq!(snapshot(&repo), (vec![], vec![]));
    repo.write("a.yaml", "1");
    repo.write(".admitignore", "x/\n");
    repo.git(&["add", "--all"]);
    assert_eq!(changes(&repo), ["A a.yaml", "#.admitignore"]);
}

#[test]
fn a_conflict_is_named_and_hides_nothing_else() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "1"), ("b.yaml", "1")]);
    repo.git(&["checkout", "--quiet", "-b", "topic"]);
    repo.commit(&[("a.yaml", "2"), ("b.yaml", "2")]);
    repo.git(&["checkout", "--quiet", "main"]);
    repo.commit(&[("a.yaml", "3")]);
    let merged = super::repo::git_command(&repo.top).args(["merge", "--quiet", "topic"]).output().unwrap();
    assert!(!merged.status.success());
    let said = "a.yaml: an unresolved merge conflict";
    assert_eq!(snapshot(&repo), (vec!["b.yaml".into(), said.into()], vec!["M b.yaml".into(), said.into()]));
    assert_eq!(repo.worktree(), ["a.yaml", "b.yaml"]);
}

#[test]
fn another_index_can_be_named() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "1")]);
    let other = repo.beside("other-index");
    let mut command = super::repo::git_command(&repo.top);
    command.env("GIT_INDEX_FILE", &other).args(["read-tree", "HEAD"]);
    super::repo::stdout_of(&command.output().unwrap());
    repo.write("a.yaml", "2");
    repo.write("b.yaml", "1");
    let mut command = super::repo::git_command(&repo.top);
    command.env("GIT_INDEX_FILE", &other).args(["add", "b.yaml"]);
    super::repo::stdout_of(&command.output().unwrap());
    let environment = repo.environment(&[("GIT_INDEX_FILE", other.as_os_str())]);
    let opened = Repository::open(&repo.top, &environment).unwrap();
    let by_process = Repository::open_process(&repo.top, &environment, String::new()).unwrap();
    for opened in [opened, by_process] {
        let snapshot = Snapshot::new(&opened, environment.index_file().as_deref()).unwrap();
        assert_eq!(show_diff(&snapshot.compare(&Options::default()).unwrap()), ["A b.yaml"]);
    }
    assert_eq!(changes(&repo), [""; 0]);
}

#[test]
fn a_hook_of_the_client_sees_what_is_about_to_be_committed() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "1"), ("b.yaml", "1")]);
    let seen = repo.beside("seen");
    std::fs::create_dir(&seen).unwrap();
    let script = format!(
        "#!/bin/sh\nenv -0 > '{0}/env'\npwd > '{0}/pwd'\ncp \"${{GIT_INDEX_FILE:-.git/index}}\" '{0}/index'\n",
        seen.display()
    );
    let hook = repo.top.join(".git/hooks/pre-commit");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, script).unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    repo.write("a.yaml", "2");
    repo.write("b.yaml", "2");
    repo.git(&["add", "b.yaml"]);
    std::fs::create_dir(repo.top.join("sub")).unwrap();
    // A path on the command line: Git makes an index for this commit alone.
    repo.git(&["-C", "sub", "commit", "--quiet", "--message=c", "../a.yaml"]);
    let text = std::fs::read(seen.join("env")).unwrap();
    let variables = text.split(|&it| it == 0).filter_map(|it| {
        let (name, value) = std::str::from_utf8(it).ok()?.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    let environment = crate::source::Environment::new(&repo.top, variables);
    assert_eq!(std::fs::read_to_string(seen.join("pwd")).unwrap().trim_end(), repo.top.to_str().unwrap());
    let index = environment.index_file().unwrap();
    assert_ne!(index, repo.top.join(".git/index"));
    let opened = Repository::open(&repo.top, &environment).unwrap();
    assert_eq!(opened.work_dir().map(|it| it.canonicalize().unwrap()), Some(repo.top.clone()));
    // The commit has been made meanwhile; the index of the hook is compared with what it started from.
    repo.git(&["update-ref", "HEAD", "HEAD~1"]);
    let snapshot = Snapshot::new(&opened, Some(&seen.join("index"))).unwrap();
    assert_eq!(show_diff(&snapshot.compare(&Options::default()).unwrap()), ["M a.yaml"]);
}

#[test]
fn an_announced_file_is_not_staged() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "1")]);
    repo.write("b.yaml", "1");
    repo.git(&["add", "--intent-to-add", "b.yaml"]);
    let opened = repo.open();
    let snapshot = Snapshot::new(&opened, None).unwrap();
    assert_eq!(show_diff(&snapshot.compare(&Options::default()).unwrap()), [""; 0]);
}

#[test]
fn links_submodules_and_modes_are_told() {
    let repo = Repo::new();
    let commit = repo.commit(&[("a.yaml", "1")]);
    repo.link("l.yaml", "a.yaml");
    repo.git(&["add", "l.yaml"]);
    repo.git(&["update-index", "--chmod=+x", "a.yaml"]);
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},m")]);
    let submodule = "m: the content of a submodule is not in this repository";
    assert_eq!(changes(&repo), [&link_to("l.yaml", "a.yaml"), submodule]);
}

#[test]
fn every_form_of_index_is_read() {
    let repo = Repo::new();
    let files: Vec<_> = (0..20).map(|at| format!("d{}/e{at}/f.yaml", at % 3)).collect();
    repo.commit(&files.iter().map(|it| (it.as_str(), "1")).collect::<Vec<_>>());
    let forms: [&[&[&str]]; 4] = [
        &[&["update-index", "--index-version=4"]],
        &[&["update-index", "--split-index"]],
        &[&["update-index", "--no-split-index"], &["sparse-checkout", "set", "--cone", "--sparse-index", "d1"]],
        &[&["sparse-checkout", "disable"], &["update-index", "--index-version=2"]],
    ];
    for form in forms {
        for command in form {
            repo.git(command);
        }
        let (list, diff) = snapshot(&repo);
        assert_eq!(list.len(), 20, "{form:?}");
        assert_eq!(diff, [""; 0], "{form:?}");
        let text = format!("{form:?}");
        repo.write("d1/e1/f.yaml", &text);
        repo.git(&["add", "d1/e1/f.yaml"]);
        assert_eq!(changes(&repo), ["M d1/e1/f.yaml"], "{form:?}");
        repo.git(&["commit", "--quiet", "--message=c"]);
    }
}

#[test]
fn the_index_of_sha256_repositories_is_read_by_git() {
    let repo = Repo::sha256();
    repo.commit(&[("a.yaml", "1"), ("d/b.yaml", "1")]);
    repo.write("d/b.yaml", "2");
    repo.git(&["add", "--all"]);
    assert_eq!(changes(&repo), ["M d/b.yaml"]);
}

#[test]
fn a_broken_index_is_an_error() {
    let repo = Repo::new();
    repo.commit(&[("a.yaml", "1")]);
    repo.write(".git/index", "nonsense");
    let error = Snapshot::new(&repo.open(), None).err().unwrap();
    assert!(error.to_string().starts_with("the index can't be read"), "{error}");
    assert!(crate::source::worktree::list(&repo.top, &[], Some(&repo.open()), &Options::default()).is_err());
}

#[test]
fn names_are_bytes_in_the_index_too() {
    let repo = Repo::new();
    repo.commit(&[]);
    repo.write(OsStr::from_bytes(b"caf\xe9\n.yaml"), "1");
    repo.git(&["add", "--all"]);
    assert_eq!(changes(&repo), ["A caf\\xe9\n.yaml"]);
}
