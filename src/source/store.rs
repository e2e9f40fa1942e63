//! Any file of one side, by its path: what a renderer reads need not be a manifest.
//!
//! In: a directory or a tree of Git, and paths below it, `/` between parts. Out: what stands there, and its bytes. A link
//! is never followed, nothing outside of the root is reached, ignore files don't count: whoever renders reads what is
//! there.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::{
    Leads, Skip, SourceError, Trees,
    filter::is_manifest_name,
    git::Repository,
    objects::{Mode, Oid},
    path, read_file, unreadable,
};

/// Most files below one directory that are listed.
const MAX_FILES: usize = 20_000;

/// The files of one side.
pub(crate) struct Store {
    at: Side,
    /// What stands before each path, and is no part of where it lies; empty or ending with `/`.
    prefix: String,
    max_bytes: u64,
}

enum Side {
    /// A directory, absolute.
    Disk(PathBuf),
    /// A tree of Git, stored or computed.
    Tree(Box<Mutex<Trees>>, Oid),
    /// Nothing at all: the side before the first commit.
    Nothing,
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Nothing.
    Nothing,
}

impl Store {
    /// The files below a directory, each known by its path with `prefix` and a slash before it.
    pub(crate) fn disk(root: PathBuf, prefix: &str, max_bytes: u64) -> Self {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { at: Side::Disk(root), prefix, max_bytes }
    }

    /// The files of a stored tree.
    pub(crate) fn tree(repository: &Repository, root: Oid, max_bytes: u64) -> Result<Self, SourceError> {
        Ok(Self::trees(repository.trees()?, root, max_bytes))
    }

    /// The files of a tree that need not be stored.
    pub(crate) fn trees(trees: Trees, root: Oid, max_bytes: u64) -> Self {
        Self { at: Side::Tree(Box::new(Mutex::new(trees)), root), prefix: String::new(), max_bytes }
    }

    /// No files.
    pub(crate) fn nothing() -> Self {
        Self { at: Side::Nothing, prefix: String::new(), max_bytes: 0 }
    }

    /// What stands at a path; an error for a link, or where a link stands on the way.
    pub(crate) fn standing(&self, path: &str) -> Result<Standing, Skip> {
        let Some(below) = self.below_prefix(path) else { return Ok(Standing::Nothing) };
        match &self.at {
            Side::Disk(root) => Ok(match on_disk(root, below)? {
                Some(metadata) if metadata.is_file() => Standing::File,
                Some(metadata) if metadata.is_dir() => Standing::Directory,
                Some(_) => return Err(Skip::NotAFile),
                None => Standing::Nothing,
            }),
            Side::Tree(trees, root) => {
                let mut trees = trees.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(match in_tree(&mut trees, *root, below)? {
                    Some((Mode::Tree, _)) => Standing::Directory,
                    Some((Mode::File, _)) => Standing::File,
                    Some(_) | None => Standing::Nothing,
                })
            }
            Side::Nothing => Ok(Standing::Nothing),
        }
    }

