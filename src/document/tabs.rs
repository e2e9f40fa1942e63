//! Where tabs may stand: the places at which Kubernetes' reader refuses them and others don't.
//!
//! Made only for documents that hold a tab. It notes where scalars and brackets are while a document is read, and then
//! looks at the tabs between them.

use super::error::DocumentError;
use crate::span::Span;

/// A scalar or an alias, and what stood around it.
struct Token {
    span: Span,
    is_plain: bool,
    /// Column of the innermost block collection, if there is one.
    block: Option<u32>,
    /// Whether brackets are open behind it.
    in_flow: bool,
}

/// What is known of a document's tokens.
pub(super) struct Tabs {
    tokens: Vec<Token>,
    /// Columns of the open block collections.
    blocks: Vec<u32>,
    flows: u32,
    start: u32,
}

impl Tabs {
    /// Nothing known yet of the document that begins at `start`.
    pub(super) fn new(start: u32) -> Self {
        Self { tokens: Vec::new(), blocks: Vec::new(), flows: 0, start }
    }

    /// A list or map in block style begins.
    pub(super) fn open_block(&mut self, at: Span, text: &str) {
        let before = &text.as_bytes()[..at.start as usize];
        let line = memchr::memrchr2(b'\n', b'\r', before).map_or(0, |at| at + 1);
        self.blocks.push(at.start - (line as u32).max(self.start));
    }

    /// A bracket opens.
    pub(super) fn open_flow(&mut self, at: Span) {
        self.flows += 1;
        self.token(at, false);
    }

    /// A list or map ends.
    pub(super) fn close(&mut self, is_block: bool, at: Span) {
        if is_block {
            self.blocks.pop();
        } else {
            self.flows = self.flows.saturating_sub(1);
            self.token(at, false);
        }
    }

    /// A scalar or alias was read.
    pub(super) fn scalar(&mut self, at: Span, is_plain: bool) {
        self.token(at, is_plain);
    }

    fn token(&mut self, span: Span, is_plain: bool) {
        if span.start < span.end {
            let block = self.blocks.last().copied();
            self.tokens.push(Token { span, is_plain, block, in_flow: self.flows > 0 });
        }
    }

    /// Refuses a tab in a place where Kubernetes' reader does. Linear, whatever the text.
    pub(super) fn check(&self, text: &str, end: u32) -> Result<(), DocumentError> {
        let bytes = &text.as_bytes()[..end as usize];
        let mut line = Line::at(bytes, self.start as usize);
        let mut from = self.start as usize;
        let mut tokens = self.tokens.iter().peekable();
        let mut token = None;
        for tab in memchr::memchr_iter(b'\t', &bytes[from..]) {
            let at = self.start as usize + tab;
            if at < from {
                continue;
            }
            if let Some(line_break) = memchr::memrchr2(b'\n', b'\r', &bytes[from..at]) {
                line = Line::at(bytes, from + line_break + 1);
            }
            while let Some(next) = tokens.next_if(|next| next.span.start as usize <= at) {
                token = Some(Before { token: next, written: written(bytes, next.span.end as usize) });
            }
            from = match place(token, line, bytes, at) {
                Place::Refused => return Err(DocumentError::Tab { at: Span::new(at as u32, at as u32 + 1) }),
                // What holds for the first tab of some blank space holds for the others.
                Place::Allowed => at + bytes[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count(),
                Place::Comment => at + memchr::memchr2(b'\n', b'\r', &bytes[at..]).unwrap_or(bytes.len() - at),
            };
        }
        Ok(())
    }
}

/// A line that holds a tab.
#[derive(Clone, Copy)]
struct Line {
    start: usize,
    /// Its first byte that isn't blank.
    written: usize,
}

impl Line {
    fn at(bytes: &[u8], start: usize) -> Self {
        let blank = bytes[start..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        Self { start, written: start + blank }
    }
}

/// The last token that begins before a tab.
#[derive(Clone, Copy)]
struct Before<'t> {
    token: &'t Token,
    /// The first byte behind it that isn't blank.
    written: usize,
}

/// The first byte from `from` on that is no white space.
fn written(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// What a tab stands in.
enum Place {
    Allowed,
    Refused,
    /// A comment, which goes on to the end of the line.
    Comment,
}

impl From<bool> for Place {
    fn from(is_allowed: bool) -> Self {
        if is_allowed { Self::Allowed } else { Self::Refused }
    }
}

/// What the tab at `at` stands in.
fn place(before: Option<Before<'_>>, line: Line, bytes: &[u8], at: usize) -> Place {
    let leads = at < line.written;
    let mut from = line.start;
    if let Some(Before { token, written }) = before {
        let end = token.span.end as usize;
        let inside = at < end;
        if token.is_plain && leads && (inside || at < written) {
            return token.block.is_none_or(|column| (at - line.start) as u32 > column).into();
        }
        if inside || token.in_flow {
            return Place::Allowed;
        }
        from = from.max(end);
    }
    if leads {
        return Place::Refused;
    }
    let gap = &bytes[from..at];
    if gap.contains(&b'#') {
        return Place::Comment;
    }
    let written = gap.trim_ascii_end();
    let (last, before) = match written {
        [before @ .., last] => (*last, before),
        [] => return Place::Allowed,
    };
    let stands_alone = before.last().is_none_or(u8::is_ascii_whitespace);
    let is_allowed = match last {
        b'-' | b'?' => !stands_alone,
        b':' => from != line.start || !before.iter().all(u8::is_ascii_whitespace),
        _ => true,
    };
    is_allowed.into()
}
