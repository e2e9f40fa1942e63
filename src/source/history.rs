//! What commits tell: who made them, which files they touch, how a file was before.
//!
//! In: commits and paths. Out: [`Commit`]s and [`Version`]s, the newest first. All of it comes from the `git` program, so
//! that every kind of repository will do; where there is none the error says so, and whoever asked must not take that for
//! a yes. Names, addresses and dates in commits are what their makers wrote: nothing proves them.

use std::{collections::HashMap, sync::Arc};

use super::error::SourceError;
use super::git::Repository;
use super::objects::{ObjectError, Oid};
use super::path;

/// Most commits of a change that are looked at one by one.
const MAX_COMMITS: usize = 1000;

/// Most paths that are named to `git` at once; with more, every commit of the range is looked at.
const MAX_PATHS: usize = 500;

/// Bytes of a commit that are read.
const MAX_COMMIT_BYTES: u64 = 1 << 20;

/// A name and an address, as somebody wrote them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Person {
    /// The name.
    pub(crate) name: String,
    /// The address.
    pub(crate) email: String,
}

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    /// Its id.
    pub(crate) id: Oid,
    /// Who wrote the change.
    pub(crate) author: Person,
    /// Who made the commit.
    pub(crate) committer: Person,
    /// When it was made, in seconds since 1970.
    pub(crate) seconds: i64,
    /// How many commits it follows; more than one for a merge.
    pub(crate) n_parents: usize,
    /// The message.
    pub(crate) message: String,
    /// Whether it carries a signature, whatever that is worth.
    pub(crate) is_signed: bool,
    /// The paths in which it differs from all that it follows.
    pub(crate) paths: Vec<String>,
}

/// A file as a commit left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// When the commit was made, in seconds since 1970.
    pub(crate) seconds: i64,
    /// The bytes; `None` where the commit removed the file.
    pub(crate) bytes: Option<Arc<[u8]>>,
}

/// The commits from `old` (or the beginning) to `new` that touch one of the paths.
///
/// # Errors
/// There is no `git`, an object is missing, or there are too many commits to look at each of them.
pub(crate) fn commits(
    repository: &Repository,
    old: Option<Oid>,
    new: Oid,
    paths: &[&str],
) -> Result<Vec<Commit>, SourceError> {
    let git = repository.any_process()?;
    let mut arguments = vec!["rev-list".to_owned(), "--full-history".to_owned()];
    arguments.push(format!("--max-count={}", MAX_COMMITS + 1));
    arguments.push(new.to_string());
    arguments.extend(old.map(|it| format!("^{it}")));
    arguments.push("--".to_owned());
    // A path that is no UTF-8 can't be named.
    if paths.len() <= MAX_PATHS && !paths.iter().any(|path| path.contains("\\x")) {
        arguments.extend(paths.iter().map(|path| format!(":(top,literal){path}")));
    }
    let ids = ids(&git.run_all(&arguments)?);
    if ids.len() > MAX_COMMITS {
        return Err(SourceError::Process(format!("more than {MAX_COMMITS} commits touch policies or exceptions")));
    }
    let mut cat_file = git.cat_file()?;
    let mut out = Vec::with_capacity(ids.len());
    for id in ids {
        let raw = cat_file.read(id, "commit", MAX_COMMIT_BYTES).map_err(|error| failed(&error))?;
        let tree = ["diff-tree", "-r", "-c", "--root", "--no-renames", "--no-commit-id", "--name-only", "-z"];
        let arguments: Vec<String> = tree.into_iter().map(str::to_owned).chain([id.to_string()]).collect();
        let names = git.run_all(&arguments)?;
        let paths = names.split(|it| *it == 0).filter(|it| !it.is_empty()).map(path::display).collect();
        out.push(Commit { paths, ..commit(id, &raw) });
    }
    Ok(out)
}

/// How files were, as each commit up to `at` left them that touched them, by path; the newest first. Renames are not
/// followed, and what a merge itself changes is not told. Links and directories are no versions of a file.
///
/// # Errors
/// There is no `git`, or an object is missing.
pub(crate) fn versions(
    repository: &Repository,
    at: Oid,
    paths: &[&str],
    max_bytes: u64,
) -> Result<HashMap<String, Vec<Version>>, SourceError> {
    let git = repository.any_process()?;
    let mut arguments: Vec<String> =
        ["log", "--no-renames", "--raw", "--no-abbrev", "-z", "--format=tformat:commit %ct"].map(str::to_owned).into();
    arguments.extend([at.to_string(), "--".to_owned()]);
    if paths.len() <= MAX_PATHS {
        arguments.extend(paths.iter().map(|path| format!(":(top,literal){path}")));
    }
    let listed = git.run_all(&arguments)?;
    let mut cat_file = git.cat_file()?;
    let mut out: HashMap<String, Vec<Version>> = HashMap::new();
    let mut seconds = 0;
    let mut tokens = listed.split(|it| *it == 0);
    while let Some(token) = tokens.next() {
        let token = String::from_utf8_lossy(token);
        let token = token.trim_start_matches('\n');
        if let Some(time) = token.strip_prefix("commit ") {
            seconds = time.trim().parse().unwrap_or_default();
        } else if let Some(raw) = token.strip_prefix(':') {
            // `MODE SP MODE SP ID SP ID SP STATUS`, then the path as a token of its own.
            let path = path::display(tokens.next().unwrap_or_default());
            if !paths.contains(&path.as_str()) {
                continue;
            }
            let mut words = raw.split(' ').skip(1);
            let (mode, id) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
            let blob = id.parse::<Oid>().ok().filter(|it| mode.starts_with("100") && !it.is_zero());
            let bytes = match blob.map(|id| cat_file.read(id, "blob", max_bytes)) {
                None | Some(Err(ObjectError::TooLarge { .. })) => None,
                Some(Ok(bytes)) => Some(Arc::from(bytes)),
                Some(Err(error)) => return Err(failed(&error)),
            };
            out.entry(path).or_default().push(Version { seconds, bytes });
        }
    }
    Ok(out)
}

