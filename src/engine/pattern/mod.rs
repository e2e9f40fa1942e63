//! Patterns against resources: maps, anchors, lists, scalars.
//!
//! In: a compiled pattern and a value of a resource. Out: it matches, or the first mismatch with its place on both
//! sides. Cost is that of one walk over the pattern; paths are built only for mismatches.

mod notes;
mod walk;

pub(crate) use notes::{Note, Notes};
pub(crate) use walk::{Mismatch, MismatchClass, matches, matches_noting};

#[cfg(test)]
mod tests;
