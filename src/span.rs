//! Files as read, and stretches of them.
//!
//! In: a path and the bytes of one file. Out: text whose byte offsets are those of the file, lines and columns.
//! Nothing here knows of YAML.

use std::sync::{Arc, OnceLock};

/// A stretch of one file: where a finding points.
///
/// Half-open byte offsets into the file as read (not characters, not columns), both on UTF-8 boundaries,
/// `start <= end`. [`File::position`] turns them into lines and columns. A node that the file doesn't contain (a
/// default, a patched value) carries the span of its nearest parent that it does contain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    /// First byte.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
}

impl Span {
    /// A span over `start..end`.
    pub(crate) const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// The offsets as a range for slicing.
    pub(crate) const fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Whether every byte of `inner` lies in `self`.
    pub(crate) const fn covers(self, inner: Self) -> bool {
        self.start <= inner.start && inner.end <= self.end
    }
}

/// A place as people count: both from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, in characters (Unicode scalar values).
    pub column: u32,
}

/// One file: its path below the root of the run and its text.
///
/// Bytes that are no UTF-8 stand in [`File::text`] as `\u{1A}`, one for one, so that offsets stay those of the file;
/// [`File::invalid`] says where they are, and whoever reads the text must refuse a document that holds one.
#[derive(Debug)]
pub(crate) struct File {
    path: Arc<str>,
    text: String,
    invalid: Vec<u32>,
    line_starts: OnceLock<Vec<u32>>,
}

impl File {
    /// A file as read. `path` is for people and reports, with `/` between parts.
    ///
    /// # Panics
    /// Never for fewer than 4 GiB; sources refuse larger files before this.
    pub(crate) fn new(path: impl Into<Arc<str>>, bytes: Vec<u8>) -> Arc<Self> {
        debug_assert!(u32::try_from(bytes.len()).is_ok(), "sources refuse files of 4 GiB and more");
        let mut invalid = Vec::new();
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => blot_out(error.into_bytes(), &mut invalid),
        };
        Arc::new(Self { path: path.into(), text, invalid, line_starts: OnceLock::new() })
    }

    /// Where the file is, for people and reports.
    pub(crate) fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// The whole text; offsets are byte offsets of the file.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Offsets of bytes that are no UTF-8, ascending. Empty for nearly every file.
    pub(crate) fn invalid(&self) -> &[u32] {
        &self.invalid
    }

    /// The text of a span.
    pub(crate) fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or("")
    }

    /// Line and column of an offset; an offset beyond the end is the end.
    pub(crate) fn position(&self, offset: u32) -> Position {
        let starts = self.line_starts();
        let offset = offset.min(self.text.len() as u32);
        let line = starts.partition_point(|&start| start <= offset);
        let before = &self.text[starts[line - 1] as usize..];
        let width = (offset - starts[line - 1]) as usize;
        let column = before.char_indices().take_while(|(at, _)| *at < width).count();
        Position { line: line as u32, column: column as u32 + 1 }
    }

    /// Byte range of a line (from 1), without its line break.
    pub(crate) fn line_span(&self, line: u32) -> Span {
        let starts = self.line_starts();
        let index = (line.max(1) as usize - 1).min(starts.len() - 1);
        let start = starts[index];
        let end = starts.get(index + 1).map_or(self.text.len(), |&next| next as usize);
        let body = self.text[start as usize..end].trim_end_matches(['\n', '\r']);
        Span::new(start, start + body.len() as u32)
    }

    fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            let breaks = memchr::memchr_iter(b'\n', self.text.as_bytes()).map(|at| at as u32 + 1);
            std::iter::once(0).chain(breaks).collect()
        })
    }
}

/// Replaces each byte that is no part of valid UTF-8 by `\u{1A}` and notes its offset.
fn blot_out(mut bytes: Vec<u8>, invalid: &mut Vec<u32>) -> String {
    let mut from = 0;
    while let Err(error) = std::str::from_utf8(&bytes[from..]) {
        let bad = from + error.valid_up_to();
        let length = error.error_len().unwrap_or(bytes.len() - bad);
        for (at, byte) in bytes.iter_mut().enumerate().skip(bad).take(length) {
            *byte = 0x1A;
            invalid.push(at as u32);
        }
        from = bad + length;
    }
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_from_one() {
        let file = File::new("a.yaml", "é: 1\nb: ü\n".as_bytes().to_vec());
        assert_eq!(file.position(0), Position { line: 1, column: 1 });
        assert_eq!(file.position(4), Position { line: 1, column: 4 });
        assert_eq!(file.position(9), Position { line: 2, column: 4 });
        assert_eq!(file.position(999), Position { line: 3, column: 1 });
        assert_eq!(file.slice(file.line_span(2)), "b: ü");
    }

    #[test]
    fn bytes_that_are_no_utf8_keep_their_offsets() {
        let file = File::new("a.yaml", b"a: \xff\xfe\nb: 1\n".to_vec());
        assert_eq!(file.invalid(), [3, 4]);
        assert_eq!(file.text(), "a: \u{1a}\u{1a}\nb: 1\n");
    }
}
