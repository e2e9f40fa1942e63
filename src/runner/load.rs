//! From entries of a source to classified documents.
//!
//! In: entries, each with what it is for. Out: a [`Tree`] in the order of the entries: documents parsed once, each with
//! its class, and a finding for each file or document that can't be read.

use std::{collections::HashSet, sync::Arc};

use memchr::memmem;
use rayon::prelude::*;

use super::{panic::quietly, repeated};
use crate::{
    document::{
        Document, Limits, Node, Parsed, Parser,
        classify::{Class, classify, is_kustomization},
        layout::{Layout, Names, has_actions, is_chart},
        resource,
    },
    finding::{Finding, Place, Severity, outcome, secret},
    k8s::{gvk::builtin, scope},
    report::Progress,
    source::{Entry, Leads, Reader, Skip, Skipped, SourceError, holdings::Screen},
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
    /// It may be anything, and is parsed only if [`LAW`] or [`SURROUNDINGS`] stand in it.
    pub screened: bool,
}

impl Roles {
    /// Takes on other roles, too.
    pub(crate) fn join(&mut self, other: Self) {
        let Self { judged, policies, exceptions, cluster, screened } = other;
        self.judged |= judged;
        self.policies |= policies;
        self.exceptions |= exceptions;
        self.cluster |= cluster;
        // Whoever reads all of it reads it for everybody.
        self.screened &= screened;
    }
}

/// What stands in every file that holds a policy or an exception.
const LAW: [&[u8]; 2] = [b"kyverno.io", b"admissionregistration.k8s.io"];

/// What stands in every file that holds a Namespace, or the definition of a kind.
const SURROUNDINGS: [&[u8]; 2] = [b"Namespace", b"CustomResourceDefinition"];

/// Groups and kinds that live outside of namespaces, as definitions say.
pub(crate) type Scopes = HashSet<(String, String)>;

/// One entry and what it is for.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// The entry.
    pub entry: Entry,
    /// What it is for.
    pub roles: Roles,
}

/// One file that was read.
#[derive(Clone, Debug)]
pub(crate) struct TreeFile {
    /// What it is for.
    pub roles: Roles,
    /// The file.
    pub file: Arc<File>,
    /// Its documents, in order.
    pub documents: Vec<TreeDocument>,
}

/// One document that was read.
#[derive(Clone, Debug)]
pub(crate) struct TreeDocument {
    /// What it is.
    pub class: Class,
    /// The document; a manifest is as the API server would see it, everything else as written.
    pub document: Arc<Document>,
    /// For a document that can be judged: what the API server would see of it.
    pub subject: Option<Arc<Document>>,
}

impl TreeFile {
    /// The objects in it that are to be judged.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = Node<'_>> {
        let judged = self.documents.iter().filter(|_| self.roles.judged);
        judged.filter_map(|it| it.subject.as_deref()).flat_map(|document| resource::objects(document.root()))
    }
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// The files, in the order of the entries.
    pub files: Vec<TreeFile>,
    /// What could not be read.
    pub findings: Vec<Finding>,
    /// Templates of charts, which are no YAML and therefore no files of the tree.
    pub n_templates: usize,
    /// Kinds that live outside of namespaces, as far as the files define any.
    pub scopes: Scopes,
    /// Objects that patches may be for.
    pub names: Names,
    /// Whether there is a patch of nothing that is known.
    pub has_strays: bool,
}

/// Tells by the path and the bytes of a file whether it matters.
pub(crate) type Wanted<'w> = &'w (dyn Fn(&str, &[u8]) -> bool + Sync);

/// Reads entries: how to open a reader, and how much a file may ask for.
pub(crate) struct Loader<'l> {
    /// Opens a reader for one thread.
    pub reader: &'l (dyn Fn() -> Result<Reader, SourceError> + Sync),
    /// Bounds on one file.
    pub limits: Limits,
    /// Kinds outside of namespaces that the files themselves need not define.
    pub scopes: Scopes,
    /// Objects that patches in the files may be for, and that the files themselves need not hold.
    pub names: Names,
    /// What of a file that is only looked into matters, too: told by its path and bytes.
    pub wanted: Option<Wanted<'l>>,
    /// Told of each file.
    pub progress: &'l Progress,
}

