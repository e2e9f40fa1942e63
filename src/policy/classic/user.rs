//! Whether an expression may read who makes a request.
//!
//! A member of `request` can be written in many ways (`request."userInfo"`, `request | @.userInfo`, `request.*`). What
//! is not plainly another member counts as a reading: in doubt a verdict takes to know who asks.

/// Members of `request` that tell who asks.
const WHO: [&str; 3] = ["userInfo", "roles", "clusterRoles"];

/// Variables that are made of them.
const VARIABLES: [&str; 2] = ["serviceAccountName", "serviceAccountNamespace"];

/// Whether a text may read who asks: one with variables, or an expression itself.
pub(super) fn is_read(expression: &str) -> bool {
    if expression.contains("userInfo") {
        return true;
    }
    // Fields of objects have the same names.
    let is_field = |before: &str| before.trim_end_matches('"').ends_with('.');
    if VARIABLES.iter().any(|name| expression.match_indices(name).any(|(at, _)| !is_field(&expression[..at]))) {
        return true;
    }
    expression.match_indices("request").any(|(at, word)| {
        let before = expression[..at].chars().next_back();
        let after = &expression[at + word.len()..];
        let is_part = |it: char| it.is_alphanumeric() || matches!(it, '_' | '-' | '.' | '/');
        let is_word = !before.is_some_and(is_part)
            && !after.starts_with(|it: char| it.is_alphanumeric() || matches!(it, '_' | '-' | '/'));
        is_word && !is_other_member(after)
    })
}

/// Whether what follows `request` names a member that tells nothing of who asks.
fn is_other_member(after: &str) -> bool {
    let after = after.strip_prefix('"').unwrap_or(after);
    let Some(member) = after.strip_prefix('.') else { return false };
    let member = member.strip_prefix('"').unwrap_or(member);
    let end = member.find(|it: char| !it.is_alphanumeric() && it != '_').unwrap_or(member.len());
    end > 0 && !WHO.contains(&&member[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_it_is_seen() {
        for text in [
            "{{ request.userInfo.username }}",
            "{{ request.\"userInfo\".username || 'bob' }}",
            "{{ request . userInfo.username || 'bob' }}",
            "{{ request | @.userInfo.username || 'bob' }}",
            "{{ request.{u: userInfo.username}.u || 'bob' }}",
            "{{ request.[userInfo.username][0] || 'bob' }}",
            "{{ [request][0].userInfo.username || 'bob' }}",
            "{{ request.*.username | [0] || 'bob' }}",
            "{{ request.\"roles\" || 'bob' }}",
            "{{ request.clusterRoles }}",
            "{{ to_string(request) }}",
            "{{request || 'bob'}}",
            "a {{ request.object.{{ element }} }} b {{ request }}",
            "{{ serviceAccountNamespace }}",
            "to_string(request)",
        ] {
            assert!(is_read(text), "{text}");
        }
    }

    #[test]
    fn other_members_and_words_are_none() {
        for text in [
            "{{ request.object.spec.roles }}",
            "{{ request.\"object\".metadata.name }}",
            "{{ request.operation || 'BACKGROUND' }}",
            "{{ element.resources.requests.cpu }}",
            "{{ element.request.cpu }}",
            "{{ request.object.spec.serviceAccountName }}",
            "{{ request.object.spec.\"serviceAccountName\" || 'default' }}",
        ] {
            assert!(!is_read(text), "{text}");
        }
    }
}
