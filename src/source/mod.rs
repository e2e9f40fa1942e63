//! Where bytes come from: a working tree, a Git tree, the difference of two, the index, standard input.
//!
//! In: paths or revisions, and [`Options`]. Out: a [`Listing`] or a [`git_diff::Diff`] of entries that nothing has read
//! yet, and a [`Reader`] per thread that reads them. What is passed over is listed with its reason, so that nothing
//! is green because nobody looked. A source never parses, never writes, never follows a link of the repository.

pub(crate) mod additions;
mod error;
mod filter;
mod git;
pub(crate) mod git_diff;
mod git_process;
pub(crate) mod git_tree;
pub(crate) mod history;
pub(crate) mod holdings;
mod ignore_file;
mod links;
mod objects;
mod path;
pub(crate) mod push;
mod server;
pub(crate) mod signature;
pub(crate) mod staged;
pub(crate) mod stdin;
#[allow(dead_code, reason = "only renderers need it")]
mod store;
pub(crate) mod worktree;

#[cfg(test)]
mod tests;

use std::fmt;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use error::SourceError;
pub(crate) use filter::{Filter, is_hidden};
pub(crate) use git::{Comparison, Environment, Repository, Revision};
pub(crate) use git_diff::Diff;
pub(crate) use git_tree::Trees;
pub(crate) use objects::Oid;
pub(crate) use server::{Pusher, Server};
pub(crate) use store::{Standing, Store};

use objects::{ObjectError, Objects};

/// One file that can be read: where people find it, and where its bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Path below the root of the run, `/` between parts. Bytes that are no UTF-8 stand as `\xNN`, and a `\` that
    /// would read like one as `\x5c`, so that two files never share a path.
    pub(crate) path: Arc<str>,
    /// Where the bytes are.
    pub(crate) at: At,
}

/// Where the bytes of an [`Entry`] are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// A regular file found by a walk. If it has become a link meanwhile it is not followed.
    Worktree(PathBuf),
    /// A file that the user named. Links and pipes are read.
    Named(PathBuf),
    /// A blob of the repository.
    Object(Oid),
    /// Bytes that are already here: standard input, the output of a renderer.
    Memory(Arc<[u8]>),
}

/// The bytes of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    /// The path of the entry.
    pub(crate) path: Arc<str>,
    /// The bytes as stored: no line-ending conversion, no filters.
    pub(crate) bytes: Vec<u8>,
}

/// Why a path was passed over. Each one is reported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Skip {
    /// A symbolic link.
    #[error("a symbolic link to `{target}` is not followed{leads}")]
    Symlink {
        /// The text of the link, displayed like a path.
        target: String,
        /// What that means for the target.
        leads: Leads,
    },
    /// A program whose output would be manifests.
    #[error("a Jsonnet program is not run: the manifests that Argo CD would get from it are not known")]
    Jsonnet,
    /// Another repository, whose content is not here.
    #[error("the content of a submodule is not in this repository")]
    Submodule,
    /// A Git LFS pointer stands where the file should be.
    #[error("a Git LFS pointer: the content is not in the repository")]
    LfsPointer,
    /// Encrypted by git-crypt.
    #[error("encrypted by git-crypt: the content can't be read")]
    GitCrypt,
    /// More bytes than [`Options::max_bytes`].
    #[error("{size} bytes are more than the limit of {max_bytes}")]
    TooLarge {
        /// Size of the file in bytes, as far as it was read.
        size: u64,
        /// The limit.
        max_bytes: u64,
    },
    /// A path longer than [`git_tree::MAX_PATH_BYTES`]; what lies below was not looked at.
    #[error("the path is too long")]
    PathTooLong,
    /// A tree entry that no checkout would create: `..`, `.git` in any spelling, an empty name.
    #[error("a name that Git itself refuses to check out")]
    UnsafeName,
    /// The index holds an unresolved merge conflict for the path.
    #[error("an unresolved merge conflict")]
    Unmerged,
    /// A pipe, a device, a socket.
    #[error("not a regular file")]
    NotAFile,
    /// The file, directory or object can't be read.
    #[error("can't be read: {0}")]
    Unreadable(String),
}

/// Where a symbolic link leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leads {
    /// To a path that is read under its own name, now or when something comes to stand there.
    Inside,
    /// Into the repository, but to a path that nobody reads: it is excluded or ignored, or the link is named like a
    /// manifest and its target is not. Whoever follows the link would see what was never looked at.
    Unread,
    /// Out of the root: absolute, or climbing above it, or climbing in a way that only a file system could follow.
    Outside,
}

impl fmt::Display for Leads {
    /// What follows "is not followed".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inside => "",
            Self::Unread => ", and nothing is read where it leads",
            Self::Outside => ", and it leads out of the repository",
        })
    }
}

