//! The text of a file with a changed object in it: what did not change stays as it was written, comments included.
//!
//! In: objects as they stand in a file, and what became of them. Out: the new text. Values are replaced in their places,
//! entries and items of block style are added and taken out as whole lines; whatever is written in flow style is written
//! anew as a whole. A text that would not read back as wanted is not used: then the object is written anew.

use serde_json::Value as Json;

use crate::{
    document::{Limits, Node, parse, resource},
    expr::Value,
    span::{File, Span},
};

/// A stretch of the file and what takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Edit {
    at: Span,
    text: String,
}

/// The text of a file after the objects in it have changed; the same text when none did.
pub(crate) fn rewrite(file: &File, objects: &[(Node<'_>, &Json)]) -> String {
    let mut edits = Vec::new();
    for (object, wanted) in objects {
        edits.extend(edits_of(*object, wanted));
    }
    apply(file.text(), Span::new(0, file.text().len() as u32), &edits)
}

/// The edits that make an object what is wanted.
fn edits_of(object: Node<'_>, wanted: &Json) -> Vec<Edit> {
    let mut edits = Vec::new();
    if change(object, wanted, &mut edits).is_some() && reads_back(object, wanted, &edits) {
        return edits;
    }
    vec![anew(object, wanted)]
}

/// The object written anew, in its place.
fn anew(object: Node<'_>, wanted: &Json) -> Edit {
    let indent = column(object.file(), start(object));
    Edit { at: object.span(), text: block(wanted, indent).trim_start().to_owned() }
}

/// Whether the text with the edits reads as wanted.
fn reads_back(object: Node<'_>, wanted: &Json, edits: &[Edit]) -> bool {
    let file = object.file();
    let whole = Span::new(0, file.text().len() as u32);
    let text = apply(file.text(), whole, edits);
    let again = File::new(file.path().as_ref(), text.into_bytes());
    let parsed = parse(&again, &Limits::default());
    // A client fills in the namespace, which then need not stand in the text.
    let plain = |json: &Json| {
        let mut json = json.clone();
        if let Some(metadata) = json.pointer_mut("/metadata").and_then(Json::as_object_mut)
            && metadata.get("namespace").and_then(Json::as_str) == Some("default")
        {
            metadata.remove("namespace");
        }
        without_nulls(json)
    };
    let wanted = plain(wanted);
    parsed.errors.is_empty()
        && parsed
            .documents
            .iter()
            .flat_map(|it| resource::objects(it.root()))
            .any(|it| plain(&Value::from(it).to_serde()) == wanted)
}

/// A client takes some nulls for empty maps, so that neither tells a difference.
fn without_nulls(json: Json) -> Json {
    match json {
        Json::Object(map) => map
            .into_iter()
            .map(|(key, item)| (key, without_nulls(item)))
            .filter(|(_, item)| !item.is_null() && item.as_object().is_none_or(|map| !map.is_empty()))
            .collect(),
        Json::Array(items) => items.into_iter().map(without_nulls).collect(),
        scalar => scalar,
    }
}

fn apply(text: &str, within: Span, edits: &[Edit]) -> String {
    let mut edits: Vec<&Edit> = edits.iter().filter(|it| within.covers(it.at)).collect();
    edits.sort_by_key(|it| it.at);
    let mut out = String::new();
    let mut from = within.start as usize;
    for edit in edits {
        let start = (edit.at.start as usize).max(from);
        out.push_str(&text[from..start]);
        out.push_str(&edit.text);
        from = (edit.at.end as usize).max(start);
    }
    out.push_str(&text[from..within.end as usize]);
    out
}

/// Notes the edits that make a value what is wanted; `None` when they can't be told.
fn change(node: Node<'_>, wanted: &Json, edits: &mut Vec<Edit>) -> Option<()> {
    if is_same(node, wanted) {
        return Some(());
    }
    match wanted {
        Json::Object(wanted) if is_block(node) && node.is_map() => map(node, wanted, edits),
        Json::Array(wanted) if is_block(node) && node.is_list() => list(node, wanted, edits),
        _ if is_block(node) => None,
        // What stands on one line, or between brackets, is replaced as a whole.
        _ => {
            edits.push(Edit { at: node.span(), text: inline(wanted) });
            Some(())
        }
    }
}

fn is_same(node: Node<'_>, wanted: &Json) -> bool {
    Value::from(node).to_serde() == *wanted
}

/// Whether a map or list is written in block style.
fn is_block(node: Node<'_>) -> bool {
    let text = node.file().slice(node.span());
    (node.is_map() || node.is_list()) && node.len() > 0 && !text.starts_with(['{', '['])
}

fn map(node: Node<'_>, wanted: &serde_json::Map<String, Json>, edits: &mut Vec<Edit>) -> Option<()> {
    let file = node.file();
    let indent = column(file, start(node));
    for (key, value) in node.entries() {
        match wanted.get(key) {
            Some(wanted) if value.key_span() == value.span() && !is_same(value, wanted) => return None,
            // A block in the place of anything else, or the other way round, takes the whole entry.
            Some(wanted) if is_block(value) != is_written_as_block(wanted) && !is_same(value, wanted) => {
                let at = Span::new(value.key_span().start, value.span().end);
                edits.push(Edit { at, text: entry(key, wanted, indent) });
            }
            Some(wanted) => change(value, wanted, edits)?,
            None => {
                let first = line_start(file, value.key_span().start);
                // The first key of an item stands behind its dash.
                if !file.text()[first..value.key_span().start as usize].trim().is_empty() {
                    return None;
                }
                edits.push(Edit {
                    at: Span::new(first as u32, line_end(file, value.span().end) as u32),
                    text: String::new(),
                });
            }
        }
    }
    let new: Vec<String> = wanted
        .iter()
        .filter(|(key, _)| node.get(key).is_none())
        .map(|(key, value)| format!("{}{}\n", " ".repeat(indent), entry(key, value, indent)))
        .collect();
    if !new.is_empty() {
        edits.push(after(file, node.span().end, &new.concat()));
    }
    Some(())
}

/// A list: the lines of each item are kept together, in the order in which they are wanted.
fn list(node: Node<'_>, wanted: &[Json], edits: &mut Vec<Edit>) -> Option<()> {
    let file = node.file();
    let items: Vec<Node<'_>> = node.items().collect();
    let mut first = line_start(file, start(node));
    let dash = file.text()[first..].find(|it| it != ' ')?;
    if !file.text()[first + dash..].starts_with('-') {
        return None;
    }
    // Comments above an item belong to it.
    while first > 0 {
        let above = line_start(file, first as u32 - 1);
        if !file.text()[above..first].trim_start().starts_with('#') {
            break;
        }
        first = above;
    }
    let mut blocks = Vec::with_capacity(items.len());
    let mut from = first;
    for item in &items {
        let end = line_end(file, item.span().end);
        blocks.push(Span::new(from as u32, end as u32));
        from = end;
    }
    let mut used = vec![false; items.len()];
    let mut out = String::new();
    for wanted in wanted {
        let free = |test: &dyn Fn(Node<'_>) -> bool| (0..items.len()).find(|at| !used[*at] && test(items[*at]));
        let name = wanted.get("name");
        let at = free(&|it| is_same(it, wanted)).or_else(|| {
            free(&|it| name.is_some() && it.get("name").is_some_and(|it| Some(&Value::from(it).to_serde()) == name))
        });
        let Some(at) = at else {
            let text = block(wanted, dash + 2);
            out.push_str(&format!("{}- {}\n", " ".repeat(dash), text.trim_start()));
            continue;
        };
        used[at] = true;
        let mut inner = Vec::new();
        change(items[at], wanted, &mut inner)?;
        let text = apply(file.text(), blocks[at], &inner);
        out.push_str(&text);
        if !text.ends_with('\n') {
            out.push('\n');
        }
    }
    let at = Span::new(first as u32, from as u32);
    if !file.slice(at).ends_with('\n') {
        out.truncate(out.trim_end_matches('\n').len());
    }
    edits.push(Edit { at, text: out });
    Some(())
}

/// New lines behind the line that holds `offset`.
fn after(file: &File, offset: u32, lines: &str) -> Edit {
    let end = line_end(file, offset);
    let is_last = !file.text()[..end].ends_with('\n');
    let text = if is_last { format!("\n{}", lines.trim_end_matches('\n')) } else { lines.to_owned() };
    Edit { at: Span::new(end as u32, end as u32), text }
}

/// Where the text of a node begins.
fn start(node: Node<'_>) -> u32 {
    node.entries().map(|(_, value)| value.key_span().start).min().unwrap_or(node.span().start).min(node.span().start)
}

fn line_start(file: &File, offset: u32) -> usize {
    file.text()[..offset as usize].rfind('\n').map_or(0, |at| at + 1)
}

/// The offset behind the line break of the line that ends at or after `offset`.
fn line_end(file: &File, offset: u32) -> usize {
    let offset = offset as usize;
    if offset > 0 && file.text().as_bytes()[offset - 1] == b'\n' {
        return offset;
    }
    file.text()[offset..].find('\n').map_or(file.text().len(), |at| offset + at + 1)
}

fn column(file: &File, offset: u32) -> usize {
    offset as usize - line_start(file, offset)
}

fn is_written_as_block(value: &Json) -> bool {
    value.as_object().is_some_and(|it| !it.is_empty()) || value.as_array().is_some_and(|it| !it.is_empty())
}

/// `key: value`, the value in block style below it where it has parts.
fn entry(key: &str, value: &Json, indent: usize) -> String {
    stepped_entry(key, value, indent, 2)
}

fn stepped_entry(key: &str, value: &Json, indent: usize, step: usize) -> String {
    let key = inline(&Json::from(key));
    if is_written_as_block(value) {
        format!("{key}:\n{}", stepped(value, indent + step, step))
    } else {
        format!("{key}: {}", inline(value))
    }
}

/// An object as YAML that every reader takes for the same, with a line break at its end.
pub(crate) fn yaml(value: &Json) -> String {
    block(value, 0) + "\n"
}

/// The same with four blanks a level, as Kyverno prints it.
pub(crate) fn wide_yaml(value: &Json) -> String {
    stepped(value, 0, 4) + "\n"
}

/// A value on one line. A text stands without quotes only if it reads back as that text: `yes` and `012` would not.
fn inline(value: &Json) -> String {
    let Json::String(text) = value else { return value.to_string() };
    let is_plain =
        !text.is_empty() && text.chars().all(|it| it.is_ascii_alphanumeric() || " ._/:*@%+=~()-".contains(it));
    let is_spaced =
        text.contains(": ") || text.ends_with([':', ' ']) || text.starts_with([' ', '-', '*', '@', '%', ':', '=', '~']);
    if is_plain && !is_spaced {
        let file = File::new("", format!("k: {text}\n").into_bytes());
        let parsed = parse(&file, &Limits::default());
        if parsed.documents.first().is_some_and(|it| it.root().str_at(&["k"]) == Some(text)) {
            return text.clone();
        }
    }
    value.to_string()
}

/// A value in block style, each line behind `indent` blanks, without the last line break.
fn block(value: &Json, indent: usize) -> String {
    stepped(value, indent, 2)
}

/// A value in block style, `step` more blanks with each level of maps.
fn stepped(value: &Json, indent: usize, step: usize) -> String {
    let blanks = " ".repeat(indent);
    let lines: Vec<String> = match value {
        Json::Object(map) if !map.is_empty() => {
            map.iter().map(|(key, value)| format!("{blanks}{}", stepped_entry(key, value, indent, step))).collect()
        }
        Json::Array(items) if !items.is_empty() => {
            items.iter().map(|item| format!("{blanks}- {}", stepped(item, indent + 2, step).trim_start())).collect()
        }
        scalar => vec![format!("{blanks}{}", inline(scalar))],
    };
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::testing;

    fn rewritten(text: &str, edit: impl Fn(&mut Json)) -> String {
        let objects = testing::objects(text);
        let mut wanted: Vec<Json> = objects.iter().map(|it| Value::from(it.node()).to_serde()).collect();
        wanted.iter_mut().for_each(edit);
        let pairs: Vec<_> = objects.iter().zip(&wanted).map(|(it, wanted)| (it.node(), wanted)).collect();
        rewrite(objects[0].node().file(), &pairs)
    }

    const POD: &str = "# a Pod\napiVersion: v1\nkind: Pod\nmetadata:\n  name: p # its name\n  labels: { a: b }\nspec:\n  \
                       containers:\n    # the first\n    - name: a\n      image: x:1\n    # the second\n    - name: b\n      \
                       image: 'y:1' # quoted\n  hostIPC: true\n";

    #[test]
    fn what_does_not_change_is_written_as_it_was() {
        assert_eq!(rewritten(POD, |_| {}), POD);
    }

    #[test]
    fn what_kyverno_prints_has_four_blanks_a_level() {
        let object = serde_json::json!({ "spec": { "items": [{ "a": "b", "c": { "d": 1 } }] } });
        assert_eq!(wide_yaml(&object), "spec:\n    items:\n        - a: b\n          c:\n              d: 1\n");
    }

    #[test]
    fn values_are_replaced_and_lines_come_and_go() {
        let text = rewritten(POD, |pod| {
            pod["metadata"]["labels"]["c"] = "d".into();
            pod["metadata"]["annotations"] = serde_json::json!({ "k": "yes" });
            pod["spec"]["containers"][1]["image"] = "r/y:1".into();
            pod["spec"].as_object_mut().expect("a map").remove("hostIPC");
        });
        let expected = POD
            .replace(" { a: b }\n", "\n    a: b\n    c: d\n  annotations:\n    k: \"yes\"\n")
            .replace("'y:1'", "r/y:1")
            .replace("  hostIPC: true\n", "");
        assert_eq!(text, expected);
    }

    #[test]
    fn items_keep_their_lines_in_another_order() {
        let text = rewritten(POD, |pod| {
            let items = pod["spec"]["containers"].as_array_mut().expect("a list");
            items.swap(0, 1);
            items[0]["tty"] = true.into();
            items.insert(0, serde_json::json!({ "name": "new", "args": ["z"] }));
        });
        let expected = "  containers:\n    - args:\n        - z\n      name: new\n    # the second\n    - name: b\n      image: 'y:1' # quoted\n      tty: true\n    # the first\n    - name: a\n      image: x:1\n  hostIPC: true\n";
        assert!(text.ends_with(expected), "{text}");
    }
}
