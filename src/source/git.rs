//! Opening a repository and naming what is in it.
//!
//! In: a path, and the environment as the caller read it; this module reads no variable itself. Out: a [`Repository`]
//! that any thread can use, and revisions turned into trees. In a hook the objects of the push, which Git keeps in
//! quarantine until the hook agrees, are visible. Nothing is written, no ref moves, nothing is fetched.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, RepositoryOpenFlags};

use super::Reader;
use super::error::SourceError;
use super::git_process::{self, Git};
use super::git_tree::Trees;
use super::objects::{Backend, ObjectFormat, Objects, Oid};
use super::server;

/// The variables that say where a repository and its objects are, as a hook gets them from `git`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    variables: BTreeMap<OsString, OsString>,
    /// What tells of the server and of who pushes; children never see it.
    told: BTreeMap<String, String>,
    current_dir: PathBuf,
}

impl Environment {
    /// Keeps what concerns Git of `variables`; `current_dir` is what relative paths in them start from.
    pub(crate) fn new<K, V>(current_dir: impl Into<PathBuf>, variables: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let mut out = Self { current_dir: current_dir.into(), ..Self::default() };
        for (name, value) in variables.into_iter().map(|(name, value)| (name.into(), value.into())) {
            if let (Some(name), Some(value)) = (name.to_str(), value.to_str())
                && (server::is_kept(name) || name.starts_with("GIT_PUSH_OPTION_") || is_of_argo(name))
            {
                out.told.insert(name.to_owned(), value.to_owned());
            }
            if git_process::is_allowed(&name) {
                out.variables.insert(name, value);
            }
        }
        out
    }

    /// A variable that tells of the server or of who pushes; `None` where it is empty or no text.
    pub(super) fn told(&self, name: &str) -> Option<&str> {
        self.told.get(name).map(String::as_str).filter(|it| !it.is_empty())
    }

    /// What Argo CD tells a plugin; `None` where it says nothing.
    pub(crate) fn argo(&self, name: &str) -> Option<&str> {
        self.told(name).filter(|_| is_of_argo(name))
    }

    /// What the pusher said with `git push -o`; `None` where client and server did not agree on such options.
    /// <https://git-scm.com/docs/githooks#pre-receive>
    pub(crate) fn push_options(&self) -> Option<Vec<&str>> {
        let count: usize = self.told("GIT_PUSH_OPTION_COUNT")?.parse().ok()?;
        Some((0..count).map_while(|at| self.told.get(&format!("GIT_PUSH_OPTION_{at}"))).map(String::as_str).collect())
    }

    /// What relative paths start from.
    pub(crate) fn current_dir(&self) -> &Path {
        &self.current_dir
    }

    pub(super) fn variables(&self) -> &BTreeMap<OsString, OsString> {
        &self.variables
    }

    fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|it| !it.is_empty())
    }

    /// The value as a path, made absolute.
    fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(|it| self.current_dir.join(it))
    }

    /// The home of whoever runs this.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        self.path("HOME")
    }

    /// Where caches of whoever runs this go.
    pub(crate) fn cache_home(&self) -> Option<PathBuf> {
        self.path("XDG_CACHE_HOME").or_else(|| Some(self.home()?.join(".cache")))
    }

    /// The directories that programs are looked for in.
    pub(crate) fn program_directories(&self) -> Vec<PathBuf> {
        self.get("PATH").map(|it| std::env::split_paths(it).collect()).unwrap_or_default()
    }

    /// Whether somebody looks whether hooks run, and wants to know the version.
    pub(crate) fn wants_version(&self) -> bool {
        self.told("ADMIT_DOCTOR").is_some()
    }

    /// The index that `git commit` is about to use, where it is not the usual one.
    pub(crate) fn index_file(&self) -> Option<PathBuf> {
        self.path("GIT_INDEX_FILE")
    }

    /// Whether `GIT_DIR` says which repository is meant.
    pub(super) fn names_repository(&self) -> bool {
        self.get("GIT_DIR").is_some()
    }

    /// Whether pushed objects are in quarantine: they disappear if the hook says no.
    #[cfg(test)]
    pub(crate) fn is_quarantined(&self) -> bool {
        self.get("GIT_QUARANTINE_PATH").is_some()
    }

    /// Where objects are, beside the repository's own store.
    fn object_directories(&self) -> Vec<PathBuf> {
        let mut out: Vec<_> = self.path("GIT_OBJECT_DIRECTORY").into_iter().collect();
        if let Some(list) = self.get("GIT_ALTERNATE_OBJECT_DIRECTORIES") {
            out.extend(split_paths(list).into_iter().map(|it| self.current_dir.join(it)));
        }
        out
    }
}

