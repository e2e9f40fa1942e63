//! What commands that try expressions share: their flags, their errors, what they read and how they print.

use std::{
    fmt::{self, Write as _},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use super::RunError;
use crate::{
    document::{self, Document, Limits},
    span::File,
};

/// Arguments of a command that tries expressions.
#[derive(Debug, clap::Args)]
pub(crate) struct InputArgs {
    /// The expression; read from standard input when absent
    pub(super) expression: Option<String>,
    /// JSON or YAML document to evaluate it on; standard input when absent
    #[arg(short, long, value_name = "FILE")]
    pub(super) input: Option<PathBuf>,
    /// List all functions
    #[arg(long, conflicts_with_all = ["expression", "input", "explain", "tree"])]
    pub(super) list: bool,
    /// Describe a function
    #[arg(long, value_name = "NAME", conflicts_with_all = ["expression", "input", "tree"])]
    pub(super) explain: Option<String>,
    /// Print the tree of the expression instead of evaluating it
    #[arg(long)]
    pub(super) tree: bool,
    #[command(flatten)]
    pub(super) print: PrintArgs,
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct PrintArgs {
    /// Print JSON without white space
    #[arg(short, long)]
    compact: bool,
    /// Print a string without quotes
    #[arg(short, long)]
    unquoted: bool,
}

impl InputArgs {
    /// The expression, without blanks around it.
    pub(super) fn expression(&self, stdin: &mut dyn Read) -> Result<String, TryError> {
        let text = match &self.expression {
            Some(text) => text.clone(),
            None if self.input.is_none() && !self.tree => return Err(TryError::NoExpression),
            None => read(stdin, STDIN)?,
        };
        Ok(text.trim().to_owned())
    }
}

impl PrintArgs {
    /// A result that is a text.
    pub(super) fn text(self, text: &str) -> Option<String> {
        self.unquoted.then(|| text.to_owned())
    }

    /// A result as compact JSON, in the form that is asked for.
    pub(super) fn json(self, compact: String) -> String {
        if self.compact { compact } else { indented(&compact) }
    }
}

/// Why a command that tries an expression has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TryError {
    /// The input could not be read or parsed, or the output not written.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Expression and document can't both come from standard input.
    #[error("no expression given, and the document is read from standard input")]
    NoExpression,
    /// The expression does not compile, or has no value: the text says which.
    #[error("{0}")]
    Expression(String),
    /// There is no function of that name.
    #[error("unknown function `{name}`{hint}")]
    UnknownFunction {
        /// The name asked for.
        name: String,
        /// A similar name, if there is one.
        hint: String,
    },
}

impl TryError {
    /// The expression can't be evaluated.
    pub(super) fn evaluation(what: &str, error: impl fmt::Display) -> Self {
        TryError::Expression(format!("error evaluating {what}: {error}"))
    }

    /// No function is called so; one of the names may have been meant.
    pub(super) fn unknown_function<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Self {
        let near = names
            .map(|known| (strsim::damerau_levenshtein(name, known), known))
            .filter(|(distance, _)| *distance <= 2)
            .min();
        let hint = near.map_or_else(String::new, |(_, near)| format!("; is it `{near}`?"));
        TryError::UnknownFunction { name: name.to_owned(), hint }
    }

    /// The exit code: 1 when the expression is at fault, 2 when the command is.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            TryError::Expression(_) => 1,
            TryError::Input(_) | TryError::NoExpression | TryError::UnknownFunction { .. } => 2,
        }
    }
}

impl From<TryError> for RunError {
    fn from(error: TryError) -> Self {
        RunError::new(error.to_string()).with_code(error.exit_code())
    }
}

/// What standard input is called.
const STDIN: &str = "standard input";

/// Most that is read of an input, in bytes.
const MAX_INPUT: u64 = 64 << 20;

/// Why a document could not be read, or an answer not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    /// The input could not be read, or the output not written.
    #[error("cannot read {what}")]
    Io {
        /// Name of the file or stream.
        what: String,
        /// What the system says.
        source: io::Error,
    },
    /// The input is no single JSON or YAML document.
    #[error("cannot parse {what}: {text}")]
    Parse {
        /// Name of the file or stream.
        what: String,
        /// What is wrong.
        text: String,
    },
}

/// The text of the document, and what it is called: a file, or standard input.
pub(super) fn read_input(path: Option<&Path>, stdin: &mut dyn Read) -> Result<(String, String), InputError> {
    match path {
        Some(path) => Ok((read_file(path)?, path.display().to_string())),
        None => Ok((read(stdin, STDIN)?, STDIN.to_owned())),
    }
}

/// Reads a stream to its end.
fn read(stream: &mut dyn Read, what: &str) -> Result<String, InputError> {
    let mut bytes = Vec::new();
    let failed = |source| InputError::Io { what: what.to_owned(), source };
    stream.take(MAX_INPUT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_INPUT {
        return Err(InputError::Parse { what: what.to_owned(), text: "larger than 64 MiB".to_owned() });
    }
    String::from_utf8(bytes)
        .map_err(|error| InputError::Parse { what: what.to_owned(), text: error.utf8_error().to_string() })
}

/// Reads a file.
#[expect(clippy::disallowed_methods, reason = "the user names the file, and it is no manifest")]
pub(super) fn read_file(path: &Path) -> Result<String, InputError> {
    let what = path.display().to_string();
    match std::fs::File::open(path) {
        Ok(mut file) => read(&mut file, &what),
        Err(source) => Err(InputError::Io { what, source }),
    }
}

/// The first document of a YAML or JSON text.
pub(super) fn document(text: &str, what: &str) -> Result<Document, InputError> {
    let failed = |text: String| InputError::Parse { what: what.to_owned(), text };
    let file = File::new(what, text.as_bytes().to_vec());
    let parsed = document::parse(&file, &Limits::default());
    if let Some(error) = parsed.errors.first() {
        let at = file.position(error.at().start);
        return Err(failed(format!("line {}, column {}: {error}", at.line, at.column)));
    }
    parsed.documents.into_iter().next().ok_or_else(|| failed("no document".to_owned()))
}

/// Writes an answer.
pub(super) fn write(out: &mut dyn Write, text: &str) -> Result<(), InputError> {
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|source| InputError::Io { what: "standard output".to_owned(), source })
}

/// Compact JSON with a line for each item, indented by two.
fn indented(compact: &str) -> String {
    let mut out = String::with_capacity(compact.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut characters = compact.chars().peekable();
    let line = |depth: usize, out: &mut String| {
        let _ = write!(out, "\n{:width$}", "", width = depth * 2);
    };
    while let Some(c) = characters.next() {
        if in_string {
            out.push(c);
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '[' | '{' => {
                out.push(c);
                if let Some(end) = characters.next_if(|next| matches!(next, ']' | '}')) {
                    out.push(end);
                } else {
                    depth += 1;
                    line(depth, &mut out);
                }
            }
            ']' | '}' => {
                depth = depth.saturating_sub(1);
                line(depth, &mut out);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(depth, &mut out);
            }
            ':' => out.push_str(": "),
            _ => {
                in_string = c == '"';
                out.push(c);
            }
        }
    }
    out
}
