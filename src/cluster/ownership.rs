//! Whose fields are whose, by the server's record (`metadata.managedFields`, FieldsV1): what goes away once the fields
//! of a manager that kplan succeeds are kplan's, and the record as it is then.
//!
//! Until then server-side apply removes nothing that it never applied, so that a dry run shows no removal
//! (kubernetes#99003). What becomes of the record is what client-go's `csaupgrade` does for kubectl.

use serde_json::{Map, Value, json};

use crate::diff::Policy;

const MANAGER: &str = "kplan";
const LAST_APPLIED: &str = "f:kubectl.kubernetes.io/last-applied-configuration";

/// The managers that kplan succeeds in an object, in the order of the record.
pub(super) fn predecessors<'a>(live: &'a Value, policy: &Policy) -> Vec<&'a str> {
    let version = version(live);
    let entries = entries(live).iter().filter(|entry| is_predecessor(entry, version, policy));
    entries.filter_map(|entry| entry["manager"].as_str()).collect()
}

/// Takes out of `stored`, the dry run of an apply over `live`, what only predecessors own; whether anything was there
/// besides kubectl's own note.
pub(super) fn remove_inherited(stored: &mut Value, live: &Value, policy: &Policy) -> bool {
    let version = version(live);
    let mut inherited = Value::Null;
    for entry in entries(live).iter().filter(|entry| is_predecessor(entry, version, policy)) {
        merge(&mut inherited, &entry["fieldsV1"]);
    }
    // What names the object is nobody's.
    let mut kept = json!({"f:metadata": {}});
    for entry in entries(stored).iter().filter(|entry| !is_predecessor(entry, version, policy)) {
        merge(&mut kept, &entry["fieldsV1"]);
    }
    let Some(fields) = inherited.as_object_mut() else { return false };
    if let Some(metadata) = fields.get_mut("f:metadata").and_then(Value::as_object_mut)
        && let Some(notes) = metadata.get_mut("f:annotations").and_then(Value::as_object_mut)
    {
        // It goes away too, but nobody wrote it.
        notes.shift_remove(LAST_APPLIED);
        if notes.keys().all(|key| key == ".") {
            metadata.shift_remove("f:annotations");
        }
    }
    prune(stored, &inherited, &kept)
}

/// The record once the fields of the predecessors are kplan's; `None` where there are none.
pub(super) fn inherited(live: &Value, policy: &Policy) -> Option<Value> {
    let version = version(live)?;
    let (mut fields, mut others, mut any) = (Value::Null, Vec::new(), false);
    for entry in entries(live) {
        if is_predecessor(entry, Some(version), policy) {
            any = true;
            merge(&mut fields, &entry["fieldsV1"]);
        } else if is_own(entry) {
            merge(&mut fields, &entry["fieldsV1"]);
        } else {
            others.push(entry.clone());
        }
    }
    let time = entries(live).iter().filter_map(|entry| entry["time"].as_str()).max().unwrap_or_default();
    let own = json!({"manager": MANAGER, "operation": "Apply", "apiVersion": version, "time": time,
        "fieldsType": "FieldsV1", "fieldsV1": fields});
    others.insert(0, own);
    any.then_some(Value::Array(others))
}

/// Whether kplan has applied the object before.
pub(super) fn has_own(live: &Value) -> bool {
    entries(live).iter().any(is_own)
}

