//! From bytes to typed trees: documents in which every node knows its span.
//!
//! In: a [`File`](crate::span::File). Out: the documents that could be read and the errors of those that could not;
//! one never hides the other. Nothing here knows of policies.

mod arena;

pub(crate) use arena::{Builder, Document, Integers, Key, Kind, Node, NodeId};
