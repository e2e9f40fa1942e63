//! A case from Git objects: the difference of two commits, or of the index and `HEAD`.
//!
//! What changed is read on both sides: an object that was there before is updated, one that is gone is removed. The law
//! is that of the side which the configuration trusts, by default the one that the change goes into. Without a
//! checkout; nothing is written.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap, HashSet},
    path::{Component, Path},
    sync::Arc,
};

use super::{
    Case, LawArgs, TELLING, disk,
    sides::{ConfigChange, Sides},
    standing::Turnover,
    who,
};
use crate::{
    cluster::Cluster,
    commands::{
        RunError,
        workspace::{MAX_CONFIG_BYTES, from_config, from_source},
    },
    config::{ConfigError, FILE_NAME, Settings, Trust},
    document::{
        Limits,
        classify::{directory, is_kustomization, is_partial_workload},
        layout::Names,
    },
    finding::{Finding, Place, Severity},
    governance::{Rules, who::Asks},
    k8s::gvk::{self, split_api_version},
    report::Progress,
    runner::{self, Input, Law, Loader, Roles, Scopes, Tree, TreeFile},
    source::{
        Comparison, Diff, Entry, Environment, Filter, Listing, Oid, Options, Pusher, Repository, Trees, git_diff,
        git_tree, holdings, is_hidden, staged::Snapshot,
    },
    span::{File, Span},
};

/// The cases of the change that `range` names.
pub(super) fn between(
    environment: &Environment,
    range: &str,
    law: &LawArgs,
    progress: &Progress,
) -> Result<Vec<Case>, RunError> {
    let repository = repository(environment)?;
    let comparison = repository.comparison(range).map_err(|error| from_source(&error))?;
    Change::new(&repository, environment, comparison, None)?.vouched_by(law).cases(law, progress)
}

/// The case of what is staged.
pub(crate) fn staged(environment: &Environment, law: &LawArgs, progress: &Progress) -> Result<Case, RunError> {
    let repository = repository(environment)?;
    if repository.work_dir().is_none() && environment.index_file().is_none() {
        return Err(RunError::new("a bare repository has no index").hint("compare commits: --diff BASE..HEAD"));
    }
    let index_file = environment.index_file();
    let snapshot = Snapshot::new(&repository, index_file.as_deref()).map_err(|error| from_source(&error))?;
    let mut trees = snapshot.trees().map_err(|error| from_source(&error))?;
    let settings = match Config::read(&repository, &mut trees, snapshot.root())? {
        None => Settings::default(),
        Some(config) => config.settings.map_err(|error| from_config(&error))?,
    };
    // Whoever commits is not kept from anything here: the index is taken as it is, law and all.
    let side = Side {
        repository: Cow::Borrowed(&repository),
        environment,
        tree: TreeAt::Index(&snapshot),
        settings,
        trust: Trust::Head,
        held_by: "the index".to_owned(),
        is_unvouched: false,
    };
    let options = side.judged()?;
    let diff = snapshot.compare(&options).map_err(|error| from_source(&error))?;
    side.case(diff, None, law, progress)
}

fn repository(environment: &Environment) -> Result<Repository, RunError> {
    Repository::open(environment.current_dir(), environment).map_err(|error| from_source(&error))
}

/// A change between two commits of a repository, and the settings that count for it.
pub(crate) struct Change<'r> {
    comparison: Comparison,
    side: Side<'r>,
    findings: Vec<Finding>,
    notes: Vec<String>,
    config: Option<ConfigChange>,
    pusher: Option<Pusher>,
    trust: Trust,
}

