//! `webhookConfiguration.matchConditions` and what their errors do, compiled.
//!
//! In: the `spec` of a policy. Out: the conditions under which the API server asks Kyverno about a request at all; one that
//! does not compile is noted, since no webhook comes of it.

use crate::{
    document::Node,
    policy::{
        cel::{
            FailurePolicy, Named, Reads,
            compile::{Compiler, Profile},
        },
        fields::Problems,
    },
};

/// When the API server asks Kyverno about a request.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// All of these must hold; none hold always.
    pub conditions: Vec<Named>,
    /// What a condition does that can't be evaluated.
    pub failure: FailurePolicy,
    /// What any of them reads that is not always known.
    pub reads: Reads,
}

/// Compiles the conditions of a policy.
pub(super) fn decode(spec: Node<'_>, problems: &Problems) -> Gate {
    let webhook = spec.get("webhookConfiguration");
    let conditions = Compiler::new(Profile::Webhook).conditions(webhook.and_then(|it| it.get("matchConditions")));
    for condition in &conditions {
        condition.expression.report(problems);
    }
    let failure = webhook.and_then(|it| it.str_at(&["failurePolicy"])).or_else(|| spec.str_at(&["failurePolicy"]));
    Gate {
        reads: conditions.iter().fold(Reads::NONE, |reads, it| reads.and(it.expression.reads())),
        failure: if failure == Some("Ignore") { FailurePolicy::Ignore } else { FailurePolicy::Fail },
        conditions,
    }
}
