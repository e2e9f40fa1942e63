//! `admit.yaml` as written.
//!
//! In: the text. Out: typed fields, or the line of what is wrong; an unknown key is wrong, and the nearest known one is
//! named. All keys may be left out.

use globset::Glob;
use serde::Deserialize;

use crate::{policy::error::nearest, source::Filter};

/// The name of the file, at the root of the repository.
pub(crate) const FILE_NAME: &str = "admit.yaml";

/// The keys, for suggestions.
const KEYS: &[&str] =
    &["policies", "exceptions", "include", "exclude", "trust", "guard", "userinfo", "governance", "render"];

/// The file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Where policies are: paths or globs below the root.
    #[serde(default)]
    pub(super) policies: Vec<Below>,
    /// Where exceptions are: paths or globs below the root.
    #[serde(default)]
    pub(super) exceptions: Vec<Below>,
    /// Globs of the files to judge; all when empty.
    #[serde(default)]
    pub(super) include: Vec<Below>,
    /// Globs of the files to leave alone.
    #[serde(default)]
    pub(super) exclude: Vec<Below>,
    /// Which side of a change holds the law.
    #[serde(default)]
    pub(super) trust: Option<Side>,
    /// Globs of the refs that a hook on the server guards; all branches when empty.
    #[serde(default)]
    pub(super) guard: Vec<Guarded>,
    /// Who applies the manifests.
    #[serde(default)]
    pub(super) userinfo: Option<User>,
    /// What is rendered before it is judged.
    #[serde(default)]
    pub(super) render: Rendering,
    /// Rules that govern exceptions and policies; read with places by [`super::governance`].
    #[serde(default)]
    #[expect(dead_code, reason = "here it is only a known key")]
    pub(super) governance: Option<serde::de::IgnoredAny>,
}

/// `userinfo:` as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct User {
    /// The name, such as `system:serviceaccount:argocd:argocd-application-controller`.
    pub(super) username: String,
    #[serde(default)]
    pub(super) groups: Vec<String>,
    /// Roles as `namespace:name`.
    #[serde(default)]
    pub(super) roles: Vec<String>,
    #[serde(default)]
    pub(super) cluster_roles: Vec<String>,
}

/// `render:` as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rendering {
    /// Whether overlays and charts are rendered.
    #[serde(default)]
    pub(super) mode: Option<When>,
    /// Globs of kustomizations and charts, or of directories with them, that are not rendered.
    #[serde(default)]
    pub(super) exclude: Vec<Below>,
    /// Globs of directories that are rendered though others include them.
    #[serde(default)]
    pub(super) roots: Vec<Below>,
}

/// `render.mode` as written.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum When {
    Auto,
    Never,
    Always,
}

/// A path or glob that stays below the root: whoever writes `admit.yaml` can't make others read what lies outside.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Below(pub(super) String);

impl TryFrom<String> for Below {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with('/') || text.split('/').any(|part| part == "..") {
            return Err(format!("`{text}` leads out of the repository"));
        }
        match Filter::new(&[&text], &[]) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// A glob of the full names of refs. One that doesn't begin with `refs/` is about branches.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Guarded(pub(super) Glob);

impl TryFrom<String> for Guarded {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let full = if text.starts_with("refs/") { text.clone() } else { format!("refs/heads/{text}") };
        Glob::new(&full).map(Self).map_err(|error| format!("`{text}` is not a glob: {}", error.kind()))
    }
}

/// `trust:` as written.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Side {
    Base,
    Both,
    #[serde(alias = "head")]
    Proposed,
    Operator,
}

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

/// Reads the file at `path`.
pub(super) fn parse(path: &str, bytes: &[u8]) -> Result<File, ConfigError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let message = "this is not UTF-8".to_owned();
        ConfigError { path: path.to_owned(), line, column: 1, message, hint: None }
    })?;
    // A file of nothing but comments is an empty one.
    let parsed: Result<Option<File>, _> = serde_yaml::from_str(text);
    parsed.map(Option::unwrap_or_default).map_err(|error| {
        let at = error.location();
        let whole = error.to_string();
        let message = whole.split(" at line ").next().unwrap_or(&whole).to_owned();
        let (line, column) = at.map_or((1, 1), |at| (at.line(), at.column()));
        let (line, column) = item(text, &message, line).unwrap_or((line, column));
        ConfigError { path: path.to_owned(), line, column, hint: suggestion(&message), message }
    })
}

/// Where the item of a list is that a message quotes: the parser points at the list, at or above it.
fn item(text: &str, message: &str, line: usize) -> Option<(usize, usize)> {
    let (_, quoted) = message.split_once(": `")?;
    let (quoted, _) = quoted.split_once('`')?;
    let mut lines = text.lines().enumerate().skip(line - 1);
    lines.find_map(|(index, line)| Some((index + 1, line[..line.find(quoted)?].chars().count() + 1)))
}

fn suggestion(message: &str) -> Option<String> {
    // Below a key of the file the message itself says which ones are known.
    let unknown = message.strip_prefix("unknown field `")?.split('`').next()?;
    let known = KEYS.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
    Some(match nearest(unknown, KEYS.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known keys are {known}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_key() {
        let error = parse("admit.yaml", b"exclude: [a]\npolicys: [b]\n").unwrap_err();
        assert!(error.to_string().starts_with("admit.yaml:2:1: unknown field `policys`"), "{error}");
        assert_eq!(error.hint(), Some("did you mean `policies`?"));
        let error = parse("admit.yaml", b"colour: red\n").unwrap_err();
        assert!(error.hint().is_some_and(|it| it.starts_with("known keys are `policies`")), "{error:?}");
    }

    #[test]
    fn every_key_is_known_to_the_suggestions() {
        let text = KEYS.iter().map(|key| match *key {
            "trust" => "trust: head\n".to_owned(),
            "governance" => "governance: {}\n".to_owned(),
            "render" => "render: { mode: auto, exclude: [a], roots: [b] }\n".to_owned(),
            "userinfo" => "userinfo: { username: jane, clusterRoles: [view] }\n".to_owned(),
            _ => format!("{key}: []\n"),
        });
        assert!(parse("admit.yaml", text.collect::<String>().as_bytes()).is_ok());
        assert!(parse("admit.yaml", b"# nothing yet\n").is_ok());
    }

    #[test]
    fn a_wrong_value_is_an_error_with_its_line() {
        let error = parse("admit.yaml", b"# first\ntrust: nobody\n").unwrap_err();
        assert!(error.to_string().starts_with("admit.yaml:2:"), "{error}");
    }

    #[test]
    fn a_path_that_leads_out_or_is_no_glob_is_an_error_with_its_line() {
        for (text, wanted) in [
            (
                "include: []\npolicies: [../other]\n",
                "admit.yaml:2:12: policies: `../other` leads out of the repository",
            ),
            (
                "policies:\n  - a\n  - /etc/passwd\n",
                "admit.yaml:3:5: policies: `/etc/passwd` leads out of the repository",
            ),
            ("exclude: ['a[']\n", "admit.yaml:1:12: exclude: `a[` is not a glob"),
            ("guard: ['{a']\n", "admit.yaml:1:10: guard: `{a` is not a glob"),
        ] {
            let error = parse("admit.yaml", text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        let error = parse("admit.yaml", b"# one\n# \xff\n").unwrap_err();
        assert_eq!(error.to_string(), "admit.yaml:2:1: this is not UTF-8");
    }
}
