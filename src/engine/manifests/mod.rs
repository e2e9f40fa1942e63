//! `validate.manifests`: objects that carry the manifest they were made of, and signatures over it.
//!
//! In: a compiled block, an object. Out: whether enough signers have signed what the object is, in Kyverno's words.
//! Everything is in the annotations of the object; what takes a registry or the roots of a transparency log is said.

mod difference;
mod message;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use difference::Difference;
use message::{Signed, Unreadable};

use crate::{
    document::Node,
    policy::manifests::{Entry, Manifests, Set, Signer},
};

/// What is said of an object.
#[derive(Debug)]
pub(crate) enum Judgement<'v> {
    /// Enough signers have signed it.
    Signed(String),
    /// They have not, or it is another one now; and the first value that differs from what was signed.
    Unsigned(String, Option<(Node<'v>, String)>),
    /// Kyverno can't tell.
    Error(String),
    /// It can, but not without this.
    Missing(&'static str),
}

/// Why an entry is not satisfied.
enum Obstacle {
    Failure(String),
    Error(String),
    Missing(&'static str),
}

/// Judges an object.
pub(crate) fn judge<'v>(manifests: &Manifests, object: Node<'v>) -> Judgement<'v> {
    let checking = Checking::new(manifests, object);
    let mut messages = Vec::new();
    for (index, set) in manifests.sets.iter().enumerate() {
        match checking.set(set, &format!(".attestors[{index}]")) {
            Ok(message) => messages.push(message),
            Err(Obstacle::Failure(text)) => {
                return Judgement::Unsigned(
                    format!("manifest verification failed; {text}"),
                    checking.first_difference(),
                );
            }
            Err(Obstacle::Error(text)) => {
                return Judgement::Error(format!("error occurred during manifest verification: {text}"));
            }
            Err(Obstacle::Missing(what)) => return Judgement::Missing(what),
        }
    }
    Judgement::Signed(format!("verified manifest signatures; {}", messages.join(",")))
}

struct Checking<'m, 'v> {
    manifests: &'m Manifests,
    object: Node<'v>,
    signed: Result<Signed, Unreadable>,
    /// How the object differs from the manifest that it carries; `None` when that holds nothing like it.
    differences: Option<Vec<Difference>>,
}

impl<'m, 'v> Checking<'m, 'v> {
    fn new(manifests: &'m Manifests, object: Node<'v>) -> Self {
        let mut out = Self { manifests, object, signed: Err(Unreadable::Absent), differences: None };
        if let Some(text) = out.annotation("message") {
            out.signed = Signed::read(text);
        }
        if let Ok(signed) = &out.signed {
            out.differences = difference::of_nearest(signed, object, &manifests.ignored);
        }
        out
    }

    fn annotation(&self, name: &str) -> Option<&'v str> {
        let key = format!("{}/{name}", self.manifests.domain);
        self.object.str_at(&["metadata", "annotations", &key])
    }

    /// Whether enough entries of a set are satisfied.
    fn set(&self, set: &Set, path: &str) -> Result<String, Obstacle> {
        let (mut verified, mut failures, mut errors) = (0, Vec::new(), Vec::new());
        let mut missing = None;
        for entry in &set.entries {
            if verified >= set.count {
                break;
            }
            let path = format!("{path}.{}", entry.name);
            match self.entry(entry, &path) {
                Ok(()) => verified += 1,
                Err(Obstacle::Failure(text)) => failures.push(format!("{path}: {text}")),
                Err(Obstacle::Error(text)) => errors.push(format!("{path}: {text}")),
                Err(Obstacle::Missing(what)) => missing = Some(what),
            }
        }
        let counted = format!("verifiedCount {verified}; requiredCount {}", set.count);
        if verified >= set.count {
            // Kyverno: the word and the blank at the end are its own.
            return Ok(format!("manifest verification succeeded; {counted}; message singed by a valid signer: "));
        }
        match missing {
            Some(what) => Err(Obstacle::Missing(what)),
            None if !errors.is_empty() => Err(Obstacle::Error(errors.join("; "))),
            None => Err(Obstacle::Failure(format!("{counted}; message {}", failures.join("; ")))),
        }
    }

    fn entry(&self, entry: &Entry, path: &str) -> Result<(), Obstacle> {
        let key = match &entry.signer {
            Signer::Set(set) => return self.set(set, path).map(|_| ()),
            Signer::Elsewhere(what) => return Err(Obstacle::Missing(what)),
            Signer::NoKey => {
                let text = "failed to judge signature type from public key configuration";
                return Err(Obstacle::Error(text.to_owned()));
            }
            Signer::Key(key) => key,
        };
        if self.manifests.in_registry || self.annotation("resourceBundleRef").is_some() {
            return Err(Obstacle::Missing("the registry that holds the signed manifest"));
        }
        let signed = match &self.signed {
            Ok(signed) => signed,
            Err(Unreadable::Absent) => {
                let text = "YAML manifest not found for this resource: message not found";
                return Err(Obstacle::Failure(text.to_owned()));
            }
            Err(Unreadable::Broken(text)) => return Err(Obstacle::Error(text.clone())),
        };
        let Some(differences) = &self.differences else {
            return Err(Obstacle::Failure("failed to find a YAML manifest in the gzipped message".to_owned()));
        };
        let signatures = self.signatures();
        if signatures.is_empty() {
            return Err(Obstacle::Failure("failed to verify signature: signature not found".to_owned()));
        }
        if self.annotation("bundle").is_some() {
            return Err(Obstacle::Missing("the trust root of the transparency log"));
        }
        let made_by_key =
            |text: &&str| STANDARD.decode(text.trim()).is_ok_and(|signature| key.has_signed(&signed.bytes, &signature));
        if !signatures.iter().any(made_by_key) {
            let (n, s) = (signatures.len(), if signatures.len() == 1 { "" } else { "s" });
            let text = format!(
                "failed to verify signature: verification failed for {n} signature{s}. all trials: [{}]",
                vec!["invalid signature"; n].join(" ")
            );
            return Err(Obstacle::Error(text));
        }
        let has = |(key, value): &(String, String)| {
            self.object.str_at(&["metadata", "annotations", key]) == Some(value.as_str())
        };
        if let Some((key, value)) = entry.annotations.iter().find(|it| !has(it)) {
            return Err(Obstacle::Error(format!("annotations mismatch: `{key}` must be `{value}`")));
        }
        if differences.is_empty() {
            return Ok(());
        }
        let text = format!("failed to verify signature. diff found; {}", difference::to_json(differences));
        Err(Obstacle::Failure(text))
    }

    /// The signatures, up to the first number that is missing.
    fn signatures(&self) -> Vec<&'v str> {
        let numbered = (1..).map_while(|n| self.annotation(&format!("signature_{n}")));
        self.annotation("signature").into_iter().chain(numbered).collect()
    }

    /// The first value that differs, or the nearest that there is, and what was signed in its place.
    fn first_difference(&self) -> Option<(Node<'v>, String)> {
        let first = self.differences.as_ref()?.first()?;
        let mut at = self.object;
        for step in &first.path {
            let next = match step.parse::<usize>() {
                Ok(index) if at.is_list() => at.items().nth(index),
                _ => at.get(step),
            };
            let Some(next) = next else { break };
            at = next;
        }
        let label = match &first.before {
            Some(before) => format!("{before} was signed"),
            None => "not in what was signed".to_owned(),
        };
        Some((at, label))
    }
}
