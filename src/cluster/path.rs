//! Paths of the API server, and what their queries narrow lists to.

use std::borrow::Cow;

use super::Resources;
use crate::{document::Node, k8s::label_selector::LabelSelector};

/// A path of the API server, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ApiPath<'p> {
    /// The kind.
    pub resources: Resources<'p>,
    /// The namespace; `None` for all, or for what lives outside of them.
    pub namespace: Option<&'p str>,
    /// The object; `None` for a list.
    pub name: Option<&'p str>,
}

impl<'p> ApiPath<'p> {
    /// Reads `/api/v1/…` and `/apis/GROUP/VERSION/…`, without a query.
    pub(super) fn parse(path: &'p str) -> Option<Self> {
        if path.contains('?') {
            return None;
        }
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, plural, name) = match rest {
            ["namespaces", namespace, plural] => (Some(*namespace), *plural, None),
            ["namespaces", namespace, plural, name] => (Some(*namespace), *plural, Some(*name)),
            [plural] => (None, *plural, None),
            [plural, name] => (None, *plural, Some(*name)),
            _ => return None,
        };
        Some(Self { resources: Resources { group, version, plural }, namespace, name })
    }
}

/// What the query of a path leaves of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Narrowing {
    labels: LabelSelector,
    /// The most items; `None` for all.
    limit: Option<usize>,
}

impl Narrowing {
    /// Reads `labelSelector=…&limit=…`; `None` for a query that asks for anything else.
    pub(super) fn parse(query: &str) -> Option<Self> {
        let mut out = Self::default();
        for pair in query.split('&').filter(|it| !it.is_empty()) {
            let (key, value) = pair.split_once('=')?;
            let value = decoded(value)?;
            match key {
                "labelSelector" => out.labels = selector(&value)?,
                // The API server takes 0 for no limit.
                "limit" => out.limit = Some(value.parse().ok()?).filter(|it| *it > 0),
                _ => return None,
            }
        }
        Some(out)
    }

    /// The items that are left.
    pub(super) fn narrow<'n>(&self, items: impl Iterator<Item = Node<'n>>) -> Vec<Node<'n>> {
        let is_selected = |node: &Node<'n>| {
            let labels = node.at(&["metadata", "labels"]).into_iter().flat_map(Node::entries);
            let labels: Vec<_> = labels.filter_map(|(key, value)| Some((key, value.as_str()?))).collect();
            self.labels.matches(labels.iter().copied())
        };
        items.filter(is_selected).take(self.limit.unwrap_or(usize::MAX)).collect()
    }
}

/// A label selector as text: `app=x,tier!=y,env in (a, b),!old`.
fn selector(text: &str) -> Option<LabelSelector> {
    let mut out = LabelSelector::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let bracket = rest.find('(').filter(|at| rest.find(',').is_none_or(|comma| at < &comma));
        let end = match bracket {
            Some(_) => rest.find(')')? + 1,
            None => rest.find(',').unwrap_or(rest.len()),
        };
        let requirement = rest[..end].trim();
        let (key, operator, values) = if bracket.is_some() {
            let (head, values) = requirement.strip_suffix(')')?.split_once('(')?;
            let (key, word) = head.trim().split_once(char::is_whitespace)?;
            let operator = match word.trim() {
                "in" => "In",
                "notin" => "NotIn",
                _ => return None,
            };
            (key, operator, values.split(',').map(str::trim).collect())
        } else if let Some((key, value)) = requirement.split_once("!=") {
            (key, "NotIn", vec![value.trim()])
        } else if let Some((key, value)) = requirement.split_once("==").or_else(|| requirement.split_once('=')) {
            (key, "In", vec![value.trim()])
        } else if let Some(key) = requirement.strip_prefix('!') {
            (key, "DoesNotExist", Vec::new())
        } else {
            (requirement, "Exists", Vec::new())
        };
        out.match_expression(key.trim(), operator, values).ok()?;
        rest = rest[end..].trim_start();
        if !rest.is_empty() {
            rest = rest.strip_prefix(',')?.trim_start();
        }
    }
    (out.is_empty() || out.validate().is_ok()).then_some(out)
}

/// A value of a query as it is meant: `%3D` is `=`, `+` a space.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_api_server_are_taken_apart() {
        let parsed = ApiPath::parse("/apis/apps/v1/namespaces/x/deployments/d").expect("a path");
        assert_eq!((parsed.resources.group, parsed.resources.plural, parsed.name), ("apps", "deployments", Some("d")));
        let parsed = ApiPath::parse("/api/v1/namespaces/x").expect("a path");
        assert_eq!((parsed.resources.plural, parsed.name), ("namespaces", Some("x")));
    }
    #[test]
    fn selectors_of_queries_are_read() {
        let read = |query: &str| Narrowing::parse(query).map(|it| it.labels);
        let selects = |query: &str, labels: &[(&str, &str)]| {
            read(query).expect("a query that is read").matches(labels.iter().copied())
        };
        for query in [
            "labelSelector=app%3Dx",
            "labelSelector=app=x",
            "labelSelector=app==x,tier",
            "labelSelector=app+in+(x,%20y),tier!=back",
            "labelSelector=app%20notin%20%28z%29&limit=5",
            "labelSelector=!old",
            "labelSelector=",
            "",
        ] {
            assert!(selects(query, &[("app", "x"), ("tier", "front")]), "{query}");
        }
        for query in ["labelSelector=app=y", "labelSelector=!app", "labelSelector=app,none", "labelSelector=app in (z)"]
        {
            assert!(!selects(query, &[("app", "x")]), "{query}");
        }
        for query in ["fieldSelector=a%3Db", "labelSelector=a>5", "labelSelector=(", "labelSelector=a%3", "limit=x"] {
            assert_eq!(read(query), None, "{query}");
        }
        assert_eq!(Narrowing::parse("limit=2").and_then(|it| it.limit), Some(2));
        assert_eq!(Narrowing::parse("limit=0").map(|it| it.limit), Some(None));
    }
}
