//! `cargo xtask oracle`: a real API server is started and asked, and kplan beside it; for `placement` a scheduler too.
//!
//! What asks and compares is the package `oracle`: it needs kplan itself, which this program must not need, or nothing
//! could be generated while kplan does not compile.

use crate::cluster::placements;
use crate::cluster::verdicts::{self, Address};
use crate::{Outcome, cargo};

/// Runs the package with the address of the server; `down` stops the servers.
pub(crate) fn run(options: &[&str]) -> Outcome {
    match options {
        ["down"] => verdicts::down().and(placements::down()),
        ["placement", options @ ..] => {
            // Of the newest version where none is given, which the control plane has.
            let value = |name: &str| {
                let at = options.iter().position(|option| *option == name);
                at.and_then(|at| options.get(at + 1)).copied()
            };
            let (address, log) = placements::up(value("--kube-version"), value("--scheduler-config"))?;
            ask(&["placement"], &address, &[&["--log", &log], options].concat())
        }
        _ => ask(&[], &verdicts::up()?, options),
    }
}

fn ask(command: &[&str], address: &Address, options: &[&str]) -> Outcome {
    let status = cargo()
        .args(["run", "--quiet", "--package", "oracle", "--"])
        .args(command)
        .args(["--server", &address.url, "--token", &address.token])
        .args(options)
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err("the oracle failed".to_owned()) }
}
