//! What a suite expects against what the policies say.
//!
//! In: an expectation and the rows of a run. Out: a line of the table for each comparison. As in Kyverno a resource
//! that an expectation names and nobody knows makes it ask about every resource, and a rule that says nothing counts
//! as held; both are said in a notice, since they are mistakes more often than not.

use std::sync::Arc;

use std::collections::HashMap;

use serde_json::Value as Json;

use super::{
    Notices, Weight,
    compare::{differences, identity},
    evaluation::{Judged, Row},
    load::{InvalidPolicy, Loader, Object},
    suite::{Expectation, ResourceSpec, Suite},
};
use crate::{expr::Value, k8s::gvk::split_api_version, policy::set::PolicySet, span::File};

/// How a comparison ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// As expected.
    Pass,
    /// Not as expected.
    Fail,
    /// As expected: the rule doesn't count for the resource.
    Skip,
}

impl Mark {
    /// Kyverno's word.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Mark::Pass => "Pass",
            Mark::Fail => "Fail",
            Mark::Skip => "Skip",
        }
    }
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    /// The policy as the expectation names it.
    pub policy: String,
    /// The rule's computed name, or the name as expected when no rule said anything.
    pub rule: String,
    /// The resource: `v1/Pod/namespace/name`.
    pub resource: String,
    /// How it ended.
    pub mark: Mark,
    /// Why, in a word or two.
    pub reason: String,
    /// What the rule says.
    pub message: String,
}

/// The objects that a suite compares with, by file.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    files: HashMap<String, Vec<Json>>,
}

impl Wanted {
    /// Reads the files that a suite names.
    pub(crate) fn load(suite: &Suite, loader: &mut Loader<'_>) -> Self {
        let mut files = HashMap::new();
        for path in suite.results.iter().flat_map(|it| it.patched.iter().chain(&it.generated)) {
            if !files.contains_key(path) {
                let objects = loader.resources(path);
                files.insert(path.clone(), objects.iter().map(|it| Value::from(it.node()).to_serde()).collect());
            }
        }
        Self { files }
    }

    /// The object of a file that is the same one as `found`.
    fn find(&self, path: &str, found: &Json) -> Option<&Json> {
        self.files.get(path)?.iter().find(|it| identity(it) == identity(found))
    }

    /// Whether a file holds any object.
    fn has(&self, path: &str) -> bool {
        self.files.get(path).is_some_and(|objects| !objects.is_empty())
    }
}

/// A run to compare with.
#[derive(Clone, Copy)]
pub(crate) struct Run<'r> {
    /// The suite's file.
    pub file: &'r Arc<File>,
    /// The policies.
    pub policies: &'r PolicySet,
    /// Policies that take no part.
    pub invalid: &'r [InvalidPolicy],
    /// The resources.
    pub resources: &'r [Object],
    /// What the policies say of them.
    pub judged: &'r Judged,
    /// Objects to compare with.
    pub wanted: &'r Wanted,
}

/// Compares one expectation with a run.
pub(crate) fn check(expected: &Expectation, run: Run<'_>, notices: &Notices) -> Vec<Checked> {
    let name = expected.policy.rsplit('/').next().unwrap_or_default();
    let selected = select(expected, run, notices);
    let heads: Vec<usize> = (0..run.judged.heads.len()).filter(|it| run.judged.heads[*it].name == name).collect();
    if heads.is_empty() {
        let invalid = run.invalid.iter().find(|it| it.name == name);
        return vec![missing(expected, run, &selected, invalid)];
    }
    let mut out = Vec::new();
    for &resource in &selected {
        for &policy in &heads {
            let rows = run.judged.rows.iter().filter(|row| row.resource == resource && row.policy == policy);
            let rows: Vec<&Row> = rows.filter(|row| is_rule(&row.rule, &expected.rule)).collect();
            if rows.is_empty() {
                out.push(excluded(expected, run, resource, policy, notices));
            }
            out.extend(rows.into_iter().filter_map(|row| compare(expected, run, row, notices)));
        }
    }
    out
}

/// Indexes of the resources that an expectation asks about.
fn select(expected: &Expectation, run: Run<'_>, notices: &Notices) -> Vec<usize> {
    let warn = |text: String| notices.at(Weight::Warning, run.file, expected.at, text);
    let mut selected = vec![false; run.resources.len()];
    for name in expected.resources.iter().flatten() {
        let mut found = false;
        for (object, selected) in run.resources.iter().zip(&mut selected) {
            if is_named(object, name) {
                (*selected, found) = (true, true);
            }
        }
        if !found {
            warn(format!("no resource is called `{name}`"));
        }
    }
    // Kyverno: without the field `resources` the field `resourceSpecs` is not read.
    for spec in expected.specs.iter().filter(|_| expected.resources.is_some()) {
        for (object, selected) in run.resources.iter().zip(&mut selected) {
            *selected |= is_specified(object, spec);
        }
    }
    if selected.contains(&true) {
        return (0..selected.len()).filter(|index| selected[*index]).collect();
    }
    if expected.resources.as_ref().is_some_and(|names| !names.is_empty()) {
        warn("none of the resources exists; as in Kyverno every resource is checked instead".to_owned());
    }
    (0..selected.len()).collect()
}

