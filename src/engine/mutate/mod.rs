//! `mutate` rules: what they make of an object before others judge it.
//!
//! In: rules in their order, a request. Out: an [`Outcome`] for each rule that says something, and the object after all
//! of them; each rule sees what the ones before it left. Rules with targets change other objects and leave that of the
//! request alone.

mod anchors;
mod change;
pub(super) mod json_patch;
mod merge;
mod patch;
mod patched;
pub(super) mod structured;
mod targets;
#[cfg(test)]
mod tests;

pub(super) use patched::{Draft, Patched};

use super::{
    Evidence, Outcome, Reach, Request, Status, Waivers, World, applies, asked_by_whom,
    cel::{self, Admittance},
    conditions::{self, Wanted},
    context::{RuleScope, Session},
    gate::{self, Gatekeeper, Obstacle},
    matching::Subjected,
    skipped_by, supplied,
    unsettled::{Decides, by_namespace},
    waivers,
};
use crate::{
    document::{Document, Node},
    expr::Arena,
    policy::{
        Action, Operation,
        cel::Engine,
        classic::{Body, Policy, Rule, mutate::Mutate},
        set::{Found, PolicySet, RuleRef},
    },
};

/// What mutate rules make of a request's object.
#[derive(Debug, Default)]
pub(crate) struct Mutated<'w> {
    /// What each rule says, in their order.
    pub outcomes: Vec<Outcome<'w>>,
    /// The object after all of them; `None` when none changed it.
    pub document: Option<Document>,
    /// The rules that changed it.
    pub changed_by: Vec<RuleRef>,
    /// A rule could not be applied; the object is what the rules before it left.
    pub failed: bool,
    /// Other objects that rules change.
    pub targets: Vec<Changed>,
    /// How often the object was changed.
    n_changes: usize,
}

/// Another object than that of the request, after a rule.
#[derive(Debug)]
pub(crate) struct Changed {
    /// The outcome that speaks of it, by its place in [`Mutated::outcomes`].
    pub outcome: usize,
    /// Which of the objects that may be changed, by its place in their list.
    pub target: usize,
    /// The object after the rule; `None` when it stays what it is.
    pub document: Option<Document>,
}

/// What to do when a rule can't be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// The rules after it have their say.
    GoOn,
    /// Nothing more is said of the object. Kyverno: its command line does that, as of an object without content.
    Stop,
}

/// The rules that change objects, in the order in which a cluster asks them: the API server's own policies come before the
/// webhooks that it calls.
pub(crate) fn in_order(policies: &PolicySet, rules: &[RuleRef]) -> Vec<RuleRef> {
    let mut out: Vec<RuleRef> = rules.iter().copied().filter(|rule| policies.get(*rule).changes()).collect();
    out.sort_by_key(|rule| !matches!(policies.get(*rule), Found::Cel(it, _) if it.engine == Engine::Kubernetes));
    out
}

/// Applies mutate rules in their order; rules of other kinds are passed over. `targets` are the objects that rules for
/// existing objects may change.
pub(crate) fn mutate<'w>(
    world: World<'w>,
    rules: &[RuleRef],
    request: &Request<'_>,
    targets: &[Node<'_>],
    on_failure: OnFailure,
) -> Mutated<'w> {
    let mut out = Mutated::default();
    let mut arena = Arena::new();
    let mut done: Option<&Policy> = None;
    let mut gatekeeper = Gatekeeper::default();
    let mut again = Vec::new();
    let original = request.object;
    for reference in rules {
        let (policy, rule) = match world.policies.get(*reference) {
            Found::Classic(policy, rule) => (policy, rule),
            Found::Cleanup(_) => continue,
            Found::Cel(policy, form) => {
                let Some(changes) = &policy.changes else { continue };
                let mutating = cel::Mutating { world, policy, changes, form, origin: *reference };
                for said in mutating.step(&out.request(request), targets) {
                    out.take(said, *reference, original);
                }
                if changes.again && !world.cluster.is_command_line() {
                    again.push((mutating, out.n_changes));
                }
                continue;
            }
        };
        let Body::Mutate(block) = &rule.body else { continue };
        if done.is_some_and(|done| std::ptr::eq(done, policy)) {
            continue;
        }
        arena.reset();
        let request = out.request(request);
        let applying = Applying { world, policy, rule, block, reference: *reference };
        let Some(said) = applying.step(&request, targets, &mut gatekeeper, &arena) else { continue };
        let status = out.take(said, *reference, original);
        if gatekeeper.has_refused() || (policy.first_rule_only && status == Some(Status::Pass)) {
            done = Some(policy);
        }
        if matches!(status, Some(Status::Error | Status::Indeterminate)) && on_failure == OnFailure::Stop {
            break;
        }
    }
    // What asks for it sees once more what others made of the object since.
    for (mutating, n_changes) in again {
        if out.n_changes == n_changes {
            continue;
        }
        for said in mutating.step(&out.request(request), &[]) {
            if let Said::Whole(outcome, document) = said
                && (document.is_some() || matches!(outcome.status, Status::Error | Status::Indeterminate))
            {
                let origin = mutating.origin;
                out.outcomes.retain(|it| it.origin != Some(origin));
                out.take(Said::Whole(outcome, document), origin, original);
            }
        }
    }
    out
}

