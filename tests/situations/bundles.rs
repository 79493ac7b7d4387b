//! The two bundles of the README: an application as it should be, and as beginners write it.

use std::fs;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::case::Answer;
use crate::support::{self, Finding, Run, difference, kplan, lacking, verdict};

/// The five mistakes that kplan exists for, with the bytes that the finding underlines in `tutorial-broken`.
const MISSION: [(&str, &str, &str); 7] = [
    ("env-value-not-string", "app.yaml:46", "True"),
    ("api-removed", "mypython.yaml:1", "extensions/v1beta1"),
    ("selector-missing", "mypython.yaml:6", "spec"),
    ("selector-template-mismatch", "nginx.yaml:39", "{app: nginx-private}"),
    ("request-exceeds-node", "placement.yaml:19", "3Gi"),
    ("pod-unschedulable", "app.yaml:51", "200m"),
    ("taint-conflict", "placement.yaml:37", "{test123_env: prod}"),
];

/// The passwords of the situation `secret-value`.
const SECRETS: [&str; 4] = ["MTIzNDU2", "123456", "NjU0MzIx", "654321"];

/// A test of the bundles.
type Test = fn() -> Answer;

pub fn trials() -> Vec<Trial> {
    let tests: [(&str, Test); 4] = [
        ("bundle::tutorial", tutorial),
        ("bundle::tutorial-broken", broken),
        ("bundle::mission", mission),
        ("bundle::no-secret-is-shown", masked),
    ];
    tests.map(|(name, test)| Trial::test(name, move || verdict(test()?))).into()
}

fn run(arguments: &[&str]) -> Run {
    kplan(&support::root().join("fixtures/bundles"), arguments)
}

/// Nothing to say of it in the default tier; every pod has a place, every object is created.
fn tutorial() -> Answer {
    let run = run(&["plan", "tutorial", "--output", "json"]);
    let report = run.report()?;
    let mut wrong: Vec<String> = run.findings()?.iter().map(Finding::place).collect();
    if run.code != Some(0) {
        wrong.push(run.shown());
    }
    let of = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let pods = of(&report["placement"], "pods");
    wrong.extend(pods.iter().filter(|pod| pod["verdict"] != "scheduled").map(|pod| format!("not scheduled: {pod}")));
    let changes = of(&report, "changes");
    wrong.extend(changes.iter().filter(|change| change["action"] != "create").map(|change| format!("{change}")));
    if pods.is_empty() || changes.is_empty() {
        wrong.push(format!("{} pods, {} changes", pods.len(), changes.len()));
    }
    Ok(wrong)
}

fn expected(name: &str) -> Vec<String> {
    let text = fs::read_to_string(support::root().join("fixtures/bundles").join(name)).unwrap();
    text.lines().map(|line| format!("tutorial-broken/{line}")).collect()
}

/// Each mistake once, and nothing else.
fn broken() -> Answer {
    let mut places = expected("tutorial-broken.expected");
    let mut wrong = Vec::new();
    for command in ["check", "plan"] {
        let run = run(&[command, "tutorial-broken", "--output", "json"]);
        let found: Vec<String> = run.findings()?.iter().map(Finding::short).collect();
        wrong.extend(difference(&places, &found).into_iter().map(|line| format!("{command} {line}")));
        if run.code != Some(1) {
            wrong.push(format!("{command} exits with {:?}", run.code));
        }
    }
    places.extend(expected("tutorial-broken.strict.expected"));
    let strict = run(&["check", "tutorial-broken", "--tier", "strict", "--output", "json"]).findings()?;
    let strict: Vec<String> = strict.iter().map(Finding::short).collect();
    wrong.extend(lacking(&places, &strict).into_iter().map(|line| format!("strict {line}")));
    Ok(wrong)
}

/// The text that the finding underlines.
fn underlined(finding: &Finding) -> String {
    let path = support::root().join("fixtures/bundles").join(finding.text("file"));
    let text = fs::read_to_string(path).unwrap_or_default();
    let number = |key: &str| finding.0[key].as_u64().unwrap_or_default() as usize;
    let line = text.lines().nth(number("line").saturating_sub(1)).unwrap_or_default();
    let end = if number("endLine") == number("line") { number("endColumn") } else { usize::MAX };
    let start = number("column").saturating_sub(1);
    line.chars().skip(start).take(end.saturating_sub(start + 1)).collect()
}

/// The rules of the mission: each reported once, at the right bytes.
fn mission() -> Answer {
    let findings = run(&["check", "tutorial-broken", "--output", "json"]).findings()?;
    let mut wrong = Vec::new();
    for (rule, place, text) in MISSION {
        let found: Vec<&Finding> = findings.iter().filter(|finding| finding.text("rule") == rule).collect();
        let at = format!("tutorial-broken/{place}: {rule}");
        match found.as_slice() {
            [one] if one.place() == at && underlined(one) == text => {}
            [one] => {
                wrong.push(format!("{} underlines {:?}; expected {at} under {text:?}", one.place(), underlined(one)))
            }
            many => wrong.push(format!("{rule} is reported {} times", many.len())),
        }
    }
    Ok(wrong)
}

/// No output shows a secret's value, plain or encoded, old or new.
fn masked() -> Answer {
    let folder = support::root().join("fixtures/situations/secret-value");
    let mut wrong = Vec::new();
    for format in ["human", "concise", "json", "sarif", "github", "markdown"] {
        for command in ["diff", "plan"] {
            let run = kplan(&folder, &[command, "new", "--base", "dir:old", "--output", format]);
            let shown = SECRETS.iter().filter(|value| run.stdout.contains(**value) || run.stderr.contains(**value));
            wrong.extend(shown.map(|value| format!("{command} --output {format} shows {value}")));
            // Two formats have findings only, of which there are none.
            let empty = run.stdout.is_empty() && !["concise", "github"].contains(&format);
            if run.code != Some(0) || empty {
                wrong.push(format!("{command} --output {format}: {}", run.shown()));
            }
        }
    }
    Ok(wrong)
}
