//! A case from files: a working tree, named files, standard input.

use std::{
    collections::HashMap,
    io::Read,
    path::{MAIN_SEPARATOR, Path, PathBuf},
    sync::Arc,
};

use super::{Case, LawArgs};
use crate::{
    commands::{
        RunError,
        workspace::{Workspace, from_source},
    },
    document::Limits,
    finding::Finding,
    report::Progress,
    runner::{self, Input, Law, Loader, Roles},
    source::{At, Entry, Environment, Filter, Listing, Options, Reader, is_hidden, stdin, worktree},
};

/// Reads what `paths` name, or the repository around the current directory, and the law of it.
pub(super) fn read(
    paths: &[PathBuf],
    environment: &Environment,
    law: &LawArgs,
    progress: &Progress,
    input: &mut dyn Read,
) -> Result<Case, RunError> {
    let (streams, paths): (Vec<PathBuf>, Vec<PathBuf>) = paths.iter().cloned().partition(|it| it == Path::new("-"));
    let workspace = Workspace::find(&paths, environment)?;
    let mut gathering = Gathering::new(&workspace, environment, &paths)?;

    if let Some(_stream) = streams.first() {
        let entry = stdin::read(input, gathering.options.max_bytes).map_err(|error| from_source(&error))?;
        gathering.add([entry], Roles { judged: true, ..Roles::default() });
    }
    if streams.is_empty() || !paths.is_empty() {
        let listing = gathering.list(&paths)?;
        gathering.take(listing, &|_| Roles { judged: true, ..Roles::default() });
    }
    gathering.law(law, &paths)?;

    let limits = Limits::default();
    progress.expect(gathering.inputs.len() as u64);
    let max_bytes = gathering.options.max_bytes;
    let loader = Loader { reader: &|| Ok(Reader::files(max_bytes)), limits, progress };
    let all: Vec<&str> = gathering.inputs.iter().map(|it| &*it.entry.path).collect();
    let tree = loader.load(&gathering.inputs, all.into_iter()).map_err(|error| from_source(&error))?;

    let mut compiled = Law::compile(tree.files.iter());
    let explicit = !law.cluster.is_empty();
    if explicit || compiled.policies.reads_objects() || compiled.policies.reads_namespaces() {
        compiled.stand_in(tree.files.iter().filter(|file| file.roles.cluster));
    }
    let held = if explicit { compiled.cluster.clone() } else { crate::cluster::Cluster::default() };
    let is_whole = streams.is_empty();
    Ok(Case { law: compiled, tree, held, findings: gathering.findings, is_whole, ..Case::default() })
}

