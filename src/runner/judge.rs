//! Judging objects in parallel.
//!
//! In: the law and the objects. Out: findings and counts, the same for any number of threads. A panic while an object
//! is judged is an error finding of that object; the others go on.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::{
    absent::{self, Rest},
    claims, cleanup,
    panic::quietly,
};
use crate::{
    cluster::Missing,
    document::{Document, Node},
    engine::{
        self, Outcome, Request, UserInfo, World,
        explain::{Explanation, explain},
        mutate::{self, OnFailure, mutate},
        request::{Supplied, kind_of},
    },
    expr::Arena,
    finding::{
        Finding, Place, Severity,
        outcome::{self, Files},
        secret::{self, Redaction},
    },
    governance::effects::{BrokenCondition, Effect, Effects},
    policy::{
        Operation,
        classic::{Body, context::ContextEntry},
        exception::Exception,
        set::{Found, PolicySet, ResourceKind, RuleRef},
    },
    report::{Quiet, Rules, Trace},
};

/// One object to judge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'d> {
    /// The object after the operation; `None` for a removal.
    pub object: Option<Node<'d>>,
    /// The object before the operation; `None` for a new one.
    pub old_object: Option<Node<'d>>,
}

impl<'d> Subject<'d> {
    fn operation(&self) -> Operation {
        match (self.object, self.old_object) {
            (Some(_), None) => Operation::Create,
            (Some(_), Some(_)) => Operation::Update,
            (None, _) => Operation::Delete,
        }
    }

    /// The object that it is about, as it is, or as it was.
    pub(crate) fn resource(&self) -> Option<Node<'d>> {
        self.object.or(self.old_object)
    }
}

/// What is wanted beside findings.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wants {
    /// Verdicts that are no finding.
    pub quiet: bool,
    /// How each rule came to what it says.
    pub traces: bool,
}

/// What judging came to.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Everything to say.
    pub findings: Vec<Finding>,
    /// Verdicts that are no finding, if they were asked for.
    pub quiet: Vec<Quiet>,
    /// How each rule came to what it says, if that was asked for.
    pub traces: Vec<Trace>,
    /// Verdicts by status.
    pub rules: Rules,
    /// Verdicts that would have been `fail` but for an exception.
    pub waived: usize,
    /// What each exception does.
    pub effects: Effects,
    /// Violations that were there before and that policies let through for that, as `OBJECT (POLICY/RULE)`.
    pub tolerated: Vec<String>,
    /// What the repository does not hold, and how many verdicts can't be told without it.
    pub missing: BTreeMap<Missing, usize>,
    /// What passed only since something is taken for absent.
    pub absent: BTreeSet<Rest>,
}

/// Judges the subjects on the threads of the pool at hand.
pub(crate) fn judge<'d>(
    world: World<'d>,
    user: Option<&'d UserInfo>,
    subjects: &[Subject<'d>],
    wants: Wants,
    tick: &(dyn Fn(u64) + Sync),
) -> Judged {
    judge_by(world, user, subjects, wants, tick, &|_| true)
}

