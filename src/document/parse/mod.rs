//! From the text of a file to documents.
//!
//! In: a file and the bounds it must keep. Out: the documents that could be read, in order, and an error for each that
//! could not; a broken document never hides another one, and no input makes this panic.
//!
//! Scalars are typed, aliases expanded and merge keys applied while the tree is made, so that nobody behind this
//! module ever sees YAML. An alias becomes a copy: its top node has the span of the alias (`*name`), the nodes below
//! that keep the spans of the definition. A value that isn't written (`key:` and nothing more) has the span of its key.
//!
//! Two readers make the same [`Tree`]: [`quick`] reads what most manifests are written in and gives up on
//! anything else, [`full`] reads all of YAML and alone says what is wrong. A test holds them to the same trees.

mod flow;
mod full;
mod quick;
#[cfg(test)]
mod tests;
mod tree;

use std::sync::Arc;

use super::{
    arena::Document,
    error::DocumentError,
    limits::Limits,
    screen,
    split::{Piece, split},
};
use crate::span::{File, Span};
use tree::Tree;

/// What came out of a file.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// The documents that could be read, in order.
    pub documents: Vec<Document>,
    /// What could not be read, in order.
    pub errors: Vec<DocumentError>,
}

/// Parses a file: YAML or JSON, one document or many.
pub(crate) fn parse(file: &Arc<File>, limits: &Limits) -> Parsed {
    Parser::new(*limits).parse(file)
}

/// The scratch memory of a larger file isn't kept for the next one.
const UNUSUAL_BYTES: usize = 4 << 20;

/// Parses files one after another with the same scratch memory.
pub(crate) struct Parser {
    limits: Limits,
    tree: Tree,
}

impl Parser {
    /// A parser that keeps these bounds for each file.
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, tree: Tree::new(limits) }
    }

    /// Parses a file.
    pub(crate) fn parse(&mut self, file: &Arc<File>) -> Parsed {
        let parsed = self.documents(file);
        if file.text().len() > UNUSUAL_BYTES {
            self.tree = Tree::new(self.limits);
        }
        parsed
    }

    fn documents(&mut self, file: &Arc<File>) -> Parsed {
        let limits = self.limits;
        let mut parsed = Parsed::default();
        let text = file.text();
        if text.len() > limits.max_bytes as usize {
            let at = Span::new(0, 0);
            parsed.errors.push(DocumentError::TooLarge { bytes: text.len(), limit: limits.max_bytes, at });
            return parsed;
        }
        self.tree.begin_file(file);
        for (count, piece) in split(text).enumerate() {
            if count >= limits.max_documents as usize {
                let (Piece::Document(range) | Piece::BadSeparator(range)) = piece;
                let at = first_character(text, range.start);
                parsed.errors.push(DocumentError::TooManyDocuments { limit: limits.max_documents, at });
                break;
            }
            match piece {
                Piece::BadSeparator(range) => {
                    let at = Span::new(range.start as u32, range.start as u32 + text[range].trim_end().len() as u32);
                    parsed.errors.push(DocumentError::Separator { at });
                }
                Piece::Document(range) => match self.document(file, range.start, range.end) {
                    Ok((document, hidden)) => {
                        parsed.documents.push(document);
                        parsed.errors.extend(hidden);
                    }
                    Err(error) => parsed.errors.push(error),
                },
            }
        }
        parsed
    }

    /// Reads the document in `start..end`, and says so when something stands behind its end.
    fn document(&mut self, file: &File, start: usize, end: usize) -> Read<(Document, Option<DocumentError>)> {
        let text = &file.text()[start..end];
        let invalid = file.invalid();
        if let Some(&at) = invalid.get(invalid.partition_point(|&at| (at as usize) < start))
            && (at as usize) < end
        {
            return Err(DocumentError::Encoding { at: Span::new(at, at + 1) });
        }
        let screened = screen::screen(text, start as u32)?;
        let tree = &mut self.tree;
        tree.begin_document(text.len());
        let is_read = screened.is_usual && quick::read(tree, file.text(), start, end);
        let hidden = if is_read {
            None
        } else {
            tree.begin_document(text.len());
            full::read(tree, file, start, end, screened)?
        };
        let Some(document) = tree.finish() else {
            let at = first_character(file.text(), start);
            return Err(DocumentError::Syntax { message: "no document".to_owned(), help: None, at });
        };
        Ok((document, hidden))
    }
}

type Read<T> = Result<T, DocumentError>;

/// The span of one character, empty at a line break and at the end.
fn first_character(text: &str, at: usize) -> Span {
    let start = text.len().min(at);
    let length = text.get(start..).and_then(|rest| rest.chars().next()).filter(|c| !matches!(c, '\n' | '\r'));
    Span::new(start as u32, (start + length.map_or(0, char::len_utf8)) as u32)
}

/// A span that is never empty if there is something to show.
fn one_character(text: &str, at: Span) -> Span {
    if at.start == at.end { first_character(text, at.start as usize) } else { at }
}

/// The beginning of a text, for messages.
fn excerpt(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
