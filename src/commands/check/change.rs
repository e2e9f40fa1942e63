//! A case from Git objects: the difference of two commits, or of the index and `HEAD`.
//!
//! What changed is read on both sides: an object that was there before is updated, one that is gone is removed. The law
//! is that of the side which the configuration trusts, by default the one that the change goes into. Without a
//! checkout; nothing is written.

use std::borrow::Cow;

use super::{
    Case, LawArgs,
    config::Config,
    side::{Side, TreeAt},
    sides::ConfigChange,
    who,
};
use crate::{
    commands::{
        RunError,
        workspace::{from_config, from_source},
    },
    config::{Settings, Trust},
    finding::Finding,
    governance::who::Asks,
    report::Progress,
    source::{Comparison, Environment, Pusher, Repository, git_diff, staged::Snapshot},
};

/// The cases of the change that `range` names.
pub(super) fn between(
    environment: &Environment,
    range: &str,
    law: &LawArgs,
    progress: &Progress,
) -> Result<Vec<Case>, RunError> {
    let repository = repository(environment)?;
    let comparison = repository.comparison(range).map_err(|error| from_source(&error))?;
    Change::new(&repository, environment, comparison, None)?.vouched_by(law).cases(law, progress)
}

/// The case of what is staged.
pub(crate) fn staged(environment: &Environment, law: &LawArgs, progress: &Progress) -> Result<Case, RunError> {
    let repository = repository(environment)?;
    if repository.work_dir().is_none() && environment.index_file().is_none() {
        return Err(RunError::new("a bare repository has no index").hint("compare commits: --diff BASE..HEAD"));
    }
    let index_file = environment.index_file();
    let snapshot = Snapshot::new(&repository, index_file.as_deref()).map_err(|error| from_source(&error))?;
    let mut trees = snapshot.trees().map_err(|error| from_source(&error))?;
    let settings = match Config::read(&repository, &mut trees, snapshot.root())? {
        None => Settings::default(),
        Some(config) => config.settings.map_err(|error| from_config(&error))?,
    };
    // Whoever commits is not kept from anything here: the index is taken as it is, law and all.
    let side = Side {
        repository: Cow::Borrowed(&repository),
        environment,
        tree: TreeAt::Index(&snapshot),
        old: repository.head().map_err(|error| from_source(&error))?.map(|it| it.tree),
        settings,
        trust: Trust::Head,
        held_by: "the index".to_owned(),
        is_unvouched: false,
    };
    let options = side.judged()?;
    let diff = snapshot.compare(&options).map_err(|error| from_source(&error))?;
    side.case(diff, None, law, progress)
}

fn repository(environment: &Environment) -> Result<Repository, RunError> {
    Repository::open(environment.current_dir(), environment).map_err(|error| from_source(&error))
}

/// A change between two commits of a repository, and the settings that count for it.
pub(crate) struct Change<'r> {
    comparison: Comparison,
    side: Side<'r>,
    findings: Vec<Finding>,
    notes: Vec<String>,
    config: Option<ConfigChange>,
    pusher: Option<Pusher>,
    trust: Trust,
    /// Whether it is asked what the change does to objects that it does not touch.
    reaches: bool,
    /// Whether what it leaves behind judges the change after it.
    is_succeeded: bool,
}

impl<'r> Change<'r> {
    /// Reads the settings: those of the side that the change goes into, or without anything there, its own. Which side
    /// holds the law is said by `trust`, or else by the settings.
    ///
    /// Settings that can't be read end the run, unless the change mends them: then the defaults count, which look at
    /// everything and trust nobody.
    pub(crate) fn new(
        repository: &'r Repository,
        environment: &'r Environment,
        comparison: Comparison,
        trust: Option<Trust>,
    ) -> Result<Self, RunError> {
        let mut trees = repository.trees().map_err(|error| from_source(&error))?;
        let new = comparison.new.tree;
        let after = Config::read(repository, &mut trees, new)?;
        let mut findings: Vec<Finding> = after.iter().filter_map(Config::finding).collect();
        let mut config = None;
        let mut notes = Vec::new();
        let chosen = |it: &Option<Config>| match it {
            None => Ok(Settings::default()),
            Some(config) => config.settings.as_ref().cloned().map_err(from_config),
        };
        let (tree, settings, trust, held_by) = match &comparison.base {
            None => {
                let settings = chosen(&after)?;
                let is_operator = trust.unwrap_or(settings.trust) == Trust::Operator;
                (new, settings, if is_operator { Trust::Operator } else { Trust::Head }, &comparison.new)
            }
            Some(base) => {
                let before = Config::read(repository, &mut trees, base.tree)?;
                config = Config::change(before.as_ref(), after.as_ref());
                let broken = before.as_ref().and_then(|it| it.settings.as_ref().err());
                let settings = match broken {
                    Some(error) if findings.is_empty() => {
                        notes.push(format!("the admit.yaml of {base} counts for nothing: {error}"));
                        Settings::default()
                    }
                    // Nothing is mended: this is the error.
                    Some(_) => chosen(&after)?,
                    None => chosen(&before)?,
                };
                match trust.unwrap_or(settings.trust) {
                    it @ (Trust::Base | Trust::Both | Trust::Operator) => (base.tree, settings, it, base),
                    Trust::Head if findings.is_empty() => (new, chosen(&after)?, Trust::Head, &comparison.new),
                    Trust::Head => (new, settings, Trust::Head, &comparison.new),
                }
            }
        };
        for it in &mut findings {
            it.notes.push(format!("until then that of {held_by} counts"));
        }
        let tree = TreeAt::Stored { law: tree, new };
        let held_by = if trust == Trust::Operator { "the server".to_owned() } else { held_by.to_string() };
        let repository = Cow::Borrowed(repository);
        let old = comparison.old.as_ref().map(|it| it.tree);
        let side = Side { repository, environment, tree, old, settings, trust, held_by, is_unvouched: false };
        Ok(Self { comparison, side, findings, notes, config, pusher: None, trust, reaches: true, is_succeeded: false })
    }