/// The same by those rules only that are asked.
pub(crate) fn judge_by<'d>(
    world: World<'d>,
    user: Option<&'d UserInfo>,
    subjects: &[Subject<'d>],
    wants: Wants,
    tick: &(dyn Fn(u64) + Sync),
    is_asked: &dyn Fn(Found<'_>) -> bool,
) -> Judged {
    let chunk = (subjects.len() / (rayon::current_num_threads() * 8)).clamp(1, 256);
    let kinds: Vec<ResourceKind<'d>> =
        subjects.par_iter().map(|it| it.resource().map(kind_of).unwrap_or_default()).collect();
    let mut rules: FxHashMap<ResourceKind<'d>, Applicable> = FxHashMap::default();
    for kind in &kinds {
        rules.entry(*kind).or_insert_with(|| Applicable::new(world.policies, *kind, is_asked));
    }
    let nothing = Applicable::default();
    let has_conditions = world.policies.exceptions.iter().any(|it| it.conditions.is_some());
    let parts: Vec<Judged> = subjects
        .par_chunks(chunk)
        .enumerate()
        .map(|(n, part)| {
            let mut judging = Judging { world, user, wants, index: 0, has_conditions, out: Judged::default() };
            let mut arena = Arena::new();
            for (index, subject) in part.iter().enumerate() {
                let position = n * chunk + index;
                let kind = kinds[position];
                let rules = rules.get(&kind).unwrap_or(&nothing);
                let until = subject.object.and_then(|object| cleanup::of_label(object, world.now));
                judging.out.findings.extend(until);
                let claim = subject.object.filter(|_| rules.notes_images).and_then(claims::of_annotations);
                judging.out.findings.extend(claim);
                // Most objects of a repository are of no kind that a rule is about.
                if rules.is_empty() && !wants.traces {
                    continue;
                }
                judging.index = position as u32;
                if let Err(message) = quietly(|| judging.subject(subject, kind, rules, &arena)) {
                    judging.lost(subject, &message);
                }
                arena.reset();
            }
            tick(part.len() as u64);
            judging.out
        })
        .collect();
    let mut out = Judged::default();
    for part in parts {
        out.findings.extend(part.findings);
        out.quiet.extend(part.quiet);
        out.traces.extend(part.traces);
        out.waived += part.waived;
        out.tolerated.extend(part.tolerated);
        out.absent.extend(part.absent);
        for (missing, n) in part.missing {
            *out.missing.entry(missing).or_default() += n;
        }
        out.effects.waived.extend(part.effects.waived);
        out.effects.broken.extend(part.effects.broken);
        out.rules = out.rules + part.rules;
    }
    out.effects.sort();
    out.findings.extend(absent::findings(world.policies, &out.absent));
    out
}

/// The rules for a kind, in the order of evaluation.
#[derive(Debug, Default)]
struct Applicable {
    /// Those that change an object before others judge it.
    changing: Vec<RuleRef>,
    /// Those that judge it.
    judging: Vec<RuleRef>,
    /// Those that delete it some day.
    deleting: Vec<RuleRef>,
    /// Whether some of them verify images and note it in the object.
    notes_images: bool,
}

impl Applicable {
    fn new(policies: &PolicySet, kind: ResourceKind<'_>, is_asked: &dyn Fn(Found<'_>) -> bool) -> Self {
        let rules =
            policies.rules_for(kind).into_iter().filter(|rule| is_asked(policies.get(*rule))).collect::<Vec<_>>();
        let changing = mutate::in_order(policies, &rules);
        let mut out = Self { changing, ..Self::default() };
        for rule in rules {
            let found = policies.get(rule);
            out.notes_images |= matches!(found, Found::Classic(_, rule) if matches!(rule.body, Body::VerifyImages(_)));
            if found.deletes() {
                out.deleting.push(rule);
            } else if !found.changes() {
                out.judging.push(rule);
            }
        }
        out
    }

    fn is_empty(&self) -> bool {
        self.changing.is_empty() && self.judging.is_empty() && self.deleting.is_empty()
    }
}

/// The position of an exception in its set.
fn position(policies: &PolicySet, exception: &Exception) -> Option<u32> {
    policies.exceptions.iter().position(|it| std::ptr::eq(it, exception)).map(|it| it as u32)
}

/// An object as it is judged.
#[derive(Clone, Copy)]
struct After<'a> {
    resource: Node<'a>,
    redaction: Option<&'a Redaction>,
    /// The rules that changed it before.
    changed_by: &'a [RuleRef],
    /// It may hold values of Secrets.
    is_careful: bool,
}

impl<'a> After<'a> {
    /// An object as it was written.
    fn nothing(resource: Node<'a>, redaction: Option<&'a Redaction>) -> Self {
        Self { resource, redaction, changed_by: &[], is_careful: redaction.is_some() }
    }

    /// Says in a finding what was changed before.
    fn say(self, finding: Finding, policies: &PolicySet) -> Finding {
        if self.changed_by.is_empty() {
            return finding;
        }
        let mut finding = finding;
        let mut names = Vec::new();
        for rule in self.changed_by {
            let found = policies.get(*rule);
            names.push(format!("`{}`", found.title()));
            let place = Place::new(&found.head().file, found.name_span());
            finding = finding.related(place, "changes the object before");
        }
        finding.note(format!("judged after {}", names.join(", ")))
    }
}

