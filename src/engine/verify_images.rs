//! `verifyImages` rules, without a registry: which images are meant, digests, signatures, what must have been verified.
//!
//! In: a rule that applies, its object, the images that are at hand. Out: an [`Outcome`] for each image whose signatures
//! or digest are asked for, and one for what can be told from the manifest alone. What only a registry knows is
//! indeterminate and names the image.

use super::{
    Evidence, Outcome, Status,
    conditions::{self, Wanted},
    context::{RuleScope, Session},
    images::pod_spec_path,
    signatures::{self, Answer},
    supplied,
    unsettled::{Decides, by_namespace},
};
use crate::{
    document::Node,
    expr::{
        Value,
        jmespath::ValueScope,
        template::{self, Path},
    },
    k8s::image_ref::{self, ImageRef},
    policy::{
        Action,
        classic::{
            Policy, Rule,
            images::{Denial, Extractor, Verification, VerifyImages},
        },
    },
};

/// The annotation in which Kyverno notes what it verified.
const VERIFIED: &str = "kyverno.io/verify-images-scoped";

/// A rule and the object that it asks about.
pub(super) struct Verifying<'v, 's> {
    pub policy: &'v Policy,
    pub rule: &'v Rule,
    pub block: &'v VerifyImages,
    /// The object after the request.
    pub object: Node<'v>,
    /// What a failure does by the policy, and whether that is certain.
    pub action: (Action, bool),
    /// What is the same for all rules of the request.
    pub session: &'s Session<'v>,
}

/// An image of an object.
struct Image<'v> {
    /// Where it stands.
    node: Node<'v>,
    /// `registry/path@digest`, or `registry/path:tag`.
    reference: String,
    /// `registry/path`.
    repository: String,
    has_digest: bool,
}

