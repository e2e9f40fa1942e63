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
    /// Weaken a policy in a change of its own. Where that is agreed on, `governance.allow` lets it through: with the ID, a
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
            let told = if before.is_classic() { Vec::new() } else { weaker_elsewhere(before.node, after.node) };
            if !told.is_empty() {
                let message = format!("policy `{key}` may be weakened: {}", told.join(", "));
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
            let message = format!("policy `{key}` is weakened: {}", told.join(", "));
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
                let message = format!("rule `{}` of `{key}` is weakened: {}", rule.name, told.join(", "));
                let finding = out.finding_at(Place::new(&compiled.head.file, now.name_span), message);
                out.add_for(&key, weigh(out, finding.related(was(rule.name_span, before), "as it was")));
            }
        }
    }
}

fn was(at: crate::span::Span, policy: &Policy) -> Place {
    Place::new(&policy.head.file, at)
}

/// What is weaker in a policy as a whole.
fn weakened(before: &Policy, after: &Policy) -> Vec<String> {
    let mut out = Vec::new();
    for rule in &before.rules {
        if !after.rules.iter().any(|it| it.name == rule.name) {
            out.push(format!("rule `{}` is gone", rule.name));
        }
    }
    let fails = |policy: &Policy| policy.gate.failure == FailurePolicy::Fail;
    // A condition more, or another one, may let more through.
    let conditions = |policy: &Policy| -> Vec<String> {
        policy.gate.conditions.iter().map(|it| it.expression.text().trim().to_owned()).collect()
    };
    let (was, is) = (conditions(before), conditions(after));
    if is.iter().any(|it| !was.contains(it)) {
        out.push("its match conditions ask for more than before, or for something else".to_owned());
    }
    for (name, was, is) in [
        ("`failurePolicy` is now `Ignore`", fails(before), fails(after)),
        ("`admission` is switched off", before.admission, after.admission),
        ("`background` is switched off", before.head.background, after.head.background),
        ("only the first rule that applies counts", !before.first_rule_only, !after.first_rule_only),
        ("failures are no longer counted", before.head.scored, after.head.scored),
    ] {
        if was && !is {
            out.push(name.to_owned());
        }
    }
    let weight = |policy: &Policy| {
        let severity = policy.head.severity.as_deref().unwrap_or_default();
        ["info", "low", "medium", "high", "critical"].iter().position(|it| *it == severity)
    };
    if weight(after) < weight(before) {
        out.push("its severity is lower".to_owned());
    }
    out
}

/// What is weaker in a rule.
fn weaker(before: &Policy, rule: &Rule, after: &Policy, now: &Rule) -> Vec<String> {
    let mut out = Vec::new();
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
        out.push(format!("`{}` is no longer matched", lost.join("`, `")));
    } else if !cover::block(&now.matching, &rule.matching) {
        out.push("`match` takes less".to_owned());
    }
    match (&rule.exclude, &now.exclude) {
        (None, Some(block)) if !block.filters.is_empty() => out.push("`exclude` is new".to_owned()),
        (Some(was), Some(is)) if !cover::block(was, is) => out.push("`exclude` takes more".to_owned()),
        _ => {}
    }
    let part = |rule: &'_ Rule, key: &str| rule.object().get(key).map(|it| cover::json(it, &[]));
    let (was, is) = (rule.object().get("preconditions"), now.object().get("preconditions"));
    match (was, is) {
        (None, Some(_)) => out.push("`preconditions` is new".to_owned()),
        _ if !cover::conditions(is, was) => out.push("`preconditions` asks for more".to_owned()),
        _ => {}
    }
    if part(rule, "context") != part(now, "context") {
        out.push("what its `context` reads has changed".to_owned());
    }
    match (rule.object().get("validate"), now.object().get("validate")) {
        (Some(was), Some(is)) if !demands_as_much(is, was) => out.push("what it demands has changed".to_owned()),
        (Some(_), None) => out.push("it demands nothing any more".to_owned()),
        _ => {}
    }
    for key in ["celPreconditions", "verifyImages", "mutate", "generate"] {
        if rule.object().get(key).is_some() && part(rule, key) != part(now, key) {
            out.push(format!("`{key}` has changed"));
        }
    }
    out
}

/// What becomes of failures: the action of the rule or the policy, and what overrides it for some namespaces.
fn actions(before: &Policy, rule: &Rule, after: &Policy, now: &Rule, out: &mut Vec<String>) {
    let Body::Validate(was) = &rule.body else { return };
    let action = |policy: &Policy, rule: &Rule| match &rule.body {
        Body::Validate(it) => it.action.action.or(policy.action.action).unwrap_or_default(),
        Body::Mutate(_) | Body::Generate(_) | Body::VerifyImages(_) | Body::Nothing => Action::Audit,
    };
    if action(before, rule) == Action::Enforce && action(after, now) == Action::Audit {
        out.push("`Enforce` is now `Audit`".to_owned());
    }
    let Body::Validate(is) = &now.body else { return };
    let overrides = |policy: &Policy, own: &FailureAction, wanted: Action| -> Vec<String> {
        let all = own.overrides.iter().chain(&policy.action.overrides);
        all.filter(|it| it.action == Some(wanted)).map(|it| format!("{:?} {:?}", it.namespaces, it.selector)).collect()
    };
    let lets_go = overrides(after, &is.action, Action::Audit);
    let known = overrides(before, &was.action, Action::Audit);
    if lets_go.iter().any(|it| !known.contains(it)) {
        out.push("`Audit` overrides it for more namespaces".to_owned());
    }
    let refuses = overrides(after, &is.action, Action::Enforce);
    if overrides(before, &was.action, Action::Enforce).iter().any(|it| !refuses.contains(it)) {
        out.push("`Enforce` overrides it for fewer namespaces".to_owned());
    }
    if is.allow_existing && !was.allow_existing {
        out.push("old violations are tolerated".to_owned());
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
fn weaker_elsewhere(was: Node<'_>, is: Node<'_>) -> Vec<String> {
    let mut out = Vec::new();
    let refuses = |node: Node<'_>| {
        let actions = node.at(&["spec", "validationActions"]);
        actions.is_none_or(|it| it.items().any(|action| action.as_str() == Some("Deny")))
    };
    if refuses(was) && !refuses(is) {
        out.push("`Deny` is no longer among its actions".to_owned());
    }
    let fails = |node: Node<'_>| node.str_at(&["spec", "failurePolicy"]) != Some("Ignore");
    if fails(was) && !fails(is) {
        out.push("`failurePolicy` is now `Ignore`".to_owned());
    }
    let rest = |node: Node<'_>| node.get("spec").map(|it| cover::json(it, &["validationActions", "failurePolicy"]));
    if rest(was) != rest(is) {
        out.push("what it demands, or of what, has changed".to_owned());
    }
    out
}
