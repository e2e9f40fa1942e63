//! `validate` rules: patterns, deny conditions, foreach.
//!
//! In: a rule that matches, its names. Out: status, message and evidence; nothing when the rule says nothing.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
};

use super::{
    cel,
    conditions::{self, ConditionError, Deciding, Wanted},
    context::RuleScope,
    evidence::{self, Level, Reading},
    manifests,
    outcome::{Evidence, Status},
    pattern::{self, Mismatch, MismatchClass, Note, Notes},
    pod_security::{self, Judgement},
};
use crate::{
    document::{Document, Node, resource::place_of_missing},
    expr::{
        Value,
        jmespath::EvalError,
        operator::go_text,
        template::{Path, SubstituteError, Template},
    },
    policy::{
        Operation,
        classic::{
            Check, Rule,
            cel::Cel,
            condition::Conditions,
            model::{ForEach, PatternSource, Validate},
            pattern::Pattern,
        },
        exception::Exception,
        manifests::Manifests,
        pod_security::PodSecurity,
    },
    span::Span,
};

/// The most elements that one foreach looks at, over all its levels.
const MAX_ELEMENTS: usize = 100_000;

/// What a check says.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// The status.
    pub status: Status,
    /// Kyverno's text.
    pub message: String,
    /// Where to look.
    pub evidence: Evidence,
    /// Properties for reports.
    pub properties: Vec<(String, String)>,
    /// For a failure by the pod security standards: the controls that are violated.
    pub violated_controls: Vec<&'static str>,
}

impl Verdict {
    /// A verdict that points nowhere.
    pub(crate) fn new(status: Status, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            evidence: Evidence::default(),
            properties: Vec::new(),
            violated_controls: Vec::new(),
        }
    }

    /// A pass of the rule with this name. Most verdicts are that, so its text is put together without formatting.
    fn passed(word: &str, name: &str) -> Self {
        Self::new(Status::Pass, [word, name, "' passed."].concat())
    }

    /// An error, or indeterminate when something is missing that a cluster has.
    fn error(message: String, missing: Option<&str>, clause: Option<Span>) -> Self {
        let evidence = Evidence { clause, ..Evidence::default() };
        match missing {
            // The text of an expression's error names what is missing, that of others does not.
            Some(missing) if message.contains(missing) => {
                Self { evidence, ..Self::new(Status::Indeterminate, message) }
            }
            Some(missing) => {
                Self { evidence, ..Self::new(Status::Indeterminate, format!("{message}: {missing} is not known here")) }
            }
            None => Self { evidence, ..Self::new(Status::Error, message) },
        }
    }
}

/// A rule while its check runs.
pub(crate) struct Checking<'v, 's> {
    /// The rule.
    pub rule: &'v Rule,
    /// Its `validate` block.
    pub validate: &'v Validate,
    /// Its names.
    pub scope: &'s RuleScope<'v, 's>,
    /// The object that is judged.
    pub resource: Node<'v>,
    /// What is done to it.
    pub operation: Operation,
    /// Exceptions that exempt some violations of the pod security standards.
    pub exemptions: &'s [&'v Exception],
    /// How many elements foreach has looked at.
    pub elements: Cell<usize>,
    /// The elements of foreach that are being looked at, the outermost first.
    pub levels: RefCell<Vec<Level<'v>>>,
    /// What each element of foreach came to, if somebody asks.
    pub seen: Option<RefCell<Vec<Seen>>>,
    /// What the anchors of each pattern came to, if somebody asks, after the element that it was compared with.
    pub anchors: RefCell<Vec<(String, Note)>>,
}

/// What an element of foreach came to.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Its place in the list, after those of the lists around it.
    pub index: String,
    /// The element, as JSON.
    pub element: String,
    /// What was said of it; `None` when it doesn't count.
    pub verdict: Option<(Status, String)>,
    /// Where it stands in the object, if it does.
    pub span: Option<Span>,
}

/// The most elements that are noted for people who ask.
const MAX_SEEN: usize = 100;

