//! `admit hook pre-receive`: a push is judged before any ref moves.
//!
//! In: the lines that Git gives to the hook, `OLD NEW REF`. Out: 0 lets the whole push through, anything else refuses
//! all of it. What can't be judged is refused. <https://git-scm.com/docs/githooks#pre-receive>

use std::io::{self, BufRead as _};

use globset::{Glob, GlobSetBuilder};

use super::super::{
    RunError,
    check::{LawArgs, change},
    workspace::from_source,
};
use crate::{
    config::Settings,
    report::{self, Options, Progress},
    runner::{self, Wants},
    source::{Comparison, Environment, Oid, Repository, Revision},
};

/// Columns of what a pusher sees: `remote: ` comes before it.
const WIDTH: usize = 72;

/// Findings shown in full for each ref.
const MAX_FINDINGS: usize = 10;

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
    let repository = Repository::open(environment.current_dir(), environment).map_err(|error| from_source(&error))?;
    let mut code = 0;
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|error| RunError::new(format!("standard input can't be read: {error}")))?;
        let update = parse(&line)?;
        code = code.max(judge(args, &repository, &update, now)?);
    }
    Ok(code)
}

fn parse(line: &str) -> Result<Update, RunError> {
    let wrong = || RunError::new(format!("`{line}` is not `OLD NEW REF`")).hint("this command is run by Git");
    let mut words = line.splitn(3, ' ');
    let mut oid = || words.next().and_then(|it| it.parse().ok()).ok_or_else(wrong);
    let (old, new) = (oid()?, oid()?);
    let name = words.next().ok_or_else(wrong)?.to_owned();
    Ok(Update { old, new, name })
}

fn judge(args: &PreReceiveArgs, repository: &Repository, update: &Update, now: i128) -> Result<u8, RunError> {
    let Some(branch) = update.name.strip_prefix("refs/heads/") else { return Ok(0) };
    // A branch that goes away brings nothing to a cluster.
    if update.new.is_zero() {
        return Ok(0);
    }
    let new = repository.resolve(&update.new.to_string()).map_err(|error| from_source(&error))?;
    let old = base(repository, update)?;
    let named = |it: Revision, name: &str| Revision { name: name.to_owned(), ..it };
    let comparison = Comparison { old: old.map(|it| named(it, branch)), new: named(new, branch) };
    let settings = change::settings_before(repository, &comparison)?;
    if !guards(&settings, branch)? {
        return Ok(0);
    }
    let progress = Progress::start(false);
    let work = || change::compare(repository, &comparison, &args.law, &progress);
    let work = || work().map(|case| case.judge(now, Wants::default(), &progress));
    let (report, checked) = runner::on_threads(args.jobs, work).map_err(|error| RunError::from_error(&error))??;
    if !checked {
        return Err(RunError::new(format!("{}: no policy was found to judge this push by", update.name))
            .hint("name them in the hook: --policies /etc/admit/policies"));
    }
    let refused = report.worst() == Some(crate::finding::Severity::Error);
    if !report.findings.is_empty() {
        let options = Options { width: WIDTH, max_findings: MAX_FINDINGS, ..Options::default() };
        let text = report::format("text").map(|format| {
            let mut out = Vec::new();
            (format.write)(&report, &options, &mut out).map(|()| out)
        });
        let verdict = if refused { "refused" } else { "let through" };
        let head = format!("admit: {} {verdict}\n\n", report::escape::line(&update.name));
        let mut out = head.into_bytes();
        out.extend(text.transpose().unwrap_or_default().unwrap_or_default());
        // The pusher may be gone; the verdict stands.
        let _ = io::Write::write_all(&mut io::stderr(), &out);
    }
    Ok(u8::from(refused))
}

/// What the change is compared with: the branch as it is, or for a new one the default branch, if there is one.
fn base(repository: &Repository, update: &Update) -> Result<Option<Revision>, RunError> {
    if update.old.is_zero() {
        return repository.head().map_err(|error| from_source(&error));
    }
    repository.resolve(&update.old.to_string()).map(Some).map_err(|error| from_source(&error))
}

fn guards(settings: &Settings, branch: &str) -> Result<bool, RunError> {
    if settings.guard.is_empty() {
        return Ok(true);
    }
    let mut set = GlobSetBuilder::new();
    for pattern in &settings.guard {
        let glob = Glob::new(pattern).map_err(|error| RunError::new(format!("`guard` in admit.yaml: {error}")))?;
        set.add(glob);
    }
    let set = set.build().map_err(|error| RunError::new(format!("`guard` in admit.yaml: {error}")))?;
    Ok(set.is_match(branch))
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
