//! Fields that take the place of what only a predecessor applied (`env.value` that becomes `valueFrom`, a probe of another
//! kind): the server merges both before the predecessor's are kplan's, and refuses to have them side by side.
//!
//! So the dry run is asked of an object that is held back to what is there already; what takes a place is put into it when
//! the predecessor's fields are out.

use serde_json::Value;

use super::ownership;

/// Takes out of `payload` what is not in the live object yet, in the maps that the causes of a refusal name, whatever item
/// of a list they are in; whether that was anything.
pub(super) fn hold_back(payload: &mut Value, live: &Value, causes: &[String]) -> bool {
    let before = payload.clone();
    for cause in causes {
        let plain = cause.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest));
        let way: String = plain.collect();
        let way: Vec<&str> = way.split('.').filter(|step| !step.is_empty() && *step != "metadata").collect();
        hold(payload, live, &way);
    }
    *payload != before
}

fn hold(payload: &mut Value, live: &Value, way: &[&str]) {
    match payload {
        Value::Array(items) => {
            let names: Vec<Value> = items.iter().map(|item| item["name"].clone()).collect();
            for item in items {
                let is_alone = names.iter().filter(|name| **name == item["name"]).count() == 1;
                let other = live.as_array().into_iter().flatten().find(|other| other["name"] == item["name"]);
                if let Some(other) = other.filter(|_| is_alone) {
                    hold(item, other, way);
                }
            }
        }
        Value::Object(fields) => {
            if way.len() <= 1 {
                fields.retain(|key, _| KEPT.contains(&key.as_str()) || live.get(key).is_some());
            }
            let Some((step, rest)) = way.split_first() else { return };
            match live.get(*step) {
                Some(live) => fields.get_mut(*step).into_iter().for_each(|inner| hold(inner, live, rest)),
                None => drop(fields.shift_remove(*step)),
            }
        }
        _ => {}
    }
}

/// What names an object.
const KEPT: [&str; 4] = ["apiVersion", "kind", "metadata", "name"];

/// Puts what was held back into the object that the server would store.
pub(super) fn put_back(stored: &mut Value, payload: &Value, held: &Value) {
    match (payload, held) {
        (Value::Object(fields), Value::Object(held)) => {
            for (key, value) in fields {
                match (held.get(key), stored.get_mut(key)) {
                    (Some(held), Some(inner)) if held != value => put_back(inner, value, held),
                    (Some(_), _) => {}
                    (None, Some(inner)) => ownership::overlay(inner, value),
                    (None, None) => stored[key.as_str()] = value.clone(),
                }
            }
        }
        (Value::Array(items), Value::Array(held)) => {
            for (item, held) in items.iter().zip(held).filter(|(item, held)| item != held) {
                let stored = stored.as_array_mut().into_iter().flatten();
                if let Some(inner) = stored.into_iter().find(|other| other["name"] == item["name"]) {
                    put_back(inner, item, held);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(container: &Value) -> Value {
        json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": [container]}}}})
    }

    fn held(payload: &Value, live: &Value, cause: &str) -> Value {
        let mut held = payload.clone();
        hold_back(&mut held, live, &[cause.to_owned()]);
        held
    }

    #[test]
    fn what_takes_a_place_is_held_back_and_put_back() {
        let live =
            pod(&json!({"name": "m", "image": "a", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}));
        let field = json!({"fieldRef": {"fieldPath": "metadata.name"}});
        let new = json!([{"name": "B", "value": "3"}, {"name": "A", "valueFrom": field}, {"name": "C", "value": "4"}]);
        let payload = pod(&json!({"name": "m", "image": "b", "env": new, "tty": true}));
        let held = held(&payload, &live, "spec.template.spec.containers[0].env[1].valueFrom");
        let env = json!([{"name": "B", "value": "3"}, {"name": "A"}, {"name": "C", "value": "4"}]);
        assert_eq!(held, pod(&json!({"name": "m", "image": "b", "env": env, "tty": true})));
        // As the server merges it, without what the predecessor had.
        let stored = |last: Value| {
            let env = json!([{"name": "B", "value": "3"}, last, {"name": "C", "value": "4"}]);
            pod(&json!({"name": "m", "image": "b", "env": env, "tty": true, "imagePullPolicy": "Always"}))
        };
        let mut merged = stored(json!({"name": "A"}));
        put_back(&mut merged, &payload, &held);
        assert_eq!(merged, stored(json!({"name": "A", "valueFrom": field})));
    }

    #[test]
    fn a_cause_may_name_the_map_or_what_is_below_it() {
        let live = pod(&json!({"name": "m", "readinessProbe": {"httpGet": {"port": 80}}}));
        let payload = pod(&json!({"name": "m", "readinessProbe": {"tcpSocket": {"port": 80}}, "tty": true}));
        let without = pod(&json!({"name": "m", "readinessProbe": {}, "tty": true}));
        let at = "spec.template.spec.containers[0].readinessProbe";
        assert_eq!(held(&payload, &live, &format!("{at}.tcpSocket")), without);
        assert_eq!(held(&payload, &live, &format!("{at}.tcpSocket.port")), without);
        let live = json!({"kind": "PodDisruptionBudget", "spec": {"minAvailable": 1}});
        let payload = json!({"kind": "PodDisruptionBudget", "spec": {"maxUnavailable": 1}});
        assert_eq!(held(&payload, &live, "spec"), json!({"kind": "PodDisruptionBudget", "spec": {}}));
        let live = json!({"kind": "ConfigMap", "data": {"a": "1", "b": "2"}});
        let payload = json!({"kind": "ConfigMap", "data": {"b": "2"}, "binaryData": {"a": "MQ=="}});
        assert_eq!(held(&payload, &live, "binaryData[a]"), json!({"kind": "ConfigMap", "data": {"b": "2"}}));
    }
}
