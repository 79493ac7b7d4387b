//! What the schema says of the place where the comparing walk stands.

use crate::model::quantity::Quantity;
use crate::schema::{Field, ListType, Schema, Shape, TypeId};
use crate::yaml::{Value, View};

/// Type of `metadata`, also of kinds that no schema is known of.
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const ATOMIC: &ListType = &ListType::Atomic;

#[derive(Clone, Copy, Debug)]
enum Node<'s> {
    Struct(TypeId),
    Shape(&'s Shape),
    Unknown,
}

/// A field, list item or map value, as far as the schema knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'s> {
    schema: Option<&'s Schema>,
    node: Node<'s>,
    /// The struct field that stands here; none for items and map values.
    field: Option<&'s Field>,
    /// Changes as a whole.
    atomic: bool,
    /// The top of an object.
    root: bool,
}

impl<'s> Place<'s> {
    /// The root of an object; a removed version is looked at as the one that replaced it.
    pub(super) fn of(schema: Option<&'s Schema>, api_version: &str, kind: &str) -> Place<'s> {
        let known = schema.and_then(|schema| schema.stands_for(api_version, kind));
        let node = known.map_or(Node::Unknown, |kind| Node::Struct(kind.type_id));
        Place { schema, node, field: None, atomic: false, root: true }
    }

    fn at(self, node: Node<'s>, field: Option<&'s Field>, atomic: bool) -> Place<'s> {
        Place { schema: self.schema, node, field, atomic, root: false }
    }

    pub(super) fn is_root(self) -> bool {
        self.root
    }

    /// The value of a key.
    pub(super) fn child(self, key: &str) -> Place<'s> {
        if self.root && key == "metadata" {
            return self.at(self.meta().map_or(Node::Unknown, Node::Struct), None, false);
        }
        match (self.schema, self.node) {
            (Some(schema), Node::Struct(id)) => match schema.type_(id).field(key) {
                Some(field) => {
                    let atomic = field.atomic_map && !matches!(field.shape, Shape::List(_));
                    self.at(node(&field.shape), Some(field), atomic)
                }
                None => self.at(Node::Unknown, None, false),
            },
            (_, Node::Shape(Shape::Map(value))) => self.at(node(value), None, false),
            _ => self.at(Node::Unknown, None, false),
        }
    }

    /// An item of a list.
    pub(super) fn item(self) -> Place<'s> {
        match self.node {
            Node::Shape(Shape::List(item)) => {
                self.at(node(item), None, self.field.is_some_and(|field| field.atomic_map))
            }
            _ => self.at(Node::Unknown, None, false),
        }
    }

    /// How two versions of this list merge; lists that nothing is known of change as a whole.
    pub(super) fn list(self) -> &'s ListType {
        self.field.and_then(|field| field.list.as_ref()).unwrap_or(ATOMIC)
    }

    pub(super) fn is_atomic(self) -> bool {
        self.atomic
    }

    /// The default of a field of this struct, where it is plain text: the missing part of a list key.
    pub(super) fn default_text(self, key: &str) -> Option<&'s str> {
        let (Some(schema), Node::Struct(id)) = (self.schema, self.node) else { return None };
        schema.type_(id).field(key)?.default.as_deref().map(|json| json.trim_matches('"'))
    }

    fn meta(self) -> Option<TypeId> {
        self.schema?.type_id(OBJECT_META)
    }

    /// Whether a key is written by the server alone, so that it never differs: `status` and the type of an object,
    /// also inside claim templates, and what the server keeps in `metadata`.
    pub(super) fn is_server_owned(self, key: &str) -> bool {
        const META: [&str; 9] = [
            "creationTimestamp",
            "deletionGracePeriodSeconds",
            "deletionTimestamp",
            "generation",
            "managedFields",
            "remainingItemCount",
            "resourceVersion",
            "selfLink",
            "uid",
        ];
        const WRITTEN_BY_CONTROLLERS: [&str; 4] = [
            // In snapshots, on Secrets.
            "kplan.dev/values",
            "kubectl.kubernetes.io/last-applied-configuration",
            "deployment.kubernetes.io/revision",
            "deprecated.daemonset.template.generation",
        ];
        if WRITTEN_BY_CONTROLLERS.contains(&key) {
            return true;
        }
        let (Some(schema), Node::Struct(id)) = (self.schema, self.node) else {
            return self.root && ["apiVersion", "kind", "status"].contains(&key);
        };
        if Some(id) == self.meta() {
            return META.contains(&key);
        }
        let is_object = self.root || schema.type_(id).field("metadata").is_some();
        is_object
            && (key == "status" || schema.type_(id).field("kind").is_some() && ["apiVersion", "kind"].contains(&key))
    }

    /// Whether Go's zero value stands here, which the API server stores like an absent field.
    pub(super) fn is_zero(self, view: View<'_>) -> bool {
        if view.is_null() {
            return true;
        }
        let pointer = self.field.is_some_and(|field| field.pointer);
        match (self.node, view.value()) {
            (Node::Shape(Shape::List(_) | Shape::Map(_)), Value::Seq(_) | Value::Map(_)) if self.field.is_some() => {
                view.items().len() == 0 && view.fields().all(|(key, _)| self.is_server_owned(key))
            }
            (Node::Struct(_), Value::Map(_)) if self.field.is_some() && !pointer || self.root => {
                view.fields().all(|(key, value)| self.child(key).is_zero(value))
            }
            (Node::Shape(shape), _) if self.field.is_some() && !pointer => is_zero_scalar(shape, view),
            _ => false,
        }
    }

    /// Whether two scalars mean the same: quantities by value, `1` as `1.0`.
    pub(super) fn same_scalar(self, a: View<'_>, b: View<'_>) -> bool {
        if a.same(b) {
            return true;
        }
        match self.node {
            Node::Shape(Shape::Quantity) => match (quantity(a), quantity(b)) {
                (Some(a), Some(b)) => a == b,
                _ => false,
            },
            _ => false,
        }
    }
}

fn node(shape: &Shape) -> Node<'_> {
    match shape {
        Shape::Struct(id) | Shape::SchemaOrBool(id) | Shape::SchemaOrList(id) | Shape::SchemaOrStrings(id) => {
            Node::Struct(*id)
        }
        other => Node::Shape(other),
    }
}

fn is_zero_scalar(shape: &Shape, view: View<'_>) -> bool {
    match view.value() {
        Value::Bool(value) => !value,
        Value::Int(_) | Value::Float(_) => view.int() == Some(0),
        Value::Str(_) if *shape == Shape::Quantity => quantity(view).is_some_and(|quantity| quantity.is_zero()),
        Value::Str(_) => view.str() == Some(""),
        _ => false,
    }
}

fn quantity(view: View<'_>) -> Option<Quantity> {
    match view.str() {
        Some(text) => Quantity::parse_json(text).ok(),
        None => Quantity::parse_json(&view.to_json()).ok(),
    }
}
