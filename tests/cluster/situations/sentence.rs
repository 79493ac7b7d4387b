//! What `simulate` says of the pods on a live cluster, and what the scheduler does there.
//!
//! On a plane of its own whose only nodes are those of the case, so that the counts of the sentence are the case's too;
//! one case after the other.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::set::{self, Set};
use super::{Case, Done, cycle, verdict_of};
use crate::api::{Api, collection};
use crate::plane::Plane;
use crate::support::{self, kplan};

static OWN: Mutex<Option<Plane>> = Mutex::new(None);

/// Pods by owner: how many are scheduled, and the sentences of the others.
type Placed = BTreeMap<String, (usize, Vec<String>)>;

/// What makes pods, and what they hold.
const MAKERS: [(&str, &str); 6] = [
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "StatefulSet"),
    ("batch/v1", "Job"),
    ("v1", "PersistentVolumeClaim"),
];

/// Ends the plane.
pub(super) fn stop() {
    OWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
}

pub(super) fn run(_: &Plane, case: &Case) -> super::Answer {
    let mut own = OWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if own.is_none() {
        *own = Some(Plane::start()?);
    }
    let plane = own.as_ref().ok_or("no plane")?;
    let part = case.wanted();
    let set = Set::new(plane, &case.id, &[(part, set::files(case, part))])?;
    if cycle::errors(&set, part)?.iter().any(cycle::rejects) {
        return Ok(Done::Refused);
    }
    clear(&set.api)?;
    for node in nodes(case)? {
        make_node(&set.api, &node)?;
    }
    let simulate = ["simulate", part, "--context", "kplan-test", "--output", "json"];
    let live = of_report(&set.kplan(&simulate).report()?);
    let nodes = case.folder.join("nodes.yaml").display().to_string();
    let offline = kplan(&set.folder, &["simulate", part, "--nodes", &nodes, "--output", "json"]);
    let mut wrong = differences("with --nodes", &of_report(&offline.report()?), &live);
    make(&set, part)?;
    let real = settle(&set, &live)?;
    wrong.extend(differences("the scheduler", &real, &live));
    clear(&set.api)?;
    verdict_of(wrong, Done::Works)
}

fn differences(what: &str, expected: &Placed, found: &Placed) -> Vec<String> {
    let shown = |placed: &Placed| -> Vec<String> {
        let line = |(owner, (scheduled, sentences)): (&String, &(usize, Vec<String>))| {
            std::iter::once(format!("{owner}: {scheduled} scheduled"))
                .chain(sentences.iter().map(|sentence| format!("{owner}: {sentence}")))
                .collect::<Vec<_>>()
        };
        placed.iter().flat_map(line).collect()
    };
    let lines = support::difference(&shown(expected), &shown(found));
    lines.into_iter().map(|line| format!("{what}: {line}")).collect()
}

/// What a report says of the pods; `settled` is what comes of them after preemption.
fn of_report(report: &Value) -> Placed {
    let mut placed = Placed::new();
    for pod in report["placement"]["pods"].as_array().into_iter().flatten() {
        let owner = pod["owner"].as_str().or(pod["name"].as_str()).unwrap_or_default();
        let entry = placed.entry(owner.to_owned()).or_default();
        match pod["verdict"].as_str() {
            Some("scheduled") => entry.0 += 1,
            _ => entry.1.push(pod["message"].as_str().unwrap_or_default().to_owned()),
        }
    }
    placed.values_mut().for_each(|(_, sentences)| sentences.sort());
    placed
}

