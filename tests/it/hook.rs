//! Real pushes to repositories with the shipped `hooks/pre-receive`.

use crate::{
    scratch::{Scratch, exception, policy, widget},
    server::Server,
};

#[test]
fn a_violating_manifest_is_refused_with_its_line() {
    let it = Server::with_base();
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    let push = it.change().refused();
    let push =
        push.says("admit: refs/heads/main refused").says("error[size/check]: validation error: size must be small.");
    let push = push.says(" --> apps/b.yaml:4:15").says("4 | spec: { size: large }").says("1 error");
    push.says("judged by the policies of main (").says("hint: admit check --diff ");
    // What the hint says works.
    let remote = it.push(&["origin", "main"]).refused().remote();
    let hint = remote.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap();
    let arguments: Vec<&str> = hint.split(' ').skip(1).collect();
    it.work.admit(&arguments).exits(1).says("apps/b.yaml:4:15");
    it.work.write("apps/b.yaml", widget("b", "size", "small"));
    it.change().accepted().says_not("admit");
}

#[test]
fn an_exempted_manifest_goes_through() {
    let it = Server::with_base();
    it.work.write("exceptions/b.yaml", exception("b", "size", "b"));
    it.change().accepted();
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.change().accepted();
    it.work.write("apps/c.yaml", widget("c", "size", "large"));
    it.change().refused().says("apps/c.yaml:4:15");
}

#[test]
fn a_warning_is_shown_and_lets_through() {
    let it = Server::with_base();
    it.work.write("policies/size.yaml", policy("size", "size", "small").replace("Enforce", "Audit"));
    it.change().accepted();
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.change().accepted().says("admit: refs/heads/main let through").says("warning[size/check]");
}

#[test]
fn whoever_loosens_the_law_with_a_violation_is_refused() {
    let it = Server::with_base();
    for (path, text) in [
        ("policies/size.yaml", policy("size", "size", "large")),
        ("policies/size.yaml", "# gone\n".to_owned()),
        ("exceptions/b.yaml", exception("b", "size", "b")),
        ("admit.yaml", "exclude: [apps]\ntrust: head\nguard: [none]\n".to_owned()),
        (".admitignore", "apps\n".to_owned()),
    ] {
        it.work.write(path, text).write("apps/b.yaml", widget("b", "size", "large"));
        it.change().refused().says("apps/b.yaml:4:15");
        it.undo();
    }
    it.work.git(&["mv", "policies", "drafts"]);
    it.work.write("admit.yaml", "policies: [policies]\n").write("apps/b.yaml", widget("b", "size", "large"));
    it.change().refused().says("apps/b.yaml:4:15");
    it.undo();
    #[cfg(unix)]
    {
        it.work.remove("policies/size.yaml").write("apps/b.yaml", widget("b", "size", "large"));
        std::os::unix::fs::symlink("/etc", it.work.path("policies/size.yaml")).unwrap();
        it.change().refused().says("apps/b.yaml:4:15");
    }
}

#[test]
fn a_new_branch_is_judged_by_the_default_branch_as_it_is() {
    let it = Server::with_base();
    let old = it.work.git(&["rev-parse", "HEAD"]);
    it.work.write("policies/color.yaml", policy("color", "color", "red"));
    it.work.write("apps/c.yaml", widget("c", "size", "small").replace("small }", "small, color: red }"));
    it.change().accepted();
    // It starts from before the policy, and changes one thing.
    it.work.git(&["checkout", "-q", "-b", "feature", &old]);
    it.work.write("apps/b.yaml", widget("b", "size", "small"));
    it.work.commit("b");
    let push = it.push(&["origin", "feature"]).refused().says("admit: refs/heads/feature refused");
    push.says("error[color/check]")
        .says("apps/b.yaml:4")
        .says("1 error")
        .says("judged by the policies of the default branch (")
        .says("hint: admit check --diff");
    it.work.write("apps/b.yaml", widget("b", "size", "small").replace("small }", "small, color: red }"));
    it.work.commit("b");
    it.push(&["origin", "feature"]).accepted();
    // A branch without history is new throughout, and no less judged by the same law.
    it.work.git(&["checkout", "-q", "--orphan", "orphan"]);
    it.work.remove("policies/size.yaml").write("apps/a.yaml", widget("a", "size", "large"));
    it.work.commit("orphan");
    it.push(&["origin", "orphan"]).refused().says("size/check").says("apps/a.yaml:4:15");
    // No object is new here, but the branch is.
    it.push(&["origin", "main:refs/heads/copy"]).accepted();
}

#[test]
fn a_branch_may_go_away_and_a_tag_may_come() {
    let it = Server::with_base();
    it.push(&["origin", "main:feature"]).accepted();
    it.push(&["origin", ":feature"]).accepted();
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.work.commit("b");
    it.work.git(&["tag", "-a", "v1", "-m", "v1"]);
    it.push(&["origin", "v1"]).accepted();
}

#[test]
fn a_forced_push_is_judged_by_what_was_there() {
    let it = Server::with_base();
    it.work.write("policies/color.yaml", policy("color", "color", "red"));
    it.change().accepted();
    // Back to before the policy, with something that it refuses.
    it.undo();
    it.work.write("apps/b.yaml", widget("b", "size", "small"));
    it.work.commit("b");
    it.push(&["--force", "origin", "main"]).refused().says("color/check").says("apps/b.yaml:4");
    it.undo();
    it.push(&["--force", "origin", "main"]).accepted();
}

