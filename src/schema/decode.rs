//! Whether an object decodes into its type as the API server's strict decoder decodes it, and what it says if not.
//!
//! The decoder is sigs.k8s.io/json (a fork of Go's encoding/json that is case-sensitive and reports unknown fields)
//! over the Go types of k8s.io/api. It goes through the keys in the order in which kubectl sends them, which is sorted.
//! A wrong type is remembered and the first one answered; an error inside a type that decodes itself (quantity, time,
//! int-or-string, JSON schema) ends the decoding at once. Unknown fields are answered only where all types fit.

use super::facts::{Kind, Schema};
use super::frame::{Frame, Step};
use super::suggest;
use super::types::{Field, Shape, Type, Word};
use crate::model::quantity::Quantity;
use crate::model::{number, path, time};
use crate::source::Span;
use crate::yaml::{NodeId, Value, View, base64, scalar};

/// The server stops counting unknown fields here (sigs.k8s.io/json `saveStrictError`).
const MAX_UNKNOWN: usize = 100;

/// Lists and maps within each other that are looked into; no kind has more but a JSON schema on purpose.
const MAX_DEPTH: usize = 200;

/// What decoding an object gives.
#[derive(Debug, Default)]
pub struct Decoded {
    /// The type error that the server answers with.
    pub error: Option<DecodeError>,
    /// Type errors that the server does not get to.
    pub others: Vec<DecodeError>,
    /// Fields that the type does not have; the server answers with them when there is no type error.
    pub unknown: Vec<UnknownField>,
    /// The whole message of the answer 400; `None` where the object decodes.
    pub message: Option<String>,
}

/// A value that does not fit its field.
#[derive(Clone, Debug)]
pub struct DecodeError {
    /// The API server's path: `spec.template.spec.containers[0].env[0].value`.
    pub path: String,
    /// The value.
    pub span: Span,
    pub node: NodeId,
    /// The key it stands under; of a list item the key of the list.
    pub key: Span,
    /// The type that has the field, `io.k8s.api.core.v1.EnvVar`, and the name of the field.
    pub owner: Word,
    pub field: Word,
    /// What the field takes. Inside a list or map: what its items take.
    pub expected: Expected,
    /// `bool`, `number`, `string`, `array` or `object`.
    pub found: &'static str,
    /// The server's words for it.
    pub words: String,
}

/// What a field takes, as people call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    String,
    Bool,
    Integer,
    Number,
    Base64,
    Quantity,
    IntOrString,
    Time,
    Schema,
    Map,
    List,
}

/// A field that its type does not have.
#[derive(Clone, Debug)]
pub struct UnknownField {
    /// The API server's path of it.
    pub path: String,
    pub key: String,
    pub key_span: Span,
    pub value: NodeId,
    /// The map that holds it, and the type of that map.
    pub map: NodeId,
    pub owner: Word,
    /// Fields of the type with a similar name that the map does not have yet, nearest first.
    pub near: Vec<Word>,
    /// Where a field of exactly this name exists further up: `spec.template.spec`.
    pub belongs: Option<String>,
    /// The path as the server's sentence has it.
    pub(super) words: String,
}

/// Decodes an object as one of `kind`.
pub fn check(schema: &Schema, kind: &Kind, object: View<'_>) -> Decoded {
    let type_ = schema.type_(kind.type_id);
    let mut walk = Walk::new(schema, Order::Written);
    walk.structure(type_, object, None);
    // The order matters only where there is something to say.
    if !walk.errors.is_empty() || !walk.unknown.is_empty() {
        walk = Walk::new(schema, Order::Sent);
        walk.structure(type_, object, None);
    }
    walk.finish(kind)
}

/// Whether a value would decode into a field, unknown fields included.
pub(super) fn fits(schema: &Schema, field: &Field, view: View<'_>) -> bool {
    let mut walk = Walk::new(schema, Order::Written);
    let frame = Frame { parent: None, step: Step::Key(&field.name), key: view.span() };
    walk.value(&Target { shape: &field.shape, go: field.go.as_deref(), view }, &frame);
    walk.errors.is_empty() && walk.unknown.is_empty()
}

/// The server's message for an object whose kind it does not serve; kubectl finds out before it sends anything.
pub fn no_match(api_version: &str, kind: &str) -> String {
    format!("no matches for kind {kind:?} in version {api_version:?}")
}

/// A function that reads a time; its error is Go's.
type ParseTime = fn(&str) -> Result<time::Timestamp, String>;