impl<'r> Change<'r> {
    /// Reads the settings: those of the side that the change goes into, or without anything there, its own. Which side
    /// holds the law is said by `trust`, or else by the settings.
    ///
    /// Settings that can't be read end the run, unless the change mends them: then the defaults count, which look at
    /// everything and trust nobody.
    pub(crate) fn new(
        repository: &'r Repository,
        environment: &'r Environment,
        comparison: Comparison,
        trust: Option<Trust>,
    ) -> Result<Self, RunError> {
        let mut trees = repository.trees().map_err(|error| from_source(&error))?;
        let new = comparison.new.tree;
        let after = Config::read(repository, &mut trees, new)?;
        let mut findings: Vec<Finding> = after.iter().filter_map(Config::finding).collect();
        let mut config = None;
        let mut notes = Vec::new();
        let chosen = |it: &Option<Config>| match it {
            None => Ok(Settings::default()),
            Some(config) => config.settings.as_ref().cloned().map_err(from_config),
        };
        let (tree, settings, trust, held_by) = match &comparison.base {
            None => {
                let settings = chosen(&after)?;
                let is_operator = trust.unwrap_or(settings.trust) == Trust::Operator;
                (new, settings, if is_operator { Trust::Operator } else { Trust::Head }, &comparison.new)
            }
            Some(base) => {
                let before = Config::read(repository, &mut trees, base.tree)?;
                config = Config::change(before.as_ref(), after.as_ref());
                let broken = before.as_ref().and_then(|it| it.settings.as_ref().err());
                let settings = match broken {
                    Some(error) if findings.is_empty() => {
                        notes.push(format!("the admit.yaml of {base} counts for nothing: {error}"));
                        Settings::default()
                    }
                    // Nothing is mended: this is the error.
                    Some(_) => chosen(&after)?,
                    None => chosen(&before)?,
                };
                match trust.unwrap_or(settings.trust) {
                    it @ (Trust::Base | Trust::Both | Trust::Operator) => (base.tree, settings, it, base),
                    Trust::Head if findings.is_empty() => (new, chosen(&after)?, Trust::Head, &comparison.new),
                    Trust::Head => (new, settings, Trust::Head, &comparison.new),
                }
            }
        };
        for it in &mut findings {
            it.notes.push(format!("until then that of {held_by} counts"));
        }
        let tree = TreeAt::Stored { law: tree, new };
        let held_by = if trust == Trust::Operator { "the server".to_owned() } else { held_by.to_string() };
        let repository = Cow::Borrowed(repository);
        let side = Side { repository, environment, tree, settings, trust, held_by, is_unvouched: false };
        Ok(Self { comparison, side, findings, notes, config, pusher: None, trust })
    }

    /// Says who pushes, by the word of the server.
    #[must_use]
    pub(crate) fn pushed_by(self, pusher: Option<Pusher>) -> Self {
        Self { pusher, ..self }
    }

    /// Leaves settings, ignore files and exceptions that come with the change out of account, where nothing was there
    /// before that could vouch for them and the law is that of whoever runs this: it is named outside of the repository.
    #[must_use]
    pub(crate) fn vouched_by(mut self, law: &LawArgs) -> Self {
        let is_outside = |name: &String| self.side.below_root(name).is_none();
        if self.comparison.base.is_none() && law.policies.iter().any(is_outside) {
            self.side.repository = Cow::Owned(self.side.repository.without_ignore_files());
            self.side.settings = Settings::default();
            self.side.is_unvouched = true;
            self.findings.clear();
            self.notes.push(
                "nothing was there before: the admit.yaml and the exceptions that come along do not count".to_owned(),
            );
        }
        self
    }

    /// The settings that count.
    pub(crate) fn settings(&self) -> &Settings {
        &self.side.settings
    }

    /// Which side holds the law.
    pub(crate) fn trust(&self) -> Trust {
        self.trust
    }

    /// A case for each side that holds the law: what one of them refuses is refused.
    pub(crate) fn cases(self, law: &LawArgs, progress: &Progress) -> Result<Vec<Case>, RunError> {
        let (trust, comparison, pusher) = (self.trust, self.comparison.clone(), self.pusher.clone());
        let (repository, environment) = (self.side.repository.clone(), self.side.environment);
        let mut out = vec![self.case(law, progress)?];
        if trust == Trust::Both {
            let proposed = Change::new(&repository, environment, comparison, Some(Trust::Head))?;
            out.push(proposed.pushed_by(pusher).case(law, progress)?);
        }
        Ok(out)
    }

    /// Reads what changed, and what judges it.
    fn case(self, law: &LawArgs, progress: &Progress) -> Result<Case, RunError> {
        let Self { comparison, side, findings, mut notes, config, pusher, trust: _ } = self;
        let mut trees = side.repository.trees().map_err(|error| from_source(&error))?;
        let old = comparison.old.as_ref().map(|it| it.tree);
        let diff = git_diff::compare(&mut trees, old, Some(comparison.new.tree), &side.judged()?)
            .map_err(|error| from_source(&error))?;
        let all = side.options(&[])?;
        // What judges is looked for everywhere, not only where objects are judged.
        let law_diff = if side.settings.include.is_empty() {
            None
        } else {
            let diff = git_diff::compare(&mut trees, old, Some(comparison.new.tree), &all);
            Some(diff.map_err(|error| from_source(&error))?)
        };
        let mut case = side.case(diff, law_diff.as_ref(), law, progress)?;
        if let (Some(sides), Some(rules)) = (&mut case.sides, &case.governance) {
            sides.config = config;
            let law = sides.law().into_iter().collect();
            let who = who::authorship(&side.repository, &comparison, &law, rules, pusher)?;
            let after = comparison.new.commit;
            sides.history = after.and_then(|at| {
                who::history(&side.repository, at, sides.after.iter(), &Asks::of(rules), |path| Some(path.to_owned()))
            });
            sides.who = Some(who);
        }
        case.findings.extend(findings);
        notes.append(&mut case.notes);
        case.notes = notes;
        Ok(case)
    }
}

