//! Everything that needs more than one module, or none: the order of the source itself, and real worlds.

mod tidy;
