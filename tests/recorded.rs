//! Agreement with recorded answers of Kubernetes code, printed a file: `NAME: a of b`.
//!
//! The inputs of `yts-kubectl-verdicts` are in no row: `KPLAN_YAML_TEST_SUITE` names a checkout of
//! github.com/yaml/yaml-test-suite, without which that file is counted as not run.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use kplan::model::quantity::Quantity;
use kplan::yaml;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use support::{kplan, recorded};

/// The lines to print when all is done.
type Lines = Arc<Mutex<Vec<String>>>;

/// Rows that need not agree, by file, with the reason.
const KNOWN: &[(&str, &[&str])] = &[
    // libyaml refuses `a:,` in brackets and takes the comma into the tag `!!str,`; go-yaml does neither.
    ("yts-kubectl-verdicts", &["4ABK", "WZ62"]),
    // A kube-apiserver 1.36.3 answers these otherwise than the validation of 1.34.1 did.
    (
        "core-validation-1.34",
        &[
            "env",
            "svc name num",
            "svc ext2",
            "svc headless lb",
            "svc type",
            "label long value",
            "label prefix too long",
            "label two slashes",
            "generateName",
            "svc nodeport range",
            "init restartPolicy",
            "container restartPolicy",
            "pv csi",
            // It answers 404 before it validates: a namespace of that name cannot exist.
            "ns bad",
            // Whether a claim is bound stands in its status, which no manifest has.
            "pvc expand unbound",
            // The value is hidden in every output.
            "secret kubernetes.io/dockerconfigjson {.dockerconfigjson: eA==}",
        ],
    ),
];

fn main() {
    let arguments = Arguments::from_args();
    let lines = Lines::default();
    let suite = std::env::var_os("KPLAN_YAML_TEST_SUITE").map(PathBuf::from);
    let mut trials =
        vec![trial("quantity", &lines, quantities), trial("core-validation-1.34", &lines, core_validation)];
    let without = suite.is_none();
    let yts = trial("yts-kubectl-verdicts", &lines, move || yaml_test_suite(suite.as_deref().unwrap()));
    trials.push(if without { yts.with_kind("needs KPLAN_YAML_TEST_SUITE").with_ignored_flag(true) } else { yts });
    let conclusion = libtest_mimic::run(&arguments, trials);
    for line in lines.lock().unwrap().iter() {
        println!("{line}");
    }
    conclusion.exit();
}

/// A test that compares every row of a file; it gives the number of rows and what differs.
fn trial(name: &'static str, lines: &Lines, test: impl FnOnce() -> (usize, Vec<String>) + Send + 'static) -> Trial {
    let lines = lines.clone();
    Trial::test(name, move || {
        let (rows, wrong) = test();
        lines.lock().unwrap().push(format!("{name}: {} of {rows}", rows - wrong.len()));
        let is_known = |line: &String| {
            KNOWN.iter().any(|(file, rows)| {
                *file == name && rows.iter().any(|row| line.strip_prefix(row).is_some_and(|rest| rest.starts_with(':')))
            })
        };
        let wrong: Vec<String> = wrong.into_iter().filter(|line| !is_known(line)).collect();
        if wrong.is_empty() { Ok(()) } else { Err(Failed::from(wrong.join("\n"))) }
    })
}

fn quantities() -> (usize, Vec<String>) {
    let rows = recorded("quantity");
    let wrong = rows.iter().filter_map(|row| {
        let input = row["in"].as_str().unwrap();
        let actual = match Quantity::parse(input) {
            Ok(quantity) => serde_json::json!({
                "in": input, "canonical": quantity.canonical(), "stored": quantity.stored().canonical(),
                "milli": quantity.milli_value(), "value": quantity.value(),
            }),
            Err(error) => serde_json::json!({ "in": input, "err": error.to_string() }),
        };
        (actual != *row).then(|| format!("{actual}\n  not {row}"))
    });
    (rows.len(), wrong.collect())
}

