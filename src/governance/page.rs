//! The page of a rule: from the lines of its doc comment to text for people, and to examples for tests.

use std::fmt::Write as _;

use super::{RULES, Rule, context::listed};
use crate::config::governance::Level;

/// The policy that examples speak of when they hold none of their own.
#[cfg(test)]
pub(crate) const EXAMPLE_POLICY: &str = "\
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: { name: host-ns, annotations: { policies.kyverno.io/severity: medium } }
spec:
  rules:
    - name: no-host-ns
      match: { any: [{ resources: { kinds: [Pod] } }] }
      validate: { failureAction: Enforce, message: keep out, pattern: { spec: { =(hostPID): \"false\" } } }
";

/// What is said below the examples that use it.
const ABOUT_EXAMPLES: &str = "The examples speak of a ClusterPolicy `host-ns` in Enforce whose rule `no-host-ns` keeps \
                              Pods out of the process table of the node.";

/// The page of a rule, taken apart.
#[derive(Debug)]
pub(crate) struct Page {
    rule: &'static Rule,
    /// The first paragraph.
    pub summary: String,
    sections: Vec<(String, String)>,
}

impl Page {
    /// Takes the page of a rule apart.
    pub(crate) fn of(rule: &'static Rule) -> Self {
        let mut out = Self { rule, summary: String::new(), sections: Vec::new() };
        for line in rule.page {
            let line = line.strip_prefix(' ').unwrap_or(line);
            if let Some(title) = line.strip_prefix("## ") {
                out.sections.push((title.to_owned(), String::new()));
                continue;
            }
            let text = out.sections.last_mut().map_or(&mut out.summary, |(_, text)| text);
            text.push_str(line);
            text.push('\n');
        }
        out.summary = out.summary.trim().to_owned();
        out
    }

    /// The text of a section.
    #[cfg(test)]
    pub(crate) fn section(&self, title: &str) -> Option<&str> {
        self.sections.iter().find(|(it, _)| it == title).map(|(_, text)| text.trim())
    }

    /// The blocks of YAML in a section, each with the words behind `yaml`.
    #[cfg(test)]
    pub(crate) fn examples(&self, title: &str) -> Vec<(String, String)> {
        let mut out: Vec<(String, String)> = Vec::new();
        let mut inside = false;
        for line in self.section(title).unwrap_or_default().lines() {
            match (line.strip_prefix("```"), inside) {
                (Some(info), false) => {
                    out.push((info.trim_start_matches("yaml").trim().to_owned(), String::new()));
                    inside = true;
                }
                (Some(_), true) => inside = false,
                (None, true) => {
                    if let Some((_, text)) = out.last_mut() {
                        text.push_str(line);
                        text.push('\n');
                    }
                }
                (None, false) => {}
            }
        }
        out
    }

    /// The page as Markdown.
    pub(crate) fn markdown(&self) -> String {
        let Self { rule, summary, sections } = self;
        let mut out = format!("# {} {}\n\n{summary}\n\n", rule.id, rule.name);
        let _ = match rule.level {
            Level::Off => writeln!(out, "Off unless `admit.yaml` switches it on."),
            level => writeln!(out, "Severity: {}.", level.name()),
        };
        for (title, text) in sections {
            let _ = writeln!(out, "\n## {title}\n\n{}", text.trim());
        }
        let uses_example_policy = sections.iter().any(|(_, text)| text.contains("policyName: host-ns"));
        if uses_example_policy {
            let _ = writeln!(out, "\n{ABOUT_EXAMPLES}");
        }
        let defaults = (rule.defaults)();
        let options = defaults.as_object().filter(|it| !it.is_empty());
        let body = options.map_or_else(
            || format!("{{ severity: {} }}", rule.level.name()),
            |options| {
                let pairs: Vec<String> = options.iter().map(|(key, value)| format!("{key}: {value}")).collect();
                format!("{{ severity: {}, {} }}", rule.level.name(), pairs.join(", "))
            },
        );
        let _ = write!(
            out,
            "\n## In `admit.yaml`, with the defaults\n\n```yaml\ngovernance:\n  rules:\n    {}: {body}\n```\n",
            rule.id
        );
        out
    }
}

/// All rules, a line each.
pub(crate) fn list() -> String {
    let mut out = String::new();
    for rule in RULES {
        let page = Page::of(rule);
        let summary = page.summary.lines().next().unwrap_or_default();
        let _ = writeln!(out, "{:<7} {:<8} {:<22} {summary}", rule.id, rule.level.name(), rule.name);
    }
    out
}

/// What to say of an ID that no rule has.
pub(crate) fn unknown(id: &str) -> String {
    let ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
    let like: Vec<&str> = crate::policy::error::nearest(id, ids).into_iter().collect();
    if like.is_empty() {
        "`admit explain --list` prints all".to_owned()
    } else {
        format!("did you mean {}?", listed(like))
    }
}
