//! Which exceptions count at all, as on a cluster: whether any does, in which namespaces, below which paths.
//!
//! In: what `admit.yaml` and flags say. Out: why an exception does not count, if so. What is wrong with an exception that
//! counts is for the rules of governance to say.

use super::settings::texts;
use crate::{document::Node, k8s::wildcard, source::Filter};

/// Which exceptions count at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExceptionLimits {
    /// Whether any does.
    pub enabled: bool,
    /// The namespaces in which they do, with wildcards.
    pub namespaces: Vec<String>,
    /// The paths or globs below which they do, as findings show paths; anywhere when empty.
    pub directories: Vec<String>,
}

impl Default for ExceptionLimits {
    fn default() -> Self {
        Self { enabled: true, namespaces: vec!["*".to_owned()], directories: Vec::new() }
    }
}

impl ExceptionLimits {
    /// Reads `exceptions:`; a list there says where exceptions are looked for, and limits nothing.
    pub(super) fn read(block: Option<Node<'_>>) -> Self {
        let Some(block) = block.filter(|it| it.is_map()) else { return Self::default() };
        let default = Self::default();
        let list = |key: &str| block.get(key).filter(|it| it.is_list()).map(|it| texts(Some(it)));
        Self {
            enabled: block.get("enabled").and_then(Node::as_bool).unwrap_or(default.enabled),
            namespaces: list("namespaces").unwrap_or(default.namespaces),
            directories: list("directories").unwrap_or(default.directories),
        }
    }

    /// The same for paths that are shown with something before them.
    #[must_use]
    pub(crate) fn below(mut self, prefix: &str) -> Self {
        if !prefix.is_empty() {
            self.directories.iter_mut().for_each(|it| *it = format!("{prefix}/{it}"));
        }
        self
    }

    /// Why an exception in a namespace and a file does not count; `None` for one that does.
    pub(crate) fn why_not(&self, namespace: &str, path: &str) -> Option<String> {
        if !self.enabled {
            return Some("exceptions are switched off".to_owned());
        }
        let is_home = |it: &String| it == "*" || wildcard::matches(it, namespace);
        if !self.namespaces.iter().any(is_home) {
            return Some(format!("exceptions count in the namespaces `{}` only", self.namespaces.join("`, `")));
        }
        // A glob that is none was refused.
        let is_there = |it: &Filter| it.takes(path);
        if !self.directories.is_empty() && !Filter::new(&self.directories, &[]).as_ref().is_ok_and(is_there) {
            return Some(format!("exceptions count below `{}` only", self.directories.join("`, `")));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_counts_where_exceptions_may_be() {
        let limits = ExceptionLimits {
            namespaces: vec!["waivers-*".to_owned()],
            directories: vec!["exceptions".to_owned(), "teams/*/exceptions/**".to_owned()],
            ..ExceptionLimits::default()
        };
        let counts = |namespace: &str, path: &str| limits.why_not(namespace, path).is_none();
        assert!(counts("waivers-a", "exceptions/a.yaml") && counts("waivers-a", "teams/x/exceptions/y/a.yaml"));
        assert!(!counts("waivers", "exceptions/a.yaml") && !counts("waivers-a", "apps/a.yaml"));
        assert!(limits.clone().below("top").why_not("waivers-a", "top/exceptions/a.yaml").is_none());
        let off = ExceptionLimits { enabled: false, ..limits };
        assert_eq!(off.why_not("waivers-a", "exceptions/a.yaml").as_deref(), Some("exceptions are switched off"));
        assert_eq!(ExceptionLimits::default().why_not("", "a.yaml"), None);
    }
}
