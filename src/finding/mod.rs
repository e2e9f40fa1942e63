//! What `admit` has to say: one type for broken input, refused resources and governance rules alike.
//!
//! In: a place in a file and what is wrong there. Out: plain owned data with a total order and a fingerprint, ready for
//! any report. Nothing here formats, reads a file or decides whether a run fails.

pub(crate) mod fix;
pub(crate) mod metadata;
pub(crate) mod outcome;
mod place;
pub(crate) mod secret;

use std::{cmp::Ordering, fmt::Write as _};

use sha2::{Digest as _, Sha256};

use crate::document::edit::Edit;

pub(crate) use outcome::resource_ref;
pub(crate) use place::Place;

/// How much a finding weighs. The order is that of urgency: `Error` is the smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Severity {
    /// Blocks by default.
    Error,
    /// Worth a look; blocks with `--fail-on warning`.
    Warning,
    /// For the record; never blocks.
    Info,
}

impl Severity {
    /// The word that every report uses.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// What a policy rule said of one resource. The first five are Kyverno's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Status {
    /// The rule holds.
    Pass,
    /// The rule is broken.
    Fail,
    /// The rule is broken and its policy asks for a warning only.
    Warn,
    /// The rule could not be evaluated, and would not be in a cluster either.
    Error,
    /// The rule does not apply: preconditions, or an exception.
    Skip,
    /// The rule needs something that only a live cluster or registry has.
    Indeterminate,
}

impl Status {
    /// The word that every report uses.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Skip => "skip",
            Self::Indeterminate => "indeterminate",
        }
    }
}

/// What a cluster does with a broken rule, after overrides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Action {
    /// Refuses the request.
    Enforce,
    /// Lets the request in and notes it in a report.
    Audit,
}

impl Action {
    /// Kyverno's word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "Enforce",
            Self::Audit => "Audit",
        }
    }
}

/// Which of Kyverno's policy types judged; the words are those of `results[].source` in a policy report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Source {
    /// `ClusterPolicy` and `Policy`.
    Kyverno,
    /// `ValidatingPolicy` and its namespaced twin.
    ValidatingPolicy,
    /// `MutatingPolicy` and its namespaced twin.
    MutatingPolicy,
    /// `ImageValidatingPolicy` and its namespaced twin.
    ImageValidatingPolicy,
    /// `GeneratingPolicy` and its namespaced twin.
    GeneratingPolicy,
    /// Kubernetes' own `ValidatingAdmissionPolicy`.
    ValidatingAdmissionPolicy,
    /// Kubernetes' own `MutatingAdmissionPolicy`.
    MutatingAdmissionPolicy,
}

impl Source {
    /// The type of a policy by its kind.
    pub(crate) fn of(kind: &str) -> Self {
        match kind.strip_prefix("Namespaced").unwrap_or(kind) {
            "ValidatingPolicy" => Self::ValidatingPolicy,
            "MutatingPolicy" => Self::MutatingPolicy,
            "ImageValidatingPolicy" => Self::ImageValidatingPolicy,
            "GeneratingPolicy" => Self::GeneratingPolicy,
            "ValidatingAdmissionPolicy" => Self::ValidatingAdmissionPolicy,
            "MutatingAdmissionPolicy" => Self::MutatingAdmissionPolicy,
            _ => Self::Kyverno,
        }
    }

    /// The word in a policy report.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Kyverno => "kyverno",
            Self::ValidatingPolicy => "KyvernoValidatingPolicy",
            Self::MutatingPolicy => "KyvernoMutatingPolicy",
            Self::ImageValidatingPolicy => "KyvernoImageValidatingPolicy",
            Self::GeneratingPolicy => "KyvernoGeneratingPolicy",
            Self::ValidatingAdmissionPolicy => "ValidatingAdmissionPolicy",
            Self::MutatingAdmissionPolicy => "MutatingAdmissionPolicy",
        }
    }
}

/// Names one object of a cluster. Cluster-wide objects have an empty `namespace`; a payload that is no Kubernetes object
/// has empty fields throughout.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ResourceRef {
    /// `apps/v1`, `v1`.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// Empty for cluster-wide objects.
    pub namespace: String,
    /// As written; `generateName` stands here when there is no name.
    pub name: String,
}

impl ResourceRef {
    /// `Deployment shop/web`, or `Namespace shop` without a namespace: as messages name an object.
    pub(crate) fn title(&self) -> String {
        let mut out = self.kind.clone();
        if !out.is_empty() {
            out.push(' ');
        }
        if !self.namespace.is_empty() {
            out.push_str(&self.namespace);
            out.push('/');
        }
        out.push_str(&self.name);
        out
    }
}

