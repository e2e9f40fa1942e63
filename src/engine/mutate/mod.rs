//! `mutate` rules: what they make of an object before others judge it.
//!
//! In: rules in their order, a request. Out: an [`Outcome`] for each rule that says something, and the object after all
//! of them; each rule sees what the ones before it left. Rules with targets change other objects and leave that of the
//! request alone.

mod anchors;
mod change;
mod json_patch;
mod merge;
mod patch;
mod patched;
mod targets;
#[cfg(test)]
mod tests;

use super::{
    Evidence, Outcome, Reach, Request, Status, USER_UNKNOWN, Waivers, World, applies,
    cel::Admittance,
    conditions::{self, Wanted},
    context::{RuleScope, Session},
    gate::{self, Gatekeeper},
    matching::Subjected,
    nobody_known, skipped_by, supplied, undecided,
    unsettled::{Decides, by_namespace},
    waivers,
};
use crate::{
    document::{Document, Node},
    expr::Arena,
    policy::{
        Action,
        classic::{Body, Policy, Rule, mutate::Mutate},
        set::RuleRef,
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
    for reference in rules {
        let Some((policy, rule)) = world.policies.classic_rule(*reference) else { continue };
        let Body::Mutate(block) = &rule.body else { continue };
        if done.is_some_and(|done| std::ptr::eq(done, policy)) {
            continue;
        }
        arena.reset();
        let object = out.document.as_ref().map(Document::root).or(request.object);
        let request = Request { object, ..*request };
        let applying = Applying { world, policy, rule, block, reference: *reference };
        let Some(said) = applying.step(&request, targets, &mut gatekeeper, &arena) else { continue };
        match said {
            Said::Whole(outcome, document) => {
                let status = outcome.status;
                if gatekeeper.has_refused() || (policy.first_rule_only && status == Status::Pass) {
                    done = Some(policy);
                }
                out.outcomes.push(outcome);
                if document.is_some() {
                    out.document = document;
                    out.changed_by.push(*reference);
                }
                if matches!(status, Status::Error | Status::Indeterminate) {
                    out.failed = true;
                    if on_failure == OnFailure::Stop {
                        break;
                    }
                }
            }
            Said::Each(said) => {
                for (target, outcome, document) in said {
                    if let Some(target) = target {
                        out.targets.push(Changed { outcome: out.outcomes.len(), target, document });
                    }
                    out.outcomes.push(outcome);
                }
            }
        }
    }
    out
}

/// What one rule says.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
enum Said<'w> {
    /// Of the object of the request.
    Whole(Outcome<'w>, Option<Document>),
    /// Of other objects.
    Each(Vec<OfTarget<'w>>),
}

/// Which other object, what the rule says of it, and the object after it. Without an object: why no object is known.
type OfTarget<'w> = (Option<usize>, Outcome<'w>, Option<Document>);

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
        let (policy, rule) = (self.policy, self.rule);
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
        let session = Session::new(request, self.world, arena);
        match gatekeeper.admit(policy, &session) {
            Admittance::Open => self.say(&session, &subject, object, targets),
            Admittance::Closed => None,
            Admittance::Refused(status, obstacle) => {
                let outcome = gate::refused(policy, rule, &subject, (*status, obstacle))?;
                Some(Said::Whole(Outcome { origin: Some(self.reference), ..outcome }, None))
            }
            Admittance::Unknown(obstacle) => match self.say(&session, &subject, object, targets)? {
                // What would be changed, and maybe is not, can't be judged.
                Said::Whole(outcome, Some(_)) => {
                    let outcome = Outcome { status: Status::Error, ..outcome };
                    Some(Said::Whole(gate::left_open(outcome, obstacle), None))
                }
                Said::Whole(outcome, None) => Some(Said::Whole(gate::left_open(outcome, obstacle), None)),
                said @ Said::Each(_) => Some(said),
            },
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
        if reach == Reach::DependsOnUser || (rule.reads_user && nobody_known(session)) {
            let at = rule.object().get("match").map_or(rule.node, Node::id);
            let outcome = undecided(policy, rule, at, USER_UNKNOWN);
            return Some(Said::Whole(Outcome { origin: Some(self.reference), ..outcome }, None));
        }
        let scope = RuleScope::new(session, supplied(policy, rule, session));
        scope.declare(&rule.context, &rule.document);
        if let Some(preconditions) = &rule.preconditions {
            match conditions::evaluate(preconditions, &rule.document, &scope, Wanted::False) {
                Ok(decision) if decision.holds => {}
                Ok(decision) => return Some(self.whole(Status::Skip, unmet(&decision.message))),
                Err(error) => {
                    let text = format!("failed to evaluate preconditions: {error}");
                    let status = if error.indeterminate().is_some() { Status::Indeterminate } else { Status::Error };
                    return Some(self.whole(status, text));
                }
            }
        }
        let action = policy.action.action.unwrap_or_default();
        let Waivers { counting: exceptions, unsettled, .. } =
            waivers(self.world, policy, rule, &scope, (subject, action));
        if !exceptions.is_empty() {
            let without = self.block.targets.is_empty().then(|| self.changed(&scope, object).0.status);
            let outcome = self.outcome(Status::Skip, skipped_by(&exceptions));
            return Some(Said::Whole(Outcome { exceptions, waived: without, ..outcome }, None));
        }
        if !self.block.targets.is_empty() {
            return Some(Said::Each(self.each(&scope, targets)));
        }
        let (outcome, document) = self.changed(&scope, object);
        let decides = match unsettled {
            _ if reach == Reach::DependsOnNamespace => Decides::Rule,
            Some(exception) => Decides::Exception(&exception.key),
            None => return Some(Said::Whole(outcome, document)),
        };
        if outcome.status == Status::Skip {
            return Some(Said::Whole(outcome, document));
        }
        // What the rule would change may stay as it is: either way the object is not known.
        let failed = match outcome.status {
            Status::Pass => self.outcome(Status::Indeterminate, "the rule would change the object".to_owned()),
            _ => outcome,
        };
        Some(Said::Whole(by_namespace(failed, session.request, self.world.cluster, decides), None))
    }

    /// What the rule makes of one object.
    fn changed<'v>(&self, scope: &RuleScope<'v, '_>, object: Node<'v>) -> (Outcome<'w>, Option<Document>)
    where
        'w: 'v,
    {
        match change::apply(self.rule, &self.block.change, scope, object) {
            Ok(patched) if patched.is(object) => {
                let text =
                    if change::is_for_each(&self.block.change) { "0 elements processed" } else { "no patches applied" };
                (self.outcome(Status::Skip, text.to_owned()), None)
            }
            Ok(patched) => {
                let document = patched.into_document(object);
                match renamed(object, document.root()) {
                    Some(field) if !self.world.cluster.is_command_line() => {
                        let text =
                            format!("the rule changes {field}: a cluster refuses an object that becomes another");
                        (self.outcome(Status::Error, text), None)
                    }
                    _ => (self.outcome(Status::Pass, mutated(object)), Some(document)),
                }
            }
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
            policy: &self.policy.head,
            rule: &self.rule.name,
            status,
            message,
            // What can't be changed as asked is not let in, whatever the policy does with violations.
            action: if failed { Action::Enforce } else { self.policy.action.action.unwrap_or_default() },
            evidence: Evidence { clause: clause.filter(|_| failed), ..Evidence::default() },
            exceptions: Vec::new(),
            waived: None,
            tolerated: false,
            near_misses: Vec::new(),
            withheld: Vec::new(),
            hangs_on: Vec::new(),
            properties: Vec::new(),
            origin: Some(self.reference),
        }
    }
}

/// The first field that makes an object another one for the API server.
fn renamed(before: Node<'_>, after: Node<'_>) -> Option<&'static str> {
    let fields: [(&str, &[&str]); 4] = [
        ("apiVersion", &["apiVersion"]),
        ("kind", &["kind"]),
        ("metadata.name", &["metadata", "name"]),
        ("metadata.namespace", &["metadata", "namespace"]),
    ];
    // What is not written yet, a cluster fills in.
    let changed = |path: &[&str]| before.str_at(path).is_some_and(|was| after.str_at(path) != Some(was));
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
