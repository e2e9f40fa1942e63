//! Findings about objects that Kyverno deletes again: by policies with a schedule, and by a label on the object itself.
//!
//! In: an object that is let in. Out: at most one finding for each policy, and one for the label. Nothing is refused for
//! any of this; whoever keeps an object in a repository seldom wants it deleted in the cluster.

use crate::{
    document::Node,
    engine::{cleanup::Deletion, request::kind_of},
    finding::{Finding, Place, Severity, resource_ref, secret},
    k8s::ttl::{self, Ttl},
};

/// The label that says how long an object lives.
const TTL: &str = "cleanup.kyverno.io/ttl";

/// Kinds whose objects take others or data with them, by group.
const HEAVY: [(&str, &str); 4] = [
    ("", "Namespace"),
    ("", "PersistentVolumeClaim"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apps", "StatefulSet"),
];

/// What a policy does with an object some day.
pub(super) fn of_policy(deletion: &Deletion<'_>, resource: Node<'_>, is_careful: bool) -> Finding {
    let (key, schedule) = (&deletion.policy.key, deletion.schedule.as_str().unwrap_or_default());
    let message = match &deletion.doubt {
        None => format!("policy `{key}` deletes this on its schedule `{schedule}`"),
        Some(_) => format!("policy `{key}` may delete this on its schedule `{schedule}`"),
    };
    let finding = Finding::new("cleanup/policy", Severity::Info, at_name(resource), message)
        .related(Place::new(&deletion.policy.file, deletion.schedule.span()), "the schedule")
        .help("exclude the object from the policy if it is to stay");
    match &deletion.doubt {
        Some(_) if is_careful => finding.note("whether its conditions hold can't be told here"),
        Some(why) => finding.note(format!("whether its conditions hold can't be told here: {why}")),
        None => finding,
    }
}

/// What the label of an object comes to, if there is something to say; `now` is in nanoseconds since 1970.
pub(super) fn of_label(object: Node<'_>, now: i128) -> Option<Finding> {
    let label = object.at(&["metadata", "labels", TTL])?;
    let warn = |message: String| {
        let place = secret::place(object.file(), label.span());
        Finding::new("cleanup/ttl", Severity::Warning, place, message)
    };
    let text = label.as_str().unwrap_or_default();
    let due = match ttl::parse(text) {
        None => {
            let message = format!("`{text}` is no time to live: Kyverno lets the object in and never deletes it");
            return Some(warn(message).help("write a duration such as `90m` or `2d`, or a date such as `2030-01-31`"));
        }
        Some(Ttl::After(seconds)) => seconds <= 0.0,
        Some(Ttl::At(time)) => time <= now,
    };
    let kind = kind_of(object);
    if due {
        return Some(warn(format!("the time of `{text}` is over: Kyverno deletes the object as soon as it is there")));
    }
    if HEAVY.contains(&(kind.group, kind.kind)) {
        let message = format!("the label deletes a {} and what depends on it", resource_ref(object).kind);
        return Some(warn(message).help("delete it in the repository when its time has come"));
    }
    None
}

fn at_name(resource: Node<'_>) -> Place {
    let at = resource.at(&["metadata", "name"]).unwrap_or(resource).span();
    if secret::is_secret(resource) { Place::redacted(resource.file(), at) } else { Place::new(resource.file(), at) }
}
