//! Placeholder.
pub(crate) const PLACEHOLDER: () = ();
