//! Agreement with the API server's decoder and defaults, recorded in `fixtures/`.
#![allow(clippy::unwrap_used)]

use kplan::model::Version;
use kplan::schema::{Kind, Schema, check};
use kplan::source::SourceText;
use kplan::{defaults, yaml};
use serde_json::Value;

fn rows(name: &str) -> Vec<Value> {
    let path = format!("{}/fixtures/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn read(object: &Value) -> yaml::File {
    yaml::read(&SourceText::from(object.to_string()))
}

fn kind(schema: &'static Schema, object: &Value) -> Option<&'static Kind> {
    schema.served(object["apiVersion"].as_str()?, object["kind"].as_str()?)
}

/// Compares the message for every row that a kind is served for; gives how many there were.
fn compare_messages(rows: &[Value]) -> usize {
    let schema = Schema::of(Version::DEFAULT).unwrap();
    let mut compared = 0;
    let mut wrong = Vec::new();
    for row in rows {
        let Some(kind) = kind(schema, &row["object"]) else { continue };
        let file = read(&row["object"]);
        let decoded = check(schema, kind, file.tree.view(file.documents[0].root.unwrap()));
        let expected = row["message"].as_str().filter(|message| message.contains("cannot be handled as"));
        compared += 1;
        if decoded.message.as_deref() != expected {
            wrong.push(format!("{:?}\n  instead of {expected:?}", decoded.message));
        }
    }
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
    compared
}

#[test]
fn objects_decode_as_at_the_api_server() {
    assert!(compare_messages(&rows("decode/1.36")) >= 60);
    assert!(compare_messages(&rows("recorded/situations-1.36")) >= 60);
}

#[test]
fn defaults_are_those_of_the_api_server() {
    let schema = Schema::of(Version::DEFAULT).unwrap();
    let rows = rows("defaults/1.36");
    let mut wrong = Vec::new();
    for row in &rows {
        let file = read(&row["input"]);
        let object = file.tree.view(file.documents[0].root.unwrap());
        let (tree, root) = defaults::object(schema, object, kind(schema, &row["input"]).unwrap());
        let returned = read(&row["returned"]);
        let expected = returned.tree.view(returned.documents[0].root.unwrap());
        if !tree.view(root).same(expected) {
            wrong.push(format!("{}\n  instead of {}", tree.view(root).to_json(), expected.to_json()));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}
