//! The files of a working tree, or of any directory.
//!
//! In: a root, the paths that the user named, the repository if there is one. Out: a sorted [`Listing`].
//! `.gitignore` counts whether or not this is a repository, `.admitignore` as well; but a file that Git tracks is part
//! of the repository and is listed even where `.gitignore` names it. Rules from outside the root never count: neither
//! those of directories above, nor those of the user, so that the same files are read on every machine.
//! Links are reported, not followed, unless the user named them.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use ignore::{DirEntry, WalkBuilder, WalkState};

use super::error::SourceError;
use super::git::{self, Repository};
use super::ignore_file::{self, IgnoreRules};
use super::objects::Mode;
use super::path;
use super::staged;
use super::{At, Entry, Filter, Listing, Options, Skip, Skipped};

/// Lists what is below `paths`, or below `root` when there are none. Paths are displayed relative to `root`, those
/// outside of it as they were given. A path that is a file is taken whatever its name.
pub(crate) fn list(
    root: &Path,
    paths: &[PathBuf],
    repository: Option<&Repository>,
    options: &Options,
) -> Result<Listing, SourceError> {
    let root = canonical(root)?;
    let mut listing = Listing::default();
    let mut wanted = Vec::new();
    let mut walks = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|cause| SourceError::Path { path: path.clone(), cause })?;
        let place = place(path)?;
        let display = displayed(&root, &place, path);
        if !metadata.is_dir() {
            listing.entries.push(Entry { path: display.into(), at: At::Named(place) });
        } else if place.starts_with(&root) && canonical(path)? == place {
            wanted.push(place);
        } else {
            walks.push(Start { top: canonical(path)?, display, wanted: Vec::new() });
        }
    }
    if paths.is_empty() {
        wanted.push(root.clone());
    }
    if !wanted.is_empty() {
        let start = Start { top: root.clone(), display: String::new(), wanted };
        let unseen = walk(&start, options, &mut listing)?;
        // What the user names is read even if an ignore file hides it.
        for place in unseen {
            let display = path::display_relative(place.strip_prefix(&root).unwrap_or(&place));
            walks.push(Start { top: place, display, wanted: Vec::new() });
        }
        if let Some(repository) = repository {
            add_tracked(repository, &start, options, &mut listing)?;
        }
    }
    for start in walks {
        walk(&start, options, &mut listing)?;
    }
    listing.sort();
    // One file may be named twice, or named and found.
    let mut places = HashSet::new();
    listing.entries.retain(|it| match &it.at {
        At::Worktree(place) | At::Named(place) => places.insert(place.clone()),
        At::Object(_) | At::Memory(_) => true,
    });
    listing.skipped.dedup();
    Ok(listing)
}

/// Lists what matches a glob below a directory. Paths are displayed as [`list`] does it.
pub(crate) fn list_matching(
    root: &Path,
    directory: &Path,
    glob: &str,
    options: &Options,
) -> Result<Listing, SourceError> {
    let options = Options { filter: Filter::new(&[glob], &[])?, ..options.clone() };
    let mut listing = list(directory, &[], None, &options)?;
    let above = displayed(&canonical(root)?, &canonical(directory)?, directory);
    for path in listing.entries.iter_mut().map(|it| &mut it.path).chain(listing.skipped.iter_mut().map(|it| &mut it.0))
    {
        if !above.is_empty() {
            *path = format!("{above}/{path}").into();
        }
    }
    Ok(listing)
}

/// How a place is displayed: below the root relative to it, elsewhere as it was given.
fn displayed(root: &Path, place: &Path, given: &Path) -> String {
    match place.strip_prefix(root) {
        Ok(below) => path::display_relative(below),
        Err(_) => as_given(given),
    }
}

/// Where a walk begins.
struct Start {
    /// Absolute, without links.
    top: PathBuf,
    /// What stands for it in paths; empty for the root.
    display: String,
    /// The directories to enter; none means all.
    wanted: Vec<PathBuf>,
}

impl Start {
    fn display(&self, place: &Path) -> String {
        let below = path::display_relative(place.strip_prefix(&self.top).unwrap_or(place));
        match (self.display.as_str(), below.as_str()) {
            ("", _) => below,
            (top, "") => top.to_owned(),
            (top, _) => format!("{top}/{below}"),
        }
    }

    fn wants(&self, place: &Path) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|it| place.starts_with(it))
    }
}

