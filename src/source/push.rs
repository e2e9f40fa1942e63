//! What a push would change, as a server hook is told.
//!
//! In: the lines that `git receive-pack` writes to `pre-receive`, or the three arguments of `update`. Out: for each
//! ref the two trees to compare. History is only asked where a ref is new; parents may be missing everywhere else.
//! <https://git-scm.com/docs/githooks#pre-receive>

#![allow(dead_code, reason = "the base of hooks that know every kind of push; the first hook does without")]

use super::error::SourceError;
use super::git::{Comparison, Repository, Revision};
use super::objects::Oid;
use super::path;

/// One ref that is to move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefUpdate {
    /// Full name, displayed like a path.
    pub(crate) name: String,
    /// What it was; zeros if it is new.
    pub(crate) old: Oid,
    /// What it is to be; zeros if it is to go.
    pub(crate) new: Oid,
}

/// What a ref would come to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one for each ref, no more")]
pub(crate) enum Pushed {
    /// Nothing: it is to go.
    Removed,
    /// Something without files, such as a blob.
    NoTree,
    /// A tree, to be compared with what was there.
    Tree {
        /// The two sides, and what the change goes into; the old one is missing where there is nothing to compare with.
        comparison: Comparison,
        /// Where the old side comes from.
        base: Base,
    },
}

/// What a pushed tree is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// The tree that the ref had.
    Before,
    /// The ref is new: the last commit that it has in common with the default branch.
    DefaultBranch,
    /// The ref is new and has nothing in common with the default branch, or there is none: everything counts as new.
    Nothing,
    /// What the ref had is not here, or was no tree: everything counts as new.
    Lost,
}

/// Reads the standard input of `pre-receive`: `OLD SP NEW SP REF LF` for each ref, in the order of the push.
pub(crate) fn parse(input: &[u8]) -> Result<Vec<RefUpdate>, SourceError> {
    let lines = input.strip_suffix(b"\n").unwrap_or(input).split(|&it| it == b'\n');
    let update = |(at, line): (usize, &[u8])| {
        let mut words = line.splitn(3, |&it| it == b' ');
        let mut id = || std::str::from_utf8(words.next()?).ok()?.parse::<Oid>().ok();
        let (old, new) = (id(), id());
        match (old, new, words.next()) {
            (Some(old), Some(new), Some(name)) if name.starts_with(b"refs/") => {
                Ok(RefUpdate { name: path::display(name), old, new })
            }
            _ => Err(SourceError::Push { line: at + 1 }),
        }
    };
    if input.is_empty() { Ok(Vec::new()) } else { lines.enumerate().map(update).collect() }
}

/// Finds the two trees of one ref.
///
/// # Errors
/// The pushed object is not visible, or the default branch can't be read. What the ref had before may be missing.
pub(crate) fn resolve(repository: &Repository, update: &RefUpdate) -> Result<Pushed, SourceError> {
    if update.new.is_zero() {
        return Ok(Pushed::Removed);
    }
    let new = match repository.resolve(&update.new.to_string()) {
        Err(SourceError::NotATree { .. }) => return Ok(Pushed::NoTree),
        new => new?,
    };
    if !update.old.is_zero() {
        match repository.resolve(&update.old.to_string()) {
            Ok(old) => {
                let comparison = Comparison { base: Some(old.clone()), old: Some(old), new };
                return Ok(Pushed::Tree { comparison, base: Base::Before });
            }
            Err(SourceError::UnknownRevision { .. } | SourceError::NotATree { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    // The law is that of the default branch as it is now, wherever history left it.
    let Some(law) = default_branch(repository)? else {
        let base = if update.old.is_zero() { Base::Nothing } else { Base::Lost };
        return Ok(Pushed::Tree { comparison: Comparison { old: None, new, base: None }, base });
    };
    let old = match (law.commit, new.commit) {
        (Some(ours), Some(theirs)) if update.old.is_zero() => repository.merge_base(ours, theirs)?,
        _ => None,
    };
    let old = old.map(|it| repository.resolve(&it.to_string())).transpose()?;
    let base = match &old {
        Some(_) => Base::DefaultBranch,
        None if update.old.is_zero() => Base::Nothing,
        None => Base::Lost,
    };
    Ok(Pushed::Tree { comparison: Comparison { old, new, base: Some(law) }, base })
}

/// The branch that new ones go beside: that of `HEAD`, or the only one there is; `None` in an empty repository.
fn default_branch(repository: &Repository) -> Result<Option<Revision>, SourceError> {
    if let Some(head) = repository.head()? {
        return Ok(Some(head));
    }
    match repository.branches(2)?.as_slice() {
        [] => Ok(None),
        [only] => repository.resolve(only).map(Some),
        _ => Err(SourceError::NoDefaultBranch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "1111111111111111111111111111111111111111";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    #[test]
    fn each_line_is_a_ref() {
        let input = format!("{A} {ZERO} refs/heads/a\n{ZERO} {A} refs/heads/\u{e9} x\n");
        let updates = parse(input.as_bytes()).unwrap();
        assert_eq!(updates.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["refs/heads/a", "refs/heads/é x"]);
        assert!(updates[0].new.is_zero());
        assert!(updates[1].old.is_zero());
        assert_eq!(parse(b"").unwrap(), []);
    }

    #[test]
    fn no_line_is_passed_over() {
        for bad in ["\n", "x\n", &format!("{A} {A}\n"), &format!("{A} {A} main\n"), &format!("{A}  {A} refs/x\n")] {
            let input = format!("{A} {A} refs/heads/a\n{bad}");
            assert!(matches!(parse(input.as_bytes()), Err(SourceError::Push { line: 2 })), "{bad:?}");
        }
    }
}
