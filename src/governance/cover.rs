//! Whether one block matches all that another does, as far as that can be told without an object.
//!
//! In: blocks and filters, before and after a change. Out: yes only where it is certain; in doubt no, so that nothing
//! that may have become narrower passes for the same.

use crate::{
    document::Node,
    expr::Value,
    k8s::{gvk::KindPattern, wildcard::Wildcard},
    policy::matching::{Block, Filter, Join, Subject},
};

/// Whether `wide` matches all that `narrow` does.
pub(super) fn block(wide: &Block, narrow: &Block) -> bool {
    let is_all = |it: &Block| it.join != Join::Any && it.filters.len() > 1;
    match (is_all(wide), is_all(narrow)) {
        (false, false) => narrow.filters.iter().all(|n| wide.filters.iter().any(|w| filter(w, n))),
        (true, true) => wide.filters.iter().all(|w| narrow.filters.iter().any(|n| filter(w, n))),
        (false, true) => wide.filters.iter().any(|w| narrow.filters.iter().any(|n| filter(w, n))),
        (true, false) => narrow.filters.iter().all(|n| wide.filters.iter().all(|w| filter(w, n))),
    }
}

/// Whether `wide` matches all that `narrow` does.
pub(super) fn filter(wide: &Filter, narrow: &Filter) -> bool {
    let asks_less = |wide: usize, narrow: usize, covers: &dyn Fn() -> bool| wide == 0 || (narrow > 0 && covers());
    let kinds = || narrow.kinds.iter().all(|n| wide.kinds.iter().any(|w| kind(w, n)));
    let texts = |wide: &[Wildcard], narrow: &[Wildcard]| narrow.iter().all(|n| wide.iter().any(|w| text(w, n)));
    let same = |it: &Option<_>, other: &Option<_>| it.is_none() || format!("{it:?}") == format!("{other:?}");
    asks_less(wide.kinds.len(), narrow.kinds.len(), &kinds)
        && asks_less(wide.names.len(), narrow.names.len(), &|| texts(&wide.names, &narrow.names))
        && asks_less(wide.namespaces.len(), narrow.namespaces.len(), &|| texts(&wide.namespaces, &narrow.namespaces))
        && asks_less(wide.operations.len(), narrow.operations.len(), &|| {
            narrow.operations.iter().all(|it| wide.operations.contains(it))
        })
        && wide.annotations.iter().all(|(key, value)| {
            narrow.annotations.iter().any(|(k, v)| k.as_str() == key.as_str() && v.as_str() == value.as_str())
        })
        && same(&wide.selector, &narrow.selector)
        && same(&wide.namespace_selector, &narrow.namespace_selector)
        && asks_less(wide.roles.len(), narrow.roles.len(), &|| narrow.roles.iter().all(|it| wide.roles.contains(it)))
        && asks_less(wide.cluster_roles.len(), narrow.cluster_roles.len(), &|| {
            narrow.cluster_roles.iter().all(|it| wide.cluster_roles.contains(it))
        })
        && asks_less(wide.subjects.len(), narrow.subjects.len(), &|| {
            narrow.subjects.iter().all(|n| wide.subjects.iter().any(|w| subject(w, n)))
        })
}

fn subject(wide: &Subject, narrow: &Subject) -> bool {
    match (wide, narrow) {
        (Subject::User(w), Subject::User(n))
        | (Subject::Group(w), Subject::Group(n))
        | (Subject::ServiceAccount(w), Subject::ServiceAccount(n)) => text(w, n),
        _ => false,
    }
}

/// Whether a pattern covers all that another one does.
pub(super) fn text(wide: &Wildcard, narrow: &Wildcard) -> bool {
    let (w, n) = (wide.as_str(), narrow.as_str());
    // A `?` would take the `*` of the other pattern for a character.
    w == n || ((narrow.literal().is_some() || !w.contains('?')) && wide.matches(n))
}

fn kind(wide: &KindPattern, narrow: &KindPattern) -> bool {
    let (Some(w), Some(n)) = (wide.parts(), narrow.parts()) else { return false };
    let part = |w: &str, n: &str| text(&Wildcard::new(w), &Wildcard::new(n));
    part(w.0, n.0) && part(w.1, n.1) && part(w.2, n.2) && part(w.3, n.3)
}

/// Whether conditions hold whenever others do: those of `any` are at least theirs, those of `all` at most. `None` stands
/// for no conditions.
pub(super) fn conditions(wide: Option<Node<'_>>, narrow: Option<Node<'_>>) -> bool {
    let Some(wide) = wide else { return true };
    let Some(narrow) = narrow else { return false };
    let list = |node: Node<'_>, key: &str| -> Option<Vec<String>> {
        let list = if node.is_list() { (key == "all").then_some(node) } else { node.get(key) };
        list.map(|it| it.items().map(|item| json(item, &["message"])).collect())
    };
    let any = match (list(wide, "any"), list(narrow, "any")) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => narrow.iter().all(|it| wide.contains(it)),
    };
    let all = match (list(wide, "all"), list(narrow, "all")) {
        (None, _) => true,
        (Some(wide), None) => wide.is_empty(),
        (Some(wide), Some(narrow)) => wide.iter().all(|it| narrow.contains(it)),
    };
    any && all
}

