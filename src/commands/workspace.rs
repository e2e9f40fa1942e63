//! Where a run stands: the root, its `admit.yaml`, its repository.
//!
//! The root is the nearest directory, from the first path upwards, that holds `admit.yaml` or `.git`. What the root
//! holds belongs together: its policies judge its manifests, and its objects stand for the cluster.

use std::path::{Path, PathBuf};

use super::RunError;
use crate::{
    config::{ConfigError, FILE_NAME, Settings},
    governance::Rules,
    source::{self, At, Entry, Environment, Reader, Repository, SourceError},
};

/// Bytes of an `admit.yaml` that are read.
pub(crate) const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// Where a run stands.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The root; `None` where nothing marks one.
    pub root: Option<PathBuf>,
    /// The repository, if there is one.
    pub repository: Option<Repository>,
    /// The settings of the root.
    pub settings: Settings,
}

impl Workspace {
    /// Finds the root of `paths`, which must have one in common, or of the current directory.
    pub(crate) fn find(paths: &[PathBuf], environment: &Environment) -> Result<Self, RunError> {
        let current_dir = environment.current_dir();
        let mut roots: Vec<(Option<PathBuf>, &Path)> = Vec::new();
        for path in paths {
            roots.push((root_of(&current_dir.join(path)).map_err(|error| from_source(&error))?, path));
        }
        if roots.is_empty() {
            roots.push((root_of(current_dir).map_err(|error| from_source(&error))?, Path::new(".")));
        }
        let (root, first) = roots[0].clone();
        if let Some((_, other)) = roots.iter().find(|(other, _)| *other != root) {
            return Err(RunError::new(format!(
                "`{}` and `{}` belong to different repositories",
                first.display(),
                other.display()
            ))
            .hint("check each of them in a run of its own"));
        }
        let Some(root) = root else {
            refuse_bare(paths, environment)?;
            return Ok(Self { root, repository: None, settings: Settings::default() });
        };
        let repository = match Repository::open(&root, environment) {
            Ok(repository) => Some(repository),
            Err(SourceError::NoRepository { .. }) => None,
            Err(error) => return Err(from_source(&error)),
        };
        let settings = settings_at(&root)?;
        Ok(Self { root: Some(root), repository, settings })
    }

    /// A directory that is the root, whatever marks it; without a repository.
    pub(crate) fn at(root: &Path) -> Result<Self, RunError> {
        Ok(Self { root: Some(root.to_owned()), repository: None, settings: settings_at(root)? })
    }

    /// The rules that govern exceptions and policies, as the root says.
    pub(crate) fn governance(&self) -> Result<Rules, RunError> {
        Rules::new(&self.settings.governance).map_err(|error| from_config(&error))
    }
}

/// Ends the run where somebody looks for files in a repository that has none: only Git's own are there.
fn refuse_bare(paths: &[PathBuf], environment: &Environment) -> Result<(), RunError> {
    if !paths.is_empty() {
        return Ok(());
    }
    match Repository::open(environment.current_dir(), environment) {
        Ok(repository) if repository.work_dir().is_none() => {
            Err(RunError::new("this repository is bare: there are no files to look at, only commits")
                .hint("name commits: admit check --diff BASE..HEAD"))
        }
        _ => Ok(()),
    }
}

/// The nearest directory that marks a root: for a directory from itself upwards, for a file from where it lies.
fn root_of(path: &Path) -> Result<Option<PathBuf>, SourceError> {
    let start = match path.parent() {
        Some(parent) if !path.is_dir() && path.exists() => source::worktree::canonical(parent)?,
        _ => source::worktree::canonical(path)?,
    };
    let marks = |directory: &&Path| [FILE_NAME, ".git"].iter().any(|name| directory.join(name).exists());
    Ok(start.ancestors().find(marks).map(Path::to_owned))
}

fn settings_at(root: &Path) -> Result<Settings, RunError> {
    let path = root.join(FILE_NAME);
    if path.symlink_metadata().is_err() {
        return Ok(Settings::default());
    }
    // A link is refused: what is wrong with the file gets quoted, and a link could lead to anything.
    let entry = Entry { path: path.display().to_string().into(), at: At::Worktree(path) };
    let blob = Reader::files(MAX_CONFIG_BYTES)
        .read(&entry)
        .map_err(|skip| RunError::new(format!("{}: {skip}", entry.path)))?;
    Settings::parse(&entry.path, &blob.bytes).map_err(|error| from_config(&error))
}

/// What is wrong with an `admit.yaml`, as an error of the run.
pub(crate) fn from_config(error: &ConfigError) -> RunError {
    match error.hint() {
        Some(hint) => RunError::new(error.to_string()).hint(hint),
        None => RunError::new(error.to_string()),
    }
}

/// An error of a source as one of the run.
pub(crate) fn from_source(error: &SourceError) -> RunError {
    error.hints().into_iter().fold(RunError::from_error(error), RunError::hint)
}
