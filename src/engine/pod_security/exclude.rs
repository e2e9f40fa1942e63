//! What `exclude` of a rule and `podSecurity` of an exception take away from the violations of a Pod.
//!
//! In: the violations, the Pod, one entry. Out: fewer violations. Kyverno doesn't ask of each violation whether an
//! entry covers it: it checks a reduced Pod once more, and for each violation found there takes away the first violation
//! of the same field. Which one that is shows when values differ. Cases: `tests/engine/pod_security/exclude.yaml`.

use std::borrow::Cow;

use super::{Failure, Found, Violation, pod::Pod};
use crate::policy::pod_security::{Exclusion, Version};

/// Takes away what an entry exempts.
pub(super) fn subtract<'d>(
    failures: &mut Vec<Failure<'d>>,
    pod: &Pod<'d>,
    version: &Version,
    exclusion: &'d Exclusion,
) {
    let reduced =
        if exclusion.images.is_empty() { pod.without_containers() } else { pod.containers_of(&exclusion.images) };
    for failure in failures.iter_mut().filter(|failure| failure.check.control == Some(exclusion.control)) {
        for exempt in (failure.check.run)(&reduced, version) {
            if covers(exclusion, &exempt) {
                take_first(&mut failure.violations, &exempt, exclusion);
            }
        }
    }
    failures.retain(|failure| !failure.violations.is_empty());
}

/// Whether an entry is about a violation of the reduced Pod.
fn covers(exclusion: &Exclusion, violation: &Violation<'_>) -> bool {
    let allowed = |value: &str| exclusion.values.iter().any(|it| it.matches(value));
    exclusion.field.as_ref().is_none_or(|field| *field == generalized(&violation.field))
        && (exclusion.values.is_empty()
            || match &violation.found {
                // Kyverno: where there is no value, any list of values covers it.
                Found::Missing | Found::Present => true,
                Found::Value(value) => allowed(value),
                Found::Values(values) => values.iter().all(|value| allowed(value)),
            })
}

/// Takes away the first violation of the same field, and of the same container if the entry is about containers. The
/// last one takes its place.
fn take_first(violations: &mut Vec<Violation<'_>>, exempt: &Violation<'_>, exclusion: &Exclusion) {
    let same = |violation: &Violation<'_>| {
        generalized(&violation.field) == generalized(&exempt.field)
            && (exclusion.images.is_empty() || violation.place.name() == exempt.place.name())
    };
    if let Some(index) = violations.iter().position(same) {
        violations.swap_remove(index);
    }
}

/// A field with `*` for each index: `spec.containers[*].ports[*].hostPort`.
fn generalized(field: &str) -> Cow<'_, str> {
    let mut out = Cow::Borrowed(field);
    let mut from = 0;
    while let Some(open) = out[from..].find('[').map(|it| from + it) {
        let digits = out[open + 1..].bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 && out[open + 1 + digits..].starts_with(']') {
            out.to_mut().replace_range(open + 1..open + 1 + digits, "*");
        }
        from = open + 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_indexes_are_generalized() {
        for (field, wanted) in [
            ("spec.hostPID", "spec.hostPID"),
            ("spec.containers[0].ports[12].hostPort", "spec.containers[*].ports[*].hostPort"),
            ("metadata.annotations[example.com/c1]", "metadata.annotations[example.com/c1]"),
            ("a[", "a["),
            ("a[1", "a[1"),
        ] {
            assert_eq!(generalized(field), wanted);
        }
    }
}
