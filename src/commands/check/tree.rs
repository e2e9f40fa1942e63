//! A case from files: a working tree, named files, standard input.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ffi::OsString,
    io::Read,
    path::{MAIN_SEPARATOR, Path, PathBuf},
    sync::Arc,
};

use rustc_hash::FxHashMap;

use super::{
    Case, LawArgs, TELLING, disk,
    render::{Done, Renders, Settled},
    who,
};
use crate::{
    cluster::Cluster,
    commands::{
        RunError,
        workspace::{Workspace, from_source},
    },
    document::{Limits, layout::Names, resource::objects},
    finding::Finding,
    governance::{
        Rules,
        who::{Asks, History},
    },
    render::deployed,
    report::Progress,
    runner::{self, Input, Law, Loader, Roles, Scopes},
    source::{At, Entry, Environment, Filter, Listing, Options, Reader, Skipped, Store, is_hidden, stdin, worktree},
};

/// Files as they would be, by the path that findings show: instead of those on the disk, or beside them.
pub(crate) type Overlay = BTreeMap<String, Arc<[u8]>>;

/// Reads what `paths` name, or the repository around the current directory, and the law of it.
pub(crate) fn read(
    paths: &[PathBuf],
    environment: &Environment,
    law: &LawArgs,
    progress: &Progress,
    input: &mut dyn Read,
) -> Result<Case, RunError> {
    read_with(paths, environment, law, progress, input, &Overlay::new())
}

/// The same with other files than those on the disk.
pub(crate) fn read_with(
    paths: &[PathBuf],
    environment: &Environment,
    law: &LawArgs,
    progress: &Progress,
    input: &mut dyn Read,
    overlay: &Overlay,
) -> Result<Case, RunError> {
    let named: Vec<PathBuf> = paths.iter().filter(|it| *it != Path::new("-")).cloned().collect();
    let workspace = Workspace::find(&named, environment)?;
    read_at(&workspace, paths, environment, law, progress, input, overlay)
}