fn is_named(object: &Object, name: &str) -> bool {
    let identity = object.identity();
    match name.split_once('/') {
        Some((namespace, name)) => identity.namespace == namespace && identity.name == name,
        None => identity.name == name,
    }
}

fn is_specified(object: &Object, spec: &ResourceSpec) -> bool {
    let identity = object.identity();
    let (group, version) = split_api_version(&identity.api_version);
    group == spec.group && version == spec.version && identity.namespace == spec.namespace && identity.name == spec.name
}

/// Whether a computed name belongs to a rule as an expectation names it.
fn is_rule(computed: &str, expected: &str) -> bool {
    let declared = computed.strip_prefix("autogen-cronjob-").or_else(|| computed.strip_prefix("autogen-"));
    expected.is_empty() || computed == expected || declared == Some(expected)
}

fn missing(expected: &Expectation, run: Run<'_>, selected: &[usize], invalid: Option<&InvalidPolicy>) -> Checked {
    let (mark, reason) = match invalid {
        Some(invalid) if invalid.readable => (Mark::Skip, "Invalid Policy"),
        Some(_) => (Mark::Fail, "Not evaluated"),
        None => (Mark::Fail, "Not found"),
    };
    Checked {
        policy: expected.policy.clone(),
        rule: expected.rule.clone(),
        resource: selected.first().map(|index| title(&run.resources[*index])).unwrap_or_default(),
        mark,
        reason: reason.to_owned(),
        message: invalid.map_or_else(|| "no policy has this name".to_owned(), |invalid| invalid.reason.clone()),
    }
}

fn excluded(expected: &Expectation, run: Run<'_>, resource: usize, policy: usize, notices: &Notices) -> Checked {
    let rules = &run.policies.classic[policy].rules;
    if !rules.iter().any(|rule| is_rule(&rule.name, &expected.rule)) {
        let names: Vec<String> = rules.iter().map(|rule| format!("`{}`", rule.name)).collect();
        let text = format!(
            "policy `{}` has no rule `{}`, only {}; as in Kyverno this counts as held",
            expected.policy,
            expected.rule,
            names.join(", ")
        );
        notices.at(Weight::Warning, run.file, expected.at, text);
    }
    Checked {
        policy: expected.policy.clone(),
        rule: expected.rule.clone(),
        resource: title(&run.resources[resource]),
        mark: Mark::Pass,
        reason: "Excluded".to_owned(),
        message: String::new(),
    }
}

fn compare(expected: &Expectation, run: Run<'_>, row: &Row, notices: &Notices) -> Option<Checked> {
    let found = row.status.as_str();
    let (mark, reason, message) = if found != expected.result {
        (Mark::Fail, format!("Want {}, got {found}", expected.result), row.message.clone())
    } else {
        match compare_effect(expected, run, row, notices) {
            Compared::Equal if found == "skip" => (Mark::Skip, "Ok".to_owned(), row.message.clone()),
            Compared::Equal => (Mark::Pass, "Ok".to_owned(), row.message.clone()),
            Compared::Differs(text) => (Mark::Fail, "Resource diff".to_owned(), text),
            Compared::Broken(text) => (Mark::Fail, "Resource error".to_owned(), text),
            Compared::Silent => return None,
        }
    };
    Some(Checked {
        policy: expected.policy.clone(),
        rule: row.rule.clone(),
        resource: title(&run.resources[row.resource]),
        mark,
        reason,
        message,
    })
}

/// How objects that a rule made compare with those that a suite expects.
enum Compared {
    /// Nothing is expected, or it is there.
    Equal,
    /// One is different.
    Differs(String),
    /// There is nothing to compare with.
    Broken(String),
    /// Kyverno: an object that the file lacks is no line of the table at all.
    Silent,
}

fn compare_effect(expected: &Expectation, run: Run<'_>, row: &Row, notices: &Notices) -> Compared {
    if let (Some(path), Some(patched)) = (&expected.patched, &row.effect.patched) {
        return compare_object(expected, run, path, patched, notices);
    }
    let mut last = Compared::Equal;
    for path in &expected.generated {
        for generated in &row.effect.generated {
            last = compare_object(expected, run, path, generated, notices);
            if matches!(last, Compared::Equal) {
                return last;
            }
        }
    }
    last
}

fn compare_object(expected: &Expectation, run: Run<'_>, path: &str, found: &Json, notices: &Notices) -> Compared {
    if !run.wanted.has(path) {
        return Compared::Broken(format!("{path} holds no object"));
    }
    match run.wanted.find(path, found) {
        Some(wanted) => differences(wanted, found).map_or(Compared::Equal, Compared::Differs),
        None => {
            let text = format!("{path} has no {}", identity(found).join("/"));
            if expected.fail_on_missing {
                return Compared::Broken(text);
            }
            notices.at(Weight::Warning, run.file, expected.at, format!("{text}; as in Kyverno it is not compared"));
            Compared::Silent
        }
    }
}

/// `v1/Pod/namespace/name`.
fn title(object: &Object) -> String {
    let identity = object.identity();
    [identity.api_version, identity.kind, identity.namespace, identity.name].join("/")
}
