//! Rollouts step by step, judged by the real controllers and scheduler: changes of Deployments, StatefulSets and
//! DaemonSets are made by seed, each on nodes of its own. What `kplan simulate` says before a change is what then
//! happens: whether it gets through, how many pods stay ready at least, and the scheduler's sentence where it stalls.
//!
//! All seeds go side by side on one plane of their own, since `0/N nodes` counts everybody's. The ordinary run takes the
//! first ones; `KPLAN_ROLLOUTS=60 cargo test --test cluster -- rollouts::` takes sixty, `KPLAN_ROLLOUTS=17-17` one.
//! With `KPLAN_ROLLOUTS_RECORD=FILE` each seed goes alone and is added to the file as a row of
//! `fixtures/recorded/rollouts-1.36.jsonl`.

mod changes;
mod watch;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::plane::{Needs, Plane, trial};
use crate::support;
use changes::Change;
use watch::{Seen, Watch};

/// How many seeds, or which: `N` or `FIRST-LAST`, counted from 1.
const VARIABLE: &str = "KPLAN_ROLLOUTS";
const RECORD: &str = "KPLAN_ROLLOUTS_RECORD";
/// Seeds of an ordinary run.
const ORDINARY: u64 = 9;
/// A rollout is over when no pod changes for so long.
const QUIET: Duration = Duration::from_secs(9);

pub fn trials() -> Vec<Trial> {
    vec![trial("rollouts::as_the_controllers", Needs::Own, |_| judge())]
}

fn judge() -> Result<(), Failed> {
    let (first, last) = crate::seeds(VARIABLE, ORDINARY);
    let all: Vec<Change> = (first..=last).map(Change::new).collect();
    let record = std::env::var_os(RECORD);
    let each = if record.is_some() { 1 } else { all.len().max(1) };
    let mut wrong = Vec::new();
    let mut table: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    for changes in all.chunks(each) {
        let plane = Plane::start()?;
        for (change, row) in changes.iter().zip(play(&plane, changes)?) {
            let lines = differences(&row);
            for kind in change.kinds() {
                let (agree, number, stalls) = table.entry(kind).or_default();
                *agree += usize::from(lines.is_empty());
                *number += 1;
                let stalled = |real: &Value| real["kind"] == kind && real["fits"] == false;
                *stalls += usize::from(row["real"].as_array().into_iter().flatten().any(stalled));
            }
            wrong.extend(lines.iter().map(|line| format!("seed {} ({}): {line}", change.seed, change.what)));
            if let Some(path) = &record {
                let mut file = std::fs::File::options().create(true).append(true).open(Path::new(path))?;
                writeln!(file, "{row}")?;
            }
        }
        plane.stop();
    }
    show(&table);
    support::verdict(wrong)
}

#[allow(clippy::print_stdout)]
fn show(table: &BTreeMap<&str, (usize, usize, usize)>) {
    for (kind, (agree, number, stalls)) in table {
        println!("rollouts: {kind}: {agree} of {number} as the real one, {stalls} of them stall");
    }
}

