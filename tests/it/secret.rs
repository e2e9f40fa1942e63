//! What a policy makes of the values of a Secret reaches no report either.

use crate::scratch::{Scratch, policy};

const SECRET: &str = "apiVersion: v1
kind: Secret
metadata: { name: s, namespace: shop }
stringData: { password: hunter2-horse, second: open-sesame }
";

fn rules(kind: &str, context: &str, message: &str) -> String {
    format!(
        "    - name: check
      match: {{ any: [{{ resources: {{ kinds: [{kind}] }} }}] }}
{context}      validate:
        message: \"{message}\"
        deny: {{}}
"
    )
}

fn with(rule: &str) -> Scratch {
    let it = Scratch::repository();
    let text = policy("secret", "size", "small");
    let head = text.split("    - name: check").next().unwrap();
    it.write("policies/secret.yaml", format!("{head}{rule}")).write("apps/secret.yaml", SECRET);
    it.write("apps/map.yaml", "{ apiVersion: v1, kind: ConfigMap, metadata: { name: m, namespace: shop } }\n");
    it
}

#[track_caller]
fn keeps_quiet(it: &Scratch) {
    for format in ["text", "json", "sarif", "policyreport"] {
        let run = it.admit(&["check", "--format", format, "--explain"]).exits(1);
        for value in ["HUNTER2", "hunter2", "horse", "esroh", "retnuh", "aHVudGVy", "sesame"] {
            assert!(!run.stdout.contains(value), "{format}: {value} in {}", run.stdout);
        }
    }
}

#[test]
fn a_value_in_another_form_is_not_told() {
    for message in [
        "{{ to_upper(request.object.stringData.password) }} is weak",
        "{{ split(request.object.stringData.password, '-') | [1] }} is weak",
        "{{ reverse(request.object.stringData.password) }} is weak",
        "{{ to_number(request.object.stringData.password) }} is weak",
        "{{ request.object.stringData | to_string(@) | base64_encode(@) }}",
    ] {
        keeps_quiet(&with(&rules("Secret", "", message)));
    }
}

#[test]
fn a_value_that_a_rule_fetches_is_not_told_of_another_object() {
    for path in ["/api/v1/namespaces/shop/secrets/s", "/api/v1/namespaces/{{ request.namespace }}/secrets/s"] {
        let context = format!(
            "      context: [{{ name: secret, apiCall: {{ urlPath: \"{path}\", jmesPath: stringData.password }} }}]\n"
        );
        let it = with(&rules("ConfigMap", &context, "{{ to_upper(secret) }} and {{ reverse(secret) }} are known"));
        keeps_quiet(&it);
        it.admit(&["check"]).exits(1).says("apps/map.yaml").says("may hold values of a Secret");
    }
}

#[test]
fn a_policy_s_own_words_are_told() {
    let it = with(&rules("Secret", "", "secrets belong elsewhere"));
    keeps_quiet(&it);
    it.admit(&["check"]).exits(1).says("secrets belong elsewhere");
    // Of other objects everything is told.
    let it = with(&rules("ConfigMap", "", "{{ to_upper(request.object.metadata.name) }} is known"));
    it.admit(&["check"]).exits(1).says("M is known");
}
