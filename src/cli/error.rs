//! What goes wrong with kplan itself, and the exit codes.

use std::fmt;
use std::io::{self, Write};

use crate::config::ConfigError;
use crate::load::LoadError;

/// Exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Fine = 0,
    /// A negative answer: findings, pods that find no node, changes with `--exit-code`.
    Negative = 1,
    /// Usage, configuration or internal error.
    Failure = 2,
    /// No file, no Kubernetes object.
    NoInput = 3,
    /// Apply begun and not completed: failed, not ready in time, interrupted.
    Incomplete = 4,
}

/// Which exit code an error has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    Usage,
    Config,
    NoInput,
    /// A cluster that cannot be reached, or does not answer.
    Cluster,
    Internal,
    /// A baseline would have to grow: a negative answer.
    Grown,
    /// Whoever read the output has gone; nothing is said.
    BrokenPipe,
}

/// An error at the edge: one line on what is wrong, one on what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CliError {
    pub kind: ErrorKind,
    pub message: String,
    pub help: String,
}

impl CliError {
    pub fn new(kind: ErrorKind, message: impl Into<String>, help: impl Into<String>) -> CliError {
        CliError { kind, message: message.into(), help: help.into() }
    }

    pub fn usage(message: impl Into<String>, help: impl Into<String>) -> CliError {
        CliError::new(ErrorKind::Usage, message, help)
    }

    /// Prints the error on stderr; gives the exit code.
    pub fn print(&self) -> u8 {
        let exit = match self.kind {
            ErrorKind::Usage | ErrorKind::Config | ErrorKind::Cluster | ErrorKind::Internal => Exit::Failure,
            ErrorKind::NoInput => Exit::NoInput,
            ErrorKind::Grown => Exit::Negative,
            ErrorKind::BrokenPipe => Exit::Fine,
        };
        if self.kind != ErrorKind::BrokenPipe {
            let _ = write!(io::stderr(), "{self}");
        }
        exit as u8
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.message)?;
        for line in self.help.lines() {
            writeln!(f, "  help: {line}")?;
        }
        Ok(())
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> CliError {
        // Each problem has its help below it; the last one's is the error's own.
        let text = error.to_string();
        let helped =
            text.lines().zip(&error.problems).map(|(line, problem)| format!("{line}\n  help: {}", problem.help));
        let told = helped.collect::<Vec<_>>().join("\nerror: ");
        let (message, help) = told.rsplit_once("\n  help: ").unwrap_or((&told, ""));
        CliError::new(ErrorKind::Config, message, help)
    }
}

impl From<LoadError> for CliError {
    fn from(error: LoadError) -> CliError {
        CliError::usage(error.message, error.help)
    }
}

impl From<io::Error> for CliError {
    /// Errors of writing to stdout.
    fn from(error: io::Error) -> CliError {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return CliError::new(ErrorKind::BrokenPipe, "", "");
        }
        CliError::new(
            ErrorKind::Internal,
            format!("cannot write the output: {}", io_text(&error)),
            "make room, or write elsewhere",
        )
    }
}

/// An I/O error without the system's number.
pub(super) fn io_text(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
