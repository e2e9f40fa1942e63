//! What a suite expects against what the policies say.
//!
//! In: an expectation and the rows of a run. Out: a line of the table for each comparison. As in Kyverno a resource
//! that an expectation names and nobody knows makes it ask about every resource, and a rule that says nothing counts
//! as held; both are said in a notice, since they are mistakes more often than not, and in a strict run each is a line
//! that fails.

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
    /// Objects beside them that rules change; rows count them behind the resources.
    pub targets: &'r [Object],
    /// What the policies say of them.
    pub judged: &'r Judged,
    /// Objects to compare with.
    pub wanted: &'r Wanted,
    /// What Kyverno lets pass fails.
    pub strict: bool,
}

impl Run<'_> {
    /// The object of a row.
    fn object(&self, index: usize) -> &Object {
        self.resources.get(index).unwrap_or_else(|| &self.targets[index - self.resources.len()])
    }
}

/// Compares one expectation with a run.
pub(crate) fn check(expected: &Expectation, run: Run<'_>, notices: &Notices) -> Vec<Checked> {
    let name = expected.policy.rsplit('/').next().unwrap_or_default();
    let odd = Odd { expected, run, notices };
    let mut out = Vec::new();
    let selected = select(&odd, &mut out);
    let of_kind = |index: &usize| run.object(*index).identity().kind == expected.kind;
    if !expected.kind.is_empty() && !selected.is_empty() && !selected.iter().any(of_kind) {
        let text = format!("no resource that is checked here is a `{}`", expected.kind);
        let resource = title(run.object(selected[0]));
        out.extend(odd.say("Wrong kind", resource, text, "as in Kyverno its kind makes no difference"));
    }
    let heads: Vec<usize> = (0..run.judged.heads.len()).filter(|it| run.judged.heads[*it].name == name).collect();
    if heads.is_empty() {
        let invalid = run.invalid.iter().find(|it| it.name == name);
        out.push(missing(expected, run, &selected, invalid));
        return out;
    }
    for &resource in &selected {
        for &policy in &heads {
            let rows = run.judged.rows.iter().filter(|row| row.resource == resource && row.policy == policy);
            // Kyverno: of policies without rules every row counts, whatever rule an expectation names.
            let has_rules = run.judged.heads[policy].has_rules();
            let rows: Vec<&Row> = rows.filter(|row| !has_rules || is_rule(&row.rule, &expected.rule)).collect();
            // Of another object that no rule has changed nobody asks.
            if rows.is_empty() && resource < run.resources.len() {
                out.push(excluded(&odd, resource, policy));
            }
            out.extend(rows.into_iter().flat_map(|row| compare(&odd, row)));
        }
    }
    out
}

/// What is odd about an expectation, though Kyverno counts it as held.
struct Odd<'r> {
    expected: &'r Expectation,
    run: Run<'r>,
    notices: &'r Notices,
}

impl Odd<'_> {
    /// Says what is odd and what is done `instead`; in a strict run it is a line that fails, and nothing is done instead.
    fn say(&self, reason: &str, resource: String, text: String, instead: &str) -> Option<Checked> {
        let Self { expected, run, notices } = self;
        let whole = if run.strict { text.clone() } else { format!("{text}; {instead}") };
        notices.at(Weight::Warning, run.file, expected.at, whole);
        run.strict.then(|| Checked {
            policy: expected.policy.clone(),
            rule: expected.rule.clone(),
            resource,
            mark: Mark::Fail,
            reason: reason.to_owned(),
            message: text,
        })
    }
}

