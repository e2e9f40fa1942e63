//! One rule, one resource: the verdict that Kyverno gives.
//!
//! In: compiled policies, a request, what is known of the cluster, the time. Out: an [`Outcome`] for each rule that
//! says something. No I/O, no clock, no threads, no configuration.

pub(crate) mod cel;
pub(crate) mod cleanup;
pub(crate) mod conditions;
pub(crate) mod context;
mod evidence;
pub(crate) mod explain;
mod gate;
pub(crate) mod generate;
mod images;
pub(crate) mod manifests;
pub(crate) mod matching;
pub(crate) mod mutate;
pub(crate) mod near_miss;
pub(crate) mod outcome;
pub(crate) mod pattern;
pub(crate) mod pod_security;
pub(crate) mod request;
mod signatures;
mod unsettled;
mod validate;
mod verify_images;
pub(crate) mod withheld;

pub(crate) use outcome::{Evidence, Outcome, Status};
pub(crate) use request::{Request, UserInfo};

use cel::Admittance;
use conditions::Wanted;
use context::{Given, RuleScope, Session, merge};
use gate::{Gatekeeper, Obstacle};
use matching::{Reach, Reader, Subjected, selects_namespace};
use near_miss::Partial;
use unsettled::{Decides, by_namespace};
use validate::{Checking, Verdict};
use verify_images::Verifying;
use withheld::{Reason, Withheld};

use crate::{
    cluster::Cluster,
    document::{Node, NodeId, classify::is_law},
    expr::{Arena, Value},
    policy::{
        Action, Operation,
        classic::{
            Body, Check, Policy, Rule,
            images::VerifyImages,
            model::{FailureAction, Validate},
        },
        exception::Exception,
        set::{Found, KindsHold, PolicySet, RuleRef},
    },
};

/// What is the same for a whole run.
#[derive(Clone, Copy)]
pub(crate) struct World<'w> {
    /// Compiled policies and exceptions.
    pub policies: &'w PolicySet,
    /// What is known of the cluster.
    pub cluster: &'w Cluster,
    /// The time of the run in nanoseconds since 1970, UTC.
    pub now: i128,
    /// Exceptions that do not count; [`withheld::NOTHING`] as in a cluster.
    pub withheld: &'w Withheld,
}

/// Judges a request by the given rules, in their order.
pub(crate) fn evaluate<'v>(
    world: World<'v>,
    rules: &[RuleRef],
    request: &'v Request<'v>,
    arena: &'v Arena,
) -> Vec<Outcome<'v>> {
    let Some(resource) = request.resource() else { return Vec::new() };
    let session = Session::new(request, world, arena);
    let subject = Subjected::new(request, resource, world.cluster);
    let mut out: Vec<Outcome<'v>> = Vec::with_capacity(rules.len());
    // Kyverno: with `applyRules: One` the rules after the first that passes or fails are not looked at.
    let mut done: Option<&Policy> = None;
    let decides = |it: &Outcome<'_>| matches!(it.status, Status::Pass | Status::Fail);
    let mut gatekeeper = Gatekeeper::default();
    for &reference in rules {
        let before = out.len();
        let (policy, rule) = match world.policies.get(reference) {
            Found::Classic(policy, rule) => (policy, rule),
            Found::Cel(policy, form) => {
                out.extend(cel::evaluate(policy, form, &session, reference));
                note_missed(&mut out[before..], &session);
                continue;
            }
            Found::Cleanup(policy) => {
                out.extend(cleanup::judge(policy, &session, &subject, reference));
                continue;
            }
        };
        if done.is_some_and(|done| std::ptr::eq(done, policy)) {
            continue;
        }
        // Such a policy judges in the background only; Kyverno's command line doesn't look at this.
        if !policy.admission && !session.cluster.is_command_line() {
            continue;
        }
        if !matches!(rule.body, Body::Validate(_) | Body::VerifyImages(_)) {
            continue;
        }
        match gatekeeper.admit(policy, &session) {
            Admittance::Closed => continue,
            Admittance::Refused(status, obstacle) => {
                if let Some(refused) = gate::refused(policy, rule, &subject, (*status, obstacle)) {
                    out.push(refused);
                    done = Some(policy);
                }
            }
            admittance => {
                let reach = applies(policy, rule, &subject, reference.kinds());
                if reach == Reach::No {
                    continue;
                }
                let mut said = evaluate_rule(world, (policy, rule), &session, &subject);
                // A rule that maybe says nothing stops no other.
                if policy.first_rule_only && reach == Reach::Yes && said.iter().any(decides) {
                    done = Some(policy);
                }
                if reach == Reach::DependsOnUser {
                    said = gate::left_open(said, &asked_by_whom(rule));
                }
                if reach == Reach::DependsOnNamespace {
                    let settle = |it| by_namespace(it, request, session.cluster, Decides::Rule);
                    said = said.into_iter().map(settle).collect();
                }
                if let Admittance::Unknown(obstacle) = admittance {
                    said = gate::left_open(said, obstacle);
                }
                out.extend(said);
            }
        }
        for outcome in &mut out[before..] {
            outcome.origin = Some(reference);
        }
        note_missed(&mut out[before..], &session);
    }
    out
}

