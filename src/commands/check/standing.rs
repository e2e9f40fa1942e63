//! Which exceptions count for a run, and why others don't.
//!
//! Where exceptions are switched off or limited to namespaces and paths, others exempt nothing, as on a cluster.
//! An exception that breaks a rule weighing as an error exempts nothing, unless the settings honour it. For a change that
//! is judged by the law from before it, an exception that the change brings counts only if it breaks no rule of the side
//! before and says who owns it, why it is there and when it ends; settings may have it wait for the next change. One that
//! the change takes away never counts.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::{
    config::{
        ExceptionLimits,
        governance::{ExceptionsFrom, OnInvalid},
    },
    document::{Node, classify::Class, resource::objects},
    engine::withheld::{Reason, Withheld},
    expr::Value,
    finding::{Finding, Severity},
    governance::{self, Context, Rules},
    policy::{Action, exception::Exception, set::PolicySet},
    runner::TreeFile,
};

/// What a change does to the exceptions of the law from before it, by positions in that law.
#[derive(Debug, Default)]
pub(crate) struct Turnover {
    /// What it brings, or changes.
    arriving: Vec<Arrival>,
    /// What it takes away.
    leaving: Vec<usize>,
}

/// An exception that a change brings.
#[derive(Debug)]
struct Arrival {
    position: usize,
    key: String,
    path: Arc<str>,
    /// What it replaces.
    replaces: Option<usize>,
}

impl Turnover {
    /// Compares the exceptions of a law with those in the files after a change, and adds what is new to the law: it is
    /// withheld by [`withheld`]. `changed` are the paths of the change; `is_fixed` tells what lies outside of the
    /// repository.
    pub(super) fn new(
        law: &mut PolicySet,
        after: &[TreeFile],
        changed: &HashSet<String>,
        is_fixed: impl Fn(&str) -> bool,
    ) -> Self {
        let identity = |node: Node<'_>| {
            let text = |path: &[&str]| node.str_at(path).unwrap_or_default().to_owned();
            (text(&["metadata", "namespace"]), text(&["metadata", "name"]))
        };
        let before: HashMap<_, usize> =
            law.exceptions.iter().enumerate().map(|(at, it)| (identity(it.object()), at)).collect();
        let mut out = Self::default();
        let mut seen = HashSet::new();
        for file in after.iter().filter(|file| file.roles.exceptions) {
            for document in file.documents.iter().filter(|it| it.class == Class::Exception).map(|it| &it.document) {
                for node in objects(document.root()) {
                    let known = before.get(&identity(node)).copied();
                    seen.insert(identity(node));
                    let same =
                        |at: usize| Value::from(law.exceptions[at].object()).to_json() == Value::from(node).to_json();
                    if known.is_some_and(same) {
                        continue;
                    }
                    let position = law.exceptions.len();
                    // One that a cluster refuses never counts, and is told as such.
                    if law.add(document, node.id()).is_ok() && law.exceptions.len() > position {
                        let key = law.exceptions[position].key.clone();
                        let path = Arc::clone(file.file.path());
                        out.arriving.push(Arrival { position, key, path, replaces: known });
                    }
                }
            }
        }
        let goes = |at: usize| {
            let object = law.exceptions[at].object();
            let path: &str = object.file().path();
            changed.contains(path) && !is_fixed(path) && !seen.contains(&identity(object))
        };
        out.leaving = before.into_values().filter(|at| goes(*at)).collect();
        out
    }
}

impl Turnover {
    /// Every exception of a law that does not lie outside of the repository comes with the change.
    pub(super) fn of_all(law: &PolicySet, is_fixed: impl Fn(&str) -> bool) -> Self {
        let arrival = |(position, it): (usize, &Exception)| Arrival {
            position,
            key: it.key.clone(),
            path: Arc::clone(it.document.file().path()),
            replaces: None,
        };
        let own = law.exceptions.iter().enumerate().filter(|(_, it)| !is_fixed(it.document.file().path()));
        Self { arriving: own.map(arrival).collect(), leaving: Vec::new() }
    }
}

/// What doesn't count. `context` holds the exceptions of the law; `said` is what governance says of the change, each with
/// the key of the exception that it is about.
pub(super) fn withheld(
    context: &Context<'_>,
    rules: Option<&Rules>,
    turnover: &Turnover,
    said: &[(String, Finding)],
    limits: &ExceptionLimits,
) -> Withheld {
    let mut out = Withheld::default();
    for (at, exception) in context.set.exceptions.iter().enumerate() {
        let namespace = exception.object().str_at(&["metadata", "namespace"]).unwrap_or_default();
        if let Some(why) = limits.why_not(namespace, exception.document.file().path()) {
            out.withhold(at, Reason::Limited(why), None);
        }
    }
    out.guards_law = rules.is_some_and(governance::guards_law);
    for &at in &turnover.leaving {
        out.withhold(at, Reason::Leaves, None);
    }
    let ignores = rules.is_some_and(|it| it.on_invalid == OnInvalid::Ignore);
    if let (Some(rules), true) = (rules, ignores) {
        for (at, ids) in governance::breaches(context, rules) {
            out.withhold(at, Reason::Breaks(ids), None);
        }
    }
    let from = rules.map(|it| it.exceptions_from).unwrap_or_default();
    for arrival in &turnover.arriving {
        let lacks = lacks(arrival, said);
        let is_fine = lacks.is_empty();
        let (withheld_for, replaced_for) = match from {
            ExceptionsFrom::New if is_fine => (None, Some(None)),
            ExceptionsFrom::BaseForEnforce if is_fine => (Some(Some(Action::Enforce)), Some(Some(Action::Audit))),
            ExceptionsFrom::Base | ExceptionsFrom::New | ExceptionsFrom::BaseForEnforce => (Some(None), None),
        };
        if let Some(action) = withheld_for {
            out.withhold(arrival.position, Reason::Arrives(lacks), action);
        }
        if let (Some(at), Some(action)) = (arrival.replaces, replaced_for) {
            out.withhold(at, Reason::Leaves, action);
        }
    }
    out
}

/// What an exception that comes along with what it exempts is asked for whatever it weighs: an end, an owner, a reason.
const ASKED: [&str; 2] = ["EXC027", "EXC029"];

/// The rules that an exception breaks and that weigh as errors, or that are asked of what comes along, each with what it
/// says. What is said of its file, of who touched it for instance, is said of it.
fn lacks(arrival: &Arrival, said: &[(String, Finding)]) -> Vec<String> {
    let mut ids: Vec<&str> = Vec::new();
    let mut out: Vec<String> = Vec::new();
    for (key, finding) in said {
        let is_about = finding.primary.path == arrival.path && (*key == arrival.key || finding.id.starts_with("GOV"));
        let counts = finding.severity == Severity::Error || ASKED.contains(&finding.id.as_str());
        if is_about && counts && !ids.contains(&finding.id.as_str()) {
            ids.push(&finding.id);
            out.push(format!("{} ({})", finding.id, finding.message));
        }
    }
    out
}