/// Indexes of the resources that an expectation asks about; lines for names that nothing has.
fn select(odd: &Odd<'_>, out: &mut Vec<Checked>) -> Vec<usize> {
    let Odd { expected, run, .. } = odd;
    let mut unknown = Vec::new();
    let objects = || run.resources.iter().chain(run.targets);
    let mut selected = vec![false; run.resources.len() + run.targets.len()];
    for name in expected.resources.iter().flatten() {
        let mut found = false;
        for (object, selected) in objects().zip(&mut selected) {
            if is_named(object, name) {
                (*selected, found) = (true, true);
            }
        }
        if !found {
            unknown.push(name);
        }
    }
    // Kyverno: without the field `resources` the field `resourceSpecs` is not read.
    for spec in expected.specs.iter().filter(|_| expected.resources.is_some()) {
        for (object, selected) in objects().zip(&mut selected) {
            *selected |= is_specified(object, spec);
        }
    }
    let any = selected.contains(&true);
    let instead =
        if any { "as in Kyverno only the others are checked" } else { "as in Kyverno all are checked instead" };
    for name in unknown {
        let text = format!("no resource is called `{name}`");
        out.extend(odd.say("Unknown resource", name.clone(), text, instead));
    }
    (0..selected.len()).filter(|index| selected[*index] || (!any && out.is_empty())).collect()
}

fn is_named(object: &Object, name: &str) -> bool {
    if let Some(payload) = &object.payload {
        return payload.path == name;
    }
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
        Some(invalid) if invalid.readable && run.strict => (Mark::Fail, "Invalid Policy"),
        Some(invalid) if invalid.readable => (Mark::Skip, "Invalid Policy"),
        Some(_) => (Mark::Fail, "Not evaluated"),
        None => (Mark::Fail, "Not found"),
    };
    Checked {
        policy: expected.policy.clone(),
        rule: expected.rule.clone(),
        resource: selected.first().map(|index| title(run.object(*index))).unwrap_or_default(),
        mark,
        reason: reason.to_owned(),
        message: invalid.map_or_else(|| "no policy has this name".to_owned(), |invalid| invalid.reason.clone()),
    }
}

fn excluded(odd: &Odd<'_>, resource: usize, policy: usize) -> Checked {
    let Odd { expected, run, .. } = odd;
    let rules = run.policies.classic.get(policy).map(|policy| &policy.rules);
    if let Some(rules) = rules.filter(|rules| !rules.iter().any(|rule| is_rule(&rule.name, &expected.rule))) {
        let names: Vec<String> = rules.iter().map(|rule| format!("`{}`", rule.name)).collect();
        let text = format!("policy `{}` has no rule `{}`, only {}", expected.policy, expected.rule, names.join(", "));
        let resource = title(run.object(resource));
        if let Some(line) = odd.say("Unknown rule", resource, text, "as in Kyverno this counts as held") {
            return line;
        }
    }
    Checked {
        policy: expected.policy.clone(),
        rule: expected.rule.clone(),
        resource: title(run.object(resource)),
        mark: Mark::Pass,
        reason: "Excluded".to_owned(),
        message: String::new(),
    }
}

/// The lines for what a rule says: one, or one for each object that it makes where a suite expects some.
fn compare(odd: &Odd<'_>, row: &Row) -> Vec<Checked> {
    let Odd { expected, run, .. } = odd;
    let found = row.status.as_str();
    // Kyverno: an object that differs makes the result a failure, which a suite may expect.
    let counts = found == expected.result || (expected.result == "fail" && found == "pass");
    let line = |compared, resource| line(expected, row, compared, resource);
    let resource = title(run.object(row.resource));
    if !counts {
        return line(Compared::Equal, resource).into_iter().collect();
    }
    if let (Some(path), Some(patched)) = (&expected.patched, &row.effect.patched) {
        return line(compare_object(odd, path, patched), resource).into_iter().collect();
    }
    if expected.generated.is_empty() || row.effect.generated.is_empty() {
        return line(Compared::Equal, resource).into_iter().collect();
    }
    let of_object = |generated: &Json| line(compare_any(odd, generated), identity(generated).join("/"));
    row.effect.generated.iter().filter_map(of_object).collect()
}

