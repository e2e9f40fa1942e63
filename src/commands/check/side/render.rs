//! What a change does to what is deployed: the overlays and charts that it reaches, rendered on both sides.
//!
//! In: both trees. Out: what the renders of the new side bring that those of the old one did not, as objects to judge, and
//! what was there before. What nothing of the change reaches is neither read nor rendered.

use std::collections::{BTreeSet, HashSet};

use super::{Side, TreeAt};
use crate::{
    commands::{
        RunError,
        check::{
            LawArgs, TELLING,
            render::{Done, Renders, hidden, unasked},
        },
        workspace::from_source,
    },
    document::{Document, Limits, Node, classify::directory, parse, resource::objects},
    expr::Value,
    finding::Finding,
    render::{Manner, Sources, Unit, deployed},
    report::Progress,
    runner::{self, Scopes, Tree, TreeFile},
    source::{Listing, Oid, Options, Standing, Store, git_tree, holdings},
    span::File,
};

/// What rendering both sides came to.
#[derive(Default)]
pub(super) struct Both {
    /// What is judged.
    pub after: Vec<TreeFile>,
    /// What was there before.
    pub before: Vec<TreeFile>,
    pub findings: Vec<Finding>,
    pub notes: Vec<String>,
    pub sources: Sources,
    /// What is new in what others include, as it would be by itself.
    pub included: Vec<TreeFile>,
}

