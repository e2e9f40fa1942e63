//! `admit check`: every manifest of a tree, or of a change, against the policies that guard it.
//!
//! In: flags. Out: a report and its exit code. Wiring only: sources are chosen here, the runner does the work.

mod case;
pub(crate) mod change;
mod tree;

use std::{io, path::PathBuf};

pub(crate) use case::Case;

use super::{RunError, output::OutputArgs, workspace::Workspace};
use crate::{
    report::{Progress, Report},
    runner,
    source::Environment,
};

/// Arguments of `admit check`.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// Files and directories to judge; `-` is standard input [default: the repository]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Judge only what changed between two commits, read from Git objects; `BASE...HEAD` starts from their merge base
    #[arg(long, value_name = "BASE[..HEAD]", conflicts_with_all = ["paths", "staged"])]
    pub(crate) diff: Option<String>,
    /// Judge only what is staged for the next commit
    #[arg(long, conflicts_with = "paths")]
    pub(crate) staged: bool,
    #[command(flatten)]
    pub(crate) law: LawArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Only what the cluster itself would refuse
    #[arg(long)]
    pub(crate) no_governance: bool,
    /// Threads [default: one for each core]
    #[arg(short, long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) jobs: usize,
}

/// Flags that say what judges.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct LawArgs {
    /// Where policies are [default: found in the repository]
    #[arg(long, value_name = "GLOB|PATH", help_heading = "What judges")]
    pub(crate) policies: Vec<String>,
    /// Where exceptions are [default: found in the repository]
    #[arg(long, value_name = "GLOB|PATH", help_heading = "What judges")]
    pub(crate) exceptions: Vec<String>,
    /// What the cluster already holds; what it holds is updated, not created [default: the repository stands in]
    #[arg(long, value_name = "GLOB|PATH", help_heading = "What judges")]
    pub(crate) cluster: Vec<String>,
}

/// Runs `admit check`; `now` is in nanoseconds since 1970.
pub(crate) fn run(args: &CheckArgs, now: i128, environment: &Environment) -> Result<u8, RunError> {
    let progress = Progress::start(args.output.wants_progress());
    let work = || -> Result<(Report, bool), RunError> {
        let here = || Workspace::find(&[], environment);
        let case = match &args.diff {
            Some(range) => change::between(&here()?, range, &args.law, &progress)?,
            None if args.staged => change::staged(&here()?, environment, &args.law, &progress)?,
            None => tree::read(&args.paths, environment, &args.law, &progress, &mut io::stdin())?,
        };
        Ok(case.judge(now, args.output.wants_quiet(), &progress))
    };
    let done = runner::on_threads(args.jobs, work).map_err(|error| RunError::from_error(&error))?;
    progress.finish();
    let (report, checked) = done?;
    args.output.write(&report)?;
    Ok(match (args.output.fail_on.fails(&report), checked) {
        (true, _) => 1,
        (false, false) => 3,
        (false, true) => 0,
    })
}
