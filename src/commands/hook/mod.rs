//! `admit hook`: the places where Git asks before something happens.

mod pre_receive;

use clap::Subcommand;

use super::RunError;
use crate::source::Environment;

/// Arguments of `admit hook`.
#[derive(Debug, Subcommand)]
pub(crate) enum HookCommand {
    /// On a server, before any ref moves: reads `OLD NEW REF` lines from standard input
    PreReceive(pre_receive::PreReceiveArgs),
}

/// Runs the hook; `now` is in nanoseconds since 1970.
pub(crate) fn run(command: &HookCommand, now: i128, environment: &Environment) -> Result<u8, RunError> {
    match command {
        HookCommand::PreReceive(args) => pre_receive::run(args, now, environment),
    }
}
