//! `admit hook explain`: a push of the past is judged again, on the same objects, by the same law, at the same time.
//!
//! In: the audit log and the repository. Out: what the hook said, in full, and whether the verdict is the same. Flags
//! that named files of the server name them still: what stands in them may have changed since.

use std::{
    fmt::Write as _,
    io::Write,
    path::{Path, PathBuf},
};

use super::{
    audit::{self, Record, RefRecord},
    judge::{Bench, Judged, Verdict},
};
use crate::{
    commands::{RunError, check::LawArgs, workspace::from_source},
    config::{Guard, Trust},
    report::{self, Options, escape},
    runner::{self, Wants},
    source::{Comparison, Environment, Pusher, Repository, Revision, SourceError, push::RefUpdate},
};

/// Arguments of `admit hook explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArgs {
    /// The push, by the first digits of its `id` in the log [default: the last one]
    id: Option<String>,
    /// The audit log [default: admit/audit.jsonl in the repository]
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// List the pushes of the log, the last one first
    #[arg(long, conflicts_with_all = ["id", "trace"])]
    list: bool,
    /// Say of each object and rule how the verdict came about
    #[arg(long)]
    trace: bool,
}

/// Columns of the list and of the report.
const WIDTH: usize = 100;

/// Judges the push again. Exit code 0: the verdict is the same as then.
pub(super) fn run(args: &ExplainArgs, environment: &Environment, out: &mut dyn Write) -> Result<u8, RunError> {
    let repository = Repository::open(environment.current_dir(), environment).map_err(|error| from_source(&error))?;
    let path = audit::path(args.log.as_ref(), repository.git_dir());
    let path = environment.current_dir().join(path);
    let failed = |error| RunError::new(format!("the audit log {} can't be read: {error}", path.display()));
    let (records, broken) = audit::read(&path).map_err(failed)?;
    let mut text = String::new();
    if broken > 0 {
        let _ = writeln!(text, "warning: {broken} lines of {} are no records", path.display());
    }
    let mut code = 0;
    if args.list {
        for record in records.iter().rev() {
            text.push_str(&row(record));
        }
    } else {
        let record = find(&records, args.id.as_deref())?;
        let (said, is_same) = again(record, repository, environment, args.trace, &path)?;
        text.push_str(&said);
        code = u8::from(!is_same);
    }
    // Whoever reads may have gone.
    let _ = out.write_all(text.as_bytes());
    Ok(code)
}

fn row(record: &Record) -> String {
    let refs: Vec<_> = record.refs.iter().map(|it| escape::line(&it.name)).collect();
    let who = record.pusher.as_deref().map_or_else(|| "?".to_owned(), escape::line);
    let (id, time, verdict) = (escape::line(&record.id), escape::line(&record.time), escape::line(&record.verdict));
    format!("{id}  {time:.20}  {verdict:<9}  {who}  {}\n", refs.join(" "))
}

/// The record whose id begins so, or the last.
fn find<'r>(records: &'r [Record], id: Option<&str>) -> Result<&'r Record, RunError> {
    let Some(id) = id else {
        return records.last().ok_or_else(|| RunError::new("the audit log is empty"));
    };
    let mut found = records.iter().filter(|it| it.id.starts_with(id));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(RunError::new(format!("no push `{id}` is in the audit log")).hint("list them: --list")),
        (Some(_), Some(_)) => Err(RunError::new(format!("several pushes begin with `{id}`")).hint("list them: --list")),
    }
}

