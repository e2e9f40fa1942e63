//! One policy of each form over the same objects: what a rule costs once it is compiled.
//!
//! Run with `cargo bench --bench evaluate`. Each line is the time for all objects of 400 generated apps: 2,000 objects,
//! 400 of them with Pods. `nothing_matches` is the floor, what it costs to see that no rule is for an object; a rule costs
//! what its line has above that, divided by 400. `alloc` counts what a run takes from the heap: a pass takes its outcome
//! and its message, nothing of it what could have been prepared when the policy was compiled. `compile` is for one policy
//! with its generated rules, `compile_without_autogen` for the same without them.
//!
//! Last figures, medians, one of two cores of a shared machine: floor 0.33 ms; `pattern` 0.63 ms, `conditions` 0.82,
//! `JMESPath` 0.90, `anyPattern` 0.96 (the first pattern fails), `foreach` 1.03, `podSecurity` 1.72, `every_kind` 1.23.
//! Compiling takes 12 to 30 µs, without autogen 9.

#[allow(dead_code, reason = "each bench takes the manifests that it needs")]
mod manifests;

use admit::testing::{Documents, Policies, Reader, Source};
use divan::{AllocProfiler, Bencher, counter::ItemsCount};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// Name and `validate` block of each rule; all match Pods, and so, generated, what makes them.
const RULES: &[(&str, &str)] = &[
    (
        "pattern",
        r#"{ message: m, pattern: { spec: { "=(hostPID)": "false", containers: [{ image: "!*:latest" }] } } }"#,
    ),
    (
        "anyPattern",
        r#"{ message: m, anyPattern: [{ spec: { hostPID: "true" } }, { spec: { containers: [{ name: "?*" }] } }] }"#,
    ),
    (
        "conditions",
        r#"{ message: m, deny: { conditions: { any: [{ key: "{{ request.object.spec.hostPID || `false` }}", operator: Equals, value: true }, { key: "{{ request.namespace }}", operator: AnyIn, value: [a, b, "kube-*"] }] } } }"#,
    ),
    (
        "JMESPath",
        r#"{ message: m, deny: { conditions: { all: [{ key: "{{ request.object.spec.containers[?contains(image, ':latest')].name | length(@) }}", operator: GreaterThan, value: 5 }] } } }"#,
    ),
    (
        "foreach",
        r#"{ message: m, foreach: [{ list: request.object.spec.containers, deny: { conditions: { any: [{ key: "{{ element.image }}", operator: Equals, value: "*:never" }] } } }] }"#,
    ),
    // Demands the same as `pattern`.
    (
        "CEL",
        r#"{ cel: { expressions: [{ message: m, expression: "(!has(object.spec.hostPID) || object.spec.hostPID == false) && object.spec.containers.all(c, !c.image.endsWith(':latest'))" }] } }"#,
    ),
    ("podSecurity", "{ podSecurity: { level: baseline, version: latest } }"),
    (
        "cel",
        r#"{ message: m, cel: { expressions: [{ expression: "(!has(object.spec.hostPID) || object.spec.hostPID == false) && object.spec.containers.all(c, !c.image.endsWith(':latest'))" }] } }"#,
    ),
];

fn policy(name: &str, kinds: &str, annotations: &str, validate: &str) -> String {
    format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{ name: {name}, annotations: {{ {annotations} }} }}\n\
         spec: {{ background: false, rules: [{{ name: r, match: {{ any: [{{ resources: {{ kinds: [{kinds}] }} }}] }}, \
         validate: {validate} }}] }}\n"
    )
}

fn documents() -> Documents {
    let text = manifests::apps(7, 400).join("---\n");
    Source::new("bench.yaml", text.into_bytes()).parse(&mut Reader::default()).prepare()
}

fn run(bencher: Bencher<'_, '_>, policies: &str, matches: bool) {
    let (documents, policies) = (documents(), Policies::compile(policies));
    assert_eq!(policies.evaluate(&documents) > 0, matches, "the bench measures what it says");
    bencher.counter(ItemsCount::new(documents.len())).bench(|| policies.evaluate(&documents));
}

fn names() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(name, _)| *name)
}

/// A rule for Pods, and the rules generated from it for what makes Pods.
#[divan::bench(args = names())]
fn rule(bencher: Bencher<'_, '_>, name: &str) {
    let validate = RULES.iter().find(|(known, _)| *known == name).map_or("", |(_, validate)| validate);
    run(bencher, &policy("p", "Pod", "", validate), true);
}

/// One rule for every kind, without generated ones.
#[divan::bench]
fn every_kind(bencher: Bencher<'_, '_>) {
    run(bencher, &policy("p", "'*'", "", r#"{ message: m, pattern: { metadata: { name: "?*" } } }"#), true);
}

/// The floor: the kinds of the objects are compared with a rule that matches none.
#[divan::bench]
fn nothing_matches(bencher: Bencher<'_, '_>) {
    run(bencher, &policy("p", "Nothing", "", RULES[0].1), false);
}

/// Compiling a policy and generating its rules for controllers.
#[divan::bench(args = names())]
fn compile(bencher: Bencher<'_, '_>, name: &str) {
    let validate = RULES.iter().find(|(known, _)| *known == name).map_or("", |(_, validate)| validate);
    let text = policy("p", "Pod", "", validate);
    bencher.bench(|| Policies::compile(&text));
}

/// As `compile`, with generated rules switched off: the difference is what they cost.
#[divan::bench]
fn compile_without_autogen(bencher: Bencher<'_, '_>) {
    let text = policy("p", "Pod", "pod-policies.kyverno.io/autogen-controllers: none", RULES[0].1);
    bencher.bench(|| Policies::compile(&text));
}
