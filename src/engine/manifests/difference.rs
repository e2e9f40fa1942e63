//! How an object differs from the manifest that was signed.
//!
//! In: the signed objects, the object at hand, fields that don't count. Out: the differences, leaf by leaf, as the public
//! library `k8s-manifest-sigstore` finds them: lists by index, without what a cluster fills in.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use serde_json::Value as Json;

use super::message::Signed;
use crate::{
    document::Node,
    expr::Value,
    k8s::gvk::split_api_version,
    policy::manifests::{Ignored, Objects},
};

/// How many signed objects are compared with one that none of them is called like.
const MAX_CANDIDATES: usize = 100;

/// A leaf that is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// The steps to it.
    pub path: Vec<String>,
    /// What was signed; `None` for nothing.
    pub before: Option<Json>,
    /// What is there; `None` for nothing.
    pub after: Option<Json>,
}

impl Difference {
    fn key(&self) -> String {
        self.path.join(".")
    }
}

/// The differences between an object and the signed one that is meant; `None` when none of its kind is signed.
pub(super) fn of_nearest(signed: &Signed, object: Node<'_>, ignored: &[Ignored]) -> Option<Vec<Difference>> {
    let identity = |node: Node<'_>| {
        let text = |path: &[&str]| node.str_at(path).unwrap_or_default().to_owned();
        let (group, _) = split_api_version(node.str_at(&["apiVersion"]).unwrap_or_default());
        (group.to_owned(), text(&["metadata", "name"]))
    };
    let is_of_kind = |node: &Node<'_>| node.str_at(&["kind"]) == object.str_at(&["kind"]);
    let candidates: Vec<Node<'_>> =
        signed.documents.iter().map(crate::document::Document::root).filter(is_of_kind).collect();
    let named: Vec<Node<'_>> = candidates.iter().copied().filter(|it| identity(*it) == identity(object)).collect();
    let namespace = |node: &Node<'_>| node.str_at(&["metadata", "namespace"]).map(str::to_owned);
    if let Some(first) = named.first() {
        let meant = named.iter().find(|it| namespace(it) == namespace(&object)).unwrap_or(first);
        return Some(differences(*meant, object, ignored));
    }
    // An object under another name is found by what it holds, and differs in its name.
    candidates.into_iter().take(MAX_CANDIDATES).map(|it| differences(it, object, ignored)).min_by_key(Vec::len)
}

fn differences(before: Node<'_>, after: Node<'_>, ignored: &[Ignored]) -> Vec<Difference> {
    let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
    flatten(before, &mut Vec::new(), &mut old);
    flatten(after, &mut Vec::new(), &mut new);
    let mut out: Vec<Difference> = Vec::new();
    let mut paths: Vec<&Vec<String>> = old.keys().chain(new.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        let difference =
            Difference { path: path.clone(), before: old.get(path).cloned(), after: new.get(path).cloned() };
        if difference.before != difference.after && !is_harmless(&difference) {
            out.push(difference);
        }
    }
    let ignored: Vec<&Ignored> = ignored.iter().filter(|it| is_for(it, after)).collect();
    out.retain(|it| !ignored.iter().any(|ignored| ignored.fields.is_match(&it.key())));
    without_moved(out)
}

/// The leaves of a tree, by path. Empty lists and maps have none.
fn flatten(node: Node<'_>, path: &mut Vec<String>, out: &mut BTreeMap<Vec<String>, Json>) {
    let mut below = |step: String, node: Node<'_>| {
        path.push(step);
        flatten(node, path, out);
        path.pop();
    };
    if node.is_map() {
        node.entries().for_each(|(key, value)| below(key.to_owned(), value));
    } else if node.is_list() {
        node.items().enumerate().for_each(|(index, item)| below(index.to_string(), item));
    } else if !node.is_null() {
        out.insert(path.clone(), Value::from(node).to_serde());
    }
}

/// What a cluster fills in, or writes in another way.
fn is_harmless(difference: &Difference) -> bool {
    let Difference { path, before, after } = difference;
    let text = |value: &Option<Json>| value.as_ref().and_then(Json::as_str).unwrap_or_default().to_owned();
    let is_text = |value: &Option<Json>| value.as_ref().is_none_or(Json::is_string);
    let (old, new) = (text(before), text(after));
    let both_texts = is_text(before) && is_text(after);
    let empty = both_texts && old.is_empty() && new.is_empty();
    let namespace = before.is_none() && *path == ["metadata", "namespace"];
    let is_image = path.last().is_some_and(|key| key.ends_with("image")) && before.is_some() && both_texts;
    let completed = is_image && (new == format!("docker.io/{old}") || new == format!("{old}:latest"));
    empty || namespace || completed
}