/// Whether a variable is one of those that Argo CD sets for what it asks of a plugin:
/// <https://argo-cd.readthedocs.io/en/stable/user-guide/build-environment/>
fn is_of_argo(name: &str) -> bool {
    name.starts_with("ARGOCD_APP_") || matches!(name, "KUBE_VERSION" | "KUBE_API_VERSIONS")
}

/// Splits a list of paths as `git` does: a path that holds the separator is quoted in the manner of C.
/// <https://git-scm.com/docs/git#Documentation/git.txt-GITALTERNATEOBJECTDIRECTORIES>
fn split_paths(list: &OsStr) -> Vec<PathBuf> {
    let separator = if cfg!(windows) { b';' } else { b':' };
    let bytes = list.as_encoded_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (path, length) = unquote(&bytes[at..]).unwrap_or_else(|| {
            let length = memchr::memchr(separator, &bytes[at..]).unwrap_or(bytes.len() - at);
            (bytes[at..at + length].to_vec(), length)
        });
        if let Some(path) = path_from_bytes(path)
            && !path.as_os_str().is_empty()
        {
            out.push(path);
        }
        at += length + 1;
    }
    out
}

/// Reads a `"…"` at the front; the second part of the answer is its length with both quotes.
fn unquote(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut rest = bytes.strip_prefix(b"\"")?.iter().copied().enumerate();
    let mut out = Vec::new();
    while let Some((at, byte)) = rest.next() {
        match byte {
            b'"' => return Some((out, at + 2)),
            b'\\' => {
                let (_, escaped) = rest.next()?;
                out.push(match escaped {
                    b'a' => 7,
                    b'b' => 8,
                    b't' => b'\t',
                    b'n' => b'\n',
                    b'v' => 11,
                    b'f' => 12,
                    b'r' => b'\r',
                    b'0'..=b'3' => {
                        let mut value = u32::from(escaped - b'0');
                        for _ in 0..2 {
                            value = value * 8 + (rest.next()?.1 as char).to_digit(8)?;
                        }
                        value as u8
                    }
                    other => other,
                });
            }
            other => out.push(other),
        }
    }
    None
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere not all bytes are a path")]
pub(super) fn path_from_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    Some(OsString::from_vec(bytes).into())
}

#[cfg(not(unix))]
pub(super) fn path_from_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

/// Where a repository is and how it is made.
#[derive(Clone, Debug)]
pub(super) struct Location {
    pub(super) git_dir: PathBuf,
    pub(super) work_dir: Option<PathBuf>,
    pub(super) format: ObjectFormat,
    pub(super) shallow: bool,
}

/// A repository that can be opened, by any thread, as often as needed.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    location: Location,
    environment: Environment,
    means: Means,
    /// Whether ignore files of trees count.
    heeds_ignore_files: bool,
    /// Where it is remembered what trees hold.
    memory: Option<PathBuf>,
    #[cfg(test)]
    n_reads: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

#[derive(Clone, Debug)]
enum Means {
    Libgit2 {
        /// Opened as the directory that `GIT_DIR` names, with these stores added.
        hook: Option<Vec<PathBuf>>,
    },
    Process {
        git: Git,
        reason: String,
    },
}

/// A commit or a tree that somebody named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Revision {
    /// As it was named.
    pub(crate) name: String,
    /// `None` when a tree was named directly.
    pub(crate) commit: Option<Oid>,
    /// All its files.
    pub(crate) tree: Oid,
}

impl fmt::Display for Revision {
    /// The name, and in parentheses the short commit id unless the name is an id itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.commit.unwrap_or(self.tree).to_string();
        if id.starts_with(&self.name) { f.write_str(&id[..10]) } else { write!(f, "{} ({})", self.name, &id[..10]) }
    }
}

/// The two sides of a diff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// Before; `None` when there was nothing.
    pub(crate) old: Option<Revision>,
    /// After.
    pub(crate) new: Revision,
    /// What the change goes into: the same as `old`, but for a merge base, which may be long out of date.
    pub(crate) base: Option<Revision>,
}

