//! `match` and `exclude`: something must be asked for, and selectors, users and roles must be well formed.

use super::{Draft, given};
use crate::{
    document::Node,
    policy::{
        error::Problem,
        fields::Problems,
        matching::{self, KINDS_OF_SUBJECTS},
    },
};

pub(super) fn check_rule(draft: &Draft<'_>, rule: Node<'_>) {
    let Some(matching) = given(rule, "match") else {
        draft.refuse_key(rule, "match resources not specified", "add `match` with the kinds that the rule is for");
        return;
    };
    demands(draft, matching);
    for block in [Some(matching), given(rule, "exclude")].into_iter().flatten() {
        filters(block, draft.problems);
    }
}

/// Whether a `match` block of a policy asks for anything.
fn demands(draft: &Draft<'_>, block: Node<'_>) {
    let lists: Vec<_> =
        ["any", "all"].into_iter().filter_map(|key| given(block, key)).filter(|it| it.len() > 0).collect();
    let direct = given(block, "resources").filter(|it| it.len() > 0);
    match (lists.first(), direct) {
        (Some(list), Some(direct)) => {
            let message = "can't specify any/all together with match resources";
            draft.refuse_key(direct, message, format!("move `resources` into a filter of `{}`", list.key()));
        }
        (None, None) => {
            let message = "match resources not specified";
            draft.refuse_key(block, message, "add `any` with a filter that names kinds");
        }
        (None, Some(direct)) => kinds(draft, direct),
        (Some(_), None) => {}
    }
    for filter in lists.into_iter().flat_map(Node::items) {
        kinds(draft, given(filter, "resources").unwrap_or(filter));
    }
}

fn kinds(draft: &Draft<'_>, resources: Node<'_>) {
    if given(resources, "kinds").is_none_or(|kinds| kinds.len() == 0) {
        let message = "at least one element must be specified in a kind block, the kind attribute is mandatory when working with the resources element";
        draft.refuse_key(resources, message, "add `kinds`");
    }
}

/// The filters of a block, whatever its form.
pub(super) fn of_block(block: Node<'_>) -> Vec<Node<'_>> {
    let listed: Vec<_> = ["any", "all"].into_iter().filter_map(|key| given(block, key)).flat_map(Node::items).collect();
    if listed.is_empty() { vec![block] } else { listed }
}

/// Notes what is wrong in the filters of a block, of a policy or of an exception.
pub(crate) fn filters(block: Node<'_>, problems: &Problems) {
    for filter in of_block(block) {
        if let Some(selector) = filter.at(&["resources", "selector"]).filter(|it| !it.is_null()) {
            check_selector(selector, problems);
        }
        for subject in filter.get("subjects").into_iter().flat_map(Node::items) {
            check_subject(subject, problems);
        }
        for role in filter.get("roles").into_iter().flat_map(Node::items) {
            if role.as_str().is_some_and(|text| text.split(':').count() != 2) {
                let message = "namespace is required for a role: it is written as namespace:name";
                problems.at(role, Problem::invalid_with(message, "write `NAMESPACE:NAME`"));
            }
        }
    }
}

fn check_selector(node: Node<'_>, problems: &Problems) {
    // What can't be read at all was noted when the policy was compiled.
    let scratch = Problems::default();
    let Some(selector) = matching::decode_selector(node, &scratch) else { return };
    if scratch.is_empty()
        && !selector.has_wildcards()
        && let Err(error) = selector.validate()
    {
        let message = if selector.is_empty() { error.to_string() } else { format!("selector: Invalid value: {error}") };
        problems.at_span(
            node,
            node.heading(),
            Problem::invalid_with(message, "add `matchLabels` or `matchExpressions`, or remove `selector`"),
        );
    }
}

fn check_subject(subject: Node<'_>, problems: &Problems) {
    let kind = subject.str_at(&["kind"]).unwrap_or_default();
    if !KINDS_OF_SUBJECTS.contains(&kind) {
        let message =
            format!("kind: Unsupported value: \"{kind}\": supported values: \"User\", \"Group\", \"ServiceAccount\"");
        problems.at(subject.get("kind").unwrap_or(subject), Problem::invalid_with(message, "write one of them"));
    } else if kind == "ServiceAccount" && subject.str_at(&["namespace"]).is_none_or(str::is_empty) {
        let message = "namespace: Required value: namespace is required when kind is ServiceAccount";
        problems.at_span(subject, subject.heading(), Problem::invalid_with(message, "add `namespace`"));
    }
}

/// Where a block asks for the user: the lists of subjects and roles in it.
pub(crate) fn user_info<'d>(block: Node<'d>) -> Vec<Node<'d>> {
    let of = |filter: Node<'d>| super::given_of(filter, &["subjects", "roles", "clusterRoles"]);
    of_block(block).into_iter().flat_map(of).filter(|list| list.len() > 0).collect()
}
