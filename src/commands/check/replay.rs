//! Random histories, replayed commit by commit as pushes: the verdicts are those of whole checks.
//!
//! Commits add, edit, move and remove objects, policies, exceptions, Namespaces, definitions, parameters, settings and what
//! kustomizations say of files; some are merges. `ADMIT_SEED` makes other ones.

#![expect(clippy::disallowed_methods, reason = "makes repositories")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use rayon::prelude::*;

use super::{Case, LawArgs, change, reach::key, revision};
use crate::{
    config::Trust,
    finding::{Finding, Severity},
    report::Progress,
    runner::Wants,
    source::{Environment, Repository},
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
    if dice.roll(8) == 0 {
        // What moves stays what it is, or goes where nobody looks for law.
        let from: Vec<String> =
            files.keys().filter(|it| !it.contains("admit") && !it.contains("kust")).cloned().collect();
        let from = &from[dice.roll(from.len().max(1) as u64) as usize..];
        if let Some((from, text)) = from.first().and_then(|it| files.remove_entry(it)) {
            let name = from.rsplit('/').next().unwrap_or(&from).to_owned();
            files.insert(format!("{}/{name}", dice.of(&["apps", "moved", ".drafts", "exceptions"])), text);
        }
        return;
    }
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
         - name: check\n      match: {{ any: [{{ resources: {{ kinds: [{kinds}], operations: [CREATE, UPDATE]{namespaces} }} }}] }}\n      {context}\n      \
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

/// A bare repository with a commit for each state, `refs/heads/sN`. Every tenth is a merge of the one before and another.
fn repository(states: &[Files]) -> tempfile::TempDir {
    let directory = tempfile::TempDir::new().unwrap();
    git(directory.path(), &["init", "-q", "--bare"], b"");
    let mut stream = String::new();
    for (n, files) in states.iter().enumerate() {
        let from = if n == 0 { String::new() } else { format!("from refs/heads/s{}\n", n - 1) };
        let merge = if n % 10 == 9 { format!("merge refs/heads/s{}\n", n - 5) } else { String::new() };
        let _ = write!(
            stream,
            "commit refs/heads/s{n}\ncommitter a <a@example.com> 1700000000 +0000\ndata 0\n{from}{merge}deleteall\n"
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

/// A history of so many commits, the repository that holds it, and how it is asked about.
struct Past {
    states: Vec<Files>,
    directory: tempfile::TempDir,
    law: LawArgs,
    progress: Progress,
}

impl Past {
    fn new(n_commits: usize, seed: u64) -> Self {
        let mut dice = Dice(std::env::var("ADMIT_SEED").ok().and_then(|it| it.parse().ok()).unwrap_or(seed));
        let mut files = Files::new();
        for _ in 0..60 {
            step(&mut dice, &mut files);
        }
        let mut states = vec![files.clone()];
        while states.len() <= n_commits {
            for _ in 0..=dice.roll(2) {
                step(&mut dice, &mut files);
            }
            states.push(files.clone());
        }
        let directory = repository(&states);
        Self { states, directory, law: LawArgs::default(), progress: Progress::start(false) }
    }

    fn environment(&self) -> Environment {
        Environment::new(self.directory.path(), std::env::vars_os())
    }

    /// What a check of the whole tree refuses.
    fn whole(&self, n: usize) -> Set {
        judged(&revision::read(&self.environment(), &format!("s{n}"), &self.law, &self.progress).unwrap().0)
    }

    /// The push from the commit before.
    fn push(&self, n: usize, trust: Trust) -> Case {
        let environment = self.environment();
        let repository = Repository::open(self.directory.path(), &environment).unwrap().remembering();
        let comparison = repository.comparison(&format!("s{}..s{n}", n - 1)).unwrap();
        let change = change::Change::new(&repository, &environment, comparison, Some(trust)).unwrap();
        change.cases(&self.law, &self.progress).unwrap().remove(0)
    }

    /// The paths that commit changes.
    fn changed(&self, n: usize) -> BTreeSet<&str> {
        let (was, is) = (&self.states[n - 1], &self.states[n]);
        was.keys().chain(is.keys()).filter(|path| was.get(*path) != is.get(*path)).map(String::as_str).collect()
    }

    fn show(&self, n: usize) -> String {
        let (was, is) = (&self.states[n - 1], &self.states[n]);
        format!("commit {n} changes {:?}\n{was:#?}\n{is:#?}", self.changed(n))
    }
}

#[test]
fn what_a_change_reaches_is_what_whole_checks_of_both_sides_differ_in() {
    let past = Past::new(120, 11);
    let mut before = past.whole(0);
    let mut n_reached = 0;
    for n in 1..past.states.len() {
        let after = past.whole(n);
        let case = past.push(n, Trust::Base);
        let reach = case.reach.as_ref().map(|it| it.failing(0, true).unwrap()).unwrap_or_default();
        let changed = past.changed(n);
        let untouched = |set: Set| -> Set { set.into_iter().filter(|it| !changed.contains(&*it.1)).collect() };
        let reached = refused(reach.iter().map(|it| &it.finding));
        let expected = untouched(after.difference(&before).cloned().collect());
        n_reached += expected.len();
        assert_eq!(untouched(reached.clone()), expected, "{}", past.show(n));
        assert!(reach.iter().all(|it| it.cause.is_some()), "nothing is to blame: {}", past.show(n));
        // What fails now is told by one or the other, or did so before.
        let told: Set = judged(&case).union(&reached).cloned().collect();
        let missed: Set = after.difference(&before).filter(|it| !told.contains(*it)).cloned().collect();
        assert!(missed.is_empty(), "{missed:?}\n{}", past.show(n));
        before = after;
    }
    assert!(n_reached > 20, "{n_reached}");
}

#[test]
fn five_hundred_commits_get_the_verdicts_of_whole_checks() {
    let past = Past::new(500, 5);
    let is_law = |path: &&str| !path.rsplit('/').next().unwrap_or(path).starts_with('o');
    let (n_refused, n_by_base) = (AtomicUsize::new(0), AtomicUsize::new(0));
    (1..past.states.len()).into_par_iter().for_each(|n| {
        let changed = past.changed(n);
        let whole: Set = past.whole(n).into_iter().filter(|it| changed.contains(&*it.1)).collect();
        n_refused.fetch_add(usize::from(!whole.is_empty()), Ordering::Relaxed);
        assert_eq!(judged(&past.push(n, Trust::Head)), whole, "{}", past.show(n));
        // Where nothing but objects changes, the law before is the law after.
        if !changed.iter().any(is_law) {
            n_by_base.fetch_add(1, Ordering::Relaxed);
            assert_eq!(judged(&past.push(n, Trust::Base)), whole, "{}", past.show(n));
        }
    });
    let (n_refused, n_by_base) = (n_refused.into_inner(), n_by_base.into_inner());
    assert!(n_refused > 50 && n_by_base > 50, "{n_refused} {n_by_base}");
}
