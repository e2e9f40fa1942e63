//! A check of 8,000 manifests with 20 rules that change them, and without: with them it should take no more than twice as
//! long.
//!
//! Run with `cargo bench --bench mutate`. Everything runs on one thread over one generated tree in a temporary directory.
//! `with_rules` has rules as people write them, which change one manifest in five; in `with_rules_for_all` each of the 20
//! rules changes each of the 8,000 manifests, which nobody's rules do: it shows what a change costs.

#![allow(clippy::disallowed_methods, reason = "a bench is no part of the program")]

#[allow(dead_code, reason = "each bench takes the manifests that it needs")]
mod manifests;

use std::{ffi::OsString, fs, path::Path};

use divan::Bencher;
use tempfile::TempDir;

fn main() {
    divan::main();
}

/// How many rules change objects.
const RULES: usize = 20;

/// A policy of one rule, with the kinds that it is for.
fn policy(name: &str, kinds: &str, rule: &str) -> String {
    format!(
        "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {{ name: {name} }}
spec:
  rules:
    - name: {name}
      match: {{ any: [{{ resources: {{ kinds: [{kinds}] }} }}] }}
      {rule}
"
    )
}

/// One of several forms of rules for Pods and what runs them.
fn usual(index: usize) -> String {
    let mutate = match index % 5 {
        0 => format!("patchStrategicMerge: {{ metadata: {{ labels: {{ +(label-{index}): added }} }} }}"),
        1 => {
            "patchStrategicMerge: { spec: { containers: [{ (image): '*', +(imagePullPolicy): IfNotPresent }] } }".into()
        }
        2 => format!("patchStrategicMerge: {{ spec: {{ nodeSelector: {{ key-{index}: '{{{{ request.namespace }}}}' }} }} }}"),
        3 => format!("patchesJson6902: '[{{\"op\": \"add\", \"path\": \"/metadata/annotations/k{index}\", \"value\": \"v\"}}]'"),
        _ => {
            "foreach: [{ list: 'request.object.spec.containers', patchStrategicMerge: { spec: { containers: [{ (name): '{{ element.name }}', tty: false }] } } }]".into()
        }
    };
    policy(&format!("m{index:02}"), "Pod", &format!("mutate: {{ {mutate} }}"))
}

/// A rule that changes whatever it sees.
fn for_all(index: usize) -> String {
    let kinds = "Deployment, Service, NetworkPolicy, Role, ConfigMap";
    let rule =
        format!("mutate: {{ patchStrategicMerge: {{ metadata: {{ annotations: {{ key-{index}: 'yes' }} }} }} }}");
    let controllers = "metadata: { annotations: { pod-policies.kyverno.io/autogen-controllers: none }, name:";
    policy(&format!("m{index:02}"), kinds, &rule).replace("metadata: { name:", controllers)
}

/// A rule that judges.
fn judge(index: usize) -> String {
    let pattern = "{ spec: { containers: [{ name: '?*', image: '!*:latest' }] } }";
    policy(&format!("v{index:02}"), "Pod", &format!("validate: {{ message: m, pattern: {pattern} }}"))
}

/// A tree of manifests, policies that judge them, and those that `changing` makes.
fn tree(changing: Option<fn(usize) -> String>) -> TempDir {
    let tree = tempfile::tempdir().expect("a directory");
    let write = |path: &Path, text: &str| fs::write(path, text).expect("can be written");
    write(&tree.path().join("admit.yaml"), "policies: [policies]\n");
    fs::create_dir(tree.path().join("policies")).expect("can be made");
    for (index, text) in manifests::apps(7, 1600).into_iter().enumerate() {
        let directory = tree.path().join(format!("apps/{:03}", index / 40));
        fs::create_dir_all(&directory).expect("can be made");
        write(&directory.join(format!("{index}.yaml")), &text);
    }
    for index in 0..18 {
        write(&tree.path().join(format!("policies/v{index:02}.yaml")), &judge(index));
    }
    for (index, make) in (0..RULES).zip(changing.into_iter().cycle()) {
        write(&tree.path().join(format!("policies/m{index:02}.yaml")), &make(index));
    }
    tree
}

fn check(bencher: Bencher<'_, '_>, tree: &TempDir) {
    let out = tree.path().with_extension("json");
    let mut arguments: Vec<OsString> =
        ["admit", "check", "--jobs", "1", "--format", "json", "-o"].map(Into::into).into();
    arguments.extend([out.clone().into(), tree.path().into()]);
    bencher.bench(|| {
        let code = admit::run(arguments.iter().cloned());
        assert!(code < 2, "the check runs to its end");
    });
    let report = fs::read_to_string(&out).expect("a report");
    assert!(report.contains("\"manifests\": 8000"), "all of it is checked");
    fs::remove_file(out).expect("can be removed");
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn without_rules(bencher: Bencher<'_, '_>) {
    check(bencher, &tree(None));
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn with_rules(bencher: Bencher<'_, '_>) {
    check(bencher, &tree(Some(usual)));
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn with_rules_for_all(bencher: Bencher<'_, '_>) {
    check(bencher, &tree(Some(for_all)));
}