fn line(expected: &Expectation, row: &Row, compared: Compared, resource: String) -> Option<Checked> {
    let found = row.status.as_str();
    let said = row.message.clone();
    let (mark, reason, message) = match compared {
        Compared::Differs(text) if expected.result == "fail" => (Mark::Pass, "Ok".to_owned(), text),
        Compared::Differs(text) => (Mark::Fail, "Resource diff".to_owned(), text),
        Compared::Broken(text) => (Mark::Fail, "Resource error".to_owned(), text),
        Compared::Silent => return None,
        Compared::Equal if found != expected.result => {
            (Mark::Fail, format!("Want {}, got {found}", expected.result), said)
        }
        Compared::Equal if found == "skip" => (Mark::Skip, "Ok".to_owned(), said),
        Compared::Equal => (Mark::Pass, "Ok".to_owned(), said),
    };
    let (policy, rule) = (expected.policy.clone(), row.rule.clone());
    Some(Checked { policy, rule, resource, mark, reason, message })
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

/// A generated object against the files that may hold it.
fn compare_any(odd: &Odd<'_>, generated: &Json) -> Compared {
    let Odd { expected, run, .. } = odd;
    let mut last = Compared::Silent;
    for path in &expected.generated {
        let holds = run.wanted.find(path, generated).is_some() || expected.generated.len() == 1;
        if !holds && run.wanted.has(path) {
            continue;
        }
        last = compare_object(odd, path, generated);
        if matches!(last, Compared::Equal) {
            break;
        }
    }
    last
}

fn compare_object(odd: &Odd<'_>, path: &str, found: &Json) -> Compared {
    let Odd { expected, run, notices } = odd;
    if !run.wanted.has(path) {
        return Compared::Broken(format!("{path} holds no object"));
    }
    if let Some(wanted) = run.wanted.find(path, found) {
        return differences(wanted, found).map_or(Compared::Equal, Compared::Differs);
    }
    let text = format!("{path} has no {}", identity(found).join("/"));
    if expected.fail_on_missing || run.strict {
        return Compared::Broken(text);
    }
    notices.at(Weight::Warning, run.file, expected.at, format!("{text}; as in Kyverno it is not compared"));
    Compared::Silent
}

/// `v1/Pod/namespace/name`, or the path of a payload.
fn title(object: &Object) -> String {
    if let Some(payload) = &object.payload {
        return payload.path.clone();
    }
    let identity = object.identity();
    [identity.api_version, identity.kind, identity.namespace, identity.name].join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::{evaluation::Effect, testing};

    /// Policy, rule, resource, mark and reason of each line, and the notices.
    fn checked(expected: &Expectation) -> (Vec<String>, Vec<String>) {
        checked_with(expected, false)
    }

    fn checked_with(expected: &Expectation, strict: bool) -> (Vec<String>, Vec<String>) {
        let (mut judged, resources) = testing::judged();
        judged.rows[1].effect = Effect { patched: Some(serde_json::json!({"kind": "Pod"})), generated: Vec::new() };
        let policies = testing::policies(testing::POLICIES);
        let file = File::new("kyverno-test.yaml", Vec::new());
        let files = [("empty.yaml", vec![]), ("pod.yaml", vec![serde_json::json!({"kind": "Pod", "spec": {"x": 1}})])];
        let files = files.into_iter().map(|(path, objects)| (path.to_owned(), objects)).collect();
        let invalid = [("refused", true), ("broken", false)].map(|(name, readable)| InvalidPolicy {
            name: name.to_owned(),
            reason: "why".to_owned(),
            readable,
        });
        let run = Run {
            file: &file,
            policies: &policies,
            invalid: &invalid,
            resources: &resources,
            targets: &[],
            judged: &judged,
            wanted: &Wanted { files },
            strict,
        };
        let notices = Notices::default();
        let lines = check(expected, run, &notices);
        let lines = lines.iter().map(|it| format!("{} {} {} {}", it.rule, it.resource, it.mark.name(), it.reason));
        (lines.collect(), notices.take().into_iter().map(|notice| notice.text).collect())
    }

    fn expect(policy: &str, rule: &str, resource: &str, result: &str) -> Expectation {
        Expectation {
            policy: policy.to_owned(),
            rule: rule.to_owned(),
            resources: Some(vec![resource.to_owned()]),
            result: result.to_owned(),
            ..Expectation::default()
        }
    }

    #[test]
    fn results_are_compared_as_words() {
        let line = |expected| checked(&expected).0.join("\n");
        assert_eq!(line(expect("host", "ipc", "web", "fail")), "ipc v1/Pod/shop/web Pass Ok");
        assert_eq!(line(expect("any/host", "", "shop/web", "fail")), "ipc v1/Pod/shop/web Pass Ok");
        assert_eq!(line(expect("host", "ipc", "web", "pass")), "ipc v1/Pod/shop/web Fail Want pass, got fail");
        assert_eq!(line(expect("nowhere", "ipc", "web", "pass")), "ipc v1/Pod/shop/web Fail Not found");
        assert_eq!(line(expect("refused", "ipc", "web", "pass")), "ipc v1/Pod/shop/web Skip Invalid Policy");
        assert_eq!(line(expect("broken", "ipc", "web", "pass")), "ipc v1/Pod/shop/web Fail Not evaluated");
    }

    #[test]
    fn names_that_match_nothing_count_as_in_kyverno_but_are_said() {
        let (lines, notices) = checked(&expect("host", "icp", "web", "fail"));
        assert_eq!(lines, ["icp v1/Pod/shop/web Pass Excluded"]);
        let names = "`ipc`, `autogen-ipc`, `autogen-cronjob-ipc`";
        assert_eq!(
            notices,
            [format!("policy `host` has no rule `icp`, only {names}; as in Kyverno this counts as held")]
        );
        let (lines, notices) = checked(&expect("host", "ipc", "wbe", "fail"));
        assert_eq!(lines, ["ipc v1/Pod/shop/web Pass Ok"]);
        assert_eq!(notices, ["no resource is called `wbe`; as in Kyverno all are checked instead"]);
    }

    #[test]
    fn what_kyverno_lets_pass_is_a_line_that_fails_in_a_strict_run() {
        let line = |expected| checked_with(&expected, true).0.join("\n");
        assert_eq!(line(expect("host", "ipc", "web", "fail")), "ipc v1/Pod/shop/web Pass Ok");
        assert_eq!(line(expect("host", "icp", "web", "fail")), "icp v1/Pod/shop/web Fail Unknown rule");
        assert_eq!(line(expect("host", "ipc", "wbe", "fail")), "ipc wbe Fail Unknown resource");
        assert_eq!(line(expect("refused", "ipc", "web", "pass")), "ipc v1/Pod/shop/web Fail Invalid Policy");
        let mut secret = expect("host", "ipc", "web", "fail");
        secret.kind = "Secret".to_owned();
        assert_eq!(line(secret), "ipc v1/Pod/shop/web Fail Wrong kind\nipc v1/Pod/shop/web Pass Ok");
        let mut two = expect("host", "ipc", "web", "fail");
        two.resources = Some(vec!["web".to_owned(), "wbe".to_owned()]);
        assert_eq!(line(two), "ipc wbe Fail Unknown resource\nipc v1/Pod/shop/web Pass Ok");
        let (_, notices) = checked_with(&expect("host", "ipc", "wbe", "fail"), true);
        assert_eq!(notices, ["no resource is called `wbe`"]);
    }

    #[test]
    fn objects_are_compared_when_the_result_is_as_expected() {
        let expected =
            |path: &str| Expectation { patched: Some(path.to_owned()), ..expect("own", "pid", "web", "pass") };
        assert_eq!(checked(&expected("pod.yaml")).0, ["pid v1/Pod/shop/web Fail Resource diff"]);
        assert_eq!(checked(&expected("empty.yaml")).0, ["pid v1/Pod/shop/web Fail Resource error"]);
    }

    #[test]
    fn computed_names_belong_to_the_declared_rule() {
        for (computed, expected, is) in [
            ("r", "r", true),
            ("autogen-r", "r", true),
            ("autogen-cronjob-r", "r", true),
            ("autogen-r", "autogen-r", true),
            ("autogen-cronjob-r", "autogen-r", false),
            ("r", "", true),
            ("rr", "r", false),
        ] {
            assert_eq!(is_rule(computed, expected), is, "{computed} {expected}");
        }
    }
}
