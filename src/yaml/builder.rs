//! Grows a tree from scalars and brackets; the YAML composer and the JSON reader both feed it.

use std::collections::HashMap;

use super::scalar::{self, Scalar};
use super::tree::{Duplicate, Entry, NodeId, Text, Tree, Value};
use crate::source::Span;

/// kubectl refuses deeper nesting.
pub(super) const MAX_DEPTH: usize = 10_000;

/// From this many keys on a map looks its keys up in a hash table.
const HASH_FROM: usize = 24;

/// What a scalar event amounts to.
pub(super) struct ScalarNode<'a> {
    pub span: Span,
    pub text: &'a str,
    pub resolved: Scalar,
    /// Where the text stands in the source as it is; `None` where that is not known.
    pub at: Option<u32>,
    /// A plain `<<`, which merges where it stands as a key.
    pub merges: bool,
}

/// An open container; `first` is where its entries or items start among those of all open ones.
enum Frame {
    Seq { id: NodeId, start: u32, first: usize },
    Map(MapFrame),
}

struct MapFrame {
    id: NodeId,
    start: u32,
    first: usize,
    hashed: HashMap<String, usize>,
    pending: Option<Pending>,
}

/// A key that waits for its value.
enum Pending {
    Key(Text, Span),
    Merge,
}

/// Builds one document's nodes into a tree.
pub(super) struct Builder<'t> {
    pub tree: &'t mut Tree,
    frames: Vec<Frame>,
    entries: Vec<Entry>,
    items: Vec<NodeId>,
    root: Option<NodeId>,
}

impl<'t> Builder<'t> {
    pub(super) fn new(tree: &'t mut Tree) -> Builder<'t> {
        Builder { tree, frames: Vec::new(), entries: Vec::new(), items: Vec::new(), root: None }
    }

    /// The root, once every bracket is closed.
    pub(super) fn root(&self) -> Option<NodeId> {
        self.root.filter(|_| self.frames.is_empty())
    }

    /// Where the innermost open container starts.
    pub(super) fn innermost(&self) -> Option<u32> {
        self.frames.last().map(|frame| match frame {
            Frame::Seq { start, .. } => *start,
            Frame::Map(map) => map.start,
        })
    }

    /// Whether the next scalar is a key.
    fn wants_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame::Map(map)) if map.pending.is_none())
    }

    /// Adds a scalar as a key or as a value; gives the node of a value.
    pub(super) fn scalar(&mut self, scalar: &ScalarNode<'_>) -> Result<Option<NodeId>, String> {
        if self.wants_key() {
            self.key(scalar)?;
            return Ok(None);
        }
        let value = match scalar.resolved {
            Scalar::Null => Value::Null,
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Int(value) => Value::Int(value),
            Scalar::Uint(value) => Value::Uint(value),
            Scalar::Float(value) if !value.is_finite() => {
                let shown = if value.is_nan() {
                    "NaN"
                } else if value > 0.0 {
                    "+Inf"
                } else {
                    "-Inf"
                };
                return Err(format!("json: unsupported value: {shown}"));
            }
            Scalar::Float(value) => Value::Float(value),
            Scalar::Str => Value::Str(self.text(scalar)),
        };
        let id = self.tree.push(scalar.span, value);
        self.value(id)?;
        Ok(Some(id))
    }

    fn text(&mut self, scalar: &ScalarNode<'_>) -> Text {
        match scalar.at {
            Some(at) => Tree::source_text(at, scalar.text.len()),
            None => self.tree.text_at(scalar.span, scalar.text),
        }
    }

    fn key(&mut self, scalar: &ScalarNode<'_>) -> Result<(), String> {
        let pending = if scalar.merges {
            Pending::Merge
        } else {
            let text = match scalar.resolved {
                Scalar::Str => self.text(scalar),
                // The error names the value, which is still to come; `value` finds the empty key span marker.
                Scalar::Null => return Err(unsupported_key("%!s(<nil>)", "<nil>")),
                Scalar::Uint(value) => return Err(unsupported_key("uint64", &format!("{value:#x}"))),
                Scalar::Bool(value) => self.tree.text_at(scalar.span, if value { "true" } else { "false" }),
                Scalar::Int(value) => self.tree.text_at(scalar.span, &value.to_string()),
                Scalar::Float(value) => self.tree.text_at(scalar.span, &scalar::key_float(value)),
            };
            Pending::Key(text, scalar.span)
        };
        if let Some(Frame::Map(map)) = self.frames.last_mut() {
            map.pending = Some(pending);
        }
        Ok(())
    }

    /// An alias to a finished node, as a key or as a value.
    pub(super) fn alias(&mut self, target: NodeId, span: Span) -> Result<(), String> {
        if !self.wants_key() {
            return self.value(target);
        }
        let view = self.tree.view(target);
        if view.is_map() || view.is_seq() {
            return Err(invalid_map_key(view));
        }
        let resolved = match view.value() {
            Value::Null => Scalar::Null,
            Value::Bool(value) => Scalar::Bool(value),
            Value::Int(value) => Scalar::Int(value),
            Value::Uint(value) => Scalar::Uint(value),
            Value::Float(value) => Scalar::Float(value),
            _ => Scalar::Str,
        };
        let text = view.str().unwrap_or_default().to_owned();
        self.key(&ScalarNode { span, text: &text, resolved, at: None, merges: false })
    }

    /// Opens a sequence or a map; a container in the place of a key stays apart until it is closed.
    pub(super) fn open(&mut self, is_map: bool, start: u32) -> Result<NodeId, String> {
        if self.frames.len() >= MAX_DEPTH {
            return Err(format!("yaml: exceeded max depth of {MAX_DEPTH}"));
        }
        let id = self.tree.push(Span { start, end: start }, Value::Null);
        self.frames.push(if is_map {
            Frame::Map(MapFrame { id, start, first: self.entries.len(), hashed: HashMap::new(), pending: None })
        } else {
            Frame::Seq { id, start, first: self.items.len() }
        });
        Ok(id)
    }

    /// Closes the innermost container and hands it to the one around it.
    pub(super) fn close(&mut self, end: u32) -> Result<NodeId, String> {
        let id = match self.frames.pop() {
            Some(Frame::Map(map)) => {
                let run = self.tree.entry_run(&self.entries[map.first..]);
                self.entries.truncate(map.first);
                self.tree.set_value(map.id, Value::Map(run));
                self.tree.set_span(map.id, Span { start: map.start, end: end.max(map.start) });
                map.id
            }
            Some(Frame::Seq { id, start, first }) => {
                let run = self.tree.item_run(&self.items[first..]);
                self.items.truncate(first);
                self.tree.set_value(id, Value::Seq(run));
                self.tree.set_span(id, Span { start, end: end.max(start) });
                id
            }
            None => return Err("yaml: unbalanced brackets".to_owned()),
        };
        if self.wants_key() {
            return Err(invalid_map_key(self.tree.view(id)));
        }
        self.value(id)?;
        Ok(id)
    }

    fn value(&mut self, id: NodeId) -> Result<(), String> {
        match self.frames.last_mut() {
            None => self.root = Some(id),
            Some(Frame::Seq { .. }) => self.items.push(id),
            Some(Frame::Map(map)) => match map.pending.take() {
                Some(Pending::Key(key, key_span)) => {
                    let entry = self.tree.entry(key, key_span, id);
                    map.set(self.tree, &mut self.entries, entry, true);
                }
                Some(Pending::Merge) => merge(self.tree, &mut self.entries, map, id)?,
                None => {}
            },
        }
        Ok(())
    }
}

