//! The programs that render: where they are, and whether their version will do.
//!
//! In: what flags name, and the directories to search. Out: a [`Program`], or why there is none. A directory that is not
//! absolute is not searched: a repository could hold a program of that name.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::process::{self, Bounds, Failure};

/// What renders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Tool {
    /// `kustomize build`.
    Kustomize,
    /// `helm template`.
    Helm,
}

impl Tool {
    /// The name of the program.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kustomize => "kustomize",
            Self::Helm => "helm",
        }
    }

    /// The first version that will do: for Kustomize the one that says where objects come from, for Helm the one with
    /// the flags that are used.
    const fn oldest(self) -> (u64, u64) {
        match self {
            Self::Kustomize => (4, 5),
            Self::Helm => (3, 8),
        }
    }

    fn version_arguments(self) -> &'static [&'static str] {
        match self {
            Self::Kustomize => &["version"],
            Self::Helm => &["version", "--short"],
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A program that renders.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// What it is.
    pub tool: Tool,
    /// Where it is.
    pub path: PathBuf,
    /// What it says of its version, on one line.
    pub version: String,
}

/// Why a tool can't be used.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ToolError {
    #[error("`{0}` is not there")]
    Missing(Tool),
    #[error("`{}` can't be asked for its version: {reason}", .path.display())]
    Mute { path: PathBuf, reason: String },
    #[error("`{}` says it is `{version}`; version {}.{} or later is needed", .path.display(), .oldest.0, .oldest.1)]
    Version { path: PathBuf, version: String, oldest: (u64, u64) },
}

impl Program {
    /// Finds a tool: the one that is named, or the first in the directories.
    pub(crate) fn find(
        tool: Tool,
        named: Option<&Path>,
        directories: impl Iterator<Item = PathBuf>,
    ) -> Result<Self, ToolError> {
        let mut candidates = directories.filter(|it| it.is_absolute()).map(|it| it.join(tool.name()));
        let path = match named {
            Some(path) => path.to_owned(),
            None => candidates.find(|it| is_program(it)).ok_or(ToolError::Missing(tool))?,
        };
        let version = version(tool, &path)
            .map_err(|failure| ToolError::Mute { path: path.clone(), reason: failure.to_string() })?;
        match numbers(&version) {
            Some(it) if it >= tool.oldest() => Ok(Self { tool, path, version }),
            _ => Err(ToolError::Version { path, version, oldest: tool.oldest() }),
        }
    }
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file() || path.with_extension("exe").is_file()
}

fn version(tool: Tool, path: &Path) -> Result<String, Failure> {
    let home = tempfile::tempdir().map_err(Failure::Start)?;
    let said = process::run(path, tool.version_arguments(), home.path(), home.path(), Bounds::default())?;
    Ok(String::from_utf8_lossy(&said).lines().next().unwrap_or_default().trim().chars().take(100).collect())
}

/// Major and minor of the first version in a text: `v5.8.1`, `{Version:kustomize/v4.5.7 …}`, `v3.22.0+g1a2b3c`.
fn numbers(text: &str) -> Option<(u64, u64)> {
    let parse = |text: &str| {
        let (major, rest) = text.split_once('.')?;
        let minor = rest.split(|it: char| !it.is_ascii_digit()).next()?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    text.match_indices('v').find_map(|(at, _)| parse(&text[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_tools_print_them() {
        for (text, wanted) in [
            ("v5.8.1", Some((5, 8))),
            ("{Version:kustomize/v4.5.7 GitCommit:56d82a BuildDate:2022}", Some((4, 5))),
            ("v3.22.0+g1a2b3c", Some((3, 22))),
            ("v3.22", Some((3, 22))),
            ("(devel)", None),
            ("", None),
        ] {
            assert_eq!(numbers(text), wanted, "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_too_old_or_says_nothing_is_refused_with_a_reason() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("helm");
        let make = |script: &str| {
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        let find = || Program::find(Tool::Helm, None, [PathBuf::from("."), directory.path().to_owned()].into_iter());
        assert_eq!(find().unwrap_err().to_string(), "`helm` is not there");
        make("echo v2.17.0");
        assert!(find().unwrap_err().to_string().ends_with("says it is `v2.17.0`; version 3.8 or later is needed"));
        make("exit 1");
        assert!(find().unwrap_err().to_string().contains("can't be asked for its version"));
        make("echo v3.9.0+gabc");
        assert_eq!(find().unwrap().version, "v3.9.0+gabc");
    }
}