/// Notes in what a rule says what its look-ups hung on.
fn note_missed(said: &mut [Outcome<'_>], session: &Session<'_>) {
    let missed = session.missed.take();
    for outcome in said {
        outcome.hangs_on.extend(missed.iter().cloned());
    }
}

/// What a rule says that applies.
fn evaluate_rule<'v>(
    world: World<'v>,
    (policy, rule): (&'v Policy, &'v Rule),
    session: &Session<'v>,
    subject: &Subjected<'v>,
) -> Vec<Outcome<'v>> {
    match &rule.body {
        Body::Validate(block) => validate(world, (policy, rule, block), session, subject).into_iter().collect(),
        Body::VerifyImages(block) => verify_images(world, (policy, rule, block), session, subject),
        Body::Mutate(_) | Body::Generate(_) | Body::Nothing => Vec::new(),
    }
}

/// What a rule about the object says.
fn validate<'v>(
    world: World<'v>,
    (policy, rule, validate): (&'v Policy, &'v Rule, &'v Validate),
    session: &Session<'v>,
    subject: &Subjected<'v>,
) -> Option<Outcome<'v>> {
    let request = session.request;
    let resource = request.resource()?;
    let scope = RuleScope::new(session, supplied(policy, rule, session));
    scope.declare(&rule.context, &rule.document);
    let (action, is_settled) = effective_action(policy, Some(&validate.action), session, subject);
    let outcome = |verdict: Verdict, exceptions: Vec<&'v Exception>| {
        let mut properties = verdict.properties;
        for (key, template) in &rule.report_properties {
            properties.push((key.clone(), conditions::text_of(template, &scope)));
        }
        Outcome {
            evidence: verdict.evidence,
            exceptions,
            properties,
            ..Outcome::new(&policy.head, &rule.name, verdict.status, verdict.message, action)
        }
    };
    if let Some(preconditions) = &rule.preconditions {
        match conditions::evaluate(preconditions, &rule.document, &scope, Wanted::False) {
            Ok(decision) if decision.holds => {}
            Ok(decision) => {
                let mut text = "preconditions not met".to_owned();
                if !decision.message.is_empty() {
                    text.push_str("; ");
                    text.push_str(&decision.message);
                }
                return Some(outcome(Verdict::new(Status::Skip, text), Vec::new()));
            }
            Err(error) => {
                let text = format!("failed to evaluate preconditions: {error}");
                let verdict = match error.indeterminate() {
                    Some(_) => Verdict::new(Status::Indeterminate, text),
                    None => Verdict::new(Status::Error, text),
                };
                return Some(outcome(verdict, Vec::new()));
            }
        }
    }
    let check = |exemptions: &[&'v Exception]| {
        let operation = request.operation;
        Checking::new(rule, validate, &scope, resource, operation, exemptions).run()
    };
    let waived = |verdict: Verdict, exceptions: Vec<&'v Exception>| {
        let without = check(&[]);
        let outcome = outcome(verdict, exceptions);
        match without {
            Some(without) => Outcome { waived: Some(without.status), evidence: without.evidence, ..outcome },
            None => outcome,
        }
    };
    let Waivers { counting: matching, withheld, unsettled } = waivers(world, policy, rule, &scope, (subject, action));
    if let Some((message, exceptions)) = whole_waiver(validate, &matching) {
        return Some(waived(Verdict::new(Status::Skip, message), exceptions));
    }
    let verdict = check(&matching)?;
    if verdict.status == Status::Skip && !matching.is_empty() {
        return Some(waived(verdict, matching));
    }
    if verdict.status == Status::Fail
        && request.operation == Operation::Update
        && tolerates_existing(policy, validate)
        && let Some(old) = request.old_object
        && violates_already(world, policy, rule, validate, session, old)
    {
        let text = "skipping the rule evaluation as pre-existing violations are allowed";
        return Some(Outcome { tolerated: true, ..outcome(Verdict::new(Status::Skip, text), Vec::new()) });
    }
    let near_misses = match verdict.status {
        Status::Fail => {
            let partial = Partial { exceptions: &matching, violated: &verdict.violated_controls };
            let mut found = near_miss::find(world.policies, policy, rule, subject, partial);
            // What is withheld covers it; something else is in the way.
            found.retain(|miss| !withheld.iter().any(|(it, _)| std::ptr::eq(*it, miss.exception)));
            found
        }
        Status::Pass | Status::Skip | Status::Error | Status::Indeterminate => Vec::new(),
    };
    let out = Outcome { near_misses, withheld, ..outcome(verdict, Vec::new()) };
    Some(match unsettled {
        Some(exception) => by_namespace(out, request, session.cluster, Decides::Exception(&exception.key)),
        None if !is_settled => by_namespace(out, request, session.cluster, Decides::Action),
        None => out,
    })
}

