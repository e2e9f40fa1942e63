//! The action of this repository as a runner runs it, for each event: annotations, summary, outputs, exit code.
//!
//! The runner is `act` (<https://github.com/nektos/act>) in host mode; `actions/checkout` is its local copy, so that no
//! network is needed. Without `act` on the PATH, or in `ADMIT_ACT`, the test says so. `.ci/run` installs it.

use std::{fs, path::Path, process::Command};

use regex::Regex;

use crate::scratch::{ADMIT, Run, Scratch, command, exception, policy, widget};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What one run of the action came to.
struct Done {
    run: Run,
    /// The annotations, as `level file:line`; `level -` without a file.
    annotations: Vec<String>,
    outputs: String,
    summary: String,
    /// Whether SARIF went to code scanning.
    uploaded: bool,
}

impl Done {
    #[track_caller]
    fn output(&self, name: &str) -> &str {
        let prefix = format!("{name}=");
        let line = self.outputs.lines().find_map(|it| it.strip_prefix(&prefix));
        line.unwrap_or_else(|| panic!("no output {name}: {}\n{}", self.outputs, self.run.stdout))
    }
}

fn act() -> Option<String> {
    let named = std::env::var("ADMIT_ACT").ok();
    let act = named.unwrap_or_else(|| "act".to_owned());
    let there = Command::new(&act).arg("--version").output().is_ok_and(|it| it.status.success());
    if !there {
        eprintln!("the action was not run: no `act` on the PATH or in ADMIT_ACT");
    }
    there.then_some(act)
}

/// A repository with a policy and a good Widget, and a workflow that uses the action.
fn origin(with: &str) -> Scratch {
    let it = Scratch::repository();
    // As on GitHub: any commit that is there may be fetched.
    it.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    it.write("policies/size.yaml", policy("size", "size", "small"));
    it.write("apps/good.yaml", widget("good", "size", "small"));
    it.write(".github/workflows/w.yml", workflow(with));
    for file in ["action.yml", ".github/action/check.sh", ".github/action/install.sh", ".github/action/SHA256SUMS"] {
        it.write(&format!("action/{file}"), fs::read(Path::new(ROOT).join(file)).expect("a part of the action"));
    }
    it.commit("base");
    it
}

fn workflow(with: &str) -> String {
    let outputs = ["result", "exit-code", "range", "errors", "warnings", "waived", "report-file", "sarif-file"];
    let lines: Vec<String> =
        outputs.iter().map(|it| format!("          echo \"{it}=${{{{ steps.admit.outputs.{it} }}}}\"\n")).collect();
    let lines = lines.concat();
    format!(
        "on: [push, pull_request, pull_request_target, merge_group, workflow_dispatch]
jobs:
  admit:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: ./action
        id: admit
        with: {{ token: '', {with} }}
      - if: always()
        run: |
          {{
{lines}          }} > \"$OUT/outputs\"
"
    )
}

/// A clone as `actions/checkout` makes it.
fn clone(origin: &Scratch, depth: &str, commit: &str) -> Scratch {
    let it = Scratch::repository();
    let url = format!("file://{}", origin.path("").display());
    it.git(&["remote", "add", "origin", &url]);
    it.git(&["fetch", "--quiet", "--no-tags", "--depth", depth, "origin", commit]);
    // act wants a name for what is checked out.
    it.git(&["checkout", "--quiet", "-B", "checkout", "FETCH_HEAD"]);
    it
}

