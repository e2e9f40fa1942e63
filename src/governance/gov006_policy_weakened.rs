//! Policies that demand less than before.

use super::{Context, Out, matching::meet};
use crate::{
    document::Node,
    expr::Value,
    finding::{Finding, Place},
    policy::{
        Action,
        classic::{Body, Policy, Rule},
    },
};

rule! {
    /// A change doesn't weaken a policy in passing.
    ///
    /// ## Why
    /// A policy that goes, or that only reports where it refused before, is an exception for everybody that no register
    /// shows. Together with objects it weighs as an error: there it may be what lets them in.
    ///
    /// Told are: policies and rules that go, generated ones among them; `Enforce` that becomes `Audit`; `failurePolicy`
    /// that becomes `Ignore`; `admission` and `background` that are switched off; kinds that are no longer matched; an
    /// `exclude` or preconditions that were not there, or that have more entries.
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
        let (Some(before), Some(compiled)) = (change.base.policy(&key), context.policy(&key)) else { continue };
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
    let fails = |policy: &Policy| policy.object().str_at(&["spec", "failurePolicy"]) != Some("Ignore");
    for (name, was, is) in [
        ("`failurePolicy` is now `Ignore`", fails(before), fails(after)),
        ("`admission` is switched off", before.admission, after.admission),
        ("`background` is switched off", before.head.background, after.head.background),
    ] {
        if was && !is {
            out.push(name.to_owned());
        }
    }
    out
}

/// What is weaker in a rule.
fn weaker(before: &Policy, rule: &Rule, after: &Policy, now: &Rule) -> Vec<String> {
    let mut out = Vec::new();
    let action = |policy: &Policy, rule: &Rule| match &rule.body {
        Body::Validate(it) => it.action.action.or(policy.action.action).unwrap_or_default(),
        Body::Mutate(_) | Body::Generate(_) | Body::VerifyImages(_) | Body::Nothing => Action::Audit,
    };
    if action(before, rule) == Action::Enforce && action(after, now) == Action::Audit {
        out.push("`Enforce` is now `Audit`".to_owned());
    }
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
    }
    let part = |rule: &Rule, key: &str| rule.object().get(key).map(|node| (entries(node), Value::from(node).to_json()));
    for key in ["exclude", "preconditions"] {
        match (part(rule, key), part(now, key)) {
            (None, Some(_)) => out.push(format!("`{key}` is new")),
            (Some((n_before, text_before)), Some((n_after, text_after)))
                if n_after > n_before && text_before != text_after =>
            {
                out.push(format!("`{key}` has more entries"));
            }
            _ => {}
        }
    }
    out
}

/// Values at the ends of a tree: how much is written there.
fn entries(node: Node<'_>) -> usize {
    if node.is_map() {
        node.entries().map(|(_, value)| entries(value)).sum()
    } else if node.is_list() {
        node.items().map(entries).sum()
    } else {
        1
    }
}