impl Repository {
    /// Opens the repository that `environment` names by `GIT_DIR`, as in a hook, or else the one that holds `start`.
    ///
    /// libgit2 is asked first. What it refuses, for instance SHA-256, is left to the `git` program where there is one;
    /// [`Repository::backend_reason`] then says why.
    pub(crate) fn open(start: &Path, environment: &Environment) -> Result<Self, SourceError> {
        let refused = match Self::open_libgit2(start, environment) {
            Ok(repository) => return Ok(repository),
            Err(error) => error,
        };
        let path = environment.path("GIT_DIR").unwrap_or_else(|| start.to_owned());
        match refused.code() {
            ErrorCode::Owner => return Err(SourceError::NotOwner { path }),
            ErrorCode::NotFound => return Err(SourceError::NoRepository { path }),
            _ => {}
        }
        Self::open_process(start, environment, refused.message().to_owned())
    }

    /// Opens the repository through `git` processes, whatever libgit2 thinks of it.
    pub(super) fn open_process(start: &Path, environment: &Environment, reason: String) -> Result<Self, SourceError> {
        let start = if environment.names_repository() { environment.current_dir.as_path() } else { start };
        // A file is as good a start as its directory, but no process can stand in it.
        let start = if start.is_file() { start.parent().unwrap_or(start) } else { start };
        match Git::discover(start, environment) {
            Ok((git, location)) => Ok(Self::new(location, environment, Means::Process { git, reason })),
            Err(other) => Err(SourceError::Open { path: start.to_owned(), reason: format!("{reason}; {other}") }),
        }
    }

    fn open_libgit2(start: &Path, environment: &Environment) -> Result<Self, git2::Error> {
        let Some(git_dir) = environment.path("GIT_DIR") else {
            let none: [&OsStr; 0] = [];
            let opened = git2::Repository::open_ext(start, RepositoryOpenFlags::empty(), none)?;
            let location = Location {
                git_dir: opened.path().to_owned(),
                work_dir: opened.workdir().map(Path::to_owned),
                format: ObjectFormat::Sha1,
                shallow: opened.is_shallow(),
            };
            return Ok(Self::new(location, environment, Means::Libgit2 { hook: None }));
        };
        let stores = environment.object_directories();
        let opened = open_in_hook(&git_dir, &stores)?;
        // A hook of the client stands at the top of its work tree and knows where in it the user was; a hook of the
        // server stands in the repository.
        let work_dir = environment
            .path("GIT_WORK_TREE")
            .or_else(|| environment.get("GIT_PREFIX").map(|_| environment.current_dir.clone()))
            .or_else(|| environment.index_file().map(|_| environment.current_dir.clone()));
        let location = Location {
            git_dir: opened.path().to_owned(),
            work_dir,
            format: ObjectFormat::Sha1,
            shallow: opened.is_shallow() || environment.get("GIT_SHALLOW_FILE").is_some(),
        };
        Ok(Self::new(location, environment, Means::Libgit2 { hook: Some(stores) }))
    }

    fn new(location: Location, environment: &Environment, means: Means) -> Self {
        Self {
            location,
            environment: environment.clone(),
            means,
            heeds_ignore_files: true,
            memory: None,
            #[cfg(test)]
            n_reads: std::sync::Arc::default(),
        }
    }

    /// The directory that Git calls its own: `.git`, or the bare repository.
    pub(crate) fn git_dir(&self) -> &Path {
        &self.location.git_dir
    }

    /// The top of the working tree, if there is one.
    pub(crate) fn work_dir(&self) -> Option<&Path> {
        self.location.work_dir.as_deref()
    }

    /// Whether history is cut off in this clone.
    pub(crate) fn is_shallow(&self) -> bool {
        self.location.shallow
    }

    /// Why the `git` program reads this repository instead of libgit2; `None` when libgit2 does.
    pub(crate) fn backend_reason(&self) -> Option<&str> {
        match &self.means {
            Means::Libgit2 { .. } => None,
            Means::Process { reason, .. } => Some(reason),
        }
    }

    /// A reader for one thread.
    pub(crate) fn reader(&self, max_bytes: u64) -> Result<Reader, SourceError> {
        Ok(Reader::repository(self.objects()?, max_bytes))
    }

    /// What listings and comparisons read trees from. Opening takes microseconds with libgit2, a process else.
    pub(crate) fn trees(&self) -> Result<Trees, SourceError> {
        let trees = Trees::new(self.objects()?);
        Ok(if self.heeds_ignore_files { trees } else { trees.without_ignore_files() })
    }

    /// The same repository, which remembers in its own directory what trees hold.
    #[must_use]
    pub(crate) fn remembering(self) -> Self {
        Self { memory: Some(self.location.git_dir.join("admit/holdings")), ..self }
    }

