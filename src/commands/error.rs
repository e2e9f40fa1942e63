//! Why a run can't be done as asked: a flag, the configuration, the repository.
//!
//! Printed as `error:`, with the chain of causes, and `hint:` lines. Nothing that files contain reaches the terminal
//! unescaped.

use std::{error::Error, fmt};

use crate::report::escape;

/// Why a run can't be done as asked.
#[derive(Debug)]
pub(crate) struct RunError {
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    code: u8,
}

impl RunError {
    /// An error with exit code 2.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), hints: Vec::new(), code: 2 }
    }

    /// An error with the causes behind it.
    pub(crate) fn from_error(error: &dyn Error) -> Self {
        let mut out = Self::new(error.to_string());
        let mut cause = error.source();
        while let Some(error) = cause {
            out.causes.push(error.to_string());
            cause = error.source();
        }
        out
    }

    /// Says what to do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Ends the run with another exit code.
    #[must_use]
    pub(crate) fn with_code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", escape::paragraph(&self.message))?;
        for cause in &self.causes {
            writeln!(f, "  because: {}", escape::paragraph(cause))?;
        }
        for hint in &self.hints {
            writeln!(f, "hint: {}", escape::paragraph(hint))?;
        }
        Ok(())
    }
}

impl Error for RunError {}