/// The same where it is known which root is meant.
pub(crate) fn read_at(
    workspace: &Workspace,
    paths: &[PathBuf],
    environment: &Environment,
    law: &LawArgs,
    progress: &Progress,
    input: &mut dyn Read,
    overlay: &Overlay,
) -> Result<Case, RunError> {
    let (streams, paths): (Vec<PathBuf>, Vec<PathBuf>) = paths.iter().cloned().partition(|it| it == Path::new("-"));
    let governance = Some(workspace.governance()?);
    let mut gathering = Gathering::new(workspace, environment, &paths)?;

    if !streams.is_empty() {
        let entry = stdin::read(input, gathering.options.max_bytes).map_err(|error| from_source(&error))?;
        gathering.add([entry], Roles { judged: true, ..Roles::default() });
    }
    // Without a root the paths are all there is.
    let names_all = workspace.root.is_none() && (streams.is_empty() || !paths.is_empty());
    let judges_all = names_all || (paths.is_empty() && streams.is_empty());
    if !paths.is_empty() && !judges_all {
        let judged = Filter::new(&workspace.settings.include, &workspace.settings.exclude);
        let listing = gathering.list(&paths, judged.map_err(|error| from_source(&error))?)?;
        gathering.take(listing, Roles { judged: true, ..Roles::default() });
    }
    gathering.named(law)?;
    if judges_all || workspace.root.is_some() {
        gathering.found(law, if names_all { &paths } else { &[] }, judges_all)?;
    }

    let places = gathering.lay_over(overlay, law)?;
    let mut tree = gathering.load(&gathering.inputs, progress)?;
    let renders = Renders::new(&law.render, &workspace.settings.render, environment)?;
    let done = gathering.render(&renders, &tree, progress)?;
    let Settled { sources, included, findings, notes } = done.settle(&mut tree);
    gathering.findings.extend(findings);
    let mut compiled = Law::compile(tree.files.iter());
    let explicit = !law.cluster.is_empty();
    if explicit || compiled.policies.reads_objects() || compiled.policies.reads_namespaces() {
        compiled.stand_in(tree.files.iter().filter(|file| file.roles.cluster));
    }
    if !explicit && compiled.policies.reads_objects() {
        // What was only looked into may be what a rule asks for.
        let unread = gathering.inputs.iter().filter(|it| it.roles.cluster && it.roles.screened);
        let roles = Roles { cluster: true, ..Roles::default() };
        let inputs: Vec<Input> = unread.map(|it| Input { entry: it.entry.clone(), roles }).collect();
        compiled.stand_in(gathering.load(&inputs, progress)?.files.iter());
    }
    let held = if explicit { std::mem::take(&mut compiled.cluster) } else { Cluster::default() };
    if explicit {
        // What is judged will be there, too; of an object on both sides that of the cluster counts.
        compiled.stand_in(tree.files.iter().filter(|file| file.roles.judged));
        compiled.stand_in(tree.files.iter().filter(|file| file.roles.cluster));
    }
    // A file may well hold no manifest; where one looks through a directory, there should be some.
    let is_whole = streams.is_empty() && (paths.is_empty() || paths.iter().any(|path| path.is_dir()));
    // Without a root the paths are all there is.
    let is_top = |path: &PathBuf| match &workspace.root {
        Some(root) => worktree::canonical(path).is_ok_and(|path| path == *root),
        None => true,
    };
    let is_root = is_whole && (paths.is_empty() || paths.iter().any(is_top));
    let limits = law.limits(&workspace.settings.governance.limits).below(&gathering.prefix);
    let history = governance.as_ref().and_then(|rules| gathering.history(&tree, rules));
    Ok(Case {
        law: compiled,
        tree,
        held,
        user: gathering.workspace.settings.user.clone(),
        findings: gathering.findings,
        is_whole,
        is_root,
        governance,
        limits,
        history,
        notes,
        sources,
        included,
        places,
        ..Case::default()
    })
}

/// How findings name a place below the root, which need not be there.
pub(crate) fn shown(
    workspace: &Workspace,
    environment: &Environment,
    paths: &[PathBuf],
    place: &Path,
) -> Result<String, RunError> {
    let gathering = Gathering::new(workspace, environment, paths)?;
    let root = workspace.root.as_deref().unwrap_or(&gathering.root);
    let below = place.strip_prefix(root).or_else(|_| place.strip_prefix(&gathering.root));
    let below: Arc<str> = with_slashes(below.unwrap_or(place)).into();
    Ok(gathering.display(&below).to_string())
}

/// The part of a path or glob before anything special: what it names as it is.
pub(crate) fn fixed_part(pattern: &str) -> &str {
    disk::fixed_part(pattern)
}

/// Entries on their way to the runner, each place once.
struct Gathering<'w> {
    workspace: &'w Workspace,
    /// Where nothing marks a root, a single directory is one, else the current one.
    root: PathBuf,
    /// What stands before paths below the root, so that a reader finds them; empty where the root is around the current
    /// directory.
    prefix: String,
    options: Options,
    inputs: Vec<Input>,
    /// Where each place is among them.
    places: FxHashMap<OsString, usize>,
    findings: Vec<Finding>,
}

impl<'w> Gathering<'w> {
    fn new(workspace: &'w Workspace, environment: &'w Environment, paths: &[PathBuf]) -> Result<Self, RunError> {
        let current_dir = environment.current_dir();
        let (root, above) = match (&workspace.root, paths) {
            (Some(root), _) => (root.as_path(), root.strip_prefix(current_dir).ok()),
            (None, [path]) if path.is_dir() => (path.as_path(), Some(path.as_path())),
            (None, _) => (current_dir, None),
        };
        let prefix = above.map(with_slashes).unwrap_or_default();
        Ok(Self {
            workspace,
            root: worktree::canonical(root).map_err(|error| from_source(&error))?,
            prefix: prefix.trim_start_matches("./").trim_end_matches(['/', '.']).to_owned(),
            options: Options { jobs: rayon::current_num_threads(), ..Options::default() },
            inputs: Vec::new(),
            places: FxHashMap::default(),
            findings: Vec::new(),
        })
    }

