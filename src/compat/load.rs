//! From paths, as a command line or a suite names them, to policies, exceptions and resources.
//!
//! In: paths. Out: what could be loaded, and a [`Notice`](super::Notice) for each file or document that could not;
//! one bad file never hides another. Of a policy path only policies count, of an exception path only exceptions.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Notices, Weight};
use crate::{
    document::{
        self, Document, Integers, Limits, Node, NodeId,
        classify::{Class, classify},
        layout::Layout,
        resource,
    },
    finding::ResourceRef,
    k8s::scope,
    policy::{
        error::Problem,
        kinds::{self, Family},
        set::PolicySet,
    },
    source::{self, At, Entry, Options, Reader},
    span::File,
};

/// An object of a document, or a payload.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// The document that holds it.
    pub document: Arc<Document>,
    /// Its node there.
    pub id: NodeId,
    /// Set for a payload, which is no object of Kubernetes.
    pub payload: Option<Payload>,
}

/// What is judged without being an object of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    /// The path as written, without `.` and double slashes: how suites name it.
    pub path: String,
    /// What it stands for.
    pub form: PayloadForm,
}

/// What a payload stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PayloadForm {
    /// Any map.
    Json,
    /// A request to an HTTP server.
    Http,
    /// A request that Envoy asks about.
    Envoy,
}

impl Object {
    /// An object of Kubernetes.
    pub(crate) fn new(document: &Arc<Document>, id: NodeId) -> Self {
        Self { document: Arc::clone(document), id, payload: None }
    }

    /// The object.
    pub(crate) fn node(&self) -> Node<'_> {
        self.document.node(self.id)
    }

    /// What identifies it; nothing does for a payload.
    pub(crate) fn identity(&self) -> ResourceRef {
        if self.payload.is_some() {
            return ResourceRef::default();
        }
        let node = self.node();
        let text = |path: &[&str]| node.str_at(path).unwrap_or_default().to_owned();
        ResourceRef {
            api_version: text(&["apiVersion"]),
            kind: text(&["kind"]),
            namespace: text(&["metadata", "namespace"]),
            name: text(&["metadata", "name"]),
        }
    }
}

/// A policy that takes no part.
#[derive(Clone, Debug)]
pub(crate) struct InvalidPolicy {
    /// `metadata.name`.
    pub name: String,
    /// Why.
    pub reason: String,
    /// Whether Kyverno reads it and then refuses it; otherwise its schema already does.
    pub readable: bool,
}

/// The policies of a run.
#[derive(Debug)]
pub(crate) struct Policies {
    /// Those that take part, and the exceptions.
    pub set: PolicySet,
    /// Those that don't.
    pub invalid: Vec<InvalidPolicy>,
}

impl Default for Policies {
    fn default() -> Self {
        Self { set: PolicySet::for_command_line(), invalid: Vec::new() }
    }
}

impl Policies {
    /// Adds an exception; one that is wrong is no policy that takes no part.
    fn add_exception(&mut self, object: &Object, notices: &Notices) {
        for error in self.set.add(&object.document, object.id).err().into_iter().flatten() {
            notices.policy(Weight::Error, &error);
        }
    }

    /// Adds a policy.
    fn add(&mut self, object: &Object, notices: &Notices) {
        if kinds::find(object.node()).is_some_and(|kind| kind.family == Family::Cleanup) {
            let text = "a policy that only deletes says nothing of a resource, passed over";
            notices.at(Weight::Note, object.node().file(), object.node().span(), text);
        }
        let Err(errors) = self.set.add(&object.document, object.id) else { return };
        for error in &errors {
            notices.policy(Weight::Warning, error);
        }
        let reasons: Vec<String> = errors.iter().map(|error| error.problem.to_string()).collect();
        self.invalid.push(InvalidPolicy {
            name: object.identity().name,
            reason: reasons.join("; "),
            readable: errors.iter().all(|error| matches!(error.problem, Problem::Invalid { .. })),
        });
    }
}

/// What to take from a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Take {
    Policies,
    /// Anything else in the path is odd.
    Exceptions,
    /// Anything else in the path is there for other reasons.
    OnlyExceptions,
    Both,
}