    /// Says who pushes, by the word of the server.
    #[must_use]
    pub(crate) fn pushed_by(self, pusher: Option<Pusher>) -> Self {
        Self { pusher, ..self }
    }

    /// Says whether what the change leaves behind judges the change after it, so that it has to leave a policy.
    #[must_use]
    pub(crate) fn succeeded(self, is_succeeded: bool) -> Self {
        Self { is_succeeded, ..self }
    }

    /// Leaves settings, ignore files and exceptions that come with the change out of account, where nothing was there
    /// before that could vouch for them and the law is that of whoever runs this: it is named outside of the repository.
    #[must_use]
    pub(crate) fn vouched_by(mut self, law: &LawArgs) -> Self {
        let is_outside = |name: &String| self.side.below_root(name).is_none();
        if self.comparison.base.is_none() && law.policies.iter().any(is_outside) {
            self.side.repository = Cow::Owned(self.side.repository.without_ignore_files());
            self.side.settings = Settings::default();
            self.side.is_unvouched = true;
            self.findings.clear();
            self.notes.push(
                "nothing was there before: the admit.yaml and the exceptions that come along do not count".to_owned(),
            );
        }
        self
    }

    /// The settings that count.
    pub(crate) fn settings(&self) -> &Settings {
        &self.side.settings
    }

    /// Which side holds the law.
    pub(crate) fn trust(&self) -> Trust {
        self.trust
    }

    /// A case for each side that holds the law: what one of them refuses is refused.
    pub(crate) fn cases(self, law: &LawArgs, progress: &Progress) -> Result<Vec<Case>, RunError> {
        let (trust, comparison, pusher) = (self.trust, self.comparison.clone(), self.pusher.clone());
        let (repository, environment) = (self.side.repository.clone(), self.side.environment);
        let mut out = vec![self.case(law, progress)?];
        if trust == Trust::Both {
            let mut proposed = Change::new(&repository, environment, comparison, Some(Trust::Head))?.pushed_by(pusher);
            // That is told once.
            proposed.reaches = false;
            out.push(proposed.case(law, progress)?);
        }
        Ok(out)
    }

    /// Reads what changed, and what judges it.
    fn case(self, law: &LawArgs, progress: &Progress) -> Result<Case, RunError> {
        let Self { comparison, side, findings, mut notes, config, pusher, trust: _, reaches, is_succeeded } = self;
        let mut trees = side.repository.trees().map_err(|error| from_source(&error))?;
        let old = comparison.old.as_ref().map(|it| it.tree);
        let diff = git_diff::compare(&mut trees, old, Some(comparison.new.tree), &side.judged()?)
            .map_err(|error| from_source(&error))?;
        let all = side.options(&[])?;
        // What judges is looked for everywhere, not only where objects are judged.
        // A branch without common history has no side before it; its law follows upon the one that judges it.
        let old_law = old.or(comparison.base.as_ref().map(|it| it.tree));
        let law_diff = if side.settings.include.is_empty() && old == old_law {
            None
        } else {
            let diff = git_diff::compare(&mut trees, old_law, Some(comparison.new.tree), &all);
            Some(diff.map_err(|error| from_source(&error))?)
        };
        let is_hiding = !diff.ignore_files.is_empty();
        let mut case = side.case(diff, law_diff.as_ref(), law, progress)?;
        if let (Some(sides), Some(rules)) = (&mut case.sides, &case.governance) {
            sides.config = config;
            let law = sides.law().into_iter().collect();
            let who = who::authorship(&side.repository, &comparison, &law, rules, pusher)?;
            let after = comparison.new.commit;
            sides.history = after.and_then(|at| {
                who::history(&side.repository, at, sides.after.iter(), &Asks::of(rules), |path| Some(path.to_owned()))
            });
            sides.who = Some(who);
        }
        if let (Some(sides), Some(old)) = (&case.sides, comparison.old.as_ref().filter(|_| reaches)) {
            case.reach = side.reach([old.tree, comparison.new.tree], sides, &case.law, law, progress)?;
        }
        if let Some(sides) = case.sides.as_ref().filter(|_| is_succeeded) {
            let later = side.later(comparison.new.tree, sides);
            let is_open = is_hiding || comparison.old.is_none();
            let finding = side.left_without(&later, &case, is_open, law, progress)?;
            case.findings.extend(finding);
        }
        case.findings.extend(findings);
        notes.append(&mut case.notes);
        case.notes = notes;
        Ok(case)
    }
}
