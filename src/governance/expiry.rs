//! When an exception ends, wherever that is written.
//!
//! Three forms of a label `cleanup.kyverno.io/ttl`, as Kyverno's own cleanup reads it: a duration (`720h`, `30d`), a time
//! without colons (`2026-03-31T235959Z`), a date (midnight UTC). Annotations and `spec.expiresAt` hold RFC 3339 or a
//! date. A duration counts from the creation in the cluster, so that a file alone does not tell when it ends.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use super::{Item, metadata};
use crate::{document::Node, k8s::duration};

/// The label that Kyverno's cleanup looks at.
pub(super) const TTL: &str = "cleanup.kyverno.io/ttl";

/// When an exception ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// At this time.
    At(Timestamp),
    /// So long after its creation.
    After(SignedDuration),
    /// Something is written that says no time.
    Unreadable,
}

/// The expiry of an exception by the first of the keys that is there: `label:KEY`, `annotation:KEY`, or a path such as
/// `spec.expiresAt`.
pub(super) fn find<'c>(item: &Item<'c>, keys: &[String]) -> Option<(Expiry, Node<'c>)> {
    keys.iter().find_map(|key| {
        let in_map = |map: &str, key: &str| {
            let entries = item.node.at(&["metadata", map]).into_iter().flat_map(Node::entries);
            entries.into_iter().find(|(name, _)| metadata::matches(key, name)).map(|(_, value)| value)
        };
        let (node, is_label) = match key.split_once(':') {
            Some(("label", key)) => (in_map("labels", key)?, true),
            Some((_, key)) => (in_map("annotations", key)?, false),
            None => (item.node.at(&key.split('.').collect::<Vec<_>>())?, false),
        };
        let text = node.as_str().unwrap_or_default();
        Some((parse(text, is_label), node))
    })
}

/// Reads an expiry; durations only count on labels.
fn parse(text: &str, is_label: bool) -> Expiry {
    if let Ok(date) = text.parse::<Date>()
        && text.len() == "2026-01-01".len()
    {
        return TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).map_or(Expiry::Unreadable, Expiry::At);
    }
    if is_label {
        if let Some(length) = parse_duration(text) {
            return Expiry::After(length);
        }
        let time = jiff::civil::DateTime::strptime("%Y-%m-%dT%H%M%SZ", text).ok();
        return time.and_then(|it| TimeZone::UTC.to_timestamp(it).ok()).map_or(Expiry::Unreadable, Expiry::At);
    }
    text.parse().map_or(Expiry::Unreadable, Expiry::At)
}

/// Reads a duration as Go does, and days.
pub(super) fn parse_duration(text: &str) -> Option<SignedDuration> {
    if let Some(days) = text.strip_suffix('d').and_then(|it| it.parse::<u32>().ok()) {
        return Some(SignedDuration::from_hours(i64::from(days) * 24));
    }
    duration::parse(text).map(|it| SignedDuration::from_nanos(it.nanos()))
}

/// Whole days from `now` until `then`; negative when it is past.
pub(super) fn days_between(now: Timestamp, then: Timestamp) -> i64 {
    then.duration_since(now).as_secs().div_euclid(24 * 60 * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_labels_and_of_annotations_differ() {
        let at = |text: &str| Expiry::At(text.parse().unwrap());
        assert_eq!(parse("2026-03-31", true), at("2026-03-31T00:00:00Z"));
        assert_eq!(parse("2026-03-31", false), at("2026-03-31T00:00:00Z"));
        assert_eq!(parse("2026-03-31T235959Z", true), at("2026-03-31T23:59:59Z"));
        assert_eq!(parse("2026-03-31T23:59:59+02:00", false), at("2026-03-31T21:59:59Z"));
        assert_eq!(parse("720h0m0s", true), Expiry::After(SignedDuration::from_hours(720)));
        assert_eq!(parse("30d", true), Expiry::After(SignedDuration::from_hours(720)));
        assert_eq!(parse("30d", false), Expiry::Unreadable);
        assert_eq!(parse("soon", true), Expiry::Unreadable);
    }
}
