//! The command line: global flags, subcommands, exit codes.
//!
//! In: arguments. Out: the exit code; 0 nothing found, 1 findings, 2 the run could not be done as asked, 3 nothing was
//! checked. `apply` and `test` keep Kyverno's codes.

use std::{
    ffi::OsString,
    io::{self, Write as _},
    time::SystemTime,
};

use clap::{Parser, Subcommand};

use crate::{
    commands::{
        RunError, apply, baseline, cel, check, cmp, completions, config, exceptions, explain, hook, jp, lint, merge,
        test,
    },
    runner::quietly,
    source::Environment,
};

/// Kubernetes admission control moved to Git.
#[derive(Debug, Parser)]
#[command(name = "admit", version, about, max_term_width = 100, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Judge every manifest of a tree, or of a change, by the policies that guard it
    Check(check::CheckArgs),
    /// Write down what `check` finds today, so that only what is new fails from now on
    Baseline(baseline::BaselineArgs),
    /// Join the JSON reports of all parts of a run with --shard
    Merge(merge::MergeArgs),
    /// Look at policies and exceptions themselves: what a cluster would refuse, and what governance says of them
    Lint(lint::LintArgs),
    /// The register: each exception, its owner, its end, and what it really exempts
    Exceptions(exceptions::ExceptionsArgs),
    /// The page of a rule of governance
    Explain(explain::ExplainArgs),
    /// What admit.yaml may say, and which settings count
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// What Git runs before something happens
    #[command(subcommand)]
    Hook(hook::HookCommand),
    /// What Argo CD's plugin server runs in place of its own renderers
    #[command(subcommand)]
    Cmp(cmp::CmpCommand),
    /// Try a JMESPath expression (Kyverno's dialect) on a file or standard input
    Jp(jp::JpArgs),
    /// Try an expression in CEL on a file or standard input
    Cel(cel::CelArgs),
    /// Apply policies to resources, as `kyverno apply` does
    Apply(Box<apply::ApplyArgs>),
    /// Run suites of `kyverno test`
    Test(test::TestArgs),
    /// Print the completions of a shell
    Completions(completions::CompletionsArgs),
    /// Print the manual page of a command
    Man(completions::ManArgs),
}

/// Runs the program: parses `args` (the first is the program's name), does what they ask, gives the exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, everything else is a mistake. A reader that went away is neither.
            let _ = error.print();
            // Kyverno: a flag that is wrong ends with the same code as a failure.
            let stands_in = args.get(1).is_some_and(|it| it == "apply" || it == "test");
            return match (error.use_stderr(), stands_in) {
                (false, _) => 0,
                (true, true) => 1,
                (true, false) => 2,
            };
        }
    };
    let done = quietly(|| dispatch(cli.command)).unwrap_or_else(|message| {
        let hint = "this is a bug in admit: please report it with what was run";
        Err(RunError::new(format!("admit failed: {message}")).hint(hint))
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            let _ = write!(anstream::stderr(), "{error}");
            error.code()
        }
    }
}

fn dispatch(command: Command) -> Result<u8, RunError> {
    match command {
        Command::Check(args) => check::run(&args, now(), &environment()?),
        Command::Baseline(args) => baseline::run(&args, now(), &environment()?, &mut anstream::stdout()),
        Command::Merge(args) => merge::run(&args, &environment()?),
        Command::Lint(args) => lint::run(&args, now(), &environment()?),
        Command::Exceptions(args) => exceptions::run(&args, now(), &environment()?, &mut anstream::stdout()),
        Command::Explain(args) => explain::run(&args, &mut anstream::stdout()),
        Command::Config(command) => config::run(&command, &environment()?, &mut anstream::stdout()),
        Command::Hook(command) => hook::run(&command, now(), &environment()?),
        Command::Cmp(command) => cmp::run(&command, now(), &environment()?, &mut io::stdout()),
        Command::Jp(args) => Ok(jp::run(&args, now(), &mut io::stdin(), &mut io::stdout())?),
        Command::Cel(args) => Ok(cel::run(&args, now(), &mut io::stdin(), &mut io::stdout())?),
        Command::Apply(args) => apply::run(&args, now(), &mut anstream::stdout(), &mut anstream::stderr()),
        Command::Test(args) => test::run(&args, now(), &mut anstream::stdout(), &mut anstream::stderr()),
        Command::Completions(args) => completions::completions::<Cli>(&args, &mut io::stdout()),
        Command::Man(args) => completions::man::<Cli>(&args, &mut io::stdout()),
    }
}

/// The variables that Git sets for its hooks, and the current directory: read once, here, and handed down.
#[expect(clippy::disallowed_methods, reason = "read here and nowhere else")]
fn environment() -> Result<Environment, RunError> {
    let current_dir = std::env::current_dir()
        .map_err(|error| RunError::new(format!("the current directory can't be read: {error}")))?;
    Ok(Environment::new(current_dir, std::env::vars_os()))
}

/// The time of the run in nanoseconds since 1970: read once, here, and handed down.
#[expect(clippy::disallowed_methods, reason = "read here and nowhere else")]
fn now() -> i128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i128)
}
