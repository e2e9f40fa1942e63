//! The tree of one document: a flat list of nodes, each with its byte span.
//!
//! A [`Document`] owns its nodes and shares its [`File`]; a [`Node`] is a `Copy` handle into it. Scalars are already
//! typed as the API server's YAML-to-JSON conversion types them, merge keys and aliases are resolved, and of
//! duplicate keys the last one is kept. Parsing builds documents, and so do edits ([`Builder`]): a rule rewritten for
//! Pod controllers or a mutated resource is a new document whose nodes keep the spans of what they came from.

use std::{fmt, sync::Arc};

use crate::span::{File, Span};

/// Bit of [`Text::len`] that says the text lies in the document's own pool and not in the file.
const POOLED: u32 = 1 << 31;

/// A piece of text, in the file or in the pool.
#[derive(Clone, Copy, Debug, Default)]
struct Text {
    start: u32,
    len: u32,
}

/// Position of a node in its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(u32);

/// End of a chain of siblings.
const NONE: u32 = u32::MAX;

/// The bits of a number in two halves, so that a node needs no padding.
#[derive(Clone, Copy, Debug)]
struct Bits(u32, u32);

impl Bits {
    fn new(bits: u64) -> Self {
        Self((bits >> 32) as u32, bits as u32)
    }

    fn get(self) -> u64 {
        u64::from(self.0) << 32 | u64::from(self.1)
    }
}

#[derive(Clone, Copy, Debug)]
enum Payload {
    Null,
    Bool(bool),
    Int(Bits),
    Float(Bits),
    String(Text),
    List { first: u32, len: u32 },
    Map { first: u32, len: u32 },
}

/// Documents are made of these, so their size counts.
const _: () = assert!(size_of::<Raw>() == 40);

#[derive(Clone, Copy, Debug)]
struct Raw {
    span: Span,
    key: Text,
    key_span: Span,
    payload: Payload,
    next: u32,
}

/// How expressions see the integers of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Integers {
    /// As integers: literals of a policy.
    #[default]
    Exact,
    /// As integers for CEL, as 64-bit floats for JMESPath: what passed through the API server's JSON, resources first of
    /// all.
    Wire,
    /// As 64-bit floats for all: resources as Kyverno's command line reads them.
    Floats,
}

/// One parsed or built document.
pub(crate) struct Document {
    file: Arc<File>,
    nodes: Vec<Raw>,
    pool: String,
    root: u32,
    integers: Integers,
    duplicates: Vec<Span>,
    overridden: Vec<Span>,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({}, {:?})", self.file.path(), self.root())
    }
}

impl Document {
    /// The file that the document's spans point into.
    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The top node.
    pub(crate) fn root(&self) -> Node<'_> {
        Node { document: self, id: self.root }
    }

    /// All nodes in no certain order, also those that no longer belong to the tree.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        (0..self.nodes.len() as u32).map(|id| Node { document: self, id })
    }

    /// The node of an id that this document gave out.
    pub(crate) fn node(&self, id: NodeId) -> Node<'_> {
        Node { document: self, id: id.0 }
    }

    /// The same tree again, for a policy that is both the law and itself judged.
    pub(crate) fn duplicate(&self) -> Self {
        let mut builder = Builder::new(Arc::clone(&self.file));
        let root = builder.copy(self.root(), Span::default());
        let mut copy = builder.finish(root);
        copy.integers = self.integers;
        copy
    }

    /// Spans of keys that a later equal key in the same map replaced.
    pub(crate) fn duplicates(&self) -> &[Span] {
        &self.duplicates
    }

    /// Spans of keys that a merge (`<<`) replaced, or that replaced one which a merge had brought.
    ///
    /// The API server's strict reading, which policies get, refuses these like duplicates; resources may have them.
    pub(crate) fn overridden(&self) -> &[Span] {
        &self.overridden
    }

    /// How expressions see this document's integers.
    pub(crate) fn integers(&self) -> Integers {
        self.integers
    }

    /// Sets how expressions see this document's integers.
    pub(crate) fn set_integers(&mut self, integers: Integers) {
        self.integers = integers;
    }

    /// A text as bytes, without a look at where its characters begin.
    fn bytes(&self, text: Text) -> &[u8] {
        let pool = if text.len & POOLED == 0 { self.file.text() } else { &self.pool };
        let start = text.start as usize;
        &pool.as_bytes()[start..start + (text.len & !POOLED) as usize]
    }

    fn text(&self, text: Text) -> &str {
        let start = text.start as usize;
        if text.len & POOLED == 0 {
            &self.file.text()[start..start + text.len as usize]
        } else {
            &self.pool[start..start + (text.len & !POOLED) as usize]
        }
    }
}

