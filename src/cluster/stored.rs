//! What the server stores otherwise than it is written: it fills in much, but changes no value by itself. What does is
//! admission, and a plan that only shows the result leaves its reader without the reason.

use serde_json::Value;

use crate::model::quantity::Quantity;

/// Paths, as conflicts name them, of what was applied and is another value then. Fields that the server fills in, and
/// other forms of the same number or quantity, are none.
pub(super) fn otherwise(payload: &Value, stored: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (key, written) in payload.as_object().into_iter().flatten() {
        match key.as_str() {
            "apiVersion" | "kind" | "status" => {}
            "metadata" => ["annotations", "labels"].into_iter().for_each(|map| {
                walk(&written[map], &stored["metadata"][map], &format!(".metadata.{map}"), &mut found);
            }),
            _ => walk(written, &stored[key], &format!(".{key}"), &mut found),
        }
    }
    found
}

fn walk(written: &Value, stored: &Value, path: &str, found: &mut Vec<String>) {
    match (written, stored) {
        (Value::Object(fields), Value::Object(stored)) => {
            for (key, value) in fields {
                walk(value, stored.get(key).unwrap_or(&Value::Null), &format!("{path}.{key}"), found);
            }
        }
        (Value::Array(items), Value::Array(stored)) => list(items, stored, path, found),
        _ if is_unset(written) || is_same(written, stored) => {}
        _ => found.push(path.to_owned()),
    }
}

fn list(items: &[Value], stored: &[Value], path: &str, found: &mut Vec<String>) {
    if !items.iter().any(Value::is_object) {
        // Others may have added to it.
        if !items.iter().all(|item| stored.iter().any(|other| is_same(item, other))) {
            found.push(path.to_owned());
        }
    } else if items.len() == stored.len() && items.iter().zip(stored).all(|(a, b)| a["name"] == b["name"]) {
        // An apply leaves them in the order in which they are written.
        for (at, (item, other)) in items.iter().zip(stored).enumerate() {
            walk(item, other, &format!("{path}[{at}]"), found);
        }
    } else {
        let of = |list: &'_ [Value], name: &Value| list.iter().filter(|item| item["name"] == *name).count();
        // Mounts and subjects may have one name in common.
        for item in items.iter().filter(|item| item["name"].is_string() && of(items, &item["name"]) == 1) {
            let name = &item["name"];
            let other = stored.iter().find(|other| other["name"] == *name && of(stored, name) == 1);
            walk(item, other.unwrap_or(&Value::Null), &format!("{path}[name={name}]"), found);
        }
    }
}

/// What asks for the default, and what Go leaves out.
fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(is_unset),
        Value::Array(items) => items.is_empty(),
        _ => value == "" || value == 0 || value == false,
    }
}

fn is_same(a: &Value, b: &Value) -> bool {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    // Base64 is read with its line ends.
    let joined = |text: &str| text.replace(['\r', '\n'], "");
    a == b || {
        let (a, b) = (text(a), text(b));
        joined(&a) == joined(&b) || matches!((Quantity::parse(&a), Quantity::parse(&b)), (Ok(a), Ok(b)) if a == b)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written() -> Value {
        json!({"kind": "Deployment", "metadata": {"name": "a", "labels": {"a": "b"}}, "spec": {"replicas": 2,
            "paused": false, "strategy": {}, "template": {"spec": {"nodeName": "", "containers": [{"name": "m",
                "image": "web:1", "args": ["x"], "ports": [{"containerPort": 80}],
                "resources": {"requests": {"cpu": "1000m", "memory": 1024}}}]}}}})
    }

    fn stored() -> Value {
        json!({"kind": "Deployment", "metadata": {"name": "b", "labels": {"a": "b", "c": "d"}}, "spec": {
            "replicas": 2, "paused": true, "template": {"spec": {"nodeName": "n", "containers": [{"name": "side"},
                {"name": "m", "image": "web:1", "args": ["x"], "ports": [{"containerPort": 80, "protocol": "TCP"}],
                "resources": {"requests": {"cpu": "1", "memory": "1Ki"}}}]}}}})
    }

    #[test]
    fn defaults_and_other_forms_are_no_change() {
        assert_eq!(otherwise(&written(), &stored()), [""; 0]);
    }

    #[test]
    fn other_values_are() {
        let mut stored = stored();
        stored["metadata"]["labels"]["a"] = json!("c");
        stored["spec"]["replicas"] = json!(3);
        let container = &mut stored["spec"]["template"]["spec"]["containers"][1];
        container["image"] = json!("mirror/web:1");
        container["args"] = json!(["y", "z"]);
        container["ports"][0]["containerPort"] = json!(8080);
        let main = ".spec.template.spec.containers[name=\"m\"]";
        let inside = ["image", "args", "ports[0].containerPort"].map(|path| format!("{main}.{path}"));
        let paths = [&[".metadata.labels.a".to_owned(), ".spec.replicas".to_owned()], &inside[..]].concat();
        assert_eq!(otherwise(&written(), &stored), paths);
        stored["spec"]["template"]["spec"]["containers"] = json!([]);
        stored["spec"]["replicas"] = json!(2);
        assert_eq!(otherwise(&written(), &stored), [".metadata.labels.a", main]);
    }

    #[test]
    fn items_of_one_name_are_told_apart() {
        let mount = |path: &str| json!({"name": "data", "mountPath": path});
        let changed =
            |written: Value, stored: Value| otherwise(&json!({ "mounts": written }), &json!({ "mounts": stored }));
        let two = json!([mount("/a"), mount("/b")]);
        assert_eq!(changed(two.clone(), two.clone()), [""; 0]);
        assert_eq!(changed(two.clone(), json!([mount("/a"), mount("/c")])), [".mounts[1].mountPath"]);
        assert_eq!(changed(two, json!([mount("/a"), mount("/b"), {"name": "token"}])), [""; 0]);
        assert_eq!(changed(json!([]), json!([{"name": "a"}])), [""; 0]);
    }
}
