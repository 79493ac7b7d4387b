//! The `kplan` command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Deep nesting must never overflow the stack; the kernel gives only what is touched.
const STACK: usize = 256 << 20;

fn main() -> ExitCode {
    let run = std::thread::Builder::new().stack_size(STACK).spawn(|| kplan::cli::run(std::env::args_os()));
    let code = run.ok().and_then(|thread| thread.join().ok());
    // A panic has printed its message; it is an internal error.
    ExitCode::from(code.unwrap_or(2))
}
