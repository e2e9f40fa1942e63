//! Where generated exceptions go.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::GenerateArgs;
use crate::{
    commands::{RunError, check::tree, workspace::Workspace},
    governance::generate::Generated,
    source::{Environment, worktree},
};

/// Where exceptions are kept if nothing says so.
const DEFAULT_DIRECTORY: &str = "exceptions";

/// A file that is to hold exceptions.
#[derive(Debug)]
pub(super) struct Place {
    /// Where it is.
    pub path: PathBuf,
    /// How findings name it.
    pub shown: String,
    /// What it is to hold.
    pub text: String,
    /// The same without blanks that a cluster would refuse.
    pub proof: String,
}

/// The files of exceptions; `proofs` are the same exceptions without blanks.
pub(super) fn of(
    args: &GenerateArgs,
    environment: &Environment,
    generated: &[Generated],
    proofs: &[Generated],
) -> Result<Vec<Place>, RunError> {
    if generated.is_empty() {
        return Ok(Vec::new());
    }
    let paths: Vec<PathBuf> = args.paths.iter().filter(|it| it.as_os_str() != "-").cloned().collect();
    let workspace = Workspace::find(&paths, environment)?;
    let root = workspace.root.clone().unwrap_or_else(|| environment.current_dir().to_owned());
    let directory = directory(&workspace)?;
    let in_repository = |name: &str| root.join(&directory).join(format!("{name}.yaml"));
    let place = |path: PathBuf, shown_at: &Path, texts: (Vec<String>, Vec<String>)| -> Result<Place, RunError> {
        let shown = tree::shown(&workspace, environment, &paths, shown_at)?;
        Ok(Place { path, shown, text: texts.0.join("---\n"), proof: texts.1.join("---\n") })
    };
    let text = |all: &[Generated]| all.iter().map(|it| it.draft.text()).collect::<Vec<_>>();
    match &args.output {
        Some(path) => {
            let path = canonical(environment.current_dir().join(path));
            // What is written to elsewhere will be moved; it is tried where exceptions are.
            let is_below = path.starts_with(&root);
            let tried = if is_below { path.clone() } else { in_repository(&generated[0].draft.metadata.name) };
            Ok(vec![place(path, &tried, (text(generated), text(proofs)))?])
        }
        None => generated
            .iter()
            .zip(proofs)
            .map(|(it, proof)| {
                let path = in_repository(&it.draft.metadata.name);
                place(path.clone(), &path, (vec![it.draft.text()], vec![proof.draft.text()]))
            })
            .collect(),
    }
}

/// A path without detours, as far as its directory is there.
fn canonical(path: PathBuf) -> PathBuf {
    let directory = path.parent().and_then(|it| worktree::canonical(it).ok());
    match (directory, path.file_name()) {
        (Some(directory), Some(name)) => directory.join(name),
        _ => path,
    }
}

/// The directory where the repository keeps its exceptions, below its root.
fn directory(workspace: &Workspace) -> Result<String, RunError> {
    let Some(pattern) = workspace.settings.exceptions.first() else { return Ok(DEFAULT_DIRECTORY.to_owned()) };
    let fixed = tree::fixed_part(pattern);
    if fixed == pattern.trim_end_matches('/') && Path::new(fixed).extension().is_some() {
        return Err(RunError::new(format!("admit.yaml keeps exceptions in the file `{pattern}`"))
            .hint("add the exceptions to it by hand: name a directory with --output to try them elsewhere"));
    }
    Ok(if fixed.is_empty() { DEFAULT_DIRECTORY } else { fixed }.to_owned())
}

/// Writes the files, none of which may be there.
pub(super) fn write(places: &[Place]) -> Result<(), RunError> {
    let failed =
        |path: &Path, error: &io::Error| RunError::new(format!("`{}` can't be written: {error}", path.display()));
    if let Some(there) = places.iter().find(|it| it.path.symlink_metadata().is_ok()) {
        return Err(RunError::new(format!("`{}` is there already: nothing was written", there.path.display()))
            .hint("name another file with --output"));
    }
    for place in places {
        if let Some(directory) = place.path.parent() {
            fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
        }
        let mut file = fs::File::create_new(&place.path).map_err(|error| failed(&place.path, &error))?;
        file.write_all(place.text.as_bytes()).map_err(|error| failed(&place.path, &error))?;
    }
    Ok(())
}
