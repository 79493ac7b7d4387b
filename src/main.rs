//! The `kplan` command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Several times as fast as the C library's with the many small pieces that a tree is made of.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Deep nesting must never overflow the stack; the kernel gives only what is touched.
const STACK: usize = 256 << 20;

fn main() -> ExitCode {
    let run = std::thread::Builder::new().stack_size(STACK).spawn(|| kplan::cli::run(std::env::args_os()));
    let code = run.ok().and_then(|thread| thread.join().ok());
    // A panic has printed its message; it is an internal error.
    ExitCode::from(code.unwrap_or(2))
}
