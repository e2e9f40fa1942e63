//! `admit apply` and `admit test` as programs: what stands on which stream, and every exit code.
//!
//! Where the expected verdicts of public suites are at hand (`ADMIT_CONFORMANCE`, or `../shared/conformance`), the suites
//! of validate rules must hold, too; without them that test says so.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the tests write the files that the program reads, and say what they could not do"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use assert_cmd::Command;
use tempfile::TempDir;

const POLICY: &str = "
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: { name: host }
spec:
  rules:
    - name: ipc
      match: { any: [{ resources: { kinds: [Pod] } }] }
      validate: { message: no sharing, pattern: { spec: { =(hostIPC): false } } }
";
const UNSCORED: &str = "metadata: { name: host, annotations: { policies.kyverno.io/scored: 'false' } }";
const GOOD: &str = "{ apiVersion: v1, kind: Pod, metadata: { name: good, namespace: shop }, spec: {} }\n";
const BAD: &str = "{ apiVersion: v1, kind: Pod, metadata: { name: bad, namespace: shop }, spec: { hostIPC: true } }\n";
const OTHER: &str = "{ apiVersion: v1, kind: Service, metadata: { name: other, namespace: shop }, spec: {} }\n";
const EXCEPTION: &str = "
apiVersion: kyverno.io/v2
kind: PolicyException
metadata: { name: tool, namespace: shop }
spec:
  exceptions: [{ policyName: host, ruleNames: [ipc] }]
  match: { any: [{ resources: { kinds: [Pod], names: [bad] } }] }
";