/// What a rule about images says.
fn verify_images<'v>(
    world: World<'v>,
    (policy, rule, block): (&'v Policy, &'v Rule, &'v VerifyImages),
    session: &Session<'v>,
    subject: &Subjected<'v>,
) -> Vec<Outcome<'v>> {
    let Some(object) = session.request.object else { return Vec::new() };
    let action = effective_action(policy, None, session, subject);
    let mut said = Verifying { policy, rule, block, object, action, session }.run();
    if said.is_empty() {
        return said;
    }
    let scope = RuleScope::new(session, supplied(policy, rule, session));
    scope.declare(&rule.context, &rule.document);
    let one = |status, message: String| {
        let outcome = undecided(policy, rule, block.node, &message);
        vec![Outcome { status, evidence: Evidence::default(), ..outcome }]
    };
    if let Some(preconditions) = &rule.preconditions {
        match conditions::evaluate(preconditions, &rule.document, &scope, Wanted::False) {
            Ok(decision) if decision.holds => {}
            Ok(_) => return one(Status::Skip, "preconditions not met".to_owned()),
            Err(error) => {
                let status = if error.indeterminate().is_some() { Status::Indeterminate } else { Status::Error };
                return one(status, format!("failed to evaluate preconditions: {error}"));
            }
        }
    }
    let action = policy.action.action.unwrap_or_default();
    let Waivers { counting: exceptions, unsettled, .. } = waivers(world, policy, rule, &scope, (subject, action));
    if !exceptions.is_empty() {
        for outcome in &mut said {
            outcome.waived = Some(outcome.status);
            outcome.status = Status::Skip;
            outcome.message = skipped_by(&exceptions);
            outcome.exceptions.clone_from(&exceptions);
        }
    }
    let Some(exception) = unsettled else { return said };
    let decides = Decides::Exception(&exception.key);
    said.into_iter().map(|it| by_namespace(it, session.request, session.cluster, decides)).collect()
}

/// Why it is not known whether a rule applies that is for some users only.
fn asked_by_whom(rule: &Rule) -> Obstacle {
    let text = "the rule asks who makes the request, which is not known here: say it with --userinfo or in admit.yaml"
        .to_owned();
    Obstacle { text, at: rule.object().get("match").unwrap_or(rule.object()).key_span() }
}

/// A rule that matches, but whose verdict takes something that is not here.
fn undecided<'v>(policy: &'v Policy, rule: &'v Rule, node: NodeId, why: &str) -> Outcome<'v> {
    Outcome {
        evidence: Evidence { clause: Some(rule.document.node(node).key_span()), ..Evidence::default() },
        ..Outcome::new(
            &policy.head,
            &rule.name,
            Status::Indeterminate,
            why.to_owned(),
            policy.action.action.unwrap_or_default(),
        )
    }
}

/// Whether a rule says anything of a resource at all.
fn applies(policy: &Policy, rule: &Rule, subject: &Subjected<'_>, kinds: KindsHold) -> Reach {
    if !policy.head.cluster_wide() && !in_namespace(policy, subject) {
        return Reach::No;
    }
    let matched = subject.reach(&rule.matching, Reader::Match, |index| kinds.of_match(index));
    if matched == Reach::No {
        return Reach::No;
    }
    let reach = |block| subject.reach(block, Reader::Exclude, |index| kinds.of_exclude(index));
    let excluded = rule.exclude.as_ref().map_or(Reach::No, reach);
    match (matched, excluded) {
        (Reach::No, _) | (_, Reach::Yes) => Reach::No,
        (Reach::Yes, Reach::No) => Reach::Yes,
        (Reach::DependsOnUser, _) | (_, Reach::DependsOnUser) => Reach::DependsOnUser,
        (Reach::DependsOnNamespace, _) | (_, Reach::DependsOnNamespace) => Reach::DependsOnNamespace,
    }
}

