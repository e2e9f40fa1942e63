//! Reads what most manifests are written in, several times as fast as the full reader.
//!
//! In: the text of a document without tabs, carriage returns and byte order marks. Out: whether it was read; then the
//! tree is what the full reader would have made of it, places included. It knows maps and lists in block style, plain
//! and quoted scalars on one line, block scalars, lists and maps in brackets, and comments. Whatever it doesn't know
//! for sure, errors of every kind first of all, makes it give up, and the full reader begins anew.
//!
//! It goes line by line and looks at a byte once, as a rule. What it takes for a value is always looked through for
//! `: ` and ` #`, so that a key which it doesn't recognize makes it give up rather than read something else.

use smallvec::SmallVec;

use super::tree::{Tree, Words};
use crate::{
    document::scalar::{self, Scalar},
    span::Span,
};

/// Deepest nesting in block style, and in brackets.
const MAX_BLOCKS: usize = 100;
const MAX_BRACKETS: usize = 50;

/// Longest key in bytes; beyond 1024 characters a key isn't one.
const MAX_KEY: usize = 1000;

/// May stand in a key, and begin it.
const KEY: u8 = 1;
/// May stand in a plain scalar between brackets, and begin it.
const FLOW: u8 = 2;
/// May not begin a plain scalar, or does so under conditions that aren't looked at.
const INDICATOR: u8 = 4;

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let letter = byte as u8;
        if letter.is_ascii_alphanumeric() || matches!(letter, b'_' | b'.' | b'/' | b'$') {
            classes[byte] = KEY | FLOW;
        }
        if matches!(letter, b'+' | b'=' | b'~' | b'(' | b')') {
            classes[byte] = FLOW;
        }
        if matches!(
            letter,
            b' ' | b'\n'
                | b'-'
                | b'?'
                | b':'
                | b','
                | b'['
                | b']'
                | b'{'
                | b'}'
                | b'#'
                | b'&'
                | b'*'
                | b'!'
                | b'|'
                | b'>'
                | b'\''
                | b'"'
                | b'%'
                | b'@'
                | b'`'
        ) {
            classes[byte] = INDICATOR;
        }
        byte += 1;
    }
    classes
};

fn is(byte: u8, class: u8) -> bool {
    CLASSES[byte as usize] & class != 0
}

/// Reads the document in `start..end` of a text. The tree is in no certain state if that fails.
pub(super) fn read(tree: &mut Tree, text: &str, start: usize, end: usize) -> bool {
    let text = &text[..end];
    let bytes = text.as_bytes();
    Quick { tree, text, bytes, blocks: SmallVec::new(), has_root: false, scratch: String::new() }
        .document(start)
        .is_some()
}

/// A list or map in block style.
#[derive(Clone, Copy)]
struct Block {
    column: usize,
    is_map: bool,
    /// The key or dash that was read last.
    last: Span,
    /// Whether that still waits for its value.
    waits: bool,
}

/// What stands between quotes.
struct Quoted {
    /// Behind the closing quote.
    end: usize,
    has_escapes: bool,
}

struct Quick<'r> {
    tree: &'r mut Tree,
    /// The file up to the end of the document.
    text: &'r str,
    bytes: &'r [u8],
    blocks: SmallVec<[Block; 16]>,
    has_root: bool,
    /// Text that isn't in the file as it is.
    scratch: String,
}

/// `None`: give up.
type Progress<T> = Option<T>;

impl<'r> Quick<'r> {
    fn document(&mut self, start: usize) -> Progress<()> {
        let mut at = start;
        if self.bytes[at..].starts_with(b"---") {
            at = self.line_end(at + 3)?;
        }
        while at < self.bytes.len() {
            let first = at + self.spaces(at);
            at = match self.byte(first) {
                None => first,
                Some(b'\n') => first + 1,
                Some(b'#') => self.next_line(first),
                Some(_) => self.line(at, first)?,
            };
        }
        while !self.blocks.is_empty() {
            self.close()?;
        }
        self.has_root.then_some(())
    }

