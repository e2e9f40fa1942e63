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
    it.admit(&["explain", "EXC777"]).exits(2).complains("there is no rule `EXC777`");
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
