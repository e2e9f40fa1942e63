//! What becomes of a verdict: the deadline, hooks that only watch, bypasses, the audit log, what a pusher sees.

use std::fs;

use crate::{
    scratch::{exception, policy, widget},
    server::Server,
};

/// The records of the audit log.
fn records(it: &Server) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(it.git_dir().join("admit/audit.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn with_violation() -> Server {
    let it = Server::with_base();
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.work.commit("bad");
    it
}

#[test]
fn what_takes_too_long_is_refused_with_its_own_message() {
    let it = Server::with_base();
    it.work.write("apps/b.yaml", widget("b", "size", "small"));
    it.configure("--deadline 0.000001");
    it.change()
        .refused()
        .says("error: not judged within 0.000001 s, the deadline of this hook")
        .says("hint: push less");
    let records = records(&it);
    let last = records.last().unwrap();
    assert_eq!(last["verdict"], "refused");
    assert!(last["refs"][0]["error"].as_str().unwrap().contains("not judged within"), "{last}");
    it.configure("--deadline 0");
    it.push(&["origin", "main"]).refused().says("--deadline");
    it.configure("--deadline 60 --verbose");
    it.push(&["origin", "main"])
        .accepted()
        .says("admit: objects were read through libgit2")
        .says("admit: decided after");
}

#[test]
fn a_hook_that_watches_lets_everything_through_and_says_so() {
    let it = with_violation();
    it.configure("--monitor");
    let push = it.push(&["origin", "main"]).accepted().says("admit: refs/heads/main would be refused");
    push.says("apps/b.yaml:4:15").says("warning: let through, since this hook only watches");
    assert_eq!(records(&it).last().unwrap()["verdict"], "monitored");
    it.work.write("admit.yaml", "exclud: []\n");
    it.change().accepted().says("config/invalid");
    it.configure("--monitor --deadline 0.000001");
    it.work.write("apps/c.yaml", widget("c", "size", "large"));
    it.change().accepted().says("not judged within");
}

#[test]
fn a_bypass_takes_a_name_a_reason_and_a_trace() {
    let it = with_violation();
    it.top.git(&["-C", it.name, "config", "receive.advertisePushOptions", "true"]);
    let ann = [("GATEWAY_INTERFACE", "CGI/1.1"), ("REMOTE_USER", "ann")];
    let bob = [("GATEWAY_INTERFACE", "CGI/1.1"), ("REMOTE_USER", "bob")];
    let bypass = ["-o", "admit.bypass=INC-7 \u{1b}[2Jx", "origin", "main"];
    // Nobody may unless it is configured.
    it.push_as(&ann, &bypass).refused().says("warning: no bypass: you are not among those who may");
    it.configure("--server http --bypass-by ann --bypass-reason 'INC-[0-9]+.*'");
    it.push_as(&bob, &bypass).refused().says("no bypass");
    it.push_as(&[("USER", "ann")], &bypass).refused().says("no bypass");
    it.push_as(&ann, &["origin", "main"]).refused().says("hint: in an emergency: git push -o admit.bypass=REASON");
    it.push_as(&ann, &["-o", "admit.bypass=please", "origin", "main"]).refused().says("the reason must look like");
    let log = it.git_dir().join("admit/audit.jsonl");
    let kept = fs::read(&log).unwrap();
    // Where it can't be written down it does not happen.
    fs::remove_file(&log).unwrap();
    fs::create_dir(&log).unwrap();
    it.push_as(&ann, &bypass).refused().says("error: a bypass that leaves no trace is none");
    fs::remove_dir(&log).unwrap();
    fs::write(&log, &kept).unwrap();
    let push =
        it.push_as(&ann, &bypass).accepted().says("warning: BYPASS: let through all the same: INC-7 \\u{1b}[2Jx");
    push.says("apps/b.yaml:4:15");
    let records = records(&it);
    let last = records.last().unwrap();
    assert_eq!((&last["verdict"], &last["pusher"]), (&"bypassed".into(), &"ann".into()));
    assert_eq!(last["bypass"], "INC-7 \u{1b}[2Jx");
    assert_eq!(records.len(), kept.split(|&it| it == b'\n').count(), "earlier lines are as they were");
    it.configure("--bypass-by ann");
    it.push(&["origin", "main:other"]).refused().says("--server");
    it.configure("--server http --bypass-by ann --no-audit");
    it.push(&["origin", "main:other"]).refused_wider().says("--no-audit");
}

#[test]
fn a_decision_is_written_down_and_can_be_explained() {
    let it = with_violation();
    it.push(&["origin", "main", "main:feature"]).refused();
    let records = records(&it);
    let last = records.last().unwrap();
    assert_eq!((&last["v"], &last["hook"], &last["verdict"]), (&1.into(), &"pre-receive".into(), &"refused".into()));
    let first = &last["refs"][0];
    assert_eq!(
        (&first["ref"], &first["errors"], &first["trust"]),
        (&"refs/heads/main".into(), &1.into(), &"base".into())
    );
    assert_eq!(first["findings"][0], "size/check apps/b.yaml:4");
    // On the server the objects went with the push; whoever pushed has them.
    let log = it.git_dir().join("admit/audit.jsonl");
    let log = log.to_str().unwrap();
    let git_dir = it.git_dir();
    let server = |arguments: &[&str]| it.top.admit_in(git_dir.file_name().unwrap().to_str().unwrap(), arguments);
    server(&["hook", "explain"]).exits(2).complains("run this in the clone that pushed: admit hook explain");
    let id = last["id"].as_str().unwrap();
    let run = it.work.admit(&["hook", "explain", &id[..8], "--log", log]).exits(0);
    let run = run.says("refs/heads/main: refused").says("apps/b.yaml:4:15").says("the verdict is the same as then");
    run.says("refs/heads/feature: refused");
    it.work.admit(&["hook", "explain", "--trace", "--log", log]).exits(0).says("explain: apps/b.yaml");
    it.work.admit(&["hook", "explain", "0000", "--log", log]).exits(2).complains("no push `0000`");
    // One that went through is explained where it is, with the law and the time of then.
    it.undo();
    it.work.write("exceptions/b.yaml", exception("b", "size", "b"));
    it.change().accepted();
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.change().accepted();
    it.work.remove("exceptions/b.yaml").write("policies/color.yaml", policy("color", "color", "red"));
    it.change().accepted();
    server(&["hook", "explain", "--list"]).exits(0).says("accepted").says("refused").says(&id[..10]);
    let list = server(&["hook", "explain", "--list"]).stdout;
    let second = list.lines().nth(1).unwrap().split(' ').next().unwrap();
    server(&["hook", "explain", second]).exits(0).says("refs/heads/main: accepted").says("the same as then");
}

#[test]
fn many_findings_are_grouped_and_the_worst_comes_first() {
    let it = Server::with_base();
    it.work.write("policies/color.yaml", policy("color", "color", "red").replace("Enforce", "Audit"));
    it.change().accepted();
    for n in 0..40 {
        it.work.write(&format!("apps/a/{n:02}.yaml"), widget(&format!("a{n}"), "size", "small"));
    }
    for n in 0..200 {
        it.work.write(&format!("apps/{}{n}.yaml", "deep/".repeat(20)), widget(&format!("w{n}"), "size", "large"));
    }
    let push = it.change().refused().says("the same in 199 other places:").says("... and 189 more");
    let remote = push.remote();
    assert!(remote.lines().count() < 120, "{} lines", remote.lines().count());
    assert!(remote.find("error[size/check]").unwrap() < remote.find("warning[color/check]").unwrap());
    push.says("200 errors and 240 warnings").says("PolicyException with policyName: size,");
}

#[test]
fn pages_of_gitlab_show_every_line_and_the_terminal_no_prefix() {
    let it = with_violation();
    let gitlab = [("GL_ID", "user-1"), ("GL_REPOSITORY", "project-1"), ("GL_USERNAME", "ann")];
    let push = it.push_as(&[&gitlab[..], &[("GL_PROTOCOL", "web")]].concat(), &["origin", "main"]).refused_wider();
    let remote = push.remote();
    assert!(remote.lines().all(|line| line.starts_with("GL-HOOK-ERR:")), "{remote}");
    it.push_as(&[&gitlab[..], &[("GL_PROTOCOL", "ssh")]].concat(), &["origin", "main"]).refused().says_not("GL-HOOK");
    it.push_as(&[("GL_PROTOCOL", "web")], &["origin", "main"]).refused().says_not("GL-HOOK");
}

#[test]
fn a_secret_stays_one() {
    let it = Server::with_base();
    let secret = policy("plain", "data", "none")
        .replace("[Widget]", "[Secret]")
        .replace("pattern: { spec: { data: none } }", "pattern: { data: { key: '?*', token: short } }")
        .replace("message: data must be none", "message: 'not {{ request.object.data.token }}'");
    it.work.write("policies/secret.yaml", secret);
    it.change().accepted();
    it.work.write(
        "apps/s.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: { name: s, namespace: shop }\ndata: { token: aHVudGVyMg== }\n",
    );
    it.change().refused().says("plain/check").says_not("aHVudGVyMg").says_not("hunter2");
    let log = fs::read_to_string(it.git_dir().join("admit/audit.jsonl")).unwrap();
    assert!(!log.contains("aHVudGVyMg"), "{log}");
}

#[test]
fn an_exception_in_the_same_push_counts_if_it_passes_the_governance_of_the_server() {
    let it = Server::with_base();
    let complete = exception("b", "size", "b").replace(
        "shop }\n",
        "shop, labels: { cleanup.kyverno.io/ttl: '2099-01-31' }, annotations: { a/owner: ann, a/reason: x } }\n",
    );
    it.work.write("apps/b.yaml", widget("b", "size", "large"));
    it.work.write("exceptions/b.yaml", exception("b", "size", "b"));
    // The push can't talk its way out.
    it.work.write("admit.yaml", "governance: { rules: { EXC027: { enabled: false }, EXC029: { enabled: false } } }\n");
    let push = it.change().refused().says("exception `shop/b` comes with this change").says("EXC029");
    push.says("`owner`");
    it.work.remove("admit.yaml").write("exceptions/b.yaml", complete);
    it.change().accepted();
}