struct Judging<'d> {
    world: World<'d>,
    user: Option<&'d UserInfo>,
    wants: Wants,
    /// Position of the subject at hand.
    index: u32,
    /// Whether any exception has conditions.
    has_conditions: bool,
    out: Judged,
}

impl<'d> Judging<'d> {
    /// Judges one subject by the rules that may say something of its kind, after those that change it.
    fn subject(&mut self, subject: &Subject<'d>, kind: ResourceKind<'d>, rules: &Applicable, arena: &Arena) {
        let Some(resource) = subject.resource() else { return };
        let world = self.world;
        let namespace = resource.str_at(&["metadata", "namespace"]).unwrap_or_default();
        let request = Request {
            operation: subject.operation(),
            object: subject.object,
            old_object: subject.old_object,
            subresource: "",
            user: self.user,
            namespace_labels: world.cluster.namespace_labels(namespace),
            supplied: Supplied { kind: Some(kind), ..Supplied::default() },
        };
        let redaction = Redaction::of([subject.object, subject.old_object]);
        let redaction = redaction.as_ref();
        if request.object.is_some() {
            self.deletions(&request, resource, &rules.deleting, arena);
        }
        if rules.changing.is_empty() {
            self.judge(&request, kind, &rules.judging, After::nothing(resource, redaction), arena);
            return;
        }
        // A cluster compares with what it holds, which is no longer what was written.
        let held = self.changed(subject, || mutate::held(world, &rules.changing, &request));
        let old_object = held.document.as_ref().map(Document::root).or(request.old_object);
        let request = Request { old_object, ..request };
        let mutated = request.object.map(|_| {
            let mutated = self.changed(subject, || mutate(world, &rules.changing, &request, &[], OnFailure::GoOn));
            self.take(&mutated.outcomes, After::nothing(resource, redaction));
            mutated
        });
        let mutated = mutated.as_ref().unwrap_or(&held);
        let changed = mutated.document.as_ref().map(Document::root);
        let request = Request { object: request.object.map(|object| changed.unwrap_or(object)), ..request };
        let resource = changed.unwrap_or(resource);
        let changed_by = mutated.changed_by.as_slice();
        let reads_secrets = changed_by.iter().any(|rule| world.policies.get(*rule).reads_secrets());
        let after = After { resource, redaction, changed_by, is_careful: redaction.is_some() || reads_secrets };
        self.judge(&request, kind, &rules.judging, after, arena);
    }

