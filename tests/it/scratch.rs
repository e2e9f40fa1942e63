//! A place to try the program in: a directory, a Git repository in it if wanted, runs of the built binary.
//!
//! Nothing of the machine's own Git configuration counts, and times and names are fixed.

use std::{
    ffi::OsStr,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// The program under test.
pub(crate) const ADMIT: &str = env!("CARGO_BIN_EXE_admit");

/// Variables that make `git` the same everywhere.
const ENVIRONMENT: [(&str, &str); 12] = [
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_COUNT", "1"),
    ("GIT_CONFIG_KEY_0", "init.defaultBranch"),
    ("GIT_CONFIG_VALUE_0", "main"),
    ("GIT_AUTHOR_NAME", "Ann"),
    ("GIT_AUTHOR_EMAIL", "ann@example.com"),
    ("GIT_AUTHOR_DATE", "2024-01-01T00:00:00Z"),
    ("GIT_COMMITTER_NAME", "Ann"),
    ("GIT_COMMITTER_EMAIL", "ann@example.com"),
    ("GIT_COMMITTER_DATE", "2024-01-01T00:00:00Z"),
    ("LC_ALL", "C"),
];

/// A directory that is gone at the end of the test.
pub(crate) struct Scratch {
    directory: TempDir,
}

/// What a program did.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    fn new(output: &Output) -> Self {
        Self {
            code: output.status.code().expect("no signal ended it"),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails unless the exit code is this one. A panic is never right.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails unless standard output holds the text.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "`{text}` is not in:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails if standard output holds the text.
    #[track_caller]
    pub(crate) fn says_not(self, text: &str) -> Self {
        assert!(!self.stdout.contains(text), "`{text}` is in:\n{}", self.stdout);
        self
    }

    /// Fails unless standard error holds the text.
    #[track_caller]
    pub(crate) fn complains(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` is not in stderr:\n{}\nstdout:\n{}", self.stderr, self.stdout);
        self
    }

    /// The report of `--format json`.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in:\n{}", self.stdout))
    }

    /// ID, path and line of each finding of `--format json`.
    #[track_caller]
    pub(crate) fn findings(&self) -> Vec<String> {
        let report = self.json();
        let all = report["findings"].as_array().expect("a list of findings").iter();
        let text = |it: &serde_json::Value| it.as_str().expect("text").to_owned();
        all.map(|it| format!("{} {}:{}", text(&it["id"]), text(&it["path"]), it["line"])).collect()
    }
}

impl Scratch {
    /// An empty directory.
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory for the test") }
    }

    /// An empty directory that is a Git repository with the branch `main`.
    pub(crate) fn repository() -> Self {
        let it = Self::new();
        it.git(&["init", "-q"]);
        it
    }

    /// A path in it.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        let top = self.directory.path().canonicalize().expect("the directory is there");
        if below.is_empty() { top } else { top.join(below) }
    }

    /// Writes a file, and its directories.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("can be made");
        fs::write(path, content).expect("can be written");
        self
    }

    /// Removes a file.
    pub(crate) fn remove(&self, path: &str) -> &Self {
        fs::remove_file(self.path(path)).expect("can be removed");
        self
    }

    /// Runs `git`, which must succeed. Returns what it printed.
    #[track_caller]
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let run = self.try_git(arguments);
        assert_eq!(run.code, 0, "git {arguments:?}: {}{}", run.stdout, run.stderr);
        run.stdout.trim_end().to_owned()
    }

    /// Runs `git`.
    pub(crate) fn try_git(&self, arguments: &[&str]) -> Run {
        self.run("git", "", arguments, b"")
    }

    /// Commits all there is. Returns the id of the commit.
    #[track_caller]
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs `git` at the top, with other variables.
    pub(crate) fn git_with(&self, variables: &[(&str, &OsStr)], arguments: &[&str]) -> Run {
        let mut command = command("git", &self.path(""));
        Run::new(&command.envs(variables.iter().copied()).args(arguments).output().expect("git runs"))
    }

    /// Runs `admit` at the top.
    pub(crate) fn admit<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Run {
        self.run(ADMIT, "", arguments, b"")
    }

    /// Runs `admit` in a directory below.
    pub(crate) fn admit_in<S: AsRef<OsStr>>(&self, directory: &str, arguments: &[S]) -> Run {
        self.run(ADMIT, directory, arguments, b"")
    }

    /// Runs `admit` at the top with something on standard input.
    pub(crate) fn admit_with(&self, input: &[u8], arguments: &[&str]) -> Run {
        self.run(ADMIT, "", arguments, input)
    }

    /// Runs `admit` at the top with other variables and something on standard input.
    pub(crate) fn admit_as(&self, variables: &[(&str, &str)], input: &[u8], arguments: &[&str]) -> Run {
        self.run_as(variables, ADMIT, "", arguments, input)
    }

    fn run<S: AsRef<OsStr>>(&self, program: &str, directory: &str, arguments: &[S], input: &[u8]) -> Run {
        self.run_as(&[], program, directory, arguments, input)
    }

    fn run_as<S: AsRef<OsStr>>(
        &self,
        variables: &[(&str, &str)],
        program: &str,
        directory: &str,
        arguments: &[S],
        input: &[u8],
    ) -> Run {
        let mut child = command(program, &self.path(directory))
            .envs(variables.iter().copied())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        // Whoever doesn't read its input may be gone.
        let _ = child.stdin.take().expect("a pipe").write_all(input);
        Run::new(&child.wait_with_output().expect("it ends"))
    }
}

/// A program with a clean environment.
pub(crate) fn command(program: &str, directory: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"GIT_")) {
        command.env_remove(name);
    }
    // Whoever renders in a test says so.
    command.env_remove("ADMIT_KUSTOMIZE").env_remove("ADMIT_HELM");
    command.envs(ENVIRONMENT).env("HOME", directory).current_dir(directory);
    command
}

/// A `ClusterPolicy` that wants `spec.field` of every Widget to be `value`.
pub(crate) fn policy(name: &str, field: &str, value: &str) -> String {
    format!(
        "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {{ name: {name} }}
spec:
  validationFailureAction: Enforce
  rules:
    - name: check
      match: {{ any: [{{ resources: {{ kinds: [Widget] }} }}] }}
      validate: {{ message: {field} must be {value}, pattern: {{ spec: {{ {field}: {value} }} }} }}
"
    )
}

/// A Widget in the namespace `shop`, with one field in line 4.
pub(crate) fn widget(name: &str, field: &str, value: &str) -> String {
    format!(
        "apiVersion: example.com/v1
kind: Widget
metadata: {{ name: {name}, namespace: shop }}
spec: {{ {field}: {value} }}
"
    )
}

/// An exception for one Widget and the rule `check` of one policy.
pub(crate) fn exception(name: &str, policy: &str, widget: &str) -> String {
    format!(
        "apiVersion: kyverno.io/v2
kind: PolicyException
metadata: {{ name: {name}, namespace: shop }}
spec:
  exceptions: [{{ policyName: {policy}, ruleNames: [check] }}]
  match: {{ any: [{{ resources: {{ kinds: [Widget], namespaces: [shop], names: [{widget}] }} }}] }}
"
    )
}