fn in_namespace(policy: &Policy, subject: &Subjected<'_>) -> bool {
    // Kyverno: a Policy without a namespace is one of `default`.
    let namespace = if policy.head.namespace.is_empty() { "default" } else { policy.head.namespace.as_str() };
    !subject.namespace().is_empty() && subject.namespace() == namespace
}

/// The values given for a rule: those for all rules, and over them those for this one.
fn supplied<'v>(policy: &Policy, rule: &Rule, session: &Session<'v>) -> Given<'v> {
    let given = session.request.supplied;
    let for_rule = given
        .rules
        .iter()
        .find(|it| it.policy == policy.head.name && (it.rule == rule.name || it.rule == rule.declared_name));
    let all = given.all.map(Value::Map);
    let Some(rule) = for_rule else { return Given { values: all, foreach: &[] } };
    let values = Value::Map(rule.values);
    let values = all.map_or(values, |all| merge(all, values, session.arena));
    Given { values: Some(values), foreach: rule.foreach }
}

/// The exceptions to a rule that match the resource.
struct Waivers<'v> {
    /// Those that count.
    counting: Vec<&'v Exception>,
    /// Those that don't, and why.
    withheld: Vec<(&'v Exception, Reason)>,
    /// The first that may count: that takes labels of a namespace that are not known.
    unsettled: Option<&'v Exception>,
}

/// The exceptions that waive a rule of an action for the resource.
fn waivers<'w: 'v, 'v>(
    world: World<'w>,
    policy: &'w Policy,
    rule: &'w Rule,
    scope: &RuleScope<'v, '_>,
    (subject, action): (&Subjected<'v>, Action),
) -> Waivers<'w> {
    let holds = |exception: &'w Exception| {
        exception.conditions.as_ref().is_none_or(|conditions| {
            conditions::evaluate(conditions, &exception.document, scope, Wanted::False)
                .is_ok_and(|decision| decision.holds)
        })
    };
    let mut out = Waivers { counting: Vec::new(), withheld: Vec::new(), unsettled: None };
    let is_guarded = || world.withheld.guards_law && scope.session().request.resource().is_some_and(is_law);
    for (position, exception) in world.policies.placed_exceptions_for(&policy.head.key, &rule.name) {
        let matched = subject.excepted(&exception.matching);
        if matched == Some(false) || !holds(exception) {
            continue;
        }
        match world.withheld.why(position, action) {
            Some(reason) => out.withheld.push((exception, reason.clone())),
            None if is_guarded() => out.withheld.push((exception, Reason::Guards)),
            None if matched.is_none() => out.unsettled = out.unsettled.or(Some(exception)),
            None => out.counting.push(exception),
        }
    }
    out
}

/// The exceptions to a rule whose conditions can't be evaluated for the resource, and why. A cluster takes such a
/// condition as one that doesn't hold, and says nothing.
pub(crate) fn broken_conditions<'v>(
    world: World<'v>,
    rule: RuleRef,
    request: &'v Request<'v>,
    arena: &'v Arena,
) -> Vec<(&'v Exception, String)> {
    let kinds = rule.kinds();
    let Some((policy, rule)) = world.policies.classic_rule(rule) else { return Vec::new() };
    let conditional = || {
        let all = world.policies.exceptions_for(&policy.head.key, &rule.name);
        all.filter_map(|exception| Some((exception, exception.conditions.as_ref()?)))
    };
    let (Some(resource), true) = (request.resource(), conditional().next().is_some()) else { return Vec::new() };
    let session = Session::new(request, world, arena);
    let subject = Subjected::new(request, resource, world.cluster);
    if matches!(cel::admit(&session, &policy.gate), Admittance::Closed | Admittance::Refused(..))
        || applies(policy, rule, &subject, kinds) != Reach::Yes
    {
        return Vec::new();
    }
    let scope = RuleScope::new(&session, supplied(policy, rule, &session));
    scope.declare(&rule.context, &rule.document);
    let holds = |preconditions| {
        conditions::evaluate(preconditions, &rule.document, &scope, Wanted::False).is_ok_and(|decision| decision.holds)
    };
    if !rule.preconditions.as_ref().is_none_or(holds) {
        return Vec::new();
    }
    conditional()
        .filter(|(exception, _)| subject.matches(&exception.matching, Reader::Exception))
        .filter_map(|(exception, conditions)| {
            let error = conditions::evaluate(conditions, &exception.document, &scope, Wanted::False).err()?;
            Some((exception, error.to_string()))
        })
        .collect()
}

