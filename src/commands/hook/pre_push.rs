//! `admit hook pre-push`: what a push would meet on the server, before anything is sent.
//!
//! In: the name of the remote, and the lines of Git. Out: 0 lets Git push. Advice only: `git push --no-verify` passes it
//! over, and the server has newer policies than the last fetch. <https://git-scm.com/docs/githooks#_pre_push>

use super::{
    args::JudgeArgs,
    push::{self, Push},
    standard_input,
};
use crate::{
    commands::{RunError, workspace::from_source},
    source::{
        Environment,
        push::{Beside, parse_outgoing},
    },
};

/// Arguments of `admit hook pre-push`.
#[derive(Debug, clap::Args)]
pub(crate) struct PrePushArgs {
    /// The name of the remote
    remote: String,
    /// Its address
    url: Option<String>,
    #[command(flatten)]
    judge: JudgeArgs,
}

/// Runs the hook; `now` is in nanoseconds since 1970.
pub(super) fn run(args: &PrePushArgs, now: i128, environment: &Environment) -> Result<u8, RunError> {
    let updates = parse_outgoing(&standard_input()?).map_err(|error| from_source(&error))?;
    let beside = Beside::Remote(&args.remote);
    let push = Push { hook: "pre-push", updates, beside, judge: &args.judge, server: None };
    Ok(push::run(&push, now, environment))
}