/// Judges every ref again. The flag says whether the verdicts are those of then.
fn again(
    record: &Record,
    repository: Repository,
    environment: &Environment,
    traces: bool,
    log: &Path,
) -> Result<(String, bool), RunError> {
    let time: jiff::Timestamp =
        record.time.parse().map_err(|_| RunError::new("the record names no time at which it was judged"))?;
    let law = LawArgs {
        policies: record.policies.clone(),
        exceptions: record.exceptions.clone(),
        cluster: record.cluster.clone(),
        no_exceptions: record.no_exceptions,
        exception_namespace: record.exception_namespace.clone(),
        ..LawArgs::default()
    };
    let mut bench = Bench {
        repository,
        environment: environment.clone(),
        law,
        trust: None,
        guard: Some(Guard::everything()),
        remote: None,
        pusher: record.pusher.clone().map(|name| Pusher { name, email: None }),
        now: time.as_nanosecond(),
    };
    let who = record.pusher.as_deref().map(|it| format!(" by {}", escape::line(it))).unwrap_or_default();
    let mut out = format!("push {} of {}{who}: {}", record.id, record.time, escape::line(&record.verdict));
    if let Some(reason) = &record.bypass {
        let _ = write!(out, ", because: {}", escape::line(reason));
    }
    out.push_str("\n\n");
    let mut is_same = true;
    for it in &record.refs {
        let _ = writeln!(out, "{}: {}", escape::line(&it.name), escape::line(&it.verdict));
        if !matches!(&*it.verdict, "accepted" | "refused") {
            continue;
        }
        if let Some(error) = &it.error {
            let _ = writeln!(out, "{}", escape::paragraph(error));
        }
        bench.trust = it.trust.as_deref().and_then(|name| Trust::ALL.iter().find(|it| it.0 == name)).map(|it| it.1);
        let work = || judge(&bench, it, traces);
        let judged = match runner::on_threads(0, work).map_err(|error| RunError::from_error(&error))? {
            Ok(judged) => judged,
            Err(SourceOr::Source(error @ SourceError::UnknownRevision { .. })) => {
                let what = format!("admit hook explain {} --log {}", record.id, log.display());
                return Err(from_source(&error)
                    .hint("what a refused push brings is gone with it, on the server")
                    .hint(format!("run this in the clone that pushed: {what}")));
            }
            Err(SourceOr::Source(error)) => return Err(from_source(&error)),
            // It could not be judged then, and it can't now.
            Err(SourceOr::Run(_)) if it.error.is_some() => continue,
            Err(SourceOr::Run(error)) => return Err(error),
        };
        if let Some(report) = &judged.report {
            let options = Options { width: WIDTH, max_findings: usize::MAX, ..Options::default() };
            let mut text = Vec::new();
            if let Some(format) = report::format("text") {
                let _ = (format.write)(report, &options, &mut text);
            }
            out.push_str(&String::from_utf8_lossy(&text));
        }
        let is = judged.verdict.name();
        if is == it.verdict {
            let _ = writeln!(out, "the verdict is the same as then");
        } else {
            is_same = false;
            let versions = format!("admit {} then, {} now", escape::line(&record.admit), env!("CARGO_PKG_VERSION"));
            let _ = writeln!(out, "the verdict is another than then: {is} ({versions})");
        }
    }
    Ok((out, is_same))
}

/// Why a ref can't be judged again.
enum SourceOr {
    Source(SourceError),
    Run(RunError),
}

fn judge(bench: &Bench, record: &RefRecord, traces: bool) -> Result<Judged, SourceOr> {
    let wrong = || SourceOr::Run(RunError::new("the record names no objects"));
    let (old, new) = (record.old.parse().map_err(|_| wrong())?, record.new.parse().map_err(|_| wrong())?);
    let update = RefUpdate { name: record.name.clone(), old, new };
    let revision = |id: &str, name: &str| -> Result<Revision, SourceOr> {
        // A name that is no id could be anything.
        id.parse::<crate::source::Oid>().map_err(|_| wrong())?;
        let found = bench.repository.resolve(id).map_err(SourceOr::Source)?;
        Ok(Revision { name: name.to_owned(), ..found })
    };
    let name = record.name.strip_prefix("refs/heads/").unwrap_or(&record.name);
    let before = |id: &Option<String>, name: &str| id.as_deref().map(|id| revision(id, name)).transpose();
    let base_name = if old.is_zero() || !update.is_branch() { "the default branch" } else { name };
    let comparison = Comparison {
        old: before(&record.compared, name)?,
        new: revision(&record.new, name)?,
        base: before(&record.base, base_name)?,
    };
    if record.error.is_some() && record.trust.is_none() && comparison.base.is_none() && comparison.old.is_none() {
        // It was refused before anybody knew what to compare it with.
        return Ok(Judged {
            verdict: Verdict::Refused,
            ..Judged::failed(&update, &RunError::new("it was not judged"))
        });
    }
    bench.compare(&update, comparison, Wants { traces, quiet: false }).map_err(SourceOr::Run)
}
