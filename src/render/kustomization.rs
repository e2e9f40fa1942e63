//! What a kustomization reads.
//!
//! In: its file. Out: each thing that it asks for, with the place that asks. The fields are those of
//! <https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/>, the ones that are out of use included: what
//! is overlooked here is not there when the renderer runs, which then fails.

use std::sync::Arc;

use crate::{
    document::{Document, Limits, Node, classify::directory, parse, resource::is_object},
    finding::{Finding, outcome},
    k8s::gvk::split_api_version,
    span::{File, Span},
};

/// The names that Kustomize knows, in its order.
pub(crate) const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// A kustomization as far as it matters for what it reads.
#[derive(Debug)]
pub(super) struct Kustomization {
    /// The file.
    pub file: Arc<File>,
    /// What stands in it; `None` if it can't be read.
    pub document: Option<Document>,
    /// What is wrong with it.
    pub broken: Vec<Finding>,
    /// What it asks for.
    pub asks: Vec<Ask>,
    /// Whether it is a part of others by its kind, never deployed alone.
    pub is_component: bool,
    /// Whether it is an object that is only called like one.
    pub is_object: bool,
}

/// One thing that a kustomization asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    /// As written.
    pub text: String,
    /// Where it is written.
    pub at: Span,
    /// What it may be.
    pub what: What,
}

/// What an entry of a kustomization may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A file with objects, or a directory with a kustomization.
    Resource,
    /// A directory with a kustomization.
    Directory,
    /// A file of any kind.
    File,
    /// A file with a patch.
    Patch,
    /// A chart that is inflated.
    Chart,
}

impl Kustomization {
    /// Reads a kustomization.
    pub(super) fn read(path: Arc<str>, bytes: Vec<u8>) -> Self {
        let file = File::new(path, bytes);
        let parsed = parse(&file, &Limits::default());
        let broken: Vec<Finding> = parsed.errors.iter().map(|it| outcome::from_document_error(it, &file)).collect();
        let document = parsed.documents.into_iter().next();
        let root = document.as_ref().map(Document::root);
        let asks = root.map(asks).unwrap_or_default();
        let is_component = root.is_some_and(|it| it.str_at(&["kind"]) == Some("Component"));
        let group = root.and_then(|it| it.str_at(&["apiVersion"])).map_or("", |it| split_api_version(it).0);
        let is_object = root.is_some_and(is_object) && group != "kustomize.config.k8s.io";
        Self { file, document, broken, asks, is_component, is_object }
    }

    /// Where it lies; empty at the top.
    pub(super) fn directory(&self) -> &str {
        directory(self.file.path())
    }
}

fn asks(root: Node<'_>) -> Vec<Ask> {
    let mut out = Vec::new();
    let mut ask = |node: Node<'_>, text: &str, what: What| {
        if !text.is_empty() {
            out.push(Ask { text: text.to_owned(), at: node.span(), what });
        }
    };
    let items = |key: &str| root.get(key).into_iter().flat_map(Node::items);
    for (key, what) in [
        ("resources", What::Resource),
        ("bases", What::Directory),
        ("components", What::Directory),
        ("crds", What::File),
        ("configurations", What::File),
        ("patchesStrategicMerge", What::Patch),
        // A file or a directory each, with the configuration of a plugin.
        ("generators", What::Resource),
        ("transformers", What::Resource),
        ("validators", What::Resource),
    ] {
        for item in items(key) {
            if let Some(text) = item.as_str().filter(|it| !is_inline(it)) {
                ask(item, text, what);
            }
        }
    }
    for (key, what) in [("patches", What::Patch), ("patchesJson6902", What::Patch), ("replacements", What::File)] {
        for item in items(key).filter_map(|it| it.get("path")) {
            ask(item, item.as_str().unwrap_or_default(), what);
        }
    }
    if let Some(item) = root.at(&["openapi", "path"]) {
        ask(item, item.as_str().unwrap_or_default(), What::File);
    }
    for generator in ["configMapGenerator", "secretGenerator"].into_iter().flat_map(items) {
        for item in ["files", "envs"].into_iter().filter_map(|key| generator.get(key)).flat_map(Node::items) {
            let text = item.as_str().unwrap_or_default();
            ask(item, text.split_once('=').map_or(text, |(_, file)| file), What::File);
        }
        if let Some(item) = generator.get("env") {
            ask(item, item.as_str().unwrap_or_default(), What::File);
        }
    }
    for item in ["helmCharts", "helmChartInflationGenerator"].into_iter().flat_map(items) {
        let name = item.get("name").or_else(|| item.get("chartName")).unwrap_or(item);
        ask(name, name.as_str().unwrap_or("a chart"), What::Chart);
    }
    out
}

