//! What tests, benches and fuzzers need of the library. No part of any promise.

mod case;
#[cfg(test)]
mod pages;
mod parse;

pub use case::{Asked, Row, judge};
pub use parse::*;