impl<'v> Verifying<'v, '_> {
    /// What the rule says of the images; nothing when it is about none of them.
    pub(super) fn run(&self) -> Vec<Outcome<'v>> {
        let mut out = Vec::new();
        let mut images = Vec::new();
        for (node, text) in self.written() {
            match text.and_then(|text| image(node, &text)) {
                Ok(image) => images.push(image),
                Err(text) => out.push(self.outcome(Status::Error, text, Some(node), None)),
            }
        }
        let mut verified = Vec::new();
        let is_meant = |image: &Image<'_>| self.block.entries.iter().any(|it| it.is_about(&image.reference));
        for entry in &self.block.entries {
            let mut denied = None;
            for image in images.iter().filter(|image| is_meant(image)) {
                if !entry.is_about(&image.reference) {
                    // Kyverno: an image of another entry is told as one that this entry skips.
                    out.extend(entry.verifies.then(|| self.skipped(entry, image)));
                    continue;
                }
                let mut said = self.signed(entry, image);
                if let Some(denial) = entry.denial.as_ref().filter(|_| !entry.skips(&image.reference)) {
                    let denied = denied.get_or_insert_with(|| self.denied(entry, denial));
                    if let Some((status, text)) = denied.as_ref()
                        && said.as_ref().is_none_or(|it| it.status != Status::Fail)
                    {
                        said = Some(self.outcome(*status, text.clone(), Some(image.node), Some(entry)));
                    }
                }
                if entry.verifies && said.as_ref().is_some_and(|it| it.status == Status::Pass) {
                    verified.push(image.reference.as_str());
                }
                out.extend(said);
            }
        }
        out.extend(self.checked(&images, &verified));
        out
    }

    fn is_command_line(&self) -> bool {
        self.session.cluster.is_command_line()
    }

    /// What is to be said of the signatures and the digest of an image.
    fn signed(&self, entry: &'v Verification, image: &Image<'v>) -> Option<Outcome<'v>> {
        let reference = &image.reference;
        let at = |status, text| Some(self.outcome(status, text, Some(image.node), Some(entry)));
        if entry.skips(reference) {
            return Some(self.skipped(entry, image));
        }
        let store = self.session.cluster.store();
        let known = store.and_then(|store| Some((store, store.digest_of(reference)?)));
        if !entry.verifies {
            return match known {
                _ if image.has_digest || !entry.mutates_digest => None,
                Some(_) => Some(self.outcome(Status::Pass, "mutated image digest".to_owned(), None, Some(entry))),
                None => {
                    let text =
                        format!("failed to update digest: the digest of {reference} is known to its registry only");
                    at(Status::Indeterminate, text)
                }
            };
        }
        let Some((store, digest)) = known else {
            let text = format!("failed to verify image {reference}: its signatures are known to its registry only");
            return at(Status::Indeterminate, text);
        };
        let asked = signatures::Image { store, repository: &image.repository, digest };
        // A key that did not sign decides, whatever else is asked for.
        match (asked.by_all(&entry.sets), entry.beyond) {
            (Answer::Unsigned(text), None | Some("attestations")) => {
                at(Status::Fail, format!("failed to verify image {reference}: {text}"))
            }
            (_, Some(beyond)) => at(
                Status::Indeterminate,
                format!("failed to verify image {reference}: {beyond} can't be verified here"),
            ),
            (Answer::Signed, None) => {
                let text = format!("verified image signatures for {reference}");
                Some(self.outcome(Status::Pass, text, None, Some(entry)))
            }
            (Answer::Unknown(what), None) => {
                at(Status::Indeterminate, format!("failed to verify image {reference}: {what} is not at hand"))
            }
        }
    }

    fn skipped(&self, entry: &'v Verification, image: &Image<'v>) -> Outcome<'v> {
        let (policy, rule, reference) = (&self.policy.head.name, &self.rule.name, &image.reference);
        let text = format!("skipping image reference image {reference}, policy {policy} ruleName {rule}");
        self.outcome(Status::Skip, text, None, Some(entry))
    }

    /// What is to be said when images are refused whoever has signed them, or when that is not known.
    fn denied(&self, entry: &Verification, denial: &'v Denial) -> Option<(Status, String)> {
        const FAILED: &str = "validation in verifyImages failed";
        if let Some(beyond) = entry.beyond {
            return Some((Status::Indeterminate, format!("{FAILED}: {beyond} can't be verified here")));
        }
        let scope = RuleScope::new(self.session, supplied(self.policy, self.rule, self.session));
        scope.declare(&self.rule.context, &self.rule.document);
        let evaluate = |it| conditions::evaluate(it, &self.rule.document, &scope, Wanted::True);
        let of_condition = match denial.conditions.as_ref().map(evaluate) {
            Some(Ok(decision)) if !decision.holds => return None,
            Some(Ok(decision)) => decision.message,
            Some(Err(error)) => {
                let status = if error.indeterminate().is_some() { Status::Indeterminate } else { Status::Error };
                return Some((status, format!("{FAILED}: failed to check deny conditions: {error}")));
            }
            None => String::new(),
        };
        let texts = [denial.message.as_deref().unwrap_or_default(), &of_condition];
        let text = texts.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join("; ");
        let text = match template::resolve_text(&text, &Path::Root, &scope, scope.arena()) {
            Ok(Value::String(text)) => text.to_owned(),
            Ok(_) | Err(_) => text,
        };
        Some((Status::Fail, format!("{FAILED}: {text}")))
    }

    /// What can be told from the manifest alone.
    fn checked(&self, images: &[Image<'v>], verified: &[&str]) -> Option<Outcome<'v>> {
        let entries = || self.block.entries.iter().filter(|entry| entry.required || entry.needs_digest);
        let mut skipped: Vec<&str> = Vec::new();
        let mut n_checked = 0;
        for entry in entries() {
            for image in images.iter().filter(|image| entry.is_about(&image.reference)) {
                let reference = &image.reference;
                // In a cluster the tag would have been replaced before.
                let has_digest = image.has_digest || (entry.mutates_digest && !self.is_command_line());
                if entry.needs_digest && !has_digest {
                    let text = format!("missing digest for {reference}");
                    return Some(self.outcome(Status::Fail, text, Some(image.node), Some(entry)));
                }
                if entry.skips(reference) {
                    skipped.push(reference);
                    continue;
                }
                n_checked += 1;
                if entry.required && !verified.contains(&reference.as_str()) && !self.is_verified(entry, reference) {
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
        if !self.is_command_line() {
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
        let own = entry.and_then(|entry| entry.action);
        let (action, is_settled) = own.map_or(self.action, |action| (action, true));
        let outcome = Outcome {
            evidence: Evidence { value: at.map(Node::span), clause: at.map(|_| clause), ..Evidence::default() },
            ..Outcome::new(&self.policy.head, &self.rule.name, status, message, action)
        };
        if is_settled {
            return outcome;
        }
        by_namespace(outcome, self.session.request, self.session.cluster, Decides::Action)
    }
}

impl<'v> Verifying<'v, '_> {
    /// The images of the object with their texts: where the rule says, or those of a Pod and of what makes Pods, in the
    /// order in which a Pod starts them.
    fn written(&self) -> Vec<(Node<'v>, Result<String, String>)> {
        let kind = self.object.str_at(&["kind"]).unwrap_or_default();
        if let Some((_, extractors)) = self.block.extractors.iter().find(|(known, _)| known == kind) {
            return extractors.iter().flat_map(|it| self.extracted(it)).collect();
        }
        let spec = pod_spec_path(kind).and_then(|path| self.object.at(path));
        let lists = ["initContainers", "containers", "ephemeralContainers"];
        let containers = lists.into_iter().filter_map(|key| spec?.get(key)).flat_map(Node::items);
        let images = containers.filter_map(|it| it.get("image")).filter(|it| it.as_str() != Some(""));
        images.map(|node| (node, node.as_str().map(str::to_owned).ok_or_else(no_text))).collect()
    }

    /// The images to which an extractor leads.
    fn extracted(&self, extractor: &'v Extractor) -> Vec<(Node<'v>, Result<String, String>)> {
        let mut nodes = vec![self.object];
        for step in &extractor.path {
            let next = |node: Node<'v>| -> Vec<Node<'v>> {
                match step.as_str() {
                    "*" if node.is_list() => node.items().collect(),
                    "*" => node.entries().map(|(_, value)| value).collect(),
                    step if node.is_list() => {
                        step.parse().ok().and_then(|at| node.items().nth(at)).into_iter().collect()
                    }
                    step => node.get(step).into_iter().collect(),
                }
            };
            nodes = nodes.into_iter().flat_map(next).collect();
        }
        let held = nodes.into_iter().filter_map(|node| match &extractor.value {
            Some(key) => node.get(key),
            None => Some(node),
        });
        held.map(|node| (node, self.made(extractor, node))).collect()
    }

    /// What an extractor makes of a text.
    fn made(&self, extractor: &'v Extractor, node: Node<'v>) -> Result<String, String> {
        let text = node.as_str().ok_or_else(no_text)?;
        let query = match &extractor.query {
            None => return Ok(text.to_owned()),
            Some(Ok(query)) => query,
            Some(Err(error)) => return Err(format!("failed to apply jmesPath of an image extractor: {error}")),
        };
        let scope = ValueScope { value: Value::String(text), now: self.session.now };
        match query.evaluate(&scope, self.session.arena) {
            Ok(Value::String(image)) => Ok(image.to_owned()),
            Ok(_) => Err("failed to apply jmesPath of an image extractor: it gives no text".to_owned()),
            Err(error) => Err(format!("failed to apply jmesPath of an image extractor: {error}")),
        }
    }
}

fn no_text() -> String {
    "an image is a text".to_owned()
}

fn image<'v>(node: Node<'v>, text: &str) -> Result<Image<'v>, String> {
    let parsed = image_ref::parse(text).map_err(|error| format!("failed to parse image {text}: {error}"))?;
    let ImageRef { registry, path, digest, .. } = parsed;
    let (reference, repository) = (parsed.reference(), format!("{registry}/{path}"));
    Ok(Image { node, reference, repository, has_digest: !digest.is_empty() })
}
