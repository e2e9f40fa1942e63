//! A case from Git objects: the difference of two commits, or of the index and `HEAD`.
//!
//! What changed is read on both sides: an object that was there before is updated, one that is gone is removed. The law
//! is that of the side which the configuration trusts, by default the one before the change. Without a checkout;
//! nothing is written.

use std::{
    collections::{BTreeSet, HashSet},
    path::Path,
    sync::Arc,
};

use super::{Case, LawArgs, tree::is_glob};
use crate::{
    commands::{
        RunError,
        workspace::{Workspace, from_source, parse_settings},
    },
    config::{FILE_NAME, Settings, Trust},
    document::{
        Limits,
        classify::{directory, is_kustomization, join},
    },
    finding::{Finding, Place, Severity},
    report::Progress,
    runner::{self, Input, Law, Loader, Roles, Tree},
    source::{
        Comparison, Diff, Entry, Environment, Filter, Listing, Oid, Options, Reader, Repository, git_diff, git_tree,
        is_hidden, staged::Snapshot, worktree,
    },
};

/// Names of the files that tell what their neighbors are: charts and kustomizations.
const TELLING: [&str; 5] = ["Chart.yaml", "Chart.yml", "kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The case of the change that `range` names.
pub(super) fn between(
    workspace: &Workspace,
    range: &str,
    law: &LawArgs,
    progress: &Progress,
) -> Result<Case, RunError> {
    let repository = repository(workspace)?;
    let comparison = repository.comparison(range).map_err(|error| from_source(&error))?;
    compare(repository, &comparison, law, progress)
}

/// The case of a change between two commits of a repository.
pub(crate) fn compare(
    repository: &Repository,
    comparison: &Comparison,
    law: &LawArgs,
    progress: &Progress,
) -> Result<Case, RunError> {
    let base = comparison.old.as_ref().map(|it| it.tree);
    let side = Side::of_trees(repository, base, comparison.new.tree)?;
    let mut trees = repository.trees().map_err(|error| from_source(&error))?;
    let options = side.options()?;
    let diff = git_diff::compare(&mut trees, base, Some(comparison.new.tree), &options)
        .map_err(|error| from_source(&error))?;
    let mut case = side.case(diff, law, &options, progress)?;
    let judged_by = match (&comparison.old, side.trust) {
        (Some(old), Trust::Base) => format!("judged by the policies of {old}"),
        _ => format!("judged by the policies of {}", comparison.new),
    };
    case.notes.insert(0, judged_by);
    Ok(case)
}

/// The case of what is staged.
pub(super) fn staged(
    workspace: &Workspace,
    environment: &Environment,
    law: &LawArgs,
    progress: &Progress,
) -> Result<Case, RunError> {
    let repository = repository(workspace)?;
    let index_file = environment.index_file();
    let snapshot = Snapshot::new(repository, index_file.as_deref()).map_err(|error| from_source(&error))?;
    let filter =
        Filter::new(&workspace.settings.include, &workspace.settings.exclude).map_err(|error| from_source(&error))?;
    let options = options(filter);
    let diff = snapshot.compare(&options).map_err(|error| from_source(&error))?;
    // Whoever commits is not kept from anything here: the index is taken as it is, law and all.
    let side =
        Side { repository, tree: TreeAt::Index(&snapshot), settings: workspace.settings.clone(), trust: Trust::Head };
    side.case(diff, law, &options, progress)
}

fn repository(workspace: &Workspace) -> Result<&Repository, RunError> {
    workspace.repository.as_ref().ok_or_else(|| RunError::new("this is not in a Git repository"))
}

fn options(filter: Filter) -> Options {
    Options { filter, jobs: rayon::current_num_threads(), ..Options::default() }
}

/// The side of a change that holds the law.
struct Side<'r> {
    repository: &'r Repository,
    tree: TreeAt<'r>,
    settings: Settings,
    trust: Trust,
}

/// A tree that can be listed.
enum TreeAt<'r> {
    Stored { law: Oid, new: Oid },
    Index(&'r Snapshot<'r>),
}

impl<'r> Side<'r> {
    /// The side that the configuration before the change trusts; without anything before it, the change itself.
    fn of_trees(repository: &'r Repository, base: Option<Oid>, new: Oid) -> Result<Self, RunError> {
        let Some(base) = base else {
            let settings = settings_in(repository, new)?;
            return Ok(Self { repository, tree: TreeAt::Stored { law: new, new }, settings, trust: Trust::Head });
        };
        let settings = settings_in(repository, base)?;
        let trust = settings.trust;
        Ok(match trust {
            Trust::Base => Self { repository, tree: TreeAt::Stored { law: base, new }, settings, trust },
            Trust::Head => {
                let settings = settings_in(repository, new)?;
                Self { repository, tree: TreeAt::Stored { law: new, new }, settings, trust }
            }
        })
    }