/// In which order the keys of a map are looked at.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    Written,
    /// As kubectl sends them: sorted.
    Sent,
}

struct Walk<'s> {
    schema: &'s Schema,
    order: Order,
    errors: Vec<DecodeError>,
    /// The error that ended the server's decoding.
    fatal: Option<usize>,
    unknown: Vec<UnknownField>,
    /// Above zero inside types that decode themselves, where unknown fields are not noticed.
    lenient: usize,
    depth: usize,
}

/// A value on its way into a shape; `go` is the Go type where the shape does not tell.
struct Target<'t> {
    shape: &'t Shape,
    go: Option<&'t str>,
    view: View<'t>,
}

impl<'s> Walk<'s> {
    fn new(schema: &'s Schema, order: Order) -> Walk<'s> {
        Walk { schema, order, errors: Vec::new(), fatal: None, unknown: Vec::new(), lenient: 0, depth: 0 }
    }

    fn value(&mut self, target: &Target<'_>, at: &Frame<'_>) {
        let Target { shape, go, view } = *target;
        match (shape, view.value()) {
            // Null leaves a field as it is, and clears a pointer, list or map.
            (_, Value::Null) | (Shape::Any, _) => {}
            (Shape::String, Value::Str(_)) | (Shape::Bool, Value::Bool(_)) => {}
            (Shape::Float64, Value::Int(_) | Value::Uint(_) | Value::Float(_)) => {}
            (Shape::Int32 | Shape::Int64, Value::Int(_) | Value::Uint(_) | Value::Float(_)) => self.integer(target, at),
            (Shape::Bytes, Value::Str(_)) => {
                if let Err(offset) = base64::decode(view.str().unwrap_or_default().as_bytes()) {
                    self.save(target, at, format!("illegal base64 data at input byte {offset}"));
                }
            }
            (Shape::Bytes, Value::Seq(_)) => self.items(&Shape::Int32, Some("uint8"), view, at),
            (Shape::Quantity, _) => self.quantity(target, at),
            (Shape::IntOrString, _) => self.int_or_string(target, at),
            (Shape::Time, _) => self.time(time::parse_rfc3339, target, at),
            (Shape::MicroTime, _) => self.time(time::parse_rfc3339_micro, target, at),
            (Shape::Duration, Value::Str(_)) => {}
            (Shape::SchemaOrBool(_) | Shape::SchemaOrList(_) | Shape::SchemaOrStrings(_), _) => {
                self.schema_or(target, at);
            }
            (Shape::Struct(id), Value::Map(_)) => self.structure(self.schema.type_(*id), view, Some(at)),
            (Shape::List(item), Value::Seq(_)) => self.items(item, element(go), view, at),
            (Shape::Map(value), Value::Map(_)) => self.entries(value, element(go), view, at),
            _ => self.mismatch(target, at, found(view), None),
        }
    }

    /// A map that decodes into a Go struct.
    fn structure(&mut self, type_: &Type, view: View<'_>, at: Option<&Frame<'_>>) {
        if !self.deeper() {
            return;
        }
        self.each(view, |walk, (name, key, value)| match type_.field(name) {
            Some(field) => {
                let frame = Frame { parent: at, step: Step::Field(type_, field), key };
                let target = Target { shape: &field.shape, go: field.go.as_deref(), view: value };
                walk.value(&target, &frame);
            }
            None if walk.lenient == 0 => {
                let unknown = walk.unknown_field(type_, view, (name, key, value), at);
                walk.unknown.push(unknown);
            }
            None => {}
        });
        self.depth -= 1;
    }

    /// Goes through the entries of a map.
    fn each<'v>(&mut self, view: View<'v>, mut look: impl FnMut(&mut Self, (&'v str, Span, View<'v>))) {
        match self.order {
            Order::Written => view.entries().for_each(|entry| look(self, entry)),
            Order::Sent => sorted(view).into_iter().for_each(|entry| look(self, entry)),
        }
    }

    fn items(&mut self, shape: &Shape, go: Option<&str>, view: View<'_>, at: &Frame<'_>) {
        if !self.deeper() {
            return;
        }
        for (index, item) in view.items().enumerate() {
            let frame = Frame { parent: Some(at), step: Step::Index(index), key: at.key };
            self.value(&Target { shape, go, view: item }, &frame);
        }
        self.depth -= 1;
    }

