//! Where in a tree lies what may matter to a law, remembered from one run to the next.
//!
//! In: a tree, and a [`Screen`] that tells by name or content whether a file may matter. Out: a [`Listing`] as
//! [`git_tree::list`] gives it, without the files that don't. What was found in one tree is kept in a file named by the
//! id of that tree; another tree is compared with one that is known, so that the cost is that of their difference.
//!
//! Nothing depends on what is kept: a file that is missing, broken or of another version is passed over, and one that
//! can't be written is none. A file comes into place whole, by a rename, so that two pushes at once do no harm. What is
//! kept are ids and paths; filters and ignore files are applied to them anew in each run.

use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use super::error::SourceError;
use super::filter::is_jsonnet_name;
use super::git::Repository;
use super::git_tree::{self, MAX_PATH_BYTES, Pending, Trees, matters};
use super::ignore_file::{self, IgnoreRules};
use super::objects::{Mode, ObjectError, Oid, TreeEntry};
use super::path;
use super::staged::{IndexEntry, TreeBuilder};
use super::{Listing, Options};

/// Tells which files may matter.
#[derive(Clone, Copy)]
pub(crate) struct Screen<'s> {
    /// Counts up with every change of what follows.
    pub(crate) version: u32,
    /// What the screen is for, where there are several: what one lets through is no answer to another.
    pub(crate) purpose: Option<&'s str>,
    /// By the path.
    pub(crate) name: &'s (dyn Fn(&str) -> bool + Sync),
    /// By the content.
    pub(crate) content: &'s (dyn Fn(&[u8]) -> bool + Sync),
}

/// Trees that are remembered; the oldest go first.
const MAX_KEPT: usize = 24;

/// Purposes for which trees are remembered; those that were asked for last stay.
const MAX_PURPOSES: usize = 4;

/// Remembered trees that are tried as the near one.
const MAX_TRIED: usize = 4;

/// Bytes of a file that is read back. What is more is read from the objects.
const MAX_BYTES: u64 = 64 << 20;

/// Lists the files of a tree that pass the screen. Without a place to remember them it is all files.
pub(crate) fn list(
    repository: &Repository,
    tree: Oid,
    options: &Options,
    screen: &Screen<'_>,
) -> Result<Listing, SourceError> {
    let Some(held) = repository.memory().and_then(|at| held(repository, tree, options, screen, at)) else {
        return git_tree::list(repository, tree, options);
    };
    let mut builder = TreeBuilder::new(repository.format());
    for it in &held {
        builder.add(it);
    }
    let (root, computed) = builder.finish();
    let computed = Arc::new(computed);
    let mut open = || Ok(Trees::with_computed(repository.objects()?, Arc::clone(&computed)));
    let start = Pending { path: String::new(), oid: root, rules: IgnoreRules::default() };
    // Links are followed in the tree itself: where they lead, more may stand than is held.
    git_tree::list_from(&mut open, tree, start, &Options { jobs: 1, ..options.clone() })
}

/// What the tree holds, in the order of paths; `None` for a tree that is too strange to remember.
fn held(
    repository: &Repository,
    tree: Oid,
    options: &Options,
    screen: &Screen<'_>,
    directory: &Path,
) -> Option<Vec<IndexEntry>> {
    let own = screen.purpose.map(|purpose| directory.join(subdirectory(purpose)));
    let kept = Kept { directory: own.as_deref().unwrap_or(directory), version: screen.version };
    if let Some(found) = kept.read(tree) {
        return Some(found);
    }
    let mut trees = repository.trees().ok()?;
    let near = kept.newest().into_iter().take(MAX_TRIED).find_map(|near| {
        let known = kept.read(near)?;
        let difference = Difference::between(&mut trees, Some(near), tree, options.max_entries)?;
        Some((known, difference))
    });
    let (known, difference) = match near {
        Some(near) => near,
        None => (Vec::new(), Difference::between(&mut trees, None, tree, options.max_entries)?),
    };
    let mut found = known;
    found.retain(|it| !difference.gone.contains(&it.path));
    found.extend(screened(repository, difference.come, options.max_bytes, screen)?);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    kept.write(tree, &found);
    if screen.purpose.is_some() {
        forget_purposes(directory);
    }
    Some(found)
}

/// Where it is kept what serves a purpose.
fn subdirectory(purpose: &str) -> String {
    let sum = Sha256::digest(purpose);
    sum.iter().take(8).fold("for-".to_owned(), |out, it| out + &format!("{it:02x}"))
}

