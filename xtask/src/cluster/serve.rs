//! `cargo xtask cluster serve`: a cluster that ends with whoever wanted it.
//!
//! Two processes see to it. The one that was called waits for the end of its standard
//! input, and holds a pipe to the other, the keeper, which runs the cluster in a process
//! group of its own and stops it when the pipe ends. So the cluster ends however its
//! caller ended, also when the caller, or the process that was called, was killed. Should
//! the keeper itself be killed, the next `serve` clears up after it.

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use super::components::Cluster;
use super::process::{Processes, output};
use super::{absolute, build, ports};
use crate::Outcome;

/// The keeper's word on the command line; not for people.
pub(super) const KEEP: &str = "keep";

const CLUSTERS: &str = "target/clusters";

/// Starts a keeper and passes on the end of the standard input.
pub(super) fn run() -> Outcome {
    build::everything()?;
    clear_up()?;
    let home = absolute(&format!("{CLUSTERS}/{:016x}", ports::random()))?;
    let itself = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut keeper = Command::new(itself);
    // A group of its own: an interrupt in the terminal does not reach it.
    keeper.args(["cluster", KEEP]).arg(&home).stdin(Stdio::piped()).process_group(0);
    let mut keeper = keeper.spawn().map_err(|error| format!("cluster {KEEP}: {error}"))?;
    let pipe = keeper.stdin.take();
    thread::spawn(move || {
        read_to_end();
        drop(pipe);
    });
    match keeper.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("there is no cluster".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Runs a cluster in `home` until the standard input ends.
pub(super) fn keep(home: &Path) -> Outcome {
    let wanted = Arc::new(AtomicBool::new(true));
    let end = end_of_input(&wanted);
    let processes = Processes::wanted(home, wanted.clone());
    let started = Cluster::prepare(home).and_then(|cluster| {
        cluster.start(&processes)?;
        Ok(cluster.files.kubeconfig)
    });
    let outcome = match started {
        Ok(kubeconfig) => {
            println!("{}", kubeconfig.display());
            end.join().map_err(|_| "the standard input cannot be read".to_owned())
        }
        Err(_) if !wanted.load(Ordering::Relaxed) => Ok(()),
        Err(error) => Err(error),
    };
    outcome.and(remove(home, &processes))
}

fn end_of_input(wanted: &Arc<AtomicBool>) -> JoinHandle<()> {
    let wanted = wanted.clone();
    thread::spawn(move || {
        read_to_end();
        wanted.store(false, Ordering::Relaxed);
    })
}

/// An error is an end too.
fn read_to_end() {
    let mut bytes = [0; 64];
    while std::io::stdin().read(&mut bytes).is_ok_and(|count| count > 0) {}
}

fn remove(home: &Path, processes: &Processes) -> Outcome {
    processes.stop_all()?;
    match fs::remove_dir_all(home) {
        // Another `serve` may clear up at the same time.
        Err(error) if error.kind() != ErrorKind::NotFound => Err(format!("{}: {error}", home.display())),
        _ => Ok(()),
    }
}

/// Ends the clusters whose keeper was killed.
fn clear_up() -> Outcome {
    // The folders first: each is made by its keeper, which is then among the processes.
    let homes = clusters()?;
    let running = output(Command::new("ps").args(["-axww", "-o", "args="]))?;
    for home in homes {
        if !running.contains(&format!("{KEEP} {}", home.display())) {
            remove(&home, &Processes::new(&home))?;
        }
    }
    Ok(())
}

fn clusters() -> Result<Vec<PathBuf>, String> {
    let folder = absolute(CLUSTERS)?;
    let fail = |error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(fail)?;
    fs::read_dir(&folder).map_err(fail)?.map(|entry| entry.map(|entry| entry.path()).map_err(fail)).collect()
}
