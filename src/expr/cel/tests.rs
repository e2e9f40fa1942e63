//! Tests of the language as a whole: grammar, checker, operators, macros, limits.

use super::*;
use crate::expr::{self, Arena};

/// 2024-03-05T06:07:08Z.
pub(super) const NOW: i128 = 1_709_618_828_000_000_000;

fn input() -> serde_json::Value {
    serde_json::json!({
        "i": 5, "d": 1.5, "n": null, "t": true, "s": "text", "e": "", "m": {"k1": "v1", "k2": 2}, "q-r": {"x.y": 1},
        "l": [0, 1, 2, 3], "els": [], "em": {}, "objs": [{"n": 1, "g": "x"}, {"n": 2, "g": "y"}],
    })
}

/// The result as text, or the error.
pub(super) fn eval(source: &str) -> String {
    eval_in(source, &Environment::playground())
}

pub(super) fn eval_in(source: &str, environment: &Environment) -> String {
    let arena = Arena::new();
    let json = input();
    let object = expr::Value::from_json(&arena, &json, crate::document::Integers::Exact);
    let program = match Program::compile(source, environment, Expected::Any) {
        Ok(program) => program,
        Err(error) => return format!("refused: {error}"),
    };
    let mut scope = Scope::new(&arena, &Nowhere, &[], NOW);
    scope.set(Root::Object, Value::from_expr(&arena, object));
    match program.evaluate(&scope) {
        Ok(value) => text::literal(value),
        Err(error) => format!("error: {error}"),
    }
}

/// Checks rows of expression and result.
#[track_caller]
pub(super) fn check(rows: &[(&str, &str)]) {
    let wrong: Vec<String> = rows
        .iter()
        .map(|(expression, expected)| (expression, expected, eval(expression)))
        .filter(|(_, expected, found)| *expected != found)
        .map(|(expression, expected, found)| format!("{expression}\n  expected {expected}\n  found    {found}"))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn operators_have_their_strengths() {
    check(&[
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("10 - 2 - 3", "5"),
        ("true || false && false", "true"),
        ("1 < 2 == true", "true"),
        ("!true || true", "true"),
        ("-2 * 3", "-6"),
        ("true ? 1 : false ? 2 : 3", "1"),
        ("1 in [1, 2] && !(3 in [1, 2])", "true"),
    ]);
}

#[test]
fn fields_and_indices() {
    check(&[
        ("object.m.k1", "\"v1\""),
        ("object['m']['k2'] + 1", "3"),
        ("object.zz", "error: no such key: zz"),
        ("object.s.zz", "error: no such key: zz"),
        ("object.l[5]", "error: index out of bounds: 5"),
        ("object.l[-1]", "error: index out of bounds: -1"),
        ("object.l['a']", "error: unsupported index type 'string' in list"),
        ("object.`q-r`.`x.y`", "1"),
        ("has(object.m.k1)", "true"),
        ("has(object.m.zz)", "false"),
        ("has(object.zz.k1)", "error: no such key: zz"),
        ("has(object.n)", "true"),
        ("object.?zz.k1.orValue(7)", "7"),
        ("object.l[?9].orValue(7)", "7"),
        ("object.?m.k2", "optional.of(2)"),
        ("object[?'zz']", "optional.none()"),
    ]);
}