/// Reads files for one run or one suite.
pub(crate) struct Loader<'n> {
    base: PathBuf,
    reader: Reader,
    /// Kinds outside of namespaces that definitions have told of.
    scopes: HashSet<(String, String)>,
    /// The documents that hold definitions.
    definitions: Vec<Arc<Document>>,
    /// What `-` stands for, if it stands for anything.
    stdin: Option<Entry>,
    notices: &'n Notices,
}

impl<'n> Loader<'n> {
    /// A loader that reads paths relative to `base`.
    pub(crate) fn new(base: &Path, notices: &'n Notices) -> Self {
        let reader = Reader::files(Options::default().max_bytes);
        Self { base: base.to_owned(), reader, scopes: HashSet::new(), definitions: Vec::new(), stdin: None, notices }
    }

    /// Makes `-` stand for an entry.
    pub(crate) fn set_stdin(&mut self, entry: Entry) {
        self.stdin = Some(entry);
    }

    /// Adds the policies of a file, or of every file below a directory.
    pub(crate) fn policies(&mut self, path: &str, into: &mut Policies) {
        self.add(path, Take::Policies, into);
    }

    /// Adds policies and exceptions alike.
    pub(crate) fn policies_and_exceptions(&mut self, path: &str, into: &mut Policies) {
        self.add(path, Take::Both, into);
    }

    /// Adds the exceptions of a file or directory.
    pub(crate) fn exceptions(&mut self, path: &str, into: &mut Policies) {
        self.add(path, Take::Exceptions, into);
    }

    /// Adds the exceptions among the resources of a file or directory.
    pub(crate) fn only_exceptions(&mut self, path: &str, into: &mut Policies) {
        self.add(path, Take::OnlyExceptions, into);
    }

    fn add(&mut self, path: &str, take: Take, into: &mut Policies) {
        let mut others = 0;
        for document in self.documents(path) {
            let place = Arc::clone(document.file().path());
            for node in resource::objects(document.root()) {
                let class = classify(&place, node, &Layout::default());
                let wanted = match class {
                    Class::Policy => matches!(take, Take::Policies | Take::Both),
                    Class::Exception => take != Take::Policies,
                    _ => false,
                };
                if wanted && class == Class::Exception {
                    into.add_exception(&Object::new(&document, node.id()), self.notices);
                } else if wanted {
                    into.add(&Object::new(&document, node.id()), self.notices);
                } else if take == Take::Exceptions {
                    self.notices.at(Weight::Warning, document.file(), node.span(), "not an exception, passed over");
                } else if take != Take::OnlyExceptions {
                    others += 1;
                }
            }
        }
        if others > 0 {
            let what =
                if others == 1 { "1 document is no policy" } else { &format!("{others} documents are no policies") };
            self.notices.say(Weight::Note, path, format!("{what}, passed over"));
        }
    }

    /// The objects of a file, or of every file below a directory.
    pub(crate) fn resources(&mut self, path: &str) -> Vec<Object> {
        let mut out = Vec::new();
        for entry in self.entries(path) {
            let (_, documents) = self.parse(&entry);
            for document in documents {
                for key in document.duplicates() {
                    let text = format!(
                        "the key `{}` stands again further on, and the last one counts",
                        document.file().slice(*key)
                    );
                    self.notices.at(Weight::Warning, document.file(), *key, text);
                }
                let document = self.prepare(document);
                for node in resource::objects(document.root()) {
                    if resource::is_object(node) {
                        out.push(Object::new(&document, node.id()));
                    } else {
                        let text = "not a manifest (no apiVersion and kind), passed over";
                        self.notices.at(Weight::Warning, document.file(), node.span(), text);
                    }
                }
            }
        }
        out
    }