/// What waives a rule as a whole, without a look at the resource: Kyverno's text, and the exceptions that it names.
///
/// For pod security the first exception without a list of controls does; those with such a list leave it to the check.
/// Other rules don't look at that list.
fn whole_waiver<'v>(validate: &Validate, matching: &[&'v Exception]) -> Option<(String, Vec<&'v Exception>)> {
    if let Check::PodSecurity(_) = validate.check {
        let first = matching.iter().find(|exception| exception.pod_security.is_empty())?;
        return Some((format!("rule is skipped due to policy exception {}", first.key), vec![first]));
    }
    if matching.is_empty() {
        return None;
    }
    Some((skipped_by(matching), matching.to_vec()))
}

/// Kyverno's text for a rule that exceptions waive as a whole.
fn skipped_by(exceptions: &[&Exception]) -> String {
    let keys = exceptions.iter().map(|it| it.key.as_str()).collect::<Vec<_>>().join(", ");
    // Kyverno: no space before the first exception.
    format!("rule is skipped due to policy exceptions{keys}")
}

/// What a failure does in the namespace of the resource: overrides of the rule, the rule (`own`), overrides of the policy,
/// the policy. Where labels of a namespace that are not known decide, it is the strictest that may be, and not settled.
fn effective_action<'p>(
    policy: &'p Policy,
    own: Option<&'p FailureAction>,
    session: &Session<'_>,
    subject: &Subjected<'_>,
) -> (Action, bool) {
    let unknown = session.request.unknown_namespace(session.cluster);
    let labels = session.request.namespace_labels;
    let overridden = |action: &'p FailureAction| {
        action.overrides.iter().filter_map(move |it| {
            let housed = it.namespaces.is_empty() || it.namespaces.iter().any(|ns| ns.matches(subject.namespace()));
            let labelled = it.selector.as_ref().map_or(Some(true), |it| selects_namespace(it, labels, unknown));
            it.action.filter(|_| housed && labelled != Some(false)).map(|action| (action, labelled))
        })
    };
    let certain = |action: Option<Action>| action.map(|it| (it, Some(true)));
    let of = |action: &'p FailureAction| overridden(action).chain(certain(action.action));
    let each = own.into_iter().chain([&policy.action]).flat_map(of);
    let mut possible: Option<Action> = None;
    let mut is_settled = true;
    for (action, holds) in each.chain(certain(Some(Action::default()))) {
        let before = *possible.get_or_insert(action);
        is_settled &= before == action;
        if action == Action::Enforce {
            possible = Some(action);
        }
        if holds == Some(true) {
            break;
        }
    }
    (possible.unwrap_or_default(), is_settled)
}

/// Kyverno: overrides are not consulted here.
fn tolerates_existing(policy: &Policy, validate: &Validate) -> bool {
    let action = validate.action.action.or(policy.action.action).unwrap_or_default();
    validate.allow_existing && action == Action::Enforce
}

/// Whether the object failed the rule before the update, too.
fn violates_already<'v>(
    world: World<'v>,
    policy: &'v Policy,
    rule: &'v Rule,
    validate: &'v Validate,
    session: &Session<'v>,
    old: Node<'v>,
) -> bool {
    let request = session.arena.alloc(Request {
        operation: Operation::Create,
        object: Some(old),
        old_object: None,
        user: Some(session.arena.alloc(UserInfo::default())),
        ..*session.request
    });
    let session = Session::new(request, session.world, session.arena);
    let subject = Subjected::new(request, old, session.cluster);
    if applies(policy, rule, &subject, KindsHold::default()) != Reach::Yes {
        return false;
    }
    let scope = RuleScope::new(&session, supplied(policy, rule, &session));
    scope.declare(&rule.context, &rule.document);
    if let Some(preconditions) = &rule.preconditions
        && !conditions::evaluate(preconditions, &rule.document, &scope, Wanted::False).is_ok_and(|it| it.holds)
    {
        return false;
    }
    // What an exception covered before the update was no failure, so that it can't excuse a new one.
    let exemptions = match validate.check {
        Check::PodSecurity(_) => {
            let (action, _) = effective_action(policy, Some(&validate.action), &session, &subject);
            waivers(world, policy, rule, &scope, (&subject, action)).counting
        }
        _ => Vec::new(),
    };
    if whole_waiver(validate, &exemptions).is_some() {
        return false;
    }
    let checking = Checking::new(rule, validate, &scope, old, Operation::Create, &exemptions);
    checking.run().is_some_and(|verdict| verdict.status == Status::Fail)
}
