//! `admit cmp`: what Argo CD's plugin server runs in place of its own renderers.
//!
//! In: the directory of an application in a copy of its repository, and the variables that Argo CD sets. Out: for
//! `generate` the manifests on standard output, byte for byte as they were rendered, or nothing there and a readable
//! error. <https://argo-cd.readthedocs.io/en/stable/operator-manual/config-management-plugins/>

mod announce;
mod app;
mod deadline;
mod generate;
mod manifests;
mod say;

use std::io;

use super::RunError;
use crate::source::Environment;

/// Subcommands of `admit cmp`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum CmpCommand {
    /// Render the application in the current directory, judge it, and print its manifests if they are let in
    Generate(Box<generate::GenerateArgs>),
    /// Print `supported` if the current directory holds what `generate` renders
    Discover,
    /// Print what an Application can say to the plugin, as JSON
    Parameters,
    /// Find what `generate` needs, and say early what is missing
    Init(Box<generate::GenerateArgs>),
}

/// Runs `admit cmp`; `now` is in nanoseconds since 1970.
pub(crate) fn run(
    command: &CmpCommand,
    now: i128,
    environment: &Environment,
    out: &mut dyn io::Write,
) -> Result<u8, RunError> {
    match command {
        CmpCommand::Generate(args) => generate::run(args, now, environment, out),
        CmpCommand::Discover => announce::discover(environment, out),
        CmpCommand::Parameters => announce::parameters(environment, out),
        CmpCommand::Init(args) => generate::init(args, environment),
    }
}

/// A standard output that nobody reads to the end.
fn unwritable(error: &io::Error) -> RunError {
    RunError::new(format!("standard output can't be written: {error}"))
}
