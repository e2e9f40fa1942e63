//! Where a run stands: the root, its `admit.yaml`, its repository.
//!
//! The root is the nearest directory, from the first path upwards, that holds `admit.yaml` or `.git`. What the root
//! holds belongs together: its policies judge its manifests, and its objects stand for the cluster.

use std::path::{Path, PathBuf};

use super::RunError;
use crate::{
    config::{FILE_NAME, Settings},
    source::{self, At, Entry, Environment, Reader, Repository, SourceError},
};

/// Bytes of an `admit.yaml` that are read.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

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
        let mut roots: Vec<(Option<PathBuf>, &Path)> =
            paths.iter().map(|path| (root_of(&current_dir.join(path)), path.as_path())).collect();
        if roots.is_empty() {
            roots.push((root_of(current_dir), Path::new(".")));
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
        let repository = match &root {
            Some(root) => open_repository(root, environment)?,
            None => None,
        };
        let settings = match &root {
            Some(root) => settings_at(root)?,
            None => Settings::default(),
        };
        Ok(Self { root, repository, settings })
    }
}

/// The repository of a directory; `None` when it is in none.
fn open_repository(start: &Path, environment: &Environment) -> Result<Option<Repository>, RunError> {
    match Repository::open(start, environment) {
        Ok(repository) => Ok(Some(repository)),
        Err(SourceError::NoRepository { .. }) => Ok(None),
        Err(error) => Err(from_source(&error)),
    }
}

/// The nearest directory that marks a root, from a path upwards.
fn root_of(path: &Path) -> Option<PathBuf> {
    let path = source::worktree::canonical(path).ok()?;
    let marks = |directory: &&Path| [FILE_NAME, ".git"].iter().any(|name| directory.join(name).exists());
    path.ancestors().find(marks).map(Path::to_owned)
}

fn settings_at(root: &Path) -> Result<Settings, RunError> {
    let path = root.join(FILE_NAME);
    if !path.exists() {
        return Ok(Settings::default());
    }
    let entry = Entry { path: path.display().to_string().into(), at: At::Named(path) };
    let blob = Reader::files(MAX_CONFIG_BYTES)
        .read(&entry)
        .map_err(|skip| RunError::new(format!("{}: {skip}", entry.path)))?;
    parse_settings(&entry.path, &blob.bytes)
}

/// Reads an `admit.yaml`; `path` is how messages name it.
pub(crate) fn parse_settings(path: &str, bytes: &[u8]) -> Result<Settings, RunError> {
    let text = std::str::from_utf8(bytes).map_err(|_| RunError::new(format!("{path} is not UTF-8")))?;
    Settings::parse(path, text).map_err(|error| {
        let run_error = RunError::new(error.to_string());
        match error.hint() {
            Some(hint) => run_error.hint(hint),
            None => run_error,
        }
    })
}

/// An error of a source as one of the run.
pub(crate) fn from_source(error: &SourceError) -> RunError {
    error.hints().into_iter().fold(RunError::from_error(error), RunError::hint)
}
