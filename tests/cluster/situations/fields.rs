//! The planned fields of a change, held against the object before and after it.

use serde_json::Value;

use crate::support;

/// What the server and controllers write.
const OF_SERVER: [&str; 6] = [
    "/metadata/annotations/deployment.kubernetes.io~1revision",
    "/metadata/annotations/deprecated.daemonset.template.generation",
    "/metadata/generation",
    "/metadata/managedFields",
    "/metadata/resourceVersion",
    "/status",
];

/// What differs but is not planned, and what is planned and does not come so.
pub fn compare(fields: &Value, before: &Value, after: &Value) -> Vec<String> {
    let (mut old, mut new) = (before.clone(), after.clone());
    for object in [&mut old, &mut new] {
        for pointer in OF_SERVER {
            if let Some(value) = object.pointer_mut(pointer) {
                *value = Value::Null;
            }
        }
    }
    let mut wrong = Vec::new();
    for field in fields.as_array().into_iter().flatten() {
        let steps = steps(field["path"].as_str().unwrap_or_default());
        let op = field["op"].as_str().unwrap_or_default();
        let side = if op == "remove" { before } else { after };
        let (was, is) = (at(&mut old, &steps, side), at(&mut new, &steps, side));
        if field["sensitive"] == true {
            if op == "change" && was.as_deref() == is.as_deref() {
                wrong.push(format!("{} is the same", field["path"]));
            }
        } else {
            if op != "add" && was.as_deref() != Some(&field["before"]) {
                wrong.push(format!("{} was {was:?}, not {}", field["path"], field["before"]));
            }
            if op != "remove" && is.as_deref() != Some(&field["after"]) {
                wrong.push(format!("{} is {is:?}, not {}", field["path"], field["after"]));
            }
        }
        if op == "add" && was.is_some_and(|was| !was.is_null()) || op == "remove" && is.is_some_and(|is| !is_absent(is))
        {
            wrong.push(format!("{} is no {op}", field["path"]));
        }
        // Told: what is left has to be the same.
        if op != "add"
            && let Some(was) = at(&mut old, &steps, side)
        {
            *was = Value::Null;
        }
        if op != "remove"
            && let Some(is) = at(&mut new, &steps, side)
        {
            *is = Value::Null;
        }
    }
    let mut left = support::difference(&leaves(&old), &leaves(&new));
    // Which port a Service gets is not known before.
    left.retain(|line| !line.starts_with("+ /spec/ports/") || !line.contains("/nodePort = "));
    wrong.extend(left.into_iter().map(|line| format!("not planned: {line}")));
    wrong
}

/// Go writes a struct without any field as `{}` (`resources`).
fn is_absent(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty)
}

/// A step of a field path.
enum Step {
    Key(String),
    Index(usize),
}

/// `spec.containers[0].env`, `metadata.annotations[a.b/c]`.
fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in path.split_inclusive(']').flat_map(|part| part.split_inclusive('[')) {
        if let Some(inner) = part.strip_suffix(']') {
            steps.push(inner.parse().map_or_else(|_| Step::Key(inner.to_owned()), Step::Index));
        } else {
            let keys = part.trim_end_matches('[').split('.').filter(|key| !key.is_empty());
            steps.extend(keys.map(|key| Step::Key(key.to_owned())));
        }
    }
    steps
}

/// What tells the items of a list apart: ports by their numbers, others by their names.
fn is_same_item(one: &Value, other: &Value) -> bool {
    let keys: &[&str] = match one {
        _ if !one["containerPort"].is_null() => &["containerPort", "protocol"],
        _ if !one["port"].is_null() => &["port", "protocol"],
        _ => &["name"],
    };
    keys.iter().all(|key| one[*key] == other[*key])
}

/// The value of a path; an item of a list is the one that is the same as that in `side`, where the path is at home.
fn at<'a>(object: &'a mut Value, steps: &[Step], mut side: &Value) -> Option<&'a mut Value> {
    let mut value = object;
    for step in steps {
        (value, side) = match step {
            Step::Key(key) => (value.get_mut(key.as_str())?, &side[key.as_str()]),
            Step::Index(index) => {
                let list = value.as_array_mut()?;
                let item = &side[*index];
                let has_key = ["name", "port", "containerPort"].iter().any(|key| !item[*key].is_null());
                let same = list.iter().position(|other| is_same_item(item, other));
                let index = if has_key { same? } else { *index };
                (list.get_mut(index)?, item)
            }
        };
    }
    Some(value)
}

/// `path = value` of every value that is not null; items of lists by their place among those that are left.
fn leaves(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}

fn walk(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => fields.iter().for_each(|(key, value)| walk(value, &format!("{path}/{key}"), found)),
        Value::Array(items) => {
            let left = items.iter().filter(|item| !item.is_null()).enumerate();
            left.for_each(|(index, item)| walk(item, &format!("{path}/{index}"), found));
        }
        value => found.push(format!("{path} = {value}")),
    }
}
