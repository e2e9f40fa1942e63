//! `admit hook pre-receive`: a push is judged before any ref moves.
//!
//! In: the lines that Git gives to the hook, `OLD NEW REF`. Out: 0 lets the whole push through, anything else refuses
//! all of it. What can't be judged is refused. <https://git-scm.com/docs/githooks#pre-receive>

use super::{
    args::{JudgeArgs, ServerArgs},
    push::{self, Push},
    standard_input,
};
use crate::{
    commands::{RunError, workspace::from_source},
    source::{
        Environment,
        push::{Beside, parse},
    },
};

/// Arguments of `admit hook pre-receive`.
#[derive(Debug, clap::Args)]
pub(crate) struct PreReceiveArgs {
    #[command(flatten)]
    judge: JudgeArgs,
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs the hook; `now` is in nanoseconds since 1970.
pub(super) fn run(args: &PreReceiveArgs, now: i128, environment: &Environment) -> Result<u8, RunError> {
    let updates = parse(&standard_input()?).map_err(|error| from_source(&error))?;
    let (judge, server) = (&args.judge, Some(&args.server));
    let push = Push { hook: "pre-receive", updates, beside: Beside::Head, judge, server };
    Ok(push::run(&push, now, environment))
}