fn entries(object: &Value) -> &[Value] {
    object["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn is_own(entry: &Value) -> bool {
    entry["manager"] == MANAGER && entry["operation"] == "Apply" && entry["subresource"].is_null()
}

/// The version of the API that kplan's own fields are named in, else the object's.
fn version(object: &Value) -> Option<&str> {
    let own = entries(object).iter().find(|entry| is_own(entry)).and_then(|entry| entry["apiVersion"].as_str());
    own.or_else(|| object["apiVersion"].as_str())
}

/// Fields named in another version of the API cannot be put beside ours.
fn is_predecessor(entry: &Value, version: Option<&str>, policy: &Policy) -> bool {
    let text = |key: &str| entry[key].as_str().unwrap_or_default();
    entry["subresource"].is_null()
        && entry["apiVersion"].as_str() == version
        && !is_own(entry)
        && policy.succeeds(text("manager"), text("operation"))
}

/// Puts the fields of a set into another (`fieldpath/serialize.go` of structured-merge-diff).
fn merge(into: &mut Value, fields: &Value) {
    let Some(fields) = fields.as_object() else { return };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    for (key, inner) in fields {
        merge(&mut into[key.as_str()], inner);
    }
}

/// Removes what `old` has and `kept` has not, as structured-merge-diff does (`merge/update.go`, prune): a field that
/// nobody keeps goes with all below it.
fn prune(value: &mut Value, old: &Value, kept: &Value) -> bool {
    let mut any = false;
    for (step, inner) in old.as_object().into_iter().flatten().filter(|(step, _)| *step != ".") {
        match kept.get(step) {
            None => any |= remove(value, step),
            Some(kept) => any |= find(value, step).is_some_and(|child| prune(child, inner, kept)),
        }
    }
    any
}

/// `f:name`, `k:{"name":"a"}`, `v:"a"`, `i:0`.
enum Step<'a> {
    Field(&'a str),
    Item(usize),
}

fn step<'a>(value: &Value, step: &'a str) -> Option<Step<'a>> {
    let (mark, rest) = step.split_once(':')?;
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let at = match mark {
        "f" => return value.get(rest).map(|_| Step::Field(rest)),
        "i" => rest.parse().ok().filter(|at| *at < items.len()),
        _ => {
            let wanted: Value = serde_json::from_str(rest).ok()?;
            items.iter().position(|item| match (mark, &wanted) {
                ("k", Value::Object(keys)) => keys.iter().all(|(key, value)| item[key] == *value),
                _ => *item == wanted,
            })
        }
    };
    at.map(Step::Item)
}

fn find<'v>(value: &'v mut Value, name: &str) -> Option<&'v mut Value> {
    match step(value, name)? {
        Step::Field(key) => value.get_mut(key),
        Step::Item(at) => value.get_mut(at),
    }
}

fn remove(value: &mut Value, name: &str) -> bool {
    match (step(value, name), value) {
        (Some(Step::Field(key)), Value::Object(fields)) => fields.shift_remove(key).is_some(),
        (Some(Step::Item(at)), Value::Array(items)) => {
            items.remove(at);
            true
        }
        _ => false,
    }
}

/// Takes a field out of what is to be sent: a path of a conflict, `.spec.containers[name="a"].image`, as steps.
pub(super) fn leave_out(payload: &mut Value, path: &str) {
    let mut at = payload;
    let steps = steps(path);
    let Some((last, first)) = steps.split_last() else { return };
    for name in first {
        match find(at, name) {
            Some(next) => at = next,
            None => return,
        }
    }
    remove(at, last);
}

/// The steps of a path as FieldsV1 writes them.
fn steps(path: &str) -> Vec<String> {
    let (mut steps, mut rest) = (Vec::new(), path);
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let end = bracket_end(inner).unwrap_or(inner.len());
            let text = inner.get(..end).unwrap_or_default();
            steps.push(item_step(text));
            rest = inner.get(end + 1..).unwrap_or_default();
        } else {
            let inner = rest.strip_prefix('.').unwrap_or(rest);
            let end = inner.find(['.', '[']).unwrap_or(inner.len());
            steps.push(format!("f:{}", inner.get(..end).unwrap_or_default()));
            rest = inner.get(end..).unwrap_or_default();
        }
    }
    steps
}

fn item_step(text: &str) -> String {
    if let Some(value) = text.strip_prefix('=') {
        return format!("v:{value}");
    }
    if text.parse::<usize>().is_ok() {
        return format!("i:{text}");
    }
    let mut keys = Map::new();
    for (key, value) in text.split(',').filter_map(|part| part.split_once('=')) {
        keys.insert(key.to_owned(), serde_json::from_str(value).unwrap_or_default());
    }
    format!("k:{}", Value::Object(keys))
}