/// Plays changes side by side: what is there before, what kplan says, and what the controllers did.
fn play(plane: &Plane, changes: &[Change]) -> Result<Vec<Value>, Failed> {
    let nodes: Vec<Value> = changes.iter().flat_map(|change| change.nodes.clone()).collect();
    let spaces = changes
        .iter()
        .map(|change| json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": change.namespace } }));
    plane.apply(&list(nodes.iter().cloned().chain(spaces).collect()))?;
    plane.wait("the namespaces have accounts", Duration::from_secs(60), || {
        let accounts = plane.get(&["serviceaccounts", "-A", "--field-selector=metadata.name=default"]);
        accounts.is_ok_and(|all| all["items"].as_array().is_some_and(|all| all.len() >= changes.len() + 4))
    })?;
    plane.apply(&list(changes.iter().flat_map(|change| change.old.clone()).collect()))?;
    let watch = Watch::start(plane)?;
    watch.quiet(QUIET)?;
    let folder = support::folder("rollouts");
    let snapshot = folder.join("snapshot.yaml");
    let path = snapshot.display().to_string();
    let run = plane.kplan(&folder, &["snapshot", "--context", "kplan-test", "--output", &path]);
    if run.code != Some(0) {
        return Err(run.shown().into());
    }
    let live = std::fs::read_to_string(&snapshot)?;
    let mut said = Vec::new();
    for change in changes {
        let reversed: Vec<Value> = change.new.iter().rev().cloned().collect();
        let (one, other) = (rollouts(&folder, &live, &change.new)?, rollouts(&folder, &live, &reversed)?);
        said.push(json!([one, other]));
    }
    watch.start_over();
    plane.apply(&list(changes.iter().flat_map(|change| change.new.clone()).collect()))?;
    watch.quiet(QUIET)?;
    let seen = watch.seen();
    let mut rows = Vec::new();
    for (change, said) in changes.iter().zip(said) {
        let workloads = change.new.iter().filter(|object| !object["spec"]["template"].is_null());
        let real: Result<Vec<Value>, Failed> = workloads.map(|object| real(plane, object, &seen)).collect();
        rows.push(
            json!({ "seed": change.seed, "what": change.what, "live": live_part(&live, change), "new": change.new,
            "said": said, "real": real? }),
        );
    }
    Ok(rows)
}

/// What of the snapshot a row keeps: everything, where the change has the cluster for itself.
fn live_part(live: &str, change: &Change) -> Value {
    if live.contains(&change.namespace) && std::env::var_os(RECORD).is_some() { json!(live) } else { Value::Null }
}

fn list(items: Vec<Value>) -> String {
    json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()
}

/// What `kplan simulate` says of the rollouts that a set starts in a cluster.
fn rollouts(folder: &Path, live: &str, new: &[Value]) -> Result<Value, Failed> {
    std::fs::create_dir_all(folder.join("set"))?;
    std::fs::write(folder.join("set/new.json"), list(new.to_vec()))?;
    std::fs::write(folder.join("snapshot.yaml"), live)?;
    let arguments = ["simulate", "set", "--snapshot", "snapshot.yaml", "--output", "json"];
    let run = support::kplan(folder, &arguments);
    Ok(run.report()?["placement"]["rollouts"].clone())
}

/// What became of a workload.
fn real(plane: &Plane, object: &Value, seen: &BTreeMap<(String, String), Seen>) -> Result<Value, Failed> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (kind, name, namespace) = (text("/kind"), text("/metadata/name"), text("/metadata/namespace"));
    let live = plane.get(&[&kind, &name, "--namespace", &namespace])?;
    let mut seen = seen.get(&(namespace.clone(), name.clone())).cloned().unwrap_or_default();
    let failures = live["status"]["conditions"].as_array().into_iter().flatten();
    let failures = failures.filter(|condition| condition["type"] == "ReplicaFailure");
    seen.messages.extend(failures.filter_map(|failure| refusal(failure["message"].as_str()?)));
    Ok(json!({ "owner": format!("{kind}/{name}"), "namespace": namespace, "kind": kind, "fits": is_done(&live, &seen),
        "lowestReady": seen.lowest, "messages": seen.messages, "newWaits": seen.new_waits, "replaced": seen.replaced }))
}

/// Why a pod was not created, without its name.
fn refusal(message: &str) -> Option<String> {
    message.split_once(" is forbidden: ").map(|(_, why)| why.to_owned())
}

/// Whether all pods that are to be of the new template are, and are ready.
fn is_done(live: &Value, seen: &Seen) -> bool {
    let number = |pointer: &str| live.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let wanted = number("/spec/replicas");
    let partition = number("/spec/updateStrategy/rollingUpdate/partition").min(wanted);
    match live["kind"].as_str() {
        Some("Deployment") => ["/status/replicas", "/status/updatedReplicas", "/status/availableReplicas"]
            .iter()
            .all(|pointer| number(pointer) == wanted),
        Some("StatefulSet") if live["spec"]["updateStrategy"]["type"] == "OnDelete" => {
            number("/status/replicas") == wanted && seen.unready_after(0) == 0
        }
        Some("StatefulSet") => {
            number("/status/replicas") == wanted
                && number("/status/updatedReplicas") >= wanted - partition
                && seen.unready_after(partition) == 0
        }
        _ => {
            let wanted = number("/status/desiredNumberScheduled");
            number("/status/updatedNumberScheduled") == wanted && number("/status/numberAvailable") == wanted
        }
    }
}

/// Where kplan and the real ones differ. Where workloads race for the same room, either order will do.
pub fn differences(row: &Value) -> Vec<String> {
    let said = row["said"].as_array().into_iter().flatten();
    said.map(|said| differences_of(said, row)).min_by_key(Vec::len).unwrap_or_default()
}

fn differences_of(said: &Value, row: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for real in row["real"].as_array().into_iter().flatten() {
        let is_it = |said: &&Value| said["owner"] == real["owner"] && said["namespace"] == real["namespace"];
        let owner = &real["owner"];
        let Some(said) = said.as_array().into_iter().flatten().find(is_it) else {
            // Nothing is replaced by itself.
            if real["replaced"] == true {
                wrong.push(format!("{owner}: kplan knows no rollout, pods were replaced"));
            }
            continue;
        };
        for key in ["fits", "lowestReady"] {
            if said[key] != real[key] {
                wrong.push(format!("{owner}: {key} is {}, kplan says {}", real[key], said[key]));
            }
        }
        let messages: Vec<&str> = real["messages"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let whole = said["stalls"]["message"].as_str().unwrap_or_default();
        let message = refusal(whole).unwrap_or_else(|| whole.to_owned());
        // A StatefulSet says nothing of what it waits for; a DaemonSet or StatefulSet tells refusals in events alone.
        let is_quoted = message.contains("nodes are available") || whole != message && real["kind"] == "Deployment";
        if is_quoted && !messages.contains(&message.as_str()) || !is_quoted && real["newWaits"] == true {
            wrong.push(format!("{owner}: the real ones say {messages:?}\n   kplan says {message:?}"));
        }
    }
    wrong
}
