//! `admit exceptions generate`: narrow exceptions for what fails, proved by judging again.
//!
//! In: which findings. Out: exceptions as text or as files, and what they come to: the tree is judged once more as if they
//! were there, and whatever differs beside the findings asked for is told.

mod place;
mod proof;

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use crate::{
    commands::{
        RunError,
        check::{Case, LawArgs, tree},
    },
    finding::{Finding, Verdict},
    governance::{
        Rules,
        generate::{self, Generated, Outcome, Wishes},
    },
    k8s::wildcard,
    report::{Progress, escape, read},
    runner::{self, Wants},
    source::{At, Entry, Environment, Reader},
};

use place::Place;
use proof::Proof;

/// Arguments of `admit exceptions generate`.
#[derive(Debug, clap::Args)]
pub(crate) struct GenerateArgs {
    /// Files and directories whose findings are looked at [default: the repository]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    /// Who owns the exceptions
    #[arg(long, value_name = "WHO", help_heading = "What is said of them")]
    pub(crate) owner: Option<String>,
    /// Why they are there
    #[arg(long, value_name = "TEXT", help_heading = "What is said of them")]
    pub(crate) reason: Option<String>,
    /// When they end: a date, or a time from now such as 90d
    #[arg(long, value_name = "DATE", help_heading = "What is said of them")]
    pub(crate) expires: Option<String>,
    /// Something more to say, such as ticket=OPS-1; may be given more than once
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair, help_heading = "What is said of them")]
    pub(crate) set: Vec<(String, String)>,
    /// The namespace that they live in [default: the first that EXC010 lets, else that of the object]
    #[arg(long, value_name = "NAME", help_heading = "What is said of them")]
    pub(crate) namespace: Option<String>,
    /// For controllers: leave out what they create
    #[arg(long)]
    pub(crate) no_children: bool,
    /// Write them to one file, which must not be there yet
    #[arg(short, long, value_name = "FILE", conflicts_with = "write")]
    pub(crate) output: Option<PathBuf>,
    /// Write each of them to a file of its own, where the repository keeps its exceptions
    #[arg(long)]
    pub(crate) write: bool,
    #[command(flatten)]
    pub(crate) law: LawArgs,
    /// Threads [default: one for each core]
    #[arg(short, long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) jobs: usize,
}

/// Flags that say which findings. What is given more than once is one or the other; of different flags all must hold.
#[derive(Debug, clap::Args)]
#[group(id = "select", required = true, multiple = true)]
pub(crate) struct SelectArgs {
    /// Of policies of this name, with wildcards; namespace/name for a namespaced one
    #[arg(long, value_name = "NAME", help_heading = "Which findings")]
    pub(crate) policy: Vec<String>,
    /// Of rules of this name, with wildcards; the name of the declared rule stands for those generated from it
    #[arg(long, value_name = "NAME", help_heading = "Which findings")]
    pub(crate) rule: Vec<String>,
    /// About these objects, with wildcards; KIND/NAME for one without a namespace
    #[arg(long, value_name = "KIND/NAMESPACE/NAME", value_parser = resource, help_heading = "Which findings")]
    pub(crate) resource: Vec<Resource>,
    /// Those of a report that `--format json` wrote
    #[arg(long, value_name = "FILE", help_heading = "Which findings")]
    pub(crate) report: Option<PathBuf>,
}

/// An object, with wildcards.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    kind: String,
    namespace: String,
    name: String,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn resource(text: &str) -> Result<Resource, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let (kind, namespace, name) = match parts.as_slice() {
        [kind, name] => (kind, "", name),
        [kind, namespace, name] => (kind, *namespace, name),
        _ => return Err("write KIND/NAMESPACE/NAME, or KIND/NAME for an object without a namespace".to_owned()),
    };
    Ok(Resource { kind: (*kind).to_owned(), namespace: namespace.to_owned(), name: (*name).to_owned() })
}

