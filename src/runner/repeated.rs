//! What stands twice where only one counts: keys in a map, objects in a directory.
//!
//! In: documents as written, files with their subjects. Out: findings.

use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use super::load::TreeFile;
use crate::{
    document::{Document, Node},
    finding::{Finding, Place, Severity, outcome, secret},
};

/// A finding for each key of a document that a later equal one replaces.
///
/// The API server and Argo CD take the last one without a word, Kustomize and strict readers refuse both: what is judged
/// here need not be what another reader deploys.
pub(super) fn keys(document: &Document) -> impl Iterator<Item = Finding> + '_ {
    document.duplicates().iter().map(|key| {
        let file = document.file();
        let name = file.slice(*key).trim_matches(['"', '\'']);
        let message = format!("`{name}` stands more than once in this map: only the last one counts");
        Finding::new("yaml/duplicate-key", Severity::Error, secret::place(file, *key), message)
            .label("replaced by a later one")
            .help("keep one of them: some readers take the last, others refuse the file")
    })
}

/// A finding for each object that a file of the same directory, or the same file, defines already.
///
/// Overlays hold the same object in directories of their own; within one, Argo CD warns (`RepeatedResourceWarning`), and
/// which of the two is deployed hangs on the order of files.
pub(crate) fn objects<'f>(files: impl Iterator<Item = &'f TreeFile>) -> Vec<Finding> {
    let mut seen: FxHashMap<Key<'_>, Node<'_>> = FxHashMap::default();
    let mut out = Vec::new();
    for object in files.flat_map(TreeFile::subjects) {
        let Some(key) = Key::of(object) else { continue };
        match seen.entry(key) {
            Entry::Vacant(place) => drop(place.insert(object)),
            Entry::Occupied(first) => out.push(twice(object, *first.get())),
        }
    }
    out
}

/// What makes two objects the same within one directory.
#[derive(PartialEq, Eq, Hash)]
struct Key<'a> {
    directory: &'a str,
    group: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
}

impl<'a> Key<'a> {
    fn of(object: Node<'a>) -> Option<Self> {
        let path = object.document().file().path();
        let text = |path: &[&str]| object.str_at(path).unwrap_or_default();
        let name = text(&["metadata", "name"]);
        (!name.is_empty()).then(|| Self {
            directory: path.rsplit_once('/').map_or("", |(directory, _)| directory),
            group: text(&["apiVersion"]).rsplit_once('/').map_or("", |(group, _)| group),
            kind: text(&["kind"]),
            namespace: text(&["metadata", "namespace"]),
            name,
        })
    }
}

fn twice(object: Node<'_>, first: Node<'_>) -> Finding {
    let name = |object: Node<'_>| {
        let name = object.at(&["metadata", "name"]).unwrap_or(object);
        secret::place(name.document().file(), name.span())
    };
    let (again, before): (Place, Place) = (name(object), name(first));
    let message = format!("{} is defined twice in this directory", outcome::resource_ref(object).title());
    Finding::new("object/duplicate", Severity::Warning, again, message)
        .related(before, "defined here before")
        .help("remove one of them, or give it another name: which one is deployed hangs on the order of files")
}