    fn options(&self) -> Result<Options, RunError> {
        let filter = Filter::new(&self.settings.include, &self.settings.exclude);
        Ok(options(filter.map_err(|error| from_source(&error))?))
    }

    fn case(&self, diff: Diff, law: &LawArgs, options: &Options, progress: &Progress) -> Result<Case, RunError> {
        let repository = self.repository;
        let max_bytes = options.max_bytes;
        let reader = || repository.reader(max_bytes);
        let loader = Loader { reader: &reader, limits: Limits::default(), progress };
        let load = |inputs: &[Input]| {
            progress.expect(inputs.len() as u64);
            let paths: Vec<&str> = inputs.iter().map(|it| &*it.entry.path).collect();
            loader.load(inputs, paths.into_iter()).map_err(|error| from_source(&error))
        };
        let changed: HashSet<&str> = diff
            .changes
            .iter()
            .flat_map(|it| [it.old.as_ref(), it.new.as_ref()])
            .flatten()
            .map(|it| &*it.path)
            .collect();

        let law_inputs = self.law_inputs(law, options)?;
        let law_tree = load(&law_inputs.inputs)?;
        let mut compiled = Law::compile(law_tree.files.iter());
        // What the change itself mends, or takes away, is not held against it.
        compiled.findings.retain(|it| self.trust == Trust::Head || !changed.contains(&*it.primary.path));

        let companions = self.companions(&diff)?;
        let side = |new: bool| -> Vec<Input> {
            let roles = Roles { judged: new, ..Roles::default() };
            let of = |it: &git_diff::Change| if new { it.new.clone() } else { it.old.clone() };
            let mut inputs: Vec<Input> =
                diff.changes.iter().filter_map(of).map(|entry| Input { entry, roles }).collect();
            let known: HashSet<Arc<str>> = inputs.iter().map(|it| Arc::clone(&it.entry.path)).collect();
            let telling = companions.iter().filter(|it| !known.contains(&it.path)).cloned();
            inputs.extend(telling.map(|entry| Input { entry, roles: Roles::default() }));
            inputs
        };
        let tree = load(&side(true))?;
        let before = load(&side(false))?;
        let mut held = crate::cluster::Cluster::default();
        let changes_before = before.files.iter().filter(|file| changed.contains(&**file.file.path()));
        runner::hold(&mut held, changes_before);

        let mut case = Case { tree, held, removes: true, ..Case::default() };
        case.findings.extend(runner::skipped(&diff.skipped));
        case.findings.extend(law_inputs.findings);
        case.findings.extend(diff.ignore_files.iter().map(ignore_file_changed));
        self.stand_in(&mut compiled, &case.tree, law, options, &load)?;
        case.law = compiled;
        case.law_tree = Tree { findings: law_tree.findings, counts: law_tree.counts, files: law_tree.files };
        case.law_tree.findings.retain(|it| self.trust == Trust::Head || !changed.contains(&*it.primary.path));
        Ok(case)
    }

    /// Fills in what stands for the cluster, if a verdict can depend on it.
    fn stand_in(
        &self,
        compiled: &mut Law,
        new: &Tree,
        law: &LawArgs,
        options: &Options,
        load: &dyn Fn(&[Input]) -> Result<Tree, RunError>,
    ) -> Result<(), RunError> {
        let reads_objects = compiled.policies.reads_objects();
        if !reads_objects && !compiled.policies.reads_namespaces() {
            return Ok(());
        }
        let roles = Roles { cluster: true, screened: !reads_objects, ..Roles::default() };
        let listing = if law.cluster.is_empty() {
            self.list(options)?
        } else {
            let mut out = Listing::default();
            for name in &law.cluster {
                out.entries.extend(self.named(name, options)?.entries);
            }
            out
        };
        let inputs: Vec<Input> = listing.entries.into_iter().map(|entry| Input { entry, roles }).collect();
        let tree = load(&inputs)?;
        // Of an object on both sides the trusted one counts; an object that only the change brings is there, too.
        compiled.stand_in(new.files.iter().filter(|file| file.roles.judged));
        compiled.stand_in(tree.files.iter());
        Ok(())
    }

    /// What holds the law.
    fn law_inputs(&self, law: &LawArgs, options: &Options) -> Result<LawInputs, RunError> {
        let mut out = LawInputs::default();
        let policies = if law.policies.is_empty() { &self.settings.policies } else { &law.policies };
        let exceptions = if law.exceptions.is_empty() { &self.settings.exceptions } else { &law.exceptions };
        for name in policies {
            out.add(self.named(name, options)?, Roles { policies: true, ..Roles::default() });
        }
        for name in exceptions {
            out.add(self.named(name, options)?, Roles { exceptions: true, ..Roles::default() });
        }
        if policies.is_empty() || exceptions.is_empty() {
            // They may be anywhere. Reading is cheap, so every file is looked into, and parsed only if it may matter.
            let roles = Roles {
                policies: policies.is_empty(),
                exceptions: exceptions.is_empty(),
                screened: true,
                ..Roles::default()
            };
            out.add(self.list(options)?, roles);
        }
        Ok(out)
    }

