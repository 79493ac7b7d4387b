//! How long the simulation of the scheduler takes, in rows named as in scheduler_perf: `cargo bench --bench placement`.
//!
//! A row prints the processor time for each pod after loading, at 1,000, 5,000 and 15,000 nodes, and how many times
//! less that is than the real scheduler took on the same machine (`SCHEDULER_CPU`, in the order of the rows, replaces
//! the numbers measured for BENCHMARKS.md). Pods differ in what they request unless the row says otherwise. A part of a
//! name as argument leaves the other rows out.
#![allow(clippy::print_stdout)]

#[path = "placement/snapshot.rs"]
mod snapshot;

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use cpu_time::{ProcessTime, ThreadTime};
use kplan::config::Settings;
use kplan::model::Bundle;
use kplan::simulate::cluster::Cluster;
use kplan::simulate::engine::{self, Answer};
use kplan::simulate::labels::{Labels, NodeTerm, Operator, Requirement, Selector};
use kplan::simulate::losses;
use kplan::simulate::nodes::{HOSTNAME, Node, ZONE};
use kplan::simulate::pod::{Pod, PodTerm, Spread};
use kplan::simulate::preemption::{NOT_STARTED, Preemption};
use kplan::simulate::requests::{Amounts, Requests};
use kplan::simulate::resources::Resources;
use kplan::simulate::state::State;
use kplan::simulate::{self, Inventory};

/// What the program allocates with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const GIB: i64 = 1 << 30;
const MIB: i64 = 1 << 20;

/// A row: its name, the real scheduler's milliseconds for each pod, what is there before, and the pod of a number.
struct Row {
    name: &'static str,
    real: f64,
    before: fn(usize) -> Pod,
    per_node: usize,
    pod: fn(usize) -> Pod,
}

fn node(index: usize) -> Node {
    let name = format!("node-{index}");
    let labels = [(HOSTNAME, name.clone()), (ZONE, format!("zone{}", index % 10))];
    Node {
        name,
        labels: labels.map(|(key, value)| (key.to_owned(), value)).into(),
        allocatable: Resources { cpu: 4000, memory: 32 * GIB, ..Resources::default() },
        max_pods: 110,
        ..Node::default()
    }
}

fn pod(cpu: i64, memory: i64, app: &str) -> Pod {
    let scored = Amounts { cpu, memory };
    Pod {
        namespace: "default".to_owned(),
        labels: Labels::from([("app".to_owned(), app.to_owned())]),
        requests: Requests {
            actual: Resources { cpu, memory, ..Resources::default() },
            nonzero: scored,
            scored,
            ..Requests::default()
        },
        containers: 1,
        ..Pod::default()
    }
}

/// Requests that no other pod of a run has.
fn distinct(number: usize, app: &str) -> Pod {
    pod(100 + (number % 97) as i64, 200 * MIB + (number * 4096) as i64, app)
}

fn selecting(app: &str) -> Option<Selector> {
    let mut selector = Selector::default();
    selector.require("app", app);
    Some(selector)
}

fn term(key: &str, app: &str) -> PodTerm {
    let namespaces = BTreeSet::from(["default".to_owned()]);
    PodTerm { key: key.to_owned(), selector: selecting(app), namespaces, namespace_selector: None }
}

fn spread(key: &str, hard: bool) -> Spread {
    Spread {
        max_skew: 5,
        key: key.to_owned(),
        hard,
        selector: selecting("spread"),
        min_domains: 1,
        honor_affinity: true,
        honor_taints: false,
    }
}

fn plain(number: usize) -> Pod {
    distinct(number, "plain")
}

/// What scheduler_perf creates beforehand: pods of one template.
fn template(_: usize) -> Pod {
    plain(0)
}

fn in_two_zones(number: usize) -> Pod {
    let values = vec!["zone1".to_owned(), "zone2".to_owned()];
    let wanted = Requirement { key: ZONE.to_owned(), operator: Operator::In, values };
    let term = NodeTerm { expressions: vec![wanted], fields: Vec::new(), broken: false };
    Pod { required_nodes: Some(vec![term]), ..distinct(number, "zones") }
}

