//! `exclude` must leave something of what `match` takes.

use super::{Draft, given};
use crate::{
    document::{Kind, Node},
    policy::matching::Join,
};

const MESSAGE: &str = "Rule is matching an empty set";

pub(super) fn check(draft: &Draft<'_>, rule: Node<'_>) {
    let (Some(matching), Some(exclude)) = (given(rule, "match"), given(rule, "exclude")) else { return };
    match (form(matching), form(exclude)) {
        (Join::Any, Join::Any) => {
            let taken =
                |filter: Node<'_>| matching.get("any").into_iter().flat_map(Node::items).any(|it| equal(it, filter));
            for filter in exclude.get("any").into_iter().flat_map(Node::items).filter(|it| it.len() > 0) {
                if taken(filter) {
                    draft.refuse_key(filter, MESSAGE, "`match` has the very same filter: remove one of them");
                }
            }
        }
        (Join::Direct, Join::Direct) if covers(exclude, matching) => {
            draft.refuse_key(exclude, MESSAGE, "everything that `match` takes is excluded here");
        }
        _ => {}
    }
}

fn form(block: Node<'_>) -> Join {
    let given = |key| given(block, key).is_some_and(|it| it.len() > 0);
    match (given("any"), given("all")) {
        (true, _) => Join::Any,
        (false, true) => Join::All,
        (false, false) => Join::Direct,
    }
}

/// Whether two trees hold the same.
pub(crate) fn equal(a: Node<'_>, b: Node<'_>) -> bool {
    match (a.kind(), b.kind()) {
        (Kind::Map, Kind::Map) => {
            a.len() == b.len() && a.entries().all(|(key, value)| b.get(key).is_some_and(|other| equal(value, other)))
        }
        (Kind::List, Kind::List) => a.len() == b.len() && a.items().zip(b.items()).all(|(a, b)| equal(a, b)),
        (a, b) => a == b,
    }
}

/// Whether a direct `exclude` takes everything that a direct `match` takes: whatever it asks for, `match` asks for the
/// same or for less.
fn covers(exclude: Node<'_>, matching: Node<'_>) -> bool {
    let mut asks = false;
    let mut holds = |exclude: Option<Node<'_>>, matching: Option<Node<'_>>| {
        let Some(exclude) = exclude.filter(|it| !it.is_null() && (it.len() > 0 || it.as_str().is_some())) else {
            return true;
        };
        asks = true;
        matching.is_some_and(|matching| is_within(matching, exclude))
    };
    let users = ["subjects", "roles", "clusterRoles"].iter().all(|key| holds(exclude.get(key), matching.get(key)));
    let resources = exclude
        .get("resources")
        .into_iter()
        .flat_map(Node::entries)
        .all(|(key, value)| holds(Some(value), matching.at(&["resources", key])));
    asks && users && resources
}

/// Whether what `inner` asks for is among what `outer` lists; of maps and texts, whether both are the same.
fn is_within(inner: Node<'_>, outer: Node<'_>) -> bool {
    if inner.is_list() && outer.is_list() {
        return inner.len() > 0 && inner.items().all(|item| outer.items().any(|it| equal(it, item)));
    }
    equal(inner, outer)
}
