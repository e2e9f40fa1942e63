//! Match conditions and audit annotations, which all kinds of policies have alike.

use super::names::{Failure, Names};
use crate::policy::cel::{Expression, Named};

/// What conditions come to.
pub(super) enum Gate {
    /// All hold.
    Open,
    /// One doesn't.
    Closed,
    /// Some can't be evaluated, and none is false.
    Broken(Failure),
}

/// Evaluates conditions in order. One that is false decides, whatever errors came before it; `told` makes a message of an
/// error.
pub(super) fn gate<'v>(names: &Names<'v>, conditions: &'v [Named], told: fn(&Expression, &str) -> String) -> Gate {
    let mut failures = Vec::new();
    for condition in conditions {
        match names.truth(&condition.expression) {
            Ok(true) => {}
            Ok(false) => return Gate::Closed,
            Err(Failure::Error(error)) => failures.push(Failure::Error(told(&condition.expression, &error))),
            Err(failure) => failures.push(failure),
        }
    }
    match Failure::all(failures) {
        None => Gate::Open,
        Some(failure) => Gate::Broken(failure),
    }
}

/// Key and text of each audit annotation that has one.
pub(super) fn annotations<'v>(names: &Names<'v>, annotations: &'v [Named]) -> Result<Vec<(String, String)>, Failure> {
    let mut out = Vec::new();
    for annotation in annotations {
        let text = names.text(&annotation.expression)?;
        out.extend(text.filter(|it| !it.is_empty()).map(|text| (annotation.name.clone(), text)));
    }
    Ok(out)
}
