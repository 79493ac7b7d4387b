//! The object as it comes out of the server's decoder and encoder, before defaults.
//!
//! Nulls go, as do fields of no pointer type that are empty and may be left out; structs that are no pointers are
//! always there; quantities become canonical.

use crate::model::quantity::Quantity;
use crate::schema::{Field, Schema, Shape, Type};
use crate::source::Span;
use crate::yaml::{NodeId, Tree, Value, View, base64};

/// Lists and maps within each other that are followed; only a JSON schema can have as many.
pub(super) const MAX_DEPTH: usize = 200;

/// Fields of metadata that only the server sets; what a manifest has there is validated and then replaced.
pub(super) const SERVER_METADATA: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Copies an object of a type, in the room of another tree. The status goes, except for nodes, which may be created with
/// one.
pub(super) fn copy(schema: &Schema, type_: &Type, object: View<'_>, empties: Empties, mut out: Tree) -> (Tree, NodeId) {
    out.restart(object.tree.source().clone());
    let mut copier = Copier { schema, from: object.tree, out, empties, depth: 0 };
    let root = copier.structure(type_, Some(object), object.span());
    let mut tree = copier.out;
    if type_.name() != "Node" {
        tree.remove(root, "status");
    }
    (tree, root)
}

/// What becomes of empty lists and maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Empties {
    /// They stay, as in what the server validates.
    Keep,
    /// Storing an object makes them absent, wherever they stand.
    Drop,
}

struct Copier<'c> {
    schema: &'c Schema,
    from: &'c Tree,
    out: Tree,
    empties: Empties,
    depth: usize,
}

impl Copier<'_> {
    /// A struct, in the order written; what the encoder always writes is added.
    fn structure(&mut self, type_: &Type, view: Option<View<'_>>, span: Span) -> NodeId {
        self.depth += 1;
        let written = view.map_or(&[][..], View::entry_slice);
        let mut entries = Vec::with_capacity(written.len());
        for entry in written {
            if let Some(field) = type_.field(self.from.str(entry.key))
                && let Some(value) = self.field(field, self.from.view(entry.value))
            {
                let key = self.out.copy_text(self.from, entry.key);
                entries.push(self.out.entry(key, entry.key_span(), value));
            }
        }
        let absent = |field: &Field| view.is_none_or(|view| view.get(&field.name).is_none());
        for field in type_.at(&type_.written) {
            if absent(field) {
                let value = self.zero(&field.shape, span);
                let key = self.out.heap_text(&field.name);
                entries.push(self.out.entry(key, span, value));
            }
        }
        self.depth -= 1;
        self.out.push_map(span, &entries)
    }

    /// A field's value; nothing where the encoder leaves it out.
    fn field(&mut self, field: &Field, view: View<'_>) -> Option<NodeId> {
        let kept = field.pointer || field.required;
        let gathers = matches!(field.shape, Shape::List(_) | Shape::Map(_));
        let goes = if gathers { self.empties == Empties::Drop } else { !kept };
        if view.is_null() || goes && is_empty(&field.shape, view) || self.depth > MAX_DEPTH {
            return None;
        }
        Some(self.value(&field.shape, field.go.as_deref() == Some("v1.ResourceList"), view))
    }

    fn value(&mut self, shape: &Shape, stored: bool, view: View<'_>) -> NodeId {
        let span = view.span();
        match (shape, view.value()) {
            (_, Value::Null) => self.zero(shape, span),
            (Shape::Struct(id), Value::Map(_)) => self.structure(self.schema.type_(*id), Some(view), span),
            (Shape::SchemaOrBool(id) | Shape::SchemaOrList(id) | Shape::SchemaOrStrings(id), Value::Map(_)) => {
                self.structure(self.schema.type_(*id), Some(view), span)
            }
            (Shape::SchemaOrList(id), Value::Seq(_)) => self.items(&Shape::Struct(*id), view),
            (Shape::List(item), Value::Seq(_)) => self.items(item, view),
            (Shape::Map(value), Value::Map(_)) => {
                let mut entries = Vec::with_capacity(view.len());
                for entry in view.entry_slice() {
                    let value = self.value(value, stored, self.from.view(entry.value));
                    let key = self.out.copy_text(self.from, entry.key);
                    entries.push(self.out.entry(key, entry.key_span(), value));
                }
                self.out.push_map(span, &entries)
            }
            (Shape::Quantity, _) => self.quantity(stored, view),
            (Shape::Bytes, Value::Str(_)) => self.bytes(view),
            (Shape::Int32 | Shape::Int64 | Shape::IntOrString, Value::Float(_)) => match view.int() {
                Some(value) => self.out.push(span, Value::Int(value)),
                None => self.out.copy(self.from, view.id),
            },
            _ => self.out.copy(self.from, view.id),
        }
    }

    fn items(&mut self, shape: &Shape, view: View<'_>) -> NodeId {
        let items: Vec<NodeId> = view.items().map(|item| self.value(shape, false, item)).collect();
        self.out.push_seq(view.span(), &items)
    }

    /// What a value is that was not given, or null in a list or map.
    fn zero(&mut self, shape: &Shape, span: Span) -> NodeId {
        match shape {
            Shape::String | Shape::Bytes | Shape::Time | Shape::MicroTime | Shape::Duration => {
                self.out.push_str(span, "")
            }
            Shape::Bool => self.out.push(span, Value::Bool(false)),
            Shape::Int32 | Shape::Int64 | Shape::Float64 | Shape::IntOrString => self.out.push(span, Value::Int(0)),
            Shape::Quantity => self.out.push_str(span, "0"),
            Shape::Struct(id) => self.structure(self.schema.type_(*id), None, span),
            _ => self.out.push(span, Value::Null),
        }
    }

    fn quantity(&mut self, stored: bool, view: View<'_>) -> NodeId {
        if view.str().is_some_and(Quantity::is_plain) {
            return self.out.copy(self.from, view.id);
        }
        let json = view.to_json();
        let raw = json.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or(&json);
        match Quantity::parse_json(raw) {
            Ok(quantity) if stored => self.out.push_str(view.span(), &quantity.stored().canonical()),
            Ok(quantity) => self.out.push_str(view.span(), &quantity.canonical()),
            Err(_) => self.out.copy(self.from, view.id),
        }
    }

    /// Base64 loses its line breaks.
    fn bytes(&mut self, view: View<'_>) -> NodeId {
        let text = view.str().unwrap_or_default();
        match base64::decode(text.as_bytes()) {
            Ok(bytes) if text.contains(['\n', '\r']) => self.out.push_str(view.span(), &base64::encode(&bytes)),
            _ => self.out.copy(self.from, view.id),
        }
    }
}

/// Whether Go's `omitempty` leaves a value out; structs always stay.
fn is_empty(shape: &Shape, view: View<'_>) -> bool {
    match (shape, view.value()) {
        (Shape::IntOrString | Shape::Quantity | Shape::Any, _) => false,
        (_, Value::Str(_)) => view.str() == Some(""),
        (_, Value::Bool(value)) => !value,
        (_, Value::Int(value)) => value == 0,
        (_, Value::Float(value)) => value == 0.0,
        (Shape::List(_) | Shape::Map(_), Value::Seq(_) | Value::Map(_)) => view.is_empty(),
        _ => false,
    }
}
