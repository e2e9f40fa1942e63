//! Which exceptions count: those that break a rule, that come with a change, or that go with it.

use crate::scratch::{Run, Scratch, exception, policy, widget};

/// A policy and a Widget that keeps to it, in one commit, with settings.
fn base(settings: &str) -> Scratch {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"));
    it.write("apps/a.yaml", widget("a", "size", "small")).write("admit.yaml", settings);
    it.commit("base");
    it
}

impl Scratch {
    /// Commits all there is, and checks the commit.
    #[track_caller]
    fn checked(&self) -> Run {
        self.commit("change");
        self.admit(&["check", "--diff", "HEAD~1"])
    }
}

#[test]
fn an_exception_that_breaks_a_rule_exempts_nothing() {
    let it = base("");
    it.write("exceptions/any.yaml", exception("any", "size", "'*'")).write("apps/b.yaml", widget("b", "size", "large"));
    let run = it.admit(&["check"]).exits(1).says("error[EXC014]").says("error[size/check]");
    let run = run.says("exception `shop/any` would cover it, but is ignored: it breaks EXC014");
    run.says_not("no exception covers it").says("exceptions/any.yaml:3:");
    // A cluster knows nothing of it.
    it.admit(&["check", "--no-governance"]).exits(0).says("1 waived");
    it.write("admit.yaml", "governance: { onInvalidException: honour }\n");
    it.admit(&["check"]).exits(1).says("error[EXC014]").says("1 waived").says_not("error[size/check]");
    // A rule that doesn't weigh as an error takes nothing away; nor does one that may be broken.
    it.write("admit.yaml", "governance: { rules: { EXC014: { severity: warning } } }\n");
    it.admit(&["check"]).exits(0).says("1 waived");
    it.write("admit.yaml", "governance: { allow: [{ rule: EXC014, exception: shop/any, reason: agents }] }\n");
    it.admit(&["check"]).exits(0).says("1 waived");
    it.write("admit.yaml", "governance: { onInvalidException: honor }\n");
    it.admit(&["check"]).exits(2).complains("admit.yaml:1:35").complains("did you mean `honour`?");
}

/// An exception for one Widget that says all that is asked of what comes along with what it exempts.
fn complete(name: &str, widgets: &str) -> String {
    let said = "shop, labels: { cleanup.kyverno.io/ttl: '2099-01-31' }, annotations: { a/owner: ann, a/reason: x } }\n";
    exception(name, "size", widgets).replace("shop }\n", said)
}

#[test]
fn an_exception_that_comes_with_what_it_exempts_counts_if_it_passes_the_governance_from_before() {
    let it = base("");
    it.write("exceptions/b.yaml", complete("b", "b")).write("apps/b.yaml", widget("b", "size", "large"));
    it.checked().exits(0).says("1 waived").says("warning[GOV005]");
    for (what, lacking) in [
        ("EXC014 (`b*` names too little", complete("b", "'b*'")),
        ("EXC027 (the exception has no end)", complete("b", "b").replace("cleanup.kyverno.io/ttl", "other")),
        ("EXC029 (the exception doesn't say its `owner`)", complete("b", "b").replace("a/owner", "a/other")),
        ("EXC029 (the exception doesn't say its `reason`)", complete("b", "b").replace("a/reason", "a/other")),
        ("EXC028 (", complete("b", "b").replace("2099", "2019")),
    ] {
        it.git(&["reset", "-q", "--soft", "HEAD~1"]);
        it.write("exceptions/b.yaml", lacking);
        it.commit("change");
        let run =
            it.admit(&["check", "--diff", "HEAD~1", "--format", "json"]).exits(1).says_not("no exception covers it");
        run.says("exception `shop/b` comes with this change and does not count: it breaks").says(what);
    }
    // What the change itself says of the rules doesn't count, nor does it help to honour what breaks one.
    it.git(&["reset", "-q", "--soft", "HEAD~1"]);
    it.write("admit.yaml", "governance: { onInvalidException: honour, rules: { EXC028: { severity: off } } }\n");
    it.checked().exits(1).says("does not count: it breaks EXC028");
    let it = base("governance: { onInvalidException: honour }\n");
    it.write("exceptions/b.yaml", exception("b", "size", "b")).write("apps/b.yaml", widget("b", "size", "large"));
    it.checked().exits(1).says("does not count: it breaks EXC027");
    // One that nearly covers it is named with what is in the way.
    let it = base("");
    it.write("apps/b.yaml", widget("b", "size", "large"));
    it.write(
        "exceptions/b.yaml",
        complete("bb", "bb").replace("shop,", "other,").replace("[bb]", "[b]").replace("[shop]", "[other]"),
    );
    it.checked().exits(1).says("nearly covers it").says("exceptions/b.yaml:6:");
}

#[test]
fn an_exception_that_a_change_brings_comes_from_whom_the_settings_before_it_allow() {
    let it = base(
        "governance: { rules: { GOV002: { authors: [{ path: 'exceptions/**', identities: [bob@example.com] }] } } }\n",
    );
    it.write("exceptions/b.yaml", complete("b", "b")).write("apps/b.yaml", widget("b", "size", "large"));
    it.checked().exits(1).says("comes with this change and does not count: it breaks GOV002");
    it.git(&["reset", "-q", "--soft", "HEAD~1"]);
    it.git(&["add", "-A"]);
    it.git_with(
        &[("GIT_AUTHOR_EMAIL", "bob@example.com".as_ref()), ("GIT_COMMITTER_EMAIL", "bob@example.com".as_ref())],
        &["commit", "-q", "-m", "by bob"],
    );
    it.admit(&["check", "--diff", "HEAD~1"]).exits(0).says("1 waived");
}

