//! Git through its own program, for repositories that libgit2 refuses: SHA-256, reftable, partial clones.
//!
//! In: a repository, object ids, revisions. Out: what `git` prints. Children get an environment that the caller gave,
//! nothing else; they never fetch, and replacement objects are off, as they are for libgit2.

use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::error::SourceError;
use super::git::{Environment, Location};
use super::objects::{ObjectError, ObjectFormat, Oid};

/// How to start `git` for one repository.
#[derive(Clone, Debug)]
pub(super) struct Git {
    environment: Environment,
    /// `None` while the repository is still looked for.
    git_dir: Option<PathBuf>,
    directory: PathBuf,
}

impl Git {
    /// Finds the repository of `start` the way `git` does, its rules about owners included.
    pub(super) fn discover(start: &Path, environment: &Environment) -> Result<(Self, Location), String> {
        let mut git = Self { environment: environment.clone(), git_dir: None, directory: start.to_owned() };
        let facts = git.run(&[
            "rev-parse",
            "--absolute-git-dir",
            "--show-object-format",
            "--is-shallow-repository",
            "--is-inside-work-tree",
        ])?;
        let facts = String::from_utf8_lossy(&facts);
        let mut lines = facts.lines();
        let mut next = || lines.next().ok_or_else(|| "git rev-parse said too little".to_owned());
        let git_dir = PathBuf::from(next()?);
        let format = match next()? {
            "sha1" => ObjectFormat::Sha1,
            "sha256" => ObjectFormat::Sha256,
            other => return Err(format!("unknown object format `{other}`")),
        };
        let shallow = next()? == "true";
        let work_dir = if next()? == "true" {
            let top = git.run(&["rev-parse", "--show-toplevel"])?;
            Some(PathBuf::from(String::from_utf8_lossy(&top).trim_end_matches('\n')))
        } else {
            None
        };
        git.git_dir = Some(git_dir.clone());
        // Relative paths of the environment start where it was taken; without them the top is the better place, for
        // `git` lists the index of the directory it stands in.
        if let (Some(work_dir), false) = (&work_dir, environment.names_repository()) {
            git.directory.clone_from(work_dir);
        }
        Ok((git, Location { git_dir, work_dir, format, shallow }))
    }

    /// The commit and the tree that a revision names; the commit is missing when it names a tree.
    pub(super) fn resolve(&self, revision: &str) -> Result<Option<(Option<Oid>, Oid)>, SourceError> {
        let peel = |kind: &str| self.revision(&format!("{revision}^{{{kind}}}"));
        let Some(tree) = peel("tree")? else { return Ok(None) };
        Ok(Some((peel("commit")?, tree)))
    }

    /// Whether a revision names any object.
    pub(super) fn exists(&self, revision: &str) -> Result<bool, SourceError> {
        Ok(self.revision(&format!("{revision}^{{object}}"))?.is_some())
    }

    /// The names of the first branches, in full.
    pub(super) fn branches(&self, limit: usize) -> Result<Vec<String>, SourceError> {
        let count = format!("--count={limit}");
        let names = self.run(&["for-each-ref", &count, "--format=%(refname)", "refs/heads"]);
        let names = names.map_err(SourceError::Process)?;
        Ok(String::from_utf8_lossy(&names).lines().map(str::to_owned).collect())
    }

    /// The best common ancestor.
    pub(super) fn merge_base(&self, one: Oid, two: Oid) -> Result<Option<Oid>, SourceError> {
        self.id(&["merge-base", &one.to_string(), &two.to_string()])
    }

    /// The index: `MODE SP ID SP STAGE TAB PATH NUL` for each entry.
    pub(super) fn index(&self, index_file: Option<&Path>) -> Result<Vec<u8>, SourceError> {
        let mut command = self.command(&["ls-files", "--stage", "-z", "--full-name"]);
        if let Some(index_file) = index_file {
            command.env("GIT_INDEX_FILE", index_file);
        }
        // The index is listed from the top whatever the directory; without a work tree `ls-files` still works.
        output(command).map_err(SourceError::Index)
    }

    fn revision(&self, revision: &str) -> Result<Option<Oid>, SourceError> {
        if revision.contains('\0') {
            return Ok(None);
        }
        self.id(&["rev-parse", "--verify", "--quiet", "--end-of-options", revision])
    }

