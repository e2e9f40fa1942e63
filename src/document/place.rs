//! From an offset in the text of a scalar to the place in its file.
//!
//! In: a string node and an offset into its text. Out: where that stands, as long as the text and the file differ only in
//! what YAML folds: indentation, line breaks, quotes, escapes of one character. Expressions are such texts.

use crate::span::{File, Span};

/// Where the character at an offset into the text of a scalar stands; the whole scalar where that can't be told.
///
/// An offset into white space counts as that of what comes next, one at the end as that of what comes last.
pub(crate) fn of_text(file: &File, scalar: Span, text: &str, offset: usize) -> Span {
    place(file.slice(scalar), text, offset)
        .map_or(scalar, |(from, to)| Span::new(scalar.start + from as u32, scalar.start + to as u32))
}

/// Offsets into `raw` of the word, or else the character, at an offset into `text`.
fn place(raw: &str, text: &str, offset: usize) -> Option<(usize, usize)> {
    let mut reader = Reader::new(raw);
    let is_word = |char: char| char.is_alphanumeric() || char == '_';
    let mut found: Option<(usize, usize)> = None;
    for (at, char) in text.char_indices().filter(|(_, char)| !char.is_whitespace()) {
        let from = reader.find(char)?;
        let is_first = found.is_none() || at <= offset;
        let goes_on = found.is_some_and(|(_, to)| to == from) && is_word(char);
        match found {
            Some((start, _)) if !is_first && goes_on => found = Some((start, reader.at)),
            _ if is_first => found = Some((from, reader.at)),
            _ => break,
        }
        if at >= offset && !is_word(char) {
            break;
        }
    }
    found
}

/// How a scalar is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Plain, or a block.
    Plain,
    Single,
    Double,
}

struct Reader<'r> {
    raw: &'r str,
    at: usize,
    style: Style,
}

impl<'r> Reader<'r> {
    fn new(raw: &'r str) -> Self {
        let (at, style) = match raw.as_bytes().first() {
            Some(b'\'') => (1, Style::Single),
            Some(b'"') => (1, Style::Double),
            Some(b'|' | b'>') => (raw.find('\n').map_or(raw.len(), |at| at + 1), Style::Plain),
            _ => (0, Style::Plain),
        };
        Self { raw, at, style }
    }

    /// The offset of the next character that is no white space, if it is the one that is wanted.
    fn find(&mut self, wanted: char) -> Option<usize> {
        loop {
            let at = self.at;
            let mut chars = self.raw[at..].chars();
            let mut char = chars.next()?;
            self.at += char.len_utf8();
            let next = chars.next();
            let escapes =
                (self.style == Style::Double && char == '\\') || (self.style == Style::Single && char == '\'');
            if escapes {
                let escaped = next?;
                self.at += escaped.len_utf8();
                char = match (self.style, escaped) {
                    (Style::Double, 'n' | 't' | 'r' | '\n') => ' ',
                    (_, escaped) => escaped,
                };
            }
            if !char.is_whitespace() {
                return (char == wanted).then_some(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_found_in_every_style() {
        let text = "a == 'b' &&\n  cd == \"d\"\n";
        let start = text.find('c').expect("a c");
        for raw in [
            "a == 'b' &&\n    cd == \"d\"",
            "|\n  a == 'b' &&\n    cd == \"d\"\n",
            ">-\n  a == 'b'\n  &&\n  cd == \"d\"\n",
            "'a == ''b'' && cd == \"d\"'",
            "\"a == 'b' &&\\n  cd == \\\"d\\\"\\n\"",
        ] {
            let (from, to) = place(raw, text, start).expect("a place");
            assert_eq!(&raw[from..to], "cd", "{raw}");
        }
        assert_eq!(place("a ==", "a ==", 4), Some((3, 4)), "the end");
        assert_eq!(place("x", "a", 0), None, "another text");
    }
}
