//! Changes that make an object differ from its base in one place.

use kplan::schema::{Field, Kind, Schema, Shape, Type};
use serde_json::{Value, json};

use crate::random::Random;
use crate::values::{self, Maker};

/// A way into an object: keys and indices.
pub(crate) type Route = Vec<Step>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// A value in an object and what the schema says of it.
struct Place<'s> {
    route: Route,
    /// The field that holds it, or the list or map that it is an item of.
    field: Option<&'s Field>,
    shape: Option<&'s Shape>,
}

/// Changes an object once; the name of the change.
pub(crate) fn mutate(schema: &Schema, kind: &Kind, object: &mut Value, random: &mut Random) -> &'static str {
    // Some places allow no change of the chosen kind.
    for _ in 0..20 {
        let mut places = Vec::new();
        collect(schema, schema.type_(kind.type_id), object, &mut Vec::new(), &mut places);
        places.retain(|place| !is_identity(&place.route));
        let Some(place) = (!places.is_empty()).then(|| &places[random.below(places.len())]) else {
            return "nothing";
        };
        if let Some(name) = change(schema, kind, object, place, random) {
            return name;
        }
    }
    "nothing"
}

/// What says which kind an object is of: without it nothing can be asked.
fn is_identity(route: &[Step]) -> bool {
    matches!(route, [Step::Key(key)] if key == "apiVersion" || key == "kind")
}

fn collect<'s>(schema: &'s Schema, type_: &'s Type, value: &Value, route: &mut Route, out: &mut Vec<Place<'s>>) {
    for (key, child) in value.as_object().into_iter().flatten() {
        let field = type_.field(key);
        route.push(Step::Key(key.clone()));
        inside(schema, field, field.map(|field| &field.shape), child, route, out);
        route.pop();
    }
}

fn inside<'s>(
    schema: &'s Schema,
    field: Option<&'s Field>,
    shape: Option<&'s Shape>,
    value: &Value,
    route: &mut Route,
    out: &mut Vec<Place<'s>>,
) {
    out.push(Place { route: route.clone(), field, shape });
    match shape {
        Some(Shape::Struct(id)) => collect(schema, schema.type_(*id), value, route, out),
        Some(Shape::List(item)) => {
            for (index, child) in value.as_array().into_iter().flatten().enumerate() {
                route.push(Step::Index(index));
                inside(schema, field, Some(item), child, route, out);
                route.pop();
            }
        }
        Some(Shape::Map(item)) => {
            for (key, child) in value.as_object().into_iter().flatten() {
                route.push(Step::Key(key.clone()));
                inside(schema, field, Some(item), child, route, out);
                route.pop();
            }
        }
        _ => {}
    }
}

/// The value at the end of a route.
pub(crate) fn at_mut<'v>(object: &'v mut Value, route: &[Step]) -> Option<&'v mut Value> {
    route.iter().try_fold(object, |value, step| match step {
        Step::Key(key) => value.get_mut(key.as_str()),
        Step::Index(index) => value.get_mut(*index),
    })
}

/// Takes a value out of the object.
pub(crate) fn remove(object: &mut Value, route: &[Step]) -> Option<Value> {
    let (last, way) = route.split_last()?;
    let parent = at_mut(object, way)?;
    match last {
        Step::Key(key) => parent.as_object_mut()?.shift_remove(key),
        Step::Index(index) => {
            let items = parent.as_array_mut()?;
            (*index < items.len()).then(|| items.remove(*index))
        }
    }
}

fn change(
    schema: &Schema,
    kind: &Kind,
    object: &mut Value,
    place: &Place<'_>,
    random: &mut Random,
) -> Option<&'static str> {
    match random.below(100) {
        0..12 => remove(object, &place.route).map(|_| "delete"),
        12..18 => {
            *at_mut(object, &place.route)? = values::any(random);
            Some("type")
        }
        18..24 => misspell(object, &place.route, random),
        24..58 => bad_value(object, place, random),
        58..66 => duplicate(object, &place.route, random),
        66..69 => {
            *at_mut(object, &place.route)? = Value::Null;
            Some("null")
        }
        69..73 => empty(object, &place.route),
        _ => add(schema, kind, object, place, random),
    }
}

fn misspell(object: &mut Value, route: &[Step], random: &mut Random) -> Option<&'static str> {
    let (Step::Key(key), way) = route.split_last()? else { return None };
    let mut chars: Vec<char> = key.chars().collect();
    let at = random.below(chars.len());
    match random.below(4) {
        0 => chars.insert(at, 'x'),
        1 => chars[at] = if chars[at].is_lowercase() { chars[at].to_ascii_uppercase() } else { 'q' },
        2 if chars.len() > at + 1 => chars.swap(at, at + 1),
        _ => {
            chars.remove(at);
        }
    }
    let parent = at_mut(object, way)?.as_object_mut()?;
    let value = parent.shift_remove(key)?;
    parent.insert(chars.into_iter().collect(), value);
    Some("typo")
}