    fn entries(&mut self, shape: &Shape, go: Option<&str>, view: View<'_>, at: &Frame<'_>) {
        if !self.deeper() {
            return;
        }
        self.each(view, |walk, (name, key, value)| {
            let frame = Frame { parent: Some(at), step: Step::Key(name), key };
            walk.value(&Target { shape, go, view: value }, &frame);
        });
        self.depth -= 1;
    }

    /// Enters a list or map, unless they are stacked absurdly high.
    fn deeper(&mut self) -> bool {
        self.depth += 1;
        let enters = self.depth <= MAX_DEPTH;
        if !enters {
            self.depth -= 1;
        }
        enters
    }

    fn integer(&mut self, target: &Target<'_>, at: &Frame<'_>) {
        let range = match (target.shape, target.go) {
            (Shape::Int32, Some("uint8")) => 0..=i64::from(u8::MAX),
            (Shape::Int32, _) => i64::from(i32::MIN)..=i64::from(i32::MAX),
            _ => i64::MIN..=i64::MAX,
        };
        if !target.view.int().is_some_and(|value| range.contains(&value)) {
            let number = number_text(target.view);
            self.mismatch(target, at, "number", Some(&number));
        }
    }

    fn quantity(&mut self, target: &Target<'_>, at: &Frame<'_>) {
        if target.view.str().is_some_and(Quantity::is_plain) {
            return;
        }
        // The type reads the raw JSON and takes off only the quotes.
        let json = target.view.to_json();
        let raw = json.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or(&json);
        if let Err(error) = Quantity::parse_json(raw) {
            self.end(target, at, error.to_string());
        }
    }

    fn int_or_string(&mut self, target: &Target<'_>, at: &Frame<'_>) {
        let before = self.errors.len();
        match target.view.value() {
            Value::Str(_) => {}
            Value::Int(_) | Value::Uint(_) | Value::Float(_) => {
                self.integer(&Target { shape: &Shape::Int32, go: None, ..*target }, at);
            }
            _ => self.mismatch(&Target { shape: &Shape::Int32, go: None, ..*target }, at, found(target.view), None),
        }
        for error in &mut self.errors[before..] {
            error.expected = Expected::IntOrString;
        }
        self.ended(before);
    }

    fn time(&mut self, parse: ParseTime, target: &Target<'_>, at: &Frame<'_>) {
        let before = self.errors.len();
        match target.view.str() {
            Some(text) => {
                if let Err(words) = parse(text) {
                    self.save(target, at, words);
                }
            }
            None => self.mismatch(
                &Target { shape: target.shape, go: Some("string"), ..*target },
                at,
                found(target.view),
                None,
            ),
        }
        self.ended(before);
    }

    /// JSON schemas where something simpler may stand (apiextensions `v1/marshal.go`); unknown fields pass there.
    fn schema_or(&mut self, target: &Target<'_>, at: &Frame<'_>) {
        let before = self.errors.len();
        self.lenient += 1;
        match (target.shape, target.view.value()) {
            (Shape::SchemaOrBool(id) | Shape::SchemaOrList(id) | Shape::SchemaOrStrings(id), Value::Map(_)) => {
                self.structure(self.schema.type_(*id), target.view, Some(at))
            }
            (Shape::SchemaOrList(id), Value::Seq(_)) => self.items(&Shape::Struct(*id), None, target.view, at),
            (Shape::SchemaOrStrings(_), Value::Seq(_)) => self.items(&Shape::String, None, target.view, at),
            (Shape::SchemaOrBool(_), Value::Bool(_)) => {}
            (Shape::SchemaOrBool(_), _) => self.save(target, at, "boolean or JSON schema expected".to_owned()),
            _ => {}
        }
        self.lenient -= 1;
        self.ended(before);
    }

    /// Go's error for a value of the wrong kind; a number that does not fit stands in it.
    fn mismatch(&mut self, target: &Target<'_>, at: &Frame<'_>, found: &str, number: Option<&str>) {
        let number = number.map_or(String::new(), |number| format!(" {number}"));
        let type_ = self.schema.go_type(target.shape, target.go);
        let place = at.go_path();
        let words = format!("json: cannot unmarshal {found}{number} into Go struct field {place} of type {type_}");
        self.save(target, at, words);
    }

    /// An error after which the server goes on.
    fn save(&mut self, target: &Target<'_>, at: &Frame<'_>, words: String) {
        let (owner, field) = at.field();
        self.errors.push(DecodeError {
            path: at.path(),
            span: target.view.span(),
            node: target.view.id,
            key: at.key,
            owner,
            field,
            expected: expected(target.shape),
            found: found(target.view),
            words,
        });
    }

