//! From the text of a file to documents.
//!
//! In: a file and the bounds it must keep. Out: the documents that could be read, in order, and an error for each that
//! could not; a broken document never hides another one, and no input makes this panic.
//!
//! Scalars are typed, aliases expanded and merge keys applied while the tree is made, so that nobody behind this
//! module ever sees YAML. An alias becomes a copy: its top node has the span of the alias (`*name`), the nodes below
//! that keep the spans of the definition. A value that isn't written (`key:` and nothing more) has the span of its key.

use std::{borrow::Cow, sync::Arc};

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, StrInput, StructureStyle};

use super::{
    arena::{Builder, Document, Key, NodeId},
    error::DocumentError,
    limits::Limits,
    scalar::{self, Scalar, Tag},
    screen::{self, Screened},
    split::{Piece, split},
    tabs::Tabs,
};
use crate::span::{File, Span};

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
    let mut parsed = Parsed::default();
    let text = file.text();
    if text.len() > limits.max_bytes as usize {
        let at = Span::new(0, 0);
        parsed.errors.push(DocumentError::TooLarge { bytes: text.len(), limit: limits.max_bytes, at });
        return parsed;
    }
    let mut reader = Reader::new(file, *limits);
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
            Piece::Document(range) => match reader.document(range.start, range.end) {
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

/// The span of one character, empty at a line break and at the end.
fn first_character(text: &str, at: usize) -> Span {
    let start = text.len().min(at);
    let length = text.get(start..).and_then(|rest| rest.chars().next()).filter(|c| !matches!(c, '\n' | '\r'));
    Span::new(start as u32, (start + length.map_or(0, char::len_utf8)) as u32)
}

/// The key that waits for its value.
#[derive(Clone, Copy)]
enum Pending {
    Nothing,
    Key(Key, Span),
    Merge(Span),
}

/// A list or map that is being read.
struct Frame {
    is_map: bool,
    /// Block style; else flow.
    is_block: bool,
    start: u32,
    /// End of what was read of it.
    end: u32,
    /// Where its entries or items begin on the stack of those.
    base: usize,
    /// Where its nodes begin.
    first_node: usize,
    /// [`Reader::decodes`] at its start.
    decodes: u64,
    anchor: usize,
    /// Levels below and including this one.
    height: u16,
    pending: Pending,
    /// Some entries came from a merge.
    merged: bool,
}

/// What an alias stands for.
#[derive(Clone, Copy)]
struct Anchored {
    first: usize,
    /// `None` while the node is being read.
    node: Option<NodeId>,
    decodes: u64,
    height: u16,
}

/// A value that was read, not yet given to its parent.
#[derive(Clone, Copy)]
struct Value {
    id: NodeId,
    span: Span,
    height: u16,
}

/// Reads the documents of a file, one after another, with the same scratch memory.
struct Reader<'f> {
    file: &'f Arc<File>,
    limits: Limits,
    builder: Builder,
    /// Offset of the document in the file.
    base: usize,
    frames: Vec<Frame>,
    items: Vec<NodeId>,
    entries: Vec<(Key, NodeId)>,
    /// Indexes into `entries` of those that came from merges, ascending.
    merged: Vec<usize>,
    /// Entries of a map, sorted by key.
    order: Vec<usize>,
    /// Entries of a map that are replaced, and by which.
    replaced: Vec<(usize, usize)>,
    anchors: Vec<Option<Anchored>>,
    root: Option<NodeId>,
    /// Nodes and keys read so far, and how many of them by aliases.
    decodes: u64,
    alias_decodes: u64,
    /// Nodes that aliases added to the file so far.
    alias_nodes: usize,
    /// Nodes of the documents before this one.
    values: usize,
    tabs: Option<Tabs>,
    /// End of the last scalar or bracket.
    last_end: u32,
}

type Read<T> = Result<T, DocumentError>;

