//! A policy that changes Pods, rewritten for what a Pod controller holds: word by word, and only where Kyverno looks.
//!
//! In: the `spec` of a policy as written. Out: its copy for a form. Kyverno: match conditions and what is applied are
//! rewritten, JSON patches and variables are not; and of names of types only `Object.spec…`, `Object.metadata.labels` and
//! `Object.metadata.annotations` are, so that `Object.metadata{…}` is of the wrong type in the form.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;

use crate::{
    document::{Builder, Kind, Node, NodeId},
    policy::classic::autogen::Flavor,
};

/// What is rewritten: a part of an object, or of the type of one.
static PARTS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b(object|oldObject|Object)\.(spec|metadata\.labels|metadata\.annotations)\b")
        .expect("the expression is fixed")
});

/// The beginning of an object that is written out.
static OBJECT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^Object\s*\{").expect("the expression is fixed"));

/// Copies a `spec` for a form.
pub(super) fn copy(spec: Node<'_>, flavor: Flavor, builder: &mut Builder) -> NodeId {
    let entries: Vec<_> = spec
        .entries()
        .map(|(key, value)| {
            let id = match key {
                "matchConditions" => rewritten(value, &["expression"], builder, &|text| shifted(text, flavor)),
                "mutations" => {
                    rewritten(value, &["applyConfiguration", "expression"], builder, &|text| applied(text, flavor))
                }
                _ => builder.copy(value, value.span()),
            };
            (builder.key_like(value), id)
        })
        .collect();
    builder.map(&entries, spec.span())
}

/// Copies a list, the text at `path` in each item rewritten.
fn rewritten(list: Node<'_>, path: &[&str], builder: &mut Builder, rewrite: &dyn Fn(&str) -> String) -> NodeId {
    let items: Vec<_> = list.items().map(|item| at(item, path, builder, rewrite)).collect();
    builder.list(&items, list.span())
}

fn at(node: Node<'_>, path: &[&str], builder: &mut Builder, rewrite: &dyn Fn(&str) -> String) -> NodeId {
    match (path, node.kind()) {
        ([], Kind::String(text)) => builder.string(&rewrite(text), node.span()),
        ([step, rest @ ..], Kind::Map) => {
            let entries: Vec<_> = node
                .entries()
                .map(|(key, value)| {
                    let is_it = key == *step;
                    let id = if is_it { at(value, rest, builder, rewrite) } else { builder.copy(value, value.span()) };
                    (builder.key_like(value), id)
                })
                .collect();
            builder.map(&entries, node.span())
        }
        _ => builder.copy(node, node.span()),
    }
}

/// An expression that reads a Pod, for one that holds its template.
fn shifted(text: &str, flavor: Flavor) -> String {
    let template = flavor.template().join(".");
    let replaced = PARTS.replace_all(text, format!("${{1}}.{template}.${{2}}"));
    match replaced {
        Cow::Borrowed(text) => text.to_owned(),
        Cow::Owned(text) => text,
    }
}

/// What is applied to a Pod, for one that holds its template.
fn applied(text: &str, flavor: Flavor) -> String {
    let text = shifted(text.trim(), flavor);
    let (Some(start), Some(body)) = (OBJECT.find(&text), text.strip_suffix('}')) else { return text };
    let body = body[start.end()..].trim();
    let (mut open, mut close, mut name) = ("Object{".to_owned(), "}".to_owned(), "Object".to_owned());
    for field in flavor.template() {
        name = format!("{name}.{field}");
        open.push_str(&format!("{field}: {name}{{"));
        close.push('}');
    }
    format!("{open}{body}{close}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_shifted_and_what_is_applied_is_wrapped() {
        for (text, expected) in [
            ("object.spec.x && oldObject.spec.y", "object.spec.template.spec.x && oldObject.spec.template.spec.y"),
            ("object.metadata.labels.a", "object.spec.template.metadata.labels.a"),
            ("object.metadata.name", "object.metadata.name"),
            ("object.specX + myobject.spec", "object.specX + myobject.spec"),
            ("object.?spec", "object.?spec"),
        ] {
            assert_eq!(shifted(text, Flavor::Controllers), expected);
        }
        assert_eq!(
            applied(" Object{ spec: Object.spec{ hostIPC: false } } ", Flavor::Controllers),
            "Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{ hostIPC: false }}}}"
        );
        assert_eq!(
            applied("Object {metadata: Object.metadata{labels: {'a': 'b'}}}", Flavor::CronJob),
            "Object{spec: Object.spec{jobTemplate: Object.spec.jobTemplate{spec: Object.spec.jobTemplate.spec\
             {template: Object.spec.jobTemplate.spec.template{metadata: Object.metadata{labels: {'a': 'b'}}}}}}}"
        );
        assert_eq!(applied("has(object.spec) ? Object{} : Object{}", Flavor::Controllers), {
            "has(object.spec.template.spec) ? Object{} : Object{}"
        });
    }
}