/// The absolute path without links.
pub(crate) fn canonical(path: &Path) -> Result<PathBuf, SourceError> {
    fs::canonicalize(path).map_err(|cause| SourceError::Path { path: path.to_owned(), cause })
}

/// The absolute path of what was named: links on the way are resolved, the last part is not.
fn place(path: &Path) -> Result<PathBuf, SourceError> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            Ok(canonical(parent)?.join(name))
        }
        _ => canonical(path),
    }
}

fn as_given(path: &Path) -> String {
    let text = path::display(path.as_os_str().as_encoded_bytes());
    let text = if cfg!(windows) { text.replace('\\', "/") } else { text };
    text.trim_end_matches('/').to_owned()
}

/// What one thread of the walk found.
enum Found {
    Entry(Entry),
    Skipped(Skipped),
}

/// Walks one directory. Returns the wanted directories that it never came to.
fn walk(start: &Start, options: &Options, listing: &mut Listing) -> Result<Vec<PathBuf>, SourceError> {
    let gate = Arc::new(Gate {
        start: Start { top: start.top.clone(), display: start.display.clone(), wanted: start.wanted.clone() },
        reached: start.wanted.iter().map(|it| AtomicBool::new(*it == start.top)).collect(),
        filter: options.filter.clone(),
    });
    let mut builder = WalkBuilder::new(&start.top);
    builder
        .hidden(false)
        .follow_links(false)
        .parents(false)
        .ignore(false)
        .git_global(false)
        .git_exclude(false)
        .git_ignore(true)
        .require_git(false)
        .add_custom_ignore_filename(ignore_file::NAME)
        .threads(options.jobs.max(1));
    let at_the_gate = Arc::clone(&gate);
    builder.filter_entry(move |entry| at_the_gate.lets_in(entry));
    let (sender, receiver) = mpsc::channel();
    let mut n_found = 0;
    // The threads of the walk have ended when `run` returns; the channel has no bound, so that none of them waits.
    builder.build_parallel().run(|| {
        let sender = sender.clone();
        let gate = Arc::clone(&gate);
        Box::new(move |entry| {
            if let Some(found) = gate.look_at(entry) {
                // The receiver outlives the walk.
                let _ = sender.send(found);
            }
            WalkState::Continue
        })
    });
    drop(sender);
    for found in receiver {
        n_found += 1;
        match found {
            Found::Entry(entry) => listing.entries.push(entry),
            Found::Skipped(skipped) => listing.skipped.push(skipped),
        }
    }
    if n_found > options.max_entries {
        return Err(SourceError::TooManyEntries { max_entries: options.max_entries });
    }
    let reached = gate.reached.iter().map(|it| it.load(Ordering::Relaxed));
    Ok(start.wanted.iter().zip(reached).filter(|(_, reached)| !reached).map(|(it, _)| it.clone()).collect())
}

/// Decides what the walk enters and what it keeps. Shared by its threads.
struct Gate {
    start: Start,
    /// For each wanted directory, whether the walk came to it.
    reached: Vec<AtomicBool>,
    filter: Filter,
}

impl Gate {
    /// Whether to enter a directory, or to look at a file.
    fn lets_in(&self, entry: &DirEntry) -> bool {
        if entry.depth() == 0 {
            return true;
        }
        if entry.file_name() == OsStr::new(".git") {
            return false;
        }
        let is_directory = entry.file_type().is_some_and(|it| it.is_dir());
        let mut on_the_way = self.start.wants(entry.path());
        if is_directory {
            for (wanted, reached) in self.start.wanted.iter().zip(&self.reached) {
                on_the_way |= wanted.starts_with(entry.path());
                if wanted == entry.path() {
                    reached.store(true, Ordering::Relaxed);
                }
            }
            return on_the_way && !self.filter.prunes(&self.start.display(entry.path()));
        }
        on_the_way
    }

    fn look_at(&self, entry: Result<DirEntry, ignore::Error>) -> Option<Found> {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let place = place_of(&error).unwrap_or(&self.start.top);
                let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                let display = match self.start.display(place) {
                    empty if empty.is_empty() => ".".to_owned(),
                    display => display,
                };
                return Some(Found::Skipped((display.into(), Skip::Unreadable(reason))));
            }
        };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            return None;
        }
        if kind.is_file() && !super::git_tree::is_manifest_name_bytes(entry.file_name().as_encoded_bytes()) {
            return None;
        }
        let display = self.start.display(entry.path());
        if kind.is_symlink() {
            return self.filter.minds(&display).then(|| Found::Skipped(symlink(display, entry.path())));
        }
        if !self.filter.takes(&display) {
            return None;
        }
        if !kind.is_file() {
            return Some(Found::Skipped((display.into(), Skip::NotAFile)));
        }
        Some(Found::Entry(Entry { path: display.into(), at: At::Worktree(entry.into_path()) }))
    }
}

