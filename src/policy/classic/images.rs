//! `verifyImages` blocks, compiled: which images an entry is about, and what it asks of them.
//!
//! In: the node of a block. Out: its entries, with the defaults that the API server fills in.

use crate::{
    document::{Node, NodeId},
    expr::jmespath::{Expression, ParseError},
    k8s::wildcard::Wildcard,
    policy::{
        Action,
        classic::condition::{self, Conditions, FlatList},
        fields::{Fields, Problems},
        signers::{self, Set},
    },
};

/// A `verifyImages` block.
#[derive(Debug)]
pub(crate) struct VerifyImages {
    /// Where the block stands.
    pub node: NodeId,
    /// Its entries.
    pub entries: Vec<Verification>,
    /// Where the images of some kinds are, by kind.
    pub extractors: Vec<(String, Vec<Extractor>)>,
}

/// Where images are in an object.
#[derive(Debug)]
pub(crate) struct Extractor {
    /// The steps from the object to what holds an image; `*` is every item, or every value.
    pub path: Vec<String>,
    /// The field that is the image; `None`: what the path leads to is the image.
    pub value: Option<String>,
    /// What makes an image of the text.
    pub query: Option<Result<Expression, ParseError>>,
}

/// What is asked of some images.
#[derive(Debug)]
pub(crate) struct Verification {
    /// Where the entry stands.
    pub node: NodeId,
    /// Images that it is about.
    pub references: Vec<Wildcard>,
    /// Images among these that it is not about.
    pub skipped: Vec<Wildcard>,
    /// A tag is replaced by the digest that it stands for.
    pub mutates_digest: bool,
    /// An image must have a digest.
    pub needs_digest: bool,
    /// An image must have been verified.
    pub required: bool,
    /// Signatures or attestations are looked at.
    pub verifies: bool,
    /// Who must have signed.
    pub sets: Vec<Set>,
    /// What else than signatures of `cosign` is asked for, which can't be told here.
    pub beyond: Option<&'static str>,
    /// When images are refused whoever has signed them.
    pub denial: Option<Denial>,
    /// What a failure does; `None` for what the policy says.
    pub action: Option<Action>,
}

/// A `validate` block of an entry.
#[derive(Debug)]
pub(crate) struct Denial {
    /// What to say when it refuses.
    pub message: Option<String>,
    /// When it refuses; `None`: always.
    pub conditions: Option<Conditions>,
}

impl Verification {
    /// Whether the entry is about an image, by its full reference.
    pub(crate) fn is_about(&self, reference: &str) -> bool {
        self.references.iter().any(|it| it.matches(reference))
    }

    /// Whether the entry leaves an image alone that it would be about.
    pub(crate) fn skips(&self, reference: &str) -> bool {
        self.skipped.iter().any(|it| it.matches(reference))
    }
}

/// Decodes a `verifyImages` block of a rule.
pub(super) fn decode(rule: Fields<'_, '_>, node: Node<'_>, problems: &Problems) -> VerifyImages {
    let entries = node.items().filter_map(|item| entry(item, problems)).collect();
    let extractors = rule.get("imageExtractors").into_iter().flat_map(Node::entries);
    let extractors = extractors.map(|(kind, list)| (kind.to_owned(), list.items().map(extractor).collect()));
    VerifyImages { node: node.id(), entries, extractors: extractors.collect() }
}

fn denial(node: Node<'_>, problems: &Problems) -> Option<Denial> {
    let conditions = node.get("deny")?.get("conditions").filter(|node| node.is_list() || node.len() > 0);
    Some(Denial {
        message: node.str_at(&["message"]).map(str::to_owned),
        conditions: conditions.and_then(|node| condition::decode(node, FlatList::Allowed, problems)),
    })
}

fn extractor(node: Node<'_>) -> Extractor {
    let text = |key: &str| node.str_at(&[key]).filter(|text| !text.is_empty());
    let steps = text("path").unwrap_or_default().split('/').filter(|step| !step.is_empty());
    Extractor {
        path: steps.map(str::to_owned).collect(),
        value: text("value").map(str::to_owned),
        query: text("jmesPath").map(Expression::parse),
    }
}

fn entry(node: Node<'_>, problems: &Problems) -> Option<Verification> {
    let fields = Fields::read(node, "an entry of verifyImages", problems)?;
    let wildcards = |key| fields.strings(key).into_iter().map(|(text, _)| Wildcard::new(text));
    let flag = |key| fields.boolean(key).unwrap_or(true);
    let some = |key| fields.get(key).is_some_and(|node| node.len() > 0);
    // The deprecated form has one image.
    let single = fields.string("image").map(Wildcard::new);
    let sets = signers::of_rule(node);
    let beyond = match fields.string("type") {
        Some("SigstoreBundle") => Some("bundles of Sigstore"),
        Some("Notary") => Some("signatures of Notary"),
        _ if some("attestations") => Some("attestations"),
        _ => None,
    };
    Some(Verification {
        node: node.id(),
        references: wildcards("imageReferences").chain(single).collect(),
        skipped: wildcards("skipImageReferences").collect(),
        mutates_digest: flag("mutateDigest"),
        needs_digest: flag("verifyDigest"),
        required: flag("required"),
        verifies: !sets.is_empty() || some("attestations"),
        sets,
        beyond,
        denial: fields.get("validate").and_then(|node| denial(node, problems)),
        action: fields.string("failureAction").and_then(Action::parse),
    })
}
