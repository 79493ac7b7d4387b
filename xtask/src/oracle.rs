//! `cargo xtask oracle`: a real API server is started and asked, and kplan beside it.
//!
//! What asks and compares is the package `oracle`: it needs kplan itself, which this program must not need, or nothing
//! could be generated while kplan does not compile.

use std::process::Command;

use crate::Outcome;
use crate::cluster::verdicts;

/// Runs the package with the address of the server; `down` stops the server.
pub(crate) fn run(options: &[&str]) -> Outcome {
    if options == ["down"] {
        return verdicts::down();
    }
    let address = verdicts::up()?;
    let status = Command::new("cargo")
        .args(["run", "--quiet", "--package", "oracle", "--", "--server", &address.url, "--token", &address.token])
        .args(options)
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err("the oracle failed".to_owned()) }
}
