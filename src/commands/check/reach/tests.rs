//! Random changes of policies, exceptions, Namespaces, definitions, parameters and layout: what a change is said to reach
//! is what whole checks of both sides differ in. `ADMIT_SEED` makes other changes.

#![expect(clippy::disallowed_methods, reason = "makes repositories")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use super::key;
use crate::{
    commands::check::{Case, LawArgs, change, revision},
    finding::{Finding, Severity},
    report::Progress,
    runner::Wants,
    source::Environment,
};

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.roll(texts.len() as u64) as usize]
    }
}

type Files = BTreeMap<String, String>;

/// Changes one thing.
fn step(dice: &mut Dice, files: &mut Files) {
    let n = dice.roll(4);
    let (path, text) = match dice.roll(12) {
        0 | 1 => (format!("apps/o{n}.yaml"), object(dice, n)),
        2 | 3 => (format!("policies/p{n}.yaml"), policy(dice, n)),
        4 | 5 => (format!("exceptions/e{n}.yaml"), exception(dice, n)),
        6 => (format!("ns/n{}.yaml", n % 2), namespace(dice, n % 2)),
        7 => ("mutate.yaml".to_owned(), changing(dice)),
        8 => ("limits.yaml".to_owned(), limits(dice)),
        9 => ("crd.yaml".to_owned(), definition(dice)),
        10 => {
            let list = dice.of(&["[]", "[{ path: apps/o1.yaml }]", "[{ path: apps/o2.yaml }, { path: apps/o3.yaml }]"]);
            ("kustomization.yaml".to_owned(), format!("resources: [policies]\npatches: {list}\n"))
        }
        _ => {
            let exclude = dice.of(&["[]", "[apps/o0.yaml]", "[exceptions/e1.yaml]", "[policies/p2.yaml]"]);
            ("admit.yaml".to_owned(), format!("exclude: {exclude}\n"))
        }
    };
    if dice.roll(5) == 0 {
        files.remove(&path)
    } else {
        files.insert(path, text)
    };
}

fn object(dice: &mut Dice, n: u64) -> String {
    let mut out = String::new();
    for part in 0..=dice.roll(2) {
        let kind = dice.of(&["Widget", "Gadget"]);
        let namespace = dice.of(&["", ", namespace: n0", ", namespace: n1"]);
        let (size, color) = (dice.of(&["small", "large"]), dice.of(&["red", "blue"]));
        let _ = writeln!(
            out,
            "---\napiVersion: example.com/v1\nkind: {kind}\nmetadata: {{ name: obj{n}{part}{namespace} }}\nspec: {{ size: \
             {size}, color: {color} }}"
        );
    }
    out
}

fn policy(dice: &mut Dice, n: u64) -> String {
    let kinds = dice.of(&["Widget", "Gadget", "Widget, Gadget", "'*'"]);
    let namespaces =
        dice.of(&["", "", ", namespaceSelector: { matchLabels: { env: prod } }", ", namespaces: [n0, default]"]);
    let action = dice.of(&["Enforce", "Enforce", "Audit"]);
    let (context, check) = match dice.roll(4) {
        0 => (
            "context: [{ name: limits, configMap: { name: limits, namespace: n0 } }]",
            "deny: { conditions: { any: [{ key: '{{ request.object.spec.size || `\"none\"` }}', operator: NotEquals, \
             value: '{{ limits.data.size }}' }] } }",
        ),
        1 => ("", "pattern: { spec: { color: red } }"),
        2 => ("", "pattern: { =(spec): { =(size): small, =(color): blue } }"),
        _ => ("", "pattern: { =(spec): { =(size): small } }"),
    };
    format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{ name: p{n} }}\nspec:\n  background: false\n  rules:\n    \
         - name: check\n      match: {{ any: [{{ resources: {{ kinds: [{kinds}]{namespaces} }} }}] }}\n      {context}\n      \
         validate:\n        failureAction: {action}\n        message: refused\n        allowExistingViolations: false\n        {check}\n"
    )
}

fn exception(dice: &mut Dice, n: u64) -> String {
    let policy = dice.of(&["p0", "p1", "p2", "p3", "mutate"]);
    let (object, kind) = (dice.of(&["obj00", "obj10", "obj2*", "obj31"]), dice.of(&["Widget", "Gadget"]));
    let selects = dice.of(&["", "", ", namespaceSelector: { matchLabels: { env: prod } }"]);
    format!(
        "apiVersion: kyverno.io/v2\nkind: PolicyException\nmetadata: {{ name: e{n}, namespace: n0 }}\nspec:\n  \
         exceptions: [{{ policyName: {policy}, ruleNames: [check] }}]\n  match: {{ any: [{{ resources: {{ kinds: \
         [{kind}], names: ['{object}']{selects} }} }}] }}\n"
    )
}

fn namespace(dice: &mut Dice, n: u64) -> String {
    let env = dice.of(&["prod", "dev"]);
    format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: n{n}, labels: {{ env: {env} }} }}\n")
}

