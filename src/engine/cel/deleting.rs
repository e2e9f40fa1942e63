//! `DeletingPolicy` and its namespaced form: which objects they delete.
//!
//! In: a policy and an object that is there. Out: whether the policy would delete it. A cluster asks at the times that the
//! schedule says; what expressions read of an object that only a cluster knows, such as when it was made, is missing here.

use super::{
    Judging, Outcome,
    body::{self, Gate},
    exceptions::{self, Exemption, Waivers},
    matching::Mismatch,
    names::{Failure, Names, Sight},
};
use crate::{engine::cleanup::Selection, policy::exception::Exception};

/// What Kyverno's command line says; a cluster asks nobody.
pub(super) fn judge<'v>(judging: &Judging<'v, '_>) -> Option<Outcome<'v>> {
    if !judging.is_command_line() {
        return None;
    }
    let (selection, exceptions) = selects(judging)?;
    let outcome = judging.outcome(&judging.policy.head.name, selection.verdict(), judging.policy.action);
    Some(Outcome { exceptions, ..outcome })
}

/// Whether the policy deletes the object, and the exceptions that keep it from that; `None` for one that it is not about.
pub(super) fn selects<'v>(judging: &Judging<'v, '_>) -> Option<(Selection, Vec<&'v Exception>)> {
    let (policy, session) = (judging.policy, judging.session);
    let is_payload = session.request.supplied.is_payload;
    if !is_payload {
        // Kyverno: its command line doesn't look at the namespace of the policy.
        let is_housed = judging.is_command_line() || judging.is_housed();
        let target = session.target().filter(|_| is_housed)?.standing();
        match target.meets(&judging.form.constraints) {
            Ok(()) => {}
            Err(Mismatch::NamespaceUnknown) => {
                return Some((Selection::Unknown("what labels the namespace has".to_owned()), Vec::new()));
            }
            Err(_) => return None,
        }
    }
    let failed = |failure: Failure| match failure {
        Failure::Error(text) => Selection::Error(text),
        Failure::Unknown(what) => Selection::Unknown(what),
    };
    match exceptions::find(judging) {
        Ok(Waivers { exemption: Exemption::None, .. }) => {}
        // Kyverno: an exception keeps the object, whatever it lists.
        Ok(Waivers { exemption: Exemption::Whole { exceptions, .. } | Exemption::Partial(exceptions), .. }) => {
            return Some((Selection::No, exceptions));
        }
        Err(failure) => return Some((failed(failure), Vec::new())),
    }
    let sight = if is_payload { Sight::Payload } else { Sight::Standing };
    let body = &judging.form.body;
    let names = Names::new(session, &policy.head.namespace, sight, &body.variables, body.reads);
    let selection = match body::gate(&names, &body.conditions, |_, error| error.to_owned()) {
        Gate::Open => Selection::Yes,
        Gate::Closed => Selection::No,
        Gate::Broken(failure) => failed(failure),
    };
    Some((selection, Vec::new()))
}