/// What the rules made of the object before an update or a removal when it came to the cluster, which holds it so.
pub(crate) fn held<'w>(world: World<'w>, rules: &[RuleRef], request: &Request<'_>) -> Mutated<'w> {
    let Some(old) = request.old_object else { return Mutated::default() };
    let request = Request { operation: Operation::Create, object: Some(old), old_object: None, ..*request };
    mutate(world, rules, &request, &[], OnFailure::GoOn)
}

impl<'w> Mutated<'w> {
    /// A request with the object as it is by now.
    fn request<'r>(&'r self, request: &Request<'r>) -> Request<'r> {
        Request { object: self.document.as_ref().map(Document::root).or(request.object), ..*request }
    }

    /// Takes what a rule says; gives the status of what it says of the object of the request, which was `original`.
    fn take(&mut self, said: Said<'w>, by: RuleRef, original: Option<Node<'_>>) -> Option<Status> {
        match said {
            Said::Whole(outcome, after) => {
                let status = outcome.status;
                self.outcomes.push(outcome);
                if let Some(after) = after {
                    self.document = match (after, self.document.take()) {
                        (After::Document(document), _) => Some(document),
                        (After::Draft(draft), Some(document)) => Some(draft.replacing(document)),
                        (After::Draft(draft), None) => original.map(|it| draft.copied(it.document())),
                    };
                    self.n_changes += 1;
                    if !self.changed_by.contains(&by) {
                        self.changed_by.push(by);
                    }
                }
                self.failed |= matches!(status, Status::Error | Status::Indeterminate);
                Some(status)
            }
            Said::Each(said) => {
                for (target, outcome, document) in said {
                    if let Some(target) = target {
                        self.targets.push(Changed { outcome: self.outcomes.len(), target, document });
                    }
                    self.outcomes.push(outcome);
                }
                None
            }
        }
    }
}

/// What one rule says.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub(super) enum Said<'w> {
    /// Of the object of the request.
    Whole(Outcome<'w>, Option<After>),
    /// Of other objects.
    Each(Vec<OfTarget<'w>>),
}

/// The object of a request after a rule.
#[derive(Debug)]
pub(super) enum After {
    /// As a whole.
    Document(Document),
    /// What is left of it, and what is new.
    Draft(Draft),
}

impl<'w> Said<'w> {
    /// The same when labels of a namespace decide, which are not known. What would be changed may stay as it is: either way
    /// the object is not known.
    pub(super) fn unsettled(self, request: &Request<'_>, world: World<'w>, decides: Decides<'_>) -> Self {
        let Said::Whole(outcome, document) = self else { return self };
        let outcome = match outcome.status {
            Status::Skip => return Said::Whole(outcome, document),
            Status::Pass => {
                Outcome { status: Status::Indeterminate, message: "the object would be changed".to_owned(), ..outcome }
            }
            Status::Fail | Status::Error | Status::Indeterminate => outcome,
        };
        Said::Whole(by_namespace(outcome, request, world.cluster, decides), None)
    }

    /// The same when it is not known whether the rule applies. What would be changed, and maybe is not, can't be judged.
    fn left_open(self, obstacle: &Obstacle) -> Self {
        match self {
            Said::Whole(outcome, None) if outcome.status == Status::Skip => Said::Whole(outcome, None),
            Said::Whole(outcome, _) => Said::Whole(gate::undone(outcome, obstacle), None),
            Said::Each(said) => Said::Each(said),
        }
    }
}

/// Which other object, what the rule says of it, and the object after it. Without an object: why no object is known.
pub(super) type OfTarget<'w> = (Option<usize>, Outcome<'w>, Option<Document>);