/// Without what only stands at another index of its list now, with nothing in its old place.
fn without_moved(differences: Vec<Difference>) -> Vec<Difference> {
    let general = |step: &String| if step.parse::<usize>().is_ok() { "*".to_owned() } else { step.clone() };
    // By place and value: whether it is gone from somewhere, and whether it is new somewhere.
    let mut moves: FxHashMap<(Vec<String>, String), [bool; 2]> = FxHashMap::default();
    let one_sided = |it: &Difference| match (&it.before, &it.after) {
        (Some(value), None) => Some((0, value.to_string())),
        (None, Some(value)) => Some((1, value.to_string())),
        _ => None,
    };
    let place = |it: &Difference| -> Vec<String> { it.path.iter().map(general).collect() };
    for it in &differences {
        if let Some((side, value)) = one_sided(it) {
            moves.entry((place(it), value)).or_default()[side] = true;
        }
    }
    let stays = |it: &Difference| match one_sided(it) {
        Some((_, value)) => moves.get(&(place(it), value)) != Some(&[true, true]),
        None => true,
    };
    let stays: Vec<bool> = differences.iter().map(stays).collect();
    differences.into_iter().zip(stays).filter(|(_, stays)| *stays).map(|(it, _)| it).collect()
}

fn is_for(ignored: &Ignored, object: Node<'_>) -> bool {
    let text = |path: &[&str]| object.str_at(path).unwrap_or_default();
    let (group, version) = split_api_version(text(&["apiVersion"]));
    let (kind, name, namespace) = (text(&["kind"]), text(&["metadata", "name"]), text(&["metadata", "namespace"]));
    let meant = |objects: &Objects| {
        let pairs = [
            (&objects.kind, kind),
            (&objects.group, group),
            (&objects.version, version),
            (&objects.name, name),
            (&objects.namespace, namespace),
        ];
        pairs.iter().all(|(wildcard, text)| wildcard.as_ref().is_none_or(|it| it.matches(text)))
    };
    ignored.objects.is_empty() || ignored.objects.iter().any(meant)
}

/// The differences as the library prints them.
pub(super) fn to_json(differences: &[Difference]) -> String {
    let item =
        |it: &Difference| serde_json::json!({ "key": it.key(), "values": { "after": it.after, "before": it.before } });
    let items: Vec<Json> = differences.iter().map(item).collect();
    serde_json::json!({ "items": items }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        document::{self, Document, Limits},
        span::File,
    };

    fn document(text: &str) -> Document {
        let file = File::new("a.yaml", text.as_bytes().to_vec());
        document::parse(&file, &Limits::default()).documents.remove(0)
    }

    /// The keys that differ.
    fn keys(before: &str, after: &str) -> String {
        let (before, after) = (document(before), document(after));
        differences(before.root(), after.root(), &[]).iter().map(Difference::key).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn leaves_are_compared_by_index() {
        for (before, after, expected) in [
            ("{a: 1}", "{a: 1.0}", ""),
            ("{a: 1}", "{a: '1'}", "a"),
            ("{l: [x, y]}", "{l: [y, x]}", "l.0 l.1"),
            ("{l: [{k: x}]}", "{l: [{k: x}, {k: y}]}", "l.1.k"),
            ("{a: {}, l: []}", "{}", ""),
            ("{a: null}", "{}", ""),
            // What a cluster fills in, or writes in another way.
            ("{}", "{a: ''}", ""),
            ("{}", "{a: false, b: 0}", "a b"),
            ("{metadata: {}}", "{metadata: {namespace: x}}", ""),
            ("{metadata: {namespace: y}}", "{metadata: {namespace: x}}", "metadata.namespace"),
            ("{image: nginx}", "{image: docker.io/nginx}", ""),
            ("{image: nginx}", "{image: 'nginx:latest'}", ""),
            ("{image: nginx}", "{image: 'nginx:1'}", "image"),
            ("{name: nginx}", "{name: 'nginx:latest'}", "name"),
            ("{}", "{image: nginx}", "image"),
            // A value at another index of the same list, with nothing in its place.
            ("{l: [{a: 1}, {b: 2}]}", "{l: [{b: 2}, {a: 1}]}", ""),
        ] {
            assert_eq!(keys(before, after), expected, "{before} {after}");
        }
    }

    #[test]
    fn differences_are_printed_as_the_library_does() {
        let (before, after) = (document("{a: {b: x}}"), document("{a: {b: 1}, c: z}"));
        assert_eq!(
            to_json(&differences(before.root(), after.root(), &[])),
            r#"{"items":[{"key":"a.b","values":{"after":1,"before":"x"}},{"key":"c","values":{"after":"z","before":null}}]}"#
        );
    }
}