/// Whether a pattern demands all that another one does: the same values, and maybe more keys.
pub(super) fn pattern(strict: Node<'_>, lax: Node<'_>) -> bool {
    if strict.is_map() && lax.is_map() {
        return lax.entries().all(|(key, lax)| strict.get(key).is_some_and(|strict| pattern(strict, lax)))
            // A key that only one side has may be an anchor, which lets go of its neighbors.
            && strict.entries().all(|(key, _)| lax.get(key).is_some() || !key.starts_with(['(', '<']));
    }
    if strict.is_list() && lax.is_list() {
        return strict.len() == lax.len() && strict.items().zip(lax.items()).all(|(strict, lax)| pattern(strict, lax));
    }
    json(strict, &[]) == json(lax, &[])
}

/// A node as text, without some keys at its top.
pub(super) fn json(node: Node<'_>, without: &[&str]) -> String {
    if !node.is_map() || without.is_empty() {
        return Value::from(node).to_json();
    }
    let mut entries: Vec<(&str, String)> = node
        .entries()
        .filter(|(key, _)| !without.contains(key))
        .map(|(key, value)| (key, Value::from(value).to_json()))
        .collect();
    entries.sort_unstable();
    format!("{entries:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        document::{Document, Limits, parse},
        policy::{
            fields::Problems,
            matching::{Forms, decode_block},
        },
        span::File,
    };

    fn document(text: &str) -> Document {
        let parsed = parse(&File::new("a.yaml", text.as_bytes().to_vec()), &Limits::default());
        assert_eq!(parsed.errors, [], "{text}");
        parsed.documents.into_iter().next().unwrap()
    }

    fn blocks_cover(wide: &str, narrow: &str) -> bool {
        let of = |text: &str| {
            let document = document(&format!("match: {text}"));
            decode_block(document.root().get("match").unwrap(), Forms::Legacy, &Problems::default()).unwrap()
        };
        block(&of(wide), &of(narrow))
    }

    #[test]
    fn a_block_covers_one_that_asks_for_more() {
        for (wide, narrow, covers) in [
            ("{any: [{resources: {kinds: [Pod]}}]}", "{any: [{resources: {kinds: [Pod], names: [a]}}]}", true),
            ("{any: [{resources: {kinds: [Pod], names: [a]}}]}", "{any: [{resources: {kinds: [Pod]}}]}", false),
            ("{any: [{resources: {kinds: ['*']}}]}", "{any: [{resources: {kinds: [apps/v1/Deployment]}}]}", true),
            ("{any: [{resources: {kinds: [v1/Pod]}}]}", "{any: [{resources: {kinds: [Pod]}}]}", false),
            ("{any: [{resources: {names: ['a*']}}]}", "{any: [{resources: {names: ['ab*', abc]}}]}", true),
            ("{any: [{resources: {names: ['a?']}}]}", "{any: [{resources: {names: ['a*']}}]}", false),
            ("{any: [{resources: {kinds: [Pod]}}]}", "{any: [{resources: {kinds: [Pod, Service]}}]}", false),
            ("{any: [{resources: {kinds: [Pod]}}, {resources: {kinds: [Job]}}]}", "{resources: {kinds: [Job]}}", true),
            ("{resources: {kinds: [Pod]}}", "{all: [{resources: {kinds: [Pod]}}, {resources: {names: [a]}}]}", true),
            ("{all: [{resources: {kinds: [Pod]}}, {resources: {names: [a]}}]}", "{resources: {kinds: [Pod]}}", false),
            (
                "{any: [{resources: {kinds: [Pod], selector: {matchLabels: {a: b}}}}]}",
                "{any: [{resources: {kinds: [Pod]}}]}",
                false,
            ),
            (
                "{any: [{resources: {kinds: [Pod], operations: [CREATE]}}]}",
                "{any: [{resources: {kinds: [Pod], operations: [CREATE, UPDATE]}}]}",
                false,
            ),
        ] {
            assert_eq!(blocks_cover(wide, narrow), covers, "{wide} {narrow}");
        }
    }

    #[test]
    fn conditions_and_patterns_cover_by_what_they_list() {
        let a = "{key: a, operator: Equals, value: 1}";
        let b = "{key: b, operator: Equals, value: 1}";
        let holds = |wide: &str, narrow: &str| conditions(Some(document(wide).root()), Some(document(narrow).root()));
        assert!(holds(&format!("{{all: [{a}]}}"), &format!("{{all: [{a}, {b}]}}")));
        assert!(!holds(&format!("{{all: [{a}, {b}]}}"), &format!("{{all: [{a}]}}")));
        assert!(holds(&format!("{{any: [{a}, {b}]}}"), &format!("{{any: [{a}]}}")));
        assert!(!holds(&format!("{{any: [{a}]}}"), &format!("{{any: [{a}, {b}]}}")));
        let demands = |strict: &str, lax: &str| pattern(document(strict).root(), document(lax).root());
        assert!(demands("{a: 1, b: 2}", "{a: 1}"));
        assert!(!demands("{a: 1}", "{a: 1, b: 2}"));
        assert!(!demands("{a: '*'}", "{a: 1}"));
        assert!(!demands("{a: 1, (b): 2}", "{a: 1}"));
    }
}
