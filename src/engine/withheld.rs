//! Exceptions that would cover something, and do not count.
//!
//! Which ones is decided before anything is judged, by whoever knows the rules of the repository and the change at hand.
//! A cluster knows nothing of it: without anything withheld the verdicts are Kyverno's.

use std::collections::BTreeMap;

use crate::policy::Action;

/// The exceptions of a set that do not count.
#[derive(Debug, Default)]
pub(crate) struct Withheld {
    by_position: BTreeMap<u32, Vec<Entry>>,
    /// Whether no exception exempts exceptions and policies themselves.
    pub guards_law: bool,
}

#[derive(Debug)]
struct Entry {
    reason: Reason,
    /// For policies of this action only.
    only_for: Option<Action>,
}

/// Why an exception does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It breaks these rules.
    Breaks(Vec<String>),
    /// It comes with the change that is judged, and breaks these rules, if any, each with what it says.
    Arrives(Vec<String>),
    /// The change that is judged takes it away, or replaces it.
    Leaves,
    /// What it would exempt is an exception or a policy.
    Guards,
    /// Exceptions are switched off, or it is not where they count; in words.
    Limited(String),
}

/// What counts in a cluster: every exception.
pub(crate) static NOTHING: Withheld = Withheld { by_position: BTreeMap::new(), guards_law: false };

impl Withheld {
    /// Has an exception not count, for policies of one action or for all; `position` is that in the set.
    pub(crate) fn withhold(&mut self, position: usize, reason: Reason, only_for: Option<Action>) {
        self.by_position.entry(position as u32).or_default().push(Entry { reason, only_for });
    }

    /// Why an exception does not count for a policy of this action; `None` for one that does.
    pub(crate) fn why(&self, position: u32, action: Action) -> Option<&Reason> {
        let entries = self.by_position.get(&position)?;
        entries.iter().find(|it| it.only_for.is_none_or(|only| only == action)).map(|it| &it.reason)
    }
}

impl Reason {
    /// What to say of the exception `key`, which would cover a failure.
    pub(crate) fn note(&self, key: &str) -> String {
        match self {
            Reason::Breaks(rules) => {
                format!("exception `{key}` would cover it, but is ignored: it breaks {}", rules.join(", "))
            }
            Reason::Arrives(rules) if rules.is_empty() => {
                format!("exception `{key}` comes with this change: it counts once it is merged")
            }
            Reason::Arrives(rules) => {
                format!("exception `{key}` comes with this change and does not count: it breaks {}", rules.join(", "))
            }
            Reason::Leaves => format!("exception `{key}` covered it, and goes or changes with this change"),
            Reason::Limited(why) => format!("exception `{key}` would cover it, but {why}"),
            Reason::Guards => format!("exception `{key}` does not count: none exempts exceptions or policies"),
        }
    }

    /// What to do about it, if that is not plain.
    pub(crate) fn help(&self) -> Option<&'static str> {
        match self {
            Reason::Breaks(_) => Some("mend the exception: what each rule asks for is told by admit explain"),
            Reason::Arrives(rules) if rules.is_empty() => Some("bring the exception first, in a change of its own"),
            Reason::Arrives(_) => Some("mend the exception, and bring it first, in a change of its own"),
            Reason::Leaves | Reason::Guards | Reason::Limited(_) => None,
        }
    }
}