    /// Reads a line that begins at `line` and its first word at `first`. Gives the beginning of the next one.
    fn line(&mut self, line: usize, first: usize) -> Progress<usize> {
        if first == line && (self.bytes[line..].starts_with(b"---") || self.bytes[line..].starts_with(b"...")) {
            return None;
        }
        self.close_deeper(first - line, self.is_dash(first))?;
        let mut at = first;
        while self.is_dash(at) {
            self.item(at - line, at)?;
            at += 1 + self.spaces(at + 1);
            if matches!(self.byte(at), None | Some(b'\n' | b'#')) {
                return Some(self.next_line(at));
            }
        }
        let Some((value, words, key)) = self.key(at)? else {
            return self.item_or_root(at, at != first);
        };
        self.entry(at - line, at)?;
        self.tree.key(value, words, 0, key).ok()?;
        self.wait(key)?;
        let colon = key.end as usize;
        at = colon + 1 + self.spaces(colon + 1);
        if matches!(self.byte(at), None | Some(b'\n' | b'#')) {
            return Some(self.next_line(at));
        }
        self.value(at)
    }

    /// Reads a value that is no entry of a map in block style: an item behind its dash, or the whole document.
    fn item_or_root(&mut self, at: usize, is_item: bool) -> Progress<usize> {
        if is_item {
            return self.value(at);
        }
        let is_root = self.blocks.is_empty() && !self.has_root && matches!(self.bytes[at], b'[' | b'{');
        if !is_root {
            return None;
        }
        self.has_root = true;
        let end = self.brackets(at, 0)?;
        self.line_end(end)
    }

    /// Closes what ends before a line with a first word in this column.
    fn close_deeper(&mut self, column: usize, is_dash: bool) -> Progress<()> {
        while let Some(block) = self.blocks.last() {
            // A list may stand in the column of the key that it belongs to.
            if block.column < column || (block.column == column && (block.is_map || is_dash)) {
                break;
            }
            self.close()?;
        }
        Some(())
    }

    fn close(&mut self) -> Progress<()> {
        self.nothing_more()?;
        self.blocks.pop();
        self.tree.close(None).ok()
    }

    /// The last key or dash has no value, if it still waits for one.
    fn nothing_more(&mut self) -> Progress<()> {
        let block = self.blocks.last_mut()?;
        if !std::mem::replace(&mut block.waits, false) {
            return Some(());
        }
        self.tree.scalar(Scalar::Null, Words { text: "", verbatim: None }, 0, block.last).ok()
    }

    /// The value of the last key or dash is read.
    fn wait(&mut self, last: Span) -> Progress<()> {
        let block = self.blocks.last_mut()?;
        block.last = last;
        block.waits = true;
        Some(())
    }

    /// A dash stands at `at`: goes on with a list, or begins one.
    fn item(&mut self, column: usize, at: usize) -> Progress<()> {
        match self.blocks.last() {
            Some(block) if !block.is_map && block.column == column => self.nothing_more()?,
            Some(block) if block.waits && (block.column < column || (block.is_map && block.column == column)) => {
                self.open(false, column, at)?;
            }
            None if !self.has_root => self.open(false, column, at)?,
            _ => return None,
        }
        self.wait(Span::new(at as u32, at as u32 + 1))
    }

    /// A key stands at `at`: goes on with a map, or begins one.
    fn entry(&mut self, column: usize, at: usize) -> Progress<()> {
        match self.blocks.last() {
            Some(block) if block.is_map && block.column == column => self.nothing_more(),
            Some(block) if block.waits && block.column < column => self.open(true, column, at),
            None if !self.has_root => self.open(true, column, at),
            _ => None,
        }
    }

    fn open(&mut self, is_map: bool, column: usize, at: usize) -> Progress<()> {
        if self.blocks.len() >= MAX_BLOCKS {
            return None;
        }
        if let Some(block) = self.blocks.last_mut() {
            block.waits = false;
        }
        self.has_root = true;
        let at = Span::new(at as u32, at as u32);
        self.blocks.push(Block { column, is_map, last: at, waits: false });
        self.tree.open(is_map, true, 0, at).ok()
    }

