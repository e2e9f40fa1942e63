//! From entries of a source to classified documents.
//!
//! In: entries, each with what it is for. Out: a [`Tree`] in the order of the entries: documents parsed once, each with
//! its class, and a finding for each file or document that can't be read.

use std::{collections::HashSet, sync::Arc};

use memchr::memmem;
use rayon::prelude::*;

use super::panic::quietly;
use crate::{
    document::{
        self, Document, Limits, Parsed,
        classify::{Class, Layout, classify, is_kustomization},
        resource,
    },
    finding::{Finding, Place, Severity, outcome},
    k8s::scope,
    report::{Documents, Progress},
    source::{Entry, Leads, Reader, Skip, Skipped, SourceError},
    span::File,
};

/// What a file is read for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles {
    /// Its objects are judged.
    pub judged: bool,
    /// Its policies judge.
    pub policies: bool,
    /// Its exceptions count.
    pub exceptions: bool,
    /// Its objects stand for what the cluster holds.
    pub cluster: bool,
    /// It is read only if one of [`SCREENED`] stands in it: it may be anything.
    pub screened: bool,
}

/// What stands in every file that holds a policy, an exception or a Namespace.
const SCREENED: [&[u8]; 3] = [b"kyverno.io", b"admissionregistration.k8s.io", b"Namespace"];

/// One entry and what it is for.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// The entry.
    pub entry: Entry,
    /// What it is for.
    pub roles: Roles,
}

/// One file that was read.
#[derive(Debug)]
pub(crate) struct TreeFile {
    /// What it is for.
    pub roles: Roles,
    /// The file.
    pub file: Arc<File>,
    /// Its documents, in order. Manifests are prepared as the API server would see them.
    pub documents: Vec<(Class, Arc<Document>)>,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// The files, in the order of the entries.
    pub files: Vec<TreeFile>,
    /// What could not be read.
    pub findings: Vec<Finding>,
    /// Documents by class.
    pub counts: Documents,
}

/// Reads entries: how to open a reader, and how much a file may ask for.
pub(crate) struct Loader<'l> {
    /// Opens a reader for one thread.
    pub reader: &'l (dyn Fn() -> Result<Reader, SourceError> + Sync),
    /// Bounds on one file.
    pub limits: Limits,
    /// Told of each file.
    pub progress: &'l Progress,
}

/// What one entry came to.
enum Outcome {
    Parsed(Arc<File>, Parsed),
    Template,
    Irrelevant,
    Skipped(Skip),
    Panicked(String),
}

impl Loader<'_> {
    /// Reads and parses the entries on the threads of the pool at hand.
    ///
    /// `paths` are those of the whole tree as far as they are known: they tell which files belong to charts.
    pub(crate) fn load<'p>(&self, inputs: &[Input], paths: impl Iterator<Item = &'p str>) -> Result<Tree, SourceError> {
        let mut layout = Layout::of(paths);
        // Chunks are long enough to share a reader, and short enough to keep every thread busy to the end.
        let chunk = (inputs.len() / (rayon::current_num_threads() * 8)).clamp(1, 256);
        let parts: Result<Vec<Vec<Outcome>>, SourceError> = inputs
            .par_chunks(chunk)
            .map(|part| {
                let mut reader = (self.reader)()?;
                let read = |input: &Input| {
                    let read = quietly(|| self.read(&mut reader, input, &layout)).unwrap_or_else(Outcome::Panicked);
                    self.progress.tick(1);
                    read
                };
                Ok(part.iter().map(read).collect())
            })
            .collect();
        let read: Vec<Outcome> = parts?.into_iter().flatten().collect();

        let mut scopes = HashSet::new();
        for (input, read) in inputs.iter().zip(&read) {
            let Outcome::Parsed(_, parsed) = read else { continue };
            for document in &parsed.documents {
                if is_kustomization(&input.entry.path) {
                    layout.note_patches(&input.entry.path, document.root());
                }
                note_scope(document, &mut scopes);
            }
        }
        let is_cluster_scoped = |group: &str, kind: &str| {
            scope::is_cluster_scoped(group, kind) || scopes.contains(&(group.to_owned(), kind.to_owned()))
        };
        let sorted: Vec<Sorted> = read
            .into_par_iter()
            .zip(inputs)
            .map(|(read, input)| sort(read, input, &layout, &is_cluster_scoped))
            .collect();
        let mut tree = Tree::default();
        for part in sorted {
            tree.files.extend(part.file);
            tree.findings.extend(part.findings);
            add(&mut tree.counts, &part.counts);
        }
        Ok(tree)
    }

    fn read(&self, reader: &mut Reader, input: &Input, layout: &Layout) -> Outcome {
        if layout.is_template(&input.entry.path) {
            return Outcome::Template;
        }
        match reader.read(&input.entry) {
            Err(skip) => Outcome::Skipped(skip),
            Ok(blob) if input.roles.screened && !may_matter(&blob.bytes) => Outcome::Irrelevant,
            Ok(blob) => {
                let file = File::new(blob.path, blob.bytes);
                let parsed = document::parse(&file, &self.limits);
                Outcome::Parsed(file, parsed)
            }
        }
    }
}

fn may_matter(bytes: &[u8]) -> bool {
    // An escape in a quoted scalar could hide the words.
    memchr::memchr(b'\\', bytes).is_some() || SCREENED.iter().any(|word| memmem::find(bytes, word).is_some())
}

