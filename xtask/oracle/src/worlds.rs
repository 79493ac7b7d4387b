//! Small worlds for admission: a namespace with its limits and quotas, and the objects that are made in it one after the
//! other. World `number` of `seed` is always the same.

use serde_json::{Map, Value, json};

use crate::random::Random;

/// Objects that a world makes.
pub(crate) const OBJECTS: usize = 8;

/// A namespace, what decides in it, and what is made in it, in order.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) namespace: Value,
    /// LimitRanges and ResourceQuotas.
    pub(crate) rules: Vec<Value>,
    pub(crate) objects: Vec<Value>,
}

/// What all worlds share. The default PriorityClass holds for half of them.
pub(crate) fn classes(with_default: bool) -> Vec<Value> {
    let priority = |name: &str, value: i64, default: bool, policy: &str| {
        json!({
            "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": { "name": name },
            "value": value, "globalDefault": default, "preemptionPolicy": policy
        })
    };
    let runtime = |name: &str, more: Value| {
        let mut class = json!({
            "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": { "name": name }, "handler": name
        });
        merge(&mut class, more);
        class
    };
    let storage = |name: &str, default: &str| {
        json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "csi.example.com",
            "metadata": {
                "name": name, "annotations": { "storageclass.kubernetes.io/is-default-class": default }
            }
        })
    };
    let tolerations = json!([
        { "key": "vm", "operator": "Exists" },
        { "key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 10 }
    ]);
    let mut all = vec![
        priority("adm-low", 100, false, "PreemptLowerPriority"),
        priority("adm-never", 500, false, "Never"),
        runtime("adm-heavy", json!({ "overhead": { "podFixed": { "cpu": "250m", "memory": "120Mi" } } })),
        runtime(
            "adm-pinned",
            json!({
                "scheduling": { "nodeSelector": { "vm": "yes", "zone": "a" }, "tolerations": tolerations }
            }),
        ),
        storage("adm-gold", "false"),
        storage("adm-standard", "true"),
    ];
    if with_default {
        all.push(priority("adm-default", 50, true, "Never"));
    }
    all
}

fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}

impl World {
    /// `stamp` keeps runs on one server apart.
    pub(crate) fn new(seed: u64, number: u64, stamp: u64) -> Self {
        let mut random = Random::new(seed, number);
        let namespace = format!("adm-{seed}-{number}-{stamp}");
        let mut rules = Vec::new();
        if random.percent(55) {
            rules.push(ruled("LimitRange", "limits", json!({ "limits": limits(&mut random) })));
        }
        if random.percent(75) {
            rules.extend(quotas(&mut random));
        }
        let mut objects: Vec<Value> = (0..OBJECTS).map(|index| object(&mut random, index)).collect();
        for object in rules.iter_mut().chain(&mut objects) {
            object["metadata"]["namespace"] = namespace.clone().into();
        }
        let mut namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
        if random.percent(15) {
            namespace["metadata"]["labels"] = json!({ "pod-security.kubernetes.io/enforce": "baseline" });
        }
        Self { namespace, rules, objects }
    }
}

fn ruled(kind: &str, name: &str, spec: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name }, "spec": spec })
}

const AMOUNTS: [(&str, &[&str]); 5] = [
    ("cpu", &["100m", "250m", "0.5", "1", "2", "1500m"]),
    ("memory", &["64Mi", "100M", "128Mi", "1Gi", "0.5Gi", "200000000"]),
    ("ephemeral-storage", &["100Mi", "1Gi", "2G"]),
    ("example.com/gpu", &["1", "2"]),
    ("hugepages-2Mi", &["2Mi", "4Mi", "8Mi"]),
];

fn amount(random: &mut Random, name: &str) -> Value {
    let amounts = AMOUNTS.iter().find(|(known, _)| *known == name).map_or(&["1", "5"][..], |(_, amounts)| amounts);
    json!(random.pick(amounts))
}

