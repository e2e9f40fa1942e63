//! Git objects by id, from libgit2 or from a `git` process.
//!
//! In: ids. Out: the bytes of blobs and trees, and the entries of a tree, borrowed from its bytes. Ids are checked by
//! whoever stores them; a missing or broken object is an error of that object alone.

use std::fmt;
use std::str::FromStr;

use git2::ObjectType;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use super::git_process::CatFile;

/// The id of an object: 20 bytes of SHA-1, or 32 of SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Oid {
    bytes: [u8; 32],
    format: ObjectFormat,
}

/// How a repository names its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ObjectFormat {
    /// 20 bytes.
    Sha1,
    /// 32 bytes.
    Sha256,
}

impl ObjectFormat {
    /// Length of an id in bytes.
    pub(super) const fn id_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The id that a tree of these bytes has.
    pub(super) fn hash_tree(self, bytes: &[u8]) -> Oid {
        let header = format!("tree {}\0", bytes.len());
        let mut out = [0; 32];
        match self {
            Self::Sha1 => {
                out[..20].copy_from_slice(&Sha1::new().chain_update(header).chain_update(bytes).finalize());
            }
            Self::Sha256 => {
                out.copy_from_slice(&Sha256::new().chain_update(header).chain_update(bytes).finalize());
            }
        }
        Oid { bytes: out, format: self }
    }
}

impl Oid {
    /// An id from its 20 or 32 bytes.
    pub(super) fn from_bytes(raw: &[u8]) -> Option<Self> {
        let format = match raw.len() {
            20 => ObjectFormat::Sha1,
            32 => ObjectFormat::Sha256,
            _ => return None,
        };
        let mut bytes = [0; 32];
        bytes[..raw.len()].copy_from_slice(raw);
        Some(Self { bytes, format })
    }

    /// The 20 or 32 bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.format.id_bytes()]
    }

    /// Whether every digit is `0`: what Git writes where there is no object.
    pub(crate) fn is_zero(&self) -> bool {
        self.bytes.iter().all(|&it| it == 0)
    }

    pub(super) fn to_libgit2(self) -> Option<git2::Oid> {
        git2::Oid::from_bytes(self.as_bytes()).ok()
    }
}

impl From<git2::Oid> for Oid {
    fn from(oid: git2::Oid) -> Self {
        Self::from_bytes(oid.as_bytes()).expect("libgit2 has ids of 20 or 32 bytes")
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|it| write!(f, "{it:02x}"))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not 40 or 64 hexadecimal digits.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an object id")]
pub(crate) struct NotAnOid;

impl FromStr for Oid {
    type Err = NotAnOid;

    fn from_str(text: &str) -> Result<Self, NotAnOid> {
        let digits = text.as_bytes();
        if !matches!(digits.len(), 40 | 64) {
            return Err(NotAnOid);
        }
        let mut raw = [0; 32];
        for (byte, pair) in raw.iter_mut().zip(digits.chunks(2)) {
            let digit = |at: usize| (pair[at] as char).to_digit(16).ok_or(NotAnOid);
            *byte = (digit(0)? * 16 + digit(1)?) as u8;
        }
        Self::from_bytes(&raw[..digits.len() / 2]).ok_or(NotAnOid)
    }
}

/// Why one object is not to be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum ObjectError {
    /// Neither libgit2 nor `git cat-file` always tells which of the two.
    #[error("object {0} is missing or broken")]
    Missing(Oid),
    #[error("object {oid} is no {expected}")]
    Kind { oid: Oid, expected: &'static str },
    #[error("{size} bytes are more than the limit")]
    TooLarge { size: u64 },
    #[error("{0}")]
    Failed(String),
}

/// An open object database. One per thread.
pub(super) struct Objects {
    pub(super) format: ObjectFormat,
    pub(super) backend: Backend,
    /// Counts what is read, together with all others of the same repository.
    #[cfg(test)]
    pub(super) n_reads: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

/// Who reads the objects.
pub(super) enum Backend {
    Libgit2(git2::Repository),
    Process(CatFile),
}

/// A tree larger than this, about five million entries in one directory, is refused.
const MAX_TREE_BYTES: u64 = 256 << 20;

impl Objects {
    /// The bytes of a blob, unless they are more than `max_bytes`.
    pub(super) fn blob(&mut self, oid: Oid, max_bytes: u64) -> Result<Vec<u8>, ObjectError> {
        self.object(oid, "blob", max_bytes)
    }

    /// The bytes of a tree, for [`entries`].
    pub(super) fn tree(&mut self, oid: Oid) -> Result<Vec<u8>, ObjectError> {
        self.object(oid, "tree", MAX_TREE_BYTES)
    }

