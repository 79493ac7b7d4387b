//! Pods that a taint of effect NoExecute drives off, held against what the taint-eviction-controller, the other controllers
//! and the scheduler then do.

use std::collections::BTreeMap;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::apply::{contains, expect, set};
use crate::plane::{Namespace, Needs, Node, Plane, Pool, trial};

pub fn trials() -> Vec<Trial> {
    vec![trial("evictions::by_taints", Needs::Own, by_taints)]
}

/// Pods by node (without the pool's name, empty where there is none) and by what made them.
type Places = BTreeMap<(String, String), usize>;

/// A pod of these nodes that tolerates taint `down`: not at all, for some seconds, or for ever.
fn pod(pool: &Pool<'_>, cpu: &str, down: Option<Value>) -> Value {
    let mut spec = pool.placement();
    spec["containers"] = json!([{"name": "main", "image": "web:1.0", "resources": {"requests": {"cpu": cpu}}}]);
    if let Some(seconds) = down {
        let mut toleration = json!({"key": "down", "operator": "Exists", "effect": "NoExecute"});
        if !seconds.is_null() {
            toleration["tolerationSeconds"] = seconds;
        }
        spec["tolerations"].as_array_mut().unwrap().push(toleration);
    }
    spec
}

fn workload(kind: &str, name: &str, replicas: u64, spec: &Value) -> Value {
    let template = json!({"metadata": {"labels": {"app": name}}, "spec": spec});
    let mut object = json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template}});
    if kind == "Deployment" {
        object["spec"]["replicas"] = json!(replicas);
    }
    object
}

fn made_by(pod: &str) -> String {
    pod.split('-').next().unwrap_or_default().to_owned()
}

/// Where the pods really are.
fn places(namespace: &Namespace<'_>, pool: &Pool<'_>) -> Result<Places, Failed> {
    let pods = namespace.get(&["pods"])?;
    let mut out = Places::new();
    let alive = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
    for pod in pods["items"].as_array().into_iter().flatten().filter(alive) {
        let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
        let node = node.strip_prefix(&format!("{}-", pool.name)).unwrap_or(node).to_owned();
        *out.entry((node, made_by(pod["metadata"]["name"].as_str().unwrap_or_default()))).or_default() += 1;
    }
    Ok(out)
}

/// Where kplan puts pods that have a node.
fn placed(report: &Value, namespace: &Namespace<'_>, pool: &Pool<'_>) -> Places {
    let mut out = Places::new();
    for node in report["placement"]["nodes"].as_array().into_iter().flatten() {
        let Some(name) = node["name"].as_str().and_then(|name| name.strip_prefix(&format!("{}-", pool.name))) else {
            continue;
        };
        let pods = node["pods"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for pod in pods.filter_map(|pod| pod.strip_prefix(&format!("{}/", namespace.name))) {
            *out.entry((name.to_owned(), made_by(pod))).or_default() += 1;
        }
    }
    out
}

fn by_taints(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("evictions")?;
    let node = |name, cpu| Node { name, cpu, memory: "4Gi", ..Node::default() };
    let pool = plane.nodes(&[node("a", "2"), node("b", "500m")])?;
    let (a, b) = (format!("{}-a", pool.name), format!("{}-b", pool.name));
    plane.kubectl(&["cordon", &b]);
    let workloads = [
        workload("DaemonSet", "agent", 0, &pod(&pool, "100m", None)),
        workload("Deployment", "goes", 2, &pod(&pool, "300m", None)),
        workload("Deployment", "late", 1, &pod(&pool, "200m", Some(json!(10)))),
        workload("Deployment", "bears", 1, &pod(&pool, "100m", Some(Value::Null))),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "naked"}, "spec": pod(&pool, "50m", None)}),
    ];
    let texts: Vec<String> = workloads.iter().map(Value::to_string).collect();
    namespace.apply(&texts.join("\n---\n"))?;
    let before = [
        ("a", "agent", 1),
        ("a", "bears", 1),
        ("a", "goes", 2),
        ("a", "late", 1),
        ("a", "naked", 1),
        ("b", "agent", 1),
    ];
    let before: Places = before.map(|(node, name, count)| ((node.to_owned(), name.to_owned()), count)).into();
    let there = || places(&namespace, &pool).is_ok_and(|now| now == before);
    plane.wait("all pods are on their nodes", Duration::from_secs(30), there)?;
    plane.kubectl(&["uncordon", &b]);
    let live = plane.get(&["node", &a])?;
    let mut taints = live["spec"]["taints"].as_array().cloned().unwrap_or_default();
    taints.extend(["NoExecute", "NoSchedule"].map(|effect| json!({"key": "down", "value": "yes", "effect": effect})));
    let down = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": a, "labels": live["metadata"]["labels"]},
        "spec": {"taints": taints}});
    let new = workload("Deployment", "new", 1, &pod(&pool, "100m", None));
    let folder = set("evictions", &[down.clone(), new.clone()]);
    let all = ["simulate", ".", "-n", &namespace.name, "--context", "kplan-test"];
    let report = plane.kplan(&folder, &[&all[..], &["--output", "json"]].concat()).report()?;
    let told = plane.kplan(&folder, &all).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    // The node-lifecycle-controller has written taints before.
    let forced = ["apply", "--server-side", "--force-conflicts", "--filename=-"];
    let run = plane.kubectl_stdin(&forced, &down.to_string());
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
    namespace.apply(&new.to_string())?;
    // Whoever tolerates the taint for a time is still there.
    let said = placed(&report, &namespace, &pool);
    let mut expected = said.clone();
    expected.insert((String::new(), "goes".to_owned()), 1);
    let settled = || places(&namespace, &pool).is_ok_and(|now| now == expected);
    plane
        .wait(&format!("as kplan says: {expected:?}"), Duration::from_secs(9), settled)
        .map_err(|error| Failed::from(format!("{error:?}; now {:?}", places(&namespace, &pool))))?;
    contains(&told, &format!("EVICTED {a}: 4 pods at once for its taints, 1 pod Pending ({}/goes-", namespace.name))?;
    contains(&told, &format!("EVICTED {a}: 1 pod after 10 s for its taints, 1 pod Pending ({}/late-", namespace.name))?;
    expected.remove(&("a".to_owned(), "late".to_owned()));
    expected.insert((String::new(), "late".to_owned()), 1);
    let settled = || places(&namespace, &pool).is_ok_and(|now| now == expected);
    plane.wait("the last one goes after its time", Duration::from_secs(20), settled)?;
    expect(&json!(expected.get(&("a".to_owned(), "bears".to_owned()))), json!(1))
}
