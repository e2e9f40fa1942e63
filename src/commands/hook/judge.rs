//! One ref of a push: guarded or not, judged by whose law, with what verdict.
//!
//! In: what the ref was and is to be. Out: a [`Judged`], for whoever pushes and for the audit log. Only what can be read
//! from objects counts; nothing is written but the cache of where policies lie.

use crate::{
    commands::{
        RunError,
        check::{LawArgs, change::Change, judge_all},
        workspace::from_source,
    },
    config::{Guard, Trust},
    finding::Severity,
    report::{Progress, Report},
    runner::Wants,
    source::{
        Comparison, Environment, Oid, Pusher, Repository, Revision, Server,
        push::{self, Base, Beside, Pushed, RefUpdate},
    },
};

/// All that is needed to judge refs.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) repository: Repository,
    pub(super) environment: Environment,
    pub(super) law: LawArgs,
    pub(super) trust: Option<Trust>,
    /// The refs that the flags guard; `None` leaves it to `admit.yaml`.
    pub(super) guard: Option<Guard>,
    /// The remote that is pushed to; `None` on the server.
    pub(super) remote: Option<String>,
    pub(super) pusher: Option<Pusher>,
    /// Nanoseconds since 1970.
    pub(super) now: i128,
}

/// What becomes of a ref.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    Refused,
    /// Nobody wants it judged.
    Unguarded,
    /// It goes away.
    Removed,
    /// It holds no files.
    NoTree,
}

impl Verdict {
    /// As the audit log has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Unguarded => "unguarded",
            Self::Removed => "removed",
            Self::NoTree => "no tree",
        }
    }
}

/// A ref and what was found.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) update: RefUpdate,
    pub(super) verdict: Verdict,
    /// Exit code that the ref alone would give.
    pub(super) code: u8,
    /// Why it could not be judged, in `error:` and `hint:` lines.
    pub(super) error: Option<String>,
    pub(super) report: Option<Report>,
    pub(super) trust: Option<Trust>,
    /// What the change goes into: the commit or the tree.
    pub(super) base: Option<Oid>,
    /// What it is compared with.
    pub(super) compared: Option<Oid>,
    pub(super) n_policies: usize,
    /// The command that shows the same.
    pub(super) again: Option<String>,
    /// The server whose marks are in the environment.
    pub(super) detected: Option<Server>,
}

impl Judged {
    fn new(update: &RefUpdate, verdict: Verdict) -> Self {
        Self {
            update: update.clone(),
            verdict,
            code: 0,
            error: None,
            report: None,
            trust: None,
            base: None,
            compared: None,
            n_policies: 0,
            again: None,
            detected: None,
        }
    }

    /// A ref that could not be judged is refused.
    pub(super) fn failed(update: &RefUpdate, error: &RunError) -> Self {
        let code = error.code().max(1);
        Self { code, error: Some(error.to_string()), ..Self::new(update, Verdict::Refused) }
    }
}

impl Bench {
    /// Judges one ref.
    ///
    /// # Errors
    /// It can't be judged, and so it is refused.
    pub(super) fn judge(&self, update: &RefUpdate) -> Result<Judged, RunError> {
        let beside = self.remote.as_deref().map_or(Beside::Head, Beside::Remote);
        let from = |error| from_source(&error);
        let comparison = match push::resolve(&self.repository, update, beside).map_err(from)? {
            Pushed::Tree { comparison: Comparison { base: None, .. }, base: Base::Lost } => {
                return Err(RunError::new(
                    "what it held before is not here, and no other branch is, so that no policies count",
                ));
            }
            Pushed::Tree { comparison, .. } => named(comparison, update),
            Pushed::Removed
                if self.remote.is_none() && push::is_default_branch(&self.repository, update).map_err(from)? =>
            {
                return Err(RunError::new(
                    "the default branch holds the policies that judge new branches: it can't go",
                )
                .hint("let HEAD of the repository name another branch first"));
            }
            // A branch that goes away brings nothing to a cluster.
            Pushed::Removed => return Ok(Judged::new(update, Verdict::Removed)),
            // Git itself takes nothing but commits for a branch.
            Pushed::NoTree => return Ok(Judged::new(update, Verdict::NoTree)),
        };
        self.compare(update, comparison, Wants::default())
    }

    /// Judges the change that a ref stands for.
    pub(super) fn compare(&self, update: &RefUpdate, comparison: Comparison, wants: Wants) -> Result<Judged, RunError> {
        let id = |it: &Revision| it.commit.unwrap_or(it.tree);
        let (base, compared) = (comparison.base.as_ref().map(id), comparison.old.as_ref().map(id));
        let again = if self.law.policies.is_empty() { again(&comparison) } else { None };
        let change = Change::new(&self.repository, &self.environment, comparison, self.trust)?;
        let change = change.pushed_by(self.pusher.clone()).vouched_by(&self.law);
        // The policies of a branch judge what is pushed to it next; a tag is judged by others.
        let change = change.succeeded(update.is_branch());
        let guard = self.guard.as_ref().unwrap_or(&change.settings().guard);
        if !guard.takes(&update.name) {
            return Ok(Judged::new(update, Verdict::Unguarded));
        }
        let trust = change.trust();
        let progress = Progress::start(false);
        let cases = change.cases(&self.law, &progress)?;
        let n_policies = cases.iter().map(|it| it.law.n_policies).min().unwrap_or(0);
        let (report, checked) = judge_all(&cases, self.now, wants, &progress);
        let is_refused = !checked || report.worst() == Some(Severity::Error);
        Ok(Judged {
            code: u8::from(is_refused),
            report: Some(report),
            trust: Some(trust),
            base,
            compared,
            n_policies,
            again,
            detected: Server::detect(&self.environment),
            ..Judged::new(update, if is_refused { Verdict::Refused } else { Verdict::Accepted })
        })
    }
}

/// Names both sides as people know them.
fn named(mut comparison: Comparison, update: &RefUpdate) -> Comparison {
    let name = update.name.strip_prefix("refs/heads/").unwrap_or(&update.name);
    name.clone_into(&mut comparison.new.name);
    let is_own = update.is_branch() && !update.old.is_zero();
    if let Some(base) = &mut comparison.base {
        if is_own { name } else { "the default branch" }.clone_into(&mut base.name);
    }
    comparison
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
