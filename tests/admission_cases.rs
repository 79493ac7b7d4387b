//! Agreement with the API server's admission over small sets, recorded in `fixtures/admission`.
#![allow(clippy::unwrap_used)]

use kplan::config::Settings;
use kplan::diag::Diagnostic;
use kplan::load::{self, Input};
use kplan::model::Version;
use kplan::schema::Schema;
use kplan::{defaults, parse, validate};
use serde_json::Value;

/// What kplan finds in the object that stands beside its set.
fn judged(row: &Value) -> Vec<Diagnostic> {
    let schema = Schema::of(Version::DEFAULT).unwrap();
    let settings = Settings::default();
    let objects = row["set"].as_array().unwrap().iter().chain([&row["object"]]);
    let input = |(index, object): (usize, &Value)| Input {
        name: format!("{index}.json"),
        content: Ok(object.to_string().into_bytes()),
        path: 0,
        explicit: true,
    };
    let (loaded, _) = load::assemble(objects.enumerate().map(input).collect(), &settings);
    let scope = |version: &str, kind: &str| schema.served(version, kind).map(|kind| kind.namespaced);
    let (mut bundle, _) = parse::run(loaded, &settings, &scope);
    defaults::run(&mut bundle, schema);
    let (id, _) = bundle.iter().last().unwrap();
    validate::run(&bundle, schema).into_iter().filter(|found| found.object == Some(id)).collect()
}

/// The answer: the message where the object is refused, else what the server warns of.
fn answer(found: &[Diagnostic]) -> (Option<String>, Vec<String>) {
    let server = found.iter().find_map(|diagnostic| diagnostic.server.as_ref());
    let warnings = found.iter().filter(|diagnostic| diagnostic.rule == "api-warning");
    match server {
        Some(server) => (Some(server.message.to_string()), Vec::new()),
        None => (None, warnings.map(|diagnostic| diagnostic.message.clone()).collect()),
    }
}

#[test]
fn admission_agrees() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/admission/1.36.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut wrong = Vec::new();
    for row in &rows {
        let message = row["message"].as_str().map(str::to_owned);
        let warnings = row["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let wanted = (message, warnings.map(str::to_owned).collect::<Vec<_>>());
        let found = answer(&judged(row));
        if found != wanted {
            wrong.push(format!("{}:\n  server {wanted:?}\n  kplan  {found:?}", row["name"]));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    assert!(rows.len() >= 80);
}
