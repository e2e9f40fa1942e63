//! `admit completions` and `admit man`: what a shell and `man` know of the command line, made from its own description.

use std::io;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use super::RunError;

/// Arguments of `admit completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Arguments of `admit man`.
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// The subcommand whose page is wanted, as in `check` or `hook install` [default: `admit` itself]
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

/// Runs `admit completions`: the script for a shell. `C` is the whole command line.
pub(crate) fn completions<C: CommandFactory>(args: &CompletionsArgs, out: &mut dyn io::Write) -> Result<u8, RunError> {
    // The generators write to memory without fail, and panic where a pipe is closed.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut C::command(), "admit", &mut script);
    write(out, &script)
}

/// Runs `admit man`: a page in roff, for `man -l -`. `C` is the whole command line.
pub(crate) fn man<C: CommandFactory>(args: &ManArgs, out: &mut dyn io::Write) -> Result<u8, RunError> {
    let mut command = C::command();
    command.build();
    for name in &args.command {
        let found = command.find_subcommand(name).cloned();
        command = found.ok_or_else(|| {
            let of = command.get_bin_name().unwrap_or("admit");
            let known: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
            let hint = if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
            RunError::new(format!("`{of}` has no subcommand `{name}`")).hint(hint)
        })?;
    }
    let mut page = Vec::new();
    let failed = |error: io::Error| RunError::new(format!("the page can't be made: {error}"));
    Man::new(command).source(concat!("admit ", env!("CARGO_PKG_VERSION"))).render(&mut page).map_err(failed)?;
    write(out, &page)
}

fn write(out: &mut dyn io::Write, text: &[u8]) -> Result<u8, RunError> {
    match out.write_all(text) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(RunError::new(format!("standard output can't be written: {error}")))
        }
        _ => Ok(0),
    }
}
