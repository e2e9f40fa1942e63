//! What policies delete that are run by a schedule: `CleanupPolicy`, `ClusterCleanupPolicy` and `DeletingPolicy`.
//!
//! In: a policy and an object that is there. Out: whether the policy deletes it. Kyverno's command line has a verdict for
//! that; at admission nobody asks, and [`deletion`] says in advance what will become of the object.

use super::{
    Outcome, Request, Status, World, cel,
    conditions::{self, Wanted},
    context::{Given, RuleScope, Session},
    matching::{Reach, Reader, Subjected},
    validate::Verdict,
};
use crate::{
    document::Node,
    expr::{Arena, Value},
    policy::{
        Action, Head,
        cleanup::Policy,
        set::{Found, RuleRef},
    },
};

/// Whether a policy deletes an object.
#[derive(Clone, Debug)]
pub(crate) enum Selection {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// Its conditions can't be evaluated.
    Error(String),
    /// Its conditions take something that is not known here.
    Unknown(String),
}

impl Selection {
    /// The verdict of Kyverno's command line.
    pub(super) fn verdict(self) -> Verdict {
        match self {
            Selection::Yes => Verdict::new(Status::Pass, "resource matched"),
            Selection::No => Verdict::new(Status::Fail, "resource did not match"),
            Selection::Error(text) => Verdict::new(Status::Error, format!("failed to evaluate conditions: {text}")),
            Selection::Unknown(what) => Verdict::new(Status::Indeterminate, format!("{what} is not known here")),
        }
    }
}

/// An object that a policy deletes.
#[derive(Debug)]
pub(crate) struct Deletion<'w> {
    /// The policy.
    pub policy: &'w Head,
    /// When: a cron expression.
    pub schedule: Node<'w>,
    /// Why it can't be said whether the conditions of the policy hold; `None` where they do.
    pub doubt: Option<String>,
}

/// What will become of an object once it is there; `None` for one that the policy leaves.
pub(crate) fn deletion<'v>(
    world: World<'v>,
    reference: RuleRef,
    request: &'v Request<'v>,
    arena: &'v Arena,
) -> Option<Deletion<'v>> {
    let session = Session::new(request, world, arena);
    let found = world.policies.get(reference);
    let selection = match found {
        Found::Classic(..) => return None,
        Found::Cel(policy, form) => cel::selects(policy, form, &session, reference)?,
        Found::Cleanup(policy) => {
            let subject = Subjected::new(request, request.resource()?, world.cluster);
            selects(policy, &session, &subject)
        }
    };
    let doubt = match selection {
        Selection::Yes => None,
        Selection::No => return None,
        // What a cluster adds to an object is missing here, so that an error is none for certain.
        Selection::Error(text) => Some(text),
        Selection::Unknown(what) => Some(format!("{what} is not known here")),
    };
    Some(Deletion { policy: found.head(), schedule: found.object().at(&["spec", "schedule"])?, doubt })
}

/// What Kyverno's command line says of a cleanup policy.
pub(super) fn judge<'v>(
    policy: &'v Policy,
    session: &Session<'v>,
    subject: &Subjected<'v>,
    reference: RuleRef,
) -> Option<Outcome<'v>> {
    if !session.cluster.is_command_line() {
        return None;
    }
    let verdict = selects(policy, session, subject).verdict();
    Some(Outcome {
        origin: Some(reference),
        ..Outcome::new(&policy.head, &policy.head.name, verdict.status, verdict.message, Action::Audit)
    })
}

fn selects<'v>(policy: &'v Policy, session: &Session<'v>, subject: &Subjected<'v>) -> Selection {
    let is_housed = policy.head.cluster_wide() || policy.head.namespace == subject.namespace();
    let reach = |block, reader| subject.reach(block, reader, |_| None);
    let excluded = policy.exclude.as_ref().map_or(Reach::No, |block| reach(block, Reader::Exclude));
    let Some(resource) = session.request.resource().filter(|_| is_housed) else { return Selection::No };
    match (reach(&policy.matching, Reader::Match), excluded) {
        (Reach::No, _) | (_, Reach::Yes) => return Selection::No,
        (Reach::Yes, Reach::No) => {}
        _ => return Selection::Unknown("what labels the namespace has".to_owned()),
    }
    let Some(conditions) = &policy.conditions else { return Selection::Yes };
    let scope = RuleScope::new(session, Given::default());
    scope.bind("target", Value::from(resource));
    scope.declare(&policy.context, &policy.document);
    match conditions::evaluate(conditions, &policy.document, &scope, Wanted::False) {
        Ok(decision) if decision.holds => Selection::Yes,
        Ok(_) => Selection::No,
        Err(error) => match error.indeterminate() {
            Some(missing) => Selection::Unknown(missing.to_owned()),
            None => Selection::Error(error.to_string()),
        },
    }
}
