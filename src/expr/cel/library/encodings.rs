//! Encodings and sums: `base64` of cel-go, and Kyverno's `json`, `yaml`, `hash`, `gzip` and `x509`.

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
};

use super::{Call, Function};
use crate::{
    document::{self, Integers, Limits},
    expr::{
        self,
        cel::{EvalError, Value},
        x509,
    },
    k8s::{gobase64, gojson},
    span::File,
};

/// Most that a text is unpacked to, in bytes.
const MAX_UNPACKED: u64 = 16 << 20;

pub(super) const ENCODERS: &[Function] = &[
    Function::new("base64.decode(string) -> bytes", "decodes base 64", |call| {
        let text = call.text(0)?;
        // cel-go: padding may be left out.
        match gobase64::decode(text).or_else(|_| gobase64::decode_unpadded(text)) {
            Ok(bytes) => call.give_bytes(&bytes),
            Err(error) => Err(EvalError::refused(error.to_string())),
        }
    }),
    Function::new("base64.encode(bytes) -> string", "encodes to base 64", |call| {
        let bytes = call.bytes(0)?;
        call.give_text(&gobase64::encode(bytes))
    }),
];

pub(super) const JSON: &[Function] = &[
    Function::new("json.marshal(dyn) -> string", "the value as JSON, keys sorted", |call| {
        call.charge(1024)?;
        call.scope.charge_parts(call.value(0))?;
        match call.value(0).to_expr(call.scope.arena()) {
            Some(value) => call.give_text(&value.to_json()),
            None => Err(EvalError::refused(format!("json: unsupported type: {}", call.value(0).type_name()))),
        }
    }),
    Function::new("json.unmarshal(string) -> dyn", "the value of a JSON text; numbers are doubles", |call| {
        let text = call.text(0)?;
        call.scope.charge_bytes(text.len().saturating_mul(8))?;
        match gojson::parse(text) {
            Ok(json) => give_json(call, &json),
            Err(error) => Err(EvalError::refused(error.to_string())),
        }
    }),
];

pub(super) const YAML: &[Function] =
    &[Function::new("yaml.parse(string) -> dyn", "the value of a YAML text; numbers are doubles", |call| {
        let text = call.text(0)?;
        call.scope.charge_bytes(text.len().saturating_mul(8))?;
        let limits = Limits { max_documents: 1, max_alias_nodes: 10_000, ..Limits::default() };
        let parsed = document::parse(&File::new("yaml.parse", text.as_bytes().to_vec()), &limits);
        match (parsed.documents.first(), parsed.errors.first()) {
            (Some(document), _) => give_json(call, &expr::Value::from(document.root()).to_serde()),
            (None, Some(error)) => Err(EvalError::refused(error.to_string())),
            (None, None) => Ok(Value::Null),
        }
    })];

fn give_json<'v>(call: &Call<'_, 'v>, json: &serde_json::Value) -> Result<Value<'v>, EvalError> {
    let arena = call.scope.arena();
    Ok(Value::from_expr(arena, expr::Value::from_json(arena, json, Integers::Floats)))
}

pub(super) const HASH: &[Function] = &[
    Function::new("md5(string) -> string", "the MD5 sum in hexadecimal", hash::<md5::Md5>),
    Function::new("sha1(string) -> string", "the SHA-1 sum in hexadecimal", hash::<sha1::Sha1>),
    Function::new("sha256(string) -> string", "the SHA-256 sum in hexadecimal", hash::<sha2::Sha256>),
    Function::new("hash.md5(string) -> string", "the MD5 sum in hexadecimal", hash::<md5::Md5>),
    Function::new("hash.sha1(string) -> string", "the SHA-1 sum in hexadecimal", hash::<sha1::Sha1>),
    Function::new("hash.sha256(string) -> string", "the SHA-256 sum in hexadecimal", hash::<sha2::Sha256>),
];

fn hash<'v, D: sha2::Digest>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let text = call.text(0)?;
    call.charge(text.len() / 8)?;
    let mut hex = String::new();
    for byte in D::digest(text) {
        let _ = write!(hex, "{byte:02x}");
    }
    call.give_text(&hex)
}

pub(super) const GZIP: &[Function] = &[
    Function::new("gzip.compress(string) -> bytes", "the text packed", |call| {
        let text = call.text(0)?;
        call.scope.charge_bytes(text.len())?;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        let packed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
        call.give_bytes(&packed.map_err(|error| EvalError::refused(error.to_string()))?)
    }),
    Function::new("gzip.decompress(bytes) -> string", "the text unpacked", |call| {
        let mut out = Vec::new();
        let mut decoder = flate2::read::GzDecoder::new(call.bytes(0)?).take(MAX_UNPACKED + 1);
        decoder.read_to_end(&mut out).map_err(|error| {
            EvalError::refused(match error.kind() {
                std::io::ErrorKind::UnexpectedEof => "unexpected EOF",
                _ => "gzip: invalid header",
            })
        })?;
        if out.len() as u64 > MAX_UNPACKED {
            return Err(EvalError::Cost);
        }
        match String::from_utf8(out) {
            Ok(text) => call.give_text(&text),
            Err(_) => Err(EvalError::refused("gzip: invalid UTF-8")),
        }
    }),
];

pub(super) const X509: &[Function] = &[Function::new(
    "x509.decode(string) -> dyn",
    "a PEM certificate or request with an RSA key as an object",
    |call| {
        let pem = call.text(0)?;
        // The decoded form holds the bytes up to four times.
        call.scope.charge_bytes(pem.len().saturating_mul(6))?;
        match x509::decode(pem) {
            Ok(json) => give_json(call, &json),
            Err(text) => Err(EvalError::refused(text)),
        }
    },
)];
