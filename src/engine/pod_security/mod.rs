//! `validate.podSecurity`: the pod security standards as Kyverno applies them.
//!
//! In: a compiled rule, an object, exceptions that exempt some violations. Out: whether the Pod in the object keeps the
//! profile, or every violation with the value to blame. One file for each control; [`CHECKS`] is the table of all.
//! A Pod that keeps the profile costs no memory.

mod app_armor;
mod capabilities;
mod decode;
mod exclude;
mod host_namespaces;
mod host_path_volumes;
mod host_ports;
mod host_process;
mod pod;
mod privilege_escalation;
mod privileged;
mod probe_hosts;
mod proc_mount;
mod run_as_non_root;
mod run_as_user;
mod se_linux;
mod seccomp;
mod sysctls;
mod volume_types;

#[cfg(test)]
mod tests;

pub(crate) use pod::LastPod;

use pod::{Place, Pod, Unreadable};

use super::{evidence, outcome::Evidence};
use crate::{
    document::{Node, resource::place_of_missing},
    policy::{
        exception::Exception,
        pod_security::{Control, Level, PodSecurity, Version},
    },
};

/// Every check, in the order in which messages name them.
static CHECKS: [&Check; 18] = [
    &privilege_escalation::CHECK,
    &app_armor::CHECK,
    &capabilities::BASELINE,
    &capabilities::RESTRICTED,
    &host_namespaces::CHECK,
    &host_path_volumes::CHECK,
    &host_ports::CHECK,
    &probe_hosts::CHECK,
    &privileged::CHECK,
    &proc_mount::CHECK,
    &volume_types::CHECK,
    &run_as_non_root::CHECK,
    &run_as_user::CHECK,
    &se_linux::CHECK,
    &seccomp::BASELINE,
    &seccomp::RESTRICTED,
    &sysctls::CHECK,
    &host_process::CHECK,
];

/// One check of the standards.
struct Check {
    /// The ID in reports.
    id: &'static str,
    /// The control that it belongs to; a check without one can't be exempted, and messages don't list its violations.
    control: Option<Control>,
    /// The lowest profile that has it.
    level: Level,
    /// What messages say.
    reason: &'static str,
    /// Finds the violations of a Pod.
    run: for<'d> fn(&Pod<'d>, &Version) -> Vec<Violation<'d>>,
}

impl Check {
    /// Whether a profile has the check.
    fn is_part_of(&self, level: Level) -> bool {
        self.level == Level::Baseline || level != Level::Baseline
    }
}

/// A field that a check doesn't allow.
#[derive(Clone, Debug)]
struct Violation<'d> {
    /// The field as for a Pod: `spec.containers[0].securityContext.privileged`.
    field: String,
    /// What it holds.
    found: Found<'d>,
    /// What holds it.
    place: Place<'d>,
    /// The value, or the nearest parent that exists.
    at: Node<'d>,
    /// What is allowed, for people.
    wanted: &'static str,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found<'d> {
    /// Nothing, though it must be there.
    Missing,
    /// Something, whatever it is.
    Present,
    /// A value.
    Value(String),
    /// Values of a list, sorted.
    Values(Vec<&'d str>),
}

impl Violation<'_> {
    /// The last part of the field's name.
    fn leaf(&self) -> &str {
        self.field.rsplit('.').next().unwrap_or_default()
    }

    /// What stands there and what is wanted.
    fn label(&self) -> String {
        let (leaf, wanted) = (self.leaf(), self.wanted);
        match &self.found {
            Found::Missing => format!("no `{leaf}` here: {wanted}"),
            Found::Present => format!("`{leaf}`: {wanted}"),
            Found::Value(value) if self.at.as_str() == Some(value) => format!("`{value}`: {wanted}"),
            Found::Value(value) if value == NIL => format!("`{leaf}` is not set: {wanted}"),
            Found::Value(value) => format!("`{leaf}` is `{value}`: {wanted}"),
            Found::Values(values) => format!("`{}`: {wanted}", values.join("`, `")),
        }
    }
}

/// Go's word for a pointer to nothing.
const NIL: &str = "nil";

/// A check that a Pod doesn't pass, and why.
struct Failure<'d> {
    check: &'static Check,
    violations: Vec<Violation<'d>>,
}

/// What a rule says of an object.
pub(crate) enum Judgement<'d> {
    /// The Pod keeps the profile, as far as the rule wants it to.
    Allowed,
    /// Exceptions cover what it doesn't keep.
    Exempted,
    /// It doesn't.
    Violated(Violations<'d>),
    /// There is no Pod to be read.
    Unreadable(String, Evidence),
}

/// Judges the Pod in an object by a rule, less what exceptions exempt.
pub(crate) fn judge<'v>(
    demanded: &'v PodSecurity,
    object: Node<'v>,
    exemptions: &[&'v Exception],
    last: &LastPod<'v>,
) -> Judgement<'v> {
    let pod = match last.read(object) {
        Ok(pod) => pod,
        Err(problem) => return unreadable(problem, object),
    };
    let mut failures: Vec<Failure<'v>> = Vec::new();
    for (index, check) in CHECKS.into_iter().enumerate() {
        if !check.is_part_of(demanded.level) || pod.passes(index, &demanded.version) {
            continue;
        }
        let violations = (check.run)(&pod, &demanded.version);
        if violations.is_empty() {
            pod.note_pass(index, &demanded.version);
        } else {
            failures.push(Failure { check, violations });
        }
    }
    for exclusion in &demanded.exclude {
        exclude::subtract(&mut failures, &pod, &demanded.version, exclusion);
    }
    if failures.is_empty() {
        return Judgement::Allowed;
    }
    for exclusion in exemptions.iter().flat_map(|exception| &exception.pod_security) {
        exclude::subtract(&mut failures, &pod, &demanded.version, exclusion);
    }
    if failures.is_empty() {
        return Judgement::Exempted;
    }
    Judgement::Violated(Violations { demanded, object, failures })
}