/// Whether an entry is what others keep in a file.
fn is_inline(text: &str) -> bool {
    text.contains('\n') || text.trim_start().starts_with(['{', '['])
}

/// Whether an entry that names nothing here is meant for a network.
pub(super) fn is_remote(text: &str) -> bool {
    let host = text.split(['/', ':']).next().unwrap_or_default();
    text.contains("://")
        || text.contains("?ref=")
        || text.contains("git@")
        || text.contains("//")
        || (text.contains('/') && host.contains('.') && !host.starts_with('.'))
}

/// A path relative to a directory; `None` for one that is absolute or leads out of the root.
pub(crate) fn resolve(directory: &str, relative: &str) -> Option<String> {
    if relative.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = directory.split('/').filter(|it| !it.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    let top = if directory.starts_with('/') { "/" } else { "" };
    Some(format!("{top}{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_read_is_asked_for() {
        let text = "\
resources: [a.yaml, ../base, 'https://example.com/x.yaml']
components: [../component]
patches: [{path: p.yaml}, {patch: '[]'}]
patchesStrategicMerge: [s.yaml, \"kind: Pod\\nx: y\\n\"]
configMapGenerator: [{name: a, files: [f.txt, k=g.txt], envs: [e.env], env: old.env}]
replacements: [{path: r.yaml}]
openapi: {path: schema.json}
transformers: [t.yaml, \"kind: A\\n\"]
helmCharts: [{name: web}]
";
        let read = Kustomization::read("a/kustomization.yaml".into(), text.as_bytes().to_vec());
        let texts: Vec<&str> = read.asks.iter().map(|it| it.text.as_str()).collect();
        let wanted = [
            "a.yaml",
            "../base",
            "https://example.com/x.yaml",
            "../component",
            "s.yaml",
            "t.yaml",
            "p.yaml",
            "r.yaml",
            "schema.json",
            "f.txt",
            "g.txt",
            "e.env",
            "old.env",
            "web",
        ];
        assert_eq!(texts, wanted);
        assert_eq!(read.file.slice(read.asks[1].at), "../base");
        assert_eq!(read.directory(), "a");
    }

    #[test]
    fn paths_do_not_leave_the_root() {
        for (directory, relative, wanted) in [
            ("a/b", "../c/./d.yaml", Some("a/c/d.yaml")),
            ("a", "..", Some("")),
            ("a", "../..", None),
            ("", "../x", None),
            ("a", "/etc/passwd", None),
            ("/srv/a", "../b", Some("/srv/b")),
        ] {
            assert_eq!(resolve(directory, relative).as_deref(), wanted, "{directory} {relative}");
        }
    }

    #[test]
    fn what_lies_elsewhere_is_told_by_its_name() {
        for text in [
            "https://example.com/a.yaml",
            "github.com/org/repo//base",
            "git@example.com:a/b",
            "org/repo?ref=v1",
            "ssh://git@host/x",
        ] {
            assert!(is_remote(text), "{text}");
        }
        for text in ["../base", "a.yaml", "./a/b.yaml", "a/b.yaml", "base"] {
            assert!(!is_remote(text), "{text}");
        }
    }
}