/// The messages of the commits from `old` (or the beginning) to `new`, along the first parents, the newest first.
///
/// # Errors
/// There is no `git`, an object is missing, or there are too many commits.
pub(crate) fn messages(repository: &Repository, old: Option<Oid>, new: Oid) -> Result<Vec<String>, SourceError> {
    let git = repository.any_process()?;
    let mut arguments = vec!["rev-list".to_owned(), "--first-parent".to_owned()];
    arguments.push(format!("--max-count={}", MAX_COMMITS + 1));
    arguments.push(new.to_string());
    arguments.extend(old.map(|it| format!("^{it}")));
    let ids = ids(&git.run_all(&arguments)?);
    if ids.len() > MAX_COMMITS {
        return Err(SourceError::Process(format!("there are more than {MAX_COMMITS} commits")));
    }
    let mut cat_file = git.cat_file()?;
    ids.into_iter()
        .map(|id| {
            let raw = cat_file.read(id, "commit", MAX_COMMIT_BYTES).map_err(|error| failed(&error))?;
            Ok(commit(id, &raw).message)
        })
        .collect()
}

fn failed(error: &ObjectError) -> SourceError {
    SourceError::Process(error.to_string())
}

fn ids(text: &[u8]) -> Vec<Oid> {
    String::from_utf8_lossy(text).lines().filter_map(|line| line.parse().ok()).collect()
}

/// Reads a commit object: headers, an empty line, the message. <https://git-scm.com/docs/gitformat-signature>
fn commit(id: Oid, raw: &[u8]) -> Commit {
    let text = String::from_utf8_lossy(raw);
    let (headers, message) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut out = Commit {
        id,
        author: Person::default(),
        committer: Person::default(),
        seconds: 0,
        n_parents: 0,
        message: message.to_owned(),
        is_signed: false,
        paths: Vec::new(),
    };
    for line in headers.lines() {
        // What goes on from the line above begins with a space.
        match line.split_once(' ') {
            Some(("parent", _)) => out.n_parents += 1,
            Some(("author", rest)) => out.author = person(rest).0,
            Some(("committer", rest)) => (out.committer, out.seconds) = person(rest),
            Some(("gpgsig" | "gpgsig-sha256", _)) => out.is_signed = true,
            _ => {}
        }
    }
    out
}

/// Reads `NAME <ADDRESS> SECONDS ZONE`.
fn person(text: &str) -> (Person, i64) {
    let (name, rest) = text.split_once('<').unwrap_or((text, ""));
    let (email, rest) = rest.split_once('>').unwrap_or((rest, ""));
    let seconds = rest.split_whitespace().next().and_then(|it| it.parse().ok()).unwrap_or_default();
    (Person { name: name.trim().to_owned(), email: email.trim().to_owned() }, seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_read_with_its_people_and_its_signature() {
        let raw = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nparent a\nparent b\nauthor Ann A <ann@example.com> \
                    1700000000 +0200\ncommitter Bob <bob@example.com> 1700000001 +0000\ngpgsig -----BEGIN\n author x\n\n\
                    subject\n\nauthor forged <f@example.com> 1 +0\n";
        let id: Oid = "4b825dc642cb6eb9a060e54bf8d69288fbee4904".parse().unwrap();
        let it = commit(id, raw);
        assert_eq!((it.author.name.as_str(), it.author.email.as_str()), ("Ann A", "ann@example.com"));
        assert_eq!((it.committer.email.as_str(), it.seconds), ("bob@example.com", 1_700_000_001));
        assert_eq!((it.n_parents, it.is_signed), (2, true));
        assert!(it.message.starts_with("subject\n\nauthor forged"));
    }

    #[test]
    fn a_broken_line_is_nobody() {
        assert_eq!(person("nobody"), (Person { name: "nobody".to_owned(), email: String::new() }, 0));
        assert_eq!(person("<x@y> soon").0.email, "x@y");
    }
}