    fn object(&mut self, oid: Oid, expected: &'static str, max_bytes: u64) -> Result<Vec<u8>, ObjectError> {
        #[cfg(test)]
        self.n_reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let repository = match &mut self.backend {
            Backend::Process(cat_file) => return cat_file.read(oid, expected, max_bytes),
            Backend::Libgit2(repository) => repository,
        };
        let failed = |_: git2::Error| ObjectError::Missing(oid);
        let id = oid.to_libgit2().ok_or(ObjectError::Missing(oid))?;
        let odb = repository.odb().map_err(failed)?;
        let kind = if expected == "tree" { ObjectType::Tree } else { ObjectType::Blob };
        if kind == ObjectType::Blob {
            // The header comes before the body, so that a huge blob is never unpacked.
            let (size, found) = odb.read_header(id).map_err(failed)?;
            if found == kind && size as u64 > max_bytes {
                return Err(ObjectError::TooLarge { size: size as u64 });
            }
        }
        let object = odb.read(id).map_err(failed)?;
        if object.kind() != kind {
            return Err(ObjectError::Kind { oid, expected });
        }
        if object.len() as u64 > max_bytes {
            return Err(ObjectError::TooLarge { size: object.len() as u64 });
        }
        Ok(object.data().to_vec())
    }
}

/// What a tree entry is, by its mode. The executable bit means nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    File,
    Symlink,
    Submodule,
    Tree,
}

impl Mode {
    /// From the number that Git stores. Anything that is none of the three special kinds is read as a file, so that
    /// nothing hides behind a kind that nobody knows.
    pub(super) const fn from_bits(bits: u32) -> Self {
        match bits & 0o170_000 {
            0o040_000 => Self::Tree,
            0o120_000 => Self::Symlink,
            0o160_000 => Self::Submodule,
            _ => Self::File,
        }
    }
}

/// One line of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TreeEntry<'t> {
    pub(super) name: &'t [u8],
    pub(super) mode: Mode,
    pub(super) oid: Oid,
}

impl TreeEntry<'_> {
    /// Where Git sorts the entry: a tree as if its name ended in `/`.
    pub(super) fn sort_key(&self) -> impl Iterator<Item = u8> {
        let end = if self.mode == Mode::Tree { b'/' } else { 0 };
        self.name.iter().copied().chain(std::iter::once(end))
    }
}

/// The entries of a tree in stored order. An `Err` ends the iteration: the bytes are no tree from there on.
pub(super) fn entries(bytes: &[u8], format: ObjectFormat) -> impl Iterator<Item = Result<TreeEntry<'_>, ObjectError>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let entry = next_entry(&mut rest, format);
        if entry.is_none() {
            rest = &[];
        }
        Some(entry.ok_or_else(|| ObjectError::Failed("broken tree object".to_owned())))
    })
}

/// Takes one `MODE SP NAME NUL ID` off the front.
fn next_entry<'t>(rest: &mut &'t [u8], format: ObjectFormat) -> Option<TreeEntry<'t>> {
    let space = memchr::memchr(b' ', rest.get(..rest.len().min(12))?)?;
    let bits = u32::from_str_radix(std::str::from_utf8(&rest[..space]).ok()?, 8).ok()?;
    let after = &rest[space + 1..];
    let nul = memchr::memchr(0, after)?;
    let (name, after) = (&after[..nul], &after[nul + 1..]);
    let (id, after) = after.split_at_checked(format.id_bytes())?;
    *rest = after;
    Some(TreeEntry { name, mode: Mode::from_bits(bits), oid: Oid::from_bytes(id)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_forty_or_sixty_four_digits() {
        let text = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        assert_eq!(text.parse::<Oid>().unwrap().to_string(), text);
        assert!("0".repeat(64).parse::<Oid>().unwrap().is_zero());
        for text in ["", "4b82", "zb825dc642cb6eb9a060e54bf8d69288fbee4904", &"0".repeat(41)] {
            assert_eq!(text.parse::<Oid>(), Err(NotAnOid));
        }
    }

    #[test]
    fn the_empty_tree_has_its_well_known_ids() {
        let sha1 = ObjectFormat::Sha1.hash_tree(b"").to_string();
        assert_eq!(sha1, "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
        let sha256 = ObjectFormat::Sha256.hash_tree(b"").to_string();
        assert_eq!(sha256, "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321");
    }

    #[test]
    fn a_broken_tree_is_an_error_after_its_good_entries() {
        let mut bytes = b"100644 a\0".to_vec();
        bytes.extend([7; 20]);
        bytes.extend(b"40000 b\0short");
        let found: Vec<_> = entries(&bytes, ObjectFormat::Sha1).collect();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].as_ref().unwrap().name, b"a");
        assert!(found[1].is_err());
    }
}
