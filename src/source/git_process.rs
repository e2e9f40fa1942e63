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
    /// The repository; `None` while it is still looked for.
    repository: Option<PathBuf>,
    /// Where processes stand.
    directory: PathBuf,
}

impl Git {
    /// Finds the repository of `start` the way `git` does, its rules about owners included.
    pub(super) fn discover(start: &Path, environment: &Environment) -> Result<(Self, Location), String> {
        let mut git = Self { environment: environment.clone(), repository: None, directory: start.to_owned() };
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
        git.repository = Some(git_dir.clone());
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
        let Some(commit) = peel("commit")? else {
            return Ok(peel("tree")?.map(|tree| (None, tree)));
        };
        // The commit says which tree it has even if that one is missing.
        let text = self.run(&["cat-file", "commit", &commit.to_string()]).map_err(SourceError::Process)?;
        let text = String::from_utf8_lossy(&text);
        let tree = text.lines().next().and_then(|it| it.strip_prefix("tree ")?.parse().ok());
        tree.map(|tree| Some((Some(commit), tree)))
            .ok_or_else(|| SourceError::Process(format!("commit {commit} names no tree")))
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

    /// The full name of the branch that `HEAD` names.
    pub(super) fn head_branch(&self) -> Option<String> {
        let name = self.run(&["symbolic-ref", "--quiet", "HEAD"]).ok()?;
        Some(String::from_utf8_lossy(&name).trim_end_matches('\n').to_owned())
    }

    /// A value of the configuration.
    pub(super) fn config(&self, name: &str) -> Option<String> {
        let value = self.run(&["config", "--get", name]).ok()?;
        Some(String::from_utf8_lossy(&value).trim_end_matches('\n').to_owned())
    }

    /// Whether `HEAD` names a branch that is not there.
    pub(super) fn head_is_unborn(&self) -> Result<bool, SourceError> {
        if self.id(&["rev-parse", "--verify", "--quiet", "HEAD"])?.is_some() {
            return Ok(false);
        }
        match self.run(&["symbolic-ref", "--quiet", "HEAD"]) {
            Ok(_) => Ok(true),
            Err(_) => Err(SourceError::Process("HEAD can't be read".to_owned())),
        }
    }

    /// The refs of exactly these names that exist, each with what it stands for once tags are peeled.
    pub(super) fn refs(&self, names: &[String]) -> Result<Vec<(String, Oid)>, SourceError> {
        let mut arguments = vec!["for-each-ref", "--format=%(refname) %(objectname) %(*objectname)"];
        arguments.extend(names.iter().map(String::as_str).filter(|it| !it.contains('\0')));
        let text = self.run(&arguments).map_err(SourceError::Process)?;
        let parse = |line: &str| {
            let mut words = line.split_whitespace();
            let name = words.next().filter(|it| names.iter().any(|wanted| wanted == it))?;
            Some((name.to_owned(), words.last()?.parse().ok()?))
        };
        Ok(String::from_utf8_lossy(&text).lines().filter_map(parse).collect())
    }

    /// The object whose id begins with these digits, if there is exactly one.
    pub(super) fn abbreviated(&self, digits: &str) -> Result<Option<Oid>, SourceError> {
        let text = self.run(&["rev-parse", &format!("--disambiguate={digits}")]).map_err(SourceError::Process)?;
        let text = String::from_utf8_lossy(&text);
        let mut found = text.lines().filter_map(|it| it.parse().ok());
        Ok(found.next().filter(|_| found.next().is_none()))
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

    /// Runs a command that must succeed. Returns what it prints.
    pub(super) fn run_all(&self, arguments: &[String]) -> Result<Vec<u8>, SourceError> {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.run(&arguments).map_err(SourceError::Process)
    }

    /// A command that is yet to run, with the environment of all others.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
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
        if let Some(repository) = &self.repository {
            command.env("GIT_DIR", repository);
        }
        command.current_dir(&self.directory).args(arguments).stdin(Stdio::null());
        command
    }

    /// Starts a process that reads objects.
    pub(super) fn cat_file(&self) -> Result<CatFile, SourceError> {
        let process = Process::start(self).map_err(|error| SourceError::Process(error.to_string()))?;
        Ok(CatFile { git: self.clone(), process: Some(process) })
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

/// `git cat-file --batch`: ids in, objects out, one at a time. The process ends on some kinds of broken object; another
/// one then reads on.
pub(super) struct CatFile {
    git: Git,
    process: Option<Process>,
}

/// A body longer than this is not worth draining: a new process costs less.
const MAX_DRAINED: u64 = 16 << 20;

impl CatFile {
    /// Reads one object; the body of one that is too large is never held.
    pub(super) fn read(&mut self, oid: Oid, expected: &'static str, max_bytes: u64) -> Result<Vec<u8>, ObjectError> {
        let failed = |error: io::Error| ObjectError::Failed(format!("git cat-file: {error}"));
        let mut process = match self.process.take() {
            Some(process) => process,
            None => Process::start(&self.git).map_err(failed)?,
        };
        let answer = process.ask(oid, expected, max_bytes);
        self.process = Some(process).filter(|it| it.in_step);
        answer
    }
}

/// One running process.
struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Whether the answer to every question has been read to its end.
    in_step: bool,
}

impl Process {
    fn start(git: &Git) -> io::Result<Self> {
        let mut child = git
            .command(&["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => Ok(Self { child, input, output: BufReader::new(output), in_step: true }),
            _ => Err(io::Error::other("no pipes")),
        }
    }

    /// Asks for one object.
    fn ask(&mut self, oid: Oid, expected: &'static str, max_bytes: u64) -> Result<Vec<u8>, ObjectError> {
        let broken = |_: io::Error| ObjectError::Missing(oid);
        self.in_step = false;
        writeln!(self.input, "{oid}").map_err(broken)?;
        let mut header = String::new();
        (&mut self.output).take(256).read_line(&mut header).map_err(broken)?;
        // `ID SP TYPE SP SIZE`, or `ID SP missing`.
        let mut words = header.split_whitespace().skip(1);
        let kind = words.next().unwrap_or("");
        if kind == "missing" {
            self.in_step = true;
            return Err(ObjectError::Missing(oid));
        }
        let size = words.next().and_then(|it| it.parse::<u64>().ok()).ok_or(ObjectError::Missing(oid))?;
        if kind == expected && size <= max_bytes {
            let mut bytes = vec![0; size as usize + 1];
            self.output.read_exact(&mut bytes).map_err(broken)?;
            bytes.pop();
            self.in_step = true;
            return Ok(bytes);
        }
        if size <= MAX_DRAINED {
            let drained = io::copy(&mut (&mut self.output).take(size + 1), &mut io::sink()).map_err(broken)?;
            self.in_step = drained == size + 1;
        }
        Err(if kind == expected { ObjectError::TooLarge { size } } else { ObjectError::Kind { oid, expected } })
    }
}

impl Drop for Process {
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
        "XDG_CACHE_HOME",
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
