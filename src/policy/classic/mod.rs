//! `ClusterPolicy` and `Policy` of `kyverno.io`: as written, and compiled.

pub(crate) mod autogen;
pub(crate) mod cel;
pub(crate) mod condition;
pub(crate) mod context;
pub(crate) mod decode;
pub(crate) mod gate;
pub(crate) mod generate;
pub(crate) mod images;
pub(crate) mod model;
pub(crate) mod mutate;
pub(crate) mod pattern;
mod quoting;
pub(crate) mod references;
pub(crate) mod validate;

pub(crate) use model::{Body, Check, Policy, Rule};
