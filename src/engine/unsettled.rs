//! Verdicts that hang on what the repository does not hold.
//!
//! In: what a rule says, and what it takes to know whether it counts. Out: the same where it refuses nothing either way,
//! else that it can't be told. Beside that, what look-ups hung on. Cases: `tests/engine/*/unknown-namespace.yaml`,
//! `tests/engine/variables/absent.yaml`.

use std::cell::Cell;

use super::{Outcome, Request, Status};
use crate::{
    cluster::{Cluster, Missing},
    expr::Arena,
};

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

/// What look-ups of one request hung on that is not held. The list lives in the arena, so that look-ups of every form
/// of expression can add to it.
#[derive(Clone, Copy)]
pub(super) struct Missed<'v> {
    arena: &'v Arena,
    last: &'v Cell<Option<&'v Link<'v>>>,
}

struct Link<'v> {
    missing: Missing<&'v str>,
    before: Option<&'v Link<'v>>,
}

impl<'v> Missed<'v> {
    /// Nothing yet.
    pub(super) fn new(arena: &'v Arena) -> Self {
        Self { arena, last: arena.alloc(Cell::new(None)) }
    }

    /// Adds one.
    pub(super) fn note(self, missing: &Missing) {
        let missing = missing.map(|text| &*self.arena.alloc_str(text));
        let link = self.arena.alloc(Link { missing, before: self.last.get() });
        self.last.set(Some(link));
    }

    /// Takes what was added, each once.
    pub(super) fn take(self) -> Vec<Missing> {
        let mut out = Vec::new();
        let mut at = self.last.take();
        while let Some(link) = at {
            let missing = link.missing.map(str::to_owned);
            if !out.contains(&missing) {
                out.push(missing);
            }
            at = link.before;
        }
        out.reverse();
        out
    }
}
