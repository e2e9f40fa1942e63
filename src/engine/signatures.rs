//! Whether images are signed, by what an image layout holds.
//!
//! In: an image that is there, and who must have signed it. Out: whether they have, in Kyverno's words, or what it takes
//! to know. A signature that is wrong is so whatever a transparency log says; one that is right may still need the log.

use crate::{
    images::Store,
    policy::signers::{Entry, Set, Signer},
};

/// Whether an image is signed.
#[derive(Debug)]
pub(super) enum Answer {
    /// It is.
    Signed,
    /// It is not.
    Unsigned(String),
    /// It takes something that is not here.
    Unknown(String),
}

/// An image that is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Image<'i> {
    /// What is known of images.
    pub store: &'i Store,
    /// `registry/path`.
    pub repository: &'i str,
    /// The digest.
    pub digest: &'i str,
}

impl Image<'_> {
    /// Whether every set of signers is satisfied.
    pub(super) fn by_all(self, sets: &[Set]) -> Answer {
        let mut unknown = None;
        for (index, set) in sets.iter().enumerate() {
            match self.by_set(set, &format!(".attestors[{index}]")) {
                Answer::Signed => {}
                Answer::Unsigned(text) => return Answer::Unsigned(text),
                Answer::Unknown(what) => {
                    unknown.get_or_insert(what);
                }
            }
        }
        unknown.map_or(Answer::Signed, Answer::Unknown)
    }

    fn by_set(self, set: &Set, path: &str) -> Answer {
        if set.entries.is_empty() {
            return Answer::Unsigned(format!("{path}: nobody is named who may sign"));
        }
        let (mut n_signed, mut unsigned, mut unknown) = (0, Vec::new(), Vec::new());
        for entry in &set.entries {
            match self.by(entry, &format!("{path}{}", entry.name)) {
                Answer::Signed => n_signed += 1,
                Answer::Unsigned(text) => unsigned.push(text),
                Answer::Unknown(what) => unknown.push(what),
            }
        }
        if n_signed >= set.count {
            return Answer::Signed;
        }
        if n_signed + unknown.len() >= set.count {
            return Answer::Unknown(unknown.join(", "));
        }
        Answer::Unsigned(unsigned.join("; "))
    }

    /// Whether one signer has signed; `path` is what messages call the signer.
    pub(super) fn by(self, entry: &Entry, path: &str) -> Answer {
        let key = match &entry.signer {
            Signer::Set(set) => return self.by_set(set, path),
            Signer::Elsewhere(what) => return Answer::Unknown((*what).to_owned()),
            Signer::NoKey => return Answer::Unsigned(format!("{path}: failed to load public key from PEM")),
            Signer::Key(key) => key,
        };
        let repository = entry.repository.as_deref().unwrap_or(self.repository);
        let mut found = self.store.signatures(self.digest, repository).peekable();
        if found.peek().is_none() {
            return Answer::Unsigned(format!("{path}: no signatures found"));
        }
        let mut right = found.filter(|it| key.has_signed(&it.payload, &it.signature)).peekable();
        if right.peek().is_none() {
            return Answer::Unsigned(format!("{path}: no matching signatures: invalid signature when validating"));
        }
        let mut annotated = right.filter(|it| entry.annotations.iter().all(|(key, value)| it.has(key, value)));
        if annotated.next().is_none() {
            return Answer::Unsigned(format!("{path}: no signature matched the required annotations"));
        }
        if entry.needs_log {
            return Answer::Unknown("the transparency log that must know the signature".to_owned());
        }
        Answer::Signed
    }
}
