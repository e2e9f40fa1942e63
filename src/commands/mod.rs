//! One file for each subcommand: its arguments and its `run`. Wiring only.

pub(crate) mod jp;
