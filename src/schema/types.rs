//! Types and fields of the API, and how a line of the facts file says them.

use std::borrow::Cow;

use super::facts::Schema;

/// A name: a slice of the embedded facts, or owned where a custom resource definition brought it in.
pub type Word = Cow<'static, str>;

/// Index of a [`Type`] in its [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub(super) u32);

/// A struct of the API.
#[derive(Debug)]
pub struct Type {
    /// `io.k8s.api.core.v1.EnvVar`
    pub id: Word,
    /// As Go prints it: `v1.EnvVar`.
    pub go: Word,
    /// By name.
    pub fields: Vec<Field>,
    /// Where the fields stand by [`slot`] of their name, one more each; zero where none does.
    slots: Box<[u16]>,
    /// Places of the fields that declare a default.
    pub defaulted: Vec<u16>,
    /// Places of the fields that the encoder writes even where nothing was set.
    pub written: Vec<u16>,
}

/// A field of a [`Type`]; attributes as OpenAPI and the Go types have them.
#[derive(Debug)]
pub struct Field {
    pub name: Word,
    pub shape: Shape,
    /// Whether the Go field is a pointer.
    pub pointer: bool,
    pub required: bool,
    /// The Go type, where the shape does not give it away.
    pub go: Option<Word>,
    /// The embedded Go structs on the way to the field, with dots between them.
    pub embedded: Option<Word>,
    /// The values allowed, of the innermost element.
    pub allowed: Vec<Word>,
    /// Compact JSON.
    pub default: Option<Word>,
    pub list: Option<ListType>,
    /// A map or struct that changes as a whole.
    pub atomic_map: bool,
    /// Strategy of a strategic merge patch: `merge:name`, `retainKeys`, `replace`.
    pub patch: Option<Word>,
    pub format: Option<Word>,
    /// Discriminator of a union, and the value that goes with this field.
    pub union: Option<(Word, Word)>,
}

/// How two versions of a list merge (`x-kubernetes-list-type`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListType {
    Atomic,
    Set,
    /// Items are told apart by these keys.
    Map(Vec<Word>),
}

/// What JSON a field takes, by the Go type behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    String,
    Bool,
    Int32,
    Int64,
    Float64,
    /// Base64 in a string.
    Bytes,
    Quantity,
    IntOrString,
    Time,
    MicroTime,
    Duration,
    Any,
    /// `JSONSchemaPropsOrBool`, `JSONSchemaPropsOrArray` and `JSONSchemaPropsOrStringArray` of apiextensions.
    SchemaOrBool(TypeId),
    SchemaOrList(TypeId),
    SchemaOrStrings(TypeId),
    Struct(TypeId),
    List(Box<Shape>),
    Map(Box<Shape>),
}

/// Type of the schemas in a custom resource definition.
const JSON_SCHEMA: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";

impl Type {
    /// A type with what is looked up by name and place.
    pub(super) fn new(id: Word, go: Word, fields: Vec<Field>) -> Type {
        let mut slots = vec![0; (fields.len() * 2).next_power_of_two().max(2)].into_boxed_slice();
        let mask = slots.len() - 1;
        for (place, field) in fields.iter().enumerate() {
            let mut at = slot(&field.name) & mask;
            while slots[at] != 0 {
                at = (at + 1) & mask;
            }
            slots[at] = place as u16 + 1;
        }
        let places = |wanted: fn(&Field) -> bool| {
            (0u16..).zip(&fields).filter(|(_, field)| wanted(field)).map(|(place, _)| place).collect()
        };
        let defaulted = places(|field| field.default.is_some());
        let written = places(Field::is_always_written);
        Type { id, go, fields, slots, defaulted, written }
    }

