//! What kplan says of the rollouts that a set starts in a cluster, and how that is held against what the controllers did.
// Test programs use a part of it.
#![allow(dead_code)]

use std::path::Path;

use serde_json::{Value, json};

use crate::support;

pub fn list(items: Vec<Value>) -> String {
    json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()
}

/// A snapshot of these objects.
pub fn snapshot(items: Vec<Value>) -> String {
    let annotations = json!({ "kplan.dev/snapshot": "v1", "kplan.dev/kube-version": "v1.36.3",
        "kplan.dev/taken": "2026-11-26T00:00:00Z", "kplan.dev/context": "kplan-test",
        "kplan.dev/objects": items.len().to_string(), "kplan.dev/unread": "[]" });
    json!({ "apiVersion": "v1", "kind": "List", "metadata": { "annotations": annotations }, "items": items })
        .to_string()
}

/// What `kplan simulate` says of the rollouts that a set starts in the cluster of a snapshot.
pub fn said(folder: &Path, live: &str, new: &[Value]) -> Result<Value, String> {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).map_err(|error| error.to_string());
    write("new.json", &list(new.to_vec()))?;
    write("snapshot.json", live)?;
    let arguments = ["simulate", "new.json", "--snapshot", "snapshot.json", "--output", "json"];
    Ok(support::kplan(folder, &arguments).report()?["placement"]["rollouts"].clone())
}

/// Why a pod was not created, without its name.
pub fn refusal(message: &str) -> Option<String> {
    message.split_once(" is forbidden: ").map(|(_, why)| why.to_owned())
}

/// Where kplan and the real ones differ. Where workloads race for the same room, either order will do.
pub fn differences(row: &Value) -> Vec<String> {
    let said = row["said"].as_array().into_iter().flatten();
    said.map(|said| differences_of(said, row))
        .min_by_key(Vec::len)
        .unwrap_or_else(|| vec!["kplan says nothing".to_owned()])
}

fn differences_of(said: &Value, row: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for real in row["real"].as_array().into_iter().flatten() {
        let is_it = |said: &&Value| said["owner"] == real["owner"] && said["namespace"] == real["namespace"];
        let owner = &real["owner"];
        let Some(said) = said.as_array().into_iter().flatten().find(is_it) else {
            // Nothing is replaced by itself.
            if real["replaced"] == true {
                wrong.push(format!("{owner}: kplan knows no rollout, pods were replaced"));
            }
            continue;
        };
        for key in ["fits", "lowestReady"] {
            if said[key] != real[key] {
                wrong.push(format!("{owner}: {key} is {}, kplan says {}", real[key], said[key]));
            }
        }
        let messages: Vec<&str> = real["messages"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let whole = said["stalls"]["message"].as_str().unwrap_or_default();
        let message = refusal(whole).unwrap_or_else(|| whole.to_owned());
        // A StatefulSet says nothing of what it waits for; a DaemonSet or StatefulSet tells refusals in events alone.
        let is_quoted = message.contains("nodes are available") || whole != message && real["kind"] == "Deployment";
        if is_quoted && !messages.contains(&message.as_str()) || !is_quoted && real["newWaits"] == true {
            wrong.push(format!("{owner}: the real ones say {messages:?}\n   kplan says {message:?}"));
        }
    }
    wrong
}
