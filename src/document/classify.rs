//! What a document is: a policy, an exception, a manifest to judge, or something that only lies beside them.
//!
//! In: a path and a parsed document. Out: its class. GitOps repositories mix all of them; only manifests are judged, and
//! nothing else stops a run.

use std::collections::HashSet;

use super::{Node, resource::is_object};

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// A policy of Kyverno or of Kubernetes itself.
    Policy,
    /// A `PolicyException`.
    Exception,
    /// An object that a cluster would hold.
    Manifest,
    /// A file of Kustomize, or a patch that such a file applies.
    Kustomize,
    /// A template of a Helm chart.
    HelmTemplate,
    /// A suite of `kyverno test`.
    TestSuite,
    /// Values and configuration of other programs.
    Values,
    /// Anything else.
    Other,
}

/// What is known of a repository's layout before its files are read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    charts: HashSet<String>,
    patches: HashSet<String>,
}

impl Layout {
    /// The layout as far as the names of files tell it.
    pub(crate) fn of<'p>(paths: impl Iterator<Item = &'p str>) -> Self {
        let charts = paths
            .filter(|path| matches!(name(path), "Chart.yaml" | "Chart.yml"))
            .map(|path| directory(path).to_owned())
            .collect();
        Self { charts, patches: HashSet::new() }
    }

    /// Notes the patches that a kustomization applies.
    pub(crate) fn note_patches(&mut self, path: &str, kustomization: Node<'_>) {
        let directory = directory(path);
        let lists = ["patches", "patchesStrategicMerge", "patchesJson6902"];
        for item in lists.into_iter().filter_map(|key| kustomization.get(key)).flat_map(Node::items) {
            let file = item.as_str().or_else(|| item.str_at(&["path"]));
            if let Some(file) = file.filter(|file| !file.contains('\n')) {
                self.patches.insert(join(directory, file));
            }
        }
    }

    /// Whether a path is a template of a chart.
    pub(crate) fn is_template(&self, path: &str) -> bool {
        let below = |part: &str| {
            path.match_indices(part).any(|(at, _)| self.charts.contains(&path[..at]))
                || (path.starts_with(&part[1..]) && self.charts.contains(""))
        };
        below("/templates/") || below("/crds-templates/")
    }

    /// Whether a path is a values file of a chart.
    fn is_values(&self, path: &str) -> bool {
        self.charts.contains(directory(path))
    }
}

/// Whether a path is a kustomization by its name.
pub(crate) fn is_kustomization(path: &str) -> bool {
    matches!(name(path), "kustomization.yaml" | "kustomization.yml" | "Kustomization")
}

/// The class of a document.
pub(crate) fn classify(path: &str, root: Node<'_>, layout: &Layout) -> Class {
    if layout.is_template(path) {
        return Class::HelmTemplate;
    }
    let api = root.str_at(&["apiVersion"]).unwrap_or_default();
    let kind = root.str_at(&["kind"]).unwrap_or_default();
    let group = api.split_once('/').map_or("", |(group, _)| group);
    if is_kustomization(path) || group == "kustomize.config.k8s.io" || layout.patches.contains(path) {
        return Class::Kustomize;
    }
    if group == "cli.kyverno.io" {
        return if kind == "Test" { Class::TestSuite } else { Class::Values };
    }
    if !is_object(root) {
        let suite = name(path).starts_with("kyverno-test");
        let config = layout.is_values(path)
            || name(path).starts_with("values")
            || path.starts_with(".github/")
            || matches!(name(path), "docker-compose.yaml" | "docker-compose.yml" | ".gitlab-ci.yml" | "admit.yaml");
        return match (suite, config) {
            (true, _) => Class::TestSuite,
            (false, true) => Class::Values,
            (false, false) => Class::Other,
        };
    }
    if kind == "PolicyException" && matches!(group, "kyverno.io" | "policies.kyverno.io") {
        return Class::Exception;
    }
    if is_policy(group, kind) { Class::Policy } else { Class::Manifest }
}

fn is_policy(group: &str, kind: &str) -> bool {
    match group {
        "kyverno.io" => matches!(kind, "ClusterPolicy" | "Policy" | "ClusterCleanupPolicy" | "CleanupPolicy"),
        "policies.kyverno.io" => kind.ends_with("Policy"),
        "admissionregistration.k8s.io" => kind.ends_with("AdmissionPolicy") || kind.ends_with("AdmissionPolicyBinding"),
        _ => false,
    }
}

/// The directory of a path, without a slash at its end; empty at the top.
pub(crate) fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A path relative to a directory, `.` and `..` resolved.
pub(crate) fn join(directory: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
