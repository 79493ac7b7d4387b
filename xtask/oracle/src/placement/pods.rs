//! Random pods, each aimed at a plugin.

use serde_json::{Value, json};

use super::generate::{HOSTNAME, ZONE};
use crate::random::Random;

const KEYS: [&str; 4] = [HOSTNAME, ZONE, "disk", "gen"];

/// A pod without a name and without volumes.
pub(super) fn pod(random: &mut Random, aim: &str, nodes: usize) -> Value {
    let mut labels = json!({"app": random.pick(&["a", "a", "b", "c"])});
    if random.percent(30) {
        labels["v"] = (*random.pick(&["1", "2"])).into();
    }
    let namespace = if random.percent(15) { "other" } else { "default" };
    let mut spec = json!({"containers": containers(random, aim)});
    resources(random, aim, &mut spec);
    let mut uses = |aims: &[&str], often: usize, seldom: usize| {
        let chance = if aims.contains(&aim) {
            often
        } else if aim == "mixture" {
            seldom
        } else {
            3
        };
        random.percent(chance)
    };
    let taints = uses(&["NodeUnschedulable+TaintToleration"], 70, 20);
    let node_affinity = uses(&["NodeAffinity"], 90, 20);
    let by_name = aim == "NodeAffinity by name" && uses(&["NodeAffinity by name"], 80, 0);
    let spread = uses(&["PodTopologySpread"], 90, 25) || aim == "DefaultPreemption" && uses(&[aim], 15, 0);
    let pod_affinity = uses(&["InterPodAffinity"], 90, 25) || aim == "DefaultPreemption" && uses(&[aim], 15, 0);
    let priority = uses(&["DefaultPreemption"], 80, 30);
    let runs = uses(&["DefaultPreemption"], 35, 15) || random.percent(10);
    if taints {
        let count = 1 + random.below(2);
        spec["tolerations"] = (0..count).map(|_| toleration(random)).collect();
    }
    if node_affinity {
        with_node_affinity(random, &mut spec);
    }
    if by_name {
        pin(random, nodes, &mut spec);
    }
    if spread {
        spec["topologySpreadConstraints"] = spread_constraints(random).into();
    }
    if pod_affinity {
        with_pod_affinity(random, &mut spec);
    }
    if priority {
        spec["priorityClassName"] = (*random.pick(&["lo", "mid", "hi", "hi", "polite"])).into();
    }
    if random.percent(2) {
        spec["schedulingGates"] = json!([{"name": "example.com/wait"}]);
    }
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "", "namespace": namespace, "labels": labels}, "spec": spec});
    if runs && pod["spec"].get("schedulingGates").is_none() {
        pod["spec"]["nodeName"] = format!("n{}", random.below(nodes)).into();
        let started = format!("2026-01-{:02}T00:00:00Z", 1 + random.below(9));
        pod["status"] = json!({"phase": "Running", "startTime": started});
        if aim != "DefaultPreemption" && random.percent(15) {
            // When it began to go is the server's to say; only that it does counts.
            pod["metadata"]["deletionTimestamp"] = "2026-01-20T00:00:00Z".into();
        }
    }
    pod
}

fn containers(random: &mut Random, aim: &str) -> Vec<Value> {
    let count = 1 + usize::from(random.percent(25));
    let ports = match aim {
        "NodePorts" => 85,
        "mixture" => 15,
        _ => 2,
    };
    let one = |index: usize| {
        let mut container =
            json!({"name": format!("c{index}"), "image": random.pick(&["app:1", "big", "none:1", "tool:2"])});
        if random.percent(ports) {
            let mut port = json!({"containerPort": 80 + index, "hostPort": 8080 + index * 2 + random.below(2)});
            if random.percent(40) {
                port["protocol"] = (*random.pick(&["UDP", "SCTP"])).into();
            }
            if random.percent(40) {
                port["hostIP"] = (*random.pick(&["0.0.0.0", "10.0.0.1", "10.0.0.2"])).into();
            }
            container["ports"] = json!([port]);
        }
        container
    };
    (0..count).map(one).collect()
}

fn amounts(random: &mut Random, aim: &str) -> Value {
    let mut list = json!({});
    let fit = aim.starts_with("NodeResourcesFit");
    let cpu = ["100m", "250m", "0", "600m", "1", "1500m", "3", "0.1", "1e-1"];
    let memory = ["64Mi", "128Mi", "1Gi", "300M", "0", "3Gi", "1234567"];
    let cpu = match aim {
        "NodeResourcesFit" | "NodeResourcesFit pod-level" => &cpu[..],
        // Room for few.
        "DefaultPreemption" => &cpu[3..7],
        "mixture" => &cpu[..7],
        _ => &cpu[..5],
    };
    if random.percent(if aim == "DefaultPreemption" { 95 } else { 75 }) {
        list["cpu"] = (*random.pick(cpu)).into();
    }
    if random.percent(70) {
        list["memory"] = (*random.pick(&memory[..if fit { 7 } else { 4 }])).into();
    }
    if random.percent(if fit { 20 } else { 4 }) {
        list["ephemeral-storage"] = (*random.pick(&["500Mi", "2Gi", "20Gi"])).into();
    }
    list
}

