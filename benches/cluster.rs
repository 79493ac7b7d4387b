//! diff and plan of 300 and 1,000 objects and apply of 300 beside kubectl, on a live cluster: `cargo bench --bench
//! cluster`, with `KUBECONFIG` set to the path that `cargo xtask cluster up` prints. `KUBECTL` names another kubectl than
//! that of the test cluster.
//!
//! Each round runs both programs in turn on the same state; what counts is the ratio. Memory is what the process held at
//! its most.
#![allow(clippy::print_stdout)]

#[path = "manifests/mod.rs"]
mod manifests;

use std::path::{Path, PathBuf};
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
    for applications in [100, 334] {
        look(applications);
    }
    change();
    delete();
}

/// The manifests of so many applications, old and new.
fn sets(applications: usize) -> (PathBuf, PathBuf) {
    let folder = manifests::folder("cluster");
    let write = |name: &str, tag: &str| {
        let all = (0..applications).map(|number| manifests::application(number, 1).replace(".0\n", tag));
        let file = folder.join(format!("{name}-{applications}.yaml"));
        std::fs::write(&file, all.collect::<Vec<_>>().join("---\n")).expect("a file can be written");
        file
    };
    (write("old", ".0\n"), write("new", ".1\n"))
}

/// diff and plan, which change nothing.
fn look(applications: usize) {
    let (old, new) = sets(applications);
    let (mut diff, mut plan, mut same) = (Pair::default(), Pair::default(), Pair::default());
    anew();
    time(kplan(&["apply", "--yes", "--wait=false"], &old));
    for _ in 0..ROUNDS {
        diff.kubectl.push(time(kubectl(&["diff", "--server-side", "--field-manager=kplan", "-f"], &new)));
        diff.kplan.push(time(kplan(&["diff", "--base", "cluster"], &new)));
        plan.kplan.push(time(kplan(&["plan", "--base", "cluster"], &new)));
        same.kubectl.push(time(kubectl(&["diff", "--server-side", "--field-manager=kplan", "-f"], &old)));
        same.kplan.push(time(kplan(&["plan", "--base", "cluster"], &old)));
    }
    plan.kubectl.clone_from(&diff.kubectl);
    println!("{} objects, medians of {ROUNDS} rounds: kubectl, kplan, ratio, memory", 3 * applications);
    for (name, pair) in [
        ("all changed: kubectl diff, kplan diff", &diff),
        ("all changed: kubectl diff, kplan plan (placement included)", &plan),
        ("nothing changed: kubectl diff, kplan plan", &same),
    ] {
        let most = |runs: &[Taken]| runs.iter().map(|run| run.peak).max().unwrap_or(0) / 1024;
        println!("{name}: {}, {} MiB and {} MiB", pair.shown(), most(&pair.kubectl), most(&pair.kplan));
    }
}

fn change() {
    let (old, new) = sets(APPLICATIONS);
    let (mut make, mut change, mut plan) = (Pair::default(), Pair::default(), Vec::new());
    for _ in 0..ROUNDS {
        anew();
        make.kubectl.push(time(kubectl(&["apply", "--server-side", "-f"], &old)));
        change.kubectl.push(time(kubectl(&["apply", "--server-side", "-f"], &new)));
        anew();
        make.kplan.push(time(kplan(&["apply", "--yes", "--wait=false"], &old)));
        plan.push(time(kplan(&["plan", "--base", "cluster"], &new)));
        change.kplan.push(time(kplan(&["apply", "--yes", "--wait=false"], &new)));
    }
    println!("all new: apply (kplan's plan included): {}", make.shown());
    println!("all changed: apply (kplan's plan included): {}", change.shown());
    let alone = median(&change.kplan) - median(&plan);
    println!("all changed: apply without kplan's plan: {alone:.2} s, {:.1}", median(&change.kubectl) / alone);
}

/// What one run took.
#[derive(Clone, Copy)]
struct Taken {
    time: Duration,
    /// Memory at its most in KiB; 0 where the system does not tell.
    peak: u64,
}

/// Runs of both programs.
#[derive(Default)]
struct Pair {
    kubectl: Vec<Taken>,
    kplan: Vec<Taken>,
}

impl Pair {
    fn shown(&self) -> String {
        let (kubectl, kplan) = (median(&self.kubectl), median(&self.kplan));
        format!("{kubectl:.2} s, {kplan:.2} s, {:.1}", kubectl / kplan)
    }
}

fn median(runs: &[Taken]) -> f64 {
    let mut times: Vec<Duration> = runs.iter().map(|run| run.time).collect();
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
fn time(mut command: Command) -> Taken {
    let start = Instant::now();
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
    let mut peak = 0;
    let status = loop {
        // The mark only grows, and is gone with the process.
        peak = peak.max(high_water(child.id()));
        match child.try_wait().expect("the program can be waited for") {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let time = start.elapsed();
    assert!(matches!(status.code(), Some(0 | 1)), "{command:?} exits with {status}");
    Taken { time, peak }
}

/// `VmHWM` of a process in KiB.
fn high_water(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
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
