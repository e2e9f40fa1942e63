//! What a renderer wrote, and where each object of it comes from.
//!
//! In: the text. Out: the text that a cluster would be given, and an [`Origin`] for each document. Kustomize is asked to
//! note origins in annotations, which are taken out again; Helm names the template in a comment.

use std::sync::Arc;

use crate::{
    document::{Document, Limits, Node, parse},
    span::File,
};

/// The annotation with the file, or the generator, that an object comes from.
const ORIGIN: &str = "config.kubernetes.io/origin";

/// The annotation with what changed an object on its way.
const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";

/// Where a rendered object comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The file that holds it, or the template.
    pub file: Option<String>,
    /// The kustomization whose generator made it.
    pub generated_by: Option<String>,
    /// The kustomizations that changed it, in order, each once.
    pub changed_by: Vec<String>,
}

/// The text of a render without what was added to trace it, with the origins of its documents in order.
pub(super) fn of_kustomize(
    path: &str,
    text: &str,
    below_root: &dyn Fn(&str) -> Option<String>,
) -> (String, Vec<Origin>) {
    let file = File::new(path, text.as_bytes().to_vec());
    let parsed = parse(&file, &Limits::default());
    let mut origins = Vec::new();
    let mut cuts: Vec<(usize, usize)> = Vec::new();
    for document in &parsed.documents {
        let Some(annotations) = document.root().at(&["metadata", "annotations"]) else {
            origins.push(Origin::default());
            continue;
        };
        let added: Vec<Node<'_>> =
            [ORIGIN, TRANSFORMATIONS].into_iter().filter_map(|key| annotations.get(key)).collect();
        if added.len() == annotations.len() {
            cuts.push(lines(&file, annotations));
        } else {
            cuts.extend(added.iter().map(|it| lines(&file, *it)));
        }
        origins.push(origin(annotations, below_root));
    }
    cuts.sort_unstable();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (from, to) in cuts {
        out.push_str(&text[at..from.max(at)]);
        at = to.max(at);
    }
    out.push_str(&text[at..]);
    (out, origins)
}

/// The whole lines of an entry of a map, from its key on.
fn lines(file: &File, entry: Node<'_>) -> (usize, usize) {
    let text = file.text();
    let from = text[..entry.key_span().start as usize].rfind('\n').map_or(0, |at| at + 1);
    let value = text[..entry.span().end as usize].trim_end().len();
    let to = text[value..].find('\n').map_or(text.len(), |at| value + at + 1);
    (from, to)
}

fn origin(annotations: Node<'_>, below_root: &dyn Fn(&str) -> Option<String>) -> Origin {
    let read = |key: &str| {
        let text = annotations.str_at(&[key])?;
        parse(&File::new(key, text.as_bytes().to_vec()), &Limits::default()).documents.into_iter().next()
    };
    let path = |node: Node<'_>, key: &str| node.str_at(&[key]).and_then(below_root);
    let mut out = Origin::default();
    if let Some(document) = read(ORIGIN) {
        out.file = path(document.root(), "path");
        out.generated_by = path(document.root(), "configuredIn");
    }
    let changes = read(TRANSFORMATIONS);
    for change in changes.iter().flat_map(|it| it.root().items()) {
        if let Some(path) = path(change, "configuredIn").filter(|it| !out.changed_by.contains(it)) {
            out.changed_by.push(path);
        }
    }
    out
}

/// The origins of the documents that Helm wrote; `template` turns the path that a comment names into one below the root.
pub(super) fn of_helm(path: &str, text: &str, template: &dyn Fn(&str) -> Option<String>) -> Vec<Origin> {
    let file = File::new(path, text.as_bytes().to_vec());
    let parsed = parse(&file, &Limits::default());
    parsed
        .documents
        .iter()
        .map(|it| Origin { file: source(it, text).and_then(template), ..Origin::default() })
        .collect()
}

/// The path in the comment before a document.
fn source<'t>(document: &Document, text: &'t str) -> Option<&'t str> {
    let before = &text[..document.root().span().start as usize];
    let start = before.rfind("\n---").map_or(0, |at| at + 1);
    before[start..].lines().find_map(|line| line.strip_prefix("# Source: ")).map(str::trim)
}

/// A rendered text as a file, in a directory of its own. No file of a repository has its name.
pub(super) fn file(title: &str, tag: &str, text: String) -> Arc<File> {
    File::new(format!("{title} ({tag})/objects.yaml"), text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_taken_out_again() {
        let text = "\
apiVersion: v1
kind: ConfigMap
metadata:
  annotations:
    alpha.config.kubernetes.io/transformations: |
      - configuredIn: ../tree/prod/kustomization.yaml
        configuredBy:
          apiVersion: builtin
          kind: PrefixTransformer
      - configuredIn: ../tree/prod/kustomization.yaml
        configuredBy:
          apiVersion: builtin
          kind: NamespaceTransformer
    config.kubernetes.io/origin: |
      path: ../tree/base/a.yaml
  name: prod-a
---
apiVersion: v1
kind: ConfigMap
metadata:
  annotations:
    config.kubernetes.io/origin: |
      configuredIn: ../tree/base/kustomization.yaml
      configuredBy:
        apiVersion: builtin
        kind: ConfigMapGenerator
    x: \"y\"
  name: b
";
        let below = |path: &str| path.strip_prefix("../tree/").map(str::to_owned);
        let (text, origins) = of_kustomize("x", text, &below);
        let wanted = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: prod-a
---
apiVersion: v1
kind: ConfigMap
metadata:
  annotations:
    x: \"y\"
  name: b
";
        assert_eq!(text, wanted);
        assert_eq!(origins[0].file.as_deref(), Some("base/a.yaml"));
        assert_eq!(origins[0].changed_by, ["prod/kustomization.yaml"]);
        assert_eq!(origins[1].generated_by.as_deref(), Some("base/kustomization.yaml"));
    }

    #[test]
    fn templates_are_named_in_comments() {
        let text = "---\n# Source: web/crds/c.yaml\nkind: C\n---\n# Source: web/templates/a.yaml\n# Source: web/x\nkind: A\n---\nkind: B\n";
        let origins = of_helm("x", text, &|path| path.strip_prefix("web/").map(|it| format!("charts/web/{it}")));
        let files: Vec<_> = origins.iter().map(|it| it.file.as_deref()).collect();
        assert_eq!(files, [Some("charts/web/crds/c.yaml"), Some("charts/web/templates/a.yaml"), None]);
    }
}
