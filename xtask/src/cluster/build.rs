//! Building the control plane and KWOK from source with Go.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::process::Command;

use super::absolute;
use super::process::output;
use crate::Outcome;

/// The binary that holds all components; see `tests/control-plane/README.md`.
pub(crate) const CONTROL_PLANE: &str = "tests/control-plane/bin/control-plane";
/// The fake kubelets.
pub(super) const KWOK: &str = "tests/control-plane/bin/kwok";

const FOLDER: &str = "tests/control-plane";
const STAMP: &str = "tests/control-plane/bin/built-from";
const SOURCES: [&str; 5] = ["go.mod", "go.sum", "main.go", "certificates.go", "facts.go"];
const KUBERNETES: [&str; 3] = ["1", "36", "3"];
const KWOK_VERSION: &str = "v0.8.0";

/// Builds what is not there, or was built from other sources.
pub(crate) fn everything() -> Outcome {
    let stamp = stamp()?;
    let bin = absolute(&format!("{FOLDER}/bin"))?;
    let _turn = turn(&bin)?;
    if fs::read_to_string(STAMP).is_ok_and(|built| built == stamp) {
        return Ok(());
    }
    // What was built from other sources does not count, whether or not this build succeeds.
    if Path::new(STAMP).exists() {
        fs::remove_file(STAMP).map_err(|error| format!("{STAMP}: {error}"))?;
    }
    has_go()?;
    eprintln!("building the control plane (the first time takes about eight minutes)");
    output(go().args(["build", "-ldflags", &linker_flags(KUBERNETES), "-o"]).arg(bin.join("control-plane")).arg("."))?;
    output(
        go().args(["install", "-ldflags", "-s -w"])
            .arg(format!("sigs.k8s.io/kwok/cmd/kwok@{KWOK_VERSION}"))
            .env("GOBIN", &bin),
    )?;
    fs::write(STAMP, stamp).map_err(|error| format!("{STAMP}: {error}"))
}

/// Builds the scheduler of another minor version, where it is not there; gives its path. It has a module of its own in
/// `tests/control-plane/scheduler-MINOR`, so that nobody else waits for it.
pub(crate) fn scheduler(version: &str) -> Result<String, String> {
    let folder = format!("{FOLDER}/scheduler-{version}");
    let module = format!("{folder}/go.mod");
    let text = fs::read_to_string(&module).map_err(|error| format!("no scheduler of {version}: {module}: {error}"))?;
    let mut lines = text.lines().map(|line| line.trim_start().trim_start_matches("require "));
    let required = lines.find_map(|line| line.strip_prefix("k8s.io/kubernetes v"));
    let exact = required.ok_or_else(|| format!("{module} requires no k8s.io/kubernetes"))?;
    let binary = absolute(&format!("{FOLDER}/bin/kube-scheduler-{version}"))?;
    let _turn = turn(&absolute(&format!("{FOLDER}/bin"))?)?;
    if !binary.is_file() {
        has_go()?;
        eprintln!("building the scheduler of {exact} (the first time takes some minutes)");
        let parts: Vec<&str> = exact.split('.').collect();
        let [major, minor, patch] = parts.as_slice() else { return Err(format!("{module}: {exact} is no version")) };
        output(
            Command::new("go")
                .current_dir(&folder)
                .args(["build", "-ldflags", &linker_flags([major, minor, patch]), "-o"])
                .arg(&binary)
                .arg("."),
        )?;
    }
    Ok(binary.display().to_string())
}

/// Holds back others that build; until it is dropped.
fn turn(bin: &Path) -> Result<File, String> {
    let fail = |error| format!("{}: {error}", bin.display());
    fs::create_dir_all(bin).map_err(fail)?;
    let file = File::create(bin.join("lock")).map_err(fail)?;
    file.lock().map_err(fail)?;
    Ok(file)
}

fn has_go() -> Outcome {
    match output(go().arg("version")) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!(
            "the control plane is built from source, and there is no Go to do it ({error}): \
             install Go 1.26 or later from go.dev/dl, so that `go version` works"
        )),
    }
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

fn linker_flags(version: [&str; 3]) -> String {
    let [major, minor, _] = version;
    let variables = [
        ("gitVersion", format!("v{}", version.join("."))),
        ("gitMajor", major.to_owned()),
        ("gitMinor", minor.to_owned()),
    ];
    let set = |(name, value)| format!(" -X k8s.io/component-base/version.{name}={value}");
    format!("-s -w{}", variables.map(set).concat())
}
