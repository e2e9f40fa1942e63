//! One push, from the refs that Git names to the decision.
//!
//! In: refs with what they were and are to be. Out: the exit code, 0 lets the push through; what whoever pushes sees;
//! a line in the audit log. Whatever goes wrong on the way, a crash or the end of the time included, is a refusal with
//! its reason. Each ref is judged, so that all that is wrong is seen at once.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use clap::ValueEnum as _;

use super::{
    args::{JudgeArgs, ServerArgs},
    audit::{self, Record, RefRecord},
    judge::{Bench, Judged, Verdict},
    say::{self, Voice},
};
use crate::{
    commands::{RunError, workspace::from_source},
    finding::Severity,
    report::{Report, escape},
    runner,
    source::{
        Environment, Pusher, Repository, Server,
        push::{Beside, RefUpdate},
    },
};

/// Refs that are shown one by one.
const MAX_REFS: usize = 20;

/// The push option that asks to let a refused push through.
const BYPASS: &str = "admit.bypass=";

/// A push as a hook is told of it.
#[derive(Debug)]
pub(super) struct Push<'p> {
    /// The name of the hook.
    pub(super) hook: &'static str,
    /// What it was told.
    pub(super) updates: Vec<RefUpdate>,
    /// Which refs new ones go beside.
    pub(super) beside: Beside<'p>,
    /// How it is judged.
    pub(super) judge: &'p JudgeArgs,
    /// What becomes of the verdict; `None` on a client, who decides alone.
    pub(super) server: Option<&'p ServerArgs>,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Decision {
    Accepted,
    Refused,
    /// Let through for a reason.
    Bypassed(String),
    /// Let through since the hook only watches.
    Monitored,
}

/// Judges the push; `now` is in nanoseconds since 1970.
pub(super) fn run(push: &Push<'_>, now: i128, environment: &Environment) -> u8 {
    let began = Instant::now();
    let voice = Voice::new(environment);
    let watches = push.server.is_some_and(|it| it.monitor);
    let server = push.server.and_then(|it| it.server);
    let pusher = server.and_then(|it| it.pusher(environment));
    let opened = open(push, environment, pusher.clone(), now);
    let (repository, bench) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            voice.say_wrapped(&error.to_string());
            return if watches { 0 } else { error.code() };
        }
    };
    let judged = judge_all(bench, &push.updates, push.judge.deadline.saturating_sub(began.elapsed()), push.judge);
    let mut decision = decide(push, &judged, environment, pusher.as_ref(), voice);
    if let Some(args) = push.server.filter(|it| !it.no_audit) {
        let path = audit::path(args.audit.as_ref(), repository.git_dir());
        let record = record(push, &judged, &decision, environment, pusher.as_ref(), &repository, now, began.elapsed());
        let is_bypass = matches!(decision, Decision::Bypassed(_));
        if let Err(error) = audit::append(&path, &record, is_bypass) {
            let what = format!("the decision can't be written to {}: {error}", path.display());
            if is_bypass {
                decision = Decision::Refused;
                voice.say_wrapped(&format!("error: a bypass that leaves no trace is none: {}", escape::line(&what)));
            } else if push.judge.verbose || args.audit.is_some() {
                voice.say_wrapped(&format!("warning: {}", escape::line(&what)));
            }
        }
    }
    tell(push, &judged, &decision, voice);
    if push.judge.verbose {
        let through = match repository.backend_reason() {
            Some(reason) => format!("`git` processes, since libgit2 says: {}", escape::line(reason)),
            None => "libgit2".to_owned(),
        };
        voice.say_wrapped(&format!("admit: objects were read through {through}"));
        voice.say_wrapped(&format!("admit: decided after {} ms", began.elapsed().as_millis()));
    }
    match decision {
        Decision::Refused => judged.iter().map(|it| it.code).max().unwrap_or(1).max(1),
        Decision::Accepted | Decision::Bypassed(_) | Decision::Monitored => 0,
    }
}

fn open(
    push: &Push<'_>,
    environment: &Environment,
    pusher: Option<Pusher>,
    now: i128,
) -> Result<(Repository, Bench), RunError> {
    let opened = Repository::open(environment.current_dir(), environment).map_err(|error| from_source(&error))?;
    // A client's own repository is left as it is.
    let repository = if push.server.is_some() { opened.remembering() } else { opened };
    let guard = push.judge.guard().map_err(|error| RunError::new(format!("--guard: {error}")))?;
    let mut law = push.judge.law.in_hook();
    if push.server.is_some() {
        // A server's user may have no home, and what is kept there would serve repositories that others write to.
        law.render.render_cache.get_or_insert_with(|| repository.git_dir().join("admit/renders"));
    }
    let bench = Bench {
        repository: repository.clone(),
        environment: environment.clone(),
        law,
        trust: push.judge.trust,
        guard,
        remote: match push.beside {
            Beside::Head => None,
            Beside::Remote(name) => Some(name.to_owned()),
        },
        pusher,
        now,
    };
    Ok((repository, bench))
}

