//! Exceptions that let a controller in and block what it creates.

use super::{Context, Effect, Item, Out};
use crate::{
    document::{self, Document, Limits, Node, edit, edit::Edit},
    engine::{
        Request, Status,
        matching::{Mismatch, Reader, Subjected},
        request::Supplied,
    },
    expr::Value,
    policy::{
        Operation,
        classic::{Policy, Rule},
    },
    span::{File, Span},
};

rule! {
    /// An exception for a controller also covers what the controller creates.
    ///
    /// ## Why
    /// A Deployment `tool` creates a `ReplicaSet` `tool-7d4b9c6f58` and Pods `tool-7d4b9c6f58-x2v7k`. An exception that
    /// names only `tool`, or only the kind Deployment, is green in Git, and in the cluster the Pods never start.
    ///
    /// ## Fires
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns, autogen-no-host-ns] }]
    ///   match:
    ///     any:
    ///       - resources:
    ///           kinds: [Pod, DaemonSet]
    ///           namespaces: [delta]
    ///           names: [tool] # <-
    /// ---
    /// apiVersion: apps/v1
    /// kind: DaemonSet
    /// metadata: { name: tool, namespace: delta }
    /// spec: { template: { spec: { hostPID: true } } }
    /// ```
    ///
    /// ## Stays quiet
    /// ```yaml
    /// apiVersion: kyverno.io/v2
    /// kind: PolicyException
    /// metadata: { name: tool, namespace: delta }
    /// spec:
    ///   exceptions: [{ policyName: host-ns, ruleNames: [no-host-ns, autogen-no-host-ns] }]
    ///   match: { any: [{ resources: { kinds: [Pod, DaemonSet], namespaces: [delta], names: [tool, tool-*] } }] }
    /// ---
    /// apiVersion: apps/v1
    /// kind: DaemonSet
    /// metadata: { name: tool, namespace: delta }
    /// spec: { template: { spec: { hostPID: true } } }
    /// ```
    ///
    /// ## Fix
    /// Add `NAME-*` to the names, the kinds that are named, and the names of their rules.
    EXC022, "children", Error, check
}

/// What a controller creates: kind and the form of the name, for one object of each generation.
fn children(kind: &str) -> &'static [(&'static str, &'static str, &'static str)] {
    match kind {
        "Deployment" => &[("apps/v1", "ReplicaSet", "-7d4b9c6f58"), ("v1", "Pod", "-7d4b9c6f58-x2v7k")],
        "StatefulSet" => &[("v1", "Pod", "-0")],
        "DaemonSet" | "ReplicaSet" | "ReplicationController" | "Job" => &[("v1", "Pod", "-x2v7k")],
        "CronJob" => &[("batch/v1", "Job", "-29452320"), ("v1", "Pod", "-29452320-x2v7k")],
        _ => &[],
    }
}

fn check(context: &Context<'_>, out: &mut Out<'_>) {
    for item in &context.exceptions {
        let mut said: Vec<(Span, Option<Mismatch>)> = Vec::new();
        for effect in context.effects_of(item).unwrap_or_default() {
            let Some((policy, rule)) = context.set.classic_rule(effect.rule) else { continue };
            if effect.without != Some(Status::Fail) || rule.generated.is_none() {
                continue;
            }
            let Some(controller) = context.object(effect) else { continue };
            let kind = controller.str_at(&["kind"]).unwrap_or_default();
            for child in children(kind) {
                let Some(Gap { at, mismatch, advice, fix }) = gap(context, item, effect, policy, rule, controller, *child) else {
                    continue;
                };
                if said.contains(&(at, mismatch)) {
                    continue;
                }
                said.push((at, mismatch));
                let owner = crate::finding::resource_ref(controller).title();
                let message = format!("{owner} is let in, but the {} that it creates is blocked", child.1);
                let place = crate::finding::Place::new(controller.file(), name_of(controller).1);
                let finding = out.finding(item, at, message).help(advice).related(place, "creates it").fix(fix);
                out.add(item, finding);
            }
        }
    }
}

/// The children of a controller that a rule of the same family as `rule` judges: their kinds, each with the rule.
pub(super) fn judged_children<'p>(
    context: &Context<'_>,
    policy: &'p Policy,
    rule: &Rule,
    controller: Node<'_>,
) -> Vec<(&'static str, &'p Rule)> {
    let all = children(controller.str_at(&["kind"]).unwrap_or_default()).iter();
    let judged = all.filter_map(|child| {
        let judge = judge_of(policy, rule, child.1)?;
        with_child(context, controller, *child, |subject| judges(judge, subject))?.then_some((child.1, judge))
    });
    judged.collect()
}

/// The kinds of what a controller creates.
pub(super) fn kinds_of_children(kind: &str) -> impl Iterator<Item = &'static str> {
    children(kind).iter().map(|child| child.1)
}

/// The rule for a kind that was declared together with `rule`.
fn judge_of<'p>(policy: &'p Policy, rule: &Rule, kind: &str) -> Option<&'p Rule> {
    let of_family = |it: &&Rule| {
        it.declared_name == rule.declared_name
            && match &it.generated {
                None => kind == "Pod",
                Some((_, kinds)) => kinds.contains(&kind),
            }
    };
    policy.rules.iter().find(of_family)
}

/// Whether a rule is for an object.
fn judges(rule: &Rule, subject: &Subjected<'_>) -> bool {
    let excluded = rule.exclude.as_ref().is_some_and(|block| subject.matches(block, Reader::Exclude));
    subject.matches(&rule.matching, Reader::Match) && !excluded
}

