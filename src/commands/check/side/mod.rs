//! The side of a change that holds the law, and the case of what changed before that law.
//!
//! In: a difference of two trees. Out: a [`Case`]. Only what changed is read, what judges it, and what either depends on.

mod around;
mod law;
mod render;

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use super::{Case, LawArgs, sides::Sides, standing::Turnover};
use crate::{
    cluster::Cluster,
    commands::{
        RunError,
        workspace::{from_config, from_source},
    },
    config::{Settings, Trust},
    document::{Limits, heads::Heads, layout::Names},
    finding::{Finding, Place, Severity},
    governance::Rules,
    k8s::gvk::split_api_version,
    report::Progress,
    runner::{self, Input, Law, Loader, Roles, Scopes, Tree, TreeFile, Wanted},
    source::{
        Diff, Entry, Environment, Filter, Listing, Oid, Options, Repository, git_diff, git_tree,
        holdings::{self, Screen},
        is_hidden,
        staged::Snapshot,
    },
};

/// The side of a change that holds the law.
pub(super) struct Side<'r> {
    pub(super) repository: Cow<'r, Repository>,
    pub(super) environment: &'r Environment,
    pub(super) tree: TreeAt<'r>,
    /// What was there before the change; `None`: nothing.
    pub(super) old: Option<Oid>,
    pub(super) settings: Settings,
    pub(super) trust: Trust,
    /// How messages name it.
    pub(super) held_by: String,
    /// Whether it is the change's own, and the law is not.
    pub(super) is_unvouched: bool,
}

/// A tree that can be listed.
pub(super) enum TreeAt<'r> {
    Stored { law: Oid, new: Oid },
    Index(&'r Snapshot<'r>),
}

