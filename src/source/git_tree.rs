//! The files of a Git tree.
//!
//! In: the id of a tree, from a repository or built from the index. Out: a sorted [`Listing`]; no blob is read but the
//! text of links and of ignore files. The way down is a loop over parsed tree objects, not libgit2's own walk, which
//! takes longer and can't leave out what is excluded.
//!
//! A whole listing costs time in proportion to the tree; ask for it only when something needs it, and for
//! [`list_below`] or [`find`] when a path is known.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::SourceError;
use super::filter::is_manifest_name;
use super::git::Repository;
use super::ignore_file::{self, IgnoreRules};
use super::objects::{self, Mode, ObjectError, Objects, Oid, TreeEntry};
use super::path;
use super::{At, Entry, Listing, Options, Skip, Skipped};

/// Longest path that is followed, in bytes: what Linux allows for a path.
pub(crate) const MAX_PATH_BYTES: usize = 4096;

/// Longest ignore file and longest link text that is read.
const MAX_SMALL_BLOB: u64 = 1 << 20;

/// Tree objects by id: those of a repository, and those that exist only in memory.
pub(crate) struct Trees {
    objects: Objects,
    /// Trees that were computed, not stored: the index as a tree.
    computed: Arc<HashMap<Oid, Vec<u8>>>,
}

impl Trees {
    pub(super) fn new(objects: Objects) -> Self {
        Self { objects, computed: Arc::default() }
    }

    /// The same repository, with trees that are not stored in it.
    pub(super) fn with_computed(objects: Objects, computed: Arc<HashMap<Oid, Vec<u8>>>) -> Self {
        Self { objects, computed }
    }

    /// The bytes of one tree.
    pub(super) fn tree(&mut self, oid: Oid) -> Result<Vec<u8>, ObjectError> {
        match self.computed.get(&oid) {
            Some(bytes) => Ok(bytes.clone()),
            None => self.objects.tree(oid),
        }
    }

    /// The entries of the bytes of a tree.
    pub(super) fn entries<'t>(
        &self,
        bytes: &'t [u8],
    ) -> impl Iterator<Item = Result<TreeEntry<'t>, ObjectError>> + use<'t> {
        objects::entries(bytes, self.objects.format)
    }

    /// What a link or a submodule is passed over for.
    pub(super) fn skip(&mut self, path: &str, mode: Mode, oid: Oid) -> Skip {
        if mode != Mode::Symlink {
            return Skip::Submodule;
        }
        match self.objects.blob(oid, MAX_SMALL_BLOB) {
            Ok(target) => Skip::Symlink { target: path::display(&target), outside: path::leaves_root(path, &target) },
            Err(error) => Skip::Unreadable(error.to_string()),
        }
    }

    /// The rules in force in `directory`, given those above it and the entries of its tree.
    pub(super) fn rules(
        &mut self,
        above: &IgnoreRules,
        directory: &str,
        tree: &[u8],
        skipped: &mut Vec<Skipped>,
    ) -> IgnoreRules {
        // A search for the bytes is much faster than a parse, and nearly always fails.
        if memchr::memmem::find(tree, ignore_file::NAME.as_bytes()).is_none() {
            return above.clone();
        }
        let found = self
            .entries(tree)
            .filter_map(Result::ok)
            .find(|it| it.name == ignore_file::NAME.as_bytes() && it.mode == Mode::File);
        let Some(entry) = found else { return above.clone() };
        match self.objects.blob(entry.oid, MAX_SMALL_BLOB) {
            Ok(text) => above.within(directory, &text),
            Err(error) => {
                let path = path::join(directory, ignore_file::NAME.as_bytes());
                skipped.push((Arc::from(path), Skip::Unreadable(error.to_string())));
                above.clone()
            }
        }
    }
}

/// A tree still to be read.
pub(super) struct Pending {
    /// Empty for the topmost tree.
    pub(super) path: String,
    pub(super) oid: Oid,
    /// The ignore rules of the directories above.
    pub(super) rules: IgnoreRules,
}

/// All files of a tree that the options take, listed by as many threads as they allow.
pub(crate) fn list(repository: &Repository, tree: Oid, options: &Options) -> Result<Listing, SourceError> {
    let start = Pending { path: String::new(), oid: tree, rules: IgnoreRules::default() };
    list_from(&mut || repository.trees(), start, options)
}

