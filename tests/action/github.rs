//! A job on GitHub, as far as a composite action sees it: its steps in order, environment files, outputs, failure.
//! A key or an expression that this does not know is an error.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};

use crate::expression::{self, Status};

/// Where actions run; `temp` lives as long as the job.
pub struct Job {
    pub workspace: PathBuf,
    pub temp: PathBuf,
    pub os: &'static str,
    pub arch: &'static str,
    /// Of the workflow.
    pub env: BTreeMap<String, String>,
    pub matrix: Value,
}

/// What an action came to.
#[derive(Debug)]
pub struct Done {
    pub success: bool,
    pub outputs: BTreeMap<String, String>,
    /// Standard output and error of all steps.
    pub log: String,
    pub summary: String,
    /// The steps that ran, by id, else by name.
    pub ran: Vec<String>,
}

/// A YAML file as JSON.
pub fn read(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_yaml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The variables of a job as environment files change them.
struct Variables {
    env: BTreeMap<String, String>,
    paths: Vec<String>,
}

impl Job {
    /// Runs a composite action with the inputs of `with:`.
    pub fn uses(&self, action: &Value, folder: &Path, with: &[(&str, &str)]) -> Result<Done, String> {
        if action["runs"]["using"] != "composite" {
            return Err(format!("not a composite action: {}", action["runs"]["using"]));
        }
        let steps = action["runs"]["steps"].as_array().ok_or("the action has no steps")?;
        let contexts = json!({
            "inputs": inputs(action, with)?,
            "steps": {},
            "matrix": self.matrix,
            "github": {"action_path": folder, "workspace": self.workspace},
            "runner": {"os": self.os, "arch": self.arch, "temp": self.temp},
        });
        let (mut done, contexts) = self.steps(steps, contexts, folder)?;
        for (name, output) in action["outputs"].as_object().into_iter().flatten() {
            let value = output["value"].as_str().ok_or_else(|| format!("the output {name} has no value"))?;
            done.outputs.insert(name.clone(), expression::replace(value, &contexts)?);
        }
        Ok(done)
    }

    /// Runs steps; gives the contexts that they leave.
    pub fn steps(&self, steps: &[Value], mut contexts: Value, action: &Path) -> Result<(Done, Value), String> {
        let mut variables = Variables { env: self.env.clone(), paths: Vec::new() };
        let (mut log, mut summary, mut ran) = (String::new(), String::new(), Vec::new());
        let mut status = Status::Success;
        for step in steps {
            let step = known(step)?;
            if !expression::holds(step.get("if").map(|text| text.as_str().unwrap_or_default()), status)? {
                if let Some(id) = text(step, "id") {
                    contexts["steps"][id] = json!({"outputs": {}});
                }
                continue;
            }
            let name = text(step, "id").or(text(step, "name")).ok_or("a step has neither id nor name")?;
            ran.push(name.to_owned());
            let files = Files::new(&self.temp)?;
            let succeeded = self.step(step, &contexts, &variables, &files, action, &mut log)?;
            let outputs: Map<String, Value> =
                pairs(&files.read("output")?)?.into_iter().map(|(key, value)| (key, Value::String(value))).collect();
            variables.env.extend(pairs(&files.read("env")?)?);
            variables.paths.extend(files.read("path")?.lines().map(str::to_owned));
            summary.push_str(&limited(files.read("step_summary")?)?);
            if let Some(id) = text(step, "id") {
                contexts["steps"][id] = json!({"outputs": outputs});
            }
            if !succeeded && step.get("continue-on-error") != Some(&Value::Bool(true)) {
                status = Status::Failure;
            }
        }
        Ok((Done { success: status == Status::Success, outputs: BTreeMap::new(), log, summary, ran }, contexts))
    }

    /// Runs one step; gives whether it ended with 0.
    fn step(
        &self,
        step: &Map<String, Value>,
        contexts: &Value,
        variables: &Variables,
        files: &Files,
        action: &Path,
        log: &mut String,
    ) -> Result<bool, String> {
        let run = text(step, "run").ok_or_else(|| format!("only `run` is known, not {step:?}"))?;
        if text(step, "shell") != Some("bash") {
            return Err(format!("a composite action names the shell of each step, and only bash is known: {step:?}"));
        }
        let script = files.folder.join("script.sh");
        fs::write(&script, expression::replace(run, contexts)?).map_err(|error| error.to_string())?;
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail"]).arg(script).env_clear();
        let path = variables.env.get("PATH").cloned().or(std::env::var("PATH").ok()).unwrap_or_default();
        let paths = variables.paths.iter().rev().cloned().chain([path]).collect::<Vec<String>>();
        command.envs(&variables.env).env("PATH", paths.join(":"));
        command.envs([("RUNNER_OS", self.os), ("RUNNER_ARCH", self.arch), ("CI", "true"), ("GITHUB_ACTIONS", "true")]);
        command.env("RUNNER_TEMP", &self.temp).env("HOME", &self.temp).env("GITHUB_ACTION_PATH", action);
        command.env("GITHUB_WORKSPACE", &self.workspace);
        for name in Files::NAMES {
            command.env(format!("GITHUB_{}", name.to_uppercase()), files.folder.join(name));
        }
        for (name, value) in step.get("env").and_then(Value::as_object).into_iter().flatten() {
            let value = value.as_str().ok_or_else(|| format!("env {name} is no text"))?;
            command.env(name, expression::replace(value, contexts)?);
        }
        let folder = expression::replace(text(step, "working-directory").unwrap_or("."), contexts)?;
        command.current_dir(self.workspace.join(folder));
        let (status, said) = output(command)?;
        log.push_str(&said);
        Ok(status)
    }
}

/// The environment files of one step.
struct Files {
    folder: PathBuf,
}

impl Files {
    const NAMES: [&'static str; 4] = ["output", "env", "path", "step_summary"];

    fn new(temp: &Path) -> Result<Files, String> {
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let folder = temp.join(format!("_runner_file_commands/{number}"));
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        for name in Files::NAMES {
            fs::write(folder.join(name), "").map_err(|error| error.to_string())?;
        }
        Ok(Files { folder })
    }

    fn read(&self, name: &str) -> Result<String, String> {
        fs::read_to_string(self.folder.join(name)).map_err(|error| format!("{name}: {error}"))
    }
}

/// A step whose keys are all known.
fn known(step: &Value) -> Result<&Map<String, Value>, String> {
    const KEYS: [&str; 8] = ["name", "id", "if", "shell", "env", "run", "working-directory", "continue-on-error"];
    let step = step.as_object().ok_or("a step is no map")?;
    match step.keys().find(|key| !KEYS.contains(&key.as_str())) {
        Some(key) => Err(format!("unknown key `{key}` of a step")),
        None => Ok(step),
    }
}

fn text<'a>(step: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    step.get(key).and_then(Value::as_str)
}

/// The defaults, and what was given; the runner only warns of an input that the action does not have.
fn inputs(action: &Value, with: &[(&str, &str)]) -> Result<Map<String, Value>, String> {
    let mut inputs = Map::new();
    for (name, input) in action["inputs"].as_object().into_iter().flatten() {
        inputs.insert(name.clone(), input.get("default").cloned().unwrap_or_default());
    }
    for (name, value) in with {
        let known = inputs.insert((*name).to_owned(), json!(value)).is_some();
        known.then_some(()).ok_or_else(|| format!("there is no input `{name}`"))?;
    }
    Ok(inputs)
}

/// `NAME=VALUE` and `NAME<<WORD` lines.
fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (equals, heredoc) = (line.find('='), line.find("<<"));
        match (equals, heredoc) {
            _ if line.is_empty() => {}
            (Some(at), heredoc) if heredoc.is_none_or(|heredoc| at < heredoc) => {
                pairs.push((line[..at].to_owned(), line[at + 1..].to_owned()));
            }
            (_, Some(at)) => {
                let word = &line[at + 2..];
                let value: Vec<&str> = lines.by_ref().take_while(|line| *line != word).collect();
                pairs.push((line[..at].to_owned(), value.join("\n")));
            }
            _ => return Err(format!("no line of an environment file: {line:?}")),
        }
    }
    Ok(pairs)
}

/// The runner throws a summary away that is over its limit.
fn limited(summary: String) -> Result<String, String> {
    if summary.len() > 1024 * 1024 { Err(format!("a summary of {} bytes", summary.len())) } else { Ok(summary) }
}

/// Runs a command; its output and errors are one text, in the order in which they came.
fn output(mut command: Command) -> Result<(bool, String), String> {
    let run = || -> std::io::Result<(bool, String)> {
        let (mut reader, writer) = std::io::pipe()?;
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        let mut child = command.spawn()?;
        drop(command);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        Ok((child.wait()?.success(), String::from_utf8_lossy(&bytes).into_owned()))
    };
    run().map_err(|error| format!("bash: {error}"))
}