/// Why a rule could not be applied.
#[derive(Clone, Debug)]
enum Failure {
    /// It fails in a cluster, too.
    Error(String),
    /// It takes something that is not known here.
    Unknown(String),
}

impl Failure {
    fn within(self, text: &str) -> Self {
        match self {
            Failure::Error(cause) => Failure::Error(format!("{text}: {cause}")),
            Failure::Unknown(cause) => Failure::Unknown(format!("{text}: {cause}")),
        }
    }
}

/// One rule and the object of a request.
struct Applying<'w> {
    world: World<'w>,
    policy: &'w Policy,
    rule: &'w Rule,
    block: &'w Mutate,
    reference: RuleRef,
}

impl<'w> Applying<'w> {
    fn step<'v>(
        &self,
        request: &'v Request<'v>,
        targets: &[Node<'v>],
        gatekeeper: &mut Gatekeeper<'w>,
        arena: &'v Arena,
    ) -> Option<Said<'w>>
    where
        'w: 'v,
    {
        let session = Session::new(request, self.world, arena);
        let mut said = self.within(&session, targets, gatekeeper);
        if let Some(Said::Whole(outcome, _)) = &mut said {
            outcome.hangs_on.extend(session.missed.take());
        }
        said
    }

    fn within<'v>(
        &self,
        session: &Session<'v>,
        targets: &[Node<'v>],
        gatekeeper: &mut Gatekeeper<'w>,
    ) -> Option<Said<'w>>
    where
        'w: 'v,
    {
        let (policy, rule, request) = (self.policy, self.rule, session.request);
        let object = request.object?;
        let is_command_line = self.world.cluster.is_command_line();
        if !policy.admission && !is_command_line {
            return None;
        }
        // A cluster changes other objects later; the one that is asked about is let in as it is.
        if !self.block.targets.is_empty() && !is_command_line {
            return None;
        }
        let subject = Subjected::new(request, object, self.world.cluster);
        match gatekeeper.admit(policy, session) {
            Admittance::Open => self.say(session, &subject, object, targets),
            Admittance::Closed => None,
            Admittance::Refused(status, obstacle) => {
                let outcome = gate::refused(policy, rule, &subject, (*status, obstacle))?;
                Some(Said::Whole(Outcome { origin: Some(self.reference), ..outcome }, None))
            }
            Admittance::Unknown(obstacle) => {
                self.say(session, &subject, object, targets).map(|it| it.left_open(obstacle))
            }
        }
    }

    /// What the rule says when Kyverno is asked.
    fn say<'v>(
        &self,
        session: &Session<'v>,
        subject: &Subjected<'v>,
        object: Node<'v>,
        targets: &[Node<'v>],
    ) -> Option<Said<'w>>
    where
        'w: 'v,
    {
        let (policy, rule) = (self.policy, self.rule);
        let reach = applies(policy, rule, subject, self.reference.kinds());
        if reach == Reach::No {
            return None;
        }
        let said = self.apply(session, subject, object, targets);
        Some(match reach {
            Reach::DependsOnUser => said.left_open(&asked_by_whom(rule)),
            Reach::DependsOnNamespace => said.unsettled(session.request, self.world, Decides::Rule),
            Reach::No | Reach::Yes => said,
        })
    }