impl<'f> Reader<'f> {
    fn new(file: &'f Arc<File>, limits: Limits) -> Self {
        Self {
            file,
            limits,
            builder: Builder::new(Arc::clone(file)),
            base: 0,
            frames: Vec::new(),
            items: Vec::new(),
            entries: Vec::new(),
            merged: Vec::new(),
            order: Vec::new(),
            replaced: Vec::new(),
            anchors: Vec::new(),
            root: None,
            decodes: 0,
            alias_decodes: 0,
            alias_nodes: 0,
            values: 0,
            tabs: None,
            last_end: 0,
        }
    }

    /// Reads the document in `start..end`, and says so when something stands behind its end.
    fn document(&mut self, start: usize, end: usize) -> Read<(Document, Option<DocumentError>)> {
        let text = &self.file.text()[start..end];
        let invalid = self.file.invalid();
        if let Some(&at) = invalid.get(invalid.partition_point(|&at| (at as usize) < start))
            && (at as usize) < end
        {
            return Err(DocumentError::Encoding { at: Span::new(at, at + 1) });
        }
        let Screened { has_tab, has_ampersand } = screen::screen(text, start as u32)?;
        // Whoever splits a stream for Kubernetes ends each line with a line feed, which counts for block scalars.
        let text = if text.ends_with('\n') { Cow::Borrowed(text) } else { Cow::Owned(format!("{text}\n")) };

        self.builder = Builder::new(Arc::clone(self.file));
        self.builder.reserve(text.len() / 24);
        self.base = start;
        self.frames.clear();
        self.items.clear();
        self.entries.clear();
        self.merged.clear();
        self.anchors.clear();
        self.root = None;
        self.decodes = 0;
        self.alias_decodes = 0;
        self.tabs = has_tab.then(|| Tabs::new(start as u32));
        self.last_end = start as u32;

        let depth = usize::from(self.limits.max_depth);
        let options = granit_parser::options! {
            disallow_directives: true,
            bom_inside_document_as_content: true,
            emit_anchor_events: has_ampersand,
            emit_comments: false,
            flow_nesting_limit: depth,
            block_nesting_limit: depth,
        };
        let mut parser = Parser::new_from_str_with_options(&text, options);
        let mut hidden = None;
        loop {
            let (event, at) = match parser.next_event() {
                Some(Ok((event, span))) => {
                    if span.tag_start.is_some() {
                        self.check_tag(&span)?;
                    }
                    (event, self.span(&span))
                }
                Some(Err(error)) => return Err(self.syntax(&error)),
                None => break,
            };
            match event {
                Event::Scalar(text, style, anchor, tag) => {
                    let tag = tag.as_deref().map(tag_of);
                    self.scalar(text, style, anchor, tag, at)?;
                }
                Event::MappingStart(style, anchor, _) => self.open(true, style, anchor, at)?,
                Event::SequenceStart(style, anchor, _) => self.open(false, style, anchor, at)?,
                Event::MappingEnd | Event::SequenceEnd => self.close(at)?,
                Event::Alias(id) => self.alias(id, at)?,
                Event::Anchor(_, name) => self.check_anchor(&name, at)?,
                Event::DocumentStart(..) => self.check_start(at)?,
                Event::DocumentEnd => {
                    hidden = self.rest(&mut parser);
                    break;
                }
                _ => {}
            }
        }
        let Some(root) = self.root else {
            return Err(DocumentError::Syntax {
                message: "no document".to_owned(),
                help: None,
                at: first_character(self.file.text(), start),
            });
        };
        if let Some(tabs) = &self.tabs {
            tabs.check(self.file.text(), end as u32)?;
        }
        self.values += self.builder.len();
        let builder = std::mem::replace(&mut self.builder, Builder::new(Arc::clone(self.file)));
        Ok((builder.finish(root), hidden))
    }

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
        if let Some(parent) = self.frames.last()
            && parent.is_map
            && matches!(parent.pending, Pending::Nothing)
        {
            return Err(self.collection_key(is_map, at));
        }
        if self.frames.len() >= usize::from(self.limits.max_depth) {
            return Err(DocumentError::TooDeep { limit: self.limits.max_depth, at: self.one_character(at) });
        }
        let is_block = style == StructureStyle::Block;
        let start = if is_block && !is_map { self.first_dash(at.start) } else { at.start };
        self.decodes += 1;
        self.frames.push(Frame {
            is_map,
            is_block,
            start,
            end: at.end,
            base: if is_map { self.entries.len() } else { self.items.len() },
            first_node: self.builder.len(),
            decodes: self.decodes,
            anchor,
            height: 1,
            pending: Pending::Nothing,
            merged: false,
        });
        if anchor != 0 {
            let open = Anchored { first: self.builder.len(), node: None, decodes: 0, height: 0 };
            self.remember(anchor, open);
        }
        if style == StructureStyle::Flow {
            self.last_end = at.end;
            if let Some(tabs) = &mut self.tabs {
                tabs.open_flow(at);
            }
        } else if let Some(tabs) = &mut self.tabs {
            tabs.open_block(at, self.file.text());
        }
        Ok(())
    }

    fn close(&mut self, at: Span) -> Read<()> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let text = self.file.text().as_bytes();
        let has_brackets = !frame.is_block && at.end > at.start && matches!(text[at.end as usize - 1], b']' | b'}');
        let end = if has_brackets { at.end } else { frame.end.max(frame.start) };
        if has_brackets {
            self.last_end = at.end;
        }
        if let Some(tabs) = &mut self.tabs {
            tabs.close(frame.is_block, at);
        }
        let span = Span::new(frame.start, end);
        let id = if frame.is_map {
            if let Pending::Key(_, at) | Pending::Merge(at) = frame.pending {
                return Err(DocumentError::Syntax { message: "a key without value".to_owned(), help: None, at });
            }
            self.last_wins(&frame);
            let id = self.builder.map(&self.entries[frame.base..], span);
            self.entries.truncate(frame.base);
            id
        } else {
            let id = self.builder.list(&self.items[frame.base..], span);
            self.items.truncate(frame.base);
            id
        };
        if frame.anchor != 0 {
            let decodes = self.decodes - frame.decodes + 1;
            let node = Anchored { first: frame.first_node, node: Some(id), decodes, height: frame.height };
            self.remember(frame.anchor, node);
        }
        self.attach(Value { id, span, height: frame.height })
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
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let at = if block { self.block_scalar(&text, at)? } else { at };
        if let Some(tabs) = &mut self.tabs
            && !is_absent
        {
            tabs.scalar(at, is_plain);
        }
        let in_map = self.frames.last().is_some_and(|frame| frame.is_map);
        let is_key = in_map && self.frames.last().is_some_and(|frame| matches!(frame.pending, Pending::Nothing));
        if style == ScalarStyle::DoubleQuoted && matches!(text, Cow::Owned(_)) {
            self.escapes(at)?;
        }
        if self.frames.last().is_some_and(|frame| !frame.is_block) && !is_absent {
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
        let verbatim = if replaced.is_some() { None } else { self.verbatim(&text, style, at) };
        let text = replaced.map_or(text, Cow::Owned);

        if is_key {
            let merges = text == "<<" && is_plain && tag.is_none();
            if text == "<<" && matches!(tag, Some(Tag::Merge | Tag::Other)) {
                return Err(DocumentError::Incompatible {
                    what: "readers disagree about `<<` with a tag",
                    help: "drop the tag",
                    at,
                });
            }
            return self.key(value, &text, verbatim, merges, anchor, at);
        }
        let first = self.builder.len();
        let at = if is_absent { self.absent(at) } else { at };
        let id = self.scalar_node(value, &text, verbatim, at)?;
        self.decodes += 1;
        if anchor != 0 {
            self.remember(anchor, Anchored { first, node: Some(id), decodes: 1, height: 0 });
        }
        if !is_absent {
            self.last_end = at.end;
        }
        self.attach(Value { id, span: at, height: 0 })
    }

    fn scalar_node(&mut self, value: Scalar, text: &str, verbatim: Option<Span>, at: Span) -> Read<NodeId> {
        Ok(match value {
            Scalar::Text => match verbatim {
                Some(slice) => self.builder.slice(slice, at),
                None => self.builder.string(text, at),
            },
            Scalar::Null => self.builder.null(at),
            Scalar::Bool(value) => self.builder.bool(value, at),
            Scalar::Int(value) => self.builder.int(value, at),
            Scalar::Unsigned(value) => self.builder.float(value as f64, at),
            Scalar::Float(value) if !value.is_finite() => {
                return Err(DocumentError::NotJson { text: excerpt(text), at });
            }
            // JSON knows no difference between `5.0` and `5`, and a reader of JSON takes both for an integer.
            Scalar::Float(value) if value.fract() == 0.0 && value.abs() < 9.2e18 => self.builder.int(value as i64, at),
            Scalar::Float(value) => self.builder.float(value, at),
        })
    }

    /// Takes a scalar as the key of the innermost map.
    fn key(
        &mut self,
        value: Scalar,
        text: &str,
        verbatim: Option<Span>,
        merges: bool,
        anchor: usize,
        at: Span,
    ) -> Read<()> {
        let pending = if merges {
            Pending::Merge(at)
        } else {
            self.decodes += 1;
            let key = match value {
                Scalar::Text => match verbatim {
                    Some(slice) => self.builder.key_slice(slice, at),
                    None => self.builder.key(text, at),
                },
                Scalar::Null => return Err(null_key(self.one_character(at))),
                Scalar::Bool(value) => self.builder.key(if value { "true" } else { "false" }, at),
                Scalar::Int(value) => self.builder.key(&value.to_string(), at),
                Scalar::Float(value) => self.builder.key(&scalar::float_key(value), at),
                Scalar::Unsigned(_) => {
                    return Err(DocumentError::Key {
                        found: "a number beyond 64 bits with sign",
                        help: "quote the key",
                        at,
                    });
                }
            };
            Pending::Key(key, at)
        };
        if anchor != 0 {
            let first = self.builder.len();
            let node = self.scalar_node(value, text, verbatim, at)?;
            self.remember(anchor, Anchored { first, node: Some(node), decodes: 1, height: 0 });
        }
        self.take_key(pending, at);
        Ok(())
    }

    fn take_key(&mut self, pending: Pending, at: Span) {
        self.last_end = at.end;
        if let Some(frame) = self.frames.last_mut() {
            frame.pending = pending;
            frame.end = at.end;
        }
    }

    fn alias(&mut self, anchor: usize, at: Span) -> Read<()> {
        if let Some(tabs) = &mut self.tabs {
            tabs.scalar(at, false);
        }
        let name = || self.file.slice(at).trim_start_matches('*').to_owned();
        let Some(Anchored { first, node: Some(node), decodes, height }) = self.anchors.get(anchor).copied().flatten()
        else {
            return Err(DocumentError::RecursiveAlias { name: name(), at });
        };
        if let Some(frame) = self.frames.last()
            && frame.is_map
            && matches!(frame.pending, Pending::Nothing)
        {
            return self.alias_key(node, at);
        }
        if self.frames.len() + usize::from(height) > usize::from(self.limits.max_depth) {
            return Err(DocumentError::TooDeep { limit: self.limits.max_depth, at });
        }
        self.decodes += 1 + decodes;
        self.alias_decodes += decodes;
        let share = self.alias_decodes as f64 / self.decodes as f64;
        if self.alias_decodes > 100 && self.decodes > 1000 && share > allowed_share(self.decodes) {
            return Err(DocumentError::AliasBomb { at });
        }
        let top = self.builder.node_index(node);
        self.alias_nodes += top + 1 - first;
        if self.alias_nodes > self.limits.max_alias_nodes as usize {
            return Err(DocumentError::AliasBomb { at });
        }
        let id = self.builder.repeat(first, node, at);
        self.last_end = at.end;
        self.attach(Value { id, span: at, height })
    }

    fn alias_key(&mut self, node: NodeId, at: Span) -> Read<()> {
        use super::arena::Kind;
        self.decodes += 2;
        self.alias_decodes += 1;
        let text = match self.builder.node(node).kind() {
            Kind::Null => return Err(null_key(at)),
            Kind::List => return Err(self.collection_key(false, at)),
            Kind::Map => return Err(self.collection_key(true, at)),
            Kind::Bool(value) => Some(value.to_string()),
            Kind::Int(value) => Some(value.to_string()),
            Kind::Float(value) => Some(scalar::float_key(value)),
            Kind::String(_) => None,
        };
        let key = match text {
            Some(text) => self.builder.key(&text, at),
            None => match self.builder.key_of(node, at) {
                Some(key) => key,
                None => return Err(null_key(at)),
            },
        };
        self.take_key(Pending::Key(key, at), at);
        Ok(())
    }

    /// Gives a value to the list or map that it stands in.
    fn attach(&mut self, value: Value) -> Read<()> {
        if self.values + self.builder.len() > self.limits.max_values as usize {
            let at = self.one_character(value.span);
            return Err(DocumentError::TooManyValues { limit: self.limits.max_values, at });
        }
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(value.id);
            return Ok(());
        };
        frame.end = frame.end.max(value.span.end);
        frame.height = frame.height.max(value.height + 1);
        if !frame.is_map {
            self.items.push(value.id);
            return Ok(());
        }
        match std::mem::replace(&mut frame.pending, Pending::Nothing) {
            Pending::Key(key, _) => self.entries.push((key, value.id)),
            Pending::Merge(at) => {
                frame.merged = true;
                self.merge(value, at)?;
            }
            // Keys never come here.
            Pending::Nothing => {}
        }
        Ok(())
    }

    /// Adds the entries of one map or several to the innermost one.
    fn merge(&mut self, source: Value, at: Span) -> Read<()> {
        let node = self.builder.node(source.id);
        let is_alias = self.file.slice(source.span).starts_with('*');
        let sources: Vec<NodeId> = if node.is_map() {
            vec![source.id]
        } else if node.is_list() && !is_alias && node.items().all(super::Node::is_map) {
            // Of maps in a list the earlier one wins, of entries the later one.
            let mut sources: Vec<_> = node.items().map(super::Node::id).collect();
            sources.reverse();
            sources
        } else {
            return Err(DocumentError::Merge { at });
        };
        for source in sources {
            let from = self.entries.len();
            self.builder.entries_of(source, &mut self.entries);
            self.merged.extend(from..self.entries.len());
        }
        Ok(())
    }

    /// Drops the entries of a map that later ones replace.
    fn last_wins(&mut self, frame: &Frame) {
        let entries = &self.entries[frame.base..];
        let builder = &mut self.builder;
        let replaced = &mut self.replaced;
        replaced.clear();
        if entries.len() <= 16 {
            for (index, (key, _)) in entries.iter().enumerate() {
                let mut later = entries.iter().enumerate().skip(index + 1);
                if let Some((by, _)) = later.find(|(_, (later, _))| builder.same_key(*key, *later)) {
                    replaced.push((index, by));
                }
            }
        } else {
            let text = |index: usize| builder.key_text(entries[index].0);
            self.order.clear();
            self.order.extend(0..entries.len());
            self.order.sort_unstable_by(|&a, &b| text(a).cmp(text(b)).then(a.cmp(&b)));
            let pairs = self.order.windows(2).filter(|pair| text(pair[0]) == text(pair[1]));
            replaced.extend(pairs.map(|pair| (pair[0], pair[1])));
            replaced.sort_unstable();
        }
        let merged = if frame.merged { self.merged.partition_point(|&at| at < frame.base) } else { self.merged.len() };
        for &(index, by) in &*replaced {
            let is_merged = |index: usize| self.merged[merged..].binary_search(&(frame.base + index)).is_ok();
            let key = |index: usize| builder.key_span(entries[index].0);
            match (is_merged(index), is_merged(by)) {
                (false, false) => builder.duplicate(key(index)),
                (false, true) => builder.overridden(key(index)),
                (true, _) => builder.overridden(key(by)),
            }
        }
        if !replaced.is_empty() {
            let mut kept = frame.base;
            let mut replaced = replaced.iter().map(|(index, _)| frame.base + index).peekable();
            for at in frame.base..self.entries.len() {
                if replaced.next_if_eq(&at).is_none() {
                    self.entries[kept] = self.entries[at];
                    kept += 1;
                }
            }
            self.entries.truncate(kept);
        }
        self.merged.truncate(merged);
    }

    fn remember(&mut self, anchor: usize, node: Anchored) {
        // The parser counts anchors from 1, so the list is no longer than the text.
        if self.anchors.len() <= anchor {
            self.anchors.resize(anchor + 1, None);
        }
        self.anchors[anchor] = Some(node);
    }

    /// The stretch of the file that holds exactly `text`, if there is one.
    fn verbatim(&self, text: &Cow<'_, str>, style: ScalarStyle, at: Span) -> Option<Span> {
        let Cow::Borrowed(text) = text else { return None };
        let inner = match style {
            ScalarStyle::Plain => at,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted if at.end - at.start >= 2 => {
                Span::new(at.start + 1, at.end - 1)
            }
            _ => return None,
        };
        debug_assert!((inner.end - inner.start) as usize != text.len() || self.file.slice(inner) == *text);
        ((inner.end - inner.start) as usize == text.len()).then_some(inner)
    }

    /// Where a value that isn't written is shown: its key, or the dash before it.
    fn absent(&self, at: Span) -> Span {
        let Some(frame) = self.frames.last() else { return at };
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
        if self.frames.last().is_none_or(|parent| !parent.is_map) {
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
                b'#' if at > 0 && bytes[at - 1].is_ascii_whitespace() => {
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
        if self.frames.is_empty() && end > from && text[..from].ends_with(['\n', '\r']) {
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

    fn one_character(&self, at: Span) -> Span {
        if at.start == at.end { first_character(self.file.text(), at.start as usize) } else { at }
    }

    fn collection_key(&self, is_map: bool, at: Span) -> DocumentError {
        let text = self.file.text();
        let help = if text[at.start as usize..].starts_with("{{") || text[..at.start as usize].ends_with('{') {
            "`{{` at the start of a value is a template: quote it, or render the file first"
        } else {
            "keys are strings"
        };
        let found = if is_map { "a map" } else { "a list" };
        DocumentError::Key { found, help, at: self.one_character(at) }
    }

    fn syntax(&self, error: &ScanError) -> DocumentError {
        let offset = self.base + error.marker().byte_offset().unwrap_or_default();
        let at = first_character(self.file.text(), offset);
        let help = match error.kind() {
            ErrorKind::RecursionLimitExceeded => {
                return DocumentError::TooDeep { limit: self.limits.max_depth, at };
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
        DocumentError::Syntax { message: error.kind().to_string(), help, at }
    }
}

/// What Kubernetes' reader of YAML and the one behind this module read differently.
impl Reader<'_> {
    /// Refuses what may not stand before a document. `at` is where its start was noticed.
    fn check_start(&self, at: Span) -> Read<()> {
        let mut from = self.base;
        for line in self.file.text()[self.base..at.start as usize].split_inclusive(['\n', '\r']) {
            let at = |length: u32| Span::new(from as u32, from as u32 + length);
            if line.starts_with("...") {
                return Err(DocumentError::Syntax {
                    message: "a document can't begin with `...`".to_owned(),
                    help: Some("remove the line"),
                    at: at(3),
                });
            }
            if line.starts_with('\u{feff}') && from > self.base {
                return Err(DocumentError::Incompatible {
                    what: "Kubernetes takes this byte order mark for a part of the document",
                    help: "remove it",
                    at: at(3),
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

fn null_key(at: Span) -> DocumentError {
    DocumentError::Key { found: "null", help: "quote the key if text is meant", at }
}

/// The share of a document that aliases may make up, by the number of nodes and keys it has with them expanded.
///
/// Source: the rule of the YAML reader that the API server uses.
fn allowed_share(decodes: u64) -> f64 {
    const LOW: f64 = 400_000.0;
    const HIGH: f64 = 4_000_000.0;
    let decodes = decodes as f64;
    if decodes <= LOW {
        0.99
    } else if decodes >= HIGH {
        0.10
    } else {
        0.99 - 0.89 * (decodes - LOW) / (HIGH - LOW)
    }
}

fn tag_of(tag: &granit_parser::Tag) -> Tag {
    match tag.suffix_in_namespace("tag:yaml.org,2002:") {
        Some(name) => Tag::of(&name),
        None => Tag::Other,
    }
}

/// The beginning of a text, for messages.
fn excerpt(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
