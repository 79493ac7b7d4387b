//! The fixtures of the rules: each `fixtures/rules/<id>/` against the marks in its files.
//!
//! `cargo test --test rules -- rule::env-value-not-string` runs the tests of one rule.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use kplan::diag::Tier;
use kplan::lint::catalog::RULES;
use libtest_mimic::{Arguments, Failed, Trial};
use support::{difference, files, kplan, verdict};

/// Rules that cannot have a fixture, with the reason.
const WITHOUT: &[(&str, &str)] = &[
    ("api-unknown-field", "schema-unknown-field explains every field that the verified versions refuse"),
    ("policy-denied", "fixtures/policy/, through tests/policy.rs"),
    ("policy-invalid", "fixtures/policy/, through tests/policy.rs"),
    ("policy-unjudged", "fixtures/policy/, through tests/policy.rs"),
    ("policy-warning", "fixtures/policy/, through tests/policy.rs"),
    ("render-failed", "it needs a renderer, which not every machine has: tests/render.rs"),
    ("rule-panicked", "no input is known that makes a rule panic"),
];

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = vec![Trial::test("rules::every_rule_has_fixtures", orphans)];
    trials.push(Trial::test("rules::pages_say_what_explain_says", pages));
    trials.push(Trial::test("rules::every_parameter_has_fixtures", params));
    for id in RULES.iter().map(|rule| rule.id).filter(|id| folder(id).is_dir()) {
        trials.push(Trial::test(format!("rule::{id}::fail"), move || fail(id)));
        trials.push(Trial::test(format!("rule::{id}::pass"), move || pass(id)));
        trials.push(Trial::test(format!("rule::{id}::fixed"), move || fixed(id)));
        if folder(id).join("params").is_dir() {
            trials.push(Trial::test(format!("rule::{id}::params::fail"), move || {
                fail_in(id, &folder(id).join("params"))
            }));
            trials.push(Trial::test(format!("rule::{id}::params::pass"), move || {
                pass_in(id, &folder(id).join("params"))
            }));
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn folder(id: &str) -> PathBuf {
    support::root().join("fixtures/rules").join(id)
}

/// Fixtures without a rule, rules without a fixture, and files that no test reads.
fn orphans() -> Result<(), Failed> {
    let mut lines = Vec::new();
    for rule in RULES.iter().filter(|rule| WITHOUT.iter().all(|(id, _)| *id != rule.id)) {
        for name in ["fail", "pass"] {
            let file = folder(rule.id).join(name);
            if !file.is_dir() && !file.with_extension("yaml").is_file() {
                lines.push(format!("fixtures/rules/{}/{name}.yaml is missing", rule.id));
            }
        }
    }
    let known = ["fail.yaml", "pass.yaml", "fixed.yaml", "fail.expected", "fail", "pass", "kplan.yaml", "params"];
    for entry in fs::read_dir(folder("")).unwrap() {
        let id = entry.unwrap().file_name().into_string().unwrap();
        if RULES.iter().all(|rule| rule.id != id) {
            lines.push(format!("fixtures/rules/{id}: there is no such rule"));
        }
        for file in fs::read_dir(folder(&id)).unwrap() {
            let file = file.unwrap().file_name().into_string().unwrap();
            if !known.contains(&file.as_str()) {
                lines.push(format!("fixtures/rules/{id}/{file}: no test reads it"));
            }
        }
    }
    verdict(lines)
}

/// Each parameter of the catalogue is set in the kplan.yaml of a fixture: of its own where the rule has a default, of the
/// rule's only one where it does nothing without.
fn params() -> Result<(), Failed> {
    let mut lines = Vec::new();
    for rule in RULES {
        let place = if rule.needed_params().is_empty() { "params/kplan.yaml" } else { "kplan.yaml" };
        let text = fs::read_to_string(folder(rule.id).join(place)).unwrap_or_default();
        for name in rule.param_schemas().keys().filter(|name| !text.contains(&format!("      {name}: "))) {
            lines.push(format!("fixtures/rules/{}/{place} does not set {name}", rule.id));
        }
    }
    verdict(lines)
}

/// The page of a rule in `rules/` and `kplan explain` have the same text, whatever its line breaks.
fn pages() -> Result<(), Failed> {
    let words = |text: &str| text.split_whitespace().collect::<String>();
    let mut lines = Vec::new();
    for rule in RULES {
        let path = support::root().join(format!("rules/{}/{}.md", rule.group, rule.id));
        let page = words(&fs::read_to_string(&path).unwrap_or_default()).replace("\\|", "|");
        let shown = words(&kplan(&support::root(), &["explain", rule.id]).stdout);
        let fix = format!("Fix: {}", rule.fix);
        let texts = [rule.title, rule.why, &fix, rule.tier.name(), &rule.kinds.join(", "), &rule.aliases.join(", ")];
        let params = rule.param_schemas().into_iter().map(|(name, schema)| {
            let default = schema.get("default").map_or("not set".to_owned(), |default| format!("default {default}"));
            words(&format!("{name}: {} ({default})", schema["description"].as_str().unwrap()))
        });
        for text in texts.map(words).into_iter().chain(params) {
            if !page.contains(&text) || !shown.contains(&text) {
                lines.push(format!("{}: {text}", rule.id));
            }
        }
    }
    verdict(lines)
}

/// `fail.yaml`, or the folder `fail` where one file does not do.
fn input(folder: &Path, name: &str) -> String {
    if folder.join(name).is_dir() { name.to_owned() } else { format!("{name}.yaml") }
}

/// Exactly what is marked, as far as the rule itself, the default tier and marked rules go.
fn fail(id: &str) -> Result<(), Failed> {
    fail_in(id, &folder(id))
}

fn fail_in(id: &str, folder: &Path) -> Result<(), Failed> {
    let name = input(folder, "fail");
    let expected = marks(folder, &name);
    let mut watched: BTreeSet<&str> = expected.iter().filter_map(|mark| mark.rsplit(['[', ']']).nth(1)).collect();
    watched.insert(id);
    verdict(difference(&expected, &found(folder, &name, &watched)?))
}

/// Nothing of the rule, and nothing of the default tier.
fn pass(id: &str) -> Result<(), Failed> {
    pass_in(id, &folder(id))
}

fn pass_in(id: &str, folder: &Path) -> Result<(), Failed> {
    verdict(difference(&[], &found(folder, &input(folder, "pass"), &BTreeSet::from([id]))?))
}

/// The findings of the watched rules and of the default tier.
fn found(folder: &Path, name: &str, watched: &BTreeSet<&str>) -> Result<Vec<String>, Failed> {
    let findings = kplan(folder, &["check", "--tier", "strict", "--output", "json", name]).findings()?;
    let default = |id: &str| RULES.iter().any(|rule| rule.id == id && rule.tier == Tier::Default);
    let mut lines = Vec::new();
    for finding in findings {
        let rule = finding.text("rule");
        // A custom resource without its definition is only remarked upon.
        if watched.contains(rule) || (default(rule) && rule != "schema-missing") {
            lines.push(finding.short());
        }
        if RULES.iter().all(|known| known.id != rule) {
            lines.push(format!("{} is not in the catalogue", finding.short()));
        }
    }
    Ok(lines)
}

/// What is marked, as `file:line: severity[rule]`: in `fail.expected`, else at the ends of the lines.
fn marks(folder: &Path, name: &str) -> Vec<String> {
    if let Ok(text) = fs::read_to_string(folder.join("fail.expected")) {
        return text.lines().map(str::to_owned).collect();
    }
    let text = fs::read_to_string(folder.join(name)).unwrap();
    let mut marks = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for severity in ["error", "warning", "info"] {
            let Some((_, rules)) = line.rsplit_once(&format!("# {severity}: ")) else { continue };
            let mark = |rule: &str| format!("{name}:{}: {severity}[{}]", number + 1, rule.trim());
            marks.extend(rules.split(',').map(mark));
        }
    }
    marks
}

/// `--fix` makes `fixed.yaml` of `fail.yaml`, or changes nothing where there is none; a second run changes nothing.
fn fixed(id: &str) -> Result<(), Failed> {
    let from = folder(id);
    let name = input(&from, "fail");
    let copy = support::folder(&format!("rules-fixed-{id}"));
    if from.join(&name).is_dir() {
        support::copy(&from.join(&name), &copy.join(&name));
    } else {
        fs::copy(from.join(&name), copy.join(&name)).unwrap();
    }
    let mut expected = files(&copy);
    if let Ok(bytes) = fs::read(from.join("fixed.yaml")) {
        expected = vec![(name.clone(), bytes)];
    }
    for run in ["first", "second"] {
        let fix = kplan(&copy, &["check", "--tier", "strict", "--fix", &name]);
        for (expected, actual) in expected.iter().zip(files(&copy)) {
            if *expected != actual {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect::<Vec<_>>();
                let lines = difference(&text(&expected.1), &text(&actual.1)).join("\n");
                return Err(format!("{run} run, {}:\n{lines}\n{}", actual.0, fix.shown()).into());
            }
        }
    }
    Ok(())
}
