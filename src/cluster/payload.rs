//! What is sent to the API server for an object.

use serde_json::{Map, Value};

use crate::model::{Bundle, ObjectId};

/// What the request for one object changes of what is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adjust {
    /// The replicas belong to an autoscaler: left out, or what the cluster has now.
    pub replicas: Replicas,
}

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
pub fn payload(bundle: &Bundle, id: ObjectId, adjust: &Adjust) -> Value {
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
    if let Some(spec) = fields.get_mut("spec").and_then(Value::as_object_mut) {
        set_replicas(spec, adjust.replicas);
    }
    json
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
