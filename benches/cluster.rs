//! plan and apply of 300 objects beside kubectl, on a live cluster: `cargo bench --bench cluster`, with `KUBECONFIG` set
//! to the path that `cargo xtask cluster up` prints. `KUBECTL` names another kubectl than that of the test cluster.
//!
//! Each round runs both programs in turn on the same state; what counts is the ratio.
#![allow(clippy::print_stdout)]

#[path = "manifests/mod.rs"]
mod manifests;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
const APPLICATIONS: usize = 100;
const NAMESPACE: &str = "shop";

fn main() {
    if std::env::var_os("KUBECONFIG").is_none() {
        println!("KUBECONFIG is not set: nothing is measured");
        return;
    }
    let folder = manifests::folder("cluster");
    let write = |name: &str, tag: &str| {
        let applications = (0..APPLICATIONS).map(|number| manifests::application(number, 1).replace(".0\n", tag));
        let file = folder.join(name);
        std::fs::write(&file, applications.collect::<Vec<_>>().join("---\n")).expect("a file can be written");
        file
    };
    let (old, new) = (write("old.yaml", ".0\n"), write("new.yaml", ".1\n"));
    let (mut make, mut see, mut change, mut plan) =
        (Pair::default(), Pair::default(), Pair::default(), Pair::default());
    for _ in 0..ROUNDS {
        anew();
        make.kubectl.push(time(kubectl(&["apply", "--server-side", "-f"], &old)));
        see.kubectl.push(time(kubectl(&["diff", "--server-side", "-f"], &new)));
        change.kubectl.push(time(kubectl(&["apply", "--server-side", "-f"], &new)));
        anew();
        make.kplan.push(time(kplan(&["apply", "--yes", "--wait=false"], &old)));
        see.kplan.push(time(kplan(&["diff", "--base", "cluster"], &new)));
        plan.kplan.push(time(kplan(&["plan", "--base", "cluster"], &new)));
        change.kplan.push(time(kplan(&["apply", "--yes", "--wait=false"], &new)));
        plan.kubectl.push(*see.kubectl.last().unwrap_or(&Duration::ZERO));
    }
    delete();
    println!("{} objects, medians of {ROUNDS} rounds: kubectl, kplan, ratio", 3 * APPLICATIONS);
    for (name, pair) in [
        ("all changed: kubectl diff, kplan diff", &see),
        ("all changed: kubectl diff, kplan plan (placement included)", &plan),
        ("all new: apply (kplan's plan included)", &make),
        ("all changed: apply (kplan's plan included)", &change),
    ] {
        let (kubectl, kplan) = (median(&pair.kubectl), median(&pair.kplan));
        println!("{name}: {kubectl:.2} s, {kplan:.2} s, {:.1}", kubectl / kplan);
    }
    let alone = median(&change.kplan) - median(&plan.kplan);
    println!("all changed: apply without kplan's plan: {alone:.2} s, {:.1}", median(&change.kubectl) / alone);
}

/// Times of both programs.
#[derive(Default)]
struct Pair {
    kubectl: Vec<Duration>,
    kplan: Vec<Duration>,
}

fn median(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64)
}

fn kubectl(arguments: &[&str], file: &Path) -> Command {
    let mut command = bare_kubectl();
    command.args(arguments).arg(file);
    command
}

fn bare_kubectl() -> Command {
    match std::env::var_os("KUBECTL") {
        Some(program) => Command::new(program),
        None => {
            let mut command =
                Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/control-plane/bin/control-plane"));
            command.arg("kubectl");
            command
        }
    }
}

fn kplan(arguments: &[&str], file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kplan"));
    command.args(arguments).arg(file).env_remove("CI");
    command
}

/// Fails where a command cannot work; that things differ is no failure.
fn time(mut command: Command) -> Duration {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let took = start.elapsed();
    let code = status.expect("the program starts").code();
    assert!(matches!(code, Some(0 | 1)), "{command:?} exits with {code:?}");
    took
}

fn delete() {
    let mut command = bare_kubectl();
    command.args(["delete", "namespace", NAMESPACE, "--ignore-not-found"]);
    time(command);
}

fn anew() {
    delete();
    let mut command = bare_kubectl();
    command.args(["create", "namespace", NAMESPACE]);
    time(command);
}
