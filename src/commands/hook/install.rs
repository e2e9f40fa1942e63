//! `admit hook install`: the right script at the place where the server looks for it.
//!
//! In: the kind of server and the flags of the hook. Out: an executable file that came into place whole. A hook that
//! somebody else has put there is not touched unless that is asked for, and is kept beside it then.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use super::place::PlaceArgs;
use crate::{commands::RunError, report::escape, source::Environment};

/// Arguments of `admit hook install`.
#[derive(Debug, clap::Args)]
pub(crate) struct InstallArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// The program as the server finds it [default: this one]
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
    /// Take the place of another hook, which is kept with `.before-admit` behind its name
    #[arg(long)]
    replace: bool,
    /// Print the script, and where it would go
    #[arg(long)]
    dry_run: bool,
    /// Flags of the hook
    #[arg(last = true, value_name = "FLAG")]
    flags: Vec<String>,
}

/// Installs the hook.
pub(super) fn run(args: &InstallArgs, environment: &Environment, out: &mut dyn Write) -> Result<u8, RunError> {
    let found = args.place.find(environment)?;
    let program = match &args.program {
        Some(path) => path.display().to_string(),
        None => this_program()?,
    };
    let script = args.place.script(&program, &args.flags);
    let shown = escape::line(&found.path.display().to_string());
    let mut say = |text: String| {
        let _ = out.write_all(text.as_bytes());
    };
    if args.dry_run {
        say(format!("# {shown}\n{script}"));
        return Ok(0);
    }
    let failed = |error: std::io::Error| RunError::new(format!("{shown} can't be written: {error}"));
    match existing(&found.path) {
        Existing::Nothing | Existing::Ours => {}
        Existing::Other if args.replace => {
            let kept = PathBuf::from(format!("{}.before-admit", found.path.display()));
            fs::rename(&found.path, &kept).map_err(failed)?;
            say(format!("kept what was there as {}\n", escape::line(&kept.display().to_string())));
        }
        Existing::Other => {
            return Err(RunError::new(format!("{shown} is there already, and it is none of admit"))
                .hint("let it call `admit hook` itself, or take its place: --replace"));
        }
    }
    write(&found.path, &script).map_err(failed)?;
    say(format!("installed {shown}\n"));
    if let Some(rest) = &found.rest {
        say(format!("what is left to do: {rest}\n"));
    }
    if found.repository.is_some() {
        say("whether it works, as the user that the server runs as: admit hook doctor\n".to_owned());
    }
    Ok(0)
}

/// What stands where the hook belongs.
enum Existing {
    Nothing,
    Ours,
    Other,
}

#[expect(clippy::disallowed_methods, reason = "a hook is no input of a verdict")]
fn existing(path: &Path) -> Existing {
    match fs::symlink_metadata(path) {
        Err(_) => Existing::Nothing,
        Ok(it) if it.is_file() && fs::read_to_string(path).is_ok_and(|it| it.contains("\" hook ")) => Existing::Ours,
        Ok(_) => Existing::Other,
    }
}

fn write(path: &Path, script: &str) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory)?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755));
    let mut file = builder.prefix(".admit-").tempfile_in(directory)?;
    file.write_all(script.as_bytes())?;
    #[cfg(unix)]
    {
        // Whoever made the file may mask what others may do with it; a server has to run it.
        let mode: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        file.as_file().set_permissions(mode)?;
    }
    file.persist(path)?;
    Ok(())
}

fn this_program() -> Result<String, RunError> {
    let path = std::env::current_exe().map_err(|error| RunError::new(format!("where this program is: {error}")))?;
    Ok(path.display().to_string())
}
