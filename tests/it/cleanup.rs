//! What `admit check` and `admit apply` say of objects that policies or labels delete again.

use crate::scratch::Scratch;

const POLICIES: &str = r#"
apiVersion: policies.kyverno.io/v1
kind: DeletingPolicy
metadata: { name: old-widgets }
spec:
  schedule: "0 3 * * *"
  matchConstraints:
    resourceRules: [{ apiGroups: [example.com], apiVersions: [v1], resources: [widgets] }]
  conditions: [{ name: big, expression: "object.spec.size > 5" }]
---
apiVersion: kyverno.io/v2
kind: CleanupPolicy
metadata: { name: own, namespace: shop }
spec:
  schedule: "@hourly"
  match: { any: [{ resources: { kinds: [Gadget] } }] }
"#;

fn widget(name: &str, rest: &str) -> String {
    format!("{{ apiVersion: example.com/v1, kind: Widget, metadata: {{ name: {name}, namespace: shop{rest}\n")
}

#[test]
fn what_will_be_deleted_is_told_and_fails_nothing() {
    let scratch = Scratch::repository();
    scratch.write("policies.yaml", POLICIES);
    scratch.write("big.yaml", widget("big", " }, spec: { size: 6 } }"));
    scratch.write("small.yaml", widget("small", " }, spec: { size: 5 } }"));
    scratch.write("bare.yaml", widget("bare", " } }"));
    scratch.write("gadget.yaml", widget("g", " } }").replace("Widget", "Gadget"));
    let ran = scratch.admit(&["check"]).exits(0);
    for (expected, is_said) in [
        ("policy `old-widgets` deletes this on its schedule `0 3 * * *`", true),
        ("--> big.yaml:1:63", true),
        ("policy `shop/own` deletes this on its schedule `@hourly`", true),
        ("--> gadget.yaml:1:63", true),
        ("policy `old-widgets` may delete this on its schedule `0 3 * * *`", true),
        ("--> bare.yaml:1:63", true),
        ("whether its conditions hold can't be told here: no such key: spec", true),
        ("small.yaml", false),
    ] {
        assert_eq!(ran.stdout.contains(expected), is_said, "{expected}\n{}", ran.stdout);
    }
}

#[test]
fn labels_that_delete_are_looked_at() {
    let scratch = Scratch::repository();
    scratch.write("policies.yaml", POLICIES);
    for (name, value) in [("never", "soon"), ("over", "2020-01-01"), ("fine", "2d")] {
        let labels = format!(", labels: {{ cleanup.kyverno.io/ttl: '{value}' }} }}, spec: {{ size: 1 }} }}");
        scratch.write(&format!("{name}.yaml"), widget(name, &labels));
    }
    let namespace =
        "{ apiVersion: v1, kind: Namespace, metadata: { name: x, labels: { cleanup.kyverno.io/ttl: 1h } } }";
    scratch.write("ns.yaml", namespace);
    let ran = scratch.admit(&["check"]);
    for (expected, is_said) in [
        ("`soon` is no time to live: Kyverno lets the object in and never deletes it", true),
        ("the time of `2020-01-01` is over", true),
        ("the label deletes a Namespace and what depends on it", true),
        ("fine.yaml", false),
    ] {
        assert_eq!(ran.stdout.contains(expected), is_said, "{expected}\n{}", ran.stdout);
    }
}

#[test]
fn apply_has_a_row_for_each_object() {
    let scratch = Scratch::new();
    scratch.write("policies.yaml", POLICIES).write("big.yaml", widget("big", " }, spec: { size: 6 } }"));
    let ran = scratch.admit(&["apply", "policies.yaml", "-r", "big.yaml"]).exits(1);
    assert!(ran.stdout.contains("pass: 1, fail: 1, warn: 0, error: 0, skip: 0"), "{}", ran.stdout);
}