    /// What the rule says when it applies.
    fn apply<'v>(
        &self,
        session: &Session<'v>,
        subject: &Subjected<'v>,
        object: Node<'v>,
        targets: &[Node<'v>],
    ) -> Said<'w>
    where
        'w: 'v,
    {
        let (policy, rule) = (self.policy, self.rule);
        let scope = RuleScope::new(session, supplied(policy, rule, session));
        scope.declare(&rule.context, &rule.document);
        if let Some(preconditions) = &rule.preconditions {
            match conditions::evaluate(preconditions, &rule.document, &scope, Wanted::False) {
                Ok(decision) if decision.holds => {}
                Ok(decision) => return self.whole(Status::Skip, unmet(&decision.message)),
                Err(error) => {
                    let text = format!("failed to evaluate preconditions: {error}");
                    let status = if error.indeterminate().is_some() { Status::Indeterminate } else { Status::Error };
                    return self.whole(status, text);
                }
            }
        }
        let action = policy.action.action.unwrap_or_default();
        let Waivers { counting: exceptions, unsettled, .. } =
            waivers(self.world, policy, rule, &scope, (subject, action));
        if !exceptions.is_empty() {
            let without = self.block.targets.is_empty().then(|| self.changed(&scope, object).0.status);
            let outcome = self.outcome(Status::Skip, skipped_by(&exceptions));
            return Said::Whole(Outcome { exceptions, waived: without, ..outcome }, None);
        }
        if !self.block.targets.is_empty() {
            return Said::Each(self.each(&scope, targets));
        }
        let (outcome, draft) = self.changed(&scope, object);
        let said = Said::Whole(outcome, draft.map(After::Draft));
        match unsettled {
            Some(exception) => said.unsettled(session.request, self.world, Decides::Exception(&exception.key)),
            None => said,
        }
    }

    /// What the rule makes of one object.
    fn changed<'v>(&self, scope: &RuleScope<'v, '_>, object: Node<'v>) -> (Outcome<'w>, Option<Draft>)
    where
        'w: 'v,
    {
        match change::apply(self.rule, &self.block.change, scope, object) {
            Ok(patched) if patched.is(object) => {
                let text =
                    if change::is_for_each(&self.block.change) { "0 elements processed" } else { "no patches applied" };
                (self.outcome(Status::Skip, text.to_owned()), None)
            }
            Ok(patched) => match renamed(object, |path| patched.str_at(path)) {
                Some(field) if !self.world.cluster.is_command_line() => {
                    let text = format!("the rule changes {field}: a cluster refuses an object that becomes another");
                    (self.outcome(Status::Error, text), None)
                }
                _ => (self.outcome(Status::Pass, mutated(object)), Some(patched.draft(object))),
            },
            Err(failure) => (self.failed(failure), None),
        }
    }

    fn failed(&self, failure: Failure) -> Outcome<'w> {
        match failure {
            Failure::Error(text) => self.outcome(Status::Error, text),
            Failure::Unknown(text) => self.outcome(Status::Indeterminate, text),
        }
    }

    fn whole(&self, status: Status, message: String) -> Said<'w> {
        Said::Whole(self.outcome(status, message), None)
    }

    fn outcome(&self, status: Status, message: String) -> Outcome<'w> {
        let failed = matches!(status, Status::Error | Status::Indeterminate);
        let clause = self.rule.object().get("mutate").map(Node::key_span);
        Outcome {
            evidence: Evidence { clause: clause.filter(|_| failed), ..Evidence::default() },
            origin: Some(self.reference),
            // What can't be changed as asked is not let in, whatever the policy does with violations.
            ..Outcome::new(
                &self.policy.head,
                &self.rule.name,
                status,
                message,
                if failed { Action::Enforce } else { self.policy.action.action.unwrap_or_default() },
            )
        }
    }
}

/// The first field that makes an object another one for the API server; `after` reads what it is changed to.
pub(super) fn renamed<'a>(before: Node<'_>, after: impl Fn(&[&str]) -> Option<&'a str>) -> Option<&'static str> {
    let fields: [(&str, &[&str]); 4] = [
        ("apiVersion", &["apiVersion"]),
        ("kind", &["kind"]),
        ("metadata.name", &["metadata", "name"]),
        ("metadata.namespace", &["metadata", "namespace"]),
    ];
    // What is not written yet, a cluster fills in.
    let changed = |path: &[&str]| before.str_at(path).is_some_and(|was| after(path) != Some(was));
    fields.into_iter().find(|(_, path)| changed(path)).map(|(field, _)| field)
}

fn unmet(message: &str) -> String {
    if message.is_empty() { "preconditions not met".to_owned() } else { format!("preconditions not met; {message}") }
}

/// Kyverno's text for an object that was changed.
fn mutated(object: Node<'_>) -> String {
    let text = |path: &[&str]| object.str_at(path).unwrap_or_default();
    let (kind, name, namespace) = (text(&["kind"]), text(&["metadata", "name"]), text(&["metadata", "namespace"]));
    match namespace {
        "" => format!("mutated {kind}/{name}"),
        _ => format!("mutated {kind}/{name} in namespace {namespace}"),
    }
}
