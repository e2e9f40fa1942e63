//! The quick reader and the full one make the same trees.

use std::{fmt::Write as _, sync::Arc};

use proptest::prelude::*;

use super::{full, quick, tree::Tree};
use crate::{
    document::{
        Document, Limits, Node,
        screen::screen,
        split::{Piece, split},
        tests::{corpus, text_like_yaml},
    },
    span::File,
};

/// Everything about a document that can be seen.
fn describe(document: &Document) -> String {
    let mut out = format!("{:?} {:?} ", document.duplicates(), document.overridden());
    describe_node(document.root(), &mut out);
    out
}

fn describe_node(node: Node<'_>, out: &mut String) {
    let _ = write!(out, "{:?} {:?} {:?} {:?} [", node.key(), node.key_span(), node.kind(), node.span());
    node.items().for_each(|item| describe_node(item, out));
    node.entries().for_each(|(_, value)| describe_node(value, out));
    out.push(']');
}

/// Bytes that the quick reader read, after making sure that the full one makes the same of them.
fn read_quickly(file: &Arc<File>) -> usize {
    let mut bytes = 0;
    let mut tree = Tree::new(Limits::default());
    tree.begin_file(file);
    for piece in split(file.text()) {
        let Piece::Document(range) = piece else { continue };
        let Ok(screened) = screen(&file.text()[range.clone()], range.start as u32) else { continue };
        tree.begin_document(range.len());
        if !screened.is_usual || !quick::read(&mut tree, file.text(), range.start, range.end) {
            continue;
        }
        let quick = tree.finish().unwrap();
        bytes += range.len();
        tree.begin_document(range.len());
        let text = &file.text()[range.clone()];
        let hidden = full::read(&mut tree, file, range.start, range.end, screened);
        assert_eq!(hidden, Ok(None), "{}: {text:?}", file.path());
        assert_eq!(describe(&quick), describe(&tree.finish().unwrap()), "{}: {text:?}", file.path());
    }
    bytes
}

fn is_read_quickly(text: &str) -> bool {
    read_quickly(&File::new("test.yaml", text.as_bytes().to_vec())) > 0
}

#[test]
fn what_manifests_are_made_of_is_read_quickly() {
    for text in [
        "a: 1\n",
        "a: 1",
        "---\na: 1\n",
        "--- # c\n\n# c\na: 1\n  # c\n",
        "a:\n  b:\n    c: x y  # z\n  d:\ne: f#g\n",
        "a:\n- b\n-   c: 1\n    d: 2\n-\n  e: 3\n- - f\n  - g\n-\nh:\n  - i\n",
        "- a\n- b: c\n-\n",
        "a:\n- b\n-  ",
        "yes: no\n1: 0x10\n0.5: ~\nnull_: null\n",
        "a: 'b'\nc: \"d\"   # e\n'f g': h\n\"i\": j\n",
        "a: \"b\\n\\\"c\\\\\\t\\r\"\n",
        "a: [b, 'c', \"d\", {e: f, \"g\":h}, [], {}, -1, a b, c:d]\n",
        "a: [\n  b,\n  c,\n]\n",
        "{\"a\":{\"b\":[1,2,\"c\"],\n \"d\": null}}",
        "{\n  \"a\": [\n    {}\n  ]\n}\n",
        "a: |\n  b\n    c # d\n\n  e\n\nf: |-\n  g\n\nh: |+\n  i\n\nj: |\n  k",
        "a: >\n  b\n  c\n\n  d\n\n\n  e\nf: >-\n\n  g\n",
        "a:\n- |\n  b\n- c: |\n    d\n",
        "a: é\nb: \"😀\"\n",
        "a: 'b''c'\n'd': ''\ne: ''''\n",
        "a: :b\n",
        "a: -1\nb: --c\nd: .5\ne: /f\ng: $(h)\ni: <j>\nk: x: \n".split("k: ").next().unwrap(),
        "image: registry.example.com:5000/a/b:c@sha256:d\n",
        "a: 1\na: 2\n",
    ] {
        assert!(is_read_quickly(text), "{text:?}");
    }
}

#[test]
fn whatever_is_unusual_is_left_to_the_full_reader() {
    for text in [
        "a",
        "a: b: c",
        "a: b:",
        "a: b\n  c",
        "- b\n c",
        "a: 'b\n  c'",
        "a: \"\\u00e9\"",
        "a: \"b",
        "a: 'b' c",
        "a: 'b'#c",
        "a: - b",
        "a: &b c",
        "a: !b c",
        "? a",
        "a b: c",
        "a:\n  b",
        "a:\n  'b'",
        "a:\n  [b]",
        "a: 1\n b: 2",
        "a:\n    b: 1\n  c: 2",
        "a: 1\n- b",
        "- a\nb: 1",
        "[a]\nb: 1",
        "[a] b",
        "[a: b]",
        "[a,,b]",
        "[a",
        "[a\n b]",
        "[a ? b]",
        "[a # b\n]",
        "{a}",
        "{a:b}",
        "{a: }",
        "{a: b, c}",
        "{[a]: b}",
        "{\"a\" :b}",
        "<<: {a: b}",
        "~: a",
        "a: .inf",
        "a: |2\n   b",
        "a: |\n b\n    \n",
        "a: |\nb: c",
        "a: >\n  b\n   c\n",
        "a: 1\n...\n",
        "a:\tb",
        "a: b\r\n",
        "%a",
        "a: @b",
    ] {
        assert!(!is_read_quickly(text), "{text:?}");
    }
}