fn unreadable<'d>(problem: Unreadable<'d>, object: Node<'d>) -> Judgement<'d> {
    let (text, at, label) = match problem {
        Unreadable::Kind => {
            let kind = object.get("kind").unwrap_or(object);
            ("could not find correct resource type".to_owned(), kind, "this kind has no Pod template".to_owned())
        }
        Unreadable::Misfit(misfit) => {
            let label = format!("{} where {} is wanted", misfit.at.kind().name(), misfit.wanted);
            (misfit.message, misfit.at, label)
        }
    };
    let evidence =
        Evidence { value: Some(at.span()), label, path: evidence::pointer(at, object), ..Evidence::default() };
    Judgement::Unreadable(format!("Error while getting new resource: {text}"), evidence)
}

/// The violations of a Pod; at least one.
pub(crate) struct Violations<'d> {
    demanded: &'d PodSecurity,
    object: Node<'d>,
    failures: Vec<Failure<'d>>,
}

impl Violations<'_> {
    /// Kyverno's text. The message of the rule has no part in it.
    pub(crate) fn message(&self, rule: &str) -> String {
        let level = self.demanded.level.name();
        let version = &self.demanded.version.text;
        let mut out = format!("Validation rule '{rule}' failed. It violates PodSecurity \"{level}:{version}\": ");
        let kind = self.object.str_at(&["kind"]).unwrap_or_default();
        for failure in &self.failures {
            out.push_str("(Forbidden reason: ");
            out.push_str(failure.check.reason);
            out.push_str(", field error list: [");
            if failure.check.control.is_some() {
                let entries: Vec<String> = failure.violations.iter().map(|it| entry(it, kind)).collect();
                out.push_str(&entries.join(", "));
            }
            out.push_str("])");
        }
        out
    }

    /// What reports add: the checks by ID, the same as JSON, the profile and its version.
    pub(crate) fn properties(&self) -> Vec<(String, String)> {
        #[derive(serde::Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Listed<'l> {
            #[serde(rename = "ID")]
            id: &'l str,
            name: &'l str,
            images: Option<Vec<&'l str>>,
        }
        let ids: Vec<&str> = self.failures.iter().map(|failure| failure.check.id).collect();
        let listed: Vec<Listed<'_>> = self
            .failures
            .iter()
            .map(|failure| {
                let mut images: Vec<&str> = Vec::new();
                for violation in failure.violations.iter().filter(|it| it.place.is_container()) {
                    let image = violation.place.image();
                    if !images.contains(&image) {
                        images.push(image);
                    }
                }
                Listed {
                    id: failure.check.id,
                    name: failure.check.control.map(Control::name).unwrap_or_default(),
                    images: (!images.is_empty()).then_some(images),
                }
            })
            .collect();
        let json = serde_json::to_string(&listed).unwrap_or_default();
        let property = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        vec![
            property("controls", &ids.join(",")),
            property("controlsJSON", &json),
            property("standard", self.demanded.level.name()),
            property("version", &self.demanded.version.text),
        ]
    }

    /// Where to look: at the first violation.
    pub(crate) fn evidence(&self) -> Evidence {
        let mut all = self.failures.iter().flat_map(|failure| &failure.violations);
        let Some(first) = all.next() else { return Evidence::default() };
        let label = match (first.label(), all.count()) {
            (label, 0) => label,
            (label, 1) => format!("{label} (and one more violation)"),
            (label, more) => format!("{label} (and {more} more violations)"),
        };
        Evidence {
            value: Some(if first.at.is_map() { place_of_missing(first.at, self.object) } else { first.at.span() }),
            label,
            clause: Some(self.demanded.level_span),
            demand: format!("the `{}` profile is demanded here", self.demanded.level.name()),
            path: evidence::pointer(first.at, self.object),
        }
    }

    /// The names of the controls that are violated, each once.
    pub(crate) fn controls(&self) -> Vec<&'static str> {
        let mut out: Vec<&str> =
            self.failures.iter().map(|it| it.check.control.map_or(it.check.reason, Control::name)).collect();
        out.dedup();
        out
    }
}

/// How a message names a violation.
fn entry(violation: &Violation<'_>, kind: &str) -> String {
    // Kyverno: the field of a Pod is turned into that of its controller by replacing words wherever they stand, and
    // `metadata` is replaced even for a Pod.
    let spec = match kind {
        "Pod" => "spec",
        "CronJob" => "spec.jobTemplate.spec.template.spec",
        _ => "spec.template.spec",
    };
    let field = violation.field.replace("spec", spec).replace("metadata", "spec.template.metadata");
    told(&field, &violation.found)
}

/// What a message says of a field.
fn told(field: &str, found: &Found<'_>) -> String {
    match found {
        Found::Missing => format!("{field}: Required value"),
        Found::Present => format!("{field}: Forbidden"),
        Found::Value(value) => format!("{field} is forbidden, forbidden values found: {value}"),
        Found::Values(values) => format!("{field} is forbidden, forbidden values found: [{}]", values.join(" ")),
    }
}
