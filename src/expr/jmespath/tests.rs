//! Tests of the dialect as a whole: grammar, missing keys, projections, limits.

use proptest::prelude::*;

use super::*;
use crate::document::Integers;

/// 2024-03-05T06:07:08Z.
pub(super) const NOW: i128 = 1_709_618_828_000_000_000;

fn input() -> serde_json::Value {
    serde_json::json!({
        "a": 5, "n": null, "t": true, "s": "text", "e": "", "m": {"k1": "v1", "k2": 2}, "q-r": {"x.y": 1},
        "l": [0, 1, 2, 3, 4, 5, 6, 7, 8], "els": [], "em": {},
        "objs": [{"n": 1, "g": "x"}, {"n": 2, "g": "y"}, {"n": 3, "g": "x", "zz": false}],
        "nested": [[1, 2], [3, [4]], 5],
        "deep": {"a": {"b": {"c": ["u", "v"]}}},
    })
}

/// The result as JSON, or the text of the error.
pub(super) fn eval(expression: &str) -> String {
    eval_on(&input(), expression)
}

pub(super) fn eval_on(json: &serde_json::Value, expression: &str) -> String {
    let arena = Arena::new();
    let scope = ValueScope { value: Value::from_json(&arena, json, Integers::Floats), now: NOW };
    match Expression::parse(expression) {
        Ok(parsed) => match parsed.evaluate(&scope, &arena) {
            Ok(value) => value.to_json(),
            Err(error) => format!("error: {error}"),
        },
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
fn a_missing_key_is_an_error() {
    let missing = r#"error: Unknown key "zz" in path"#;
    check(&[
        ("zz", missing),
        ("m.zz", missing),
        ("zz.y", missing),
        ("zz[0]", missing),
        ("a && zz", missing),
        ("zz.[a]", missing),
        ("zz.{p: a}", missing),
        ("objs[0].zz", missing),
        ("@.zz", missing),
        ("(zz)", missing),
    ]);
}

#[test]
fn a_field_of_what_is_no_map_is_null() {
    check(&[
        ("n.x", "null"),
        ("a.b", "null"),
        ("a.b.c.d", "null"),
        ("s.x", "null"),
        ("l.x", "null"),
        ("l[9]", "null"),
        ("l[-10]", "null"),
        ("els[0]", "null"),
        ("t[0]", "null"),
        ("m[0]", "null"),
    ]);
}

#[test]
fn some_constructs_turn_a_missing_key_into_null() {
    check(&[
        ("zz || 'd'", r#""d""#),
        ("zz || yy", "null"),
        ("zz[]", "null"),
        ("zz[*].x", "null"),
        ("zz[?a]", "null"),
        ("zz.*", "null"),
        ("zz[1:].x", "null"),
        ("m.zz[*]", "null"),
        ("l[*].zz", "[]"),
        ("objs[*].zz", "[false]"),
        ("objs[?zz=='a']", "[]"),
        ("{p: zz}", r#"{"p":null}"#),
        ("[zz, a]", "[null,5]"),
        ("zz == n", "true"),
        ("zz == `null`", "true"),
        ("zz != a", "true"),
        ("zz < a", "null"),
        ("!zz", "true"),
        ("zz && a", "null"),
        ("zz | 'x'", r#""x""#),
        ("m.zz | @", "null"),
        ("a | zz", "null"),
        ("m | zz", "null"),
        ("(a && zz) || 'q'", r#""q""#),
        ("objs[?!zz].n", "[1,2,3]"),
        ("length(zz)", r#"error: Invalid type for: <nil>, expected: []jmespath.JpType{"string", "array", "object"}"#),
        ("to_upper(zz)", r#"error: Invalid type for: <nil>, expected: []jmespath.JpType{"string"}"#),
    ]);
}

#[test]
fn emptiness_is_falsy_and_zero_is_not() {
    check(&[
        ("`0` || 'x'", "0"),
        ("n || 'x'", r#""x""#),
        ("`false` || 'x'", r#""x""#),
        ("e || 'x'", r#""x""#),
        ("els || 'x'", r#""x""#),
        ("em || 'x'", r#""x""#),
        ("!l", "false"),
        ("!els", "true"),
        ("e && 'x'", r#""""#),
        ("t && 'x'", r#""x""#),
        ("l[?@ > `6`]", "[7,8]"),
    ]);
}

#[test]
fn comparisons_are_strict_about_types() {
    check(&[
        ("a == `5.0`", "true"),
        ("a == '5'", "false"),
        ("`[1, {\"a\": 2}]` == `[1, {\"a\": 2}]`", "true"),
        ("`{\"a\": 1, \"b\": 2}` == `{\"b\": 2, \"a\": 1}`", "true"),
        ("`[1]` == `[2]`", "false"),
        ("m == m", "true"),
        ("s < 'z'", "null"),
        ("a < `6`", "true"),
        ("a >= `5` && a <= `5`", "true"),
        ("a > `5`", "false"),
        ("a == `5` || zz", "true"),
        // Comparisons chain from the left.
        ("a == a == t", "true"),
    ]);
}

#[test]
fn integers_of_go_are_no_numbers() {
    let invalid = r#"error: Invalid type for: 1, expected: []jmespath.JpType{"number"}"#;
    check(&[
        ("compare('b', 'a')", "1"),
        ("compare('b', 'a') == `1`", "false"),
        ("compare('b', 'a') < `5`", "null"),
        ("compare('b', 'a') == compare('c', 'b')", "true"),
        ("to_string(compare('a', 'b'))", r#""-1""#),
        ("abs(compare('b', 'a'))", invalid),
        ("type(compare('b', 'a'))", "error: unknown type"),
        ("!compare('a', 'a')", "false"),
    ]);
}

#[test]
fn literals_and_strings() {
    check(&[
        (r"'a\'b'", r#""a'b""#),
        (r"'a\\b'", r#""a\\\\b""#),
        (r"'a\nb'", r#""a\\nb""#),
        ("`\"d\"`", r#""d""#),
        ("` [1, 2.5e3] `", "[1,2500]"),
        ("`9007199254740993`", "9007199254740992"),
        ("\"q-r\".\"x.y\"", "1"),
        ("\"\\u0061\"", "5"),
        ("`{\"a\": 1, \"a\": 2}`", r#"{"a":2}"#),
    ]);
}

#[test]
fn what_is_no_expression() {
    for (text, expected, offset) in [
        ("", "SyntaxError: Incomplete expression", 0),
        ("a.", "SyntaxError: Expected identifier, lbracket, or lbrace", 2),
        ("a b", "SyntaxError: Unexpected token at the end of the expression: tUnquotedIdentifier", 2),
        ("(a", "SyntaxError: Expected tRparen, received: tEOF", 2),
        ("a[", "SyntaxError: Expected tStar, received: tEOF", 2),
        ("l[-]", "strconv.Atoi: parsing \"-\": invalid syntax", 2),
        ("l[0:1:0]", "SyntaxError: Invalid slice, step cannot be 0", 7),
        ("l[0:1:2:3]", "SyntaxError: Expected tColon or tNumber, received: tColon", 7),
        ("\"f\"(a)", "SyntaxError: Can't have quoted identifier as function name.", 0),
        ("{a}", "SyntaxError: Expected tColon, received: tRbrace", 2),
        ("{a: b", "SyntaxError: Expected tQuotedIdentifier or tUnquotedIdentifier", 5),
        ("{'a': b}", "SyntaxError: Expected tQuotedIdentifier or tUnquotedIdentifier", 1),
        ("a ? b", "SyntaxError: Unknown char: '?'", 2),
        ("a = b", "SyntaxError: Unexpected token at the end of the expression: tUnknown", 2),
        ("*(a)", "SyntaxError: Error", 1),
        ("a.'x'", "SyntaxError: Expected identifier, lbracket, or lbrace", 2),
        ("+", "SyntaxError: Unknown char: '+'", 0),
        ("a.b(", "SyntaxError: Incomplete expression", 4),
    ] {
        let error = Expression::parse(text).expect_err(text);
        assert_eq!((error.to_string().as_str(), error.offset()), (expected, offset), "{text}");
    }
    for text in ["`d`", "['x'", "a['x']", "$a", "let $a = b in c", "a + b", "a - b", "a]", "'a'('b')", "a.!b"] {
        assert!(Expression::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_list_of_one_string_is_no_index() {
    check(&[("['x']", r#"["x"]"#)]);
    assert!(Expression::parse("m['x']").is_err());
}

#[test]
fn slices_are_those_of_python() {
    check(&[
        ("l[2:4]", "[2,3]"),
        ("l[:3]", "[0,1,2]"),
        ("l[6:]", "[6,7,8]"),
        ("l[-2:]", "[7,8]"),
        ("l[::3]", "[0,3,6]"),
        ("l[::-1]", "[8,7,6,5,4,3,2,1,0]"),
        ("l[7:2:-2]", "[7,5,3]"),
        ("l[100:]", "[]"),
        ("l[:-100]", "[]"),
        ("l[-100:2]", "[0,1]"),
        ("l[::9223372036854775807]", "[0]"),
        ("l[:]", "[0,1,2,3,4,5,6,7,8]"),
        ("s[1:2]", "null"),
        ("objs[:1].n", "[1]"),
        ("objs[1:][0]", "[]"),
        ("objs[1:] | [0].n", "2"),
    ]);
}

#[test]
fn projections_run_over_lists_and_drop_nulls() {
    check(&[
        ("objs[*].n", "[1,2,3]"),
        ("objs[*].n[0]", "[]"),
        ("objs[*].n | [0]", "1"),
        ("objs[?g == 'x'].n", "[1,3]"),
        ("objs[?g == 'x'] | [1].n", "3"),
        ("objs[?g == 'x'][]", r#"[{"g":"x","n":1},{"g":"x","n":3,"zz":false}]"#),
        ("objs[].n", "[1,2,3]"),
        ("nested[]", "[1,2,3,[4],5]"),
        ("nested[][]", "[1,2,3,4,5]"),
        ("nested[*][0]", "[1,3]"),
        ("[objs, l][].n", "[1,2,3]"),
        ("m[*]", "null"),
        ("[*]", "null"),
        ("[]", "null"),
        ("[?a]", "null"),
        ("deep.a.b.c[*]", r#"["u","v"]"#),
        ("deep.*.b[]", r#"[{"c":["u","v"]}]"#),
        // The projection of `.*` ends at the second field behind it (jmespath.py issue 131).
        ("deep.*.b.c", "null"),
        ("deep.*.b | [0].c", r#"["u","v"]"#),
        ("deep.a.b.[c, c[0]]", r#"[["u","v"],"u"]"#),
        ("objs[*].[n, g]", r#"[[1,"x"],[2,"y"],[3,"x"]]"#),
        ("objs[*].{k: g, k: n}", r#"[{"k":1},{"k":2},{"k":3}]"#),
        ("n.[a]", "null"),
        ("n.{a: a}", "null"),
        ("a.[b]", "[null]"),
    ]);
}

#[test]
fn values_are_preceded_by_a_null_for_each_key() {
    check(&[
        ("m.*", r#"["v1",2]"#),
        ("m.*.to_string(@)", r#"["null","null","v1","2"]"#),
        ("em.*", "[]"),
        ("l.*", "null"),
        ("deep.*", r#"[{"b":{"c":["u","v"]}}]"#),
    ]);
}

#[test]
fn precedence_is_that_of_the_grammar() {
    check(&[
        ("n || a && s", r#""text""#),
        ("zz | a || s", "null"),
        ("!n && a", "5"),
        // `!` binds tighter than a dot in the Go and Python libraries: a field of a boolean.
        ("!m.k1", "null"),
        ("!(m.k1)", "false"),
        ("a == `5` && s == 'text'", "true"),
        ("@.a", "5"),
        ("@ | a", "5"),
        ("a | @", "5"),
        ("deep.a.b.c | [1]", r#""v""#),
        ("[deep.a, deep][0].b.c[1]", r#""v""#),
        // Policies that the library takes lack commas between pairs.
        ("{x: a y: m.k2}", r#"{"x":5,"y":2}"#),
    ]);
}

#[test]
fn calls_check_their_arguments() {
    check(&[
        ("nope(a)", "error: unknown function: nope"),
        ("abs()", "error: incorrect number of args"),
        ("abs(a, a)", "error: incorrect number of args"),
        ("abs(s)", r#"error: Invalid type for: text, expected: []jmespath.JpType{"number"}"#),
        ("sort_by(objs, n)", r#"error: Invalid type for: <nil>, expected: []jmespath.JpType{"expref"}"#),
        ("join(',' 'a')", r#"error: Invalid type for: a, expected: []jmespath.JpType{"array[string]"}"#),
        ("abs(a,)", "5"),
    ]);
}

#[test]
fn roots_are_asked_only_for_what_is_reached() {
    struct Lazy;
    impl<'v> Scope<'v> for Lazy {
        fn lookup(&self, name: &str) -> Result<Option<Value<'v>>, EvalError> {
            match name {
                "known" => Ok(Some(Value::Bool(true))),
                "broken" => Err(EvalError::Context { text: "failed to load".to_owned() }),
                _ => Ok(None),
            }
        }
        fn whole(&self) -> Result<Value<'v>, EvalError> {
            Err(EvalError::Context { text: "whole".to_owned() })
        }
        fn now(&self) -> i128 {
            0
        }
    }
    let arena = Arena::new();
    for (text, expected) in [
        ("known || broken", "true"),
        ("@.known", "true"),
        ("@ | known", "true"),
        ("[known, @.known][1]", "true"),
        ("broken || known", "failed to load"),
        ("unknown || known", "true"),
        ("unknown", "Unknown key \"unknown\" in path"),
        ("@", "whole"),
        ("known.x", "null"),
    ] {
        let found = Expression::parse(text).expect(text).evaluate(&Lazy, &arena);
        assert_eq!(found.map_or_else(|error| error.to_string(), Value::to_json), expected, "{text}");
    }
}

fn written(path: &[Step]) -> String {
    let parts: Vec<_> = path
        .iter()
        .map(|step| match step {
            Step::Field(name) => format!(".{name}"),
            Step::Index(index) => format!("[{index}]"),
            Step::Each => "[*]".to_owned(),
        })
        .collect();
    parts.concat()
}

#[test]
fn names_and_paths_are_known_without_evaluation() {
    for (text, names, paths) in [
        ("request.object.spec.containers[0].image", "request", ".request.object.spec.containers[0].image"),
        ("a.b || 'x'", "a", ".a.b"),
        ("a.b || c", "a c", ".a.b .c"),
        ("x.l[?k == y].v", "x", ".x.l[*].k .x.l[*].y .x.l[*].v"),
        ("x.[p, q][].r", "x", ".x.p[*].r .x.q[*].r"),
        ("length(a.b[])", "a", ".a.b[*]"),
        ("a.b | f(@.c, d)", "a", ".a.b.c .a.b.d"),
        ("@.a", "a", ".a"),
        ("sort_by(a.l, &k)[0].x", "a", ".a.l .a.l[*].k"),
        ("'x'", "", ""),
        ("{k: a, l: !(b.c)}", "a b", ".a .b.c"),
        ("a && b.*.c", "a b", ".a .b[*].c"),
    ] {
        let parsed = Expression::parse(text).expect(text);
        assert_eq!(parsed.root_names().collect::<Vec<_>>().join(" "), names, "{text}");
        let found: Vec<_> = parsed.paths().iter().map(|path| written(path)).collect();
        assert_eq!(found.join(" "), paths, "{text}");
    }
}

#[test]
fn the_tree_is_printed_a_node_a_line() {
    let parsed = Expression::parse("a.b | truncate(@, `9`)").expect("valid");
    let expected = "\
ASTPipe {
  children: {
    ASTSubexpression {
      children: {
        ASTField {
          value: \"a\"
        }
        ASTField {
          value: \"b\"
        }
      }
    }
    ASTFunctionExpression {
      value: \"truncate\"
      children: {
        ASTCurrentNode {
        }
        ASTLiteral {
          value: 9
        }
      }
    }
  }
}
";
    assert_eq!(parsed.tree(), expected);
}

#[test]
fn nesting_is_bounded() {
    for (open, close) in [("(", ")"), ("[", "]"), ("!", ""), ("&", ""), ("f(", ")"), ("{a: ", "}"), ("a[?", "]")] {
        let text = format!("{}a{}", open.repeat(100_000), close.repeat(100_000));
        assert!(Expression::parse(&text).is_err(), "{open}");
    }
    for part in [".a", "[0]", "[*]", "[]", " | a", " || a", " && a", " == a", "[?a]", "[1:]", ".*"] {
        let chain = |count: usize| format!("a{}", part.repeat(count));
        assert!(Expression::parse(&chain(100_000)).is_err(), "{part}");
        let longest = (0..=parser::MAX_DEPTH).rev().find_map(|count| Expression::parse(&chain(count)).ok());
        let longest = longest.expect("short chains parse");
        let arena = Arena::new();
        let scope = ValueScope { value: Value::Null, now: NOW };
        let _ = longest.evaluate(&scope, &arena);
        let _ = (longest.paths(), longest.tree());
    }
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("!", ""),
        ("not_null(", ")"),
        ("{a: ", "}"),
        ("l[?", "]"),
        ("map(&", ", [@])"),
        ("@|", ""),
    ] {
        let nested = |depth: usize| format!("{}a{}", open.repeat(depth), close.repeat(depth));
        let deepest = (0..=parser::MAX_DEPTH).rev().map(nested).find(|text| Expression::parse(text).is_ok());
        let deepest = deepest.expect("shallow nesting parses");
        assert!(deepest.len() > 100, "{open}");
        eval(&deepest);
    }
}

#[test]
fn growth_is_bounded() {
    let doubled = |step: &str, count: usize| format!("`[\"0123456789\"]`{}", step.repeat(count));
    for text in [
        doubled(" | [@, @]", 60),
        doubled(" | [@, @] | to_string(@)", 30),
        doubled(" | [@, @][]", 40),
        format!("'x'{}", " | join('', [@, @])".repeat(40)),
        format!("'x'{}", " | replace_all(@, 'x', 'xxxxxxxxxxxx')".repeat(40)),
        format!("'xxxxxxxx'{}", " | replace_all(@, '', @)".repeat(10)),
    ] {
        assert!(eval(&text).starts_with("error: evaluation limit exceeded"), "{text}");
    }
    let long = serde_json::json!({ "l": vec![0; 5000] });
    let found = eval_on(&long, "l[*].[@][] | length(map(&length(@), [l[?length(to_string(@)) > `0`]]))");
    assert_eq!(found, r#"error: Invalid type for: <nil>, expected: []jmespath.JpType{"string", "array", "object"}"#);
}

fn fragment() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "a",
        "l",
        "m",
        "objs",
        "zz",
        "@",
        ".",
        "[",
        "]",
        "[*]",
        "[]",
        "[?",
        "(",
        ")",
        "{",
        "}",
        ":",
        ",",
        "|",
        "||",
        "&&",
        "!",
        "==",
        "<",
        "'x'",
        "`1`",
        "`[1]`",
        "&",
        "*",
        "-1",
        "0",
        "to_string(",
        "length(",
        "sort_by(",
        "map(",
        " ",
        "é",
        "\"k1\"",
        "\\",
        "`",
        "'",
        "add(",
        "items(",
        "join(",
        "split(",
        "time_add(",
        "replace_all(",
    ];
    proptest::collection::vec(proptest::sample::select(WORDS), 0..24).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn any_text_parses_or_errs(text in "\\PC{0,40}") {
        if let Err(error) = Expression::parse(&text) {
            prop_assert!(error.offset() <= text.len());
        }
    }

    #[test]
    fn any_mix_of_words_evaluates_or_errs(text in fragment()) {
        eval(&text);
    }

    #[test]
    fn any_function_takes_any_arguments(
        function in proptest::sample::select(functions::list()),
        arguments in proptest::collection::vec(
            proptest::sample::select(&[
                "`1`", "`-1.5`", "`1e300`", "'x'", "''", "'1Gi'", "'1h'", "'é ß'", "n", "l", "objs", "m", "em", "els", "t",
                "&n", "'2024-01-02T03:04:05Z'", "'2006-01-02'", "'a/b:c@d'", "'[('", "'>1.0.0'", "compare('a', 'b')",
                "'{\"a\": [1]}'", "'-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'", "avg(els)",
                "`9223372036854775807`", "`[\"a\", null]`", "'9223372036854775807Ei'", "'2562047h47m16s'",
            ][..]),
            0..5,
        ),
    ) {
        eval(&format!("{}({})", function.name, arguments.join(", ")));
    }
}