/// A value in a document: a `Copy` handle.
#[derive(Clone, Copy)]
pub(crate) struct Node<'d> {
    document: &'d Document,
    id: u32,
}

/// What a node holds. Lists and maps are read through [`Node::items`] and [`Node::entries`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind<'d> {
    /// `null`, `~` or nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer that fits 64 bits with sign.
    Int(i64),
    /// Any other finite number.
    Float(f64),
    /// Text.
    String(&'d str),
    /// A sequence.
    List,
    /// A mapping; its keys are strings, each once.
    Map,
}

impl Kind<'_> {
    /// The name of the kind for messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Bool(_) => "a boolean",
            Kind::Int(_) | Kind::Float(_) => "a number",
            Kind::String(_) => "a string",
            Kind::List => "a list",
            Kind::Map => "a map",
        }
    }
}

impl<'d> Node<'d> {
    /// Where the value stands. For a map or list in block style: from its first key or dash to its last value.
    pub(crate) fn span(self) -> Span {
        self.raw().span
    }

    /// The key under which this node stands in its map; empty for list items and the top node.
    pub(crate) fn key(self) -> &'d str {
        self.document.text(self.raw().key)
    }

    /// That key, for a builder that goes on with the same document.
    pub(crate) fn key_token(self) -> Key {
        Key { text: self.raw().key, span: self.raw().key_span }
    }

    /// Where that key stands; for list items and the top node the span of the node.
    pub(crate) fn key_span(self) -> Span {
        self.raw().key_span
    }

    /// Where to point for something that is missing in this node: at its key, or for an item of a list and the top node
    /// at the first entry.
    pub(crate) fn heading(self) -> Span {
        let span = self.span();
        if self.key_span() != span {
            return self.key_span();
        }
        let first = self.entries().next().map(|(_, value)| value).filter(|it| span.covers(it.key_span()));
        match (first, self.items().next()) {
            (Some(value), _) => {
                let entry = Span::new(value.key_span().start, value.span().end.max(value.key_span().end));
                if self.file().slice(entry).contains('\n') { value.key_span() } else { entry }
            }
            (None, Some(item)) if self.file().slice(span).contains('\n') => item.heading(),
            (None, _) => span,
        }
    }

    /// The document that holds the node.
    pub(crate) fn document(self) -> &'d Document {
        self.document
    }

    /// The file that [`Node::span`] points into.
    pub(crate) fn file(self) -> &'d Arc<File> {
        &self.document.file
    }

    /// A handle without lifetime, for [`Document::node`].
    pub(crate) fn id(self) -> NodeId {
        NodeId(self.id)
    }

    /// What the node holds.
    pub(crate) fn kind(self) -> Kind<'d> {
        match self.raw().payload {
            Payload::Null => Kind::Null,
            Payload::Bool(value) => Kind::Bool(value),
            Payload::Int(bits) => Kind::Int(bits.get() as i64),
            Payload::Float(bits) => Kind::Float(f64::from_bits(bits.get())),
            Payload::String(text) => Kind::String(self.document.text(text)),
            Payload::List { .. } => Kind::List,
            Payload::Map { .. } => Kind::Map,
        }
    }

    /// The text of a string node.
    pub(crate) fn as_str(self) -> Option<&'d str> {
        match self.raw().payload {
            Payload::String(text) => Some(self.document.text(text)),
            _ => None,
        }
    }

    /// Whether the node is a string.
    pub(crate) fn is_string(self) -> bool {
        matches!(self.raw().payload, Payload::String(_))
    }

    /// The value of a boolean node.
    pub(crate) fn as_bool(self) -> Option<bool> {
        match self.raw().payload {
            Payload::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// Whether the node is null.
    pub(crate) fn is_null(self) -> bool {
        matches!(self.raw().payload, Payload::Null)
    }

    /// Whether the node is a map.
    pub(crate) fn is_map(self) -> bool {
        matches!(self.raw().payload, Payload::Map { .. })
    }

    /// Whether the node is a list.
    pub(crate) fn is_list(self) -> bool {
        matches!(self.raw().payload, Payload::List { .. })
    }

    /// Number of items or entries; 0 for scalars.
    pub(crate) fn len(self) -> usize {
        match self.raw().payload {
            Payload::List { len, .. } | Payload::Map { len, .. } => len as usize,
            _ => 0,
        }
    }

    /// The value under `key`; `None` when the node is no map or lacks the key. Linear in the number of entries.
    pub(crate) fn get(self, key: &str) -> Option<Self> {
        let mut next = match self.raw().payload {
            Payload::Map { first, .. } => first,
            _ => NONE,
        };
        while let Some(raw) = self.document.nodes.get(next as usize) {
            // Most keys differ in their length, which is at hand; their text is not.
            if (raw.key.len & !POOLED) as usize == key.len() && self.document.bytes(raw.key) == key.as_bytes() {
                return Some(Self { document: self.document, id: next });
            }
            next = raw.next;
        }
        None
    }

    /// The value below several keys.
    pub(crate) fn at(self, path: &[&str]) -> Option<Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The text below several keys.
    pub(crate) fn str_at(self, path: &[&str]) -> Option<&'d str> {
        self.at(path)?.as_str()
    }

    /// Items of a list, in order; nothing for other kinds.
    pub(crate) fn items(self) -> Siblings<'d> {
        match self.raw().payload {
            Payload::List { first, .. } => Siblings { document: self.document, next: first },
            _ => Siblings { document: self.document, next: NONE },
        }
    }

    /// Entries of a map, in the order of the file; nothing for other kinds.
    pub(crate) fn entries(self) -> impl Iterator<Item = (&'d str, Self)> + Clone + 'd {
        let next = match self.raw().payload {
            Payload::Map { first, .. } => first,
            _ => NONE,
        };
        Siblings { document: self.document, next }.map(|node| (node.key(), node))
    }

    fn raw(self) -> &'d Raw {
        &self.document.nodes[self.id as usize]
    }
}

