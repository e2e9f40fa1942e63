//! Metadata of objects that no API server takes.
//!
//! In: an object. Out: a finding for each value of its metadata that is of a wrong type. Rules judge such an object as if
//! the value were not there, so that what they say of it is about another object.

use super::{Finding, Severity, secret};
use crate::document::{Kind, Node};

/// What is wrong with the metadata of an object.
pub(crate) fn of_metadata(object: Node<'_>) -> Vec<Finding> {
    let Some(metadata) = object.get("metadata") else { return Vec::new() };
    let mut out = Vec::new();
    let mut want = |node: Node<'_>, name: &str, map: bool| match (node.kind(), map) {
        (Kind::Null, _) | (Kind::Map, true) | (Kind::String(_), false) => true,
        (kind, _) => {
            let wanted = if map { "a map" } else { "a string" };
            let message = format!("`{name}` must be {wanted}, found {}", title(kind));
            let place = secret::place(node.file(), node.span());
            let finding = Finding::new("object/metadata", Severity::Error, place, message)
                .note("a cluster refuses the object; rules took the value for missing");
            let is_scalar = !map && !matches!(kind, Kind::List | Kind::Map);
            out.push(if is_scalar { finding.help("put the value in quotes") } else { finding });
            false
        }
    };
    if !want(metadata, "metadata", true) {
        return out;
    }
    for key in ["name", "generateName", "namespace"] {
        if let Some(node) = metadata.get(key) {
            want(node, &format!("metadata.{key}"), false);
        }
    }
    for key in ["labels", "annotations"] {
        let Some(node) = metadata.get(key).filter(|it| want(*it, &format!("metadata.{key}"), true)) else { continue };
        for (name, value) in node.entries() {
            want(value, &format!("metadata.{key}.{name}"), false);
        }
    }
    out
}

fn title(kind: Kind<'_>) -> &'static str {
    match kind {
        Kind::Null => "nothing",
        Kind::Bool(_) => "a boolean",
        Kind::Int(_) | Kind::Float(_) => "a number",
        Kind::String(_) => "a string",
        Kind::List => "a list",
        Kind::Map => "a map",
    }
}
