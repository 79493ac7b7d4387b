//! An API server and its etcd alone, for questions about verdicts: it starts in seconds and stays until it is told to go.

use std::fs;
use std::path::Path;

use super::components::Cluster;
use super::process::Processes;
use super::{absolute, build};
use crate::Outcome;

/// Where the server is and who may ask it.
pub(crate) struct Address {
    pub(crate) url: String,
    pub(crate) token: String,
}

/// Of a flag that is given twice the last counts.
pub(super) const FLAGS: [&str; 3] = [
    // Many cluster addresses, as many clusters have them.
    "--service-cluster-ip-range=10.96.0.0/12",
    // Admission that needs controllers: it would refuse pods, or keep objects from going away.
    "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition,StorageObjectInUseProtection",
    // Many dry runs at once are no reason to slow them down.
    "--enable-priority-and-fairness=false",
];

/// Starts the server, or finds the one that runs.
pub(crate) fn up() -> Result<Address, String> {
    let home = absolute("target/oracle")?;
    let processes = Processes::new(&home);
    if !processes.all_run()? {
        processes.stop_all()?;
        build::everything()?;
        if home.exists() {
            fs::remove_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
        }
        let started = Cluster::prepare(&home)?.start_server(&processes, &FLAGS);
        if started.is_err() {
            processes.stop_all()?;
        }
        started?;
    }
    address(&home.join("kubeconfig"))
}

/// Stops the server.
pub(crate) fn down() -> Outcome {
    Processes::new(&absolute("target/oracle")?).stop_all()
}

/// The first cluster and the first user of a kubeconfig: those of its current context.
pub(super) fn address(path: &Path) -> Result<Address, String> {
    let fail = |what: &str| format!("{}: {what}", path.display());
    let text = fs::read_to_string(path).map_err(|error| fail(&error.to_string()))?;
    let config: serde_json::Value = serde_yaml::from_str(&text).map_err(|error| fail(&error.to_string()))?;
    let value = |pointer: &str| config.pointer(pointer).and_then(|value| value.as_str()).map(str::to_owned);
    let url = value("/clusters/0/cluster/server").ok_or_else(|| fail("no server"))?;
    let token = value("/users/0/user/token").ok_or_else(|| fail("no token"))?;
    Ok(Address { url, token })
}
