//! The lines of a type's fields: ` NAME SHAPE [ATTRIBUTE...]`.
//!
//! A shape is `string`, `bool`, `int32`, `int64`, `float64`, `bytes`,
//! `quantity`, `intorstring`, `time`, `microtime`, `duration`, `any`, `&TYPE`,
//! `[]SHAPE` or `map:SHAPE` (string keys); a `*` in front says that the Go
//! field is a pointer. The attributes, each only where it says something:
//!
//! - `required`: OpenAPI lists it so
//! - `go=`: the Go type, where the shape does not give it away
//! - `embedded=`: the embedded Go structs on the way to the field
//! - `enum=`: the values allowed, of the innermost element
//! - `default=`: compact JSON
//! - `list=`: `atomic`, `set` or `map:KEY,...`
//! - `map=`: `atomic` or `granular`, of the field or of the struct it leads to
//! - `patch=`: the strategies of a strategic merge patch and their key
//! - `format=`: of a string, where the shape does not imply it
//! - `union=`: `DISCRIMINATOR:VALUE`, the value that goes with this field
//!
//! Nothing in a line holds a space: in values it is `%20`, and `%` is `%25`.

use serde_json::Value;

use super::go::{Facts, Field, Type};
use super::openapi::Server;

/// All field lines of a type, by name.
pub(super) fn lines(go: &Facts, server: &Server, id: &str, described: &Type) -> Result<Vec<String>, String> {
    let definition = server.definitions.get(id).ok_or_else(|| format!("OpenAPI has no definition {id}"))?;
    same_fields(id, described, definition)?;
    let mut fields: Vec<&Field> = described.fields.iter().collect();
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(fields.into_iter().map(|field| line(go, server, definition, field)).collect())
}

/// The two sources must agree on the names, or one of them is another version.
fn same_fields(id: &str, described: &Type, definition: &Value) -> Result<(), String> {
    let known = |name: &str| described.fields.iter().any(|field| field.name == name);
    let documented = &definition["properties"];
    if let Some(field) = described.fields.iter().find(|field| documented.get(&field.name).is_none()) {
        return Err(format!("OpenAPI has no field {} in {id}", field.name));
    }
    match documented.as_object().and_then(|all| all.keys().find(|name| !known(name))) {
        Some(name) => Err(format!("the Go facts have no field {name} in {id}")),
        None => Ok(()),
    }
}

fn line(go: &Facts, server: &Server, definition: &Value, field: &Field) -> String {
    let property = &definition["properties"][&field.name];
    let pointer = if field.pointer { "*" } else { "" };
    let mut words = vec![field.name.clone(), format!("{pointer}{}", field.shape)];
    if has(&definition["required"], &field.name) {
        words.push("required".to_owned());
    }
    let mut attribute = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            words.push(format!("{name}={}", encode(&value)));
        }
    };
    let obvious = obvious_go(go, &field.shape);
    attribute("go", (field.go != obvious).then(|| field.go.clone()));
    let embedded = field.embedded.join(".");
    attribute("embedded", (!embedded.is_empty()).then_some(embedded));
    attribute("enum", enumeration(property));
    attribute("default", default(property));
    attribute("list", list(property));
    attribute("map", map(server, property));
    attribute("patch", patch(property));
    attribute("format", format(property, &field.shape));
    attribute("union", union(definition, &field.name));
    format!(" {}", words.join(" "))
}

fn has(list: &Value, name: &str) -> bool {
    list.as_array().is_some_and(|list| list.iter().any(|value| value == name))
}

fn encode(value: &str) -> String {
    value.replace('%', "%25").replace(' ', "%20").replace('\n', "%0A")
}

/// The Go type that a reader of the shape would guess; none for `any`.
fn obvious_go(go: &Facts, shape: &str) -> String {
    if let Some(element) = shape.strip_prefix("[]") {
        return format!("[]{}", obvious_go(go, element));
    }
    if let Some(element) = shape.strip_prefix("map:") {
        return format!("map[string]{}", obvious_go(go, element));
    }
    if let Some(id) = shape.strip_prefix('&') {
        return go.types.get(id).map_or_else(String::new, |t| t.go.clone());
    }
    match shape {
        "bytes" => "[]uint8",
        "quantity" => "resource.Quantity",
        "intorstring" => "intstr.IntOrString",
        "time" => "v1.Time",
        "microtime" => "v1.MicroTime",
        "duration" => "v1.Duration",
        "any" => "",
        plain => plain,
    }
    .to_owned()
}

/// A property and, inside lists and maps, its elements.
fn layers(property: &Value) -> Vec<&Value> {
    let mut layers = vec![property];
    let mut inner = property;
    while let Some(element) = inner.get("items").or_else(|| inner.get("additionalProperties")) {
        layers.push(element);
        inner = element;
    }
    layers
}

fn enumeration(property: &Value) -> Option<String> {
    let values = layers(property).into_iter().find_map(|layer| layer["enum"].as_array())?;
    let word = |value: &Value| match value.as_str() {
        Some("") => "\"\"".to_owned(),
        Some(text) => text.to_owned(),
        None => value.to_string(),
    };
    Some(values.iter().map(word).collect::<Vec<_>>().join(","))
}

fn default(property: &Value) -> Option<String> {
    let value = property.get("default")?;
    let says_nothing = value.as_object().is_some_and(serde_json::Map::is_empty) || value.as_str() == Some("");
    (!says_nothing).then(|| value.to_string())
}

fn list(property: &Value) -> Option<String> {
    match property["x-kubernetes-list-type"].as_str()? {
        "map" => {
            let keys = property["x-kubernetes-list-map-keys"].as_array()?;
            let keys: Vec<&str> = keys.iter().filter_map(Value::as_str).collect();
            Some(format!("map:{}", keys.join(",")))
        }
        other => Some(other.to_owned()),
    }
}

fn map(server: &Server, property: &Value) -> Option<String> {
    const MARK: &str = "x-kubernetes-map-type";
    let own = property[MARK].as_str();
    let target = || {
        let name = layers(property).into_iter().find_map(reference)?;
        server.definitions.get(name)?[MARK].as_str()
    };
    own.or_else(target).map(str::to_owned)
}

/// The definition that a property refers to.
fn reference(property: &Value) -> Option<&str> {
    let direct = property["$ref"].as_str();
    direct.or_else(|| property["allOf"][0]["$ref"].as_str())?.rsplit('/').next()
}

fn patch(property: &Value) -> Option<String> {
    let strategy = property["x-kubernetes-patch-strategy"].as_str()?;
    match property["x-kubernetes-patch-merge-key"].as_str() {
        Some(key) => Some(format!("{strategy}:{key}")),
        None => Some(strategy.to_owned()),
    }
}

fn format(property: &Value, shape: &str) -> Option<String> {
    let innermost = *layers(property).last()?;
    let is_text = innermost["type"] == "string" && shape.ends_with("string");
    let format = innermost["format"].as_str()?;
    is_text.then(|| format.to_owned())
}

/// `x-kubernetes-unions` tells, per member, the value of the discriminator.
fn union(definition: &Value, name: &str) -> Option<String> {
    let unions = definition["x-kubernetes-unions"].as_array()?;
    unions.iter().find_map(|union| {
        let value = union["fields-to-discriminateBy"].get(name)?.as_str()?;
        let discriminator = union["discriminator"].as_str().unwrap_or_default();
        Some(format!("{discriminator}:{value}"))
    })
}
