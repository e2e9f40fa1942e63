//! Repositories made for one test, and listings as lines of text.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::source::{
    Diff, Environment, Filter, Listing, Options, Repository, SourceError, git_diff, git_tree, worktree,
};

/// Runs `git` with nothing of the environment but what is said here.
pub(super) fn git_command(directory: &Path) -> Command {
    let mut command = Command::new("git");
    command.env_clear().current_dir(directory);
    command.envs(std::env::var_os("PATH").map(|it| ("PATH", it)));
    command.envs([
        ("HOME", "/nonexistent"),
        ("LC_ALL", "C"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_AUTHOR_NAME", "a"),
        ("GIT_AUTHOR_EMAIL", "a@example.com"),
        ("GIT_AUTHOR_DATE", "1700000000 +0000"),
        ("GIT_COMMITTER_NAME", "a"),
        ("GIT_COMMITTER_EMAIL", "a@example.com"),
        ("GIT_COMMITTER_DATE", "1700000000 +0000"),
    ]);
    // The first allows submodules from a path, which newer versions forbid.
    command.args(["-c", "protocol.file.allow=always", "-c", "gc.auto=0", "-c", "core.quotePath=false"]);
    command
}

/// The output of a command that must succeed, without the last line break.
pub(super) fn stdout_of(done: &Output) -> String {
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim_end_matches('\n').to_owned()
}

/// A repository in a directory of its own.
pub(super) struct Repo {
    /// Removed with everything in it at the end.
    temp: TempDir,
    pub(super) top: PathBuf,
}

impl Repo {
    pub(super) fn new() -> Self {
        Self::init("repo", &[])
    }

    pub(super) fn bare() -> Self {
        Self::init("repo.git", &["--bare"])
    }

    pub(super) fn sha256() -> Self {
        Self::init("repo", &["--object-format=sha256"])
    }

    pub(super) fn init(name: &str, flags: &[&str]) -> Self {
        let temp = TempDir::new().unwrap();
        let top = fs::canonicalize(temp.path()).unwrap().join(name);
        let done = git_command(temp.path()).args(["init", "-q", "-b", "main"]).args(flags).arg(&top).output().unwrap();
        stdout_of(&done);
        Self { temp, top }
    }

    /// A directory beside the repository, for what belongs to the test and not to it.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.temp.path()).unwrap().join(name)
    }

    pub(super) fn git<S: AsRef<OsStr>>(&self, arguments: &[S]) -> String {
        stdout_of(&git_command(&self.top).args(arguments).output().unwrap())
    }

    fn git_with_input(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut command = git_command(&self.top);
        let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        stdout_of(&child.wait_with_output().unwrap())
    }

    pub(super) fn write(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
        let place = self.top.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, text).unwrap();
    }

    pub(super) fn link(&self, path: &str, target: &str) {
        let place = self.top.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, place).unwrap();
    }

    pub(super) fn remove(&self, path: &str) {
        let place = self.top.join(path);
        if place.is_dir() && !place.is_symlink() { fs::remove_dir_all(place) } else { fs::remove_file(place) }.unwrap();
    }

    /// Writes files and commits everything that is there, ignored or not. Returns the id of the commit.
    pub(super) fn commit(&self, files: &[(&str, &str)]) -> String {
        for (path, text) in files {
            self.write(path, text);
        }
        self.git(&["add", "--all", "--force"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message=c"]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub(super) fn blob(&self, bytes: impl AsRef<[u8]>) -> String {
        self.git_with_input(&["hash-object", "-w", "--stdin"], bytes.as_ref())
    }

    /// Stores a tree exactly as given: unsorted, with names that Git itself would not write.
    pub(super) fn tree(&self, entries: &[(&str, &[u8], &str)]) -> String {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend([mode.as_bytes(), b" ", name, b"\0"].concat());
            bytes.extend(id.as_bytes().chunks(2).map(|it| {
                let digits = std::str::from_utf8(it).unwrap();
                u8::from_str_radix(digits, 16).unwrap()
            }));
        }
        self.git_with_input(&["hash-object", "-w", "-t", "tree", "--literally", "--stdin"], &bytes)
    }

    /// A tree with one manifest at a path, and the way to it.
    pub(super) fn tree_at(&self, path: &str, blob: &str) -> String {
        let mut parts: Vec<_> = path.split('/').collect();
        let name = parts.pop().unwrap();
        let mut tree = self.tree(&[("100644", name.as_bytes(), blob)]);
        while let Some(name) = parts.pop() {
            tree = self.tree(&[("40000", name.as_bytes(), &tree)]);
        }
        tree
    }

    /// The file in which a loose object is stored.
    pub(super) fn loose(&self, id: &str) -> PathBuf {
        let git_dir = PathBuf::from(self.git(&["rev-parse", "--absolute-git-dir"]));
        git_dir.join("objects").join(&id[..2]).join(&id[2..])
    }

    pub(super) fn open(&self) -> Repository {
        Repository::open(&self.top, &self.environment(&[])).unwrap()
    }

    /// Opened in such a way that `git` reads it, whatever libgit2 can do.
    pub(super) fn open_process(&self) -> Repository {
        Repository::open_process(&self.top, &self.environment(&[]), "a test".to_owned()).unwrap()
    }

    pub(super) fn environment(&self, more: &[(&str, &OsStr)]) -> Environment {
        let command = git_command(&self.top);
        let mut variables: BTreeMap<OsString, OsString> =
            command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
        variables.extend(more.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))));
        Environment::new(&self.top, variables)
    }

    /// The difference of two revisions. Both ways of reading the repository must agree on it.
    pub(super) fn compare(&self, old: Option<&str>, new: Option<&str>, options: &Options) -> Diff {
        let by_library = try_compare(&self.open(), old, new, options).unwrap();
        let by_process = try_compare(&self.open_process(), old, new, options).unwrap();
        assert_eq!(by_library, by_process);
        by_library
    }

    pub(super) fn diff(&self, old: &str, new: &str) -> Vec<String> {
        show_diff(&self.compare(Some(old), Some(new), &Options::default()))
    }

    /// What a revision holds. Both ways of reading the repository must agree on it, with any number of threads.
    pub(super) fn list_with(&self, revision: &str, options: &Options) -> Listing {
        let list = |repository: &Repository, jobs| {
            let tree = repository.resolve(revision).unwrap().tree;
            git_tree::list(repository, tree, &Options { jobs, ..options.clone() }).unwrap()
        };
        let by_library = list(&self.open(), 1);
        assert_eq!(by_library, list(&self.open_process(), 1));
        assert_eq!(by_library, list(&self.open(), 8));
        by_library
    }

    pub(super) fn list(&self, revision: &str) -> Vec<String> {
        show(&self.list_with(revision, &Options::default()))
    }

    pub(super) fn worktree_with(&self, paths: &[&str], options: &Options) -> Listing {
        let paths: Vec<_> = paths.iter().map(|it| self.top.join(it)).collect();
        let repository = Repository::open(&self.top, &self.environment(&[])).ok();
        let list = |jobs| {
            let options = Options { jobs, ..options.clone() };
            worktree::list(&self.top, &paths, repository.as_ref(), &options).unwrap()
        };
        let listing = list(1);
        assert_eq!(listing, list(8));
        listing
    }

    pub(super) fn worktree(&self) -> Vec<String> {
        show(&self.worktree_with(&[], &Options::default()))
    }
}