/// A path and the reason why it was passed over.
pub(crate) type Skipped = (Arc<str>, Skip);

/// What a source holds, sorted by path, each path once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Files to read.
    pub(crate) entries: Vec<Entry>,
    /// Paths that nobody will read.
    pub(crate) skipped: Vec<Skipped>,
}

impl Listing {
    /// Brings both lists into the order of paths.
    fn sort(&mut self) {
        self.entries.sort_by(|a, b| a.path.cmp(&b.path));
        self.skipped.sort_by(|a, b| a.0.cmp(&b.0));
    }
}

/// What to take, and how much of it.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Which paths count. Files that the user names one by one are taken whatever it says.
    pub(crate) filter: Filter,
    /// Largest file that is read, in bytes; never 4 GiB or more.
    pub(crate) max_bytes: u64,
    /// Most entries and directories of one listing. Trees can name the same subtree again and again, so that a few
    /// kilobytes of objects list as billions of paths.
    pub(crate) max_entries: usize,
    /// Threads for a listing.
    pub(crate) jobs: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { filter: Filter::default(), max_bytes: 32 << 20, max_entries: 4_000_000, jobs: 1 }
    }
}

/// Reads entries. One per thread: it keeps an open repository.
pub(crate) struct Reader {
    objects: Option<Objects>,
    max_bytes: u64,
}

impl Reader {
    /// A reader for entries that are no Git objects.
    pub(crate) fn files(max_bytes: u64) -> Self {
        Self { objects: None, max_bytes: max_bytes.min(u64::from(u32::MAX) - 1) }
    }

    /// A reader for every kind of entry; objects come from `objects`.
    fn repository(objects: Objects, max_bytes: u64) -> Self {
        Self { objects: Some(objects), ..Self::files(max_bytes) }
    }

    /// Reads one entry.
    ///
    /// # Errors
    /// The reason why the content of this one entry is not to be had; other entries can still be read.
    pub(crate) fn read(&mut self, entry: &Entry) -> Result<Blob, Skip> {
        let max_bytes = self.max_bytes;
        let bytes = match &entry.at {
            At::Worktree(path) => {
                let metadata = fs::symlink_metadata(path).map_err(unreadable)?;
                if !metadata.is_file() {
                    return Err(Skip::NotAFile);
                }
                read_file(path, max_bytes)?
            }
            At::Named(path) => read_file(path, max_bytes)?,
            At::Object(oid) => {
                let Some(objects) = &mut self.objects else {
                    return Err(Skip::Unreadable("no repository is open".to_owned()));
                };
                objects.blob(*oid, max_bytes).map_err(|error| match error {
                    ObjectError::TooLarge { size } => Skip::TooLarge { size, max_bytes },
                    other => unreadable(other),
                })?
            }
            At::Memory(bytes) => {
                let size = bytes.len() as u64;
                if size > max_bytes {
                    return Err(Skip::TooLarge { size, max_bytes });
                }
                bytes.to_vec()
            }
        };
        if is_lfs_pointer(&bytes) {
            return Err(Skip::LfsPointer);
        }
        if bytes.starts_with(b"\0GITCRYPT\0") {
            return Err(Skip::GitCrypt);
        }
        Ok(Blob { path: Arc::clone(&entry.path), bytes })
    }
}

fn unreadable(error: impl fmt::Display) -> Skip {
    Skip::Unreadable(error.to_string())
}

/// Reads a file that may grow, or have no size at all, without ever holding more than the limit.
fn read_file(path: &Path, max_bytes: u64) -> Result<Vec<u8>, Skip> {
    let file = fs::File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Skip::NotAFile);
    }
    if metadata.len() > max_bytes {
        return Err(Skip::TooLarge { size: metadata.len(), max_bytes });
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize + 1);
    file.take(max_bytes + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let size = bytes.len() as u64;
    if size > max_bytes { Err(Skip::TooLarge { size, max_bytes }) } else { Ok(bytes) }
}

/// Whether the bytes are a pointer of Git LFS: <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>. A pointer
/// begins with its version, of which readers of today still take two from earlier times, and white space before it. No
/// limit on the length: a reader that looks at the first kilobyte only does not see what follows.
fn is_lfs_pointer(bytes: &[u8]) -> bool {
    const VERSIONS: [&[u8]; 3] =
        [b"https://git-lfs.github.com/spec/", b"https://hawser.github.com/spec/", b"http://git-media.io/v/"];
    let version = bytes.trim_ascii_start().strip_prefix(b"version ");
    version.is_some_and(|it| VERSIONS.iter().any(|known| it.starts_with(known)))
}