    /// The key at `at`, if there is one.
    fn key(&self, at: usize) -> Progress<Option<(Scalar, Words<'r>, Span)>> {
        let quote = self.bytes[at];
        let (value, inner, end) = if matches!(quote, b'"' | b'\'') {
            let Quoted { end, has_escapes } = self.quoted(at)?;
            if self.byte(end) != Some(b':') || !self.is_blank(end + 1) {
                return Some(None);
            }
            if has_escapes {
                return None;
            }
            (Scalar::Text, at + 1..end - 1, end)
        } else {
            let Some(end) = self.plain_key(at) else { return Some(None) };
            (scalar::plain(&self.text[at..end]), at..end, end)
        };
        if end - at > MAX_KEY {
            return None;
        }
        let verbatim = Some(Span::new(inner.start as u32, inner.end as u32));
        Some(Some((value, Words { text: &self.text[inner], verbatim }, Span::new(at as u32, end as u32))))
    }

    /// The end of the plain key at `at`, where its colon stands.
    fn plain_key(&self, at: usize) -> Option<usize> {
        if !is(self.bytes[at], KEY) {
            return None;
        }
        let mut end = at + 1;
        loop {
            match self.byte(end)? {
                b':' if self.is_blank(end + 1) => return Some(end),
                b':' | b'-' => {}
                byte if is(byte, KEY) => {}
                _ => return None,
            }
            end += 1;
        }
    }

    /// Reads the value at `at`, which goes to the innermost block. Gives the beginning of the next line.
    fn value(&mut self, at: usize) -> Progress<usize> {
        let block = self.blocks.last_mut()?;
        if !std::mem::replace(&mut block.waits, false) {
            return None;
        }
        let column = block.column;
        match self.bytes[at] {
            b'"' | b'\'' => {
                let end = self.quoted_value(at)?;
                self.line_end(end)
            }
            b'[' | b'{' => {
                let end = self.brackets(at, 0)?;
                self.line_end(end)
            }
            b'|' | b'>' => self.block_scalar(at, column),
            b'-' | b':' if self.is_blank(at + 1) => None,
            byte if !matches!(byte, b'-' | b':') && is(byte, INDICATOR) => None,
            _ => self.plain_value(at),
        }
    }

    /// Reads a plain scalar that ends with the line.
    fn plain_value(&mut self, at: usize) -> Progress<usize> {
        let mut end = at;
        loop {
            match self.byte(end) {
                None | Some(b'\n') => break,
                Some(b':') if self.is_blank(end + 1) => return None,
                Some(b'#') if self.bytes[end - 1] == b' ' => break,
                Some(_) => end += 1,
            }
        }
        let next = self.next_line(end);
        let text = self.text[at..end].trim_end_matches(' ');
        self.plain(text, at)?;
        Some(next)
    }

    /// Takes the plain scalar `text`, which stands at `at`.
    fn plain(&mut self, text: &str, at: usize) -> Progress<()> {
        let span = Span::new(at as u32, (at + text.len()) as u32);
        self.tree.scalar(scalar::plain(text), Words { text, verbatim: Some(span) }, 0, span).ok()
    }

    /// Looks for the end of what stands in quotes at `at`. It must be on the same line.
    fn quoted(&self, at: usize) -> Progress<Quoted> {
        let quote = self.bytes[at];
        let mut has_escapes = false;
        let mut end = at + 1;
        loop {
            match self.byte(end)? {
                b'\n' => return None,
                b'\'' if quote == b'\'' && self.byte(end + 1) == Some(b'\'') => {
                    has_escapes = true;
                    end += 2;
                }
                byte if byte == quote => break,
                b'\\' if quote == b'"' => {
                    has_escapes = true;
                    end += 2;
                }
                _ => end += 1,
            }
        }
        Some(Quoted { end: end + 1, has_escapes })
    }