#[test]
fn a_repository_may_have_exceptions_wait_for_the_next_change() {
    let it = base("governance: { exceptionsFrom: base }\n");
    it.write("exceptions/b.yaml", complete("b", "b")).write("apps/b.yaml", widget("b", "size", "large"));
    let run = it.checked().exits(1).says("exception `shop/b` comes with this change: it counts once it is merged");
    run.says("bring the exception first, in a change of its own");
    it.git(&["reset", "-q", "--soft", "HEAD~1"]);
    it.write("admit.yaml", "");
    it.checked().exits(1).says("it counts once it is merged");
    let it = base("governance: { exceptionsFrom: base-for-enforce }\n");
    it.write("policies/color.yaml", policy("color", "color", "red").replace("Enforce", "Audit"));
    it.commit("audit");
    let both = complete("b", "b").replace("}]\n", "}, { policyName: color, ruleNames: [check] }]\n");
    it.write("exceptions/b.yaml", both).write("apps/b.yaml", widget("b", "size", "large"));
    it.checked().exits(1).says("error[size/check]").says("1 error").says("1 waived");
}

#[test]
fn an_exception_that_goes_with_a_change_covers_nothing_in_it() {
    let it = base("");
    it.write("exceptions/b.yaml", exception("b", "size", "b"));
    it.commit("exception");
    it.remove("exceptions/b.yaml").write("apps/b.yaml", widget("b", "size", "large"));
    it.checked().exits(1).says("exception `shop/b` covered it, and goes or changes with this change");
    it.git(&["reset", "-q", "--hard", "HEAD~1"]);
    // One that only moves stays.
    it.git(&["mv", "exceptions/b.yaml", "exceptions/c.yaml"]);
    it.write("apps/b.yaml", widget("b", "size", "large"));
    it.checked().exits(0).says("1 waived");
}

#[test]
fn point_21_no_exception_exempts_itself_or_the_rules_for_exceptions() {
    let it = Scratch::repository();
    let guard = policy("guard", "background", "false").replace("Widget", "PolicyException");
    it.write("policies/guard.yaml", guard);
    it.write("exceptions/free.yaml", exception("free", "guard", "free").replace("Widget", "PolicyException"));
    let run = it.admit(&["check"]).exits(1).says("error[EXC040]").says("error[guard/check]");
    run.says("exception `shop/free`");
    // Though it may be broken, it does not exempt itself.
    it.write("admit.yaml", "governance: { allow: [{ rule: EXC040, exception: shop/free, reason: x }] }\n");
    it.admit(&["check"]).exits(1).says("error[guard/check]").says("none exempts exceptions or policies");
    it.write("admit.yaml", "governance: { rules: { EXC040: { severity: warning } } }\n");
    it.admit(&["check"]).exits(0).says("1 waived");
    it.admit(&["check", "--no-governance"]).exits(0).says("1 waived");
}

#[test]
fn point_15_the_command_line_of_kyverno_takes_an_exception_for_a_user_background_or_not() {
    let it = base("");
    let by_user =
        exception("b", "size", "b").replace("names: [b] } }", "names: [b] }, subjects: [{ kind: User, name: jane }] }");
    it.write("exceptions/b.yaml", by_user).write("apps/b.yaml", widget("b", "size", "large"));
    let user =
        "apiVersion: cli.kyverno.io/v1alpha1\nkind: UserInfo\nmetadata: { name: u }\nuserInfo: { username: jane }\n";
    it.write("user.yaml", user);
    let apply = ["apply", "policies/size.yaml", "-r", "apps/b.yaml", "-e", "exceptions/b.yaml"];
    it.admit(&apply).exits(1).says("fail: 1");
    it.admit(&[&apply[..], &["--userinfo", "user.yaml"]].concat()).exits(0).says("fail: 0").says("skip: 1");
    // A cluster refuses it, and so it exempts nothing.
    it.admit(&["check", "--userinfo", "user.yaml"]).exits(1).says("error[size/check]").says("EXC011");
}

#[test]
fn policies_judge_exceptions_and_policies_as_they_judge_everything() {
    let it = base("");
    // As the sample of Kyverno's library: an exception must say some name.
    let names = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: { name: policy-for-exceptions }
spec:
  validationFailureAction: Enforce
  rules:
    - name: require-match-name
      match: { any: [{ resources: { kinds: [PolicyException] } }] }
      validate:
        message: An exception must name what it is for.
        pattern: { spec: { match: { any: [{ resources: { names: '?*' } }] } } }
    - name: no-audit
      match: { any: [{ resources: { kinds: [ClusterPolicy] } }] }
      validate:
        message: A policy must enforce.
        pattern: { spec: { validationFailureAction: Enforce } }
";
    it.write("policies/exceptions.yaml", names).write("exceptions/a.yaml", exception("a", "size", "a"));
    it.admit(&["check", "--no-governance"]).exits(0);
    it.write("exceptions/b.yaml", exception("b", "size", "b").replace(", names: [b]", ""));
    it.write("policies/color.yaml", policy("color", "color", "red").replace("Enforce", "Audit"));
    let run = it.admit(&["check", "--no-governance"]).exits(1).says("error[policy-for-exceptions/require-match-name]");
    let run = run.says("exceptions/b.yaml:6:").says_not("exceptions/a.yaml");
    run.says("error[policy-for-exceptions/no-audit]").says("policies/color.yaml:5:");
    // In a change, too.
    it.commit("change");
    let run = it.admit(&["check", "--diff", "HEAD~1", "--policies", "policies", "--no-governance"]);
    run.exits(0);
    it.write("exceptions/c.yaml", exception("c", "size", "c").replace(", names: [c]", ""));
    it.checked().exits(1).says("error[policy-for-exceptions/require-match-name]").says("exceptions/c.yaml:6:");
}
