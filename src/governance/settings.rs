//! What `admit.yaml` says of the rules, checked against the rules that there are.
//!
//! In: the block as written. Out: for each rule how much it weighs and its options, or what is wrong with the block. What
//! is allowed in spite of a rule is let through here.

use std::collections::HashMap;

use globset::{Glob, GlobMatcher};

use super::{Context, Out, RULES, Rule, context::Found, rule_of};
use crate::{
    config::{
        ConfigError,
        governance::{ExceptionsFrom, Governance, Level, OnInvalid, RuleEntry, suggestion},
    },
    finding::{Finding, Severity},
    k8s::wildcard::Wildcard,
};

/// How each rule counts.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    entries: HashMap<&'static str, RuleEntry>,
    allowed: Vec<Allowed>,
    all_on: bool,
    /// Whether an exception that breaks a rule exempts anything.
    pub(crate) on_invalid: OnInvalid,
    /// Which side of a change holds the exceptions.
    pub(crate) exceptions_from: ExceptionsFrom,
}

#[derive(Debug)]
struct Allowed {
    rule: String,
    exception: Option<Wildcard>,
    path: Option<GlobMatcher>,
    until: Option<jiff::Timestamp>,
}

impl Rules {
    /// Takes what is written, or says what in it no rule knows.
    pub(crate) fn new(written: &Governance) -> Result<Self, ConfigError> {
        let (on_invalid, exceptions_from) = (written.on_invalid, written.exceptions_from);
        let mut out = Self { on_invalid, exceptions_from, ..Self::default() };
        let ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
        for entry in &written.rules {
            let Some(rule) = rule_of(&entry.id) else {
                let message = format!("there is no rule `{}`", entry.id);
                return Err(written.error(entry.at, message, Some(unknown_rule(&entry.id, &ids))));
            };
            accept(rule, entry, written)?;
            out.entries.insert(rule.id, entry.clone());
        }
        for allow in &written.allow {
            if rule_of(&allow.rule).is_none() {
                let message = format!("there is no rule `{}`", allow.rule);
                return Err(written.error(allow.rule_at, message, Some(unknown_rule(&allow.rule, &ids))));
            }
            let glob = |text: &String| Glob::new(text).map(|it| it.compile_matcher());
            let path = match allow.path.as_ref().map(glob).transpose() {
                Ok(path) => path,
                Err(error) => return Err(written.error(allow.rule_at, error.to_string(), None)),
            };
            let midnight = |date: jiff::civil::Date| jiff::tz::TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok();
            out.allowed.push(Allowed {
                rule: allow.rule.clone(),
                exception: allow.exception.as_deref().map(Wildcard::new),
                path,
                until: allow.until.and_then(midnight),
            });
        }
        Ok(out)
    }

