//! Bad input, one test each: the documented exit code, one clear message with place, cause and remedy, no panic, and
//! an end in bounded time.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use support::{Run, kplan, kplan_stdin};

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  mode: \"1\"\n";

fn folder(name: &str, files: &[(&str, &[u8])]) -> PathBuf {
    support::filled(&format!("bad-input-{name}"), files)
}

/// Checks the exit code and that every word stands in the output; ten seconds are enough for anything but the big file.
#[track_caller]
fn says(run: &Run, code: i32, words: &[&str]) {
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(!said.contains("panicked") && !said.contains("internal error"), "{}", run.shown());
    support::says(run, code, words);
    assert!(run.time < Duration::from_secs(10), "{:?}", run.time);
}

/// The rules of the findings, in order.
#[track_caller]
fn rules(folder: &Path, path: &str) -> Vec<String> {
    let run = kplan(folder, &["check", "--output", "json", path]);
    let findings = run.findings().unwrap();
    findings.iter().map(|finding| finding.text("rule").to_owned()).collect()
}

#[test]
fn empty_stdin() {
    let home = folder("empty-stdin", &[]);
    says(&kplan_stdin(&home, &["check", "-"], b""), 3, &["no Kubernetes objects", "--allow-empty"]);
    says(&kplan_stdin(&home, &["check", "-"], b"\n---\n# nothing\n---\n"), 3, &["no Kubernetes objects"]);
    says(&kplan_stdin(&home, &["check", "--allow-empty", "-"], b""), 0, &[]);
}

#[test]
fn empty_directory() {
    let home = folder("empty-directory", &[("empty/.keep", b"")]);
    says(&kplan(&home, &["check", "empty"]), 3, &["empty", "--allow-empty"]);
    says(&kplan(&home, &["plan", "empty", "--base", "empty"]), 3, &["empty", "--allow-empty"]);
    says(&kplan(&home, &["check", "--allow-empty", "empty"]), 0, &[]);
}

#[test]
fn a_path_that_does_not_exist() {
    let home = folder("no-path", &[]);
    let run = kplan(&home, &["check", "nowhere.yaml"]);
    says(&run, run.code.filter(|code| [1, 2].contains(code)).unwrap_or(2), &["nowhere.yaml"]);
}

/// Links to what is not there and to what cannot be read, by root neither; the other file is judged all the same.
#[cfg(target_os = "linux")]
#[test]
fn unreadable_file() {
    let home = folder("unreadable", &[("a/bad.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: A}\n")]);
    std::os::unix::fs::symlink("/proc/self/mem", home.join("memory.yaml")).unwrap();
    let run = kplan(&home, &["check", "memory.yaml", "a"]);
    says(&run, 1, &["memory.yaml", "file-unreadable", "name-invalid"]);
}

#[test]
fn binary_file() {
    let home = folder("binary", &[("blob.yaml", b"\x7fELF\x02\x01\x01\0\0\0\xff\xfe\0binary\0")]);
    says(&kplan(&home, &["check", "blob.yaml"]), 1, &["blob.yaml", "file-unreadable"]);
}

#[test]
fn hundred_megabytes() {
    let home = folder("big", &[]);
    let mut file = std::io::BufWriter::new(fs::File::create(home.join("big.yaml")).unwrap());
    let line = format!("    {}\n", "x".repeat(1000));
    for number in 0..100 {
        write!(file, "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: big-{number}\ndata:\n  text: |\n").unwrap();
        for _ in 0..1000 {
            file.write_all(line.as_bytes()).unwrap();
        }
        file.write_all(b"---\n").unwrap();
    }
    drop(file);
    let run = kplan(&home, &["check", "big.yaml"]);
    fs::remove_file(home.join("big.yaml")).unwrap();
    // Each holds a little less than the 1 MiB that the API server takes.
    assert_eq!(run.code, Some(0), "{}", run.shown());
    assert!(run.time < Duration::from_secs(60), "{:?}", run.time);
}

#[cfg(unix)]
#[test]
fn directory_loop() {
    let home = folder("loop", &[("a/b/settings.yaml", CONFIG_MAP.as_bytes())]);
    std::os::unix::fs::symlink("..", home.join("a/b/up")).unwrap();
    let run = kplan(&home, &["check", "--output", "json", "."]);
    says(&run, 0, &[]);
    assert_eq!(run.report().unwrap()["summary"]["objects"], 1, "{}", run.shown());
    says(&kplan(&home, &["check", "a/b/up/b/up/b"]), 0, &[]);
}

