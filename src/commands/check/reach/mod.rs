//! What a change does to objects that it does not touch, through what judges them.
//!
//! In: both sides of a change of policies, exceptions, Namespaces, definitions, parameters or settings. Out: for each of
//! them that makes objects fail which did not fail before, one finding. Objects are found through the kinds and
//! namespaces of the rules that may say something else now; of all other files no more is read than their bytes. A change
//! of nothing but objects that no rule looks up costs nothing.

mod told;
mod touched;

use std::collections::{HashMap, HashSet};

use self::{
    told::{Failing, tell},
    touched::{Index, Touched},
};
use super::{
    LawArgs, TELLING,
    case::context,
    side::{Known, Side, TreeAt, load},
    sides::Sides,
    standing::{self, Turnover},
};
use crate::{
    commands::{
        RunError,
        workspace::{from_config, from_source},
    },
    config::{ExceptionLimits, Settings, Trust, governance::Level},
    document::Node,
    engine::{UserInfo, World},
    finding::{Finding, Place, Severity},
    governance::Rules,
    report::Progress,
    runner::{self, Input, Law, Roles, Subject, Tree, TreeFile, Wanted, Wants},
    source::{Filter, Oid, Repository},
};

/// Files that are read and judged at a time, which bounds the memory.
const CHUNK: usize = 8192;

/// What a change reaches, and the laws of both sides.
#[derive(Debug)]
pub(crate) struct Reach {
    repository: Repository,
    touched: Touched,
    before: Measure,
    after: Measure,
    /// The files after the change, as far as they may be reached.
    inputs: Vec<Input>,
    severity: Severity,
    /// Who applies the manifests, if whoever runs this says so.
    pub(super) user: Option<UserInfo>,
}

/// What judges on one side.
#[derive(Debug)]
struct Measure {
    law: Law,
    law_tree: Tree,
    rules: Rules,
    /// Which exceptions count at all.
    limits: ExceptionLimits,
    user: Option<UserInfo>,
    known: Known,
    /// Charts and kustomizations.
    telling: Vec<Input>,
    /// What is judged at all.
    judged: Filter,
}

/// Which objects are looked at, and what it weighs when they fail.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    /// Whether what changed itself is judged by the law after the change anyway.
    pub(super) skips_changed: bool,
    pub(super) severity: Severity,
}

impl Side<'_> {
    /// What a change from one tree to another reaches. The weight is that of this side's settings; where both laws must be
    /// kept, it blocks.
    pub(super) fn reach(
        &self,
        trees: [Oid; 2],
        sides: &Sides,
        now: &Law,
        args: &LawArgs,
        progress: &Progress,
    ) -> Result<Option<Reach>, RunError> {
        let severity = match (self.settings.reach, self.trust) {
            (Level::Off, _) => return Ok(None),
            (_, Trust::Both) | (Level::Error, _) => Severity::Error,
            (Level::Warning, _) => Severity::Warning,
            (Level::Info, _) => Severity::Info,
        };
        let config = sides.config.as_ref();
        let settings = [config.map(|it| &it.before), config.map(|it| &it.after)];
        let side = |(tree, settings): (Oid, Option<&Settings>)| Side {
            repository: self.repository.clone(),
            tree: TreeAt::Stored { law: tree, new: tree },
            old: Some(tree),
            settings: settings.unwrap_or(&self.settings).clone(),
            // Each side is measured by its own law.
            trust: if self.trust == Trust::Operator { Trust::Operator } else { Trust::Head },
            environment: self.environment,
            held_by: self.held_by.clone(),
            is_unvouched: false,
        };
        let [before, after] = [(trees[0], settings[0]), (trees[1], settings[1])].map(side);
        let skips_changed = matches!(self.trust, Trust::Head | Trust::Both);
        Reach::read([&before, &after], sides, now, How { skips_changed, severity }, args, progress)
    }
}

