//! `governance:` of `admit.yaml` as written.
//!
//! In: the bytes of the file. Out: what it says of each rule, with places, so that whoever knows the rules can refuse a
//! name or an option that none of them has. Rules are not known here.

use std::sync::Arc;

use super::{file::ConfigError, limits::ExceptionLimits};
use crate::{
    document::Node,
    expr::Value,
    policy::error::nearest,
    span::{File, Span},
};

pub(crate) use super::keys::suggestion;

/// What a repository says of the rules that govern exceptions and policies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Governance {
    /// What is said of single rules, in the order of the file.
    pub rules: Vec<RuleEntry>,
    /// What is let through in spite of a rule.
    pub allow: Vec<Allow>,
    /// Whether an exception that breaks a rule exempts anything.
    pub on_invalid: OnInvalid,
    /// Which side of a change holds the exceptions.
    pub exceptions_from: ExceptionsFrom,
    /// Which exceptions count at all.
    pub limits: ExceptionLimits,
    file: Option<Arc<File>>,
}

/// `governance.onInvalidException`: what becomes of an exception that breaks a rule which weighs as an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnInvalid {
    /// It exempts nothing.
    #[default]
    Ignore,
    /// It exempts as it does in a cluster.
    Honour,
}

/// `governance.exceptionsFrom`: which exceptions count for a change. Those that the change takes away never do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ExceptionsFrom {
    /// Those from before it; what it brings counts once it is merged.
    Base,
    /// Those after it, as far as they break no rule and say who owns them, why they are there and when they end.
    #[default]
    New,
    /// Those from before it where a policy refuses, else those after it.
    BaseForEnforce,
}

