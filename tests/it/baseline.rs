//! What is found today fails nothing tomorrow, wherever its lines go; what is new does.

use crate::scratch::{Scratch, policy, widget};

const FILE: &str = ".admit-baseline.json";

/// Two Widgets that break a rule, and a baseline that says so.
fn place() -> Scratch {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"));
    it.write("apps/one.yaml", widget("one", "size", "big"));
    it.write("apps/two.yaml", widget("two", "size", "huge"));
    it.admit(&["baseline"]).exits(0).says(".admit-baseline.json: 2 findings");
    it
}

#[test]
fn what_is_in_the_baseline_fails_nothing() {
    let it = place();
    it.admit(&["check"]).exits(1);
    it.admit(&["check", "--baseline", FILE]).exits(0).says("no findings; 2 in the baseline");
}

#[test]
fn moved_lines_and_reworded_messages_change_nothing() {
    let it = place();
    it.write("apps/one.yaml", format!("# moved\n\n\n{}", widget("one", "size", "big")));
    let reworded = policy("size", "size", "small").replace("size must be small", "make it small");
    it.write("policies/size.yaml", format!("# moved\n{reworded}"));
    it.admit(&["check", "--baseline", FILE]).exits(0).says("2 in the baseline");
}

#[test]
fn what_is_new_fails() {
    let it = place();
    it.write("apps/three.yaml", widget("three", "size", "big"));
    let run = it.admit(&["check", "--baseline", FILE, "--format", "json"]).exits(1);
    let report = run.json();
    let new: Vec<_> = report["findings"].as_array().unwrap().iter().filter(|it| it["baseline"] != true).collect();
    assert_eq!(new.len(), 1);
    assert_eq!(new[0]["path"], "apps/three.yaml");
    assert_eq!(report["summary"]["findings"]["baseline"], 2);
}

#[test]
fn an_old_violation_that_gets_another_value_is_new() {
    let it = place();
    it.write("apps/one.yaml", widget("one", "size", "bigger"));
    it.admit(&["check", "--baseline", FILE]).exits(1).says("1 error and 1 for information; 1 in the baseline");
}

#[test]
fn twins_count_one_by_one() {
    let it = Scratch::new();
    it.write("policies/size.yaml", policy("size", "size", "small"));
    let twin = widget("one", "size", "big");
    it.write("apps.yaml", &twin);
    it.admit(&["baseline"]).exits(0).says("1 finding;");
    it.write("apps.yaml", format!("{twin}---\n{twin}"));
    it.admit(&["check", "--baseline", FILE]).exits(1).says("1 in the baseline");
}

#[test]
fn an_entry_that_does_not_fire_any_more_is_told_and_fails_nothing() {
    let it = place();
    it.write("apps/one.yaml", widget("one", "size", "small"));
    let run = it.admit(&["check", "--baseline", FILE]).exits(0);
    run.says("info[baseline/idle]: `size/check` does not fire for Widget shop/one any more")
        .says("--> .admit-baseline.json:4:21");
    // Whoever looks at a part can't tell.
    it.admit(&["check", "apps/two.yaml", "--baseline", FILE]).exits(0).says_not("baseline/idle");
    it.admit(&["baseline"]).exits(0);
    it.admit(&["check", "--baseline", FILE]).exits(0).says_not("baseline/idle");
}

#[test]
fn a_change_can_not_add_to_the_baseline_that_judges_it() {
    let it = place();
    let base = it.commit("base");
    it.write("apps/three.yaml", widget("three", "size", "big"));
    it.admit(&["baseline"]).exits(0).says("3 findings");
    it.commit("three, and a baseline with it");
    let range = format!("{base}..HEAD");
    it.admit(&["check", "--diff", &range, "--baseline", FILE]).exits(1).says("apps/three.yaml:4");
    // Once it is there, it counts.
    it.remove("apps/three.yaml").commit("gone");
    it.write("apps/three.yaml", format!("# back\n{}", widget("three", "size", "big")));
    it.commit("back");
    it.admit(&["check", "--diff", "HEAD^..HEAD", "--baseline", FILE]).exits(0).says("1 in the baseline");
}

#[test]
fn a_baseline_that_a_change_brings_counts_for_nothing() {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"));
    let base = it.commit("base");
    it.write("apps/one.yaml", widget("one", "size", "big"));
    it.admit(&["baseline"]).exits(0);
    it.commit("one");
    let range = format!("{base}..HEAD");
    let run = it.admit(&["check", "--diff", &range, "--baseline", FILE]).exits(1);
    run.says("no baseline: `.admit-baseline.json` is not in ");
}

#[test]
fn a_baseline_that_can_not_be_read_ends_the_run() {
    let it = place();
    it.admit(&["check", "--baseline", "nowhere.json"]).exits(2).complains("--baseline nowhere.json");
    it.write(FILE, "{}");
    it.admit(&["check", "--baseline", FILE]).exits(2).complains("`admit baseline` writes one");
    it.write(FILE, "{\"version\": 9, \"findings\": []}");
    it.admit(&["check", "--baseline", FILE]).exits(2).complains("version 9 is not known");
}

#[test]
fn each_format_leaves_the_build_alone() {
    let it = place();
    for (format, text) in [
        ("github", ""),
        ("gitlab", "[]\n"),
        ("sarif", "in the baseline"),
        ("junit", "<skipped"),
        ("markdown", "2 in the baseline"),
        ("policyreport", "baseline: 'true'"),
    ] {
        let run = it.admit(&["check", "--baseline", FILE, "--format", format]).exits(0).says(text);
        assert!(format != "github" || run.stdout.is_empty(), "{}", run.stdout);
    }
}