impl MapFrame {
    /// Sets a key; the last value counts, and a key written twice is remembered with both places.
    fn set(&mut self, tree: &mut Tree, all: &mut Vec<Entry>, entry: Entry, written: bool) {
        let entries = &mut all[self.first..];
        let count = entries.len();
        let position = if count >= HASH_FROM {
            if self.hashed.len() != count {
                let keys = entries.iter().enumerate();
                self.hashed = keys.map(|(at, entry)| (tree.str(entry.key).to_owned(), at)).collect();
            }
            self.hashed.get(tree.str(entry.key)).copied()
        } else {
            entries.iter().position(|old| tree.have_same_key(old, &entry))
        };
        match position {
            Some(position) => {
                let first = entries[position].key_span();
                // A key that a merge brought in lies outside this map and may be overridden.
                if written && first.start >= self.start {
                    let (key, second) = (entry.key, entry.key_span());
                    tree.duplicates.push(Duplicate { map: self.id, key, first, second });
                }
                entries[position] = entry;
            }
            None => {
                if count >= HASH_FROM {
                    self.hashed.insert(tree.str(entry.key).to_owned(), count);
                }
                all.push(entry);
            }
        }
    }
}

/// `<<`: overwrites in document order; of a list the earlier map wins.
fn merge(tree: &mut Tree, all: &mut Vec<Entry>, map: &mut MapFrame, id: NodeId) -> Result<(), String> {
    let maps: Vec<NodeId> = match tree.node(id).value {
        Value::Map(_) => vec![id],
        Value::Seq(run) => tree.items(run).iter().rev().copied().collect(),
        _ => Vec::new(),
    };
    if maps.is_empty() && !matches!(tree.node(id).value, Value::Seq(_)) {
        return Err(WANT_MAP.to_owned());
    }
    for id in maps {
        let Value::Map(run) = tree.node(id).value else {
            return Err(WANT_MAP.to_owned());
        };
        for entry in tree.entries(run).to_vec() {
            map.set(tree, all, entry, false);
        }
    }
    Ok(())
}

const WANT_MAP: &str = "yaml: map merge requires map or sequence of maps as the value";

/// The reader's error for a key that JSON cannot have; the value is filled in by [`complete_key_error`].
fn unsupported_key(kind: &str, key: &str) -> String {
    format!("unsupported map key of type: {kind}, key: {key}, value: ")
}

/// Appends the value's text to an error that [`unsupported_key`] began.
pub(super) fn complete_key_error(error: String, value: &str) -> String {
    if error.starts_with("unsupported map key of type") { error + value } else { error }
}

fn invalid_map_key(view: super::View<'_>) -> String {
    let mut shown = String::new();
    go_syntax(view, &mut shown);
    format!("yaml: invalid map key: {shown}")
}

/// A value as Go's `%#v` prints it: go-yaml's message for a key that is a map or list.
fn go_syntax(view: super::View<'_>, out: &mut String) {
    match view.value() {
        Value::Null => out.push_str("interface {}(nil)"),
        Value::Str(_) => out.push_str(&format!("{:?}", view.str().unwrap_or_default())),
        Value::Seq(_) => {
            out.push_str("[]interface {}{");
            for (index, item) in view.items().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                go_syntax(item, out);
            }
            out.push('}');
        }
        Value::Map(_) => {
            out.push_str("map[interface {}]interface {}{");
            for (index, (key, value)) in view.fields().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                out.push_str(&format!("{key:?}:"));
                go_syntax(value, out);
            }
            out.push('}');
        }
        _ => view.write_json(out),
    }
}