/// A directory with the files that the tests use.
fn world() -> TempDir {
    let dir = TempDir::new().expect("a directory");
    let unscored = POLICY.replace("metadata: { name: host }", UNSCORED);
    let files = [
        ("policy.yaml", POLICY),
        ("unscored.yaml", &unscored),
        ("good.yaml", GOOD),
        ("bad.yaml", BAD),
        ("other.yaml", OTHER),
        ("exception.yaml", EXCEPTION),
        ("broken.yaml", "a: [\n"),
    ];
    for (name, text) in files {
        fs::write(dir.path().join(name), text).expect("a file");
    }
    dir
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn admit(dir: &Path, args: &[&str]) -> Ran {
    let output = Command::cargo_bin("admit").expect("the program").current_dir(dir).args(args).output().expect("a run");
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

#[test]
fn apply_has_the_exit_codes_of_kyverno() {
    let dir = world();
    for (args, expected) in [
        ("policy.yaml -r good.yaml", 0),
        ("policy.yaml -r bad.yaml", 1),
        ("policy.yaml -r good.yaml,bad.yaml", 1),
        ("policy.yaml -r bad.yaml -e exception.yaml", 0),
        ("policy.yaml -r bad.yaml --audit-warn", 0),
        ("policy.yaml -r bad.yaml --audit-warn --warn-exit-code 3", 3),
        ("unscored.yaml -r bad.yaml", 0),
        ("unscored.yaml -r bad.yaml --warn-exit-code 3", 3),
        ("policy.yaml -r other.yaml --warn-no-pass --warn-exit-code 4", 4),
        ("policy.yaml -r other.yaml --warn-no-pass", 0),
        ("policy.yaml -r good.yaml --warn-no-pass --warn-exit-code 4", 0),
        ("policy.yaml -r nowhere.yaml", 1),
        ("nowhere.yaml -r good.yaml", 1),
        ("policy.yaml broken.yaml -r good.yaml", 1),
        ("policy.yaml -r good.yaml,broken.yaml", 1),
        ("other.yaml -r good.yaml", 0),
        ("other.yaml -r good.yaml --strict", 1),
        ("policy.yaml -r good.yaml --cluster", 1),
        ("https://example.com/policies -r good.yaml", 1),
        ("policy.yaml -r good.yaml -f values.yaml -s a=b", 2),
    ] {
        let args: Vec<&str> = ["apply"].into_iter().chain(args.split(' ')).collect();
        let ran = admit(dir.path(), &args);
        assert_eq!(ran.code, expected, "{args:?}\n{}{}", ran.out, ran.err);
    }
}

#[test]
fn apply_prints_what_kyverno_prints() {
    let dir = world();
    let ran = admit(dir.path(), &["apply", "policy.yaml", "-r", "good.yaml,bad.yaml"]);
    let expected = "\nApplying 3 policy rule(s) to 2 resource(s)...\n\
                    policy host -> resource shop/Pod/bad failed:\n\
                    1 - ipc validation error: no sharing. rule ipc failed at path /spec/hostIPC/\n\n\
                    \npass: 1, fail: 1, warn: 0, error: 0, skip: 0 \n";
    assert_eq!((ran.out.as_str(), ran.err.as_str()), (expected, ""));
}

#[test]
fn a_report_stands_alone_and_is_the_same_each_time() {
    let dir = world();
    let report = |jobs: &str| {
        let args = ["apply", "policy.yaml", "broken.yaml", "-r", "good.yaml,bad.yaml", "-p", "--output-format", "json"];
        admit(dir.path(), &[&args[..], &["--jobs", jobs]].concat())
    };
    let (one, many) = (report("1"), report("4"));
    assert_eq!(one.out, many.out);
    let json: serde_json::Value = serde_json::from_str(&one.out).expect("JSON and nothing else");
    assert_eq!(json["summary"], serde_json::json!({ "error": 0, "fail": 1, "pass": 1, "skip": 0, "warn": 0 }));
    assert!(one.err.starts_with("error: broken.yaml:1:4: "), "{}", one.err);
}

#[test]
fn resources_come_from_standard_input_too() {
    let dir = world();
    let mut command = Command::cargo_bin("admit").expect("the program");
    let output =
        command.current_dir(dir.path()).args(["apply", "policy.yaml", "-i", "-r", "-"]).write_stdin(BAD).output();
    let output = output.expect("a run");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.starts_with(b"policy host -> resource shop/Pod/bad failed:\n"));
}

fn suite(dir: &Path, results: &str) {
    let text = format!(
        "apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\nmetadata: {{ name: host }}\npolicies: [policy.yaml]\n\
         resources: [good.yaml, bad.yaml]\nresults:\n{results}"
    );
    fs::write(dir.join("kyverno-test.yaml"), text).expect("a file");
}

#[test]
fn a_suite_that_holds_exits_with_0_and_another_with_1() {
    let dir = world();
    suite(
        dir.path(),
        "- { policy: host, rule: ipc, resources: [good], kind: Pod, result: pass }\n\
         - { policy: host, rule: ipc, resources: [shop/bad], kind: Pod, result: fail }\n",
    );
    let ran = admit(dir.path(), &["test", "."]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("│ 2  │ host   │ ipc  │ v1/Pod/shop/bad  │ Pass   │ Ok     │\n"), "{}", ran.out);
    assert!(ran.out.ends_with("\nTest Summary: 2 tests passed and 0 tests failed\n\n"), "{}", ran.out);
    suite(dir.path(), "- { policy: host, rule: ipc, resources: [bad], kind: Pod, result: pass }\n");
    let ran = admit(dir.path(), &["test", ".", "-o", "json", "--detailed-results"]);
    assert_eq!(ran.code, 1);
    let json: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON and nothing else");
    assert_eq!(json[0]["REASON"], "Want pass, got fail");
    assert!(ran.err.ends_with("Error: 1 tests failed\n"), "{}", ran.err);
}

#[test]
fn what_kyverno_lets_pass_in_silence_fails_with_strict() {
    let dir = world();
    suite(dir.path(), "- { policy: host, rule: icp, resources: [bad], kind: Pod, result: pass }\n");
    let ran = admit(dir.path(), &["test", "."]);
    assert_eq!(ran.code, 0);
    assert!(ran.err.starts_with("warning: kyverno-test.yaml:7:3: policy `host` has no rule `icp`"), "{}", ran.err);
    assert_eq!(admit(dir.path(), &["test", ".", "--strict"]).code, 1);
}

#[test]
fn one_broken_suite_does_not_hide_another() {
    let dir = world();
    suite(dir.path(), "- { policy: host, rule: ipc, resources: [bad], kind: Pod, result: fail }\n");
    fs::create_dir(dir.path().join("more")).expect("a directory");
    fs::write(dir.path().join("more/kyverno-test.yaml"), "results: [\n").expect("a file");
    let ran = admit(dir.path(), &["test", "."]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("Test Summary: 1 tests passed and 0 tests failed"), "{}", ran.out);
    assert!(ran.err.starts_with("error: more/kyverno-test.yaml:"), "{}", ran.err);
}

#[test]
fn no_suite_is_an_error_only_when_one_is_required() {
    let dir = world();
    assert_eq!(admit(dir.path(), &["test", "."]).code, 0);
    assert_eq!(admit(dir.path(), &["test", ".", "--require-tests"]).code, 1);
    assert_eq!(admit(dir.path(), &["test", "nowhere"]).code, 1);
    assert_eq!(admit(dir.path(), &["test", ".", "-o", "nonsense"]).code, 1);
}

#[test]
fn public_suites_of_validate_rules_hold() {
    let root =
        std::env::var_os("ADMIT_CONFORMANCE").map_or_else(|| PathBuf::from("../shared/conformance"), PathBuf::from);
    let folders =
        ["policies/best-practices", "policies/pod-security", "policies/psa", "policies/istio", "policies/tekton"];
    for folder in folders {
        let folder = root.join(folder);
        if !folder.is_dir() {
            eprintln!("{} is not here: not tested", folder.display());
            continue;
        }
        let ran = admit(Path::new("."), &["test", &folder.to_string_lossy(), "--fail-only", "-o", "json"]);
        let failed: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
        let unexpected = |row: &&serde_json::Value| row["REASON"].as_str().is_some_and(|it| !it.ends_with("got error"));
        let failed: Vec<_> = failed.as_array().into_iter().flatten().filter(unexpected).collect();
        assert!(failed.is_empty(), "{}: {failed:#?}", folder.display());
    }
}
