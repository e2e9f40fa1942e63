//! `admit hook pre-receive`: a push is judged before any ref moves.
//!
//! In: the lines that Git gives to the hook, `OLD NEW REF`. Out: 0 lets the whole push through, anything else refuses
//! all of it. What can't be judged is refused. <https://git-scm.com/docs/githooks#pre-receive>

use std::io::{self, Read as _, Write as _};

use super::super::{
    RunError,
    check::{LawArgs, change::Change},
    workspace::from_source,
};
use crate::{
    finding::Severity,
    report::{self, Options, Progress, Report},
    runner::{self, Wants},
    source::{Comparison, Environment, Oid, Repository, Revision},
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
    /// Threads [default: one for each core]
    #[arg(short, long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    jobs: usize,
}

/// One ref of a push.
#[derive(Debug, PartialEq, Eq)]
struct Update {
    old: Oid,
    new: Oid,
    name: String,
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
    for line in input.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        // Every ref is judged, so that whoever pushes sees all that is wrong at once.
        let judged = parse(&String::from_utf8_lossy(line)).and_then(|update| {
            judge(args, environment, &repository, &update, now).map_err(|error| error.about(&update.name))
        });
        code = code.max(judged.unwrap_or_else(|error| failed(&error)));
    }
    Ok(code)
}

/// Says something to whoever pushes. They may be gone; the verdict stands.
fn tell(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn parse(line: &str) -> Result<Update, RunError> {
    let wrong = || RunError::new(format!("`{line}` is not `OLD NEW REF`")).hint("this command is run by Git");
    let mut words = line.splitn(3, ' ');
    let mut oid = || words.next().and_then(|it| it.parse().ok()).ok_or_else(wrong);
    let (old, new) = (oid()?, oid()?);
    let name = words.next().ok_or_else(wrong)?.to_owned();
    Ok(Update { old, new, name })
}

fn judge(
    args: &PreReceiveArgs,
    environment: &Environment,
    repository: &Repository,
    update: &Update,
    now: i128,
) -> Result<u8, RunError> {
    let Some(branch) = update.name.strip_prefix("refs/heads/") else { return Ok(0) };
    // A branch that goes away brings nothing to a cluster.
    if update.new.is_zero() {
        return Ok(0);
    }
    let comparison = comparison(repository, update, branch)?;
    let again = again(&comparison);
    let change = Change::new(repository, environment, comparison)?;
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

/// What is compared: a branch with what it was, a new one with where it left the default branch.
///
/// A new branch is judged by the policies of the default branch as it is now; only the first of all has none but its
/// own.
fn comparison(repository: &Repository, update: &Update, branch: &str) -> Result<Comparison, RunError> {
    let resolve = |it: &str| repository.resolve(it).map_err(|error| from_source(&error));
    let named = |it: Revision, name: &str| Revision { name: name.to_owned(), ..it };
    let new = named(resolve(&update.new.to_string())?, branch);
    if !update.old.is_zero() {
        let old = named(resolve(&update.old.to_string())?, branch);
        return Ok(Comparison { base: Some(old.clone()), old: Some(old), new });
    }
    let Some(base) = default_branch(repository)? else { return Ok(Comparison { old: None, new, base: None }) };
    let old = match (base.commit, new.commit) {
        (Some(one), Some(two)) => repository.merge_base(one, two).map_err(|error| from_source(&error))?,
        _ => None,
    };
    let old = old.map(|it| resolve(&it.to_string())).transpose()?;
    Ok(Comparison { old, new, base: Some(base) })
}

/// The branch whose policies judge new ones; `None` in an empty repository.
fn default_branch(repository: &Repository) -> Result<Option<Revision>, RunError> {
    if let Some(head) = repository.head().map_err(|error| from_source(&error))? {
        return Ok(Some(head));
    }
    match repository.branches(2).map_err(|error| from_source(&error))?.as_slice() {
        [] => Ok(None),
        [only] => repository.resolve(only).map(Some).map_err(|error| from_source(&error)),
        _ => Err(RunError::new("HEAD names no branch that exists, so that no policies judge new ones")
            .hint("on the server: git symbolic-ref HEAD refs/heads/main")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_two_ids_and_a_ref() {
        let id = "1".repeat(40);
        let update = parse(&format!("{id} {id} refs/heads/a b")).unwrap();
        assert_eq!(update.name, "refs/heads/a b");
        assert!(parse(&format!("{id} refs/heads/a")).is_err());
        assert!(parse("").is_err());
    }
}
