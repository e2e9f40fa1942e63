//! Kyverno's `image`: the parts of image references as Go's `go-containerregistry` reads them.

use super::{Call, Function};
use crate::expr::cel::{EvalError, Image, Opaque, Question, Value};

/// The registry of references that name none.
const DEFAULT_REGISTRY: &str = "index.docker.io";

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("image(string) -> Image", "reads an image reference", read),
    Function::new("parseImageReference(string) -> Image", "reads an image reference", read),
    Function::new("isImage(string) -> bool", "whether it is an image reference", |call| {
        Ok(Value::Bool(parse(call, call.text(0)?)?.is_some()))
    }),
    Function::new("Image.registry() -> string", "the registry", |call| Ok(Value::String(image(call)?.registry))),
    Function::new("Image.repository() -> string", "the path below the registry", |call| {
        Ok(Value::String(image(call)?.repository))
    }),
    Function::new("Image.identifier() -> string", "digest or tag", |call| {
        let image = image(call)?;
        Ok(Value::String(if image.digest.is_empty() { image.tag } else { image.digest }))
    }),
    Function::new("Image.tag() -> string", "the tag; empty when there is a digest", |call| {
        Ok(Value::String(image(call)?.tag))
    }),
    Function::new("Image.digest() -> string", "the digest; empty when there is none", |call| {
        Ok(Value::String(image(call)?.digest))
    }),
    Function::new("Image.containsDigest() -> bool", "whether there is a digest", |call| {
        Ok(Value::Bool(!image(call)?.digest.is_empty()))
    }),
];

pub(super) const METADATA: &[Function] = &[
    Function::new("image.getMetadata(string) -> dyn", "manifest and configuration of an image", metadata),
    Function::new("image.GetMetadata(string) -> dyn", "manifest and configuration of an image", metadata),
];

pub(super) const VERIFICATION: &[Function] = &[
    Function::new("verifyImageSignatures(dyn, list(dyn)) -> int", "number of attestors that signed an image", |call| {
        ask(call, "verifyImageSignatures")
    }),
    Function::new(
        "verifyAttestationSignatures(dyn, dyn, list(dyn)) -> int",
        "number of attestors that signed an attestation",
        |call| ask(call, "verifyAttestationSignatures"),
    ),
    Function::new("extractPayload(dyn, dyn) -> dyn", "what an attestation says", |call| ask(call, "extractPayload")),
    Function::new("getImageData(dyn) -> dyn", "manifest and configuration of an image", |call| {
        ask(call, "getImageData")
    }),
];

fn ask<'v>(call: &Call<'_, 'v>, function: &'static str) -> Result<Value<'v>, EvalError> {
    let arguments = call.scope.arena().alloc_slice_copy(call.arguments);
    call.scope.ask(Question::Image { function, arguments })
}

fn metadata<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    call.scope.ask(Question::ImageMetadata { image: call.text(0)? })
}

fn image<'v>(call: &Call<'_, 'v>) -> Result<Image<'v>, EvalError> {
    match call.opaque(0)? {
        Opaque::Image(image) => Ok(*image),
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn read<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let text = call.text(0)?;
    match parse(call, text)? {
        Some(image) => Ok(call.give(Opaque::Image(image))),
        None => Err(EvalError::refused(format!("could not parse reference: {text}"))),
    }
}

/// The parts of a reference; `None` when it is none.
fn parse<'v>(call: &Call<'_, 'v>, text: &'v str) -> Result<Option<Image<'v>>, EvalError> {
    let (named, digest) = text.split_once('@').map_or((text, None), |(named, digest)| (named, Some(digest)));
    let slash = named.rfind('/').map_or(0, |at| at + 1);
    let (name, tag) = match named[slash..].find(':') {
        Some(at) => (&named[..slash + at], Some(&named[slash + at + 1..])),
        None => (named, None),
    };
    let (registry, path) = match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
        _ => ("", name),
    };
    let registry = if matches!(registry, "" | "docker.io") { DEFAULT_REGISTRY } else { registry };
    let holds = is_path(path)
        && is_host(registry)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(|digest| digest.strip_prefix("sha256:").is_some_and(|hex| is_hex(hex, 64)));
    if !holds {
        return Ok(None);
    }
    let repository = if registry == DEFAULT_REGISTRY && !path.contains('/') {
        let path = format!("library/{path}");
        call.scope.charge_bytes(path.len())?;
        call.scope.arena().alloc_str(&path)
    } else {
        path
    };
    let tag = if digest.is_some() { "" } else { tag.unwrap_or("latest") };
    Ok(Some(Image { text, registry, repository, tag, digest: digest.unwrap_or("") }))
}

fn is_path(text: &str) -> bool {
    (2..=255).contains(&text.len())
        && text.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || b"_-./".contains(&it))
        && text.split('/').all(|part| !part.is_empty())
}

fn is_host(text: &str) -> bool {
    let (host, port) = text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    !host.is_empty()
        && host.bytes().all(|it| it.is_ascii_alphanumeric() || b"-._[]:".contains(&it))
        && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|it| it.is_ascii_digit()))
}

fn is_tag(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"_-.".contains(&it))
}

fn is_hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it))
}