    pub fn field(&self, name: &str) -> Option<&Field> {
        let mask = self.slots.len() - 1;
        let mut at = slot(name) & mask;
        // At least half of the slots are free, so the search ends.
        while let Some(place) = self.slots[at].checked_sub(1) {
            let field = &self.fields[usize::from(place)];
            if field.name == name {
                return Some(field);
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// Fields by their places in the type.
    pub fn at<'t>(&'t self, places: &'t [u16]) -> impl Iterator<Item = &'t Field> {
        places.iter().map(|place| &self.fields[usize::from(*place)])
    }

    /// The name without its package: `EnvVar`.
    pub fn name(&self) -> &str {
        self.go.rsplit('.').next().unwrap_or(&self.go)
    }
}

impl Field {
    /// A field line: ` NAME SHAPE [ATTRIBUTE...]`.
    pub(super) fn read(schema: &Schema, line: &'static str) -> Option<Field> {
        let mut words = line.split_ascii_whitespace();
        let name = words.next()?;
        let shape = words.next()?;
        let pointer = shape.starts_with('*');
        let mut field = Field {
            name: Word::Borrowed(name),
            shape: Shape::read(schema, shape.trim_start_matches('*'))?,
            pointer,
            required: false,
            go: None,
            embedded: None,
            allowed: Vec::new(),
            default: None,
            list: None,
            atomic_map: false,
            patch: None,
            format: None,
            union: None,
        };
        for word in words {
            field.attribute(word);
        }
        field.special_shape(schema);
        Some(field)
    }

    /// The fields of a JSON schema that take more than one thing.
    fn special_shape(&mut self, schema: &Schema) {
        let Some(id) = schema.type_id(JSON_SCHEMA) else {
            return;
        };
        match self.go.as_deref() {
            Some("v1.JSONSchemaPropsOrBool") => self.shape = Shape::SchemaOrBool(id),
            Some("v1.JSONSchemaPropsOrArray") => self.shape = Shape::SchemaOrList(id),
            Some("v1.JSONSchemaDependencies") => self.shape = Shape::Map(Box::new(Shape::SchemaOrStrings(id))),
            _ => {}
        }
    }

    fn attribute(&mut self, word: &'static str) {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let list = |value: &'static str| value.split(',').map(plain).collect();
        match name {
            "required" => self.required = true,
            "go" => self.go = Some(plain(value)),
            "embedded" => self.embedded = Some(plain(value)),
            "enum" => self.allowed = list(value),
            "default" => self.default = Some(plain(value)),
            "list" => {
                self.list = match value {
                    "atomic" => Some(ListType::Atomic),
                    "set" => Some(ListType::Set),
                    _ => value.strip_prefix("map:").map(|keys| ListType::Map(list(keys))),
                };
            }
            "map" => self.atomic_map = value == "atomic",
            "patch" => self.patch = Some(plain(value)),
            "format" => self.format = Some(plain(value)),
            "union" => self.union = value.split_once(':').map(|(by, value)| (plain(by), plain(value))),
            _ => {}
        }
    }

    /// Whether Go's encoder writes the field whatever is in it: a struct, or a scalar without `omitempty`.
    fn is_always_written(&self) -> bool {
        let scalar = matches!(self.shape, Shape::String | Shape::Bool | Shape::Int32 | Shape::Int64);
        !self.pointer && (matches!(self.shape, Shape::Struct(_)) || scalar && self.required)
    }

    /// The keys that tell the items of a list apart; empty where it is no such list.
    pub fn list_keys(&self) -> &[Word] {
        match &self.list {
            Some(ListType::Map(keys)) => keys,
            _ => &[],
        }
    }
}

impl Shape {
    fn read(schema: &Schema, text: &str) -> Option<Shape> {
        Some(match text {
            "string" => Shape::String,
            "bool" => Shape::Bool,
            "int32" => Shape::Int32,
            "int64" => Shape::Int64,
            "float64" => Shape::Float64,
            "bytes" => Shape::Bytes,
            "quantity" => Shape::Quantity,
            "intorstring" => Shape::IntOrString,
            "time" => Shape::Time,
            "microtime" => Shape::MicroTime,
            "duration" => Shape::Duration,
            "any" => Shape::Any,
            _ => {
                if let Some(id) = text.strip_prefix('&') {
                    Shape::Struct(schema.type_id(id)?)
                } else if let Some(item) = text.strip_prefix("[]") {
                    Shape::List(Box::new(Shape::read(schema, item)?))
                } else {
                    Shape::Map(Box::new(Shape::read(schema, text.strip_prefix("map:")?)?))
                }
            }
        })
    }

    /// The struct inside lists and maps.
    pub fn struct_id(&self) -> Option<TypeId> {
        match self {
            Shape::Struct(id) | Shape::SchemaOrBool(id) | Shape::SchemaOrList(id) | Shape::SchemaOrStrings(id) => {
                Some(*id)
            }
            Shape::List(inner) | Shape::Map(inner) => inner.struct_id(),
            _ => None,
        }
    }

    /// The Go type of a shape that holds no other type.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Shape::String => "string",
            Shape::Bool => "bool",
            Shape::Int32 => "int32",
            Shape::Int64 => "int64",
            Shape::Float64 => "float64",
            Shape::Bytes => "[]uint8",
            Shape::Quantity => "resource.Quantity",
            Shape::IntOrString => "intstr.IntOrString",
            Shape::Time => "v1.Time",
            Shape::MicroTime => "v1.MicroTime",
            Shape::Duration => "v1.Duration",
            _ => "interface {}",
        }
    }
}

/// Where the search for a name begins: its length and three of its letters tell most fields of a type apart.
fn slot(name: &str) -> usize {
    let bytes = name.as_bytes();
    let letter = |at: usize| usize::from(bytes.get(at).copied().unwrap_or_default());
    let (first, middle, last) = (letter(0), letter(bytes.len() / 2), letter(bytes.len().saturating_sub(1)));
    first ^ (middle * 5) ^ (last * 19) ^ (bytes.len() * 67)
}

/// Undoes `%20` and `%25`.
fn plain(text: &'static str) -> Word {
    if text.contains('%') { Word::Owned(text.replace("%20", " ").replace("%25", "%")) } else { Word::Borrowed(text) }
}