    /// Where it is remembered what trees hold; `None` where that is not wanted.
    pub(super) fn memory(&self) -> Option<&Path> {
        self.memory.as_deref().filter(|_| self.heeds_ignore_files)
    }

    /// The same repository, in whose trees no ignore file counts.
    #[must_use]
    pub(crate) fn without_ignore_files(&self) -> Self {
        Self { heeds_ignore_files: false, ..self.clone() }
    }

    pub(super) fn objects(&self) -> Result<Objects, SourceError> {
        let backend = match &self.means {
            Means::Libgit2 { .. } => Backend::Libgit2(self.libgit2()?),
            Means::Process { git, .. } => Backend::Process(git.cat_file()?),
        };
        Ok(Objects {
            format: self.location.format,
            backend,
            #[cfg(test)]
            n_reads: std::sync::Arc::clone(&self.n_reads),
        })
    }

    /// How many objects have been read since the last call.
    #[cfg(test)]
    pub(super) fn take_n_reads(&self) -> usize {
        self.n_reads.swap(0, std::sync::atomic::Ordering::Relaxed)
    }

    pub(super) fn libgit2(&self) -> Result<git2::Repository, SourceError> {
        let opened = match &self.means {
            Means::Libgit2 { hook: Some(stores) } => open_in_hook(&self.location.git_dir, stores),
            Means::Libgit2 { hook: None } | Means::Process { .. } => git2::Repository::open(&self.location.git_dir),
        };
        opened.map_err(|error| self.failed(&error))
    }

    /// The `git` program, where it is what reads this repository.
    pub(super) fn process(&self) -> Option<&Git> {
        match &self.means {
            Means::Libgit2 { .. } => None,
            Means::Process { git, .. } => Some(git),
        }
    }

    /// The index as `git` lists it, for an index that libgit2 can't read: a sparse or a split one.
    pub(super) fn index_by_process(&self, index_file: Option<&Path>) -> Result<Vec<u8>, SourceError> {
        self.discover_process()?.index(index_file)
    }

    /// The `git` program, whoever reads this repository otherwise.
    pub(super) fn any_process(&self) -> Result<Git, SourceError> {
        match self.process() {
            Some(git) => Ok(git.clone()),
            None => self.discover_process(),
        }
    }

    /// The `git` program for what libgit2 can't do in a repository that it reads otherwise.
    fn discover_process(&self) -> Result<Git, SourceError> {
        let in_hook = self.environment.names_repository();
        let start = if in_hook { &self.environment.current_dir } else { self.work_dir().unwrap_or(self.git_dir()) };
        Ok(Git::discover(start, &self.environment).map_err(SourceError::Process)?.0)
    }

    /// How the repository names objects.
    pub(super) fn format(&self) -> ObjectFormat {
        self.location.format
    }

    fn failed(&self, error: &git2::Error) -> SourceError {
        SourceError::Open { path: self.location.git_dir.clone(), reason: error.message().to_owned() }
    }

    /// The commit or tree that `name` stands for: a branch, a tag, an id, `HEAD~1`.
    pub(crate) fn resolve(&self, name: &str) -> Result<Revision, SourceError> {
        let unknown = || SourceError::UnknownRevision {
            revision: name.to_owned(),
            shallow: self.is_shallow(),
            bare: self.work_dir().is_none(),
        };
        let no_tree = || SourceError::NotATree { revision: name.to_owned() };
        if name.is_empty() || name.parse::<Oid>().is_ok_and(|it| it.is_zero()) {
            return Err(unknown());
        }
        self.refuse_ambiguous(name)?;
        if let Some(git) = self.process() {
            return match git.resolve(name)? {
                Some((commit, tree)) => Ok(Revision { name: name.to_owned(), commit, tree }),
                None if git.exists(name)? => Err(no_tree()),
                None => Err(unknown()),
            };
        }
        let repository = self.libgit2()?;
        let object = match name.parse::<Oid>() {
            // A full id is one, even if somebody calls a branch so. Whether the tree it names is any good is found out
            // by whoever reads it.
            Ok(oid) => {
                let id = oid.to_libgit2().ok_or_else(unknown)?;
                let kind = repository.odb().and_then(|it| it.read_header(id)).map_err(|_| unknown())?.1;
                if kind == git2::ObjectType::Tree {
                    return Ok(Revision { name: name.to_owned(), commit: None, tree: oid });
                }
                repository.find_object(id, None)
            }
            Err(_) => repository.revparse_single(name),
        };
        let object = object.map_err(|_| unknown())?;
        let commit = object.peel_to_commit().ok();
        let tree = match &commit {
            Some(commit) => commit.tree_id().into(),
            None => object.peel_to_tree().map_err(|_| no_tree())?.id().into(),
        };
        Ok(Revision { name: name.to_owned(), commit: commit.map(|it| it.id().into()), tree })
    }

