//! Who brought something into the repository, and when.
//!
//! In: things that stand in files of a commit, and a way to see whether a file holds one. Out: for each the commit that
//! added it, or why that can't be told. The history is walked once for all things, the newest commit first; each step
//! compares the trees on the way to the files and nothing else, and the walk ends where the last thing was added. What moves
//! to another file is followed. Names, addresses and times are what commits say; nothing proves them.

use std::collections::{BTreeMap, BinaryHeap, HashMap};

use super::error::SourceError;
use super::git::Repository;
use super::git_diff;
use super::git_tree::Trees;
use super::objects::{Mode, ObjectError, Oid};
use super::{At, Options, path};

/// Most commits that are looked at.
const MAX_COMMITS: usize = 20_000;

/// Most files of one commit that are looked into for something that came from elsewhere.
const MAX_SOURCES: usize = 500;

/// Bytes of a file that are looked into.
const MAX_BYTES: u64 = 4 << 20;

/// What brought a thing in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Addition {
    /// This commit.
    Commit {
        /// Its id.
        id: Oid,
        /// The name of its author.
        author: String,
        /// The address of its author.
        email: String,
        /// When it was written, in seconds since 1970.
        seconds: i64,
    },
    /// It is in no commit yet.
    Uncommitted,
    /// It is older than what there is of the history here.
    Shallow,
    /// It is older than the commits that were looked at.
    Older,
}

/// A thing and the path of the file that holds it, below the root of the repository.
pub(crate) type Thing = String;

/// What is followed through a commit: positions of things, and the paths where they are there.
type Followed = BTreeMap<usize, String>;

/// What is followed into one commit. The paths are kept from commit to commit as long as nothing changes.
#[derive(Default)]
struct Group {
    things: Followed,
    paths: Option<Paths>,
}

/// The tree of paths that are followed: directories by name, and the things in files.
#[derive(Default)]
struct Paths {
    below: BTreeMap<String, Paths>,
    things: Vec<usize>,
}

impl Paths {
    fn of(followed: &Followed) -> Self {
        let mut out = Self::default();
        for (&thing, path) in followed {
            let mut at = &mut out;
            for part in path.split('/') {
                at = at.below.entry(part.to_owned()).or_default();
            }
            at.things.push(thing);
        }
        out
    }
}

/// Finds what added each thing to the commit `head`. `holds` says whether the bytes of a file hold a thing, by its
/// position.
///
/// # Errors
/// The repository can't be read in a way that lets its history be told.
pub(crate) fn additions(
    repository: &Repository,
    head: Oid,
    things: &[Thing],
    holds: &dyn Fn(usize, &[u8]) -> bool,
) -> Result<Vec<Addition>, SourceError> {
    if repository.process().is_some() {
        return Err(SourceError::Process("histories of such a repository are not read".to_owned()));
    }
    let mut walk = Walk {
        libgit2: repository.libgit2()?,
        trees: repository.trees()?,
        is_shallow: repository.is_shallow(),
        holds,
        found: vec![Addition::Uncommitted; things.len()],
        waiting: HashMap::new(),
        queue: BinaryHeap::new(),
    };
    walk.start(head, things)?;
    walk.run()?;
    Ok(walk.found)
}

struct Walk<'w> {
    libgit2: git2::Repository,
    trees: Trees,
    is_shallow: bool,
    holds: &'w dyn Fn(usize, &[u8]) -> bool,
    found: Vec<Addition>,
    /// What is followed into each commit that was not looked at yet.
    waiting: HashMap<Oid, Group>,
    /// Those commits, the newest first.
    queue: BinaryHeap<(i64, Oid)>,
}

