//! What the texts of a rule may hold beside the policy's own words.
//!
//! In: a compiled rule. Out: whether its messages quote the resource, and whether it reads Secrets of the cluster. In
//! doubt the answer is yes.

use super::{
    condition::Conditions,
    context::{ContextEntry, Source},
    model::{Body, Check, ForEach, Rule, Validate},
    mutate::Change,
};
use crate::expr::template::{Template, variables};

impl Rule {
    /// Whether a message of the rule may hold more than what stands in the policy.
    pub(crate) fn quotes(&self) -> bool {
        self.preconditions.as_ref().is_some_and(conditions_quote)
            || match &self.body {
                Body::Validate(validate) => validate_quotes(validate),
                Body::Mutate(_) | Body::Generate(_) | Body::VerifyImages(_) | Body::Nothing => true,
            }
    }

    /// Whether the rule may read a Secret that it does not judge.
    pub(crate) fn reads_secrets(&self) -> bool {
        let in_body = match &self.body {
            Body::Validate(Validate { check: Check::ForEach(items), .. }) => items.iter().any(item_reads_secrets),
            Body::Validate(Validate { check: Check::Cel(cel), .. }) => cel.reads_secrets(),
            Body::Mutate(block) => change_reads_secrets(&block.change),
            _ => false,
        };
        in_body || self.context.iter().any(entry_reads_secrets)
    }
}

fn template_quotes(template: &Template) -> bool {
    template.plain().is_none()
}

fn validate_quotes(validate: &Validate) -> bool {
    validate.message.as_ref().is_some_and(template_quotes) || check_quotes(&validate.check)
}

fn check_quotes(check: &Check) -> bool {
    match check {
        Check::Pattern(_) | Check::AnyPattern(_) | Check::Deny(None, _) | Check::Nothing => false,
        Check::Deny(Some(conditions), _) => conditions_quote(conditions),
        Check::ForEach(items) => {
            items.iter().any(|it| it.preconditions.as_ref().is_some_and(conditions_quote) || check_quotes(&it.check))
        }
        Check::Cel(cel) => cel.body.quotes(),
        Check::PodSecurity(_) | Check::Manifests(_) => true,
    }
}

fn conditions_quote(conditions: &Conditions) -> bool {
    conditions.iter().filter_map(|it| it.message.as_ref()).any(template_quotes)
}

fn item_reads_secrets(item: &ForEach) -> bool {
    let nested = match &item.check {
        Check::ForEach(items) => items.iter().any(item_reads_secrets),
        _ => false,
    };
    nested || item.context.iter().any(entry_reads_secrets)
}

fn change_reads_secrets(change: &Change) -> bool {
    match change {
        Change::ForEach(items) => {
            items.iter().any(|it| it.context.iter().any(entry_reads_secrets) || change_reads_secrets(&it.change))
        }
        Change::Merge(_) | Change::JsonPatch(_) | Change::Nothing => false,
    }
}

fn entry_reads_secrets(entry: &ContextEntry) -> bool {
    match &entry.source {
        Source::ApiCall { url_path: Some(path), .. } => may_name_secrets(path.source()),
        // What an entry of the global context holds is decided elsewhere.
        Source::Global { .. } => true,
        Source::ApiCall { url_path: None, .. }
        | Source::Variable { .. }
        | Source::ConfigMap { .. }
        | Source::ImageRegistry { .. } => false,
    }
}

/// Whether a path on the API server, variables in it, may lead to Secrets: `/api/v1/secrets…`,
/// `/api/v1/namespaces/NAME/secrets…`.
fn may_name_secrets(path: &str) -> bool {
    let mut plain = String::new();
    let mut end = 0;
    for (start, stop) in variables(path) {
        plain.push_str(&path[end..start.max(end)]);
        plain.push('\0');
        end = stop.max(end);
    }
    plain.push_str(&path[end..]);
    let plain = plain.split('?').next().unwrap_or_default().to_lowercase();
    let parts: Vec<&str> = plain.split('/').filter(|it| !it.is_empty()).collect();
    let may_be = |part: Option<&&str>, word: &str| part.is_none_or(|it| *it == word || it.contains('\0'));
    if !may_be(parts.first(), "api") {
        return false;
    }
    match parts.get(2) {
        Some(part) if *part == "namespaces" => parts.len() > 4 && may_be(parts.get(4), "secrets"),
        Some(part) if part.contains('\0') => true,
        part => may_be(part, "secrets"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_secrets_unless_it_can_only_name_something_else() {
        for (path, may) in [
            ("/api/v1/secrets", true),
            ("/api/v1/namespaces/a/secrets/b", true),
            ("/api/v1/namespaces/{{ request.namespace }}/secrets", true),
            ("/api/v1/namespaces/{{ns}}/{{kind}}/x", true),
            ("/api/v1/{{ path }}", true),
            ("{{ path }}", true),
            ("/api/v1/namespaces/{{ns}}/configmaps/secrets", false),
            ("/api/v1/namespaces/{{ns}}", false),
            ("/api/v1/namespaces", false),
            ("/api/v1/pods?labelSelector=secrets", false),
            ("/apis/apps/v1/namespaces/{{ns}}/{{kind}}", false),
        ] {
            assert_eq!(may_name_secrets(path), may, "{path}");
        }
    }
}
