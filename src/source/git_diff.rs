//! The files that differ between two Git trees.
//!
//! In: two trees, either of which may be missing. Out: a [`Diff`], sorted by path. Trees are compared side by side and
//! equal ids are never entered, so that the cost grows with the change and not with the repository; libgit2's own diff
//! takes hundreds of times as long on a large tree. Nothing guesses renames: a file counts as moved when its bytes
//! are the same.

use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::error::SourceError;
use super::git_tree::{self, MAX_PATH_BYTES, Trees};
use super::ignore_file::{self, IgnoreRules};
use super::objects::{Mode, Oid, TreeEntry};
use super::path;
use super::{At, Entry, Options, Skip, Skipped};

/// A file that is not the same on both sides; at least one side is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Where the file is now, or was if it is gone.
    pub(crate) path: Arc<str>,
    /// Before. Its path differs from `path` when the file moved, and then its bytes don't.
    pub(crate) old: Option<Entry>,
    /// After.
    pub(crate) new: Option<Entry>,
}

/// What differs between two trees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Diff {
    /// Manifests that were added, changed, moved or removed.
    pub(crate) changes: Vec<Change>,
    /// Changed paths that nobody will read.
    pub(crate) skipped: Vec<Skipped>,
    /// Ignore files that differ. What they newly show or hide is not among the changes; only whole listings tell.
    pub(crate) ignore_files: Vec<Arc<str>>,
    /// Changed manifests, and directories with any change, that ignore files hide: on both sides, or on the only one
    /// there is.
    pub(crate) ignored: Vec<Arc<str>>,
}

/// Two directories of the same path.
struct Pair {
    path: String,
    sides: Sides<Option<Oid>>,
    rules: Sides<IgnoreRules>,
}

/// The same thing before and after.
#[derive(Clone, Copy, Debug, Default)]
struct Sides<T> {
    old: T,
    new: T,
}

/// Compares two trees; `None` stands for no tree at all.
///
/// A path is left out for an ignore file only if it is ignored on both sides: otherwise the change that is to be
/// judged could hide itself.
pub(crate) fn compare(
    trees: &mut Trees,
    old: Option<Oid>,
    new: Option<Oid>,
    options: &Options,
) -> Result<Diff, SourceError> {
    let mut comparison = Comparing { trees, options, roots: Sides { old, new }, diff: Diff::default() };
    let seen = AtomicUsize::new(0);
    let mut pending = vec![Pair { path: String::new(), sides: Sides { old, new }, rules: Sides::default() }];
    while let Some(pair) = pending.pop() {
        if pair.sides.old != pair.sides.new {
            let n_entries = comparison.directory(&pair, &mut pending)?;
            git_tree::count(&seen, &pair.path, n_entries, options)?;
        }
    }
    let mut diff = comparison.diff;
    diff.changes = join_moves(diff.changes);
    diff.changes.sort_by(|a, b| a.path.cmp(&b.path));
    diff.skipped.sort_by(|a, b| a.0.cmp(&b.0));
    diff.ignore_files.sort();
    diff.ignore_files.dedup();
    diff.ignored.sort();
    Ok(diff)
}

struct Comparing<'c> {
    trees: &'c mut Trees,
    options: &'c Options,
    roots: Sides<Option<Oid>>,
    diff: Diff,
}

