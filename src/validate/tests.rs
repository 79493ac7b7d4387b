//! Agreement with recorded answers of the API server.

use serde_json::Value;

use super::{object, status_message, update, update_warnings, warnings};
use crate::diag::Cause;
use crate::model::Version;
use crate::schema::{Schema, decode};
use crate::source::SourceText;
use crate::yaml::{NodeId, Tree};

/// An object as the cluster would see it; `None` where an earlier step judges it.
fn defaulted(value: &Value) -> Option<(Tree, NodeId)> {
    let text = SourceText::from(value.to_string());
    let file = crate::yaml::read(&text);
    let root = file.tree.view(file.documents.first()?.root?);
    let schema = Schema::of(Version::DEFAULT)?;
    let kind = schema.served(root.get_str("apiVersion")?, root.get_str("kind")?)?;
    if decode::check(schema, kind, root).message.is_some() {
        return None;
    }
    Some(crate::defaults::received(schema, root, kind))
}

fn group_kind(value: &Value) -> (&str, &str) {
    let version = value["apiVersion"].as_str().unwrap_or("");
    (version.split_once('/').map_or("", |(group, _)| group), value["kind"].as_str().unwrap_or(""))
}

/// The causes and the message for creating an object, or for an update where the row has an old one.
fn judged(row: &Value) -> Option<(Vec<Cause>, String, Vec<String>)> {
    let (new, old) = (row.get("new").unwrap_or(&row["object"]), row.get("old"));
    let (group, kind) = group_kind(new);
    let (tree, id) = defaulted(new)?;
    let view = tree.view(id);
    let (found, said) = match old {
        None => (object(group, kind, view), warnings(group, kind, view)),
        Some(old) => {
            let (old_tree, old_id) = defaulted(old)?;
            let old = old_tree.view(old_id);
            (update(group, kind, old, view), update_warnings(group, kind, old, view))
        }
    };
    let message = status_message(kind, group, new["metadata"]["name"].as_str().unwrap_or(""), &found);
    Some((found, message, said))
}

fn recorded(row: &Value) -> Vec<(String, String, String)> {
    let text = |cause: &Value, key: &str| cause[key].as_str().unwrap_or("").to_owned();
    let list = row["causes"].as_array().cloned().unwrap_or_default();
    list.iter().map(|cause| (text(cause, "field"), text(cause, "reason"), text(cause, "message"))).collect()
}

fn ours(found: &[Cause]) -> Vec<(String, String, String)> {
    found.iter().map(|cause| (cause.field.clone(), cause.reason.to_owned(), cause.message.clone())).collect()
}

/// Uids that the server makes up count as equal.
fn without_uids(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("controller-uid") {
        let (head, tail) = rest.split_at(at);
        out.push_str(head);
        let end = tail.find([',', '}', ']']).unwrap_or(tail.len());
        rest = &tail[end..];
        if tail.starts_with("controller-uid]") || tail[..end].contains("must be") {
            out.push_str("controller-uid…");
            rest = tail.find('\'').and_then(|q| tail.get(q + 38..)).unwrap_or(rest);
        }
    }
    out + rest
}

