//! Who makes a change: owners, allowed people, signatures, ends that only history tells.

use std::{fs, process::Command};

use crate::scratch::{Run, Scratch, exception, policy, widget};

/// A policy, a Widget that breaks it, and settings, in one commit.
fn base(settings: &str) -> Scratch {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"));
    it.write("apps/a.yaml", widget("a", "size", "small")).write("admit.yaml", settings);
    it.commit("base");
    it
}

impl Scratch {
    /// Commits all there is, and has a server's hook judge the push of it.
    #[track_caller]
    fn pushed(&self, variables: &[(&str, &str)], flags: &[&str]) -> Run {
        let old = self.git(&["rev-parse", "HEAD"]);
        let new = self.commit("change");
        let line = format!("{old} {new} refs/heads/main\n");
        self.admit_as(variables, line.as_bytes(), &[&["hook", "pre-receive"], flags].concat())
    }
}

#[test]
fn an_exception_that_nobody_owns_is_told() {
    let it = base("governance: { rules: { GOV001: { approverTeams: ['@example/platform'] } } }\n");
    it.write(".github/CODEOWNERS", "* @example/all\n/exceptions/ @example/platform\n");
    it.commit("owners");
    it.write("exceptions/b.yaml", exception("b", "size", "b")).commit("owned");
    it.admit(&["check", "--diff", "HEAD~1"]).exits(0).says_not("GOV001");
    it.write("waivers/c.yaml", exception("c", "size", "c")).write(".github/CODEOWNERS", "* @example/platform\n");
    it.commit("with an owner of its own making");
    let run = it.admit(&["check", "--diff", "HEAD~1"]).exits(1).says("error[GOV001]").says("waivers/c.yaml:3:");
    run.says("`@example/all` can agree to this by line 1 of .github/CODEOWNERS");
}

#[test]
fn who_pushes_counts_only_by_the_word_of_a_server_that_the_hook_knows() {
    let it = base(
        "governance:\n  rules:\n    GOV002:\n      authors: [{ path: 'exceptions/**', identities: ['team:platform'] }]
      teams: { platform: [ann, bob] }\n      who: [pusher]\n",
    );
    it.write("exceptions/b.yaml", exception("b", "size", "b"));
    let gitlab = [("GL_ID", "user-1"), ("GL_REPOSITORY", "project-1"), ("GL_USERNAME", "ann")];
    it.pushed(&gitlab, &["--server", "gitlab"]).exits(0);
    it.git(&["reset", "-q", "--soft", "HEAD~1"]);
    // Nobody told the hook that this is GitLab, so that anybody could have set the name.
    let run = it.pushed(&gitlab, &[]).exits(1).complains("nobody says who pushes this");
    run.complains("hint: with --server gitlab in the hook it is known who pushes");
    it.git(&["reset", "-q", "--soft", "HEAD~1"]);
    // Another server is not asked.
    it.pushed(&gitlab, &["--server", "gitea"]).exits(1).complains("nobody says who pushes this");
    for (variables, server, code) in [
        (&[("GITEA_PUSHER_NAME", "bob")][..], "gitea", 0),
        (&[("GITEA_PUSHER_NAME", "bob"), ("GITEA_DEPLOY_KEY_ID", "4")], "gitea", 1),
        (&[("GL_USER", "bob")], "gitolite", 0),
        (&[("GITHUB_USER_LOGIN", "carl")], "ghes", 1),
        (&[("BB_USER_NAME", "bob")], "bitbucket", 0),
        (&[("REMOTE_USER", "carl"), ("HTTP_AUTHORIZATION", "Basic c2VjcmV0")], "http", 1),
    ] {
        it.git(&["reset", "-q", "--soft", "HEAD~1"]);
        let run = it.pushed(variables, &["--server", server]).exits(code);
        assert_eq!(run.stderr.contains("may not change it"), code == 1, "{server}: {}", run.stderr);
        assert!(!run.stderr.contains("c2VjcmV0"));
    }
    // What is no exception anybody may change.
    it.write("apps/b.yaml", widget("b", "size", "small"));
    it.pushed(&[("REMOTE_USER", "carl")], &["--server", "http"]).exits(0);
}

