//! Rollouts step by step, judged by the real controllers and scheduler: changes of Deployments, StatefulSets and
//! DaemonSets are made by seed, each on nodes of its own. What `kplan simulate` says before a change is what then
//! happens: whether it gets through, how many pods stay ready at least, and the scheduler's sentence where it stalls.
//!
//! All seeds go side by side on one plane of their own, since `0/N nodes` counts everybody's. The ordinary run takes the
//! first ones; `KPLAN_ROLLOUTS=60 cargo test --test cluster -- rollouts::` takes sixty, `KPLAN_ROLLOUTS=17-17` one.
//! `KPLAN_ROLLOUTS_RECORD=FILE` writes the nodes and the first 24 of them as `fixtures/recorded/rollouts-1.36.jsonl`.

mod changes;
mod watch;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::plane::{Needs, Plane, trial};
use crate::rollout::{self, list};
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
    let mut wrong = Vec::new();
    let mut table: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    let plane = Plane::start()?;
    let rows = play(&plane, &all)?;
    plane.stop();
    for (change, row) in all.iter().zip(&rows) {
        let lines = rollout::differences(row);
        for kind in change.kinds() {
            let (agree, number, stalls) = table.entry(kind).or_default();
            *agree += usize::from(lines.is_empty());
            *number += 1;
            let stalled = |real: &Value| real["kind"] == kind && real["fits"] == false;
            *stalls += usize::from(row["real"].as_array().into_iter().flatten().any(stalled));
        }
        wrong.extend(lines.iter().map(|line| format!("seed {} ({}): {line}", change.seed, change.what)));
    }
    if let Some(path) = std::env::var_os(RECORD) {
        record(Path::new(&path), rows)?;
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
        let (one, other) = (rollout::said(&folder, &live, &change.new)?, rollout::said(&folder, &live, &reversed)?);
        said.push(json!([one, other]));
    }
    watch.start_over();
    plane.apply(&list(changes.iter().flat_map(|change| change.new.clone()).collect()))?;
    watch.quiet(QUIET)?;
    while try_again(plane)? && watch.changes_within(QUIET)? {}
    let seen = watch.seen();
    let mut rows = Vec::new();
    for (change, said) in changes.iter().zip(said) {
        let workloads = change.new.iter().filter(|object| !object["spec"]["template"].is_null());
        let real: Result<Vec<Value>, Failed> = workloads.map(|object| real(plane, object, &seen)).collect();
        let (nodes, live) = parts(&live, &change.namespace);
        rows.push(json!({ "seed": change.seed, "what": change.what, "nodes": nodes, "live": live, "new": change.new,
            "said": said, "real": real? }));
    }
    Ok(rows)
}

/// Has ReplicaSets that were refused a pod try again now; whether there are any. By themselves they do too, each time
/// after twice as long, up to a quarter of an hour, though there has been room for long.
fn try_again(plane: &Plane) -> Result<bool, Failed> {
    let sets = plane.get(&["replicasets", "--all-namespaces"])?;
    let sets = sets["items"].as_array().cloned().unwrap_or_default();
    let is_refused = |set: &&Value| {
        let conditions = set["status"]["conditions"].as_array().into_iter().flatten();
        conditions.filter(|condition| condition["type"] == "ReplicaFailure").count() > 0
    };
    let refused: Vec<&Value> = sets.iter().filter(is_refused).collect();
    for set in &refused {
        let text = |key: &str| set["metadata"][key].as_str().unwrap_or_default().to_owned();
        let again = format!("kplan.dev/again={}", text("resourceVersion"));
        let set = [&format!("--namespace={}", text("namespace")), &format!("replicaset/{}", text("name")), &again];
        plane.kubectl(&[&["annotate", "--overwrite"], &set.map(String::as_str)[..]].concat());
    }
    Ok(!refused.is_empty())
}

/// Writes the nodes, which all rows share, and the first rows.
fn record(path: &Path, rows: Vec<Value>) -> Result<(), Failed> {
    const KEPT: usize = 24;
    let nodes = rows.first().map(|row| row["nodes"].clone());
    let mut text = format!("{}\n", json!({ "nodes": nodes }));
    for mut row in rows.into_iter().take(KEPT) {
        for key in ["nodes", "said"] {
            row.as_object_mut().unwrap().shift_remove(key);
        }
        text.push_str(&format!("{row}\n"));
    }
    Ok(std::fs::write(path, text)?)
}

/// The nodes of a snapshot, and what is in one namespace.
fn parts(live: &str, namespace: &str) -> (Vec<Value>, Vec<Value>) {
    let live: Value = serde_json::from_str(live).unwrap();
    let items = live["items"].as_array().cloned().unwrap_or_default();
    let (nodes, others): (Vec<Value>, Vec<Value>) = items.into_iter().partition(|item| item["kind"] == "Node");
    let is_its = |item: &&Value| {
        let skipped = ["ConfigMap", "EndpointSlice", "Event"].iter().any(|kind| item["kind"] == *kind);
        !skipped && item["metadata"]["namespace"] == namespace
    };
    let own = others.iter().filter(is_its).cloned().collect();
    (nodes, own)
}

/// What became of a workload.
fn real(plane: &Plane, object: &Value, seen: &BTreeMap<(String, String), Seen>) -> Result<Value, Failed> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (kind, name, namespace) = (text("/kind"), text("/metadata/name"), text("/metadata/namespace"));
    let live = plane.get(&[&kind, &name, "--namespace", &namespace])?;
    let mut seen = seen.get(&(namespace.clone(), name.clone())).cloned().unwrap_or_default();
    let failures = live["status"]["conditions"].as_array().into_iter().flatten();
    let failures = failures.filter(|condition| condition["type"] == "ReplicaFailure");
    seen.messages.extend(failures.filter_map(|failure| rollout::refusal(failure["message"].as_str()?)));
    Ok(json!({ "owner": format!("{kind}/{name}"), "namespace": namespace, "kind": kind, "fits": is_done(&live, &seen),
        "lowestReady": seen.lowest, "messages": seen.messages, "newWaits": seen.new_waits, "replaced": seen.replaced }))
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
