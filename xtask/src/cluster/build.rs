//! Building the control plane and KWOK from source with Go.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::process::Command;

use super::absolute;
use super::process::output;
use crate::Outcome;

/// The binary that holds all components; see `tests/control-plane/README.md`.
pub(super) const CONTROL_PLANE: &str = "tests/control-plane/bin/control-plane";
/// The fake kubelets.
pub(super) const KWOK: &str = "tests/control-plane/bin/kwok";

const FOLDER: &str = "tests/control-plane";
const STAMP: &str = "tests/control-plane/bin/built-from";
const SOURCES: [&str; 4] = ["go.mod", "go.sum", "main.go", "facts.go"];
const KUBERNETES: [&str; 3] = ["1", "36", "3"];
const KWOK_VERSION: &str = "v0.8.0";

/// Builds what is not there, or was built from other sources.
pub(super) fn everything() -> Outcome {
    let stamp = stamp()?;
    if fs::read_to_string(STAMP).is_ok_and(|built| built == stamp) {
        return Ok(());
    }
    let bin = absolute(&format!("{FOLDER}/bin"))?;
    eprintln!("building the control plane (the first time takes about eight minutes)");
    output(go().args(["build", "-ldflags", &linker_flags(), "-o"]).arg(bin.join("control-plane")).arg("."))?;
    output(
        go().args(["install", "-ldflags", "-s -w"])
            .arg(format!("sigs.k8s.io/kwok/cmd/kwok@{KWOK_VERSION}"))
            .env("GOBIN", &bin),
    )?;
    fs::write(STAMP, stamp).map_err(|error| format!("{STAMP}: {error}"))
}

fn go() -> Command {
    let mut command = Command::new("go");
    command.current_dir(FOLDER);
    command
}

fn stamp() -> Result<String, String> {
    let mut hasher = DefaultHasher::new();
    KUBERNETES.hash(&mut hasher);
    KWOK_VERSION.hash(&mut hasher);
    for name in SOURCES {
        let path = format!("{FOLDER}/{name}");
        let text = fs::read(&path).map_err(|error| format!("{path}: {error}"))?;
        text.hash(&mut hasher);
    }
    Ok(format!("{:016x}\n", hasher.finish()))
}

fn linker_flags() -> String {
    let [major, minor, _] = KUBERNETES;
    let variables = [
        ("gitVersion", format!("v{}", KUBERNETES.join("."))),
        ("gitMajor", major.to_owned()),
        ("gitMinor", minor.to_owned()),
    ];
    let set = |(name, value)| format!(" -X k8s.io/component-base/version.{name}={value}");
    format!("-s -w{}", variables.map(set).concat())
}

/// The rules that make nodes ready and pods run, as KWOK ships them.
pub(super) fn stages() -> Result<String, String> {
    let module = format!("sigs.k8s.io/kwok@{KWOK_VERSION}");
    let answer = output(go().args(["mod", "download", "-json", &module]))?;
    let answer: serde_json::Value =
        serde_json::from_str(&answer).map_err(|error| format!("go mod download: {error}"))?;
    let source = answer["Dir"].as_str().ok_or("go mod download does not say where KWOK is")?;
    let mut stages = Vec::new();
    for folder in ["node", "pod"] {
        stages.extend(stages_in(&format!("{source}/kustomize/stage/{folder}/fast"))?);
    }
    Ok(stages.join("\n---\n"))
}

/// The stage objects of one folder, in the order of their file names.
fn stages_in(folder: &str) -> Result<Vec<String>, String> {
    let fail = |error| format!("{folder}: {error}");
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let is_yaml = path.extension().is_some_and(|ending| ending == "yaml");
        if is_yaml && !path.ends_with("kustomization.yaml") {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).map_err(fail)).collect()
}