impl SelectArgs {
    /// Whether the flags ask for a verdict; `listed` are those of the report.
    fn takes(&self, verdict: &Verdict, listed: Option<&[Verdict]>) -> bool {
        let any = |patterns: &[String], texts: &[&str]| {
            patterns.is_empty() || patterns.iter().any(|it| texts.iter().any(|text| wildcard::matches(it, text)))
        };
        let declared = ["autogen-cronjob-", "autogen-"].iter().find_map(|it| verdict.rule.strip_prefix(it));
        let object = &verdict.resource;
        let is_it = |it: &Resource| {
            wildcard::matches(&it.kind, &object.kind)
                && wildcard::matches(&it.namespace, &object.namespace)
                && wildcard::matches(&it.name, &object.name)
        };
        any(&self.policy, &[&verdict.policy])
            && any(&self.rule, &[&verdict.rule, declared.unwrap_or(&verdict.rule)])
            && (self.resource.is_empty() || self.resource.iter().any(is_it))
            && listed.is_none_or(|all| all.iter().any(|it| proof::Row::of(it) == proof::Row::of(verdict)))
    }
}

/// What the run came to.
struct Done {
    /// The files, with all of their text.
    files: Vec<Place>,
    /// What to say of them.
    lines: Vec<String>,
    /// Whether something was asked for that is not as it should be.
    is_short: bool,
    /// Whether something was asked for at all.
    is_asked: bool,
}

/// Runs `admit exceptions generate`; `now` is in nanoseconds since 1970.
pub(crate) fn run(
    args: &GenerateArgs,
    now: i128,
    environment: &Environment,
    out: &mut (dyn io::Write + Send),
) -> Result<u8, RunError> {
    let progress = Progress::start(false);
    let work = || work(args, now, environment, &progress);
    let done = runner::on_threads(args.jobs, work).map_err(|error| RunError::from_error(&error))??;
    if args.write || args.output.is_some() {
        place::write(&done.files)?;
    } else {
        let text: Vec<&str> = done.files.iter().map(|it| it.text.as_str()).collect();
        match out.write_all(text.join("---\n").as_bytes()).and_then(|()| out.flush()) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                return Err(RunError::new(format!("standard output can't be written: {error}")));
            }
            _ => {}
        }
    }
    for line in &done.lines {
        // Nobody who misses these lines misses a verdict: the code says whether all is as asked.
        let _ = writeln!(anstream::stderr(), "{}", escape::line(line));
    }
    Ok(match (done.is_asked, done.is_short) {
        (false, _) => 3,
        (true, true) => 1,
        (true, false) => 0,
    })
}

fn work(args: &GenerateArgs, now: i128, environment: &Environment, progress: &Progress) -> Result<Done, RunError> {
    let wishes = wishes(args, now)?;
    let listed = args.select.report.as_ref().map(|path| verdicts(path, environment)).transpose()?;
    let case = tree::read(&args.paths, environment, &args.law, progress, &mut io::stdin())?;
    let wants = Wants { quiet: true, ..Wants::default() };
    let (report, _) = case.judge(now, wants, progress);
    let takes = |it: &&Finding| {
        it.waived.is_none() && it.verdict.as_ref().is_some_and(|it| args.select.takes(it, listed.as_deref()))
    };
    let asked: Vec<&Finding> = report.findings.iter().filter(takes).collect();
    let outcome = case.generate(&asked, &wishes, now);
    // What is blank may keep a cluster from taking an exception at all; what it does is not changed by what fills it in.
    let filled = Wishes { end: wishes.end.or(Some(jiff::civil::Date::MAX)), ..wishes };
    let for_proof = case.generate(&asked, &filled, now);
    let files = place::of(args, environment, &outcome.generated, &for_proof.generated)?;

    let mut lines = Vec::new();
    let mut is_short = !outcome.impossible.is_empty();
    for (position, why) in &outcome.impossible {
        lines.push(format!("can't be covered: {}: {why}", title(asked[*position])));
    }
    for it in listed.iter().flatten().filter(|it| !report.findings.iter().any(|now| is_open(now, it))) {
        lines.push(format!("does not fail now: {} {}/{}", it.resource.title(), it.policy, it.rule));
    }
    if asked.is_empty() {
        lines.push("nothing that fails is asked for".to_owned());
        return Ok(Done { files: Vec::new(), lines, is_short, is_asked: false });
    }
    let overlay = files.iter().map(|it| (it.shown.clone(), it.proof.clone().into_bytes().into())).collect();
    let mut again: Case = tree::read_with(&args.paths, environment, &args.law, progress, &mut io::empty(), &overlay)?;
    again.governance = again.governance.map(|rules| Rules::without(rules, &["EXC027", "EXC029"]));
    let (after, _) = again.judge(now, wants, progress);
    let proof = Proof::new(&report, &after, &asked, &files);
    tell(&outcome, &asked, &proof, &mut lines);
    is_short |= proof.is_short();
    Ok(Done { files, lines, is_short, is_asked: true })
}

