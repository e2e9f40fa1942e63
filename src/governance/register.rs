//! The register: each exception, who owns it, until when, what it does.
//!
//! In: a context with effects. Out: a row for each exception, in load order. Nothing is judged here: what is wrong with
//! an exception is for the rules to say.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Context, Item, Rules, exc027_expiry_required as required, exc030_unused,
    exc032_partly_unneeded::idle,
    expiry::{self, Expiry},
    metadata,
};
use crate::{document::Node, engine::Status, finding::resource_ref};

/// One exception.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    /// `namespace/name`.
    pub key: String,
    /// The group: `kyverno.io` or `policies.kyverno.io`.
    pub group: &'static str,
    /// The file.
    pub path: String,
    /// Line of its name, from 1.
    pub line: u32,
    /// Who owns it; empty when nobody is named.
    pub owner: String,
    /// Why it is there; empty when nobody says.
    pub reason: String,
    /// Its end as written; empty for none.
    pub expires: String,
    /// Whole days until then, negative when it is past; absent where a file doesn't tell.
    pub days_left: Option<i64>,
    /// What it does in the tree.
    pub state: State,
    /// The rules that it names, as `policy/rule`, as written.
    pub rules: Vec<String>,
    /// What it exempts today, by object and rule.
    pub exempts: Vec<Exempted>,
    /// Who added it, as far as that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added: Option<Added>,
}

/// Who added an exception, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", untagged)]
pub(crate) enum Added {
    /// What its commit says.
    By {
        /// The name of the author.
        name: String,
        /// The address of the author.
        email: String,
        /// The day, in UTC.
        date: String,
        /// The id of the commit.
        commit: String,
    },
    /// Why that isn't known.
    Unknown {
        /// In a few words.
        unknown: String,
    },
}

/// What an exception does in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Something would fail without it.
    Needed,
    /// Something would fail without it, but not without all that it names.
    PartlyNeedless,
    /// What it exempts would pass without it.
    Needless,
    /// It exempts only what other exceptions exempt, too.
    Shadowed,
    /// It exempts nothing.
    Unused,
    /// Exceptions are switched off, it is not where they count, or it breaks a rule that keeps it from counting.
    Ignored,
    /// Its end is past.
    Expired,
    /// A cluster refuses it.
    Refused,
    /// What it does can't be told from the tree.
    Unknown,
}

impl State {
    /// The word in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            State::Needed => "needed",
            State::PartlyNeedless => "partly needless",
            State::Needless => "needless",
            State::Shadowed => "shadowed",
            State::Unused => "unused",
            State::Ignored => "ignored",
            State::Expired => "expired",
            State::Refused => "refused",
            State::Unknown => "unknown",
        }
    }
}

/// One rule that an exception waives for one object.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exempted {
    /// `Deployment delta/tool`.
    pub object: String,
    /// The file of the object.
    pub path: String,
    /// Line of its name, from 1.
    pub line: u32,
    /// `policy/rule`, as computed.
    pub rule: String,
    /// What the rule would say without exceptions.
    pub would: &'static str,
}

/// A row for each exception.
pub(crate) fn rows(context: &Context<'_>, rules: &Rules) -> Vec<Row> {
    let keys = rules.options::<required::Options>(&required::EXC027).keys;
    context.exceptions.iter().map(|item| row(context, item, &keys)).collect()
}

fn row(context: &Context<'_>, item: &Item<'_>, keys: &[String]) -> Row {
    let text = |key: &str| {
        let node = metadata::find(item, key);
        node.map(|node| node.as_str().map_or_else(|| format!("{node:?}"), str::to_owned)).unwrap_or_default()
    };
    let end = expiry::find(item, keys);
    let days_left = end.and_then(|(end, _)| match end {
        Expiry::At(then) => Some(expiry::days_between(context.now, then)),
        Expiry::After(_) | Expiry::Unreadable => None,
    });
    let is_past = matches!(end, Some((Expiry::At(then), _)) if then <= context.now);
    let exempts = exempted(context, item);
    let names = item.node.at(&["spec", "exceptions"]).into_iter().flat_map(Node::items);
    let classic = names.flat_map(|entry| {
        let policy = entry.str_at(&["policyName"]).unwrap_or_default();
        let rules = entry.get("ruleNames").into_iter().flat_map(Node::items);
        rules.map(move |rule| format!("{policy}/{}", rule.as_str().unwrap_or_default()))
    });
    let cel = item.policy_refs().map(|it| format!("{}/{}", it.kind, it.name));
    let rules = if item.is_cel() { cel.collect() } else { classic.collect() };
    Row {
        key: item.key.clone(),
        group: if item.is_cel() { "policies.kyverno.io" } else { "kyverno.io" },
        path: item.node.file().path().to_string(),
        line: item.node.file().position(item.name_span().start).line,
        owner: text("*/owner"),
        reason: text("*/reason"),
        expires: end.map(|(_, node)| node.as_str().unwrap_or_default().to_owned()).unwrap_or_default(),
        days_left,
        state: if is_past { State::Expired } else { state(context, item) },
        rules,
        exempts,
        added: None,
    }
}

fn state(context: &Context<'_>, item: &Item<'_>) -> State {
    if item.refused.iter().any(|error| !error.problem.is_indeterminate()) {
        return State::Refused;
    }
    if context.why_not(item).is_some() {
        return State::Ignored;
    }
    let Some(effects) = context.effects_of(item) else { return State::Unknown };
    let is_needed = |without: Option<Status>| !matches!(without, None | Some(Status::Pass | Status::Skip));
    if effects.is_empty() {
        return if context.is_complete && exc030_unused::can_be_told(context, item) {
            State::Unused
        } else {
            State::Unknown
        };
    }
    if !effects.iter().any(|it| it.counts) {
        State::Ignored
    } else if !effects.iter().any(|it| is_needed(it.without)) {
        State::Needless
    } else if effects.iter().all(|it| it.n_exceptions > 1) {
        State::Shadowed
    } else if effects.iter().any(|it| !is_needed(it.without)) || is_idle_in_part(context, item) {
        State::PartlyNeedless
    } else {
        State::Needed
    }
}

/// Whether an exception would do as much without something that it names.
fn is_idle_in_part(context: &Context<'_>, item: &Item<'_>) -> bool {
    item.classic.as_ref().is_some_and(|exception| !idle(context, item, exception).is_empty())
}

fn exempted(context: &Context<'_>, item: &Item<'_>) -> Vec<Exempted> {
    let effects = context.effects_of(item).unwrap_or_default();
    let mut out = Vec::with_capacity(effects.len());
    for effect in effects.into_iter().filter(|it| it.counts) {
        let Some(object) = context.object(effect) else { continue };
        let at = object.at(&["metadata", "name"]).unwrap_or(object).span();
        out.push(Exempted {
            object: resource_ref(object).title(),
            path: object.file().path().to_string(),
            line: object.file().position(at.start).line,
            rule: context.set.get(effect.rule).title(),
            would: match effect.without {
                None | Some(Status::Skip) => "skip",
                Some(Status::Pass) => "pass",
                Some(Status::Fail) => "fail",
                Some(Status::Error) => "error",
                Some(Status::Indeterminate) => "unknown",
            },
        });
    }
    out
}

/// Rows by state, what needs no look first.
pub(crate) fn tally(rows: &[Row]) -> Vec<(State, usize)> {
    let mut counts: BTreeMap<State, usize> = BTreeMap::new();
    for row in rows {
        *counts.entry(row.state).or_default() += 1;
    }
    counts.into_iter().collect()
}
