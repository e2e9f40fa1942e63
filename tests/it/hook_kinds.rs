//! The other hooks, the refs that are guarded, and whose law counts: real pushes and commits.

use std::{fs, path::Path};

use crate::{
    scratch::{Scratch, policy, widget},
    server::{Push, Server, script},
};

#[test]
fn a_tag_is_judged_where_it_is_guarded_and_by_the_default_branch() {
    let it = Server::with_base();
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.work.write("policies/size.yaml", policy("size", "size", "large"));
    it.work.commit("bad");
    it.work.git(&["tag", "v1"]);
    it.work.git(&["tag", "-a", "v2", "-m", "v2"]);
    it.push(&["origin", "v1"]).accepted();
    it.configure("--guard 'refs/tags/*' --guard main");
    for tag in ["v2", "v1:refs/tags/v3"] {
        let push = it.push(&["origin", tag]).refused().says("admit: refs/tags/v").says("apps/b.yaml:4:15");
        push.says("judged by the policies of the default branch (");
    }
    // It moves, and what it held before has no say.
    it.work.write("apps/c.yaml", widget("c", "size", "large"));
    it.work.commit("worse");
    it.push(&["--force", "origin", "HEAD:refs/tags/v1"]).refused().says("apps/c.yaml:4:15");
    // Of a tag of a blob, and of one that goes, there is nothing to judge.
    let blob = it.work.git(&["rev-parse", "HEAD:apps/b.yaml"]);
    it.push(&["origin", &format!("{blob}:refs/tags/blob")]).accepted();
    it.push(&["origin", ":refs/tags/v1"]).accepted();
    // Neither the branches are judged that the flag doesn't name, nor other refs.
    it.push(&["origin", "main:other", "main:refs/notes/x", "main:refs/for/main"]).accepted();
    it.configure("--guard 'refs/**'");
    it.push(&["origin", "main:refs/notes/y"]).refused().says("admit: refs/notes/y refused");
}

#[test]
fn the_default_branch_can_not_go() {
    let it = Server::with_base();
    it.top.git(&["-C", it.name, "config", "receive.denyDeleteCurrent", "ignore"]);
    it.push(&["origin", "main:feature"]).accepted();
    it.push(&["origin", ":main"]).refused().says("the default branch holds the policies");
    it.push(&["origin", ":feature"]).accepted();
}

#[test]
fn update_judges_each_ref_by_itself() {
    let it = Server::with_base();
    fs::remove_file(it.git_dir().join("hooks/pre-receive")).unwrap();
    it.install_as("update", &script("update"));
    it.work.git(&["branch", "good"]);
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.work.commit("bad");
    let push = it.push(&["origin", "main", "good"]);
    assert_ne!(push.run.code, 0, "{}", push.run.stderr);
    let push = push.says("admit: refs/heads/main refused").says("apps/b.yaml:4:15");
    assert!(push.run.stderr.contains("(hook declined)"), "{}", push.run.stderr);
    assert!(it.top.git(&["-C", it.name, "branch", "--list"]).contains("good"));
    it.work.git(&["reset", "-q", "--hard", "HEAD~1"]);
    it.work.write("apps/b.yaml", widget("b", "size", "small"));
    it.change().accepted();
    it.push(&["origin", ":good"]).accepted();
    it.top.admit(&["hook", "update", "main", "x", "y"]).exits(2).complains("not `REF OLD NEW`");
}

#[test]
fn pre_push_judges_by_the_remote_as_it_was_fetched() {
    let it = Server::with_base();
    fs::remove_file(it.git_dir().join("hooks/pre-receive")).unwrap();
    it.work.git(&["fetch", "-q"]);
    it.work.write(".git/hooks/pre-push", script("pre-push"));
    executable(&it.work.path(".git/hooks/pre-push"));
    it.work.write("policies/size.yaml", policy("size", "size", "large"));
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.work.commit("bad");
    for to in ["main", "main:feature"] {
        let push = it.push(&["origin", to]);
        assert_ne!(push.run.code, 0, "{}", push.run.stderr);
        assert!(push.run.stderr.contains("--> apps/b.yaml:4:15"), "{}", push.run.stderr);
    }
    it.push(&["--no-verify", "origin", "main:forced"]).accepted();
    it.work.git(&["reset", "-q", "--hard", "HEAD~1"]);
    it.work.write("apps/b.yaml", widget("b", "size", "small"));
    it.change().accepted();
    it.push(&["origin", ":forced"]).accepted();
}