pub(super) fn try_compare(
    repository: &Repository,
    old: Option<&str>,
    new: Option<&str>,
    options: &Options,
) -> Result<Diff, SourceError> {
    let tree = |revision: Option<&str>| revision.map(|it| repository.resolve(it).map(|it| it.tree)).transpose();
    git_diff::compare(&mut repository.trees()?, tree(old)?, tree(new)?, options)
}

pub(super) fn with_filter(include: &[&str], exclude: &[&str]) -> Options {
    Options { filter: Filter::new(include, exclude).unwrap(), ..Options::default() }
}

/// The paths of a listing; `PATH: WHY` for what is passed over, after all others.
pub(super) fn show(listing: &Listing) -> Vec<String> {
    let entries = listing.entries.iter().map(|it| it.path.to_string());
    entries.chain(listing.skipped.iter().map(|(path, skip)| format!("{path}: {skip}"))).collect()
}

/// The lines of a diff: `A`dded, `M`odified, `D`eleted, mo`V`ed, then `PATH: WHY` for what is passed over, `#PATH` for
/// ignore files and `-PATH` for what is ignored.
pub(super) fn show_diff(diff: &Diff) -> Vec<String> {
    let changes = diff.changes.iter().map(|it| match (&it.old, &it.new) {
        (None, Some(new)) => format!("A {}", new.path),
        (Some(old), None) => format!("D {}", old.path),
        (Some(old), Some(new)) if old.path == new.path => format!("M {}", new.path),
        (Some(old), Some(new)) => format!("V {} {}", old.path, new.path),
        (None, None) => unreachable!("a change has a side"),
    });
    let skipped = diff.skipped.iter().map(|(path, skip)| format!("{path}: {skip}"));
    let ignore_files = diff.ignore_files.iter().map(|it| format!("#{it}"));
    let ignored = diff.ignored.iter().map(|it| format!("-{it}"));
    changes.chain(skipped).chain(ignore_files).chain(ignored).collect()
}

/// What is said of links.
pub(super) fn link_to(path: &str, target: &str) -> String {
    format!("{path}: a symbolic link to `{target}` is not followed")
}

/// What is said of links behind which nobody looks.
pub(super) fn unread_link_to(path: &str, target: &str) -> String {
    format!("{path}: a symbolic link to `{target}` is not followed, and nothing is read where it leads")
}

/// What is said of links out of the repository.
pub(super) fn outside_link_to(path: &str, target: &str) -> String {
    format!("{path}: a symbolic link to `{target}` is not followed, and it leads out of the repository")
}
