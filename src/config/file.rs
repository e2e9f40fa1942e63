//! `admit.yaml` as written.
//!
//! In: the text. Out: typed fields, or the line of what is wrong; an unknown key is wrong, and the nearest known one is
//! named. All keys may be left out.

use serde::Deserialize;

use crate::policy::error::nearest;

/// The name of the file, at the root of the repository.
pub(crate) const FILE_NAME: &str = "admit.yaml";

/// The keys, for suggestions.
const KEYS: &[&str] = &["policies", "exceptions", "include", "exclude", "trust", "guard"];

/// The file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Where policies are: paths or globs below the root.
    #[serde(default)]
    pub(super) policies: Vec<String>,
    /// Where exceptions are: paths or globs below the root.
    #[serde(default)]
    pub(super) exceptions: Vec<String>,
    /// Globs of the files to look at; all when empty.
    #[serde(default)]
    pub(super) include: Vec<String>,
    /// Globs of the files to leave alone.
    #[serde(default)]
    pub(super) exclude: Vec<String>,
    /// Which side of a change holds the law.
    #[serde(default)]
    pub(super) trust: Option<Side>,
    /// Globs of the branches that a hook on the server guards; all when empty.
    #[serde(default)]
    pub(super) guard: Vec<String>,
}

/// `trust:` as written.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Side {
    Base,
    Head,
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
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// Reads the text of the file at `path`.
pub(super) fn parse(path: &str, text: &str) -> Result<File, ConfigError> {
    // A file of nothing but comments is an empty one.
    let parsed: Result<Option<File>, _> = serde_yaml::from_str(text);
    parsed.map(Option::unwrap_or_default).map_err(|error| {
        let at = error.location();
        let whole = error.to_string();
        let message = whole.split(" at line ").next().unwrap_or(&whole).to_owned();
        ConfigError {
            path: path.to_owned(),
            line: at.as_ref().map_or(1, serde_yaml::Location::line),
            column: at.as_ref().map_or(1, serde_yaml::Location::column),
            hint: suggestion(&message),
            message,
        }
    })
}

fn suggestion(message: &str) -> Option<String> {
    let unknown = message.split_once("unknown field `")?.1.split('`').next()?;
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
        let error = parse("admit.yaml", "exclude: [a]\npolicys: [b]\n").unwrap_err();
        assert!(error.to_string().starts_with("admit.yaml:2:1: unknown field `policys`"), "{error}");
        assert_eq!(error.hint(), Some("did you mean `policies`?"));
        let error = parse("admit.yaml", "colour: red\n").unwrap_err();
        assert!(error.hint().is_some_and(|it| it.starts_with("known keys are `policies`")), "{error:?}");
    }

    #[test]
    fn every_key_is_known_to_the_suggestions() {
        let text =
            KEYS.iter().map(|key| if *key == "trust" { "trust: head\n".to_owned() } else { format!("{key}: []\n") });
        assert!(parse("admit.yaml", &text.collect::<String>()).is_ok());
        assert!(parse("admit.yaml", "# nothing yet\n").is_ok());
    }

    #[test]
    fn a_wrong_value_is_an_error_with_its_line() {
        let error = parse("admit.yaml", "# first\ntrust: nobody\n").unwrap_err();
        assert!(error.to_string().starts_with("admit.yaml:2:"), "{error}");
    }
}
