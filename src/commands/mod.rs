//! The subcommands: each its arguments and its `run`.

pub(crate) mod apply;
pub(crate) mod baseline;
pub(crate) mod cel;
pub(crate) mod check;
pub(crate) mod cmp;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod error;
pub(crate) mod exceptions;
pub(crate) mod explain;
mod fix;
pub(crate) mod hook;
mod image_layout;
mod input;
pub(crate) mod jp;
pub(crate) mod lint;
pub(crate) mod merge;
pub(crate) mod output;
pub(crate) mod test;
pub(crate) mod workspace;

pub(crate) use error::RunError;
