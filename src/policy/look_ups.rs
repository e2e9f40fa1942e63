//! Which objects of a cluster policies look up, beside those that they judge.
//!
//! In: a compiled set. Out: the plurals of the kinds that its rules may read, or that nobody knows. What is told may be
//! more than is read, never less.

use std::collections::BTreeSet;

use super::{
    cel::ParamKind,
    classic::{
        Body, Check, Rule,
        context::{ContextEntry, Source},
        model, mutate,
    },
    cleanup,
    set::{Found, PolicySet},
};
use crate::{
    expr::template::{Template, variables},
    k8s::gvk,
};

/// Kinds of objects that rules read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LookUps {
    /// Any kind may be read.
    is_open: bool,
    /// Plurals in lower case, as URLs have them.
    plurals: BTreeSet<String>,
    /// Groups and kinds.
    kinds: BTreeSet<(String, String)>,
}

impl LookUps {
    /// Whether nothing is read.
    pub(crate) fn is_empty(&self) -> bool {
        !self.is_open && self.plurals.is_empty() && self.kinds.is_empty()
    }

    /// Whether objects of any kind may be read.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Names what is read, the same for the same kinds.
    pub(crate) fn key(&self, plurals: &gvk::Plurals) -> String {
        let defined: BTreeSet<_> = plurals.defined().filter(|_| !self.plurals.is_empty()).collect();
        format!("{self:?} {defined:?}")
    }

    /// Whether objects of a kind may be read.
    pub(crate) fn find(&self, group: &str, kind: &str, plurals: &gvk::Plurals) -> bool {
        self.is_open
            || self.kinds.iter().any(|it| (&*it.0, &*it.1) == (group, kind))
            || (!self.plurals.is_empty()
                // The API server is asked for the plural that it has for a kind, objects of a file for the usual one.
                && (self.plurals.contains(&plurals.of(group, kind)) || self.plurals.contains(&gvk::plural(group, kind))))
    }

    fn anything(&mut self) {
        self.is_open = true;
    }

    fn entries(&mut self, entries: &[ContextEntry]) {
        for entry in entries {
            match &entry.source {
                Source::ConfigMap { .. } => {
                    self.plurals.insert("configmaps".to_owned());
                }
                Source::ApiCall { url_path: Some(path), .. } => match plural(path) {
                    Some(plural) => {
                        self.plurals.insert(plural);
                    }
                    None => self.anything(),
                },
                // What it stands for is said by another object.
                Source::Global { .. } => self.anything(),
                Source::Variable { .. } | Source::ApiCall { .. } | Source::ImageRegistry { .. } => {}
            }
        }
    }

    fn parameters(&mut self, kind: Option<&ParamKind>) {
        self.kinds.extend(kind.map(|it| (it.group.clone(), it.kind.clone())));
    }

    fn rule(&mut self, rule: &Rule) {
        self.entries(&rule.context);
        match &rule.body {
            Body::Validate(block) => self.check(&block.check),
            Body::Mutate(block) => self.change(&block.change),
            Body::Generate(_) | Body::VerifyImages(_) | Body::Nothing => {}
        }
    }

    /// What a cleanup policy reads.
    pub(super) fn of_cleanup(policy: &cleanup::Policy) -> Self {
        let mut out = Self::default();
        out.entries(&policy.context);
        out
    }

    fn check(&mut self, check: &Check) {
        match check {
            Check::ForEach(items) => items.iter().for_each(|it: &model::ForEach| {
                self.entries(&it.context);
                self.check(&it.check);
            }),
            Check::Cel(cel) => {
                self.parameters(cel.param_kind.as_ref());
                self.is_open |= cel.body.reads.objects;
            }
            Check::Pattern(_)
            | Check::AnyPattern(_)
            | Check::Deny(..)
            | Check::PodSecurity(_)
            | Check::Manifests(_)
            | Check::Nothing => {}
        }
    }

    fn change(&mut self, change: &mutate::Change) {
        if let mutate::Change::ForEach(items) = change {
            for item in items {
                self.entries(&item.context);
                self.change(&item.change);
            }
        }
    }
}

impl PolicySet {
    /// What the rules of all policies read, and the conditions of all exceptions.
    pub(crate) fn look_ups(&self) -> LookUps {
        let mut out = LookUps::default();
        self.classic.iter().flat_map(|it| &it.rules).for_each(|rule| out.rule(rule));
        out.is_open |= self.classic.iter().any(|policy| policy.gate.reads.objects);
        self.cleanup.iter().for_each(|policy| out.entries(&policy.context));
        for policy in self.cel() {
            out.parameters(policy.param_kind.as_ref());
            out.is_open |= policy.forms.iter().any(|form| form.body.reads.objects);
        }
        out.is_open |= self.exceptions.iter().filter_map(|it| it.cel.as_ref()).any(|it| it.reads().objects);
        out
    }

    /// What one rule reads.
    pub(crate) fn look_ups_of(&self, rule: Found<'_>) -> LookUps {
        let mut out = LookUps::default();
        match rule {
            Found::Classic(policy, rule) => {
                out.rule(rule);
                out.is_open |= policy.gate.reads.objects;
            }
            Found::Cleanup(policy) => out = LookUps::of_cleanup(policy),
            Found::Cel(policy, form) => {
                out.parameters(policy.param_kind.as_ref());
                out.is_open |= form.body.reads.objects;
                out.is_open |= self
                    .exceptions_to(&policy.head)
                    .any(|(_, it)| it.cel.as_ref().is_some_and(|it| it.reads().objects));
            }
        }
        out
    }
}

/// The plural in a path of the API server; `None` where a variable stands for it, or the path is read otherwise.
fn plural(path: &Template) -> Option<String> {
    let text = path.source();
    // What a variable gives is one part of the path.
    let (mut plain, mut end) = (String::new(), 0);
    for (start, stop) in variables(text) {
        plain.push_str(&text[end..start.max(end)]);
        plain.push('\0');
        end = stop.max(end);
    }
    plain.push_str(&text[end..]);
    let plain = plain.split_once('?').map_or(plain.as_str(), |(path, _)| path);
    let parts: Vec<&str> = plain.trim_matches('/').split('/').collect();
    let (["api", _, rest @ ..] | ["apis", _, _, rest @ ..]) = parts.as_slice() else { return None };
    let plural = match rest {
        ["namespaces", _, plural] | ["namespaces", _, plural, _] => plural,
        ["namespaces", _] => "namespaces",
        [plural] | [plural, _] => plural,
        _ => return None,
    };
    let is_told = !plural.is_empty() && plural.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit());
    is_told.then(|| plural.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plural_of_a_path_is_told_unless_a_variable_stands_for_it() {
        let plural = |text: &str| plural(&Template::compile(text));
        for (path, expected) in [
            ("/api/v1/namespaces/{{ request.namespace }}/pods", Some("pods")),
            ("/apis/apps/v1/deployments", Some("deployments")),
            ("/apis/{{ a.b }}/v1/deployments/{{ name }}", Some("deployments")),
            ("/api/v1/namespaces/{{ request.object.metadata.name }}", Some("namespaces")),
            ("/api/v1/pods?labelSelector=a={{ b }}", Some("pods")),
            ("/api/v1/namespaces/x/{{ kind }}", None),
            ("/api/v1/{{ kind }}", None),
            ("/api/v1/x{{ kind }}", None),
            ("{{ path }}", None),
            ("/version", None),
        ] {
            assert_eq!(plural(path).as_deref(), expected, "{path}");
        }
    }
}