impl Reach {
    /// Reads what judges on both sides; `None` where nothing that changed reaches further. `now` is the law that judges
    /// the change.
    pub(super) fn read(
        [before, after]: [&Side<'_>; 2],
        sides: &Sides,
        now: &Law,
        how: How,
        args: &LawArgs,
        progress: &Progress,
    ) -> Result<Option<Self>, RunError> {
        let mut touched = Touched::of(sides);
        if touched.is_idle(&now.policies) {
            return Ok(None);
        }
        let mut measures = [Measure::read(before, args, progress)?, Measure::read(after, args, progress)?];
        let [old, new] = &measures;
        touched.narrow([&old.law.policies, &new.law.policies]);
        if touched.is_empty() {
            return Ok(None);
        }
        for (measure, side) in measures.iter_mut().zip([before, after]) {
            side.stand_in(&mut measure.law, &Tree::default(), args, progress)?;
        }
        let entries = match touched.files_only() {
            Some(paths) => after.find(paths)?,
            None => after.list(&after.options(&[])?)?.entries,
        };
        let is_skipped = |path: &str| how.skips_changed && sides.changed.contains(path);
        let is_left = |path: &str| !is_skipped(path) && !is_telling(path);
        let [before_measure, after_measure] = measures;
        let roles = Roles { judged: true, screened: true, ..Roles::default() };
        let left = entries.into_iter().filter(|it| is_left(&it.path) && after_measure.judged.takes(&it.path));
        let inputs = left.map(|entry| Input { entry, roles }).collect();
        Ok(Some(Self {
            repository: after.repository.clone().into_owned(),
            touched,
            before: before_measure,
            after: after_measure,
            inputs,
            severity: how.severity,
            user: None,
        }))
    }

    /// A finding for each thing that changed and makes objects fail; `now` is in nanoseconds since 1970. Where nobody
    /// governs exceptions, one that breaks a rule counts.
    pub(super) fn judge(&self, now: i128, is_governed: bool) -> Vec<Finding> {
        match self.failing(now, is_governed) {
            Ok(failing) => tell(failing, self.severity),
            Err(error) => {
                let place = Place::whole_file(".");
                let message = format!("what this change does to other objects can't be told: {error}");
                vec![Finding::new("reach/unknown", Severity::Error, place, message)]
            }
        }
    }

    /// Every object and rule that fails after the change and did not before.
    pub(super) fn failing(&self, now: i128, is_governed: bool) -> Result<Vec<Failing>, RunError> {
        let index = Index::new(&self.touched, [&self.before.law.policies, &self.after.law.policies]);
        let wanted = |path: &str, bytes: &[u8]| index.may_reach(path, bytes);
        let mut out = Vec::new();
        for chunk in self.inputs.chunks(CHUNK) {
            let tree = self.after.load(&self.repository, chunk, &wanted)?;
            let reached: Vec<Node<'_>> =
                tree.files.iter().flat_map(TreeFile::subjects).filter(|it| index.reaches(*it)).collect();
            let mut failing = self.verdicts(&self.after, &reached, now, is_governed);
            failing.retain(|it| it.waived.is_none());
            if failing.is_empty() {
                continue;
            }
            // Only what fails now may have failed before.
            let paths: HashSet<&str> = failing.iter().map(|it| &*it.primary.path).collect();
            let was_judged = |it: &Node<'_>| {
                let path: &str = it.file().path();
                paths.contains(path) && self.before.judged.takes(path)
            };
            let other = if self.touched.is_divided() {
                let again: Vec<Input> = chunk.iter().filter(|it| paths.contains(&*it.entry.path)).cloned().collect();
                Some(self.before.load(&self.repository, &again, &wanted)?)
            } else {
                None
            };
            let objects = other.as_ref().unwrap_or(&tree).files.iter().flat_map(TreeFile::subjects);
            let objects: Vec<Node<'_>> = objects.filter(was_judged).collect();
            let before = self.verdicts(&self.before, &objects, now, is_governed);
            let mut known: HashMap<Key<'_>, Option<&str>> = HashMap::new();
            for it in &before {
                let exception = it.waived.as_ref().map(|it| &*it.exception);
                // One of several places that fails is enough.
                let known = known.entry(key(it)).or_insert(exception);
                *known = if exception.is_none() { None } else { *known };
            }
            for finding in failing {
                let exception = match known.get(&key(&finding)) {
                    Some(None) => continue,
                    Some(Some(exception)) => Some(*exception),
                    None => None,
                };
                let Some(verdict) = &finding.verdict else { continue };
                let object = reached.iter().find(|it| is_of(&finding, **it));
                let cause = object.and_then(|object| self.touched.cause(&verdict.policy, *object, exception));
                out.push(Failing { cause: cause.cloned(), finding });
            }
        }
        Ok(out)
    }

