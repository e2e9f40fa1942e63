//! Why a rule says what it says of a resource, step by step, for people who ask.
//!
//! In: what `evaluate` takes, and one rule. Out: the steps in the order in which Kyverno takes them, each with its place.
//! Nothing here decides: each step asks what evaluation asks.

use std::{cell::RefCell, sync::Arc};

use super::{
    Outcome, Request, Status, World,
    cel::{self, Admittance},
    conditions,
    context::{RuleScope, Session},
    evaluate, in_namespace,
    matching::{Mismatch, Reach, Reader, Subjected},
    mutate::{self, OnFailure},
    near_miss, supplied,
    validate::Checking,
    whole_waiver,
};
use crate::{
    document::Node,
    expr::Arena,
    policy::{
        classic::{Body, Check, Policy, Rule},
        matching::{Block, Filter},
        set::{Found, RuleRef},
    },
    span::{File, Span},
};

/// One step.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Which part of the rule: `match`, `exclude`, `preconditions`, `exception`, `condition`, `element`,
    /// `context`, `missing`, `check`, `value`.
    pub part: &'static str,
    /// What came of it.
    pub text: String,
    /// Where it is written.
    pub place: Option<(Arc<File>, Span)>,
}

/// What a rule says of a resource, and why.
#[derive(Clone, Debug)]
pub(crate) struct Explanation {
    /// The key of the policy.
    pub policy: String,
    /// The computed name of the rule.
    pub rule: String,
    /// The verdict; `None` when the rule says nothing.
    pub status: Option<Status>,
    /// Whether it says nothing because it is for other kinds.
    pub is_for_other_kinds: bool,
    /// How it came to that.
    pub steps: Vec<Step>,
}

/// Explains one rule.
pub(crate) fn explain<'v>(world: World<'v>, rule: RuleRef, request: &'v Request<'v>, arena: &'v Arena) -> Explanation {
    let reference = rule;
    let found = world.policies.get(rule);
    let outcome = if found.changes() {
        mutate::mutate(world, &[rule], request, &[], OnFailure::GoOn).outcomes.pop()
    } else {
        evaluate(world, &[rule], request, arena).into_iter().next()
    };
    let (policy, rule) = match found {
        Found::Classic(policy, rule) => (policy, rule),
        Found::Cel(policy, form) => return cel::explain(world, policy, form, outcome, request, arena),
        Found::Cleanup(policy) => {
            let policy = policy.head.key.clone();
            let (rule, status) = (String::new(), None);
            return Explanation { policy, rule, status, is_for_other_kinds: false, steps: Vec::new() };
        }
    };
    let mut out = Explanation {
        policy: policy.head.key.clone(),
        rule: rule.name.clone(),
        status: outcome.as_ref().map(|it| it.status),
        is_for_other_kinds: false,
        steps: Vec::new(),
    };
    let Some(resource) = request.resource() else { return out };
    let subject = Subjected::new(request, resource, world.cluster);
    let is_of_kind = |filter: &Filter| subject.holds(filter, Reader::Match) != Err(Mismatch::Kind);
    out.is_for_other_kinds = !rule.matching.filters.iter().any(is_of_kind);
    let steps = &mut Steps { file: Arc::clone(&policy.head.file), steps: &mut out.steps };
    if let Some(first) = reached_before(world, reference, policy, request, arena) {
        let text = format!("not reached, because rule `{first}` applied: `applyRules` is `One`");
        steps.at("match", text, rule.name_span);
        out.status = None;
        return out;
    }
    let session = Session::new(request, world, arena);
    if !reaches(policy, rule, &subject, &session, steps) {
        return out;
    }
    let scope = RuleScope::new(&session, supplied(policy, rule, &session));
    scope.declare(&rule.context, &rule.document);
    if let Some(preconditions) = &rule.preconditions {
        for (span, text) in conditions::each(preconditions, &rule.document, &scope) {
            steps.at("preconditions", text, span);
        }
    }
    let Some(outcome) = outcome else { return out };
    steps.missing(&outcome);
    if outcome.message.starts_with("preconditions not met") || outcome.message.contains("evaluate preconditions") {
        return out;
    }
    exceptions(world, policy, rule, &scope, &subject, steps);
    if let Body::Validate(validate) = &rule.body {
        if let Check::Deny(Some(conditions), _) = &validate.check {
            for (span, text) in conditions::each(conditions, &rule.document, &scope) {
                steps.at("condition", text, span);
            }
        }
        // Entries are loaded when the check asks for them.
        let checking = Checking::new(rule, validate, &scope, resource, request.operation, &[]).noting();
        checking.run();
        for seen in checking.seen.into_iter().flat_map(RefCell::into_inner) {
            let element = shortened(&seen.element);
            let text = match seen.verdict {
                Some((status, message)) => format!("{} {element}: {}: {message}", seen.index, status_name(status)),
                None => format!("{} {element}: does not count", seen.index),
            };
            steps.push("element", text, seen.span.map(|span| (Arc::clone(resource.file()), span)));
        }
    }
    for (name, text) in scope.loaded() {
        steps.push("context", format!("{name}: {}", shortened(&text)), None);
    }
    steps.verdict(&outcome, resource);
    out
}

