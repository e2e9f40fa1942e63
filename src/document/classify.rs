//! What a document is: a policy, an exception, a manifest to judge, or something that only lies beside them.
//!
//! In: a path and a parsed document. Out: its class. GitOps repositories mix all of them; only manifests are judged, and
//! nothing else stops a run.

use super::{
    Node,
    layout::{Layout, Taken},
    resource::is_object,
};

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// A policy of Kyverno or of Kubernetes itself.
    Policy,
    /// A `PolicyException`.
    Exception,
    /// An object that a cluster would hold.
    Manifest,
    /// A file of Kustomize, or a patch or other part that such a file reads.
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

/// Groups of objects that configure programs; no cluster holds them.
const CONFIGURATION: [&str; 9] = [
    "apiserver.config.k8s.io",
    "audit.k8s.io",
    "client.authentication.k8s.io",
    "kind.x-k8s.io",
    "kubeadm.k8s.io",
    "kubelet.config.k8s.io",
    "kubeproxy.config.k8s.io",
    "kubescheduler.config.k8s.io",
    "skaffold",
];

/// Whether a path is a kustomization by its name.
pub(crate) fn is_kustomization(path: &str) -> bool {
    matches!(name(path), "kustomization.yaml" | "kustomization.yml" | "Kustomization")
}