impl Side<'_> {
    /// Renders what the change reaches, and leaves out of both trees what came out of it.
    pub(super) fn render(
        &self,
        law: &LawArgs,
        after: &mut Tree,
        before: &mut Tree,
        progress: &Progress,
    ) -> Result<Both, RunError> {
        let renders = Renders::new(&law.render, &self.settings.render, self.environment)?;
        let mut out = Both::default();
        if !renders.is_on() {
            out.findings = hidden(after, &[]);
            if renders.is_unasked {
                out.findings.extend(unasked(&self.reached(&renders)?));
            }
            return Ok(out);
        }
        let (new, old) = (self.new_store()?, self.old_store()?);
        let changed = new.changes(&old).map_err(|skip| RunError::new(format!("the change can't be read: {skip}")))?;
        let options = self.judged()?;
        let is_judged = |it: &&String| options.filter.takes(it);
        let told = |store: &Store| deployments(store, changed.iter().filter(is_judged));
        if !is_near(&changed, &new, &old) && told(&new).is_empty() && told(&old).is_empty() {
            out.findings = hidden(after, &[]);
            return Ok(out);
        }
        // Who deploys a directory need not be touched by what changes it.
        let all =
            new.changes(&Store::nothing()).map_err(|skip| RunError::new(format!("the tree can't be read: {skip}")))?;
        let here = deployments(&new, all.iter().filter(is_judged));
        let there: BTreeSet<&String> = here.iter().map(|it| &it.0).chain(changed.iter().filter(is_judged)).collect();
        let there = deployments(&old, there.into_iter());
        let (here, there) = (deployed(&new, objects_of(&here), ""), deployed(&old, objects_of(&there), ""));
        let changed: HashSet<&str> = changed.iter().map(String::as_str).collect();
        out.findings = here.findings.into_iter().filter(|it| changed.contains(&*it.primary.path)).collect();
        let reaches = |unit: &Unit| unit.reads.iter().any(|it| changed.contains(&**it));
        let (new_paths, old_paths) = (telling(&self.list_new()?), telling(&self.list_old()?));
        let mut old_units =
            renders.units(&old, old_paths.iter().map(String::as_str), there.units, &|_| false, |_| true);
        // Whoever includes it from now on does not keep it from being judged: it was deployed by itself so far.
        let was_root: HashSet<&str> = old_units
            .iter()
            .filter(|it| !it.is_included && it.manner == Manner::default())
            .map(|it| &*it.directory)
            .collect();
        let is_root = |at: &str| was_root.contains(at);
        let mut new_units = renders.units(&new, new_paths.iter().map(String::as_str), here.units, &is_root, |_| true);
        // What only one side of the change reaches is compared with the other all the same.
        let key = |it: &Unit| (it.tool, it.directory.clone(), it.manner.clone());
        let (new_keys, old_keys): (HashSet<_>, HashSet<_>) =
            (new_units.iter().map(key).collect(), old_units.iter().map(key).collect());
        // So is what is deployed otherwise, or no more.
        let otherwise = new_keys.symmetric_difference(&old_keys).cloned();
        let reached = new_units.iter().chain(&old_units).filter(|it| reaches(it)).map(key);
        let reached: HashSet<_> = reached.chain(otherwise).collect();
        new_units.retain(|it| reached.contains(&key(it)));
        old_units.retain(|it| reached.contains(&key(it)));
        let new_done = renders.render(&new, new_units, "rendered", progress)?;
        let old_done = renders.render(&old, old_units, "rendered before", progress)?;
        new_done.cover(after);
        old_done.cover(before);
        out.findings.extend(hidden(after, &new_done.rendered));
        out.findings.extend(new_done.findings.iter().cloned());
        out.notes.extend(new_done.notes.iter().cloned());
        if !old_done.findings.is_empty() {
            let n = old_done.findings.len();
            out.notes.push(format!("what was deployed before is not known in all: {n} renders of that side failed"));
        }
        Self::compare(new_done, old_done, &mut after.scopes, &mut out);
        Ok(out)
    }

    /// The overlays and charts that the change reaches. A repository without any is not looked through.
    fn reached(&self, renders: &Renders<'_>) -> Result<Vec<Unit>, RunError> {
        let paths = telling(&self.list_new()?);
        let directories: HashSet<&str> = paths.iter().map(|it| directory(it)).collect();
        if directories.is_empty() {
            return Ok(Vec::new());
        }
        let (new, old) = (self.new_store()?, self.old_store()?);
        let changed = new.changes(&old).map_err(|skip| RunError::new(format!("the change can't be read: {skip}")))?;
        let is_near = |path: &String| {
            let above = std::iter::successors(Some(directory(path)), |it| (!it.is_empty()).then(|| directory(it)));
            above.into_iter().any(|it| directories.contains(it))
        };
        if !changed.iter().any(is_near) {
            return Ok(Vec::new());
        }
        let changed: HashSet<&str> = changed.iter().map(String::as_str).collect();
        let reaches = |unit: &Unit| unit.reads.iter().any(|it| changed.contains(&**it));
        Ok(renders.units(&new, paths.iter().map(String::as_str), Vec::new(), &|_| false, reaches))
    }

    /// Takes apart what is new and what was there; what is the same on both sides is neither.
    fn compare(new: Done, old: Done, scopes: &mut Scopes, out: &mut Both) {
        let mut old_scopes = scopes.clone();
        let (mut after, findings) = new.files(scopes);
        let (mut before, _) = old.files(&mut old_scopes);
        out.findings.extend(findings);
        let (here, there) = (texts(&after), texts(&before));
        without(&mut after, &there);
        without(&mut before, &here);
        (out.after, out.before) = (after, before);
        out.included = new.included_files(scopes);
        without(&mut out.included, &texts(&old.included_files(&old_scopes)));
        without(&mut out.included, &there);
        let all = new.rendered.into_iter().chain(old.rendered).chain(new.included);
        all.for_each(|it| out.sources.add(it));
    }

    fn new_store(&self) -> Result<Store, RunError> {
        let max_bytes = Options::default().max_bytes;
        let (trees, root) = match &self.tree {
            TreeAt::Stored { new, .. } => (self.repository.trees(), *new),
            TreeAt::Index(snapshot) => (snapshot.trees(), snapshot.root()),
        };
        Ok(Store::trees(trees.map_err(|error| from_source(&error))?, root, max_bytes))
    }

    fn old_store(&self) -> Result<Store, RunError> {
        let Some(old) = self.old else { return Ok(Store::nothing()) };
        Store::tree(&self.repository, old, Options::default().max_bytes).map_err(|error| from_source(&error))
    }

    fn list_new(&self) -> Result<Listing, RunError> {
        match &self.tree {
            TreeAt::Stored { new, .. } => self.screened(*new),
            TreeAt::Index(snapshot) => snapshot.list(&self.options(&[])?).map_err(|error| from_source(&error)),
        }
    }

    fn list_old(&self) -> Result<Listing, RunError> {
        match (self.old, &self.tree) {
            (None, _) => Ok(Listing::default()),
            (Some(old), TreeAt::Stored { .. }) => self.screened(old),
            // Nothing is remembered of what is only staged.
            (Some(old), TreeAt::Index(_)) => {
                git_tree::list(&self.repository, old, &self.options(&[])?).map_err(|error| from_source(&error))
            }
        }
    }

    fn screened(&self, tree: Oid) -> Result<Listing, RunError> {
        holdings::list(&self.repository, tree, &self.options(&[])?, &runner::SCREEN)
            .map_err(|error| from_source(&error))
    }
}

