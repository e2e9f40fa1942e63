//! Reads all of YAML, with a parser that follows the specification, and refuses what Kubernetes' reader of YAML refuses
//! or reads otherwise.
//!
//! In: the text of a document. Out: a tree, or the error of the first place where it is wrong.

use std::borrow::Cow;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, StrInput, StructureStyle};

use super::{
    Read, excerpt, first_character, flow, one_character,
    tree::{Frame, Pending, Tree, Words},
};
use crate::{
    document::{
        error::DocumentError,
        scalar::{self, Scalar, Tag},
        screen::Screened,
        tabs::Tabs,
    },
    span::{File, Span},
};

/// Reads the document in `start..end` of the file, and says so when something stands behind its end.
pub(super) fn read(
    tree: &mut Tree,
    file: &File,
    start: usize,
    end: usize,
    screened: Screened,
) -> Read<Option<DocumentError>> {
    let text = &file.text()[start..end];
    // Whoever splits a stream for Kubernetes ends each line with a line feed, which counts for block scalars.
    let text = if text.ends_with('\n') { Cow::Borrowed(text) } else { Cow::Owned(format!("{text}\n")) };
    let depth = usize::from(tree.max_depth());
    let options = granit_parser::options! {
        disallow_directives: true,
        bom_inside_document_as_content: true,
        emit_anchor_events: screened.has_ampersand,
        emit_comments: false,
        flow_nesting_limit: depth,
        block_nesting_limit: depth,
    };
    let mut parser = Parser::new_from_str_with_options(&text, options);
    let tabs = screened.has_tab.then(|| Tabs::new(start as u32));
    let mut reader = Reader { tree, file, base: start, end, tabs, last_end: start as u32 };
    let mut hidden = None;
    loop {
        let (event, at) = match parser.next_event() {
            Some(Ok((event, span))) => {
                if span.tag_start.is_some() {
                    reader.check_tag(&span)?;
                }
                (event, reader.span(&span))
            }
            Some(Err(error)) => return Err(reader.syntax(&error)),
            None => break,
        };
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_deref().map(tag_of);
                reader.scalar(text, style, anchor, tag, at)?;
            }
            Event::MappingStart(style, anchor, _) => reader.open(true, style, anchor, at)?,
            Event::SequenceStart(style, anchor, _) => reader.open(false, style, anchor, at)?,
            Event::MappingEnd | Event::SequenceEnd => reader.close(at)?,
            Event::Alias(id) => reader.alias(id, at)?,
            Event::Anchor(_, name) => reader.check_anchor(&name, at)?,
            Event::DocumentStart(..) => reader.check_start(at)?,
            Event::DocumentEnd => {
                hidden = reader.rest(&mut parser);
                break;
            }
            _ => {}
        }
    }
    if let Some(tabs) = &reader.tabs {
        tabs.check(file.text(), end as u32)?;
    }
    Ok(hidden)
}

struct Reader<'r> {
    tree: &'r mut Tree,
    file: &'r File,
    /// Offset of the document in the file.
    base: usize,
    /// Where the document ends.
    end: usize,
    tabs: Option<Tabs>,
    /// End of the last scalar or bracket.
    last_end: u32,
}

