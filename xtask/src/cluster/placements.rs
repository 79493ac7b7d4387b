//! An API server, its etcd and a scheduler that logs its scores, for questions about placement.

use std::fs;

use super::components::Cluster;
use super::process::Processes;
use super::verdicts::{self, Address};
use super::{absolute, build};
use crate::Outcome;

const HOME: &str = "target/oracle-placement";

/// Starts the servers anew, since the log tells all scores of all pods; gives the address and the log. The scheduler is
/// that of a minor version, where one is given; the API server is always ours.
/// `config` is the file with its profiles, where there is one.
pub(crate) fn up(version: Option<&str>, config: Option<&str>) -> Result<(Address, String), String> {
    let home = absolute(HOME)?;
    let processes = Processes::new(&home);
    processes.stop_all()?;
    build::everything()?;
    let program = version.map(build::scheduler).transpose()?;
    if home.exists() {
        fs::remove_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    }
    let cluster = Cluster::prepare(&home)?;
    let started = cluster
        .start_server(&processes, &verdicts::FLAGS)
        .and_then(|()| cluster.start_scheduler(&processes, program.as_deref(), config));
    if started.is_err() {
        processes.stop_all()?;
    }
    started?;
    Ok((verdicts::address(&home.join("kubeconfig"))?, home.join("kube-scheduler.log").display().to_string()))
}

/// Stops the servers.
pub(crate) fn down() -> Outcome {
    Processes::new(&absolute(HOME)?).stop_all()
}