    /// Takes what stands in quotes at `at` as a value, and gives its end.
    fn quoted_value(&mut self, at: usize) -> Progress<usize> {
        let Quoted { end, has_escapes } = self.quoted(at)?;
        let span = Span::new(at as u32, end as u32);
        let inner = Span::new(span.start + 1, span.end - 1);
        let written = &self.text[inner.range()];
        let words = if has_escapes {
            self.scratch.clear();
            unescape(written, self.bytes[at], &mut self.scratch)?;
            Words { text: &self.scratch, verbatim: None }
        } else {
            Words { text: written, verbatim: Some(inner) }
        };
        self.tree.scalar(Scalar::Text, words, 0, span).ok()?;
        Some(end)
    }

    /// Reads the list or map in brackets at `at`, and gives its end.
    fn brackets(&mut self, at: usize, depth: usize) -> Progress<usize> {
        let is_map = self.bytes[at] == b'{';
        let closing = if is_map { b'}' } else { b']' };
        if depth >= MAX_BRACKETS {
            return None;
        }
        self.tree.open(is_map, false, 0, Span::new(at as u32, at as u32 + 1)).ok()?;
        let mut at = self.gap(at + 1)?;
        while self.bytes[at] != closing {
            if is_map {
                at = self.flow_key(at)?;
            }
            at = match self.bytes[at] {
                b'[' | b'{' => self.brackets(at, depth + 1)?,
                b'"' | b'\'' => self.quoted_value(at)?,
                _ => {
                    let end = self.flow_plain(at, false)?;
                    let text = &self.text[at..end];
                    self.plain(text, at)?;
                    end
                }
            };
            at = self.gap(at)?;
            match self.bytes[at] {
                b',' => at = self.gap(at + 1)?,
                byte if byte == closing => {}
                _ => return None,
            }
        }
        self.tree.close(Some(at as u32 + 1)).ok()?;
        Some(at + 1)
    }

    /// Reads a key between brackets, and gives the place of its value.
    fn flow_key(&mut self, at: usize) -> Progress<usize> {
        let (value, inner, end) = if matches!(self.bytes[at], b'"' | b'\'') {
            let Quoted { end, has_escapes } = self.quoted(at)?;
            if has_escapes || self.byte(end)? != b':' {
                return None;
            }
            (Scalar::Text, at + 1..end - 1, end)
        } else {
            let end = self.flow_plain(at, true)?;
            (scalar::plain(&self.text[at..end]), at..end, end)
        };
        if end - at > MAX_KEY {
            return None;
        }
        let verbatim = Some(Span::new(inner.start as u32, inner.end as u32));
        let words = Words { text: &self.text[inner], verbatim };
        self.tree.key(value, words, 0, Span::new(at as u32, end as u32)).ok()?;
        self.gap(end + 1)
    }

    /// The end of a plain scalar between brackets: a key, which a colon and a space follow, or a value.
    fn flow_plain(&self, at: usize, is_key: bool) -> Progress<usize> {
        let first = self.bytes[at];
        let is_dashed = first == b'-' && is(self.byte(at + 1)?, FLOW);
        if !is(first, FLOW) && !is_dashed {
            return None;
        }
        let mut end = at + 1;
        loop {
            match self.byte(end)? {
                b':' if is_key && self.byte(end + 1)? == b' ' => return Some(end),
                b':' if is(self.byte(end + 1)?, FLOW) => {}
                b',' | b']' | b'}' | b'\n' if !is_key => return Some(end),
                b' ' if !is_key => {
                    let next = end + self.spaces(end);
                    match self.byte(next)? {
                        b',' | b']' | b'}' | b'\n' => return Some(end),
                        byte if is(byte, FLOW) => end = next,
                        _ => return None,
                    }
                }
                b'-' | b'*' | b'@' | b'%' => {}
                byte if is(byte, FLOW) => {}
                _ => return None,
            }
            end += 1;
        }
    }

    /// The next byte between brackets that is no white space.
    fn gap(&self, mut at: usize) -> Progress<usize> {
        loop {
            match self.byte(at)? {
                b' ' => at += 1,
                b'\n' if self.bytes[at + 1..].starts_with(b"...") => return None,
                b'\n' => at += 1,
                b'#' => return None,
                _ => return Some(at),
            }
        }
    }

