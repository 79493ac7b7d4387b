//! Commands and their flags. One file per command; what they share is [`args`] (as typed), [`options`] (what it
//! means), [`stages`] and [`output`].

mod apply;
mod applyset;
mod args;
mod baseline;
mod check;
mod cluster;
mod completions;
mod config;
mod diff;
pub mod error;
mod explain;
mod fix;
mod focus;
mod init;
mod inventory;
mod live;
mod locate;
mod notes;
mod options;
mod output;
mod own_rules;
mod plan;
mod progress;
mod rules;
mod rules_test;
mod show;
mod simulate;
mod snapshot;
mod stages;
mod states;
mod translate;

use std::ffi::OsString;

use clap::Parser;

use args::{Cli, Command};
use error::{CliError, Exit};

/// Runs a command line; gives the exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // `--help` and `--version` come as errors that are none.
            let code = if error.use_stderr() { Exit::Failure } else { Exit::Fine };
            let _ = error.print();
            return code as u8;
        }
    };
    match dispatch(&cli) {
        Ok(exit) => exit as u8,
        Err(error) => error.print(),
    }
}

fn dispatch(cli: &Cli) -> Result<Exit, CliError> {
    let terms = &cli.terms;
    match &cli.command {
        Command::Check(args) => check::run(args, terms),
        Command::Simulate(args) => simulate::run(args, terms),
        Command::Diff(args) => diff::run(args, terms),
        Command::Plan(args) => plan::run(args, terms),
        Command::Apply(args) => apply::run(args, terms),
        Command::Show(args) => show::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Rules(args) => rules::run(args),
        Command::Snapshot(args) => snapshot::run(args, terms),
        Command::Init(args) => init::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Config(args) => config::run(args),
    }
}
