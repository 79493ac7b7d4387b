//! Every case of `fixtures/plan`: two folders, and what the plan from the first to the second says.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use kplan::config::Settings;
use kplan::diag::Diagnostic;
use kplan::diff::Knowledge;
use kplan::model::Bundle;
use kplan::schema::{Lookup, Schema};
use serde_json::{Value, json};

fn bundle(folder: &Path, settings: &Settings) -> Bundle {
    let schema = Schema::of(settings.kube_version).unwrap();
    let scope = |api_version: &str, kind: &str| match schema.kind(api_version, kind) {
        Lookup::Known(kind) => Some(kind.namespaced),
        _ => schema.stands_for(api_version, kind).map(|kind| kind.namespaced),
    };
    let (loaded, _) = kplan::load::run(&[folder.to_string_lossy().into_owned()], settings).unwrap();
    let mut bundle = kplan::parse::run(loaded, settings, &scope).0;
    kplan::defaults::run(&mut bundle, schema);
    bundle
}

/// Changes and findings as JSON, in the form of the expectations.
fn plan(case: &Path) -> (Vec<Value>, Vec<Value>, String) {
    let settings = Settings::default();
    let (base, desired) = (bundle(&case.join("old"), &settings), bundle(&case.join("new"), &settings));
    let (changes, mut diagnostics) = kplan::diff::run(&desired, &base, &Knowledge::default(), &settings);
    let (changes, more) = kplan::plan::run(changes, &desired, &base, None, &settings);
    diagnostics.extend(more);
    let whole = format!("{changes:?} {}", serde_json::to_string(&changes).unwrap());
    let changes = changes.iter().map(|change| {
        let mut json = serde_json::to_value(change).unwrap();
        json["object"] = format!("{}/{}", change.object.kind, change.object.name).into();
        json
    });
    let findings = diagnostics.iter().map(|diagnostic| finding(diagnostic, &desired));
    (changes.collect(), findings.collect(), whole)
}

fn finding(diagnostic: &Diagnostic, desired: &Bundle) -> Value {
    let server = diagnostic.server.as_ref();
    json!({
        "rule": diagnostic.rule,
        "message": diagnostic.message,
        "field": diagnostic.field,
        "line": desired.sources.get(diagnostic.file).line_column(diagnostic.span.start).line,
        "code": server.map(|server| server.code),
        "server": server.map(|server| &*server.message),
    })
}

/// What of `wanted` does not hold for `found`: texts named `why` and `message` need only occur.
fn differences(wanted: &Value, found: &Value, problems: &mut Vec<String>) {
    for (key, value) in wanted.as_object().unwrap() {
        let actual = &found[key];
        let good = match (key.as_str(), value, actual) {
            ("why" | "message", Value::String(part), Value::String(text)) => text.contains(part.as_str()),
            ("fields", Value::Array(wanted), Value::Array(found)) => {
                wanted.iter().zip(found).for_each(|(wanted, found)| differences(wanted, found, problems));
                wanted.len() == found.len()
            }
            _ => value == actual,
        };
        if !good {
            problems.push(format!("{key}: wanted {value}\n    got {actual}"));
        }
    }
}

fn problems(case: &Path) -> Vec<String> {
    let expect: Value = serde_json::from_str(&std::fs::read_to_string(case.join("expect.json")).unwrap()).unwrap();
    let (changes, findings, whole) = plan(case);
    let mut problems = Vec::new();
    for wanted in expect["changes"].as_array().unwrap() {
        // An object that moves is there twice: it goes and comes.
        let mut all = changes.iter().filter(|change| change["object"] == wanted["object"]);
        let first = all.clone().next();
        match all.find(|change| change["action"] == wanted["action"]).or(first) {
            Some(found) => differences(wanted, found, &mut problems),
            None => problems.push(format!("no change of {}", wanted["object"])),
        }
    }
    if let Some(count) = expect["count"].as_u64()
        && count != changes.len() as u64
    {
        problems.push(format!("{count} changes wanted, got {}", changes.len()));
    }
    let wanted = expect["findings"].as_array().cloned().unwrap_or_default();
    if wanted.len() != findings.len() {
        problems.push(format!("{} findings wanted, got {findings:#?}", wanted.len()));
    }
    wanted.iter().zip(&findings).for_each(|(wanted, found)| differences(wanted, found, &mut problems));
    for text in expect["never"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if whole.contains(text) || findings.iter().any(|finding| finding.to_string().contains(text)) {
            problems.push(format!("{text} is shown"));
        }
    }
    problems
}

#[test]
fn plans_say_what_is_expected() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plan");
    let mut cases: Vec<PathBuf> =
        std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    cases.sort();
    let mut failed = String::new();
    for case in &cases {
        for problem in problems(case) {
            failed.push_str(&format!("{}: {problem}\n", case.file_name().unwrap().to_string_lossy()));
        }
    }
    assert!(failed.is_empty(), "{failed}");
    println!("{} plan cases", cases.len());
}