impl Side<'_> {
    pub(super) fn options(&self, include: &[String]) -> Result<Options, RunError> {
        let filter = Filter::new(include, &self.settings.exclude).map_err(|error| from_source(&error))?;
        Ok(Options { filter, jobs: rayon::current_num_threads(), ..Options::default() })
    }

    /// What is judged.
    pub(super) fn judged(&self) -> Result<Options, RunError> {
        self.options(&self.settings.include)
    }

    pub(super) fn case(
        &self,
        diff: Diff,
        law_diff: Option<&Diff>,
        law: &LawArgs,
        progress: &Progress,
    ) -> Result<Case, RunError> {
        let changed: HashSet<&str> = diff
            .changes
            .iter()
            .flat_map(|it| [it.old.as_ref(), it.new.as_ref()])
            .flatten()
            .map(|it| &*it.path)
            .collect();

        let law_inputs = self.law_inputs(law)?;
        let mut law_tree = self.load(&law_inputs.inputs, &Known::default(), progress)?;
        let mut compiled = Law::compile(law_tree.files.iter());
        // What the change itself mends, or takes away, is not held against it.
        let stays = |it: &Finding| {
            let path = &*it.primary.path;
            // A policy that is not evaluated here is not mended by a change, only by taking it away.
            let is_unknown = it.id == "policy/not-evaluated";
            self.trust == Trust::Head || is_unknown || law_inputs.on_disk.contains(path) || !changed.contains(path)
        };
        compiled.findings.retain(stays);
        law_tree.findings.retain(stays);

        let mut telling = self.telling(&diff)?;
        let mut known = Known { scopes: law_tree.scopes.clone(), names: Names::default() };
        let mut tree = self.load(&inputs(&diff, true, &telling), &known, progress)?;
        if tree.has_strays || Self::knows_too_little(&tree, &compiled) {
            let around = self.surroundings(tree.has_strays, progress)?;
            telling.extend(around.telling);
            known.scopes.extend(around.known.scopes);
            known.names = around.known.names;
            tree = self.load(&inputs(&diff, true, &telling), &known, progress)?;
        }
        known.scopes.extend(tree.scopes.iter().cloned());
        let mut before = self.load(&inputs(&diff, false, &telling), &known, progress)?;

        let governance = Rules::new(&self.settings.governance).map_err(|error| from_config(&error))?;
        let sides = match law_diff {
            None => self.sides(&before.files, &tree.files, &diff, law)?,
            Some(diff) => {
                let before = self.load(&inputs(diff, false, &telling), &known, progress)?;
                let after = self.load(&inputs(diff, true, &telling), &known, progress)?;
                self.sides(&before.files, &after.files, diff, law)?
            }
        };
        let both = self.render(law, &mut tree, &mut before, progress)?;
        let mut held = Cluster::default();
        runner::hold(&mut held, before.files.iter().filter(|file| changed.contains(&**file.file.path())));
        runner::hold(&mut held, both.before.iter());
        tree.files.extend(both.after);
        self.stand_in(&mut compiled, &tree, law, progress)?;
        let mut findings = runner::skipped(&diff.skipped);
        findings.extend(law_inputs.findings.iter().cloned());
        findings.extend(diff.ignore_files.iter().map(ignore_file_changed));
        let mut notes = law_inputs.notes.clone();
        notes.insert(0, format!("judged by the policies of {}, trust: {}", self.held_by, self.trust));
        findings.extend(both.findings);
        notes.extend(both.notes);
        let user = self.settings.user.clone();
        let mut turnover = Turnover::default();
        let is_fixed = |path: &str| law_inputs.on_disk.contains(path);
        if self.is_unvouched {
            turnover = Turnover::of_all(&compiled.policies, is_fixed);
        } else if matches!(self.trust, Trust::Base | Trust::Both) {
            turnover = Turnover::new(&mut compiled.policies, &sides.after, &sides.changed, is_fixed);
        }
        let (governance, sides) = (Some(governance), Some(sides));
        Ok(Case {
            law: compiled,
            tree,
            law_tree,
            held,
            removes: true,
            user,
            findings,
            notes,
            governance,
            limits: law.limits(&self.settings.governance.limits),
            sides,
            turnover,
            sources: both.sources,
            included: both.included,
            ..Case::default()
        })
    }

    /// The files that changed, with what they count as before the law.
    fn sides(&self, before: &[TreeFile], after: &[TreeFile], diff: &Diff, law: &LawArgs) -> Result<Sides, RunError> {
        let settings = &self.settings;
        let filter = |given: &[String], set: &[String]| -> Result<Option<Filter>, RunError> {
            let below: Vec<String> = given.iter().filter_map(|name| self.below_root(name)).collect();
            // Law from elsewhere is no part of any change.
            if (!given.is_empty() || self.trust == Trust::Operator) && below.is_empty() {
                return Ok(None);
            }
            let include = if given.is_empty() { set } else { &below };
            Filter::new(include, &settings.exclude).map(Some).map_err(|error| from_source(&error))
        };
        let policies = filter(&law.policies, &settings.policies)?;
        let exceptions = filter(&law.exceptions, &settings.exceptions)?;
        let takes = |filter: &Option<Filter>, path: &str| {
            filter.as_ref().is_some_and(|filter| filter.takes(path)) && !is_hidden(path)
        };
        let entries = diff.changes.iter().flat_map(|it| [it.old.as_ref(), it.new.as_ref()]).flatten();
        let changed: HashSet<String> = entries.map(|it| it.path.to_string()).collect();
        let of_law = |files: &[TreeFile]| {
            let files = files.iter().filter(|file| changed.contains(&**file.file.path()));
            let with_roles = |file: &TreeFile| {
                let path = file.file.path();
                let (policies, exceptions) = (takes(&policies, path), takes(&exceptions, path));
                TreeFile { roles: Roles { policies, exceptions, ..file.roles }, ..file.clone() }
            };
            files.map(with_roles).collect()
        };
        Ok(Sides {
            before: of_law(before),
            after: of_law(after),
            changed: changed.clone(),
            is_narrowed: !(law.policies.is_empty() && settings.policies.is_empty()),
            ..Sides::default()
        })
    }

    pub(super) fn load(&self, inputs: &[Input], known: &Known, progress: &Progress) -> Result<Tree, RunError> {
        load(&self.repository, inputs, known, None, progress)
    }

    /// Fills in what stands for the cluster, if a verdict can depend on it.
    pub(super) fn stand_in(
        &self,
        compiled: &mut Law,
        new: &Tree,
        law: &LawArgs,
        progress: &Progress,
    ) -> Result<(), RunError> {
        let reads = compiled.policies.look_ups();
        if reads.is_empty() && !compiled.policies.reads_namespaces() {
            return Ok(());
        }
        let plurals = compiled.policies.plurals();
        let is_read = |_: &str, bytes: &[u8]| {
            let is_read = |(version, kind): (&str, &str)| reads.find(split_api_version(version).0, kind, plurals);
            Heads::of(bytes).is_none_or(|heads| heads.pairs().any(is_read))
        };
        let mut inputs = Vec::new();
        if law.cluster.is_empty() {
            let roles = Roles { cluster: true, screened: !reads.is_open(), ..Roles::default() };
            let listing = if reads.is_open() {
                self.list(&self.options(&[])?)?
            } else if reads.is_empty() {
                self.list_screened(&runner::SCREEN)?
            } else {
                let purpose = reads.key(plurals);
                let content = |bytes: &[u8]| runner::may_matter(bytes) || is_read("", bytes);
                self.list_screened(&Screen { purpose: Some(&purpose), content: &content, ..runner::SCREEN })?
            };
            inputs.extend(listing.entries.into_iter().map(|entry| Input { entry, roles }));
        }
        let roles = Roles { cluster: true, ..Roles::default() };
        for name in &law.cluster {
            let named = self.named(name)?;
            if named.is_empty() {
                return Err(self.nothing_at(name));
            }
            inputs.extend(named.listing.entries.into_iter().map(|entry| Input { entry, roles }));
        }
        let known = Known { scopes: new.scopes.clone(), names: Names::default() };
        let tree = load(&self.repository, &inputs, &known, Some(&is_read), progress)?;
        if law.cluster.is_empty() && !reads.is_empty() {
            compiled.cluster.leaves_out_others();
        }
        // Of an object on both sides the trusted one counts; an object that only the change brings is there, too.
        compiled.stand_in(new.files.iter().filter(|file| file.roles.judged));
        compiled.stand_in(tree.files.iter());
        Ok(())
    }

    pub(super) fn list(&self, options: &Options) -> Result<Listing, RunError> {
        match &self.tree {
            TreeAt::Stored { law, .. } => git_tree::list(&self.repository, *law, options),
            TreeAt::Index(snapshot) => snapshot.list(options),
        }
        .map_err(|error| from_source(&error))
    }

    /// The files of these paths, as far as they are there.
    pub(super) fn find<'p>(&self, paths: impl Iterator<Item = &'p str>) -> Result<Vec<Entry>, RunError> {
        let (mut trees, root) = match &self.tree {
            TreeAt::Stored { law, .. } => (self.repository.trees(), *law),
            TreeAt::Index(snapshot) => (snapshot.trees(), snapshot.root()),
        };
        let trees = trees.as_mut().map_err(|error| from_source(error))?;
        let mut out = Vec::new();
        for path in paths {
            out.extend(git_tree::find(trees, root, path).map_err(|error| from_source(&error))?);
        }
        Ok(out)
    }

    /// Whether places are named for the law, so that not all of the tree is looked through for it.
    pub(super) fn is_narrowed(&self, law: &LawArgs) -> bool {
        let is_set = |given: &[String], set: &[String]| !(given.is_empty() && set.is_empty());
        self.trust == Trust::Operator
            || (is_set(&law.policies, &self.settings.policies) && is_set(&law.exceptions, &self.settings.exceptions))
    }

    /// As [`Self::list`], but files that could not matter to a law may be left out.
    pub(super) fn list_screened(&self, screen: &Screen<'_>) -> Result<Listing, RunError> {
        let options = self.options(&[])?;
        match &self.tree {
            TreeAt::Stored { law, .. } => {
                holdings::list(&self.repository, *law, &options, screen).map_err(|error| from_source(&error))
            }
            TreeAt::Index(_) => self.list(&options),
        }
    }
}

