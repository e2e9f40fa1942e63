//! What commands that try expressions read and print: one document, one text.

use std::{
    fmt::Write as _,
    io::{self, Read, Write},
};

use crate::{
    document::{self, Document, Limits},
    span::File,
};

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

/// Reads a stream to its end.
pub(super) fn read(stream: &mut dyn Read, what: &str) -> Result<String, InputError> {
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
pub(super) fn read_file(path: &std::path::Path) -> Result<String, InputError> {
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
pub(super) fn indented(compact: &str) -> String {
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