    /// What rules make of an object; nothing, and a finding, when one of them panics.
    fn changed<'w>(
        &mut self,
        subject: &Subject<'_>,
        mutate: impl FnOnce() -> mutate::Mutated<'w>,
    ) -> mutate::Mutated<'w> {
        quietly(mutate).unwrap_or_else(|message| {
            self.lost(subject, &message);
            mutate::Mutated::default()
        })
    }

    /// Says what will delete an object that is let in.
    fn deletions(&mut self, request: &Request<'_>, resource: Node<'_>, rules: &[RuleRef], arena: &Arena) {
        for rule in rules {
            let world = self.world;
            match quietly(|| engine::cleanup::deletion(world, *rule, request, arena)) {
                Ok(Some(deletion)) => {
                    let is_careful = secret::is_secret(resource) || world.policies.get(*rule).reads_secrets();
                    self.out.findings.push(cleanup::of_policy(&deletion, resource, is_careful));
                }
                Ok(None) => {}
                Err(message) => self.panicked(*rule, resource, &message),
            }
        }
    }

    /// Judges an object as it is after the rules that change it.
    fn judge(
        &mut self,
        request: &Request<'_>,
        kind: ResourceKind<'_>,
        rules: &[RuleRef],
        after: After<'_>,
        arena: &Arena,
    ) {
        let (world, resource) = (self.world, after.resource);
        if self.wants.traces {
            for rule in world.policies.rules_existing_for(kind) {
                if let Ok(explained) = quietly(|| explain(world, rule, request, arena)) {
                    let is_careful = after.is_careful || world.policies.get(rule).reads_secrets();
                    self.out.traces.push(trace(explained, resource, is_careful));
                }
            }
        }
        if self.has_conditions {
            for rule in rules {
                let broken = quietly(|| engine::broken_conditions(world, *rule, request, arena)).unwrap_or_default();
                let is_careful = after.is_careful || world.policies.get(*rule).reads_secrets();
                for (exception, message) in broken {
                    let message = if is_careful { secret::UNSAID.to_owned() } else { message };
                    let exception = position(world.policies, exception);
                    self.out.effects.broken.extend(exception.map(|exception| BrokenCondition {
                        exception,
                        object: self.index,
                        message,
                    }));
                }
            }
        }
        match quietly(|| engine::evaluate(world, rules, request, arena)) {
            Ok(outcomes) => self.take(&outcomes, after),
            // The rule that panics is found by asking one by one; the others have their say.
            Err(_) => {
                for rule in rules {
                    match quietly(|| engine::evaluate(world, &[*rule], request, arena)) {
                        Ok(outcomes) => self.take(&outcomes, after),
                        Err(message) => self.panicked(*rule, resource, &message),
                    }
                }
            }
        }
    }

    fn take(&mut self, outcomes: &[Outcome<'_>], after: After<'_>) {
        let After { resource, redaction, .. } = after;
        for it in outcomes {
            self.note_effects(it);
            let n = match it.status {
                engine::Status::Pass => &mut self.out.rules.pass,
                engine::Status::Fail if it.policy.scored => &mut self.out.rules.fail,
                engine::Status::Fail => &mut self.out.rules.warn,
                engine::Status::Error => &mut self.out.rules.error,
                engine::Status::Skip => &mut self.out.rules.skip,
                engine::Status::Indeterminate => &mut self.out.rules.indeterminate,
            };
            *n += 1;
            self.out.waived += usize::from(it.waived == Some(engine::Status::Fail));
            if it.status == engine::Status::Indeterminate {
                for missing in &it.hangs_on {
                    *self.out.missing.entry(missing.clone()).or_default() += 1;
                }
            }
            if matches!(it.status, engine::Status::Pass | engine::Status::Skip) && it.exceptions.is_empty() {
                let absent = it.hangs_on.iter().filter(|it| it.is_taken_for_absent());
                self.out.absent.extend(
                    it.origin
                        .into_iter()
                        .flat_map(|rule| absent.clone().cloned().map(move |missing| Rest { rule, missing })),
                );
            }
            if it.tolerated {
                let title = outcome::resource_ref(resource).title();
                self.out.tolerated.push(format!("{title} ({}/{})", it.policy.key, it.rule));
            }
            match outcome::from_outcome(it, resource, Files { resource: resource.file() }) {
                Some(finding) => {
                    let mut finding = after.say(finding, self.world.policies);
                    if let Some(is_own_text) = self.is_careful(it, after) {
                        finding = secret::silence(finding, is_own_text);
                        if let Some(sought) = self.sought(it).filter(|_| !is_own_text) {
                            finding.message = format!("{}; not known here: {sought}", finding.message);
                        }
                    }
                    if let Some(redaction) = redaction {
                        finding = redaction.clean_finding(finding);
                    }
                    self.out.findings.push(finding);
                }
                None if self.wants.quiet => {
                    let mut quiet = Quiet {
                        path: resource.file().path().to_string(),
                        line: resource.file().position(resource.span().start).line,
                        verdict: outcome::verdict(it, &outcome::resource_ref(resource)),
                        message: it.message.clone(),
                    };
                    if let Some(is_own_text) = self.is_careful(it, after) {
                        quiet.verdict = secret::silence_verdict(quiet.verdict);
                        if !is_own_text {
                            secret::UNSAID.clone_into(&mut quiet.message);
                        }
                    }
                    if let Some(redaction) = redaction {
                        quiet.message = redaction.clean(&quiet.message);
                        redaction.clean_verdict(&mut quiet.verdict);
                    }
                    self.out.quiet.push(quiet);
                }
                None => {}
            }
        }
    }

    /// What a rule looks up, in the policy's own words, when its verdict takes something that is not known here.
    fn sought(&self, outcome: &Outcome<'_>) -> Option<String> {
        if outcome.status != engine::Status::Indeterminate {
            return None;
        }
        match self.world.policies.get(outcome.origin?) {
            Found::Classic(_, rule) => {
                let sought: Vec<String> = rule.context.iter().filter_map(ContextEntry::sought).collect();
                let asks_user = || "what the rule asks of the request".to_owned();
                Some(if sought.is_empty() { asks_user() } else { sought.join(", ") })
            }
            Found::Cel(..) | Found::Cleanup(_) => Some("what the policy looks up".to_owned()),
        }
    }

    /// For an outcome whose rule knows values of Secrets: whether its message is the policy's own text.
    fn is_careful(&self, outcome: &Outcome<'_>, after: After<'_>) -> Option<bool> {
        let rule = outcome.origin.map(|rule| self.world.policies.get(rule));
        let (reads, quotes) = rule.map_or((false, true), |rule| (rule.reads_secrets(), rule.quotes()));
        if !after.is_careful && !reads {
            return None;
        }
        // What goes wrong while a rule is evaluated quotes what it went wrong with.
        let failed = matches!(outcome.status, engine::Status::Error | engine::Status::Indeterminate);
        Some(!outcome.exceptions.is_empty() || !(failed || quotes))
    }

    /// Notes what exceptions do to the object; costs nothing where none does anything.
    fn note_effects(&mut self, outcome: &Outcome<'_>) {
        let policies = self.world.policies;
        let withheld = outcome.withheld.iter().map(|(exception, _)| exception);
        for exception in outcome.exceptions.iter().chain(withheld) {
            let (Some(exception), Some(rule)) = (position(policies, exception), outcome.origin) else { continue };
            let changes = policies.get(rule).changes();
            self.out.effects.waived.push(Effect {
                exception,
                rule,
                object: self.index,
                // A rule that would change the object is waived for a reason, though it would not refuse anything.
                without: match (outcome.exceptions.is_empty(), outcome.waived) {
                    (true, _) => Some(outcome.status),
                    (false, Some(engine::Status::Pass)) if changes => Some(engine::Status::Indeterminate),
                    (false, without) => without,
                },
                n_exceptions: (outcome.exceptions.len() + outcome.withheld.len()) as u32,
            });
        }
    }

    fn panicked(&mut self, rule: RuleRef, resource: Node<'_>, message: &str) {
        let found = self.world.policies.get(rule);
        let finding = broken(found.title(), resource, message);
        self.out.rules.indeterminate += 1;
        self.out.findings.push(finding.related(Place::new(&found.head().file, found.name_span()), "by this rule"));
    }

    /// Notes that what there is to say of an object is lost, at least in part.
    fn lost(&mut self, subject: &Subject<'_>, message: &str) {
        if let Some(resource) = subject.resource() {
            self.out.findings.push(broken("internal/panic".to_owned(), resource, message));
        }
    }
}

