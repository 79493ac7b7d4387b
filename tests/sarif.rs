//! SARIF against the schema that OASIS publishes, and within GitHub's limits.
//!
//! `KPLAN_TEST_SARIF_SCHEMA` names the schema; without it these tests are counted as not run. `cargo xtask test` gives it.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use support::{kplan, root, verdict};

type Test = fn(&Path) -> Result<(), Failed>;

fn main() {
    let arguments = Arguments::from_args();
    let schema = std::env::var_os("KPLAN_TEST_SARIF_SCHEMA").map(PathBuf::from).filter(|path| path.is_file());
    let tests: [(&str, Test); 3] = [
        ("all_that_is_found_is_valid", all_that_is_found),
        ("suppressions_and_fixes_are_valid", suppressions_and_fixes),
        ("the_limits_of_github_are_kept", limits),
    ];
    let trials = tests.into_iter().map(|(name, test)| {
        let schema = schema.clone();
        let is_there = schema.is_some();
        let trial = Trial::test(format!("sarif::{name}"), move || test(&schema.unwrap_or_default()));
        if is_there { trial } else { trial.with_kind("needs the schema").with_ignored_flag(true) }
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

/// The log of a run, with what the schema has against it.
fn log(schema: &Path, home: &Path, arguments: &[&str]) -> (Value, Vec<String>) {
    let run = kplan(home, &[&["check", "--output", "sarif"], arguments].concat());
    let log: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.shown()));
    // One pattern of the published schema, for `language`, has a bracket too many and is no regular expression.
    let text = fs::read_to_string(schema).unwrap().replace("{2}]?$", "{2}$");
    let schema: Value = serde_json::from_str(&text).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let problems: Vec<String> =
        validator.iter_errors(&log).map(|error| format!("{}: {error}", error.instance_path())).take(10).collect();
    (log, problems)
}

fn results(log: &Value) -> &Vec<Value> {
    log["runs"][0]["results"].as_array().unwrap()
}

/// Every fixture of a rule and of a situation, at the tier that finds most.
fn all_that_is_found(schema: &Path) -> Result<(), Failed> {
    let mut wrong = Vec::new();
    for folder in ["fixtures/rules", "fixtures/situations", "fixtures/bundles"] {
        let (log, problems) = log(schema, &root(), &["--tier", "strict", folder]);
        wrong.extend(problems);
        if results(&log).len() < 20 {
            wrong.push(format!("{folder}: {} results", results(&log).len()));
        }
        let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
        for result in results(&log) {
            let index = result["ruleIndex"].as_u64().unwrap() as usize;
            if rules[index]["id"] != result["ruleId"] {
                wrong.push(format!("{} is not rule {index}", result["ruleId"]));
            }
        }
    }
    verdict(wrong)
}

fn suppressions_and_fixes(schema: &Path) -> Result<(), Failed> {
    let home = support::folder("sarif-both");
    fs::create_dir_all(home.join(".git")).unwrap();
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: ä}\nspec:\n  containers:\n    - name: web\n      image: nginx \
                # kplan: ignore[image-tag-mutable] known\n      env: [{name: A, value: true}]\n";
    fs::write(home.join("päd with space.yaml"), text).unwrap();
    let (log, mut wrong) = log(schema, &home, &["--tier", "recommended", "."]);
    let results = results(&log);
    let suppressed = results.iter().find(|result| result["suppressions"][0]["justification"] == "known");
    if suppressed.is_none_or(|result| result["ruleId"] != "image-tag-mutable") {
        wrong.push("no suppression is told".to_owned());
    }
    let inserted =
        |result: &Value| result["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"].clone();
    if !results.iter().any(|result| inserted(result)["text"] == "\"true\"") {
        wrong.push("no fix is told".to_owned());
    }
    let uri = &results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    if uri != "p%C3%A4d%20with%20space.yaml" {
        wrong.push(format!("{uri}"));
    }
    verdict(wrong)
}

/// 26,000 findings, of which the errors stand last: 25,000 results, all errors among them, below 10 MB after gzip.
fn limits(schema: &Path) -> Result<(), Failed> {
    let home = support::folder("sarif-limits");
    fs::create_dir_all(home.join(".git")).unwrap();
    let mut text = String::new();
    for number in 0..26_000 {
        let key = if number < 25_900 { "note" } else { "dota" };
        let value = if key == "note" { "metadata: {namespace: default, name: c" } else { "metadata: {name: c" };
        text += &format!("apiVersion: v1\nkind: ConfigMap\n{value}{number}}}\n");
        text += if key == "dota" { "dota: {}\n---\n" } else { "---\n" };
    }
    fs::write(home.join("many.yaml"), text).unwrap();
    let (log, mut wrong) = log(schema, &home, &["--tier", "strict", "many.yaml"]);
    let of_level = |level: &str| results(&log).iter().filter(|result| result["level"] == level).count();
    if (results(&log).len(), of_level("error")) != (25_000, 100) {
        wrong.push(format!("{} results, {} errors", results(&log).len(), of_level("error")));
    }
    let told = &log["runs"][0]["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"];
    if !told.as_str().unwrap_or_default().starts_with("25000 of 26000 findings") {
        wrong.push(format!("what is left out is not told: {told}"));
    }
    match gzipped(&log.to_string()) {
        Some(size) if size > 10 << 20 => wrong.push(format!("{size} bytes after gzip")),
        Some(_) => {}
        None => wrong.push("gzip does not run here, so the size is not known".to_owned()),
    }
    verdict(wrong)
}

/// Bytes after gzip, where there is one.
fn gzipped(text: &str) -> Option<usize> {
    let mut gzip = Command::new("gzip").arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    let mut input = gzip.stdin.take()?;
    let text = text.to_owned();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = gzip.wait_with_output().ok()?;
    writer.join().ok()?.ok()?;
    Some(output.stdout.len())
}