impl OnInvalid {
    const NAMES: [(&'static str, Self); 2] = [("ignore", Self::Ignore), ("honour", Self::Honour)];
}

impl ExceptionsFrom {
    const NAMES: [(&'static str, Self); 3] =
        [("base", Self::Base), ("new", Self::New), ("base-for-enforce", Self::BaseForEnforce)];

    /// Whether a change from `self` to `other` has more of what a change brings count in it.
    pub(crate) fn is_loosened_by(self, other: Self) -> bool {
        let counts = |it: Self| match it {
            Self::Base => 0,
            Self::BaseForEnforce => 1,
            Self::New => 2,
        };
        counts(self) < counts(other)
    }
}

/// `governance.rules.ID`.
#[derive(Clone, Debug)]
pub(crate) struct RuleEntry {
    /// The ID as written.
    pub id: String,
    /// Where it stands.
    pub at: Span,
    /// `enabled`, if it is given.
    pub enabled: Option<bool>,
    /// `severity`, if it is given.
    pub severity: Option<Level>,
    /// Everything else: the options of the rule.
    pub options: serde_json::Map<String, serde_json::Value>,
    /// Where each option stands.
    pub option_spans: Vec<(String, Span)>,
}

impl RuleEntry {
    /// What says nothing of a rule.
    pub(crate) fn of(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            at: Span::default(),
            enabled: None,
            severity: None,
            options: serde_json::Map::new(),
            option_spans: Vec::new(),
        }
    }
}

/// How much a rule weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Nothing: the rule says nothing.
    Off,
    /// For the record.
    Info,
    /// Worth a look.
    Warning,
    /// Blocks.
    Error,
}

impl Level {
    /// The words in `admit.yaml`.
    pub(crate) const NAMES: [&'static str; 4] = ["off", "info", "warning", "error"];

    /// Reads a word.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Level::Off, Level::Info, Level::Warning, Level::Error].into_iter().find(|it| it.name() == text)
    }

    /// The word in `admit.yaml`.
    pub(crate) const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// One entry of `governance.allow`: a rule that may be broken, by whom, and why.
#[derive(Clone, Debug)]
pub(crate) struct Allow {
    /// The ID of the rule.
    pub rule: String,
    /// Where the ID stands.
    pub rule_at: Span,
    /// The key of an exception, with wildcards; `None` where only a path is given.
    pub exception: Option<String>,
    /// A glob of paths.
    pub path: Option<String>,
    /// Why.
    pub reason: String,
    /// The first day on which it no longer counts.
    pub until: Option<jiff::civil::Date>,
}

impl Governance {
    /// An error in the file that this was read from.
    pub(crate) fn error(&self, at: Span, message: impl Into<String>, hint: Option<String>) -> ConfigError {
        let (path, position) = match &self.file {
            Some(file) => (file.path().to_string(), Some(file.position(at.start))),
            None => (String::new(), None),
        };
        let (line, column) = position.map_or((1, 1), |it| (it.line as usize, it.column as usize));
        ConfigError::new(path, line, column, message.into(), hint)
    }

    /// Reads what a file says, whose keys are known to be right.
    pub(super) fn read(file: Arc<File>, root: Node<'_>) -> Result<Self, ConfigError> {
        let limits = ExceptionLimits::read(root.get("exceptions"));
        let mut out = Self { file: Some(file), limits, ..Self::default() };
        let Some(block) = root.get("governance").filter(|node| !node.is_null()) else { return Ok(out) };
        out.on_invalid = word(block, "onInvalidException", &OnInvalid::NAMES);
        out.exceptions_from = word(block, "exceptionsFrom", &ExceptionsFrom::NAMES);
        for (id, node) in block.get("rules").into_iter().flat_map(Node::entries) {
            let entry = out.rule(id, node)?;
            out.rules.push(entry);
        }
        for node in block.get("allow").into_iter().flat_map(Node::items) {
            let entry = out.allow(node)?;
            out.allow.push(entry);
        }
        Ok(out)
    }

    fn rule(&self, id: &str, node: Node<'_>) -> Result<RuleEntry, ConfigError> {
        let mut out = RuleEntry { at: node.key_span(), ..RuleEntry::of(id) };
        // `EXC029:` with nothing behind it says nothing.
        if node.is_null() {
            return Ok(out);
        }
        self.map(node, id)?;
        for (key, value) in node.entries() {
            match key {
                "enabled" => {
                    let wrong = || self.error(value.span(), "`enabled` must be `true` or `false`", None);
                    out.enabled = Some(value.as_bool().ok_or_else(wrong)?);
                }
                "severity" => out.severity = Some(self.level(value)?),
                _ => {
                    let json = serde_json::from_str(&Value::from(value).to_json()).unwrap_or_default();
                    out.options.insert(key.to_owned(), json);
                    out.option_spans.push((key.to_owned(), value.key_span()));
                }
            }
        }
        Ok(out)
    }

    fn level(&self, node: Node<'_>) -> Result<Level, ConfigError> {
        // YAML reads `off` as false.
        let text = if node.as_bool() == Some(false) { "off" } else { node.as_str().unwrap_or_default() };
        Level::parse(text).ok_or_else(|| {
            let hint = match nearest(text, Level::NAMES) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("use one of `{}`", Level::NAMES.join("`, `")),
            };
            self.error(node.span(), "this is no severity", Some(hint))
        })
    }

    fn allow(&self, node: Node<'_>) -> Result<Allow, ConfigError> {
        let text = |key: &str| node.str_at(&[key]).map(str::to_owned);
        let (exception, path) = (text("exception"), text("path"));
        if exception.is_none() && path.is_none() {
            return Err(self.error(node.span(), "an entry of `allow` names an `exception` or a `path`", None));
        }
        Ok(Allow {
            rule: text("rule").unwrap_or_default(),
            rule_at: node.get("rule").map_or(node.span(), Node::span),
            exception,
            path,
            reason: text("reason").unwrap_or_default(),
            until: node.str_at(&["until"]).and_then(|text| text.parse().ok()),
        })
    }

    fn map(&self, node: Node<'_>, what: &str) -> Result<(), ConfigError> {
        if node.is_map() { Ok(()) } else { Err(self.error(node.span(), format!("`{what}` must be a map"), None)) }
    }
}

/// One of a few words, or the default where none is written.
fn word<T: Copy + Default>(block: Node<'_>, key: &str, words: &[(&str, T)]) -> T {
    words.iter().find(|(word, _)| block.str_at(&[key]) == Some(word)).map(|(_, value)| *value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn read(text: &str) -> Result<Governance, ConfigError> {
        Settings::parse("admit.yaml", text.as_bytes()).map(|it| it.governance)
    }

    fn error(text: &str) -> String {
        let error = read(text).unwrap_err();
        format!("{error} | {}", error.hint().unwrap_or_default())
    }

    #[test]
    fn rules_are_read_with_their_options() {
        let text = "governance:\n  rules:\n    EXC014: { severity: warning, minLiteralPrefix: 5 }\n    EXC029:\n";
        let it = read(text).unwrap();
        assert_eq!((it.rules.len(), it.rules[0].severity), (2, Some(Level::Warning)));
        assert_eq!(it.rules[0].options["minLiteralPrefix"], 5);
        let it = read("governance: { rules: { EXC014: { severity: off } } }").unwrap();
        assert_eq!(it.rules[0].severity, Some(Level::Off));
        assert!(read("# nothing\n").unwrap().rules.is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let text = "governance:\n  rule:\n    EXC014: {}\n";
        assert!(error(text).starts_with("admit.yaml:2:3: unknown field `rule` in governance | did you mean `rules`"));
        let text = "governance:\n  rules:\n    EXC014: { severity: eror }\n";
        assert_eq!(error(text), "admit.yaml:3:25: this is no severity | did you mean `error`?");
        let text = "governance:\n  allow:\n    - { rule: EXC019, exception: a/b }\n";
        assert!(error(text).contains("admit.yaml:3:7: an entry of `allow` lacks `reason`"), "{}", error(text));
    }

    #[test]
    fn what_is_allowed_may_end() {
        let text = "governance:\n  allow:\n  - { rule: EXC019, exception: a/b, reason: agent, until: 2026-12-31 }\n";
        let it = read(text).unwrap();
        assert_eq!(it.allow[0].until.map(|it| it.to_string()), Some("2026-12-31".to_owned()));
    }
}
