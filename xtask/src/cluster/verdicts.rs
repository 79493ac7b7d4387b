//! An API server and its etcd alone, for questions about verdicts: it starts in seconds and stays until it is told to go.

use std::fs;
use std::path::Path;

use super::absolute;
use super::build::{self, CONTROL_PLANE};
use super::components::Cluster;
use crate::Outcome;
use crate::cluster::process::Processes;

/// Where the server is and who may ask it.
pub(crate) struct Address {
    pub(crate) url: String,
    pub(crate) token: String,
}

/// Admission that needs controllers: it would refuse pods, or keep objects from going away.
const WITHOUT: &str = "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition,StorageObjectInUseProtection";

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
        let started = start(&Cluster::prepare(&home)?, &processes);
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

fn start(cluster: &Cluster, processes: &Processes) -> Outcome {
    let mut flags = cluster.api_flags();
    flags.retain(|flag| !flag.starts_with("--service-cluster-ip-range="));
    flags.push("--service-cluster-ip-range=10.96.0.0/12".to_owned());
    flags.push(WITHOUT.to_owned());
    // Many dry runs at once are no reason to slow them down.
    flags.push("--enable-priority-and-fairness=false".to_owned());
    processes.start("etcd", CONTROL_PLANE, &cluster.etcd_flags())?;
    processes.start("kube-apiserver", CONTROL_PLANE, &flags)?;
    processes.wait("kube-apiserver", || cluster.is_ready())
}

/// Reads what [`super::kubeconfig`] wrote.
fn address(kubeconfig: &Path) -> Result<Address, String> {
    let text = fs::read_to_string(kubeconfig).map_err(|error| format!("{}: {error}", kubeconfig.display()))?;
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key));
        line.map(str::to_owned).ok_or(format!("{}: no {key}", kubeconfig.display()))
    };
    Ok(Address { url: value("server: ")?, token: value("token: ")? })
}