    /// How the exceptions of the tree were, for those whose end only history tells.
    fn history(&self, tree: &runner::Tree, rules: &Rules) -> Option<History> {
        let repository = self.workspace.repository.as_ref()?;
        // Before the first commit nothing has a history.
        let head = repository.head().ok()??.commit?;
        let above = self.root.strip_prefix(worktree::canonical(repository.work_dir()?).ok()?).ok().map(with_slashes)?;
        let below_root = |path: &str| {
            let path =
                if self.prefix.is_empty() { path } else { path.strip_prefix(&self.prefix)?.strip_prefix('/')? };
            Some(if above.is_empty() { path.to_owned() } else { format!("{above}/{path}") })
        };
        who::history(repository, head, tree.files.iter(), &Asks::of(rules).of_tree(), below_root)
    }

    /// Takes other bytes for files, and says where those on the disk are. What is on no disk yet counts as what it would
    /// be there.
    fn lay_over(&mut self, overlay: &Overlay, law: &LawArgs) -> Result<HashMap<String, PathBuf>, RunError> {
        let mut places = HashMap::new();
        for input in self.inputs.iter_mut().filter(|it| it.roles.judged) {
            if let At::Worktree(place) | At::Named(place) = &input.entry.at {
                places.insert(input.entry.path.to_string(), place.clone());
            }
            if let Some(bytes) = overlay.get(&*input.entry.path) {
                input.entry.at = At::Memory(Arc::clone(bytes));
            }
        }
        let settings = &self.workspace.settings;
        for (path, bytes) in overlay.iter().filter(|(path, _)| !places.contains_key(*path)) {
            let below = path.strip_prefix(&self.prefix).map_or(path.as_str(), |it| it.trim_start_matches('/'));
            let is_there = |given: &[String], set: &[String]| -> Result<bool, RunError> {
                let named = if given.is_empty() { set } else { given };
                Ok(if named.is_empty() { !is_hidden(below) } else { Somewhere::new(named)?.holds(below) })
            };
            let roles = Roles {
                judged: true,
                policies: is_there(&law.policies, &settings.policies)?,
                exceptions: is_there(&law.exceptions, &settings.exceptions)?,
                ..Roles::default()
            };
            let entry = Entry { path: path.as_str().into(), at: At::Memory(Arc::clone(bytes)) };
            self.inputs.push(Input { entry, roles });
        }
        Ok(places)
    }

    /// Renders what brings forth any of what is judged. Standard input and files from elsewhere lie beside nothing.
    fn render(&self, renders: &Renders<'_>, tree: &runner::Tree, progress: &Progress) -> Result<Done, RunError> {
        if !renders.is_on() {
            return Ok(Done::default());
        }
        let is_below = |it: &&Input| match &it.entry.at {
            At::Worktree(place) | At::Named(place) => place.starts_with(&self.root),
            At::Object(_) | At::Memory(_) => false,
        };
        let below = || self.inputs.iter().filter(is_below);
        let judged: HashSet<&str> = below().filter(|it| it.roles.judged).map(|it| &*it.entry.path).collect();
        let store = Store::disk(self.root.clone(), &self.prefix, self.options.max_bytes);
        let paths = below().map(|it| &*it.entry.path);
        let files = tree.files.iter().filter(|file| judged.contains(&**file.file.path()));
        let documents = files.flat_map(|file| &file.documents).filter(|it| it.subject.is_some());
        let deployed = deployed(&store, documents.flat_map(|it| objects(it.document.root())), &self.prefix);
        let units = renders.units(&store, paths, deployed.units, &|_| false, |unit| {
            unit.reads.iter().any(|it| judged.contains(&**it))
        });
        let mut done = renders.render(&store, units, "rendered", progress)?;
        done.findings.extend(deployed.findings);
        Ok(done)
    }

