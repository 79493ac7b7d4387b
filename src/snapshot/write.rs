//! Making a snapshot of the objects that a cluster gave: the same state gives the same bytes.

use serde_json::{Map, Value, json};

use super::{About, CONTEXT, KUBE_VERSION, OBJECTS, SNAPSHOT, TAKEN, UNREAD, VALUES, VERSION};

/// A snapshot as text, an object a line, in the order of group, kind, namespace and name. Secret values, and what only
/// the server keeps, are left out.
pub fn document(mut objects: Vec<Value>, about: &About) -> String {
    objects.iter_mut().for_each(strip);
    list(objects, about)
}

/// The list with its annotations; objects without what the server alone keeps.
pub(super) fn list(mut objects: Vec<Value>, about: &About) -> String {
    objects.iter_mut().for_each(strip_bookkeeping);
    objects.sort_by_cached_key(key);
    let mut unread = about.unread.clone();
    unread.sort();
    let annotations = json!({
        SNAPSHOT: VERSION,
        KUBE_VERSION: about.kube_version,
        TAKEN: about.taken,
        CONTEXT: about.context,
        OBJECTS: objects.len().to_string(),
        UNREAD: json!(unread).to_string(),
    });
    let lines: Vec<String> = objects.iter().map(Value::to_string).collect();
    format!(
        "{{\"apiVersion\":\"v1\",\"kind\":\"List\",\"metadata\":{{\"annotations\":{annotations}}},\"items\":[\n{}\n]}}\n",
        lines.join(",\n")
    )
}

fn key(object: &Value) -> [String; 4] {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let version = text("/apiVersion");
    let group = version.split_once('/').map_or("", |(group, _)| group).to_owned();
    [group, text("/kind"), text("/metadata/namespace"), text("/metadata/name")]
}

/// Takes out of an object what a snapshot does not hold: secret values, their copies in annotations, and the server's
/// bookkeeping.
pub fn strip(object: &mut Value) {
    strip_bookkeeping(object);
    if object["kind"] == "Secret" && object["apiVersion"] == "v1" {
        strip_values(object);
    }
}

/// Managed fields, versions and heartbeats, which change while the state does not; and the copy of the object that
/// `kubectl apply` keeps.
fn strip_bookkeeping(object: &mut Value) {
    const META: [&str; 3] = ["managedFields", "resourceVersion", "selfLink"];
    if let Some(metadata) = map(object, "/metadata") {
        META.iter().for_each(|key| drop(metadata.shift_remove(*key)));
    }
    if let Some(annotations) = map(object, "/metadata/annotations") {
        annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    let conditions = object.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten().filter_map(Value::as_object_mut) {
        condition.shift_remove("lastHeartbeatTime");
    }
}

fn strip_values(secret: &mut Value) {
    let mut values = Vec::new();
    for field in ["/data", "/stringData"] {
        for (_, value) in map(secret, field).into_iter().flatten() {
            let text = std::mem::replace(value, Value::from(""));
            values.extend(text.as_str().filter(|text| !text.is_empty()).map(str::to_owned));
        }
    }
    let Some(metadata) = map(secret, "/metadata") else { return };
    if !metadata.get("annotations").is_some_and(Value::is_object) {
        metadata.insert("annotations".to_owned(), json!({}));
    }
    if let Some(annotations) = map(secret, "/metadata/annotations") {
        // Tools keep copies of the object there, as JSON or with a value in it.
        annotations.retain(|_, annotation| {
            let text = annotation.as_str().unwrap_or_default();
            !text.trim_start().starts_with(['{', '[']) && !values.iter().any(|value| text.contains(value.as_str()))
        });
        annotations.insert(VALUES.to_owned(), Value::from("removed"));
    }
}

fn map<'a>(value: &'a mut Value, pointer: &str) -> Option<&'a mut Map<String, Value>> {
    value.pointer_mut(pointer).and_then(Value::as_object_mut)
}