/// Removes what serves purposes that nobody had for long.
fn forget_purposes(directory: &Path) {
    for (_, old) in entries(directory, fs::FileType::is_dir).into_iter().skip(MAX_PURPOSES) {
        let _ = fs::remove_dir_all(old);
    }
}

/// What lies in a directory and is wanted, the newest first.
fn entries(directory: &Path, wanted: impl Fn(&fs::FileType) -> bool) -> Vec<(SystemTime, PathBuf)> {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    let time = |it: &fs::DirEntry| it.metadata().and_then(|it| it.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let entries = entries.filter(|it| it.file_type().is_ok_and(|it| wanted(&it)));
    let mut out: Vec<_> = entries.map(|it| (time(&it), it.path())).collect();
    out.sort_by(|a, b| b.cmp(a));
    out
}

/// Those of the entries that may matter.
fn screened(
    repository: &Repository,
    entries: Vec<IndexEntry>,
    max_bytes: u64,
    screen: &Screen<'_>,
) -> Option<Vec<IndexEntry>> {
    let chunk = (entries.len() / (rayon::current_num_threads() * 8)).clamp(1, 512);
    let parts: Option<Vec<Vec<IndexEntry>>> = entries
        .par_chunks(chunk)
        .map(|part| {
            let mut objects = repository.objects().ok()?;
            let mut may_matter = |it: &&IndexEntry| {
                let path = path::display(&it.path);
                let name = path.rsplit_once('/').map_or(&*path, |(_, name)| name);
                let by_name = Mode::from_bits(it.mode) != Mode::File
                    || path::is_unsafe_name(name.as_bytes())
                    || ignore_file::is_one(&path)
                    || is_jsonnet_name(&path)
                    || (screen.name)(&path);
                by_name
                    || match objects.blob(it.oid, max_bytes) {
                        Ok(bytes) => (screen.content)(&bytes),
                        // Nobody could ever read it, so that it was never law.
                        Err(ObjectError::TooLarge { .. }) => false,
                        // Whoever reads it says so.
                        Err(_) => true,
                    }
            };
            Some(part.iter().filter(|it| may_matter(it)).cloned().collect())
        })
        .collect();
    Some(parts?.into_iter().flatten().collect())
}

/// What differs between two trees, whoever wants to look at it.
#[derive(Default)]
struct Difference {
    gone: HashSet<Vec<u8>>,
    come: Vec<IndexEntry>,
}

/// Two directories of the same path.
struct Pair {
    path: Vec<u8>,
    old: Option<Oid>,
    new: Option<Oid>,
}

impl Difference {
    /// Compares two trees; `None` where one can't be read, or holds what no path could name.
    fn between(trees: &mut Trees, old: Option<Oid>, new: Oid, max_entries: usize) -> Option<Self> {
        let mut out = Self::default();
        let mut pending = vec![Pair { path: Vec::new(), old, new: Some(new) }];
        let mut n_entries = 0;
        while let Some(pair) = pending.pop() {
            if pair.old == pair.new {
                continue;
            }
            let mut read = |oid: Option<Oid>| oid.map_or(Some(Vec::new()), |oid| trees.tree(oid).ok());
            let (old, new) = (read(pair.old)?, read(pair.new)?);
            let (old, new) = (sorted(trees, &old)?, sorted(trees, &new)?);
            n_entries += old.len() + new.len() + 1;
            if n_entries > max_entries || pair.path.len() > MAX_PATH_BYTES {
                return None;
            }
            let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
            loop {
                let order = match (old.peek(), new.peek()) {
                    (Some(a), Some(b)) => a.sort_key().cmp(b.sort_key()),
                    (Some(_), None) => std::cmp::Ordering::Less,
                    (None, Some(_)) => std::cmp::Ordering::Greater,
                    (None, None) => break,
                };
                let was = if order.is_gt() { None } else { old.next() };
                let is = if order.is_lt() { None } else { new.next() };
                if was.map(|it| (it.mode, it.oid)) != is.map(|it| (it.mode, it.oid)) {
                    out.entry(&pair.path, was, is, &mut pending);
                }
            }
        }
        Some(out)
    }

    fn entry(
        &mut self,
        directory: &[u8],
        was: Option<TreeEntry<'_>>,
        is: Option<TreeEntry<'_>>,
        pending: &mut Vec<Pair>,
    ) {
        let path = |it: &TreeEntry<'_>| {
            let parts = if directory.is_empty() { vec![it.name] } else { vec![directory, it.name] };
            parts.join(&b'/')
        };
        let is_walked = |it: &TreeEntry<'_>| it.mode == Mode::Tree && !path::is_unsafe_name(it.name);
        if let Some(either) = was.or(is).filter(is_walked) {
            let oid = |it: Option<TreeEntry<'_>>| it.map(|it| it.oid);
            pending.push(Pair { path: path(&either), old: oid(was), new: oid(is) });
            return;
        }
        if let Some(it) = was {
            self.gone.insert(path(&it));
        }
        if let Some(it) = is
            && (it.mode != Mode::File || path::is_unsafe_name(it.name) || is_looked_at(it.name))
        {
            self.come.push(IndexEntry { path: path(&it), mode: bits(it.mode), oid: it.oid, stage: 0 });
        }
    }
}