/// What one entry came to.
enum Outcome {
    Parsed(Arc<File>, Parsed),
    /// A template with actions, and whether it is one whole object all the same.
    Template(Option<Arc<File>>),
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
        self.note_charts(inputs, &mut layout)?;
        // Chunks are long enough to share a reader, and short enough to keep every thread busy to the end.
        let chunk = (inputs.len() / (rayon::current_num_threads() * 8)).clamp(1, 256);
        let parts: Result<Vec<Vec<Outcome>>, SourceError> = inputs
            .par_chunks(chunk)
            .map(|part| {
                let mut parser = Parser::new(self.limits);
                let mut reader = (self.reader)()?;
                let read = |input: &Input| {
                    let read = quietly(|| self.read(&mut reader, &mut parser, input, &layout));
                    let read = read.unwrap_or_else(Outcome::Panicked);
                    self.progress.tick(1);
                    read
                };
                Ok(part.iter().map(read).collect())
            })
            .collect();
        let read: Vec<Outcome> = parts?.into_iter().flatten().collect();

        let mut scopes = self.scopes.clone();
        for (input, read) in inputs.iter().zip(&read) {
            let Outcome::Parsed(_, parsed) = read else { continue };
            for document in &parsed.documents {
                if is_kustomization(&input.entry.path) {
                    layout.note_patches(&input.entry.path, document.root());
                }
                note_scope(document, &mut scopes);
            }
        }
        layout.note_names(&self.names);
        for (input, read) in inputs.iter().zip(&read) {
            let Outcome::Parsed(_, parsed) = read else { continue };
            parsed.documents.iter().for_each(|it| layout.note_objects(&input.entry.path, it.root()));
        }
        let has_strays = inputs.iter().zip(&read).filter(|(input, _)| input.roles.judged).any(|(input, read)| {
            let Outcome::Parsed(_, parsed) = read else { return false };
            parsed.documents.iter().any(|it| layout.is_stray(&input.entry.path, it.root()).is_some())
        });
        if has_strays {
            let unread = inputs.iter().zip(&read).filter(|(_, read)| matches!(read, Outcome::Irrelevant));
            self.note_unread(unread.map(|(input, _)| input), &mut layout)?;
        }
        let is_cluster_scoped = |group: &str, kind: &str| {
            // What Kubernetes itself defines no other definition moves.
            scope::is_cluster_scoped(group, kind)
                || (builtin(group, kind).is_none() && scopes.contains(&(group.to_owned(), kind.to_owned())))
        };
        let sorted: Vec<Sorted> = read
            .into_par_iter()
            .zip(inputs)
            .map(|(read, input)| {
                quietly(|| sort(read, input, &layout, &is_cluster_scoped)).unwrap_or_else(|message| Sorted {
                    findings: vec![panicked(&input.entry.path, &message)],
                    ..Sorted::default()
                })
            })
            .collect();
        let mut tree = Tree::default();
        for part in sorted {
            tree.files.extend(part.file);
            tree.findings.extend(part.findings);
            tree.has_strays |= part.is_stray;
            tree.n_templates += part.n_templates;
        }
        tree.scopes = scopes;
        tree.names = layout.into_names();
        Ok(tree)
    }

    /// Tells the layout which charts are none.
    fn note_charts(&self, inputs: &[Input], layout: &mut Layout) -> Result<(), SourceError> {
        let charts: Vec<&Input> = inputs.iter().filter(|it| is_chart(&it.entry.path)).collect();
        if charts.is_empty() {
            return Ok(());
        }
        let mut reader = (self.reader)()?;
        let mut parser = Parser::new(self.limits);
        for input in charts {
            let file = reader.read(&input.entry).ok().map(|blob| File::new(blob.path, blob.bytes));
            let parsed = file.as_ref().map(|file| parser.parse(file));
            let root = parsed.as_ref().and_then(|it| it.documents.first()).map(Document::root);
            layout.note_chart(&input.entry.path, root);
        }
        Ok(())
    }

    /// Has the layout know the objects of files that nobody reads otherwise.
    fn note_unread<'i>(&self, inputs: impl Iterator<Item = &'i Input>, layout: &mut Layout) -> Result<(), SourceError> {
        let mut reader = (self.reader)()?;
        let mut parser = Parser::new(self.limits);
        for input in inputs {
            let Ok(blob) = reader.read(&input.entry) else { continue };
            let parsed = parser.parse(&File::new(blob.path, blob.bytes));
            parsed.documents.iter().for_each(|it| layout.note_objects(&input.entry.path, it.root()));
        }
        Ok(())
    }

    fn read(&self, reader: &mut Reader, parser: &mut Parser, input: &Input, layout: &Layout) -> Outcome {
        let is_template = layout.is_template(&input.entry.path);
        if is_template && !input.roles.judged {
            return Outcome::Template(None);
        }
        match reader.read(&input.entry) {
            Err(skip) => Outcome::Skipped(skip),
            Ok(blob) if is_template && has_actions(&String::from_utf8_lossy(&blob.bytes)) => {
                let file = File::new(blob.path, blob.bytes);
                let parsed = parser.parse(&file);
                let is_whole = parsed.errors.is_empty() && parsed.documents.iter().any(|it| is_named(it.root()));
                Outcome::Template(is_whole.then_some(file))
            }
            Ok(blob) if input.roles.screened && !self.may_matter(&blob.path, &blob.bytes) => Outcome::Irrelevant,
            Ok(blob) => {
                let file = File::new(blob.path, blob.bytes);
                let parsed = parser.parse(&file);
                Outcome::Parsed(file, parsed)
            }
        }
    }

    fn may_matter(&self, path: &str, bytes: &[u8]) -> bool {
        may_matter(bytes) || self.wanted.is_some_and(|wanted| wanted(path, bytes))
    }
}

