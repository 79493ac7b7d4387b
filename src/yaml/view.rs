//! Looking at a tree: a node together with its arena.

use std::fmt::Write;

use super::scalar;
use super::tree::{Entry, NodeId, Tree, Value};
use crate::source::Span;

/// A node and the tree it lives in; copies freely. `null` counts as absent, as in the API server's decoder.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub tree: &'a Tree,
    pub id: NodeId,
}

impl PartialEq for View<'_> {
    /// The same node, not merely an equal value.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.tree, other.tree) && self.id == other.id
    }
}

impl<'a> View<'a> {
    pub fn value(self) -> Value {
        self.tree.node(self.id).value
    }

    pub fn span(self) -> Span {
        self.tree.node(self.id).span
    }

    /// The source text under the span, as the user wrote it.
    pub fn written(self) -> &'a str {
        self.tree.source().get(self.span().range()).unwrap_or("")
    }

    /// The value of a key; `None` where it is absent or null.
    pub fn get(self, key: &str) -> Option<View<'a>> {
        let entries = self.entry_slice();
        let found = self.tree.view(entries[self.tree.position(entries, key)?].value);
        (!found.is_null()).then_some(found)
    }

    /// The entry of a key with its value, null included.
    pub fn entry(self, key: &str) -> Option<(Entry, View<'a>)> {
        let Value::Map(run) = self.value() else {
            return None;
        };
        let entries = self.tree.entries(run);
        let entry = entries[self.tree.position(entries, key)?];
        Some((entry, self.tree.view(entry.value)))
    }

    /// The value at a chain of keys.
    pub fn at(self, keys: &[&str]) -> Option<View<'a>> {
        keys.iter().try_fold(self, |view, key| view.get(key))
    }

    /// Where a key stands, for findings about the field itself.
    pub fn key_span(self, key: &str) -> Option<Span> {
        Some(self.entry(key)?.0.key_span())
    }

    pub fn is_null(self) -> bool {
        matches!(self.value(), Value::Null)
    }

    pub fn is_map(self) -> bool {
        matches!(self.value(), Value::Map(_))
    }

    pub fn is_seq(self) -> bool {
        matches!(self.value(), Value::Seq(_))
    }

    pub fn str(self) -> Option<&'a str> {
        match self.value() {
            Value::Str(text) => Some(self.tree.str(text)),
            _ => None,
        }
    }

    pub fn bool(self) -> Option<bool> {
        match self.value() {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The integer, also of a float without fraction (`1.0`), which kubectl sends as an integer.
    pub fn int(self) -> Option<i64> {
        match self.value() {
            Value::Int(value) => Some(value),
            Value::Float(value) if value.fract() == 0.0 && value.abs() < 9.0e18 => Some(value as i64),
            _ => None,
        }
    }

    /// String field of a map.
    pub fn get_str(self, key: &str) -> Option<&'a str> {
        self.get(key)?.str()
    }

    /// Integer field of a map.
    pub fn get_int(self, key: &str) -> Option<i64> {
        self.get(key)?.int()
    }

    /// Boolean field of a map; absent is false, as in Go.
    pub fn get_bool(self, key: &str) -> bool {
        self.get(key).and_then(View::bool).unwrap_or(false)
    }

    /// Items of a sequence field; nothing where it is absent.
    pub fn list(self, key: &str) -> impl DoubleEndedIterator<Item = View<'a>> + ExactSizeIterator + use<'a> {
        self.get(key).map_or(&[][..], View::item_ids).iter().map(move |id| self.tree.view(*id))
    }

    /// Entries of a map field; nothing where it is absent.
    pub fn map(self, key: &str) -> impl Iterator<Item = (&'a str, View<'a>)> + use<'a> {
        self.get(key).into_iter().flat_map(View::fields)
    }

    /// Nodes of a sequence; nothing for anything else.
    pub fn item_ids(self) -> &'a [NodeId] {
        match self.value() {
            Value::Seq(run) => self.tree.items(run),
            _ => &[],
        }
    }

    /// Entries of a map in the order written; nothing for anything else.
    pub fn entry_slice(self) -> &'a [Entry] {
        match self.value() {
            Value::Map(run) => self.tree.entries(run),
            _ => &[],
        }
    }

    /// Items of a sequence; nothing for anything else.
    pub fn items(self) -> impl DoubleEndedIterator<Item = View<'a>> + ExactSizeIterator + use<'a> {
        self.item_ids().iter().map(move |id| self.tree.view(*id))
    }

    /// Keys and values of a map in the order written; nothing for anything else.
    pub fn fields(self) -> impl DoubleEndedIterator<Item = (&'a str, View<'a>)> + ExactSizeIterator + use<'a> {
        self.entry_slice().iter().map(move |entry| (self.tree.str(entry.key), self.tree.view(entry.value)))
    }

    /// Keys with their places, and values, in the order written.
    pub fn entries(self) -> impl ExactSizeIterator<Item = (&'a str, Span, View<'a>)> + use<'a> {
        self.entry_slice()
            .iter()
            .map(move |entry| (self.tree.str(entry.key), entry.key_span(), self.tree.view(entry.value)))
    }

    /// Number of items or entries.
    pub fn len(self) -> usize {
        self.item_ids().len() + self.entry_slice().len()
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Compact JSON with sorted keys: what kubectl sends, and what Go prints in messages.
    pub fn to_json(self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    pub fn write_json(self, out: &mut String) {
        match self.value() {
            Value::Null => out.push_str("null"),
            Value::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Value::Int(value) => {
                let _ = write!(out, "{value}");
            }
            Value::Uint(value) => {
                let _ = write!(out, "{value}");
            }
            Value::Float(value) => out.push_str(&scalar::json_float(value)),
            Value::Str(text) => write_json_string(out, self.tree.str(text)),
            Value::Seq(_) => {
                out.push('[');
                for (index, item) in self.items().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write_json(out);
                }
                out.push(']');
            }
            Value::Map(_) => self.write_json_map(out),
        }
    }

    fn write_json_map(self, out: &mut String) {
        let mut fields: Vec<_> = self.fields().collect();
        fields.sort_by_key(|(key, _)| *key);
        out.push('{');
        for (index, (key, value)) in fields.into_iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            write_json_string(out, key);
            out.push(':');
            value.write_json(out);
        }
        out.push('}');
    }

    /// Whether two values are equal as JSON; map order does not count, `1` equals `1.0`.
    pub fn same(self, other: View<'_>) -> bool {
        match (self.value(), other.value()) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Str(a), Value::Str(b)) => self.tree.str(a) == other.tree.str(b),
            (Value::Uint(a), Value::Uint(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Int(a), Value::Float(b)) | (Value::Float(b), Value::Int(a)) => a as f64 == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Seq(_), Value::Seq(_)) => {
                self.len() == other.len() && self.items().zip(other.items()).all(|(a, b)| a.same(b))
            }
            (Value::Map(_), Value::Map(_)) => {
                self.len() == other.len()
                    && self.fields().all(|(key, a)| other.entry(key).is_some_and(|(_, b)| a.same(b)))
            }
            _ => false,
        }
    }
}

/// Writes a JSON string as Go's encoder does without HTML escaping (kubectl's `SetEscapeHTML(false)`).
pub fn write_json_string(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\u{0}'..='\u{1f}' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", char as u32);
            }
            _ => out.push(char),
        }
    }
    out.push('"');
}
