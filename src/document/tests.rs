//! What text becomes which document: typing, places, streams, hostile input.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "real repositories are read where they are")]

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path, sync::Arc};

use proptest::prelude::*;

use super::{
    Builder, Document, DocumentError, Kind, Limits, Node, Parsed,
    classify::{Class, classify, is_kustomization},
    layout::Layout,
    parse, resource,
};
use crate::span::{File, Span};

fn file(text: &str) -> Arc<File> {
    File::new("test.yaml", text.as_bytes().to_vec())
}

fn read(text: &str) -> Parsed {
    parse(&file(text), &Limits::default())
}

/// The only document of a text without errors.
fn one(text: &str) -> Document {
    let Parsed { mut documents, errors } = read(text);
    assert_eq!(errors, [], "{text:?}");
    assert_eq!(documents.len(), 1, "{text:?}");
    documents.remove(0)
}

/// The only document of a text, as text.
fn shown(text: &str) -> String {
    format!("{:?}", one(text).root())
}

/// The documents of a text that could be read, as text.
fn all(text: &str) -> Vec<String> {
    read(text).documents.iter().map(|document| format!("{:?}", document.root())).collect()
}

/// ID of the only error of a text, and the text of its place.
fn error(text: &str) -> (&'static str, String) {
    let errors = errors(text);
    assert_eq!(errors.len(), 1, "{text:?}: {errors:?}");
    errors.into_iter().next().unwrap()
}

fn errors(text: &str) -> Vec<(&'static str, String)> {
    let file = file(text);
    let errors = parse(&file, &Limits::default()).errors;
    errors.iter().map(|error| (error.id(), file.slice(error.at()).to_owned())).collect()
}

/// The text of a node's span.
fn text_of(node: Node<'_>) -> &str {
    node.file().slice(node.span())
}

/// The text of the span of the node under `path`.
fn place(text: &str, path: &[&str]) -> String {
    text_of(one(text).root().at(path).unwrap()).to_owned()
}

// Scalars.