#[test]
fn invalid_utf8() {
    let bytes = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: caf\xe9\n";
    let home = folder("utf8", &[("latin1.yaml", bytes)]);
    says(&kplan(&home, &["check", "latin1.yaml"]), 1, &["latin1.yaml", "UTF-8", "4"]);
}

#[test]
fn byte_order_mark() {
    let text = format!("\u{feff}{CONFIG_MAP}");
    let home = folder("bom", &[("settings.yaml", text.as_bytes())]);
    says(&kplan(&home, &["check", "settings.yaml"]), 0, &[]);
}

#[test]
fn tabs() {
    let home = folder("tabs", &[("settings.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: settings\n")]);
    says(&kplan(&home, &["check", "settings.yaml"]), 1, &["settings.yaml:4", "yaml-invalid", "tab"]);
}

#[test]
fn carriage_returns() {
    let home = folder("crlf", &[("settings.yaml", CONFIG_MAP.replace('\n', "\r\n").as_bytes())]);
    says(&kplan(&home, &["check", "settings.yaml"]), 0, &[]);
    let bad = CONFIG_MAP.replace("settings", "Settings").replace('\n', "\r\n");
    fs::write(home.join("settings.yaml"), bad).unwrap();
    says(&kplan(&home, &["check", "settings.yaml"]), 1, &["settings.yaml:4:9"]);
}

/// Ten levels of ten: ten thousand million items when they are written out.
#[test]
fn alias_bomb() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    let home = folder("aliases", &[("bomb.yaml", text.as_bytes())]);
    says(&kplan(&home, &["check", "bomb.yaml"]), 1, &["bomb.yaml", "yaml-invalid", "aliasing"]);
}

#[test]
fn deep_nesting() {
    let depth = 10_001;
    let flow = format!("a: {}{}\n", "[".repeat(depth), "]".repeat(depth));
    let json = format!("{{\"a\": {}{}}}\n", "[".repeat(depth), "]".repeat(depth));
    let maps = format!("a: {}1{}\n", "{a: ".repeat(depth), "}".repeat(depth));
    let blocks = format!("a:\n {}1\n", "- ".repeat(depth));
    let files = [("flow.yaml", &flow), ("deep.json", &json), ("maps.yaml", &maps), ("blocks.yaml", &blocks)];
    let home = folder("deep", &files.map(|(name, text)| (name, text.as_bytes())));
    for (name, _) in files {
        says(&kplan(&home, &["check", name]), 1, &[name, "depth"]);
    }
    // As deep as kubectl still reads.
    let config_map = format!("{CONFIG_MAP}deep: {}{}\n", "[".repeat(5000), "]".repeat(5000));
    fs::write(home.join("fine.yaml"), config_map).unwrap();
    says(&kplan(&home, &["check", "fine.yaml"]), 1, &["schema-unknown-field", "deep"]);
}

#[test]
fn a_megabyte_of_brackets() {
    let home = folder("brackets", &[("open.yaml", &vec![b'['; 1 << 20]), ("open.json", &vec![b'['; 1 << 20])]);
    for name in ["open.yaml", "open.json"] {
        says(&kplan(&home, &["check", name]), 1, &[name, "yaml-invalid"]);
    }
    says(&kplan_stdin(&home, &["check", "-"], &vec![b'['; 1 << 20]), 1, &["yaml-invalid"]);
}

const TEMPLATE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-settings\n\
                        {{- if .Values.labels }}\n  labels: {{ toYaml .Values.labels | nindent 4 }}\n{{- end }}\n";

/// Alone it is no YAML, and the message says what it is; in a chart it waits for a renderer.
#[test]
fn helm_template() {
    let home = folder("helm", &[("alone.yaml", TEMPLATE.as_bytes())]);
    says(&kplan(&home, &["check", "alone.yaml"]), 1, &["alone.yaml:4", "helm template"]);
    let chart = b"apiVersion: v2\nname: web\nversion: 1.0.0\n";
    let values = b"labels: {}\n";
    let files =
        [("web/Chart.yaml", &chart[..]), ("web/values.yaml", values), ("web/templates/a.yaml", TEMPLATE.as_bytes())];
    let home = folder("helm-chart", &files);
    assert_eq!(rules(&home, "web"), ["not-rendered"]);
}

