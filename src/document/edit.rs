//! Changes to a file that leave alone what they are not about: comments, order, quotes, indentation.
//!
//! In: nodes of a document, and what they should be. Out: [`Edit`]s, which replace stretches of the text as read; `None`
//! where that can't be told from the text alone, as below an alias. Nothing is printed anew. Whoever applies an edit reads
//! the result again ([`still_reads`]): what is written here follows common forms of YAML, and a file may hold others.

use std::sync::Arc;

use super::{Limits, Node, parse};
use crate::span::{File, Span};

/// One stretch of a file, and what is to stand there instead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edit {
    /// Empty where something is inserted.
    pub span: Span,
    /// What stands there afterwards.
    pub text: String,
}

impl Edit {
    fn insert(at: usize, text: String) -> Self {
        Self { span: Span::new(at as u32, at as u32), text }
    }
}

/// A value that an edit writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Text<'t> {
    /// A string, which gets quotes where it needs them.
    String(&'t str),
    /// A literal of YAML, written as it is: `false`.
    Literal(&'t str),
    /// A map of strings.
    Map(Vec<(&'t str, &'t str)>),
}

/// The text with the edits applied, which must not overlap.
pub(crate) fn apply(text: &str, edits: &[Edit]) -> String {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort();
    let mut out = String::with_capacity(text.len() + 64);
    let mut at = 0;
    for edit in sorted {
        out.push_str(text.get(at..edit.span.start as usize).unwrap_or_default());
        out.push_str(&edit.text);
        at = edit.span.end as usize;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// Whether two edits can't both be applied: they change the same text, or insert at the same place.
pub(crate) fn collide(a: &Edit, b: &Edit) -> bool {
    if a.span == b.span {
        return a.span.start == a.span.end || a.text != b.text || a.text.is_empty();
    }
    a.span.start < b.span.end && b.span.start < a.span.end
}

/// Whether the text after edits still reads as the text before: as many documents, and no other errors.
pub(crate) fn still_reads(file: &File, text: &str) -> bool {
    let read = |text: &str| {
        let parsed = parse(&File::new(Arc::clone(file.path()), text.as_bytes().to_vec()), &Limits::default());
        let ids: Vec<&str> = parsed.errors.iter().map(super::DocumentError::id).collect();
        (parsed.documents.len(), ids)
    };
    file.invalid().is_empty() && read(file.text()) == read(text)
}

/// Replaces a scalar by a string, in quotes of the kind that it has.
pub(crate) fn replace(file: &File, scalar: Span, with: &str) -> Option<Edit> {
    let old = file.slice(scalar);
    if old.is_empty() || old.contains('\n') || old.starts_with(['*', '&', '!', '|', '>']) {
        return None;
    }
    Some(Edit { span: scalar, text: quoted(with, Quotes::of(old)) })
}

/// Replaces an item of a list by one or more strings.
pub(crate) fn replace_item(list: Node<'_>, item: Node<'_>, with: &[&str]) -> Option<Edit> {
    let old = item.file().slice(item.span());
    let style = ListStyle::of(list)?;
    if with.is_empty() || old.contains('\n') || !list.span().covers(item.span()) {
        return None;
    }
    let quotes = Quotes::of(old);
    let texts: Vec<String> = with.iter().map(|it| quoted(it, quotes)).collect();
    Some(Edit { span: item.span(), text: texts.join(&style.between(list)) })
}

/// Adds strings to the end of a list.
pub(crate) fn add_items(list: Node<'_>, items: &[&str]) -> Option<Edit> {
    let style = ListStyle::of(list)?;
    let last = list.items().last()?;
    if items.is_empty() || !list.span().covers(last.span()) {
        return None;
    }
    let text = list.file().text();
    let quotes = match Quotes::of(list.file().slice(last.span())) {
        // A quoted item beside plain ones had its reasons.
        Quotes::Double if is_json(list) => Quotes::Double,
        _ => Quotes::None,
    };
    let between = style.between(list);
    let added: Vec<String> = items.iter().map(|it| quoted(it, quotes)).collect();
    let added = format!("{between}{}", added.join(&between));
    let at = match style {
        ListStyle::Flow => content_end(last),
        ListStyle::Block { .. } => line_end(text, content_end(last)),
    };
    Some(Edit::insert(at, added))
}

/// Removes an item of a list that has others.
pub(crate) fn remove_item(list: Node<'_>, item: Node<'_>) -> Option<Edit> {
    let text = list.file().text();
    let style = ListStyle::of(list)?;
    let items: Vec<Node<'_>> = list.items().collect();
    if items.len() < 2 || !items.iter().all(|it| list.span().covers(it.span())) {
        return None;
    }
    let at = items.iter().position(|it| it.id() == item.id())?;
    let (start, end) = (item.span().start as usize, content_end(item));
    let (start, end) = match style {
        ListStyle::Flow => match items.get(at + 1) {
            Some(next) => (start, next.span().start as usize),
            None => (content_end(items[at - 1]), end),
        },
        ListStyle::Block { .. } => {
            let line = line_start(text, start);
            if text[line..start].trim() != "-" {
                return None;
            }
            let end = line_end(text, end);
            (line, end + newline_at(text, end))
        }
    };
    Some(Edit { span: Span::new(start as u32, end as u32), text: String::new() })
}

/// The stretches of a file that aliases repeat elsewhere: who changes one changes more than what stands there.
pub(crate) fn repeated(file: &File) -> Vec<Span> {
    let text = file.text();
    if !text.contains('&') {
        return Vec::new();
    }
    let parsed = parse(&File::new(Arc::clone(file.path()), text.as_bytes().to_vec()), &Limits::default());
    let leaves = parsed.documents.iter().flat_map(super::Document::nodes).filter(|it| !it.is_map() && !it.is_list());
    let mut spans: Vec<Span> = leaves.map(Node::span).filter(|it| it.start < it.end).collect();
    spans.sort_unstable();
    // The nodes below an alias are where those of its anchor are. A scalar has none; it is told by the anchor before it.
    let is_anchored = |span: &Span| {
        let start = span.start as usize;
        let before = text[line_start(text, start)..start].trim_end();
        before.rsplit([' ', '\t']).next().is_some_and(|word| word.starts_with('&'))
    };
    let mut out: Vec<Span> = spans.windows(2).filter(|it| it[0] == it[1]).map(|it| it[0]).collect();
    out.extend(spans.iter().filter(|it| is_anchored(it)));
    for span in &mut out {
        span.end = line_end(text, span.end as usize) as u32;
    }
    out
}

/// Sets the value of a key in a map: replaces the scalar there, or adds the key behind `after`, or behind all others.
pub(crate) fn set(map: Node<'_>, key: &str, value: &Text<'_>, after: Option<&str>) -> Option<Edit> {
    if let Some(old) = map.get(key) {
        let (Text::String(_) | Text::Literal(_)) = value else { return None };
        let is_written = map.span().covers(old.span()) && old.span() != old.key_span();
        let written = written(value, if is_json(map) { Quotes::Double } else { Quotes::None }, true, "", "\n");
        return (is_written && !old.is_map() && !old.is_list() && !map.file().slice(old.span()).contains('\n'))
            .then(|| Edit { span: old.span(), text: written });
    }
    let own = |it: &Node<'_>| map.span().covers(it.key_span());
    let last = map.entries().map(|(_, value)| value).filter(own).max_by_key(|it| it.key_span().start)?;
    let before = after.and_then(|after| map.get(after)).filter(own).unwrap_or(last);
    let text = map.file().text();
    let quotes = if is_json(map) { Quotes::Double } else { Quotes::None };
    let name = quoted(key, quotes);
    if is_flow(map) {
        let end = content_end(before).max(before.key_span().end as usize);
        // `{ a: }` has its colon behind the key.
        let end = if before.is_null() && before.span() == before.key_span() { return None } else { end };
        return Some(Edit::insert(end, format!(", {name}: {}", written(value, quotes, true, "", ""))));
    }
    let newline = newline(text);
    let indent = " ".repeat(column(text, first_key(map)?));
    let end = line_end(text, content_end(before).max(before.key_span().end as usize));
    let value = written(value, quotes, false, &indent, newline);
    let space = if value.starts_with(['\n', '\r']) { "" } else { " " };
    Some(Edit::insert(end, format!("{newline}{indent}{name}:{space}{value}")))
}

/// Adds keys with empty strings behind the entries of a map.
pub(crate) fn set_all(map: Node<'_>, keys: &[&str]) -> Option<Edit> {
    let mut all = keys.iter().map(|key| set(map, key, &Text::Literal("\"\""), None));
    let first = all.next()??;
    all.try_fold(first, |mut out, edit| {
        let edit = edit?;
        out.text.push_str(&edit.text);
        (out.span == edit.span).then_some(out)
    })
}

/// Removes an entry of a map, with its key.
pub(crate) fn remove(map: Node<'_>, entry: Node<'_>) -> Option<Edit> {
    let text = map.file().text();
    let own = |it: &Node<'_>| map.span().covers(it.key_span()) && map.span().covers(it.span());
    let mut entries: Vec<Node<'_>> = map.entries().map(|(_, value)| value).collect();
    entries.sort_by_key(|it| it.key_span().start);
    if entries.len() < 2 || !entries.iter().all(own) {
        return None;
    }
    let at = entries.iter().position(|it| it.id() == entry.id())?;
    let start = entry.key_span().start as usize;
    let end = content_end(entry).max(entry.key_span().end as usize);
    if is_flow(map) {
        let (start, end) = match entries.get(at + 1) {
            Some(next) => (start, next.key_span().start as usize),
            None => (content_end(entries[at - 1]), end),
        };
        return Some(Edit { span: Span::new(start as u32, end as u32), text: String::new() });
    }
    let line = line_start(text, start);
    if text[line..start].trim().is_empty() {
        let end = line_end(text, end);
        let end = end + newline_at(text, end);
        return Some(Edit { span: Span::new(line as u32, end as u32), text: String::new() });
    }
    // The first of an item of a list shares its line with the dash.
    let next = entries.get(at + 1)?.key_span().start;
    Some(Edit { span: Span::new(start as u32, next), text: String::new() })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    None,
    Single,
    Double,
}

impl Quotes {
    fn of(text: &str) -> Self {
        match text.as_bytes().first() {
            Some(b'"') => Self::Double,
            Some(b'\'') => Self::Single,
            _ => Self::None,
        }
    }
}

/// A string as YAML, in quotes if they are asked for or needed.
fn quoted(text: &str, quotes: Quotes) -> String {
    match quotes {
        Quotes::None if is_plain(text) => text.to_owned(),
        Quotes::Single if !text.contains(['\'', '\n', '\r']) => format!("'{text}'"),
        // JSON's escapes are YAML's.
        _ => serde_json::Value::String(text.to_owned()).to_string(),
    }
}

/// Whether a text reads as itself without quotes, wherever it stands.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 10] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "~"];
    let is_usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | '*');
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(is_usual)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// A value on the line of its key, or for a map in block style on the lines below.
fn written(value: &Text<'_>, quotes: Quotes, flow: bool, indent: &str, newline: &str) -> String {
    match value {
        Text::String(text) => quoted(text, quotes),
        Text::Literal(text) => (*text).to_owned(),
        Text::Map(entries) => {
            let pair = |(key, value): &(&str, &str)| format!("{}: {}", quoted(key, quotes), value_text(value, quotes));
            let pairs: Vec<String> = entries.iter().map(pair).collect();
            if flow {
                format!("{{ {} }}", pairs.join(", "))
            } else {
                let between = format!("{newline}{indent}  ");
                format!("{between}{}", pairs.join(&between))
            }
        }
    }
}

/// Text for a value: nothing is written as an empty string.
fn value_text(text: &str, quotes: Quotes) -> String {
    if text.is_empty() { "\"\"".to_owned() } else { quoted(text, quotes) }
}

/// How the items of a list stand.
enum ListStyle {
    /// `[a, b]`
    Flow,
    /// A line each, with the dash in this column and this many spaces behind it.
    Block { column: usize, gap: usize },
}

impl ListStyle {
    fn of(list: Node<'_>) -> Option<Self> {
        let text = list.file().text();
        if !list.is_list() {
            return None;
        }
        if is_flow(list) {
            return Some(Self::Flow);
        }
        let first = list.items().next()?.span().start as usize;
        let line = line_start(text, first);
        let dash = text[line..first].trim_end().strip_suffix('-')?.len() + line;
        Some(Self::Block { column: column(text, dash), gap: first - dash - 1 })
    }

    /// What stands between two items.
    fn between(&self, list: Node<'_>) -> String {
        match self {
            Self::Flow => ", ".to_owned(),
            Self::Block { column, gap } => {
                format!("{}{}-{}", newline(list.file().text()), " ".repeat(*column), " ".repeat(*gap))
            }
        }
    }
}

/// Whether a list or map is in brackets.
fn is_flow(node: Node<'_>) -> bool {
    node.file().slice(node.span()).starts_with(['[', '{'])
}

/// Whether a list or map is in brackets and its keys, or texts, are in double quotes.
fn is_json(node: Node<'_>) -> bool {
    let first = node.entries().next().map(|(_, it)| it.key_span()).or_else(|| node.items().next().map(Node::span));
    is_flow(node) && first.is_some_and(|it| node.file().slice(it).starts_with('"'))
}

/// Where the text of a node ends, without what white space follows it.
fn content_end(node: Node<'_>) -> usize {
    let span = node.span();
    span.start as usize + node.file().slice(span).trim_end().len()
}

/// Where the key of the first entry of a map stands.
fn first_key(map: Node<'_>) -> Option<usize> {
    let own = |it: &Node<'_>| map.span().covers(it.key_span());
    map.entries().map(|(_, value)| value).filter(own).map(|it| it.key_span().start as usize).min()
}

/// In characters: indentation is spaces, but a `- ` before it may follow anything.
fn column(text: &str, at: usize) -> usize {
    text[line_start(text, at)..at].chars().count()
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |it| it + 1)
}

/// The end of the line, before its line break.
fn line_end(text: &str, at: usize) -> usize {
    let end = text[at..].find('\n').map_or(text.len(), |it| at + it);
    if text[at..end].ends_with('\r') { end - 1 } else { end }
}

/// The length of the line break at the end of a line.
fn newline_at(text: &str, at: usize) -> usize {
    match text.as_bytes().get(at..) {
        Some([b'\r', b'\n', ..]) => 2,
        Some([b'\n', ..]) => 1,
        _ => 0,
    }
}

fn newline(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes an edit of the first document of a text.
    fn edited(text: &str, edit: impl for<'d> Fn(Node<'d>) -> Option<Edit>) -> Option<String> {
        let file = File::new("a.yaml", text.as_bytes().to_vec());
        let parsed = parse(&file, &Limits::default());
        let edit = edit(parsed.documents[0].root())?;
        let out = apply(text, &[edit]);
        assert!(still_reads(&file, &out), "{out}");
        Some(out)
    }

    #[test]
    fn items_go_where_the_others_are() {
        let add = |root: Node<'_>| add_items(root.get("a")?, &["y", "on", "z-*"]);
        for (text, wanted) in [
            ("a: [x] # why\n", "a: [x, \"y\", \"on\", z-*] # why\n"),
            ("a:\n- x # why\nb: 1\n", "a:\n- x # why\n- \"y\"\n- \"on\"\n- z-*\nb: 1\n"),
            ("a:\n    - x", "a:\n    - x\n    - \"y\"\n    - \"on\"\n    - z-*"),
            ("a:\n-   x\n", "a:\n-   x\n-   \"y\"\n-   \"on\"\n-   z-*\n"),
            ("{\"a\": [\"x\"]}\n", "{\"a\": [\"x\", \"y\", \"on\", \"z-*\"]}\n"),
            ("a:\r\n  - x\r\nb: 1\r\n", "a:\r\n  - x\r\n  - \"y\"\r\n  - \"on\"\r\n  - z-*\r\nb: 1\r\n"),
        ] {
            assert_eq!(edited(text, add).as_deref(), Some(wanted), "{text}");
        }
        assert_eq!(edited("b: &x [x]\na: *x\n", add), None, "an alias stands for text elsewhere");
        assert_eq!(edited("a: []\n", add), None);
    }

    #[test]
    fn items_go_with_their_lines_and_the_last_one_stays() {
        let remove = |root: Node<'_>| {
            let list = root.get("a")?;
            remove_item(list, list.items().find(|it| it.as_str() == Some("x"))?)
        };
        for (text, wanted) in [
            ("a: [x, y] # both\n", "a: [y] # both\n"),
            ("a: [y, 'x']\n", "a: [y]\n"),
            ("a: [y, x, z]\n", "a: [y, z]\n"),
            ("a:\n- x # gone\n# about y\n- y\nb: 1\n", "a:\n# about y\n- y\nb: 1\n"),
            ("a:\r\n  - y\r\n  - x\r\nb: 1\r\n", "a:\r\n  - y\r\nb: 1\r\n"),
            ("a:\n- é\n- \"x\"", "a:\n- é\n"),
        ] {
            assert_eq!(edited(text, remove).as_deref(), Some(wanted), "{text}");
        }
        for text in ["a: [x]\n", "a:\n- x\n", "b: &x [x, y]\na: *x\n"] {
            assert_eq!(edited(text, remove), None, "{text}");
        }
    }

    #[test]
    fn what_aliases_repeat_is_told() {
        let told = |text: &str| {
            let file = File::new("a.yaml", text.as_bytes().to_vec());
            repeated(&file).iter().map(|it| file.slice(*it).to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(told("a: &l [x, y]\nb: *l\nc: [z]\n"), ["x, y]", "y]"]);
        assert_eq!(told("a: &l\n- x # why\nb: *l\n"), ["x # why"]);
        assert_eq!(told("a: &s x\nb: *s\n"), ["x"]);
        assert_eq!(told("a: x & y\nb: 'x'\n"), [""; 0]);
    }

    #[test]
    fn keys_are_set_beside_the_others() {
        let set = |root: Node<'_>| set(root.get("a")?, "m", &Text::String("v w"), Some("x"));
        for (text, wanted) in [
            ("a: { x: 1, y: 2 }\n", "a: { x: 1, m: \"v w\", y: 2 }\n"),
            ("a:\n  x: 1 # one\n  y: 2\n", "a:\n  x: 1 # one\n  m: \"v w\"\n  y: 2\n"),
            (
                "a:\n  x:\n    deep: 1\n  # about y\n  y: 2\n",
                "a:\n  x:\n    deep: 1\n  m: \"v w\"\n  # about y\n  y: 2\n",
            ),
            ("a:\n  y: 2\n  m: old # why\n", "a:\n  y: 2\n  m: \"v w\" # why\n"),
            ("{\"a\": {\"x\": 1}}", "{\"a\": {\"x\": 1, \"m\": \"v w\"}}"),
        ] {
            assert_eq!(edited(text, set).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn maps_are_written_in_the_style_around_them() {
        let set = |root: Node<'_>| set(root.get("a")?, "m", &Text::Map(vec![("k/o", ""), ("l", "1")]), None);
        assert_eq!(edited("a: { x: 1 }\n", set).as_deref(), Some("a: { x: 1, m: { k/o: \"\", l: \"1\" } }\n"));
        assert_eq!(
            edited("a:\n   x: 1\n", set).as_deref(),
            Some("a:\n   x: 1\n   m:\n     k/o: \"\"\n     l: \"1\"\n")
        );
    }

    #[test]
    fn entries_go_with_their_lines_and_dashes_stay() {
        let remove = |root: Node<'_>| {
            let map = root.get("a").and_then(|it| it.items().next())?;
            remove(map, map.get("x")?)
        };
        for (text, wanted) in [
            ("a: [{ x: 1, y: 2 }]\n", "a: [{ y: 2 }]\n"),
            ("a: [{ y: 2, x: [1, 2] }]\n", "a: [{ y: 2 }]\n"),
            ("a:\n  - x: 1\n    y: 2\n", "a:\n  - y: 2\n"),
            (
                "a:\n  - y: 2 # two\n    x: [1] # one\n    # about z\n    z: 3\n",
                "a:\n  - y: 2 # two\n    # about z\n    z: 3\n",
            ),
            ("a:\n  - y: 2\n    x:\n      - 1\n      - 2\nb: 1\n", "a:\n  - y: 2\nb: 1\n"),
        ] {
            assert_eq!(edited(text, remove).as_deref(), Some(wanted), "{text}");
        }
        assert_eq!(edited("a: [{ x: 1 }]\n", remove), None, "what is left would be no map");
    }

    #[test]
    fn scalars_keep_their_quotes_and_items_may_become_several() {
        let several = |root: Node<'_>| replace_item(root.get("a")?, root.get("a")?.items().next()?, &["p", "q"]);
        assert_eq!(edited("a: ['*', z]\n", several).as_deref(), Some("a: ['p', 'q', z]\n"));
        assert_eq!(edited("a:\n- \"*\" # all\n- z\n", several).as_deref(), Some("a:\n- \"p\"\n- \"q\" # all\n- z\n"));
        let one = |root: Node<'_>| replace(root.file(), root.get("a")?.span(), "v2");
        assert_eq!(edited("a: 'v1'\n", one).as_deref(), Some("a: 'v2'\n"));
        assert_eq!(edited("a: |\n  v1\n", one), None);
    }

    #[test]
    fn edits_collide_where_they_change_the_same() {
        let edit = |start, end, text: &str| Edit { span: Span::new(start, end), text: text.to_owned() };
        assert!(collide(&edit(1, 3, "a"), &edit(2, 4, "b")));
        assert!(collide(&edit(2, 2, "a"), &edit(2, 2, "b")));
        assert!(!collide(&edit(1, 2, "a"), &edit(2, 3, "b")));
        assert!(!collide(&edit(1, 2, "a"), &edit(1, 2, "a")), "both want the same");
        assert_eq!(apply("abcd", &[edit(3, 4, ""), edit(1, 1, "X")]), "aXbc");
    }
}