fn changing(dice: &mut Dice) -> String {
    let (kind, color) = (dice.of(&["Widget", "Gadget"]), dice.of(&["red", "blue"]));
    format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{ name: mutate }}\nspec:\n  background: false\n  \
         rules:\n    - name: check\n      match: {{ any: [{{ resources: {{ kinds: [{kind}] }} }}] }}\n      mutate: {{ \
         patchStrategicMerge: {{ spec: {{ color: {color} }} }} }}\n"
    )
}

fn limits(dice: &mut Dice) -> String {
    let size = dice.of(&["small", "large"]);
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: limits, namespace: n0 }}\ndata: {{ size: {size} }}\n")
}

fn definition(dice: &mut Dice) -> String {
    let scope = dice.of(&["Cluster", "Namespaced"]);
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{ name: gadgets.example.com \
         }}\nspec: {{ group: example.com, scope: {scope}, names: {{ kind: Gadget, plural: gadgets }} }}\n"
    )
}

fn git(directory: &Path, arguments: &[&str], input: &[u8]) {
    let mut child = Command::new("git")
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    assert!(child.wait().unwrap().success());
}

/// A bare repository with a commit for each state, `refs/heads/sN`.
fn repository(states: &[Files]) -> tempfile::TempDir {
    let directory = tempfile::TempDir::new().unwrap();
    git(directory.path(), &["init", "-q", "--bare"], b"");
    let mut stream = String::new();
    for (n, files) in states.iter().enumerate() {
        let _ = write!(
            stream,
            "commit refs/heads/s{n}\ncommitter a <a@example.com> 1700000000 +0000\ndata 0\n{}deleteall\n",
            if n == 0 { String::new() } else { format!("from refs/heads/s{}\n", n - 1) }
        );
        for (path, text) in files {
            let _ = writeln!(stream, "M 100644 inline {path}\ndata {}\n{text}", text.len());
        }
    }
    git(directory.path(), &["fast-import", "--quiet"], stream.as_bytes());
    directory
}

type Set = BTreeSet<(String, String, String, String, String)>;

/// The verdicts that refuse something.
fn refused<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Set {
    let refuses = |it: &&Finding| it.severity == Severity::Error && it.waived.is_none() && it.verdict.is_some();
    findings
        .into_iter()
        .filter(refuses)
        .map(|it| {
            let (id, path, kind, namespace, name) = key(it);
            (id.to_owned(), path.to_owned(), kind.to_owned(), namespace.to_owned(), name.to_owned())
        })
        .collect()
}

fn judged(case: &Case) -> Set {
    refused(&case.judge(0, Wants::default(), &Progress::start(false)).0.findings)
}

#[test]
fn what_a_change_reaches_is_what_whole_checks_of_both_sides_differ_in() {
    let mut dice = Dice(std::env::var("ADMIT_SEED").ok().and_then(|it| it.parse().ok()).unwrap_or(11));
    let mut files = Files::new();
    for _ in 0..60 {
        step(&mut dice, &mut files);
    }
    let mut states = vec![files.clone()];
    for _ in 0..120 {
        for _ in 0..=dice.roll(2) {
            step(&mut dice, &mut files);
        }
        states.push(files.clone());
    }
    let directory = repository(&states);
    let environment = Environment::new(directory.path(), std::env::vars_os());
    let progress = Progress::start(false);
    let law = LawArgs::default();
    let whole = |n: usize| judged(&revision::read(&environment, &format!("s{n}"), &law, &progress).unwrap().0);
    let mut before = whole(0);
    let mut n_reached = 0;
    for n in 1..states.len() {
        let after = whole(n);
        let cases = change::between(&environment, &format!("s{}..s{n}", n - 1), &law, &progress).unwrap();
        let reach = cases[0].reach.as_ref().map(|it| it.failing(0, true).unwrap()).unwrap_or_default();
        let paths = |files: &Files| files.keys().cloned().collect::<BTreeSet<_>>();
        let (was, is) = (&states[n - 1], &states[n]);
        let changed: BTreeSet<String> =
            paths(was).union(&paths(is)).filter(|path| was.get(*path) != is.get(*path)).cloned().collect();
        let untouched = |set: Set| -> Set { set.into_iter().filter(|it| !changed.contains(&it.1)).collect() };
        let reached = refused(reach.iter().map(|it| &it.finding));
        let expected = untouched(after.difference(&before).cloned().collect());
        n_reached += expected.len();
        assert_eq!(untouched(reached.clone()), expected, "step {n}: {changed:?}\n{was:#?}\n{is:#?}");
        assert!(reach.iter().all(|it| it.cause.is_some()), "step {n}: nothing is to blame");
        // What fails now is told by one or the other, or did so before.
        let told: Set = judged(&cases[0]).union(&reached).cloned().collect();
        let missed: Set = after.difference(&before).filter(|it| !told.contains(*it)).cloned().collect();
        assert!(missed.is_empty(), "step {n}: {missed:?}\n{was:#?}\n{is:#?}");
        before = after;
    }
    assert!(n_reached > 20, "{n_reached}");
}