/// Removes all pods and what makes them, then all nodes.
fn clear(api: &Api) -> Result<(), Failed> {
    let start = Instant::now();
    loop {
        let mut left = 0;
        let kinds = MAKERS.iter().map(|(version, kind)| collection(version, kind, None));
        for path in kinds.chain(["/api/v1/pods".to_owned()]) {
            for item in api.items(&path)? {
                let text = |key: &str| item["metadata"][key].as_str().unwrap_or_default().to_owned();
                let (root, plural) = path.rsplit_once('/').unwrap_or_default();
                let namespaced = format!("{root}/namespaces/{}/{plural}", text("namespace"));
                api.delete(&format!("{namespaced}/{}?gracePeriodSeconds=0", text("name")))?;
                left += 1;
            }
        }
        if left == 0 {
            break;
        }
        if start.elapsed() > Duration::from_secs(20) {
            return Err(format!("{left} objects do not go away").into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    for kind in ["Node", "PersistentVolume"] {
        api.delete(&format!("{}?gracePeriodSeconds=0", collection("v1", kind, None)))?;
    }
    Ok(())
}

/// The Node objects of `nodes.yaml`.
fn nodes(case: &Case) -> Result<Vec<Value>, Failed> {
    let text = std::fs::read_to_string(case.folder.join("nodes.yaml"))?;
    let mut nodes = Vec::new();
    for document in serde_yaml::Deserializer::from_str(&text) {
        let document = Value::deserialize(document)?;
        match document["nodes"].as_array().or(document["items"].as_array()) {
            Some(list) => nodes.extend(list.iter().map(node)),
            None => nodes.push(node(&document)),
        }
    }
    Ok(nodes)
}

/// A node of the short form of kplan.yaml as an object.
fn node(short: &Value) -> Value {
    if short["kind"] == "Node" {
        return short.clone();
    }
    let mut labels = short["labels"].as_object().cloned().unwrap_or_default();
    labels.insert("kubernetes.io/hostname".to_owned(), short["name"].clone());
    let taints = short["taints"].as_array().into_iter().flatten().filter_map(Value::as_str).map(|taint| {
        let (key, effect) = taint.split_once(':').unwrap_or((taint, ""));
        let (key, value) = key.split_once('=').unwrap_or((key, ""));
        json!({ "key": key, "value": value, "effect": effect })
    });
    let text = |key: &str| match &short[key] {
        Value::Null => "110".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let room = json!({ "cpu": text("cpu"), "memory": text("memory"), "pods": text("pods") });
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": short["name"], "labels": labels },
        "spec": { "taints": taints.collect::<Vec<_>>() },
        "status": { "capacity": room, "allocatable": room },
    })
}

/// Makes a node and waits until only its own taints are left.
fn make_node(api: &Api, node: &Value) -> Result<(), Failed> {
    let path = format!("/api/v1/nodes/{}", node["metadata"]["name"].as_str().unwrap_or_default());
    let mut made = api.post("/api/v1/nodes", node)?;
    // The one of the last case may be about to go.
    for _ in 0..100 {
        if made.status != 409 {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
        made = api.post("/api/v1/nodes", node)?;
    }
    made.ok()?;
    let start = Instant::now();
    loop {
        let live = api.get(&path)?.ok()?;
        let taints = live["spec"]["taints"].as_array().into_iter().flatten();
        let of_server = taints
            .filter(|taint| taint["key"].as_str().is_some_and(|key| key.starts_with("node.kubernetes.io/not-ready")));
        let ready = live["status"]["conditions"].as_array().into_iter().flatten();
        if of_server.count() == 0
            && ready.clone().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
        {
            return Ok(());
        }
        if start.elapsed() > Duration::from_secs(20) {
            return Err(format!("{path} is not ready: {live}").into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Makes the objects one after the other, each after the pods of the one before.
fn make(set: &Set<'_>, part: &str) -> Result<(), Failed> {
    let shown =
        kplan(&set.folder, &["show", part, "--output", "json", "--namespace", &set.namespace, "--show-secrets"]);
    let list: Value = serde_json::from_str(&shown.stdout)?;
    let mut items: Vec<&Value> = list["items"].as_array().into_iter().flatten().collect();
    items.sort_by_key(|item| item["kind"] != "Namespace");
    for item in items {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (version, kind) = (text(&item["apiVersion"]), text(&item["kind"]));
        let namespace = (!["Namespace", "PersistentVolume"].contains(&kind.as_str())).then_some(set.namespace.as_str());
        let made = set.api.post(&collection(&version, &kind, namespace), item)?.ok()?;
        let phase = match kind.as_str() {
            "PersistentVolume" => "Available",
            "PersistentVolumeClaim" => "Bound",
            _ => "",
        };
        // Who comes first has the volume; there may be none.
        let path = format!("{}/{}", collection(&version, &kind, namespace), text(&made["metadata"]["name"]));
        let start = Instant::now();
        let is_so = || set.api.get(&path).is_ok_and(|object| object.json["status"]["phase"] == phase);
        while !phase.is_empty() && !is_so() && start.elapsed() < Duration::from_secs(3) {
            std::thread::sleep(Duration::from_millis(100));
        }
        let Some(replicas) =
            item["spec"]["template"].is_object().then(|| item["spec"]["replicas"].as_u64().unwrap_or(1))
        else {
            continue;
        };
        let before = set.api.pods(&set.namespace)?.len();
        let start = Instant::now();
        let wanted = if kind == "DaemonSet" { 0 } else { before + usize::try_from(replicas)? };
        let all_there =
            || set.api.pods(&set.namespace).is_ok_and(|pods| pods.len() >= wanted && pods.iter().all(is_decided));
        while !all_there() && start.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(())
}

fn is_decided(pod: &Value) -> bool {
    pod["status"]["conditions"].as_array().into_iter().flatten().any(|condition| condition["type"] == "PodScheduled")
}

/// Waits until the pods are as they are expected to be; gives how they are in the end.
fn settle(set: &Set<'_>, expected: &Placed) -> Result<Placed, Failed> {
    let start = Instant::now();
    loop {
        let real = real(set)?;
        if real == *expected || start.elapsed() > Duration::from_secs(5) {
            return Ok(real);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn real(set: &Set<'_>) -> Result<Placed, Failed> {
    let mut placed = Placed::new();
    for pod in set.api.pods(&set.namespace)? {
        if pod["metadata"]["deletionTimestamp"].is_string() {
            continue;
        }
        let entry = placed.entry(owner(set, &pod)?).or_default();
        let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        let scheduled = conditions.clone().find(|condition| condition["type"] == "PodScheduled");
        match scheduled {
            Some(condition) if condition["status"] == "False" => {
                entry.1.push(condition["message"].as_str().unwrap_or_default().to_owned());
            }
            _ if pod["spec"]["nodeName"].is_string() => entry.0 += 1,
            _ => entry.1.push("not decided".to_owned()),
        }
    }
    placed.values_mut().for_each(|(_, sentences)| sentences.sort());
    Ok(placed)
}

/// `Kind/name` of the workload that a pod comes from; the pod's name where there is none.
fn owner(set: &Set<'_>, pod: &Value) -> Result<String, Failed> {
    let of = |object: &Value| {
        let owner = object["metadata"]["ownerReferences"].get(0)?;
        Some((owner["kind"].as_str()?.to_owned(), owner["name"].as_str()?.to_owned()))
    };
    let Some((kind, name)) = of(pod) else {
        return Ok(pod["metadata"]["name"].as_str().unwrap_or_default().to_owned());
    };
    if kind == "ReplicaSet" {
        let set = set.api.get(&format!("{}/{name}", collection("apps/v1", "ReplicaSet", Some(&set.namespace))))?;
        if let Some((kind, name)) = of(&set.json) {
            return Ok(format!("{kind}/{name}"));
        }
    }
    Ok(format!("{kind}/{name}"))
}