fn broken(id: String, resource: Node<'_>, message: &str) -> Finding {
    let place = secret::place(resource.file(), resource.at(&["metadata", "name"]).unwrap_or(resource).span());
    // The text of a panic may quote anything.
    let message = if secret::is_secret(resource) {
        "judging this object failed inside admit".to_owned()
    } else {
        format!("judging this object failed inside admit: {message}")
    };
    Finding::new(id, Severity::Error, place, message)
        .help("this is a bug in admit: please report it with the object and the policy")
}

/// An explanation as reports show it.
fn trace(explained: Explanation, resource: Node<'_>, is_careful: bool) -> Trace {
    let name = resource.at(&["metadata", "name"]).unwrap_or(resource);
    let object = outcome::resource_ref(resource);
    let steps = explained.steps.into_iter().map(|mut step| {
        // Only these two compare nothing but names, labels and annotations.
        if is_careful && !matches!(step.part, "match" | "exclude") {
            secret::UNSAID.clone_into(&mut step.text);
        }
        let place = step.place.map(|(file, span)| Place::redacted(&file, span));
        (step.part, step.text, place)
    });
    Trace {
        resource: object,
        at: Place::redacted(resource.file(), name.span()),
        policy: explained.policy,
        rule: explained.rule,
        status: explained.status.map(outcome::status),
        is_for_other_kinds: explained.is_for_other_kinds,
        steps: steps.collect(),
    }
}
