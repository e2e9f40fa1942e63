//! A case from files: a working tree, named files, standard input.

use std::{
    collections::{HashMap, HashSet},
    io::Read,
    path::{MAIN_SEPARATOR, Path, PathBuf},
    sync::Arc,
};

use super::{Case, LawArgs, TELLING, disk};
use crate::{
    cluster::Cluster,
    commands::{
        RunError,
        workspace::{Workspace, from_source},
    },
    document::Limits,
    finding::Finding,
    report::Progress,
    runner::{self, Input, Law, Loader, Roles, Scopes},
    source::{At, Entry, Environment, Filter, Listing, Options, Reader, Skipped, is_hidden, stdin, worktree},
};

/// Reads what `paths` name, or the repository around the current directory, and the law of it.
pub(crate) fn read(
    paths: &[PathBuf],
    environment: &Environment,
    law: &LawArgs,
    progress: &Progress,
    input: &mut dyn Read,
) -> Result<Case, RunError> {
    let (streams, paths): (Vec<PathBuf>, Vec<PathBuf>) = paths.iter().cloned().partition(|it| it == Path::new("-"));
    let workspace = Workspace::find(&paths, environment)?;
    let governance = Some(workspace.governance()?);
    let mut gathering = Gathering::new(&workspace, environment, &paths)?;

    if !streams.is_empty() {
        let entry = stdin::read(input, gathering.options.max_bytes).map_err(|error| from_source(&error))?;
        gathering.add([entry], Roles { judged: true, ..Roles::default() });
    }
    if streams.is_empty() || !paths.is_empty() {
        let judged = Filter::new(&workspace.settings.include, &workspace.settings.exclude);
        let listing = gathering.list(&paths, judged.map_err(|error| from_source(&error))?)?;
        gathering.take(listing, Roles { judged: true, ..Roles::default() });
    }
    gathering.law(law, &paths, !streams.is_empty())?;

    let tree = gathering.load(&gathering.inputs, progress)?;
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
    let held = if explicit { compiled.cluster.clone() } else { Cluster::default() };
    // A file may well hold no manifest; where one looks through a directory, there should be some.
    let is_whole = streams.is_empty() && (paths.is_empty() || paths.iter().any(|path| path.is_dir()));
    // Without a root the paths are all there is.
    let is_top = |path: &PathBuf| match &workspace.root {
        Some(root) => worktree::canonical(path).is_ok_and(|path| path == *root),
        None => true,
    };
    let is_root = is_whole && (paths.is_empty() || paths.iter().any(is_top));
    Ok(Case {
        law: compiled,
        tree,
        held,
        user: gathering.workspace.settings.user.clone(),
        findings: gathering.findings,
        is_whole,
        is_root,
        governance,
        ..Case::default()
    })
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
    places: HashMap<PathBuf, usize>,
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
            places: HashMap::new(),
            findings: Vec::new(),
        })
    }

    fn load(&self, inputs: &[Input], progress: &Progress) -> Result<runner::Tree, RunError> {
        progress.expect(inputs.len() as u64);
        let max_bytes = self.options.max_bytes;
        let reader = || Ok(Reader::files(max_bytes));
        let loader = Loader { reader: &reader, limits: Limits::default(), scopes: Scopes::default(), progress };
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
        self.pass_over(listing.skipped);
    }

    fn pass_over(&mut self, skipped: Vec<Skipped>) {
        let shown = skipped.into_iter().map(|(path, skip)| {
            let is_below = self.root.join(&*path).symlink_metadata().is_ok();
            (if is_below { self.display(&path) } else { path }, skip)
        });
        let shown: Vec<Skipped> = shown.collect();
        self.findings.extend(runner::skipped(&shown));
    }

    fn display(&self, path: &Arc<str>) -> Arc<str> {
        if self.prefix.is_empty() { Arc::clone(path) } else { format!("{}/{path}", self.prefix).into() }
    }

    /// Takes files. What lies below the root is shown as a reader finds it, everything else as it was named.
    fn add(&mut self, entries: impl IntoIterator<Item = Entry>, roles: Roles) {
        for entry in entries {
            let place = match &entry.at {
                At::Worktree(place) | At::Named(place) => Some(place.clone()),
                At::Object(_) | At::Memory(_) => None,
            };
            let known = place.as_ref().and_then(|place| self.places.get(place));
            if let Some(&known) = known {
                self.inputs[known].roles.join(roles);
                continue;
            }
            let is_below = place.as_ref().is_some_and(|place| place.starts_with(&self.root));
            let path = if is_below { self.display(&entry.path) } else { Arc::clone(&entry.path) };
            if let Some(place) = place {
                self.places.insert(place, self.inputs.len());
            }
            self.inputs.push(Input { entry: Entry { path, ..entry }, roles });
        }
    }

    /// Adds what judges: what flags name, and for the rest what the root holds.
    fn law(&mut self, law: &LawArgs, paths: &[PathBuf], is_stream: bool) -> Result<(), RunError> {
        let settings = &self.workspace.settings;
        let policies = Roles { policies: true, ..Roles::default() };
        let exceptions = Roles { exceptions: true, ..Roles::default() };
        let cluster = Roles { cluster: true, ..Roles::default() };
        for (given, roles) in [(&law.policies, policies), (&law.exceptions, exceptions), (&law.cluster, cluster)] {
            for name in given {
                let listing = disk::named(&self.root, name, &self.options)?;
                self.take(listing, roles);
            }
        }
        // Where the settings say where to look, nothing else counts; by default everything may.
        let anywhere = |given: &[String], set: &[String]| given.is_empty() && set.is_empty();
        let found = Roles {
            policies: anywhere(&law.policies, &settings.policies),
            exceptions: anywhere(&law.exceptions, &settings.exceptions),
            cluster: law.cluster.is_empty(),
            screened: true,
            ..Roles::default()
        };
        let places =
            [(&law.policies, &settings.policies, policies), (&law.exceptions, &settings.exceptions, exceptions)];
        for (_, set, roles) in places.into_iter().filter(|(given, ..)| given.is_empty()) {
            for pattern in set {
                let filter = Filter::new(std::slice::from_ref(pattern), &settings.exclude)
                    .map_err(|error| from_source(&error))?;
                let mut listing = self.list(&[], filter)?;
                let top = disk::fixed_part(pattern);
                listing.entries.retain(|it| !is_hidden(it.path.strip_prefix(top).unwrap_or(&it.path)));
                self.take(listing, roles);
            }
        }
        let is_marked = self.workspace.root.is_some();
        if found.policies || found.exceptions || found.cluster {
            let filter = Filter::new(&[], &settings.exclude).map_err(|error| from_source(&error))?;
            // Without a root the paths are all there is.
            let listing = match is_marked {
                true => self.list(&[], filter)?,
                false if is_stream && paths.is_empty() => Listing::default(),
                false => self.list(paths, filter)?,
            };
            let (hidden, open): (Vec<Entry>, Vec<Entry>) =
                listing.entries.into_iter().partition(|it| is_hidden(&it.path));
            self.add(open, found);
            self.add(hidden, Roles { policies: false, exceptions: false, ..found });
            self.pass_over(listing.skipped);
        } else {
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

fn with_slashes(path: &Path) -> String {
    path.display().to_string().replace(MAIN_SEPARATOR, "/")
}