/// Entries on their way to the runner, each place once.
struct Gathering<'w> {
    workspace: &'w Workspace,
    current_dir: &'w Path,
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
        let settings = &workspace.settings;
        let filter = Filter::new(&settings.include, &settings.exclude).map_err(|error| from_source(&error))?;
        let current_dir = environment.current_dir();
        let (root, above) = match (&workspace.root, paths) {
            (Some(root), _) => (root.as_path(), root.strip_prefix(current_dir).ok()),
            (None, [path]) if path.is_dir() => (path.as_path(), Some(path.as_path())),
            (None, _) => (current_dir, None),
        };
        let prefix = above.map(with_slashes).unwrap_or_default();
        Ok(Self {
            workspace,
            current_dir,
            root: worktree::canonical(root).map_err(|error| from_source(&error))?,
            prefix: prefix.trim_start_matches("./").trim_end_matches(['/', '.']).to_owned(),
            options: Options { filter, jobs: rayon::current_num_threads(), ..Options::default() },
            inputs: Vec::new(),
            places: HashMap::new(),
            findings: Vec::new(),
        })
    }

    /// What is below the paths, or all of the root.
    fn list(&self, paths: &[PathBuf]) -> Result<Listing, RunError> {
        worktree::list(&self.root, paths, self.workspace.repository.as_ref(), &self.options)
            .map_err(|error| from_source(&error))
    }

    /// Takes a listing. What it found below the root is shown as a reader finds it, everything else as it was named.
    fn take(&mut self, listing: Listing, roles: &dyn Fn(&str) -> Roles) {
        for entry in listing.entries {
            let roles = roles(&entry.path);
            let is_below = match &entry.at {
                At::Worktree(place) | At::Named(place) => place.starts_with(&self.root),
                At::Object(_) | At::Memory(_) => false,
            };
            let path = if is_below { self.display(&entry.path) } else { Arc::clone(&entry.path) };
            self.add([Entry { path, ..entry }], roles);
        }
        let skipped = listing.skipped.into_iter().map(|(path, skip)| {
            let is_below = self.root.join(&*path).symlink_metadata().is_ok();
            (if is_below { self.display(&path) } else { path }, skip)
        });
        let skipped: Vec<_> = skipped.collect();
        self.findings.extend(runner::skipped(&skipped));
    }

    fn display(&self, path: &Arc<str>) -> Arc<str> {
        if self.prefix.is_empty() { Arc::clone(path) } else { format!("{}/{path}", self.prefix).into() }
    }

    fn add(&mut self, entries: impl IntoIterator<Item = Entry>, roles: Roles) {
        for entry in entries {
            let place = match &entry.at {
                At::Worktree(place) | At::Named(place) => Some(place.clone()),
                At::Object(_) | At::Memory(_) => None,
            };
            let known = place.as_ref().and_then(|place| self.places.get(place));
            if let Some(&known) = known {
                let both = &mut self.inputs[known].roles;
                both.judged |= roles.judged;
                both.policies |= roles.policies;
                both.exceptions |= roles.exceptions;
                both.cluster |= roles.cluster;
                continue;
            }
            if let Some(place) = place {
                self.places.insert(place, self.inputs.len());
            }
            self.inputs.push(Input { entry, roles });
        }
    }

    /// Adds what judges: what flags name, and for the rest what the root holds.
    fn law(&mut self, law: &LawArgs, paths: &[PathBuf]) -> Result<(), RunError> {
        for (given, roles) in [
            (&law.policies, Roles { policies: true, ..Roles::default() }),
            (&law.exceptions, Roles { exceptions: true, ..Roles::default() }),
            (&law.cluster, Roles { cluster: true, ..Roles::default() }),
        ] {
            for name in given {
                let listing = self.named(name)?;
                self.take(listing, &|_| roles);
            }
        }
        let settings = &self.workspace.settings;
        let (policies, exceptions) = (filter(&settings.policies)?, filter(&settings.exceptions)?);
        let found = |path: &str| Roles {
            policies: law.policies.is_empty() && policies.takes(path) && !is_hidden(path),
            exceptions: law.exceptions.is_empty() && exceptions.takes(path) && !is_hidden(path),
            cluster: law.cluster.is_empty(),
            ..Roles::default()
        };
        if law.policies.is_empty() || law.exceptions.is_empty() || law.cluster.is_empty() {
            // Without a root the paths are all there is.
            let listing = if self.workspace.root.is_some() { self.list(&[])? } else { self.list(paths)? };
            self.take(listing, &found);
        }
        Ok(())
    }

    /// What a flag names: a file, a directory, or the files that match a glob.
    fn named(&self, name: &str) -> Result<Listing, RunError> {
        let path = PathBuf::from(name);
        let options = Options { filter: Filter::default(), ..self.options.clone() };
        if path.exists() {
            let mut listing =
                worktree::list(&self.root, &[path.clone()], None, &options).map_err(|error| from_source(&error))?;
            let top = worktree::canonical(&path).unwrap_or(path);
            // Kyverno: hidden files below a directory of policies are not read.
            listing.entries.retain(|entry| match &entry.at {
                At::Worktree(place) => place.strip_prefix(&top).is_ok_and(|it| !is_hidden(&it.to_string_lossy())),
                At::Named(_) | At::Object(_) | At::Memory(_) => true,
            });
            return Ok(listing);
        }
        if !is_glob(name) {
            return Err(RunError::new(format!("`{name}` does not exist")));
        }
        let options = Options { filter: filter(&[name.to_owned()])?, ..options };
        let mut listing = worktree::list(self.current_dir, &[], None, &options).map_err(|error| from_source(&error))?;
        if listing.entries.is_empty() {
            return Err(RunError::new(format!("no file matches `{name}`")));
        }
        for entry in &mut listing.entries {
            if let At::Worktree(place) | At::Named(place) = &entry.at
                && let Ok(below) = place.strip_prefix(&self.root)
            {
                entry.path = with_slashes(below).into();
            }
        }
        Ok(listing)
    }
}

/// A filter for paths or globs below a root; takes everything when there are none.
fn filter(patterns: &[String]) -> Result<Filter, RunError> {
    Filter::new(patterns, &[]).map_err(|error| from_source(&error))
}

fn with_slashes(path: &Path) -> String {
    path.display().to_string().replace(MAIN_SEPARATOR, "/")
}

/// Whether a name holds what only globs hold.
pub(super) fn is_glob(name: &str) -> bool {
    name.contains(['*', '?', '[', '{'])
}
