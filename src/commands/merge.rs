//! `admit merge`: the reports of all parts of a run with `--shard`, as the one report of the whole.
//!
//! In: JSON reports. Out: findings, their order, the verdict and the exit code of the undivided run. A part that is missing
//! ends the run: nobody knows what it would have said.

use std::path::PathBuf;

use super::{RunError, baseline::Baseline, output::OutputArgs};
use crate::{
    report::{Checked, read},
    source::{At, Entry, Environment, Reader},
};

/// Bytes of a report that are read.
const MAX_BYTES: u64 = 1 << 30;

/// Arguments of `admit merge`.
#[derive(Debug, clap::Args)]
pub(crate) struct MergeArgs {
    /// The reports that `admit check --shard I/N --format json` wrote, of all parts, in any order
    #[arg(value_name = "REPORT", required = true)]
    reports: Vec<PathBuf>,
    /// What is known and fails nothing, as `admit baseline` wrote it
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs `admit merge`.
pub(crate) fn run(args: &MergeArgs, environment: &Environment) -> Result<u8, RunError> {
    args.output.validate()?;
    let mut parts = Vec::new();
    for path in &args.reports {
        let shown = path.display().to_string();
        let entry = Entry { path: shown.as_str().into(), at: At::Named(environment.current_dir().join(path)) };
        let failed = |error: RunError| error.about(&format!("`{shown}`"));
        let blob = Reader::files(MAX_BYTES).read(&entry).map_err(|skip| failed(RunError::new(skip.to_string())))?;
        parts.push(read::read(&blob.bytes).map_err(|error| failed(RunError::from_error(&error)))?);
    }
    let (mut report, whole) = read::merge(parts)
        .map_err(|error| RunError::from_error(&error).hint("give the reports of all parts of one run, each once"))?;
    if let Some(path) = &args.baseline {
        Baseline::read(path, None, environment)?.apply(&mut report, whole.is_root);
    }
    // Parts list them for whatever format the whole is wanted in.
    if !args.output.wants_quiet() {
        report.quiet.clear();
    }
    args.output.finish(&report, whole.checked == Checked::Something)
}
