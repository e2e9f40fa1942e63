//! Patterns against resources: maps, anchors, lists, scalars.
//!
//! In: a compiled pattern and a value of a resource. Out: it matches, or the first mismatch with its place on both
//! sides. Cost is that of one walk over the pattern; paths are built only for mismatches.

mod walk;

pub(crate) use walk::{Mismatch, MismatchClass, matches};

#[cfg(test)]
mod tests;