/// Some of the resources, the first ones more often.
fn some(random: &mut Random, chance: usize) -> Vec<&'static str> {
    let names = AMOUNTS.iter().enumerate();
    names.filter(|(index, _)| random.percent(chance / (index / 2 + 1))).map(|(_, (name, _))| *name).collect()
}

fn list(random: &mut Random, names: &[&str]) -> Value {
    names.iter().map(|name| ((*name).to_owned(), amount(random, name))).collect::<Map<_, _>>().into()
}

fn limits(random: &mut Random) -> Value {
    let mut limits = Vec::new();
    for kind in ["Container", "Pod", "PersistentVolumeClaim"] {
        if !random.percent(if kind == "Container" { 85 } else { 40 }) {
            continue;
        }
        let mut limit = json!({ "type": kind });
        if kind == "PersistentVolumeClaim" {
            limit["min"] = json!({ "storage": *random.pick(&["1Gi", "2Gi", "500M"]) });
            limit["max"] = json!({ "storage": *random.pick(&["5Gi", "10Gi"]) });
            limits.push(limit);
            continue;
        }
        let names: Vec<&str> = ["cpu", "memory"].into_iter().filter(|_| random.percent(70)).collect();
        let bound = |amounts: [&str; 2]| -> Value {
            let of = |name: &&str| json!(if *name == "cpu" { amounts[0] } else { amounts[1] });
            names.iter().map(|name| ((*name).to_owned(), of(name))).collect::<Map<_, _>>().into()
        };
        for (key, chance, amounts) in [
            ("min", 40, ["100m", "64Mi"]),
            ("defaultRequest", 50, ["200m", "100Mi"]),
            ("default", 60, ["400m", "200Mi"]),
            ("max", 50, ["1500m", "600M"]),
            ("maxLimitRequestRatio", 30, ["3", "2.5"]),
        ] {
            if random.percent(chance) && (kind == "Container" || !key.starts_with("default")) {
                limit[key] = bound(amounts);
            }
        }
        limits.push(limit);
    }
    if limits.is_empty() {
        limits.push(json!({ "type": "Container", "default": { "cpu": "1" } }));
    }
    limits.into()
}

/// One quota, or two of which one alone matches.
fn quotas(random: &mut Random) -> Vec<Value> {
    const COUNTS: [(&str, &[&str]); 22] = [
        ("pods", &["1", "2", "3"]),
        ("count/pods", &["2", "3"]),
        ("cpu", &["1", "2500m"]),
        ("requests.cpu", &["1", "2"]),
        ("limits.cpu", &["2", "3500m"]),
        ("memory", &["1Gi", "500M"]),
        ("requests.memory", &["300Mi", "2Gi"]),
        ("limits.memory", &["1Gi", "2Gi"]),
        ("requests.ephemeral-storage", &["1Gi", "3Gi"]),
        ("limits.ephemeral-storage", &["2Gi"]),
        ("requests.example.com/gpu", &["1", "3"]),
        ("hugepages-2Mi", &["4Mi", "10Mi"]),
        ("requests.hugepages-2Mi", &["6Mi"]),
        ("services", &["1", "2"]),
        ("services.nodeports", &["1", "3"]),
        ("services.loadbalancers", &["0", "1"]),
        ("persistentvolumeclaims", &["1", "2"]),
        ("requests.storage", &["5Gi", "12Gi"]),
        ("adm-gold.storageclass.storage.k8s.io/requests.storage", &["4Gi", "0"]),
        ("adm-standard.storageclass.storage.k8s.io/persistentvolumeclaims", &["0", "1"]),
        ("configmaps", &["1"]),
        ("count/deployments.apps", &["0", "1"]),
    ];
    const MORE: [(&str, &[&str]); 5] = [
        ("count/jobs.batch", &["0", "1"]),
        ("secrets", &["0", "1"]),
        ("replicationcontrollers", &["0", "1"]),
        ("count/secrets", &["1"]),
        ("count/serviceaccounts", &["0"]),
    ];
    let hard = |random: &mut Random, of_pods: bool| -> Value {
        let all = if of_pods { &COUNTS[..8] } else { &COUNTS[..] };
        let more = if of_pods { &[][..] } else { &MORE[..] };
        let mut hard = Map::new();
        for (name, amounts) in all.iter().chain(more) {
            if random.percent(22) {
                hard.insert((*name).to_owned(), json!(random.pick(amounts)));
            }
        }
        if hard.is_empty() {
            hard.insert("pods".to_owned(), json!("2"));
        }
        hard.into()
    };
    let scopes = match random.below(10) {
        0 => [json!({ "scopes": ["BestEffort"] }), json!({ "scopes": ["NotBestEffort"] })],
        1 => [json!({ "scopes": ["Terminating"] }), json!({ "scopes": ["NotTerminating"] })],
        2 => [selector("PriorityClass", "In"), selector("PriorityClass", "NotIn")],
        3 => [json!({ "scopes": ["CrossNamespacePodAffinity"] }), json!({ "scopes": ["PriorityClass"] })],
        4 => [selector("PriorityClass", "DoesNotExist"), json!({ "scopes": ["PriorityClass"] })],
        _ => return vec![ruled("ResourceQuota", "quota", json!({ "hard": hard(random, false) }))],
    };
    let is_best_effort = scopes[0]["scopes"][0] == "BestEffort";
    let alone = scopes[0]["scopes"][0] == "CrossNamespacePodAffinity";
    let scoped = scopes.into_iter().take(if alone { 1 } else { 2 }).enumerate();
    scoped
        .map(|(index, mut spec)| {
            // Of pods that ask for nothing only their number is counted.
            spec["hard"] = if is_best_effort && index == 0 { json!({ "pods": "1" }) } else { hard(random, true) };
            ruled("ResourceQuota", &format!("quota-{index}"), spec)
        })
        .collect()
}