/// The groups of what says how a directory is deployed.
const DEPLOYERS: [&[u8]; 2] = [b"argoproj.io/", b"toolkit.fluxcd.io/"];

/// The files among `paths` that may say how a directory is deployed, with what stands in them. What can't be read is told
/// where files are read.
fn deployments<'p>(store: &Store, paths: impl Iterator<Item = &'p String>) -> Vec<(String, Vec<Document>)> {
    let may_deploy = |bytes: &[u8]| DEPLOYERS.iter().any(|it| memchr::memmem::find(bytes, it).is_some());
    let read = |path: &String| {
        let bytes = store.read(path).ok().flatten().filter(|it| may_deploy(it))?;
        Some((path.clone(), parse(&File::new(path.as_str(), bytes), &Limits::default()).documents))
    };
    paths.filter_map(read).collect()
}

fn objects_of(files: &[(String, Vec<Document>)]) -> impl Iterator<Item = Node<'_>> {
    files.iter().flat_map(|it| &it.1).flat_map(|it| objects(it.root()))
}

/// The charts and kustomizations of a listing.
fn telling(listing: &Listing) -> Vec<String> {
    let is_one = |path: &&str| TELLING.contains(&path.rsplit('/').next().unwrap_or(path));
    listing.entries.iter().map(|it| &*it.path).filter(is_one).map(str::to_owned).collect()
}

/// Whether any path lies in a directory with a chart or a kustomization, or below one: nothing else is read by any.
fn is_near(changed: &[String], new: &Store, old: &Store) -> bool {
    let mut seen = BTreeSet::new();
    for path in changed {
        let mut at = directory(path);
        while seen.insert(at) {
            let stands = |name: &&str| {
                let path = if at.is_empty() { (*name).to_owned() } else { format!("{at}/{name}") };
                // What can't be looked at may be one.
                let is_there = |store: &Store| store.standing(&path).map_or(true, |it| it == Standing::File);
                is_there(new) || is_there(old)
            };
            if TELLING.iter().any(stands) {
                return true;
            }
            at = directory(at);
        }
    }
    false
}

/// The objects of rendered files, as text.
fn texts(files: &[TreeFile]) -> HashSet<String> {
    let subjects = files.iter().flat_map(|it| &it.documents).filter_map(|it| it.subject.as_ref());
    subjects.flat_map(|it| objects(it.root())).map(text).collect()
}

fn text(object: Node<'_>) -> String {
    Value::from(object).to_json()
}

/// Leaves out the documents whose objects are all known.
fn without(files: &mut [TreeFile], known: &HashSet<String>) {
    for document in files.iter_mut().flat_map(|it| &mut it.documents) {
        let is_known = |it: Node<'_>| known.contains(&text(it));
        if document.subject.as_ref().is_some_and(|it| objects(it.root()).into_iter().all(is_known)) {
            document.subject = None;
        }
    }
}