/// The class of a document, or of an object in a list. That a file is a template is told by its path and its text, not
/// here.
pub(crate) fn classify(path: &str, root: Node<'_>, layout: &Layout) -> Class {
    let api = root.str_at(&["apiVersion"]).unwrap_or_default();
    let kind = root.str_at(&["kind"]).unwrap_or_default();
    let group = api.split_once('/').map_or("", |(group, _)| group);
    // The name alone would be a way to hide any object.
    let kustomization = group == "kustomize.config.k8s.io" || (is_kustomization(path) && !is_object(root));
    if kustomization || layout.taken(path, root, is_whole) == Some(Taken::Part) {
        return Class::Kustomize;
    }
    if CONFIGURATION.contains(&group) || (api, kind) == ("v1", "Config") {
        return Class::Values;
    }
    if group == "cli.kyverno.io" {
        return if kind == "Test" { Class::TestSuite } else { Class::Values };
    }
    if !is_object(root) {
        let suite = name(path).starts_with("kyverno-test");
        let config = layout.is_values(path)
            || name(path).starts_with("values")
            || path.starts_with(".github/")
            || path.contains("/.github/")
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
    match is_policy(group, kind) {
        // What a test expects of a policy: no cluster takes a policy without `spec`.
        true if group.ends_with("kyverno.io") && root.get("spec").is_none() && root.get("status").is_some() => {
            Class::TestSuite
        }
        true => Class::Policy,
        false => Class::Manifest,
    }
}

/// Whether a part of a kustomization holds all that its kind needs, so that it may as well be deployed as it is.
///
/// Whoever can name any file as a patch could hide it otherwise. Known for what runs Pods and what grants rights.
fn is_whole(object: Node<'_>) -> bool {
    match object.str_at(&["kind"]) {
        Some("RoleBinding" | "ClusterRoleBinding") => object.get("roleRef").is_some(),
        _ => pod_spec(object).is_some() && !is_partial_workload(object),
    }
}

/// Whether an object that runs Pods lacks what no cluster does without: it may be a patch.
pub(crate) fn is_partial_workload(object: Node<'_>) -> bool {
    let Some(path) = pod_spec(object) else { return false };
    let selects = matches!(object.str_at(&["kind"]), Some("Deployment" | "DaemonSet" | "StatefulSet" | "ReplicaSet"));
    let containers = object.at(path).and_then(|spec| spec.get("containers"));
    let runs = containers.is_some_and(|it| it.len() > 0 && it.items().all(|it| it.str_at(&["image"]).is_some()));
    !runs || (selects && object.at(&["spec", "selector"]).is_none())
}

/// Where the Pod stands in an object of a kind that runs Pods.
fn pod_spec(object: Node<'_>) -> Option<&'static [&'static str]> {
    match object.str_at(&["kind"])? {
        "Pod" => Some(&["spec"]),
        "CronJob" => Some(&["spec", "jobTemplate", "spec", "template", "spec"]),
        "Deployment" | "DaemonSet" | "StatefulSet" | "ReplicaSet" | "Job" | "ReplicationController" => {
            Some(&["spec", "template", "spec"])
        }
        _ => None,
    }
}

/// Whether an object is a policy or an exception by its kind.
pub(crate) fn is_law(object: Node<'_>) -> bool {
    let api = object.str_at(&["apiVersion"]).unwrap_or_default();
    let kind = object.str_at(&["kind"]).unwrap_or_default();
    let group = api.split_once('/').map_or("", |(group, _)| group);
    is_policy(group, kind) || (kind == "PolicyException" && matches!(group, "kyverno.io" | "policies.kyverno.io"))
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
    let path = parts.join("/");
    if directory.starts_with('/') { format!("/{path}") } else { path }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        document::{Document, Limits, parse},
        span::File,
    };

    fn document(path: &str, text: &str) -> Document {
        let parsed = parse(&File::new(Arc::from(path), text.as_bytes().to_vec()), &Limits::default());
        assert_eq!(parsed.errors, [], "{text}");
        parsed.documents.into_iter().next().unwrap()
    }

    /// Classes of files in one repository.
    fn classes(files: &[(&str, &str)]) -> Vec<Class> {
        let mut layout = Layout::of(files.iter().map(|(path, _)| *path));
        let documents: Vec<_> = files.iter().map(|(path, text)| document(path, text)).collect();
        for ((path, _), document) in files.iter().zip(&documents) {
            if is_kustomization(path) {
                layout.note_patches(path, document.root());
            }
        }
        let class = |path: &str, document: &Document| {
            if layout.is_template(path) { Class::HelmTemplate } else { classify(path, document.root(), &layout) }
        };
        files.iter().zip(&documents).map(|((path, _), document)| class(path, document)).collect()
    }

    const POD: &str = "{apiVersion: v1, kind: Pod}";

    #[test]
    fn objects_are_told_from_what_lies_beside_them() {
        use Class::{Exception, Kustomize, Manifest, Other, Policy, TestSuite, Values};
        for (path, text, class) in [
            ("a.yaml", POD, Manifest),
            ("a.yaml", "{apiVersion: v1, kind: List, items: []}", Manifest),
            ("crds/a.yaml", "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition}", Manifest),
            ("a.yaml", "{apiVersion: example.com/v1, kind: Policy}", Manifest),
            ("kustomize.yaml", "{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization}", Manifest),
            ("values.yaml", POD, Manifest),
            ("a.yaml", "{apiVersion: kyverno.io/v1, kind: ClusterPolicy}", Policy),
            ("a.yaml", "{apiVersion: kyverno.io/v2beta1, kind: Policy}", Policy),
            ("a.yaml", "{apiVersion: policies.kyverno.io/v1, kind: ValidatingPolicy}", Policy),
            ("a.yaml", "{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicyBinding}", Policy),
            ("a.yaml", "{apiVersion: kyverno.io/v2, kind: PolicyException}", Exception),
            ("a.yaml", "{apiVersion: policies.kyverno.io/v1, kind: PolicyException}", Exception),
            ("kyverno-test.yaml", "{apiVersion: cli.kyverno.io/v1alpha1, kind: Test}", TestSuite),
            ("kyverno-test.yaml", "{name: a, policies: []}", TestSuite),
            ("values.yaml", "{apiVersion: cli.kyverno.io/v1alpha1, kind: Values}", Values),
            ("values-prod.yaml", "{replicas: 1}", Values),
            (".github/workflows/ci.yaml", "{on: push}", Values),
            ("kind.yaml", "{apiVersion: kind.x-k8s.io/v1alpha4, kind: Cluster}", Values),
            ("kubeconfig.yaml", "{apiVersion: v1, kind: Config}", Values),
            ("kustomization.yaml", "{resources: [a.yaml]}", Kustomize),
            ("kustomization.yml", "{apiVersion: kustomize.config.k8s.io/v1beta1, kind: Kustomization}", Kustomize),
            ("component.yaml", "{apiVersion: kustomize.config.k8s.io/v1alpha1, kind: Component}", Kustomize),
            ("patch.json", "[{op: remove, path: /a}]", Other),
            ("a.yaml", "{kind: Pod}", Other),
            ("a.yaml", "{apiVersion: v1, kind: ''}", Other),
            ("a.yaml", "text", Other),
        ] {
            assert_eq!(classes(&[(path, text)]), [class], "{path} {text}");
        }
    }

    #[test]
    fn what_a_kustomization_reads_is_no_object_unless_one_applies_it() {
        use Class::{Kustomize, Manifest};
        let files = [
            ("base/kustomization.yaml", "{resources: [both.yaml, pod.yaml]}"),
            ("base/pod.yaml", POD),
            ("base/both.yaml", POD),
            (
                "prod/kustomization.yaml",
                "{resources: [../base], patches: [{path: a.yaml}, {patch: 'x: |'}, {path: ../base/both.yaml}], \
                 patchesStrategicMerge: [./deep/b.yaml, \"kind: Pod\\n\"], configMapGenerator: [{files: [c.yaml, k=d.yaml]}]}",
            ),
            ("prod/a.yaml", POD),
            ("prod/deep/b.yaml", POD),
            ("prod/c.yaml", POD),
            ("prod/d.yaml", POD),
            ("prod/e.yaml", POD),
        ];
        // Data that is an object of Kubernetes may as well be deployed.
        let expected = [Kustomize, Manifest, Manifest, Kustomize, Kustomize, Kustomize, Manifest, Manifest, Manifest];
        assert_eq!(classes(&files), expected);
    }

    #[test]
    fn files_of_charts_are_templates_or_values() {
        use Class::{HelmTemplate, Manifest, Values};
        let files = [
            ("charts/a/Chart.yaml", "{apiVersion: v2, name: a}"),
            ("charts/a/values.yaml", "{x: 1}"),
            ("charts/a/ci.yaml", "{x: 1}"),
            ("charts/a/templates/pod.yaml", POD),
            ("charts/a/templates/deep/pod.yaml", POD),
            ("charts/a/crds/a.yaml", POD),
            ("charts/b/templates/pod.yaml", POD),
            ("templates/pod.yaml", POD),
        ];
        let expected = [Values, Values, Values, HelmTemplate, HelmTemplate, Manifest, Manifest, Manifest];
        assert_eq!(classes(&files), expected);
        assert!(Layout::of(["Chart.yaml"].into_iter()).is_template("templates/a.yaml"));
    }

    #[test]
    fn what_could_be_deployed_as_it_is_is_judged_whatever_a_kustomization_takes_it_for() {
        use Class::{Kustomize, Manifest};
        let whole = "{apiVersion: v1, kind: Pod, spec: {containers: [{name: a, image: b}]}}";
        let files = [
            ("/top/kustomization.yaml", "{patches: [{path: a/pod.yaml}, {path: a/part.yaml}, {path: a/bound.yaml}]}"),
            ("/top/a/pod.yaml", whole),
            ("/top/a/part.yaml", "{apiVersion: v1, kind: Pod, spec: {containers: [{name: a, image: b}, {name: c}]}}"),
            (
                "/top/a/bound.yaml",
                "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, roleRef: {name: admin}}",
            ),
            ("/other/kustomization.yaml", POD),
        ];
        assert_eq!(classes(&files), [Kustomize, Manifest, Kustomize, Manifest, Manifest]);
    }

    #[test]
    fn a_status_without_a_spec_is_what_a_test_expects_of_a_policy() {
        let head = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\n";
        for (tail, class) in
            [("status: {}", Class::TestSuite), ("status: {}\nspec: {}", Class::Policy), ("", Class::Policy)]
        {
            assert_eq!(classes(&[("a.yaml", &format!("{head}{tail}"))]), [class], "{tail}");
        }
    }
}
