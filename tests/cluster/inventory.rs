//! What the cluster holds: as nodes and surroundings of `simulate` and `check`, and as a snapshot.

use std::path::PathBuf;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::plane::{Needs, Node, Plane, Pool, trial};
use crate::support;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("inventory::running_pods_hold_their_room", Needs::Own, running_pods),
        trial("inventory::references_lead_to_the_cluster", Needs::Own, references),
        trial("inventory::snapshot", Needs::Own, snapshot),
        trial("inventory::snapshot_of_a_reader", Needs::Own, reader),
    ]
}

fn set(name: &str, manifests: &[Value]) -> PathBuf {
    let folder = support::folder(&format!("inventory-{name}"));
    let texts: Vec<String> = manifests.iter().map(|manifest| format!("{manifest}\n")).collect();
    std::fs::write(folder.join("set.yaml"), texts.join("---\n")).unwrap();
    folder
}

fn workload(kind: &str, name: &str, pool: &Pool<'_>, cpu: &str) -> Value {
    let mut spec = pool.placement();
    spec["containers"] = json!([{"name": "main", "image": "web:1.0", "resources": {"requests": {"cpu": cpu}}}]);
    let mut object = json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": {
        "selector": {"matchLabels": {"name": name}},
        "template": {"metadata": {"labels": {"name": name}}, "spec": spec}}});
    if kind == "Deployment" {
        object["spec"]["replicas"] = json!(2);
    }
    object
}

/// Two nodes of one cpu, with a DaemonSet of 300m and a Deployment of 2 × 400m on them: 300m are free on each.
fn running_pods(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("room")?;
    let node = |name| Node { name, cpu: "1", memory: "4Gi", ..Node::default() };
    let pool = plane.nodes(&[node("a"), node("b")])?;
    namespace.apply(&format!(
        "{}\n---\n{}",
        workload("DaemonSet", "agent", &pool, "300m"),
        workload("Deployment", "old", &pool, "400m")
    ))?;
    for what in ["daemonset/agent", "deployment/old"] {
        let run = namespace.kubectl(&["rollout", "status", what, "--timeout=60s"]);
        if run.code != Some(0) {
            return Err(run.shown().into());
        }
    }
    for (cpu, fits) in [("300m", true), ("310m", false)] {
        let folder = set("room", &[workload("Deployment", "new", &pool, cpu)]);
        let all = [".", "-n", &namespace.name, "--context", "kplan-test", "--output", "json"];
        let run = plane.kplan(&folder, &[&["simulate"], &all[..]].concat());
        let report = run.report()?;
        let pods = report["placement"]["pods"].as_array().cloned().unwrap_or_default();
        let pending: Vec<&Value> = pods.iter().filter(|pod| pod["verdict"] == "pending").collect();
        if (pending.is_empty(), run.code) != (fits, Some(i32::from(!fits))) {
            return Err(format!("{cpu}: {}", run.shown()).into());
        }
        namespace.apply(&workload("Deployment", "new", &pool, cpu).to_string())?;
        if !fits {
            let sentence = || {
                let live = namespace.get(&["pods", "-l", "name=new"]).unwrap_or_default();
                let texts = live["items"].as_array().into_iter().flatten().flat_map(|pod| {
                    pod["status"]["conditions"].as_array().into_iter().flatten().map(|one| one["message"].clone())
                });
                texts.into_iter().any(|text| pending.iter().any(|pod| pod["message"] == text))
            };
            plane.wait("the scheduler says the same", std::time::Duration::from_secs(20), sentence)?;
        }
        namespace.kubectl(&["delete", "deployment", "new", "--cascade=foreground"]);
    }
    Ok(())
}

fn references(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("references")?;
    namespace.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: there}\ndata: {a: b}\n")?;
    namespace.apply("apiVersion: v1\nkind: Secret\nmetadata: {name: key}\nstringData: {token: open-sesame-1}\n")?;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "main",
        "image": "web:1.0", "envFrom": [{"configMapRef": {"name": "there"}}, {"configMapRef": {"name": "gone"}}],
        "env": [{"name": "T", "valueFrom": {"secretKeyRef": {"name": "key", "key": "token"}}},
                {"name": "U", "valueFrom": {"secretKeyRef": {"name": "key", "key": "other"}}}]}]}});
    let folder = set("references", &[pod]);
    let run =
        plane.kplan(&folder, &["check", ".", "-n", &namespace.name, "--context", "kplan-test", "--output", "json"]);
    let report = run.report()?;
    let found: Vec<&str> = report["findings"].as_array().unwrap().iter().filter_map(|f| f["rule"].as_str()).collect();
    if found == ["configmap-missing", "secret-key-missing"] && !run.stdout.contains("open-sesame-1") {
        return Ok(());
    }
    Err(run.shown().into())
}

fn snapshot(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("snapshot")?;
    namespace.apply("apiVersion: v1\nkind: Secret\nmetadata: {name: key}\nstringData: {token: open-sesame-2}\n")?;
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": namespace.name}, "data": {"a": "b"}});
    namespace.apply(&config.to_string())?;
    let folder = set("snapshot", &[config]);
    let run = plane.kplan(&folder, &["snapshot", "--output", "cluster.json", "--context", "kplan-test"]);
    let text = std::fs::read_to_string(folder.join("cluster.json"))?;
    if run.code != Some(0)
        || text.contains("open-sesame-2")
        || text.contains("b3Blbi1zZXNhbWUtMg")
        || text.contains("managedFields")
    {
        return Err(run.shown().into());
    }
    // kubectl reads it, too.
    let valid = plane.kubectl(&[
        "get",
        "--filename",
        folder.join("cluster.json").to_str().unwrap(),
        "--ignore-not-found",
        "--output=name",
    ]);
    if valid.code != Some(0) || !valid.stdout.contains("configmap/c") {
        return Err(valid.shown().into());
    }
    let offline = support::kplan(
        &folder,
        &["plan", "set.yaml", "--base", "snapshot:cluster.json", "--snapshot", "cluster.json", "--output", "json"],
    );
    let report = offline.report()?;
    let nodes = report["placement"]["nodes"].as_array().map_or(0, Vec::len);
    if report["changes"][0]["action"] == "unchanged" && nodes >= 3 { Ok(()) } else { Err(offline.shown().into()) }
}

fn reader(plane: &Plane) -> Result<(), Failed> {
    let folder = set("reader", &[]);
    let run = plane.kplan(&folder, &["snapshot", "--output", "cluster.json", "--context", &plane.context("reader")]);
    let text = std::fs::read_to_string(folder.join("cluster.json"))?;
    let json: Value = serde_json::from_str(&text)?;
    let unread = json["metadata"]["annotations"]["kplan.dev/unread"].as_str().unwrap_or_default();
    let named = unread.contains("Secret") && run.stderr.contains("cannot read any Secret");
    if run.code == Some(0) && named { Ok(()) } else { Err(run.shown().into()) }
}
