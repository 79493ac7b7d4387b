//! What the tests share: running kplan, reading its report, temporary folders, fixtures.
// Every test file compiles this on its own and uses a part of it.
#![allow(dead_code)]
#![allow(clippy::unwrap_used)]

#[path = "secrets.rs"]
pub mod secrets;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The rows of `fixtures/recorded/NAME.jsonl`.
pub fn recorded(name: &str) -> Vec<Value> {
    let path = root().join(format!("fixtures/recorded/{name}.jsonl"));
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// An empty folder of this name; what an earlier run left there is gone.
pub fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if path.exists() {
        fs::remove_dir_all(&path).unwrap();
    }
    fs::create_dir_all(&path).unwrap();
    path
}

/// A folder with these files, below a folder that ends the search for a kplan.yaml.
pub fn filled(name: &str, files: &[(&str, impl AsRef<[u8]>)]) -> PathBuf {
    let home = folder(name);
    std::fs::create_dir_all(home.join(".git")).unwrap();
    for (name, content) in files {
        let path = home.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    home
}

/// Copies a folder with everything below it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Every file below a folder with its bytes, by its path below the folder.
pub fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = walkdir::WalkDir::new(folder)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.is_file())
        .map(|path| (path.strip_prefix(folder).unwrap().display().to_string(), fs::read(&path).unwrap()))
        .collect();
    found.sort();
    found
}

/// A program that an environment variable names, else one of the PATH.
pub fn program(variable: &str, name: &str) -> Option<PathBuf> {
    if let Some(program) = std::env::var_os(variable) {
        return Some(program.into());
    }
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// What a run of kplan left.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub time: Duration,
}

impl Run {
    /// The exit code and all output, for a failure's message.
    pub fn shown(&self) -> String {
        let short = |text: &str| text.chars().take(3000).collect::<String>();
        format!("exit {:?}\nstdout: {}\nstderr: {}", self.code, short(&self.stdout), short(&self.stderr))
    }

    /// The report of `--output json`.
    pub fn report(&self) -> Result<Value, String> {
        let report =
            serde_json::from_str(&self.stdout).map_err(|error| format!("no report: {error}\n{}", self.shown()));
        report.and_then(|report| valid(&report).map(|()| report))
    }

    /// The report's findings.
    pub fn findings(&self) -> Result<Vec<Finding>, String> {
        let report = self.report()?;
        let findings = report["findings"].as_array().ok_or("the report has no findings")?;
        Ok(findings.iter().map(|json| Finding(json.clone())).collect())
    }
}

/// Holds a report against `schemas/report.schema.json`.
fn valid(report: &Value) -> Result<(), String> {
    static VALIDATOR: std::sync::OnceLock<jsonschema::Validator> = std::sync::OnceLock::new();
    let validator = VALIDATOR.get_or_init(|| {
        let text = fs::read_to_string(root().join("schemas/report.schema.json")).unwrap();
        jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
    });
    let mistakes: Vec<String> =
        validator.iter_errors(report).map(|error| format!("{}: {error}", error.instance_path())).collect();
    if mistakes.is_empty() { Ok(()) } else { Err(format!("report.schema.json: {}", mistakes.join("; "))) }
}

/// One finding of a report.
pub struct Finding(pub Value);

impl Finding {
    pub fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_default()
    }

    pub fn line(&self) -> u64 {
        self.0["line"].as_u64().unwrap_or_default()
    }

    /// `file:line: severity[rule]`.
    pub fn short(&self) -> String {
        format!("{}:{}: {}[{}]", self.text("file"), self.line(), self.text("severity"), self.text("rule"))
    }

    /// `file:line: rule`.
    pub fn place(&self) -> String {
        format!("{}:{}: {}", self.text("file"), self.line(), self.text("rule"))
    }
}