#[test]
fn kustomization() {
    let kustomization =
        b"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [settings.yaml]\n";
    let home = folder("kustomize", &[("kustomization.yaml", kustomization), ("settings.yaml", CONFIG_MAP.as_bytes())]);
    assert_eq!(rules(&home, "."), ["not-rendered"]);
    says(&kplan(&home, &["check", "."]), 0, &["not rendered"]);
    says(&kplan(&home, &["check", "--require-render", "."]), 1, &["kustomization.yaml"]);
}

#[test]
fn compose_file() {
    let compose = b"services:\n  web:\n    image: nginx\n    ports: [\"80:80\"]\n";
    let home = folder("compose", &[("compose.yaml", compose)]);
    says(&kplan(&home, &["check", "compose.yaml"]), 3, &["compose.yaml", "no Kubernetes objects"]);
    fs::write(home.join("settings.yaml"), CONFIG_MAP).unwrap();
    says(&kplan(&home, &["check", "."]), 0, &[]);
}

#[test]
fn custom_resource_without_its_definition() {
    let object = b"apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: a\nspec:\n  size: 3\n";
    let home = folder("custom", &[("widget.yaml", object)]);
    assert_eq!(rules(&home, "widget.yaml"), ["schema-missing"]);
    let run = kplan(&home, &["check", "--output", "json", "widget.yaml"]);
    says(&run, 0, &["example.com/v1"]);
    assert_eq!(run.report().unwrap()["summary"]["unjudged"], 1);
}

fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=kplan", "-c", "user.email=kplan@example.com", "-c", "commit.gpgsign=false"];
    let status = Command::new("git").current_dir(folder).args(identity).args(arguments).status().unwrap();
    assert!(status.success(), "git {arguments:?}");
}

#[test]
fn git_ref_that_does_not_exist() {
    let home = folder("git-ref", &[("settings.yaml", CONFIG_MAP.as_bytes())]);
    fs::remove_dir(home.join(".git")).unwrap();
    git(&home, &["init", "--quiet"]);
    git(&home, &["add", "."]);
    git(&home, &["commit", "--quiet", "--message", "start"]);
    for base in ["git:no-such-branch", "no-such-branch", "git:HEAD~9"] {
        let name = base.trim_start_matches("git:");
        says(&kplan(&home, &["plan", "--base", base, "."]), 2, &[name]);
    }
    says(&kplan(&home, &["plan", "--base", "git:HEAD", "."]), 0, &[]);
    // An option in place of a ref reaches no git.
    says(&kplan(&home, &["plan", "--base", "git:--output=stolen", "."]), 2, &[]);
    assert!(!home.join("stolen").exists());
}

#[test]
fn git_base_outside_of_a_repository() {
    let home = std::env::temp_dir().join(format!("kplan-bad-input-{}", std::process::id()));
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join("settings.yaml"), CONFIG_MAP).unwrap();
    let run = kplan(&home, &["plan", "--base", "git:HEAD", "."]);
    fs::remove_dir_all(&home).unwrap();
    says(&run, 2, &["git"]);
}

#[test]
fn broken_config() {
    let home = folder("config", &[("settings.yaml", CONFIG_MAP.as_bytes())]);
    for (text, words) in [
        ("tierr: strict\n", &["kplan.yaml:1", "tierr", "tier"][..]),
        ("tier: [strict\n", &["kplan.yaml"]),
        ("tier: harsh\n", &["kplan.yaml:1", "harsh", "strict"]),
        ("rules:\n  image-tag-mutabel: warning\n", &["kplan.yaml:2", "image-tag-mutable"]),
        ("nodes:\n  - name: a\n    cpu: lots\n    memory: 1Gi\n", &["kplan.yaml:3", "lots"]),
        ("kubeVersion: \"0.9\"\n", &["0.9", "1.36"]),
    ] {
        fs::write(home.join("kplan.yaml"), text).unwrap();
        says(&kplan(&home, &["check", "."]), 2, words);
    }
}

