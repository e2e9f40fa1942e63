//! `admit hook update`: one ref is judged before it moves, the others of the push may go through.
//!
//! In: the three arguments of Git. Out: 0 lets this ref move. For servers that leave no other place: the objects of a
//! refused ref stay in the repository until `git gc`, and push options are not to be had, so that nobody can bypass it.
//! <https://git-scm.com/docs/githooks#update>

use std::ffi::OsString;

use super::{
    args::{JudgeArgs, ServerArgs},
    push::{self, Push},
};
use crate::{
    commands::{RunError, workspace::from_source},
    source::{
        Environment,
        push::{Beside, update},
    },
};

/// Arguments of `admit hook update`.
#[derive(Debug, clap::Args)]
pub(crate) struct UpdateArgs {
    /// The full name of the ref
    name: OsString,
    /// The object that it names; zeros if it is new
    old: String,
    /// The object that it is to name; zeros if it is to go
    new: String,
    #[command(flatten)]
    judge: JudgeArgs,
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs the hook; `now` is in nanoseconds since 1970.
pub(super) fn run(args: &UpdateArgs, now: i128, environment: &Environment) -> Result<u8, RunError> {
    let update = update(args.name.as_encoded_bytes(), &args.old, &args.new).map_err(|error| from_source(&error))?;
    let (judge, server) = (&args.judge, Some(&args.server));
    let push = Push { hook: "update", updates: vec![update], beside: Beside::Head, judge, server };
    Ok(push::run(&push, now, environment))
}