/// Judges every ref on threads that nobody waits for longer than `time`.
fn judge_all(bench: Bench, updates: &[RefUpdate], time: Duration, args: &JudgeArgs) -> Vec<Judged> {
    let ends = Instant::now() + time;
    let (sender, judged) = mpsc::channel();
    let (jobs, wanted) = (args.jobs, updates.to_vec());
    let work = move || {
        for update in wanted {
            let work = || runner::quietly(|| bench.judge(&update));
            let done = match runner::on_threads(jobs, work) {
                Ok(Ok(Ok(judged))) => judged,
                Ok(Ok(Err(error))) => Judged::failed(&update, &error),
                Ok(Err(panic)) => {
                    let hint = "this is a bug in admit: please report it";
                    let error = RunError::new(format!("judging this failed inside admit: {panic}")).hint(hint);
                    Judged::failed(&update, &error)
                }
                Err(error) => Judged::failed(&update, &RunError::from_error(&error)),
            };
            // Nobody listens any more once the time is over.
            if sender.send(done).is_err() {
                return;
            }
        }
    };
    let mut out = Vec::new();
    let reason = match thread::Builder::new().name("judge".to_owned()).spawn(work) {
        Err(error) => format!("no thread to judge on: {error}"),
        Ok(_) => loop {
            if out.len() == updates.len() {
                return out;
            }
            match judged.recv_timeout(ends.saturating_duration_since(Instant::now())) {
                Ok(it) => out.push(it),
                Err(RecvTimeoutError::Timeout) => {
                    break format!("not judged within {} s, the deadline of this hook", args.deadline.as_secs_f64());
                }
                Err(RecvTimeoutError::Disconnected) => break "judging it ended without a verdict".to_owned(),
            }
        },
    };
    let error = RunError::new(reason).hint("push less at once, or ask the administrator for a longer --deadline");
    for update in &updates[out.len()..] {
        out.push(Judged::failed(update, &error));
    }
    out
}

/// Decides on the push as a whole: Git takes all of it or nothing.
fn decide(
    push: &Push<'_>,
    judged: &[Judged],
    environment: &Environment,
    pusher: Option<&Pusher>,
    voice: Voice,
) -> Decision {
    let is_refused = judged.iter().any(|it| it.verdict == Verdict::Refused);
    let Some(args) = push.server.filter(|_| is_refused) else {
        return if is_refused { Decision::Refused } else { Decision::Accepted };
    };
    let options = environment.push_options().unwrap_or_default();
    let asked = options.iter().find_map(|it| it.strip_prefix(BYPASS));
    let may = pusher.is_some_and(|it| args.bypass_by.contains(&it.name));
    match asked {
        Some(reason) if may && args.bypass_reason.is_match(reason) => return Decision::Bypassed(reason.to_owned()),
        Some(_) if may => {
            let wanted = args.bypass_reason.as_str();
            voice.say_wrapped(&format!("warning: no bypass: the reason must look like {wanted}"));
        }
        Some(_) => voice.say_wrapped("warning: no bypass: you are not among those who may"),
        None if may && !args.monitor => {
            voice.say_wrapped(&format!("hint: in an emergency: git push -o {BYPASS}REASON, which is written down"));
        }
        None => {}
    }
    if args.monitor { Decision::Monitored } else { Decision::Refused }
}

/// Says what there is to say of each ref, what refuses the push first.
fn tell(push: &Push<'_>, judged: &[Judged], decision: &Decision, voice: Voice) {
    let is_refused = |it: &&Judged| it.verdict == Verdict::Refused;
    let is_told = |it: &&Judged| is_refused(it) || it.report.as_ref().is_some_and(|it| !it.findings.is_empty());
    let mut told: Vec<&Judged> = judged.iter().filter(is_told).collect();
    told.sort_by_key(|it| !is_refused(it));
    for it in told.iter().take(MAX_REFS) {
        let verdict = if !is_refused(it) {
            "let through"
        } else if *decision == Decision::Monitored {
            "would be refused"
        } else {
            "refused"
        };
        voice.say(&format!("admit: {} {verdict}\n\n", escape::line(&it.update.name)));
        if let Some(error) = &it.error {
            voice.say_wrapped(error);
        }
        if let Some(report) = &it.report {
            voice.say(&say::text(report));
            hints(push, it, report, voice);
        }
    }
    if told.len() > MAX_REFS {
        voice.say(&format!("admit: and {} more refs", told.len() - MAX_REFS));
    }
    match decision {
        Decision::Bypassed(reason) => {
            voice.say_wrapped(&format!("warning: BYPASS: let through all the same: {}", escape::line(reason)));
        }
        Decision::Monitored => voice.say("warning: let through, since this hook only watches"),
        Decision::Accepted | Decision::Refused => {}
    }
}

