//! Objects that need no dry run: the server's own record (`metadata.managedFields`) says that kplan applied exactly
//! these fields, and they still have these values. Server-side apply of the same would change nothing.

use serde_json::{Map, Value};

/// Whether apply of `payload` over `live` changes nothing. False where that is not certain.
pub(super) fn is_settled(payload: &Value, live: &Value) -> bool {
    let entries = live["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ours = |entry: &&Value| {
        entry["manager"] == "kplan"
            && entry["operation"] == "Apply"
            && entry["apiVersion"] == payload["apiVersion"]
            && entry["subresource"].is_null()
    };
    let Some(owned) = entries.iter().find(ours).map(|entry| &entry["fieldsV1"]) else { return false };
    let mut payload = payload.clone();
    let Some(fields) = payload.as_object_mut() else { return false };
    // What names the object is not owned.
    fields.remove("apiVersion");
    fields.remove("kind");
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("name");
        metadata.remove("namespace");
        if metadata.is_empty() {
            fields.remove("metadata");
        }
    }
    same(&payload, owned, live)
}

/// A value, what of it is owned (`fieldpath/serialize.go` of structured-merge-diff), and the live value.
fn same(payload: &Value, owned: &Value, live: &Value) -> bool {
    let Some(children) = owned.as_object() else { return false };
    let inner = children.keys().filter(|key| *key != ".").count();
    match payload {
        _ if inner == 0 => holds(payload, live),
        Value::Object(fields) => {
            fields.len() == inner && fields.iter().all(|(key, value)| field(key, value, children, live))
        }
        Value::Array(items) => {
            let steps = children.iter().filter(|(step, _)| *step != ".");
            let places: Option<Vec<_>> = steps.map(|(step, owned)| item(step, owned, items, live)).collect();
            items.len() == inner && places.is_some_and(in_order)
        }
        _ => false,
    }
}

fn field(key: &str, value: &Value, children: &Map<String, Value>, live: &Value) -> bool {
    let owned = children.get(&format!("f:{key}"));
    owned.is_some_and(|owned| same(value, owned, &live[key]))
}

/// Whether the items stand in the live list in the order in which they are written, which apply restores.
fn in_order(mut places: Vec<(usize, usize)>) -> bool {
    places.sort_unstable();
    places.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1)
}

/// `k:{"name":"a"}` or `v:"a"`: where the item stands in what is written and in the live list, if it is the same.
fn item(step: &str, owned: &Value, items: &[Value], live: &Value) -> Option<(usize, usize)> {
    let live = live.as_array().map(Vec::as_slice).unwrap_or_default();
    if let Some(value) = step.strip_prefix("v:").and_then(|json| serde_json::from_str::<Value>(json).ok()) {
        let place = |list: &[Value]| list.iter().position(|item| *item == value);
        return place(items).zip(place(live));
    }
    let keys = step.strip_prefix("k:").and_then(|json| serde_json::from_str::<Map<String, Value>>(json).ok())?;
    // A part of the key that is not written has its default.
    let named = |item: &Value| keys.iter().all(|(key, value)| item[key] == *value || item[key].is_null());
    let exact = |item: &Value| keys.iter().all(|(key, value)| item[key] == *value);
    let mut candidates = items.iter().enumerate().filter(|(_, item)| named(item));
    let (written, there) = (candidates.next()?, live.iter().position(exact)?);
    let same = candidates.next().is_none() && keyed(written.1, &keys, owned, &live[there]);
    same.then_some((written.0, there))
}

/// An item of a list; the parts of its key are owned whether they are written or not.
fn keyed(item: &Value, keys: &Map<String, Value>, owned: &Value, live: &Value) -> bool {
    let mut item = item.clone();
    if let Some(fields) = item.as_object_mut() {
        for (key, value) in keys {
            let is_owned = owned.get(format!("f:{key}")).is_some();
            if is_owned && !fields.contains_key(key) {
                fields.insert(key.clone(), value.clone());
            }
        }
    }
    same(&item, owned, live)
}