/// The rule of a policy after which Kyverno looks at no other, if it stands before this one.
fn reached_before<'v>(
    world: World<'v>,
    reference: RuleRef,
    policy: &Policy,
    request: &'v Request<'v>,
    arena: &'v Arena,
) -> Option<&'v str> {
    if !policy.first_rule_only {
        return None;
    }
    let rules = world.policies.rules_for(request.kind());
    let own: Vec<RuleRef> = rules.into_iter().filter(|it| it.policy_index() == reference.policy_index()).collect();
    let before: Vec<RuleRef> = own.into_iter().take_while(|it| *it != reference).collect();
    let decides = |it: &Outcome<'v>| matches!(it.status, Status::Pass | Status::Fail);
    evaluate(world, &before, request, arena).into_iter().find(decides).map(|it| it.rule)
}

/// Gathers steps whose places are mostly in one file.
pub(super) struct Steps<'s> {
    /// That file.
    pub file: Arc<File>,
    /// What was gathered.
    pub steps: &'s mut Vec<Step>,
}

impl Steps<'_> {
    /// A step in that file.
    pub(super) fn at(&mut self, part: &'static str, text: String, span: Span) {
        self.push(part, text, Some((Arc::clone(&self.file), span)));
    }

    /// A step in any file.
    pub(super) fn push(&mut self, part: &'static str, text: String, place: Option<(Arc<File>, Span)>) {
        self.steps.push(Step { part, text, place });
    }

    /// What is not held, and the verdict hangs on.
    pub(super) fn missing(&mut self, outcome: &Outcome<'_>) {
        for missing in &outcome.hangs_on {
            self.push("missing", missing.note(), None);
        }
    }

    /// What came of it, and the value that decides.
    pub(super) fn verdict(&mut self, outcome: &Outcome<'_>, resource: Node<'_>) {
        let evidence = &outcome.evidence;
        let text = match outcome.waived {
            Some(without) => format!("without the exception: {}", status_name(without)),
            None => format!("{}: {}", status_name(outcome.status), outcome.message),
        };
        let clause = evidence.clause.map(|span| (Arc::clone(&outcome.policy.file), span));
        self.push("check", text, clause);
        if let Some(value) = evidence.value {
            let label = evidence.label.as_str();
            let text = if label.is_empty() { "the value that decides" } else { label };
            self.push("value", text.to_owned(), Some((Arc::clone(resource.file()), value)));
        }
    }
}

/// Whether the rule gets beyond `match` and `exclude`.
fn reaches<'v>(
    policy: &'v Policy,
    rule: &Rule,
    subject: &Subjected<'_>,
    session: &Session<'v>,
    steps: &mut Steps<'_>,
) -> bool {
    if !policy.head.cluster_wide() && !in_namespace(policy, subject) {
        let text = format!("a Policy judges its own namespace `{}` only", policy.head.namespace);
        steps.at("match", text, policy.head.name_span);
        return false;
    }
    for (span, text) in cel::each_condition(session, &policy.gate) {
        steps.at("condition", text, span);
    }
    if matches!(cel::admit(session, &policy.gate), Admittance::Closed | Admittance::Refused(..)) {
        return false;
    }
    block("match", &rule.matching, Reader::Match, subject, steps);
    if subject.reach(&rule.matching, Reader::Match, |_| None) == Reach::No {
        return false;
    }
    if let Some(exclude) = &rule.exclude {
        block("exclude", exclude, Reader::Exclude, subject, steps);
        match subject.reach(exclude, Reader::Exclude, |_| None) {
            Reach::Yes => return false,
            Reach::DependsOnUser => {
                steps.at(
                    "exclude",
                    "whether it holds depends on who asks, which is not known here".to_owned(),
                    exclude.span,
                );
            }
            // The filter has said so.
            Reach::DependsOnNamespace | Reach::No => {}
        }
    }
    !matches!(rule.body, Body::Nothing)
}

fn block(part: &'static str, block: &Block, reader: Reader, subject: &Subjected<'_>, steps: &mut Steps<'_>) {
    for filter in &block.filters {
        let (text, span) = match subject.holds(filter, reader) {
            Ok(()) => ("holds".to_owned(), filter.span),
            Err(mismatch @ Mismatch::NamespaceUnknown) => {
                (format!("may hold: {}", reason(mismatch, subject)), place_of(mismatch, filter))
            }
            Err(mismatch) => (format!("does not hold: {}", reason(mismatch, subject)), place_of(mismatch, filter)),
        };
        steps.at(part, text, span);
    }
}