    /// An error that ends the server's decoding.
    fn end(&mut self, target: &Target<'_>, at: &Frame<'_>, words: String) {
        self.save(target, at, words);
        self.ended(self.errors.len() - 1);
    }

    /// The errors from `before` on came from a type that decodes itself: its first one ended the decoding.
    fn ended(&mut self, before: usize) {
        if self.fatal.is_none() && self.errors.len() > before {
            self.fatal = Some(before);
        }
    }

    fn unknown_field(
        &self,
        type_: &Type,
        map: View<'_>,
        (name, key_span, value): (&str, Span, View<'_>),
        at: Option<&Frame<'_>>,
    ) -> UnknownField {
        let free = type_.fields.iter().map(|field| field.name.as_ref()).filter(|field| map.entry(field).is_none());
        let near = suggest::nearest(name, free).into_iter().map(|name| Word::Owned(name.to_owned())).collect();
        let prefix = at.map_or(String::new(), Frame::strict_path);
        let dot = if prefix.is_empty() { "" } else { "." };
        let mut path = at.map_or(String::new(), Frame::path);
        path::push_key(&mut path, name);
        UnknownField {
            path,
            key: name.to_owned(),
            key_span,
            value: value.id,
            map: map.id,
            owner: type_.id.clone(),
            near,
            belongs: at.and_then(|at| at.above(name)),
            words: format!("{prefix}{dot}{name}"),
        }
    }

    fn finish(mut self, kind: &Kind) -> Decoded {
        let answer = self.fatal.unwrap_or(0);
        let error = (answer < self.errors.len()).then(|| self.errors.remove(answer));
        let words = match &error {
            Some(error) => Some(error.words.clone()),
            None => strict_words(&self.unknown),
        };
        let version = kind.api_version.rsplit('/').next().unwrap_or_default();
        let name = kind.kind;
        let message =
            words.map(|words| format!("{name} in version {version:?} cannot be handled as a {name}: {words}"));
        Decoded { error, others: self.errors, unknown: self.unknown, message }
    }
}

/// The server's sentence for unknown fields; each path once.
fn strict_words(unknown: &[UnknownField]) -> Option<String> {
    let mut seen: Vec<&str> = Vec::new();
    for field in unknown {
        if seen.len() < MAX_UNKNOWN && !seen.contains(&field.words.as_str()) {
            seen.push(&field.words);
        }
    }
    let named: Vec<String> = seen.iter().map(|path| format!("unknown field {}", number::quote(path))).collect();
    (!named.is_empty()).then(|| format!("strict decoding error: {}", named.join(", ")))
}

/// Entries in the order in which kubectl sends them.
fn sorted(view: View<'_>) -> Vec<(&str, Span, View<'_>)> {
    let mut entries: Vec<_> = view.entries().collect();
    entries.sort_by_key(|(key, ..)| *key);
    entries
}

/// The Go type of the elements of a list or map type; nothing where it has a name of its own.
fn element(go: Option<&str>) -> Option<&str> {
    let go = go?;
    go.strip_prefix("[]").or_else(|| go.strip_prefix("map[")?.split_once(']').map(|(_, value)| value))
}

/// Go's word for a JSON value.
fn found(view: View<'_>) -> &'static str {
    match view.value() {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::Uint(_) | Value::Float(_) => "number",
        Value::Str(_) => "string",
        Value::Seq(_) => "array",
        Value::Map(_) => "object",
    }
}

/// A number as kubectl sends it: beyond 64 bits it is a float there.
fn number_text(view: View<'_>) -> String {
    match view.value() {
        Value::Uint(value) => scalar::json_float(value as f64),
        _ => view.to_json(),
    }
}

fn expected(shape: &Shape) -> Expected {
    match shape {
        Shape::Bool => Expected::Bool,
        Shape::Int32 | Shape::Int64 => Expected::Integer,
        Shape::Float64 => Expected::Number,
        Shape::Bytes => Expected::Base64,
        Shape::Quantity => Expected::Quantity,
        Shape::IntOrString => Expected::IntOrString,
        Shape::Time | Shape::MicroTime => Expected::Time,
        Shape::SchemaOrBool(_) | Shape::SchemaOrList(_) | Shape::SchemaOrStrings(_) => Expected::Schema,
        Shape::Struct(_) | Shape::Map(_) => Expected::Map,
        Shape::List(_) => Expected::List,
        Shape::String | Shape::Duration | Shape::Any => Expected::String,
    }
}
