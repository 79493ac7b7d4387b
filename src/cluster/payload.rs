//! What is sent to the API server for an object.

use serde_json::{Map, Value};

use crate::model::{Bundle, ObjectId};
use crate::yaml::base64;

/// What is sent for `spec.replicas`, which may belong to an autoscaler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replicas {
    #[default]
    AsWritten,
    LeaveOut,
    /// Leaving them out would reset them to 1, since only kplan owns the field: the live number stays.
    Live(i64),
}

/// The object as JSON for server-side apply: as written, with its effective namespace, without what only the server
/// writes (`status`, a `creationTimestamp` of null: leftovers of `kubectl create --dry-run -o yaml`).
///
/// Rules of a role that aggregates others are the controller's.
pub fn payload(bundle: &Bundle, id: ObjectId, replicas: Replicas) -> Value {
    let object = bundle.object(id);
    let mut json: Value = serde_json::from_str(&bundle.written(id).to_json()).unwrap_or_default();
    let Some(fields) = json.as_object_mut() else { return json };
    // Items of a typed list have neither.
    fields.insert("apiVersion".to_owned(), object.api_version.clone().into());
    fields.insert("kind".to_owned(), object.kind.clone().into());
    fields.remove("status");
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        metadata.retain(|key, value| key != "creationTimestamp" || !value.is_null());
        if let Some(namespace) = &object.namespace {
            metadata.insert("namespace".to_owned(), namespace.clone().into());
        } else {
            metadata.remove("namespace");
        }
    }
    if object.group().is_empty() && object.kind == "Secret" {
        store_strings(fields);
    }
    if object.kind == "ClusterRole" && fields.get("aggregationRule").is_some_and(|rule| !rule.is_null()) {
        fields.shift_remove("rules");
    }
    if let Some(spec) = fields.get_mut("spec").and_then(Value::as_object_mut) {
        set_replicas(spec, replicas);
    }
    json
}

/// Leaves out fields that stay with others, named as the API server's conflicts name them.
pub fn leave_out(payload: &mut Value, fields: &[String]) {
    fields.iter().for_each(|field| super::ownership::leave_out(payload, field));
}

/// `stringData` becomes the `data` that the server makes of it: owned as it is stored, so that a key that is taken
/// out of the manifest goes away in the cluster too.
fn store_strings(secret: &mut Map<String, Value>) {
    let Some(Value::Object(strings)) = secret.get("stringData").cloned() else { return };
    let data = secret.entry("data").or_insert_with(|| Value::Object(Map::new()));
    let Some(data) = data.as_object_mut() else { return };
    if !strings.values().all(Value::is_string) {
        // The server says what is wrong with it.
        return;
    }
    for (key, text) in strings {
        data.insert(key, base64::encode(text.as_str().unwrap_or_default().as_bytes()).into());
    }
    secret.remove("stringData");
}

fn set_replicas(spec: &mut Map<String, Value>, replicas: Replicas) {
    match replicas {
        Replicas::AsWritten => {}
        Replicas::LeaveOut => {
            spec.remove("replicas");
        }
        Replicas::Live(number) => {
            spec.insert("replicas".to_owned(), number.into());
        }
    }
}
