//! Governance on the command line: `lint`, `exceptions`, `explain`, and what a change does to exceptions and policies.

use crate::scratch::{Scratch, exception, policy, widget};

/// A policy, a Widget that breaks it, and an exception that covers the Widget.
fn governed() -> Scratch {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"))
        .write("apps/large.yaml", widget("large", "size", "large"))
        .write("exceptions/large.yaml", exception("large", "size", "large"));
    it
}

#[test]
fn lint_looks_at_policies_and_exceptions_only() {
    let it = governed();
    it.write("exceptions/any.yaml", exception("any", "size", "'*'"));
    it.write("apps/other.yaml", widget("other", "size", "large"));
    let run = it.admit(&["lint"]).exits(1).says("error[EXC014]").says("exceptions/any.yaml").says_not("size/check");
    run.says("1 policy and 2 exceptions");
    it.admit(&["lint", "--no-governance"]).exits(0);
    it.admit(&["lint", "policies"]).exits(0).says_not("EXC014");
    it.admit(&["lint", "apps"]).exits(3).says("no policy and no exception was found");
}

#[test]
fn the_register_tells_needed_from_unused() {
    let it = governed();
    it.write("exceptions/gone.yaml", exception("gone", "size", "gone"));
    let run = it.admit(&["exceptions"]).exits(0).says("2 exceptions: 1 needed, 1 unused");
    run.says("exceptions/gone.yaml:");
    let rows = it.admit(&["exceptions", "--format", "json"]).exits(0).json();
    assert_eq!(rows[1]["exempts"][0]["would"], "fail");
}

#[test]
fn settings_weigh_rules_and_wrong_ones_end_the_run() {
    let it = governed();
    it.write("exceptions/any.yaml", exception("any", "size", "'*'"));
    it.write("admit.yaml", "governance: { rules: { EXC014: { severity: warning }, EXC010: { enabled: false } } }\n");
    it.admit(&["lint"]).says("warning[EXC014]");
    it.write("admit.yaml", "governance:\n  rules:\n    EXC14: {}\n");
    it.admit(&["check"]).exits(2).complains("admit.yaml:3:5: there is no rule `EXC14`").complains("did you mean");
}

#[test]
fn a_page_is_printed_and_an_unknown_one_is_an_error() {
    let it = Scratch::repository();
    it.admit(&["explain", "EXC021"]).exits(0).says("# EXC021 autogen-missing").says("## Stays quiet");
    it.admit(&["explain", "EXC777"]).exits(2).complains("there is no page for `EXC777`");
    it.admit(&["explain", "size/check"]).exits(2).complains("would be a rule of the policy `size`");
}

#[test]
fn a_change_is_told_what_it_brings_and_not_what_was_there() {
    let it = governed();
    it.write("exceptions/any.yaml", exception("any", "size", "'*'"));
    it.commit("as it is");
    // What was wrong before is no news; what the change brings is.
    it.write("exceptions/more.yaml", exception("more", "size", "m*"));
    it.commit("one more");
    let run = it.admit(&["check", "--diff", "HEAD~1..HEAD"]).exits(1).says("error[EXC014]");
    run.says("exceptions/more.yaml").says_not("exceptions/any.yaml");
    // A policy that goes weighs less alone than together with what it let in.
    it.remove("policies/size.yaml").remove("exceptions/more.yaml");
    it.commit("without");
    let run = it.admit(&["check", "--diff", "HEAD~1..HEAD"]).exits(1);
    run.says("warning[GOV006]").says("error[EXC035]").says("the change removes policy `size`");
    it.write("apps/large.yaml", widget("large", "size", "huge"));
    it.commit("huge");
    it.admit(&["check", "--diff", "HEAD~2..HEAD"]).exits(1).says("error[GOV006]");
}