#[test]
fn authors_and_committers_are_on_the_list_too() {
    let it = base(
        "governance: { rules: { GOV002: { authors: [{ path: '{exceptions,policies}/**', identities: [bob@example.com] }] } } }\n",
    );
    it.write("exceptions/b.yaml", exception("b", "size", "b"));
    it.commit("by Ann");
    let run = it.admit(&["check", "--diff", "HEAD~1"]).exits(1).says("error[GOV002]");
    run.says("`ann@example.com` may not change this, but is author of commit").says("(by Ann)");
    let set = |name: &str| {
        it.git(&[
            "-c",
            "user.name=Bob",
            "-c",
            "user.email=bob@example.com",
            "commit",
            "-q",
            "--amend",
            "--no-edit",
            name,
        ])
    };
    // The variables of the test name Ann; an author alone is not enough.
    set("--author=Bob <bob@example.com>");
    let run = it.admit(&["check", "--diff", "HEAD~1"]).exits(1);
    run.says("but is committer of commit").says_not("but is author");
    // Other files are nobody's business.
    it.write("apps/b.yaml", widget("b", "size", "small"));
    it.commit("by Ann");
    it.admit(&["check", "--diff", "HEAD~1"]).exits(0);
}

#[test]
fn commits_are_signed_with_keys_from_before_the_change() {
    let it = base("governance: { rules: { GOV004: { severity: error, allowedSigners: keys/signers } } }\n");
    let keys = Scratch::new();
    let key = |name: &str| {
        let path = keys.path(name).to_str().unwrap().to_owned();
        let mut command = Command::new("ssh-keygen");
        let made = command.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", &path]).status().unwrap();
        assert!(made.success());
        (path.clone(), fs::read_to_string(format!("{path}.pub")).unwrap())
    };
    let ((known, known_public), (stranger, stranger_public)) = (key("known"), key("stranger"));
    let signed = |key: &str| {
        it.git(&["add", "-A"]);
        let signing = format!("user.signingKey={key}");
        it.git(&["-c", "gpg.format=ssh", "-c", &signing, "commit", "-q", "-S", "-m", "signed"]);
    };
    it.write("exceptions/a.yaml", exception("a", "size", "a"));
    signed(&known);
    it.admit(&["check", "--diff", "HEAD~1"]).exits(1).says("there is no keys/signers before the change");
    it.write("keys/signers", format!("ann@example.com {known_public}"));
    it.commit("keys");
    it.write("exceptions/b.yaml", exception("b", "size", "b"));
    signed(&known);
    it.admit(&["check", "--diff", "HEAD~1"]).exits(0);
    it.write("exceptions/c.yaml", exception("c", "size", "c"));
    it.commit("unsigned");
    let run = it.admit(&["check", "--diff", "HEAD~1"]).exits(1).says("error[GOV004]");
    run.says("(unsigned) is not signed");
    it.git(&["reset", "-q", "--soft", "HEAD~1"]);
    // A key that comes along with what it signs is none.
    it.write("keys/signers", format!("eve@example.com {stranger_public}"));
    signed(&stranger);
    it.admit(&["check", "--diff", "HEAD~1"]).exits(1).says("does not count");
    // Manifests need no signature.
    it.write("apps/b.yaml", widget("b", "size", "small"));
    it.commit("unsigned");
    it.admit(&["check", "--diff", "HEAD~1"]).exits(0);
}

#[test]
fn a_duration_counts_from_the_commit_that_added_the_exception() {
    let it = base("");
    let with_ttl = |name: &str, ttl: &str| {
        let labels = format!("namespace: shop, labels: {{ cleanup.kyverno.io/ttl: {ttl} }} }}");
        exception(name, "size", name).replace("namespace: shop }\n", &format!("{labels}\n"))
    };
    // Scratch commits in January 2024.
    it.write("env/exceptions/a.yaml", with_ttl("a", "30d")).write("env/exceptions/b.yaml", with_ttl("b", "900000h"));
    it.admit(&["check"]).exits(0).says_not("EXC028");
    it.commit("exceptions");
    let run = it.admit(&["check"]).exits(1).says("error[EXC028]").says("env/exceptions/a.yaml:3:");
    run.says_not("env/exceptions/b.yaml:3:80");
    it.admit_in("env", &["check", "exceptions"]).exits(1).says("error[EXC028]");
    it.admit_in("env", &["lint"]).exits(1).says("error[EXC028]");
    // A clone without history can't tell, and says so.
    it.write("apps/a.yaml", widget("a", "size", "small") + "# more\n");
    it.commit("more");
    let url = format!("file://{}", it.path("").display());
    it.git(&["clone", "-q", "--depth", "1", &url, "shallow"]);
    let run = it.admit_in("shallow", &["check"]).exits(0).says("info[EXC028]");
    run.says("when the exception ends can't be told: the history is cut off in this clone");
}