/// Runs the workflow in a clone.
fn run(act: &str, clone: &Scratch, event: &str, payload: &serde_json::Value) -> Done {
    let out = Scratch::new();
    out.write("event.json", payload.to_string());
    // The upload is another action: this one notes that it was asked.
    out.write("upload/upload-sarif/action.yml", UPLOAD);
    let at = |path: &str| out.path(path).display().to_string();
    let local = format!("https://github.com/github/codeql-action@{}={}", upload(), at("upload"));
    let arguments: &[&str] = &[
        event,
        "-P",
        "ubuntu-latest=-self-hosted",
        "--local-repository",
        &local,
        "--action-offline-mode",
        "-e",
        &at("event.json"),
        "--env",
        &format!("OUT={}", at("")),
    ];
    let mut program = command(act, &clone.path(""));
    program.env("HOME", out.path("")).env("XDG_CACHE_HOME", out.path("cache"));
    let output = program.args(arguments).output().expect("act runs");
    let run = Run {
        code: output.status.code().expect("no signal ended it"),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    let outputs = fs::read_to_string(out.path("outputs")).unwrap_or_default();
    // What a step wrote into its summary is printed when it is over.
    let summary = run.stdout.split("Summary - ").nth(1).and_then(|it| it.split("\n[").next()).unwrap_or_default();
    let annotation = Regex::new(r"(?m)::(error|warning|notice) (?:file=([^,]*),line=(\d+))?").expect("a pattern");
    let annotations = annotation.captures_iter(&run.stdout).map(|it| match it.get(2) {
        Some(file) => format!("{} {}:{}", &it[1], file.as_str(), &it[3]),
        None => format!("{} -", &it[1]),
    });
    Done {
        annotations: annotations.collect(),
        outputs,
        summary: summary.to_owned(),
        uploaded: out.path("uploaded").exists(),
        run,
    }
}

const UPLOAD: &str = "name: upload
description: stands in for the upload
inputs:
  sarif_file: { description: file, required: true }
  category: { description: category, required: true }
runs:
  using: composite
  steps:
    - shell: bash
      run: test -s \"$FILE\" && cp \"$FILE\" \"$OUT/uploaded\"
      env: { FILE: \"${{ inputs.sarif_file }}\" }
";

/// The commit of the action that uploads SARIF.
fn upload() -> String {
    let action = fs::read_to_string(Path::new(ROOT).join("action.yml")).expect("the action");
    let (_, after) = action.split_once("github/codeql-action/upload-sarif@").expect("the upload");
    after.split_whitespace().next().expect("a commit").to_owned()
}

fn with() -> String {
    format!("admit: '{ADMIT}'")
}

/// Adds three bad lines in two files.
fn three_bad_lines(it: &Scratch) {
    let two = format!("{}---\n{}", widget("a", "size", "big"), widget("b", "size", "huge"));
    it.write("apps/two.yaml", two).write("apps/one.yaml", widget("c", "size", "big"));
}

const THREE: [&str; 3] = ["error apps/one.yaml:4", "error apps/two.yaml:4", "error apps/two.yaml:9"];

fn no_event() -> serde_json::Value {
    serde_json::json!({})
}

#[test]
fn a_push_is_judged_from_where_the_branch_was() {
    let Some(act) = act() else { return };
    let origin = origin(&with());
    let before = origin.git(&["rev-parse", "HEAD"]);
    three_bad_lines(&origin);
    let head = origin.commit("change");
    // A shallow clone lacks the commit before, which is fetched.
    let clone = clone(&origin, "1", &head);
    let done = run(&act, &clone, "push", &serde_json::json!({ "before": before, "after": head }));
    assert_eq!(done.run.code, 1, "{}", done.run.stdout);
    assert_eq!(done.annotations, THREE, "{}", done.run.stdout);
    assert_eq!((done.output("result"), done.output("exit-code"), done.output("errors")), ("fail", "1", "3"));
    assert_eq!(done.output("range"), format!("{before}..{head}"));
    assert!(done.summary.starts_with("### "), "{}", done.summary);
    assert!(done.summary.lines().count() < 25, "more than a screen: {}", done.summary);
    for line in ["apps/one.yaml:4", "apps/two.yaml:4", "apps/two.yaml:9"] {
        assert!(done.summary.contains(line), "{}", done.summary);
    }
    assert!(!done.uploaded);
    assert!(done.run.stdout.contains("error[size/check]: validation error: size must be small"));
}

#[test]
fn a_good_push_passes() {
    let Some(act) = act() else { return };
    let origin = origin(&with());
    let before = origin.git(&["rev-parse", "HEAD"]);
    origin.write("apps/more.yaml", widget("more", "size", "small"));
    let head = origin.commit("change");
    let done = run(&act, &clone(&origin, "2", &head), "push", &serde_json::json!({ "before": before }));
    assert_eq!((done.run.code, done.output("result"), done.output("exit-code")), (0, "pass", "0"));
    assert_eq!(done.annotations, [""; 0]);
}

#[test]
fn a_new_branch_is_judged_as_a_whole_when_nobody_knows_where_it_began() {
    let Some(act) = act() else { return };
    let origin = origin(&with());
    origin.write("apps/old.yaml", widget("old", "size", "big"));
    let head = origin.commit("old");
    let zeros = serde_json::json!({ "before": "0".repeat(40) });
    let done = run(&act, &clone(&origin, "1", &head), "push", &zeros);
    assert_eq!(done.annotations, ["error apps/old.yaml:4"]);
    assert_eq!(done.output("range"), "");
    // A commit that is gone is told.
    let gone = serde_json::json!({ "before": "1".repeat(40) });
    let done = run(&act, &clone(&origin, "1", &head), "push", &gone);
    assert_eq!(done.annotations, ["warning -", "error apps/old.yaml:4"]);
    assert_eq!((done.run.code, done.output("range")), (1, ""));
}

/// A pull request as the server holds it: its head, and what it becomes when merged.
fn pull_request(origin: &Scratch, change: impl Fn(&Scratch)) -> (String, String) {
    let base = origin.git(&["rev-parse", "main"]);
    origin.git(&["checkout", "-q", "-b", "topic"]);
    change(origin);
    origin.commit("topic");
    origin.git(&["checkout", "-q", "--detach", "main"]);
    origin.git(&["merge", "-q", "--no-ff", "-m", "merge", "topic"]);
    let merge = origin.git(&["rev-parse", "HEAD"]);
    origin.git(&["update-ref", "refs/pull/7/head", "topic"]);
    origin.git(&["update-ref", "refs/pull/7/merge", &merge]);
    origin.git(&["checkout", "-q", "main"]);
    (base, merge)
}

#[test]
fn a_pull_request_is_judged_as_it_would_be_merged() {
    let Some(act) = act() else { return };
    let origin = origin(&with());
    origin.write("apps/old.yaml", widget("old", "size", "big"));
    origin.commit("an old violation is no business of the change");
    let (base, merge) = pull_request(&origin, three_bad_lines);
    let payload = serde_json::json!({ "pull_request": { "number": 7, "base": { "sha": "0".repeat(40) } } });
    for depth in ["1", "2"] {
        let done = run(&act, &clone(&origin, depth, &merge), "pull_request", &payload);
        assert_eq!(done.annotations, THREE, "{}", done.run.stdout);
        assert_eq!(done.output("range"), format!("{base}..{merge}"), "depth {depth}");
        assert_eq!(done.run.code, 1);
    }
}

#[test]
fn a_pull_request_can_not_exempt_itself() {
    let Some(act) = act() else { return };
    let origin = origin(&with());
    let (_, merge) = pull_request(&origin, |it| {
        it.write("apps/one.yaml", widget("c", "size", "big")).remove("policies/size.yaml");
        it.write("exceptions/c.yaml", exception("c", "size", "c")).write("admit.yaml", "trust: head\n");
    });
    let done = run(&act, &clone(&origin, "2", &merge), "pull_request", &no_event());
    assert!(done.annotations.contains(&"error apps/one.yaml:4".to_owned()), "{:?}", done.annotations);
    assert_eq!(done.run.code, 1);
}

#[test]
fn a_change_from_outside_is_read_and_never_checked_out() {
    let Some(act) = act() else { return };
    let origin = origin(&with());
    let (base, merge) = pull_request(&origin, |it| {
        it.write("apps/one.yaml", widget("c", "size", "big")).remove("policies/size.yaml");
        it.write("admit.yaml", "trust: head\n");
    });
    let payload =
        serde_json::json!({ "number": 7, "pull_request": { "number": 7, "base": { "ref": "main", "sha": base } } });
    let done = run(&act, &clone(&origin, "1", &base), "pull_request_target", &payload);
    assert!(done.annotations.contains(&"error apps/one.yaml:4".to_owned()), "{}", done.run.stdout);
    assert_eq!(done.output("range"), format!("{base}..{merge}"));
    assert_eq!(done.run.code, 1);
}

#[test]
fn secrets_and_untrusted_configuration_do_not_meet() {
    let Some(act) = act() else { return };
    let origin = origin(&with());
    origin.write("admit.yaml", "trust: head\n");
    let base = origin.commit("whoever pushes is trusted");
    pull_request(&origin, |it| {
        it.write("apps/one.yaml", widget("c", "size", "big"));
    });
    let payload =
        serde_json::json!({ "number": 7, "pull_request": { "number": 7, "base": { "ref": "main", "sha": base } } });
    let done = run(&act, &clone(&origin, "1", &base), "pull_request_target", &payload);
    assert_eq!((done.run.code, done.output("result"), done.output("exit-code")), (1, "error", "2"));
    assert_eq!(done.annotations, ["error -"]);
    assert!(done.run.stdout.contains("trust: head in admit.yaml"), "{}", done.run.stdout);
}

#[test]
fn secrets_and_untrusted_code_do_not_meet() {
    let Some(act) = act() else { return };
    let origin = origin(&with());
    let checkout =
        "      - run: git fetch -q origin refs/pull/7/merge && git checkout -q FETCH_HEAD\n      - uses: ./action\n";
    origin.write(".github/workflows/w.yml", workflow(&with()).replace("      - uses: ./action\n", checkout));
    let base = origin.commit("the workflow checks out what comes from outside");
    pull_request(&origin, |it| {
        it.write("apps/one.yaml", widget("c", "size", "small"));
    });
    let payload =
        serde_json::json!({ "number": 7, "pull_request": { "number": 7, "base": { "ref": "main", "sha": base } } });
    let done = run(&act, &clone(&origin, "1", &base), "pull_request_target", &payload);
    assert_eq!((done.run.code, done.output("result"), done.output("exit-code")), (1, "error", "2"));
    assert_eq!(done.annotations, ["error -"]);
    assert!(done.run.stdout.contains("the code of the pull request checked out"), "{}", done.run.stdout);
}

#[test]
fn what_others_made_is_pinned_by_commit() {
    let pinned = Regex::new("@[0-9a-f]{40} # v[0-9.]+$").expect("a pattern");
    let mut n = 0;
    for file in ["action.yml", ".github/workflows/ci.yml", ".github/workflows/release.yml"] {
        let text = fs::read_to_string(Path::new(ROOT).join(file)).expect("a file of the action or of CI");
        for line in text.lines().filter(|line| line.contains("uses: ") && !line.contains("uses: ./")) {
            assert!(pinned.is_match(line), "{file}: {line}");
            n += 1;
        }
    }
    assert!(n > 10, "only {n} actions");
}

#[test]
fn a_merge_queue_is_judged_by_its_own_commits() {
    let Some(act) = act() else { return };
    let origin = origin(&with());
    let base = origin.git(&["rev-parse", "HEAD"]);
    three_bad_lines(&origin);
    origin.commit("one");
    origin.write("apps/good.yaml", widget("good", "size", "gone"));
    let head = origin.commit("two of a group");
    let payload = serde_json::json!({ "merge_group": { "base_sha": base, "head_sha": head } });
    let done = run(&act, &clone(&origin, "1", &head), "merge_group", &payload);
    assert_eq!(done.output("range"), format!("{base}..{head}"), "{}", done.run.stdout);
    assert_eq!(done.output("errors"), "4");
    assert_eq!(done.run.code, 1);
}

#[test]
fn by_hand_the_whole_tree_is_judged_and_fails_as_configured() {
    let Some(act) = act() else { return };
    let with = format!("{}, fail-on: never, sarif-file: out.sarif, upload-sarif: 'true', annotations: 'false'", with());
    let origin = origin(&with);
    three_bad_lines(&origin);
    let head = origin.commit("bad");
    let clone = clone(&origin, "1", &head);
    let done = run(&act, &clone, "workflow_dispatch", &no_event());
    assert_eq!((done.run.code, done.output("result"), done.output("errors")), (0, "pass", "3"), "{}", done.run.stdout);
    assert_eq!(done.annotations, [""; 0]);
    assert!(done.output("sarif-file").ends_with("/out.sarif"));
    assert!(done.uploaded, "{}", done.run.stdout);
}

#[test]
fn nothing_to_check_is_an_error() {
    let Some(act) = act() else { return };
    let origin = origin(&with());
    origin.remove("policies/size.yaml");
    let head = origin.commit("no policy");
    let done = run(&act, &clone(&origin, "1", &head), "workflow_dispatch", &no_event());
    assert_eq!((done.run.code, done.output("result"), done.output("exit-code")), (1, "error", "3"));
    assert_eq!(done.annotations, ["error -"]);
}

/// The script by itself: a program that judges nothing must not pass.
#[cfg(unix)]
#[test]
fn who_passes_without_a_report_fails() {
    let origin = origin("");
    let head = origin.git(&["rev-parse", "HEAD"]);
    let beside = Scratch::new();
    for (admit, arguments) in [("true", ""), (ADMIT, "--help")] {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/.github/action/check.sh");
        let mut run = command("bash", &origin.path(""));
        run.arg(script).env("ADMIT", admit).env("ARGS", arguments).env("GITHUB_SHA", &head).env("FAIL_ON", "error");
        run.env("GITHUB_EVENT_NAME", "schedule")
            .env("RUNNER_TEMP", beside.path(""))
            .env("GITHUB_OUTPUT", beside.path("o"));
        for name in
            ["BASE", "HEAD", "WHOLE", "POLICIES", "EXCEPTIONS", "BASELINE", "ANNOTATIONS", "SUMMARY", "SARIF_FILE"]
        {
            run.env(name, "");
        }
        let done = run.output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert_eq!(done.status.code(), Some(2), "{admit} {arguments}: {said}");
        assert!(said.contains("ended without a report"), "{said}");
    }
}

#[test]
fn what_foreign_text_says_is_not_obeyed() {
    let Some(act) = act() else { return };
    let origin = origin(&with());
    let evil = "%0A::error::x::set-output name=a::b";
    origin.write("apps/::error file=x,line=1::y.yaml", widget("e", "size", &format!("\"{evil}\"")));
    let head = origin.commit("evil");
    let done = run(&act, &clone(&origin, "1", &head), "workflow_dispatch", &no_event());
    assert_eq!((done.run.code, done.output("errors")), (1, "1"), "{}", done.run.stdout);
    assert!(!done.run.stdout.contains("::set-output:: a="), "{}", done.run.stdout);
}

#[test]
fn a_release_is_run_only_if_its_digest_is_known() {
    let Some(act) = act() else { return };
    let mirror = Scratch::new();
    let triple = if cfg!(target_arch = "aarch64") { "aarch64" } else { "x86_64" };
    let archive = format!("admit-v9.9.9-{triple}-unknown-linux-musl.tar.gz");
    mirror.write("tree/admit", format!("#!/bin/sh\nexec '{ADMIT}' \"$@\"\n"));
    let tar = format!(
        "chmod +x tree/admit && mkdir v9.9.9 && tar -czf v9.9.9/{archive} -C tree admit && sha256sum v9.9.9/{archive}"
    );
    let made = command("sh", &mirror.path("")).args(["-c", &tar]).output().expect("tar runs");
    let digest = String::from_utf8_lossy(&made.stdout).split(' ').next().expect("a digest").to_owned();
    let url = format!("mirror: 'file://{}'", mirror.path("").display());
    let try_with = |with: &str| {
        let origin = origin(with);
        let head = origin.git(&["rev-parse", "HEAD"]);
        run(&act, &clone(&origin, "1", &head), "workflow_dispatch", &no_event())
    };
    let done = try_with(&format!("version: v9.9.9, sha256: {digest}, {url}"));
    assert_eq!((done.run.code, done.output("result")), (0, "pass"), "{}", done.run.stdout);
    let done = try_with(&format!("version: v9.9.9, sha256: {}, {url}", "0".repeat(64)));
    assert_eq!(done.run.code, 1);
    assert!(done.run.stdout.contains("is not what it should be"), "{}", done.run.stdout);
    let done = try_with(&format!("version: v9.9.9, {url}"));
    assert!(done.run.code == 1 && done.run.stdout.contains("knows no digest of"), "{}", done.run.stdout);
}

/// The tables of inputs and outputs in the documentation say what the file says.
#[test]
fn the_documentation_lists_each_input_and_output() {
    let action: serde_yaml::Value =
        serde_yaml::from_str(&fs::read_to_string(Path::new(ROOT).join("action.yml")).expect("action.yml"))
            .expect("YAML");
    let page = fs::read_to_string(Path::new(ROOT).join("examples/ci/README.md")).expect("the page");
    let text = |it: &serde_yaml::Value| it.as_str().expect("text").to_owned();
    let mut rows = Vec::new();
    for (name, input) in action["inputs"].as_mapping().expect("inputs") {
        let default = match text(&input["default"]) {
            it if it.is_empty() => String::new(),
            it if it.contains("${{") => "of the run".to_owned(),
            it => format!("`{it}`"),
        };
        rows.push(format!("| `{}` | {default} | {} |", text(name), text(&input["description"])));
    }
    for (name, output) in action["outputs"].as_mapping().expect("outputs") {
        rows.push(format!("| `{}` | {} |", text(name), text(&output["description"])));
    }
    let missing: Vec<_> = rows.iter().filter(|it| !page.contains(it.as_str())).collect();
    assert!(missing.is_empty(), "examples/ci/README.md lacks:\n{missing:#?}");
    let listed = page.lines().filter(|it| it.starts_with("| `")).count();
    assert_eq!(listed, rows.len(), "it lists what is not there");
}