/// Two nodes are equal when they are the same place of the same document. Compare values with `Value`.
impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.document, other.document) && self.id == other.id
    }
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            Kind::Null => f.write_str("null"),
            Kind::Bool(value) => write!(f, "{value}"),
            Kind::Int(value) => write!(f, "{value}"),
            Kind::Float(value) => write!(f, "{value:?}"),
            Kind::String(value) => write!(f, "{value:?}"),
            Kind::List => f.debug_list().entries(self.items()).finish(),
            Kind::Map => f.debug_map().entries(self.entries()).finish(),
        }
    }
}

/// The items of a list.
#[derive(Clone)]
pub(crate) struct Siblings<'d> {
    document: &'d Document,
    next: u32,
}

impl<'d> Iterator for Siblings<'d> {
    type Item = Node<'d>;

    fn next(&mut self) -> Option<Node<'d>> {
        let id = (self.next != NONE).then_some(self.next)?;
        self.next = self.document.nodes[id as usize].next;
        Some(Node { document: self.document, id })
    }
}

/// Makes a document, children before parents.
///
/// A child is made first, then given to [`Builder::list`] or [`Builder::map`]; each node belongs to one parent.
pub(crate) struct Builder {
    document: Document,
}

/// A key of a map under construction: its text and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    text: Text,
    span: Span,
}

impl Builder {
    /// A builder for a document whose spans point into `file`.
    pub(crate) fn new(file: Arc<File>) -> Self {
        Self {
            document: Document {
                file,
                nodes: Vec::new(),
                pool: String::new(),
                root: 0,
                integers: Integers::default(),
                duplicates: Vec::new(),
                overridden: Vec::new(),
            },
        }
    }

    /// Forgets everything; what comes next is for another document of `file`, or of the same file.
    pub(crate) fn reset(&mut self, file: Option<&Arc<File>>) {
        if let Some(file) = file {
            self.document.file = Arc::clone(file);
        }
        self.document.nodes.clear();
        self.document.pool.clear();
        self.document.duplicates.clear();
        self.document.overridden.clear();
    }

    /// The text of the file.
    pub(crate) fn text(&self) -> &str {
        self.document.file.text()
    }

    /// Reserves room for about `nodes` nodes.
    pub(crate) fn reserve(&mut self, nodes: usize) {
        self.document.nodes.reserve(nodes);
    }

    /// Number of nodes made so far.
    pub(crate) fn len(&self) -> usize {
        self.document.nodes.len()
    }

    /// A node that is no string, list or map.
    pub(crate) fn null(&mut self, span: Span) -> NodeId {
        self.push(Payload::Null, span)
    }

