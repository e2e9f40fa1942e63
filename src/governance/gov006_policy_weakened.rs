//! Policies that demand less than before.

use super::{Context, Out, cover, matching::meet};
use crate::{
    document::Node,
    finding::{Finding, Place},
    policy::{
        Action,
        cel::FailurePolicy,
        classic::{Body, Policy, Rule, model::FailureAction},
    },
};

rule! {
    /// A change doesn't weaken a policy in passing.
    ///
    /// ## Why
    /// A policy that goes, or that only reports where it refused before, is an exception for everybody that no register
    /// shows. Together with objects it weighs as an error: there it may be what lets them in.
    ///
    /// Told are: policies and rules that go, generated ones among them; `Enforce` that becomes `Audit`, for all or for some
    /// namespaces; `failurePolicy` that becomes `Ignore`; another match condition of the webhook; `admission` and
    /// `background` that are switched off; a lower severity; a `match` that does not cover all that it did, an `exclude` that covers more, preconditions that ask for
    /// more; a check that does not refuse all that it did. The two sides are compared by what they match, not as texts; in
    /// doubt it is told. What it comes to for each object shows the check of the whole tree.
    ///
    /// ## Fires
    /// ```yaml before
    /// apiVersion: kyverno.io/v1
    /// kind: ClusterPolicy
    /// metadata: { name: ports }
    /// spec:
    ///   rules:
    ///     - name: low
    ///       match: { any: [{ resources: { kinds: [Pod, Service] } }] }
    ///       validate: { failureAction: Enforce, message: refused, deny: {} }
    ///     - name: high
    ///       match: { any: [{ resources: { kinds: [Service] } }] }
    ///       validate: { failureAction: Enforce, message: refused, deny: {} }
    /// ```
    /// ```yaml after
    /// apiVersion: kyverno.io/v1
    /// kind: ClusterPolicy
    /// metadata:
    ///   name: ports # <-
    /// spec:
    ///   rules:
    ///     - name: low # <-
    ///       match: { any: [{ resources: { kinds: [Pod] } }] }
    ///       exclude: { any: [{ resources: { namespaces: [delta] } }] }
    ///       validate: { failureAction: Audit, message: refused, deny: {} }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml before
    /// apiVersion: kyverno.io/v1
    /// kind: ClusterPolicy
    /// metadata: { name: ports }
    /// spec:
    ///   rules:
    ///     - name: low
    ///       match: { any: [{ resources: { kinds: [Pod] } }] }
    ///       validate: { failureAction: Audit, message: refused, deny: {} }
    /// ```
    /// ```yaml after
    /// apiVersion: kyverno.io/v1
    /// kind: ClusterPolicy
    /// metadata: { name: ports }
    /// spec:
    ///   rules:
    ///     - name: low
    ///       match: { any: [{ resources: { kinds: [Pod] } }] }
    ///       validate: { failureAction: Enforce, message: never, deny: {} }
    /// ```
    ///
    /// ## Fix
    /// Weaken a policy in a change of its own: alone it weighs as a warning, since otherwise nobody could ever change one.
    /// Who may is for GOV002 to say. Where that is agreed on, `governance.allow` lets it through: with the ID, a
    /// `path` and a reason.
    GOV006, "policy-weakened", Warning, check
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    let Some(change) = &context.change else { return };
    let is_alone = context.objects.iter().all(|it| change.holds_law(it.file().path()));
    let weigh = |out: &Out<'_>, finding: Finding| if is_alone { finding } else { out.raise(finding) };
    for before in &change.base.policies {
        let key = before.key();
        let Some(after) = context.policies.iter().find(|it| it.key() == key && it.group == before.group) else {
            let finding = out.finding_at(before.place(), format!("the change removes policy `{key}`"));
            out.add_for(&key, weigh(out, finding));
            continue;
        };
        let (Some(before), Some(compiled)) = (change.base.policy(&key), context.policy(&key)) else {
            let told = if before.is_classic() { Told::default() } else { weaker_elsewhere(before.node, after.node) };
            if !told.is_empty() {
                let message = told.message(&format!("policy `{key}`"));
                let finding = out.finding_at(after.place(), message).related(before.place(), "as it was");
                out.add_for(&key, weigh(out, finding));
            }
            continue;
        };
        if !change.changed.contains(&**compiled.head.file.path()) {
            continue;
        }
        let told = weakened(before, compiled);
        if !told.is_empty() {
            let message = told.message(&format!("policy `{key}`"));
            let finding = out.finding_at(after.place(), message);
            out.add_for(&key, weigh(out, finding.related(was(before.head.name_span, before), "as it was")));
        }
        for rule in &before.rules {
            let Some(now) = compiled.rules.iter().find(|it| it.name == rule.name) else { continue };
            // What changes in a declared rule changes in those that are generated from it.
            if now.generated.is_some() {
                continue;
            }
            let told = weaker(before, rule, compiled, now);
            if !told.is_empty() {
                let message = told.message(&format!("rule `{}` of `{key}`", rule.name));
                let finding = out.finding_at(Place::new(&compiled.head.file, now.name_span), message);
                out.add_for(&key, weigh(out, finding.related(was(rule.name_span, before), "as it was")));
            }
        }
    }
}