fn symlink(display: String, place: &Path) -> Skipped {
    let skip = match fs::read_link(place) {
        Ok(target) => {
            let target = target.as_os_str().as_encoded_bytes();
            Skip::Symlink { target: path::display(target), outside: path::leaves_root(&display, target) }
        }
        Err(error) => Skip::Unreadable(error.to_string()),
    };
    (display.into(), skip)
}

/// The path that an error of the walk is about.
fn place_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => place_of(err),
        ignore::Error::Partial(errors) => errors.iter().find_map(place_of),
        ignore::Error::Loop { child, .. } => Some(child),
        _ => None,
    }
}

/// Adds the files that the index holds though an ignore file of Git hides them, and names submodules that are not
/// checked out.
fn add_tracked(
    repository: &Repository,
    start: &Start,
    options: &Options,
    listing: &mut Listing,
) -> Result<(), SourceError> {
    let Some(work_dir) = repository.work_dir() else { return Ok(()) };
    let work_dir = canonical(work_dir)?;
    let known: HashSet<Arc<str>> = listing.entries.iter().map(|it| Arc::clone(&it.path)).collect();
    let mut rules = RulesOnDisk { top: &start.top, directories: HashMap::new() };
    for tracked in staged::read_index(repository, None)? {
        let mode = Mode::from_bits(tracked.mode);
        if mode != Mode::Submodule && !super::git_tree::is_manifest_name_bytes(&tracked.path) {
            continue;
        }
        let Some(below) = git::path_from_bytes(tracked.path) else { continue };
        let place = work_dir.join(below);
        if !place.starts_with(&start.top) || !start.wants(&place) {
            continue;
        }
        let display = start.display(&place);
        let is_submodule = mode == Mode::Submodule;
        let counts = if is_submodule { options.filter.minds(&display) } else { options.filter.takes(&display) };
        if !counts || known.contains(display.as_str()) || rules.ignore(&display, is_submodule) {
            continue;
        }
        if is_submodule {
            if !place.join(".git").exists() {
                listing.skipped.push((display.into(), Skip::Submodule));
            }
        } else if is_plain_file(&place) {
            listing.entries.push(Entry { path: display.into(), at: At::Worktree(place) });
        }
    }
    Ok(())
}

/// Whether this is a regular file that is reached without a link on the way.
fn is_plain_file(place: &Path) -> bool {
    fs::symlink_metadata(place).is_ok_and(|it| it.is_file())
        && place.parent().is_some_and(|parent| fs::canonicalize(parent).is_ok_and(|it| it == parent))
}

/// The ignore files of a working tree, read as they are needed.
struct RulesOnDisk<'s> {
    top: &'s Path,
    /// By the displayed path of a directory; `None` for one that is ignored itself.
    directories: HashMap<String, Option<IgnoreRules>>,
}

impl RulesOnDisk<'_> {
    fn ignore(&mut self, display: &str, is_directory: bool) -> bool {
        let parent = display.rsplit_once('/').map_or("", |(parent, _)| parent);
        self.within(parent).is_none_or(|it| it.ignores(display, is_directory))
    }

    /// The rules in a directory. Goes up as many steps as the path has parts.
    fn within(&mut self, directory: &str) -> Option<IgnoreRules> {
        if let Some(known) = self.directories.get(directory) {
            return known.clone();
        }
        let mut rules = Some(IgnoreRules::default());
        let ends = std::iter::once(0).chain(memchr::memchr_iter(b'/', directory.as_bytes())).chain([directory.len()]);
        for end in ends {
            let here = &directory[..end];
            if let Some(known) = self.directories.get(here) {
                rules.clone_from(known);
                continue;
            }
            rules = rules.filter(|it| here.is_empty() || !it.ignores(here, true)).map(|it| {
                match fs::read(self.top.join(here).join(ignore_file::NAME)) {
                    Ok(text) => it.within(here, &text),
                    Err(_) => it,
                }
            });
            self.directories.insert(here.to_owned(), rules.clone());
        }
        rules
    }
}