    /// A boolean node.
    pub(crate) fn bool(&mut self, value: bool, span: Span) -> NodeId {
        self.push(Payload::Bool(value), span)
    }

    /// An integer node.
    pub(crate) fn int(&mut self, value: i64, span: Span) -> NodeId {
        self.push(Payload::Int(Bits::new(value as u64)), span)
    }

    /// A float node; the value is finite.
    pub(crate) fn float(&mut self, value: f64, span: Span) -> NodeId {
        self.push(Payload::Float(Bits::new(value.to_bits())), span)
    }

    /// A string node whose text is copied into the document.
    pub(crate) fn string(&mut self, text: &str, span: Span) -> NodeId {
        let text = self.pool(text);
        self.push(Payload::String(text), span)
    }

    /// A string node whose text is the stretch `text` of the file; `span` may be wider (quotes).
    pub(crate) fn slice(&mut self, text: Span, span: Span) -> NodeId {
        self.push(Payload::String(Text { start: text.start, len: text.end - text.start }), span)
    }

    /// A key whose text is copied into the document.
    pub(crate) fn key(&mut self, text: &str, span: Span) -> Key {
        Key { text: self.pool(text), span }
    }

    /// A key whose text is the stretch `text` of the file.
    #[expect(clippy::unused_self, reason = "keys belong to a builder, as nodes do")]
    pub(crate) fn key_slice(&mut self, text: Span, span: Span) -> Key {
        Key { text: Text { start: text.start, len: text.end - text.start }, span }
    }

    /// The text of a key.
    pub(crate) fn key_text(&self, key: Key) -> &str {
        self.document.text(key.text)
    }

    /// Where a key stands.
    #[expect(clippy::unused_self, reason = "keys belong to a builder, as nodes do")]
    pub(crate) fn key_span(&self, key: Key) -> Span {
        key.span
    }

    /// How many nodes were made before this one.
    #[expect(clippy::unused_self, reason = "nodes belong to a builder")]
    pub(crate) fn node_index(&self, id: NodeId) -> usize {
        id.0 as usize
    }

    /// A key with the text of a string node, `None` if the node is no string.
    pub(crate) fn key_of(&self, id: NodeId, span: Span) -> Option<Key> {
        match self.document.nodes[id.0 as usize].payload {
            Payload::String(text) => Some(Key { text, span }),
            _ => None,
        }
    }

    /// Whether two keys have the same text.
    pub(crate) fn same_key(&self, a: Key, b: Key) -> bool {
        a.text.len & !POOLED == b.text.len & !POOLED && self.key_text(a) == self.key_text(b)
    }

    /// Copies the entries of a map made before, without what stands below them, for a map that both have a part in.
    pub(crate) fn entries_of(&mut self, map: NodeId, into: &mut Vec<(Key, NodeId)>) {
        let Payload::Map { first, .. } = self.document.nodes[map.0 as usize].payload else { return };
        let mut next = first;
        while next != NONE {
            let raw = self.document.nodes[next as usize];
            next = raw.next;
            let id = NodeId(self.document.nodes.len() as u32);
            self.document.nodes.push(raw);
            into.push((Key { text: raw.key, span: raw.key_span }, id));
        }
    }

    /// Copies the tree below `top`, where every node made since `first` belongs to that tree. The copy of `top` gets
    /// the span `at`, the nodes below it keep theirs.
    ///
    /// # Panics
    /// When a node below `top` was made before `first`.
    pub(crate) fn repeat(&mut self, first: usize, top: NodeId, at: Span) -> NodeId {
        let shift = (self.document.nodes.len() - first) as u32;
        let from = self.document.nodes.len();
        self.document.nodes.extend_from_within(first..=top.0 as usize);
        let moved = |id: &mut u32| {
            if *id != NONE {
                assert!(*id as usize >= first, "a tree is made in one go");
                *id += shift;
            }
        };
        let last = self.document.nodes.len() - 1;
        for raw in &mut self.document.nodes[from..last] {
            moved(&mut raw.next);
            if let Payload::List { first, .. } | Payload::Map { first, .. } = &mut raw.payload {
                moved(first);
            }
        }
        let raw = &mut self.document.nodes[last];
        if let Payload::List { first, .. } | Payload::Map { first, .. } = &mut raw.payload {
            moved(first);
        }
        *raw = Raw { span: at, key: Text::default(), key_span: at, payload: raw.payload, next: NONE };
        NodeId(last as u32)
    }

