//! Kinds that a rule may not ask for: `*` in most rules, subresources in background mode.

use super::{Draft, filters, given};
use crate::{
    document::Node,
    k8s::gvk::{KindPattern, builtins_of_kind, has_subresource, is_subresource_kind},
    policy::{Measure, classic::pattern::Anchor},
};

pub(super) fn check(draft: &Draft<'_>, rule: Node<'_>) {
    let Some(matching) = given(rule, "match") else { return };
    for filter in filters::of_block(matching) {
        let Some(kinds) = filter.at(&["resources", "kinds"]) else { continue };
        if let Some(star) = kinds.items().find(|kind| kind.as_str() == Some("*")) {
            everything(draft, rule, kinds, star);
        }
        // Kyverno: its command line knows no subresources, and rules that generate may be triggered by them.
        if draft.background() && draft.measure == Measure::Cluster && given(rule, "validate").is_some() {
            kinds.items().for_each(|kind| subresource(draft, kind));
        }
    }
}

/// A policy all of whose kinds are none of the API server's is refused; of custom kinds nobody here knows.
pub(super) fn exist(draft: &Draft<'_>) {
    if draft.measure == Measure::CommandLine {
        return;
    }
    let blocks = draft.declared().filter_map(|rule| given(rule.object(), "match"));
    let kinds: Vec<_> = blocks
        .flat_map(filters::of_block)
        .filter_map(|filter| filter.at(&["resources", "kinds"]))
        .flat_map(Node::items)
        .collect();
    if kinds.iter().all(|kind| is_impossible(kind.as_str().unwrap_or_default())) {
        for kind in kinds {
            let message = format!(
                "the kind defined in the match resource is invalid: unable to convert GVK to GVR for kinds {}",
                kind.as_str().unwrap_or_default()
            );
            draft.refuse(kind, message, "the kind has no such subresource, or no such version");
        }
    }
}

/// Whether an entry asks for a subresource that its kind can't have, or for another version of the core group than the
/// only one.
fn is_impossible(entry: &str) -> bool {
    let pattern = KindPattern::parse(entry);
    let Some((group, version, kind, subresource)) = pattern.parts() else { return false };
    let is_literal = |text: &str| !text.is_empty() && !text.contains(['*', '?']);
    if builtins_of_kind(kind).next().is_none() {
        return false;
    }
    let is_core = matches!(group, "" | "*") && builtins_of_kind(kind).all(|it| it.group.is_empty());
    is_literal(subresource) && !has_subresource(kind, subresource) || is_core && is_literal(version) && version != "v1"
}

/// A rule for every kind there is.
fn everything(draft: &Draft<'_>, rule: Node<'_>, kinds: Node<'_>, star: Node<'_>) {
    if draft.background() {
        let message = "wildcard policy not allowed in background mode. Set spec.background=false to disable background mode for this policy rule";
        draft.refuse(star, message, "name the kinds, or set `background: false`");
    }
    if kinds.len() > 1 {
        draft.refuse(star, "wildcard policy can not deal with more than one kind", "remove the other kinds");
    }
    let unsupported =
        ["generate", "verifyImages"].into_iter().filter_map(|key| given(rule, key)).find(|it| it.len() > 0);
    let foreach = rule.at(&["validate", "foreach"]).filter(|it| !it.is_null());
    if let Some(body) = unsupported.or(foreach) {
        draft.refuse_key(body, "wildcard policy does not support rule type", "name the kinds that the rule is for");
    }
    if let Some(validate) = given(rule, "validate") {
        let patterns = given(validate, "pattern")
            .into_iter()
            .chain(given(validate, "anyPattern").into_iter().flat_map(Node::items));
        patterns.for_each(|pattern| only_metadata(draft, pattern));
        if let Some(conditions) = validate.at(&["deny", "conditions"]).filter(|it| it.is_list()) {
            conditions.items().filter_map(|it| it.get("key")).for_each(|key| only_metadata_key(draft, key));
        }
    }
    if let Some(patch) = rule.at(&["mutate", "patchStrategicMerge"]) {
        only_metadata(draft, patch);
    }
}

const ONLY_METADATA: &str = "wildcard policy can only deal with the metadata field of the resource";

fn only_metadata(draft: &Draft<'_>, pattern: Node<'_>) {
    for (key, value) in pattern.entries() {
        if Anchor::split(key).1 != "metadata" {
            draft.refuse_key(value, ONLY_METADATA, "name the kinds that have this field");
        }
    }
}

/// Kyverno: conditions are looked at in their old form only.
fn only_metadata_key(draft: &Draft<'_>, key: Node<'_>) {
    let Some(text) = key.as_str() else { return };
    if text.contains("request.object.") && !text.contains("request.object.metadata") {
        draft.refuse(key, ONLY_METADATA, "name the kinds that have this field");
    }
}

/// What is already there is no subresource, so a background scan could never see one.
fn subresource(draft: &Draft<'_>, kind: Node<'_>) {
    let Some(text) = kind.as_str() else { return };
    let pattern = KindPattern::parse(text);
    let of_pattern = pattern.parts().is_some_and(|(.., subresource)| !subresource.is_empty());
    if of_pattern || is_subresource_kind(pattern.kind()) {
        let message = format!("background must be set to false when the subresource `{text}` is matched");
        draft.refuse(kind, message, "set `background: false`");
    }
}
