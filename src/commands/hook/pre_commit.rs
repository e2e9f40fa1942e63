//! `admit hook pre-commit`: what is staged, before it is committed.
//!
//! In: the index that Git is about to use. Out: 0 lets Git commit. Advice only: `git commit --no-verify` passes it over.
//! <https://git-scm.com/docs/githooks#_pre_commit>

use super::say::{self, Voice};
use crate::{
    commands::{
        RunError,
        check::{LawArgs, change},
    },
    finding::Severity,
    report::Progress,
    runner::{self, Wants},
    source::Environment,
};

/// Arguments of `admit hook pre-commit`.
#[derive(Debug, clap::Args)]
pub(crate) struct PreCommitArgs {
    #[command(flatten)]
    law: LawArgs,
    /// Threads [default: one for each core]
    #[arg(short, long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    jobs: usize,
}

/// Runs the hook; `now` is in nanoseconds since 1970.
pub(super) fn run(args: &PreCommitArgs, now: i128, environment: &Environment) -> Result<u8, RunError> {
    let progress = Progress::start(false);
    let work = || {
        let case = change::staged(environment, &args.law.in_hook(), &progress)?;
        Ok((case.judge(now, Wants::default(), &progress), case.law.n_policies))
    };
    let done: Result<_, RunError> =
        runner::on_threads(args.jobs, work).map_err(|error| RunError::from_error(&error))?;
    let ((report, _), n_policies) = done?;
    // Nothing that judges is no reason to keep anybody from a first commit; the server has the last word.
    if n_policies > 0 && !report.findings.is_empty() {
        Voice::new(environment).say(&say::text(&report));
    }
    Ok(u8::from(report.worst() == Some(Severity::Error)))
}