#[test]
fn pre_commit_judges_what_is_staged() {
    let it = Server::with_base();
    let work = &it.work;
    work.write(".git/hooks/pre-commit", script("pre-commit"));
    executable(&work.path(".git/hooks/pre-commit"));
    work.write("apps/b.yaml", widget("b", "size", "large"));
    let commit =
        |arguments: &[&str]| work.git_with(&[("PATH", &it.path)], &[&["commit", "-q", "-m", "x"], arguments].concat());
    work.git(&["add", "-A"]);
    // What is staged counts, not what lies in the working tree.
    work.write("apps/b.yaml", widget("b", "size", "small"));
    let run = commit(&[]);
    assert!(run.code != 0 && run.stderr.contains("--> apps/b.yaml:4:15"), "{run:?}");
    assert_eq!(commit(&["-a"]).code, 0);
    work.write("apps/b.yaml", widget("b", "size", "large"));
    let run = commit(&["-a"]);
    assert!(run.code != 0 && run.stderr.contains("--> apps/b.yaml:4:15"), "{run:?}");
    // Without any policy nobody is kept from a first commit.
    let first = Scratch::repository();
    first.write(".git/hooks/pre-commit", script("pre-commit"));
    executable(&first.path(".git/hooks/pre-commit"));
    first.write("a.yaml", widget("a", "size", "small"));
    first.git(&["add", "-A"]);
    let run = first.git_with(&[("PATH", &it.path)], &["commit", "-q", "-m", "first"]);
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn whose_law_counts_is_said_and_kept() {
    // The same push, which makes a policy stricter, another one looser, and breaks both in part.
    let it = Server::with_base();
    it.work.write("policies/color.yaml", policy("color", "color", "red"));
    it.work.write("apps/a.yaml", widget("a", "size", "small").replace("small }", "small, color: red }"));
    it.change().accepted();
    let law = Scratch::new();
    law.write("shape.yaml", policy("shape", "shape", "round"));
    let law = law.path("");
    it.work.write("policies/size.yaml", policy("size", "size", "large"));
    it.work.write("apps/b.yaml", widget("b", "size", "large").replace("large }", "large, color: red }"));
    it.work.write("apps/c.yaml", widget("c", "size", "small").replace("small }", "small, color: red }"));
    it.work.commit("both");
    let push = it.push(&["origin", "main"]).refused().says("trust: base").says("apps/b.yaml:4:15");
    push.says("reach/policy").says_not("--> apps/c.yaml");
    it.configure("--trust both");
    let push = it.push(&["origin", "main"]).refused().says("trust: both").says("trust: proposed");
    push.says("apps/b.yaml:4:15").says("apps/c.yaml:4:15");
    it.configure("--trust proposed");
    let push = it.push(&["origin", "main"]).refused().says("trust: proposed").says("apps/c.yaml:4:15");
    push.says_not("apps/b.yaml");
    it.configure(&format!("--trust operator --policies {}", law.display()));
    let push = it.push(&["origin", "main"]).refused().says("the policies of the server, trust: operator");
    push.says("shape/check").says_not("size/check");
    it.configure("--trust operator");
    it.push(&["origin", "main"]).refused().says("no policy was found");
    it.configure("--trust nobody");
    it.push(&["origin", "main"]).refused().says("no such side");
}

#[test]
fn admit_yaml_may_ask_for_both_sides() {
    let it = Server::with_base();
    it.work.write("admit.yaml", "trust: both\n");
    it.change().accepted();
    it.work.write("policies/size.yaml", policy("size", "size", "large"));
    it.work.write("apps/c.yaml", widget("c", "size", "small"));
    it.change().refused().says("apps/c.yaml:4:15").says("trust: both");
    it.work.admit(&["check", "--diff", "HEAD~1"]).exits(1).says("apps/c.yaml:4:15").says("trust: both");
    // Loosening it is a change of its own.
    it.undo();
    it.work.write("admit.yaml", "trust: base\n").write("apps/c.yaml", widget("c", "size", "small"));
    it.change().refused().says("GOV009");
}

/// The first step: the law is loosened.
fn loosen(it: &Server) -> Push<'_> {
    it.work.write("policies/size.yaml", policy("size", "size", "'*'"));
    it.change()
}

/// The second: that is used.
fn make_use(it: &Server) -> Push<'_> {
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.change()
}

