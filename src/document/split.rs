//! Cuts a stream into the stretches that are parsed one by one.
//!
//! In: the text of a file. Out: the stretches of its documents and the separators that are none. The cut is made by
//! lines and before anything is known of YAML, as `kubectl` and the API machinery of Kubernetes make it: a line that
//! begins with `---` ends a document even in the middle of a quoted string. Stretches of nothing but blank lines and
//! comments are left out.

use std::ops::Range;

use memchr::memmem;

/// Characters that end a line for a reader of YAML but not for the one that splits: what looks like a comment goes on
/// behind them.
const OTHER_BREAKS: [char; 4] = ['\r', '\u{85}', '\u{2028}', '\u{2029}'];

/// A stretch of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// One document, maybe with the separator before it.
    Document(Range<usize>),
    /// A line that begins with `---` and goes on with something other than a comment. What follows it, up to the next
    /// separator, is left out.
    BadSeparator(Range<usize>),
}

/// The pieces of a text, in order.
pub(super) struct Pieces<'t> {
    text: &'t str,
    finder: memmem::Finder<'static>,
    start: usize,
    pending: Option<Range<usize>>,
}

/// Splits `text`.
pub(super) fn split(text: &str) -> Pieces<'_> {
    Pieces { text, finder: memmem::Finder::new("\n---"), start: 0, pending: None }
}

impl Pieces<'_> {
    /// The next line that begins with `---`, at or after the line start `from`: its start, its end before the line
    /// break, and whether something other than a comment follows on it.
    fn separator(&self, from: usize) -> Option<(Range<usize>, bool)> {
        let bytes = self.text.as_bytes();
        let start = if bytes[from..].starts_with(b"---") { from } else { from + self.finder.find(&bytes[from..])? + 1 };
        let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at);
        let rest = self.text[start + 3..end].trim();
        Some((start..end, rest.is_empty() || (rest.starts_with('#') && !rest.contains(OTHER_BREAKS))))
    }
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if let Some(line) = self.pending.take() {
            return Some(Piece::BadSeparator(line));
        }
        while self.start < self.text.len() {
            let start = self.start;
            let mut from = start;
            let end = loop {
                let Some((line, good)) = self.separator(from) else {
                    self.start = self.text.len();
                    break self.text.len();
                };
                let after = (line.end + 1).min(self.text.len());
                if !good {
                    let end = line.start;
                    self.start = self.separator(after).map_or(self.text.len(), |(next, _)| next.start);
                    self.pending = Some(line);
                    break end;
                }
                if line.start > start {
                    self.start = after;
                    break line.start;
                }
                from = after;
                if from >= self.text.len() {
                    self.start = self.text.len();
                    break self.text.len();
                }
            };
            if has_content(&self.text[start..end]) {
                return Some(Piece::Document(start..end));
            }
            if let Some(line) = self.pending.take() {
                return Some(Piece::BadSeparator(line));
            }
        }
        None
    }
}

/// Whether a stretch holds more than blank lines, comments and its own separator.
fn has_content(text: &str) -> bool {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let before = &text[..text.len() - rest.len()];
        let begins_line = before.is_empty() || before.ends_with(['\n', '\u{feff}']);
        if rest.is_empty() {
            return false;
        }
        let end = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
        let line = &rest[..end];
        let behind = if begins_line { line.strip_prefix("---") } else { None };
        if !line.starts_with('#')
            && !behind.is_some_and(|behind| behind.trim().is_empty() || behind.trim().starts_with('#'))
        {
            return true;
        }
        if line.trim_end_matches('\r').contains(OTHER_BREAKS) {
            return true;
        }
        rest = &rest[end..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<String> {
        split(text)
            .map(|piece| match piece {
                Piece::Document(range) => text[range].to_owned(),
                Piece::BadSeparator(range) => format!("bad {}", &text[range]),
            })
            .collect()
    }

    #[test]
    fn a_line_of_dashes_ends_a_document() {
        assert_eq!(pieces("a: 1\n---\nb: 2\n"), ["a: 1\n", "b: 2\n"]);
        assert_eq!(pieces("---\na: 1\n--- # second\nb: 2"), ["---\na: 1\n", "b: 2"]);
        assert_eq!(pieces("a: 1\r\n---\r\nb: 2\r\n---"), ["a: 1\r\n", "b: 2\r\n"]);
        assert_eq!(pieces("a: 1\n ---\n"), ["a: 1\n ---\n"]);
        assert_eq!(pieces("a: \"x\n---\ny\"\n"), ["a: \"x\n", "y\"\n"]);
    }

    #[test]
    fn documents_without_content_are_dropped() {
        assert_eq!(pieces(""), [""; 0]);
        assert_eq!(pieces("\u{feff}"), [""; 0]);
        assert_eq!(pieces("# a\n\n  # b"), [""; 0]);
        assert_eq!(pieces("---\n---\n# c\n---\na: 1\n---\n\n---\n---"), ["a: 1\n"]);
        assert_eq!(pieces("---\n---\na: 1\n"), ["a: 1\n"]);
        assert_eq!(pieces(" ---\n").len(), 1);
        assert_eq!(pieces("\u{feff}---\n").len(), 0);
        assert_eq!(pieces("\u{feff}---a\n").len(), 1);
    }

    #[test]
    fn what_stands_behind_an_unusual_line_break_is_content() {
        assert_eq!(pieces("# c\ra: 1\n").len(), 1);
        assert_eq!(pieces("# c\u{2028}a: 1\n").len(), 1);
        assert_eq!(pieces("# c\r\n").len(), 0);
        assert_eq!(pieces("a: 1\n--- # c\rb: 2\n"), ["a: 1\n", "bad --- # c\rb: 2"]);
    }

    #[test]
    fn a_separator_with_content_is_an_error_and_hides_only_its_own_document() {
        assert_eq!(pieces("a: 1\n--- b\nc: 2\n---\nd: 3\n"), ["a: 1\n", "bad --- b", "---\nd: 3\n"]);
        assert_eq!(pieces("--- {a: 1}\n"), ["bad --- {a: 1}"]);
        assert_eq!(pieces("----\na: 1\n----"), ["bad ----", "bad ----"]);
    }
}