    fn load(&self, inputs: &[Input], progress: &Progress) -> Result<runner::Tree, RunError> {
        progress.expect(inputs.len() as u64);
        let max_bytes = self.options.max_bytes;
        let reader = || Ok(Reader::files(max_bytes));
        let loader = Loader {
            reader: &reader,
            limits: Limits::default(),
            scopes: Scopes::default(),
            names: Names::default(),
            wanted: None,
            progress,
        };
        // What tells of its neighbors may be known from the first load only.
        let paths = self.inputs.iter().map(|it| &*it.entry.path);
        loader.load(inputs, paths).map_err(|error| from_source(&error))
    }

    /// What is below the paths, or all of the root.
    fn list(&self, paths: &[PathBuf], filter: Filter) -> Result<Listing, RunError> {
        let options = Options { filter, ..self.options.clone() };
        worktree::list(&self.root, paths, self.workspace.repository.as_ref(), &options)
            .map_err(|error| from_source(&error))
    }

    fn take(&mut self, listing: Listing, roles: Roles) {
        self.add(listing.entries, roles);
        self.pass_over(listing.skipped, |_| roles.policies);
    }

    /// Says what nobody reads; `is_law` tells where policies are looked for by name.
    fn pass_over(&mut self, skipped: Vec<Skipped>, is_law: impl Fn(&str) -> bool) {
        let (law, others): (Vec<Skipped>, Vec<Skipped>) = skipped.into_iter().partition(|(path, _)| is_law(path));
        let (law, others) = (self.displayed(law), self.displayed(others));
        self.findings.extend(runner::skipped_law(&law));
        self.findings.extend(runner::skipped(&others));
    }

    fn displayed(&self, skipped: Vec<Skipped>) -> Vec<Skipped> {
        let shown = skipped.into_iter().map(|(path, skip)| {
            let is_below = self.root.join(&*path).symlink_metadata().is_ok();
            (if is_below { self.display(&path) } else { path }, skip)
        });
        shown.collect()
    }

    fn display(&self, path: &Arc<str>) -> Arc<str> {
        if self.prefix.is_empty() { Arc::clone(path) } else { format!("{}/{path}", self.prefix).into() }
    }

    /// Takes files. What lies below the root is shown as a reader finds it, everything else as it was named.
    fn add(&mut self, entries: impl IntoIterator<Item = Entry>, roles: Roles) {
        for entry in entries {
            let place = match &entry.at {
                At::Worktree(place) | At::Named(place) => Some(place.as_path()),
                At::Object(_) | At::Memory(_) => None,
            };
            let known = place.and_then(|place| self.places.get(place.as_os_str()));
            if let Some(&known) = known {
                self.inputs[known].roles.join(roles);
                continue;
            }
            let is_below = place.is_some_and(|place| place.starts_with(&self.root));
            let path = if is_below { self.display(&entry.path) } else { Arc::clone(&entry.path) };
            if let Some(place) = place {
                self.places.insert(place.as_os_str().to_owned(), self.inputs.len());
            }
            self.inputs.push(Input { entry: Entry { path, ..entry }, roles });
        }
    }

    /// Adds what flags name.
    fn named(&mut self, law: &LawArgs) -> Result<(), RunError> {
        let LawArgs { policies, exceptions, cluster, .. } = law;
        for (given, roles) in [
            (policies, Roles { policies: true, ..Roles::default() }),
            (exceptions, Roles { exceptions: true, ..Roles::default() }),
            (cluster, Roles { cluster: true, ..Roles::default() }),
        ] {
            for name in given {
                let listing = disk::named(&self.root, name, &self.options)?;
                self.take(listing, roles);
            }
        }
        Ok(())
    }