#[test]
fn an_exception_that_is_renewed_again_and_again_is_told() {
    let it = base("");
    let until = |date: &str| {
        let labels = format!("namespace: shop, labels: {{ cleanup.kyverno.io/ttl: '{date}' }} }}\n");
        exception("a", "size", "a").replace("namespace: shop }\n", &labels)
    };
    for (n, date) in ["2090-01-01", "2091-01-01", "2092-01-01"].iter().enumerate() {
        it.write("exceptions/a.yaml", until(date));
        it.commit(date);
        let run = it.admit(&["check", "--diff", "HEAD~1"]).exits(0).says_not("GOV008");
        assert_eq!(run.stdout.contains("warning[GOV007]"), n > 0);
    }
    it.write("exceptions/a.yaml", until("2093-01-01"));
    it.commit("2093");
    it.admit(&["check", "--diff", "HEAD~1"])
        .exits(0)
        .says("warning[GOV008]: the exception is renewed for the 3rd time");
}

#[test]
fn whoever_changes_how_changes_are_judged_is_asked_for_too() {
    let it = base(
        "governance:\n  rules:\n    GOV002:\n      authors: [{ path: '{admit.yaml,.admitignore,.github/**}', identities: [bob@example.com] }]\n",
    );
    it.write(".github/CODEOWNERS", "* @example/all\n/policies/ @example/platform\n/exceptions/ @example/platform\n");
    it.commit("owners");
    for (path, text) in [
        ("admit.yaml", "guard: [main]\n"),
        (".admitignore", "apps\n"),
        (".github/CODEOWNERS", "* @example/all\n/policies/ @example/platform\n"),
    ] {
        it.write(path, text).commit("by Ann");
        let run = it.admit(&["check", "--diff", "HEAD~1"]).exits(1).says("error[GOV002]").says(path);
        run.says("`ann@example.com` may not change this");
        it.git(&["reset", "-q", "--hard", "HEAD~1"]);
    }
    // Whose agreement is enough from now on.
    it.write(".github/CODEOWNERS", "* @example/all\n/exceptions/ @example/platform\n").commit("by Ann");
    let run = it.admit(&["check", "--diff", "HEAD~1"]).says("warning[GOV009]");
    run.says("`@example/all` may agree to policies/size.yaml instead of `@example/platform`");
    it.write(".github/CODEOWNERS", "/exceptions/ @example/platform\n").commit("by Ann");
    it.admit(&["check", "--diff", "HEAD~1"]).says("policies/size.yaml is owned by nobody any more");
}

#[test]
fn an_object_that_labels_itself_out_of_a_policy_is_told_without_any_other_change() {
    let it = base("");
    let exclude = "exclude: { any: [{ resources: { selector: { matchLabels: { tier: system } } } }] }";
    let text = policy("size", "size", "small").replace("      validate", &format!("      {exclude}\n      validate"));
    it.write("policies/size.yaml", text).commit("exclude");
    let labelled = widget("a", "size", "large").replace("namespace: shop", "namespace: shop, labels: { tier: system }");
    it.write("apps/a.yaml", labelled).commit("labels");
    let run = it.admit(&["check", "--diff", "HEAD~1"]).exits(0).says("warning[GOV010]");
    run.says("Widget shop/a gives itself what rule `size/check` excludes by").says("apps/a.yaml:3:");
    it.write("apps/a.yaml", widget("a", "size", "small")).commit("without");
    it.admit(&["check", "--diff", "HEAD~1"]).exits(0).says_not("GOV010");
}
