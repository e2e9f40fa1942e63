//! Everything that needs more than one module, or none: the order of the source itself, and real worlds: the built
//! program on trees, on changes, in hooks, on real repositories.

mod change;
mod check;
mod corpus;
mod hook;
mod scratch;
mod tidy;
