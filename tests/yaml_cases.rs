//! Agreement with kubectl's reader, recorded in `fixtures/recorded/`.
#![allow(clippy::unwrap_used)]

use kplan::source::SourceText;
use kplan::yaml;
use serde_json::Value;

fn rows(name: &str) -> Vec<Value> {
    let path = format!("{}/fixtures/recorded/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The documents as canonical JSON up to the first error, as kubectl's stream decoder gives them.
fn read(input: &str) -> (Vec<String>, Option<String>) {
    let file = yaml::read(&SourceText::from(input));
    let mut documents = Vec::new();
    for document in &file.documents {
        if let Some(error) = &document.error {
            return (documents, Some(error.message.clone()));
        }
        if let Some(root) = document.root {
            documents.push(file.tree.view(root).to_json());
        }
    }
    (documents, None)
}

fn canonical(json: &Value) -> String {
    let file = yaml::read(&SourceText::from(format!("{{\"x\":{json}}}")));
    let root = file.tree.view(file.documents[0].root.unwrap());
    root.entry("x").unwrap().1.to_json()
}

#[test]
fn scalars_read_as_kubectl_reads_them() {
    let mut wrong = Vec::new();
    let rows = rows("yaml-scalars");
    for row in &rows {
        let (documents, error) = read(row["in"].as_str().unwrap());
        let expected: Vec<String> =
            row["json"].as_str().map(|json| canonical(&serde_json::from_str(json).unwrap())).into_iter().collect();
        let expected_error = row["err"].as_str();
        let error = error.map(|e| e.replace("error converting YAML to JSON: ", ""));
        if (expected_error.is_none() && documents != expected) || error.as_deref() != expected_error {
            wrong.push(format!("{}: {documents:?} {error:?}, kubectl {} {}", row["name"], row["json"], row["err"]));
        }
    }
    println!("yaml-scalars: {} of {} agree", rows.len() - wrong.len(), rows.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn streams_read_as_kubectl_reads_them() {
    let mut wrong = Vec::new();
    let rows = rows("yaml-streams");
    for row in &rows {
        let (documents, error) = read(row["in"].as_str().unwrap());
        let expected: Vec<String> = row["docs"].as_array().unwrap().iter().map(canonical).collect();
        if documents != expected || error.as_deref() != row["error"].as_str() {
            wrong.push(format!("{}: {documents:?} {error:?}, kubectl {expected:?} {}", row["name"], row["error"]));
        }
    }
    println!("yaml-streams: {} of {} agree", rows.len() - wrong.len(), rows.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