fn wishes(args: &GenerateArgs, now: i128) -> Result<Wishes, RunError> {
    let now = jiff::Timestamp::from_nanosecond(now).unwrap_or_default();
    let end = match &args.expires {
        None => None,
        Some(text) => Some(generate::end(text, now).ok_or_else(|| {
            RunError::new(format!("--expires {text}: this is no day")).hint("write it as 2026-03-31, or as 90d")
        })?),
    };
    let own = [("owner", &args.owner), ("reason", &args.reason)];
    let own = own.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
    Ok(Wishes {
        said: own.chain(args.set.iter().cloned()).collect(),
        end,
        namespace: args.namespace.clone(),
        without_children: args.no_children,
    })
}

/// Bytes of a report that are read.
const MAX_REPORT_BYTES: u64 = 256 << 20;

/// The verdicts that a report holds against somebody.
fn verdicts(path: &PathBuf, environment: &Environment) -> Result<Vec<Verdict>, RunError> {
    let shown = path.display().to_string();
    let entry = Entry { path: shown.as_str().into(), at: At::Named(environment.current_dir().join(path)) };
    let blob = Reader::files(MAX_REPORT_BYTES)
        .read(&entry)
        .map_err(|skip| RunError::new(format!("--report {shown}: {skip}")))?;
    let failed = |error: read::MergeError| RunError::from_error(&error).hint("write it with --format json");
    read::verdicts(&blob.bytes).map_err(failed)
}

fn is_open(finding: &Finding, verdict: &Verdict) -> bool {
    let is_it = finding.verdict.as_ref().is_some_and(|it| proof::Row::of(it) == proof::Row::of(verdict));
    is_it && finding.waived.is_none()
}

/// An object and a rule, as lines name them.
fn title(finding: &Finding) -> String {
    let object = finding.verdict.as_ref().map(|it| format!("{} ", it.resource.title())).unwrap_or_default();
    format!("{object}{}", finding.id)
}

/// Says what the exceptions are for, and what they come to.
fn tell(outcome: &Outcome, asked: &[&Finding], proof: &Proof, lines: &mut Vec<String>) {
    for Generated { draft, findings, beyond, blanks } in &outcome.generated {
        let key = format!("{}/{}", draft.metadata.namespace, draft.metadata.name);
        let covered: Vec<String> = findings.iter().map(|it| title(asked[*it])).collect();
        lines.push(format!("{key}: for {}", covered.join(", ")));
        if !beyond.is_empty() {
            lines.push(format!("{key}: also covers {beyond}"));
        }
        if !blanks.is_empty() {
            lines.push(format!("{key}: exempts nothing until these are filled in: {}", blanks.join(", ")));
        }
    }
    for (position, notes) in &proof.uncovered {
        lines.push(format!("is not covered: {}", title(asked[*position])));
        lines.extend(notes.iter().map(|it| format!("  {it}")));
    }
    lines.extend(proof.wider.iter().map(|it| format!("would change, too: {it}")));
    lines.extend(proof.own.iter().map(|it| format!("of the exceptions themselves: {it}")));
    let n_covered = asked.len() - proof.uncovered.len();
    let rest = if proof.wider.is_empty() { "and nothing else" } else { "and more than was asked for" };
    lines.push(format!("judged again as if they were there: {n_covered} of {} findings covered, {rest}", asked.len()));
}
