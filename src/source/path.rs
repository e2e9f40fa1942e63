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

/// The path that a link at `path` with this text leads to, going by the text alone; empty for the root itself. `None`
/// when it leaves the root, and when a `..` follows a name: that name may be a link itself, and then nobody can tell.
pub(super) fn link_target(path: &str, target: &[u8]) -> Option<String> {
    if target.first() == Some(&b'/') || target.get(1) == Some(&b':') {
        return None;
    }
    let mut here = parent(path).to_owned();
    let mut has_names = false;
    for part in target.split(|&it| it == b'/') {
        match part {
            b"" | b"." => {}
            b".." if has_names || here.is_empty() => return None,
            b".." => here.truncate(parent(&here).len()),
            name => {
                has_names = true;
                here = join(&here, name);
            }
        }
    }
    Some(here)
}

/// The directory of a path; empty for the root.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// A path and each directory above it, the topmost first; nothing for the root.
pub(super) fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    let end = (!path.is_empty()).then_some(path.len());
    memchr::memchr_iter(b'/', path.as_bytes()).chain(end).map(|it| &path[..it])
}

/// Whether a checkout would refuse a tree entry of this name: <https://git-scm.com/docs/git-fsck> (`hasDot`,
/// `hasDotdot`, `hasDotgit`, `emptyName`, `fullPathname`), in the spellings that the file systems of Windows and macOS
/// take for `.git` as well.
pub(super) fn is_unsafe_name(name: &[u8]) -> bool {
    if matches!(name, b"" | b"." | b"..") || name.contains(&b'/') {
        return true;
    }
    if !matches!(name[0], b'.' | b'g' | b'G' | 0x80..) {
        return false;
    }
    // NTFS drops spaces and dots at the end, and takes what follows a colon for a stream of the same file.
    let stem = name.split(|&it| it == b':').next().unwrap_or(name);
    let stem = &stem[..stem.iter().rposition(|it| !matches!(it, b' ' | b'.')).map_or(0, |it| it + 1)];
    // HFS+ looks through these characters.
    let is_ignored = |it: &char| matches!(it, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let stem: String = String::from_utf8_lossy(stem).chars().filter(|it| !is_ignored(it)).collect();
    stem.eq_ignore_ascii_case(".git") || stem.eq_ignore_ascii_case("git~1")
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
    fn a_link_leads_from_its_directory() {
        assert_eq!(link_target("a/b/link", b"../c.yaml").as_deref(), Some("a/c.yaml"));
        assert_eq!(link_target("a/b/link", b"../../c//d/./e.yaml").as_deref(), Some("c/d/e.yaml"));
        assert_eq!(link_target("a/link", b"..").as_deref(), Some(""));
        assert_eq!(link_target("a/b/link", b"../../../c.yaml"), None);
        assert_eq!(link_target("link", b"/etc/passwd"), None);
        assert_eq!(link_target("link", b"C:/x"), None);
    }

    #[test]
    fn where_a_link_climbs_from_a_name_nobody_can_tell() {
        assert_eq!(link_target("link", b"x/../../y"), None);
        assert_eq!(link_target("a/b/c/link", b"up/../y.yaml"), None);
    }

    #[test]
    fn prefixes_go_from_the_top_to_the_path() {
        assert_eq!(prefixes("a/b/c.yaml").collect::<Vec<_>>(), ["a", "a/b", "a/b/c.yaml"]);
        assert_eq!(prefixes("").count(), 0);
    }

    #[test]
    fn git_directories_are_unsafe_in_any_spelling() {
        for name in [&b".git"[..], b".GiT", b"..", b".", b"", b"git~1", b"a/b", b".git ", b".git. .", b".Git::$DATA"] {
            assert!(is_unsafe_name(name), "{}", display(name));
        }
        for name in [".g\u{200c}it", "\u{feff}.git"] {
            assert!(is_unsafe_name(name.as_bytes()), "{name:?}");
        }
        for name in [&b".github"[..], b".gitignore", b"git", b"...", b"git~10", b" .git", b"\xff.git"] {
            assert!(!is_unsafe_name(name), "{}", display(name));
        }
    }
}
