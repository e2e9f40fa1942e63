//! What the files of this folder prove together: levels, messages, exclusions, exceptions.

use std::sync::Arc;

use super::*;
use crate::{document::Document, span::File};

/// A document whose root is the object.
pub(super) fn document(yaml: &str) -> Document {
    let file = File::new("pod.yaml", yaml.as_bytes().to_vec());
    let mut parsed = crate::document::parse(&file, &crate::document::Limits::default());
    assert!(parsed.errors.is_empty(), "{:?} in {yaml}", parsed.errors);
    parsed.documents.remove(0)
}

/// What a check finds in a Pod with the given spec.
pub(super) fn violations(check: &Check, version: &str, spec: &str) -> Vec<String> {
    violations_of(check, version, &format!("{{ kind: Pod, spec: {spec} }}"))
}

/// What a check finds in an object.
pub(super) fn violations_of(check: &Check, version: &str, object: &str) -> Vec<String> {
    let document = document(object);
    let Ok(pod) = Pod::read(document.root()) else { panic!("unreadable: {object}") };
    (check.run)(&pod, &Version::new(version)).iter().map(|it| told(&it.field, &it.found)).collect()
}
