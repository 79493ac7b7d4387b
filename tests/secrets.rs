//! No secret value is in any output: of every fixture with a Secret, by every command and format, and in what is
//! committed as expected. `support::secrets` searches the runs of all other tests the same way.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use support::{Run, secrets};

const FORMATS: [&str; 10] =
    ["human", "concise", "json", "jsonl", "sarif", "junit", "github", "gitlab", "markdown", "html"];

/// Folders of fixtures that have a Secret somewhere.
fn folders() -> BTreeSet<PathBuf> {
    let files = walkdir::WalkDir::new(support::root().join("fixtures")).into_iter().flatten();
    let manifests = files.filter(|entry| entry.path().extension().is_some_and(|end| end == "yaml" || end == "json"));
    let with_secret = manifests.filter(|entry| {
        fs::read_to_string(entry.path()).is_ok_and(|text| text.lines().any(|line| line.trim() == "kind: Secret"))
    });
    let case = |path: &Path| {
        let parts = ["old", "new", "manifests", "fixed"];
        let folder = path.parent().unwrap();
        if parts.iter().any(|part| folder.ends_with(part)) { folder.parent().unwrap() } else { folder }.to_owned()
    };
    with_secret.map(|entry| case(entry.path())).collect()
}

#[test]
fn no_command_shows_a_secret_of_the_fixtures() {
    let folders = folders();
    for folder in &folders {
        let wanted = ["new", "manifests"].into_iter().find(|part| folder.join(part).is_dir()).unwrap_or(".");
        let base = if folder.join("old").is_dir() { "dir:old" } else { "empty" };
        for format in FORMATS {
            let commands = [&["check", "--tier", "strict"][..], &["plan", "--base", base], &["diff", "--base", base]];
            let has_diff = ["human", "json", "markdown"].contains(&format);
            for command in &commands[..if has_diff { 3 } else { 2 }] {
                let run = support::kplan(folder, &[*command, &["-vvv", "--output", format, wanted]].concat());
                assert!(run.code.is_some_and(|code| code != 2), "{}: {}", folder.display(), run.shown());
            }
        }
        for command in
            [&["show", wanted][..], &["show", "--output", "json", wanted], &["check", "--fix", "--diff", wanted]]
        {
            support::kplan(folder, command);
        }
    }
    let (runs, values) = secrets::count();
    assert!(folders.len() >= 20 && runs >= 400 && values >= runs, "{} {runs} {values}", folders.len());
    println!("{runs} outputs held against {values} secret values of {} folders", folders.len());
}

#[test]
fn transcripts_show_no_secret() {
    let texts: Vec<String> = walkdir::WalkDir::new(support::root().join("tests/cmd"))
        .into_iter()
        .flatten()
        .filter(|entry| entry.path().components().any(|part| part.as_os_str().to_string_lossy().ends_with(".in")))
        .filter_map(|entry| fs::read_to_string(entry.path()).ok())
        .collect();
    let values = secrets::of_texts(&texts);
    for entry in fs::read_dir(support::root().join("tests/cmd")).unwrap() {
        let Ok(text) = fs::read_to_string(entry.unwrap().path()) else { continue };
        for value in &values {
            assert_eq!(secrets::shows(&text, value), None, "{value}");
        }
    }
}

/// The search itself: what it finds, and what it lets pass.
#[test]
fn the_search_finds_what_it_should() {
    let text = "kind: Secret\nstringData: {a: plum-4417, b: 'x \"y\" walnut', c: password, d: abc}\ndata: {e: c2VzczRtZQ==}\n\
                ---\nkind: ConfigMap\ndata: {c: password}\n";
    let values = secrets::of_texts(&[text.to_owned()]);
    assert_eq!(values.iter().map(String::as_str).collect::<Vec<_>>(), ["plum-4417", "sess4me", "x \"y\" walnut"]);
    for shown in ["is plum-4417", "x \\\"y\\\" walnut", "cGx1bS00NDE3", "a sess4me b", "c2VzczRtZQ=="] {
        assert!(values.iter().any(|value| secrets::shows(shown, value).is_some()), "{shown}");
    }
    for shown in ["*** (#1)", "sess4mes", "plum-441", "password"] {
        assert!(values.iter().all(|value| secrets::shows(shown, value).is_none()), "{shown}");
    }
}

#[test]
#[should_panic(expected = "stdout shows the secret value \"plum-4417-pecan\"")]
fn a_run_that_shows_a_secret_fails() {
    let folder = support::folder("secrets-shown");
    fs::write(folder.join("s.yaml"), "kind: Secret\nstringData: {a: plum-4417-pecan}\n").unwrap();
    let watch = secrets::watch(&support::command(&folder, &["check"]), &[]).unwrap();
    let text = |text: &str| text.to_owned();
    watch.hold(&Run { code: Some(0), stdout: text("a: plum-4417-pecan"), stderr: text(""), time: Duration::ZERO });
}