#[test]
fn the_attack_in_two_steps_is_told_and_stops_where_owners_are_named() {
    for trust in ["base", "both", "proposed"] {
        let it = Server::with_base();
        it.configure(&format!("--trust {trust}"));
        // In one step it is refused, but where the change is its own judge.
        it.work.write("policies/size.yaml", policy("size", "size", "'*'"));
        let push = make_use(&it);
        let said = format!("trust: {trust}");
        if trust == "proposed" {
            push.refused().says(&said).says_not("size/check")
        } else {
            push.refused().says(&said)
        };
        it.undo();
        // In two it goes through, and whoever reads the log of the first sees it.
        loosen(&it).accepted().says("GOV006").says(&said);
        make_use(&it).accepted();
    }
    let it = Server::with_base();
    it.configure("--server http");
    it.work.write(
        "admit.yaml",
        "governance:\n  rules:\n    GOV002: { authors: [{ path: '{policies/**,admit.yaml}', identities: [ann] }], who: [pusher] }\n",
    );
    it.change().accepted();
    let push_as =
        |name: &str| it.push_as(&[("GATEWAY_INTERFACE", "CGI/1.1"), ("REMOTE_USER", name)], &["origin", "main"]);
    it.work.write("policies/size.yaml", policy("size", "size", "'*'"));
    it.work.commit("loosen");
    push_as("bob").refused().says("GOV002");
    push_as("ann").accepted();
    // What nobody in the repository can loosen is the law of the server.
    let it = Server::with_base();
    let law = Scratch::new();
    law.write("size.yaml", policy("size", "size", "small"));
    it.configure(&format!("--trust operator --policies {}", law.path("").display()));
    loosen(&it).accepted();
    make_use(&it).refused().says("apps/b.yaml:4:15").says("trust: operator");
}

fn executable(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn what_a_hook_does_not_render_is_told_unless_it_is_meant() {
    let it = Server::with_base();
    it.work.write("overlay/base.yaml", widget("b", "size", "small"));
    it.work.write("overlay/kustomization.yaml", "resources: [base.yaml]\npatches: [{ path: patch.yaml }]\n");
    it.work.write("overlay/patch.yaml", widget("b", "size", "small"));
    let told = "the hook runs no `kustomize`: 1 overlay";
    it.change().accepted().says("warning[render/off]").says(told).says("--render auto");
    // The patch is where a violation could hide.
    it.work.write("overlay/patch.yaml", widget("b", "size", "large"));
    it.change().accepted().says("warning[render/off]").says("overlay/kustomization.yaml");
    // What no overlay reads is judged as it stands.
    it.work.write("apps/c.yaml", widget("c", "size", "small"));
    it.change().accepted().says_not("render/off");
    it.configure("--render never");
    it.work.write("overlay/patch.yaml", widget("b", "size", "huge"));
    it.change().accepted().says_not("render/off");
    it.configure("");
    it.work.write("admit.yaml", "render: { mode: never }\n");
    it.change().accepted();
    it.work.write("overlay/patch.yaml", widget("b", "size", "large"));
    it.change().accepted().says_not("render/off");
}

#[test]
fn a_branch_keeps_a_policy() {
    let it = Server::with_base();
    let left = "error[policy/none-left]: no policy is left after this";
    it.work.remove("policies/size.yaml");
    it.change().refused().says(left).says("policies/size.yaml:1:1");
    it.undo();
    it.work.write("admit.yaml", "policies: [drafts]\n");
    it.change().refused().says(left).says("admit.yaml:1:1");
    it.undo();
    it.work.write(".admitignore", "policies\n");
    it.change().refused().says(left);
    it.undo();
    it.work.git(&["checkout", "-q", "--orphan", "empty"]);
    it.work.remove("policies/size.yaml");
    it.work.commit("empty");
    it.push(&["origin", "empty"]).refused().says(left);
    it.work.git(&["checkout", "-q", "main"]);
    // Another one, or the same elsewhere, will do.
    it.work.git(&["mv", "policies", "rules"]);
    it.change().accepted();
    it.work.remove("rules/size.yaml").write("rules/color.yaml", policy("color", "color", "red"));
    it.change().accepted();
    // Others judge a tag.
    it.configure("--guard 'refs/**'");
    it.work.git(&["rm", "-q", "-r", "rules"]);
    it.work.commit("no policies");
    it.push(&["origin", "HEAD:refs/tags/v1"]).accepted();
}

#[test]
fn a_branch_without_history_is_told_that_its_law_is_weaker() {
    let it = Server::with_base();
    it.work.write("policies/color.yaml", policy("color", "color", "red").replace("Enforce", "Audit"));
    it.change().accepted();
    it.work.git(&["checkout", "-q", "--orphan", "lax"]);
    it.work.write("policies/size.yaml", policy("size", "size", "small").replace("Enforce", "Audit"));
    it.work.remove("policies/color.yaml").commit("lax");
    let push = it.push(&["origin", "lax"]).refused().says("`size` is weakened");
    push.says("error[GOV006]: the change removes policy `color`");
}