    /// Reads the block scalar at `at` in a block that stands in `column`. Gives the beginning of the next line.
    fn block_scalar(&mut self, at: usize, column: usize) -> Progress<usize> {
        let is_folded = self.bytes[at] == b'>';
        let chomp = self.byte(at + 1)?;
        let header = at + 1 + usize::from(matches!(chomp, b'-' | b'+'));
        let mut line = header + self.spaces(header);
        if self.byte(line)? != b'\n' {
            return None;
        }
        line += 1;
        self.scratch.clear();
        let mut indent = None;
        let mut blank_lines = 0;
        let mut end = header;
        while line < self.bytes.len() {
            let spaces = self.spaces(line);
            let first = line + spaces;
            if matches!(self.byte(first), None | Some(b'\n')) {
                // Blank space beyond the indentation is text.
                if indent.is_none_or(|indent| spaces > indent) && spaces > 0 {
                    return None;
                }
                blank_lines += 1;
                line = first + 1;
                continue;
            }
            let indent = *indent.get_or_insert(spaces);
            if indent <= column {
                return None;
            }
            if spaces < indent {
                break;
            }
            if is_folded && spaces > indent {
                return None;
            }
            let next = memchr::memchr(b'\n', &self.bytes[first..]).map_or(self.bytes.len(), |length| first + length);
            let folds = is_folded && end != header && blank_lines == 0;
            if folds {
                self.scratch.pop();
                self.scratch.push(' ');
            } else if is_folded && end != header {
                blank_lines -= 1;
            }
            self.scratch.extend(std::iter::repeat_n('\n', blank_lines));
            blank_lines = 0;
            self.scratch.push_str(&self.text[line + indent..next]);
            self.scratch.push('\n');
            end = next;
            line = next + 1;
        }
        if end == header {
            return None;
        }
        match chomp {
            b'-' => {
                self.scratch.pop();
            }
            b'+' => self.scratch.extend(std::iter::repeat_n('\n', blank_lines)),
            _ => {}
        }
        let written = self.text[at..end].trim_end_matches(' ').len();
        let words = Words { text: &self.scratch, verbatim: None };
        self.tree.scalar(Scalar::Text, words, 0, Span::new(at as u32, (at + written) as u32)).ok()?;
        Some(line.min(self.bytes.len()))
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// Number of spaces at `at`.
    fn spaces(&self, at: usize) -> usize {
        self.bytes.get(at..).unwrap_or_default().iter().take_while(|byte| **byte == b' ').count()
    }

    /// Whether a space, a line break or the end is at `at`.
    fn is_blank(&self, at: usize) -> bool {
        matches!(self.byte(at), None | Some(b' ' | b'\n'))
    }

    fn is_dash(&self, at: usize) -> bool {
        self.byte(at) == Some(b'-') && self.is_blank(at + 1)
    }

    /// The beginning of the line behind that of `at`.
    fn next_line(&self, at: usize) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        memchr::memchr(b'\n', rest).map_or(self.bytes.len(), |length| at + length + 1)
    }

    /// The beginning of the next line, if nothing but a comment stands on the rest of this one.
    fn line_end(&self, at: usize) -> Progress<usize> {
        let spaces = self.spaces(at);
        match self.byte(at + spaces) {
            None | Some(b'\n') => {}
            Some(b'#') if spaces > 0 => {}
            Some(_) => return None,
        }
        Some(self.next_line(at + spaces))
    }
}

/// Replaces the escapes of a text between such quotes: all of them between single ones, the most frequent between double
/// ones.
fn unescape(text: &str, quote: u8, out: &mut String) -> Progress<()> {
    let mut rest = text;
    let mark = if quote == b'"' { b'\\' } else { b'\'' };
    while let Some(found) = memchr::memchr(mark, rest.as_bytes()) {
        out.push_str(&rest[..found]);
        out.push(match (mark, rest.as_bytes().get(found + 1)?) {
            (b'\'', _) => '\'',
            (_, b'n') => '\n',
            (_, b't') => '\t',
            (_, b'r') => '\r',
            (_, b'"') => '"',
            (_, b'\\') => '\\',
            _ => return None,
        });
        rest = &rest[found + 2..];
    }
    out.push_str(rest);
    Some(())
}
