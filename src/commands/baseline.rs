//! `admit baseline`: what is found today, written down, so that only what is new fails from now on.
//!
//! The file holds one finding a line by its fingerprint, which neither moved lines nor a reworded message change. What
//! it holds is reported as known and fails nothing; what it holds and nobody finds any more is said, too. For a change
//! it is read from the side before it: whoever pushes can't add to what is overlooked.

use std::{
    collections::HashMap,
    io::{self, Write},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    RunError,
    check::{LawArgs, tree},
    output::OutputArgs,
    workspace::from_source,
};
use crate::{
    finding::{Finding, Place, Severity, sort_and_dedup},
    report::{Progress, Report, escape},
    runner::{self, Wants},
    source::{At, Entry, Environment, Reader, Repository, git_tree},
    span::{File, Span},
};

/// Where it is unless somebody says otherwise.
const DEFAULT: &str = ".admit-baseline.json";

/// Bytes of a baseline that are read.
const MAX_BYTES: u64 = 1 << 28;

/// Version of the format.
const VERSION: u32 = 1;

/// Arguments of `admit baseline`.
#[derive(Debug, clap::Args)]
pub(crate) struct BaselineArgs {
    /// Files and directories to judge [default: the repository]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    law: LawArgs,
    /// Only what the cluster itself would refuse
    #[arg(long)]
    no_governance: bool,
    /// The file to write
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT)]
    output: PathBuf,
    /// Threads [default: one for each core]
    #[arg(short, long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    jobs: usize,
}

/// Runs `admit baseline`; `now` is in nanoseconds since 1970.
pub(crate) fn run(
    args: &BaselineArgs,
    now: i128,
    environment: &Environment,
    out: &mut dyn Write,
) -> Result<u8, RunError> {
    let progress = Progress::start(OutputArgs::wants_progress());
    let work = || -> Result<(Report, bool), RunError> {
        let mut case = tree::read(&args.paths, environment, &args.law, &progress, &mut io::stdin())?;
        case.governance = case.governance.filter(|_| !args.no_governance);
        Ok(case.judge(now, Wants::default(), &progress))
    };
    let done = runner::on_threads(args.jobs, work).map_err(|error| RunError::from_error(&error))?;
    progress.finish();
    let (report, checked) = done?;
    let (text, n) = text(&report);
    let path = &args.output;
    let shown = path.display().to_string();
    let failed = |error: io::Error| RunError::new(format!("`{shown}` can't be written: {error}"));
    write_file(path, &text).map_err(failed)?;
    let s = if n == 1 { "" } else { "s" };
    // Whoever reads has seen enough; the file is written.
    let _ = writeln!(
        out,
        "{}: {n} finding{s}; `admit check --baseline` fails on what is not among them",
        escape::path(&shown)
    );
    Ok(if checked { 0 } else { 3 })
}

#[expect(clippy::disallowed_methods, reason = "the baseline goes where the user says")]
fn write_file(path: &Path, text: &str) -> io::Result<()> {
    std::fs::write(path, text)
}

/// The baseline of a report, and how many findings it holds. What could never fail a run is not in it.
fn text(report: &Report) -> (String, usize) {
    let all = report.findings.iter().zip(report.fingerprints());
    let rows: Vec<String> = all
        .filter(|(it, _)| it.counts() && it.severity != Severity::Info)
        .filter_map(|(it, fingerprint)| {
            let row = Row {
                fingerprint,
                id: it.id.clone(),
                path: it.primary.path.to_string(),
                object: it.verdict.as_ref().map(|it| it.resource.title()).unwrap_or_default(),
                message: it.message.clone(),
            };
            serde_json::to_string(&row).ok()
        })
        .map(|row| format!("    {}", escape::json(&row)))
        .collect();
    let list = if rows.is_empty() { String::new() } else { format!("\n{}\n  ", rows.join(",\n")) };
    (format!("{{\n  \"version\": {VERSION},\n  \"findings\": [{list}]\n}}\n"), rows.len())
}

/// One finding of the file. All but the fingerprint is for people.
#[derive(Debug, Deserialize, Serialize)]
struct Row {
    fingerprint: String,
    id: String,
    path: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    object: String,
    #[serde(default)]
    message: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    version: u32,
    findings: Vec<Row>,
}

/// A baseline that was read.
#[derive(Debug)]
pub(crate) struct Baseline {
    file: Arc<File>,
    rows: Vec<Row>,
    note: Option<String>,
}