/// What there is to tell of a policy or a rule.
#[derive(Default)]
struct Told {
    /// What certainly refuses less.
    weaker: Vec<String>,
    /// What may refuse less: it has changed in a way that only people can weigh.
    changed: Vec<String>,
}

impl Told {
    fn is_empty(&self) -> bool {
        self.weaker.is_empty() && self.changed.is_empty()
    }

    fn message(&self, of: &str) -> String {
        let how = if self.weaker.is_empty() { "may be weaker" } else { "is weakened" };
        format!("{of} {how}: {}", [self.weaker.as_slice(), self.changed.as_slice()].concat().join(", "))
    }

    fn weaker(&mut self, text: impl Into<String>) {
        self.weaker.push(text.into());
    }

    fn changed(&mut self, text: impl Into<String>) {
        self.changed.push(text.into());
    }

    /// Takes the one text where the other side covers this one, so that it is certain which is the weaker, or else the
    /// other text.
    fn one_of(&mut self, is_certain: bool, weaker: &str, changed: &str) {
        if is_certain { self.weaker(weaker) } else { self.changed(changed) }
    }
}

fn was(at: crate::span::Span, policy: &Policy) -> Place {
    Place::new(&policy.head.file, at)
}

/// What is weaker in a policy as a whole.
fn weakened(before: &Policy, after: &Policy) -> Told {
    let mut out = Told::default();
    for rule in &before.rules {
        if !after.rules.iter().any(|it| it.name == rule.name) {
            out.weaker(format!("rule `{}` is gone", rule.name));
        }
    }
    let fails = |policy: &Policy| policy.gate.failure == FailurePolicy::Fail;
    // A condition more, or another one, may let more through.
    let conditions = |policy: &Policy| -> Vec<String> {
        policy.gate.conditions.iter().map(|it| it.expression.text().trim().to_owned()).collect()
    };
    let (was, is) = (conditions(before), conditions(after));
    if is.iter().any(|it| !was.contains(it)) {
        out.changed("its match conditions ask for more than before, or for something else");
    }
    for (name, was, is) in [
        ("`failurePolicy` is now `Ignore`", fails(before), fails(after)),
        ("`admission` is switched off", before.admission, after.admission),
        ("`background` is switched off", before.head.background, after.head.background),
        ("only the first rule that applies counts", !before.first_rule_only, !after.first_rule_only),
        ("failures are no longer counted", before.head.scored, after.head.scored),
    ] {
        if was && !is {
            out.weaker(name);
        }
    }
    let weight = |policy: &Policy| {
        let severity = policy.head.severity.as_deref().unwrap_or_default();
        ["info", "low", "medium", "high", "critical"].iter().position(|it| *it == severity)
    };
    if weight(after) < weight(before) {
        out.weaker("its severity is lower");
    }
    out
}

/// What is weaker in a rule.
fn weaker(before: &Policy, rule: &Rule, after: &Policy, now: &Rule) -> Told {
    let mut out = Told::default();
    actions(before, rule, after, now, &mut out);
    let kinds = |rule: &Rule| -> Vec<String> {
        rule.matching.filters.iter().flat_map(|it| it.kinds_written.iter().cloned()).collect()
    };
    let all_kinds = |rule: &Rule| rule.matching.filters.iter().any(|filter| filter.kinds.is_empty());
    let covered = |kind: &str| {
        let pattern = crate::k8s::gvk::KindPattern::parse(kind);
        all_kinds(now) || now.matching.filters.iter().flat_map(|it| &it.kinds).any(|it| meet(it, &pattern))
    };
    let lost: Vec<String> = kinds(rule).into_iter().filter(|kind| !covered(kind)).collect();
    if !lost.is_empty() {
        out.weaker(format!("`{}` is no longer matched", lost.join("`, `")));
    } else if !cover::block(&now.matching, &rule.matching) {
        let is_certain = cover::block(&rule.matching, &now.matching);
        out.one_of(is_certain, "`match` takes less", "what `match` takes has changed");
    }
    match (&rule.exclude, &now.exclude) {
        (None, Some(block)) if !block.filters.is_empty() => out.weaker("`exclude` is new"),
        (Some(was), Some(is)) if !cover::block(was, is) => {
            out.one_of(cover::block(is, was), "`exclude` takes more", "what `exclude` takes has changed");
        }
        _ => {}
    }
    let part = |rule: &'_ Rule, key: &str| rule.object().get(key).map(|it| cover::json(it, &[]));
    let (was, is) = (rule.object().get("preconditions"), now.object().get("preconditions"));
    match (was, is) {
        (None, Some(_)) => out.weaker("`preconditions` is new"),
        _ if !cover::conditions(is, was) => {
            let is_certain = cover::conditions(was, is);
            out.one_of(is_certain, "`preconditions` asks for more", "what `preconditions` asks for has changed");
        }
        _ => {}
    }
    if part(rule, "context") != part(now, "context") {
        out.changed("what its `context` reads has changed");
    }
    match (rule.object().get("validate"), now.object().get("validate")) {
        (Some(was), Some(is)) if !demands_as_much(is, was) => {
            out.one_of(demands_as_much(was, is), "it demands less", "what it demands has changed");
        }
        (Some(_), None) => out.weaker("it demands nothing any more"),
        _ => {}
    }
    for key in ["celPreconditions", "verifyImages", "mutate", "generate"] {
        if rule.object().get(key).is_some() && part(rule, key) != part(now, key) {
            out.changed(format!("`{key}` has changed"));
        }
    }
    out
}