/// Asks something of a child as the controller will create it.
fn with_child<T>(
    context: &Context<'_>,
    controller: Node<'_>,
    (api_version, kind, suffix): (&str, &str, &str),
    ask: impl FnOnce(&Subjected<'_>) -> T,
) -> Option<T> {
    let document = child(controller, api_version, kind, suffix)?;
    let node = document.root();
    let namespace = node.str_at(&["metadata", "namespace"]).unwrap_or_default();
    let request = Request {
        operation: Operation::Create,
        object: Some(node),
        old_object: None,
        subresource: "",
        user: None,
        namespace_labels: context.cluster.namespace_labels(namespace),
        supplied: Supplied::default(),
    };
    Some(ask(&Subjected::new(&request, node, context.cluster)))
}

/// Where an exception doesn't cover what a controller creates.
struct Gap {
    /// The place in the exception.
    at: Span,
    /// What of the filter there is not met; `None` where a rule is not named.
    mismatch: Option<Mismatch>,
    /// What to do.
    advice: String,
    /// The same, as changes to the text.
    fix: Vec<Option<Edit>>,
}

/// Where in the exception a child of an exempted controller is not covered, if it is judged at all and no other exception
/// covers it.
fn gap(
    context: &Context<'_>,
    item: &Item<'_>,
    effect: &Effect,
    policy: &Policy,
    rule: &Rule,
    controller: Node<'_>,
    child: (&str, &str, &str),
) -> Option<Gap> {
    let own = context.set.exceptions.get(effect.exception as usize)?;
    let judge = judge_of(policy, rule, child.1)?;
    with_child(context, controller, child, |subject| {
        let covers = |it: &crate::policy::exception::Exception| {
            it.names(&policy.head.key, &judge.name) && subject.matches(&it.matching, Reader::Exception)
        };
        let asks_user = own.matching.filters.iter().any(crate::policy::matching::Filter::asks_user);
        if !judges(judge, subject) || asks_user || context.set.exceptions.iter().any(covers) {
            return None;
        }
        if !own.names(&policy.head.key, &judge.name) {
            // A missing rule for Pods is told without looking at objects.
            judge.generated.as_ref()?;
            let reference = own.references.iter().find(|it| it.policy == policy.head.key)?;
            let list = item.rule_names(reference.rules_span);
            return Some(Gap {
                at: reference.rules_span,
                mismatch: None,
                advice: format!("add `{}` to `ruleNames`", judge.name),
                fix: vec![list.and_then(|list| edit::add_items(list, &[&judge.name]))],
            });
        }
        uncovered(item, subject, child.1, name_of(controller).0)
    })?
}

/// The field of a filter that keeps an exception from a child of the controller `name`.
fn uncovered(item: &Item<'_>, subject: &Subjected<'_>, kind: &str, name: &str) -> Option<Gap> {
    let filters = item.filters();
    filters.iter().find_map(|(filter, node)| {
        let mismatch = subject.holds(filter, Reader::Exception).err()?;
        let of_children = format!("{}-*", name.trim_end_matches('-'));
        let (field, advice) = match mismatch {
            Mismatch::Kind => ("kinds", format!("add `{kind}` to `kinds`, and `{of_children}` to `names`")),
            Mismatch::Name => ("names", format!("add `{of_children}` to `names`")),
            Mismatch::Label => ("selector", "the Pod template lacks these labels".to_owned()),
            Mismatch::Annotation => ("annotations", "the Pod template lacks these annotations".to_owned()),
            Mismatch::Empty
            | Mismatch::Operation
            | Mismatch::Namespace
            | Mismatch::NamespaceLabel
            | Mismatch::NamespaceUnknown
            | Mismatch::User => return None,
        };
        let add = |field: &str, text: &str| {
            let list = node.at(&["resources", field])?;
            edit::add_items(list, &[text])
        };
        let fix = match mismatch {
            Mismatch::Kind => vec![add("kinds", kind)],
            Mismatch::Name => vec![add("names", &of_children)],
            _ => Vec::new(),
        };
        Some(Gap { at: Item::field(*node, field), mismatch: Some(mismatch), advice, fix })
    })
}

fn name_of(controller: Node<'_>) -> (&str, Span) {
    let node = controller.at(&["metadata", "name"]).or_else(|| controller.at(&["metadata", "generateName"]));
    node.map_or(("", controller.span()), |node| (node.as_str().unwrap_or_default(), node.span()))
}

/// What identifies an object that a controller creates: the labels and annotations are those of the template.
fn child(controller: Node<'_>, api_version: &str, kind: &str, suffix: &str) -> Option<Document> {
    let template = controller
        .at(&["spec", "jobTemplate", "spec", "template", "metadata"])
        .or_else(|| controller.at(&["spec", "template", "metadata"]));
    let map = |key: &str| {
        let node = template.and_then(|it| it.get(key)).filter(|it| it.is_map());
        node.map_or_else(|| "{}".to_owned(), |node| Value::from(node).to_json())
    };
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let namespace = controller.str_at(&["metadata", "namespace"]).unwrap_or_default();
    let json = format!(
        r#"{{"apiVersion": {}, "kind": {}, "metadata": {{"name": {}, "namespace": {}, "labels": {}, "annotations": {}}}}}"#,
        text(api_version),
        text(kind),
        text(&format!("{}{suffix}", name_of(controller).0)),
        text(namespace),
        map("labels"),
        map("annotations"),
    );
    let parsed = document::parse(&File::new("", json.into_bytes()), &Limits::default());
    parsed.documents.into_iter().next()
}