/// The closing bracket, outside of quotes.
fn bracket_end(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.char_indices().find_map(|(at, letter)| {
        quoted ^= letter == '"';
        (letter == ']' && !quoted).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ConfigMap as a 1.36.3 API server holds it after `kubectl apply` and another manager's apply.
    fn live() -> Value {
        let note = "kubectl.kubernetes.io/last-applied-configuration";
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c",
            "annotations": {note: "{}", "note": "x"}, "managedFields": [
                {"manager": "other", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:data": {"f:theirs": {}}}},
                {"manager": "kubectl-client-side-apply", "operation": "Update", "apiVersion": "v1", "time": "t1",
                    "fieldsV1": {"f:data": {".": {}, "f:a": {}, "f:b": {}},
                        "f:metadata": {"f:annotations": {".": {}, "f:note": {}, LAST_APPLIED: {}}}}},
                {"manager": "kubectl-edit", "operation": "Update", "apiVersion": "v1",
                    "fieldsV1": {"f:data": {"f:by-hand": {}}}}]},
            "data": {"a": "1", "b": "2", "theirs": "3", "by-hand": "4"}})
    }

    #[test]
    fn what_only_a_predecessor_applied_goes_away() {
        let mut stored = live();
        let own =
            json!({"manager": "kplan", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:data": {"f:a": {}}}});
        stored["metadata"]["managedFields"].as_array_mut().unwrap().push(own);
        assert!(remove_inherited(&mut stored, &live(), &Policy::default()));
        assert_eq!(stored["data"], json!({"a": "1", "theirs": "3", "by-hand": "4"}));
        // The map goes too where nobody keeps anything of it.
        assert_eq!(stored["metadata"].get("annotations"), None);
        // Of an object that kubectl only noted, nothing goes.
        let note = |object: &mut Value| {
            let entry = &mut object["metadata"]["managedFields"][1]["fieldsV1"];
            *entry = json!({"f:metadata": {"f:annotations": {".": {}, LAST_APPLIED: {}}}});
        };
        let (mut noted, mut same) = (live(), live());
        note(&mut noted);
        note(&mut same);
        assert!(!remove_inherited(&mut same, &noted, &Policy::default()));
        assert_eq!(same, noted);
        let mut all = live();
        let policy = Policy { take_over: vec!["other".to_owned()], ..Policy::default() };
        assert!(remove_inherited(&mut all, &live(), &policy));
        assert_eq!(all["data"], json!({"by-hand": "4"}));
    }

    #[test]
    fn the_record_passes_on() {
        let record = inherited(&live(), &Policy::default()).unwrap();
        assert_eq!(record[0]["manager"], "kplan");
        assert_eq!(record[0]["operation"], "Apply");
        assert_eq!(record[0]["fieldsV1"]["f:data"], json!({".": {}, "f:a": {}, "f:b": {}}));
        let managers: Vec<&str> =
            record.as_array().unwrap().iter().filter_map(|entry| entry["manager"].as_str()).collect();
        assert_eq!(managers, ["kplan", "other", "kubectl-edit"]);
        let mut later = live();
        later["metadata"]["managedFields"] = record;
        assert_eq!(inherited(&later, &Policy::default()), None);
    }

    #[test]
    fn items_are_found_by_their_keys() {
        let spec = json!({"containers": [{"name": "a.b", "image": "i", "args": ["x", "y"], "ports": [
            {"containerPort": 80, "protocol": "TCP", "name": "web"}]}]});
        let out = |path: &str| {
            let mut object = json!({ "spec": spec });
            leave_out(&mut object, path);
            object["spec"]["containers"].clone()
        };
        assert_eq!(out(".spec.containers[name=\"a.b\"]"), json!([]));
        assert_eq!(out(".spec.containers[name=\"a.b\"].image")[0].get("image"), None);
        assert_eq!(out(".spec.containers[name=\"a.b\"].args[=\"x\"]")[0]["args"], json!(["y"]));
        let ports = out(".spec.containers[name=\"a.b\"].ports[containerPort=80,protocol=\"TCP\"].name");
        assert_eq!(ports[0]["ports"], json!([{"containerPort": 80, "protocol": "TCP"}]));
        assert_eq!(out(".spec.nothing.there"), spec["containers"]);
    }
}
