//! The tree of a document while it is read.
//!
//! In: what a reader sees, in the order of the text: lists and maps that open and close, keys, values, aliases. Out: a
//! [`Document`] with aliases expanded, merges applied, and of equal keys the last one.

use std::sync::Arc;

use super::{Read, excerpt, one_character};
use crate::{
    document::{
        Node,
        arena::{Builder, Document, Key, Kind, NodeId},
        error::DocumentError,
        limits::Limits,
        scalar::{self, Scalar},
    },
    span::{File, Span},
};

/// The key that waits for its value.
#[derive(Clone, Copy)]
pub(super) enum Pending {
    Nothing,
    Key(Key, Span),
    Merge(Span),
}

/// A list or map that is being read.
pub(super) struct Frame {
    pub(super) is_map: bool,
    /// Block style; else flow.
    pub(super) is_block: bool,
    pub(super) start: u32,
    /// End of what was read of it.
    end: u32,
    /// Where its entries or items begin on the stack of those.
    base: usize,
    /// Where its nodes begin.
    first_node: usize,
    /// [`Tree::decodes`] at its start.
    decodes: u64,
    anchor: usize,
    /// Levels below and including this one.
    height: u16,
    pub(super) pending: Pending,
    /// Some entries came from a merge.
    merged: bool,
}

impl Frame {
    /// Whether a key comes next.
    pub(super) fn wants_key(&self) -> bool {
        self.is_map && matches!(self.pending, Pending::Nothing)
    }
}

/// The text of a scalar.
#[derive(Clone, Copy)]
pub(super) struct Words<'t> {
    pub(super) text: &'t str,
    /// The stretch of the file that holds exactly the text, if there is one.
    pub(super) verbatim: Option<Span>,
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

/// Nodes that room is made for beforehand, at most.
const MOST_RESERVED: usize = 1 << 16;

/// A tree under construction, one after another with the same scratch memory.
pub(super) struct Tree {
    limits: Limits,
    builder: Builder,
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
}