/// An `admit.yaml` of a tree.
struct Config {
    file: Arc<File>,
    settings: Result<Settings, ConfigError>,
}

impl Config {
    fn read(repository: &Repository, trees: &mut Trees, tree: Oid) -> Result<Option<Self>, RunError> {
        let Some(entry) = git_tree::find(trees, tree, FILE_NAME).map_err(|error| from_source(&error))? else {
            return Ok(None);
        };
        let mut reader = repository.reader(MAX_CONFIG_BYTES).map_err(|error| from_source(&error))?;
        let blob = reader.read(&entry).map_err(|skip| RunError::new(format!("{FILE_NAME}: {skip}")))?;
        let settings = Settings::parse(FILE_NAME, &blob.bytes);
        Ok(Some(Self { file: File::new(FILE_NAME, blob.bytes), settings }))
    }

    /// What changes for the settings; `None` when nothing does, or when one side can't be read.
    fn change(before: Option<&Self>, after: Option<&Self>) -> Option<ConfigChange> {
        let text = |it: Option<&Self>| it.map(|it| it.file.text().to_owned());
        if text(before) == text(after) {
            return None;
        }
        let settings = |it: Option<&Self>| match it {
            None => Some(Settings::default()),
            Some(config) => config.settings.as_ref().ok().cloned(),
        };
        let file = Arc::clone(&after.or(before)?.file);
        Some(ConfigChange { before: settings(before)?, after: settings(after)?, file })
    }

    fn finding(&self) -> Option<Finding> {
        let error = self.settings.as_ref().err()?;
        let (line, column) = error.at();
        let line = self.file.line_span(line as u32);
        let start = (line.start + column as u32 - 1).min(line.end);
        let place = Place::new(&self.file, Span::new(start, line.end));
        let finding = Finding::new("config/invalid", Severity::Error, place, error.message());
        Some(match error.hint() {
            Some(hint) => finding.help(hint),
            None => finding,
        })
    }
}

/// The side of a change that holds the law.
struct Side<'r> {
    repository: Cow<'r, Repository>,
    environment: &'r Environment,
    tree: TreeAt<'r>,
    settings: Settings,
    trust: Trust,
    /// How messages name it.
    held_by: String,
    /// Whether it is the change's own, and the law is not.
    is_unvouched: bool,
}

/// A tree that can be listed.
enum TreeAt<'r> {
    Stored { law: Oid, new: Oid },
    Index(&'r Snapshot<'r>),
}

