//! What tests, benches and fuzzers need of the library. No part of any promise.

mod case;
mod evaluate;
#[cfg(test)]
mod fixes;
#[cfg(test)]
mod pages;
mod parse;

pub use case::{Asked, Row, judge};
pub use evaluate::Policies;
pub use parse::{Documents, Reader, Source};