impl<'v, 's> Checking<'v, 's> {
    /// The check of a rule, not yet run.
    pub(crate) fn new(
        rule: &'v Rule,
        validate: &'v Validate,
        scope: &'s RuleScope<'v, 's>,
        resource: Node<'v>,
        operation: Operation,
        exemptions: &'s [&'v Exception],
    ) -> Self {
        let (elements, levels) = (Cell::new(0), RefCell::default());
        let anchors = RefCell::default();
        Self { rule, validate, scope, resource, operation, exemptions, elements, levels, seen: None, anchors }
    }

    /// The same check, which notes what comes of the elements of foreach.
    pub(crate) fn noting(self) -> Self {
        Self { seen: Some(RefCell::default()), ..self }
    }

    /// Runs the check of the rule.
    pub(crate) fn run(&self) -> Option<Verdict> {
        let resource = Value::from(self.resource);
        match &self.validate.check {
            Check::Pattern(_) | Check::AnyPattern(_) | Check::PodSecurity(_) | Check::Manifests(_)
                if self.operation == Operation::Delete =>
            {
                None
            }
            Check::ForEach(items) => self.for_each_all(items, 0),
            Check::PodSecurity(demanded) => Some(self.pod_security(demanded)),
            check => self.check(check, resource),
        }
    }

    fn document(&self) -> &'v Document {
        &self.rule.document
    }

    fn check(&self, check: &'v Check, value: Value<'v>) -> Option<Verdict> {
        match check {
            Check::Pattern(source) => Some(self.pattern(source, value)),
            Check::AnyPattern(sources) => Some(self.any_pattern(sources, value)),
            Check::Deny(conditions, span) => Some(self.deny(conditions.as_ref(), *span)),
            Check::Cel(cel) => Some(self.cel(cel)),
            Check::Manifests(manifests) => Some(self.manifests(manifests)),
            Check::ForEach(_) | Check::PodSecurity(_) | Check::Nothing => None,
        }
    }

    fn cel(&self, check: &'v Cel) -> Verdict {
        let session = self.scope.session();
        cel::check(session, self.rule, self.validate, check)
    }

    fn pattern(&self, source: &'v PatternSource, value: Value<'v>) -> Verdict {
        let name = &self.rule.name;
        if let Some(reference) = &source.unresolved {
            return self.unresolved(reference, source);
        }
        match self.compiled(source, &Path::Root) {
            Err(error) => self.substitution_failed(&error, source),
            Ok(compiled) => match self.compare(&compiled, value) {
                Ok(()) => Verdict::passed("validation rule '", name),
                Err(mismatch) => {
                    let evidence = self.evidence_of(&mismatch);
                    let (status, message) = match mismatch.class {
                        MismatchClass::Skip => (Status::Skip, mismatch.text),
                        MismatchClass::Fail => {
                            (Status::Fail, self.failure(&format!("rule {name} failed at path {}", mismatch.path)))
                        }
                        MismatchClass::Error => {
                            (Status::Error, self.failure(&format!("rule {name} execution error: {}", mismatch.text)))
                        }
                    };
                    Verdict { evidence, ..Verdict::new(status, message) }
                }
            },
        }
    }

    fn any_pattern(&self, sources: &'v [PatternSource], value: Value<'v>) -> Verdict {
        let name = &self.rule.name;
        let (mut failed, mut skipped) = (Vec::new(), Vec::new());
        let mut first: Option<Evidence> = None;
        // Kyverno: variables are replaced in all patterns before the first one is tried.
        let mut patterns = Vec::with_capacity(sources.len());
        for (index, source) in sources.iter().enumerate() {
            if let Some(reference) = &source.unresolved {
                return self.unresolved(reference, source);
            }
            match self.compiled(source, &Path::Index(&Path::Root, index)) {
                Ok(compiled) => patterns.push(compiled),
                Err(error) => return self.substitution_failed(&error, source),
            }
        }
        for (index, compiled) in patterns.iter().enumerate() {
            match self.compare(compiled, value) {
                Ok(()) => {
                    let message = format!("validation rule '{name}' anyPattern[{index}] passed.");
                    return Verdict::new(Status::Pass, message);
                }
                Err(mismatch) => match mismatch.class {
                    MismatchClass::Skip => skipped.push(format!("rule {name}[{index}] skipped: {}", mismatch.text)),
                    MismatchClass::Fail | MismatchClass::Error => {
                        first.get_or_insert_with(|| self.evidence_of(&mismatch));
                        failed.push(if mismatch.path.is_empty() {
                            format!("rule {name}[{index}] failed: {}", mismatch.text)
                        } else {
                            format!("rule {name}[{index}] failed at path {}", mismatch.path)
                        });
                    }
                },
            }
        }
        if sources.is_empty() {
            // Kyverno: an empty list of patterns passes, with the rule's message.
            let message = self.validate.message.as_ref().map(Template::source).unwrap_or_default();
            return Verdict::new(Status::Pass, message);
        }
        if failed.is_empty() {
            return Verdict::new(Status::Skip, skipped.join(" "));
        }
        let message = self.failure(&failed.join(" "));
        Verdict { evidence: first.unwrap_or_default(), ..Verdict::new(Status::Fail, message) }
    }

    fn compare(&self, pattern: &Pattern, value: Value<'v>) -> Result<(), Mismatch> {
        if self.seen.is_none() {
            return pattern::matches(pattern, value, self.span_of(value));
        }
        let notes = Notes::default();
        let result = pattern::matches_noting(pattern, value, self.span_of(value), Some(&notes));
        let index = self.index();
        self.anchors.borrow_mut().extend(notes.into_inner().into_iter().map(|note| (index.clone(), note)));
        result
    }

    /// The place of the element at hand in its list, after those of the lists around it; empty outside of foreach.
    fn index(&self) -> String {
        self.levels.borrow().iter().map(|level| level.index.to_string()).collect::<Vec<_>>().join(".")
    }

    /// The pattern, compiled now if it holds variables.
    fn compiled(&self, source: &'v PatternSource, at: &Path<'_>) -> Result<Cow<'v, Pattern>, SubstituteError> {
        if let Some(compiled) = &source.compiled {
            return Ok(Cow::Borrowed(compiled));
        }
        let arena = self.scope.arena();
        let value = source.tree.resolve(self.document(), at, self.scope, arena)?;
        let node = self.document().node(source.tree.node());
        Ok(Cow::Owned(Pattern::compile(value, Some(node), source.numbers)))
    }

    fn unresolved(&self, reference: &str, source: &PatternSource) -> Verdict {
        let clause = Some(self.document().node(source.tree.node()).span());
        Verdict::error(format!("variable substitution failed: got nil resolved variable: {reference}"), None, clause)
    }

    fn substitution_failed(&self, error: &SubstituteError, source: &PatternSource) -> Verdict {
        let clause = Some(self.document().node(source.tree.node()).span());
        Verdict::error(format!("variable substitution failed: {error}"), missing(error), clause)
    }

    /// Where to point for what is missing in a value; `None` for a computed one.
    fn span_of(&self, value: Value<'v>) -> Option<Span> {
        value.node().map(|node| place_of_missing(node, self.resource))
    }

    fn evidence_of(&self, mismatch: &Mismatch) -> Evidence {
        let element = || self.reading(&self.levels.borrow()).element().map(|(_, span)| span);
        Evidence {
            value: mismatch.value.or_else(element),
            label: mismatch.found.clone(),
            clause: mismatch.clause,
            demand: String::new(),
            path: mismatch.path.clone(),
        }
    }

    fn reading<'r>(&'r self, levels: &'r [Level<'v>]) -> Reading<'v, 'r> {
        Reading { resource: self.resource, scope: self.scope, levels }
    }

    fn deny(&self, conditions: Option<&'v Conditions>, span: Span) -> Verdict {
        let name = &self.rule.name;
        let decision = match conditions.map(|it| conditions::evaluate(it, self.document(), self.scope, Wanted::True)) {
            Some(Err(error)) => {
                return Verdict::error(
                    format!("failed to check deny conditions: {error}"),
                    error.indeterminate(),
                    Some(span),
                );
            }
            Some(Ok(decision)) => Some(decision),
            None => None,
        };
        if decision.as_ref().is_some_and(|decision| !decision.holds) {
            return Verdict::passed("validation rule '", name);
        }
        let (condition_text, deciding) =
            decision.map(|decision| (decision.message, decision.deciding)).unwrap_or_default();
        let message = self.deny_message(&condition_text);
        let mut evidence = self.deny_evidence(&deciding);
        evidence.clause = evidence.clause.or(Some(span));
        Verdict { evidence, ..Verdict::new(Status::Fail, message) }
    }

    fn deny_message(&self, condition_text: &str) -> String {
        let rule_text = self.validate.message.as_ref().map(Template::source).unwrap_or_default();
        let joined = [rule_text, condition_text].into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join("; ");
        if joined.is_empty() {
            return format!("validation error: rule {} failed", self.rule.name);
        }
        let arena = self.scope.arena();
        match crate::expr::template::resolve_text(&joined, &Path::Root, self.scope, arena) {
            Ok(Value::String(text)) => text.to_owned(),
            Ok(_) => "the produced message didn't resolve to a string, check your policy definition.".to_owned(),
            // The message says what it takes to know.
            Err(error) if missing(&error).is_some() => joined.clone(),
            Err(_) => condition_text.to_owned(),
        }
    }

    fn deny_evidence(&self, deciding: &[Deciding<'v>]) -> Evidence {
        let levels = self.levels.borrow();
        let reading = self.reading(&levels);
        let blamed = deciding.iter().find_map(|decided| Some((decided, reading.blame(decided)?)));
        let decided = blamed.as_ref().map(|(decided, _)| *decided).or(deciding.first());
        let place = blamed.map(|(_, place)| place).or_else(|| reading.element());
        Evidence {
            value: place.map(|(_, span)| span),
            label: decided.map(|it| evidence::describe(it.key, it.condition)).unwrap_or_default(),
            clause: decided.map(|it| it.condition.span),
            demand: "refused by this condition".to_owned(),
            path: place.map(|(node, _)| evidence::pointer(node, self.resource)).unwrap_or_default(),
        }
    }

    fn for_each_all(&self, items: &'v [ForEach], depth: usize) -> Option<Verdict> {
        let mut passed = false;
        let mut list_error: Option<(String, Option<String>, Span)> = None;
        for item in items {
            match self.for_each(item, depth) {
                Each::Passed => passed = true,
                Each::Nothing => {}
                // What is not known here may hold elements that fail.
                Each::ListFailed(..) if list_error.as_ref().is_some_and(|(_, missing, _)| missing.is_some()) => {}
                Each::ListFailed(text, missing) => list_error = Some((text, missing, item.span)),
                Each::Stopped(verdict) => return Some(verdict),
            }
        }
        let is_known = list_error.as_ref().is_none_or(|(_, missing, _)| missing.is_none());
        if passed && is_known {
            return Some(Verdict::new(Status::Pass, "rule passed"));
        }
        list_error.map(|(text, missing, span)| {
            Verdict::error(format!("failed to evaluate list: {text}"), missing.as_deref(), Some(span))
        })
    }

    fn for_each(&self, item: &'v ForEach, depth: usize) -> Each {
        let arena = self.scope.arena();
        let list = match &item.list {
            Err(error) => {
                return Each::ListFailed(format!("incorrect query {}: {error}", item.list_text), None);
            }
            Ok(expression) => expression,
        };
        let value = match list.evaluate(self.scope, arena) {
            Ok(value) => value,
            Err(EvalError::NotFound { .. }) => return Each::Nothing,
            Err(EvalError::Indeterminate { missing }) => return Each::ListFailed(missing.clone(), Some(missing)),
            Err(error) => return Each::ListFailed(format!("failed to query: {error}"), None),
        };
        let elements: Vec<Value<'v>> = match value {
            Value::List(list) => list.iter().collect(),
            Value::Null => Vec::new(),
            other => vec![other],
        };
        let mut passed = false;
        for (index, element) in elements.into_iter().enumerate() {
            if element.is_null() {
                continue;
            }
            self.elements.set(self.elements.get() + 1);
            if self.elements.get() > MAX_ELEMENTS {
                let text = format!("foreach looks at more than {MAX_ELEMENTS} elements");
                return Each::Stopped(Verdict::new(Status::Error, text));
            }
            let mark = self.scope.mark();
            self.bind(element, index, depth);
            self.scope.bind_given(index);
            self.scope.declare(&item.context, self.document());
            self.levels.borrow_mut().push(Level { list, value: element, index });
            let verdict = self.element(item, element, depth);
            self.see(element, verdict.as_ref());
            self.levels.borrow_mut().pop();
            self.scope.reset(mark);
            let Some(verdict) = verdict else { continue };
            match verdict.status {
                Status::Pass => passed = true,
                Status::Skip => {}
                Status::Fail | Status::Error | Status::Indeterminate => {
                    let message = format!("validation failure: {}", verdict.message);
                    return Each::Stopped(Verdict { message, ..verdict });
                }
            }
        }
        if passed { Each::Passed } else { Each::Nothing }
    }

    /// Notes what came of an element, if somebody asks.
    fn see(&self, element: Value<'v>, verdict: Option<&Verdict>) {
        let Some(seen) = &self.seen else { return };
        if seen.borrow().len() >= MAX_SEEN {
            return;
        }
        let levels = self.levels.borrow();
        seen.borrow_mut().push(Seen {
            index: self.index(),
            element: element.to_json(),
            verdict: verdict.map(|it| (it.status, it.message.clone())),
            span: self.reading(&levels).element().map(|(_, span)| span),
        });
    }

    fn bind(&self, element: Value<'v>, index: usize, depth: usize) {
        let arena = self.scope.arena();
        let number = Value::int(index as i64);
        self.scope.bind("element", element);
        self.scope.bind(arena.alloc_str(&format!("element{depth}")), element);
        self.scope.bind("elementIndex", number);
        self.scope.bind(arena.alloc_str(&format!("elementIndex{depth}")), number);
    }

    fn element(&self, item: &'v ForEach, element: Value<'v>, depth: usize) -> Option<Verdict> {
        if let Some(preconditions) = &item.preconditions {
            match conditions::evaluate(preconditions, self.document(), self.scope, Wanted::False) {
                Ok(decision) if decision.holds => {}
                Ok(_) => return None,
                Err(error) if error.indeterminate().is_some() => {
                    let text = format!("failed to evaluate preconditions: {error}");
                    return Some(Verdict::error(text, error.indeterminate(), Some(item.span)));
                }
                // Kyverno: an element whose preconditions can't be evaluated is ignored.
                Err(ConditionError::Key(_) | ConditionError::Value(_)) => return None,
            }
        }
        if let Check::ForEach(items) = &item.check {
            return self.for_each_all(items, depth + 1);
        }
        let is_map = matches!(element, Value::Map(_));
        if item.element_scope == Some(true) && !is_map {
            let text = format!(
                "failed to process foreach: cannot use elementScope=true foreach rules for elements that are not maps, \
                 expected type=map got type={}",
                go_kind(element)
            );
            return Some(Verdict::new(Status::Error, text));
        }
        let value = if is_map && item.element_scope != Some(false) { element } else { Value::from(self.resource) };
        self.check(&item.check, value)
    }

    fn pod_security(&self, demanded: &'v PodSecurity) -> Verdict {
        let name = &self.rule.name;
        match pod_security::judge(demanded, self.resource, self.exemptions, &self.scope.session().pod) {
            Judgement::Allowed => Verdict::passed("Validation rule '", name),
            Judgement::Exempted => {
                let keys = self.exemptions.iter().map(|it| it.key.as_str()).collect::<Vec<_>>().join(", ");
                Verdict::new(Status::Skip, format!("rule is skipped due to policy exceptions {keys}"))
            }
            Judgement::Violated(violations) => Verdict {
                evidence: violations.evidence(),
                properties: violations.properties(),
                violated_controls: violations.controls(),
                ..Verdict::new(Status::Fail, violations.message(name))
            },
            Judgement::Unreadable(message, evidence) => {
                let evidence = Evidence { clause: Some(demanded.level_span), ..evidence };
                Verdict { evidence, ..Verdict::new(Status::Error, message) }
            }
        }
    }

    fn manifests(&self, manifests: &'v Manifests) -> Verdict {
        let clause = Some(manifests.span);
        match manifests::judge(manifests, self.resource) {
            manifests::Judgement::Signed(message) => Verdict::new(Status::Pass, message),
            manifests::Judgement::Unsigned(message, difference) => {
                let evidence = match difference {
                    Some((node, label)) => Evidence {
                        value: Some(if node.is_map() { place_of_missing(node, self.resource) } else { node.span() }),
                        label,
                        clause,
                        demand: "must be as signed".to_owned(),
                        path: evidence::pointer(node, self.resource),
                    },
                    None => {
                        Evidence { clause, demand: "a signature is demanded here".to_owned(), ..Evidence::default() }
                    }
                };
                Verdict { evidence, ..Verdict::new(Status::Fail, message) }
            }
            manifests::Judgement::Error(message) => Verdict::error(message, None, clause),
            manifests::Judgement::Missing(what) => {
                Verdict::error("error occurred during manifest verification".to_owned(), Some(what), clause)
            }
        }
    }

    /// `validation error: MESSAGE. TEXT`.
    fn failure(&self, text: &str) -> String {
        let Some(message) = &self.validate.message else { return format!("validation error: {text}") };
        let resolved = message.resolve(&Path::Root, self.scope, self.scope.arena());
        let message = match resolved {
            Ok(Value::String(text)) => Ok(text.to_owned()),
            Ok(other) => Ok(go_text(other)),
            // The message says what it takes to know.
            Err(error) if missing(&error).is_some() => Ok(message.source().to_owned()),
            Err(error) => Err(error),
        };
        match message {
            Ok(message) => {
                let dot = if message.ends_with('.') { "" } else { "." };
                format!("validation error: {message}{dot} {text}")
            }
            Err(error) => format!(
                "validation error: variables substitution error in rule {} execution error: {error}",
                self.rule.name
            ),
        }
    }
}

/// What one foreach item says.
enum Each {
    /// At least one element passed.
    Passed,
    /// No element counted.
    Nothing,
    /// The list could not be evaluated; the text, and what is missing when that is the reason.
    ListFailed(String, Option<String>),
    /// A failure or an error.
    Stopped(Verdict),
}

fn missing(error: &SubstituteError) -> Option<&str> {
    match error.query() {
        Some(EvalError::Indeterminate { missing }) => Some(missing),
        _ => None,
    }
}

fn go_kind(value: Value<'_>) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::List(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
    }
}
