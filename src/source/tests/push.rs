//! Server hooks: real pushes to real repositories, seen from inside the hook.
//!
//! The hook is this very test program: the script that `git receive-pack` starts runs [`inside_the_hook`] alone, which
//! finds in its environment where to write what it sees.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Output;

use super::repo::{Repo, git_command, show_diff, stdout_of, try_compare};
use crate::source::push::{self, Base, Beside, Pushed, RefUpdate};
use crate::source::{Environment, Oid, Options, Reader, Repository, SourceError, git_diff};

const OUT: &str = "ADMIT_TEST_HOOK_OUT";

/// What the hook program does: each ref, the base it is compared with, what differs, the bytes of each change.
#[test]
fn inside_the_hook() {
    let Some(out) = std::env::var_os(OUT) else { return };
    let mut input = Vec::new();
    std::io::stdin().read_to_end(&mut input).unwrap();
    let environment = Environment::new(std::env::current_dir().unwrap(), std::env::vars_os());
    let text = match Repository::open(".".as_ref(), &environment) {
        Ok(repository) => {
            describe(&repository, &environment, &input).unwrap_or_else(|error| format!("error: {error}\n"))
        }
        Err(error) => format!("error: {error}\n"),
    };
    fs::write(out, text).unwrap();
}

fn describe(repository: &Repository, environment: &Environment, input: &[u8]) -> Result<String, SourceError> {
    let mut out = String::new();
    if !environment.is_quarantined() {
        out.push_str("no quarantine\n");
    }
    for update in push::parse(input)? {
        let what = match push::resolve(repository, &update, Beside::Head)? {
            Pushed::Removed => "removed".to_owned(),
            Pushed::NoTree => "no tree".to_owned(),
            Pushed::Tree { comparison, base } => {
                let (old, new) = (comparison.old.map(|it| it.tree), comparison.new.tree);
                let diff = git_diff::compare(&mut repository.trees()?, old, Some(new), &Options::default())?;
                let mut lines = show_diff(&diff);
                let mut reader: Reader = repository.reader(1000)?;
                for change in &diff.changes {
                    if let Some(new) = &change.new {
                        let blob = reader.read(new).unwrap_or_else(|skip| panic!("{}: {skip}", new.path));
                        lines.push(format!("{}={}", blob.path, String::from_utf8_lossy(&blob.bytes)));
                    }
                }
                format!("{base:?} [{}]", lines.join(", "))
            }
        };
        writeln!(out, "{} {what}", update.name).unwrap();
    }
    Ok(out)
}

/// A server with the hook, and a client that pushes to it.
struct Setup {
    server: Repo,
    client: Repo,
}

impl Setup {
    fn new() -> Self {
        Self::with(Repo::bare(), Repo::new())
    }

    fn with(server: Repo, client: Repo) -> Self {
        let hooks = if server.top.join("hooks").exists() { "hooks" } else { ".git/hooks" };
        let hook = server.top.join(hooks).join("pre-receive");
        let exe = std::env::current_exe().unwrap();
        let script = format!("#!/bin/sh\nexec '{}' --exact source::tests::push::inside_the_hook\n", exe.display());
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::write(&hook, script).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        client.git(&["remote", "add", "origin", &format!("file://{}", server.top.display())]);
        Self { server, client }
    }

    fn seen(&self) -> PathBuf {
        self.server.beside("seen")
    }

    fn try_push(&self, refs: &[&str]) -> Output {
        let mut command = git_command(&self.client.top);
        command.env(OUT, self.seen()).args(["push", "--quiet", "origin"]).args(refs);
        // Credentials that some servers leave in the environment of hooks.
        command.env("HTTP_AUTHORIZATION", "Basic c2VjcmV0");
        command.output().unwrap()
    }

