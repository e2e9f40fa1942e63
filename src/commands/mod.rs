//! The subcommands: each its arguments and its `run`.

pub(crate) mod apply;
pub(crate) mod error;
pub(crate) mod jp;
pub(crate) mod test;

pub(crate) use error::RunError;
