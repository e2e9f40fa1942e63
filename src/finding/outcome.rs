//! Findings from what the engine says, and from documents and policies that can't be read.

use std::sync::Arc;

use super::{Action, Finding, Place, ResourceRef, Severity, Source, Status, Verdict, Waiver, secret};
use crate::{
    document::{DocumentError, Node, resource::place_of_missing},
    engine::{self, Outcome},
    policy::{self, PolicyError, error::Problem},
    span::File,
};

/// Exceptions that nearly covered a failure named in its finding; the likeliest slips come first.
const MAX_NEAR_MISSES: usize = 2;

/// The object of a node, as reports name it.
pub(crate) fn resource_ref(node: Node<'_>) -> ResourceRef {
    let text = |path: &[&str]| node.str_at(path).unwrap_or_default().to_owned();
    let mut name = text(&["metadata", "name"]);
    if name.is_empty() {
        name = text(&["metadata", "generateName"]);
    }
    ResourceRef {
        api_version: text(&["apiVersion"]),
        kind: text(&["kind"]),
        namespace: text(&["metadata", "namespace"]),
        name,
    }
}

/// The engine's word as reports have it.
pub(crate) fn status(status: engine::Status) -> Status {
    match status {
        engine::Status::Pass => Status::Pass,
        engine::Status::Fail => Status::Fail,
        engine::Status::Skip => Status::Skip,
        engine::Status::Error => Status::Error,
        engine::Status::Indeterminate => Status::Indeterminate,
    }
}

/// What reports say of an outcome, finding or not.
pub(crate) fn verdict(outcome: &Outcome<'_>, resource: &ResourceRef) -> Verdict {
    Verdict {
        policy: outcome.policy.key.clone(),
        rule: outcome.rule.to_owned(),
        status: match outcome.status {
            engine::Status::Fail if !outcome.policy.scored => Status::Warn,
            other => status(other),
        },
        resource: resource.clone(),
        action: match outcome.action {
            policy::Action::Audit => Action::Audit,
            policy::Action::Enforce => Action::Enforce,
        },
        source: Source::of(outcome.policy.kind),
        category: outcome.policy.category.clone().unwrap_or_default(),
        severity: outcome.policy.severity.clone().unwrap_or_default(),
        properties: outcome.properties.clone(),
    }
}

/// The finding of an outcome; `None` for a rule that holds or does not count.
///
/// A rule in `Audit` never keeps a resource out of a cluster, so its failures are warnings. What can't be known is an
/// error whatever the action.
pub(crate) fn from_outcome(outcome: &Outcome<'_>, resource: Node<'_>, files: Files<'_>) -> Option<Finding> {
    let severity = match (outcome.status, outcome.action) {
        // An exception may say that what it waives is reported as passed.
        (engine::Status::Pass | engine::Status::Skip, action) => match (outcome.waived, action) {
            (Some(engine::Status::Fail), policy::Action::Enforce) => Severity::Error,
            (Some(engine::Status::Fail), policy::Action::Audit) => Severity::Warning,
            _ => return None,
        },
        (engine::Status::Indeterminate, _) => Severity::Error,
        (engine::Status::Fail | engine::Status::Error, policy::Action::Enforce) => Severity::Error,
        (engine::Status::Fail | engine::Status::Error, policy::Action::Audit) => Severity::Warning,
    };
    let evidence = &outcome.evidence;
    let object = resource_ref(resource);
    let span = evidence.value.unwrap_or_else(|| place_of_missing(resource, resource));
    let place = if secret::is_secret(resource) {
        Place::redacted(files.resource, span)
    } else {
        Place::new(files.resource, span)
    };
    let id = if outcome.policy.has_rules() {
        format!("{}/{}", outcome.policy.key, outcome.rule)
    } else {
        outcome.policy.key.clone()
    };
    // A message whose variables can't be filled in is lost; a finding without one would say nothing.
    let message = if outcome.message.is_empty() { "validation failed" } else { &outcome.message };
    let mut finding = Finding::new(id, severity, place, message)
        .label(evidence.label.clone())
        .pointer(evidence.path.clone())
        .verdict(verdict(outcome, &object));
    if let Some(clause) = evidence.clause {
        let demand = if evidence.demand.is_empty() { "demanded here" } else { &evidence.demand };
        finding = finding.related(Place::new(&outcome.policy.file, clause), demand);
    }
    for exception in &outcome.exceptions {
        finding = finding.waived(Waiver {
            exception: exception.key.clone(),
            place: Some(Place::new(exception.document.file(), exception.name_span)),
            reason: reason(exception.object()),
        });
    }
    for (exception, reason) in &outcome.withheld {
        let place = Place::new(exception.document.file(), exception.name_span);
        finding = finding.related(place, "does not count").note(reason.note(&exception.key));
        if let Some(help) = reason.help() {
            finding = finding.help(help);
        }
    }
    for missing in &outcome.hangs_on {
        if missing.is_taken_for_absent() {
            finding = finding.note(missing.note());
        }
        finding = finding.help(missing.help());
    }
    let is_refused = outcome.status == engine::Status::Fail && outcome.action == policy::Action::Enforce;
    if is_refused && outcome.near_misses.is_empty() && outcome.withheld.is_empty() {
        finding = finding.note("no exception covers it");
    }
    for miss in outcome.near_misses.iter().take(MAX_NEAR_MISSES) {
        finding = finding
            .related(Place::new(miss.exception.document.file(), miss.at), miss.obstacle.label())
            .help(miss.obstacle.advice(&miss.exception.key));
    }
    Some(finding)
}

/// The file that the spans of an outcome's evidence point into.
#[derive(Clone, Copy)]
pub(crate) struct Files<'f> {
    /// The file of the resource.
    pub resource: &'f Arc<File>,
}

/// The reason that an exception gives, if any: in its annotations, its labels, or the `properties` of
/// `policies.kyverno.io`.
fn reason(exception: Node<'_>) -> String {
    let maps = [["metadata", "annotations"], ["metadata", "labels"], ["spec", "properties"]];
    let mut entries = maps.iter().filter_map(|path| exception.at(path)).flat_map(Node::entries);
    let found = entries.find(|(key, value)| (*key == "reason" || key.ends_with("/reason")) && value.as_str().is_some());
    found.and_then(|(_, value)| value.as_str()).unwrap_or_default().to_owned()
}

/// The finding of a document that can't be read.
pub(crate) fn from_document_error(error: &DocumentError, file: &Arc<File>) -> Finding {
    let at = error.at();
    let finding = Finding::new(error.id(), Severity::Error, secret::place(file, at), error.to_string());
    let line = file.slice(file.line_span(file.position(at.start).line));
    match error.help() {
        Some(help) => finding.help(help),
        None if line.trim_start().starts_with("{{") => {
            finding.help("a line that begins with `{{` is a template: render the file, or exclude it in admit.yaml")
        }
        None => finding,
    }
}

/// The finding of a policy or an exception that takes no part.
pub(crate) fn from_policy_error(error: &PolicyError) -> Finding {
    let id = match () {
        () if error.problem.is_indeterminate() => "policy/not-evaluated",
        () if error.problem.is_schema() => "policy/schema",
        () => "policy/invalid",
    };
    let severity = match error.problem {
        Problem::Unapplied { .. } => Severity::Warning,
        _ => Severity::Error,
    };
    let finding = Finding::new(id, severity, Place::new(&error.file, error.at), error.problem.to_string());
    match error.problem.help() {
        Some(help) => finding.help(help),
        None => finding,
    }
}