fn resources(random: &mut Random, aim: &str, spec: &mut Value) {
    let fit = aim.starts_with("NodeResourcesFit");
    for container in spec["containers"].as_array_mut().into_iter().flatten() {
        container["resources"] = container_resources(random, aim);
    }
    if random.percent(if fit { 40 } else { 8 }) {
        let init = |random: &mut Random, index| {
            let mut init =
                json!({"name": format!("i{index}"), "image": "app:1", "resources": container_resources(random, aim)});
            if random.percent(40) {
                init["restartPolicy"] = "Always".into();
            }
            init
        };
        let count = 1 + random.below(3);
        spec["initContainers"] = (0..count).map(|index| init(random, index)).collect();
    }
    if aim == "NodeResourcesFit pod-level" && random.percent(70) {
        let which = *random.pick(&["requests", "limits"]);
        let mut level = json!({"cpu": random.pick(&["2", "2500m", "8"])});
        if random.percent(60) {
            level["memory"] = (*random.pick(&["2Gi", "5G"])).into();
        }
        // Requests of containers must not exceed those of the pod.
        for list in ["containers", "initContainers"] {
            for container in spec[list].as_array_mut().into_iter().flatten() {
                container["resources"] =
                    if random.percent(50) { json!({"requests": {"cpu": "100m", "memory": "64Mi"}}) } else { json!({}) };
            }
        }
        spec["resources"] = json!({ which: level });
    }
}

fn container_resources(random: &mut Random, aim: &str) -> Value {
    let mut out = json!({});
    let list = amounts(random, aim);
    match random.below(4) {
        0 => out["limits"] = list,
        1 => {
            out["requests"] = list.clone();
            out["limits"] = list;
        }
        _ => out["requests"] = list,
    }
    let fit = aim.starts_with("NodeResourcesFit") || aim == "mixture";
    if fit && random.percent(25) {
        let count = *random.pick(&["1", "2"]);
        out["limits"]["example.com/gpu"] = count.into();
        if out.get("requests").is_some() {
            out["requests"]["example.com/gpu"] = count.into();
        }
    }
    // Huge pages must come with cpu or memory.
    let has_others = |out: &Value| {
        ["cpu", "memory"].iter().any(|key| out["requests"].get(*key).or(out["limits"].get(*key)).is_some())
    };
    if fit && random.percent(10) && has_others(&out) {
        out["limits"]["hugepages-2Mi"] = (*random.pick(&["4Mi", "16Mi"])).into();
    }
    out
}

fn toleration(random: &mut Random) -> Value {
    let mut out = json!({});
    if random.percent(50) {
        out["operator"] = "Exists".into();
        if random.percent(75) {
            out["key"] = (*random.pick(&["dedicated", "gpu", "old", "node.kubernetes.io/unschedulable"])).into();
        }
    } else {
        out["key"] = (*random.pick(&["dedicated", "gpu", "old"])).into();
        if random.percent(70) {
            out["value"] = (*random.pick(&["a", "b"])).into();
        }
    }
    if random.percent(60) {
        out["effect"] = (*random.pick(&["NoSchedule", "NoExecute", "PreferNoSchedule"])).into();
        if out["effect"] == "NoExecute" && random.percent(40) {
            out["tolerationSeconds"] = 60.into();
        }
    }
    out
}