/// The files below one directory of a tree, or the file itself; nothing if the path does not exist. Ignore files
/// above the directory count.
pub(crate) fn list_below(
    repository: &Repository,
    tree: Oid,
    below: &str,
    options: &Options,
) -> Result<Listing, SourceError> {
    let mut listing = Listing::default();
    match descend(&mut repository.trees()?, tree, below, &mut listing.skipped)? {
        Some(Found::Entry(entry)) => listing.entries.push(entry),
        Some(Found::Tree(start)) => {
            let below = list_from(&mut || repository.trees(), start, options)?;
            listing.entries.extend(below.entries);
            listing.skipped.extend(below.skipped);
        }
        None => {}
    }
    listing.sort();
    Ok(listing)
}

/// One file of a tree by its path, whatever its name; `None` if there is no regular file.
pub(crate) fn find(trees: &mut Trees, tree: Oid, path: &str) -> Result<Option<Entry>, SourceError> {
    match descend(trees, tree, path, &mut Vec::new())? {
        Some(Found::Entry(entry)) => Ok(Some(entry)),
        Some(Found::Tree(_)) | None => Ok(None),
    }
}

/// The regular files of these names in one directory of a tree; nothing if the directory does not exist.
pub(crate) fn find_in(
    trees: &mut Trees,
    tree: Oid,
    directory: &str,
    names: &[&str],
) -> Result<Vec<Entry>, SourceError> {
    let Some(Found::Tree(here)) = descend(trees, tree, directory, &mut Vec::new())? else { return Ok(Vec::new()) };
    // An unreadable tree is reported by whoever lists it.
    let Ok(bytes) = trees.tree(here.oid) else { return Ok(Vec::new()) };
    let wanted = |it: &TreeEntry<'_>| it.mode == Mode::File && names.iter().any(|name| name.as_bytes() == it.name);
    let found = trees.entries(&bytes).filter_map(Result::ok).filter(wanted);
    Ok(found.map(|it| Entry { path: path::join(&here.path, it.name).into(), at: At::Object(it.oid) }).collect())
}

/// As [`list`], over trees that need not be stored.
pub(super) fn list_from(
    open: &mut dyn FnMut() -> Result<Trees, SourceError>,
    start: Pending,
    options: &Options,
) -> Result<Listing, SourceError> {
    let seen = AtomicUsize::new(0);
    let mut walk = Walk { trees: open()?, options, seen: &seen, listing: Listing::default() };
    // One unreadable directory is a line in the report; without the topmost one there is nothing to report on.
    if start.path.is_empty() {
        let oid = start.oid;
        walk.trees.tree(oid).map_err(|error| SourceError::Tree { oid, reason: error.to_string() })?;
    }
    // Breadth first until there is enough to share out, then each thread depth first.
    let mut pending = VecDeque::from([start]);
    while pending.len() < options.jobs.saturating_mul(64) || options.jobs <= 1 {
        let Some(next) = pending.pop_front() else { break };
        walk.step(next, |below| pending.push_back(below))?;
    }
    let mut listing = std::mem::take(&mut walk.listing);
    if !pending.is_empty() {
        let mut walks = vec![walk];
        for _ in 1..options.jobs {
            walks.push(Walk { trees: open()?, options, seen: &seen, listing: Listing::default() });
        }
        for part in share(walks, pending)? {
            listing.entries.extend(part.entries);
            listing.skipped.extend(part.skipped);
        }
    }
    listing.sort();
    Ok(listing)
}

