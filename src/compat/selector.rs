//! `--test-case-selector`: which expectations of a suite are looked at.
//!
//! In: `policy=P,rule=R,resource=S` with wildcards. Out: whether an expectation is meant, and which of its resources.

use super::suite::Expectation;
use crate::k8s::wildcard::Wildcard;

/// Which expectations are looked at.
#[derive(Debug)]
pub(crate) struct Selector {
    policy: Wildcard,
    rule: Wildcard,
    resource: Wildcard,
    /// Every resource is meant.
    any_resource: bool,
}

impl Selector {
    /// Reads a selector; `Err` with what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (mut policy, mut rule, mut resource) = ("*", "*", "*");
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
                Some(("policy", value)) => policy = value,
                Some(("rule", value)) => rule = value,
                Some(("resource", value)) => resource = value,
                _ => return Err(format!("`{part}` is none of policy=NAME, rule=NAME, resource=NAME")),
            }
        }
        Ok(Self {
            policy: Wildcard::new(policy),
            rule: Wildcard::new(rule),
            resource: Wildcard::new(resource),
            any_resource: resource == "*",
        })
    }

    /// The part of an expectation that is meant. What an expectation doesn't name is never a reason to leave it out.
    pub(crate) fn select(&self, expected: &Expectation) -> Option<Expectation> {
        let meant = |wildcard: &Wildcard, name: &str| name.is_empty() || wildcard.matches(name);
        if !meant(&self.policy, &expected.policy) || !meant(&self.rule, &expected.rule) {
            return None;
        }
        let mut expected = expected.clone();
        if let Some(names) = expected.resources.as_mut().filter(|names| !self.any_resource && !names.is_empty()) {
            names.retain(|name| {
                let own = name.rsplit('/').next().unwrap_or_default();
                self.resource.matches(name) || self.resource.matches(own)
            });
            if names.is_empty() {
                return None;
            }
        }
        Some(expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expectation_is_cut_down_to_the_resources_that_are_meant() {
        let expected = Expectation {
            policy: "ns/limits".to_owned(),
            resources: Some(vec!["shop/web".to_owned(), "db".to_owned()]),
            ..Expectation::default()
        };
        let select = |text: &str| Selector::parse(text).expect("a selector").select(&expected).map(|it| it.resources);
        assert_eq!(select("policy=*,rule=*,resource=*"), Some(expected.resources.clone()));
        assert_eq!(select("policy=*limits, rule=other, resource=w*"), Some(Some(vec!["shop/web".to_owned()])));
        assert_eq!(select("policy=nope"), None);
        assert_eq!(select("resource=nope"), None);
        assert!(Selector::parse("polcy=x").is_err());
    }
}