/// Compares rows with what kplan says; gives the number of rows and those that differ.
fn compare(rows: &[Value]) -> (usize, Vec<String>) {
    let mut differing = Vec::new();
    let mut count = 0;
    for row in rows {
        if row["verdict"] != "accepted" && row["code"] != 422 {
            continue;
        }
        count += 1;
        let name = row["name"].as_str().map_or_else(|| row["object"].to_string(), str::to_owned);
        match judged(row) {
            None => differing.push(format!("{name}: does not decode")),
            Some((mut found, message, said)) => {
                if row.get("dryRunOnly").is_none() {
                    found.retain(|cause| !cause.message.contains("provided port is not in the valid range"));
                }
                let message = if found.is_empty() { String::new() } else { message };
                let mut wanted = recorded(row);
                let mut own = ours(&found);
                // Those about API versions come from the facts file.
                let version = |text: &Value| text.as_str().is_some_and(|text| text.contains("is deprecated in v1."));
                if let Some(listed) = row["warnings"].as_array().filter(|list| !list.iter().any(version))
                    && row["verdict"] == "accepted"
                    && *listed != said.iter().map(|text| Value::from(text.as_str())).collect::<Vec<_>>()
                {
                    differing.push(format!("{name}: warnings\n   server {listed:#?}\n   kplan  {said:#?}"));
                    continue;
                }
                let accepted = wanted.is_empty() && row["verdict"] == "accepted";
                for (_, _, message) in wanted.iter_mut().chain(own.iter_mut()) {
                    *message = without_uids(message);
                }
                let same = own == wanted;
                let said = row["message"].as_str().unwrap_or("");
                if !same || (!accepted && without_uids(said) != without_uids(&message)) {
                    differing
                        .push(format!("{name}:\n   server {wanted:#?}\n   kplan  {own:#?}\n   {said}\n   {message}"));
                }
            }
        }
    }
    (count, differing)
}

fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn report(name: &str, (count, differing): (usize, Vec<String>)) {
    println!("{name}: {} of {count}", count - differing.len());
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn situations_agree() {
    let text = include_str!("../../fixtures/recorded/situations-1.36.jsonl");
    report("situations", compare(&rows(text)));
}

/// Answers found by comparing mutated objects with a 1.36.3 API server, creates and updates.
#[test]
fn found_rows_agree() {
    let text = include_str!("../../fixtures/validate/1.36.jsonl");
    report("found", compare(&rows(text)));
}

/// Core validation of 1.34.1, whose answers have no values; rows where 1.36 says otherwise are named.
#[test]
fn core_validation_agrees() {
    let text = include_str!("../../fixtures/recorded/core-validation-1.34.jsonl");
    let (mut count, mut same, mut differing) = (0, 0, Vec::new());
    for row in rows(text) {
        let source = SourceText::from(row["yaml"].as_str().unwrap_or(""));
        let file = crate::yaml::read(&source);
        let Some(root) = file.documents.first().and_then(|document| document.root) else {
            continue;
        };
        let value: Value = serde_json::from_str(&file.tree.view(root).to_json()).unwrap();
        let Some((found, _, _)) = judged(&serde_json::json!({ "object": value })) else {
            continue;
        };
        count += 1;
        let wanted = row["errors"].as_array().cloned().unwrap_or_default();
        let fits = |cause: &Cause, error: &Value| {
            let detail = error["detail"].as_str().unwrap_or("");
            cause.field == error["field"].as_str().unwrap_or("")
                && cause.reason == error["type"].as_str().unwrap_or("")
                && cause.message.ends_with(detail)
        };
        let mut rest: Vec<&Cause> = found.iter().collect();
        let all = wanted
            .iter()
            .all(|error| rest.iter().position(|cause| fits(cause, error)).map(|at| rest.remove(at)).is_some());
        if all && rest.is_empty() {
            same += 1;
        } else {
            differing.push(format!("{}: {wanted:?}\n   {found:?}", row["name"]));
        }
    }
    println!("core-validation: {same} of {count}");
    println!("{}", differing.join("\n"));
    // The other 16 are answers that 1.36 or its REST layer gives otherwise (asked of a 1.36.3 server).
    assert_eq!((same, count), (75, 91));
}

/// Rows of other files, named by `KPLAN_VALIDATE_ROWS`: the differential run of a maintainer.
#[test]
fn named_rows_agree() {
    let Ok(path) = std::env::var("KPLAN_VALIDATE_ROWS") else {
        return;
    };
    let text = std::fs::read_to_string(path).unwrap();
    let (count, differing) = compare(&rows(&text));
    println!("{}\nrows: {} of {count}", differing.join("\n"), count - differing.len());
}