    /// The finished part of the tree below `id`.
    pub(crate) fn node(&self, id: NodeId) -> Node<'_> {
        self.document.node(id)
    }

    /// A list of nodes made before.
    pub(crate) fn list(&mut self, items: &[NodeId], span: Span) -> NodeId {
        self.chain(items);
        let first = items.first().map_or(NONE, |id| id.0);
        self.push(Payload::List { first, len: items.len() as u32 }, span)
    }

    /// A map of keys and nodes made before. The caller has dropped duplicate keys.
    pub(crate) fn map(&mut self, entries: &[(Key, NodeId)], span: Span) -> NodeId {
        let mut previous = NONE;
        for (key, id) in entries {
            let raw = &mut self.document.nodes[id.0 as usize];
            raw.key = key.text;
            raw.key_span = key.span;
            raw.next = NONE;
            if previous != NONE {
                self.document.nodes[previous as usize].next = id.0;
            }
            previous = id.0;
        }
        let first = entries.first().map_or(NONE, |(_, id)| id.0);
        self.push(Payload::Map { first, len: entries.len() as u32 }, span)
    }

    /// Notes a key that a later one replaced.
    pub(crate) fn duplicate(&mut self, key: Span) {
        self.document.duplicates.push(key);
    }

    /// Notes a key that a merge replaced, or that replaced a merged one.
    pub(crate) fn overridden(&mut self, key: Span) {
        self.document.overridden.push(key);
    }

    /// Copies a tree from a document; spans are kept when both documents are of one file, and are `elsewhere` otherwise.
    pub(crate) fn copy(&mut self, node: Node<'_>, elsewhere: Span) -> NodeId {
        if Arc::ptr_eq(node.file(), &self.document.file) {
            return self.copy_within(node);
        }
        self.copy_with(node, elsewhere, &mut |_, _| None)
    }

    /// Copies a tree from a document of the same file: what stands in the file need not be copied.
    fn copy_within(&mut self, node: Node<'_>) -> NodeId {
        let raw = *node.raw();
        let payload = match raw.payload {
            Payload::String(text) => Payload::String(self.text_of(node, text)),
            Payload::List { first, len } => Payload::List { first: self.copy_chain(node, first), len },
            Payload::Map { first, len } => Payload::Map { first: self.copy_chain(node, first), len },
            scalar => scalar,
        };
        self.push(payload, raw.span)
    }

    /// Copies siblings with their keys; gives the first of the copies.
    fn copy_chain(&mut self, parent: Node<'_>, first: u32) -> u32 {
        let (mut start, mut previous) = (NONE, NONE);
        for child in (Siblings { document: parent.document, next: first }) {
            let id = self.copy_within(child).0;
            let raw = child.raw();
            let key = self.text_of(child, raw.key);
            let copy = &mut self.document.nodes[id as usize];
            (copy.key, copy.key_span) = (key, raw.key_span);
            match previous {
                NONE => start = id,
                previous => self.document.nodes[previous as usize].next = id,
            }
            previous = id;
        }
        start
    }

    /// A text of another document of the same file.
    fn text_of(&mut self, node: Node<'_>, text: Text) -> Text {
        if text.len & POOLED == 0 { text } else { self.pool(node.document.text(text)) }
    }

    /// A key as another document of the same file has it.
    pub(crate) fn key_like(&mut self, node: Node<'_>) -> Key {
        let raw = *node.raw();
        Key { text: self.text_of(node, raw.key), span: raw.key_span }
    }

    /// Copies a tree as [`Builder::copy`] does; `replace` may give a string (or a key, when the flag is true) a new text.
    pub(crate) fn copy_with(
        &mut self,
        node: Node<'_>,
        elsewhere: Span,
        replace: &mut dyn FnMut(&str, bool) -> Option<String>,
    ) -> NodeId {
        let same = Arc::ptr_eq(node.file(), &self.document.file);
        let span = if same { node.span() } else { elsewhere };
        match node.kind() {
            Kind::Null => self.null(span),
            Kind::Bool(value) => self.bool(value, span),
            Kind::Int(value) => self.int(value, span),
            Kind::Float(value) => self.float(value, span),
            Kind::String(value) => match replace(value, false) {
                Some(text) => self.string(&text, span),
                None => self.string(value, span),
            },
            Kind::List => {
                let items: Vec<_> = node.items().map(|item| self.copy_with(item, elsewhere, replace)).collect();
                self.list(&items, span)
            }
            Kind::Map => {
                let entries: Vec<_> = node
                    .entries()
                    .map(|(name, value)| {
                        let key_span = if same { value.key_span() } else { elsewhere };
                        let key = match replace(name, true) {
                            Some(text) => self.key(&text, key_span),
                            None => self.key(name, key_span),
                        };
                        (key, self.copy_with(value, elsewhere, replace))
                    })
                    .collect();
                self.map(&entries, span)
            }
        }
    }

    /// Puts `value` under `key` into an existing map, at the end; an entry of that name is replaced.
    ///
    /// # Panics
    /// When `map` is no map.
    pub(crate) fn insert(&mut self, map: NodeId, key: &str, value: NodeId) {
        let span = self.document.nodes[map.0 as usize].span;
        let key = self.key(key, span);
        let mut entries: Vec<(Key, NodeId)> = Vec::new();
        let mut placed = false;
        for (name, node) in self.document.node(map).entries() {
            let raw = node.raw();
            if name == self.document.text(key.text) {
                placed = true;
                entries.push((Key { text: raw.key, span: raw.key_span }, value));
            } else {
                entries.push((Key { text: raw.key, span: raw.key_span }, node.id()));
            }
        }
        if !placed {
            entries.push((key, value));
        }
        let id = self.map(&entries, span);
        let payload = self.document.nodes[id.0 as usize].payload;
        self.document.nodes.pop();
        assert!(matches!(self.document.nodes[map.0 as usize].payload, Payload::Map { .. }), "insert needs a map");
        self.document.nodes[map.0 as usize].payload = payload;
    }

    /// Makes a null node an empty map.
    pub(crate) fn empty_map_for_null(&mut self, id: NodeId) {
        let raw = &mut self.document.nodes[id.0 as usize];
        if matches!(raw.payload, Payload::Null) {
            raw.payload = Payload::Map { first: NONE, len: 0 };
        }
    }

    /// The finished document with `root` on top.
    pub(crate) fn finish(mut self, root: NodeId) -> Document {
        self.document.root = root.0;
        self.document
    }

    /// The finished document with `root` on top, in no more memory than it needs. The builder keeps its own.
    pub(crate) fn take(&mut self, root: NodeId) -> Document {
        let document = &mut self.document;
        Document {
            file: Arc::clone(&document.file),
            nodes: document.nodes.clone(),
            pool: document.pool.clone(),
            root: root.0,
            integers: document.integers,
            duplicates: std::mem::take(&mut document.duplicates),
            overridden: std::mem::take(&mut document.overridden),
        }
    }

    /// The document with the root that it had before.
    pub(crate) fn resume(self) -> Document {
        self.document
    }

    fn chain(&mut self, items: &[NodeId]) {
        for pair in items.windows(2) {
            self.document.nodes[pair[0].0 as usize].next = pair[1].0;
        }
        if let Some(last) = items.last() {
            self.document.nodes[last.0 as usize].next = NONE;
        }
    }

    fn pool(&mut self, text: &str) -> Text {
        let start = self.document.pool.len() as u32;
        self.document.pool.push_str(text);
        Text { start, len: text.len() as u32 | POOLED }
    }

    fn push(&mut self, payload: Payload, span: Span) -> NodeId {
        let id = self.document.nodes.len() as u32;
        self.document.nodes.push(Raw { span, key: Text::default(), key_span: span, payload, next: NONE });
        NodeId(id)
    }
}

impl From<Document> for Builder {
    /// Goes on building at a finished document.
    fn from(document: Document) -> Self {
        Self { document }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_in_another_file_points_where_it_is_told() {
        let file = File::new("a", b"k: v".to_vec());
        let mut builder = Builder::new(file);
        let key = builder.key_slice(Span::new(0, 1), Span::new(0, 1));
        let value = builder.slice(Span::new(3, 4), Span::new(3, 4));
        let root = builder.map(&[(key, value)], Span::new(0, 4));
        let document = builder.finish(root);
        assert_eq!(document.root().str_at(&["k"]), Some("v"));

        let mut other = Builder::new(File::new("b", b"xxxx".to_vec()));
        let copy = other.copy(document.root(), Span::new(1, 2));
        let extra = other.int(7, Span::new(1, 2));
        other.insert(copy, "n", extra);
        let other = other.finish(copy);
        assert_eq!(format!("{:?}", other.root()), r#"{"k": "v", "n": 7}"#);
        assert_eq!(other.root().get("k").map(Node::span), Some(Span::new(1, 2)));
    }
}