/// Whether a listing could hold a file of this name, or depend on it.
fn is_looked_at(name: &[u8]) -> bool {
    matters(name) || name == ignore_file::NAME.as_bytes()
}

/// The entries in the order of Git; `None` where the tree is broken.
fn sorted<'t>(trees: &Trees, bytes: &'t [u8]) -> Option<Vec<TreeEntry<'t>>> {
    let mut out: Vec<_> = trees.entries(bytes).collect::<Result<_, _>>().ok()?;
    // A path is split where its slashes are.
    if out.iter().any(|it| it.name.is_empty() || it.name.contains(&b'/')) {
        return None;
    }
    if !out.is_sorted_by(|a, b| a.sort_key().le(b.sort_key())) {
        out.sort_by(|a, b| a.sort_key().cmp(b.sort_key()));
    }
    Some(out)
}

const fn bits(mode: Mode) -> u32 {
    match mode {
        Mode::File => 0o100_644,
        Mode::Symlink => 0o120_000,
        Mode::Submodule => 0o160_000,
        Mode::Tree => 0o040_000,
    }
}

/// The files that remember.
struct Kept<'k> {
    directory: &'k Path,
    version: u32,
}

impl Kept<'_> {
    fn head(&self, tree: Oid, body: &[u8]) -> String {
        let (program, version) = (env!("CARGO_PKG_VERSION"), self.version);
        let head = format!("admit {program} {version} {tree}");
        let sum = Sha256::new().chain_update(&head).chain_update(body).finalize();
        sum.iter().fold(format!("{head} "), |out, it| out + &format!("{it:02x}")) + "\n"
    }

    /// What was found in a tree, if that is remembered whole.
    fn read(&self, tree: Oid) -> Option<Vec<IndexEntry>> {
        let path = self.directory.join(tree.to_string());
        if fs::metadata(&path).ok()?.len() > MAX_BYTES {
            return None;
        }
        let text = fs::read(path).ok()?;
        let end = memchr::memchr(b'\n', &text)? + 1;
        let body = &text[end..];
        if text[..end] != *self.head(tree, body).as_bytes() {
            return None;
        }
        let parse = |record: &[u8]| {
            let mut words = record.splitn(3, |&it| it == b' ');
            let mut word = || std::str::from_utf8(words.next()?).ok();
            let mode = u32::from_str_radix(word()?, 8).ok()?;
            let oid = word()?.parse().ok()?;
            Some(IndexEntry { path: words.next()?.to_vec(), mode, oid, stage: 0 })
        };
        body.split(|&it| it == 0).filter(|it| !it.is_empty()).map(parse).collect()
    }

    /// Remembers, if that is possible.
    fn write(&self, tree: Oid, entries: &[IndexEntry]) {
        let mut body = Vec::new();
        for it in entries {
            body.extend_from_slice(format!("{:o} {} ", it.mode, it.oid).as_bytes());
            body.extend_from_slice(&it.path);
            body.push(0);
        }
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(self.directory)?;
            let mut builder = tempfile::Builder::new();
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
            let mut file = builder.prefix(".new-").tempfile_in(self.directory)?;
            file.write_all(self.head(tree, &body).as_bytes())?;
            file.write_all(&body)?;
            file.persist(self.directory.join(tree.to_string()))?;
            Ok(())
        };
        if write().is_ok() {
            for (_, old) in self.all().into_iter().skip(MAX_KEPT) {
                let _ = fs::remove_file(old);
            }
        }
    }

    /// The trees that are remembered, the one that was found last first.
    fn newest(&self) -> Vec<Oid> {
        let id = |path: &PathBuf| path.file_name()?.to_str()?.parse().ok();
        self.all().iter().filter_map(|(_, path)| id(path)).collect()
    }

    /// All files, the newest first. Among them may be what a run that was killed left behind.
    fn all(&self) -> Vec<(SystemTime, PathBuf)> {
        entries(self.directory, |it| !it.is_dir())
    }
}
