//! Renders of before, by what went into them.
//!
//! In: a directory, or none; the oldest renders in it go first. Out: what a render with the same program, flags and files gave. Whoever can write there
//! decides what is judged, so the directory belongs to whoever runs this, never to the repository.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use sha2::{Digest as _, Sha256};

use super::Inputs;

/// Counts for what an entry means: changes whenever the same inputs are rendered in another way.
const VERSION: &str = "1";

/// Renders that are kept.
const MAX_KEPT: usize = 4096;

/// Where renders are kept.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    directory: Option<PathBuf>,
    /// Whether something was added.
    has_grown: AtomicBool,
}

impl Drop for Cache {
    fn drop(&mut self) {
        if let Some(directory) = self.directory.as_ref().filter(|_| *self.has_grown.get_mut()) {
            forget(directory, MAX_KEPT);
        }
    }
}

/// Removes all but the newest.
fn forget(directory: &Path, max_kept: usize) {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    let of_time = |it: fs::DirEntry| Some((it.metadata().ok()?.modified().ok()?, it.path()));
    let mut all: Vec<_> = entries.filter_map(of_time).collect();
    all.sort_by(|a, b| b.cmp(a));
    for (_, old) in all.into_iter().skip(max_kept) {
        let _ = fs::remove_file(old);
    }
}

impl Cache {
    /// A cache in a directory, which is made when something is kept; `None`: nothing is.
    pub(crate) fn new(directory: Option<PathBuf>) -> Self {
        Self { directory, has_grown: AtomicBool::new(false) }
    }

    /// What a render gave.
    pub(super) fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.directory.as_ref().and_then(|it| read(&it.join(key)))
    }

    /// Keeps what a render gave. Where that can't be done the next run renders again.
    pub(super) fn put(&self, key: &str, text: &[u8]) {
        let Some(directory) = &self.directory else { return };
        let write = || -> std::io::Result<()> {
            make(directory)?;
            let mut file = tempfile::NamedTempFile::new_in(directory)?;
            file.write_all(&Sha256::digest(text))?;
            file.write_all(text)?;
            // Whoever reads meanwhile sees all of it or nothing.
            file.persist(directory.join(key)).map_err(|it| it.error)?;
            Ok(())
        };
        if write().is_ok() {
            self.has_grown.store(true, Ordering::Relaxed);
        }
    }
}

/// Makes a directory that only its owner can write to.
fn make(directory: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// An entry whose bytes are those that were kept.
fn read(path: &Path) -> Option<Vec<u8>> {
    let bytes = fs::read(path).ok()?;
    let (digest, text) = bytes.split_at_checked(32)?;
    (Sha256::digest(text).as_slice() == digest).then(|| text.to_vec())
}

/// The name of a render: a digest of everything that decides what it gives.
pub(super) fn key(version: &str, arguments: &[String], more: &[&[u8]], inputs: &Inputs) -> String {
    let mut digest = Sha256::new();
    let mut add = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    add(VERSION.as_bytes());
    add(version.as_bytes());
    add(&(arguments.len() as u64).to_le_bytes());
    for it in arguments {
        add(it.as_bytes());
    }
    add(&(more.len() as u64).to_le_bytes());
    for it in more {
        add(it);
    }
    for (path, bytes) in inputs {
        add(path.as_bytes());
        add(bytes);
    }
    let digits: Vec<String> = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_what_is_damaged_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(Some(directory.path().join("a/b")));
        assert_eq!(cache.get("k"), None);
        cache.put("k", b"text");
        assert_eq!(cache.get("k").as_deref(), Some(&b"text"[..]));
        fs::write(directory.path().join("a/b/k"), b"damaged, and longer than a digest of thirty-two bytes").unwrap();
        assert_eq!(cache.get("k"), None);
        assert_eq!(Cache::new(None).get("k"), None);
    }

    #[test]
    fn the_oldest_go_first() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(Some(directory.path().to_owned()));
        for name in ["a", "b", "c"] {
            cache.put(name, b"text");
        }
        let old = std::time::SystemTime::UNIX_EPOCH;
        fs::File::options().write(true).open(directory.path().join("b")).unwrap().set_modified(old).unwrap();
        forget(directory.path(), 2);
        assert_eq!(["a", "b", "c"].map(|it| cache.get(it).is_some()), [true, false, true]);
    }

    #[test]
    fn keys_differ_by_everything_that_counts() {
        let inputs = |path: &str, text: &str| Inputs::from([(path.to_owned(), Arc::from(text.as_bytes()))]);
        let arguments = ["build".to_owned()];
        let base = key("v1", &arguments, &[b"w"], &inputs("a", "x"));
        for other in [
            key("v2", &arguments, &[b"w"], &inputs("a", "x")),
            key("v1", &[], &[b"w"], &inputs("a", "x")),
            key("v1", &arguments, &[b"v"], &inputs("a", "x")),
            key("v1", &arguments, &[b"w"], &inputs("b", "x")),
            key("v1", &arguments, &[b"w"], &inputs("a", "y")),
        ] {
            assert_ne!(base, other);
        }
    }
}