/// What becomes of failures: the action of the rule or the policy, and what overrides it for some namespaces.
fn actions(before: &Policy, rule: &Rule, after: &Policy, now: &Rule, out: &mut Told) {
    let Body::Validate(was) = &rule.body else { return };
    let action = |policy: &Policy, rule: &Rule| match &rule.body {
        Body::Validate(it) => it.action.action.or(policy.action.action).unwrap_or_default(),
        Body::Mutate(_) | Body::Generate(_) | Body::VerifyImages(_) | Body::Nothing => Action::Audit,
    };
    if action(before, rule) == Action::Enforce && action(after, now) == Action::Audit {
        out.weaker("`Enforce` is now `Audit`");
    }
    let Body::Validate(is) = &now.body else { return };
    let overrides = |policy: &Policy, own: &FailureAction, wanted: Action| -> Vec<String> {
        let all = own.overrides.iter().chain(&policy.action.overrides);
        all.filter(|it| it.action == Some(wanted)).map(|it| format!("{:?} {:?}", it.namespaces, it.selector)).collect()
    };
    let lets_go = overrides(after, &is.action, Action::Audit);
    let known = overrides(before, &was.action, Action::Audit);
    if lets_go.iter().any(|it| !known.contains(it)) {
        out.weaker("`Audit` overrides it for more namespaces");
    }
    let refuses = overrides(after, &is.action, Action::Enforce);
    if overrides(before, &was.action, Action::Enforce).iter().any(|it| !refuses.contains(it)) {
        out.weaker("`Enforce` overrides it for fewer namespaces");
    }
    if is.allow_existing && !was.allow_existing {
        out.weaker("old violations are tolerated");
    }
}

/// Whether a `validate` block refuses all that another one did, as far as that can be told without an object.
fn demands_as_much(is: Node<'_>, was: Node<'_>) -> bool {
    const BESIDE: [&str; 5] =
        ["message", "failureAction", "failureActionOverrides", "allowExistingViolations", "assert"];
    let checks = |node: Node<'_>| cover::json(node, &BESIDE);
    if checks(is) == checks(was) {
        return true;
    }
    if let (Some(is), Some(was)) = (is.get("pattern"), was.get("pattern")) {
        return cover::pattern(is, was);
    }
    if let (Some(is), Some(was)) = (is.get("deny"), was.get("deny")) {
        // Without conditions everything is refused.
        return cover::conditions(is.get("conditions"), was.get("conditions"));
    }
    if let (Some(is), Some(was)) = (is.get("podSecurity"), was.get("podSecurity")) {
        let level = |node: Node<'_>| ["baseline", "restricted"].iter().position(|it| node.str_at(&["level"]) == Some(it));
        let excluded = |node: Node<'_>| -> Vec<String> {
            node.get("exclude").into_iter().flat_map(Node::items).map(|it| cover::json(it, &[])).collect()
        };
        let known = excluded(was);
        return level(is) >= level(was)
            && is.str_at(&["version"]) == was.str_at(&["version"])
            && excluded(is).iter().all(|it| known.contains(it));
    }
    false
}

/// What is weaker in a policy of another family; what its expressions come to is not told.
fn weaker_elsewhere(was: Node<'_>, is: Node<'_>) -> Told {
    let mut out = Told::default();
    let refuses = |node: Node<'_>| {
        let actions = node.at(&["spec", "validationActions"]);
        actions.is_none_or(|it| it.items().any(|action| action.as_str() == Some("Deny")))
    };
    if refuses(was) && !refuses(is) {
        out.weaker("`Deny` is no longer among its actions");
    }
    let fails = |node: Node<'_>| node.str_at(&["spec", "failurePolicy"]) != Some("Ignore");
    if fails(was) && !fails(is) {
        out.weaker("`failurePolicy` is now `Ignore`");
    }
    let rest = |node: Node<'_>| node.get("spec").map(|it| cover::json(it, &["validationActions", "failurePolicy"]));
    if rest(was) != rest(is) {
        out.changed("what it demands, or of what, has changed");
    }
    out
}