/// The findings of paths that nobody reads.
pub(crate) fn skipped(skipped: &[Skipped]) -> Vec<Finding> {
    skipped.iter().map(|(path, skip)| passed_over(path, skip)).collect()
}

/// One file, sorted.
struct Sorted {
    file: Option<TreeFile>,
    findings: Vec<Finding>,
    counts: Documents,
}

fn sort(
    read: Outcome,
    input: &Input,
    layout: &Layout,
    is_cluster_scoped: &(dyn Fn(&str, &str) -> bool + Sync),
) -> Sorted {
    let path = &input.entry.path;
    let mut out = Sorted { file: None, findings: Vec::new(), counts: Documents::default() };
    match read {
        Outcome::Parsed(file, parsed) => {
            out.findings.extend(parsed.errors.iter().map(|error| outcome::from_document_error(error, &file)));
            let documents = parsed
                .documents
                .into_iter()
                .map(|document| {
                    let class = classify(path, document.root(), layout);
                    *slot(&mut out.counts, class) += 1;
                    let document = match class {
                        Class::Manifest => resource::prepare(document, &is_cluster_scoped),
                        _ => document,
                    };
                    (class, Arc::new(document))
                })
                .collect();
            out.file = Some(TreeFile { roles: input.roles, file, documents });
        }
        Outcome::Template => out.counts.helm += 1,
        Outcome::Irrelevant => {}
        Outcome::Skipped(skip) => out.findings.push(passed_over(path, &skip)),
        Outcome::Panicked(message) => out.findings.push(
            Finding::new(
                "internal/panic",
                Severity::Error,
                Place::whole_file(Arc::clone(path)),
                format!("reading this file failed inside admit: {message}"),
            )
            .help("this is a bug in admit: please report it with the file"),
        ),
    }
    out
}

/// What is said of a path that nobody reads.
///
/// What could hold a manifest weighs as an error: nobody knows what it says. A link doesn't if its target is read under
/// its own name.
fn passed_over(path: &Arc<str>, skip: &Skip) -> Finding {
    let (id, severity, help) = match skip {
        Skip::Symlink { leads: Leads::Inside, .. } => ("source/symlink", Severity::Info, None),
        Skip::Symlink { leads: Leads::Outside, .. } => ("source/symlink", Severity::Warning, None),
        Skip::Symlink { leads: Leads::Unread, .. } => (
            "source/symlink",
            Severity::Error,
            Some("put a file there, or let the link lead to a manifest that is read"),
        ),
        Skip::Jsonnet => ("source/jsonnet", Severity::Warning, Some("commit the manifests that it makes")),
        Skip::Submodule => ("source/submodule", Severity::Info, Some("check the other repository on its own")),
        Skip::NotAFile => ("source/not-a-file", Severity::Warning, None),
        Skip::LfsPointer => ("source/lfs-pointer", Severity::Error, Some("keep manifests out of Git LFS")),
        Skip::GitCrypt => {
            ("source/encrypted", Severity::Error, Some("exclude the file in admit.yaml if that is meant"))
        }
        Skip::TooLarge { .. } => {
            ("source/too-large", Severity::Error, Some("split the file, or exclude it in admit.yaml"))
        }
        Skip::PathTooLong => ("source/path-too-long", Severity::Error, None),
        Skip::UnsafeName => ("source/unsafe-name", Severity::Error, None),
        Skip::Unmerged => ("source/unmerged", Severity::Error, Some("resolve the conflict and stage the file")),
        Skip::Unreadable(_) => ("source/unreadable", Severity::Error, None),
    };
    let finding = Finding::new(id, severity, Place::whole_file(Arc::clone(path)), skip.to_string());
    match help {
        Some(help) => finding.help(help),
        None => finding,
    }
}

/// Notes the cluster-scoped kinds that a document defines.
fn note_scope(document: &Document, scopes: &mut HashSet<(String, String)>) {
    if document.root().str_at(&["kind"]).is_none_or(|kind| kind != "CustomResourceDefinition" && kind != "List") {
        return;
    }
    for object in resource::objects(document.root()) {
        if object.str_at(&["spec", "scope"]) == Some("Cluster")
            && let Some(group) = object.str_at(&["spec", "group"])
            && let Some(kind) = object.str_at(&["spec", "names", "kind"])
        {
            scopes.insert((group.to_owned(), kind.to_owned()));
        }
    }
}

fn slot(counts: &mut Documents, class: Class) -> &mut usize {
    match class {
        Class::Policy => &mut counts.policies,
        Class::Exception => &mut counts.exceptions,
        Class::Manifest => &mut counts.manifests,
        Class::Kustomize => &mut counts.kustomize,
        Class::HelmTemplate => &mut counts.helm,
        Class::TestSuite => &mut counts.suites,
        Class::Values => &mut counts.values,
        Class::Other => &mut counts.other,
    }
}

fn add(total: &mut Documents, part: &Documents) {
    let Documents { policies, exceptions, manifests, kustomize, helm, suites, values, other } = part;
    total.policies += policies;
    total.exceptions += exceptions;
    total.manifests += manifests;
    total.kustomize += kustomize;
    total.helm += helm;
    total.suites += suites;
    total.values += values;
    total.other += other;
}