impl Reader<'_> {
    /// Where something stands in the file.
    fn span(&self, span: &granit_parser::Span) -> Span {
        let range = span.byte_range().unwrap_or_default();
        let within = |at: usize| (self.base + at).min(self.file.text().len()) as u32;
        Span::new(within(range.start), within(range.end))
    }

    /// Whether something stands behind the end of the document.
    fn rest<'t>(&self, parser: &mut Parser<'t, StrInput<'t>>) -> Option<DocumentError> {
        let offset = match parser.next_event()? {
            Ok((Event::StreamEnd, _)) => return None,
            Ok((_, span)) => span.start.byte_offset(),
            Err(error) => error.marker().byte_offset(),
        };
        let text = self.file.text();
        let start = self.base + offset.unwrap_or_default();
        let skipped = text.get(start..).map_or(0, |rest| rest.len() - rest.trim_start().len());
        Some(DocumentError::Hidden { at: first_character(text, start + skipped) })
    }

    fn open(&mut self, is_map: bool, style: StructureStyle, anchor: usize, at: Span) -> Read<()> {
        if self.tree.frame().is_some_and(Frame::wants_key) {
            return Err(self.collection_key(is_map, at));
        }
        let is_block = style == StructureStyle::Block;
        let start = if is_block && !is_map { self.first_dash(at.start) } else { at.start };
        let opened = Span::new(start, if is_block { start } else { at.end });
        self.tree.open(is_map, is_block, anchor, opened)?;
        if !is_block {
            self.last_end = at.end;
        }
        if let Some(tabs) = &mut self.tabs {
            if is_block { tabs.open_block(at, self.file.text()) } else { tabs.open_flow(at) }
        }
        Ok(())
    }

    fn close(&mut self, at: Span) -> Read<()> {
        let is_block = self.tree.frame().is_some_and(|frame| frame.is_block);
        let last = at.range().last().map(|last| self.file.text().as_bytes()[last]);
        let has_brackets = !is_block && matches!(last, Some(b']' | b'}'));
        if has_brackets {
            self.last_end = at.end;
        }
        if let Some(tabs) = &mut self.tabs {
            tabs.close(is_block, at);
        }
        self.tree.close(has_brackets.then_some(at.end))
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<Tag>,
        at: Span,
    ) -> Read<()> {
        let is_plain = style == ScalarStyle::Plain;
        let is_absent = is_plain && at.start == at.end;
        let text = if is_absent { Cow::Borrowed("") } else { text };
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let at = if is_block { self.block_scalar(&text, at)? } else { at };
        if let Some(tabs) = &mut self.tabs
            && !is_absent
        {
            tabs.scalar(at, is_plain);
        }
        let is_key = self.tree.frame().is_some_and(Frame::wants_key);
        if style == ScalarStyle::DoubleQuoted && matches!(text, Cow::Owned(_)) {
            self.escapes(at)?;
        }
        if self.tree.frame().is_some_and(|frame| !frame.is_block) && !is_absent {
            self.flow_scalar(is_plain, is_key, at)?;
        }
        let (value, replaced) = match tag {
            None if is_plain => (scalar::plain(&text), None),
            None => (Scalar::Text, None),
            Some(tag) => scalar::tagged(tag, &text).ok_or_else(|| DocumentError::Tag {
                text: excerpt(&text),
                tag: tag.name().to_owned(),
                at,
            })?,
        };
        let words = match (&replaced, &text) {
            (Some(text), _) => Words { text, verbatim: None },
            (None, Cow::Owned(text)) => Words { text, verbatim: None },
            (None, Cow::Borrowed(text)) => Words { text, verbatim: self.verbatim(text, style, at) },
        };
        if is_key {
            self.last_end = at.end;
            return match tag {
                None if is_plain && words.text == "<<" => self.tree.merge_key(anchor, at),
                Some(Tag::Merge | Tag::Other) if words.text == "<<" => Err(DocumentError::Incompatible {
                    what: "readers disagree about `<<` with a tag",
                    help: "drop the tag",
                    at,
                }),
                _ => self.tree.key(value, words, anchor, at),
            };
        }
        if !is_absent {
            self.last_end = at.end;
        }
        let at = if is_absent { self.absent(at) } else { at };
        self.tree.scalar(value, words, anchor, at)
    }

    fn alias(&mut self, anchor: usize, at: Span) -> Read<()> {
        if let Some(tabs) = &mut self.tabs {
            tabs.scalar(at, false);
        }
        self.last_end = at.end;
        self.tree.alias(anchor, at)
    }

    /// The stretch of the file that holds exactly `text`, if there is one. It comes from the file as it is.
    fn verbatim(&self, text: &str, style: ScalarStyle, at: Span) -> Option<Span> {
        let inner = match style {
            ScalarStyle::Plain => at,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted if at.end - at.start >= 2 => {
                Span::new(at.start + 1, at.end - 1)
            }
            _ => return None,
        };
        debug_assert!((inner.end - inner.start) as usize != text.len() || self.file.slice(inner) == text);
        ((inner.end - inner.start) as usize == text.len()).then_some(inner)
    }

    /// Where a value that isn't written is shown: its key, or the dash before it.
    fn absent(&self, at: Span) -> Span {
        let Some(frame) = self.tree.frame() else { return at };
        match frame.pending {
            Pending::Key(_, key) | Pending::Merge(key) => key,
            Pending::Nothing => {
                // All dashes of a list stand in one column.
                let dash = self.line(at.start) + (frame.start as usize - self.line(frame.start));
                let is_dash = frame.is_block && self.file.text().as_bytes().get(dash) == Some(&b'-');
                if is_dash { Span::new(dash as u32, dash as u32 + 1) } else { at }
            }
        }
    }

    /// Where a list in block style begins. The parser places one that is no deeper than its key behind its first dash.
    fn first_dash(&self, at: u32) -> u32 {
        if self.tree.frame().is_none_or(|parent| !parent.is_map) {
            return at;
        }
        let line = self.line(at);
        let before = &self.file.text().as_bytes()[line..at as usize];
        let indent = before.iter().take_while(|byte| **byte == b' ').count();
        if before.get(indent) == Some(&b'-') { (line + indent) as u32 } else { at }
    }

    /// Where the line begins that `at` stands in.
    fn line(&self, at: u32) -> usize {
        let before = &self.file.text().as_bytes()[self.base..at as usize];
        self.base + memchr::memrchr2(b'\n', b'\r', before).map_or(0, |at| at + 1)
    }

    /// The span of a block scalar: from `|` or `>` to its last line that isn't blank.
    fn block_scalar(&self, value: &str, content: Span) -> Read<Span> {
        let text = self.file.text();
        let bytes = text.as_bytes();
        let (mut at, from) = (self.last_end as usize, content.start as usize);
        let mut start = from;
        while at < from {
            match bytes[at] {
                b'|' | b'>' => {
                    start = at;
                    break;
                }
                b'#' if at == self.base || bytes[at - 1].is_ascii_whitespace() => {
                    at += memchr::memchr(b'\n', &bytes[at..from]).unwrap_or(from - at);
                }
                b'!' | b'&' => {
                    at += bytes[at..from].iter().position(u8::is_ascii_whitespace).unwrap_or(from - at);
                }
                _ => at += 1,
            }
        }
        let written = &text[start..(content.end as usize).max(start)];
        let mut end = start + written.trim_ascii_end().len();
        if self.tree.depth() == 0 && end > from && text[..from].ends_with(['\n', '\r']) {
            return Err(DocumentError::Incompatible {
                what: "Kubernetes doesn't read a block scalar without indentation",
                help: "indent the text",
                at: Span::new(start as u32, end as u32),
            });
        }
        if self.tabs.is_some() {
            self.check_first_tab(start)?;
            // Tabs behind the last character that isn't blank belong to the value if it has them.
            let tabs = |text: &str| memchr::memchr_iter(b'\t', text.as_bytes()).count();
            let blank = &text[end..start + written.len()];
            if tabs(blank) == tabs(&value[value.trim_ascii_end().len()..]) {
                end = memchr::memrchr(b'\t', blank.as_bytes()).map_or(end, |tab| end + tab + 1);
            }
        }
        Ok(Span::new(start as u32, end as u32))
    }

    fn collection_key(&self, is_map: bool, at: Span) -> DocumentError {
        let text = self.file.text();
        let help = if text[at.start as usize..].starts_with("{{") || text[..at.start as usize].ends_with('{') {
            "`{{` at the start of a value is a template: quote it, or render the file first"
        } else {
            "keys are strings"
        };
        let found = if is_map { "a map" } else { "a list" };
        DocumentError::Key { found, help, at: one_character(self.file.text(), at) }
    }

    fn syntax(&self, error: &ScanError) -> DocumentError {
        let offset = self.base + error.marker().byte_offset().unwrap_or_default();
        let at = first_character(self.file.text(), offset);
        let help = match error.kind() {
            ErrorKind::RecursionLimitExceeded => {
                return DocumentError::TooDeep { limit: self.tree.max_depth(), at };
            }
            ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInPlainScalar => {
                let (bytes, line) = (self.file.text().as_bytes(), self.line(at.start));
                let before = memchr::memrchr(b'\t', &bytes[line..at.end as usize]).map(|tab| line + tab);
                let behind = || memchr::memchr(b'\t', &bytes[offset..]).map(|tab| offset + tab);
                let tab = before.or_else(behind).map(|tab| Span::new(tab as u32, tab as u32 + 1));
                return DocumentError::Tab { at: tab.unwrap_or(at) };
            }
            ErrorKind::DirectiveDisallowed => Some("remove the directive"),
            ErrorKind::UnknownAnchor => Some("define the anchor before its first alias, in the same document"),
            ErrorKind::UnclosedQuotedScalar => Some("close the quote; a line that begins with `---` ends it, too"),
            ErrorKind::UnexpectedCharacter { .. } => Some("quote the value"),
            ErrorKind::MappingValueNotAllowed => Some("quote the value if it contains `: `, or mend the indentation"),
            _ => None,
        };
        let text = &self.file.text()[self.base..self.end];
        if let Some(open) = flow::unclosed(text, offset - self.base) {
            let bracket = &text[open..=open];
            let at = Span::new((self.base + open) as u32, (self.base + open) as u32 + 1);
            let message = format!("`{bracket}` is not closed where the lines below it go on");
            return DocumentError::Syntax { message, help: Some("close it"), at };
        }
        DocumentError::Syntax { message: error.kind().to_string(), help, at }
    }
}

