//! The manifest that an object carries in an annotation: base64 of gzip of YAML, or of an archive of such files.
//!
//! In: the text of the annotation. Out: the bytes that are signed, and the objects in them. What unpacks to more than
//! [`MAX_BYTES`] is broken.

use std::{
    io::{self, Read as _},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::read::GzDecoder;

use crate::{
    document::{self, Document, Limits, resource},
    span::File,
};

/// The most that a message may hold after unpacking.
const MAX_BYTES: u64 = 16 << 20;

/// What is signed.
#[derive(Debug)]
pub(super) struct Signed {
    /// The signed bytes.
    pub bytes: Vec<u8>,
    /// The objects in them.
    pub documents: Vec<Document>,
}

/// Why nothing is signed.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// There is no message.
    Absent,
    /// It can't be read; why.
    Broken(String),
}

impl Signed {
    /// Reads a message.
    pub(super) fn read(text: &str) -> Result<Self, Unreadable> {
        let broken = |what: &str, error: &dyn std::fmt::Display| Unreadable::Broken(format!("{what}: {error}"));
        let packed = STANDARD
            .decode(text.trim())
            .map_err(|error| broken("failed to decode base64 message in the annotation", &error))?;
        let bytes = unpacked(packed).map_err(|error| broken("failed to decompress the message", &error))?;
        let mut documents = objects(&bytes);
        if documents.is_empty() {
            let files =
                archived(&bytes).map_err(|error| broken("failed to read the archive in the message", &error))?;
            documents = files.iter().flat_map(|file| objects(file)).collect();
        }
        Ok(Self { bytes, documents })
    }
}

/// The bytes behind gzip, or those that are not packed.
fn unpacked(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut out = Vec::new();
    GzDecoder::new(bytes.as_slice()).take(MAX_BYTES + 1).read_to_end(&mut out)?;
    if out.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("it is too large"));
    }
    Ok(out)
}

/// The objects of Kubernetes in a text; none for bytes that are no YAML.
fn objects(bytes: &[u8]) -> Vec<Document> {
    if std::str::from_utf8(bytes).is_err() {
        return Vec::new();
    }
    let file = File::new("the signed manifest", bytes.to_vec());
    let parsed = document::parse(&Arc::clone(&file), &Limits::default());
    parsed.documents.into_iter().filter(|document| resource::is_object(document.root())).collect()
}

/// The files of an archive, packed or not.
fn archived(bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let bytes = unpacked(bytes.to_vec())?;
    let mut out = Vec::new();
    for entry in tar::Archive::new(bytes.as_slice()).entries()? {
        let mut file = Vec::new();
        entry?.take(MAX_BYTES).read_to_end(&mut file)?;
        out.push(file);
    }
    Ok(out)
}