    /// What refuses objects that are made anew, waived or not.
    fn verdicts(&self, measure: &Measure, objects: &[Node<'_>], now: i128, is_governed: bool) -> Vec<Finding> {
        let subjects: Vec<Subject<'_>> =
            objects.iter().map(|it| Subject { object: Some(*it), old_object: None }).collect();
        let law = &measure.law;
        let context = context(measure.law_tree.files.iter(), law, &subjects, None, now);
        let rules = Some(&measure.rules).filter(|_| is_governed);
        let withheld = standing::withheld(&context, rules, &Turnover::default(), &[], &measure.limits);
        let world = World { policies: &law.policies, cluster: &law.cluster, now, withheld: &withheld };
        let user = self.user.as_ref().or(measure.user.as_ref());
        let is_asked = |rule: crate::policy::set::Found<'_>| self.touched.asks(rule);
        let judged = runner::judge_by(world, user, &subjects, Wants::default(), &|_| (), &is_asked);
        let mut out = judged.findings;
        out.retain(|it| it.severity == Severity::Error && it.verdict.is_some());
        out
    }
}

impl Measure {
    fn read(side: &Side<'_>, args: &LawArgs, progress: &Progress) -> Result<Self, RunError> {
        let law_inputs = side.law_inputs(args)?;
        let law_tree = side.load(&law_inputs.inputs, &Known::default(), progress)?;
        let law = Law::compile(law_tree.files.iter());
        let around = side.list_screened(&runner::SCREEN)?.entries;
        let (telling, others): (Vec<_>, Vec<_>) = around.into_iter().partition(|it| is_telling(&it.path));
        let screened = Roles { screened: true, ..Roles::default() };
        let others: Vec<Input> = others.into_iter().map(|entry| Input { entry, roles: screened }).collect();
        let mut known = Known { scopes: law_tree.scopes.clone(), ..Known::default() };
        if side.is_narrowed(args) {
            known.scopes.extend(side.load(&others, &Known::default(), progress)?.scopes);
        }
        Ok(Self {
            law,
            law_tree,
            rules: Rules::new(&side.settings.governance).map_err(|error| from_config(&error))?,
            limits: args.limits(&side.settings.governance.limits),
            user: side.settings.user.clone(),
            known,
            telling: telling.into_iter().map(|entry| Input { entry, roles: Roles::default() }).collect(),
            judged: Filter::new(&side.settings.include, &side.settings.exclude).map_err(|error| from_source(&error))?,
        })
    }

    fn load(&self, repository: &Repository, inputs: &[Input], wanted: Wanted<'_>) -> Result<Tree, RunError> {
        let all: Vec<Input> = self.telling.iter().chain(inputs).cloned().collect();
        load(repository, &all, &self.known, Some(wanted), &Progress::start(false))
    }
}

/// What makes two findings about the same object and rule.
pub(super) type Key<'f> = (&'f str, &'f str, &'f str, &'f str, &'f str);

pub(super) fn key(finding: &Finding) -> Key<'_> {
    let object = finding.verdict.as_ref().map(|it| &it.resource);
    let (kind, namespace, name) = object.map(|it| (&*it.kind, &*it.namespace, &*it.name)).unwrap_or_default();
    // An object may have no namespace on one side, and the usual one on the other.
    let namespace = if namespace == "default" { "" } else { namespace };
    (&finding.id, &finding.primary.path, kind, namespace, name)
}

fn is_of(finding: &Finding, object: Node<'_>) -> bool {
    let path: &str = object.file().path();
    path == &*finding.primary.path
        && finding.verdict.as_ref().is_some_and(|it| it.resource == crate::finding::resource_ref(object))
}

fn is_telling(path: &str) -> bool {
    TELLING.contains(&path.rsplit('/').next().unwrap_or(path))
}
