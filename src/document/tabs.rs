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
        let line = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
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

    /// Refuses a tab in a place where Kubernetes' reader does.
    pub(super) fn check(&self, text: &str, end: u32) -> Result<(), DocumentError> {
        let bytes = text.as_bytes();
        for at in memchr::memchr_iter(b'\t', &bytes[self.start as usize..end as usize]) {
            let at = self.start as usize + at;
            let index = self.tokens.partition_point(|token| token.span.start as usize <= at);
            let token = index.checked_sub(1).map(|index| &self.tokens[index]);
            if !is_allowed(token, bytes, at, self.start as usize) {
                return Err(DocumentError::Tab { at: Span::new(at as u32, at as u32 + 1) });
            }
        }
        Ok(())
    }
}

/// Whether the tab at `at` may stand there; `token` is the last one that begins before it.
fn is_allowed(token: Option<&Token>, bytes: &[u8], at: usize, start: usize) -> bool {
    let line = memchr::memrchr(b'\n', &bytes[..at]).map_or(start, |at| (at + 1).max(start));
    let prefix = &bytes[line..at];
    let leads = prefix.iter().all(|byte| matches!(byte, b' ' | b'\t'));
    let inside = token.is_some_and(|token| at < token.span.end as usize);
    if let Some(token) = token {
        let gap = bytes.get(token.span.end as usize..at).unwrap_or_default();
        let follows_plain = token.is_plain && (inside || gap.iter().all(u8::is_ascii_whitespace));
        if follows_plain && leads {
            return token.block.is_none_or(|column| (at - line) as u32 > column);
        }
        if inside || token.in_flow {
            return true;
        }
    }
    if leads {
        return false;
    }
    let from = token.map_or(line, |token| (token.span.end as usize).max(line));
    let gap = &bytes[from..at];
    if gap.contains(&b'#') {
        return true;
    }
    let written = gap.trim_ascii_end();
    let (last, before) = match written {
        [before @ .., last] => (*last, before),
        [] => return true,
    };
    let stands_alone = before.last().is_none_or(u8::is_ascii_whitespace);
    match last {
        b'-' | b'?' => !stands_alone,
        b':' => from != line || !before.iter().all(u8::is_ascii_whitespace),
        _ => true,
    }
}