#[test]
fn a_policy_that_comes_to_demand_less_is_told_however_it_is_done() {
    let strict = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: { name: size, annotations: { policies.kyverno.io/severity: high } }
spec:
  rules:
    - name: check
      match: { any: [{ resources: { kinds: [Widget, Gadget], namespaces: ['*'] } }] }
      exclude: { any: [{ resources: { namespaces: [kube-system], names: [a] } }] }
      preconditions: { all: [{ key: '{{ request.operation }}', operator: NotEquals, value: DELETE }] }
      validate:
        failureAction: Enforce
        message: too large
        pattern: { spec: { size: small, color: red } }
    - name: more
      match: { any: [{ resources: { kinds: [Widget] } }] }
      validate: { failureAction: Enforce, message: never, deny: { conditions: { any: [{ key: a, operator: Equals, value: b }, { key: b, operator: Equals, value: c }] } } }
";
    for (what, from, to) in [
        ("`Enforce` is now `Audit`", "failureAction: Enforce\n", "failureAction: Audit\n"),
        (
            "`Audit` overrides",
            "failureAction: Enforce\n",
            "failureAction: Enforce\n        failureActionOverrides: [{ action: Audit, namespaces: [shop] }]\n",
        ),
        ("`Gadget` is no longer matched", "[Widget, Gadget]", "[Widget]"),
        ("`match` takes less", "namespaces: ['*']", "namespaces: [shop]"),
        ("`match` takes less", "namespaces: ['*']", "namespaces: ['*'], selector: { matchLabels: { a: b } }"),
        ("`exclude` takes more", "names: [a]", "names: ['*']"),
        ("`exclude` takes more", ", names: [a]", ""),
        ("`exclude` takes more", "namespaces: [kube-system], names", "namespaces: ['kube-*'], names"),
        (
            "`preconditions` asks for more",
            "value: DELETE }]",
            "value: DELETE }, { key: x, operator: Equals, value: y }]",
        ),
        ("may be weaker: what it demands has changed", "size: small", "size: '?*'"),
        ("is weakened: it demands less", ", color: red", ""),
        ("is weakened: it demands less", "{ key: a, operator: Equals, value: b }, ", ""),
        ("rule `more` is gone", "- name: more", "- name: other"),
        ("its severity is lower", "severity: high", "severity: low"),
        ("`failurePolicy` is now `Ignore`", "spec:\n  rules", "spec:\n  failurePolicy: Ignore\n  rules"),
        ("only the first rule", "spec:\n  rules", "spec:\n  applyRules: One\n  rules"),
        ("`admission` is switched off", "spec:\n  rules", "spec:\n  admission: false\n  rules"),
        ("the change removes policy `size`", "name: size,", "name: renamed,"),
    ] {
        let it = Scratch::repository();
        it.write("policies/size.yaml", strict).commit("strict");
        assert!(strict.contains(from), "{from}");
        it.write("policies/size.yaml", strict.replace(from, to)).commit("weaker");
        let run = it.admit(&["check", "--diff", "HEAD~1", "--format", "json"]);
        assert!(run.stdout.contains("GOV006") && run.stdout.contains(what), "{what}: {}", run.stdout);
        // Back again nothing is weaker.
        it.write("policies/size.yaml", strict).commit("strict");
        let run = it.admit(&["check", "--diff", "HEAD~1", "--format", "json"]);
        let is_told = run.stdout.contains("GOV006");
        assert_eq!(is_told, matches!(from, "name: size," | "- name: more" | "size: small"), "{what}: {}", run.stdout);
    }
    // The last policy of all, alone and with what it refused.
    let it = governed();
    it.commit("base");
    it.remove("policies/size.yaml").remove("exceptions/large.yaml");
    it.commit("gone");
    it.admit(&["check", "--diff", "HEAD~1"]).says("warning[GOV006]: the change removes policy `size`");
    it.write("apps/huge.yaml", widget("huge", "size", "huge"));
    it.git(&["add", "-A"]);
    it.git(&["commit", "-q", "--amend", "--no-edit"]);
    it.admit(&["check", "--diff", "HEAD~1"]).exits(1).says("error[GOV006]").says("error[size/check]");
}

#[test]
fn an_exception_that_comes_to_exempt_more_is_told_however_it_is_done() {
    let narrow = "apiVersion: kyverno.io/v2
kind: PolicyException
metadata: { name: a, namespace: shop }
spec:
  exceptions: [{ policyName: size, ruleNames: [check] }]
  match: { any: [{ resources: { kinds: [Widget], namespaces: [shop], names: [abc, tool-a], selector: { matchLabels: { a: b } } } }] }
  conditions: { all: [{ key: '{{ request.operation }}', operator: Equals, value: CREATE }] }
";
    for (what, from, to) in [
        ("is waived, too", "ruleNames: [check]", "ruleNames: ['*']"),
        ("is waived, too", "ruleNames: [check] }", "ruleNames: [check] }, { policyName: color, ruleNames: [check] }"),
        ("`tool-*` is exempted, too", "tool-a", "'tool-*'"),
        ("`names` is no longer limited", ", names: [abc, tool-a]", ""),
        ("`other` is exempted, too", "namespaces: [shop]", "namespaces: [shop, other]"),
        ("matches more than before", ", selector: { matchLabels: { a: b } }", ""),
        ("hold for more than before", "value: CREATE", "value: '*'"),
        (
            "no conditions any more",
            "  conditions: { all: [{ key: '{{ request.operation }}', operator: Equals, value: CREATE }] }\n",
            "",
        ),
    ] {
        let it = Scratch::repository();
        it.write("policies/size.yaml", policy("size", "size", "small"));
        it.write("exceptions/a.yaml", narrow).commit("narrow");
        assert!(narrow.contains(from), "{from}");
        it.write("exceptions/a.yaml", narrow.replace(from, to)).commit("wider");
        let run = it.admit(&["check", "--diff", "HEAD~1", "--format", "json"]);
        assert!(run.stdout.contains("GOV007") && run.stdout.contains(what), "{what}: {}", run.stdout);
        it.write("exceptions/a.yaml", narrow).commit("narrow");
        let run = it.admit(&["check", "--diff", "HEAD~1", "--format", "json"]);
        assert_eq!(run.stdout.contains("GOV007"), from == "value: CREATE", "{what}: {}", run.stdout);
    }
}