impl Side<'_> {
    fn options(&self, include: &[String]) -> Result<Options, RunError> {
        let filter = Filter::new(include, &self.settings.exclude).map_err(|error| from_source(&error))?;
        Ok(Options { filter, jobs: rayon::current_num_threads(), ..Options::default() })
    }

    /// What is judged.
    fn judged(&self) -> Result<Options, RunError> {
        self.options(&self.settings.include)
    }

    fn case(&self, diff: Diff, law_diff: Option<&Diff>, law: &LawArgs, progress: &Progress) -> Result<Case, RunError> {
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
        let before = self.load(&inputs(&diff, false, &telling), &known, progress)?;
        let mut held = Cluster::default();
        runner::hold(&mut held, before.files.iter().filter(|file| changed.contains(&**file.file.path())));

        let governance = Rules::new(&self.settings.governance).map_err(|error| from_config(&error))?;
        let sides = match law_diff {
            None => self.sides(&before.files, &tree.files, &diff, law)?,
            Some(diff) => {
                let before = self.load(&inputs(diff, false, &telling), &known, progress)?;
                let after = self.load(&inputs(diff, true, &telling), &known, progress)?;
                self.sides(&before.files, &after.files, diff, law)?
            }
        };
        self.stand_in(&mut compiled, &tree, law, progress)?;
        let mut findings = runner::skipped(&diff.skipped);
        findings.extend(law_inputs.findings.iter().cloned());
        findings.extend(diff.ignore_files.iter().map(ignore_file_changed));
        let mut notes = law_inputs.notes.clone();
        notes.insert(0, format!("judged by the policies of {}, trust: {}", self.held_by, self.trust));
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

    fn load(&self, inputs: &[Input], known: &Known, progress: &Progress) -> Result<Tree, RunError> {
        progress.expect(inputs.len() as u64);
        let max_bytes = Options::default().max_bytes;
        let reader = || self.repository.reader(max_bytes);
        let loader = Loader {
            reader: &reader,
            limits: Limits::default(),
            scopes: known.scopes.clone(),
            names: known.names.clone(),
            progress,
        };
        loader.load(inputs, inputs.iter().map(|it| &*it.entry.path)).map_err(|error| from_source(&error))
    }

    /// Fills in what stands for the cluster, if a verdict can depend on it.
    fn stand_in(&self, compiled: &mut Law, new: &Tree, law: &LawArgs, progress: &Progress) -> Result<(), RunError> {
        let reads_objects = compiled.policies.reads_objects();
        if !reads_objects && !compiled.policies.reads_namespaces() {
            return Ok(());
        }
        let mut inputs = Vec::new();
        if law.cluster.is_empty() {
            let roles = Roles { cluster: true, screened: !reads_objects, ..Roles::default() };
            let listing = if reads_objects { self.list(&self.options(&[])?)? } else { self.list_screened()? };
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
        let tree = self.load(&inputs, &known, progress)?;
        // Of an object on both sides the trusted one counts; an object that only the change brings is there, too.
        compiled.stand_in(new.files.iter().filter(|file| file.roles.judged));
        compiled.stand_in(tree.files.iter());
        Ok(())
    }

    /// What holds the law.
    fn law_inputs(&self, law: &LawArgs) -> Result<LawInputs, RunError> {
        let mut out = LawInputs::default();
        let policies = Roles { policies: true, ..Roles::default() };
        let exceptions = Roles { exceptions: true, ..Roles::default() };
        for name in &law.policies {
            let named = self.named(name)?;
            if named.is_empty() {
                return Err(self.nothing_at(name));
            }
            out.add(named, policies);
        }
        for name in &law.exceptions {
            let named = self.named(name)?;
            // Git holds no empty directories: where the last exception went, none is left to look at.
            if named.is_empty() {
                out.notes.push(format!("no exceptions: nothing is at `{name}` in {}", self.held_by));
            }
            out.add(named, exceptions);
        }
        if self.trust == Trust::Operator {
            return Ok(out);
        }
        let settings = &self.settings;
        let places =
            [(&law.policies, &settings.policies, policies), (&law.exceptions, &settings.exceptions, exceptions)];
        for (_, set, roles) in places.into_iter().filter(|(given, ..)| given.is_empty()) {
            for pattern in set {
                let listing = self.below(pattern, &settings.exclude)?;
                out.add(Named { listing, top: disk::fixed_part(pattern).to_owned(), on_disk: false }, roles);
            }
        }
        let roles = Roles {
            policies: law.policies.is_empty() && settings.policies.is_empty(),
            exceptions: law.exceptions.is_empty() && settings.exceptions.is_empty(),
            screened: true,
            ..Roles::default()
        };
        if roles.policies || roles.exceptions {
            // They may be anywhere. Reading is cheap, so every file is looked into, and parsed only if it may matter.
            out.add(Named { listing: self.list_screened()?, top: String::new(), on_disk: false }, roles);
        }
        Ok(out)
    }

    fn list(&self, options: &Options) -> Result<Listing, RunError> {
        match &self.tree {
            TreeAt::Stored { law, .. } => git_tree::list(&self.repository, *law, options),
            TreeAt::Index(snapshot) => snapshot.list(options),
        }
        .map_err(|error| from_source(&error))
    }

    /// As [`Self::list`], but files that could not matter to a law may be left out.
    fn list_screened(&self) -> Result<Listing, RunError> {
        let options = self.options(&[])?;
        match &self.tree {
            TreeAt::Stored { law, .. } => {
                holdings::list(&self.repository, *law, &options, &runner::SCREEN).map_err(|error| from_source(&error))
            }
            TreeAt::Index(_) => self.list(&options),
        }
    }

    /// What a flag names. A path is one in the commit, relative to where the user stands in the working tree; one that
    /// is absolute or leaves the repository is read from the file system: it belongs to whoever runs this.
    fn named(&self, name: &str) -> Result<Named, RunError> {
        let Some(below) = self.below_root(name) else {
            let listing = disk::named(self.repository.git_dir(), name, &Options::default())?;
            return Ok(Named { listing, top: String::new(), on_disk: true });
        };
        let listing = self.below(&below, &[])?;
        Ok(Named { listing, top: disk::fixed_part(&below).to_owned(), on_disk: false })
    }

    /// The files of the trusted tree that a path or glob below its root names.
    fn below(&self, pattern: &str, exclude: &[String]) -> Result<Listing, RunError> {
        let include: &[&str] = if disk::is_glob(pattern) { &[pattern] } else { &[] };
        let exclude: Vec<&str> = exclude.iter().map(String::as_str).collect();
        let filter = Filter::new(include, &exclude).map_err(|error| from_source(&error))?;
        let options = Options { filter, ..self.options(&[])? };
        match &self.tree {
            TreeAt::Stored { law, .. } => {
                let top = disk::fixed_part(pattern);
                git_tree::list_below(&self.repository, *law, top, &options).map_err(|error| from_source(&error))
            }
            TreeAt::Index(snapshot) => {
                let filter = Filter::new(&[pattern], &exclude).map_err(|error| from_source(&error))?;
                snapshot.list(&Options { filter, ..options }).map_err(|error| from_source(&error))
            }
        }
    }

    /// A path relative to the current directory, as one below the root of the repository; `None` for one outside.
    fn below_root(&self, name: &str) -> Option<String> {
        let current_dir = self.environment.current_dir();
        let work_dir = self.repository.work_dir();
        let start = work_dir.and_then(|top| current_dir.strip_prefix(top.canonicalize().ok()?).ok());
        let mut parts: Vec<&str> = Vec::new();
        for component in start.unwrap_or(Path::new("")).components().chain(Path::new(name).components()) {
            match component {
                Component::Normal(part) => parts.push(part.to_str()?),
                Component::CurDir => {}
                Component::ParentDir => {
                    parts.pop()?;
                }
                Component::RootDir | Component::Prefix(_) => return None,
            }
        }
        Some(parts.join("/"))
    }

    fn nothing_at(&self, name: &str) -> RunError {
        RunError::new(format!("nothing is at `{name}` in {}", self.held_by))
            .hint("a path outside of the repository is given in full: /etc/admit/policies")
    }

    /// The charts and kustomizations around what changed: they tell which files are no manifests of their own.
    fn telling(&self, diff: &Diff) -> Result<Vec<Entry>, RunError> {
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
    fn knows_too_little(tree: &Tree, law: &Law) -> bool {
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
    fn surroundings(&self, wants_names: bool, progress: &Progress) -> Result<Surroundings, RunError> {
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
struct Surroundings {
    telling: Vec<Entry>,
    known: Known,
}

/// What files need not say themselves.
#[derive(Default)]
struct Known {
    scopes: Scopes,
    names: Names,
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

/// What a path or glob names.
struct Named {
    listing: Listing,
    /// What of it was named as it is: hidden files below it are no law.
    top: String,
    /// Whether it was read from the file system.
    on_disk: bool,
}

impl Named {
    fn is_empty(&self) -> bool {
        self.listing.entries.is_empty()
    }
}

/// What holds the law, and what could not be looked into.
#[derive(Default)]
struct LawInputs {
    inputs: Vec<Input>,
    /// Where each file is among them, by path and whether it is on disk.
    known: HashMap<(Arc<str>, bool), usize>,
    /// Files that belong to whoever runs this, not to the repository.
    on_disk: HashSet<Arc<str>>,
    findings: Vec<Finding>,
    notes: Vec<String>,
}

impl LawInputs {
    fn add(&mut self, named: Named, roles: Roles) {
        let Named { listing, top, on_disk } = named;
        for entry in listing.entries {
            let below = entry.path.strip_prefix(&*top).unwrap_or(&entry.path);
            if !on_disk && is_hidden(below) {
                continue;
            }
            if on_disk {
                self.on_disk.insert(Arc::clone(&entry.path));
            }
            let key = (Arc::clone(&entry.path), on_disk);
            if let Some(&at) = self.known.get(&key) {
                self.inputs[at].roles.join(roles);
            } else {
                self.known.insert(key, self.inputs.len());
                self.inputs.push(Input { entry, roles });
            }
        }
        // Links and submodules of the whole tree are no news in a change; what can't be read is, and so is a policy
        // that lies elsewhere.
        let is_law = roles.policies && !roles.screened;
        let findings = if is_law { runner::skipped_law(&listing.skipped) } else { runner::skipped(&listing.skipped) };
        let weighs = if is_law { Severity::Warning } else { Severity::Error };
        self.findings.extend(findings.into_iter().filter(|it| it.severity <= weighs));
    }
}

fn ignore_file_changed(path: &Arc<str>) -> Finding {
    let message = "an ignore file changes: what it shows or hides is not part of this change";
    Finding::new("source/ignore-file", Severity::Warning, Place::whole_file(Arc::clone(path)), message)
        .help("check the whole tree once: admit check")
}
