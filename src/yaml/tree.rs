//! The arena that holds a file's documents: nodes with byte spans, as kubectl's reader sees them.
//!
//! Keys and most scalars are slices of the source text, so a node costs 24 bytes and no allocation of its own.
//! Aliases share the node that their anchor names; merges are already applied; of equal keys the last one counts.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::source::{SourceText, Span};

/// Index of a node in its [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// A string of the tree: a slice of the source, or of the tree's own heap for text that escapes or folds.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    start: u32,
    len: u32,
}

const HEAP: u32 = 1 << 31;

/// From so many bytes on, memory is the system's own pages, which cost nothing before they are touched.
const LARGE: usize = 1 << 20;

/// A run of entries (maps) or items (sequences).
#[derive(Clone, Copy, Debug)]
pub struct Run {
    start: u32,
    len: u32,
}

/// What a node is, after kubectl's scalar rules.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    /// Only above `i64::MAX`.
    Uint(u64),
    Float(f64),
    Str(Text),
    Seq(Run),
    Map(Run),
}

/// A value with its place; nodes that defaulting adds have the span of their parent.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    pub span: Span,
    pub value: Value,
}

/// One key of a map.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub key: Text,
    span_start: u32,
    span_len: u16,
    /// The [`tag`] of the key: a look-up need not touch the text of keys that differ.
    tag: u16,
    pub value: NodeId,
}

impl Entry {
    /// Where the key stands; of what has 64 KiB and more, the place where it begins.
    pub fn key_span(&self) -> Span {
        Span { start: self.span_start, end: self.span_start + u32::from(self.span_len) }
    }
}

/// The first and the last byte of a key.
fn tag(key: &[u8]) -> u16 {
    match key {
        [first, .., last] => u16::from_be_bytes([*first, *last]),
        [only] => u16::from(*only),
        [] => 0,
    }
}

/// A key that stands twice in one map: kubectl keeps the last.
#[derive(Clone, Copy, Debug)]
pub struct Duplicate {
    /// The map that holds both.
    pub map: NodeId,
    /// The key as a string of the tree.
    pub key: Text,
    pub first: Span,
    pub second: Span,
}

/// All nodes of one file, or of one defaulted object.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    text: SourceText,
    heap: String,
    nodes: Vec<Node>,
    entries: Vec<Entry>,
    items: Vec<NodeId>,
    /// Keys given twice, in the order of their second place.
    pub duplicates: Vec<Duplicate>,
}

impl Tree {
    /// An empty tree over the text that its spans refer to; texts of 2 GiB and more are refused by `load`.
    pub fn new(text: SourceText) -> Tree {
        Tree {
            text,
            heap: String::new(),
            nodes: Vec::new(),
            entries: Vec::new(),
            items: Vec::new(),
            duplicates: Vec::new(),
        }
    }

    /// The source text.
    pub fn source(&self) -> &SourceText {
        &self.text
    }

    /// Number of nodes, and bytes that the arena holds beside the source text.
    pub fn size(&self) -> (usize, usize) {
        let bytes = self.nodes.capacity() * size_of::<Node>()
            + self.entries.capacity() * size_of::<Entry>()
            + self.items.capacity() * size_of::<NodeId>()
            + self.heap.capacity();
        (self.nodes.len(), bytes)
    }

    pub fn node(&self, id: NodeId) -> Node {
        self.nodes[id.0 as usize]
    }

