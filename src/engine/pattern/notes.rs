//! What the anchors of a pattern came to, for people who ask.
//!
//! In: each anchor as the walk leaves it. Out: notes in the order in which the walk came to them. Walks that nobody asks
//! about note nothing.

use std::{cell::RefCell, fmt};

use crate::{policy::classic::pattern::Anchor, span::Span};

/// The most anchors that are noted for one walk.
const MAX: usize = 50;

/// What one anchor came to.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    /// The key with its anchor, where it was looked for, and what came of it.
    pub text: String,
    /// The clause of the pattern.
    pub clause: Option<Span>,
}

/// The notes of a walk.
pub(crate) type Notes = RefCell<Vec<Note>>;

/// Where a note will stand, before it is known what it says.
pub(super) fn begin(notes: Option<&Notes>) -> usize {
    notes.map_or(0, |it| it.borrow().len())
}

/// Notes an anchor at the place that [`begin`] gave; `found` tells whether its key is there, `holds` what came of it.
pub(super) fn end(
    notes: Option<&Notes>,
    at: usize,
    (anchor, raw, place, clause): (Anchor, &str, &dyn fmt::Display, Option<Span>),
    (found, holds): (bool, bool),
) {
    let Some(notes) = notes else { return };
    let mut notes = notes.borrow_mut();
    if notes.len() >= MAX {
        return;
    }
    let came_of_it = match (anchor, found, holds) {
        (Anchor::Negation, false, _) => "is absent, as it must be",
        (Anchor::Negation, true, _) => "is there, and must not be",
        (Anchor::Condition, false, _) => "is absent: the rest does not count",
        (_, false, _) => "is absent: nothing is asked of it",
        (Anchor::Condition | Anchor::Global, true, true) => "holds: the rest counts",
        (Anchor::Condition | Anchor::Global, true, false) => "does not hold: the rest does not count",
        (_, true, true) => "holds",
        (_, true, false) => "does not hold",
    };
    notes.insert(at, Note { text: format!("`{raw}` at {place} {came_of_it}"), clause });
}