/// The policy rule behind a finding and the object it judged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Verdict {
    /// Policy name; `namespace/name` for a namespaced policy.
    pub policy: String,
    /// Rule name as computed (`autogen-…` included); empty for CEL policies.
    pub rule: String,
    /// What the rule said.
    pub status: Status,
    /// What it said it of.
    pub resource: ResourceRef,
    /// What a cluster would do about it.
    pub action: Action,
    /// Which type of policy it was.
    pub source: Source,
    /// Annotation `policies.kyverno.io/category`, else empty.
    pub category: String,
    /// Annotation `policies.kyverno.io/severity` (`critical` … `info`), else empty.
    pub severity: String,
    /// What Kyverno adds to a report's result (`controls`, `exceptions`, …), by key.
    pub properties: Vec<(String, String)>,
}

/// Another place that matters for a finding: the clause that demands it, the exception that nearly covers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Related {
    /// Where it is.
    pub place: Place,
    /// What this spot is, in a few words.
    pub label: String,
}

/// Why a finding is not held against the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiver {
    /// The exception, `namespace/name`.
    pub exception: String,
    /// Where it is written.
    pub place: Option<Place>,
    /// The reason its author gave; empty when none.
    pub reason: String,
}

/// One thing to say about one place.
///
/// The message says what is wrong and is true without the snippet; the label says what the primary place is; help says
/// what to do; a note says why, or where it is decided. All four are raw text of any origin: reports escape them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Stable name of what found it: `EXC014`, `yaml/syntax`, or `policy/rule`.
    pub id: String,
    /// How much it weighs, waived or not.
    pub severity: Severity,
    /// What is wrong: lower case, no full stop, names in backticks.
    pub message: String,
    /// What to change.
    pub primary: Place,
    /// What `primary` is; may be empty.
    pub label: String,
    /// JSON pointer of `primary` in its document, empty when unknown. Keeps fingerprints apart and stable.
    pub pointer: String,
    /// Who demands it, in order of importance.
    pub related: Vec<Related>,
    /// What to do about it.
    pub help: Vec<String>,
    /// Why, or where it is decided.
    pub notes: Vec<String>,
    /// What would mend it in the file of `primary`, where that is safe: all of it together. May be empty.
    pub fix: Vec<Edit>,
    /// The policy rule behind it, if one is.
    pub verdict: Option<Verdict>,
    /// Set when an exception covers it: shown as waived and never counted against the change.
    pub waived: Option<Waiver>,
    /// Whether it stands in the baseline of the run: it was there before, and is not counted against the change.
    pub known: bool,
}

impl Finding {
    /// A finding about `place`; the methods below add what else is known.
    pub(crate) fn new(id: impl Into<String>, severity: Severity, place: Place, message: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            severity,
            message: message.into(),
            primary: place,
            label: String::new(),
            pointer: String::new(),
            related: Vec::new(),
            help: Vec::new(),
            notes: Vec::new(),
            fix: Vec::new(),
            verdict: None,
            waived: None,
            known: false,
        }
    }

    /// Whether it counts against the change: no exception covers it, and no baseline holds it.
    pub(crate) fn counts(&self) -> bool {
        self.waived.is_none() && !self.known
    }

    /// Says what the primary place is.
    #[must_use]
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Says where in its document the primary place is, as a JSON pointer.
    #[must_use]
    pub(crate) fn pointer(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = pointer.into();
        self
    }

    /// Adds a place that matters too.
    #[must_use]
    pub(crate) fn related(mut self, place: Place, label: impl Into<String>) -> Self {
        self.related.push(Related { place, label: label.into() });
        self
    }

    /// Adds a line on what to do.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Adds a line on why.
    #[must_use]
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Says what would mend it. A part that can't be told leaves the finding without a fix.
    #[must_use]
    pub(crate) fn fix(mut self, edits: impl IntoIterator<Item = Option<Edit>>) -> Self {
        self.fix = edits.into_iter().collect::<Option<Vec<Edit>>>().unwrap_or_default();
        self
    }

    /// Names the policy rule behind it.
    #[must_use]
    pub(crate) fn verdict(mut self, verdict: Verdict) -> Self {
        self.verdict = Some(verdict);
        self
    }

    /// Marks it as covered by an exception.
    #[must_use]
    pub(crate) fn waived(mut self, waiver: Waiver) -> Self {
        self.waived = Some(waiver);
        self
    }

    /// The order of every report: path, line, column, ID, message, and the rest so that it is total.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        self.sort_key().cmp(&other.sort_key())
    }

    fn sort_key(&self) -> impl Ord {
        (
            (&*self.primary.path, self.primary.start, self.primary.span),
            (&*self.id, &*self.message, self.severity),
            (self.verdict.as_ref(), self.waived.as_ref().map(|it| &*it.exception)),
            (&*self.label, &*self.pointer),
        )
    }

    /// 32 hexadecimal digits that stay the same while the finding is the same one.
    ///
    /// Made of ID, path, object, pointer and the marked text with its white space collapsed. Neither line numbers nor
    /// the message take part: lines move, and messages count days. Two findings of one run may share it; a report
    /// numbers them.
    pub(crate) fn fingerprint(&self) -> String {
        let resource = self.verdict.as_ref().map(|it| &it.resource);
        let object = resource.map(|it| [&*it.api_version, &*it.kind, &*it.namespace, &*it.name]).unwrap_or_default();
        let marked: Vec<&str> = self.primary.excerpt.marked().split_whitespace().collect();
        let mut hash = Sha256::new();
        for part in
            [&*self.id, &*self.primary.path].into_iter().chain(object).chain([&*self.pointer, &marked.join(" ")])
        {
            // The length keeps `ab` + `c` apart from `a` + `bc`.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().iter().take(16).fold(String::with_capacity(32), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
    }
}

