//! What a push would change, as a server hook is told.
//!
//! In: the lines that `git receive-pack` writes to `pre-receive`, or the three arguments of `update`. Out: for each
//! ref the two trees to compare. History is only asked where a ref is new; parents may be missing everywhere else.
//! <https://git-scm.com/docs/githooks#pre-receive>

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

impl RefUpdate {
    /// Whether it is a branch that moves.
    pub(crate) fn is_branch(&self) -> bool {
        self.name.starts_with("refs/heads/")
    }
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

/// Reads the three arguments of `update`, which come in the order `REF OLD NEW`.
pub(crate) fn update(name: &[u8], old: &str, new: &str) -> Result<RefUpdate, SourceError> {
    let wrong = |_| SourceError::Update;
    let (old, new) = (old.parse().map_err(wrong)?, new.parse().map_err(wrong)?);
    if !name.starts_with(b"refs/") {
        return Err(SourceError::Update);
    }
    Ok(RefUpdate { name: path::display(name), old, new })
}

/// Reads the standard input of `pre-push`: `LOCAL-REF NEW REF OLD LF` for each ref.
/// <https://git-scm.com/docs/githooks#_pre_push>
pub(crate) fn parse_outgoing(input: &[u8]) -> Result<Vec<RefUpdate>, SourceError> {
    let lines = input.strip_suffix(b"\n").unwrap_or(input).split(|&it| it == b'\n');
    let update = |(at, line): (usize, &[u8])| {
        // What is pushed may be an expression, and only the three words behind it are of a known form.
        let mut words = line.rsplitn(4, |&it| it == b' ');
        let id = |word: Option<&[u8]>| std::str::from_utf8(word?).ok()?.parse::<Oid>().ok();
        let (old, name, new) = (id(words.next()), words.next(), id(words.next()));
        match (old, new, name) {
            (Some(old), Some(new), Some(name)) if name.starts_with(b"refs/") => {
                Ok(RefUpdate { name: path::display(name), old, new })
            }
            _ => Err(SourceError::Push { line: at + 1 }),
        }
    };
    if input.is_empty() { Ok(Vec::new()) } else { lines.enumerate().map(update).collect() }
}

/// Who knows which branch new refs go beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside<'n> {
    /// The repository itself: the branch of its `HEAD`.
    Head,
    /// A remote of this name, as it was when last fetched.
    Remote(&'n str),
}

/// Finds the two trees of one ref.
///
/// # Errors
/// The pushed object is not visible, or the default branch can't be read. What the ref had before may be missing.
pub(crate) fn resolve(repository: &Repository, update: &RefUpdate, beside: Beside<'_>) -> Result<Pushed, SourceError> {
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
                // A branch is judged by its own law. Nobody keeps one on a tag, and whoever moves it could choose.
                let law = if update.is_branch() { None } else { default_branch(repository, beside)? };
                let comparison = Comparison { base: Some(law.unwrap_or_else(|| old.clone())), old: Some(old), new };
                return Ok(Pushed::Tree { comparison, base: Base::Before });
            }
            Err(SourceError::UnknownRevision { .. } | SourceError::NotATree { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    // The law is that of the default branch as it is now, wherever history left it.
    let Some(law) = default_branch(repository, beside)? else {
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

/// Whether the ref is the branch that new ones are judged by.
pub(crate) fn is_default_branch(repository: &Repository, update: &RefUpdate) -> Result<bool, SourceError> {
    Ok(repository.head_branch()?.is_some_and(|it| it == update.name))
}

/// The branch that new ones go beside: that of `HEAD`, or the only one there is; `None` in an empty repository.
fn default_branch(repository: &Repository, beside: Beside<'_>) -> Result<Option<Revision>, SourceError> {
    if let Beside::Remote(name) = beside {
        for branch in ["HEAD", "main", "master"] {
            match repository.resolve(&format!("refs/remotes/{name}/{branch}")) {
                Ok(found) => return Ok(Some(found)),
                Err(SourceError::UnknownRevision { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        return Ok(None);
    }
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
    fn what_goes_out_may_be_named_by_an_expression() {
        let input =
            format!("HEAD~1 {A} refs/heads/a {ZERO}\n(delete) {ZERO} refs/heads/b {A}\n:/a fix {A} refs/tags/c {A}\n");
        let updates = parse_outgoing(input.as_bytes()).unwrap();
        assert_eq!(
            updates.iter().map(|it| &*it.name).collect::<Vec<_>>(),
            ["refs/heads/a", "refs/heads/b", "refs/tags/c"]
        );
        assert!(updates[0].old.is_zero() && !updates[0].new.is_zero());
        assert!(updates[1].new.is_zero() && !updates[1].old.is_zero());
        assert!(parse_outgoing(b"x\n").is_err());
    }

    #[test]
    fn the_arguments_of_update_are_a_ref_and_two_ids() {
        assert!(update(b"refs/heads/a", A, ZERO).unwrap().new.is_zero());
        for (name, old, new) in [("main", A, A), ("refs/heads/a", "x", A), ("refs/heads/a", A, "")] {
            assert!(matches!(update(name.as_bytes(), old, new), Err(SourceError::Update)), "{name} {old} {new}");
        }
    }

    #[test]
    fn no_line_is_passed_over() {
        for bad in ["\n", "x\n", &format!("{A} {A}\n"), &format!("{A} {A} main\n"), &format!("{A}  {A} refs/x\n")] {
            let input = format!("{A} {A} refs/heads/a\n{bad}");
            assert!(matches!(parse(input.as_bytes()), Err(SourceError::Push { line: 2 })), "{bad:?}");
        }
    }
}