fn near(number: usize) -> Pod {
    Pod { affinity: vec![term(ZONE, "near")], ..distinct(number, "near") }
}

fn apart(number: usize) -> Pod {
    Pod { anti_affinity: vec![term(HOSTNAME, "apart")], ..distinct(number, "apart") }
}

fn rather_near(number: usize) -> Pod {
    Pod { preferred_pods: vec![(1, term(HOSTNAME, "rather"))], ..distinct(number, "rather") }
}

fn rather_apart(number: usize) -> Pod {
    Pod { preferred_pods: vec![(-1, term(HOSTNAME, "rather"))], ..distinct(number, "rather") }
}

fn spread_hard(number: usize) -> Pod {
    Pod { spread: vec![spread(ZONE, true)], ..distinct(number, "spread") }
}

fn spread_soft(number: usize) -> Pod {
    Pod { spread: vec![spread(ZONE, false), spread(HOSTNAME, false)], ..distinct(number, "spread") }
}

fn unimportant(_: usize) -> Pod {
    pod(900, 500 * MIB, "low")
}

fn important(number: usize) -> Pod {
    Pod { priority: 10, ..pod(3000 + (number % 97) as i64, 500 * MIB + number as i64 * 4096, "high") }
}

fn too_large(number: usize) -> Pod {
    let mut pod = distinct(number, "large");
    pod.requests.actual.cpu = 9000;
    pod
}

fn mixed(number: usize) -> Pod {
    [plain, in_two_zones, near, apart, rather_near, spread_hard, spread_soft][number % 7](number)
}

fn identical(_: usize) -> Pod {
    pod(100, 200 * MIB, "same")
}

const ROWS: [Row; 15] = [
    Row { name: "SchedulingBasic", real: 2.30, before: template, per_node: 1, pod: plain },
    Row { name: "SchedulingNodeAffinity", real: 4.17, before: template, per_node: 1, pod: in_two_zones },
    Row { name: "SchedulingPodAffinity", real: 8.27, before: |_| near(0), per_node: 1, pod: near },
    Row { name: "SchedulingPodAntiAffinity", real: 5.37, before: template, per_node: 1, pod: apart },
    Row {
        name: "SchedulingPreferredPodAffinity",
        real: 8.07,
        before: |_| rather_near(0),
        per_node: 1,
        pod: rather_near,
    },
    Row {
        name: "SchedulingPreferredPodAntiAffinity",
        real: 8.93,
        before: |_| rather_apart(0),
        per_node: 1,
        pod: rather_apart,
    },
    Row { name: "TopologySpreading", real: 5.27, before: template, per_node: 1, pod: spread_hard },
    Row { name: "PreferredTopologySpreading", real: 4.73, before: template, per_node: 1, pod: spread_soft },
    Row { name: "PreemptionBasic", real: 16.95, before: unimportant, per_node: 4, pod: important },
    Row { name: "Unschedulable", real: 5.07, before: template, per_node: 1, pod: too_large },
    Row { name: "MixedSchedulingBasePod", real: 4.70, before: template, per_node: 1, pod: mixed },
    Row { name: "identical replicas", real: 2.57, before: template, per_node: 1, pod: identical },
    Row { name: "SchedulingBasic, no two nodes alike", real: 2.30, before: plain, per_node: 1, pod: plain },
    Row { name: "Unschedulable, no two nodes alike", real: 5.07, before: plain, per_node: 1, pod: too_large },
    Row { name: "identical replicas, no two nodes alike", real: 3.00, before: plain, per_node: 5, pod: identical },
];

/// Seconds of processor time that this thread has used.
fn cpu() -> f64 {
    ThreadTime::now().as_duration().as_secs_f64()
}

/// The same of all threads.
fn cpu_of_all() -> f64 {
    ProcessTime::now().as_duration().as_secs_f64()
}

