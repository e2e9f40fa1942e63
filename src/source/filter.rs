//! Which paths count as manifests.
//!
//! In: paths as displayed. Out: yes or no, before anything is read. Whether a file *is* a manifest only its content
//! says; this is about names.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::error::SourceError;

/// Whether a file of this name may hold manifests: `.yaml`, `.yml`, `.json` in any case, and `Kustomization`. Dots,
/// spaces and control characters at the end don't count: some file systems drop them.
pub(crate) fn is_manifest_name(name: &str) -> bool {
    match extension(name) {
        Some(extension) => ["yaml", "yml", "json"].iter().any(|it| extension.eq_ignore_ascii_case(it)),
        // The third of the names that Kustomize itself looks for.
        None => name.strip_suffix("Kustomization").is_some_and(|it| it.is_empty() || it.ends_with('/')),
    }
}

/// Whether a path lies in a hidden directory, or is a hidden file itself: `.github/a.yaml`.
pub(crate) fn is_hidden(path: &str) -> bool {
    path.split('/').any(|part| part.len() > 1 && part.starts_with('.') && part != "..")
}

/// Whether a file of this name holds a Jsonnet program, which Argo CD turns into manifests.
pub(super) fn is_jsonnet_name(name: &str) -> bool {
    extension(name).is_some_and(|it| it.eq_ignore_ascii_case("jsonnet"))
}

fn extension(path: &str) -> Option<&str> {
    let path = path.trim_end_matches(|it: char| it == '.' || it.is_whitespace() || it.is_control());
    // Both are ASCII, so that a look from the end at bytes finds the first of them.
    let at = path.bytes().rposition(|it| matches!(it, b'.' | b'/'))?;
    path[at..].strip_prefix('.')
}

/// Include and exclude globs over manifest names. The default takes every manifest name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// `None` when no glob was given: everything is included.
    include: Option<GlobSet>,
    exclude: GlobSet,
}

impl Filter {
    /// A filter from globs anchored at the root. `*` stays within a directory, `**` doesn't; a glob that matches a
    /// directory covers all that is below it. Without `include` every path is in; `exclude` wins over it.
    pub(crate) fn new<S: AsRef<str>>(include: &[S], exclude: &[S]) -> Result<Self, SourceError> {
        let include = if include.is_empty() { None } else { Some(compile(include)?) };
        Ok(Self { include, exclude: compile(exclude)? })
    }

    /// Whether a file at this path is to be read.
    pub(crate) fn takes(&self, path: &str) -> bool {
        is_manifest_name(path) && self.includes(path) && !self.exclude.is_match(path)
    }

    /// Whether all that is below this directory is excluded.
    pub(crate) fn prunes(&self, directory: &str) -> bool {
        self.exclude.is_match(directory)
    }

    /// Whether a link or a submodule at this path could have held something to read.
    pub(super) fn minds(&self, path: &str) -> bool {
        !self.exclude.is_match(path)
    }

    /// Whether a program at this path would have to be run to get at its manifests.
    pub(super) fn takes_program(&self, path: &str) -> bool {
        is_jsonnet_name(path) && self.includes(path) && !self.exclude.is_match(path)
    }

    /// Whether files below this directory are read, as far as the globs name the directory itself.
    pub(super) fn takes_below(&self, directory: &str) -> bool {
        self.includes(directory) && !self.prunes(directory)
    }

    fn includes(&self, path: &str) -> bool {
        self.include.as_ref().is_none_or(|it| it.is_match(path))
    }
}

fn compile<S: AsRef<str>>(patterns: &[S]) -> Result<GlobSet, SourceError> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let pattern = pattern.as_ref();
        let failed =
            |error: globset::Error| SourceError::Glob { pattern: pattern.to_owned(), reason: error.kind().to_string() };
        let text = pattern.strip_prefix("./").or(pattern.strip_prefix('/')).unwrap_or(pattern);
        let text = text.trim_end_matches('/');
        let (whole, below) = match text {
            // `.` is the root, where everything is below.
            "" | "." => ("**".to_owned(), "**".to_owned()),
            _ => (text.to_owned(), format!("{text}/**")),
        };
        for text in [whole, below] {
            set.add(GlobBuilder::new(&text).literal_separator(true).backslash_escape(true).build().map_err(failed)?);
        }
    }
    set.build().map_err(|error| SourceError::Glob {
        pattern: patterns.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" "),
        reason: error.kind().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifest_names_are_told_by_their_extension() {
        let on_some_file_systems = ["a.yaml.", "a.yaml ", "a.yaml. .", "a.yml\n", "a.json\u{a0}"];
        let plain =
            ["a.yaml", "a/b.YML", ".github/x.Json", "base/Kustomization", "Kustomization", ".yaml", "a\nb.yaml"];
        for name in plain.iter().chain(&on_some_file_systems) {
            assert!(is_manifest_name(name), "{name}");
        }
        for name in ["a.yaml.bak", "yaml", "kustomization", "README", "a.yaml/x", "Kustomization.txt", "aKustomization"]
        {
            assert!(!is_manifest_name(name), "{name}");
        }
    }

    #[test]
    fn globs_are_anchored_and_cover_what_is_below() {
        let filter = Filter::new(&["apps", "*.yaml"], &["apps/vendor/", "**/testdata"]).unwrap();
        for path in ["apps/a.yaml", "apps/x/y.json", "top.yaml"] {
            assert!(filter.takes(path), "{path}");
        }
        for path in ["lib/a.yaml", "apps/vendor/a.yaml", "apps/x/testdata/a.yaml", "apps/a.txt"] {
            assert!(!filter.takes(path), "{path}");
        }
        assert!(filter.prunes("apps/vendor"));
        assert!(filter.prunes("apps/vendor/deep"));
        assert!(!filter.prunes("apps"));
    }

    #[test]
    fn a_broken_glob_is_named() {
        let error = Filter::new(&[], &["a[".to_owned()]).unwrap_err();
        assert!(error.to_string().starts_with("`a[` is not a glob"), "{error}");
    }
}
