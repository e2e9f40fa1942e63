//! Forms of a policy for Pod controllers, made from a policy for Pods.
//!
//! In: the `spec` of a policy as written. Out: for each form its rewritten `spec`, as a document of its own whose nodes
//! keep the spans of what they were written as, and the rules that it matches instead.
//! Public description: <https://kyverno.io/docs/policy-types/validating-policy/#autogen>.

use std::{borrow::Cow, sync::Arc};

use super::{
    constraints::{Constraints, ResourceRule},
    words,
};
use crate::{
    document::{Builder, Document, Kind, Node, NodeId},
    policy::classic::autogen::Flavor,
};

/// Group and plural of the controllers whose Pod stands in `spec.template`.
const CONTROLLERS: [(&str, &str); 5] = [
    ("apps", "daemonsets"),
    ("apps", "deployments"),
    ("apps", "replicasets"),
    ("apps", "statefulsets"),
    ("batch", "jobs"),
];

/// The controller whose Pod stands in `spec.jobTemplate`.
const CRON_JOBS: (&str, &str) = ("batch", "cronjobs");

/// A form of a policy for Pod controllers.
pub(super) struct Form {
    /// Which one.
    pub flavor: Flavor,
    /// What it matches: the rest of the constraints is that of the policy as written.
    pub rules: Vec<ResourceRule>,
    /// The rewritten `spec`.
    pub spec: Arc<Document>,
}

/// How a policy is rewritten for a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rewriting {
    /// All of it as text.
    Text,
    /// Its match conditions and what it applies, word by word.
    Words,
}

/// The forms of a policy, none for one that is not about Pods alone.
pub(super) fn forms(spec: Node<'_>, constraints: &Constraints, rewriting: Rewriting) -> Vec<Form> {
    let Some(pods) = pods_alone(constraints) else { return Vec::new() };
    let listed = spec.at(&["autogen", "podControllers", "controllers"]).filter(|it| it.is_list());
    let wanted = |plural: &str| listed.is_none_or(|list| list.items().any(|it| it.as_str() == Some(plural)));
    let rule = |group: &str, plurals: Vec<&str>| ResourceRule {
        groups: vec![group.to_owned()],
        versions: vec!["v1".to_owned()],
        resources: plurals.into_iter().map(str::to_owned).collect(),
        ..pods.clone()
    };
    let mut out = Vec::new();
    let controllers: Vec<_> = CONTROLLERS.into_iter().filter(|(_, plural)| wanted(plural)).collect();
    let mut rules = Vec::new();
    for chunk in controllers.chunk_by(|a, b| a.0 == b.0) {
        rules.push(rule(chunk[0].0, chunk.iter().map(|it| it.1).collect()));
    }
    if !rules.is_empty() {
        let flavor = Flavor::Controllers;
        out.push(Form { flavor, rules, spec: Arc::new(rewrite(spec, flavor, rewriting)) });
    }
    let (group, plural) = CRON_JOBS;
    if wanted(plural) {
        let flavor = Flavor::CronJob;
        out.push(Form {
            flavor,
            rules: vec![rule(group, vec![plural])],
            spec: Arc::new(rewrite(spec, flavor, rewriting)),
        });
    }
    out
}

/// The single rule of constraints that are about Pods and nothing else.
fn pods_alone(constraints: &Constraints) -> Option<&ResourceRule> {
    let [rule] = constraints.rules.as_slice() else { return None };
    let is = |list: &[String], text: &str| matches!(list, [only] if only == text);
    let of_pods = is(&rule.groups, "") && is(&rule.versions, "v1") && is(&rule.resources, "pods");
    let selects = constraints.object_selector.as_ref().is_some_and(|it| !it.is_empty());
    (of_pods && rule.names.is_empty() && constraints.excludes.is_empty() && !selects).then_some(rule)
}

/// A `spec` rewritten for a form.
fn rewrite(spec: Node<'_>, flavor: Flavor, rewriting: Rewriting) -> Document {
    let mut builder = Builder::new(Arc::clone(spec.file()));
    let id = match rewriting {
        Rewriting::Text => copy(spec, &Shift::new(flavor), &mut builder),
        Rewriting::Words => words::copy(spec, flavor, &mut builder),
    };
    let mut document = builder.finish(id);
    document.set_integers(spec.document().integers());
    document
}

fn copy(node: Node<'_>, shift: &Shift, builder: &mut Builder) -> NodeId {
    let span = node.span();
    match node.kind() {
        Kind::String(text) => builder.string(&shift.text(text), span),
        Kind::List => {
            let items: Vec<_> = node.items().map(|item| copy(item, shift, builder)).collect();
            builder.list(&items, span)
        }
        Kind::Map => {
            let entries: Vec<_> = node
                .entries()
                .map(|(key, value)| {
                    let id = copy(value, shift, builder);
                    (builder.key(&shift.text(key), value.key_span()), id)
                })
                .collect();
            builder.map(&entries, span)
        }
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => builder.copy(node, span),
    }
}

/// The replacements of a form, in their order.
struct Shift(Vec<(String, String)>);

impl Shift {
    fn new(flavor: Flavor) -> Self {
        let template = flavor.template().join(".");
        let of = |part: &'static str| {
            let template = template.clone();
            ["object", "oldObject"].map(move |it| (format!("{it}.{part}"), format!("{it}.{template}.{part}")))
        };
        Self(of("spec").into_iter().chain(of("metadata")).collect())
    }

    /// Kyverno: the policy is rewritten as text, so `object.specX` becomes `object.spec.template.specX`, and
    /// `object["spec"]` and `object.?spec` stay.
    fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut out = Cow::Borrowed(text);
        for (from, to) in &self.0 {
            if out.contains(from) {
                out = Cow::Owned(replace(&out, from, to));
            }
        }
        out
    }
}

/// Every `from` in a text as `to`, but for those of which the namespace is read: a template has none.
fn replace(text: &str, from: &str, to: &str) -> String {
    let mut out = String::with_capacity(text.len() + to.len());
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let (before, behind) = (&rest[..at], &rest[at + from.len()..]);
        let is_namespace = behind
            .strip_prefix(".namespace")
            .is_some_and(|it| !it.starts_with(|char: char| char.is_ascii_alphanumeric() || char == '_'));
        out.push_str(before);
        out.push_str(if is_namespace { from } else { to });
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_shifted_but_not_the_namespace() {
        let shift = Shift::new(Flavor::Controllers);
        for (text, expected) in [
            ("object.spec.x", "object.spec.template.spec.x"),
            ("oldObject.spec.x", "oldObject.spec.template.spec.x"),
            ("request.object.spec", "request.object.spec.template.spec"),
            ("object.specX", "object.spec.template.specX"),
            ("object.metadata.name", "object.spec.template.metadata.name"),
            ("object.metadata.namespace == 'a'", "object.metadata.namespace == 'a'"),
            ("object.metadata.namespace", "object.metadata.namespace"),
            ("object.metadata.namespaces", "object.spec.template.metadata.namespaces"),
            ("object.?spec.x", "object.?spec.x"),
            ("object.kind", "object.kind"),
        ] {
            assert_eq!(shift.text(text), expected);
        }
        let text = Shift::new(Flavor::CronJob).text("object.metadata.labels").into_owned();
        assert_eq!(text, "object.spec.jobTemplate.spec.template.metadata.labels");
    }
}
