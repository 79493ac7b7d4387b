//! Whose fields are whose, by the server's record (`metadata.managedFields`, FieldsV1): what goes away once the fields
//! of a manager that kplan succeeds are kplan's, and the record as it is then.
//!
//! Until then server-side apply removes nothing that it never applied, so that a dry run shows no removal
//! (kubernetes#99003). What becomes of the record is what client-go's `csaupgrade` does for kubectl.

use serde_json::{Map, Value, json};

use super::dry_run::MANAGER;
use crate::diff::{Conflict, Policy};

const LAST_APPLIED: &str = "f:kubectl.kubernetes.io/last-applied-configuration";

/// The managers that kplan succeeds in an object, in the order of the record.
pub(super) fn predecessors<'a>(live: &'a Value, policy: &Policy) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for entry in entries(live).iter().filter(|entry| is_predecessor(entry, policy)) {
        found.extend(entry["manager"].as_str().filter(|manager| !found.contains(manager)));
    }
    found
}

/// Takes out of `stored`, the dry run of an apply over `live`, what only predecessors own; whether anything was there
/// besides kubectl's own note.
pub(super) fn remove_inherited(stored: &mut Value, live: &Value, policy: &Policy) -> bool {
    let version = version(live);
    let mut inherited = Value::Null;
    for entry in entries(live).iter().filter(|entry| is_predecessor(entry, policy)) {
        merge(&mut inherited, &fields(entry, live, version));
    }
    // What names the object is nobody's.
    let mut kept = json!({"f:metadata": {}});
    for entry in entries(stored).iter().filter(|entry| !is_predecessor(entry, policy)) {
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

/// The record once the fields of the predecessors are kplan's, and none is in a version that is `gone`; `None` where it
/// is so already. What `clears` names, as conflicts do, is put among kplan's own, so that its next apply takes it away.
///
/// Server-side apply of a custom resource fails for ever while its record names a version that is not served any more
/// (kubernetes#111937).
pub(super) fn inherited(
    live: &Value,
    policy: &Policy,
    gone: &dyn Fn(&str) -> bool,
    clears: &[String],
) -> Option<Value> {
    let is_gone = |entry: &Value| entry["apiVersion"].as_str().is_some_and(gone);
    let now = live["apiVersion"].as_str()?;
    let version = version(live).filter(|version| !gone(version)).unwrap_or(now);
    let (mut record, mut others, mut any) = (Value::Null, Vec::new(), false);
    for entry in entries(live) {
        if is_own(entry) || is_predecessor(entry, policy) {
            any |= !is_own(entry) || is_gone(entry);
            merge(&mut record, &fields(entry, live, Some(version)));
        } else if is_gone(entry) {
            any = true;
            let mut entry = entry.clone();
            entry["fieldsV1"] = present(&entry["fieldsV1"], live);
            entry["apiVersion"] = now.into();
            others.push(entry);
        } else {
            others.push(entry.clone());
        }
    }
    for path in clears.iter().filter(|path| is_nobodys(live, path, policy)) {
        any = true;
        let steps = steps(live, path).unwrap_or_default();
        merge(&mut record, &steps.iter().rev().fold(json!({}), |inner, step| json!({ step.as_str(): inner })));
    }
    let time = entries(live).iter().filter_map(|entry| entry["time"].as_str()).max().unwrap_or_default();
    let own = json!({"manager": MANAGER, "operation": "Apply", "apiVersion": version, "time": time,
        "fieldsType": "FieldsV1", "fieldsV1": record});
    if record.is_object() {
        others.insert(0, own);
    }
    any.then_some(Value::Array(others))
}

/// The object as an apply of `payload` would make it where the server cannot say so: what is written over what is there,
/// without what kplan and its predecessors had set and is written no more. `record` is that of [`inherited`].
pub(super) fn amended(live: &Value, payload: &Value, record: Value) -> Value {
    let (mut old, mut kept) = (Value::Null, json!({"f:metadata": {}}));
    for entry in record.as_array().into_iter().flatten() {
        merge(if is_own(entry) { &mut old } else { &mut kept }, &entry["fieldsV1"]);
    }
    let mut object = live.clone();
    drop_unwritten(&mut object, payload, &old, &kept);
    overlay(&mut object, payload);
    object["metadata"]["managedFields"] = record;
    object
}

/// Maps are merged, everything else is what is written.
pub(super) fn overlay(object: &mut Value, payload: &Value) {
    match (object, payload) {
        (Value::Object(fields), Value::Object(written)) => {
            for (key, value) in written {
                overlay(fields.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (object, written) => *object = written.clone(),
    }
}

fn drop_unwritten(object: &mut Value, payload: &Value, old: &Value, kept: &Value) {
    for (step, inner) in old.as_object().into_iter().flatten() {
        let Some(key) = step.strip_prefix("f:") else { continue };
        match (payload.get(key), kept.get(step)) {
            (Some(written), kept) => {
                if let Some(child) = object.get_mut(key) {
                    drop_unwritten(child, written, inner, kept.unwrap_or(&Value::Null));
                }
            }
            (None, None) => drop(remove(object, step)),
            (None, Some(kept)) => drop(find(object, step).map(|child| prune(child, inner, kept))),
        }
    }
}

/// Whether kplan has applied the object before.
pub(super) fn has_own(live: &Value) -> bool {
    entries(live).iter().any(is_own)
}

/// Fields of an object that kplan has applied which people set by hand, in no manifest (`kubectl edit`, `patch`, `set`,
/// `label`): the paths as conflicts name them.
pub(super) fn by_hand(live: &Value, policy: &Policy) -> Vec<Conflict> {
    let version = version(live);
    let hands = entries(live).iter().filter(|entry| {
        let manager = entry["manager"].as_str().unwrap_or_default();
        manager.starts_with("kubectl-") && entry["subresource"].is_null() && !is_predecessor(entry, policy)
    });
    let mut found = Vec::new();
    for entry in hands.filter(|_| has_own(live)) {
        let manager = entry["manager"].as_str().unwrap_or_default();
        let mut paths = Vec::new();
        leaves(&present(&fields(entry, live, version), live), "", &mut paths);
        // `kubectl rollout restart` is meant to stay.
        paths.retain(|path| !path.ends_with("kubectl.kubernetes.io/restartedAt"));
        found.extend(paths.into_iter().map(|field| Conflict { field, manager: manager.to_owned(), is_update: true }));
    }
    found
}

/// Whether a path of a conflict leads to something.
pub(super) fn leads(object: &Value, path: &str) -> bool {
    steps(object, path).is_some()
}

/// Whether what a path of a conflict leads to belongs to predecessors at most, so that an apply does not remove it and
/// nobody misses it.
pub(super) fn is_nobodys(live: &Value, path: &str, policy: &Policy) -> bool {
    let Some(steps) = steps(live, path) else { return false };
    let owns = |entry: &Value| steps.iter().try_fold(&entry["fieldsV1"], |at, step| at.get(step)).is_some();
    !entries(live).iter().any(|entry| !is_predecessor(entry, policy) && owns(entry))
}

/// The steps of a path of a conflict as FieldsV1 writes them; `None` where it leads to nothing.
fn steps(object: &Value, path: &str) -> Option<Vec<String>> {
    let (mut at, mut rest, mut steps) = (object, path, Vec::new());
    while let Some((name, tail)) = next_step(at, rest) {
        at = match step(at, &name)? {
            Step::Field(key) => &at[key],
            Step::Item(item) => &at[item],
        };
        rest = tail;
        steps.push(name);
    }
    rest.is_empty().then_some(steps)
}

/// The paths of a set that have nothing below them.
fn leaves(fields: &Value, path: &str, found: &mut Vec<String>) {
    let inner = fields.as_object().into_iter().flatten().filter(|(step, _)| *step != ".");
    let mut any = false;
    for (step, below) in inner {
        any = true;
        let path = match step.split_once(':') {
            Some(("f", name)) => format!("{path}.{name}"),
            Some(("k", keys)) => format!("{path}[{}]", key_text(keys)),
            Some(("v", value)) => format!("{path}[={value}]"),
            Some((_, index)) => format!("{path}[{index}]"),
            None => continue,
        };
        leaves(below, &path, found);
    }
    if !any && !path.is_empty() {
        found.push(path.to_owned());
    }
}

/// `name="a",port=80` of `{"name":"a","port":80}`.
fn key_text(keys: &str) -> String {
    let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
    keys.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
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

fn is_predecessor(entry: &Value, policy: &Policy) -> bool {
    let text = |key: &str| entry[key].as_str().unwrap_or_default();
    entry["subresource"].is_null() && !is_own(entry) && policy.succeeds(text("manager"), text("operation"))
}

/// What an entry of the record lists. Of one in another version of the API, which may not be served any more, what the
/// object has under the same path counts, as in Flux's migration of versions.
fn fields(entry: &Value, live: &Value, version: Option<&str>) -> Value {
    let listed = entry["fieldsV1"].clone();
    if entry["apiVersion"].as_str() == version { listed } else { present(&listed, live) }
}

/// The part of a set of paths that leads to something.
fn present(fields: &Value, value: &Value) -> Value {
    let listed = fields.as_object().into_iter().flatten();
    let there = listed.filter_map(|(name, inner)| match step(value, name) {
        _ if name == "." => Some((name.clone(), inner.clone())),
        Some(Step::Field(key)) => Some((name.clone(), present(inner, &value[key]))),
        Some(Step::Item(at)) => Some((name.clone(), present(inner, &value[at]))),
        None => None,
    });
    Value::Object(there.collect())
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

/// Takes a field out of what is to be sent: a path of a conflict, `.spec.containers[name="a"].image`.
pub(super) fn leave_out(payload: &mut Value, path: &str) {
    let (mut at, mut rest) = (payload, path);
    while let Some((name, tail)) = next_step(at, rest) {
        if tail.is_empty() {
            remove(at, &name);
            return;
        }
        match find(at, &name) {
            Some(next) => (at, rest) = (next, tail),
            None => return,
        }
    }
}

/// The first step of a path as FieldsV1 writes it, and what follows. Keys of maps may hold dots: the longest that is
/// there counts.
fn next_step<'a>(at: &Value, path: &'a str) -> Option<(String, &'a str)> {
    if let Some(inner) = path.strip_prefix('[') {
        let end = bracket_end(inner)?;
        return Some((item_step(inner.get(..end)?), inner.get(end + 1..)?));
    }
    let inner = path.strip_prefix('.')?;
    let ends = |end: usize| inner.get(end..).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
    let keys = at.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    let known = keys.filter(|key| inner.starts_with(key) && ends(key.len())).map(str::len).max();
    let end = known.unwrap_or_else(|| inner.find(['.', '[']).unwrap_or(inner.len()));
    Some((format!("f:{}", inner.get(..end)?), inner.get(end..)?))
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
        let record = inherited(&live(), &Policy::default(), &|_| false, &[]).unwrap();
        assert_eq!(record[0]["manager"], "kplan");
        assert_eq!(record[0]["operation"], "Apply");
        assert_eq!(record[0]["fieldsV1"]["f:data"], json!({".": {}, "f:a": {}, "f:b": {}}));
        let managers: Vec<&str> =
            record.as_array().unwrap().iter().filter_map(|entry| entry["manager"].as_str()).collect();
        assert_eq!(managers, ["kplan", "other", "kubectl-edit"]);
        let mut later = live();
        later["metadata"]["managedFields"] = record;
        assert_eq!(inherited(&later, &Policy::default(), &|_| false, &[]), None);
    }

    #[test]
    fn what_was_applied_in_another_version_counts_where_it_is_there() {
        let mut old = live();
        let entry = &mut old["metadata"]["managedFields"][1];
        entry["apiVersion"] = "v1beta1".into();
        entry["fieldsV1"]["f:renamed"] = json!({"f:x": {}});
        let mut stored = old.clone();
        assert!(remove_inherited(&mut stored, &old, &Policy::default()));
        assert_eq!(stored["data"], json!({"theirs": "3", "by-hand": "4"}));
        let record = inherited(&old, &Policy::default(), &|_| false, &[]).unwrap();
        assert_eq!((&record[0]["apiVersion"], &record[0]["fieldsV1"]["f:renamed"]), (&json!("v1"), &Value::Null));
        assert_eq!(record[0]["fieldsV1"]["f:data"], json!({".": {}, "f:a": {}, "f:b": {}}));
    }

    #[test]
    fn where_a_version_is_gone_the_record_is_renewed() {
        let mut old = live();
        for at in 0..3 {
            old["metadata"]["managedFields"][at]["apiVersion"] = "v1beta1".into();
        }
        let gone = |version: &str| version == "v1beta1";
        let record = inherited(&old, &Policy::default(), &gone, &[]).unwrap();
        let versions: Vec<&Value> = record.as_array().unwrap().iter().map(|entry| &entry["apiVersion"]).collect();
        assert_eq!(versions, ["v1", "v1", "v1"]);
        let payload =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "2", "c": "3"}});
        let amended = amended(&old, &payload, record);
        assert_eq!(amended["data"], json!({"a": "2", "theirs": "3", "by-hand": "4", "c": "3"}));
        assert_eq!(amended["metadata"].get("annotations"), None);
        old["metadata"]["managedFields"] = amended["metadata"]["managedFields"].clone();
        assert_eq!(inherited(&old, &Policy::default(), &gone, &[]), None);
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
        let mut noted = json!({"metadata": {"annotations": {"a.b/c.d": "x", "a": "y"}}});
        leave_out(&mut noted, ".metadata.annotations.a.b/c.d");
        assert_eq!(noted["metadata"]["annotations"], json!({"a": "y"}));
    }
}