    /// The bytes of a regular file; `None` where none stands.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Skip> {
        let Some(below) = self.below_prefix(path) else { return Ok(None) };
        match &self.at {
            Side::Disk(root) => match on_disk(root, below)? {
                Some(metadata) if metadata.is_file() => read_file(&root.join(below), self.max_bytes).map(Some),
                _ => Ok(None),
            },
            Side::Tree(trees, root) => {
                let mut trees = trees.lock().unwrap_or_else(PoisonError::into_inner);
                match in_tree(&mut trees, *root, below)? {
                    Some((Mode::File, oid)) => trees.blob(oid, self.max_bytes).map(Some).map_err(unreadable),
                    _ => Ok(None),
                }
            }
            Side::Nothing => Ok(None),
        }
    }

    /// The paths of all regular files below a directory, sorted; an error for a link among them.
    pub(crate) fn below(&self, directory: &str) -> Result<Vec<String>, Skip> {
        let mut out = Vec::new();
        let Some(top) = self.below_prefix(directory) else { return Ok(out) };
        match &self.at {
            Side::Disk(root) => {
                if on_disk(root, top)?.is_some_and(|it| it.is_dir()) {
                    list_disk(root, top, &mut |_| true, &mut out)?;
                }
            }
            Side::Tree(trees, root) => {
                let mut trees = trees.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((Mode::Tree, oid)) = in_tree(&mut trees, *root, top)? {
                    list_tree(&mut trees, oid, top, &mut out)?;
                }
            }
            Side::Nothing => {}
        }
        for path in &mut out {
            path.insert_str(0, &self.prefix);
        }
        out.sort();
        Ok(out)
    }

    /// The paths of files that differ from those of another tree, whatever their names, sorted. Subtrees that both share
    /// are not read; a file system shares none and is not compared.
    pub(crate) fn changes(&self, other: &Self) -> Result<Vec<String>, Skip> {
        let mut out = Vec::new();
        match (&self.at, &other.at) {
            (Side::Tree(new, new_root), Side::Tree(old, old_root)) => {
                let mut new = new.lock().unwrap_or_else(PoisonError::into_inner);
                let mut old = old.lock().unwrap_or_else(PoisonError::into_inner);
                compare((&mut new, Some(*new_root)), (&mut old, Some(*old_root)), "", &mut out)?;
            }
            (Side::Tree(new, root), Side::Nothing) => {
                let mut new = new.lock().unwrap_or_else(PoisonError::into_inner);
                list_all(&mut new, *root, "", &mut out)?;
            }
            _ => {}
        }
        out.sort();
        Ok(out)
    }

    /// The paths of files named like manifests below a directory of the file system, sorted; an error for a link named so.
    pub(crate) fn manifests(&self, directory: &str) -> Result<Vec<String>, Skip> {
        let mut out = Vec::new();
        if let (Side::Disk(root), Some(top)) = (&self.at, self.below_prefix(directory)) {
            list_disk(root, top, &mut |name| is_manifest_name(name), &mut out)?;
        }
        for path in &mut out {
            path.insert_str(0, &self.prefix);
        }
        out.sort();
        Ok(out)
    }

    /// A path without the prefix; `None` for one that leads elsewhere.
    fn below_prefix<'p>(&self, path: &'p str) -> Option<&'p str> {
        let path = path.trim_end_matches('/');
        let below = match path.strip_prefix(&*self.prefix) {
            Some(below) => below,
            None if path == self.prefix.trim_end_matches('/') => "",
            None => return None,
        };
        let is_safe = |part: &str| !matches!(part, "." | "..") && !path::is_unsafe_name(part.as_bytes());
        let leads_out = below.starts_with('/') || (cfg!(windows) && below.contains([':', '\\']));
        (!leads_out && (below.is_empty() || below.split('/').all(is_safe))).then_some(below)
    }
}

fn link(target: &Path) -> Skip {
    Skip::Symlink { target: path::display(target.as_os_str().as_encoded_bytes()), leads: Leads::Inside }
}

fn on_disk(root: &Path, below: &str) -> Result<Option<fs::Metadata>, Skip> {
    let mut metadata = fs::symlink_metadata(root).ok();
    for here in path::prefixes(below) {
        let place = root.join(here);
        metadata = match fs::symlink_metadata(&place) {
            Ok(metadata) if metadata.is_symlink() => {
                return Err(link(&fs::read_link(&place).unwrap_or_default()));
            }
            Ok(metadata) => Some(metadata),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(unreadable(error)),
        };
    }
    Ok(metadata)
}

fn list_disk(
    root: &Path,
    directory: &str,
    takes: &mut dyn FnMut(&str) -> bool,
    out: &mut Vec<String>,
) -> Result<(), Skip> {
    for entry in fs::read_dir(root.join(directory)).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            return Err(Skip::Unreadable(format!("the name of `{}` is no text", entry.path().display())));
        };
        if path::is_unsafe_name(name.as_bytes()) {
            continue;
        }
        let path = if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") };
        let kind = entry.file_type().map_err(unreadable)?;
        if !kind.is_dir() && !takes(name) {
            continue;
        }
        if kind.is_symlink() {
            return Err(link(&fs::read_link(entry.path()).unwrap_or_default()));
        }
        if kind.is_dir() {
            list_disk(root, &path, takes, out)?;
        } else if kind.is_file() {
            push(path, out)?;
        }
    }
    Ok(())
}

fn push(path: String, out: &mut Vec<String>) -> Result<(), Skip> {
    out.push(path);
    if out.len() > MAX_FILES {
        return Err(Skip::Unreadable(format!("there are more than {MAX_FILES} files")));
    }
    Ok(())
}

/// The entry at a path of a tree.
fn in_tree(trees: &mut Trees, root: Oid, below: &str) -> Result<Option<(Mode, Oid)>, Skip> {
    let mut here = (Mode::Tree, root);
    for part in below.split('/').filter(|it| !it.is_empty()) {
        if here.0 != Mode::Tree {
            return Ok(None);
        }
        let bytes = trees.tree(here.1).map_err(unreadable)?;
        let found = trees.entries(&bytes).filter_map(Result::ok).find(|it| path::display(it.name) == part);
        let Some(entry) = found else { return Ok(None) };
        here = (entry.mode, entry.oid);
        check_mode(trees, here)?;
    }
    Ok(Some(here))
}

