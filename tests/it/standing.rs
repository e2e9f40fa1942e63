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

#[test]
fn an_exception_that_comes_with_what_it_exempts_is_named_with_what_it_lacks() {
    let it = base("");
    it.write("exceptions/b.yaml", exception("b", "size", "b")).write("apps/b.yaml", widget("b", "size", "large"));
    let run = it.checked().exits(1).says("error[size/check]").says_not("no exception covers it");
    let run = run.says("exception `shop/b` comes with this change: it counts once it is merged");
    run.says("bring the exception first, in a change of its own").says("warning[GOV005]");
    it.git(&["reset", "-q", "--soft", "HEAD~1"]);
    it.write("exceptions/b.yaml", exception("b", "size", "'b*'"));
    let run = it.checked().exits(1);
    run.says("exception `shop/b` comes with this change and does not count: it breaks EXC014");
    it.git(&["reset", "-q", "--soft", "HEAD~1"]);
    // One that nearly covers it is named with what is in the way.
    it.write("exceptions/b.yaml", exception("bb", "size", "bb").replace("shop]", "other]").replace("[bb]", "[b]"));
    it.checked().exits(1).says("nearly covers it").says("exceptions/b.yaml:6:");
}

#[test]
fn a_repository_may_take_exceptions_that_break_no_rule_at_once() {
    let it = base("governance: { exceptionsFrom: new, rules: { EXC029: { severity: error } } }\n");
    let owned = exception("b", "size", "b").replace("shop }\n", "shop, annotations: { a/owner: ann, a/reason: x } }\n");
    it.write("exceptions/b.yaml", &owned).write("apps/b.yaml", widget("b", "size", "large"));
    it.checked().exits(0).says("1 waived").says("warning[GOV005]");
    it.git(&["reset", "-q", "--soft", "HEAD~1"]);
    it.write("exceptions/b.yaml", exception("b", "size", "b"));
    it.checked().exits(1).says("comes with this change and does not count: it breaks EXC029");
    // What the change says of the rules doesn't count.
    it.git(&["reset", "-q", "--soft", "HEAD~1"]);
    it.write("admit.yaml", "governance: { exceptionsFrom: new }\n");
    it.checked().exits(1).says("does not count");
    let it = base("governance: { exceptionsFrom: base-for-enforce }\n");
    it.write("policies/color.yaml", policy("color", "color", "red").replace("Enforce", "Audit"));
    it.commit("audit");
    let both = exception("b", "size", "b").replace("}]\n", "}, { policyName: color, ruleNames: [check] }]\n");
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
fn no_exception_exempts_itself_or_the_rules_for_exceptions() {
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