/// Whether a document says what it is and what it is called without any action of a template.
fn is_named(root: Node<'_>) -> bool {
    let says = |path: &[&str]| root.str_at(path).is_some_and(|it| !it.contains("{{"));
    resource::is_object(root) && says(&["apiVersion"]) && says(&["kind"]) && says(&["metadata", "name"])
}

/// Tells which files of a tree a law, or what surrounds it, could be in, so that nobody need read the others.
pub(crate) const SCREEN: Screen<'static> =
    Screen { version: 1, purpose: None, name: &tells_of_neighbors, content: &may_matter };

fn tells_of_neighbors(path: &str) -> bool {
    is_chart(path) || is_kustomization(path)
}

/// Whether a file may hold law, or what surrounds it.
pub(crate) fn may_matter(bytes: &[u8]) -> bool {
    holds_law(bytes) || SURROUNDINGS.iter().any(|word| memmem::find(bytes, word).is_some())
}

fn holds_law(bytes: &[u8]) -> bool {
    // An escape in a quoted scalar could hide the words.
    memchr::memchr(b'\\', bytes).is_some() || LAW.iter().any(|word| memmem::find(bytes, word).is_some())
}

/// The findings of paths that nobody reads.
pub(crate) fn skipped(skipped: &[Skipped]) -> Vec<Finding> {
    skipped.iter().map(|(path, skip)| passed_over(path, skip)).collect()
}

/// The same where policies are looked for: one that lies out of reach judges nothing.
pub(crate) fn skipped_law(skipped: &[Skipped]) -> Vec<Finding> {
    let finding = |(path, skip): &Skipped| {
        let finding = passed_over(path, skip);
        match skip {
            Skip::Symlink { leads: Leads::Outside, .. } | Skip::NotAFile => {
                let finding = Finding { severity: Severity::Error, ..finding };
                finding.note("where it leads may be a policy, which judges nothing")
            }
            _ => finding,
        }
    };
    skipped.iter().map(finding).collect()
}

/// One file, sorted.
#[derive(Default)]
struct Sorted {
    file: Option<TreeFile>,
    findings: Vec<Finding>,
    /// Whether it is a patch of nothing that is known.
    is_stray: bool,
    n_templates: usize,
}

