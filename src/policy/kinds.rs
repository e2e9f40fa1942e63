//! The kinds that this program knows as policies and exceptions, and their versions.

use super::schema::{self, Object};
use crate::{document::Node, k8s::gvk::split_api_version};

/// What is done with a document of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Compiled and evaluated: `ClusterPolicy`, `Policy`.
    Classic,
    /// Compiled and applied: `PolicyException` of `kyverno.io`.
    Exception,
    /// Only looked at: it never judges a request.
    Cleanup,
    /// Written in CEL.
    Cel(Cel),
    /// Of Kubernetes itself.
    Admission(Admission),
}

/// The kinds of `admissionregistration.k8s.io`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// `ValidatingAdmissionPolicy`.
    Policy,
    /// `ValidatingAdmissionPolicyBinding`.
    Binding,
    /// `MutatingAdmissionPolicy`.
    MutatingPolicy,
    /// `MutatingAdmissionPolicyBinding`.
    MutatingBinding,
}

/// The kinds of `policies.kyverno.io`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cel {
    /// `ValidatingPolicy`.
    Validating,
    /// `MutatingPolicy`.
    Mutating,
    /// `ImageValidatingPolicy`.
    ImageValidating,
    /// `GeneratingPolicy`.
    Generating,
    /// `DeletingPolicy`.
    Deleting,
    /// `PolicyException`.
    Exception,
}

/// One kind in some of its versions.
#[derive(Debug)]
pub(crate) struct PolicyKind {
    group: &'static str,
    /// Versions that are served, the best one first.
    versions: &'static [&'static str],
    names: &'static [&'static str],
    /// What the API server's schema allows.
    pub schema: &'static Object,
    /// What is done with it.
    pub family: Family,
}

/// Versions of `policies.kyverno.io`.
const CEL_VERSIONS: &[&str] = &["v1", "v1beta1", "v1alpha1"];

/// Versions of the mutating policies of Kubernetes, whichever of them a cluster serves.
const MUTATING_VERSIONS: &[&str] = &["v1", "v1beta1", "v1alpha1"];

static KINDS: [PolicyKind; 14] = [
    PolicyKind {
        group: "kyverno.io",
        versions: &["v1"],
        names: &["ClusterPolicy", "Policy"],
        schema: &schema::POLICY,
        family: Family::Classic,
    },
    PolicyKind {
        group: "kyverno.io",
        versions: &["v2beta1"],
        names: &["ClusterPolicy", "Policy"],
        schema: &schema::POLICY_V2BETA1,
        family: Family::Classic,
    },
    PolicyKind {
        group: "kyverno.io",
        versions: &["v2", "v2beta1", "v2alpha1"],
        names: &["PolicyException"],
        schema: &schema::EXCEPTION,
        family: Family::Exception,
    },
    PolicyKind {
        group: "kyverno.io",
        versions: &["v2", "v2beta1", "v2alpha1"],
        names: &["ClusterCleanupPolicy", "CleanupPolicy"],
        schema: &schema::CLEANUP_POLICY,
        family: Family::Cleanup,
    },
    cel(&["ValidatingPolicy", "NamespacedValidatingPolicy"], &schema::VALIDATING_POLICY, Cel::Validating),
    cel(&["MutatingPolicy", "NamespacedMutatingPolicy"], &schema::MUTATING_POLICY, Cel::Mutating),
    cel(
        &["ImageValidatingPolicy", "NamespacedImageValidatingPolicy"],
        &schema::IMAGE_VALIDATING_POLICY,
        Cel::ImageValidating,
    ),
    cel(&["GeneratingPolicy", "NamespacedGeneratingPolicy"], &schema::GENERATING_POLICY, Cel::Generating),
    cel(&["DeletingPolicy", "NamespacedDeletingPolicy"], &schema::DELETING_POLICY, Cel::Deleting),
    cel(&["PolicyException"], &schema::CEL_EXCEPTION, Cel::Exception),
    admission(&["ValidatingAdmissionPolicy"], &["v1"], &schema::ADMISSION_POLICY, Admission::Policy),
    admission(&["ValidatingAdmissionPolicyBinding"], &["v1"], &schema::ADMISSION_BINDING, Admission::Binding),
    admission(
        &["MutatingAdmissionPolicy"],
        MUTATING_VERSIONS,
        &schema::MUTATING_ADMISSION_POLICY,
        Admission::MutatingPolicy,
    ),
    admission(
        &["MutatingAdmissionPolicyBinding"],
        MUTATING_VERSIONS,
        &schema::MUTATING_ADMISSION_BINDING,
        Admission::MutatingBinding,
    ),
];

const fn cel(names: &'static [&'static str], schema: &'static Object, cel: Cel) -> PolicyKind {
    PolicyKind { group: "policies.kyverno.io", versions: CEL_VERSIONS, names, schema, family: Family::Cel(cel) }
}

const fn admission(
    names: &'static [&'static str],
    versions: &'static [&'static str],
    schema: &'static Object,
    admission: Admission,
) -> PolicyKind {
    let family = Family::Admission(admission);
    PolicyKind { group: "admissionregistration.k8s.io", versions, names, schema, family }
}

/// Group, version and kind of an object.
fn identity(object: Node<'_>) -> (&str, &str, &str) {
    let (group, version) = split_api_version(object.str_at(&["apiVersion"]).unwrap_or_default());
    (group, version, object.str_at(&["kind"]).unwrap_or_default())
}

/// The kind of an object, if this program knows it in the object's version.
pub(crate) fn find(object: Node<'_>) -> Option<&'static PolicyKind> {
    let (group, version, name) = identity(object);
    KINDS.iter().find(|it| it.group == group && it.names.contains(&name) && it.versions.contains(&version))
}

/// The `apiVersion` under which a kind is served, when the object's is none.
pub(crate) fn served_as(object: Node<'_>) -> Option<String> {
    let (group, _, name) = identity(object);
    let kind = KINDS.iter().find(|it| it.group == group && it.names.contains(&name))?;
    Some(format!("{}/{}", kind.group, kind.versions[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_found_in_one_description_for_each_version() {
        for kind in &KINDS {
            for (name, version) in kind.names.iter().flat_map(|name| kind.versions.iter().map(move |it| (name, it))) {
                let same = |it: &&PolicyKind| {
                    it.group == kind.group && it.names.contains(name) && it.versions.contains(version)
                };
                assert_eq!(KINDS.iter().filter(same).count(), 1, "{name} {version}");
            }
        }
    }
}
