//! `admit hook pre-receive`: a push is judged before any ref moves.
//!
//! In: the lines that Git gives to the hook, `OLD NEW REF`. Out: 0 lets the whole push through, anything else refuses
//! all of it. What can't be judged is refused. <https://git-scm.com/docs/githooks#pre-receive>

use std::io::{self, Read as _, Write as _};

use clap::ValueEnum as _;

use super::super::{
    RunError,
    check::{LawArgs, change::Change},
    workspace::from_source,
};
use crate::{
    finding::Severity,
    report::{self, Options, Progress, Report},
    runner::{self, Wants},
    source::{
        Comparison, Environment, Repository, Revision, Server,
        push::{self, Base, Pushed, RefUpdate},
    },
};

/// Columns of what a pusher sees: `remote: ` comes before it.
const WIDTH: usize = 72;

/// Findings shown in full for each ref.
const MAX_FINDINGS: usize = 10;

/// Lines for each ref after which no further finding is begun.
const MAX_LINES: usize = 120;

/// Arguments of `admit hook pre-receive`.
#[derive(Debug, clap::Args)]
pub(crate) struct PreReceiveArgs {
    #[command(flatten)]
    law: LawArgs,
    /// The server that runs the hook: only then who pushes is taken from its variables
    #[arg(long, value_enum, value_name = "SERVER")]
    server: Option<Server>,
    /// Threads [default: one for each core]
    #[arg(short, long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    jobs: usize,
}

/// Runs the hook; `now` is in nanoseconds since 1970.
pub(crate) fn run(args: &PreReceiveArgs, now: i128, environment: &Environment) -> Result<u8, RunError> {
    // A line may hold a name that is no UTF-8.
    let mut input = Vec::new();
    io::stdin()
        .lock()
        .read_to_end(&mut input)
        .map_err(|error| RunError::new(format!("standard input can't be read: {error}")))?;
    let mut code = 0;
    let failed = |error: &RunError| {
        tell(&report::wrap(&error.to_string(), WIDTH, "  "));
        error.code()
    };
    let repository = match Repository::open(environment.current_dir(), environment) {
        Ok(repository) => repository,
        Err(error) => return Ok(failed(&from_source(&error))),
    };
    let updates = match push::parse(&input) {
        Ok(updates) => updates,
        Err(error) => return Ok(failed(&from_source(&error))),
    };
    for update in &updates {
        // Every ref is judged, so that whoever pushes sees all that is wrong at once.
        let judged = judge(args, environment, &repository, update, now).map_err(|error| error.about(&update.name));
        code = code.max(judged.unwrap_or_else(|error| failed(&error)));
    }
    Ok(code)
}

/// Says something to whoever pushes. They may be gone; the verdict stands.
fn tell(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn judge(
    args: &PreReceiveArgs,
    environment: &Environment,
    repository: &Repository,
    update: &RefUpdate,
    now: i128,
) -> Result<u8, RunError> {
    let Some(branch) = update.name.strip_prefix("refs/heads/") else { return Ok(0) };
    let mut comparison = match push::resolve(repository, update).map_err(|error| from_source(&error))? {
        Pushed::Tree { comparison: Comparison { base: None, .. }, base: Base::Lost } => {
            return Err(RunError::new(
                "what it held before is not here, and no other branch is, so that no policies count",
            ));
        }
        Pushed::Tree { comparison, .. } => comparison,
        // A branch that goes away brings nothing to a cluster, and Git itself takes nothing but commits for one.
        Pushed::Removed | Pushed::NoTree => return Ok(0),
    };
    branch.clone_into(&mut comparison.new.name);
    if let Some(base) = &mut comparison.base {
        if update.old.is_zero() { "the default branch" } else { branch }.clone_into(&mut base.name);
    }
    let again = again(&comparison);
    let pusher = args.server.and_then(|it| it.pusher(environment));
    let change = Change::new(repository, environment, comparison)?.pushed_by(pusher).vouched_by(&args.law);
    if !change.settings().guards(branch) {
        return Ok(0);
    }
    let progress = Progress::start(false);
    let work = || change.case(&args.law, &progress).map(|case| case.judge(now, Wants::default(), &progress));
    let (report, checked) = runner::on_threads(args.jobs, work).map_err(|error| RunError::from_error(&error))??;
    let is_refused = !checked || report.worst() == Some(Severity::Error);
    if is_refused || !report.findings.is_empty() {
        let verdict = if is_refused { "refused" } else { "let through" };
        tell(&format!("admit: {} {verdict}\n\n", report::escape::line(&update.name)));
        tell(&text(&report));
    }
    let asks_who = report.findings.iter().any(|it| it.id == "GOV002");
    if let (true, None, Some(server)) = (asks_who, args.server, Server::detect(environment)) {
        let name = server.to_possible_value().map(|it| it.get_name().to_owned()).unwrap_or_default();
        tell(&format!("hint: with --server {name} in the hook it is known who pushes\n"));
    }
    if !checked {
        tell("hint: name policies in the hook: --policies /etc/admit/policies\n");
    } else if is_refused && args.law.policies.is_empty() {
        tell(&again.map(|it| format!("hint: {it}\n")).unwrap_or_default());
    }
    Ok(u8::from(is_refused))
}

/// What shows the same to whoever pushes; `None` for a branch without history, which only the server judges by a law
/// that is not its own.
fn again(comparison: &Comparison) -> Option<String> {
    let short = |it: &Revision| it.commit.unwrap_or(it.tree).to_string().chars().take(10).collect::<String>();
    match (&comparison.base, &comparison.old) {
        (None, _) => Some("admit check".to_owned()),
        (Some(_), None) => None,
        (Some(base), Some(old)) => {
            let dots = if base.tree == old.tree { ".." } else { "..." };
            Some(format!("admit check --diff {}{dots}{}", short(base), short(&comparison.new)))
        }
    }
}

fn text(report: &Report) -> String {
    let options = Options { width: WIDTH, max_findings: MAX_FINDINGS, max_lines: MAX_LINES, ..Options::default() };
    let mut out = Vec::new();
    // Writing to memory doesn't fail.
    if let Some(format) = report::format("text") {
        let _ = (format.write)(report, &options, &mut out);
    }
    String::from_utf8_lossy(&out).into_owned()
}
