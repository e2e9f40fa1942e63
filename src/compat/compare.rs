//! Objects that a suite expects, against those that policies make of them.
//!
//! In: two objects as JSON. Out: equal, or where they differ. As in Kyverno, labels that say where an object was
//! generated from don't count, and empty lists, empty maps and nulls are as good as nothing.

use serde_json::{Map, Value as Json};

/// What identifies an object: apiVersion, kind, namespace and name.
pub(crate) fn identity(object: &Json) -> [&str; 4] {
    ["/apiVersion", "/kind", "/metadata/namespace", "/metadata/name"]
        .map(|path| object.pointer(path).and_then(Json::as_str).unwrap_or_default())
}

/// The differences between two objects, a line each: `-` is expected, `+` is there. `None` when they are equal.
pub(crate) fn differences(expected: &Json, found: &Json) -> Option<String> {
    let (expected, found) = (normal(expected), normal(found));
    let mut out = Vec::new();
    collect("", Some(&expected), Some(&found), &mut out);
    (!out.is_empty()).then(|| out.join("\n"))
}

/// An object without what doesn't count.
fn normal(object: &Json) -> Json {
    let mut object = object.clone();
    if let Some(labels) = object.pointer_mut("/metadata/labels").and_then(Json::as_object_mut) {
        labels.retain(|key, _| !key.starts_with("generate.kyverno.io/") && key != "app.kubernetes.io/managed-by");
    }
    pruned(object).unwrap_or_else(|| Json::Object(Map::new()))
}

fn pruned(value: Json) -> Option<Json> {
    match value {
        Json::Null => None,
        Json::Array(items) => {
            let items: Vec<Json> = items.into_iter().filter_map(pruned).collect();
            (!items.is_empty()).then_some(Json::Array(items))
        }
        Json::Object(entries) => {
            let entries: Map<String, Json> =
                entries.into_iter().filter_map(|(key, item)| Some((key, pruned(item)?))).collect();
            (!entries.is_empty()).then_some(Json::Object(entries))
        }
        scalar => Some(scalar),
    }
}

fn collect(path: &str, expected: Option<&Json>, found: Option<&Json>, out: &mut Vec<String>) {
    match (expected, found) {
        (Some(a), Some(b)) if equal(a, b) => {}
        (Some(Json::Object(a)), Some(Json::Object(b))) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                collect(&format!("{path}/{key}"), a.get(key), b.get(key), out);
            }
        }
        (Some(Json::Array(a)), Some(Json::Array(b))) => {
            for index in 0..a.len().max(b.len()) {
                collect(&format!("{path}/{index}"), a.get(index), b.get(index), out);
            }
        }
        (a, b) => {
            out.extend(a.map(|it| format!("- {path}: {it}")));
            out.extend(b.map(|it| format!("+ {path}: {it}")));
        }
    }
}

/// Equality in which `1` and `1.0` are the same number.
fn equal(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn what_is_empty_or_says_the_origin_does_not_count() {
        let expected = json(r#"{"metadata": {"name": "a"}, "spec": {"n": 1.0, "volumes": []}}"#);
        let found = json(
            r#"{"metadata": {"name": "a", "labels": {"app.kubernetes.io/managed-by": "kyverno",
                "generate.kyverno.io/rule-name": "r"}}, "spec": {"n": 1, "x": null}}"#,
        );
        assert_eq!(differences(&expected, &found), None);
    }

    #[test]
    fn differences_are_listed_by_place() {
        let expected = json(r#"{"spec": {"a": [1, 2], "b": "x"}}"#);
        let found = json(r#"{"spec": {"a": [2, 1], "c": true}}"#);
        let lines = [
            "- /spec/a/0: 1",
            "+ /spec/a/0: 2",
            "- /spec/a/1: 2",
            "+ /spec/a/1: 1",
            "- /spec/b: \"x\"",
            "+ /spec/c: true",
        ];
        assert_eq!(differences(&expected, &found), Some(lines.join("\n")));
    }
}