impl Comparing<'_> {
    /// Compares the entries of two directories. Returns how many there were.
    fn directory(&mut self, pair: &Pair, pending: &mut Vec<Pair>) -> Result<usize, SourceError> {
        let bytes = Sides { old: self.read(&pair.path, pair.sides.old)?, new: self.read(&pair.path, pair.sides.new)? };
        let rules = Sides {
            old: self.trees.rules(&pair.rules.old, &pair.path, &bytes.old, &mut self.diff.skipped),
            new: self.trees.rules(&pair.rules.new, &pair.path, &bytes.new, &mut self.diff.skipped),
        };
        let old = self.entries(&pair.path, &bytes.old);
        let new = self.entries(&pair.path, &bytes.new);
        let n_entries = old.len() + new.len();
        let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (Some(a), Some(b)) => a.sort_key().cmp(b.sort_key()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return Ok(n_entries),
            };
            let entry = Sides {
                old: if order == Ordering::Greater { None } else { old.next() },
                new: if order == Ordering::Less { None } else { new.next() },
            };
            if entry.old.map(|it| (it.mode, it.oid)) != entry.new.map(|it| (it.mode, it.oid)) {
                self.entry(&pair.path, entry, &rules, pending);
            }
        }
    }

    /// Takes note of one name that differs.
    fn entry(
        &mut self,
        directory: &str,
        entry: Sides<Option<TreeEntry<'_>>>,
        rules: &Sides<IgnoreRules>,
        pending: &mut Vec<Pair>,
    ) {
        let Some(name) = entry.new.or(entry.old).map(|it| it.name) else { return };
        let path = path::join(directory, name);
        if path::is_unsafe_name(name) {
            if entry.new.is_some() {
                self.skip(&path, Skip::UnsafeName);
            }
            return;
        }
        let is = |side: Option<TreeEntry<'_>>, mode| side.is_some_and(|it| it.mode == mode);
        if name == ignore_file::NAME.as_bytes() && (is(entry.old, Mode::File) || is(entry.new, Mode::File)) {
            self.diff.ignore_files.push(Arc::from(path.as_str()));
        }
        // The sort key makes sure that a tree only meets a tree.
        if is(entry.old, Mode::Tree) || is(entry.new, Mode::Tree) {
            if self.options.filter.prunes(&path) {
                return;
            }
            if self.ignores(rules, &path, true) {
                self.diff.ignored.push(Arc::from(path));
                return;
            }
            if path.len() > MAX_PATH_BYTES {
                self.skip(&path, Skip::PathTooLong);
                return;
            }
            let sides = Sides { old: entry.old.map(|it| it.oid), new: entry.new.map(|it| it.oid) };
            pending.push(Pair { path, sides, rules: Sides { old: rules.old.clone(), new: rules.new.clone() } });
            return;
        }
        let filter = &self.options.filter;
        if self.ignores(rules, &path, false) {
            if filter.takes(&path) {
                self.diff.ignored.push(Arc::from(path));
            }
            return;
        }
        match (entry.new.map(|it| (it.mode, it.oid)), self.roots.new) {
            (Some((Mode::Symlink, oid)), Some(root)) if filter.minds(&path) => {
                let skip = self.trees.link(root, &path, oid, filter);
                self.skip(&path, skip);
            }
            (Some((Mode::Submodule, _)), _) if filter.minds(&path) => self.skip(&path, Skip::Submodule),
            (Some((Mode::File, _)), _) if filter.takes_program(&path) => self.skip(&path, Skip::Jsonnet),
            _ => {}
        }
        if !filter.takes(&path) {
            return;
        }
        let path: Arc<str> = path.into();
        let file = |side: Option<TreeEntry<'_>>| {
            side.filter(|it| it.mode == Mode::File).map(|it| Entry { path: Arc::clone(&path), at: At::Object(it.oid) })
        };
        let (old, new) = (file(entry.old), file(entry.new));
        if old.is_some() || new.is_some() {
            self.diff.changes.push(Change { path, old, new });
        }
    }

    /// The bytes of a directory; nothing for one that is not there. One that can't be read is reported, but without
    /// the topmost one there is nothing to compare.
    fn read(&mut self, path: &str, oid: Option<Oid>) -> Result<Vec<u8>, SourceError> {
        let Some(oid) = oid else { return Ok(Vec::new()) };
        match self.trees.tree(oid) {
            Ok(bytes) => Ok(bytes),
            Err(error) if path.is_empty() => Err(SourceError::Tree { oid, reason: error.to_string() }),
            Err(error) => {
                self.skip(path, Skip::Unreadable(error.to_string()));
                Ok(Vec::new())
            }
        }
    }

    fn entries<'t>(&mut self, path: &str, bytes: &'t [u8]) -> Vec<TreeEntry<'t>> {
        let mut out = Vec::new();
        for entry in self.trees.entries(bytes) {
            match entry {
                Ok(entry) => out.push(entry),
                Err(error) => self.skip(path, Skip::Unreadable(error.to_string())),
            }
        }
        // Git sorts, but stores what it is sent: entries out of order would meet the wrong ones of the other side.
        if !out.is_sorted_by(|a, b| a.sort_key().le(b.sort_key())) {
            out.sort_by(|a, b| a.sort_key().cmp(b.sort_key()));
        }
        out
    }

    fn ignores(&self, rules: &Sides<IgnoreRules>, path: &str, is_directory: bool) -> bool {
        let old = self.roots.old.is_none() || rules.old.ignores(path, is_directory);
        let new = self.roots.new.is_none() || rules.new.ignores(path, is_directory);
        old && new
    }

    fn skip(&mut self, path: &str, skip: Skip) {
        self.diff.skipped.push((Arc::from(path), skip));
    }
}

/// Makes one change of each file that went from one path and came at another with the same bytes. Among several of
/// the same bytes those of the same file name belong together, then the first in the order of paths.
fn join_moves(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    let mut sources: HashMap<Oid, VecDeque<usize>> = HashMap::new();
    let mut by_name: HashMap<(Oid, Arc<str>), VecDeque<usize>> = HashMap::new();
    for (at, change) in changes.iter().enumerate() {
        if let (Some(oid), None) = (object(change.old.as_ref()), &change.new) {
            sources.entry(oid).or_default().push_back(at);
            by_name.entry((oid, file_name(&change.path))).or_default().push_back(at);
        }
    }
    if sources.is_empty() {
        return changes;
    }
    let mut taken = vec![false; changes.len()];
    for same_name in [true, false] {
        for at in 0..changes.len() {
            let (None, Some(oid)) = (&changes[at].old, object(changes[at].new.as_ref())) else { continue };
            let queue =
                if same_name { by_name.get_mut(&(oid, file_name(&changes[at].path))) } else { sources.get_mut(&oid) };
            let Some(queue) = queue else { continue };
            while queue.front().is_some_and(|&it| taken[it]) {
                queue.pop_front();
            }
            if let Some(source) = queue.pop_front() {
                taken[source] = true;
                changes[at].old = changes[source].old.take();
            }
        }
    }
    let mut taken = taken.into_iter();
    changes.retain(|_| !taken.next().unwrap_or(false));
    changes
}

fn object(entry: Option<&Entry>) -> Option<Oid> {
    match entry?.at {
        At::Object(oid) => Some(oid),
        At::Worktree(_) | At::Named(_) | At::Memory(_) => None,
    }
}

fn file_name(path: &str) -> Arc<str> {
    Arc::from(path.rsplit_once('/').map_or(path, |(_, name)| name))
}