/// A cluster with so many pods on each node.
fn loaded(nodes: usize, per_node: usize, before: fn(usize) -> Pod) -> State {
    let mut state = State::new(Cluster::default(), (0..nodes).map(node).collect());
    for number in 0..nodes * per_node {
        let class = state.class(&Arc::new(before(number)));
        state.place(class, &Arc::from(format!("default/before-{number}")), (number % nodes) as u32, NOT_STARTED);
    }
    state
}

/// Microseconds for each pod: the least of three runs, as other processes only ever add to it.
fn measure(row: &Row, nodes: usize, pods: usize) -> f64 {
    (0..3).map(|_| measure_once(row, nodes, pods)).fold(f64::INFINITY, f64::min)
}

fn measure_once(row: &Row, nodes: usize, pods: usize) -> f64 {
    let state = loaded(nodes, row.per_node, row.before);
    let same = Arc::new((row.pod)(0));
    let replicas = row.name.starts_with("identical");
    // Made beforehand, as the scheduler's informers have them.
    let first = nodes * row.per_node;
    let waiting: Vec<Arc<Pod>> =
        (0..pods).map(|number| if replicas { same.clone() } else { Arc::new((row.pod)(first + number)) }).collect();
    let since = cpu();
    let state = schedule_all(state, &waiting);
    let took = cpu() - since;
    drop(state);
    took * 1e6 / pods as f64
}

/// Schedules pods one after the other; those that preempt go where their victims were.
#[inline(never)]
fn schedule_all(mut state: State, waiting: &[Arc<Pod>]) -> State {
    for (number, pod) in waiting.iter().enumerate() {
        let class = state.class(pod);
        let node = match engine::schedule(&mut state, class) {
            Answer::Scheduled { best, .. } => best.first(),
            Answer::Pending(why) => match &why.preemption {
                Preemption::Nominated { node, victims, .. } => {
                    victims.iter().for_each(|victim| state.remove(*victim));
                    Some(*node)
                }
                _ => None,
            },
        };
        if let Some(node) = node {
            state.place(class, &Arc::from(format!("default/pod-{number}")), node, NOT_STARTED);
        }
    }
    state
}

/// Loss and drain of every node, as `kplan simulate` tries them.
fn what_if(nodes: usize, per_node: usize, kinds: usize) {
    let of_kind = |number: usize| distinct(number % kinds, &format!("app-{}", number % kinds));
    let mut state = State::new(Cluster::default(), (0..nodes).map(node).collect());
    let pods: Vec<Arc<Pod>> = (0..kinds).map(|number| Arc::new(of_kind(number))).collect();
    let (started, mut number) = (Instant::now(), 0);
    for at in 0..nodes {
        for _ in 0..per_node {
            let class = state.class(&pods[(number * 7919) % kinds]);
            state.place(class, &Arc::from(format!("default/pod-{number}")), at as u32, NOT_STARTED);
            number += 1;
        }
    }
    let loading = started.elapsed();
    println!("placing {number} pods of {kinds} kinds on {nodes} nodes: {:.2} s", loading.as_secs_f64());
    try_losses(&state);
}

/// Loss and drain of each node, with the time of all processors.
fn try_losses(state: &State) {
    let (started, used) = (Instant::now(), cpu_of_all());
    let (losses, drains) = losses::what_if(state, &HashSet::new());
    let pending: usize = losses.iter().map(|loss| loss.pending.len()).sum();
    println!(
        "{} losses, {} drains: {:.2} s, {:.2} s of processor time ({pending} pending)",
        losses.len(),
        drains.len(),
        started.elapsed().as_secs_f64(),
        cpu_of_all() - used,
    );
}

