//! The result of a run, and the formats it can be written in.
//!
//! In: findings and counts. Out: bytes. A report decides nothing: the verdict of a run is made before, from
//! [`Report::worst`], and no cap of a format touches it. Same report and options, same bytes.
//!
//! A new format is one file with a `write` function, and its line in [`FORMATS`].

pub(crate) mod escape;
mod github;
mod gitlab;
mod json;
mod junit;
mod markdown;
mod policyreport;
mod progress;
pub(crate) mod read;
pub(crate) mod register;
mod register_html;
mod sarif;
#[cfg(test)]
mod tests;
mod text;

use std::{collections::BTreeMap, io};

use crate::finding::{self, Finding, Severity, Verdict};

pub(crate) use progress::Progress;
pub(crate) use text::wrap;

/// What a run found, in the order of every report.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Sorted, without repetitions. Waived ones are among them.
    pub findings: Vec<Finding>,
    /// Verdicts that are no finding (`pass`, `skip`), for formats that list each. Empty unless such a format is asked
    /// for: a tree has millions.
    pub quiet: Vec<Quiet>,
    /// What was looked at, and how it went.
    pub summary: Summary,
    /// What is known of the rules behind the findings, by [`Finding::id`]. May lack any of them.
    pub rules: BTreeMap<String, Rule>,
    /// How each rule came to what it says, if that was asked for.
    pub traces: Vec<Trace>,
    /// About the run as a whole: files left out, renderers not found.
    pub notes: Vec<String>,
    /// For one of several runs that together judge a tree: which, and what it takes to join them.
    pub shard: Option<Shard>,
}

/// Which part of a divided run a report is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    /// Which part, from 1.
    pub number: u32,
    /// How many parts there are.
    pub of: u32,
    /// Whether there was something to check, as far as this part knows.
    pub checked: Checked,
    /// Whether the parts together are all of a tree.
    pub is_root: bool,
    /// A digest of what was read and of how it was to be judged: the same in all parts of a run.
    pub run: u128,
}

impl Shard {
    /// The same part of a run that judges twice, by the law of either side: nothing checked by one is nothing checked.
    fn join(self, other: Self) -> Self {
        let checked = match (self.checked, other.checked) {
            (Checked::NoPolicy, _) | (_, Checked::NoPolicy) => Checked::NoPolicy,
            (Checked::NoManifest, _) | (_, Checked::NoManifest) => Checked::NoManifest,
            (Checked::Something, Checked::Something) => Checked::Something,
        };
        Self { checked, run: self.run.rotate_left(1) ^ other.run, ..self }
    }
}

/// Whether a run had something to judge, and something to judge it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// It had.
    Something,
    /// There was no policy.
    NoPolicy,
    /// There was a policy, but no manifest where there should be some.
    NoManifest,
}

impl Checked {
    /// The word for it in JSON.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Something => "something",
            Self::NoPolicy => "no-policy",
            Self::NoManifest => "no-manifest",
        }
    }

    /// What a report says where nothing was checked.
    pub(crate) fn note(self) -> Option<&'static str> {
        match self {
            Self::Something => None,
            Self::NoPolicy => Some("nothing was checked: no policy was found"),
            Self::NoManifest => Some("nothing was checked: no manifest was found"),
        }
    }
}

/// A verdict without a finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quiet {
    /// The file of the resource.
    pub path: String,
    /// Line of the resource, from 1.
    pub line: u32,
    /// What was judged, and how.
    pub verdict: Verdict,
    /// Kyverno's message; often empty.
    pub message: String,
}

/// How one rule came to what it says of one object.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    /// The object.
    pub resource: finding::ResourceRef,
    /// Where the object is.
    pub at: finding::Place,
    /// The key of the policy.
    pub policy: String,
    /// The computed name of the rule.
    pub rule: String,
    /// The verdict; `None` when the rule says nothing.
    pub status: Option<finding::Status>,
    /// Whether the rule says nothing because it is for other kinds.
    pub is_for_other_kinds: bool,
    /// The steps in order: which part of the rule, what came of it, where it is written.
    pub steps: Vec<(&'static str, String, Option<finding::Place>)>,
}

