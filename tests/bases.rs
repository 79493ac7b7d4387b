//! `diff` between any two bases: two states as folders, git revisions and snapshots, each against each. What differs is
//! the same wherever it comes from.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use support::kplan;

const CONF: &str = "server: web\nport: 80\nmode: fast\nlevel: info\nworkers: 4\nqueue: 10\nretries: 3\ntrace: off\n";

fn map(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}, "data": data})
}

fn secret(name: &str, password: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "shop"}, "stringData": {"password": password}})
}

/// A hashed name that changes, a text with a changed line, a long line with a changed word, one object that goes, one
/// that comes, and one that stays.
fn states() -> [Vec<Value>; 2] {
    let line = |level: &str| format!("{{\"a\":1,\"b\":[2,3],\"level\":\"{level}\",\"c\":\"{}\"}}", "x".repeat(90));
    let old = vec![
        map("app-7dgkc9tm5h", &json!({"level": "info"})),
        map("conf", &json!({"app.conf": CONF, "line": line("info")})),
        map("goes", &json!({"a": "b"})),
        map("stays", &json!({"a": "b"})),
    ];
    let new = vec![
        map("app-4h6mt28f9b", &json!({"level": "debug"})),
        map("comes", &json!({"a": "b"})),
        map("conf", &json!({"app.conf": CONF.replace("info", "debug"), "line": line("debug")})),
        map("stays", &json!({"a": "b"})),
    ];
    [old, new]
}

fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
    let run = Command::new("git").args(identity).args(arguments).current_dir(folder).output().unwrap();
    assert!(run.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
}

/// Each object in a file of its own; the second state has them under other names.
fn write(folder: &Path, objects: &[Value], prefix: &str) {
    fs::create_dir_all(folder).unwrap();
    for (index, object) in objects.iter().enumerate() {
        fs::write(folder.join(format!("{prefix}{index}.json")), object.to_string()).unwrap();
    }
}

fn snapshot(objects: &[Value]) -> String {
    let annotations = json!({"kplan.dev/snapshot": "v1", "kplan.dev/kube-version": "v1.36.3", "kplan.dev/taken": "2026-11-26T00:00:00Z",
        "kplan.dev/context": "test", "kplan.dev/objects": objects.len().to_string()});
    json!({"apiVersion": "v1", "kind": "List", "metadata": {"annotations": annotations}, "items": objects}).to_string()
}

/// A folder with both states in every form: `old/`, `new/`, the tags `old` and `new` of `set/`, `old.json`, `new.json`.
fn folder(name: &str, states: &[Vec<Value>; 2]) -> PathBuf {
    let folder = support::folder(&format!("bases-{name}"));
    git(&folder, &["init", "--quiet"]);
    for (state, objects) in ["old", "new"].into_iter().zip(states) {
        write(&folder.join(state), objects, &format!("{state}-"));
        fs::write(folder.join(format!("{state}.json")), snapshot(objects)).unwrap();
        let set = folder.join("set");
        fs::remove_dir_all(&set).ok();
        write(&set, objects, &format!("{state}-"));
        git(&folder, &["add", "set"]);
        git(&folder, &["commit", "--quiet", "--message", state]);
        git(&folder, &["tag", state]);
    }
    folder
}