impl Baseline {
    /// Reads a baseline: for a change from the commit that it goes into, if the repository holds the file there.
    pub(crate) fn read(path: &Path, diff: Option<&str>, environment: &Environment) -> Result<Self, RunError> {
        let shown = path.display().to_string();
        let failed = |error: &dyn std::fmt::Display| RunError::new(format!("--baseline {shown}: {error}"));
        let on_disk = environment.current_dir().join(path);
        let named = || Entry { path: shown.as_str().into(), at: At::Named(on_disk.clone()) };
        let blob = match diff {
            None => Reader::files(MAX_BYTES).read(&named()).map_err(|skip| failed(&skip))?,
            Some(range) => match before(&on_disk, range, environment)? {
                Before::Elsewhere => Reader::files(MAX_BYTES).read(&named()).map_err(|skip| failed(&skip))?,
                Before::Held(blob) => blob,
                Before::Missing(base) => {
                    let note = format!("no baseline: `{shown}` is not in {base}");
                    return Ok(Self { file: File::new("", Vec::new()), rows: Vec::new(), note: Some(note) });
                }
            },
        };
        let whole: Whole =
            serde_json::from_slice(&blob.bytes).map_err(|error| failed(&error).hint("`admit baseline` writes one"))?;
        if whole.version != VERSION {
            return Err(failed(&format!("version {} is not known", whole.version)));
        }
        Ok(Self { file: File::new(shown.as_str(), blob.bytes), rows: whole.findings, note: None })
    }

    /// Marks what the baseline holds as known. Where all of a tree was judged, what it holds and nobody finds any more is
    /// a finding for the record.
    pub(crate) fn apply(&self, report: &mut Report, is_root: bool) {
        let mut known: HashMap<&str, Vec<&Row>> = HashMap::new();
        // Findings that share a fingerprint are numbered in order; which of them goes away does not matter.
        for row in self.rows.iter().rev() {
            known.entry(base(&row.fingerprint)).or_default().push(row);
        }
        for finding in report.findings.iter_mut().filter(|it| it.counts() && it.severity != Severity::Info) {
            let rows = known.get_mut(finding.fingerprint().as_str());
            finding.known = rows.and_then(Vec::pop).is_some();
        }
        report.notes.extend(self.note.clone());
        if is_root {
            report.findings.extend(known.into_values().flatten().map(|row| self.idle(row)));
            sort_and_dedup(&mut report.findings);
        }
    }

    /// What is said of an entry that nothing fires for.
    fn idle(&self, row: &Row) -> Finding {
        let start = self.file.text().find(&row.fingerprint).unwrap_or_default();
        let place = Place::new(&self.file, Span::new(start as u32, (start + row.fingerprint.len()) as u32));
        let what = if row.object.is_empty() { row.path.clone() } else { row.object.clone() };
        Finding::new("baseline/idle", Severity::Info, place, format!("`{}` does not fire for {what} any more", row.id))
            .pointer(row.fingerprint.clone())
            .help("write the baseline again: `admit baseline`")
    }
}

/// A fingerprint without the number that tells twins apart.
fn base(fingerprint: &str) -> &str {
    fingerprint.split(':').next().unwrap_or(fingerprint)
}

/// What stands for a file of the working tree in the commit that a change goes into.
enum Before {
    /// The file is not one of the repository.
    Elsewhere,
    /// It is, and this is what it held.
    Held(crate::source::Blob),
    /// It is, but was not there; the name of the commit.
    Missing(String),
}

fn before(path: &Path, range: &str, environment: &Environment) -> Result<Before, RunError> {
    let repository = Repository::open(environment.current_dir(), environment).map_err(|error| from_source(&error))?;
    let Some(below) = repository.work_dir().and_then(|top| below(path, top)) else { return Ok(Before::Elsewhere) };
    let comparison = repository.comparison(range).map_err(|error| from_source(&error))?;
    let Some(commit) = comparison.base else { return Ok(Before::Missing("a branch that starts here".to_owned())) };
    let mut trees = repository.trees().map_err(|error| from_source(&error))?;
    match git_tree::find(&mut trees, commit.tree, &below).map_err(|error| from_source(&error))? {
        None => Ok(Before::Missing(commit.to_string())),
        Some(entry) => {
            let mut reader = repository.reader(MAX_BYTES).map_err(|error| from_source(&error))?;
            let blob = reader.read(&entry).map_err(|skip| RunError::new(format!("--baseline {below}: {skip}")))?;
            Ok(Before::Held(blob))
        }
    }
}

/// A path below a directory as Git writes it, by names alone: the file need not be there.
fn below(path: &Path, top: &Path) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    let top = top.canonicalize().ok()?;
    // The directory is resolved, as the top is; the file itself may be gone.
    let parent = path.parent().and_then(|it| it.canonicalize().ok())?;
    for part in parent.strip_prefix(&top).ok()?.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str()?.to_owned()),
            _ => return None,
        }
    }
    parts.push(path.file_name()?.to_str()?.to_owned());
    Some(parts.join("/"))
}
