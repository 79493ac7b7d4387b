//! New objects: what was planned of them, and what is there.

use serde_json::{Value, json};

/// Every value that was planned for a new object is there, and nothing else but what the server makes.
pub fn compare(change: &Value, new: &Value) -> Vec<String> {
    let (mut wrong, mut planned) = (Vec::new(), json!({}));
    for field in change["fields"].as_array().into_iter().flatten() {
        let path = field["path"].as_str().unwrap_or_default();
        if field["sensitive"] == true {
            planned["data"] = new["data"].clone();
            continue;
        }
        let pointer = format!("/{}", path.split('[').next().unwrap_or_default().replace('.', "/"));
        let found = match path.split_once('[') {
            Some((_, key)) => new.pointer(&pointer).map(|map| map[key.trim_end_matches(']')].clone()),
            None => new.pointer(&pointer).cloned(),
        };
        let found = found.unwrap_or_default();
        if let Some(line) = lacks(&field["after"], &found) {
            wrong.push(format!("{path}: {line}"));
        }
        put(&mut planned, path, field["after"].clone());
    }
    // What takes another one's place is planned by what differs from it.
    if planned["metadata"]["name"].is_null() {
        more(&planned, new, "", &mut wrong);
    }
    wrong
}

/// Puts a value at a path without lists: `metadata.labels`, `metadata.annotations[a/b]`.
fn put(object: &mut Value, path: &str, value: Value) {
    let (plain, key) =
        path.split_once('[').map_or((path, None), |(plain, key)| (plain, Some(key.trim_end_matches(']'))));
    let mut at = object;
    for step in plain.split('.').chain(key) {
        at = &mut at[step];
    }
    *at = value;
}

/// What the server makes of a new object by itself.
const MADE: [&str; 22] = [
    ".metadata.creationTimestamp",
    ".metadata.generation",
    ".metadata.managedFields",
    ".metadata.name",
    ".metadata.namespace",
    ".metadata.resourceVersion",
    ".metadata.uid",
    ".status",
    ".apiVersion",
    ".kind",
    ".metadata.annotations.deployment.kubernetes.io/revision",
    ".metadata.annotations.deprecated.daemonset.template.generation",
    ".spec.clusterIP",
    ".spec.clusterIPs",
    ".spec.ipFamilies",
    ".spec.ipFamilyPolicy",
    ".spec.ports[].nodePort",
    ".secrets",
    // Of a definition that is served.
    ".spec.conversion",
    ".metadata.finalizers",
    // Of a namespace.
    ".spec.finalizers",
    ".metadata.labels.kubernetes.io/metadata.name",
];

/// Values that are there and were not planned.
fn more(planned: &Value, found: &Value, path: &str, wrong: &mut Vec<String>) {
    match (planned, found) {
        _ if MADE.contains(&path) || found.is_null() => {}
        (planned, Value::Object(fields)) if !planned.is_array() => {
            fields.iter().for_each(|(key, value)| more(&planned[key.as_str()], value, &format!("{path}.{key}"), wrong));
        }
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            items.iter().zip(others).for_each(|(item, other)| more(item, other, &format!("{path}[]"), wrong));
        }
        (Value::Null, found) => wrong.push(format!("{path}: {found} was not planned")),
        _ => {}
    }
}

/// What of a planned value the cluster does not have.
fn lacks(planned: &Value, found: &Value) -> Option<String> {
    match (planned, found) {
        (Value::Object(fields), Value::Object(_)) => {
            fields.iter().find_map(|(key, value)| lacks(value, &found[key]).map(|line| format!("{key}: {line}")))
        }
        (Value::Object(fields), Value::Null) if fields.is_empty() => None,
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            items.iter().zip(others).find_map(|(item, other)| lacks(item, other))
        }
        // Go leaves out what is zero.
        (Value::Bool(false), Value::Null) | (Value::Null, _) => None,
        (Value::String(text), Value::Null) if text.is_empty() => None,
        _ => (planned != found).then(|| format!("planned {planned}, found {found}")),
    }
}
