//! What the next commit would hold: the index, read as a tree.
//!
//! In: a repository and, in a hook, the index that `git commit` is about to use. Out: a [`Snapshot`], which lists and
//! compares like any other tree. The trees of the index are computed in memory with the ids that Git would give them,
//! so that directories without staged changes have the ids of `HEAD` and are never entered. Nothing is written.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use git2::IndexEntryExtendedFlag;

use super::error::SourceError;
use super::git::Repository;
use super::git_diff::{self, Diff};
use super::git_tree::{self, Pending, Trees};
use super::ignore_file::IgnoreRules;
use super::objects::{ObjectFormat, Oid};
use super::path;
use super::{Listing, Options, Skip, Skipped};

/// One path of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub(super) path: Vec<u8>,
    pub(super) mode: u32,
    pub(super) oid: Oid,
    /// 0, or one of the three sides of a conflict.
    pub(super) stage: u8,
}

/// The index at one moment, as a tree.
pub(crate) struct Snapshot<'r> {
    repository: &'r Repository,
    computed: Arc<HashMap<Oid, Vec<u8>>>,
    root: Oid,
    unmerged: Vec<Skipped>,
}

impl<'r> Snapshot<'r> {
    /// Reads the index: the one of the repository, or `index_file`.
    pub(crate) fn new(repository: &'r Repository, index_file: Option<&Path>) -> Result<Self, SourceError> {
        let entries = read_index(repository, index_file)?;
        let mut unmerged = Vec::new();
        let mut builder = TreeBuilder::new(repository.format());
        let mut previous: &[u8] = b"";
        for entry in &entries {
            if entry.stage == 0 {
                builder.add(entry);
            } else if entry.path != previous {
                unmerged.push((Arc::from(path::display(&entry.path)), Skip::Unmerged));
            }
            previous = &entry.path;
        }
        let (root, computed) = builder.finish();
        Ok(Self { repository, computed: Arc::new(computed), root, unmerged })
    }

    /// Everything that the next commit would hold.
    pub(crate) fn list(&self, options: &Options) -> Result<Listing, SourceError> {
        let start = Pending { path: String::new(), oid: self.root, rules: IgnoreRules::default() };
        let mut listing = git_tree::list_from(&mut || self.trees(), self.root, start, options)?;
        listing.skipped.extend(self.unmerged(options));
        listing.sort();
        Ok(listing)
    }

    /// The id that the tree of the next commit would have, for [`git_tree::find`] and [`git_tree::find_in`].
    pub(crate) fn root(&self) -> Oid {
        self.root
    }

    /// Where that tree can be read.
    pub(crate) fn trees(&self) -> Result<Trees, SourceError> {
        Ok(Trees::with_computed(self.repository.objects()?, Arc::clone(&self.computed)))
    }

    /// What the next commit would change: the index against `HEAD`, or against nothing before the first commit.
    pub(crate) fn compare(&self, options: &Options) -> Result<Diff, SourceError> {
        let old = self.repository.head()?.map(|it| it.tree);
        let mut diff = git_diff::compare(&mut self.trees()?, old, Some(self.root), options)?;
        diff.skipped.extend(self.unmerged(options));
        diff.skipped.sort_by(|a, b| a.0.cmp(&b.0));
        // A conflict has no entry of its own, so that the file seems to be removed.
        diff.changes.retain(|it| it.new.is_some() || self.unmerged.iter().all(|(path, _)| *path != it.path));
        Ok(diff)
    }

    fn unmerged(&self, options: &Options) -> impl Iterator<Item = Skipped> {
        self.unmerged.iter().filter(|(path, _)| options.filter.takes(path)).cloned()
    }
}

/// The entries of the index in stored order, without those that `git add -N` only announced.
pub(super) fn read_index(repository: &Repository, index_file: Option<&Path>) -> Result<Vec<IndexEntry>, SourceError> {
    if let Some(git) = repository.process() {
        return parse_stages(&git.index(index_file)?);
    }
    let opened = repository.libgit2()?;
    let index = match index_file {
        Some(path) => git2::Index::open(path),
        None => opened.index(),
    };
    let index = match index {
        Ok(index) => index,
        Err(error) => {
            let refused = SourceError::Index(error.message().to_owned());
            return repository.index_by_process(index_file).map_err(|_| refused).and_then(|it| parse_stages(&it));
        }
    };
    let announced = IndexEntryExtendedFlag::INTENT_TO_ADD.bits();
    let entries = index.iter().filter(|it| it.flags_extended & announced == 0);
    Ok(entries
        .map(|it| IndexEntry { path: it.path, mode: it.mode, oid: it.id.into(), stage: (it.flags >> 12 & 3) as u8 })
        .collect())
}

/// Reads `MODE SP ID SP STAGE TAB PATH NUL`, again and again.
fn parse_stages(text: &[u8]) -> Result<Vec<IndexEntry>, SourceError> {
    let parse = |record: &[u8]| {
        let tab = memchr::memchr(b'\t', record)?;
        let mut words = std::str::from_utf8(&record[..tab]).ok()?.split(' ');
        Some(IndexEntry {
            path: record[tab + 1..].to_vec(),
            mode: u32::from_str_radix(words.next()?, 8).ok()?,
            oid: words.next()?.parse().ok()?,
            stage: words.next()?.parse().ok()?,
        })
    };
    text.split(|&it| it == 0)
        .filter(|it| !it.is_empty())
        .map(|it| parse(it).ok_or_else(|| SourceError::Index("`git ls-files` printed an unknown form".to_owned())))
        .collect()
}

/// Builds trees from paths in the order of the index, which is the order of trees read depth first.
pub(super) struct TreeBuilder {
    format: ObjectFormat,
    done: HashMap<Oid, Vec<u8>>,
    /// The way from the root to the directory at hand: name and bytes so far.
    open: Vec<(Vec<u8>, Vec<u8>)>,
}

impl TreeBuilder {
    pub(super) fn new(format: ObjectFormat) -> Self {
        Self { format, done: HashMap::new(), open: vec![(Vec::new(), Vec::new())] }
    }

    pub(super) fn add(&mut self, entry: &IndexEntry) {
        let mut parts: Vec<&[u8]> = entry.path.split(|&it| it == b'/').collect();
        let Some(name) = parts.pop() else { return };
        let shared = self.open.iter().skip(1).zip(&parts).take_while(|((open, _), part)| open == *part).count();
        while self.open.len() > shared + 1 {
            self.close();
        }
        for part in &parts[shared..] {
            self.open.push((part.to_vec(), Vec::new()));
        }
        if let Some((_, bytes)) = self.open.last_mut() {
            append(bytes, entry.mode, name, entry.oid);
        }
    }

    /// Ends the innermost directory and enters it into the one above. Returns its id.
    fn close(&mut self) -> Oid {
        let (name, bytes) = self.open.pop().unwrap_or_default();
        let oid = self.format.hash_tree(&bytes);
        self.done.insert(oid, bytes);
        if let Some((_, above)) = self.open.last_mut() {
            append(above, 0o040_000, &name, oid);
        }
        oid
    }

    pub(super) fn finish(mut self) -> (Oid, HashMap<Oid, Vec<u8>>) {
        while self.open.len() > 1 {
            self.close();
        }
        let root = self.close();
        (root, self.done)
    }
}

fn append(tree: &mut Vec<u8>, mode: u32, name: &[u8], oid: Oid) {
    tree.extend_from_slice(format!("{mode:o} ").as_bytes());
    tree.extend_from_slice(name);
    tree.push(0);
    tree.extend_from_slice(oid.as_bytes());
}
