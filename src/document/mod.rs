//! From bytes to typed trees: documents in which every node knows its span.
//!
//! In: a [`File`](crate::span::File). Out: the documents that could be read and the errors of those that could not;
//! one never hides the other. Nothing here knows of policies.

mod arena;
pub(crate) mod classify;
pub(crate) mod edit;
mod error;
pub(crate) mod heads;
pub(crate) mod layout;
mod limits;
mod parse;
pub(crate) mod place;
pub(crate) mod resource;
mod scalar;
mod screen;
mod split;
mod tabs;
#[cfg(test)]
mod tests;

pub(crate) use arena::{Builder, Document, Integers, Kind, Node, NodeId};
pub(crate) use error::DocumentError;
pub(crate) use limits::Limits;
pub(crate) use parse::{Parsed, Parser, parse};