/// Objects, and updates of objects, as the API server's validation of the core group answers them.
fn core_validation() -> (usize, Vec<String>) {
    let folder = support::folder("recorded-core-validation");
    let rows = recorded("core-validation-1.34");
    let wrong = rows.iter().enumerate().filter_map(|(number, row)| {
        let name = row["name"].as_str().unwrap();
        match validated(&folder, &format!("{number}.yaml"), row) {
            Ok(()) => None,
            Err(message) => Some(format!("{name}: {message}")),
        }
    });
    (rows.len(), wrong.collect())
}

fn validated(folder: &Path, file: &str, row: &Value) -> Result<(), String> {
    fs::write(folder.join(file), row["yaml"].as_str().unwrap()).unwrap();
    let run = match row["old"].as_str() {
        None => kplan(folder, &["check", "--output", "json", file]),
        Some(old) => {
            let base = folder.join(format!("old-{file}"));
            fs::create_dir_all(&base).unwrap();
            fs::write(base.join(file), old).unwrap();
            let base = format!("dir:old-{file}");
            kplan(folder, &["diff", "--output", "json", "--base", &base, file])
        }
    };
    let findings = run.findings()?;
    let servers: Vec<&Value> =
        findings.iter().map(|finding| &finding.0["server"]).filter(|server| !server.is_null()).collect();
    if let Some(error) = row["decode_error"].as_str() {
        let said = servers.iter().any(|server| server["message"].as_str().is_some_and(|said| said.ends_with(error)));
        return if said { Ok(()) } else { Err(format!("not said: {error}; {servers:?}")) };
    }
    let mut causes: Vec<&Value> =
        servers.iter().flat_map(|server| server["causes"].as_array().into_iter().flatten()).collect();
    for error in row["errors"].as_array().unwrap() {
        let text = |key: &str| error[key].as_str().unwrap_or_default();
        let same = |cause: &&Value| {
            cause["field"] == error["field"]
                && cause["reason"] == error["type"]
                && cause["message"].as_str().is_some_and(|message| message.ends_with(text("detail")))
        };
        let Some(at) = causes.iter().position(same) else {
            return Err(format!("no cause {} {} {}; {causes:?}", text("field"), text("type"), text("detail")));
        };
        causes.remove(at);
    }
    if causes.is_empty() { Ok(()) } else { Err(format!("too many causes: {causes:?}")) }
}

/// What sigs.k8s.io/yaml takes of the YAML test suite; an id is a file of `src/` and the index of the case in it.
fn yaml_test_suite(suite: &Path) -> (usize, Vec<String>) {
    let rows = recorded("yts-kubectl-verdicts");
    let wrong = rows.iter().filter_map(|row| {
        let id = row["id"].as_str().unwrap();
        let (name, index) = id.split_once('/').unwrap_or((id, "0"));
        let path = suite.join("src").join(name).with_extension("yaml");
        let text = match fs::read_to_string(&path) {
            Ok(text) => yaml::read(&text.into()),
            Err(error) => return Some(format!("{id}: {}: {error}", path.display())),
        };
        let cases = text.tree.view(text.documents[0].root.unwrap());
        let input = marks_replaced(cases.items().nth(index.parse().unwrap()).and_then(|case| case.get_str("yaml"))?);
        let accepted = yaml::read_unsplit(&input.into()).documents[0].error.is_none();
        (row["kubectl_accepts"] != accepted).then(|| format!("{id}: kubectl's reader says {}", row["kubectl_accepts"]))
    });
    (rows.len(), wrong.collect())
}

/// The suite writes what one cannot see as marks.
fn marks_replaced(text: &str) -> String {
    let mut out = text.replace('␣', " ").replace('↵', "").replace('←', "\r").replace('⇔', "\u{feff}");
    while let Some(at) = out.find('»') {
        let start = out[..at].trim_end_matches('—').len();
        out.replace_range(start..at + '»'.len_utf8(), "\t");
    }
    match out.find('∎') {
        Some(end) => out[..end].to_owned(),
        None => out,
    }
}
