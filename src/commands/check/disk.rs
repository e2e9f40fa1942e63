//! What flags name on the file system.
//!
//! In: a path or a glob. Out: the files there. Hidden files below a directory of policies are no policies.

use std::path::{Path, PathBuf};

use crate::{
    commands::{RunError, workspace::from_source},
    source::{At, Filter, Listing, Options, is_hidden, worktree},
};

/// The file, the files below the directory, or the files that match the glob.
pub(super) fn named(root: &Path, name: &str, options: &Options) -> Result<Listing, RunError> {
    let options = Options { filter: Filter::default(), ..options.clone() };
    let (top, listing) = match split_glob(name) {
        _ if Path::new(name).exists() => {
            let top = PathBuf::from(name);
            let listing = worktree::list(root, std::slice::from_ref(&top), None, &options);
            (top, listing)
        }
        Some((directory, glob)) if Path::new(directory).is_dir() => {
            let top = PathBuf::from(directory);
            let listing = worktree::list_matching(root, &top, glob, &options);
            (top, listing)
        }
        Some(_) => return Err(no_match(name)),
        None => return Err(RunError::new(format!("`{name}` does not exist"))),
    };
    let mut listing = listing.map_err(|error| from_source(&error))?;
    if listing.entries.is_empty() && split_glob(name).is_some() && !top.is_file() {
        return Err(no_match(name));
    }
    let top = worktree::canonical(&top).unwrap_or(top);
    // Kyverno: hidden files below a directory of policies are not read.
    listing.entries.retain(|entry| match &entry.at {
        At::Worktree(place) => place.strip_prefix(&top).is_ok_and(|it| !is_hidden(&it.to_string_lossy())),
        At::Named(_) | At::Object(_) | At::Memory(_) => true,
    });
    Ok(listing)
}

fn no_match(name: &str) -> RunError {
    RunError::new(format!("no file matches `{name}`"))
}

/// Whether a name holds what only globs hold.
pub(super) fn is_glob(name: &str) -> bool {
    name.contains(['*', '?', '[', '{'])
}

/// The part of a path or glob before anything special, up to a slash: what it names as it is.
pub(super) fn fixed_part(name: &str) -> &str {
    let name = name.strip_prefix("./").unwrap_or(name).trim_end_matches('/');
    match split_glob(name) {
        Some((".", _)) => "",
        Some((directory, _)) => directory,
        None => name,
    }
}

/// The directory that a glob starts from, and the rest of it; `None` for a name that is no glob.
fn split_glob(name: &str) -> Option<(&str, &str)> {
    let special = name.find(['*', '?', '[', '{'])?;
    Some(match name[..special].rfind('/') {
        Some(0) => ("/", &name[1..]),
        Some(slash) => (&name[..slash], &name[slash + 1..]),
        None => (".", name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_starts_from_the_last_directory_without_special_characters() {
        assert_eq!(split_glob("policies/*.yaml"), Some(("policies", "*.yaml")));
        assert_eq!(split_glob("/etc/admit/**/p[0-9]/*.yaml"), Some(("/etc/admit", "**/p[0-9]/*.yaml")));
        assert_eq!(split_glob("../a/b?/c.yaml"), Some(("../a", "b?/c.yaml")));
        assert_eq!(split_glob("*.yaml"), Some((".", "*.yaml")));
        assert_eq!(split_glob("/*.yaml"), Some(("/", "*.yaml")));
        assert_eq!(split_glob("policies"), None);
    }
}
