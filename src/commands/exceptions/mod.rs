//! `admit exceptions`: the register of exceptions, with what each of them really does.

mod added;
mod generate;

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
};

use super::{
    RunError,
    check::{Case, LawArgs, revision, tree},
    workspace::{Workspace, from_source},
};
use crate::{
    report::{
        Progress,
        register::{self, Form, Register},
    },
    runner,
    source::{Environment, Oid, Repository},
};

/// Arguments of `admit exceptions`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ExceptionsArgs {
    #[command(subcommand)]
    command: Option<ExceptionsCommand>,
    /// Files and directories whose objects are looked at [default: the repository]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Look at a commit instead of the working tree, in a bare repository, too
    #[arg(long, value_name = "REV", conflicts_with = "paths")]
    pub(crate) rev: Option<String>,
    #[command(flatten)]
    pub(crate) law: LawArgs,
    /// How to write the register
    #[arg(long, value_enum, default_value_t = FormatArg::Table)]
    pub(crate) format: FormatArg,
    /// Write it to a file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Don't look into the history for who added each exception
    #[arg(long)]
    pub(crate) no_history: bool,
    /// Threads [default: one for each core]
    #[arg(short, long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) jobs: usize,
}

/// What else there is to do with exceptions.
#[derive(Debug, clap::Subcommand)]
enum ExceptionsCommand {
    /// Write narrow exceptions for findings, and prove that they cover these and nothing else
    Generate(Box<generate::GenerateArgs>),
}

/// How to write the register.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum FormatArg {
    /// For people
    Table,
    /// For programs, everything that is known
    Json,
    /// For the summary of a CI job
    Markdown,
    /// One page for a browser
    Html,
}

/// Runs `admit exceptions`; `now` is in nanoseconds since 1970.
pub(crate) fn run(
    args: &ExceptionsArgs,
    now: i128,
    environment: &Environment,
    out: &mut (dyn io::Write + Send),
) -> Result<u8, RunError> {
    if let Some(ExceptionsCommand::Generate(args)) = &args.command {
        return generate::run(args, now, environment, out);
    }
    let progress = Progress::start(false);
    let work = || read(args, now, environment, &progress);
    let register = runner::on_threads(args.jobs, work).map_err(|error| RunError::from_error(&error))??;
    let form = match args.format {
        FormatArg::Table => Form::Table,
        FormatArg::Json => Form::Json,
        FormatArg::Markdown => Form::Markdown,
        FormatArg::Html => Form::Html,
    };
    match &args.output {
        Some(path) => write_file(&register, form, path)?,
        None => match register::write(&register, form, out) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                return Err(RunError::new(format!("standard output can't be written: {error}")));
            }
            _ => {}
        },
    }
    Ok(0)
}

#[expect(clippy::disallowed_methods, reason = "the register goes where the user says")]
fn write_file(register: &Register, form: Form, path: &PathBuf) -> Result<(), RunError> {
    let failed = |error: io::Error| RunError::new(format!("`{}` can't be written: {error}", path.display()));
    let mut out = io::BufWriter::new(fs::File::create(path).map_err(failed)?);
    register::write(register, form, &mut out).and_then(|()| out.flush()).map_err(failed)
}

fn read(
    args: &ExceptionsArgs,
    now: i128,
    environment: &Environment,
    progress: &Progress,
) -> Result<Register, RunError> {
    let (case, repository, head, what) = source(args, environment, progress)?;
    let mut rows = case.register(now, progress);
    let notes = match &repository {
        Some(repository) if !args.no_history && !rows.is_empty() => added::add(&mut rows, &case, repository, head),
        _ => Vec::new(),
    };
    let now = jiff::Timestamp::from_nanosecond(now).unwrap_or_default();
    Ok(Register { rows, what, now, notes })
}

/// What is looked at: the case, its repository and the commit whose history tells of it, and how to call it.
fn source(
    args: &ExceptionsArgs,
    environment: &Environment,
    progress: &Progress,
) -> Result<(Case, Option<Repository>, Option<Oid>, String), RunError> {
    if let Some(rev) = &args.rev {
        let (case, repository, revision) = revision::read(environment, rev, &args.law, progress)?;
        let what = format!("at {revision}");
        return Ok((case, Some(repository), revision.commit, what));
    }
    let case = tree::read(&args.paths, environment, &args.law, progress, &mut io::stdin())?;
    let paths: Vec<PathBuf> = args.paths.iter().filter(|it| it.as_os_str() != "-").cloned().collect();
    let repository = Workspace::find(&paths, environment)?.repository;
    let head = match &repository {
        Some(repository) => repository.head().map_err(|error| from_source(&error))?.and_then(|it| it.commit),
        None => None,
    };
    Ok((case, repository, head, "in the working tree".to_owned()))
}