    /// Refuses a name that stands for different things, a branch and a tag for instance. Git takes the tag, and then
    /// whoever may push one chooses what is compared.
    fn refuse_ambiguous(&self, name: &str) -> Result<(), SourceError> {
        let base = name.split(['^', '~', '@', ':']).next().unwrap_or(name);
        if matches!(base, "" | "HEAD") || base.starts_with("refs/") || base.parse::<Oid>().is_ok() {
            return Ok(());
        }
        // In the order of git-rev-parse; plain names of files in the Git directory can't be pushed.
        let forms =
            [("refs/", ""), ("refs/tags/", ""), ("refs/heads/", ""), ("refs/remotes/", ""), ("refs/remotes/", "/HEAD")];
        let candidates = forms.map(|(before, after)| format!("{before}{base}{after}"));
        let mut meanings = self.refs(&candidates)?;
        meanings.sort();
        if !meanings.is_empty()
            && base.bytes().all(|it| it.is_ascii_hexdigit())
            && let Some(oid) = self.abbreviated(base)?
        {
            meanings.push((oid.to_string(), oid));
        }
        if meanings.windows(2).all(|pair| pair[0].1 == pair[1].1) {
            return Ok(());
        }
        let meanings = meanings.into_iter().map(|(name, _)| name).collect();
        Err(SourceError::Ambiguous { revision: name.to_owned(), meanings })
    }

    /// The names of the first branches, in full, at most `limit`.
    pub(crate) fn branches(&self, limit: usize) -> Result<Vec<String>, SourceError> {
        if let Some(git) = self.process() {
            return git.branches(limit);
        }
        let repository = self.libgit2()?;
        let mut found = repository.references_glob("refs/heads/*").map_err(|error| self.failed(&error))?;
        let names = found.names().take(limit).map(|name| name.map(str::to_owned));
        names.collect::<Result<_, _>>().map_err(|error| self.failed(&error))
    }

    /// The refs of exactly these names that exist, each with what it stands for once tags are peeled.
    fn refs(&self, names: &[String]) -> Result<Vec<(String, Oid)>, SourceError> {
        if let Some(git) = self.process() {
            return git.refs(names);
        }
        let repository = self.libgit2()?;
        let peel = |name: &String| {
            let found = repository.find_reference(name).ok()?;
            Some((name.clone(), found.peel(git2::ObjectType::Any).ok()?.id().into()))
        };
        Ok(names.iter().filter_map(peel).collect())
    }

    /// The object whose id begins with these digits, if there is exactly one.
    fn abbreviated(&self, digits: &str) -> Result<Option<Oid>, SourceError> {
        if let Some(git) = self.process() {
            return git.abbreviated(digits);
        }
        Ok(self.libgit2()?.find_object_by_prefix(digits, None).ok().map(|it| it.id().into()))
    }

    /// The commit that is checked out, or the default branch of a bare repository; `None` before the first commit, and
    /// where `HEAD` names a branch that is not there.
    pub(crate) fn head(&self) -> Result<Option<Revision>, SourceError> {
        let is_unborn = match self.process() {
            Some(git) => git.head_is_unborn()?,
            None => match self.libgit2()?.head() {
                Ok(_) => false,
                Err(error) if error.code() == ErrorCode::UnbornBranch => true,
                Err(error) => return Err(self.failed(&error)),
            },
        };
        if is_unborn { Ok(None) } else { self.resolve("HEAD").map(Some) }
    }

    /// The full name of the branch that `HEAD` names, whether it exists or not; `None` where `HEAD` names a commit.
    pub(crate) fn head_branch(&self) -> Result<Option<String>, SourceError> {
        if let Some(git) = self.process() {
            return Ok(git.head_branch());
        }
        let repository = self.libgit2()?;
        let head = repository.find_reference("HEAD").map_err(|error| self.failed(&error))?;
        Ok(head.symbolic_target().ok().flatten().map(str::to_owned))
    }

    /// A value of the configuration; `None` where it is not set, or can't be read.
    pub(crate) fn config(&self, name: &str) -> Option<String> {
        match self.process() {
            Some(git) => git.config(name),
            None => self.libgit2().ok()?.config().ok()?.get_string(name).ok(),
        }
    }