/// Changes without those of equal objects: action, name, and each field with its values.
fn changes(folder: &Path, base: &str, of: &str) -> Vec<String> {
    let run = kplan(folder, &["diff", "set", "--base", base, "--of", of, "--output", "json"]);
    let report = run.report().unwrap_or_else(|error| panic!("{base} {of}: {error}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let field = |field: &Value| format!("{} {} {} {}", field["path"], field["op"], field["before"], field["after"]);
    let shown = |change: &Value| {
        let fields: Vec<String> = change["fields"].as_array().unwrap().iter().map(field).collect();
        // A new object is listed as the manifest has it, and a stored one has more.
        let fields = if change["action"] == "update" { fields.join(", ") } else { String::new() };
        format!("{} {} {fields}", text(&change["action"]), text(&change["object"]["name"]))
    };
    let changes = report["changes"].as_array().unwrap().iter().filter(|change| change["action"] != "unchanged");
    let mut all: Vec<String> = changes.map(shown).collect();
    all.sort();
    all
}

#[test]
fn every_base_against_every_other() {
    let folder = folder("matrix", &states());
    let forms = |state: &str| [format!("dir:{state}"), format!("git:{state}"), format!("snapshot:{state}.json")];
    let expected = changes(&folder, "dir:old", "dir:new");
    let heads: Vec<String> =
        expected.iter().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(heads, ["create app-4h6mt28f9b", "create comes", "delete goes", "update conf"], "{expected:#?}");
    for base in forms("old") {
        for of in forms("new") {
            let mut wanted = expected.clone();
            // What only a snapshot has is not the manifests' to delete.
            if base.starts_with("snapshot") && !of.starts_with("snapshot") {
                wanted.retain(|line| !line.starts_with("delete"));
            }
            // Of a state only the objects of the files are looked at.
            if of.starts_with("snapshot") && !base.starts_with("snapshot") {
                wanted.retain(|line| !line.starts_with("create comes"));
            }
            assert_eq!(changes(&folder, &base, &of), wanted, "{base} {of}");
        }
        for of in forms("old") {
            assert!(changes(&folder, &base, &of).is_empty(), "{base} {of}");
        }
    }
    for of in forms("new") {
        let run = kplan(&folder, &["diff", "set", "--base", "empty", "--of", &of, "--output", "json"]);
        let created = run.report().unwrap()["summary"]["changes"]["create"].clone();
        assert_eq!(created, 4, "{of}: {}", run.shown());
    }
}

#[test]
fn what_makes_no_sense_is_said() {
    let folder = folder("wrong", &states());
    let run = kplan(&folder, &["diff", "set", "--base", "dir:old", "--of", "empty"]);
    assert!(run.code == Some(2) && run.stderr.contains("--of empty: there is nothing to compare"), "{}", run.shown());
    let run = kplan(&folder, &["diff", "set", "--base", "dir:old", "--of", "git:"]);
    assert!(
        run.code == Some(2) && run.stderr.contains("--of git: lacks what comes behind the colon"),
        "{}",
        run.shown()
    );
    let run = kplan(&folder, &["diff", "set", "--base", "dir:old", "--of", "snapshot:missing.json"]);
    assert!(run.code == Some(2) && run.stderr.contains("cannot read missing.json"), "{}", run.shown());
}

/// Lines of a text and words of a long line, for people and for a pull request.
#[test]
fn texts_are_compared_line_by_line() {
    let folder = folder("texts", &states());
    let run = kplan(&folder, &["diff", "new", "--base", "dir:old"]);
    for line in [
        "    data[app.conf]  lines: 1 removed, 1 added\n        server: web\n        port: 80\n        mode: fast\n      - level: info\n      + level: debug\n        workers: 4\n        queue: 10\n      … 2 lines alike\n",
        "    data.line       …,\"level\":\"[-info-]{+debug+}\",\"c\":…\n",
        "    data.level     \"info\" → \"debug\"\n",
        "takes the place of app-7dgkc9tm5h",
    ] {
        assert!(run.stdout.contains(line), "no {line}{}", run.shown());
    }
    let run = kplan(&folder, &["diff", "new", "--base", "dir:old", "--output", "markdown"]);
    for line in [
        "<details><summary>update ConfigMap shop/conf</summary>\n\n```diff\n  data[app.conf]\n",
        "\n  mode: fast\n- level: info\n+ level: debug\n  workers: 4\n",
        "\n! …,\"level\":\"[-info-]{+debug+}\",\"c\":…\n```\n",
    ] {
        assert!(run.stdout.contains(line), "no {line}{}", run.stdout);
    }
}

/// The same value has the same number, in whichever Secret it is; no value is shown.
#[test]
fn secrets_keep_their_numbers() {
    let states = [
        vec![secret("a", "plum-4417"), secret("b", "plum-4417"), secret("gone", "pear-1")],
        vec![secret("a", "plum-5528"), secret("b", "plum-5528"), secret("new", "plum-4417")],
    ];
    let folder = folder("secrets", &states);
    let run = kplan(&folder, &["diff", "new", "--base", "dir:old", "--output", "json"]);
    let report = run.report().unwrap();
    let field = |name: &str| {
        let changes = report["changes"].as_array().unwrap();
        let change = changes.iter().find(|change| change["object"]["name"] == name).unwrap();
        let data = change["fields"].as_array().unwrap().iter().find(|field| field["path"] == "data.password").unwrap();
        (data["before"].clone(), data["after"].clone())
    };
    assert_eq!(field("a"), field("b"));
    assert_eq!(field("a").0, field("new").1);
    assert_ne!(field("a").0, field("a").1);
}

/// A comment holds so many characters: what does not fit is counted.
#[test]
fn long_plans_are_cut_for_a_comment() {
    let many = |value: &str| -> Vec<Value> {
        let text: String = (0..40).map(|line| format!("{line} {value}\n")).collect();
        (0..300).map(|number| map(&format!("m-{number}"), &json!({"text": text}))).collect()
    };
    let folder = folder("long", &[many("old"), many("new")]);
    for command in [&["diff"][..], &["plan"]] {
        let run = kplan(&folder, &[command, &["new", "--base", "dir:old", "--output", "markdown"]].concat());
        let length = run.stdout.encode_utf16().count();
        assert!(length <= 65_536 && length > 50_000, "{length}");
        assert_eq!(run.stdout.matches("```diff").count(), run.stdout.matches("</details>").count());
        assert!(run.stdout.contains("field lists left out: a comment holds 65536 characters"), "{}", run.shown());
        assert_eq!(
            run.stdout.lines().filter(|line| line.contains("| update |")).count(),
            300,
            "every change has its row"
        );
    }
}