impl Tree {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            builder: Builder::new(File::new("", Vec::new())),
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
        }
    }

    /// What comes next belongs to this file.
    pub(super) fn begin_file(&mut self, file: &Arc<File>) {
        self.builder.reset(Some(file));
        self.alias_nodes = 0;
        self.values = 0;
    }

    /// Forgets what was read of a document and begins another one, of so many bytes.
    pub(super) fn begin_document(&mut self, bytes: usize) {
        self.builder.reset(None);
        self.builder.reserve((bytes / 24).min(MOST_RESERVED));
        self.frames.clear();
        self.items.clear();
        self.entries.clear();
        self.merged.clear();
        self.anchors.clear();
        self.root = None;
        self.decodes = 0;
        self.alias_decodes = 0;
    }

    /// The finished document; `None` if nothing was read.
    pub(super) fn finish(&mut self) -> Option<Document> {
        let root = self.root.take()?;
        self.values += self.builder.len();
        Some(self.builder.take(root))
    }

    /// The innermost list or map.
    pub(super) fn frame(&self) -> Option<&Frame> {
        self.frames.last()
    }

    /// How many lists and maps may be open.
    pub(super) fn max_depth(&self) -> u16 {
        self.limits.max_depth
    }

    /// How many lists and maps are open.
    pub(super) fn depth(&self) -> usize {
        self.frames.len()
    }

    /// Opens a list or map. `at` is where it begins, and its bracket if it has one.
    pub(super) fn open(&mut self, is_map: bool, is_block: bool, anchor: usize, at: Span) -> Read<()> {
        if self.frames.len() >= usize::from(self.limits.max_depth) {
            let at = one_character(self.builder.text(), at);
            return Err(DocumentError::TooDeep { limit: self.limits.max_depth, at });
        }
        self.decodes += 1;
        self.frames.push(Frame {
            is_map,
            is_block,
            start: at.start,
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
        Ok(())
    }

    /// Closes the innermost list or map. It ends at `end`, or with its last value if that is `None`.
    pub(super) fn close(&mut self, end: Option<u32>) -> Read<()> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let span = Span::new(frame.start, end.unwrap_or(frame.end.max(frame.start)));
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

    /// Takes a scalar as a value.
    pub(super) fn scalar(&mut self, value: Scalar, words: Words<'_>, anchor: usize, at: Span) -> Read<()> {
        let id = self.scalar_node(value, words, anchor, at)?;
        self.decodes += 1;
        self.attach(Value { id, span: at, height: 0 })
    }

    fn scalar_node(&mut self, value: Scalar, words: Words<'_>, anchor: usize, at: Span) -> Read<NodeId> {
        let first = self.builder.len();
        let id = match value {
            Scalar::Text => match words.verbatim {
                Some(slice) => self.builder.slice(slice, at),
                None => self.builder.string(words.text, at),
            },
            Scalar::Null => self.builder.null(at),
            Scalar::Bool(value) => self.builder.bool(value, at),
            Scalar::Int(value) => self.builder.int(value, at),
            Scalar::Unsigned(value) => self.builder.float(value as f64, at),
            Scalar::Float(value) if !value.is_finite() => {
                return Err(DocumentError::NotJson { text: excerpt(words.text), at });
            }
            // JSON knows no difference between `5.0` and `5`, and a reader of JSON takes both for an integer.
            Scalar::Float(value) if value.fract() == 0.0 && value.abs() < 9.2e18 => self.builder.int(value as i64, at),
            Scalar::Float(value) => self.builder.float(value, at),
        };
        if anchor != 0 {
            self.remember(anchor, Anchored { first, node: Some(id), decodes: 1, height: 0 });
        }
        Ok(id)
    }

    /// Takes a scalar as the key of the innermost map.
    pub(super) fn key(&mut self, value: Scalar, words: Words<'_>, anchor: usize, at: Span) -> Read<()> {
        self.decodes += 1;
        let key = match value {
            Scalar::Text => match words.verbatim {
                Some(slice) => self.builder.key_slice(slice, at),
                None => self.builder.key(words.text, at),
            },
            Scalar::Null => return Err(null_key(one_character(self.builder.text(), at))),
            Scalar::Bool(value) => self.builder.key(if value { "true" } else { "false" }, at),
            Scalar::Int(value) => self.builder.key(&value.to_string(), at),
            Scalar::Float(value) => self.builder.key(&scalar::float_key(value), at),
            Scalar::Unsigned(_) => {
                let (found, help) = ("a number beyond 64 bits with sign", "quote the key");
                return Err(DocumentError::Key { found, help, at });
            }
        };
        if anchor != 0 {
            self.scalar_node(value, words, anchor, at)?;
        }
        self.take_key(Pending::Key(key, at), at);
        Ok(())
    }

    /// Takes `<<` as the key of the innermost map.
    pub(super) fn merge_key(&mut self, anchor: usize, at: Span) -> Read<()> {
        if anchor != 0 {
            self.scalar_node(Scalar::Text, Words { text: "<<", verbatim: Some(at) }, anchor, at)?;
        }
        self.take_key(Pending::Merge(at), at);
        Ok(())
    }

    fn take_key(&mut self, pending: Pending, at: Span) {
        if let Some(frame) = self.frames.last_mut() {
            frame.pending = pending;
            frame.end = at.end;
        }
    }

    /// Takes an alias, as a key or as a value.
    pub(super) fn alias(&mut self, anchor: usize, at: Span) -> Read<()> {
        let Some(Anchored { first, node: Some(node), decodes, height }) = self.anchors.get(anchor).copied().flatten()
        else {
            let name = self.builder.text()[at.range()].trim_start_matches('*').to_owned();
            return Err(DocumentError::RecursiveAlias { name, at });
        };
        if self.frames.last().is_some_and(Frame::wants_key) {
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
        self.attach(Value { id, span: at, height })
    }

    fn alias_key(&mut self, node: NodeId, at: Span) -> Read<()> {
        self.decodes += 2;
        self.alias_decodes += 1;
        let text = match self.builder.node(node).kind() {
            Kind::Null => return Err(null_key(at)),
            Kind::List => return Err(DocumentError::Key { found: "a list", help: "keys are strings", at }),
            Kind::Map => return Err(DocumentError::Key { found: "a map", help: "keys are strings", at }),
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
            let at = one_character(self.builder.text(), value.span);
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
        let is_alias = self.builder.text()[source.span.range()].starts_with('*');
        let sources: Vec<NodeId> = if node.is_map() {
            vec![source.id]
        } else if node.is_list() && !is_alias && node.items().all(Node::is_map) {
            // Of maps in a list the earlier one wins, of entries the later one.
            let mut sources: Vec<_> = node.items().map(Node::id).collect();
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