/// Whether a value that is owned as a whole stands in the live one; the server may have filled in defaults.
fn holds(payload: &Value, live: &Value) -> bool {
    match (payload, live) {
        (Value::Null, _) => false,
        (Value::Object(fields), Value::Object(_)) => fields.iter().all(|(key, value)| holds(value, &live[key])),
        (Value::Object(fields), Value::Null) => fields.is_empty(),
        (Value::Array(items), Value::Array(live)) => {
            items.len() == live.len() && items.iter().zip(live).all(|(item, live)| holds(item, live))
        }
        _ => payload == live,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A Deployment as a 1.36.3 API server stores it after kplan's apply, cut to what matters here.
    fn live() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "labels": {"a": "b"}, "managedFields": [
                {"manager": "kplan", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": {
                    "f:metadata": {"f:labels": {"f:a": {}}},
                    "f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": {"f:spec": {
                        "f:tolerations": {},
                        "f:containers": {"k:{\"name\":\"main\"}": {".": {}, "f:name": {}, "f:image": {}, "f:ports": {
                            "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}}}}}}}},
                {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status"}]},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "paused": false, "template": {"spec": {
                "tolerations": [{"key": "k", "operator": "Exists"}],
                "containers": [{"name": "main", "image": "i:1", "imagePullPolicy": "IfNotPresent",
                    "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}}}})
    }

    fn payload() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "default", "labels": {"a": "b"}},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {
                "tolerations": [{"key": "k", "operator": "Exists"}],
                "containers": [{"name": "main", "image": "i:1", "ports": [{"containerPort": 80}]}]}}}})
    }

    #[test]
    fn what_was_applied_before_is_settled() {
        assert!(is_settled(&payload(), &live()));
    }

    #[test]
    fn another_order_asks_the_server() {
        let env = |names: [&str; 2]| json!(names.map(|name| json!({"name": name})));
        let owned =
            json!({"k:{\"name\":\"A\"}": {".": {}, "f:name": {}}, "k:{\"name\":\"B\"}": {".": {}, "f:name": {}}});
        assert!(same(&env(["A", "B"]), &owned, &json!([{"name": "A"}, {"name": "other"}, {"name": "B"}])));
        assert!(!same(&env(["B", "A"]), &owned, &env(["A", "B"])));
        let owned = json!({"v:\"a\"": {}, "v:\"b\"": {}});
        assert!(same(&json!(["a", "b"]), &owned, &json!(["a", "b", "c"])));
        assert!(!same(&json!(["b", "a"]), &owned, &json!(["a", "b", "c"])));
    }

    #[test]
    fn any_difference_asks_the_server() {
        let changes: [(&str, Value); 7] = [
            ("/spec/replicas", json!(3)),
            ("/spec/selector/matchLabels", json!({"a": "b", "c": "d"})),
            ("/metadata/labels", json!({"a": "b", "c": "d"})),
            ("/spec/template/spec/tolerations", json!([])),
            ("/spec/template/spec/tolerations/0/key", json!(null)),
            ("/spec/template/spec/containers/0/image", json!("i:2")),
            ("/spec/template/spec/containers/0/ports", json!([{"containerPort": 81}])),
        ];
        for (pointer, value) in changes {
            let (mut wanted, mut stored) = (payload(), live());
            *wanted.pointer_mut(pointer).unwrap() = value.clone();
            assert!(!is_settled(&wanted, &live()), "{pointer}");
            // The same, changed in the cluster; what others add beside our labels is no difference.
            if !value.is_null() && !value.is_object() {
                *stored.pointer_mut(pointer).unwrap() = value;
                assert!(!is_settled(&payload(), &stored), "{pointer}");
            }
        }
        let mut bare = payload();
        bare["metadata"]["labels"] = json!({});
        assert!(!is_settled(&bare, &live()));
        let mut removed = payload();
        removed["spec"].as_object_mut().unwrap().remove("replicas");
        assert!(!is_settled(&removed, &live()));
        let mut added = payload();
        added["spec"]["paused"] = json!(false);
        assert!(!is_settled(&added, &live()));
        let mut stolen = live();
        stolen["metadata"]["managedFields"][0]["manager"] = json!("other");
        assert!(!is_settled(&payload(), &stolen));
    }
}
