//! Tests on a real cluster: `tests/support/plane.rs` says on which.
//!
//! `cargo test --test cluster -- plane::` runs one group.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/plane.rs"]
mod plane;
#[path = "../support/proxy.rs"]
mod proxy;

mod apply;
mod bad_input;
mod inventory;
#[path = "plane.rs"]
mod of_plane;

use libtest_mimic::Arguments;

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = of_plane::trials();
    trials.extend(apply::trials());
    trials.extend(bad_input::trials());
    trials.extend(inventory::trials());
    let conclusion = libtest_mimic::run(&arguments, trials);
    plane::stop();
    conclusion.exit();
}