#[test]
fn contradictory_flags() {
    let home = folder("flags", &[("settings.yaml", CONFIG_MAP.as_bytes())]);
    for flags in [
        &["--output", "json", "--output", "sarif"][..],
        &["--output", "nonsense"],
        &["--tier", "nonsense"],
        &["--kube-version", "nonsense"],
        &["--fail-on", "nonsense"],
        &["--fix", "-"],
    ] {
        let mut arguments = vec!["check"];
        arguments.extend(flags);
        if !flags.contains(&"-") {
            arguments.push(".");
        }
        let run = kplan_stdin(&home, &arguments, CONFIG_MAP.as_bytes());
        says(&run, 2, &[flags[0]]);
    }
    says(&kplan(&home, &["simulate", "."]), 2, &["nodes", "--nodes"]);
    says(&kplan(&home, &["plan", "--base", "nonsense:x", "."]), 2, &["nonsense"]);
    says(&kplan(&home, &["explain", "image-tag-mutabel"]), 2, &["image-tag-mutable"]);
}

#[test]
fn closed_pipe() {
    let many: String = (0..3000)
        .map(|number| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: A{number}}}\n---\n"))
        .collect();
    let home = folder("pipe", &[("many.yaml", many.as_bytes())]);
    for format in ["human", "json", "concise", "sarif"] {
        let mut command = support::command(&home, &["check", "many.yaml", "--output", format]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("panicked"), "{format}: {stderr}");
        assert!(matches!(output.status.code(), Some(0 | 1)), "{format}: {:?} {stderr}", output.status);
    }
}

const NODE: &str = r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"a"},"status":{"allocatable":{"cpu":"4","memory":"8Gi","pods":"9"}}}"#;

/// A snapshot of one node.
fn snapshot(version: &str) -> String {
    let annotations = format!(r#""kplan.dev/snapshot":"{version}","kplan.dev/objects":"1""#);
    format!(
        r#"{{"apiVersion":"v1","kind":"List","metadata":{{"annotations":{{{annotations}}}}},"items":[
{NODE}
]}}"#
    )
}

#[test]
fn snapshots_that_are_none() {
    let whole = snapshot("v1");
    let files: [(&str, &[u8]); 8] = [
        ("set/map.yaml", CONFIG_MAP.as_bytes()),
        ("whole.json", whole.as_bytes()),
        ("cut.json", &whole.as_bytes()[..whole.len() - 40]),
        ("node.json", NODE.as_bytes()),
        ("empty.json", b""),
        ("v2.json", snapshot("v2").leak().as_bytes()),
        ("bad-node.json", whole.replace("8Gi", "lots").leak().as_bytes()),
        ("binary.json", b"\x7fELF\x02\0\0\xff"),
    ];
    let home = folder("snapshots", &files);
    let wrong: [(&str, &[&str]); 6] = [
        ("nowhere.json", &["cannot read nowhere.json", "kplan snapshot"]),
        ("cut.json", &["cut.json:2:", "is broken", "take the snapshot again"]),
        ("node.json", &["node.json is no snapshot", "kplan.dev/snapshot", "--nodes"]),
        ("empty.json", &["empty.json is no snapshot: it is empty"]),
        ("v2.json", &["version `v2`", "reads v1"]),
        ("binary.json", &["binary.json"]),
    ];
    for (file, words) in wrong {
        for command in ["check", "simulate", "plan"] {
            says(&kplan(&home, &[command, "set", "--snapshot", file]), 2, words);
        }
        says(&kplan(&home, &["simulate", "set", "--snapshot", file, "--nodes", "node.json"]), 2, words);
        for command in ["diff", "plan"] {
            says(&kplan(&home, &[command, "set", "--base", &format!("snapshot:{file}")]), 2, words);
        }
    }
    says(&kplan(&home, &["simulate", "set", "--snapshot", "bad-node.json"]), 2, &["node `a`", "memory `lots`"]);
    says(&kplan(&home, &["diff", "set", "--base", "snapshot:"]), 2, &["--base snapshot: lacks"]);
    says(&kplan(&home, &["simulate", "set", "--snapshot", "whole.json"]), 0, &["whole.json"]);
    says(&kplan(&home, &["simulate", "set", "--snapshot", "whole.json", "--nodes", "node.json"]), 0, &["node.json"]);
}
