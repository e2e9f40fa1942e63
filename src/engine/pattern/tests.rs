//! Which anchors fail, skip or pass, row by row as observed; where they point is proved by `tests/engine/pattern/`.

use super::{Mismatch, MismatchClass, matches};
use crate::{
    document::{self, Document, Limits},
    expr::Value,
    policy::classic::pattern::{Numbers, Pattern},
    span::File,
};

fn document(text: &str) -> Document {
    let file = File::new("rows.yaml", text.as_bytes().to_vec());
    document::parse(&file, &Limits::default()).documents.remove(0)
}

/// `pass`, `skip`, `error`, or `fail` with the path.
fn verdict(pattern: &str, resource: &str) -> String {
    let (pattern, mut resource) = (document(pattern), document(resource));
    resource.set_integers(document::Integers::Floats);
    let pattern = Pattern::compile(Value::from(pattern.root()), Some(pattern.root()), Numbers::Exact);
    match matches(&pattern, Value::from(resource.root()), None) {
        Ok(()) => "pass".to_owned(),
        Err(Mismatch { class: MismatchClass::Skip, .. }) => "skip".to_owned(),
        Err(Mismatch { class: MismatchClass::Error, .. }) => "error".to_owned(),
        Err(Mismatch { class: MismatchClass::Fail, path, .. }) => format!("fail {path}"),
    }
}

#[test]
fn observed_rows_of_anchors() {
    for (pattern, resource, expected) in [
        ("{(a): x, b: y}", "{a: x, b: z}", "fail /b/"),
        ("{(a): x, b: y}", "{a: q, b: z}", "skip"),
        ("{(a): x, b: y}", "{b: z}", "skip"),
        ("{m: {(a): x, b: y}, u: 1}", "{m: {a: n}, u: 2}", "skip"),
        ("{l: [{(u): a*, v: 1}]}", "{l: [{u: a1, v: 1},{u: b, v: 2}]}", "pass"),
        ("{l: [{(u): a*, v: 1}]}", "{l: [{u: b, v: 2}]}", "skip"),
        ("{l: [{(u): a*, v: 1}]}", "{l: [{u: b},{u: a, v: 2}]}", "fail /l/1/v/"),
        ("{l: [{(u): a*, v: 1}]}", "{l: []}", "pass"),
        ("{l: [{(u): a*, v: 1}]}", "{}", "fail /l/"),
        ("{l: [{v: 1},{v: 2}]}", "{l: [{v: 2}]}", "fail /l/0/v/"),
        ("{=(a): x}", "{}", "pass"),
        ("{=(a): x}", "{a: y}", "fail /a/"),
        ("{=(a): x}", "{a: null}", "fail /a/"),
        ("{=(a): {b: x}}", "{a: {}}", "fail /a/b/"),
        ("{=(l): [{=(v): 1}]}", "{l: [{}, {v: 2}]}", "fail /l/1/v/"),
        ("{X(a): null}", "{a: null}", "fail /a/"),
        ("{X(a): null}", "{a: 1}", "fail /a/"),
        ("{X(a): null}", "{}", "pass"),
        ("{(b): 1, X(a): null}", "{b: 2, a: q}", "skip"),
        ("{(b): 1, X(a): null}", "{b: 1, a: q}", "fail /a/"),
        ("{^(l): [{u: a}]}", "{l: [{u: b},{u: a}]}", "pass"),
        ("{^(l): [{u: a}]}", "{l: [{u: b}]}", "fail /l/"),
        ("{^(l): [{u: a}]}", "{l: []}", "fail /l/"),
        ("{^(l): [{u: a}]}", "{l: x}", "fail /l/"),
        ("{^(l): [{u: a}]}", "{}", "pass"),
        ("{^(l): [{u: a},{u: b}]}", "{l: [{u: a}]}", "fail /l/"),
        ("{^(l): [{(u): a, v: 1}]}", "{l: [{u: b, v: 2}]}", "fail /l/"),
        ("{^(l): [{u: a}], b: 1}", "{b: 2}", "error"),
        ("{l: [{^(q): [{u: a}], v: 1}]}", "{l: [{v: 2}]}", "error"),
        ("{<(a): x, b: y}", "{a: q, b: z}", "skip"),
        ("{<(a): x, b: y}", "{a: x, b: z}", "fail /b/"),
        ("{<(a): x, b: y}", "{b: z}", "fail /b/"),
        ("{b: 1, m: {<(u): a}}", "{b: 2, m: {u: q}}", "skip"),
        ("{l: [{<(u): a, v: 1}], z: 1}", "{l: [{u: b},{u: a, v: 1}], z: 2}", "fail /z/"),
        ("{l: [{<(u): a}], z: 1}", "{l: [{u: b}], z: 2}", "skip"),
        ("{(a): x, =(b): y}", "{a: n, b: z}", "skip"),
        ("{=(m): {(k): 1}, =(z): y}", "{m: {k: 2}, z: n}", "fail /z/"),
        ("{=(m): {(k): 1}, =(z): y}", "{m: {k: 2}, z: y}", "pass"),
        ("{=(m): {(k): 1}, =(z): y}", "{m: {k: 2}}", "pass"),
        ("{=(m): {(k): 1}, b: 1}", "{m: {k: 2}, b: 2}", "skip"),
        ("{=(m): {(k): 1}, =(z): y, b: 1}", "{m: {k: 2}, z: y, b: 2}", "fail /b/"),
        ("{=(a): [{(k): 1, v: 2}], c: [{(k): 1, v: 2}]}", "{a: [{k: 2}], c: [{k: 1, v: 3}]}", "skip"),
        ("{=(a): [{(k): 1, v: 2}], =(b): 1, c: [{(k): 1, v: 2}]}", "{a: [{k: 2}], c: [{k: 1, v: 3}]}", "fail /c/0/v/"),
        ("{(l): [{(u): a}], b: y}", "{l: [{u: a},{u: b}], b: z}", "fail /b/"),
        ("{(l): [{u: a}], b: y}", "{l: [{u: a},{u: b}], b: z}", "skip"),
        ("{a: [{(u): x, v: 1}], z: [{(q): x, v: 1}]}", "{a: [{u: x, v: 1}], z: [{r: 1}]}", "skip"),
        ("{a: [[1,2],[4]]}", "{a: [[1,2]]}", "error"),
        ("{m*: 1}", "{mm: 1}", "fail /m*/"),
        ("{Z(a): 1}", "{a: 1}", "fail /Z(a)/"),
        (r#"{"=( a)": 1}"#, r#"{" a": 2}"#, "fail / a/"),
        ("{((a)): 1, b: 2}", "{(a): 1, b: 3}", "fail /b/"),
    ] {
        assert_eq!(verdict(pattern, resource), expected, "{pattern} on {resource}");
    }
}
