//! The subcommands: each its arguments and its `run`.

pub(crate) mod error;
pub(crate) mod jp;

pub(crate) use error::RunError;
