//! `metadata`, the same for every kind.

use super::{Field, Object, Shape};
use crate::k8s::label_selector::{is_key, is_subdomain, is_value};

/// `metadata` of an object that has a name, or of which the API server makes one.
pub(super) static METADATA: Object = Object {
    owner: "metadata",
    fields: &[
        field!("name", Shape::Form("a DNS subdomain (`a-z`, `0-9`, `-` and `.`)", is_name)),
        field!("generateName", Shape::Text),
        field!("namespace", Shape::Form("the name of a namespace (`a-z`, `0-9` and `-`)", is_label)),
        field!("labels", Shape::Keyed(LABEL_KEY, is_key, &Shape::Form(LABEL_VALUE, is_value))),
        field!("annotations", Shape::Keyed(ANNOTATION_KEY, is_annotation_key, &Shape::Text)),
        field!("finalizers", Shape::List(&Shape::Text)),
        field!("ownerReferences", Shape::List(&Shape::Any)),
        field!("uid", Shape::Text),
        field!("resourceVersion", Shape::Text),
        field!("generation", Shape::Int),
        field!("creationTimestamp", Shape::Text),
        field!("deletionTimestamp", Shape::Text),
        field!("deletionGracePeriodSeconds", Shape::Int),
        field!("managedFields", Shape::List(&Shape::Any)),
        field!("selfLink", Shape::Text),
    ],
    bonds: &[],
};

const LABEL_KEY: &str = "a label key (at most 63 letters, digits, `-`, `_`, `.`, after an optional domain and `/`)";
const LABEL_VALUE: &str = "a label value (at most 63 letters, digits, `-`, `_`, `.`)";
const ANNOTATION_KEY: &str =
    "an annotation key (at most 63 letters, digits, `-`, `_`, `.`, after an optional domain and `/`)";

/// The API server lets annotations have capitals in the domain.
fn is_annotation_key(text: &str) -> bool {
    is_key(&text.to_lowercase())
}

/// Whether `text` is a DNS label in lower case; an empty one counts as none.
fn is_label(text: &str) -> bool {
    text.is_empty() || (text.len() <= 63 && !text.contains('.') && is_subdomain(text))
}

/// Whether a text is a name, or stands for one that is not known yet.
///
/// Chainsaw, with which policies are tested in clusters, fills in a name that is a binding as a whole, `($name)`, before
/// any cluster sees it.
fn is_name(text: &str) -> bool {
    is_subdomain(text) || text.strip_prefix("($").is_some_and(|rest| rest.len() > 1 && rest.ends_with(')'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_be_a_binding_as_a_whole() {
        for name in ["a-b.c", "($test.metadata.name)", "($name)"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["A", "($)", "a-($name)", "($name)-a", "(name)", "$name", ""] {
            assert!(!is_name(name), "{name}");
        }
    }
}