    pub fn view(&self, id: NodeId) -> super::View<'_> {
        super::View { tree: self, id }
    }

    pub fn str(&self, text: Text) -> &str {
        let start = (text.start & !HEAP) as usize;
        let range = start..start + text.len as usize;
        if text.start & HEAP == 0 { &self.text[range] } else { &self.heap[range] }
    }

    fn bytes(&self, text: Text) -> &[u8] {
        let start = (text.start & !HEAP) as usize;
        let whole = if text.start & HEAP == 0 { &*self.text } else { self.heap.as_str() };
        &whole.as_bytes()[start..start + text.len as usize]
    }

    /// Whether a string of the tree reads so; most differ by their length already.
    #[inline]
    pub fn is(&self, text: Text, other: &str) -> bool {
        text.len as usize == other.len() && self.bytes(text) == other.as_bytes()
    }

    /// Whether two strings of the tree read the same.
    #[inline]
    pub(super) fn are_same(&self, text: Text, other: Text) -> bool {
        text.len == other.len && self.bytes(text) == self.bytes(other)
    }

    /// An entry for a map of this tree, under a key of this tree.
    pub fn entry(&self, key: Text, key_span: Span, value: NodeId) -> Entry {
        let span_len = u16::try_from(key_span.end - key_span.start).unwrap_or(0);
        Entry { key, span_start: key_span.start, span_len, tag: tag(self.bytes(key)), value }
    }

    /// Where a key stands among entries.
    pub fn position(&self, entries: &[Entry], key: &str) -> Option<usize> {
        let tag = tag(key.as_bytes());
        entries.iter().position(|entry| entry.tag == tag && self.is(entry.key, key))
    }

    /// Whether two entries have the same key.
    pub(super) fn have_same_key(&self, one: &Entry, other: &Entry) -> bool {
        one.tag == other.tag && self.are_same(one.key, other.key)
    }

    pub fn entries(&self, run: Run) -> &[Entry] {
        &self.entries[run.start as usize..(run.start + run.len) as usize]
    }

    pub fn items(&self, run: Run) -> &[NodeId] {
        &self.items[run.start as usize..(run.start + run.len) as usize]
    }

    /// Empties the tree for values of another text; the room that it has stays.
    pub fn restart(&mut self, text: SourceText) {
        self.text = text;
        self.nodes.clear();
        self.entries.clear();
        self.items.clear();
        self.heap.clear();
        self.duplicates.clear();
    }

    /// Takes its strings over from the source text and lets go of that; what reads the same is kept once. Spans stay.
    pub fn let_go(&mut self) {
        let source = std::mem::take(&mut self.text);
        let heap = &mut self.heap;
        let mut known: HashMap<&str, u32, FixedState> = HashMap::default();
        let mut take_over = |text: &mut Text| {
            if text.start & HEAP == 0 {
                let string = &source[text.start as usize..(text.start + text.len) as usize];
                text.start = *known.entry(string).or_insert_with(|| {
                    heap.push_str(string);
                    (heap.len() - string.len()) as u32 | HEAP
                });
            }
        };
        self.entries.iter_mut().for_each(|entry| take_over(&mut entry.key));
        self.duplicates.iter_mut().for_each(|duplicate| take_over(&mut duplicate.key));
        for node in &mut self.nodes {
            if let Value::Str(text) = &mut node.value {
                take_over(text);
            }
        }
    }

    /// Makes room for what a long JSON text of so many bytes may hold; what is not used of it is never touched.
    pub(super) fn reserve(&mut self, bytes: usize) {
        if bytes >= LARGE {
            self.nodes.reserve(bytes / size_of::<Node>());
            self.entries.reserve(bytes / size_of::<Node>());
        }
    }

    /// Drops what growing left over, unless that means to copy much; called once when a file is read.
    pub fn shrink(&mut self) {
        fn shrink<T>(list: &mut Vec<T>) {
            if size_of_val(list.as_slice()) < LARGE {
                list.shrink_to_fit();
            }
        }
        shrink(&mut self.nodes);
        shrink(&mut self.entries);
        shrink(&mut self.items);
        self.heap.shrink_to_fit();
    }
}

/// Building: used by the composer, by defaulting and by whatever makes objects that no file holds.
impl Tree {
    pub fn push(&mut self, span: Span, value: Value) -> NodeId {
        self.nodes.push(Node { span, value });
        NodeId(self.nodes.len() as u32 - 1)
    }

    /// Refers to the source where the text stands there as it is, else copies it to the heap.
    pub fn text_at(&mut self, span: Span, text: &str) -> Text {
        if self.text.get(span.range()) == Some(text) {
            return Text { start: span.start, len: text.len() as u32 };
        }
        self.heap_text(text)
    }

    /// Refers to a place of the source, where the text of this length stands.
    pub(super) fn source_text(start: u32, len: usize) -> Text {
        Text { start, len: len as u32 }
    }

    /// Copies the text to the heap.
    pub fn heap_text(&mut self, text: &str) -> Text {
        let start = self.heap.len() as u32 | HEAP;
        self.heap.push_str(text);
        Text { start, len: text.len() as u32 }
    }