fn check_mode(trees: &mut Trees, (mode, oid): (Mode, Oid)) -> Result<(), Skip> {
    match mode {
        Mode::Tree | Mode::File => Ok(()),
        Mode::Submodule => Err(Skip::Submodule),
        Mode::Symlink => {
            let target = trees.blob(oid, path_limit()).unwrap_or_default();
            Err(Skip::Symlink { target: path::display(&target), leads: Leads::Inside })
        }
    }
}

const fn path_limit() -> u64 {
    super::git_tree::MAX_PATH_BYTES as u64
}

type Listed = std::collections::BTreeMap<String, (Mode, Oid)>;

fn entries(trees: &mut Trees, tree: Option<Oid>) -> Result<Listed, Skip> {
    let Some(tree) = tree else { return Ok(Listed::new()) };
    let bytes = trees.tree(tree).map_err(unreadable)?;
    Ok(trees.entries(&bytes).filter_map(Result::ok).map(|it| (path::display(it.name), (it.mode, it.oid))).collect())
}

/// Notes what differs in two trees below a directory.
fn compare(
    new: (&mut Trees, Option<Oid>),
    old: (&mut Trees, Option<Oid>),
    directory: &str,
    out: &mut Vec<String>,
) -> Result<(), Skip> {
    let (new_trees, old_trees) = (new.0, old.0);
    let (here, there) = (entries(new_trees, new.1)?, entries(old_trees, old.1)?);
    let names: std::collections::BTreeSet<&String> = here.keys().chain(there.keys()).collect();
    for name in names {
        let (new, old) = (here.get(name), there.get(name));
        if new == old {
            continue;
        }
        let path = if directory.is_empty() { name.clone() } else { format!("{directory}/{name}") };
        let tree = |it: Option<&(Mode, Oid)>| it.filter(|it| it.0 == Mode::Tree).map(|it| it.1);
        if tree(new).is_some() || tree(old).is_some() {
            compare((&mut *new_trees, tree(new)), (&mut *old_trees, tree(old)), &path, out)?;
        }
        if [new, old].into_iter().flatten().any(|it| it.0 != Mode::Tree) {
            out.push(path);
        }
    }
    Ok(())
}

/// Notes every file of a tree, links and all.
fn list_all(trees: &mut Trees, tree: Oid, directory: &str, out: &mut Vec<String>) -> Result<(), Skip> {
    for (name, (mode, oid)) in entries(trees, Some(tree))? {
        let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
        if mode == Mode::Tree { list_all(trees, oid, &path, out)? } else { out.push(path) }
    }
    Ok(())
}

fn list_tree(trees: &mut Trees, tree: Oid, directory: &str, out: &mut Vec<String>) -> Result<(), Skip> {
    let bytes = trees.tree(tree).map_err(unreadable)?;
    let entries: Vec<(String, Mode, Oid)> = trees
        .entries(&bytes)
        .filter_map(Result::ok)
        .filter(|it| !path::is_unsafe_name(it.name))
        .map(|it| (path::join(directory, it.name), it.mode, it.oid))
        .collect();
    for (path, mode, oid) in entries {
        check_mode(trees, (mode, oid))?;
        if mode == Mode::Tree { list_tree(trees, oid, &path, out)? } else { push(path, out)? }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("a/b")).unwrap();
        fs::write(directory.path().join("a/b/c.txt"), "c").unwrap();
        fs::write(directory.path().join("a/d"), "d").unwrap();
        let store = Store::disk(directory.path().to_owned(), "shop", 1 << 20);
        (directory, store)
    }

    #[test]
    fn files_are_found_by_the_path_that_people_see() {
        let (_directory, store) = store();
        assert_eq!(store.standing("shop/a/b").unwrap(), Standing::Directory);
        assert_eq!(store.standing("shop").unwrap(), Standing::Directory);
        assert_eq!(store.standing("shop/a/b/c.txt").unwrap(), Standing::File);
        assert_eq!(store.standing("shop/a/d/x").unwrap(), Standing::Nothing);
        assert_eq!(store.read("shop/a/d").unwrap().as_deref(), Some(&b"d"[..]));
        assert_eq!(store.below("shop/a").unwrap(), ["shop/a/b/c.txt", "shop/a/d"]);
    }

    #[test]
    fn nothing_outside_of_the_root_is_reached() {
        let (_directory, store) = store();
        for path in ["a/d", "shop/../a/d", "/etc/passwd", "shop//etc/passwd", "shop/a/../../x", "shop/.git/config"] {
            assert_eq!(store.read(path).unwrap(), None, "{path}");
            assert_eq!(store.standing(path).unwrap(), Standing::Nothing, "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let (directory, store) = store();
        std::os::unix::fs::symlink("/etc", directory.path().join("a/out")).unwrap();
        for done in
            [store.read("shop/a/out/passwd").err(), store.below("shop/a").err(), store.standing("shop/a/out").err()]
        {
            assert!(matches!(done, Some(Skip::Symlink { .. })), "{done:?}");
        }
    }
}