    /// Adds what the root holds, or the paths: what is judged, if that is all of it, and what judges where no flag says
    /// where to look. One look at the file system is enough for all of it.
    fn found(&mut self, law: &LawArgs, paths: &[PathBuf], judges_all: bool) -> Result<(), RunError> {
        let settings = &self.workspace.settings;
        let places = [(&law.policies, &settings.policies), (&law.exceptions, &settings.exceptions)];
        // Where the settings say where to look, nothing else counts; by default everything may.
        let anywhere = places.map(|(given, set)| given.is_empty() && set.is_empty());
        let somewhere = places.map(|(given, set)| if given.is_empty() { set.as_slice() } else { &[] });
        let [somewhere_policies, somewhere_exceptions] = [Somewhere::new(somewhere[0])?, Somewhere::new(somewhere[1])?];
        let is_needed = judges_all || anywhere.contains(&true) || somewhere.iter().any(|it| !it.is_empty());
        if !is_needed && !law.cluster.is_empty() {
            self.add_telling();
            return Ok(());
        }
        let judged = Filter::new(&settings.include, &settings.exclude).map_err(|error| from_source(&error))?;
        let all = Filter::new(&[], &settings.exclude).map_err(|error| from_source(&error))?;
        let listing = self.list(paths, all)?;
        for entry in listing.entries {
            let path = &*entry.path;
            let is_open = !is_hidden(path);
            let is_named = !paths.is_empty();
            let (policies, exceptions) = (somewhere_policies.holds(path), somewhere_exceptions.holds(path));
            let judged = judges_all && (is_named || judged.takes(path));
            let cluster = law.cluster.is_empty();
            let roles = Roles {
                judged,
                policies: policies || (anywhere[0] && is_open),
                exceptions: exceptions || (anywhere[1] && is_open),
                cluster,
                // It may be anything, unless something says what it is.
                screened: !(judged || policies || exceptions),
            };
            let is_telling = TELLING.contains(&path.rsplit('/').next().unwrap_or(path));
            if is_telling || roles.judged || roles.policies || roles.exceptions || cluster {
                self.add([entry], roles);
            }
        }
        self.pass_over(listing.skipped, |path| somewhere_policies.holds(path));
        if !paths.is_empty() {
            self.add_telling();
        }
        Ok(())
    }

    /// Adds the charts and kustomizations around what was named: they tell which files are no manifests of their own.
    fn add_telling(&mut self) {
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for Input { entry, .. } in self.inputs.iter().filter(|it| it.roles.judged) {
            let (At::Worktree(place) | At::Named(place)) = &entry.at else { continue };
            let mut here = place.as_path();
            while let Some(above) = here.parent()
                && let Ok(shown) = above.strip_prefix(&self.root)
                && seen.insert(above.to_owned())
            {
                here = above;
                for name in TELLING {
                    let place = here.join(name);
                    if place.is_file() {
                        found.push(Entry { path: with_slashes(&shown.join(name)).into(), at: At::Worktree(place) });
                    }
                }
            }
        }
        self.add(found, Roles::default());
    }
}

/// Places that settings name, below the root.
struct Somewhere<'s>(Vec<(Filter, &'s str)>);

impl<'s> Somewhere<'s> {
    fn new(patterns: &'s [String]) -> Result<Self, RunError> {
        let place = |pattern: &'s String| {
            let filter = Filter::new(std::slice::from_ref(pattern), &[]).map_err(|error| from_source(&error))?;
            Ok((filter, disk::fixed_part(pattern)))
        };
        patterns.iter().map(place).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a path is in one of them. What is hidden in a place is not; a place itself may be.
    fn holds(&self, path: &str) -> bool {
        self.0.iter().any(|(filter, top)| filter.takes(path) && !is_hidden(path.strip_prefix(top).unwrap_or(path)))
    }
}

fn with_slashes(path: &Path) -> String {
    path.display().to_string().replace(MAIN_SEPARATOR, "/")
}