fn sort(
    read: Outcome,
    input: &Input,
    layout: &Layout,
    is_cluster_scoped: &(dyn Fn(&str, &str) -> bool + Sync),
) -> Sorted {
    let path = &input.entry.path;
    let mut out = Sorted::default();
    let roles = input.roles;
    match read {
        Outcome::Parsed(file, parsed) => {
            // Of a file that is only looked into, what is broken matters if it could be a policy or an exception.
            if !roles.screened || holds_law(file.text().as_bytes()) {
                out.findings.extend(parsed.errors.iter().map(|error| outcome::from_document_error(error, &file)));
            }
            let is_template = layout.is_template(path);
            let documents = parsed
                .documents
                .into_iter()
                .map(|document| {
                    let class = match classify(path, document.root(), layout) {
                        // What a chart brings without any action is an object as it stands, but nobody's law.
                        Class::Manifest => Class::Manifest,
                        _ if is_template => Class::HelmTemplate,
                        class => class,
                    };
                    if class == Class::Kustomize
                        && roles.judged
                        && let Some(may_be_elsewhere) = layout.is_stray(path, document.root())
                    {
                        out.is_stray = true;
                        out.findings.push(stray(&file, document.root(), may_be_elsewhere));
                    }
                    match class {
                        Class::Manifest => {
                            out.findings.extend(repeated::keys(&document).filter(|_| roles.judged));
                            let document = Arc::new(resource::prepare(document, &is_cluster_scoped));
                            TreeDocument { class, subject: Some(Arc::clone(&document)), document }
                        }
                        // A policy is an object, too: as the law it is read as written, as an object it is prepared.
                        Class::Policy | Class::Exception => {
                            let subject = resource::prepare(document.duplicate(), &is_cluster_scoped);
                            TreeDocument { class, subject: Some(Arc::new(subject)), document: Arc::new(document) }
                        }
                        Class::Kustomize | Class::HelmTemplate | Class::TestSuite | Class::Values | Class::Other => {
                            TreeDocument { class, document: Arc::new(document), subject: None }
                        }
                    }
                })
                .collect();
            out.file = Some(TreeFile { roles, file, documents });
        }
        Outcome::Template(whole) => {
            out.n_templates += usize::from(roles.judged);
            out.findings.extend(whole.filter(|_| roles.judged).map(|file| unrendered(&file)));
        }
        Outcome::Irrelevant => {}
        // Nobody knows whether it holds a policy: that is said where one is looked for, and nowhere else.
        Outcome::Skipped(skip) if roles.screened && !matches!(skip, Skip::Unreadable(_)) => {
            if roles.policies {
                let finding = passed_over(path, &skip).note("if it holds a policy, that judges nothing");
                out.findings.push(Finding { severity: Severity::Warning, ..finding });
            }
        }
        Outcome::Skipped(skip) => out.findings.push(passed_over(path, &skip)),
        Outcome::Panicked(message) => out.findings.push(panicked(path, &message)),
    }
    out
}

/// A patch of nothing: no kustomization that builds reads it as one.
fn stray(file: &File, root: Node<'_>, may_be_elsewhere: bool) -> Finding {
    let severity = if may_be_elsewhere { Severity::Warning } else { Severity::Error };
    let place = secret::place(file, root.at(&["metadata", "name"]).unwrap_or(root).span());
    let message = "a kustomization takes this for a patch, but nothing here is called so: it is not judged";
    Finding::new("source/stray-patch", severity, place, message)
        .help("list it under `resources` if it is an object of its own, or correct the name of what it patches")
}

/// A template that could be applied as it stands.
fn unrendered(file: &File) -> Finding {
    let message = "a template of a chart is not judged, though it could be applied as it stands";
    Finding::new("source/template", Severity::Warning, Place::whole_file(Arc::clone(file.path())), message)
        .help("check what the chart renders to: helm template CHART | admit check -")
}

fn panicked(path: &Arc<str>, message: &str) -> Finding {
    let message = format!("reading this file failed inside admit: {message}");
    Finding::new("internal/panic", Severity::Error, Place::whole_file(Arc::clone(path)), message)
        .help("this is a bug in admit: please report it with the file")
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
fn note_scope(document: &Document, scopes: &mut Scopes) {
    if document.root().str_at(&["kind"]).is_none_or(|kind| kind != "CustomResourceDefinition" && kind != "List") {
        return;
    }
    for object in resource::objects(document.root()) {
        if let Some((group, kind)) = resource::defines_cluster_scoped(object) {
            scopes.insert((group.to_owned(), kind.to_owned()));
        }
    }
}
