//! `admit.yaml` as written.
//!
//! In: the text. Out: its document, checked against the table of keys, or the line of what is wrong.

use std::sync::Arc;

use globset::Glob;

use super::keys;
use crate::{
    document::{self, Document, Limits},
    source::Filter,
    span::{File, Span},
};

/// The name of the file, at the root of the repository.
pub(crate) const FILE_NAME: &str = "admit.yaml";

/// Why `admit.yaml` can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}:{line}:{column}: {message}")]
pub(crate) struct ConfigError {
    /// The file as the user finds it.
    path: String,
    /// From 1.
    line: usize,
    /// From 1.
    column: usize,
    message: String,
    hint: Option<String>,
}

impl ConfigError {
    /// An error at a line and a column, both from 1.
    pub(crate) fn new(path: String, line: usize, column: usize, message: String, hint: Option<String>) -> Self {
        Self { path, line, column, message, hint }
    }

    /// An error at a place of a file.
    pub(crate) fn at_span(file: &File, at: Span, message: String, hint: Option<String>) -> Self {
        let position = file.position(at.start);
        Self::new(file.path().to_string(), position.line as usize, position.column as usize, message, hint)
    }

    /// What is wrong, without the place.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Line and column, both from 1.
    pub(crate) fn at(&self) -> (usize, usize) {
        (self.line, self.column)
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// Whether a path or glob stays below the root: whoever writes `admit.yaml` can't make others read what lies outside.
pub(super) fn below(text: &str) -> Result<(), String> {
    if text.starts_with('/') || text.split('/').any(|part| part == "..") {
        return Err(format!("`{text}` leads out of the repository"));
    }
    Filter::new(&[text], &[]).map(drop).map_err(|error| error.to_string())
}

/// A glob of the full names of refs. One that doesn't begin with `refs/` is about branches.
pub(super) fn refs(text: &str) -> Result<Glob, String> {
    let full = if text.starts_with("refs/") { text.to_owned() } else { format!("refs/heads/{text}") };
    Glob::new(&full).map_err(|error| format!("`{text}` is not a glob: {}", error.kind()))
}

/// The file at `path`, and what it says; `None` for one that says nothing.
pub(super) fn parse(path: &str, bytes: &[u8]) -> Result<(Arc<File>, Option<Document>), ConfigError> {
    if let Err(error) = std::str::from_utf8(bytes) {
        let line = memchr::memchr_iter(b'\n', &bytes[..error.valid_up_to()]).count() + 1;
        return Err(ConfigError::new(path.to_owned(), line, 1, "this is not UTF-8".to_owned(), None));
    }
    let file = File::new(path, bytes.to_vec());
    let parsed = document::parse(&file, &Limits::default());
    if let Some(error) = parsed.errors.first() {
        return Err(ConfigError::at_span(&file, error.at(), error.to_string(), error.help().map(str::to_owned)));
    }
    let mut documents = parsed.documents.into_iter();
    // A file of nothing but comments is an empty one.
    let Some(document) = documents.next() else { return Ok((file, None)) };
    if let Some(second) = documents.next() {
        let message = "a second document: settings are in one".to_owned();
        return Err(ConfigError::at_span(&file, second.root().span(), message, None));
    }
    keys::check(&file, document.root())?;
    Ok((file, Some(document)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &[u8]) -> ConfigError {
        parse("admit.yaml", text).unwrap_err()
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_key_at_any_depth() {
        for (text, wanted, hint) in [
            ("exclude: [a]\npolicys: [b]\n", "admit.yaml:2:1: unknown field `policys`", "did you mean `policies`?"),
            (
                "userinfo:\n  username: a\n  group: [b]\n",
                "admit.yaml:3:3: unknown field `group` in userinfo",
                "did you mean `groups`?",
            ),
            (
                "exceptions:\n  namespace: [b]\n",
                "admit.yaml:2:3: unknown field `namespace` in exceptions",
                "did you mean `namespaces`?",
            ),
            (
                "governance:\n  rule:\n    EXC014: {}\n",
                "admit.yaml:2:3: unknown field `rule` in governance",
                "did you mean `rules`?",
            ),
            (
                "governance:\n  allow:\n    - { rule: EXC019, exeption: a/b, reason: x }\n",
                "admit.yaml:3:23: unknown field `exeption` in governance.allow",
                "did you mean `exception`?",
            ),
        ] {
            let error = error(text.as_bytes());
            assert_eq!((error.to_string().as_str(), error.hint()), (wanted, Some(hint)));
        }
        let error = error(b"colour: red\n");
        assert!(error.hint().is_some_and(|it| it.starts_with("known are `policies`")), "{error:?}");
    }

    #[test]
    fn what_says_nothing_is_no_error() {
        for text in ["", "# nothing yet\n", "userinfo:\npolicies: null\ngovernance: { rules: }\n"] {
            assert!(parse("admit.yaml", text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_wrong_value_is_an_error_with_its_place() {
        for (text, wanted) in [
            ("# first\ntrust: nobody\n", "admit.yaml:2:8: `trust` is none of the words that it can be"),
            ("policies: all\n", "admit.yaml:1:11: `policies` must be a list"),
            ("policies: [1]\n", "admit.yaml:1:12: `policies` must hold strings"),
            ("exceptions: { enabled: maybe }\n", "admit.yaml:1:24: `exceptions.enabled` must be `true` or `false`"),
            ("userinfo: { groups: [a] }\n", "admit.yaml:1:11: `userinfo` lacks `username`"),
            ("- policies\n", "admit.yaml:1:1: `admit.yaml` must be a map"),
            (
                "include: []\npolicies: [../other]\n",
                "admit.yaml:2:12: policies: `../other` leads out of the repository",
            ),
            (
                "policies:\n  - a\n  - /etc/passwd\n",
                "admit.yaml:3:5: policies: `/etc/passwd` leads out of the repository",
            ),
            ("exclude: ['a[']\n", "admit.yaml:1:11: exclude: `a[` is not a glob"),
            ("guard: ['{a']\n", "admit.yaml:1:9: guard: `{a` is not a glob"),
        ] {
            let error = error(text.as_bytes()).to_string();
            assert!(error.starts_with(wanted), "{error}");
        }
        assert_eq!(error(b"# one\n# \xff\n").to_string(), "admit.yaml:2:1: this is not UTF-8");
    }
}
