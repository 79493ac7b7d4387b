//! The recorded answers of a real kube-scheduler, pod by pod: verdicts, sentences, best nodes, scores, victims.
#![allow(clippy::unwrap_used)]

mod play;

use serde_json::Value;

/// Plays a file; every row must agree.
fn agrees(path: &str) -> usize {
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut wrong = Vec::new();
    for row in &rows {
        for found in play::play(row) {
            let play::Difference { pod, what, ours, theirs } = found;
            wrong.push(format!("{} {pod}: {what}\n    kplan    {ours}\n    recorded {theirs}", row["name"]));
        }
    }
    assert!(wrong.is_empty(), "{} differences in {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    rows.len()
}

#[test]
fn recorded_placements() {
    assert!(agrees("fixtures/recorded/placement-1.36.jsonl") >= 77);
}

/// Rows found by random clusters on a real control plane, all kinds of plugins.
#[test]
fn random_placements() {
    assert!(agrees("fixtures/simulate/placement-1.36.jsonl") >= 50);
}

/// Schedulers started with the configurations of `fixtures/schedulers`.
#[test]
fn configured_schedulers() {
    assert!(agrees("fixtures/simulate/profiles-1.36.jsonl") >= 24);
}

/// The scheduler of 1.34.
#[test]
fn placements_of_an_older_version() {
    assert!(agrees("fixtures/simulate/placement-1.34.jsonl") >= 20);
}

/// Rows from elsewhere: `KPLAN_PLACEMENT=FILE cargo test --test placement_cases placements_of_a_file`.
#[test]
fn placements_of_a_file() {
    if let Ok(path) = std::env::var("KPLAN_PLACEMENT") {
        agrees(&path);
    }
}
