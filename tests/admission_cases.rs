//! Agreement with the API server's admission over small sets, recorded in `fixtures/admission`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use kplan::admission::Admission;
use kplan::config::Settings;
use kplan::diag::Diagnostic;
use kplan::load::{self, Input};
use kplan::model::{Bundle, Live, Version};
use kplan::schema::Schema;
use kplan::{defaults, parse, validate};
use serde_json::Value;

/// Objects as kplan reads them.
fn read(schema: &Schema, objects: &[&Value]) -> Bundle {
    let settings = Settings::default();
    let input = |(index, object): (usize, &&Value)| Input {
        name: format!("{index}.json"),
        content: Ok(object.to_string().into_bytes()),
        path: 0,
        explicit: true,
    };
    let (loaded, _) = load::assemble(objects.iter().enumerate().map(input).collect(), &settings);
    let scope = |version: &str, kind: &str| schema.served(version, kind).map(|kind| kind.namespaced);
    let (mut bundle, _) = parse::run(loaded, &settings, &scope);
    defaults::run(&mut bundle, schema);
    bundle
}

/// What kplan finds in the object that stands beside its set, or that is made where the set is after those before it;
/// and the object as it would be stored.
fn judged(row: &Value) -> (Vec<Diagnostic>, Value) {
    let schema = Schema::of(Version::DEFAULT).unwrap();
    let list = |key: &str| row[key].as_array().into_iter().flatten();
    let is_made = row.get("before").is_some();
    let beside = list(if is_made { "before" } else { "set" }).chain([&row["object"]]).collect::<Vec<_>>();
    let bundle = read(schema, &beside);
    let live = is_made.then(|| {
        let mut live = read(schema, &list("set").collect::<Vec<_>>());
        let whole = ["PriorityClass", "RuntimeClass"].map(|kind| (kind.to_owned(), BTreeSet::new())).into();
        live.live = Some(Live { whole, ..Live::default() });
        live
    });
    let (id, object) = bundle.iter().last().unwrap();
    let found = validate::run(&bundle, live.as_ref(), schema);
    let admitted = Admission::of(&bundle, live.as_ref()).mutate(object, bundle.full(id));
    let stored = admitted.map_or_else(|| bundle.full(id).to_json(), |admitted| admitted.view().to_json());
    let own = found.into_iter().filter(|found| found.object == Some(id)).collect();
    (own, serde_json::from_str(&stored).unwrap())
}

/// The answer: the message where the object is refused, else what the server warns of.
fn answer(found: &[Diagnostic]) -> (Option<String>, Vec<String>) {
    let server = found.iter().find_map(|diagnostic| diagnostic.server.as_ref());
    let warnings = found.iter().filter(|diagnostic| diagnostic.rule == "api-warning");
    match server {
        Some(server) => (Some(sorted(&server.message)), Vec::new()),
        None => (None, warnings.map(|diagnostic| diagnostic.message.clone()).collect()),
    }
}

/// Several problems of LimitRanger in one order: Go walks maps in random order.
fn sorted(message: &str) -> String {
    let Some((head, rest)) = message.split_once(" is forbidden: [") else { return message.to_owned() };
    let mut parts: Vec<&str> = rest.trim_end_matches(']').split(", ").collect();
    parts.sort_unstable();
    format!("{head} is forbidden: [{}]", parts.join(", "))
}

/// The fields in which a stored object differs from the recorded ones.
fn unlike(stored: &Value, wanted: &Value) -> Vec<String> {
    let spec = &stored["spec"];
    let resources = |container: &Value| {
        let mut resources = container["resources"].as_object().cloned().unwrap_or_default();
        resources.retain(|_, list| list.as_object().is_none_or(|list| !list.is_empty()));
        Value::Object(resources)
    };
    let found = |key: &str| match key {
        "containers" | "initContainers" => spec[key].as_array().into_iter().flatten().map(resources).collect(),
        _ => spec[key].clone(),
    };
    let fields = wanted.as_object().into_iter().flatten().map(|(key, wanted)| (key, wanted, found(key)));
    fields.filter(|(_, wanted, found)| *wanted != found).map(|(key, _, found)| format!("{key}: {found}")).collect()
}

#[test]
fn admission_agrees() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/admission/1.36.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut wrong = Vec::new();
    for row in &rows {
        let message = row["message"].as_str().map(sorted);
        let warnings = row["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let wanted = (message, warnings.map(str::to_owned).collect::<Vec<_>>());
        let (found, stored) = judged(row);
        let found = answer(&found);
        if found != wanted {
            wrong.push(format!("{}:\n  server {wanted:?}\n  kplan  {found:?}", row["name"]));
        }
        let unlike = unlike(&stored, &row["stored"]);
        if !unlike.is_empty() {
            wrong.push(format!("{}: stored {}, but {unlike:?}", row["name"], row["stored"]));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    assert!(rows.len() >= 180);
}
