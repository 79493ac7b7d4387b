//! `--fix` on manifests that others wrote: every fixed file parses to the same objects but for the fixed fields, and a
//! second run changes nothing.
//!
//! The corpora are not committed: `KPLAN_FIX_CORPORA` names folders, parted as those of PATH, say checkouts of
//! kubernetes/examples, argo-cd's `manifests` and microservices-demo's `deploy`. Without it the test is counted as not
//! run.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Trial};
use serde_json::Value;
use support::{files, kplan, verdict};

fn main() {
    let arguments = Arguments::from_args();
    let corpora = std::env::var_os("KPLAN_FIX_CORPORA");
    let folders: Vec<PathBuf> = corpora.iter().flat_map(std::env::split_paths).collect();
    let trial = Trial::test("fixes::corpora_keep_their_meaning", move || {
        verdict(folders.iter().flat_map(|folder| corpus(folder)).collect())
    });
    let there = corpora.is_some();
    let trial = if there { trial } else { trial.with_kind("needs KPLAN_FIX_CORPORA").with_ignored_flag(true) };
    libtest_mimic::run(&arguments, vec![trial]).exit();
}

/// What is wrong with the fixes in one corpus.
fn corpus(folder: &Path) -> Vec<String> {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let home = support::folder(&format!("fixes-{name}"));
    fs::create_dir_all(home.join(".git")).unwrap();
    support::copy(folder, &home.join("files"));
    let before: BTreeMap<String, Vec<u8>> = files(&home.join("files")).into_iter().collect();
    let report = kplan(&home, &["check", "files", "--tier", "strict", "--output", "json"]);
    let fixable: BTreeSet<(String, String)> = report
        .findings()
        .unwrap()
        .iter()
        .filter(|finding| finding.0["fix"]["safe"] == true)
        .map(|finding| (finding.text("file").to_owned(), finding.text("field").to_owned()))
        .collect();
    assert!(kplan(&home, &["check", "--fix", "files", "--tier", "strict"]).code.is_some_and(|code| code < 2));
    let after = files(&home.join("files"));
    let (mut wrong, mut changed, mut fields) = (Vec::new(), 0, 0);
    for (path, text) in after.iter().filter(|(path, text)| before[path] != *text) {
        changed += 1;
        fs::write(home.join("old.yaml"), &before[path]).unwrap();
        fs::write(home.join("new.yaml"), text).unwrap();
        let (Some(old), Some(new)) = (objects(&home, "old.yaml"), objects(&home, "new.yaml")) else {
            wrong.push(format!("{name}/{path}: it cannot be read before or after"));
            continue;
        };
        let mut differs = Vec::new();
        difference(&old, &new, String::new(), &mut differs);
        fields += differs.len();
        let file = format!("files/{path}");
        let own: Vec<&String> = fixable.iter().filter(|(at, _)| *at == file).map(|(_, field)| field).collect();
        for (at, change) in differs {
            if !own.iter().any(|field| is_fixed(field, tail(&at))) {
                wrong.push(format!("{name}/{path}: {at} changed: {change}"));
            }
        }
    }
    kplan(&home, &["check", "--fix", "files", "--tier", "strict"]);
    wrong.extend(
        files(&home.join("files"))
            .iter()
            .zip(&after)
            .filter(|(a, b)| a != b)
            .map(|((path, _), _)| format!("{name}/{path}: a second run changes it again")),
    );
    println!("{name}: {} fixable, {changed} files and {fields} fields changed", fixable.len());
    wrong
}

/// Whether a change is that of a fixed field: of its value, or of its name, so that another one beside it comes or goes.
fn is_fixed(field: &str, at: &str) -> bool {
    let parent = |path: &str| path.rsplit_once('.').map(|(parent, _)| parent.to_owned());
    let renamed = parent(field).is_some_and(|own| parent(at).as_ref() == Some(&own));
    // Moving off a removed version brings what the new one requires.
    let moved = field == "apiVersion" && at.starts_with("spec.selector");
    !field.is_empty() && (at.starts_with(field) || renamed || moved)
}

/// A path within an object, without the number of its document.
fn tail(path: &str) -> &str {
    path.split_once("].").map_or(path, |(_, rest)| rest)
}

/// The documents of a file as kubectl reads them.
fn objects(home: &Path, file: &str) -> Option<Value> {
    let run = kplan(home, &["show", "--raw", file]);
    let lines = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
    (run.code == Some(0)).then(|| Value::Array(lines.collect()))
}

/// The paths at which two values differ.
fn difference(old: &Value, new: &Value, at: String, out: &mut Vec<(String, String)>) {
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let path = format!("{at}.{key}");
                difference(a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null), path, out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                difference(a, b, format!("{at}[{index}]"), out);
            }
        }
        (old, new) if old == new => {}
        (old, new) => out.push((at, format!("{old} → {new}"))),
    }
}