#[test]
fn a_policy_that_others_judge_by_is_there_all_the_same() {
    let it = governed();
    it.write("more/color.yaml", policy("color", "color", "red"));
    it.admit(&["check", "--policies", "more"]).exits(1).says_not("EXC004");
    it.commit("base");
    it.write("exceptions/b.yaml", exception("b", "size", "b"));
    it.commit("b");
    it.admit(&["check", "--diff", "HEAD~1", "--policies", "more"]).says_not("EXC004");
    let it = Scratch::repository();
    it.write("exceptions/b.yaml", exception("b", "size", "b"));
    it.admit(&["lint"]).exits(1).says("EXC004").says("no policy is known at all");
}

#[test]
fn what_a_rule_says_in_particular_is_said_once() {
    let it = governed();
    let text = exception("large", "size", "large").replace("] } }] }", "] }, subjects: [{ kind: User, name: x }] }] }");
    it.write("exceptions/large.yaml", text + "  podSecurity: [{ controlName: Capabilities }]\n");
    let found = it.admit(&["check", "--format", "json"]).exits(1).findings();
    let at = |id: &str| found.iter().filter(|it| it.starts_with(id)).count();
    assert_eq!((at("EXC001"), at("EXC011"), at("EXC016"), at("policy/")), (0, 1, 1, 0), "{found:?}");
}

/// An exception as somebody wrote it by hand, with more than one thing to mend.
const BY_HAND: &str = "# For the large one, until it shrinks
apiVersion: kyverno.io/v2beta1
kind: PolicyException
metadata:
  name: large # its name
  namespace: shop
spec:
  exceptions: [{ policyName: size, ruleNames: ['*'] }]
  match: { any: [{ resources: { kinds: [Widget], namespaces: [shop], names: [large], operations: [CREATE] } }] }
";

#[test]
fn what_can_be_mended_is_shown_as_a_diff_and_written_when_asked() {
    let it = governed();
    it.write("exceptions/large.yaml", BY_HAND);
    let shown = it.admit(&["lint", "--fix"]).exits(1);
    let shown = shown
        .says("--- a/exceptions/large.yaml")
        .says("-apiVersion: kyverno.io/v2beta1")
        .says("+apiVersion: kyverno.io/v2\n");
    let shown = shown.complains("can be mended: add --write");
    assert_eq!(
        std::fs::read_to_string(it.path("exceptions/large.yaml")).unwrap(),
        BY_HAND,
        "nothing is written unasked"
    );

    // The diff is one that Git takes, and comes to the same as writing.
    it.write("fix.diff", &shown.stdout);
    it.git(&["apply", "--check", "fix.diff"]);
    it.git(&["apply", "fix.diff"]);
    let applied = std::fs::read_to_string(it.path("exceptions/large.yaml")).unwrap();
    it.write("exceptions/large.yaml", BY_HAND).remove("fix.diff");
    it.admit(&["lint", "--fix", "--write"]).says_not("EXC003").says_not("EXC018").complains("mended");
    let written = std::fs::read_to_string(it.path("exceptions/large.yaml")).unwrap();
    assert_eq!(applied, written);
    assert!(written.starts_with("# For the large one, until it shrinks\napiVersion: kyverno.io/v2\n"), "{written}");
    assert!(written.contains("  name: large # its name\n") && written.contains("names: [large] } }]"), "{written}");

    // A second run has nothing to do.
    it.admit(&["lint", "--fix"]).says_not("--- a/").complains("nothing can be mended safely");
    it.admit(&["lint", "--fix", "-"]).exits(2).complains("standard input can't be mended");
    it.admit(&["lint", "--write"]).exits(2);
}