    /// The best common ancestor of two commits; `None` when there is none, or none can be found because commits are
    /// missing.
    pub(crate) fn merge_base(&self, one: Oid, two: Oid) -> Result<Option<Oid>, SourceError> {
        if let Some(git) = self.process() {
            return git.merge_base(one, two);
        }
        let repository = self.libgit2()?;
        let id = |oid: Oid| git2::Oid::from_bytes(oid.as_bytes()).map_err(|error| self.failed(&error));
        match repository.merge_base(id(one)?, id(two)?) {
            Ok(found) => Ok(Some(found.into())),
            Err(error) if error.code() == ErrorCode::NotFound && !self.is_shallow() => Ok(None),
            // libgit2 goes on where the history of a shallow clone ends, and stumbles; `git` knows better.
            Err(_) => match self.discover_process() {
                Ok(git) => git.merge_base(one, two),
                Err(_) => Ok(None),
            },
        }
    }

    /// The two sides that `range` names: `BASE..HEAD`, `BASE...HEAD` (from their merge base), or `BASE` alone, which
    /// is compared with `HEAD`. A side left out is `HEAD`; a base of zeros is nothing at all.
    pub(crate) fn comparison(&self, range: &str) -> Result<Comparison, SourceError> {
        // No ref may hold two dots (git-check-ref-format), so the first ones are the operator.
        let (base, head, from_merge_base) = match range.split_once("..") {
            None => (range, "HEAD", false),
            Some((base, head)) => match head.strip_prefix('.') {
                Some(head) => (base, head, true),
                None => (base, head, false),
            },
        };
        let or_head = |it: &str| if it.is_empty() { "HEAD".to_owned() } else { it.to_owned() };
        let (base, head) = (or_head(base), or_head(head));
        let new = self.resolve(&head)?;
        if base.parse::<Oid>().is_ok_and(|it| it.is_zero()) {
            return Ok(Comparison { old: None, new, base: None });
        }
        let old = self.resolve(&base)?;
        let (true, Some(one), Some(two)) = (from_merge_base, old.commit, new.commit) else {
            return Ok(Comparison { base: Some(old.clone()), old: Some(old), new });
        };
        match self.merge_base(one, two)? {
            Some(found) => Ok(Comparison { old: Some(self.resolve(&found.to_string())?), new, base: Some(old) }),
            None => Err(SourceError::NoMergeBase { base, head, shallow: self.is_shallow() }),
        }
    }
}

/// Opens the directory that `GIT_DIR` names, and adds the stores that hold the objects of a push.
///
/// `Repository::open_from_env` would do, were it not for paths with a colon: `git` quotes them, libgit2 does not
/// unquote. `open_bare` asks nothing about owners, which is right for the one directory that `git` itself handed us.
fn open_in_hook(git_dir: &Path, stores: &[PathBuf]) -> Result<git2::Repository, git2::Error> {
    let none: [&OsStr; 0] = [];
    let repository = git2::Repository::open_bare(git_dir).or_else(|error| {
        // The directory of a linked work tree is no bare repository.
        let flags = RepositoryOpenFlags::NO_SEARCH | RepositoryOpenFlags::NO_DOTGIT;
        git2::Repository::open_ext(git_dir, flags, none).map_err(|_| error)
    })?;
    let odb = repository.odb()?;
    for store in stores {
        let Some(store) = store.to_str() else {
            return Err(git2::Error::from_str("the path of an object store is not UTF-8"));
        };
        odb.add_disk_alternate(store)?;
    }
    drop(odb);
    Ok(repository)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternates_are_split_and_unquoted() {
        let paths = split_paths(OsStr::new("/a:\"/b:\\\"c\\303\\251\":/d"));
        assert_eq!(paths, [PathBuf::from("/a"), PathBuf::from("/b:\"cé"), PathBuf::from("/d")]);
        assert_eq!(split_paths(OsStr::new("\"/unclosed")), [PathBuf::from("\"/unclosed")]);
        assert!(split_paths(OsStr::new("::")).is_empty());
    }

    #[test]
    fn credentials_never_reach_a_child() {
        let environment = Environment::new("/", [("HTTP_AUTHORIZATION", "Basic x"), ("GIT_DIR", ".")]);
        assert_eq!(environment.variables().keys().collect::<Vec<_>>(), ["GIT_DIR"]);
    }
}