/// What Kubernetes' reader of YAML and the one behind this module read differently.
impl Reader<'_> {
    /// Refuses a document that begins with the end of one. `at` is where its start was noticed.
    fn check_start(&self, at: Span) -> Read<()> {
        let before = &self.file.text()[self.base..at.start as usize];
        let lines = before.trim_start_matches('\u{feff}');
        let mut from = self.base + before.len() - lines.len();
        for line in lines.split_inclusive(['\n', '\r']) {
            if line.starts_with("...") {
                return Err(DocumentError::Syntax {
                    message: "a document can't begin with `...`".to_owned(),
                    help: Some("remove the line"),
                    at: Span::new(from as u32, from as u32 + 3),
                });
            }
            from += line.len();
        }
        Ok(())
    }

    /// Refuses a tab before the first character of a block scalar (which begins at `start` with `|` or `>`): it would
    /// decide about the indentation.
    fn check_first_tab(&self, start: usize) -> Read<()> {
        let bytes = &self.file.text().as_bytes()[start..];
        let header = bytes.iter().take_while(|byte| matches!(byte, b'|' | b'>' | b'+' | b'-'));
        if bytes.get(header.count()).is_some_and(u8::is_ascii_digit) {
            return Ok(());
        }
        let line = memchr::memchr2(b'\n', b'\r', bytes).unwrap_or(bytes.len());
        let blank = bytes[line..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        match memchr::memchr(b'\t', &bytes[line..line + blank]) {
            Some(tab) => {
                let at = (start + line + tab) as u32;
                Err(DocumentError::Tab { at: Span::new(at, at + 1) })
            }
            None => Ok(()),
        }
    }

    /// Refuses tags that are cut off at another place.
    fn check_tag(&self, span: &granit_parser::Span) -> Read<()> {
        let Some(at) = span.tag_span().map(|tag| self.span(&tag)) else { return Ok(()) };
        let tag = self.file.slice(at);
        let others: &[u8] = if tag.starts_with("!<") { b"!:./_-<>," } else { b"!:./_-" };
        let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || others.contains(&byte);
        let next = self.file.text().as_bytes().get(at.end as usize);
        if tag.bytes().all(is_usual) && next.is_none_or(u8::is_ascii_whitespace) {
            return Ok(());
        }
        Err(DocumentError::Incompatible {
            what: "a tag may have letters, digits and `!:./_-` only, and blank space behind it",
            help: "rename or remove the tag",
            at,
        })
    }

    /// Refuses anchors that are cut off at another place.
    fn check_anchor(&self, name: &str, at: Span) -> Read<()> {
        let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let next = self.file.text().as_bytes().get(at.end as usize);
        let ends = next.is_none_or(|next| next.is_ascii_whitespace() || matches!(next, b',' | b']' | b'}'));
        if name.bytes().all(is_usual) && ends {
            return Ok(());
        }
        Err(DocumentError::Incompatible {
            what: "an anchor may have letters, digits, `-` and `_` only, and blank space behind it",
            help: "rename the anchor",
            at,
        })
    }

    /// Refuses escapes that Kubernetes' reader doesn't know, though JSON has them.
    fn escapes(&self, at: Span) -> Read<()> {
        let bytes = self.file.slice(at).as_bytes();
        let mut from = 0;
        while let Some(found) = memchr::memchr(b'\\', &bytes[from..]) {
            let start = from + found;
            let is_surrogate =
                |digits: &[u8]| matches!(digits, [b'd' | b'D', b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F', ..]);
            let (what, length) = match bytes.get(start + 1) {
                Some(b'/') => ("Kubernetes doesn't read the escape `\\/`", 2),
                Some(b'u') if is_surrogate(&bytes[start + 2..]) => ("Kubernetes doesn't read surrogate escapes", 6),
                _ => {
                    from = start + 2;
                    if from >= bytes.len() {
                        break;
                    }
                    continue;
                }
            };
            let first = at.start + start as u32;
            let at = Span::new(first, (first + length).min(at.end));
            return Err(DocumentError::Incompatible { what, help: "write the character itself", at });
        }
        Ok(())
    }

    /// Refuses scalars in flow style that are read differently.
    fn flow_scalar(&mut self, is_plain: bool, is_key: bool, at: Span) -> Read<()> {
        let text = self.file.text().as_bytes();
        let own = &text[at.range()];
        if is_plain {
            if let Some(mark) = memchr::memchr(b'?', own) {
                return Err(DocumentError::Incompatible {
                    what: "Kubernetes doesn't read `?` in a plain scalar between brackets",
                    help: "quote the value",
                    at: Span::new(at.start + mark as u32, at.start + mark as u32 + 1),
                });
            }
            if let [b':', ..] = own {
                return Err(DocumentError::Incompatible {
                    what: "Kubernetes doesn't read a plain scalar between brackets that begins with a colon",
                    help: "quote the value",
                    at,
                });
            }
            let behind = text[at.end as usize..].trim_ascii_start();
            if let [b':', b',' | b'[' | b']' | b'{' | b'}', ..] = behind {
                let colon = (text.len() - behind.len()) as u32;
                return Err(DocumentError::Incompatible {
                    what: "Kubernetes takes this colon for a part of the key",
                    help: "put a space behind the colon",
                    at: Span::new(colon, colon + 1),
                });
            }
        }
        // What is a key in a list (`[a: b]`) is known as one here, too: the parser has opened its map before.
        if is_key && !self.is_explicit(at) {
            let colon =
                own.len() + text[at.end as usize..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let through = &text[at.start as usize..at.start as usize + colon];
            if text.get(at.start as usize + colon) == Some(&b':') && memchr::memchr2(b'\n', b'\r', through).is_some() {
                return Err(DocumentError::Incompatible {
                    what: "Kubernetes wants a key and its colon on one line",
                    help: "join the lines",
                    at,
                });
            }
        }
        Ok(())
    }

    /// Whether a key has a `?` before it.
    fn is_explicit(&self, at: Span) -> bool {
        self.file.text()[..at.start as usize].trim_ascii_end().ends_with('?')
    }
}

fn tag_of(tag: &granit_parser::Tag) -> Tag {
    match tag.suffix_in_namespace("tag:yaml.org,2002:") {
        Some(name) => Tag::of(&name),
        None => Tag::Other,
    }
}
