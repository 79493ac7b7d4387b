//! Values of the API server's internal types as Go prints them: names of the Go fields, all of them, in their order.
//!
//! `pkg/apis/core/types.go`, kept as a table in `internal.facts`; differences: apimachinery `pkg/util/diff/diff.go`
//! (Kubernetes 1.36).

use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::errors::html_escape;
use super::meta::label_selector_json;
use super::obj::Obj;

/// One field: its Go name, its JSON name (`^` where it stands in the parent), its type.
type Field = (&'static str, &'static str, &'static str);

fn types() -> &'static HashMap<&'static str, Vec<Field>> {
    static TYPES: OnceLock<HashMap<&'static str, Vec<Field>>> = OnceLock::new();
    TYPES.get_or_init(|| {
        let mut types: HashMap<&'static str, Vec<Field>> = HashMap::new();
        let mut current = "";
        for line in include_str!("internal.facts").lines().filter(|line| !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix("type ") {
                current = name;
                continue;
            }
            let mut words = line.split(' ');
            if let (Some(go), Some(json), Some(kind)) = (words.next(), words.next(), words.next()) {
                types.entry(current).or_default().push((go, json, kind));
            }
        }
        types
    })
}

/// One line, as in `Invalid value: {…}`.
pub(super) fn json(kind: &str, value: Obj) -> String {
    html_escape(&tree(kind, value, Obj::NONE).to_string())
}

/// `diff.Diff`: a unified diff of both sides over indented JSON, three lines around each change.
pub(super) fn diff(kind: &str, old: &Value, new: &Value) -> String {
    debug_assert!(types().contains_key(kind));
    similar::TextDiff::from_lines(pretty(old), pretty(new)).unified_diff().context_radius(3).to_string()
}

fn pretty(value: &Value) -> String {
    let mut bytes = Vec::new();
    let indent = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, indent);
    // Writing plain values to memory does not fail.
    let _ = serde::Serialize::serialize(value, &mut serializer);
    html_escape(&String::from_utf8_lossy(&bytes)) + "\n"
}

/// The value as Go sees it; `parent` is where fields with `^` stand.
pub(super) fn tree(kind: &str, value: Obj, parent: Obj) -> Value {
    if let Some(inner) = kind.strip_prefix('?') {
        return if value.has() { tree(inner, value, parent) } else { Value::Null };
    }
    if let Some(inner) = kind.strip_prefix("[]") {
        let items: Vec<Value> = value.items().map(|item| tree(inner, item, Obj::NONE)).collect();
        return if value.has() { Value::Array(items) } else { Value::Null };
    }
    if let Some(inner) = kind.strip_prefix("{}") {
        let entries = value.entries().into_iter();
        let map: Map<String, Value> =
            entries.map(|(key, value)| (key.to_owned(), tree(inner, value, Obj::NONE))).collect();
        return if value.has() { Value::Object(map) } else { Value::Null };
    }
    match kind {
        "string" | "time" => Value::from(value.text()),
        "bool" => Value::from(value.0.and_then(crate::yaml::View::bool).unwrap_or(false)),
        "int" => Value::from(value.number()),
        "quantity" => Value::from(value.quantity().canonical()),
        "=selector" => parsed(&label_selector_json(value)),
        "bytes" => {
            if value.has() {
                parsed(&value.json())
            } else {
                Value::Null
            }
        }
        "intstr" => {
            if value.has() {
                parsed(&value.json())
            } else {
                Value::from(0)
            }
        }
        _ => structure(kind, value, parent),
    }
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or(Value::Null)
}

fn structure(kind: &str, value: Obj, parent: Obj) -> Value {
    let mut map = Map::new();
    for (go, name, inner) in types().get(kind).into_iter().flatten() {
        if *inner == "meta" {
            meta(&mut map, value.at(name));
            continue;
        }
        let (from, name) = name.strip_prefix('^').map_or((value, *name), |name| (parent, name));
        map.insert((*go).to_owned(), tree(inner, from.at(name), value));
    }
    Value::Object(map)
}

/// An embedded `ObjectMeta`: it has JSON names and leaves out what is empty.
fn meta(map: &mut Map<String, Value>, meta: Obj) {
    for key in ["name", "generateName", "namespace"] {
        if !meta.str(key).is_empty() {
            map.insert(key.to_owned(), Value::from(meta.str(key)));
        }
    }
    for key in ["labels", "annotations"] {
        if meta.len(key) > 0 {
            map.insert(key.to_owned(), tree("{}string", meta.at(key), Obj::NONE));
        }
    }
    if meta.len("finalizers") > 0 {
        map.insert("finalizers".to_owned(), parsed(&meta.at("finalizers").json()));
    }
}
