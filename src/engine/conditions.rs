//! Preconditions and deny conditions.
//!
//! In: compiled conditions and the names of a rule. Out: whether they hold, and the messages of those that decided.
//! Only what is needed is substituted: a condition that is not reached costs nothing and can't fail.

use super::context::RuleScope;
use crate::{
    document::{Document, Integers, Kind},
    expr::{
        Value,
        jmespath::EvalError,
        template::{Path, SubstituteError, Template, Tree},
    },
    policy::classic::condition::{Condition, Conditions},
    span::Span,
};

/// Whether a block of conditions holds.
#[derive(Debug)]
pub(crate) struct Decision<'v> {
    /// The result.
    pub holds: bool,
    /// Messages of the conditions that decided, joined.
    pub message: String,
    /// The condition that decided: where it stands and what was read and compared.
    pub deciding: Vec<Deciding<'v>>,
}

/// A condition that decided.
#[derive(Debug)]
pub(crate) struct Deciding<'v> {
    /// Where it stands in the policy.
    pub condition: &'v Condition,
    /// The left side.
    pub key: Value<'v>,
    /// The right side.
    pub value: Value<'v>,
}

/// Why conditions could not be evaluated.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ConditionError {
    /// A variable of a key.
    #[error("failed to substitute variables in condition key: {0}")]
    Key(SubstituteError),
    /// A variable of a value.
    #[error("failed to substitute variables in condition value: {0}")]
    Value(SubstituteError),
}

impl ConditionError {
    /// What is missing, when the conditions can't be known offline.
    pub(crate) fn indeterminate(&self) -> Option<&str> {
        let (ConditionError::Key(error) | ConditionError::Value(error)) = self;
        match error.query() {
            Some(EvalError::Indeterminate { missing }) => Some(missing),
            _ => None,
        }
    }
}

/// Whose conditions are evaluated: it decides which messages count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Messages of conditions that don't hold: preconditions.
    False,
    /// Messages of conditions that hold: deny.
    True,
}

/// Evaluates a block.
pub(crate) fn evaluate<'v>(
    conditions: &'v Conditions,
    document: &'v Document,
    scope: &RuleScope<'v, '_>,
    wanted: Wanted,
) -> Result<Decision<'v>, ConditionError> {
    let mut messages: Vec<String> = Vec::new();
    let mut deciding = Vec::new();
    let mut note = |judged: &Judged<'v>, decides: bool| {
        if !decides {
            return;
        }
        let condition = judged.condition;
        deciding.push(Deciding { condition, key: judged.key, value: judged.value });
        // Kyverno: the messages of deny conditions are substituted together with the rule's message.
        if let Some(message) = &condition.message {
            messages.push(match wanted {
                Wanted::False => text_of(message, scope),
                Wanted::True => message.source().to_owned(),
            });
        }
    };
    let (holds, separator) = match conditions {
        Conditions::Flat(list) => {
            let mut holds = true;
            for condition in list {
                let judged = judge(condition, document, scope)?;
                note(&judged, judged.holds == (wanted == Wanted::True));
                if !judged.holds {
                    holds = false;
                    break;
                }
            }
            (holds, if wanted == Wanted::True { ";" } else { "; " })
        }
        Conditions::Blocks { any, all } => {
            let mut any_holds = any.is_none();
            let mut failed = Vec::new();
            for condition in any.iter().flatten() {
                let judged = judge(condition, document, scope)?;
                if judged.holds {
                    note(&judged, wanted == Wanted::True);
                    failed.clear();
                    any_holds = true;
                    break;
                }
                failed.push(judged);
            }
            for judged in &failed {
                note(judged, wanted == Wanted::False);
            }
            let mut all_hold = true;
            for condition in all.iter().flatten() {
                let judged = judge(condition, document, scope)?;
                note(&judged, judged.holds == (wanted == Wanted::True));
                if !judged.holds {
                    all_hold = false;
                    break;
                }
            }
            (any_holds && all_hold, "; ")
        }
    };
    messages.retain(|message| !message.is_empty());
    Ok(Decision { holds, message: messages.join(separator), deciding })
}

/// What each condition of a block says, whether or not it is reached, for people who ask.
pub(crate) fn each<'v>(
    conditions: &'v Conditions,
    document: &'v Document,
    scope: &RuleScope<'v, '_>,
) -> Vec<(Span, String)> {
    let explain = |condition: &'v Condition| {
        let operator = condition.operator.map_or("an unknown operator", |operator| operator.name());
        let text = match judge(condition, document, scope) {
            Ok(it) => {
                let verdict = if it.holds { "holds" } else { "does not hold" };
                format!("{} {operator} {}: {verdict}", it.key.to_json(), it.value.to_json())
            }
            Err(error) => error.to_string(),
        };
        (condition.span, text)
    };
    conditions.iter().map(explain).collect()
}

/// A condition after evaluation.
struct Judged<'v> {
    condition: &'v Condition,
    key: Value<'v>,
    value: Value<'v>,
    holds: bool,
}

fn judge<'v>(
    condition: &'v Condition,
    document: &'v Document,
    scope: &RuleScope<'v, '_>,
) -> Result<Judged<'v>, ConditionError> {
    let side = |tree: &'v Option<Tree>| match tree {
        Some(tree) => side(tree, document, scope),
        None => Ok(Value::Null),
    };
    let key = side(&condition.key).map_err(ConditionError::Key)?;
    let value = side(&condition.value).map_err(ConditionError::Value)?;
    let holds = condition.operator.is_some_and(|operator| operator.holds(key, value));
    Ok(Judged { condition, key, value, holds })
}

/// Kyverno: a scalar written directly as key or value is a float; numbers inside literal lists stay integers.
fn side<'v>(tree: &'v Tree, document: &'v Document, scope: &RuleScope<'v, '_>) -> Result<Value<'v>, SubstituteError> {
    if let Tree::Literal(id) = tree
        && let Kind::Int(number) = document.node(*id).kind()
        && document.integers() == Integers::Exact
    {
        return Ok(Value::float(number as f64));
    }
    tree.resolve(document, &Path::Root, scope, scope.arena())
}

/// A message with its variables replaced, or empty if that fails.
pub(crate) fn text_of<'v>(message: &'v Template, scope: &RuleScope<'v, '_>) -> String {
    match message.resolve(&Path::Root, scope, scope.arena()) {
        Ok(Value::String(text)) => text.to_owned(),
        Ok(_) | Err(_) => String::new(),
    }
}
