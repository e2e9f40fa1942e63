//! What is known of images without a registry: an image layout of the Open Container Initiative on disk.
//!
//! In: whoever can open the files of a layout. Out: a [`Store`]: digests by the full name of an image, and the signatures
//! that `cosign` made of them. Nothing is believed that its digest does not prove; whether a signature is right is
//! decided where the key is known. Layout: <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>,
//! signatures: <https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md>.

use std::collections::{HashMap, HashSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::k8s::image_ref;

/// The type of a layer that says what is signed.
const SIGNED: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The annotation of such a layer that holds the signature.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// Annotations of an entry of `index.json` that hold the name of an image.
const NAMES: [&str; 2] = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];
/// The annotation with which `cosign save` marks the signatures of an image.
const SAVED: (&str, &str) = ("kind", "dev.cosignproject.cosign/sigs");
/// Files that one layout may ask for.
const MAX_FILES: usize = 100_000;

/// What is known of images.
#[derive(Debug, Default)]
pub(crate) struct Store {
    /// Digests by `registry/path:tag`; `None` for a name that stands for several images.
    digests: HashMap<String, Option<String>>,
    /// Every digest of an image.
    known: HashSet<String>,
    /// Signatures by the digest of what they sign.
    signatures: HashMap<String, Vec<Signed>>,
}

/// A signature over a payload, which names an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    /// `registry/path` of where it was found, if that is said.
    repository: Option<String>,
    /// What is signed.
    pub payload: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

impl Signed {
    /// The digest that the payload names.
    fn digest(&self) -> Option<String> {
        let payload: Json = serde_json::from_slice(&self.payload).ok()?;
        payload.pointer("/critical/image/docker-manifest-digest")?.as_str().map(str::to_owned)
    }

    /// Whether the payload has an annotation.
    pub(crate) fn has(&self, key: &str, value: &str) -> bool {
        let payload: Option<Json> = serde_json::from_slice(&self.payload).ok();
        payload.is_some_and(|it| it["optional"][key].as_str() == Some(value))
    }
}

/// Opens a file of a layout by its path below the layout.
pub(crate) type Open<'o> = &'o dyn Fn(&str) -> Result<Vec<u8>, String>;

impl Store {
    /// Reads a layout.
    ///
    /// # Errors
    /// Why it is none, or which of its files can't be read or is not what its name says.
    pub(crate) fn read(open: Open<'_>) -> Result<Self, String> {
        let layout = json("oci-layout", &open("oci-layout")?)?;
        if layout["imageLayoutVersion"].as_str().is_none_or(|version| !version.starts_with("1.")) {
            return Err("`oci-layout` names no version 1 of an image layout".to_owned());
        }
        let index = json("index.json", &open("index.json")?)?;
        let mut reading = Reading { open, n_files: 0, store: Self::default() };
        for entry in list(&index["manifests"]) {
            reading.entry(entry)?;
        }
        Ok(reading.store)
    }

    /// Adds what another store knows.
    pub(crate) fn extend(&mut self, other: Self) {
        for (name, digest) in other.digests {
            self.name(name, digest);
        }
        self.known.extend(other.known);
        for (digest, signed) in other.signatures {
            self.signatures.entry(digest).or_default().extend(signed);
        }
    }

    fn name(&mut self, name: String, digest: Option<String>) {
        let known = self.digests.entry(name).or_insert_with(|| digest.clone());
        if *known != digest {
            *known = None;
        }
    }

    /// The digest of an image that is there: `registry/path:tag`, or `registry/path@digest`.
    pub(crate) fn digest_of(&self, reference: &str) -> Option<&str> {
        match reference.split_once('@') {
            Some((_, digest)) => self.known.get(digest).map(String::as_str),
            None => self.digests.get(reference)?.as_deref(),
        }
    }

    /// The signatures over a digest that are in a repository, or of which it is not said where they are.
    pub(crate) fn signatures<'s>(&'s self, digest: &str, repository: &'s str) -> impl Iterator<Item = &'s Signed> {
        let all = self.signatures.get(digest).map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(move |it| it.repository.as_deref().is_none_or(|known| known == repository))
    }
}

struct Reading<'o> {
    open: Open<'o>,
    n_files: usize,
    store: Store,
}

impl Reading<'_> {
    fn entry(&mut self, entry: &Json) -> Result<(), String> {
        let digest = text(entry, "digest").to_owned();
        let annotation = |key: &str| entry["annotations"][key].as_str();
        let name = NAMES.iter().find_map(|key| annotation(key)).and_then(|name| image_ref::parse(name).ok());
        // A name without a registry or a path is a tag of who knows what.
        let is_full = NAMES.iter().find_map(|key| annotation(key)).is_some_and(|name| name.contains('/'));
        let name = name.filter(|_| is_full);
        let manifest = json(&digest, &self.blob(&digest)?)?;
        let repository = name.map(|it| format!("{}/{}", it.registry, it.path));
        let layers: Vec<&Json> = list(&manifest["layers"]).filter(|it| text(it, "mediaType") == SIGNED).collect();
        if layers.is_empty() {
            self.store.known.insert(digest.clone());
            if let Some(name) = name {
                self.store.name(name.reference_with_tag(), Some(digest));
            }
            return Ok(());
        }
        let tag = NAMES.iter().find_map(|key| annotation(key)).unwrap_or_default();
        let tag = tag.rsplit([':', '/']).next().unwrap_or_default();
        let subject = manifest["subject"]["digest"].as_str();
        for layer in layers {
            let payload = self.blob(text(layer, "digest"))?;
            let Some(signature) = layer["annotations"][SIGNATURE].as_str() else { continue };
            let Ok(signature) = STANDARD.decode(signature.trim()) else { continue };
            let signed = Signed { repository: repository.clone(), payload, signature };
            let Some(digest) = signed.digest() else { continue };
            // A signature counts where a registry has it: under the tag of the image, or as what refers to the image.
            let is_tagged = digest.strip_prefix("sha256:").is_some_and(|hex| tag == format!("sha256-{hex}.sig"));
            if is_tagged || subject == Some(digest.as_str()) || annotation(SAVED.0) == Some(SAVED.1) {
                self.store.signatures.entry(digest).or_default().push(signed);
            }
        }
        Ok(())
    }

    /// The bytes of a digest.
    fn blob(&mut self, digest: &str) -> Result<Vec<u8>, String> {
        let hex = digest.strip_prefix("sha256:").filter(|hex| hex.len() == 64 && hex.bytes().all(is_hex));
        let Some(hex) = hex else { return Err(format!("`{digest}` is no digest of SHA-256")) };
        self.n_files += 1;
        if self.n_files > MAX_FILES {
            return Err(format!("the layout has more than {MAX_FILES} files"));
        }
        let bytes = (self.open)(&format!("blobs/sha256/{hex}"))?;
        let found = Sha256::digest(&bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        if found == hex { Ok(bytes) } else { Err(format!("`blobs/sha256/{hex}` has another digest")) }
    }
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

fn json(name: &str, bytes: &[u8]) -> Result<Json, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("`{name}` is no JSON: {error}"))
}

fn list(value: &Json) -> impl Iterator<Item = &Json> {
    value.as_array().into_iter().flatten()
}

fn text<'j>(value: &'j Json, key: &str) -> &'j str {
    value[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests;