#[test]
fn all_of_several_refs_are_judged_and_one_refuses_all() {
    let it = Server::with_base();
    it.work.git(&["branch", "good"]);
    for (branch, size) in [("bad", "large"), ("worse", "huge")] {
        it.work.git(&["checkout", "-q", "-b", branch, "main"]);
        it.work.write(&format!("apps/{branch}.yaml"), widget(branch, "size", size));
        it.work.commit(branch);
    }
    let push = it.push(&["origin", "good", "bad", "worse"]).refused().says_not("heads/good");
    let push = push.says("admit: refs/heads/bad refused").says("apps/bad.yaml:4:15");
    push.says("admit: refs/heads/worse refused").says("apps/worse.yaml:4:15");
    it.push(&["origin", "good"]).accepted();
}

#[test]
fn the_first_push_is_judged_by_its_own_law() {
    let it = Server::new();
    it.work
        .write("policies/size.yaml", policy("size", "size", "small"))
        .write("apps/b.yaml", widget("b", "size", "large"));
    it.work.commit("first");
    it.push(&["origin", "main"]).refused().says("judged by the policies of main (").says("apps/b.yaml:4:15");
    it.work.write("apps/b.yaml", widget("b", "size", "small"));
    it.work.commit("mended");
    it.push(&["origin", "main"]).accepted();
}

#[test]
fn without_a_default_branch_the_only_one_counts_and_among_several_none() {
    let it = Server::with_base();
    it.top.git(&["-C", it.name, "symbolic-ref", "HEAD", "refs/heads/master"]);
    it.work
        .write("policies/size.yaml", policy("size", "size", "large"))
        .write("apps/b.yaml", widget("b", "size", "large"));
    it.work.commit("loose");
    it.push(&["origin", "main:other"])
        .refused()
        .says("judged by the policies of the default branch (")
        .says("apps/b.yaml:4:15");
    it.undo();
    it.push(&["origin", "main:other"]).accepted();
    let push = it.push(&["origin", "main:third"]).refused().says("HEAD names no branch that exists");
    push.says("hint: on the server: git symbolic-ref HEAD refs/heads/main");
}

#[test]
fn what_can_not_be_judged_is_refused_with_the_reason() {
    let it = Server::with_base();
    it.work
        .write("apps/b.yaml", "a: [\n")
        .write("apps/c.yaml", "version https://git-lfs.github.com/spec/v1\noid sha256:1\n");
    it.change().refused().says("apps/b.yaml:").says("error[source/lfs-pointer]").says("2 errors");
    it.undo();
    it.work.write("policies/color.yaml", policy("color", "color", "red").replace("pattern", "patern"));
    it.change().refused().says("error[policy/schema]").says("did you mean `pattern`?");
    it.undo();
    it.work.write("admit.yaml", "exclud: []\n");
    it.change().refused().says("error[config/invalid]").says("admit.yaml:1:1");
}

#[test]
fn without_a_policy_nothing_goes_through() {
    let it = Server::new();
    it.work.write("apps/a.yaml", widget("a", "size", "small"));
    it.work.commit("first");
    let push = it.push(&["origin", "main"]).refused().says("admit: refs/heads/main refused");
    push.says("nothing was checked: no policy was found").says("hint: name policies in the hook: --policies");
}

#[test]
fn without_the_program_nothing_goes_through() {
    let it = Server::with_base();
    it.work.write("apps/c.yaml", widget("c", "size", "small"));
    it.work.commit("c");
    let path = std::env::var_os("PATH").unwrap();
    it.push_with(&path, &["origin", "main"]).refused().says("admit is not installed on the server");
    it.install("#!/bin/sh\nexec /no/such/admit hook pre-receive\n");
    it.push(&["origin", "main"]).refused();
}

#[test]
fn the_hook_may_name_policies_on_the_server_or_in_the_repository() {
    let it = Server::with_base();
    let law = Scratch::new();
    law.write("color.yaml", policy("color", "color", "red"));
    it.configure(&format!("--policies {}", law.path("").display()));
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.change().refused().says("color/check").says_not("size/check");
    it.configure("--policies policies --exceptions exceptions");
    it.push(&["origin", "main"]).refused().says("size/check").says("no exceptions: nothing is at `exceptions` in");
    it.configure("--policies polices");
    it.push(&["origin", "main"]).refused().says("error: nothing is at `polices` in main");
    it.configure("--polices x");
    it.push(&["origin", "main"]).refused().says("--policies");
}

#[test]
fn only_guarded_branches_are_judged() {
    let it = Server::with_base();
    it.work.write("admit.yaml", "guard: [main, 'release/*']\n");
    it.change().accepted();
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.change().refused();
    it.push(&["origin", "main:release/1"]).refused();
    it.push(&["origin", "main:feature"]).accepted();
    // The administrator has the last word.
    it.configure("--guard 'feat*'");
    it.push(&["origin", "main"]).accepted();
    it.work.write("apps/c.yaml", widget("c", "size", "large"));
    it.work.commit("c");
    it.push(&["origin", "main:features"]).refused();
    it.configure("--guard '{a'");
    it.push(&["origin", "main:other"]).refused().says("error: --guard: `{a` is not a glob");
}

#[cfg(unix)]
#[test]
fn what_a_pusher_writes_steers_no_terminal() {
    let it = Server::with_base();
    let evil = "\u{1b}[2J\u{1b}]0;x\u{7}";
    it.work.write(&format!("apps/{evil}\r.yaml"), widget("\"\\e[1m\\u202e\"", "size", &format!("\"{}\"", "\\e[31mx")));
    let push = it.change().refused().says("size/check");
    let hostile = |it: char| it.is_control() && it != '\n' && it != '\t';
    let remote = push.remote();
    assert!(!remote.contains(hostile), "{remote:?}");
}
