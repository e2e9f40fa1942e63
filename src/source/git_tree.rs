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

use ignore::gitignore::Gitignore;

use super::error::SourceError;
use super::filter::{Filter, is_jsonnet_name, is_manifest_name};
use super::git::Repository;
use super::ignore_file::{self, IgnoreRules};
use super::links::{self, Stands};
use super::objects::{self, Mode, ObjectError, Objects, Oid, TreeEntry};
use super::path;
use super::{At, Entry, Listing, Options, Skip, Skipped};

/// Longest path that is followed, in bytes: what Linux allows for a path.
pub(crate) const MAX_PATH_BYTES: usize = 4096;

/// Longest ignore file that is read, in bytes: thousands of patterns, which take their time to compile.
const MAX_IGNORE_FILE: u64 = 64 << 10;

/// Longest text of a link that is read, in bytes. No file system takes more.
const MAX_LINK: u64 = 4096;

/// What a link counts for among the entries of a listing: it may cost as much as a few directories.
const LINK_WEIGHT: usize = 8;

/// Tree objects by id: those of a repository, and those that exist only in memory.
pub(crate) struct Trees {
    objects: Objects,
    /// Trees that were computed, not stored: the index as a tree.
    computed: Arc<HashMap<Oid, Vec<u8>>>,
    /// Ignore files by their ids: many directories may hold the same one.
    ignore_files: HashMap<Oid, Arc<Gitignore>>,
    heeds_ignore_files: bool,
}

impl Trees {
    pub(super) fn new(objects: Objects) -> Self {
        Self::with_computed(objects, Arc::default())
    }

    /// The same repository, with trees that are not stored in it.
    pub(super) fn with_computed(objects: Objects, computed: Arc<HashMap<Oid, Vec<u8>>>) -> Self {
        Self { objects, computed, ignore_files: HashMap::new(), heeds_ignore_files: true }
    }

    /// The same trees, in which no ignore file counts.
    pub(super) fn without_ignore_files(self) -> Self {
        Self { heeds_ignore_files: false, ..self }
    }

    /// The bytes of one tree.
    pub(super) fn tree(&mut self, oid: Oid) -> Result<Vec<u8>, ObjectError> {
        match self.computed.get(&oid) {
            Some(bytes) => Ok(bytes.clone()),
            None => self.objects.tree(oid),
        }
    }

    /// The bytes of a blob, unless they are more than `max_bytes`.
    pub(super) fn blob(&mut self, oid: Oid, max_bytes: u64) -> Result<Vec<u8>, ObjectError> {
        self.objects.blob(oid, max_bytes)
    }