/// Sorts findings into the order of every report and drops those that say the same of the same place twice.
///
/// Of two that agree in place, ID, message and object the first in order stays.
pub(crate) fn sort_and_dedup(findings: &mut Vec<Finding>) {
    findings.sort_by(Finding::order);
    findings.dedup_by(|later, earlier| {
        let object = |it: &Finding| it.verdict.as_ref().map(|it| (it.rule.clone(), it.resource.clone()));
        later.primary.path == earlier.primary.path
            && later.primary.span == earlier.primary.span
            && later.id == earlier.id
            && later.message == earlier.message
            && later.waived.is_some() == earlier.waived.is_some()
            && object(later) == object(earlier)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::{File, Span};

    fn at(path: &str, text: &str, needle: &str) -> Place {
        let start = text.find(needle).unwrap() as u32;
        Place::new(&File::new(path, text.as_bytes().to_vec()), Span::new(start, start + needle.len() as u32))
    }

    #[test]
    fn fingerprints_outlive_moved_lines_and_counted_days() {
        let before = Finding::new("EXC020", Severity::Warning, at("a.yaml", "x: 1\n", "1"), "expires in 3 days");
        let after =
            Finding::new("EXC020", Severity::Warning, at("a.yaml", "# new\n\nx: 1\n", "1"), "expires in 2 days");
        assert_eq!(before.fingerprint(), after.fingerprint());
        assert_eq!(before.fingerprint().len(), 32);
    }

    #[test]
    fn fingerprints_differ_by_each_part() {
        let place = at("a.yaml", "x: 1\ny: 2\n", "1");
        let base = Finding::new("A", Severity::Error, place.clone(), "m");
        let others = [
            Finding::new("B", Severity::Error, place.clone(), "m"),
            Finding::new("A", Severity::Error, at("b.yaml", "x: 1\n", "1"), "m"),
            Finding::new("A", Severity::Error, at("a.yaml", "x: 1\ny: 2\n", "2"), "m"),
            base.clone().pointer("/x"),
        ];
        for other in others {
            assert_ne!(base.fingerprint(), other.fingerprint(), "{other:?}");
        }
    }

    #[test]
    fn order_is_path_line_column_id_message() {
        let text = "x: 1\ny: 2\nz: 3\n";
        let finding = |id: &str, path: &str, needle: &str, message: &str| {
            Finding::new(id, Severity::Error, at(path, text, needle), message)
        };
        let mut all = vec![
            finding("A", "b.yaml", "1", "m"),
            finding("B", "a.yaml", "2", "m"),
            finding("A", "a.yaml", "2", "n"),
            finding("A", "a.yaml", "2", "m"),
            finding("Z", "a.yaml", "1", "m"),
            finding("A", "a.yaml", "2", "m"),
        ];
        sort_and_dedup(&mut all);
        let order: Vec<_> = all.iter().map(|it| format!("{} {} {}", it.primary.path, it.id, it.message)).collect();
        assert_eq!(order, ["a.yaml Z m", "a.yaml A m", "a.yaml A n", "a.yaml B m", "b.yaml A m"]);
    }
}