    /// The same, with the rules on that are off where nothing is written.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn with_all_on(mut self) -> Self {
        self.all_on = true;
        self
    }

    /// The same, with some rules off.
    #[must_use]
    pub(crate) fn without(mut self, ids: &[&'static str]) -> Self {
        for id in ids {
            let entry = self.entries.entry(id).or_insert_with(|| RuleEntry::of(id));
            entry.enabled = Some(false);
        }
        self
    }

    /// How much a rule weighs.
    pub(crate) fn level(&self, rule: &Rule) -> Level {
        let default = if self.all_on && rule.level == Level::Off { Level::Error } else { rule.level };
        let Some(entry) = self.entries.get(rule.id) else { return default };
        match (entry.enabled, entry.severity) {
            (Some(false), _) => Level::Off,
            (_, Some(level)) => level,
            // Whoever switches a rule on wants to hear of it.
            (Some(true), None) if default == Level::Off => Level::Warning,
            (_, None) => default,
        }
    }

    /// Whether `admit.yaml` says how much a rule weighs.
    pub(super) fn is_weighed(&self, rule: &Rule) -> bool {
        self.entries.get(rule.id).is_some_and(|entry| entry.severity.is_some())
    }

    /// The options of a rule.
    pub(super) fn options<T: serde::de::DeserializeOwned + Default>(&self, rule: &Rule) -> T {
        let written = self.entries.get(rule.id).map(|entry| serde_json::Value::Object(entry.options.clone()));
        // What can't be read was refused by `new`.
        written.and_then(|json| serde_json::from_value(json).ok()).unwrap_or_default()
    }

    /// Every option of a rule with its value, whether it is written or not.
    pub(crate) fn options_as_written(&self, rule: &Rule) -> serde_json::Map<String, serde_json::Value> {
        let mut out = (rule.defaults)().as_object().cloned().unwrap_or_default();
        out.extend(self.entries.get(rule.id).map(|entry| entry.options.clone()).unwrap_or_default());
        out
    }

    /// Runs one rule.
    pub(super) fn run(&self, rule: &'static Rule, context: &Context<'_>) -> Vec<Found> {
        let severity = match self.level(rule) {
            Level::Off => return Vec::new(),
            Level::Info => Severity::Info,
            Level::Warning => Severity::Warning,
            Level::Error => Severity::Error,
        };
        let mut out = Out::new(rule, self, severity);
        (rule.check)(context, &mut out);
        let allowed = |key: &str, finding: &Finding| {
            self.allowed.iter().filter(|it| it.rule == rule.id).any(|it| {
                it.until.is_none_or(|until| context.now < until)
                    && it.exception.as_ref().is_none_or(|pattern| pattern.matches(key))
                    && it.path.as_ref().is_none_or(|glob| glob.is_match(&*finding.primary.path))
            })
        };
        out.into_found().filter(|it| !allowed(&it.key, &it.finding)).collect()
    }
}

fn unknown_rule(id: &str, known: &[&str]) -> String {
    match crate::policy::error::nearest(id, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "`admit explain --list` prints all".to_owned(),
    }
}

fn accept(rule: &Rule, entry: &RuleEntry, written: &Governance) -> Result<(), ConfigError> {
    let defaults = (rule.defaults)();
    let known: Vec<&str> = defaults.as_object().into_iter().flat_map(|it| it.keys()).map(String::as_str).collect();
    for (option, at) in &entry.option_spans {
        if !known.contains(&option.as_str()) {
            let message = format!("{} has no option `{option}`", rule.id);
            let all: Vec<&str> = known.iter().copied().chain(["enabled", "severity"]).collect();
            return Err(written.error(*at, message, Some(suggestion(option, &all))));
        }
        // One at a time, so that the line is that of the wrong one.
        let one = serde_json::json!({ option.as_str(): entry.options.get(option) });
        if let Err(error) = (rule.accepts)(one) {
            return Err(written.error(*at, format!("`{option}` of {}: {error}", rule.id), None));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn rules(text: &str) -> Result<Rules, String> {
        let settings = Settings::parse("admit.yaml", text.as_bytes()).map_err(|error| error.to_string())?;
        Rules::new(&settings.governance).map_err(|error| format!("{error} | {}", error.hint().unwrap_or_default()))
    }

    #[test]
    fn an_unknown_rule_or_option_is_named_with_its_line() {
        let error = rules("governance:\n  rules:\n    EXC01: {}\n").unwrap_err();
        assert!(error.starts_with("admit.yaml:3:5: there is no rule `EXC01` | did you mean `EXC0"), "{error}");
        let error = rules("governance:\n  rules:\n    EXC014:\n      minLiteral: 4\n").unwrap_err();
        assert!(error.starts_with("admit.yaml:4:7: EXC014 has no option `minLiteral`"), "{error}");
        let error = rules("governance:\n  rules:\n    EXC014: { minLiteralPrefix: lots }\n").unwrap_err();
        assert!(error.starts_with("admit.yaml:3:15: `minLiteralPrefix` of EXC014: invalid type"), "{error}");
    }

    #[test]
    fn severity_and_enabled_decide_together() {
        let rules = rules("governance: { rules: { EXC014: { enabled: false }, EXC001: { severity: info } } }").unwrap();
        let level = |id| rule_of(id).map(|rule| rules.level(rule));
        assert_eq!(level("EXC014"), Some(Level::Off));
        assert_eq!(level("EXC001"), Some(Level::Info));
    }
}
