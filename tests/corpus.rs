//! kubernetes/examples, object by object, against `truth-kubernetes-examples-1.36.jsonl`.
//!
//! The corpus is not committed: `KPLAN_CORPUS` names a checkout of github.com/kubernetes/examples at 279e8e4fe3, without
//! which the tests are counted as not run.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use support::{kplan, recorded, server_differs};

/// A test on the corpus.
type Test = fn(&Path) -> Result<(), Failed>;

fn main() {
    let arguments = Arguments::from_args();
    let corpus = std::env::var_os("KPLAN_CORPUS").map(PathBuf::from);
    let tests: [(&str, Test); 2] =
        [("truth-kubernetes-examples-1.36", truth), ("kubernetes-examples::every_command", commands)];
    let trials = tests.map(|(name, test)| {
        let folder = corpus.clone();
        let trial = Trial::test(name, move || test(&folder.unwrap()));
        if corpus.is_some() { trial } else { trial.with_kind("needs KPLAN_CORPUS").with_ignored_flag(true) }
    });
    libtest_mimic::run(&arguments, trials.into()).exit();
}

/// The server was asked of one object at a time, with its CRDs and namespaces present: each file is judged alone.
fn truth(corpus: &Path) -> Result<(), Failed> {
    let rows = recorded("truth-kubernetes-examples-1.36");
    let files: BTreeSet<&str> = rows.iter().map(|row| row["file"].as_str().unwrap()).collect();
    let mut findings = Vec::new();
    for file in &files {
        let run = kplan(corpus, &["check", "--output", "json", file]);
        findings.extend(run.findings().map_err(|error| format!("{file}: {error}"))?);
    }
    let mut wrong = Vec::new();
    for row in &rows {
        let of_row = |finding: &&Value| finding["file"] == row["file"] && finding["document"] == row["doc"];
        let of_item = |finding: &&Value| {
            row["item"] == -1 || (finding["object"]["name"] == row["name"] && finding["object"]["kind"] == row["kind"])
        };
        let found: Vec<&Value> = findings.iter().map(|finding| &finding.0).filter(of_row).filter(of_item).collect();
        let differs = match row["verdict"].as_str() {
            // Without its CRD a kind has no schema here; that is for the user to know, not a refusal.
            Some("no-such-api") => unknown(row, &found),
            _ => server_differs(row, &found),
        };
        if !differs.is_empty() {
            wrong.push(format!("{} {} {}: {}", row["file"], row["doc"], row["name"], differs.join("\n    ")));
        }
    }
    println!("truth-kubernetes-examples-1.36: {} of {}", rows.len() - wrong.len(), rows.len());
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

fn unknown(row: &Value, found: &[&Value]) -> Vec<String> {
    let said = ["api-removed", "api-not-found", "schema-missing"];
    if found.iter().any(|finding| said.contains(&finding["rule"].as_str().unwrap_or_default())) {
        return Vec::new();
    }
    vec![format!("the server has no {} {}, and kplan does not say so", row["apiVersion"], row["kind"])]
}

/// No command panics on the whole tree, and each tells what it looked at.
fn commands(corpus: &Path) -> Result<(), Failed> {
    let mut wrong = Vec::new();
    for command in ["check", "plan", "diff"] {
        let mut arguments = vec![command, "--output", "json", "."];
        if command != "check" {
            arguments.extend(["--base", "empty"]);
        }
        let run = kplan(corpus, &arguments);
        let report = run.report()?;
        let panicked = run.findings()?.iter().any(|finding| finding.text("rule") == "rule-panicked");
        if panicked || run.stderr.contains("panicked") || !matches!(run.code, Some(0 | 1)) {
            wrong.push(format!("{command}: {}", run.shown()));
        }
        println!("kubernetes/examples {command}: {:.3} s, {}", run.time.as_secs_f64(), report["summary"]);
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}
