//! Paths as people see them.
//!
//! In: the bytes of a name as Git or the operating system has it. Out: text with `/` between parts. Different bytes
//! never give the same text. Control characters stay: reports escape them for their own format.

use std::fmt::Write as _;
use std::path::{Component, Path};

/// The text of a path or a part of it. Invalid UTF-8 becomes `\xNN`, byte by byte.
pub(super) fn display(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.contains("\\x")
    {
        return text.to_owned();
    }
    let mut out = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        // A name may hold the four characters `\xff` as such, and must not look like one that holds the byte.
        out.push_str(&chunk.valid().replace("\\x", "\\x5cx"));
        for byte in chunk.invalid() {
            write!(out, "\\x{byte:02x}").expect("a String takes any text");
        }
    }
    out
}

/// `directory/name`, or `name` at the root.
pub(super) fn join(directory: &str, name: &[u8]) -> String {
    let name = display(name);
    if directory.is_empty() { name } else { format!("{directory}/{name}") }
}

/// The text of a relative path of the file system.
pub(super) fn display_relative(path: &Path) -> String {
    let mut out = String::new();
    for component in path.components() {
        if let Component::Normal(name) = component {
            out = join(&out, name.as_encoded_bytes());
        }
    }
    out
}

/// Whether a link at `path` with this text points out of the root, going by the text alone.
pub(super) fn leaves_root(path: &str, target: &[u8]) -> bool {
    if target.first() == Some(&b'/') || target.get(1) == Some(&b':') {
        return true;
    }
    let mut depth = path.matches('/').count();
    for part in target.split(|&it| it == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return true,
            },
            _ => depth += 1,
        }
    }
    false
}

/// Whether a checkout would refuse a tree entry of this name: <https://git-scm.com/docs/git-fsck> (`hasDot`,
/// `hasDotdot`, `hasDotgit`, `emptyName`, `fullPathname`).
pub(super) fn is_unsafe_name(name: &[u8]) -> bool {
    name.is_empty()
        || name == b"."
        || name == b".."
        || name.eq_ignore_ascii_case(b".git")
        || name.eq_ignore_ascii_case(b"git~1")
        || name.contains(&b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_names_have_different_texts() {
        assert_eq!(display("größe.yaml".as_bytes()), "größe.yaml");
        assert_eq!(display(b"a\xff\xfe.yaml"), "a\\xff\\xfe.yaml");
        assert_eq!(display(b"a\\xff.yaml"), "a\\x5cxff.yaml");
        assert_eq!(display(b"a\\b.yaml"), "a\\b.yaml");
        assert_eq!(display(b"a\\\xff.yaml"), "a\\\\xff.yaml");
    }

    #[test]
    fn a_link_leaves_the_root_when_it_climbs_above_it() {
        assert!(!leaves_root("a/b/link", b"../c.yaml"));
        assert!(!leaves_root("a/b/link", b"../../c.yaml"));
        assert!(leaves_root("a/b/link", b"../../../c.yaml"));
        assert!(leaves_root("link", b"/etc/passwd"));
        assert!(leaves_root("link", b"x/../../y"));
        assert!(!leaves_root("link", b"./x/.."));
    }

    #[test]
    fn git_directories_are_unsafe_in_any_spelling() {
        for name in [&b".git"[..], b".GiT", b"..", b".", b"", b"git~1", b"a/b"] {
            assert!(is_unsafe_name(name));
        }
        assert!(!is_unsafe_name(b".github"));
    }
}