/// What a reader can be told of a rule, apart from any finding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    /// One line.
    pub title: String,
    /// Markdown, may be empty.
    pub description: String,
    /// A page on it, may be empty.
    pub url: String,
    /// Groups it belongs to (`Pod Security Standards (Baseline)`, `governance`).
    pub tags: Vec<String>,
    /// Where it is written, for rules that the repository holds.
    pub path: String,
}

/// What was looked at, and how it went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Files read.
    pub files: usize,
    /// Documents in them, by class.
    pub documents: Documents,
    /// Verdicts of policy rules, waived ones among `skip`.
    pub rules: Rules,
    /// Verdicts that would have been `fail` but for an exception.
    pub waived: usize,
}

/// Documents by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Documents {
    /// Policies of any kind.
    pub policies: usize,
    /// `PolicyException`s of any version.
    pub exceptions: usize,
    /// Objects that policies judge.
    pub manifests: usize,
    /// Kustomize's own files.
    pub kustomize: usize,
    /// Patches and other parts that only Kustomize makes objects of.
    pub patches: usize,
    /// Helm templates, which are no YAML until rendered.
    pub helm: usize,
    /// `kyverno-test.yaml` suites.
    pub suites: usize,
    /// Values and configuration.
    pub values: usize,
    /// Everything else.
    pub other: usize,
}

/// Verdicts by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// `pass`
    pub pass: usize,
    /// `fail`
    pub fail: usize,
    /// `warn`
    pub warn: usize,
    /// `error`
    pub error: usize,
    /// `skip`
    pub skip: usize,
    /// `indeterminate`
    pub indeterminate: usize,
}

impl std::ops::Add for Rules {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            pass: self.pass + other.pass,
            fail: self.fail + other.fail,
            warn: self.warn + other.warn,
            error: self.error + other.error,
            skip: self.skip + other.skip,
            indeterminate: self.indeterminate + other.indeterminate,
        }
    }
}

/// Findings by weight; waived and known ones count nowhere else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Not waived, severity error.
    pub errors: usize,
    /// Not waived, severity warning.
    pub warnings: usize,
    /// Not waived, severity info.
    pub infos: usize,
    /// Covered by an exception.
    pub waived: usize,
    /// In the baseline.
    pub known: usize,
}

impl Report {
    /// A report of `findings`, which it sorts and rids of repetitions.
    pub(crate) fn new(mut findings: Vec<Finding>, summary: Summary) -> Self {
        finding::sort_and_dedup(&mut findings);
        Self { findings, summary, ..Self::default() }
    }

    /// Joins what two laws say of the same files.
    #[must_use]
    pub(crate) fn join(self, other: Self) -> Self {
        let Self { mut findings, quiet, summary, rules, traces, notes, shard } = other;
        findings.extend(self.findings);
        let of_rules = self.summary.rules + summary.rules;
        let summary = Summary { rules: of_rules, waived: self.summary.waived + summary.waived, ..self.summary };
        let mut out = Self::new(findings, summary);
        out.quiet = [self.quiet, quiet].concat();
        out.quiet.sort();
        out.quiet.dedup();
        out.traces = [self.traces, traces].concat();
        out.rules = self.rules;
        out.rules.extend(rules);
        out.shard = match (self.shard, shard) {
            (Some(it), Some(other)) => Some(it.join(other)),
            (it, other) => it.or(other),
        };
        out.notes = self.notes;
        for note in notes {
            if !out.notes.contains(&note) {
                out.notes.push(note);
            }
        }
        out
    }

    /// Severity of the worst finding that counts against the change.
    pub(crate) fn worst(&self) -> Option<Severity> {
        self.findings.iter().filter(|it| it.counts()).map(|it| it.severity).min()
    }

