//! What lies around a change and tells what its files are: charts, kustomizations, definitions of kinds.

use std::collections::BTreeSet;

use super::{Known, Side, TreeAt};
use crate::{
    commands::{RunError, check::TELLING, workspace::from_source},
    document::classify::{directory, is_kustomization, is_partial_workload},
    k8s::gvk::{self, split_api_version},
    report::Progress,
    runner::{self, Input, Law, Roles, Tree, TreeFile},
    source::{Diff, Entry, git_tree, holdings},
};

impl Side<'_> {
    /// The charts and kustomizations around what changed: they tell which files are no manifests of their own.
    pub(super) fn telling(&self, diff: &Diff) -> Result<Vec<Entry>, RunError> {
        let (mut trees, root) = match &self.tree {
            TreeAt::Stored { new, .. } => (self.repository.trees(), *new),
            TreeAt::Index(snapshot) => (snapshot.trees(), snapshot.root()),
        };
        let trees = trees.as_mut().map_err(|error| from_source(error))?;
        let mut directories = BTreeSet::new();
        for change in &diff.changes {
            for path in [change.old.as_ref(), change.new.as_ref()].into_iter().flatten().map(|it| &*it.path) {
                let mut at = directory(path);
                while directories.insert(at) && !at.is_empty() {
                    at = directory(at);
                }
            }
        }
        let mut out = Vec::new();
        for at in directories {
            out.extend(git_tree::find_in(trees, root, at, &TELLING).map_err(|error| from_source(&error))?);
        }
        Ok(out)
    }

    /// Whether what changed can't be told without a look at the rest: a workload that lacks what it needs may be the
    /// patch of a kustomization elsewhere, and a kind that nobody knows may be one outside of namespaces.
    pub(super) fn knows_too_little(tree: &Tree, law: &Law) -> bool {
        tree.files.iter().flat_map(TreeFile::subjects).any(|object| {
            let kind = crate::engine::request::kind_of(object);
            if law.policies.rules_for(kind).is_empty() {
                return false;
            }
            let (group, _) = split_api_version(object.str_at(&["apiVersion"]).unwrap_or_default());
            let is_homeless = object.str_at(&["metadata", "namespace"]) == Some("default");
            is_partial_workload(object) || (is_homeless && gvk::builtin(group, kind.kind).is_none())
        })
    }

    /// What all of the tree after the change has to tell: its kustomizations, and the kinds that it defines; if need be
    /// the names of all its objects.
    pub(super) fn surroundings(&self, wants_names: bool, progress: &Progress) -> Result<Surroundings, RunError> {
        let options = self.options(&[])?;
        let listing = match &self.tree {
            TreeAt::Stored { new, .. } if wants_names => git_tree::list(&self.repository, *new, &options),
            TreeAt::Stored { new, .. } => holdings::list(&self.repository, *new, &options, &runner::SCREEN),
            TreeAt::Index(snapshot) => snapshot.list(&options),
        };
        let listing = listing.map_err(|error| from_source(&error))?;
        let telling = listing.entries.iter().filter(|it| is_kustomization(&it.path)).cloned().collect();
        let roles = Roles { screened: !wants_names, ..Roles::default() };
        let inputs: Vec<Input> = listing.entries.into_iter().map(|entry| Input { entry, roles }).collect();
        let Tree { scopes, names, .. } = self.load(&inputs, &Known::default(), progress)?;
        Ok(Surroundings { telling, known: Known { scopes, names } })
    }
}

/// What is known only from a look at a whole tree.
pub(super) struct Surroundings {
    pub(super) telling: Vec<Entry>,
    pub(super) known: Known,
}
