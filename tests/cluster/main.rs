//! Tests on a real cluster: `tests/support/plane.rs` says on which.
//!
//! `cargo test --test cluster -- plane::` runs one group.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/api.rs"]
mod api;
#[path = "../support/plane.rs"]
mod plane;
#[path = "../support/proxy.rs"]
mod proxy;
#[path = "../support/rollout.rs"]
mod rollout;

mod apply;
mod applyset;
mod bad_input;
mod come_true;
mod consequences;
mod evictions;
mod inventory;
mod like_kubectl;
mod moves;
#[path = "plane.rs"]
mod of_plane;
mod ownership;
mod read_only;
mod rollouts;
mod situations;
mod truth;
mod unfinished;

use libtest_mimic::Arguments;

/// The first and the last seed that a variable asks for, `N` or `FIRST-LAST`; so many where it is not set.
fn seeds(variable: &str, ordinary: u64) -> (u64, u64) {
    let text = std::env::var(variable).unwrap_or_default();
    let number = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("{variable}: N or FIRST-LAST"));
    match text.split_once('-') {
        _ if text.is_empty() => (1, ordinary),
        Some((first, last)) => (number(first).max(1), number(last)),
        None => (1, number(&text)),
    }
}

#[allow(clippy::print_stdout)]
fn main() {
    let mut arguments = Arguments::from_args();
    // Tests wait for the cluster most of the time.
    arguments.test_threads.get_or_insert(8);
    let mut trials = of_plane::trials();
    trials.extend(apply::trials());
    trials.extend(applyset::trials());
    trials.extend(ownership::trials());
    trials.extend(truth::trials());
    trials.extend(unfinished::trials());
    trials.extend(bad_input::trials());
    trials.extend(evictions::trials());
    trials.extend(inventory::trials());
    trials.extend(read_only::trials());
    trials.extend(situations::trials());
    trials.extend(come_true::trials());
    trials.extend(consequences::trials());
    trials.extend(like_kubectl::trials());
    trials.extend(moves::trials());
    trials.extend(rollouts::trials());
    let conclusion = libtest_mimic::run(&arguments, trials);
    situations::end();
    come_true::end();
    plane::stop();
    let (runs, values) = support::secrets::count();
    println!("{runs} outputs held against {values} secret values");
    conclusion.exit();
}
