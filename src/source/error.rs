//! Why a source can't be listed at all.
//!
//! What is wrong with a single path is a [`Skip`](super::Skip); these end the run.

use std::path::PathBuf;

use super::objects::Oid;

/// Why a source can't be listed as asked. Ends the run with exit code 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// The user named a path that does not exist or can't be looked at.
    #[error("`{}`: {cause}", path.display())]
    Path {
        /// The path as given.
        path: PathBuf,
        /// What the operating system says.
        cause: std::io::Error,
    },
    /// An include or exclude pattern is not a glob.
    #[error("`{pattern}` is not a glob: {reason}")]
    Glob {
        /// The pattern as given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No repository at the path or above it.
    #[error("`{}` is not in a Git repository", path.display())]
    NoRepository {
        /// Where the search began.
        path: PathBuf,
    },
    /// The repository belongs to somebody else, and Git's safety rules forbid to open it.
    #[error("the repository at `{}` belongs to another user", path.display())]
    NotOwner {
        /// The repository.
        path: PathBuf,
    },
    /// The repository is there, but can't be opened.
    #[error("the repository at `{}` can't be opened: {reason}", path.display())]
    Open {
        /// The repository.
        path: PathBuf,
        /// What libgit2 says and, where it was tried, `git`.
        reason: String,
    },
    /// A revision names nothing that is here.
    #[error("unknown revision `{revision}`")]
    UnknownRevision {
        /// As given.
        revision: String,
        /// Whether history is cut off in this clone.
        shallow: bool,
        /// Whether the repository has no working tree, as on a server: its branches are those of `refs/heads`.
        bare: bool,
    },
    /// A revision is the name of several things that are not the same.
    #[error("`{revision}` is ambiguous: {}", meanings.join(", "))]
    Ambiguous {
        /// As given.
        revision: String,
        /// Full names of refs, or an id.
        meanings: Vec<String>,
    },
    /// A revision names something without files, such as a blob.
    #[error("`{revision}` is neither a commit nor a tree")]
    NotATree {
        /// As given.
        revision: String,
    },
    /// `A...B` of two commits without a common ancestor.
    #[error("`{base}` and `{head}` have no common ancestor here")]
    NoMergeBase {
        /// Left of the dots.
        base: String,
        /// Right of the dots.
        head: String,
        /// Whether history is cut off in this clone.
        shallow: bool,
    },
    /// The topmost tree is missing or broken.
    #[error("tree {oid} can't be read: {reason}")]
    Tree {
        /// The tree.
        oid: Oid,
        /// What is wrong.
        reason: String,
    },
    /// The index can't be read.
    #[error("the index can't be read: {0}")]
    Index(String),
    /// More entries than [`Options::max_entries`](super::Options::max_entries).
    #[error("more than {max_entries} files and directories")]
    TooManyEntries {
        /// The limit.
        max_entries: usize,
    },
    /// What a hook was told is not what Git writes.
    #[error("line {line} of standard input is not what Git writes for this hook")]
    Push {
        /// Counted from 1.
        line: usize,
    },
    /// The arguments of a hook are not what Git gives.
    #[error("the arguments are not `REF OLD NEW`")]
    Update,
    /// A ref is new, and nobody knows what it goes beside.
    #[error("HEAD names no branch that exists, so that no policies judge new ones")]
    NoDefaultBranch,
    /// Standard input can't be read.
    #[error("standard input can't be read: {0}")]
    Stdin(std::io::Error),
    /// Standard input holds more than the limit.
    #[error("standard input holds more than {max_bytes} bytes")]
    StdinTooLarge {
        /// The limit.
        max_bytes: u64,
    },
    /// A `git` process failed in a way that says nothing about the repository.
    #[error("`git` failed: {0}")]
    Process(String),
}

impl SourceError {
    /// What the user can do about it, a sentence each, printed below the error.
    pub(crate) fn hints(&self) -> Vec<String> {
        let text = match self {
            Self::UnknownRevision { revision, shallow, .. } if is_hex(revision) => {
                if *shallow {
                    format!("the clone is shallow; fetch the commit: git fetch --depth=1 origin {revision}")
                } else {
                    "in a hook, the object is only visible with the environment that git gave to the hook: GIT_DIR, \
                     GIT_OBJECT_DIRECTORY, GIT_ALTERNATE_OBJECT_DIRECTORIES, GIT_QUARANTINE_PATH"
                        .to_owned()
                }
            }
            Self::UnknownRevision { revision, shallow: true, .. } => {
                let branch = revision.strip_prefix("origin/").unwrap_or(revision);
                format!(
                    "the clone is shallow; fetch what is missing: git fetch --depth=1 origin \
                     {branch}:refs/remotes/origin/{branch}, or all of it: git fetch --unshallow"
                )
            }
            Self::UnknownRevision { bare: true, .. } => {
                "this repository is bare, so that no branch is called origin/…; git branch lists those that there are"
                    .to_owned()
            }
            Self::UnknownRevision { revision, .. } if revision.starts_with("origin/") => {
                "git fetch origin brings the branches of the remote up to date".to_owned()
            }
            Self::UnknownRevision { revision, .. } => {
                format!("a branch of the remote is called origin/{revision}; git fetch origin brings it up to date")
            }
            Self::Ambiguous { meanings, .. } => {
                format!("say which one is meant: {}", meanings.join(" or "))
            }
            Self::NoMergeBase { shallow: true, .. } => {
                "the clone is shallow; fetch more history: git fetch --deepen=1000, or --unshallow; or compare the \
                 two trees with two dots"
                    .to_owned()
            }
            Self::NoMergeBase { shallow: false, .. } => "compare the two trees with two dots".to_owned(),
            Self::NotOwner { path } => {
                format!("if you trust it: git config --global --add safe.directory '{}'", path.display())
            }
            Self::NoDefaultBranch => "on the server: git symbolic-ref HEAD refs/heads/main".to_owned(),
            Self::Push { .. } | Self::Update => "this command is run by Git".to_owned(),
            Self::NoRepository { .. } => "without a repository, name files or directories".to_owned(),
            _ => return Vec::new(),
        };
        vec![text]
    }
}

fn is_hex(revision: &str) -> bool {
    revision.len() >= 40 && revision.bytes().all(|it| it.is_ascii_hexdigit())
}
