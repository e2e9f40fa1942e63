//! The flags of hooks: what judges, and for servers what becomes of the verdict.
//!
//! They stand in the script that an administrator installs. Nothing that is pushed can set any of them.

use std::{path::PathBuf, time::Duration};

use regex::Regex;

use crate::{
    commands::check::LawArgs,
    config::{Guard, Trust},
    source::Server,
};

/// How a change is judged.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct JudgeArgs {
    #[command(flatten)]
    pub(super) law: LawArgs,
    /// Whose policies and exceptions count: base, both, proposed or operator [default: `trust` of admit.yaml, else base]
    #[arg(long, value_name = "SIDE", value_parser = parse_trust, help_heading = "What judges")]
    pub(super) trust: Option<Trust>,
    /// Refs to guard, a glob of full names or of branches; may be given more than once [default: `guard` of admit.yaml]
    #[arg(long, value_name = "GLOB", help_heading = "What judges")]
    pub(super) guard: Vec<String>,
    /// Seconds after which the push is refused, judged or not
    #[arg(long, value_name = "SECONDS", default_value = "4", value_parser = parse_seconds)]
    pub(super) deadline: Duration,
    /// Threads [default: one for each core]
    #[arg(short, long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(super) jobs: usize,
    /// Say how the repository was read, and how long it took
    #[arg(short, long)]
    pub(super) verbose: bool,
}

impl JudgeArgs {
    /// The refs that the flags guard; `None` leaves it to `admit.yaml`.
    pub(super) fn guard(&self) -> Result<Option<Guard>, String> {
        if self.guard.is_empty() { Ok(None) } else { Guard::parse(&self.guard).map(Some) }
    }
}

/// What a server does with a verdict.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ServerArgs {
    /// The server that runs the hook: only then who pushes is taken from its variables
    #[arg(long, value_enum, value_name = "SERVER")]
    pub(super) server: Option<Server>,
    /// Report, and let every push through
    #[arg(long)]
    pub(super) monitor: bool,
    /// Who may let a refused push through with `git push -o admit.bypass=REASON`; may be given more than once
    #[arg(long, value_name = "NAME", requires = "server", conflicts_with = "no_audit")]
    pub(super) bypass_by: Vec<String>,
    /// What the whole reason of a bypass must look like
    #[arg(long, value_name = "REGEX", default_value = r"\S.*", value_parser = parse_reason, requires = "bypass_by")]
    pub(super) bypass_reason: Regex,
    /// Where decisions are written down, a line of JSON for each push [default: admit/audit.jsonl in the repository]
    #[arg(long, value_name = "FILE", conflicts_with = "no_audit")]
    pub(super) audit: Option<PathBuf>,
    /// Write no decision down
    #[arg(long)]
    pub(super) no_audit: bool,
}

fn parse_trust(text: &str) -> Result<Trust, String> {
    let found = Trust::ALL.iter().find(|(name, _)| *name == text).map(|(_, trust)| *trust);
    found.or((text == "head").then_some(Trust::Head)).ok_or_else(|| "no such side".to_owned())
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).ok().filter(|it| !it.is_zero()).ok_or_else(|| "more than 0 seconds".to_owned())
}

fn parse_reason(text: &str) -> Result<Regex, String> {
    Regex::new(&format!("^(?:{text})$")).map_err(|error| error.to_string())
}
