//! What can be wrong with an expression, in cel-go's words.

/// Why a text is no expression of its environment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(crate) struct CompileError {
    at: u32,
    text: String,
}

impl CompileError {
    pub(super) fn new(at: u32, text: impl Into<String>) -> Self {
        CompileError { at, text: text.into() }
    }

    /// Where in the expression, in bytes; at most its length.
    pub(crate) fn offset(&self) -> usize {
        self.at as usize
    }

    /// The error as cel-go prints it, with the line and a caret below the place.
    pub(crate) fn printed(&self, source: &str) -> String {
        let at = (0..=self.offset().min(source.len())).rev().find(|it| source.is_char_boundary(*it)).unwrap_or(0);
        let start = source[..at].rfind('\n').map_or(0, |it| it + 1);
        let (line, column) = (source[..at].matches('\n').count() + 1, source[start..at].chars().count() + 1);
        let snippet = source[start..].lines().next().unwrap_or("");
        let dots = ".".repeat(column - 1);
        format!("ERROR: <input>:{line}:{column}: {}\n | {snippet}\n | {dots}^", self.text)
    }
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EvalError {
    /// A map lacks a key.
    #[error("no such key: {0}")]
    NoSuchKey(Box<str>),
    /// A variable was declared and not set.
    #[error("no such attribute(s): {0}")]
    NoSuchAttribute(Box<str>),
    /// A list is shorter.
    #[error("index out of bounds: {0}")]
    OutOfBounds(i64),
    /// An operator or function has no meaning for such values.
    #[error("no such overload")]
    NoSuchOverload,
    /// A function or operator refuses its arguments.
    #[error("{0}")]
    Refused(Box<str>),
    /// More steps or memory than an expression may take.
    #[error("operation cancelled: actual cost limit exceeded")]
    Cost,
    /// The answer depends on something that is not known here.
    #[error("{missing} is not known")]
    Indeterminate {
        /// What is missing.
        missing: Box<str>,
    },
}

impl EvalError {
    /// A refusal with a text.
    pub(crate) fn refused(text: impl Into<String>) -> Self {
        EvalError::Refused(text.into().into())
    }

    /// An unknown answer.
    pub(crate) fn indeterminate(missing: impl Into<String>) -> Self {
        EvalError::Indeterminate { missing: missing.into().into() }
    }

    /// Whether nothing that could be decided elsewhere in the expression makes up for it.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, EvalError::Cost)
    }
}
