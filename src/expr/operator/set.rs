//! `AnyIn`, `AllIn`, `AnyNotIn`, `AllNotIn` and the deprecated `In`, `NotIn`.
//!
//! Everything is compared as text, as Go prints it: a resource's number 1000000 is `1e+06` here. Wildcards count on
//! both sides. A value of a type that makes no sense makes an operator and its negation false.

use super::go_text;
use crate::{
    expr::{
        Value,
        scalar::{ScalarPattern, range},
    },
    k8s::wildcard,
};

/// Whether the key, or some item of it, is found.
pub(super) fn any_in(key: Value<'_>, value: Value<'_>) -> bool {
    decide(key, value, Scalars::CountForLists, Sense::Found, Quantifier::Some)
}

/// Whether the key, or every item of it, is found.
pub(super) fn all_in(key: Value<'_>, value: Value<'_>) -> bool {
    decide(key, value, Scalars::Refused, Sense::Found, Quantifier::Every)
}

/// Whether the key, or some item of it, is not found.
pub(super) fn any_not_in(key: Value<'_>, value: Value<'_>) -> bool {
    decide(key, value, Scalars::CountForLists, Sense::NotFound, Quantifier::Some)
}

/// Whether the key is not found, or no item of it.
pub(super) fn all_not_in(key: Value<'_>, value: Value<'_>) -> bool {
    decide(key, value, Scalars::Refused, Sense::NotFound, Quantifier::Every)
}

/// Whether a value that is a number or a boolean counts as a list of one when the key is a list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scalars {
    CountForLists,
    Refused,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sense {
    Found,
    NotFound,
}

#[derive(Clone, Copy)]
enum Quantifier {
    Some,
    Every,
}

fn decide(key: Value<'_>, value: Value<'_>, scalars: Scalars, sense: Sense, quantifier: Quantifier) -> bool {
    let wanted = sense == Sense::Found;
    match key {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => {
            scalar_found(key, value).is_some_and(|found| found == wanted)
        }
        Value::List(list) => {
            let items: Vec<Value<'_>> = list.iter().collect();
            let Some(test) = ListTest::new(&items, value, scalars, sense) else { return false };
            let holds = |item: &Value<'_>| test.found(*item) == wanted;
            match quantifier {
                Quantifier::Some => items.iter().any(holds),
                Quantifier::Every => items.iter().all(holds),
            }
        }
        Value::Null | Value::Map(_) => false,
    }
}

fn either(a: &str, b: &str) -> bool {
    wildcard::matches(a, b) || wildcard::matches(b, a)
}

/// Whether a scalar key is found in a value; `None` for a value that makes no sense.
fn scalar_found(key: Value<'_>, value: Value<'_>) -> Option<bool> {
    let text = go_text(key);
    match value {
        Value::List(list) => Some(list.iter().any(|item| either(&go_text(item), &text))),
        Value::String(value) => {
            if wildcard::matches(value, &text) {
                return Some(true);
            }
            if range(value).is_some() {
                return Some(ScalarPattern::compile(Value::String(value)).matches(Value::String(&text)));
            }
            match json_texts(value) {
                Json::Texts(texts) => Some(texts.contains(&text)),
                Json::Other => None,
                Json::None => Some(false),
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Map(_) => None,
    }
}

/// How the items of a list key are looked up.
enum ListTest {
    /// Kyverno: a list with one item that equals the text is found, whatever else the text may mean.
    Always,
    Range(ScalarPattern),
    /// Kyverno: negations test against the range with its first `-` turned into `!-`.
    OutsideRange(ScalarPattern),
    Texts(Vec<String>),
}

impl ListTest {
    fn new(items: &[Value<'_>], value: Value<'_>, scalars: Scalars, sense: Sense) -> Option<Self> {
        match value {
            Value::List(list) => Some(ListTest::Texts(list.iter().map(go_text).collect())),
            Value::String(text) => {
                if let [item] = items
                    && go_text(*item) == text
                {
                    return Some(ListTest::Always);
                }
                if range(text).is_some() {
                    return Some(match sense {
                        Sense::Found => ListTest::Range(ScalarPattern::compile(Value::String(text))),
                        Sense::NotFound => {
                            let outside = text.replacen('-', "!-", 1);
                            ListTest::OutsideRange(ScalarPattern::compile(Value::String(&outside)))
                        }
                    });
                }
                Some(ListTest::Texts(match json_texts(text) {
                    Json::Texts(texts) => texts,
                    Json::Other | Json::None => vec![text.to_owned()],
                }))
            }
            Value::Number(_) | Value::Bool(_) if scalars == Scalars::CountForLists => {
                Some(ListTest::Texts(vec![go_text(value)]))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Map(_) => None,
        }
    }

    fn found(&self, item: Value<'_>) -> bool {
        let text = go_text(item);
        match self {
            ListTest::Always => true,
            ListTest::Range(pattern) => pattern.matches(Value::String(&text)),
            ListTest::OutsideRange(pattern) => !pattern.matches(Value::String(&text)),
            ListTest::Texts(texts) => texts.iter().any(|it| either(it, &text)),
        }
    }
}

/// What a text is as JSON.
enum Json {
    /// A list of texts, or null.
    Texts(Vec<String>),
    /// Other JSON.
    Other,
    /// No JSON.
    None,
}

fn json_texts(text: &str) -> Json {
    match serde_json::from_str::<serde_json::Value>(text) {
        Err(_) => Json::None,
        Ok(serde_json::Value::Null) => Json::Texts(Vec::new()),
        Ok(value) => serde_json::from_value(value).map_or(Json::Other, Json::Texts),
    }
}

/// `In`: as `AnyIn` for a scalar key; a list key must be a subset, without wildcards.
pub(super) fn is_in(key: Value<'_>, value: Value<'_>) -> bool {
    deprecated(key, value, Sense::Found)
}

/// `NotIn`: not found for a scalar key; some item not found for a list key.
pub(super) fn not_in(key: Value<'_>, value: Value<'_>) -> bool {
    deprecated(key, value, Sense::NotFound)
}

fn deprecated(key: Value<'_>, value: Value<'_>, sense: Sense) -> bool {
    let wanted = sense == Sense::Found;
    match key {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => {
            // Kyverno: a text that is no JSON and doesn't match makes no sense here.
            let nonsense = matches!(value, Value::String(text)
                if range(text).is_none() && matches!(json_texts(text), Json::None))
                && scalar_found(key, value) == Some(false);
            !nonsense && scalar_found(key, value).is_some_and(|found| found == wanted)
        }
        Value::List(list) => {
            let texts: Vec<String> = match value {
                Value::List(list) => {
                    let texts: Option<Vec<_>> = list.iter().map(|it| it.as_str().map(str::to_owned)).collect();
                    let Some(texts) = texts else { return false };
                    texts
                }
                Value::String(text) => {
                    // Kyverno: a list with one item that equals the text satisfies both operators.
                    if list.len() == 1 && list.get(0).is_some_and(|item| go_text(item) == text) {
                        return true;
                    }
                    let Json::Texts(texts) = json_texts(text) else { return false };
                    texts
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Map(_) => return false,
            };
            let subset = list.iter().all(|item| texts.contains(&go_text(item)));
            subset == wanted
        }
        Value::Null | Value::Map(_) => false,
    }
}
