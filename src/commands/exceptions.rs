//! `admit exceptions`: the register of exceptions, with what each of them really does.

use std::{io, path::PathBuf};

use super::{
    RunError,
    check::{LawArgs, tree},
};
use crate::{
    report::{
        Progress,
        register::{self, Form},
    },
    runner,
    source::Environment,
};

/// Arguments of `admit exceptions`.
#[derive(Debug, clap::Args)]
pub(crate) struct ExceptionsArgs {
    /// Files and directories whose objects are looked at [default: the repository]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) law: LawArgs,
    /// How to write the register
    #[arg(long, value_enum, default_value_t = FormatArg::Table)]
    pub(crate) format: FormatArg,
    /// Threads [default: one for each core]
    #[arg(short, long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) jobs: usize,
}

/// How to write the register.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum FormatArg {
    /// For people
    Table,
    /// For programs, everything that is known
    Json,
    /// For a summary or a page
    Markdown,
}

/// Runs `admit exceptions`; `now` is in nanoseconds since 1970.
pub(crate) fn run(
    args: &ExceptionsArgs,
    now: i128,
    environment: &Environment,
    out: &mut (dyn io::Write + Send),
) -> Result<u8, RunError> {
    let progress = Progress::start(false);
    let work = || {
        let case = tree::read(&args.paths, environment, &args.law, &progress, &mut io::stdin())?;
        Ok(case.register(now, &progress))
    };
    let rows = runner::on_threads(args.jobs, work).map_err(|error| RunError::from_error(&error))??;
    let form = match args.format {
        FormatArg::Table => Form::Table,
        FormatArg::Json => Form::Json,
        FormatArg::Markdown => Form::Markdown,
    };
    match register::write(&rows, form, out) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(RunError::new(format!("standard output can't be written: {error}")))
        }
        _ => Ok(0),
    }
}