    /// The entries of the bytes of a tree.
    pub(super) fn entries<'t>(
        &self,
        bytes: &'t [u8],
    ) -> impl Iterator<Item = Result<TreeEntry<'t>, ObjectError>> + use<'t> {
        objects::entries(bytes, self.objects.format)
    }

    /// What a link at this path of the tree `root` is passed over for. Reads as many trees as the target is deep.
    pub(super) fn link(&mut self, root: Oid, path: &str, oid: Oid, filter: &Filter) -> Skip {
        if ignore_file::is_one(path) {
            return ignore_file::a_link();
        }
        match self.objects.blob(oid, MAX_LINK) {
            Ok(target) => {
                let mut stands_at = |wanted: &str| self.stands_at(root, wanted, filter);
                let leads = links::leads(path, &target, filter, &str::to_owned, &mut stands_at);
                Skip::Symlink { target: path::display(&target), leads }
            }
            Err(error) => Skip::Unreadable(error.to_string()),
        }
    }

    fn stands_at(&mut self, root: Oid, wanted: &str, filter: &Filter) -> Stands {
        let mut rules = IgnoreRules::default();
        let mut directory = "";
        // `None` below what is not there.
        let mut tree = Some(root);
        for here in path::prefixes(wanted) {
            // Trees that can't be read are reported by whoever lists them.
            let bytes = tree.and_then(|it| self.tree(it).ok()).unwrap_or_default();
            rules = self.rules(&rules, directory, &bytes, &mut Vec::new());
            let name = here.get(directory.len()..).unwrap_or_default().trim_start_matches('/');
            let entry = self.entries(&bytes).filter_map(Result::ok).find(|it| path::display(it.name) == name);
            let mode = entry.map(|it| it.mode);
            let is_directory = here.len() < wanted.len() || mode == Some(Mode::Tree);
            let is_hidden = path::is_unsafe_name(name.as_bytes()) || rules.ignores(here, is_directory);
            if is_hidden || mode == Some(Mode::Submodule) || !filter.minds(here) {
                return Stands::Unread;
            }
            if let Some(TreeEntry { mode: Mode::Symlink, oid, .. }) = entry {
                // A link that can't be read is reported where it stands.
                return Stands::Link(here.to_owned(), self.objects.blob(oid, MAX_LINK).unwrap_or_default());
            }
            tree = entry.filter(|it| it.mode == Mode::Tree).map(|it| it.oid);
            directory = here;
        }
        if tree.is_some() { Stands::Directory } else { Stands::File }
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
        if !self.heeds_ignore_files || memchr::memmem::find(tree, ignore_file::NAME.as_bytes()).is_none() {
            return above.clone();
        }
        let found = self
            .entries(tree)
            .filter_map(Result::ok)
            .find(|it| it.name == ignore_file::NAME.as_bytes() && it.mode == Mode::File);
        let Some(entry) = found else { return above.clone() };
        if let Some(known) = self.ignore_files.get(&entry.oid) {
            return above.within(directory, known);
        }
        match self.objects.blob(entry.oid, MAX_IGNORE_FILE) {
            Ok(text) => {
                let compiled = ignore_file::compile(&text);
                let rules = above.within(directory, &compiled);
                self.ignore_files.insert(entry.oid, compiled);
                rules
            }
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
    list_from(&mut || repository.trees(), tree, start, options)
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
    match descend(&mut repository.trees()?, tree, below, &options.filter, &mut listing.skipped)? {
        Some(Found::Entry(entry)) => listing.entries.push(entry),
        Some(Found::Tree(start)) => {
            let below = list_from(&mut || repository.trees(), tree, start, options)?;
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
    match descend(trees, tree, path, &Filter::default(), &mut Vec::new())? {
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
    let Some(Found::Tree(here)) = descend(trees, tree, directory, &Filter::default(), &mut Vec::new())? else {
        return Ok(Vec::new());
    };
    // An unreadable tree is reported by whoever lists it.
    let Ok(bytes) = trees.tree(here.oid) else { return Ok(Vec::new()) };
    let wanted = |it: &TreeEntry<'_>| it.mode == Mode::File && names.iter().any(|name| name.as_bytes() == it.name);
    let found = trees.entries(&bytes).filter_map(Result::ok).filter(wanted);
    Ok(found.map(|it| Entry { path: path::join(&here.path, it.name).into(), at: At::Object(it.oid) }).collect())
}

/// As [`list_below`], over trees that need not be stored.
pub(super) fn list_from(
    open: &mut dyn FnMut() -> Result<Trees, SourceError>,
    root: Oid,
    start: Pending,
    options: &Options,
) -> Result<Listing, SourceError> {
    let seen = AtomicUsize::new(0);
    let mut walk = Walk { trees: open()?, root, options, seen: &seen, listing: Listing::default() };
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
            walks.push(Walk { trees: open()?, root, options, seen: &seen, listing: Listing::default() });
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
    /// The tree that paths start from.
    root: Oid,
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
            // One unreadable directory is a line in the report; without the topmost one there is nothing to report on.
            Err(error) if directory.is_empty() => return Err(SourceError::Tree { oid, reason: error.to_string() }),
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
            let is_unsafe = path::is_unsafe_name(entry.name);
            // Most files of most repositories are no manifests; they cost no path.
            if entry.mode == Mode::File && !is_unsafe && !matters(entry.name) {
                continue;
            }
            let path = path::join(&directory, entry.name);
            if is_unsafe {
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
                    } else if filter.takes_program(&path) {
                        self.skip(&path, Skip::Jsonnet);
                    }
                }
                Mode::Tree => {
                    if path.len() > MAX_PATH_BYTES {
                        self.skip(&path, Skip::PathTooLong);
                    } else if !filter.prunes(&path) {
                        descend(Pending { path, oid: entry.oid, rules: rules.clone() });
                    }
                }
                Mode::Symlink if filter.minds(&path) => {
                    n_entries += LINK_WEIGHT;
                    let skip = self.trees.link(self.root, &path, entry.oid, filter);
                    self.skip(&path, skip);
                }
                Mode::Submodule if filter.minds(&path) => self.skip(&path, Skip::Submodule),
                Mode::Symlink | Mode::Submodule => {}
            }
        }
        count(self.seen, &directory, n_entries, self.options)
    }

    fn skip(&mut self, path: &str, skip: Skip) {
        self.listing.skipped.push((Arc::from(path), skip));
    }
}

/// Counts what was seen in a directory, and stops a tree that lists as more than anybody could store.
pub(super) fn count(
    seen: &AtomicUsize,
    directory: &str,
    n_entries: usize,
    options: &Options,
) -> Result<(), SourceError> {
    let max_entries = options.max_entries;
    // A path much longer than those of real repositories counts as several, since it takes their memory.
    let weight = (n_entries + 1).saturating_mul(1 + directory.len() / 256);
    let before = seen.fetch_add(weight, Ordering::Relaxed);
    if before.saturating_add(weight) > max_entries { Err(SourceError::TooManyEntries { max_entries }) } else { Ok(()) }
}

/// Whether a file of this name, which may be no UTF-8, could be listed at all.
pub(super) fn matters(name: &[u8]) -> bool {
    match std::str::from_utf8(name) {
        Ok(name) => is_manifest_name(name) || is_jsonnet_name(name),
        Err(_) => matters(path::display(name).as_bytes()),
    }
}

/// What stands at a path of a tree.
enum Found {
    Entry(Entry),
    Tree(Pending),
}

/// Goes down to a path, which may be empty for the tree itself, and gathers the ignore rules on the way.
fn descend(
    trees: &mut Trees,
    root: Oid,
    path: &str,
    filter: &Filter,
    skipped: &mut Vec<Skipped>,
) -> Result<Option<Found>, SourceError> {
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
            Mode::Symlink => {
                let skip = trees.link(root, &path, entry.oid, filter);
                skipped.push((Arc::from(path), skip));
                return Ok(None);
            }
            Mode::Submodule => {
                skipped.push((Arc::from(path), Skip::Submodule));
                return Ok(None);
            }
        }
    }
    Ok(Some(Found::Tree(here)))
}
