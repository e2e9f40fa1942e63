//! Paths of the API server.

use super::Resources;

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
    /// Reads `/api/v1/…` and `/apis/GROUP/VERSION/…`; paths with a query are not read.
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
}
