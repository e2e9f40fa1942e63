//! Verdicts that hang on what the repository does not hold.
//!
//! In: what a rule says, and what it takes to know whether it counts. Out: the same where it refuses nothing either way,
//! else that it can't be told. Cases: `tests/engine/match/unknown-namespace*.yaml`.

use super::{Outcome, Request, Status};
use crate::cluster::Cluster;

/// Something that the repository does not hold, and that a verdict hangs on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Missing {
    /// The labels of the Namespace with this name.
    Namespace(String),
}

impl Missing {
    /// What it is, in a few words.
    pub(crate) fn title(&self) -> String {
        match self {
            Missing::Namespace(name) => format!("Namespace `{name}`"),
        }
    }

    /// What to do about it.
    pub(crate) fn help(&self) -> String {
        match self {
            Missing::Namespace(_) => {
                format!(
                    "add the manifest of {} to the repository, or name a file that holds it by --cluster",
                    self.title()
                )
            }
        }
    }
}

/// What the labels of a namespace decide.
#[derive(Clone, Copy, Debug)]
pub(super) enum Decides<'p> {
    /// Whether the rule counts at all.
    Rule,
    /// Whether the exception of this key covers it.
    Exception(&'p str),
    /// Whether a violation is refused or let in.
    Action,
}

/// What is left of an outcome when something about it hangs on the labels of the object's namespace, which are not known.
/// What refuses nothing stays what it is, whether it counts or not.
pub(super) fn by_namespace<'v>(
    outcome: Outcome<'v>,
    request: &Request<'_>,
    cluster: &Cluster,
    decides: Decides<'_>,
) -> Outcome<'v> {
    let Some(namespace) = request.unknown_namespace(cluster) else { return outcome };
    if matches!(outcome.status, Status::Pass | Status::Skip) {
        return outcome;
    }
    let mut out = outcome;
    let what = match decides {
        Decides::Rule => "the rule counts".to_owned(),
        Decides::Exception(key) => format!("exception `{key}` covers it"),
        Decides::Action => "it is refused or only reported".to_owned(),
    };
    let missing = Missing::Namespace(namespace.to_owned());
    out.message = format!(
        "whether {what} takes the labels of {}, which the repository does not hold: {}",
        missing.title(),
        if out.message.is_empty() { "validation failed" } else { &out.message }
    );
    out.status = Status::Indeterminate;
    if !out.hangs_on.contains(&missing) {
        out.hangs_on.push(missing);
    }
    out
}
