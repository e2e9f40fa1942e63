//! What exceptions really do to the objects of a tree.
//!
//! Collected while objects are judged, one entry for each rule that an exception waives for an object. Nothing is
//! evaluated a second time.

use crate::{engine::Status, policy::set::RuleRef};

/// One rule waived for one object by one exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Effect {
    /// Position in [`PolicySet::exceptions`](crate::policy::set::PolicySet::exceptions).
    pub exception: u32,
    /// The rule.
    pub rule: RuleRef,
    /// Position of the object among those that were judged.
    pub object: u32,
    /// What the rule would say without exceptions; `None` where it would say nothing.
    pub without: Option<Status>,
    /// Whether it really waives the rule; if not, it would, if it counted.
    pub counts: bool,
    /// How many exceptions that count waive the rule for the object, and this one.
    pub n_exceptions: u32,
}

/// A condition of an exception that could not be evaluated for an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BrokenCondition {
    /// Position in [`PolicySet::exceptions`](crate::policy::set::PolicySet::exceptions).
    pub exception: u32,
    /// Position of the object among those that were judged.
    pub object: u32,
    /// Why.
    pub message: String,
}

/// What all exceptions do.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// By exception, then in the order of the objects.
    pub waived: Vec<Effect>,
    /// Conditions that could not be evaluated.
    pub broken: Vec<BrokenCondition>,
}

impl Effects {
    /// What one exception does.
    pub(crate) fn of(&self, exception: usize) -> impl Iterator<Item = &Effect> {
        let start = self.waived.partition_point(|it| (it.exception as usize) < exception);
        self.waived[start..].iter().take_while(move |it| it.exception as usize == exception)
    }

    /// Brings what was collected into order.
    pub(crate) fn sort(&mut self) {
        self.waived.sort_by_key(|it| (it.exception, it.object));
    }
}