    fn list(&self, options: &Options) -> Result<Listing, RunError> {
        match &self.tree {
            TreeAt::Stored { law, .. } => git_tree::list(self.repository, *law, options),
            TreeAt::Index(snapshot) => snapshot.list(options),
        }
        .map_err(|error| from_source(&error))
    }

    /// What a flag or the configuration names. A relative path is one in the repository; an absolute one, or one that
    /// climbs, is read from the file system: such policies belong to whoever runs this.
    fn named(&self, name: &str, options: &Options) -> Result<Listing, RunError> {
        let options = Options { filter: Filter::default(), ..options.clone() };
        let path = Path::new(name);
        if path.is_absolute() || name.starts_with("..") {
            return worktree::list(path, &[], None, &options).map_err(|error| from_source(&error));
        }
        let filter = Filter::new(&[name], &[]).map_err(|error| from_source(&error))?;
        let listing = match &self.tree {
            TreeAt::Stored { law, .. } if !is_glob(name) => {
                let below = name.trim_start_matches("./").trim_end_matches('/');
                git_tree::list_below(self.repository, *law, below, &options).map_err(|error| from_source(&error))?
            }
            _ => self.list(&Options { filter, ..options })?,
        };
        if listing.entries.is_empty() && listing.skipped.is_empty() {
            return Err(RunError::new(format!("nothing is at `{name}` in the commit that holds the policies"))
                .hint("a path outside of the repository is given in full: /etc/admit/policies"));
        }
        Ok(listing)
    }

    /// The charts and kustomizations around what changed: they tell which files are no manifests of their own.
    fn companions(&self, diff: &Diff) -> Result<Vec<Entry>, RunError> {
        let TreeAt::Stored { new, .. } = self.tree else {
            let listing = self.list(&options(Filter::default()))?;
            return Ok(listing.entries.into_iter().filter(|it| is_telling(&it.path)).collect());
        };
        let mut directories = BTreeSet::new();
        for change in &diff.changes {
            let mut at = directory(&change.path);
            while directories.insert(at) && !at.is_empty() {
                at = directory(at);
            }
        }
        let mut out = Vec::new();
        for at in directories {
            for name in TELLING {
                let found = git_tree::find(self.repository, new, &join(at, name));
                out.extend(found.map_err(|error| from_source(&error))?);
            }
        }
        Ok(out)
    }
}

/// What holds the law, and what could not be looked into.
#[derive(Default)]
struct LawInputs {
    inputs: Vec<Input>,
    findings: Vec<Finding>,
}

impl LawInputs {
    fn add(&mut self, listing: Listing, roles: Roles) {
        for entry in listing.entries.into_iter().filter(|entry| !is_hidden(&entry.path)) {
            match self.inputs.iter_mut().find(|it| !roles.screened && it.entry.path == entry.path) {
                Some(known) => {
                    known.roles.policies |= roles.policies;
                    known.roles.exceptions |= roles.exceptions;
                }
                None => self.inputs.push(Input { entry, roles }),
            }
        }
        // Links and submodules of the whole tree are no news in a change; what can't be read is.
        let findings = runner::skipped(&listing.skipped);
        self.findings.extend(findings.into_iter().filter(|it| it.severity == Severity::Error));
    }
}

fn is_telling(path: &str) -> bool {
    is_kustomization(path) || TELLING.contains(&path.rsplit('/').next().unwrap_or(path))
}

fn ignore_file_changed(path: &Arc<str>) -> Finding {
    let message = "an ignore file changes: what it shows or hides is not part of this change";
    Finding::new("source/ignore-file", Severity::Warning, Place::whole_file(Arc::clone(path)), message)
        .help("check the whole tree once: admit check")
}

/// The settings before a change, or those that it brings when nothing was there before.
pub(crate) fn settings_before(repository: &Repository, comparison: &Comparison) -> Result<Settings, RunError> {
    settings_in(repository, comparison.old.as_ref().map_or(comparison.new.tree, |it| it.tree))
}

/// The settings that a tree holds.
fn settings_in(repository: &Repository, tree: Oid) -> Result<Settings, RunError> {
    let Some(entry) = git_tree::find(repository, tree, FILE_NAME).map_err(|error| from_source(&error))? else {
        return Ok(Settings::default());
    };
    let mut reader = repository.reader(1 << 20).map_err(|error| from_source(&error))?;
    let blob = reader.read(&entry).map_err(|skip| RunError::new(format!("{FILE_NAME}: {skip}")))?;
    parse_settings(FILE_NAME, &blob.bytes)
}
