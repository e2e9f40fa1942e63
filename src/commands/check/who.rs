//! Who makes a change, and how its exceptions were: read for the rules that ask, and only then.
//!
//! In: a repository, two commits, the rules. Out: what `governance::who` speaks of. What can't be read is said in its
//! place: the rule that asks must not take it for a yes.

use std::collections::{BTreeSet, HashMap};

use crate::{
    commands::{RunError, workspace::from_source},
    config::FILE_NAME,
    document::{classify::Class, resource::objects},
    governance::{
        Rules,
        codeowners::{self, Codeowners},
        who::{Asks, Authorship, History, Keyring},
    },
    runner::TreeFile,
    source::{
        Comparison, Entry, Oid, Pusher, Reader, Repository, SourceError, Trees, git_tree, history,
        signature::{self, Keys},
    },
};

/// Bytes of a file with owners, keys, or an exception that are read.
const MAX_BYTES: u64 = 1 << 20;

/// Most files of exceptions whose history is read.
const MAX_FILES: usize = 500;

/// Who makes the change that touches these files of policies and exceptions.
pub(super) fn authorship(
    repository: &Repository,
    comparison: &Comparison,
    law: &BTreeSet<&str>,
    rules: &Rules,
    pusher: Option<Pusher>,
) -> Result<Authorship, RunError> {
    let asks = Asks::of(rules);
    let base = comparison.base.as_ref().or(comparison.old.as_ref()).unwrap_or(&comparison.new);
    let mut files = Files::of(repository, base.tree)?;
    let mut after = Files::of(repository, comparison.new.tree)?;
    let mut out = Authorship {
        owners: None,
        owners_after: None,
        guards: guards(&mut files, &mut after, asks.signatures.as_ref())?,
        pusher,
        commits: Ok(Vec::new()),
        signatures: Ok(Vec::new()),
        messages: Ok(Vec::new()),
    };
    if law.is_empty() && out.guards.is_empty() {
        return Ok(out);
    }
    if asks.owners {
        out.owners = files.owners()?;
        if out.guards.iter().any(|path| codeowners::PLACES.contains(&path.as_str())) {
            out.owners_after = after.owners()?;
        } else {
            out.owners_after.clone_from(&out.owners);
        }
    }
    let old = comparison.base.as_ref().and_then(|it| it.commit);
    let new = comparison.new.commit.ok_or_else(|| "a tree is compared that is no commit's".to_owned());
    if asks.commits {
        let paths: Vec<&str> = law.iter().copied().chain(out.guards.iter().map(String::as_str)).collect();
        out.commits = new.clone().and_then(|new| said(history::commits(repository, old, new, &paths)));
    }
    if asks.messages {
        out.messages = new.and_then(|new| said(history::messages(repository, old, new)));
    }
    if let (Some(wanted), Ok(commits)) = (&asks.signatures, &out.commits) {
        let ids: Vec<Oid> = commits.iter().map(|it| it.id).collect();
        out.signatures = match keys(&mut files, wanted)? {
            Ok(keys) => said(signature::verify(repository, &ids, &keys)),
            Err(missing) => Err(missing),
        };
    }
    Ok(out)
}

/// The files that say how changes are judged, and that differ.
fn guards(before: &mut Files, after: &mut Files, keys: Option<&Keyring>) -> Result<Vec<String>, RunError> {
    let mut paths = vec![FILE_NAME.to_owned(), IGNORE_FILE.to_owned()];
    paths.extend(codeowners::PLACES.map(str::to_owned));
    if let Some(Keyring { allowed_signers, gpg_keys }) = keys {
        paths.extend([allowed_signers].into_iter().chain(gpg_keys).filter(|it| !it.is_empty()).cloned());
    }
    let mut out = Vec::new();
    for path in paths {
        if before.at(&path)? != after.at(&path)? {
            out.push(path);
        }
    }
    Ok(out)
}

/// The name of the ignore file at the root.
const IGNORE_FILE: &str = ".admitignore";

