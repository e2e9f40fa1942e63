//! Policies written in CEL: the verdict that Kyverno, or the API server, gives.
//!
//! In: a form of a policy, a request, what is known of the cluster. Out: an [`Outcome`] for each thing that the policy
//! says. Which expressions are evaluated, in which order, and what comes of their errors is decided here; what they
//! compute is decided by [`expr::cel`](crate::expr::cel).

mod admission;
mod body;
mod deleting;
mod equivalent;
mod exceptions;
mod explain;
mod generating;
mod host;
pub(crate) mod matching;
mod mutating;
mod names;
mod params;
mod rights;
mod rule;
mod validating;
mod verifying;
mod webhook;

use equivalent::{About, about};
use matching::Reach;

pub(super) use explain::explain;
pub(super) use mutating::Mutating;
pub(super) use rule::check;
pub(super) use webhook::{Admittance, admit, each as each_condition};

use super::{
    Outcome, Request, Status, World,
    cleanup::Selection,
    context::Session,
    generate::Generated,
    unsettled::{self, Decides},
    validate::Verdict,
};
use crate::{
    expr::Arena,
    policy::{
        Action,
        cel::{Engine, FailurePolicy, Form, Mode, Policy, Task},
        set::{Found, RuleRef},
    },
};

/// The rule of a row that says what an exception does.
const EXCEPTION: &str = "exception";

/// The rule of a row that says why a policy could not be evaluated at all.
const EVALUATION: &str = "evaluation";

/// Judges a request by one form of a policy.
pub(super) fn evaluate<'v>(
    policy: &'v Policy,
    form: &'v Form,
    session: &Session<'v>,
    origin: RuleRef,
) -> Vec<Outcome<'v>> {
    let judging = Judging { policy, form, session, origin };
    match (policy.engine, policy.task) {
        // It has had its say before anything is judged.
        (_, Task::Mutate) => Vec::new(),
        (Engine::Kubernetes, _) => admission::judge(&judging),
        (Engine::Kyverno, Task::Validate) => validating::judge(&judging).into_iter().collect(),
        // It refuses nothing.
        (Engine::Kyverno, Task::Generate) => Vec::new(),
        (Engine::Kyverno, Task::VerifyImages) => verifying::judge(&judging).into_iter().collect(),
        (Engine::Kyverno, Task::Delete) => deleting::judge(&judging).into_iter().collect(),
    }
}

/// Whether a policy that deletes objects deletes that of a request; `None` for one that it is not about.
pub(super) fn selects<'v>(
    policy: &'v Policy,
    form: &'v Form,
    session: &Session<'v>,
    origin: RuleRef,
) -> Option<Selection> {
    deleting::selects(&Judging { policy, form, session, origin }).map(|(selection, _)| selection)
}

/// Runs a policy that makes objects; `None` for any other, and for what it is not about.
pub(crate) fn generate<'v>(
    world: World<'v>,
    origin: RuleRef,
    request: &'v Request<'v>,
    arena: &'v Arena,
) -> Option<Generated<'v>> {
    let Found::Cel(policy, form) = world.policies.get(origin) else { return None };
    if policy.task != Task::Generate {
        return None;
    }
    let session = Session::new(request, world, arena);
    generating::generate(&Judging { policy, form, session: &session, origin })
}

/// One form of a policy and one request.
struct Judging<'v, 's> {
    policy: &'v Policy,
    form: &'v Form,
    session: &'s Session<'v>,
    origin: RuleRef,
}

impl<'v> Judging<'v, '_> {
    fn is_command_line(&self) -> bool {
        self.session.cluster.is_command_line()
    }

    /// Whether the policy is about the request.
    fn applies(&self) -> About<'v> {
        let policy = self.policy;
        if !self.is_command_line() {
            // Kyverno: its command line looks at neither.
            if !policy.admission || !self.is_housed() {
                return About::No;
            }
        }
        match policy.mode {
            // Kyverno: such a policy looks at whatever it is given.
            Mode::Json if self.is_command_line() => About::Yes(Reach::Yes, None),
            Mode::Json | Mode::Http | Mode::Envoy => About::No,
            Mode::Kubernetes => self.session.target().map_or(About::No, |target| about(self, target)),
        }
    }

    /// An outcome of a policy or a binding that counts as far as that is known.
    fn as_far_as(&self, reach: Reach, outcome: Outcome<'v>) -> Outcome<'v> {
        match reach {
            Reach::DependsOnNamespace => {
                unsettled::by_namespace(outcome, self.session.request, self.session.cluster, Decides::Rule)
            }
            Reach::Yes | Reach::No => outcome,
        }
    }

    /// Whether the policy sees the namespace of the object.
    fn is_housed(&self) -> bool {
        let resource = self.session.request.resource();
        let namespace = resource.and_then(|it| it.str_at(&["metadata", "namespace"])).unwrap_or_default();
        self.policy.head.cluster_wide() || self.policy.head.namespace == namespace
    }

    /// The outcome of a verdict, by `action` if the policy's own expressions could be evaluated.
    fn outcome(&self, rule: &'v str, verdict: Verdict, action: Action) -> Outcome<'v> {
        let heeds_errors = self.policy.failure == FailurePolicy::Fail;
        let action = if verdict.status == Status::Error && !heeds_errors { Action::Audit } else { action };
        Outcome {
            evidence: verdict.evidence,
            properties: verdict.properties,
            origin: Some(self.origin),
            ..Outcome::new(&self.policy.head, rule, verdict.status, verdict.message, action)
        }
    }
}
