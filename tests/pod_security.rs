//! Pod Security to the letter: every check, at both levels and as every version means it, as recorded from the API server
//! (`fixtures/admission/pod-security-1.36.jsonl`; the label `enforce-version` makes one server answer for all of them).
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;

use kplan::config::Settings;
use kplan::load::{self, Input};
use kplan::model::Version;
use kplan::schema::Schema;
use kplan::{defaults, parse, validate};
use serde_json::{Value, json};

/// The versions that were asked; those between two of them have the checks of the lower one.
const VERSIONS: [&str; 22] = [
    "v1.0", "v1.7", "v1.8", "v1.18", "v1.19", "v1.21", "v1.22", "v1.23", "v1.24", "v1.25", "v1.26", "v1.27", "v1.28",
    "v1.29", "v1.30", "v1.31", "v1.32", "v1.33", "v1.34", "v1.35", "v1.36", "latest",
];

fn rows() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/admission/pod-security-1.36.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The recorded answer at a version: the last one that came at or before it.
fn recorded(row: &Value, version: &str) -> Option<String> {
    let place = |version: &str| VERSIONS.iter().position(|known| *known == version).unwrap();
    let mut answers = row["answers"].as_array().unwrap().iter();
    let last = answers.rfind(|answer| place(answer[0].as_str().unwrap()) <= place(version));
    Some(last.unwrap()[1].as_str()?.replace("VERSION", version))
}

/// What kplan says the server answers to each pod of a namespace with that level and version, by the pod's name.
fn answers(level: &str, version: &str, pods: &[Value]) -> BTreeMap<String, String> {
    let schema = Schema::of(Version::DEFAULT).unwrap();
    let label = |name: &str| format!("pod-security.kubernetes.io/{name}");
    let labels = json!({ label("enforce"): level, label("enforce-version"): version });
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n", "labels": labels}});
    let content = |(index, object): (usize, &Value)| Input {
        name: format!("{index}.json"),
        content: Ok(object.to_string().into_bytes()),
        path: 0,
        explicit: true,
    };
    let objects = std::iter::once(&namespace).chain(pods).enumerate();
    let settings = Settings::default();
    let (loaded, _) = load::assemble(objects.map(content).collect(), &settings);
    let scope = |version: &str, kind: &str| schema.served(version, kind).map(|kind| kind.namespaced);
    let (mut bundle, _) = parse::run(loaded, &settings, &scope);
    defaults::run(&mut bundle, schema);
    let found = validate::run(&bundle, None, schema);
    let refused = found.into_iter().filter_map(|found| Some((found.object?, found.server?)));
    refused.map(|(id, server)| (bundle.object(id).name.clone(), server.message.to_string())).collect()
}

#[test]
fn every_check_at_every_level_and_version() {
    let rows = rows();
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for level in ["baseline", "restricted"] {
        let of_level: Vec<&Value> = rows.iter().filter(|row| row["level"] == level).collect();
        let pod = |(index, row): (usize, &&Value)| {
            let mut metadata = json!({"name": format!("p{index}"), "namespace": "n"});
            if let Some(annotations) = row["metadata"].get("annotations") {
                metadata["annotations"] = annotations.clone();
            }
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": row["spec"]})
        };
        let pods: Vec<Value> = of_level.iter().enumerate().map(pod).collect();
        for version in VERSIONS {
            let found = answers(level, version, &pods);
            for (index, row) in of_level.iter().enumerate() {
                let name = format!("p{index}");
                let ours = found.get(&name).map(|text| text.replace(&format!("{name:?}"), "\"p\""));
                let theirs = recorded(row, version);
                asked += 1;
                if ours != theirs {
                    wrong
                        .push(format!("{} at {level}:{version}:\n  server {theirs:?}\n  kplan  {ours:?}", row["name"]));
                }
            }
        }
    }
    println!("pod security: {} of {asked}", asked - wrong.len());
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(asked >= 4_000);
}