/// How the exceptions in these files were up to a commit, for those that have an end.
pub(super) fn history<'f>(
    repository: &Repository,
    at: Oid,
    files: impl Iterator<Item = &'f TreeFile>,
    asks: &Asks,
    below_root: impl Fn(&str) -> Option<String>,
) -> Option<History> {
    let mut paths: HashMap<String, String> = HashMap::new();
    for file in files.filter(|it| it.roles.exceptions) {
        let documents = file.documents.iter().filter(|it| it.class == Class::Exception);
        let mut all =
            documents.flat_map(|it| objects(it.document.root()).into_iter().map(|node| (&it.document, node.id())));
        if all.any(|(document, id)| asks.history_of(document, id)) {
            let path = file.file.path();
            paths.extend(below_root(path).map(|it| (it, path.to_string())));
        }
    }
    if paths.is_empty() {
        return None;
    }
    if repository.is_shallow() {
        return Some(Err("the history is cut off in this clone".to_owned()));
    }
    if paths.len() > MAX_FILES {
        return Some(Err(format!("more than {MAX_FILES} files hold exceptions with an end")));
    }
    let wanted: Vec<&str> = paths.keys().map(String::as_str).collect();
    let found = said(history::versions(repository, at, &wanted, MAX_BYTES));
    Some(found.map(|it| it.into_iter().filter_map(|(path, all)| Some((paths.get(&path)?.clone(), all))).collect()))
}

/// The keys that count, or which of them is missing.
fn keys(files: &mut Files, wanted: &Keyring) -> Result<Result<Keys, String>, RunError> {
    let mut out = Keys::default();
    if wanted.allowed_signers.is_empty() && wanted.gpg_keys.is_empty() {
        return Ok(Err("neither `allowedSigners` nor `gpgKeys` of GOV004 is set".to_owned()));
    }
    if !wanted.allowed_signers.is_empty() {
        match files.read(&wanted.allowed_signers)? {
            Some(bytes) => out.allowed_signers = Some(bytes),
            None => return Ok(Err(format!("there is no {} before the change", wanted.allowed_signers))),
        }
    }
    for path in &wanted.gpg_keys {
        match files.read(path)? {
            Some(bytes) => out.gpg.push(bytes),
            None => return Ok(Err(format!("there is no {path} before the change"))),
        }
    }
    Ok(Ok(out))
}

fn said<T>(done: Result<T, SourceError>) -> Result<T, String> {
    done.map_err(|error| error.to_string())
}

/// Single files of a tree.
struct Files {
    trees: Trees,
    reader: Reader,
    tree: Oid,
}

impl Files {
    fn of(repository: &Repository, tree: Oid) -> Result<Self, RunError> {
        let trees = repository.trees().map_err(|error| from_source(&error))?;
        let reader = repository.reader(MAX_BYTES).map_err(|error| from_source(&error))?;
        Ok(Self { trees, reader, tree })
    }

    /// Where a file is; `None` where there is none.
    fn at(&mut self, path: &str) -> Result<Option<Entry>, RunError> {
        git_tree::find(&mut self.trees, self.tree, path).map_err(|error| from_source(&error))
    }

    /// Who owns what.
    fn owners(&mut self) -> Result<Option<Codeowners>, RunError> {
        for path in codeowners::PLACES {
            if let Some(bytes) = self.read(path)? {
                return Ok(Some(Codeowners::parse(path, &String::from_utf8_lossy(&bytes))));
            }
        }
        Ok(None)
    }

    /// The bytes of a file; `None` where there is none.
    fn read(&mut self, path: &str) -> Result<Option<Vec<u8>>, RunError> {
        let Some(entry) = self.at(path)? else { return Ok(None) };
        match self.reader.read(&entry) {
            Ok(blob) => Ok(Some(blob.bytes)),
            Err(skip) => Err(RunError::new(format!("{path}: {skip}"))),
        }
    }
}