/// A value of the right type that may not be allowed.
fn bad_value(object: &mut Value, place: &Place<'_>, random: &mut Random) -> Option<&'static str> {
    let value = at_mut(object, &place.route)?;
    let new = match (place.shape?, place.field) {
        (Shape::String | Shape::Any, Some(field)) if random.percent(40) => json!(values::text(random, field)),
        (Shape::String | Shape::Any | Shape::Bytes | Shape::Time | Shape::MicroTime, _) => {
            json!(values::string(random))
        }
        (Shape::Bool, _) => json!(!value.as_bool().unwrap_or_default()),
        (Shape::Int32 | Shape::Int64 | Shape::Float64, _) => values::number(random),
        (Shape::Quantity, _) => values::quantity(random),
        (Shape::IntOrString, _) if random.percent(50) => values::number(random),
        (Shape::IntOrString, _) => json!(values::string(random)),
        (Shape::Map(_), _) => {
            // A key that the format of keys may refuse.
            let entries = value.as_object_mut()?;
            let (old, child) = entries.iter().next().map(|(key, child)| (key.clone(), child.clone()))?;
            if random.percent(50) {
                entries.shift_remove(&old);
            }
            entries.insert(values::string(random), child);
            return Some("key");
        }
        _ => return None,
    };
    if *value == new {
        return None;
    }
    *value = new;
    Some("value")
}

fn duplicate(object: &mut Value, route: &[Step], random: &mut Random) -> Option<&'static str> {
    let (Step::Index(index), way) = route.split_last()? else { return None };
    let items = at_mut(object, way)?.as_array_mut()?;
    let copy = items.get(*index)?.clone();
    let at = if random.percent(50) { items.len() } else { *index };
    items.insert(at, copy);
    Some("duplicate")
}

fn empty(object: &mut Value, route: &[Step]) -> Option<&'static str> {
    let value = at_mut(object, route)?;
    *value = match value {
        Value::Array(items) if !items.is_empty() => json!([]),
        Value::Object(fields) if !fields.is_empty() => json!({}),
        _ => return None,
    };
    Some("empty")
}

/// A field that is not there yet: an option, or one more member of a union; or one more item.
fn add(
    schema: &Schema,
    kind: &Kind,
    object: &mut Value,
    place: &Place<'_>,
    random: &mut Random,
) -> Option<&'static str> {
    let maker = Maker { schema };
    let target = at_mut(object, &place.route)?;
    match place.shape {
        Some(Shape::List(item)) if random.percent(60) => {
            let items = target.as_array_mut()?;
            let made = maker.field(random, place.field?, 1);
            let made = if matches!(**item, Shape::List(_)) { made } else { made.get(0)?.clone() };
            items.push(made);
            Some("item")
        }
        Some(Shape::Struct(id)) => add_field(&maker, schema.type_(*id), target, random),
        // A scalar: its neighbours are meant.
        _ => {
            let way = &place.route[..place.route.len().checked_sub(1)?];
            let type_ = type_at(schema, kind, way)?;
            add_field(&maker, type_, at_mut(object, way)?, random)
        }
    }
}

fn add_field(maker: &Maker<'_>, type_: &Type, target: &mut Value, random: &mut Random) -> Option<&'static str> {
    let fields = target.as_object_mut()?;
    let absent: Vec<&Field> = type_.fields.iter().filter(|field| !fields.contains_key(field.name.as_ref())).collect();
    let field = *absent.get(random.below(absent.len()))?;
    fields.insert(field.name.to_string(), maker.field(random, field, 1));
    Some("field")
}

/// The struct at the end of a route.
fn type_at<'s>(schema: &'s Schema, kind: &Kind, route: &[Step]) -> Option<&'s Type> {
    let mut type_ = schema.type_(kind.type_id);
    let mut shape: Option<&Shape> = None;
    for step in route {
        shape = Some(match (shape, step) {
            (None | Some(Shape::Struct(_)), Step::Key(key)) => {
                if let Some(Shape::Struct(id)) = shape {
                    type_ = schema.type_(*id);
                }
                &type_.field(key)?.shape
            }
            (Some(Shape::List(item)), Step::Index(_)) | (Some(Shape::Map(item)), Step::Key(_)) => item,
            _ => return None,
        });
    }
    match shape {
        None => Some(type_),
        Some(Shape::Struct(id)) => Some(schema.type_(*id)),
        _ => None,
    }
}
