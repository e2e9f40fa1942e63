//! Kubernetes admission control moved to Git.
//!
//! The modules stand in reading order, left to right in the way of the data; each names only those above it. The
//! library promises no stability: [`run`] is the program, and [`testing`] is for its own tests, benches and fuzzers.

mod k8s;
mod signature;
mod span;

#[expect(clippy::disallowed_methods, reason = "whatever is read comes in here")]
mod source;

mod document;

mod images;

mod expr;

mod policy;

mod cluster;

mod engine;

mod config;

mod finding;

#[expect(clippy::disallowed_methods, reason = "renderers are started and fed here")]
#[expect(clippy::result_large_err, reason = "what can't be rendered is told, once for each")]
mod render;

mod governance;

mod report;

mod runner;

mod compat;

mod commands;

mod cli;

#[doc(hidden)]
pub mod testing;

pub use cli::run;
