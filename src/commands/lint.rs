//! `admit lint`: policies and exceptions themselves, without a look at what they do to objects.
//!
//! What a cluster would refuse in them, and what the rules of governance say of the files alone.

use std::{io, path::PathBuf};

use super::{
    RunError,
    check::{LawArgs, tree},
    fix,
    output::OutputArgs,
};
use crate::{report::Progress, runner, source::Environment};

/// Arguments of `admit lint`.
#[derive(Debug, clap::Args)]
pub(crate) struct LintArgs {
    /// Files and directories whose policies and exceptions are looked at [default: the repository]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) law: LawArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Only what the cluster itself would refuse
    #[arg(long)]
    pub(crate) no_governance: bool,
    /// Show what would mend findings, as far as that is safe
    #[arg(long)]
    pub(crate) fix: bool,
    /// Write what --fix shows
    #[arg(long, requires = "fix")]
    pub(crate) write: bool,
    /// Threads [default: one for each core]
    #[arg(short, long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) jobs: usize,
}

/// Runs `admit lint`; `now` is in nanoseconds since 1970.
pub(crate) fn run(args: &LintArgs, now: i128, environment: &Environment) -> Result<u8, RunError> {
    args.output.validate()?;
    let progress = Progress::start(OutputArgs::wants_progress());
    if args.fix {
        return fix::run(args, now, environment, &progress);
    }
    let work = || {
        let mut case = tree::read(&args.paths, environment, &args.law, &progress, &mut io::stdin())?;
        case.governance = case.governance.filter(|_| !args.no_governance);
        Ok(case.lint(now))
    };
    let done: Result<_, RunError> =
        runner::on_threads(args.jobs, work).map_err(|error| RunError::from_error(&error))?;
    progress.finish();
    let (report, looked) = done?;
    args.output.finish(&report, looked)
}