/// kplan in a folder, apart from the settings and the terminal of whoever runs the tests.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kplan"));
    command.args(arguments).current_dir(folder);
    command.env("NO_COLOR", "1");
    // Whether this machine has renderers is no matter of most tests.
    for variable in ["KPLAN_HELM", "KPLAN_KUBECTL", "KPLAN_KUSTOMIZE", "KPLAN_CACHE_DIR"] {
        command.env(variable, "");
    }
    for variable in ["CI", "CLICOLOR_FORCE", "GITHUB_ACTIONS", "KUBECONFIG"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs kplan and waits for its end.
pub fn kplan(folder: &Path, arguments: &[&str]) -> Run {
    finish(command(folder, arguments))
}

/// Runs kplan with this standard input.
pub fn kplan_stdin(folder: &Path, arguments: &[&str], input: &[u8]) -> Run {
    finish_with(command(folder, arguments), input)
}

/// Runs a command with this standard input to its end, as `finish` does.
#[track_caller]
pub fn finish_with(mut command: Command, input: &[u8]) -> Run {
    let watch = secrets::watch(&command, input);
    let (reader, mut writer) = std::io::pipe().unwrap();
    command.stdin(reader);
    let input = input.to_vec();
    // The command need not read all of it, so the write may fail.
    let thread = std::thread::spawn(move || writer.write_all(&input).ok());
    let run = wait(command);
    thread.join().unwrap();
    watch.iter().for_each(|watch| watch.hold(&run));
    run
}

/// Runs a command, whose output is piped, to its end; one that takes longer than two minutes is stopped and fails. So
/// does one of kplan that shows a secret value.
#[track_caller]
pub fn finish(command: Command) -> Run {
    let watch = secrets::watch(&command, &[]);
    let run = wait(command);
    watch.iter().for_each(|watch| watch.hold(&run));
    run
}

fn wait(mut command: Command) -> Run {
    let start = Instant::now();
    let mut child = command.spawn().unwrap();
    let stdout = collect(child.stdout.take().unwrap());
    let stderr = collect(child.stderr.take().unwrap());
    // The command holds the reading end of standard input; a writer would wait for it for ever.
    let shown = format!("{command:?}");
    drop(command);
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if start.elapsed() > Duration::from_secs(120) {
            child.kill().unwrap();
            panic!("{shown} takes longer than two minutes");
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let time = start.elapsed();
    let text = |thread: JoinHandle<Vec<u8>>| String::from_utf8_lossy(&thread.join().unwrap()).into_owned();
    Run { code, stdout: text(stdout), stderr: text(stderr), time }
}

/// Reads a pipe to its end beside the process that fills it.
fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

/// What differs between two lists, one line an item: `-` is missing, `+` is too many.
pub fn difference(expected: &[String], actual: &[String]) -> Vec<String> {
    let mut rest = actual.to_vec();
    let mut lines = Vec::new();
    for item in expected {
        match rest.iter().position(|other| other == item) {
            Some(at) => drop(rest.remove(at)),
            None => lines.push(format!("- {item}")),
        }
    }
    lines.extend(rest.into_iter().map(|item| format!("+ {item}")));
    lines
}

/// What of the expected is not among the actual.
pub fn lacking(expected: &[String], actual: &[String]) -> Vec<String> {
    difference(expected, actual).into_iter().filter(|line| line.starts_with("- ")).collect()
}

/// Checks the exit code, and that every word stands in the output.
#[track_caller]
pub fn says(run: &Run, code: i32, words: &[&str]) {
    let said = format!("{}{}", run.stdout, run.stderr);
    assert_eq!(run.code, Some(code), "{}", run.shown());
    for word in words {
        assert!(said.contains(word), "{word:?} is missing: {}", run.shown());
    }
    assert!(run.time.as_secs() < 20, "{:?}", run.time);
}

/// A failure with all its lines, or success when there are none.
pub fn verdict(lines: Vec<String>) -> Result<(), libtest_mimic::Failed> {
    if lines.is_empty() { Ok(()) } else { Err(lines.join("\n").into()) }
}

/// What differs between the findings of one object and the server's recorded answer: verdict, causes, message, code.
pub fn server_differs(row: &Value, findings: &[&Value]) -> Vec<String> {
    let rejections: Vec<&&Value> = findings.iter().filter(|finding| finding["class"] == "rejected").collect();
    let mut wrong = Vec::new();
    if rejections.is_empty() != (row["verdict"] == "accepted") {
        let rules: Vec<&Value> = findings.iter().map(|finding| &finding["rule"]).collect();
        wrong.push(format!("the server says {} {}, kplan finds {rules:?}", row["verdict"], row["message"]));
    }
    if row["verdict"] != "rejected" {
        return wrong;
    }
    let cause = |cause: &Value| format!("{} {} {}", cause["field"], cause["reason"], cause["message"]);
    let list = |value: &Value| value["causes"].as_array().into_iter().flatten().map(cause).collect::<Vec<String>>();
    let mut causes = Vec::new();
    let mut answered = false;
    for server in rejections.iter().map(|finding| &finding["server"]).filter(|server| !server.is_null()) {
        answered = true;
        causes.extend(list(server));
        for key in ["message", "code", "reason"] {
            if server[key] != row[key] {
                wrong.push(format!("{key} is {}\n     not {}", server[key], row[key]));
            }
        }
    }
    if !answered {
        wrong.push(format!("no finding has the server's answer {}", row["message"]));
    }
    wrong.extend(difference(&list(row), &causes).into_iter().map(|line| format!("causes {line}")));
    wrong
}
