//! Who must have signed images: attestors of `verifyImages` rules and of `ImageValidatingPolicy`.
//!
//! In: the nodes of attestors. Out: sets of signers, with keys that are read. What is wrong with them is refused
//! elsewhere. Only keys that stand in the policy can verify anything here; of other signers it is said where they are.

use crate::{
    document::{Kind, Node},
    signature::PublicKey,
};

/// Signers of which some must have signed.
#[derive(Debug)]
pub(crate) struct Set {
    /// How many; all of them when that is not said.
    pub count: usize,
    /// The signers.
    pub entries: Vec<Entry>,
}

/// One signer.
#[derive(Debug)]
pub(crate) struct Entry {
    /// What messages call it: `.entries[0].keys`.
    pub name: String,
    /// The signer.
    pub signer: Signer,
    /// Annotations that a signature must have.
    pub annotations: Vec<(String, String)>,
    /// `registry/path` where signatures are; `None`: where the image is.
    pub repository: Option<String>,
    /// A transparency log must know the signature.
    pub needs_log: bool,
}

/// Who signs.
#[derive(Debug)]
pub(crate) enum Signer {
    /// A key.
    Key(Box<PublicKey>),
    /// A text that is no key.
    NoKey,
    /// Somebody who can't be verified here, and what it would take.
    Elsewhere(&'static str),
    /// Some of several.
    Set(Set),
}

/// The end of a key in PEM.
const END: &str = "-----END PUBLIC KEY-----";

/// Decodes the attestors of an entry of `verifyImages`, whose annotations and repository count for all of them.
pub(crate) fn of_rule(entry: Node<'_>) -> Vec<Set> {
    let inherited = Inherited { annotations: annotations(entry), repository: repository(entry) };
    let mut sets: Vec<Set> =
        entry.get("attestors").into_iter().flat_map(Node::items).map(|it| set(it, &inherited)).collect();
    // The deprecated form has one key, or one identity.
    let single = match entry.str_at(&["key"]).filter(|it| !it.is_empty()) {
        Some(key) => keys_of(key),
        None if ["issuer", "subject", "roots"].iter().any(|key| entry.get(key).is_some()) => vec![ROOTS],
        None => Vec::new(),
    };
    if !single.is_empty() {
        let kept = |signer| inherited.entry(String::new(), signer, true);
        let entries: Vec<Entry> = single.into_iter().map(kept).collect();
        sets.push(Set { count: entries.len(), entries });
    }
    sets
}

/// Decodes an attestor of an `ImageValidatingPolicy`.
pub(crate) fn of_policy(attestor: Node<'_>) -> Entry {
    let cosign = attestor.get("cosign").filter(|it| it.len() > 0);
    let signer = match cosign {
        None => Signer::Elsewhere("the certificates of Notary"),
        Some(cosign) => match cosign.get("key") {
            Some(key) => match (key.str_at(&["data"]), key.str_at(&["hashAlgorithm"])) {
                (_, Some(name)) if !matches!(name, "" | "sha256") => ALGORITHM,
                (Some(text), _) => PublicKey::parse(text.trim()).map_or(Signer::NoKey, |it| Signer::Key(Box::new(it))),
                (None, _) => Signer::Elsewhere("whoever holds the key"),
            },
            None if cosign.get("certificate").is_some() => Signer::Elsewhere("the chain of the certificate"),
            None => ROOTS,
        },
    };
    let flag = |path: &[&str]| attestor.at(path).and_then(Node::as_bool).unwrap_or(false);
    Entry {
        name: attestor.str_at(&["name"]).unwrap_or_default().to_owned(),
        signer,
        annotations: cosign.map(annotations).unwrap_or_default(),
        repository: cosign.and_then(|it| it.get("source")).and_then(repository),
        needs_log: !flag(&["cosign", "ctlog", "insecureIgnoreTlog"]),
    }
}

const ROOTS: Signer = Signer::Elsewhere("the trust root of the transparency log");
const ALGORITHM: Signer = Signer::Elsewhere("a digest other than SHA-256");

/// What an entry of `verifyImages` says for all its attestors.
struct Inherited {
    annotations: Vec<(String, String)>,
    repository: Option<String>,
}

impl Inherited {
    fn entry(&self, name: String, signer: Signer, needs_log: bool) -> Entry {
        let (annotations, repository) = (self.annotations.clone(), self.repository.clone());
        Entry { name, signer, annotations, repository, needs_log }
    }
}

fn set(node: Node<'_>, inherited: &Inherited) -> Set {
    let mut entries: Vec<Entry> = Vec::new();
    for item in node.get("entries").into_iter().flat_map(Node::items) {
        let (kind, signers) = signers(item, inherited);
        let ignores = |path: &[&str]| item.at(path).and_then(Node::as_bool).unwrap_or(false);
        let needs_log = !ignores(&["keys", "rekor", "ignoreTlog"]);
        for signer in signers {
            let mut entry = inherited.entry(format!(".entries[{}].{kind}", entries.len()), signer, needs_log);
            entry.annotations.extend(annotations(item));
            entry.repository = repository(item).or(entry.repository);
            entries.push(entry);
        }
    }
    let count = match node.get("count").map(Node::kind) {
        Some(Kind::Int(count)) if count > 0 => count as usize,
        _ => entries.len(),
    };
    Set { count, entries }
}

/// The signers of an entry, and what they are called. Each of several keys is a signer.
fn signers(node: Node<'_>, inherited: &Inherited) -> (&'static str, Vec<Signer>) {
    if let Some(keys) = node.get("keys") {
        let algorithm = [keys, node].into_iter().find_map(|it| it.str_at(&["signatureAlgorithm"]));
        let signers = match keys.str_at(&["publicKeys"]).filter(|it| !it.is_empty()) {
            Some(_) if algorithm.is_some_and(|it| !matches!(it, "" | "sha256")) => vec![ALGORITHM],
            Some(text) => keys_of(text),
            None if keys.get("kms").is_some() => vec![Signer::Elsewhere("the key management service with the key")],
            None => vec![Signer::Elsewhere("the Secret that holds the key")],
        };
        return ("keys", signers);
    }
    if let Some(nested) = node.get("attestor") {
        return ("attestor", vec![Signer::Set(set(nested, inherited))]);
    }
    if node.get("certificates").is_some() {
        return ("certificates", vec![Signer::Elsewhere("the chain of the certificate")]);
    }
    ("keyless", vec![ROOTS])
}

/// The keys of a text in PEM.
fn keys_of(text: &str) -> Vec<Signer> {
    let elsewhere = text.contains("://").then_some(Signer::Elsewhere("whoever holds the key"));
    if let Some(elsewhere) = elsewhere {
        return vec![elsewhere];
    }
    let blocks = text.split_inclusive(END).map(str::trim).filter(|block| !block.is_empty());
    let keys = blocks.map(|block| PublicKey::parse(block).map_or(Signer::NoKey, |it| Signer::Key(Box::new(it))));
    let keys: Vec<Signer> = keys.collect();
    // Nobody has signed for a blank text.
    if keys.is_empty() { vec![Signer::NoKey] } else { keys }
}

fn annotations(node: Node<'_>) -> Vec<(String, String)> {
    let entries = node.get("annotations").into_iter().flat_map(Node::entries);
    entries.filter_map(|(key, value)| Some((key.to_owned(), value.as_str()?.to_owned()))).collect()
}

fn repository(node: Node<'_>) -> Option<String> {
    node.str_at(&["repository"]).filter(|it| !it.is_empty()).map(str::to_owned)
}