fn reason(mismatch: Mismatch, subject: &Subjected<'_>) -> String {
    let found = subject.at(mismatch);
    match mismatch {
        Mismatch::Empty => "the filter asks for nothing".to_owned(),
        Mismatch::Operation => "another operation is asked for".to_owned(),
        Mismatch::Kind => format!("no kind matches `{found}`"),
        Mismatch::Name => format!("no name matches `{found}`"),
        Mismatch::Namespace => format!("no namespace matches `{found}`"),
        Mismatch::Annotation => "an annotation is missing".to_owned(),
        Mismatch::Label => format!("the labels {} do not match the selector", shortened(&subject.labels().to_json())),
        Mismatch::NamespaceLabel => "the labels of the namespace do not match the selector".to_owned(),
        Mismatch::NamespaceUnknown => {
            format!("that takes the labels of Namespace `{}`, which the repository does not hold", subject.namespace())
        }
        Mismatch::User => match subject.asking() {
            Some(user) => format!("`{}` asks, with other groups or roles than it wants", user.username),
            None => "it is not known who asks".to_owned(),
        },
    }
}

fn place_of(mismatch: Mismatch, filter: &Filter) -> Span {
    match mismatch {
        Mismatch::Kind => filter.kinds_span,
        Mismatch::Name => filter.names_span,
        Mismatch::Namespace => filter.namespaces_span,
        Mismatch::Operation => filter.operations_span,
        Mismatch::Empty
        | Mismatch::Annotation
        | Mismatch::Label
        | Mismatch::NamespaceLabel
        | Mismatch::NamespaceUnknown
        | Mismatch::User => None,
    }
    .unwrap_or(filter.span)
}

/// Every exception that names the rule: whether it counts, and if not, why.
fn exceptions<'v>(
    world: World<'v>,
    policy: &'v Policy,
    rule: &'v Rule,
    scope: &RuleScope<'v, '_>,
    subject: &Subjected<'v>,
    steps: &mut Steps<'_>,
) {
    let Body::Validate(validate) = &rule.body else { return };
    let (action, _) = super::effective_action(policy, Some(&validate.action), scope.session(), subject);
    let super::Waivers { counting: waiving, withheld, .. } =
        super::waivers(world, policy, rule, scope, (subject, action));
    let whole = whole_waiver(validate, &waiving).map(|(_, exceptions)| exceptions).unwrap_or_default();
    for exception in world.policies.exceptions_for(&policy.head.key, &rule.name) {
        let is = |it: &&&crate::policy::exception::Exception| std::ptr::eq(**it, exception);
        let text = if whole.iter().any(|it| is(&it)) {
            "waives the rule".to_owned()
        } else if waiving.iter().any(|it| is(&it)) {
            "waives some controls of the rule".to_owned()
        } else if let Some((_, reason)) = withheld.iter().find(|(it, _)| std::ptr::eq(*it, exception)) {
            format!("does not count: {}", reason.note(&exception.key))
        } else if let Some(conditions) = &exception.conditions
            && subject.matches(&exception.matching, Reader::Exception)
        {
            let each = conditions::each(conditions, &exception.document, scope);
            let failed: Vec<_> = each.into_iter().map(|(_, text)| text).collect();
            format!("its conditions do not hold: {}", failed.join("; "))
        } else {
            let mismatches = exception.matching.filters.iter();
            let why = mismatches.filter_map(|it| subject.holds(it, Reader::Exception).err()).max();
            format!("does not match: {}", why.map_or_else(|| "it matches nothing".to_owned(), |it| reason(it, subject)))
        };
        let place = (Arc::clone(exception.document.file()), exception.name_span);
        steps.push("exception", format!("{} {text}", exception.key), Some(place));
    }
    let nothing = near_miss::Partial { exceptions: &[], violated: &[] };
    for miss in near_miss::find(world.policies, policy, rule, subject, nothing) {
        if !miss.exception.names(&policy.head.key, &rule.name) {
            let place = (Arc::clone(miss.exception.document.file()), miss.at);
            steps.push("exception", miss.obstacle.advice(&miss.exception.key), Some(place));
        }
    }
}

/// A text that is short enough for a line.
fn shortened(text: &str) -> String {
    const MAX: usize = 200;
    match text.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The word of a status in a step.
fn status_name(status: Status) -> &'static str {
    match status {
        Status::Pass => "pass",
        Status::Fail => "fail",
        Status::Skip => "skip",
        Status::Error => "error",
        Status::Indeterminate => "indeterminate",
    }
}
