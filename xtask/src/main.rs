//! Maintainers' tools: `cargo xtask <task>`.

mod catalogue;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["catalogue"] => catalogue::run(false),
        ["catalogue", "--check"] => catalogue::run(true),
        _ => Err("usage: cargo xtask catalogue [--check]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
