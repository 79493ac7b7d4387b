//! `kplan completions`.

use std::io::{self, Write};

use clap::CommandFactory;

use super::args::{Cli, CompletionsArgs};
use super::error::{CliError, Exit};

pub(super) fn run(args: &CompletionsArgs) -> Result<Exit, CliError> {
    // The generator panics where it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "kplan", &mut script);
    io::stdout().write_all(&script)?;
    Ok(Exit::Fine)
}