/// What files need not say themselves.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) scopes: Scopes,
    pub(super) names: Names,
}

/// Reads files of a repository; of those that are only looked into, `wanted` tells what else matters.
pub(super) fn load(
    repository: &Repository,
    inputs: &[Input],
    known: &Known,
    wanted: Option<Wanted<'_>>,
    progress: &Progress,
) -> Result<Tree, RunError> {
    progress.expect(inputs.len() as u64);
    let max_bytes = Options::default().max_bytes;
    let reader = || repository.reader(max_bytes);
    let loader = Loader {
        reader: &reader,
        limits: Limits::default(),
        scopes: known.scopes.clone(),
        names: known.names.clone(),
        wanted,
        progress,
    };
    loader.load(inputs, inputs.iter().map(|it| &*it.entry.path)).map_err(|error| from_source(&error))
}

/// What to read of one side of a difference, with what tells of it.
fn inputs(diff: &Diff, is_new: bool, telling: &[Entry]) -> Vec<Input> {
    let roles = Roles { judged: is_new, ..Roles::default() };
    let side = |it: &git_diff::Change| if is_new { it.new.clone() } else { it.old.clone() };
    let mut out: Vec<Input> = diff.changes.iter().filter_map(side).map(|entry| Input { entry, roles }).collect();
    // What tells of its neighbors and changed itself is there already, or was not on this side.
    let mut known: HashSet<Arc<str>> = diff
        .changes
        .iter()
        .flat_map(|it| [it.old.as_ref(), it.new.as_ref()])
        .flatten()
        .map(|it| Arc::clone(&it.path))
        .collect();
    for entry in telling {
        if known.insert(Arc::clone(&entry.path)) {
            out.push(Input { entry: entry.clone(), roles: Roles::default() });
        }
    }
    out
}

fn ignore_file_changed(path: &Arc<str>) -> Finding {
    let message = "an ignore file changes: what it shows or hides is not part of this change";
    Finding::new("source/ignore-file", Severity::Warning, Place::whole_file(Arc::clone(path)), message)
        .help("check the whole tree once: admit check")
}