impl Walk<'_> {
    /// Follows what the newest commit holds; the rest is not committed.
    fn start(&mut self, head: Oid, things: &[Thing]) -> Result<(), SourceError> {
        let tree = self.commit(head).map(|it| it.tree_id().into()).ok_or_else(|| missing(head))?;
        let all: Followed = things.iter().cloned().enumerate().collect();
        let paths = Paths::of(&all);
        let mut files = Vec::new();
        self.differing(Some(tree), None, &paths, &mut files)?;
        let mut followed = Followed::new();
        for (thing, here, _) in files {
            if here.is_some_and(|blob| self.is_in(thing, blob)) {
                followed.insert(thing, all[&thing].clone());
            }
        }
        self.follow(head, followed, None);
        Ok(())
    }

    fn run(&mut self) -> Result<(), SourceError> {
        let mut n_commits = 0;
        // A commit is seen after all that follow it, as far as their times are right; a second look does no harm.
        while let Some((_, id)) = self.queue.pop() {
            let Some(group) = self.waiting.remove(&id) else { continue };
            n_commits += 1;
            if n_commits > MAX_COMMITS {
                self.settle(group.things.keys(), &Addition::Older);
                continue;
            }
            self.step(id, group)?;
        }
        Ok(())
    }

    /// Follows what a commit holds into those before it, as far as they hold it.
    fn step(&mut self, id: Oid, group: Group) -> Result<(), SourceError> {
        let Group { things: mut followed, paths } = group;
        let mut paths = paths.unwrap_or_else(|| Paths::of(&followed));
        let Some(commit) = self.commit(id) else { return Err(missing(id)) };
        let tree: Oid = commit.tree_id().into();
        let parents: Vec<Oid> = commit.parent_ids().map(Oid::from).collect();
        let (author, email, seconds) = {
            let author = commit.author();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (text(author.name_bytes()), text(author.email_bytes()), author.when().seconds())
        };
        // Where a shallow clone ends, libgit2 hides the parents that the commit itself names.
        let n_named = commit.raw_header().unwrap_or_default().lines().filter(|it| it.starts_with("parent ")).count();
        let mut cut_off = n_named > parents.len();
        drop(commit);
        // First whoever has the same file: nobody need look into it.
        let mut differing: Vec<(Oid, Oid, BTreeMap<usize, Option<Oid>>)> = Vec::new();
        for parent in parents {
            if followed.is_empty() {
                return Ok(());
            }
            let Some(before) = self.commit(parent).map(|it| Oid::from(it.tree_id())) else {
                cut_off = true;
                continue;
            };
            let mut files = Vec::new();
            self.differing(Some(tree), Some(before), &paths, &mut files)?;
            if files.is_empty() {
                self.follow(parent, followed, Some(paths));
                return Ok(());
            }
            let changed: BTreeMap<usize, Option<Oid>> = files.iter().map(|(thing, _, old)| (*thing, *old)).collect();
            let mut same = followed;
            followed = Followed::new();
            for thing in changed.keys() {
                followed.extend(same.remove_entry(thing));
            }
            self.follow(parent, same, None);
            paths = Paths::of(&followed);
            differing.push((parent, before, changed));
        }
        for (parent, _, changed) in &differing {
            let kept: Vec<usize> = changed
                .iter()
                .filter(|(thing, old)| followed.contains_key(thing) && old.is_some_and(|it| self.is_in(**thing, it)))
                .map(|(thing, _)| *thing)
                .collect();
            let kept: Followed = kept.into_iter().filter_map(|thing| Some((thing, followed.remove(&thing)?))).collect();
            self.follow(*parent, kept, None);
        }
        for (parent, before, _) in &differing {
            if !followed.is_empty() {
                let moved = self.moved(tree, *before, &followed)?;
                followed.retain(|thing, _| !moved.contains_key(thing));
                self.follow(*parent, moved, None);
            }
        }
        let commit = Addition::Commit { id, author, email, seconds };
        let what = if cut_off && self.is_shallow { Addition::Shallow } else { commit };
        self.settle(followed.keys(), &what);
        Ok(())
    }

    fn settle<'t>(&mut self, things: impl Iterator<Item = &'t usize>, what: &Addition) {
        for thing in things {
            self.found[*thing] = what.clone();
        }
    }

    fn follow(&mut self, commit: Oid, things: Followed, paths: Option<Paths>) {
        if things.is_empty() {
            return;
        }
        if let Some(group) = self.waiting.get_mut(&commit) {
            group.things.extend(things);
            group.paths = None;
            return;
        }
        let seconds = self.commit(commit).map(|it| it.time().seconds()).unwrap_or_default();
        self.queue.push((seconds, commit));
        self.waiting.insert(commit, Group { things, paths });
    }

    /// The commit, if it is here.
    fn commit(&self, id: Oid) -> Option<git2::Commit<'_>> {
        self.libgit2.find_commit(id.to_libgit2()?).ok()
    }

    /// Whether a blob holds a thing. What can't be read holds nothing.
    fn is_in(&mut self, thing: usize, blob: Oid) -> bool {
        self.trees.blob(blob, MAX_BYTES).is_ok_and(|bytes| (self.holds)(thing, &bytes))
    }

    /// The things in files that differ between two trees, with the blob on each side.
    fn differing(
        &mut self,
        new: Option<Oid>,
        old: Option<Oid>,
        paths: &Paths,
        out: &mut Vec<(usize, Option<Oid>, Option<Oid>)>,
    ) -> Result<(), SourceError> {
        if new == old {
            return Ok(());
        }
        let (new, old) = (self.entries(new, paths)?, self.entries(old, paths)?);
        for (name, below) in &paths.below {
            let (new, old) = (new.get(name.as_str()).copied(), old.get(name.as_str()).copied());
            if new == old {
                continue;
            }
            let of = |side: Option<(Mode, Oid)>, wanted| side.filter(|(mode, _)| *mode == wanted).map(|(_, oid)| oid);
            out.extend(below.things.iter().map(|it| (*it, of(new, Mode::File), of(old, Mode::File))));
            if !below.below.is_empty() {
                self.differing(of(new, Mode::Tree), of(old, Mode::Tree), below, out)?;
            }
        }
        Ok(())
    }

    /// The entries of a tree that lie on the way.
    fn entries<'p>(
        &mut self,
        tree: Option<Oid>,
        paths: &'p Paths,
    ) -> Result<HashMap<&'p str, (Mode, Oid)>, SourceError> {
        let Some(oid) = tree else { return Ok(HashMap::new()) };
        let failed = |error: ObjectError| SourceError::Tree { oid, reason: error.to_string() };
        let bytes = self.trees.tree(oid).map_err(failed)?;
        let mut out = HashMap::new();
        for entry in self.trees.entries(&bytes) {
            let entry = entry.map_err(failed)?;
            if let Some((name, _)) = paths.below.get_key_value(&path::display(entry.name)) {
                out.insert(name.as_str(), (entry.mode, entry.oid));
            }
        }
        Ok(out)
    }

    /// The things that stood in other files before, among those that a commit changed.
    fn moved(&mut self, new: Oid, old: Oid, things: &Followed) -> Result<Followed, SourceError> {
        let diff = git_diff::compare(&mut self.trees, Some(old), Some(new), &Options::default())?;
        let mut out = Followed::new();
        for source in diff.changes.iter().filter_map(|it| it.old.as_ref()).take(MAX_SOURCES) {
            let At::Object(blob) = source.at else { continue };
            for thing in things.keys() {
                if !out.contains_key(thing) && self.is_in(*thing, blob) {
                    out.insert(*thing, source.path.to_string());
                }
            }
        }
        Ok(out)
    }
}

fn missing(commit: Oid) -> SourceError {
    SourceError::Tree { oid: commit, reason: "the commit is missing or broken".to_owned() }
}