    /// Counts the findings.
    pub(crate) fn tally(&self) -> Tally {
        self.findings.iter().fold(Tally::default(), |mut out, it| {
            *match (it.waived.is_some(), it.known, it.severity) {
                (true, ..) => &mut out.waived,
                (false, true, _) => &mut out.known,
                (false, false, Severity::Error) => &mut out.errors,
                (false, false, Severity::Warning) => &mut out.warnings,
                (false, false, Severity::Info) => &mut out.infos,
            } += 1;
            out
        })
    }

    /// Findings that count against the change, worst first, then in the order of the report. What refuses a change comes
    /// first, so that a cap never hides it behind warnings.
    pub(crate) fn by_urgency(&self) -> Vec<&Finding> {
        let mut all: Vec<_> = self.findings.iter().filter(|it| it.counts()).collect();
        all.sort_by_key(|it| it.severity);
        all
    }

    /// A fingerprint for each finding, unique in this report: those that share one are numbered from 1 in order.
    pub(crate) fn fingerprints(&self) -> Vec<String> {
        let mut seen = BTreeMap::<String, u32>::new();
        let numbered = self.findings.iter().map(|finding| {
            let print = finding.fingerprint();
            let count = seen.entry(print.clone()).or_default();
            *count += 1;
            format!("{print}:{count}")
        });
        numbered.collect()
    }
}

/// How to write a report; each format uses what it has a use for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Columns to stay within where text can be wrapped. 72 suits the `remote:` lines of a push.
    pub width: usize,
    /// Whether ANSI colors may be written.
    pub color: bool,
    /// Whether lines may be drawn with characters beyond ASCII.
    pub unicode: bool,
    /// Whether findings of one rule stand together: the first in full, the others by their places.
    pub grouped: bool,
    /// Findings shown in full; the others are counted by rule.
    pub max_findings: usize,
    /// Lines after which no further finding is begun; the others are counted by rule.
    pub max_lines: usize,
    /// Findings that an exception covers listed as text; the others are counted.
    pub max_waived: usize,
    /// The time to put into formats that want one. None is written otherwise.
    pub now: Option<jiff::Timestamp>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            width: 100,
            color: false,
            unicode: false,
            grouped: false,
            max_findings: 50,
            max_lines: usize::MAX,
            max_waived: 5,
            now: None,
        }
    }
}

/// One way to write a report.
#[derive(Debug)]
pub(crate) struct Format {
    /// As `--format` takes it.
    pub name: &'static str,
    /// Half a line for `--help`.
    pub about: &'static str,
    /// Whether it lists verdicts that are no finding, [`Report::quiet`].
    pub lists_all: bool,
    /// Writes the whole report. Fails only when `out` does.
    pub write: fn(&Report, &Options, &mut dyn io::Write) -> io::Result<()>,
}

/// Every format, in the order of `--help`.
pub(crate) const FORMATS: &[Format] = &[
    Format { name: "text", about: "for people, with the lines to blame", lists_all: false, write: text::write },
    Format { name: "json", about: "for programs, everything that is known", lists_all: false, write: json::write },
    Format { name: "sarif", about: "SARIF 2.1.0, for code scanning", lists_all: false, write: sarif::write },
    Format { name: "github", about: "annotations on a GitHub pull request", lists_all: false, write: github::write },
    Format { name: "gitlab", about: "GitLab Code Quality", lists_all: false, write: gitlab::write },
    Format { name: "junit", about: "JUnit XML, for any CI", lists_all: true, write: junit::write },
    Format { name: "markdown", about: "the summary of a CI job", lists_all: false, write: markdown::write },
    Format {
        name: "policyreport",
        about: "PolicyReport (wgpolicyk8s.io)",
        lists_all: true,
        write: policyreport::write,
    },
    Format {
        name: "openreports",
        about: "Report (openreports.io)",
        lists_all: true,
        write: policyreport::write_openreports,
    },
];

/// The format of that name.
pub(crate) fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|it| it.name == name)
}

/// Name and version under which reports speak.
const TOOL: (&str, &str) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