    /// Pushes, and returns the lines that the hook wrote.
    fn push(&self, refs: &[&str]) -> Vec<String> {
        stdout_of(&self.try_push(refs));
        let text = fs::read_to_string(self.seen()).unwrap();
        fs::remove_file(self.seen()).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

#[test]
fn a_branch_is_made_moved_and_removed() {
    let it = Setup::new();
    it.client.commit(&[("a.yaml", "1"), ("b.yaml", "1")]);
    assert_eq!(it.push(&["main"]), ["refs/heads/main Nothing [A a.yaml, A b.yaml, a.yaml=1, b.yaml=1]"]);
    it.client.commit(&[("a.yaml", "2")]);
    it.client.commit(&[("c.yaml", "1")]);
    assert_eq!(it.push(&["main"]), ["refs/heads/main Before [M a.yaml, A c.yaml, a.yaml=2, c.yaml=1]"]);
    it.client.git(&["checkout", "--quiet", "-b", "topic", "HEAD~1"]);
    it.client.commit(&[("t.yaml", "1")]);
    assert_eq!(it.push(&["topic"]), ["refs/heads/topic DefaultBranch [A t.yaml, t.yaml=1]"]);
    it.client.git(&["reset", "--quiet", "--hard", "HEAD~2"]);
    it.client.commit(&[("t.yaml", "2")]);
    assert_eq!(it.push(&["--force", "topic"]), ["refs/heads/topic Before [M a.yaml, M t.yaml, a.yaml=1, t.yaml=2]"]);
    // Nothing comes with a removal, and so there is no quarantine.
    assert_eq!(it.push(&[":topic"]), ["no quarantine", "refs/heads/topic removed"]);
}

#[test]
fn packs_and_loose_objects_are_seen_alike() {
    for (limit, format) in [("1", "sha1"), ("1000", "sha1"), ("1", "sha256"), ("1000", "sha256")] {
        let flag = format!("--object-format={format}");
        let it = Setup::with(Repo::init("server.git", &["--bare", &flag]), Repo::init("client", &[&flag]));
        it.server.git(&["config", "receive.unpackLimit", limit]);
        it.client.commit(&[("a.yaml", "1")]);
        assert_eq!(it.push(&["main"]), ["refs/heads/main Nothing [A a.yaml, a.yaml=1]"], "{limit} {format}");
        it.client.commit(&[("a.yaml", "2")]);
        assert_eq!(it.push(&["main"]), ["refs/heads/main Before [M a.yaml, a.yaml=2]"], "{limit} {format}");
    }
}

#[test]
fn the_path_of_the_repository_may_hold_anything() {
    for name in ["a:b c.git", "q\"uo\\te:\u{e9}.git"] {
        let it = Setup::with(Repo::init(name, &["--bare"]), Repo::new());
        it.client.commit(&[("a.yaml", "1")]);
        assert_eq!(it.push(&["main"]), ["refs/heads/main Nothing [A a.yaml, a.yaml=1]"], "{name}");
        it.server.git(&["repack", "-a", "-d", "--quiet"]);
        it.client.commit(&[("a.yaml", "2")]);
        assert_eq!(it.push(&["main"]), ["refs/heads/main Before [M a.yaml, a.yaml=2]"], "{name}");
    }
}

#[test]
fn a_repository_with_a_working_tree_takes_pushes_too() {
    let it = Setup::with(Repo::new(), Repo::new());
    it.client.commit(&[("a.yaml", "1")]);
    assert_eq!(it.push(&["main:topic"]), ["refs/heads/topic Nothing [A a.yaml, a.yaml=1]"]);
}

#[test]
fn objects_that_the_server_borrows_are_seen() {
    let pool = Repo::new();
    let old = pool.commit(&[("a.yaml", "1"), ("b.yaml", "1")]);
    let it = Setup::new();
    let objects = pool.top.join(".git/objects");
    fs::write(it.server.top.join("objects/info/alternates"), format!("{}\n", objects.display())).unwrap();
    it.server.git(&["update-ref", "refs/heads/main", &old]);
    it.client.git(&["fetch", "--quiet", pool.top.to_str().unwrap(), "main"]);
    it.client.git(&["reset", "--quiet", "--hard", "FETCH_HEAD"]);
    it.client.commit(&[("a.yaml", "2")]);
    assert_eq!(it.push(&["main"]), ["refs/heads/main Before [M a.yaml, a.yaml=2]"]);
}

#[test]
fn several_refs_come_at_once() {
    let it = Setup::new();
    it.client.commit(&[("a.yaml", "1")]);
    it.push(&["main", "main:gone"]);
    it.client.git(&["tag", "light"]);
    it.client.git(&["tag", "-a", "-m", "t", "heavy"]);
    it.client.git(&["tag", "blob", "HEAD:a.yaml"]);
    it.client.git(&["tag", "tree", "HEAD^{tree}"]);
    it.client.commit(&[("a.yaml", "2")]);
    let refs = ["--atomic", "main", "main:topic", "light", "heavy", "blob", "tree", ":gone"];
    let mut seen = it.push(&refs);
    seen.sort();
    assert_eq!(
        seen,
        [
            "refs/heads/gone removed",
            "refs/heads/main Before [M a.yaml, a.yaml=2]",
            "refs/heads/topic DefaultBranch [M a.yaml, a.yaml=2]",
            "refs/tags/blob no tree",
            "refs/tags/heavy DefaultBranch []",
            "refs/tags/light DefaultBranch []",
            // A tree has no history to share.
            "refs/tags/tree Nothing [A a.yaml, a.yaml=1]",
        ]
    );
}

#[test]
fn a_branch_without_common_history_is_new_as_a_whole() {
    let it = Setup::new();
    it.client.commit(&[("a.yaml", "1")]);
    it.push(&["main"]);
    it.client.git(&["checkout", "--quiet", "--orphan", "other"]);
    it.client.commit(&[("b.yaml", "1")]);
    let seen = it.push(&["other"]);
    assert_eq!(seen, ["refs/heads/other Nothing [A a.yaml, A b.yaml, a.yaml=1, b.yaml=1]"]);
}

#[test]
fn a_push_without_new_objects_is_judged_too() {
    let it = Setup::new();
    it.client.commit(&[("a.yaml", "1")]);
    it.client.commit(&[("a.yaml", "2")]);
    it.push(&["main", "main~1:refs/heads/stable"]);
    assert_eq!(it.push(&["main:stable"]), ["refs/heads/stable Before [M a.yaml, a.yaml=2]"]);
}

#[test]
fn a_shallow_client_may_push() {
    let origin = Repo::new();
    origin.commit(&[("a.yaml", "1")]);
    origin.commit(&[("a.yaml", "2")]);
    let client = Repo::new();
    client.git(&["fetch", "--quiet", "--depth=1", &format!("file://{}", origin.top.display()), "main"]);
    client.git(&["reset", "--quiet", "--hard", "FETCH_HEAD"]);
    client.commit(&[("b.yaml", "1")]);
    for allowed in ["true", "false"] {
        let server = Repo::bare();
        server.git(&["config", "receive.shallowUpdate", allowed]);
        let it = Setup::with(server, Repo::new());
        it.client.git(&["fetch", "--quiet", "--depth=2", &format!("file://{}", client.top.display()), "main"]);
        it.client.git(&["reset", "--quiet", "--hard", "FETCH_HEAD"]);
        let pushed = it.try_push(&["main"]);
        assert_eq!(pushed.status.success(), allowed == "true");
        // Where Git itself says no, it does so after the hook.
        let seen = fs::read_to_string(it.seen()).unwrap();
        assert_eq!(seen, "refs/heads/main Nothing [A a.yaml, A b.yaml, a.yaml=2, b.yaml=1]\n");
        if allowed == "true" {
            // The history of the default branch is cut off: the commit in common is found all the same.
            it.client.commit(&[("c.yaml", "1")]);
            assert_eq!(it.push(&["main:topic"]), ["refs/heads/topic DefaultBranch [A c.yaml, c.yaml=1]"]);
        }
    }
}

#[test]
fn the_repository_is_left_as_it_was() {
    let it = Setup::new();
    it.client.commit(&[("a.yaml", "1")]);
    let hook = it.server.top.join("hooks/pre-receive");
    let script = fs::read_to_string(&hook).unwrap();
    fs::write(&hook, script.replace("exec ", "") + "exit 1\n").unwrap();
    let pushed = it.try_push(&["main"]);
    assert!(!pushed.status.success());
    assert_eq!(fs::read_to_string(it.seen()).unwrap(), "refs/heads/main Nothing [A a.yaml, a.yaml=1]\n");
    let left = it.server.git(&["count-objects", "-v"]);
    assert!(left.starts_with("count: 0\n") && left.contains("\nin-pack: 0\n"), "{left}");
    assert!(
        !fs::read_dir(it.server.top.join("objects"))
            .unwrap()
            .any(|it| { it.unwrap().file_name().to_string_lossy().starts_with("tmp_objdir") })
    );
}

#[test]
fn without_the_environment_of_the_hook_the_push_is_not_seen() {
    let repo = Repo::new();
    let old: Oid = repo.commit(&[("a.yaml", "1")]).parse().unwrap();
    let new: Oid = "1".repeat(40).parse().unwrap();
    let update = RefUpdate { name: "refs/heads/main".to_owned(), old, new };
    for opened in [repo.open(), repo.open_process()] {
        let error = push::resolve(&opened, &update, Beside::Head).unwrap_err();
        assert!(error.hints()[0].contains("GIT_QUARANTINE_PATH"), "{error}");
    }
}

#[test]
fn what_the_ref_had_before_may_be_lost() {
    let repo = Repo::new();
    let blob: Oid = repo.blob("1").parse().unwrap();
    let new: Oid = repo.commit(&[("a.yaml", "1")]).parse().unwrap();
    for old in ["1".repeat(40).parse().unwrap(), blob] {
        for opened in [repo.open(), repo.open_process()] {
            let update = RefUpdate { name: "refs/heads/main".to_owned(), old, new };
            let Pushed::Tree { comparison, base: Base::Lost } = push::resolve(&opened, &update, Beside::Head).unwrap()
            else {
                panic!("there is no base")
            };
            assert_eq!(comparison.old, None);
        }
    }
}

#[test]
fn a_default_branch_that_is_lost_is_an_error_and_not_an_empty_base() {
    let repo = Repo::new();
    let head = repo.commit(&[("a.yaml", "1")]);
    let new: Oid = repo.commit(&[("a.yaml", "2")]).parse().unwrap();
    repo.git(&["update-ref", "refs/heads/main", &head]);
    fs::remove_file(repo.loose(&head)).unwrap();
    let zero: Oid = "0".repeat(40).parse().unwrap();
    let update = RefUpdate { name: "refs/heads/topic".to_owned(), old: zero, new };
    for opened in [repo.open(), repo.open_process()] {
        assert!(push::resolve(&opened, &update, Beside::Head).is_err());
    }
}

#[test]
fn a_hook_that_names_no_repository_says_so() {
    let repo = Repo::new();
    let environment = Environment::new(repo.beside(""), [("GIT_DIR", "nowhere.git")]);
    let error = Repository::open(&repo.top, &environment).unwrap_err();
    assert!(matches!(error, SourceError::NoRepository { .. }), "{error}");
    // And what it names is taken, wherever the run starts.
    let other = Repo::bare();
    let environment = Environment::new(&repo.top, [("GIT_DIR", repo.top.join(".git"))]);
    let opened = Repository::open(&other.top, &environment).unwrap();
    repo.commit(&[("a.yaml", "1")]);
    let diff = try_compare(&opened, None, Some("main"), &Options::default()).unwrap();
    assert_eq!(show_diff(&diff), ["A a.yaml"]);
}
