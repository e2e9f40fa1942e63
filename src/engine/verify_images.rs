//! `verifyImages` rules, as far as no registry is needed: which images are meant, digests, what must have been verified.
//!
//! In: a rule that applies, its object. Out: an [`Outcome`] for each image whose signatures or digest only a registry
//! knows, which names the image, and one for what can be told from the manifest alone.

use super::{Evidence, Outcome, Status, images::pod_spec_path};
use crate::{
    document::Node,
    expr::Value,
    k8s::image_ref,
    policy::classic::{
        Policy, Rule,
        images::{Verification, VerifyImages},
    },
};

/// The annotation in which Kyverno notes what it verified.
const VERIFIED: &str = "kyverno.io/verify-images-scoped";

/// A rule and the object that it asks about.
pub(super) struct Verifying<'v> {
    pub policy: &'v Policy,
    pub rule: &'v Rule,
    pub block: &'v VerifyImages,
    /// The object after the request.
    pub object: Node<'v>,
    /// Kyverno's command line is the measure, not a cluster.
    pub is_command_line: bool,
}

/// An image of an object.
struct Image<'v> {
    /// Where it stands.
    node: Node<'v>,
    /// `registry/path@digest`, or `registry/path:tag`.
    reference: String,
    has_digest: bool,
}

impl<'v> Verifying<'v> {
    /// What the rule says of the images; nothing when it is about none of them.
    pub(super) fn run(&self) -> Vec<Outcome<'v>> {
        let mut out = Vec::new();
        let kind = self.object.str_at(&["kind"]).unwrap_or_default();
        if self.block.extracted_kinds.iter().any(|it| it == kind) {
            let text = format!("images of {kind} are not verified by this version of admit");
            out.push(self.outcome(Status::Indeterminate, text, None, None));
            return out;
        }
        let mut images = Vec::new();
        for node in written(self.object) {
            match image(node) {
                Ok(image) => images.push(image),
                Err(text) => out.push(self.outcome(Status::Error, text, Some(node), None)),
            }
        }
        for entry in &self.block.entries {
            for image in images.iter().filter(|image| entry.is_about(&image.reference)) {
                out.extend(self.signed(entry, image));
            }
        }
        out.extend(self.checked(&images));
        out
    }

    /// What is to be said of the signatures and the digest of an image.
    fn signed(&self, entry: &'v Verification, image: &Image<'v>) -> Option<Outcome<'v>> {
        let reference = &image.reference;
        if entry.skips(reference) {
            let (policy, rule) = (&self.policy.head.name, &self.rule.name);
            let text = format!("skipping image reference image {reference}, policy {policy} ruleName {rule}");
            return Some(self.outcome(Status::Skip, text, None, Some(entry)));
        }
        let text = if entry.verifies {
            format!("failed to verify image {reference}: its signatures are known to its registry only")
        } else if entry.mutates_digest && !image.has_digest {
            format!("failed to update digest: the digest of {reference} is known to its registry only")
        } else {
            return None;
        };
        Some(self.outcome(Status::Indeterminate, text, Some(image.node), Some(entry)))
    }

    /// What can be told from the manifest alone.
    fn checked(&self, images: &[Image<'v>]) -> Option<Outcome<'v>> {
        let entries = || self.block.entries.iter().filter(|entry| entry.required || entry.needs_digest);
        let mut skipped: Vec<&str> = Vec::new();
        let mut n_checked = 0;
        for entry in entries() {
            for image in images.iter().filter(|image| entry.is_about(&image.reference)) {
                let reference = &image.reference;
                // In a cluster the tag would have been replaced before.
                let has_digest = image.has_digest || (entry.mutates_digest && !self.is_command_line);
                if entry.needs_digest && !has_digest {
                    let text = format!("missing digest for {reference}");
                    return Some(self.outcome(Status::Fail, text, Some(image.node), Some(entry)));
                }
                if entry.skips(reference) {
                    skipped.push(reference);
                    continue;
                }
                n_checked += 1;
                if entry.required && !self.is_verified(entry, reference) {
                    let text = format!("unverified image {reference}");
                    return Some(self.outcome(Status::Fail, text, Some(image.node), Some(entry)));
                }
            }
        }
        match (n_checked, skipped.is_empty()) {
            (0, true) => None,
            (0, false) => {
                let text = format!("image skipped, skipped images: {}", skipped.join(" "));
                Some(self.outcome(Status::Skip, text, None, None))
            }
            (_, true) => Some(self.outcome(Status::Pass, "image verified".to_owned(), None, None)),
            (_, false) => {
                let text = format!("image verified, skipped images: {}", skipped.join(" "));
                Some(self.outcome(Status::Pass, text, None, None))
            }
        }
    }

    /// Whether an image counts as verified. Kyverno's command line believes the annotation; in a cluster Kyverno has just
    /// written it, from what only the registry knows.
    fn is_verified(&self, entry: &Verification, reference: &str) -> bool {
        if !self.is_command_line {
            return entry.verifies;
        }
        let noted = self.object.str_at(&["metadata", "annotations", VERIFIED]).unwrap_or_default();
        let Ok(noted) = serde_json::from_str::<serde_json::Value>(noted) else { return false };
        let policy = format!("{}/{}", self.policy.head.namespace, self.policy.head.name);
        matches!(noted["policies"][&policy][&self.rule.name][reference].as_str(), Some("pass" | "skip"))
    }

    fn outcome(
        &self,
        status: Status,
        message: String,
        at: Option<Node<'_>>,
        entry: Option<&Verification>,
    ) -> Outcome<'v> {
        let clause = self.rule.document.node(entry.map_or(self.block.node, |entry| entry.node)).heading();
        let action = entry.and_then(|entry| entry.action).or(self.policy.action.action);
        Outcome {
            policy: &self.policy.head,
            rule: &self.rule.name,
            status,
            message,
            action: action.unwrap_or_default(),
            evidence: Evidence { value: at.map(Node::span), clause: at.map(|_| clause), ..Evidence::default() },
            exceptions: Vec::new(),
            waived: None,
            tolerated: false,
            near_misses: Vec::new(),
            withheld: Vec::new(),
            hangs_on: Vec::new(),
            properties: Vec::new(),
            origin: None,
        }
    }
}

/// The images of a Pod or of what makes Pods, in the order in which a Pod starts them.
fn written(object: Node<'_>) -> Vec<Node<'_>> {
    let spec = object.str_at(&["kind"]).and_then(pod_spec_path).and_then(|path| object.at(path));
    let lists = ["initContainers", "containers", "ephemeralContainers"];
    let containers = lists.into_iter().filter_map(|key| spec?.get(key)).flat_map(Node::items);
    containers
        .filter_map(|container| container.get("image"))
        .filter(|image| Value::from(*image).as_str() != Some(""))
        .collect()
}

fn image(node: Node<'_>) -> Result<Image<'_>, String> {
    let text = node.as_str().ok_or("an image is a text")?;
    let parsed = image_ref::parse(text).map_err(|error| format!("failed to parse image {text}: {error}"))?;
    Ok(Image { node, reference: parsed.reference(), has_digest: !parsed.digest.is_empty() })
}