fn expression(random: &mut Random) -> Value {
    let key = *random.pick(&KEYS);
    let operator = *random.pick(&["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]);
    let values = ["a", "b", "ssd", "hdd", "n0", "n1", "2"];
    match operator {
        "Exists" | "DoesNotExist" => json!({"key": key, "operator": operator}),
        "Gt" | "Lt" => json!({"key": "gen", "operator": operator, "values": [random.pick(&["1", "2", "3"])]}),
        _ => json!({"key": key, "operator": operator, "values": [random.pick(&values), random.pick(&values)]}),
    }
}

fn node_term(random: &mut Random) -> Value {
    let mut term = json!({});
    if random.percent(85) {
        let count = 1 + usize::from(random.percent(30));
        term["matchExpressions"] = (0..count).map(|_| expression(random)).collect();
    }
    if random.percent(15) {
        let operator = *random.pick(&["In", "NotIn"]);
        term["matchFields"] =
            json!([{"key": "metadata.name", "operator": operator, "values": [format!("n{}", random.below(4))]}]);
    }
    term
}

fn with_node_affinity(random: &mut Random, spec: &mut Value) {
    if random.percent(30) {
        spec["nodeSelector"] = json!({"disk": random.pick(&["ssd", "hdd"])});
    }
    if random.percent(60) {
        let count = 1 + random.below(2);
        let terms: Vec<Value> = (0..count).map(|_| node_term(random)).collect();
        spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] =
            json!({"nodeSelectorTerms": terms});
    }
    if random.percent(60) {
        let term = |random: &mut Random| json!({"weight": 1 + random.below(100), "preference": node_term(random)});
        let count = 1 + random.below(3);
        spec["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] =
            (0..count).map(|_| term(random)).collect();
    }
}

/// As the pods of a DaemonSet are pinned.
fn pin(random: &mut Random, nodes: usize, spec: &mut Value) {
    let name = |random: &mut Random| format!("n{}", random.below(nodes + 1));
    let field = |random: &mut Random| json!({"key": "metadata.name", "operator": "In", "values": [name(random)]});
    let term = |random: &mut Random| {
        let mut term = json!({"matchFields": [field(random)]});
        if random.percent(25) {
            term["matchFields"] = json!([field(random), field(random)]);
        }
        if random.percent(25) {
            term["matchExpressions"] = json!([expression(random)]);
        }
        term
    };
    let count = 1 + random.below(2);
    let terms: Vec<Value> = (0..count).map(|_| term(random)).collect();
    spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] =
        json!({"nodeSelectorTerms": terms});
}

fn selector(random: &mut Random) -> Value {
    match random.below(8) {
        0 => json!({}),
        1 => json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["b", "c"]}]}),
        2 => json!({"matchExpressions": [{"key": "v", "operator": random.pick(&["Exists", "DoesNotExist"])}]}),
        3 => json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}),
        _ => json!({"matchLabels": {"app": random.pick(&["a", "a", "b", "c"])}}),
    }
}

fn spread_constraints(random: &mut Random) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    for _ in 0..=random.below(3) {
        let when = *random.pick(&["DoNotSchedule", "DoNotSchedule", "ScheduleAnyway"]);
        let mut one =
            json!({"maxSkew": 1 + random.below(3), "topologyKey": random.pick(&KEYS), "whenUnsatisfiable": when});
        if random.percent(92) {
            one["labelSelector"] = selector(random);
            if random.percent(20) {
                one["matchLabelKeys"] = json!(["v"]);
            }
        }
        if when == "DoNotSchedule" && random.percent(25) {
            one["minDomains"] = (1 + random.below(4)).into();
        }
        if random.percent(25) {
            one["nodeAffinityPolicy"] = (*random.pick(&["Honor", "Ignore"])).into();
        }
        if random.percent(25) {
            one["nodeTaintsPolicy"] = (*random.pick(&["Honor", "Ignore"])).into();
        }
        let same = |known: &&Value| {
            known["topologyKey"] == one["topologyKey"] && known["whenUnsatisfiable"] == one["whenUnsatisfiable"]
        };
        let uses_key = one["labelSelector"]["matchExpressions"][0]["key"] == "v" && one.get("matchLabelKeys").is_some();
        if !out.iter().any(|known| same(&known)) && !uses_key {
            out.push(one);
        }
    }
    out
}

fn pod_term(random: &mut Random) -> Value {
    let mut term = json!({"topologyKey": random.pick(&KEYS)});
    if random.percent(93) {
        term["labelSelector"] = selector(random);
        let of_v = term["labelSelector"]["matchExpressions"][0]["key"] == "v";
        if random.percent(20) && !of_v {
            term[*random.pick(&["matchLabelKeys", "mismatchLabelKeys"])] = json!(["v"]);
        }
    }
    match random.below(10) {
        0 => term["namespaces"] = json!(["other"]),
        1 => term["namespaceSelector"] = json!({}),
        2 => term["namespaceSelector"] = json!({"matchLabels": {"team": "x"}}),
        3 => {
            let operator = *random.pick(&["DoesNotExist", "Exists"]);
            term["namespaceSelector"] = json!({"matchExpressions": [{"key": "team", "operator": operator}]});
        }
        _ => {}
    }
    term
}

fn with_pod_affinity(random: &mut Random, spec: &mut Value) {
    for kind in ["podAffinity", "podAntiAffinity"] {
        if random.percent(40) {
            let count = 1 + usize::from(random.percent(25));
            spec["affinity"][kind]["requiredDuringSchedulingIgnoredDuringExecution"] =
                (0..count).map(|_| pod_term(random)).collect();
        }
        if random.percent(40) {
            let count = 1 + usize::from(random.percent(25));
            let term =
                |random: &mut Random| json!({"weight": 1 + random.below(100), "podAffinityTerm": pod_term(random)});
            spec["affinity"][kind]["preferredDuringSchedulingIgnoredDuringExecution"] =
                (0..count).map(|_| term(random)).collect();
        }
    }
}
