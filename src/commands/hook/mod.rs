//! `admit hook`: the places where Git asks before something happens.
//!
//! On a server a push, on a client a commit or a push. All hooks that are about refs share [`push`]; what they differ in
//! is who tells them of which refs.

mod args;
mod audit;
mod doctor;
mod explain;
mod install;
mod judge;
mod place;
mod pre_commit;
mod pre_push;
mod pre_receive;
mod push;
mod say;
mod update;

use std::io::{self, Read as _};

use clap::Subcommand;

use say::Voice;

use super::RunError;
use crate::source::Environment;

/// Arguments of `admit hook`.
#[derive(Debug, Subcommand)]
pub(crate) enum HookCommand {
    /// On a server, before any ref moves: reads `OLD NEW REF` lines from standard input
    PreReceive(Box<pre_receive::PreReceiveArgs>),
    /// On a server, before one ref moves: where there is no `pre-receive`
    Update(Box<update::UpdateArgs>),
    /// On a client, before anything is sent
    PrePush(Box<pre_push::PrePushArgs>),
    /// On a client, before what is staged is committed
    PreCommit(Box<pre_commit::PreCommitArgs>),
    /// Put the right script where the server looks for it
    Install(install::InstallArgs),
    /// Find out why a hook is not run, or refuses everything
    Doctor(doctor::DoctorArgs),
    /// Judge a past push again, from the audit log
    Explain(explain::ExplainArgs),
}

/// Runs the hook; `now` is in nanoseconds since 1970.
pub(crate) fn run(command: &HookCommand, now: i128, environment: &Environment) -> Result<u8, RunError> {
    let is_asked = !matches!(command, HookCommand::Install(_) | HookCommand::Doctor(_) | HookCommand::Explain(_));
    if is_asked && environment.wants_version() {
        // It changes nothing else: the variable may come from whoever pushes.
        Voice::new(environment).say(&format!("admit: version {}", env!("CARGO_PKG_VERSION")));
    }
    match command {
        HookCommand::PreReceive(args) => pre_receive::run(args, now, environment),
        HookCommand::Update(args) => update::run(args, now, environment),
        HookCommand::PrePush(args) => pre_push::run(args, now, environment),
        HookCommand::PreCommit(args) => pre_commit::run(args, now, environment),
        HookCommand::Install(args) => install::run(args, environment, &mut anstream::stdout()),
        HookCommand::Doctor(args) => doctor::run(args, now, environment, &mut anstream::stdout()),
        HookCommand::Explain(args) => explain::run(args, environment, &mut anstream::stdout()),
    }
}

/// All of standard input; a line may hold a name that is no UTF-8.
fn standard_input() -> Result<Vec<u8>, RunError> {
    let mut input = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut input);
    read.map_err(|error| RunError::new(format!("standard input can't be read: {error}")))?;
    Ok(input)
}
