//! Functions that encode, decode and hash.

use super::{Call, Function, STRING};
use crate::{
    document::{self, Integers, Limits},
    expr::{Value, jmespath::eval::Outcome, x509},
    k8s::{gobase64, gojson},
    span::File,
};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::own("base64_decode", &[STRING], "string", "decodes a base 64 string", base64_decode),
    Function::own("base64_encode", &[STRING], "string", "encodes a string to base 64", |call| {
        let text = call.text(0)?;
        call.charge_bytes(text.len() * 2)?;
        call.give_text(&gobase64::encode(text))
    }),
    Function::own("md5", &[STRING], "string", "the MD5 sum in hexadecimal", hash::<md5::Md5>),
    Function::own("parse_json", &[STRING], "any", "decodes a JSON text", parse_json),
    Function::own("parse_yaml", &[STRING], "any", "decodes a YAML text", parse_yaml),
    Function::own("sha1", &[STRING], "string", "the SHA-1 sum in hexadecimal", hash::<sha1::Sha1>),
    Function::own("sha256", &[STRING], "string", "the SHA-256 sum in hexadecimal", hash::<sha2::Sha256>),
    Function::own(
        "x509_decode",
        &[STRING],
        "object",
        "decodes a PEM certificate or certificate request with an RSA key to an object",
        x509_decode,
    ),
];

fn base64_decode<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let text = call.text(0)?;
    call.charge_bytes(text.len() * 2)?;
    match gobase64::decode(text) {
        Ok(bytes) => call.give_text(&String::from_utf8_lossy(&bytes)),
        Err(error) => Err(call.refuse(error.to_string())),
    }
}

fn hash<'e, 'v, D: sha2::Digest>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    use std::fmt::Write as _;
    let text = call.text(0)?;
    call.charge(text.len() / 8)?;
    let mut hex = String::new();
    for byte in D::digest(text) {
        write!(hex, "{byte:02x}").expect("writing to a string does not fail");
    }
    call.give_text(&hex)
}

fn x509_decode<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let pem = call.text(0)?;
    // The decoded form holds the bytes up to four times.
    call.charge_bytes(pem.len().saturating_mul(6))?;
    match x509::decode(pem) {
        Ok(json) => Ok(Value::from_json(call.arena(), &json, Integers::Floats)),
        Err(text) => Err(call.refuse(text)),
    }
}

fn parse_json<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let text = call.text(0)?;
    call.charge_bytes(text.len().saturating_mul(8))?;
    match gojson::parse(text) {
        Ok(json) => Ok(Value::from_json(call.arena(), &json, Integers::Floats)),
        Err(error) => Err(call.refuse(error.to_string())),
    }
}

fn parse_yaml<'e, 'v>(call: &Call<'_, 'e, 'v>) -> Outcome<'e, 'v> {
    let text = call.text(0)?;
    call.charge_bytes(text.len().saturating_mul(8))?;
    let limits = Limits { max_documents: 1, max_alias_nodes: 10_000, ..Limits::default() };
    let parsed = document::parse(&File::new("parse_yaml", text.as_bytes().to_vec()), &limits);
    match (parsed.documents.first(), parsed.errors.first()) {
        (Some(document), _) => {
            let json = Value::from(document.root()).to_serde();
            let value = Value::from_json(call.arena(), &json, Integers::Floats);
            // Aliases may have made the value larger than the text.
            call.evaluator.charge_written(value)?;
            Ok(value)
        }
        (None, Some(error)) => Err(call.refuse(error.to_string())),
        (None, None) => Ok(Value::Null),
    }
}
