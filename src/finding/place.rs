//! Where a finding points, with the few lines of source that a reader must see.
//!
//! In: a file and a span of it. Out: owned positions and a small excerpt, so that a finding outlives the file.
//! Cost is that of the excerpt, never of the file.

use std::sync::Arc;

use crate::span::{File, Position, Span};

/// More lines than this are cut to the first one: nobody reads a whole manifest in an error.
const MAX_LINES: u32 = 8;

/// Bytes of one line in an excerpt; longer ones are cut around the mark.
const MAX_LINE_BYTES: usize = 300;

/// Bytes kept before the mark when a line is cut.
const LEAD_BYTES: usize = 60;

/// Stands for what was cut from a line.
const CUT: &str = "...";

/// A stretch of a file, counted in bytes and as people count, with the source around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Path below the root of the run, raw: may hold any character.
    pub path: Arc<str>,
    /// Byte offsets in the file.
    pub span: Span,
    /// Line and column of the first character.
    pub start: Position,
    /// Line and column after the last character; equals `start` for an empty span.
    pub end: Position,
    /// The source to show; empty when there is none to show.
    pub excerpt: Excerpt,
}

/// Whole lines of source around a span, cut down to what fits a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Excerpt {
    /// Lines without the last line break. Empty: nothing to show.
    pub text: String,
    /// Number of the first line, from 1.
    pub first_line: u32,
    /// The span within `text`, on character boundaries; ends earlier than the span did where the text was cut.
    pub mark: Span,
    /// Whether each line is there from its first character, so that columns can be counted in `text`.
    pub whole_lines: bool,
}

impl Excerpt {
    /// The text under the mark.
    pub(crate) fn marked(&self) -> &str {
        self.text.get(self.mark.range()).unwrap_or("")
    }
}

impl Place {
    /// A place in a file, with the lines it covers.
    ///
    /// White space at the end of the span is left out, since it usually is the line break of the last line. Offsets
    /// outside the file, or inside a character, move to the nearest valid ones before them.
    pub(crate) fn new(file: &File, span: Span) -> Self {
        let span = tidy(file.text(), span);
        Self { excerpt: excerpt(file, span), ..Self::redacted(file, span) }
    }

    /// A place in a file whose text must not be shown, such as a value of a Secret.
    pub(crate) fn redacted(file: &File, span: Span) -> Self {
        let span = tidy(file.text(), span);
        Self {
            path: Arc::clone(file.path()),
            span,
            start: file.position(span.start),
            end: file.position(span.end),
            excerpt: Excerpt::default(),
        }
    }

    /// A file as a whole, when its text can't be read or doesn't matter.
    pub(crate) fn whole_file(path: impl Into<Arc<str>>) -> Self {
        let start = Position { line: 1, column: 1 };
        Self { path: path.into(), span: Span::default(), start, end: start, excerpt: Excerpt::default() }
    }
}

fn tidy(text: &str, span: Span) -> Span {
    let start = boundary(text, span.start as usize);
    let end = boundary(text, span.end as usize).max(start);
    let trimmed = text[start..end].trim_end().len();
    Span::new(start as u32, (start + trimmed) as u32)
}

/// The last character boundary at or before `offset`, at most the end.
fn boundary(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn excerpt(file: &File, span: Span) -> Excerpt {
    let first = file.position(span.start).line;
    let last = file.position(span.end).line;
    let fits =
        last - first < MAX_LINES && (first..=last).all(|line| file.line_span(line).range().len() <= MAX_LINE_BYTES);
    if fits {
        let window = Span::new(file.line_span(first).start, file.line_span(last).end.max(span.end));
        let mark = Span::new(span.start - window.start, span.end - window.start);
        return Excerpt { text: file.slice(window).to_owned(), first_line: first, mark, whole_lines: true };
    }
    let line = file.line_span(first);
    let text = file.slice(line);
    // A span may start in the line break, which the line leaves out.
    let start = span.start.min(line.end);
    let mark = (start - line.start) as usize..(span.end.clamp(start, line.end) - line.start) as usize;
    if text.len() <= MAX_LINE_BYTES {
        return Excerpt {
            text: text.to_owned(),
            first_line: first,
            mark: Span::new(mark.start as u32, mark.end as u32),
            whole_lines: true,
        };
    }
    let from = match boundary(text, mark.start.saturating_sub(LEAD_BYTES)) {
        // A cut that saves nothing would only hide the start of the line.
        few if few <= CUT.len() => 0,
        many => many,
    };
    let to = boundary(text, from + MAX_LINE_BYTES);
    let (before, after) = (if from > 0 { CUT } else { "" }, if to < text.len() { CUT } else { "" });
    let shift = |offset: usize| (offset.min(to) - from + before.len()) as u32;
    Excerpt {
        text: format!("{before}{}{after}", &text[from..to]),
        first_line: first,
        mark: Span::new(shift(mark.start), shift(mark.end)),
        whole_lines: from == 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(text: &str, start: usize, end: usize) -> Place {
        Place::new(&File::new("a.yaml", text.as_bytes().to_vec()), Span::new(start as u32, end as u32))
    }

    #[test]
    fn a_place_holds_the_lines_of_its_span() {
        let text = "a: 1\nb:\n  c: é\n  d: 2\ne: 3\n";
        let it = place(text, text.find("c:").unwrap(), text.find("e:").unwrap());
        assert_eq!(it.excerpt.text, "  c: é\n  d: 2");
        assert_eq!((it.excerpt.first_line, it.excerpt.marked()), (3, "c: é\n  d: 2"));
        assert_eq!((it.start.line, it.start.column, it.end.line, it.end.column), (3, 3, 4, 7));
    }

    #[test]
    fn many_lines_are_cut_to_the_first() {
        let text = "x: 1\n".repeat(20);
        let it = place(&text, 0, text.len());
        assert_eq!((it.excerpt.text.as_str(), it.excerpt.marked()), ("x: 1", "x: 1"));
        assert_eq!(it.end.line, 20);
    }

    #[test]
    fn long_lines_are_cut_around_the_mark() {
        let text = format!("{}KEY{}", "é".repeat(500), "ü".repeat(500));
        let it = place(&text, 1000, 1003);
        assert_eq!(it.excerpt.marked(), "KEY");
        assert!(it.excerpt.text.starts_with("...é") && it.excerpt.text.ends_with("ü..."));
        assert!(it.excerpt.text.len() <= MAX_LINE_BYTES + 2 * CUT.len());
    }

    #[test]
    fn a_redacted_place_shows_nothing() {
        let file = File::new("s.yaml", b"password: hunter2\n".to_vec());
        let it = Place::redacted(&file, Span::new(10, 17));
        assert_eq!((it.excerpt.text.as_str(), it.start.column), ("", 11));
    }

    proptest! {
        #[test]
        fn marks_lie_in_the_excerpt_for_any_span(text in "(\\PC|\n|\r|\t){0,900}", start in 0_u32..1200, end in 0_u32..1200) {
            let it = Place::new(&File::new("a", text.clone().into_bytes()), Span::new(start, end));
            let Excerpt { text, mark, .. } = &it.excerpt;
            prop_assert!(text.get(mark.range()).is_some());
            prop_assert!(text.lines().count() <= MAX_LINES as usize);
        }
    }
}
