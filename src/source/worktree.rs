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
use super::git_tree;
use super::ignore_file::{self, IgnoreRules};
use super::links::{self, Stands};
use super::objects::Mode;
use super::path;
use super::staged;
use super::{At, Entry, Filter, Leads, Listing, Options, Skip, Skipped};

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
    if paths.is_empty() || !wanted.is_empty() {
        if wanted.contains(&root) {
            wanted.clear();
        }
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
    if paths.len() > 1 {
        let mut places = HashSet::new();
        listing.entries.retain(|it| match &it.at {
            At::Worktree(place) | At::Named(place) => places.insert(place.clone()),
            At::Object(_) | At::Memory(_) => true,
        });
    }
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
        self.display_below(self.below(place))
    }

    /// The path of a place below the top, which it starts with.
    fn below(&self, place: &Path) -> String {
        if cfg!(windows) {
            return path::display_relative(place.strip_prefix(&self.top).unwrap_or(place));
        }
        // The walk joins names to the top: a cut does, and is much cheaper than comparing part by part.
        let below = place.as_os_str().as_encoded_bytes().get(self.top.as_os_str().len()..).unwrap_or_default();
        path::display(below.strip_prefix(b"/").unwrap_or(below))
    }

    fn display_below(&self, below: String) -> String {
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
    Link(PathBuf),
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
    let mut links = Links { start, filter: &options.filter, rules: RulesOnDisk::new(&start.top) };
    for found in receiver {
        n_found += 1;
        match found {
            Found::Entry(entry) => listing.entries.push(entry),
            Found::Skipped(skipped) => listing.skipped.push(skipped),
            Found::Link(place) => listing.skipped.push((start.display(&place).into(), links.skip(&place))),
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
        if !kind.is_symlink() && !git_tree::matters(entry.file_name().as_encoded_bytes()) {
            return None;
        }
        let display = self.start.display(entry.path());
        if kind.is_symlink() {
            return self.filter.minds(&display).then(|| Found::Link(entry.into_path()));
        }
        if kind.is_file() && self.filter.takes_program(&display) {
            return Some(Found::Skipped((display.into(), Skip::Jsonnet)));
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

/// Says of links where they lead.
struct Links<'s> {
    start: &'s Start,
    filter: &'s Filter,
    rules: RulesOnDisk<'s>,
}

impl Links<'_> {
    fn skip(&mut self, place: &Path) -> Skip {
        if ignore_file::is_one(&self.start.below(place)) {
            return ignore_file::a_link();
        }
        match fs::read_link(place) {
            Ok(target) => {
                let target = target.as_os_str().as_encoded_bytes();
                Skip::Symlink { target: path::display(target), leads: self.leads(place, target) }
            }
            Err(error) => Skip::Unreadable(error.to_string()),
        }
    }

    /// The same answer as for a link of a Git tree.
    fn leads(&mut self, place: &Path, target: &[u8]) -> Leads {
        let Self { start, filter, rules } = self;
        let display = |below: &str| start.display_below(below.to_owned());
        let mut stands_at = |wanted: &str| {
            let mut is_directory = true;
            for here in path::prefixes(wanted) {
                let place = start.top.join(here);
                let metadata = fs::symlink_metadata(&place).ok();
                is_directory = metadata.as_ref().is_some_and(fs::Metadata::is_dir);
                let name = here.rsplit('/').next().unwrap_or(here);
                let is_hidden = path::is_unsafe_name(name.as_bytes())
                    || rules.ignore(here, is_directory || here.len() < wanted.len());
                if is_hidden || !filter.minds(&display(here)) {
                    return Stands::Unread;
                }
                if metadata.is_some_and(|it| it.is_symlink()) {
                    // A link that can't be read is reported where it stands.
                    let target = fs::read_link(&place).unwrap_or_default();
                    return Stands::Link(here.to_owned(), target.into_os_string().into_encoded_bytes());
                }
            }
            if is_directory { Stands::Directory } else { Stands::File }
        };
        links::leads(&start.below(place), target, filter, &display, &mut stands_at)
    }
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

/// Adds what the index holds though an ignore file of Git hides it, and names submodules that are not checked out.
fn add_tracked(
    repository: &Repository,
    start: &Start,
    options: &Options,
    listing: &mut Listing,
) -> Result<(), SourceError> {
    let Some(work_dir) = repository.work_dir() else { return Ok(()) };
    let work_dir = canonical(work_dir)?;
    // A root that is not in the working tree has no file in the index.
    let Ok(above) = start.top.strip_prefix(&work_dir) else { return Ok(()) };
    let above: Vec<u8> = match path::display_relative(above) {
        root if root.is_empty() => Vec::new(),
        _ => [above.as_os_str().as_encoded_bytes(), b"/"].concat(),
    };
    let known: HashSet<Arc<str>> =
        listing.entries.iter().map(|it| &it.path).chain(listing.skipped.iter().map(|it| &it.0)).cloned().collect();
    let mut links = Links { start, filter: &options.filter, rules: RulesOnDisk::new(&start.top) };
    for tracked in staged::read_index(repository, None)? {
        let mode = Mode::from_bits(tracked.mode);
        if mode == Mode::File && !git_tree::matters(&tracked.path) {
            continue;
        }
        let Some(below) = tracked.path.strip_prefix(above.as_slice()) else { continue };
        let display = path::display(below);
        if known.contains(display.as_str()) {
            continue;
        }
        let Some(below) = git::path_from_bytes(below.to_owned()) else { continue };
        let place = start.top.join(below);
        // A directory on the way may have become a link meanwhile: then the file is not there.
        let is_reached = place.parent().is_some_and(|it| fs::canonicalize(it).is_ok_and(|real| real == it));
        if !start.wants(&place) || !is_reached || links.rules.ignore(&display, mode == Mode::Submodule) {
            continue;
        }
        let Ok(metadata) = fs::symlink_metadata(&place) else { continue };
        if mode == Mode::Submodule {
            if options.filter.minds(&display) && !place.join(".git").exists() {
                listing.skipped.push((display.into(), Skip::Submodule));
            }
        } else if metadata.is_symlink() {
            if options.filter.minds(&display) {
                listing.skipped.push((display.into(), links.skip(&place)));
            }
        } else if metadata.is_file() {
            if options.filter.takes(&display) {
                listing.entries.push(Entry { path: display.into(), at: At::Worktree(place) });
            } else if options.filter.takes_program(&display) {
                listing.skipped.push((display.into(), Skip::Jsonnet));
            }
        }
    }
    Ok(())
}

/// The ignore files of a working tree, read as they are needed.
struct RulesOnDisk<'s> {
    top: &'s Path,
    /// By the displayed path of a directory; `None` for one that is ignored itself.
    directories: HashMap<String, Option<IgnoreRules>>,
}

impl<'s> RulesOnDisk<'s> {
    fn new(top: &'s Path) -> Self {
        Self { top, directories: HashMap::new() }
    }

    fn ignore(&mut self, display: &str, is_directory: bool) -> bool {
        self.within(path::parent(display)).is_none_or(|it| it.ignores(display, is_directory))
    }

    /// The rules in a directory. Goes up as many steps as the path has parts.
    fn within(&mut self, directory: &str) -> Option<IgnoreRules> {
        if let Some(known) = self.directories.get(directory) {
            return known.clone();
        }
        let mut rules = Some(IgnoreRules::default());
        for here in std::iter::once("").chain(path::prefixes(directory)) {
            if let Some(known) = self.directories.get(here) {
                rules.clone_from(known);
                continue;
            }
            rules = rules.filter(|it| here.is_empty() || !it.ignores(here, true)).map(|it| {
                match fs::read(self.top.join(here).join(ignore_file::NAME)) {
                    Ok(text) => it.within(here, &ignore_file::compile(&text)),
                    Err(_) => it,
                }
            });
            self.directories.insert(here.to_owned(), rules.clone());
        }
        rules
    }
}