    /// The payloads of a file: maps, or lists of maps.
    pub(crate) fn payloads(&mut self, path: &str, form: PayloadForm) -> Vec<Object> {
        let mut out = Vec::new();
        for document in self.documents(path) {
            let root = document.root();
            let items: Vec<Node<'_>> = if root.is_list() { root.items().collect() } else { vec![root] };
            for node in items {
                if !node.is_map() {
                    let text = format!("a payload is a map, found {}", node.kind().name());
                    self.notices.at(Weight::Error, document.file(), node.span(), text);
                    continue;
                }
                let payload = Payload { path: clean(path), form };
                out.push(Object { payload: Some(payload), ..Object::new(&document, node.id()) });
            }
        }
        out
    }

    /// Learns which kinds live outside of namespaces from the definitions of custom resources in a file or directory.
    pub(crate) fn definitions(&mut self, path: &str) {
        for document in self.documents(path) {
            for object in resource::objects(document.root()) {
                if let Some((group, kind)) = resource::defines_cluster_scoped(object) {
                    self.scopes.insert((group.to_owned(), kind.to_owned()));
                }
            }
            self.definitions.push(document);
        }
    }

    /// Tells policies of the kinds that definitions have told of.
    pub(crate) fn define_kinds(&self, policies: &mut Policies) {
        self.definitions
            .iter()
            .flat_map(|it| resource::objects(it.root()))
            .for_each(|object| policies.set.define(object));
    }

    /// Makes a document what the API server would see.
    pub(crate) fn prepare(&self, document: Document) -> Arc<Document> {
        let is_cluster_scoped = |group: &str, kind: &str| {
            scope::is_cluster_scoped(group, kind) || self.scopes.contains(&(group.to_owned(), kind.to_owned()))
        };
        let mut document = resource::prepare(document, &is_cluster_scoped);
        document.set_integers(Integers::Floats);
        Arc::new(document)
    }

    /// The documents of a file, or of every file below a directory, as written.
    pub(crate) fn documents(&mut self, path: &str) -> Vec<Arc<Document>> {
        self.unprepared(path).into_iter().map(Arc::new).collect()
    }

    /// The documents of a file, or of every file below a directory, for [`Loader::prepare`].
    pub(crate) fn unprepared(&mut self, path: &str) -> Vec<Document> {
        self.entries(path).iter().flat_map(|entry| self.parse(entry).1).collect()
    }

    /// Every file below a directory whose name is `name`, or the file itself.
    pub(crate) fn named(&mut self, path: &str, name: &str) -> Vec<Entry> {
        let mut entries = self.entries(path);
        entries.retain(|entry| {
            let own = entry.path.rsplit('/').next().unwrap_or_default();
            own == name || matches!(entry.at, At::Named(_))
        });
        entries
    }

    /// The files that a path stands for.
    fn entries(&mut self, path: &str) -> Vec<Entry> {
        if let Some(entry) = self.stdin.as_ref().filter(|_| path == "-") {
            return vec![entry.clone()];
        }
        let options = Options::default();
        let place = self.base.join(path);
        match source::worktree::list(Path::new("."), &[place], None, &options) {
            Ok(listing) => {
                for (path, skip) in &listing.skipped {
                    self.notices.say(Weight::Note, path.as_ref(), skip.to_string());
                }
                listing.entries
            }
            Err(error) => {
                self.notices.say(Weight::Error, "", format!("can't load {error}"));
                Vec::new()
            }
        }
    }

    /// Reads and parses one file.
    pub(crate) fn parse(&mut self, entry: &Entry) -> (Option<Arc<File>>, Vec<Document>) {
        let blob = match self.reader.read(entry) {
            Ok(blob) => blob,
            Err(skip) => {
                self.notices.say(Weight::Error, entry.path.as_ref(), skip.to_string());
                return (None, Vec::new());
            }
        };
        let file = File::new(blob.path, blob.bytes);
        let parsed = document::parse(&file, &Limits::default());
        for error in &parsed.errors {
            self.notices.document(Weight::Error, &file, error);
        }
        (Some(file), parsed.documents)
    }
}

/// A path without `.`, double slashes and what `..` takes back.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned() {
        for (path, expected) in
            [("./a//b/../c.json", "a/c.json"), ("../a", "../a"), ("/a/./b", "/a/b"), ("a/../../b", "../b")]
        {
            assert_eq!(clean(path), expected);
        }
    }
}