    /// Runs a command that prints an id, or fails where there is none.
    fn id(&self, arguments: &[&str]) -> Result<Option<Oid>, SourceError> {
        let done = self.command(arguments).output().map_err(|error| SourceError::Process(error.to_string()))?;
        if !done.status.success() {
            return Ok(None);
        }
        Ok(String::from_utf8_lossy(&done.stdout).lines().last().and_then(|it| it.parse().ok()))
    }

    fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, String> {
        output(self.command(arguments))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.env_clear();
        command.envs(self.environment.variables());
        command.envs([
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_NO_LAZY_FETCH", "1"),
            // Versions before 2.44 don't know the line above; no protocol is called `none`, so nothing is fetched.
            ("GIT_ALLOW_PROTOCOL", "none"),
            ("LC_ALL", "C"),
        ]);
        if let Some(git_dir) = &self.git_dir {
            command.env("GIT_DIR", git_dir);
        }
        command.current_dir(&self.directory).args(arguments).stdin(Stdio::null());
        command
    }

    /// Starts a process that reads objects.
    pub(super) fn cat_file(&self) -> Result<CatFile, SourceError> {
        let failed = |error: io::Error| SourceError::Process(error.to_string());
        let mut child = self
            .command(&["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(SourceError::Process("no pipes".to_owned()));
        };
        Ok(CatFile { child, input, output: BufReader::new(output) })
    }
}

fn output(mut command: Command) -> Result<Vec<u8>, String> {
    let done = command.output().map_err(|error| format!("can't run `git`: {error}"))?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    let text = String::from_utf8_lossy(&done.stderr);
    Err(text.lines().find(|it| !it.is_empty()).unwrap_or("no reason given").to_owned())
}

/// A running `git cat-file --batch`: ids in, objects out, one at a time.
pub(super) struct CatFile {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl CatFile {
    /// Reads one object; the body of one that is too large is drained, never held.
    pub(super) fn read(&mut self, oid: Oid, expected: &'static str, max_bytes: u64) -> Result<Vec<u8>, ObjectError> {
        let failed = |error: io::Error| ObjectError::Failed(format!("git cat-file: {error}"));
        writeln!(self.input, "{oid}").map_err(failed)?;
        let mut header = String::new();
        (&mut self.output).take(256).read_line(&mut header).map_err(failed)?;
        // `ID SP TYPE SP SIZE`, or `ID SP missing`.
        let mut words = header.split_whitespace().skip(1);
        let kind = words.next().unwrap_or("");
        if kind == "missing" {
            return Err(ObjectError::Missing(oid));
        }
        let Some(size) = words.next().and_then(|it| it.parse::<u64>().ok()) else {
            return Err(ObjectError::Failed("git cat-file stopped".to_owned()));
        };
        if kind != expected || size > max_bytes {
            let drained = io::copy(&mut (&mut self.output).take(size + 1), &mut io::sink()).map_err(failed)?;
            if drained != size + 1 {
                return Err(ObjectError::Failed("git cat-file stopped".to_owned()));
            }
            return Err(if kind == expected {
                ObjectError::TooLarge { size }
            } else {
                ObjectError::Kind { oid, expected }
            });
        }
        let mut bytes = vec![0; size as usize + 1];
        self.output.read_exact(&mut bytes).map_err(failed)?;
        bytes.pop();
        Ok(bytes)
    }
}

impl Drop for CatFile {
    fn drop(&mut self) {
        // It would end by itself once its input closes; a hook must not wait for a process that hangs.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The names of variables that a `git` child may see. Everything else of the environment stays out: hooks of some
/// servers are handed the credentials of whoever pushes.
pub(super) fn is_allowed(name: &OsStr) -> bool {
    const NAMES: &[&str] = &[
        "PATH",
        "HOME",
        "XDG_CONFIG_HOME",
        "USERPROFILE",
        "SYSTEMROOT",
        "TMPDIR",
        "TMP",
        "TEMP",
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_COMMON_DIR",
        "GIT_INDEX_FILE",
        "GIT_PREFIX",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_QUARANTINE_PATH",
        "GIT_SHALLOW_FILE",
        "GIT_NAMESPACE",
        "GIT_EXEC_PATH",
        "GIT_CEILING_DIRECTORIES",
        "GIT_DISCOVERY_ACROSS_FILESYSTEM",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_SYSTEM",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_CONFIG_PARAMETERS",
        "GIT_CONFIG_COUNT",
    ];
    name.to_str().is_some_and(|it| {
        NAMES.contains(&it) || it.starts_with("GIT_CONFIG_KEY_") || it.starts_with("GIT_CONFIG_VALUE_")
    })
}