/// What to do about a refusal.
fn hints(push: &Push<'_>, judged: &Judged, report: &Report, voice: Voice) {
    let hint = |text: &str| voice.say_wrapped(&format!("hint: {text}"));
    if let (Some(args), true) = (push.server, report.findings.iter().any(|it| it.id == "GOV002"))
        && let (None, Some(name)) = (args.server, server_name(judged.detected))
    {
        hint(&format!("with --server {name} in the hook it is known who pushes"));
    }
    if judged.verdict != Verdict::Refused {
        return;
    }
    if judged.n_policies == 0 {
        hint("name policies in the hook: --policies /etc/admit/policies");
        return;
    }
    if let Some(again) = &judged.again {
        hint(again);
    }
    let failed = report.findings.iter().find(|it| {
        it.waived.is_none()
            && it.severity == Severity::Error
            && it.verdict.as_ref().is_some_and(|it| !it.rule.is_empty())
    });
    if let Some(verdict) = failed.and_then(|it| it.verdict.as_ref()) {
        let (policy, rule) = (escape::line(&verdict.policy), escape::line(&verdict.rule));
        hint(&format!(
            "if it must stay: ask for a PolicyException with policyName: {policy}, ruleNames: [{rule}] and this very \
             object; once it is merged, push again"
        ));
    }
}

fn server_name(server: Option<Server>) -> Option<String> {
    server?.to_possible_value().map(|it| it.get_name().to_owned())
}

#[expect(clippy::too_many_arguments, reason = "a record is about everything")]
fn record(
    push: &Push<'_>,
    judged: &[Judged],
    decision: &Decision,
    environment: &Environment,
    pusher: Option<&Pusher>,
    repository: &Repository,
    now: i128,
    took: Duration,
) -> Record {
    let server = push.server.and_then(|it| it.server);
    let (verdict, bypass) = match decision {
        Decision::Accepted => ("accepted", None),
        Decision::Refused => ("refused", None),
        Decision::Monitored => ("monitored", None),
        Decision::Bypassed(reason) => ("bypassed", Some(reason.clone())),
    };
    let law = &push.judge.law;
    let directory = || repository.git_dir().display().to_string();
    let mut out = Record {
        v: 1,
        id: String::new(),
        time: jiff::Timestamp::from_nanosecond(now).unwrap_or_default().to_string(),
        admit: env!("CARGO_PKG_VERSION").to_owned(),
        hook: push.hook.to_owned(),
        server: server_name(server),
        repository: server.and_then(|it| it.repository(environment)).unwrap_or_else(directory),
        pusher: pusher.map(|it| it.name.clone()),
        way: Server::way(environment).map(str::to_owned),
        verdict: verdict.to_owned(),
        bypass,
        refs: judged.iter().map(ref_record).collect(),
        policies: law.policies.clone(),
        exceptions: law.exceptions.clone(),
        cluster: law.cluster.clone(),
        no_exceptions: law.no_exceptions,
        exception_namespace: law.exception_namespace.clone(),
        ms: took.as_millis() as u64,
    };
    out.name(std::process::id());
    out
}

fn ref_record(judged: &Judged) -> RefRecord {
    let tally = judged.report.as_ref().map(Report::tally).unwrap_or_default();
    let findings = judged.report.iter().flat_map(Report::by_urgency).take(audit::MAX_FINDINGS);
    let findings = findings.map(|it| format!("{} {}:{}", it.id, it.primary.path, it.primary.start.line));
    RefRecord {
        name: judged.update.name.clone(),
        old: judged.update.old.to_string(),
        new: judged.update.new.to_string(),
        verdict: judged.verdict.name().to_owned(),
        error: judged.error.clone(),
        trust: judged.trust.map(|it| it.to_string()),
        base: judged.base.map(|it| it.to_string()),
        compared: judged.compared.map(|it| it.to_string()),
        policies: judged.n_policies,
        errors: tally.errors,
        warnings: tally.warnings,
        waived: tally.waived,
        findings: findings.collect(),
    }
}
