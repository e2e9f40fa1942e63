//! Why a policy or an exception takes no part in a run.

use std::sync::Arc;

use crate::span::{File, Span};

/// What is wrong with a policy or exception, and where. Other documents go on.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{problem}")]
pub(crate) struct PolicyError {
    /// The file that `at` points into.
    pub file: Arc<File>,
    /// The place to change.
    pub at: Span,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong at one place.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// A field that the kind doesn't have.
    #[error("unknown field `{field}` in {owner}")]
    UnknownField {
        /// The field as written.
        field: String,
        /// What it stands in.
        owner: &'static str,
        /// The field that may be meant.
        nearest: Option<&'static str>,
    },
    /// A field that must be there.
    #[error("{owner} lacks `{field}`")]
    Missing {
        /// The missing field.
        field: &'static str,
        /// What it is missing in.
        owner: &'static str,
    },
    /// A value of another type.
    #[error("`{field}` must be {wanted}, found {found}")]
    Type {
        /// The field.
        field: String,
        /// What it must be.
        wanted: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A value outside a closed list.
    #[error("`{value}` is no value of `{field}`")]
    Choice {
        /// The field.
        field: String,
        /// The value as written.
        value: String,
        /// Every value that is allowed.
        allowed: &'static [&'static str],
    },
    /// More than one of several fields.
    #[error("{owner} can't have more than one of {}", listed(fields))]
    Exclusive {
        /// The fields.
        fields: &'static [&'static str],
        /// What they stand in.
        owner: &'static str,
    },
    /// None of several fields.
    #[error("{owner} needs one of {}", listed(fields))]
    NoneOf {
        /// The fields.
        fields: &'static [&'static str],
        /// What they are missing in.
        owner: &'static str,
    },
    /// A text or list without anything in it.
    #[error("`{field}` is empty")]
    Empty {
        /// The field.
        field: String,
    },
    /// A text with too many bytes.
    #[error("`{field}` is too long: at most {max} characters")]
    TooLong {
        /// The field.
        field: String,
        /// How many bytes it may have.
        max: usize,
    },
    /// A text without the form that it must have.
    #[error("`{value}` is not {wanted}")]
    Form {
        /// The field.
        field: String,
        /// The value as written.
        value: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// A key that stands twice in one map.
    #[error("duplicate key `{key}`")]
    Duplicate {
        /// The key.
        key: String,
    },
    /// The schema is kept, but a cluster refuses the policy all the same.
    #[error("{message}")]
    Invalid {
        /// The cluster's text.
        message: String,
        /// What to do, when that can be said.
        help: Option<String>,
    },
    /// A CEL expression that is none.
    #[error("the expression does not compile: {message}")]
    Expression {
        /// Why, in cel-go's words.
        message: String,
    },
    /// A change to objects that can't be computed: a cluster takes the policy and does not apply it.
    #[error("the change can't be made: {message}; a cluster takes the policy, and changes nothing by it")]
    Unapplied {
        /// What is wrong with it.
        message: String,
    },
    /// A kind of policy, or of rule, that judges requests in a cluster but not here.
    #[error("{what} is not evaluated by this version of admit")]
    NotEvaluated {
        /// The kind.
        what: String,
    },
    /// A kind or version that is no policy in this release of Kyverno.
    #[error("{kind} is not served as {api_version}")]
    Version {
        /// The kind.
        kind: String,
        /// The version as written.
        api_version: String,
        /// The version to use.
        instead: String,
    },
}

impl Problem {
    /// A refusal beyond the schema.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Problem::Invalid { message: message.into(), help: None }
    }

    /// A refusal beyond the schema, with what to do about it.
    pub(crate) fn invalid_with(message: impl Into<String>, help: impl Into<String>) -> Self {
        Problem::Invalid { message: message.into(), help: Some(help.into()) }
    }

    /// Whether the API server's schema already refuses this, so that Kyverno never sees the object.
    pub(crate) fn is_schema(&self) -> bool {
        !matches!(
            self,
            Problem::Invalid { .. }
                | Problem::Expression { .. }
                | Problem::Unapplied { .. }
                | Problem::NotEvaluated { .. }
        )
    }

    /// Whether a cluster would take the policy, so that only `admit` doesn't know what it says.
    pub(crate) fn is_indeterminate(&self) -> bool {
        matches!(self, Problem::NotEvaluated { .. })
    }

    /// What to do about it.
    pub(crate) fn help(&self) -> Option<String> {
        match self {
            Problem::UnknownField { nearest, .. } => nearest.map(|name| format!("did you mean `{name}`?")),
            Problem::Choice { value, allowed, .. } => {
                let near = nearest(value, allowed.iter().copied());
                Some(near.map_or_else(
                    || format!("use one of {}", listed(allowed)),
                    |name| format!("did you mean `{name}`?"),
                ))
            }
            Problem::Missing { field, .. } => Some(format!("add `{field}`")),
            Problem::Duplicate { .. } => Some("remove one of them".to_owned()),
            Problem::Version { instead, .. } => Some(format!("write `apiVersion: {instead}`")),
            Problem::Invalid { help, .. } => help.clone(),
            Problem::Expression { .. } | Problem::Unapplied { .. } => Some("try it with `admit cel`".to_owned()),
            Problem::NotEvaluated { .. } => {
                Some("what it would refuse is not known; judge it in the cluster".to_owned())
            }
            Problem::Exclusive { .. } => Some("keep one of them".to_owned()),
            Problem::NoneOf { fields, .. } => Some(format!("add {}", listed(fields))),
            Problem::Empty { field } => Some(format!("fill in `{field}`")),
            Problem::TooLong { .. } => Some("shorten it".to_owned()),
            Problem::Form { field, .. } => Some(format!("change the value of `{field}`")),
            Problem::Type { found: "a boolean" | "a number", wanted: "a string", .. } => {
                Some("put the value in quotes".to_owned())
            }
            Problem::Type { .. } => None,
        }
    }
}

/// Names in backquotes, as in `a`, `b`.
pub(crate) fn listed(names: &[&str]) -> String {
    names.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ")
}

/// The candidate that `text` most likely means: same letters in another case, or at most a third of them different.
pub(crate) fn nearest<'c>(text: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let lower = text.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance * 3 <= candidate.chars().count().max(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