/// Rows of the typing table: what is written, and what it is.
const PLAIN: &[(&str, &str)] = &[
    // Booleans.
    ("y", "true"),
    ("Y", "true"),
    ("yes", "true"),
    ("Yes", "true"),
    ("YES", "true"),
    ("true", "true"),
    ("True", "true"),
    ("TRUE", "true"),
    ("on", "true"),
    ("On", "true"),
    ("ON", "true"),
    ("n", "false"),
    ("N", "false"),
    ("no", "false"),
    ("No", "false"),
    ("NO", "false"),
    ("false", "false"),
    ("False", "false"),
    ("FALSE", "false"),
    ("off", "false"),
    ("Off", "false"),
    ("OFF", "false"),
    ("yEs", r#""yEs""#),
    ("tRue", r#""tRue""#),
    ("oN", r#""oN""#),
    ("nO", r#""nO""#),
    ("truer", r#""truer""#),
    // Nothing.
    ("~", "null"),
    ("null", "null"),
    ("Null", "null"),
    ("NULL", "null"),
    ("nUll", r#""nUll""#),
    // Integers.
    ("0", "0"),
    ("7", "7"),
    ("-7", "-7"),
    ("+5", "5"),
    ("0777", "511"),
    ("012", "10"),
    ("-017", "-15"),
    ("00", "0"),
    ("0o777", "511"),
    ("0O17", "15"),
    ("0x1F", "31"),
    ("0X1f", "31"),
    ("-0x1F", "-31"),
    ("+0x1F", "31"),
    ("0b101", "5"),
    ("0B101", "5"),
    ("0b-1", "-1"),
    ("0b+1", "1"),
    ("-0b-1", r#""-0b-1""#),
    ("0o-7", r#""0o-7""#),
    ("1_000", "1000"),
    ("1__0", "10"),
    ("0x_1F", "31"),
    ("0_7", "7"),
    ("_1", r#""_1""#),
    ("0x", r#""0x""#),
    ("0b2", r#""0b2""#),
    ("0o8", r#""0o8""#),
    ("0xG", r#""0xG""#),
    ("9223372036854775807", "9223372036854775807"),
    ("-9223372036854775808", "-9223372036854775808"),
    // Beyond 64 bits with sign: floats.
    ("9223372036854775808", "9.223372036854776e18"),
    ("18446744073709551615", "1.8446744073709552e19"),
    ("+18446744073709551615", "1.8446744073709552e19"),
    ("-9223372036854775809", "-9.223372036854776e18"),
    ("123456789012345678901234567890", "1.2345678901234568e29"),
    // Floats. One without fraction is an integer, as for every reader of JSON.
    ("08", "8"),
    ("09", "9"),
    ("0888", "888"),
    ("1.5", "1.5"),
    ("1e3", "1000"),
    ("1E+3", "1000"),
    ("1.e3", "1000"),
    ("12e03", "12000"),
    ("1e-3", "0.001"),
    (".5", "0.5"),
    ("-.5", "-0.5"),
    ("+.5", "0.5"),
    ("1.", "1"),
    ("5.", "5"),
    ("0.", "0"),
    ("1_0.5", "10.5"),
    ("1_0e1_0", "100000000000"),
    (".5_0", "0.5"),
    ("._5", r#""._5""#),
    ("1e", r#""1e""#),
    ("e3", r#""e3""#),
    (".e3", r#"".e3""#),
    (".", r#"".""#),
    ("1e400", r#""1e400""#),
    ("1.5.2", r#""1.5.2""#),
    ("0x1p3", r#""0x1p3""#),
    ("Infinity", r#""Infinity""#),
    ("NaN", r#""NaN""#),
    ("inf", r#""inf""#),
    // No base 60, no dates, no merge as a value.
    ("190:20:30", r#""190:20:30""#),
    ("10:30", r#""10:30""#),
    ("1:30", r#""1:30""#),
    ("2024-01-02", r#""2024-01-02""#),
    ("2024-01-02T03:04:05Z", r#""2024-01-02T03:04:05Z""#),
    ("2001-12-14 21:59:43.10 -5", r#""2001-12-14 21:59:43.10 -5""#),
    ("<<", r#""<<""#),
    ("=", r#""=""#),
    // Text that looks like something else.
    ("1Gi", r#""1Gi""#),
    ("100m", r#""100m""#),
    ("v1", r#""v1""#),
    ("1.2.3", r#""1.2.3""#),
    ("10.0.0.0/8", r#""10.0.0.0/8""#),
    ("-", r#""-""#),
    ("a b", r#""a b""#),
    ("a#b", r#""a#b""#),
    ("http://a.example/b?c=d", r#""http://a.example/b?c=d""#),
    ("é 日本 😀", r#""é 日本 😀""#),
];

#[test]
fn plain_scalars_are_typed_as_the_api_server_types_them() {
    for (written, meant) in PLAIN {
        for (before, after) in [("k: ", "\n"), ("k: ", ""), ("k:   ", "   # c\n"), ("k:\n  ", "\r\n"), ("k: ", " \r")] {
            if *written == "-" {
                continue;
            }
            let text = format!("{before}{written}{after}");
            assert_eq!(shown(&text), format!("{{\"k\": {meant}}}"), "{text:?}");
            assert_eq!(place(&text, &["k"]), *written, "{text:?}");
        }
        if written.contains([':', '?']) || *written == "-" {
            continue;
        }
        for text in [format!("- {written}\n"), format!("[{written}]"), format!("[ {written} , ]")] {
            assert_eq!(shown(&text), format!("[{meant}]"), "{text:?}");
            assert_eq!(text_of(one(&text).root().items().next().unwrap()), *written, "{text:?}");
        }
    }
}

#[test]
fn quotes_make_text_and_belong_to_the_place() {
    for (written, meant) in [
        ("'yes'", "yes"),
        ("\"yes\"", "yes"),
        ("'1'", "1"),
        ("''", ""),
        ("\"\"", ""),
        ("'it''s'", "it's"),
        ("\"a\\tb\"", "a\tb"),
        ("\"\\u00e9\\x41\\U0001F600\"", "éA😀"),
        ("\"a\\\n  b\"", "ab"),
        ("\"a\n  b\"", "a b"),
        ("'a\n\n  b'", "a\nb"),
        ("\"a\r\n\r\n  b\"", "a\nb"),
        ("' a '", " a "),
        ("\"# {[\"", "# {["),
    ] {
        for text in [format!("k: {written}\n"), format!("k: !!str {written}")] {
            assert_eq!(one(&text).root().str_at(&["k"]), Some(meant), "{text:?}");
            assert_eq!(place(&text, &["k"]), written, "{text:?}");
        }
        let text = format!("[{written}]");
        assert_eq!(one(&text).root().items().next().unwrap().as_str(), Some(meant), "{text:?}");
    }
}

#[test]
fn what_is_not_written_is_null_and_stands_at_its_key_or_dash() {
    for (text, path) in
        [("k:\n", "k"), ("k: # c\n", "k"), ("k:\nl: 1\n", "k"), ("{k: }", "k"), ("{k}", "k"), ("? k\n", "k")]
    {
        assert_eq!(one(text).root().get(path).map(Node::kind), Some(Kind::Null), "{text:?}");
        assert_eq!(place(text, &[path]), "k", "{text:?}");
    }
    for text in ["-\n- 1\n-", "-  \n- 1\n- # c\n", "k:\n-\n- 1\n-   \n"] {
        let document = one(text);
        let list = document.root().get("k").unwrap_or(document.root());
        let places: Vec<_> = list.items().map(|item| (item.is_null(), text_of(item))).collect();
        assert_eq!(places, [(true, "-"), (false, "1"), (true, "-")], "{text:?}");
    }
}

#[test]
fn infinities_and_no_numbers_are_errors_unless_they_are_keys() {
    for text in [".inf", ".Inf", ".INF", "-.inf", "+.INF", ".nan", ".NaN", ".NAN"] {
        assert_eq!(error(&format!("k: {text}\n")), ("yaml/not-json", text.to_owned()));
    }
    assert_eq!(shown(".inf: 1\n"), r#"{".inf": 1}"#);
    assert_eq!(shown("-.INF: 1\n"), r#"{"-.inf": 1}"#);
    assert_eq!(shown(".NAN: 1\n"), r#"{".nan": 1}"#);
}

#[test]
fn tags_force_a_type_or_are_errors() {
    for (text, meant) in [
        ("!!str 5", r#""5""#),
        ("! 5", r#""5""#),
        ("!custom 5", r#""5""#),
        ("!<tag:yaml.org,2002:int> '5'", "5"),
        ("!!int \"5\"", "5"),
        ("!!int 0x10", "16"),
        ("!!float 5", "5"),
        ("!!float \"1.5\"", "1.5"),
        ("!!bool yes", "true"),
        ("!!bool \"off\"", "false"),
        ("!!null ''", "null"),
        ("!!null", "null"),
        ("!!binary aGVsbG8=", r#""hello""#),
        ("!!binary |\n  aGVs\n  bG8=\n", r#""hello""#),
        ("!!timestamp 2024-01-02", r#""2024-01-02""#),
        ("!!timestamp '2024-1-2T03:04:05Z'", r#""2024-1-2T03:04:05Z""#),
        ("!!set {x, y}", r#"{"x": null, "true": null}"#),
        ("!!map [a]", r#"["a"]"#),
    ] {
        assert_eq!(shown(&format!("k: {text}")), format!("{{\"k\": {meant}}}"), "{text:?}");
    }
    for (text, at) in [
        ("!!int x", "x"),
        ("!!int 1.5", "1.5"),
        ("!!null x", "x"),
        ("!!bool 1", "1"),
        ("!!float x", "x"),
        ("!!timestamp x", "x"),
        ("!!binary a", "a"),
    ] {
        assert_eq!(error(&format!("k: {text}")), ("yaml/tag", at.to_owned()));
    }
    assert_eq!(error("k: !foo!bar 5").0, "yaml/syntax");
    for text in ["[!, 1]", "[!]", "k: !a,b c", "k: !a#b"] {
        assert!(matches!(error(text).0, "yaml/incompatible" | "yaml/syntax"), "{text:?}");
    }
}

#[test]
fn keys_are_typed_and_made_text() {
    for (written, key) in [
        ("a", "a"),
        ("'a b'", "a b"),
        ("1", "1"),
        ("01", "1"),
        ("0x10", "16"),
        ("1.5", "1.5"),
        ("1.50", "1.5"),
        ("1e3", "1000"),
        ("0.1", "0.1"),
        ("1e-7", "1e-07"),
        ("16777217.0", "1.6777216e+07"),
        ("1e300", ".inf"),
        ("true", "true"),
        ("yes", "true"),
        ("y", "true"),
        ("n", "false"),
        ("off", "false"),
        ("'y'", "y"),
        ("!!str 1", "1"),
        ("2024-01-02", "2024-01-02"),
        ("=", "="),
    ] {
        let text = format!("{written}: v\n");
        let document = one(&text);
        let (name, value) = document.root().entries().next().unwrap();
        assert_eq!((name, value.as_str()), (key, Some("v")), "{text:?}");
        let at = file(&text).slice(value.key_span()).to_owned();
        assert_eq!(at, written.trim_start_matches("!!str "), "{text:?}");
    }
    for (text, at) in [
        ("~: 1", "~"),
        ("null: 1", "null"),
        ("[a]: 1", "["),
        ("{a: 1}: 1", "{"),
        ("? [a]\n: 1", "["),
        ("18446744073709551615: 1", "18446744073709551615"),
    ] {
        assert_eq!(error(text), ("yaml/key", at.to_owned()), "{text:?}");
    }
    assert_eq!(error(": a").0, "yaml/key");
    assert_eq!(error("a: {{ b }}").0, "yaml/key");
}

// Lists and maps.

#[test]
fn places_of_lists_and_maps_cover_what_is_written_and_no_more() {
    let text = "a:\n  b:\n  - x\n  - {c: [1, 2] , d: \"e\"}  # c\n\n# c\nf: 1\n";
    assert_eq!(place(text, &["a"]), "b:\n  - x\n  - {c: [1, 2] , d: \"e\"}");
    assert_eq!(place(text, &["a", "b"]), "- x\n  - {c: [1, 2] , d: \"e\"}");
    assert_eq!(text_of(one(text).root()), "a:\n  b:\n  - x\n  - {c: [1, 2] , d: \"e\"}  # c\n\n# c\nf: 1");
    let document = one(text);
    let item = document.root().at(&["a", "b"]).unwrap().items().nth(1).unwrap();
    assert_eq!(text_of(item), "{c: [1, 2] , d: \"e\"}");
    assert_eq!(text_of(item.get("c").unwrap()), "[1, 2]");
    for list in ["- x", "-   -1", "-  # c\n  x", "- - x\n  - y", "- k: x\n  l: y", "-"] {
        for text in [format!("a:\n{list}\n"), format!("a: # -\n{list}"), format!("a: &b\n\n{list}\n")] {
            assert_eq!(place(&text, &["a"]), list, "{text:?}");
        }
    }
    assert_eq!(place("a: []\n", &["a"]), "[]");
    assert_eq!(place("a: [\n  ]\n", &["a"]), "[\n  ]");
    assert_eq!(place("é: {\"ü\": 😀}", &["é", "ü"]), "😀");
}

#[test]
fn block_scalars_are_read_and_placed_from_their_mark_on() {
    for (written, meant) in [
        ("|\n  a\n  b\n", "a\nb\n"),
        ("|-\n  a\n  b\n", "a\nb"),
        ("|+\n  a\n\n", "a\n\n"),
        (">\n  a\n  b\n\n  c\n", "a b\nc\n"),
        (">-\n  a\n  b\n", "a b"),
        (">+\n  a\n\n", "a\n\n"),
        (">\n  a\n    b\n  c\n", "a\n  b\nc\n"),
        ("|2\n    a\n", "  a\n"),
        ("|-2\n   a\n", " a"),
        ("| # c | c\n  a # b\n", "a # b\n"),
        ("|\n\n  a\n", "\na\n"),
        ("|\n  a\r\n  b\r\n", "a\nb\n"),
        ("|\n  a", "a\n"),
        ("|-\n  a", "a"),
        ("|+\n  a\n  ", "a\n\n"),
        (">\n  a\n  b", "a b\n"),
        ("|\n  - a: b\n  #c\n", "- a: b\n#c\n"),
        ("|\n  \u{a0}\n", "\u{a0}\n"),
    ] {
        let text = format!("k: {written}");
        assert_eq!(one(&text).root().str_at(&["k"]), Some(meant), "{text:?}");
        assert_eq!(place(&text, &["k"]), written.trim_end_matches([' ', '\n', '\r']), "{text:?}");
        if written.contains('+') {
            continue;
        }
        let text = format!("- k: {}\n  l: 1\n", written.trim_end_matches('\n').replace('\n', "\n  "));
        assert_eq!(one(&text).root().items().next().unwrap().str_at(&["k"]), Some(meant), "{text:?}");
    }
    assert_eq!(shown("a: |\nb: >-\n"), r#"{"a": "", "b": ""}"#);
    assert_eq!(place("a: |\nb: 1\n", &["a"]), "|");
    assert_eq!(place("a: # |\n  |\n  x\n", &["a"]), "|\n  x");
    assert_eq!(place("# |\na: |\n  x\n", &["a"]), "|\n  x");
    assert_eq!(place("a: !t |\n  x\n", &["a"]), "|\n  x");
    assert_eq!(error("|\na\n").0, "yaml/incompatible");
    assert_eq!(shown("|\n a\n"), r#""a\n""#);
}

#[test]
fn the_last_of_equal_keys_wins_and_the_others_are_noted() {
    let text = "a: 1\nb: 2\na: 3\nyes: 4\ntrue: 5\na: {c: 1, c: 2}\n";
    let document = one(text);
    assert_eq!(format!("{:?}", document.root()), r#"{"b": 2, "true": 5, "a": {"c": 2}}"#);
    let mut noted: Vec<_> = document.duplicates().iter().map(|at| (at.start, document.file().slice(*at))).collect();
    noted.sort_unstable();
    assert_eq!(noted, [(0, "a"), (10, "a"), (15, "yes"), (text.find("c: 1").unwrap() as u32, "c")]);
    assert_eq!(document.overridden(), []);
}

#[test]
fn many_keys_are_compared_as_few_are() {
    let mut text = String::new();
    for index in 0..100 {
        let _ = writeln!(text, "k{}: {index}", index % 40);
    }
    let document = one(&text);
    assert_eq!((document.root().len(), document.duplicates().len()), (40, 60));
    assert_eq!(document.root().get("k0").map(Node::kind), Some(Kind::Int(80)));
    assert_eq!(document.root().get("k39").map(Node::kind), Some(Kind::Int(79)));
    assert_eq!(document.root().entries().next().map(|(key, _)| key), Some("k20"));
}

// Anchors, aliases and merges.

#[test]
fn an_alias_is_a_copy_that_stands_where_the_alias_stands() {
    let text = "a: &x {b: [1, c]}\nd: *x\ne: &y v\nf: [*y, *x]\n*y : g\n";
    let document = one(text);
    let root = document.root();
    assert_eq!(
        format!("{root:?}"),
        r#"{"a": {"b": [1, "c"]}, "d": {"b": [1, "c"]}, "e": "v", "f": ["v", {"b": [1, "c"]}], "v": "g"}"#
    );
    assert_eq!(text_of(root.get("a").unwrap()), "{b: [1, c]}");
    assert_eq!(text_of(root.get("d").unwrap()), "*x");
    assert_eq!(root.at(&["d", "b"]).unwrap().span(), root.at(&["a", "b"]).unwrap().span());
    assert_eq!(document.file().slice(root.get("v").unwrap().key_span()), "*y");
}

#[test]
fn anchors_may_be_given_again_and_end_with_their_document() {
    assert_eq!(shown("- &a 1\n- *a\n- &a 2\n- *a\n"), "[1, 1, 2, 2]");
    assert_eq!(all("&a k: 1\n---\n*a : 2\n"), [r#"{"k": 1}"#]);
    assert_eq!(error("k: *a\n"), ("yaml/syntax", "*".to_owned()));
    assert_eq!(error("a: &a [1, *a]\n"), ("yaml/recursive-alias", "*a".to_owned()));
    assert_eq!(error("a: &a {b: *a}\n"), ("yaml/recursive-alias", "*a".to_owned()));
    for text in ["k: &a.b 1", "k: &a:b 1", "k: &é 1", "k: &a[b]"] {
        assert_eq!(error(text).0, "yaml/incompatible", "{text:?}");
    }
    assert_eq!(shown("k: &a-B_1 1"), r#"{"k": 1}"#);
    assert_eq!(shown("[&a , &b]"), "[null, null]");
}

#[test]
fn merges_take_part_in_source_order() {
    for (text, meant) in [
        ("x: one\n<<: {x: two}", r#"{"x": "two"}"#),
        ("<<: {x: two}\nx: one", r#"{"x": "one"}"#),
        ("<<: [{x: 1, w: 1}, {x: 2, z: 2}]\n", r#"{"z": 2, "x": 1, "w": 1}"#),
        ("<<: {a: 1}\n<<: {a: 2}", r#"{"a": 2}"#),
        ("'<<': {a: 1}", r#"{"<<": {"a": 1}}"#),
        ("!!str <<: {a: 1}", r#"{"<<": {"a": 1}}"#),
        ("<<: {<<: {a: 1}, b: 2}", r#"{"a": 1, "b": 2}"#),
        ("<<: {}\na: 1", r#"{"a": 1}"#),
    ] {
        assert_eq!(shown(text), meant, "{text:?}");
    }
    let text = "a: &a {x: 1, w: {z: 2}}\nb:\n  <<: *a\n  x: 3\n";
    assert_eq!(shown(text), r#"{"a": {"x": 1, "w": {"z": 2}}, "b": {"w": {"z": 2}, "x": 3}}"#);
    assert_eq!(place(text, &["b", "w"]), "{z: 2}");
    let noted = |document: &Document| (document.duplicates().len(), document.overridden().len());
    assert_eq!(noted(&one(text)), (0, 1));
    assert_eq!(noted(&one("x: 1\n<<: {x: 2}\n")), (0, 1));
    assert_eq!(noted(&one("x: 1\n<<: {w: 2}\nx: 3\n")), (1, 0));
    for text in ["<<: 1", "<<: [1]", "<<:", "<<: [[{a: 1}]]", "a: &a [{b: 1}]\n<<: *a\n"] {
        assert_eq!(error(text), ("yaml/merge", "<<".to_owned()), "{text:?}");
    }
    assert_eq!(error("!x <<: {a: 1}").0, "yaml/incompatible");
    assert_eq!(error("!!merge \"<<\": {a: 1}").0, "yaml/incompatible");
}

#[test]
fn what_was_merged_can_still_be_repeated() {
    let text = "a:\n  <<: &x {p: 1}\n  q: 2\nb: *x\nc: {<<: [&y {r: 3}, *x], s: 4}\nd: *y\ne: {<<: *y, <<: *x}\n";
    assert_eq!(
        shown(text),
        r#"{"a": {"p": 1, "q": 2}, "b": {"p": 1}, "c": {"p": 1, "r": 3, "s": 4}, "d": {"r": 3}, "e": {"r": 3, "p": 1}}"#
    );
}

// Streams.

#[test]
fn documents_are_cut_at_lines_of_dashes() {
    assert_eq!(all("a: 1\n---\nb: 2\n--- # c\n[c]\n---\n# nothing\n---\n"), [r#"{"a": 1}"#, r#"{"b": 2}"#, r#"["c"]"#]);
    assert_eq!(all("---\r\na: 1\r\n---\r\nb: 2\r\n"), [r#"{"a": 1}"#, r#"{"b": 2}"#]);
    assert_eq!(all("a: 1\rb: 2\r"), [r#"{"a": 1, "b": 2}"#]);
    assert_eq!(all(""), [""; 0]);
    assert_eq!(all("# only a comment\n"), [""; 0]);
    assert_eq!(all("\u{feff}a: 1\n---\n\u{feff}b: 2\n"), [r#"{"a": 1}"#, r#"{"b": 2}"#]);
    assert_eq!(one("\u{feff}a: 1\n").root().get("a").unwrap().key_span(), Span::new(3, 4));
    for text in ["# c\n\u{feff}a: 1\n", "# \u{feff}\na: 1\n", "\u{feff}\u{feff}a: 1\n", "a: '\u{feff}'"] {
        assert_eq!(error(text), ("yaml/incompatible", "\u{feff}".to_owned()));
    }
    assert_eq!(shown("a: \"\\ufeff\"\n"), "{\"a\": \"\\u{feff}\"}");
    let text = "a: 1\n---\nb: 2\n";
    let documents = read(text).documents;
    assert_eq!(documents[1].root().span(), Span::new(9, 13));
}

#[test]
fn a_broken_document_hides_no_other() {
    let text = "a: 1\n---\nb: 2\n---\nc: [3\n---\nd: 4\n";
    assert_eq!(all(text), [r#"{"a": 1}"#, r#"{"b": 2}"#, r#"{"d": 4}"#]);
    assert_eq!(errors(text).len(), 1);
    let text = "a: 1\n--- oops\nb: 2\n---\nc: 3\n---\nd: 4\n";
    assert_eq!(all(text), [r#"{"a": 1}"#, r#"{"c": 3}"#, r#"{"d": 4}"#]);
    assert_eq!(error(text), ("yaml/separator", "--- oops".to_owned()));
    let text = "a: \"open\n---\nb: 2\"\n---\nc: 3\n";
    assert_eq!(all(text).last().map(String::as_str), Some(r#"{"c": 3}"#));
    assert_eq!(errors(text)[0].0, "yaml/syntax");
    let text = "a: \u{7}\n---\nb: *x\n---\nc: .inf\n---\nd: {e: [}\n---\nf: 1\n";
    let ids: Vec<_> = errors(text).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["yaml/control-character", "yaml/syntax", "yaml/not-json", "yaml/syntax"]);
    assert_eq!(all(text), [r#"{"f": 1}"#]);
}

#[test]
fn what_stands_behind_the_end_of_a_document_is_an_error_beside_it() {
    for (text, at) in [("a: 1\n...\nb: 2\n", "b"), ("{\"a\":1}\n{\"b\":2}\n", "{"), ("a: 1\n...\n%YAML 1.2\n", "%")] {
        assert_eq!(all(text).len(), 1, "{text:?}");
        assert_eq!(error(text), ("yaml/hidden", at.to_owned()), "{text:?}");
    }
    assert_eq!(shown("a: 1\n...\n"), r#"{"a": 1}"#);
    assert_eq!(shown("a: 1\n...\n# c\n"), r#"{"a": 1}"#);
    for text in ["...\na: 1\n", "\u{feff}...\na: 1\n", "# c\n...\na: 1\n"] {
        assert_eq!(error(text), ("yaml/syntax", "...".to_owned()));
    }
}

#[test]
fn bytes_that_are_no_text_spoil_only_their_own_document() {
    let file = File::new("a", b"a: 1\n---\nb: \xff\n---\nc: \xc3\xa9\n".to_vec());
    let parsed = parse(&file, &Limits::default());
    let shown: Vec<_> = parsed.documents.iter().map(|document| format!("{:?}", document.root())).collect();
    assert_eq!(shown, [r#"{"a": 1}"#, r#"{"c": "é"}"#]);
    assert_eq!(parsed.errors, [DocumentError::Encoding { at: Span::new(12, 13) }]);
    let utf16: Vec<u8> = "\u{feff}a: 1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let parsed = parse(&File::new("a", utf16), &Limits::default());
    assert_eq!((parsed.documents.len(), parsed.errors[0].id()), (0, "yaml/encoding"));
    assert_eq!(error("a: \0\n"), ("yaml/control-character", "\0".to_owned()));
}

#[test]
fn json_is_read_as_it_is_written_except_for_escapes_that_kubernetes_refuses() {
    assert_eq!(
        shown("{\n\t\"a\": [1, true, null, \"x\\n\"],\n\t\"b\":{\"c\":-1.5e3}}\n"),
        r#"{"a": [1, true, null, "x\n"], "b": {"c": -1500}}"#
    );
    assert_eq!(error(r#"{"a": "b\/c"}"#), ("yaml/incompatible", "\\/".to_owned()));
    assert_eq!(error(r#"{"a": "\ud83d\ude00"}"#), ("yaml/incompatible", "\\ud83d".to_owned()));
    assert_eq!(shown(r#"{"a": "\\/ \u00e9"}"#), r#"{"a": "\\/ é"}"#);
}

#[test]
fn what_kubernetes_reads_otherwise_is_refused_where_it_stands() {
    for (text, at) in [
        ("{x:}", ":"),
        ("[a :]", ":"),
        ("[:a]", ":a"),
        ("[x?y]", "?"),
        ("{\"a\"\n:1}", "\"a\""),
        ("k: a\u{2028}b\n", "\u{2028}"),
        ("# c\u{85}\nk: 1\n", "\u{85}"),
    ] {
        assert_eq!(error(text), ("yaml/incompatible", at.to_owned()), "{text:?}");
    }
    assert_eq!(error("%YAML 1.1\n---\na: 1\n").0, "yaml/syntax");
}

#[test]
fn tabs_may_stand_where_kubernetes_lets_them() {
    for (text, meant) in [
        ("a:\tb\n", r#"{"a": "b"}"#),
        ("a: b\t\n", r#"{"a": "b"}"#),
        ("a: b\t# c\td\n", r#"{"a": "b"}"#),
        ("a: [\tb\t,\tc\t]\t\n", r#"{"a": ["b", "c"]}"#),
        ("a: \"b\n\tc\"\n", r#"{"a": "b c"}"#),
        ("a: |\n  b\tc\n  \td\n", r#"{"a": "b\tc\n\td\n"}"#),
        ("a: |\n  b\n  \t\nc: 1\n", r#"{"a": "b\n\t\n", "c": 1}"#),
        ("a: |\n  b\n  \t", r#"{"a": "b\n\t\n"}"#),
        ("a: b\tc\n", r#"{"a": "b\tc"}"#),
        ("{\n\t\"a\": 1\n\t}\n", r#"{"a": 1}"#),
    ] {
        assert_eq!(shown(text), meant, "{text:?}");
    }
    for text in [
        "a:\n\tb: 1\n",
        "\ta: 1\n",
        "a:\n  b: 1\n\t\n  c: 2\n",
        "-\ta: 1\n",
        "- a\n-\tb\n",
        "a: |\n  \tb\n",
        "a: |\n  b\n\t\n",
        "a:\n  b: x\n\ty\n",
    ] {
        assert_eq!(error(text), ("yaml/tab", "\t".to_owned()), "{text:?}");
    }
}

// Hostile input: an error with a place, soon.

/// Runs on a stack as small as those of threads are.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap();
}

/// Texts with lists and maps in one another, `levels` deep.
fn deep(levels: usize) -> Vec<String> {
    let mut blocks = String::new();
    for level in 0..levels {
        let _ = writeln!(blocks, "{}k:", " ".repeat(level));
    }
    vec![
        format!("{}{}", "[".repeat(levels), "]".repeat(levels)),
        format!("{}1{}", "{a: ".repeat(levels), "}".repeat(levels)),
        format!("{}1", "- ".repeat(levels)),
        blocks,
        format!("{}{}{}", "- ".repeat(levels / 2), "[".repeat(levels - levels / 2), "]".repeat(levels - levels / 2)),
        format!("{}{}", "[{a: ".repeat(levels.div_ceil(2)), "}]".repeat(levels.div_ceil(2))),
        format!("{}a: 1", "? ".repeat(levels - 1)),
    ]
}

#[test]
fn documents_up_to_the_limit_of_depth_are_read_and_worked_on_with_a_small_stack() {
    on_a_small_stack(|| {
        for text in deep(1000) {
            if text.starts_with('?') {
                // Maps as keys are refused, however deep.
                assert_eq!(error(&text).0, "yaml/key");
                continue;
            }
            let document = one(&text);
            assert!(format!("{:?}", document.root()).len() >= 1000);
            assert_eq!(resource::objects(document.root()).len(), 1);
            assert_eq!(classify("a.yaml", document.root(), &Layout::default()), Class::Other);
            let mut builder = Builder::new(file(""));
            let copy = builder.copy(document.root(), Span::default());
            assert_eq!(format!("{:?}", builder.finish(copy).root()), format!("{:?}", document.root()));
            let prepared = resource::prepare(document, &|_, _| false);
            assert!(format!("{:?}", prepared.root()).len() >= 1000);
        }
    });
}

#[test]
fn lists_in_lists_are_taken_apart_to_the_limit_of_depth() {
    on_a_small_stack(|| {
        let levels = 499;
        let list = "{apiVersion: v1, kind: List, items: [";
        let text = format!("{}{{apiVersion: v1, kind: Pod}}{}", list.repeat(levels), "]}".repeat(levels));
        let document = one(&text);
        let kinds: Vec<_> =
            resource::objects(document.root()).into_iter().map(|object| object.str_at(&["kind"])).collect();
        assert_eq!(kinds, [Some("Pod")]);
        resource::prepare(document, &|_, _| false);
    });
}

#[test]
fn deeper_nesting_is_an_error_however_it_is_written() {
    on_a_small_stack(|| {
        for levels in [1001, 1002, 10_000] {
            for text in deep(levels) {
                let (id, _) = error(&text);
                let is_key = text.starts_with('?');
                assert!(id == "yaml/too-deep" || (is_key && id == "yaml/key"), "{levels} {}: {id}", &text[..20]);
            }
        }
        // Aliases add their own depth.
        let text =
            format!("a: &a {}{}\nb: {}*a{}\n", "[".repeat(600), "]".repeat(600), "[".repeat(600), "]".repeat(600));
        assert_eq!(error(&text), ("yaml/too-deep", "*a".to_owned()));
        for open in ["[", "{", "- ", "? ", "{a: ", "&a [", "!t [", "? - "] {
            assert!(!errors(&open.repeat(100_000)).is_empty(), "{open}");
        }
    });
}

#[test]
fn aliases_that_make_too_much_of_a_document_are_refused() {
    let mut pyramid = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let below = level - 1;
        let _ = writeln!(pyramid, "a{level}: &a{level} [{}]", format!("*a{below},").repeat(9));
    }
    let mut doubling = "a0: &a0 {k: 1}\n".to_owned();
    for level in 1..40 {
        let below = level - 1;
        let _ = writeln!(doubling, "a{level}: &a{level} {{l: *a{below}, r: *a{below}}}");
    }
    let mut merging = "a0: &a0 {k: 1}\n".to_owned();
    for level in 1..40 {
        let below = level - 1;
        let _ = writeln!(merging, "a{level}: &a{level} {{<<: [*a{below}, *a{below}], k{level}: {{x: *a{below}}}}}");
    }
    let wide = format!("a: &a [{}]\nb: [{}]\n", "x,".repeat(5000), "*a,".repeat(5000));
    let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a,".repeat(100_000));
    for bomb in [pyramid, doubling, merging, wide] {
        assert_eq!(error(&bomb).0, "yaml/alias-bomb", "{}", &bomb[..30]);
    }
    // Repeated text costs nothing.
    assert_eq!(errors(&text), []);
    // Real files repeat themselves, too.
    let fair = format!("a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\nb:\n{}", "- *a\n".repeat(500));
    assert_eq!(one(&fair).root().get("b").unwrap().len(), 500);
}

#[test]
fn files_beyond_a_limit_are_refused_with_a_place() {
    let read = |text: &str, limits: Limits| {
        let Parsed { documents, errors } = parse(&file(text), &limits);
        (documents.len(), errors.iter().map(|error| (error.id(), error.at())).collect::<Vec<_>>())
    };
    let limits = Limits { max_bytes: 10, ..Limits::default() };
    assert_eq!(read("a: 1\nb: 2\n", limits), (1, vec![]));
    assert_eq!(read("a: 1\nb: 2\nc", limits), (0, vec![("yaml/too-large", Span::new(0, 0))]));
    let limits = Limits { max_documents: 2, ..Limits::default() };
    assert_eq!(read("a\n---\nb\n---\n# c\n", limits), (2, vec![]));
    assert_eq!(read("a\n---\nb\n---\nc\n---\nd\n", limits), (2, vec![("yaml/too-many-documents", Span::new(12, 13))]));
    let limits = Limits { max_values: 6, ..Limits::default() };
    assert_eq!(read("[1, 2]\n---\n[1, 2]\n", limits), (2, vec![]));
    assert_eq!(
        read("[1, 2]\n---\n[1, 2, 3, 4]\n---\n[1, 2]\n", limits),
        (2, vec![("yaml/too-many-values", Span::new(21, 22))])
    );
    let limits = Limits { max_depth: 2, ..Limits::default() };
    assert_eq!(read("[[1]]\n---\n[[[1]]]\n", limits), (1, vec![("yaml/too-deep", Span::new(12, 13))]));
}

#[test]
fn large_and_odd_files_are_read_or_refused_soon() {
    let documents = "a: 1\n---\n".repeat(100_000);
    assert_eq!(read(&documents).documents.len(), 100_000);
    let list = format!("[{}]", "1,".repeat(500_000));
    assert_eq!(one(&list).root().len(), 500_000);
    let scalar = format!("a: \"{}\"\n", "x".repeat(5_000_000));
    assert_eq!(one(&scalar).root().str_at(&["a"]).map(str::len), Some(5_000_000));
    let spaces = " ".repeat(1_000_000);
    for text in [
        spaces.clone(),
        "\t".repeat(1_000_000),
        format!("a: b{spaces}"),
        format!("a:{spaces}b"),
        format!("a: b{spaces}# c\t{}", "x\t".repeat(100_000)),
        format!("a:\n{spaces}b: 1"),
        format!("[{spaces}]"),
        format!("a: \"{spaces}\""),
        "\n".repeat(1_000_000),
        "a: b\n".to_owned() + &"# c\n".repeat(200_000),
    ] {
        assert_eq!(errors(&text), [], "{}", &text[..10]);
    }
    for text in [
        format!("{{{spaces}"),
        "\"".to_owned() + &"x\n".repeat(500_000),
        "'".repeat(1_000_001),
        format!("a: b\n{}", "\t".repeat(1_000_000)),
        ":".repeat(100_000) + "\n- a",
        "!".repeat(100_000),
        "&a ".repeat(100_000),
        "- &a\n".repeat(50_000) + "- *b",
        "a: *b\n".repeat(100_000),
        "?\n".repeat(100_000) + "\"",
        "{? a: ".repeat(50_000),
        "[a, ".repeat(50_000),
        "\0".repeat(1_000_000),
        "--- x\n".repeat(10),
    ] {
        assert!(!errors(&text).is_empty(), "{:?}", &text[..10]);
    }
    // Neither tabs nor lines may make the search for tabs slow.
    for text in [
        "\t\n".repeat(300_000),
        "a\n".to_owned() + &"\t\n".repeat(300_000),
        "[a, \t".to_owned() + &"b\t,\t".repeat(200_000) + "]",
    ] {
        read(&text);
    }
}

// Properties.

/// Pieces that make text look like YAML.
const PIECES: &[&str] = &[
    "\n",
    "\n",
    "\n  ",
    "\n    ",
    " ",
    "  ",
    "- ",
    "-",
    "a: ",
    "b:",
    ": ",
    ":",
    ", ",
    ",",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "#",
    " # c",
    "|\n",
    "|-\n  ",
    ">+\n",
    "|2\n",
    "\t",
    "&a ",
    "*a",
    "<<: ",
    "<<: *a\n",
    "!!str ",
    "!x ",
    "\r\n",
    "\r",
    "\\",
    "\\n",
    "'x'",
    "\"y\"",
    "---\n",
    "\n---\n",
    "...\n",
    "? ",
    "%",
    "@",
    "é",
    "😀",
    "\u{feff}",
    "~",
    "yes",
    "012",
    "1.5",
    ".inf",
    "null",
    "key: value\n",
    "- item\n",
    "{a: b}",
    "[a, b]",
    "{}",
    "[]",
    "kind: List\n",
    "items:\n",
];

pub(super) fn text_like_yaml() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => proptest::sample::select(PIECES).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[ -~]{1,6}",
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Looks at a node and all below it: spans lie in the file, on borders of characters, and in the span of the parent
/// unless an alias or a merge brought the node.
fn check_places(node: Node<'_>, within: Option<Span>) {
    let text = node.file().text();
    for span in [node.span(), node.key_span()] {
        assert!(span.start <= span.end);
        assert!(text.get(span.range()).is_some(), "{span:?}");
        assert!(within.is_none_or(|within| within.covers(span)), "{span:?} in {within:?}");
    }
    let is_written = within.is_some() && !text_of(node).starts_with('*');
    let within = is_written.then(|| node.span());
    node.items().for_each(|item| check_places(item, within));
    node.entries().for_each(|(_, value)| check_places(value, within));
}

fn check_parsed(text: &str) {
    let file = file(text);
    let parsed = parse(&file, &Limits::default());
    for document in &parsed.documents {
        let merges = text.contains("<<");
        let whole = (!merges).then(|| Span::new(0, text.len() as u32));
        check_places(document.root(), whole);
        for at in document.duplicates().iter().chain(document.overridden()) {
            assert!(text.get(at.range()).is_some());
        }
    }
    for error in &parsed.errors {
        assert!(text.get(error.at().range()).is_some(), "{error:?}");
        assert!(!error.to_string().is_empty());
    }
    for document in parsed.documents {
        let prepared = resource::prepare(document, &|_, _| false);
        resource::objects(prepared.root());
        check_places(prepared.root(), None);
    }
}

fn json_text() -> impl Strategy<Value = String> {
    let kept =
        |c: &char| !matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    proptest::collection::vec(any::<char>().prop_filter("a character that YAML has", kept), 0..12)
        .prop_map(String::from_iter)
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_filter("JSON has it", |value| value.is_finite()).prop_map(Into::into),
        json_text().prop_map(Into::into),
        proptest::sample::select(PLAIN).prop_map(|(written, _)| written.into()),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            proptest::collection::btree_map(json_text(), inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

fn is_same(node: Node<'_>, json: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (node.kind(), json) {
        (Kind::Null, Value::Null) => true,
        (Kind::Bool(a), Value::Bool(b)) => a == *b,
        (Kind::Int(a), Value::Number(b)) => b.as_i64().map_or(b.as_f64() == Some(a as f64), |b| a == b),
        (Kind::Float(a), Value::Number(b)) => b.as_f64() == Some(a),
        (Kind::String(a), Value::String(b)) => a == b,
        (Kind::List, Value::Array(items)) => {
            node.len() == items.len() && node.items().zip(items).all(|(node, item)| is_same(node, item))
        }
        (Kind::Map, Value::Object(map)) => {
            node.len() == map.len()
                && node.entries().all(|(key, node)| map.get(key).is_some_and(|item| is_same(node, item)))
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn any_text_is_read_or_refused_with_places_in_it(text in text_like_yaml()) {
        check_parsed(&text);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let file = File::new("a", bytes);
        check_parsed(file.text());
        parse(&file, &Limits::default());
    }

    #[test]
    fn json_is_read_as_it_was_written(value in json_value()) {
        for text in [value.to_string(), format!("{value:#}")] {
            let document = one(&text);
            prop_assert!(is_same(document.root(), &value), "{} became {:?}", text, document.root());
        }
    }
}

// Real repositories.

/// Manifests of public repositories beside this one, if they are there.
pub(super) fn corpus() -> Option<Vec<Arc<File>>> {
    fn walk(directory: &Path, top: &Path, out: &mut Vec<Arc<File>>) {
        for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                walk(&entry, top, out);
            } else {
                let path = entry.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
                out.push(File::new(path, fs::read(&entry).unwrap()));
            }
        }
    }
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let mut files = Vec::new();
    if !top.is_dir() {
        println!("skipped: no manifests in {}", top.display());
        return None;
    }
    walk(&top, &top, &mut files);
    files.retain(|file| [".yaml", ".yml", ".json"].iter().any(|end| file.path().ends_with(end)));
    files.sort_by(|a, b| a.path().cmp(b.path()));
    Some(files)
}

#[test]
fn files_of_real_repositories_are_read_or_refused_with_a_place_and_have_a_class() {
    let Some(files) = corpus() else { return };
    let mut layout = Layout::of(files.iter().map(|file| &**file.path()));
    let mut classes = BTreeMap::<String, usize>::new();
    let mut parsed = Vec::new();
    for file in &files {
        let Parsed { documents, errors } = parse(file, &Limits::default());
        for error in errors {
            assert!(file.text().get(error.at().range()).is_some(), "{error:?}");
            let class = if layout.is_template(file.path()) { "template" } else { "other" };
            *classes.entry(format!("{} in a {class}", error.id())).or_default() += 1;
        }
        for document in documents {
            check_places(document.root(), None);
            if is_kustomization(file.path()) {
                layout.note_patches(file.path(), document.root());
            }
            parsed.push(resource::prepare(document, &|_, _| false));
        }
    }
    for document in &parsed {
        for object in resource::objects(document.root()) {
            let class = classify(document.file().path(), object, &layout);
            *classes.entry(format!("{class:?}")).or_default() += 1;
        }
    }
    println!("{} files: {classes:#?}", files.len());
}
