//! Maintainers' tools, run as `cargo xtask COMMAND`.
//!
//! They work from the repository's root, wherever they are called from; so
//! do relative paths among their options.

mod catalogue;
mod cluster;
mod new_rule;
mod oracle;
mod schemas;
mod test;

use std::process::{Command, ExitCode};

const USAGE: &str = "\
usage: cargo xtask COMMAND
  catalogue [--check]
          write (or compare) what is generated from rules/
  new-rule GROUP ID
          write the files of a new rule, to be filled in
  schemas --facts FACTS.json --openapi DIR --version 1.36
          write schemas/kubernetes-1.36.facts
  cluster up|down
          a real control plane on this machine; prints its kubeconfig
  cluster serve
          another one, with a folder of its own; it ends when standard input does
  cluster dump DIR
          save what `schemas` reads: DIR/facts.json, and DIR itself for --openapi
  oracle [OPTION...] [FOLDER...] | down
          compare kplan with a real API server; `oracle --help` lists the options
  oracle placement [OPTION...]
          compare where pods land with a real scheduler
  test [FILTER...]
          run all tests; names and counts what cannot run here";

/// What a command answers: nothing, or one sentence saying why it failed.
type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match enter_root().and_then(|()| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

/// Cargo as a user runs it: with what it tells xtask of its own package, build scripts that look at such variables
/// (ring's does) would run again, and all that rests on them be built again.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let is_of_package = |name: &str| name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_of_package)) {
        command.env_remove(name);
    }
    command
}

fn enter_root() -> Outcome {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    std::env::set_current_dir(root).map_err(|error| format!("{root}: {error}"))
}

fn run(arguments: &[&str]) -> Outcome {
    match arguments {
        ["catalogue"] => catalogue::run(false),
        ["catalogue", "--check"] => catalogue::run(true),
        ["cluster", options @ ..] => cluster::run(options),
        ["new-rule", group, id] => new_rule::run(group, id),
        ["oracle", options @ ..] => oracle::run(options),
        ["schemas", options @ ..] => schemas::run(options),
        ["test", options @ ..] => test::run(options),
        _ => Err(format!("no such command\n{USAGE}")),
    }
}