/// Reads a snapshot as `kplan simulate --snapshot` does, and asks what if.
fn load(file: &Path) -> Result<(), String> {
    let (started, used) = (Instant::now(), cpu_of_all());
    let say = |what: &str| {
        let spent = (started.elapsed().as_secs_f64(), cpu_of_all() - used);
        println!("{what}: {:.2} s since the start, {:.2} s of processor time, {} MB at most", spent.0, spent.1, peak());
    };
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let settings = Settings::default();
    let read = kplan::snapshot::read("snapshot.json", text, &settings).map_err(|error| error.message)?;
    say("snapshot read");
    let inventory = Inventory::of_cluster(&read.bundle).map_err(|error| error.message)?;
    let (state, _) = simulate::prepare(&Bundle::default(), &inventory, &settings);
    say(&format!("{} pods on {} nodes loaded", state.running().count(), state.nodes.len()));
    try_losses(&state);
    say("what if");
    Ok(())
}

/// Writes a snapshot and reads it in a process of its own.
fn from_snapshot(nodes: usize, pods: usize) -> Result<(), String> {
    let file = std::env::temp_dir().join(format!("kplan-bench-{}.json", std::process::id()));
    let text = snapshot::text(nodes, pods, 500.min(pods));
    println!("a snapshot of {nodes} nodes and {pods} pods: {} MB", text.len() >> 20);
    std::fs::write(&file, text).map_err(|error| error.to_string())?;
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let done = Command::new(own).env("KPLAN_SNAPSHOT", &file).status();
    std::fs::remove_file(&file).map_err(|error| error.to_string())?;
    done.map_err(|error| error.to_string()).map(|_| ())
}

/// Places so many pods and says how long it took, and how much memory.
fn mass(nodes: usize, pods: usize) {
    let mut state = State::new(Cluster::default(), (0..nodes).map(node).collect());
    let kinds: Vec<Arc<Pod>> = (0..1000).map(|number| Arc::new(distinct(number, &format!("app-{number}")))).collect();
    let since = cpu();
    let mut placed = 0;
    for number in 0..pods {
        let class = state.class(&kinds[number / 300 % kinds.len()]);
        if let Answer::Scheduled { best, .. } = engine::schedule(&mut state, class)
            && let Some(node) = best.first()
        {
            state.place(class, &Arc::from(format!("default/pod-{number}")), node, NOT_STARTED);
            placed += 1;
        }
    }
    println!(
        "{placed} of {pods} pods of 1,000 kinds placed on {nodes} nodes: {:.1} s, {} MB at most",
        cpu() - since,
        peak()
    );
}

/// Peak memory of the process in megabytes.
fn peak() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn main() -> Result<(), String> {
    if let Some(file) = std::env::var_os("KPLAN_SNAPSHOT") {
        return load(Path::new(&file));
    }
    let real: Vec<f64> = std::env::var("SCHEDULER_CPU")
        .map(|text| text.split(',').filter_map(|number| number.trim().parse().ok()).collect())
        .unwrap_or_default();
    // `cargo test --benches` only wants to know whether it runs.
    let sizes: &[usize] =
        if std::env::args().any(|argument| argument == "--bench") { &[1000, 5000, 15_000] } else { &[100] };
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    println!("{:40} {:>8} {:>12} {:>9}", "row", "nodes", "µs a pod", "ratio");
    for (at, row) in ROWS.iter().enumerate().filter(|(_, row)| row.name.contains(&wanted)) {
        let real = real.get(at).copied().unwrap_or(row.real);
        for nodes in sizes {
            let pods = if row.name.starts_with("identical") { 10_000 } else { 1000 };
            let ours = measure(row, *nodes, pods);
            println!("{:40} {nodes:>8} {ours:>12.2} {:>9.0}", row.name, real * 1000.0 / ours);
        }
    }
    let most = sizes.last().copied().unwrap_or(0);
    if wanted.is_empty() || wanted == "snapshot" {
        from_snapshot(most.min(5000), most.min(5000) * 10)?;
    }
    if !wanted.is_empty() {
        return Ok(());
    }
    what_if(most.min(5000), 10, 500.min(most));
    println!("peak memory so far: {} MB", peak());
    if most >= 15_000 {
        mass(15_000, 300_000);
    }
    Ok(())
}
