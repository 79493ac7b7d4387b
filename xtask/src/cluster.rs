//! `cargo xtask cluster up|down|serve|dump DIR`: a real Kubernetes control plane on this
//! machine, with KWOK in the place of kubelets, for tests that want a cluster.
//!
//! `up` starts one in `target/cluster` that stays until `down`; `serve` starts one of
//! its own below `target/clusters` that lives as long as its standard input is open.
//! The folder of a cluster holds all of it: data, keys, logs, the kubeconfig, and
//! `processes`, a line `NAME PID` for each component in the order of starting. Ports
//! are free ones below the ephemeral range and the tokens are random, so that several
//! clusters can run side by side.

pub(crate) mod build;
mod components;
mod dump;
mod files;
pub(crate) mod placements;
mod ports;
mod process;
mod serve;
pub(crate) mod verdicts;

use std::fs;
use std::path::{Path, PathBuf};

use crate::Outcome;
use components::Cluster;
use files::Files;
use process::Processes;

/// Runs `up`, `down`, `serve` or `dump DIR`.
pub(crate) fn run(options: &[&str]) -> Outcome {
    let home = absolute("target/cluster")?;
    match options {
        ["up"] => up(&home),
        ["down"] => Processes::new(&home).stop_all(),
        ["serve"] => serve::run(),
        [serve::KEEP, home] => serve::keep(Path::new(home)),
        ["dump", directory] => dump::write(&home, Path::new(directory)),
        _ => Err("cluster needs a word: up, down, serve or dump DIR".to_owned()),
    }
}

fn up(home: &Path) -> Outcome {
    let processes = Processes::new(home);
    if processes.all_run()? {
        println!("{}", Files::new(home).kubeconfig.display());
        return Ok(());
    }
    // What is left of a cluster that broke would hold on to its data.
    processes.stop_all()?;
    build::everything()?;
    if home.exists() {
        fs::remove_dir_all(home).map_err(|error| format!("{}: {error}", home.display()))?;
    }
    let cluster = Cluster::prepare(home)?;
    let started = cluster.start(&processes);
    if started.is_err() {
        processes.stop_all()?;
    }
    started?;
    println!("{}", cluster.files.kubeconfig.display());
    Ok(())
}

fn absolute(path: &str) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("{path}: {error}"))
}

fn flag(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}