fn selector(scope: &str, operator: &str) -> Value {
    let mut expression = json!({ "scopeName": scope, "operator": operator });
    if operator.ends_with("In") {
        expression["values"] = json!(["adm-low", "adm-default"]);
    }
    json!({ "scopeSelector": { "matchExpressions": [expression] } })
}

fn object(random: &mut Random, index: usize) -> Value {
    let name = format!("o{index}");
    let meta = json!({ "name": name });
    let template = json!({
        "metadata": { "labels": { "app": "a" } }, "spec": { "containers": [{ "name": "a", "image": "a" }] }
    });
    match random.below(24) {
        0..14 => json!({ "apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod(random) }),
        14..16 => json!({ "apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": service(random) }),
        16..19 => claim(random, &name),
        19 => json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": meta }),
        20 => json!({ "apiVersion": "v1", "kind": "Secret", "metadata": meta }),
        21 => json!({
            "apiVersion": "v1", "kind": "ReplicationController", "metadata": meta,
            "spec": { "replicas": 0, "selector": { "app": "a" }, "template": template }
        }),
        22 => json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta,
            "spec": { "replicas": 0, "selector": { "matchLabels": { "app": "a" } }, "template": template }
        }),
        _ => json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta }),
    }
}

fn service(random: &mut Random) -> Value {
    let numbers = 1..=1 + random.below(3);
    let ports: Vec<Value> = numbers.map(|port| json!({ "name": format!("p{port}"), "port": port })).collect();
    let mut spec = json!({ "ports": ports, "type": *random.pick(&["ClusterIP", "NodePort", "LoadBalancer"]) });
    if spec["type"] == "LoadBalancer" && random.percent(50) {
        spec["allocateLoadBalancerNodePorts"] = false.into();
    }
    spec
}

fn claim(random: &mut Random, name: &str) -> Value {
    let size = *random.pick(&["1Gi", "3Gi", "500M", "6Gi", "20Gi", "1500m"]);
    let mut claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": name },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": size } } }
    });
    match random.below(4) {
        0 => claim["spec"]["storageClassName"] = "adm-gold".into(),
        1 => claim["spec"]["storageClassName"] = "".into(),
        2 => claim["metadata"]["annotations"] = json!({ "volume.beta.kubernetes.io/storage-class": "adm-gold" }),
        _ => {}
    }
    claim
}