/// Lists the pending trees, a thread for each walk.
fn share(walks: Vec<Walk<'_>>, pending: VecDeque<Pending>) -> Result<Vec<Listing>, SourceError> {
    let queue = Mutex::new(pending);
    std::thread::scope(|scope| {
        let threads: Vec<_> = walks
            .into_iter()
            .map(|mut walk| {
                let queue = &queue;
                scope.spawn(move || {
                    let take = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    while let Some(next) = take() {
                        let mut below = vec![next];
                        while let Some(next) = below.pop() {
                            walk.step(next, |it| below.push(it))?;
                        }
                    }
                    Ok(walk.listing)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|it| match it.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}

/// The work of one thread.
struct Walk<'o> {
    trees: Trees,
    options: &'o Options,
    /// Entries and directories of all threads together.
    seen: &'o AtomicUsize,
    listing: Listing,
}

impl Walk<'_> {
    /// Reads one tree: files go into the listing, directories to `descend`.
    fn step(&mut self, next: Pending, mut descend: impl FnMut(Pending)) -> Result<(), SourceError> {
        let Pending { path: directory, oid, rules } = next;
        let bytes = match self.trees.tree(oid) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.skip(&directory, Skip::Unreadable(error.to_string()));
                return Ok(());
            }
        };
        let rules = self.trees.rules(&rules, &directory, &bytes, &mut self.listing.skipped);
        let filter = &self.options.filter;
        let mut n_entries = 0;
        for entry in self.trees.entries(&bytes) {
            n_entries += 1;
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.skip(&directory, Skip::Unreadable(error.to_string()));
                    break;
                }
            };
            // Most files of most repositories are no manifests; they cost no path.
            if entry.mode == Mode::File && !is_manifest_name_bytes(entry.name) {
                continue;
            }
            let path = path::join(&directory, entry.name);
            if path::is_unsafe_name(entry.name) {
                self.skip(&path, Skip::UnsafeName);
                continue;
            }
            if rules.ignores(&path, entry.mode == Mode::Tree) {
                continue;
            }
            match entry.mode {
                Mode::File => {
                    if filter.takes(&path) {
                        self.listing.entries.push(Entry { path: path.into(), at: At::Object(entry.oid) });
                    }
                }
                Mode::Tree => {
                    if path.len() > MAX_PATH_BYTES {
                        self.skip(&path, Skip::PathTooLong);
                    } else if !filter.prunes(&path) {
                        descend(Pending { path, oid: entry.oid, rules: rules.clone() });
                    }
                }
                Mode::Symlink | Mode::Submodule => {
                    if filter.minds(&path) {
                        let skip = self.trees.skip(&path, entry.mode, entry.oid);
                        self.skip(&path, skip);
                    }
                }
            }
        }
        count(self.seen, n_entries + 1, self.options)
    }

    fn skip(&mut self, path: &str, skip: Skip) {
        self.listing.skipped.push((Arc::from(path), skip));
    }
}

/// Counts what was seen, and stops a tree that lists as more than anybody could store.
pub(super) fn count(seen: &AtomicUsize, n_entries: usize, options: &Options) -> Result<(), SourceError> {
    let max_entries = options.max_entries;
    let before = seen.fetch_add(n_entries, Ordering::Relaxed);
    if before.saturating_add(n_entries) > max_entries {
        Err(SourceError::TooManyEntries { max_entries })
    } else {
        Ok(())
    }
}

/// As [`is_manifest_name`], of a name that may be no UTF-8.
pub(super) fn is_manifest_name_bytes(name: &[u8]) -> bool {
    match std::str::from_utf8(name) {
        Ok(name) => is_manifest_name(name),
        Err(_) => is_manifest_name(&path::display(name)),
    }
}

/// What stands at a path of a tree.
enum Found {
    Entry(Entry),
    Tree(Pending),
}

/// Goes down to a path, which may be empty for the tree itself, and gathers the ignore rules on the way.
fn descend(trees: &mut Trees, root: Oid, path: &str, skipped: &mut Vec<Skipped>) -> Result<Option<Found>, SourceError> {
    let mut here = Pending { path: String::new(), oid: root, rules: IgnoreRules::default() };
    let mut parts = path.split('/').filter(|it| !matches!(*it, "" | ".")).peekable();
    while let Some(part) = parts.next() {
        let bytes = match trees.tree(here.oid) {
            Ok(bytes) => bytes,
            Err(error) if here.path.is_empty() => {
                return Err(SourceError::Tree { oid: root, reason: error.to_string() });
            }
            Err(error) => {
                skipped.push((Arc::from(here.path), Skip::Unreadable(error.to_string())));
                return Ok(None);
            }
        };
        let rules = trees.rules(&here.rules, &here.path, &bytes, skipped);
        let Some(entry) = trees.entries(&bytes).filter_map(Result::ok).find(|it| path::display(it.name) == part) else {
            return Ok(None);
        };
        let path = path::join(&here.path, entry.name);
        match entry.mode {
            Mode::Tree => here = Pending { path, oid: entry.oid, rules },
            Mode::File if parts.peek().is_none() => {
                return Ok(Some(Found::Entry(Entry { path: path.into(), at: At::Object(entry.oid) })));
            }
            Mode::File => return Ok(None),
            Mode::Symlink | Mode::Submodule => {
                let skip = trees.skip(&path, entry.mode, entry.oid);
                skipped.push((Arc::from(path), skip));
                return Ok(None);
            }
        }
    }
    Ok(Some(Found::Tree(here)))
}