    pub fn push_str(&mut self, span: Span, text: &str) -> NodeId {
        let text = self.text_at(span, text);
        self.push(span, Value::Str(text))
    }

    pub fn push_map(&mut self, span: Span, entries: &[Entry]) -> NodeId {
        let run = self.entry_run(entries);
        self.push(span, Value::Map(run))
    }

    pub fn push_seq(&mut self, span: Span, items: &[NodeId]) -> NodeId {
        let run = self.item_run(items);
        self.push(span, Value::Seq(run))
    }

    pub(super) fn entry_run(&mut self, entries: &[Entry]) -> Run {
        let start = self.entries.len() as u32;
        self.entries.extend_from_slice(entries);
        Run { start, len: entries.len() as u32 }
    }

    pub(super) fn item_run(&mut self, items: &[NodeId]) -> Run {
        let start = self.items.len() as u32;
        self.items.extend_from_slice(items);
        Run { start, len: items.len() as u32 }
    }

    pub fn set_value(&mut self, id: NodeId, value: Value) {
        self.nodes[id.0 as usize].value = value;
    }

    pub fn set_span(&mut self, id: NodeId, span: Span) {
        self.nodes[id.0 as usize].span = span;
    }

    /// Sets `key` of a map, in place where it stands, else at the end; no effect on what is no map.
    pub fn insert(&mut self, map: NodeId, key: &str, value: NodeId) {
        let Node { span, value: Value::Map(run) } = self.node(map) else {
            return;
        };
        if let Some(position) = self.position(self.entries(run), key) {
            self.entries[run.start as usize + position].value = value;
            return;
        }
        let key = self.heap_text(key);
        let entry = self.entry(key, span, value);
        let grown = if (run.start + run.len) as usize == self.entries.len() {
            self.entries.push(entry);
            Run { start: run.start, len: run.len + 1 }
        } else {
            let start = self.entries.len() as u32;
            self.entries.extend_from_within(run.start as usize..(run.start + run.len) as usize);
            self.entries.push(entry);
            Run { start, len: run.len + 1 }
        };
        self.set_value(map, Value::Map(grown));
    }

    /// Removes `key` of a map; no effect where it is absent.
    pub fn remove(&mut self, map: NodeId, key: &str) {
        let Value::Map(run) = self.node(map).value else {
            return;
        };
        let entries = self.entries(run);
        if self.position(entries, key).is_none() {
            return;
        }
        let kept: Vec<Entry> = entries.iter().filter(|entry| !self.is(entry.key, key)).copied().collect();
        let run = self.entry_run(&kept);
        self.set_value(map, Value::Map(run));
    }

    /// Appends an item to a sequence; no effect on what is no sequence.
    pub fn append(&mut self, seq: NodeId, item: NodeId) {
        let Value::Seq(run) = self.node(seq).value else {
            return;
        };
        let mut items = self.items(run).to_vec();
        items.push(item);
        let run = self.item_run(&items);
        self.set_value(seq, Value::Seq(run));
    }

    /// Copies a subtree of another tree over the same source text (or, with spans kept, of any other);
    /// shared nodes become separate ones, so that the copy can be changed in place.
    pub fn copy(&mut self, from: &Tree, id: NodeId) -> NodeId {
        let node = from.node(id);
        let value = match node.value {
            Value::Str(text) => Value::Str(self.copy_text(from, text)),
            Value::Seq(run) => {
                let items: Vec<NodeId> = from.items(run).iter().map(|item| self.copy(from, *item)).collect();
                Value::Seq(self.item_run(&items))
            }
            Value::Map(run) => {
                let mut entries = Vec::with_capacity(run.len as usize);
                for entry in from.entries(run) {
                    let (key, value) = (self.copy_text(from, entry.key), self.copy(from, entry.value));
                    entries.push(self.entry(key, entry.key_span(), value));
                }
                Value::Map(self.entry_run(&entries))
            }
            scalar => scalar,
        };
        self.push(node.span, value)
    }

    /// A string of another tree as one of this tree.
    pub fn copy_text(&mut self, from: &Tree, text: Text) -> Text {
        let in_source = text.start & HEAP == 0 && self.text.is(&from.text);
        if in_source { text } else { self.heap_text(from.str(text)) }
    }
}