fn container(random: &mut Random, name: &str) -> Value {
    let mut container = json!({ "name": name, "image": "a" });
    for key in ["requests", "limits"] {
        let mut names = some(random, 45);
        // Requests that limits do not allow are mostly left out: they only show that validation comes first.
        if key == "requests" && random.percent(70) {
            names.retain(|name| !name.contains("gpu") && !name.contains("huge"));
        } else if random.percent(70) {
            names.retain(|name| container["resources"]["requests"].get(name).is_none());
        }
        if names.iter().any(|name| name.contains("huge")) && !names.contains(&"cpu") {
            names.retain(|name| !name.contains("huge"));
        }
        if !names.is_empty() {
            container["resources"][key] = list(random, &names);
        }
    }
    container
}

fn pod(random: &mut Random) -> Value {
    let many = 1 + random.below(3) / 2;
    let containers: Vec<Value> = (0..many).map(|index| container(random, &format!("c{index}"))).collect();
    let mut spec = json!({ "containers": containers });
    if random.percent(20) {
        let mut init = container(random, "init");
        if random.percent(40) {
            init["restartPolicy"] = "Always".into();
        }
        spec["initContainers"] = json!([init]);
    }
    if random.percent(8) {
        let names = some(random, 60);
        let names: Vec<&str> = names.into_iter().filter(|name| ["cpu", "memory"].contains(name)).collect();
        spec["resources"] = json!({ "requests": list(random, &names) });
    }
    if random.percent(25) {
        let names = ["adm-low", "adm-never", "adm-missing", "system-cluster-critical", "system-node-critical"];
        spec["priorityClassName"] = json!(random.pick(&names));
    }
    if random.percent(8) {
        spec["priority"] = json!(random.pick(&[0, 50, 100, 500]));
    }
    if random.percent(8) {
        spec["preemptionPolicy"] = json!(random.pick(&["Never", "PreemptLowerPriority"]));
    }
    if random.percent(20) {
        spec["runtimeClassName"] = json!(random.pick(&["adm-heavy", "adm-pinned", "adm-absent"]));
    }
    if random.percent(5) {
        spec["overhead"] = json!({ "cpu": *random.pick(&["250m", "0.25", "1"]), "memory": "120Mi" });
    }
    if random.percent(15) {
        spec["nodeSelector"] = json!({ *random.pick(&["vm", "disk"]): *random.pick(&["yes", "no"]) });
    }
    if random.percent(15) {
        spec["activeDeadlineSeconds"] = json!(random.pick(&[1, 100]));
    }
    if random.percent(25) {
        let count = 1 + random.below(2);
        spec["tolerations"] = (0..count).map(|_| toleration(random)).collect::<Vec<_>>().into();
    }
    if random.percent(10) {
        spec["hostPID"] = true.into();
    }
    if random.percent(8) {
        let term = json!({ "topologyKey": "zone", "namespaces": ["other"], "labelSelector": {} });
        spec["affinity"] = json!({
            "podAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [term] }
        });
    }
    spec
}

fn toleration(random: &mut Random) -> Value {
    let keys = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable", "vm", ""];
    let (key, effects) = (*random.pick(&keys), ["", "NoExecute", "NoSchedule"]);
    let mut toleration = json!({ "operator": "Exists" });
    if !key.is_empty() {
        toleration["key"] = key.into();
        if random.percent(30) {
            toleration["operator"] = "Equal".into();
            toleration["value"] = json!(random.pick(&["", "x"]));
        }
    }
    let effect = *random.pick(&effects);
    if !effect.is_empty() {
        toleration["effect"] = effect.into();
    }
    if effect == "NoExecute" && random.percent(50) {
        toleration["tolerationSeconds"] = json!(random.pick(&[5, 300]));
    }
    toleration
}