/// Pieces of manifests, and of what is nearly one.
const PIECES: &[&str] = &[
    "a:",
    "b:",
    "a: ",
    "\"c\": ",
    "'d': ",
    "e f: ",
    "1: ",
    "yes: ",
    "x",
    "y z",
    "1",
    "0x1F",
    "-1",
    "--f",
    "-",
    "- ",
    "- ",
    "- ",
    "-\n",
    "- - ",
    "\n",
    "\n",
    "\n",
    "\n",
    "\n  ",
    "\n  ",
    "\n  ",
    "\n    ",
    "\n    ",
    "\n      ",
    "\n ",
    " ",
    "  ",
    " # c",
    "# c",
    "#",
    ":",
    ": ",
    "'",
    "\"",
    "'q'",
    "\"r\"",
    "\"s\\n\"",
    "\"\\\\\"",
    "''",
    "\"\"",
    "[",
    "]",
    "{",
    "}",
    ",",
    ", ",
    "[a, b]",
    "{a: b}",
    "[]",
    "{}",
    "{\"a\":1}",
    "|",
    "|\n",
    "|-\n  ",
    "|+\n",
    ">\n",
    ">-\n  ",
    ">+\n",
    "|\n  l\n",
    "\n\n",
    "\n\n\n",
    "\n  m\n",
    "n:5",
    "/o",
    "...",
    "---",
    "~",
    "null",
    ".5",
    "é",
    "*",
    "&",
    "!",
    "%",
    "@",
    "?",
    "=",
    "<<: ",
    "$(p)",
    "a.b/c-d: ",
    "k: v\n",
    "  k: v\n",
    "    k: v\n",
    "- k: v\n",
    "  - k: v\n",
    "  - v\n",
    "k:\n",
    "  k:\n",
    "key: |\n  text\n   more\n\n  end\n",
];

fn text_like_manifests() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(PIECES), 0..25).prop_map(|pieces| pieces.concat())
}

/// A tree written in one of the ways that people write.
fn block() -> impl Strategy<Value = String> {
    let scalar = || {
        proptest::sample::select(
            &[
                " x",
                " 1",
                " 'a b'",
                " \"c\\n\"",
                " [a, 'b']",
                " {a: 1, \"b\": [c]}",
                " |\n% text\n%  more\n\n% end",
                " >-\n% a\n% b\n\n% c",
                "",
                " x # c",
                " |+\n% k\n\n",
                " -",
                " x: y",
                " \"z",
                " [",
                " [a,\n% b]",
                " {a:\n% b}",
                " 'd' e",
            ][..],
        )
        .prop_map(str::to_owned)
    };
    scalar()
        .prop_recursive(4, 40, 4, move |inner| {
            let keys =
                || proptest::sample::select(&["a:", "b:", "'c':", "d-e/f:", "a:", "yes:", "\"g\":", "h i:", "j :"][..]);
            let between = || proptest::sample::select(&["", "", "", "", "\n", "% # c\n", "# c\n", "  \n"][..]);
            let entry = (keys(), inner.clone(), between());
            let item = (inner, between());
            prop_oneof![
                (
                    proptest::collection::vec(entry, 1..4),
                    proptest::sample::select(&["\n", "\n", "\n% # c\n", " # c\n", " "][..])
                )
                    .prop_map(|(entries, first)| {
                        let body = entries
                            .into_iter()
                            .map(|(key, value, gap)| format!("{gap}%{key}{}\n", value.replace('%', "%  ")));
                        format!("{first}{}", body.collect::<String>().trim_end_matches('\n'))
                    }),
                (proptest::collection::vec(item, 1..4), any::<bool>()).prop_map(|(items, indents)| {
                    let step = if indents { "  " } else { "" };
                    let body = items.into_iter().map(|(value, gap)| {
                        let value = value.replace('%', &format!("%{step}  "));
                        // The first entry of a map may stand behind the dash.
                        let value = value
                            .strip_prefix(&format!("\n%{step}  "))
                            .map_or(value.clone(), |value| format!(" {value}"));
                        format!("{gap}%{step}-{value}\n")
                    });
                    format!("\n{}", body.collect::<String>().trim_end_matches('\n'))
                }),
            ]
        })
        .prop_map(|text| text.replace('%', "").trim_start_matches(['\n', ' ']).to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4 * ProptestConfig::default().cases, ..ProptestConfig::default() })]

    #[test]
    fn both_readers_agree_about_pieces_of_manifests(text in text_like_manifests()) {
        is_read_quickly(&text);
    }

    #[test]
    fn both_readers_agree_about_trees(text in block()) {
        is_read_quickly(&text);
    }

    #[test]
    fn both_readers_agree_about_any_text(text in text_like_yaml()) {
        is_read_quickly(&text);
    }
}

#[test]
fn both_readers_agree_about_real_repositories_and_the_quick_one_reads_most_of_them() {
    let Some(files) = corpus() else { return };
    let all: usize = files.iter().map(|file| file.text().len()).sum();
    let quick: usize = files.iter().map(read_quickly).sum();
    println!("{quick} of {all} bytes in {} files are read quickly", files.len());
    assert!(quick > all / 2);
}
