//! Manifests that claim to be verified.
//!
//! In: an object whose images some rule verifies. Out: a finding if it carries the annotations in which Kyverno notes what
//! it has verified. Nobody else has a reason to write them, and on an update Kyverno believes those of the object before.

use crate::{
    document::Node,
    finding::{Finding, Severity, secret},
};

/// What the names of these annotations begin with.
const VERIFIED: &str = "kyverno.io/verify-images";

/// The finding of an object that claims to be verified.
pub(super) fn of_annotations(object: Node<'_>) -> Option<Finding> {
    let mut annotations = object.at(&["metadata", "annotations"]).into_iter().flat_map(Node::entries);
    let (key, value) = annotations.find(|(key, _)| key.starts_with(VERIFIED))?;
    let message = format!("the manifest claims by `{key}` that its images are verified");
    let place = secret::place(object.file(), value.key_span());
    let finding = Finding::new("images/claim", Severity::Error, place, message);
    Some(finding.help("remove the annotation: Kyverno writes it when it has verified the images"))
}
