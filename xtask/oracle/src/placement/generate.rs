//! Random clusters and pods: case `number` of a seed is always the same.

use serde_json::{Map, Value, json};

use super::pods;
use super::volumes;
use crate::random::Random;

/// What a case is aimed at: a plugin, or several together.
pub(super) const AIMS: [&str; 17] = [
    "NodeUnschedulable+TaintToleration",
    "NodeAffinity",
    "NodeAffinity by name",
    "NodePorts",
    "NodeResourcesFit",
    "NodeResourcesFit pod-level",
    "VolumeRestrictions",
    "NodeVolumeLimits",
    "VolumeBinding",
    "VolumeBinding capacity",
    "VolumeZone",
    "PodTopologySpread",
    "PodTopologySpread default",
    "InterPodAffinity",
    "ImageLocality",
    "DefaultPreemption",
    "mixture",
];

pub(super) const ZONE: &str = "topology.kubernetes.io/zone";
pub(super) const HOSTNAME: &str = "kubernetes.io/hostname";

/// A cluster and the pods that come to it one after the other.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) aim: &'static str,
    pub(super) nodes: Vec<Value>,
    pub(super) objects: Vec<Value>,
    pub(super) pods: Vec<Value>,
}

/// What every cluster has; created once.
pub(super) fn common() -> Vec<Value> {
    let class = |name: &str, value: i64| json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value});
    let mut polite = class("polite", 2000);
    polite["preemptionPolicy"] = "Never".into();
    let namespace = |name: &str, labels: Value| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
    vec![
        namespace("default", json!({})),
        namespace("other", json!({"team": "x"})),
        class("lo", 10),
        class("mid", 500),
        class("hi", 1000),
        polite,
    ]
}

/// The case of that number; the pods of a case of another aim than asked for are never looked at.
/// Pods are given to these schedulers at random, where there are any.
pub(super) fn case(seed: u64, number: u64, only: Option<&str>, schedulers: &[String]) -> Case {
    let mut random = Random::new(seed ^ 0x706c_6163, number);
    let wanted: Vec<&'static str> = AIMS.into_iter().filter(|aim| only.is_none_or(|only| *aim == only)).collect();
    // What involves the most of the scheduler is asked most often.
    let aim = match random.below(if only.is_none() { 8 } else { 1 }) {
        6 => "DefaultPreemption",
        7 => "mixture",
        _ => *random.pick(if wanted.is_empty() { &AIMS[..] } else { &wanted[..] }),
    };
    let name = format!("{aim} {seed}/{number}");
    let count = match aim {
        "mixture" => 1 + random.below(12),
        "DefaultPreemption" => 1 + random.below(4),
        _ => 1 + random.below(7),
    };
    let most = if aim == "DefaultPreemption" { 8 + random.below(12) } else { 5 + random.below(9) };
    let nodes: Vec<Value> = (0..count).map(|index| node(&mut random, aim, index)).collect();
    let prefix = format!("s{number}");
    let mut objects = volumes::objects(&mut random, aim, &prefix, count);
    objects.extend(services_and_budgets(&mut random, aim));
    let pods = (0..most).map(|index| {
        let mut pod = pods::pod(&mut random, aim, count);
        pod["metadata"]["name"] = format!("{prefix}-{index}").into();
        volumes::mount(&mut random, aim, &objects, &mut pod);
        if aim == "ImageLocality" && random.percent(25) {
            let reference = *random.pick(&["app:1", "big", "tool:2"]);
            let more = json!({"name": "image", "image": {"reference": reference}});
            let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten().cloned();
            pod["spec"]["volumes"] = volumes.chain([more]).collect();
        }
        if !schedulers.is_empty() && pod["spec"]["nodeName"].is_null() {
            pod["spec"]["schedulerName"] = random.pick(schedulers).as_str().into();
        }
        pod
    });
    let pods = pods.collect();
    Case { name, aim, nodes, objects, pods }
}

fn node(random: &mut Random, aim: &str, index: usize) -> Value {
    let name = format!("n{index}");
    let mixture = aim == "mixture";
    let mut labels = Map::new();
    labels.insert(HOSTNAME.to_owned(), name.clone().into());
    for (key, values, chance) in
        [(ZONE, &["a", "b", "c"][..], 85), ("disk", &["ssd", "hdd"][..], 60), ("gen", &["1", "2", "4", "x"][..], 50)]
    {
        if random.percent(chance) {
            labels.insert(key.to_owned(), (*random.pick(values)).into());
        }
    }
    if random.percent(30) {
        labels.insert("topology.kubernetes.io/region".to_owned(), (*random.pick(&["r", "s"])).into());
    }
    if random.percent(4) {
        labels.shift_remove(HOSTNAME);
    }
    let mut amounts = Map::new();
    for (key, values, chance) in [
        ("cpu", &["500m", "1", "2", "4", "3920m"][..], 97),
        ("memory", &["1Gi", "2Gi", "4Gi", "3333333333", "1G"][..], 97),
        ("pods", &["110", "110", "110", "3", "2", "0"][..], 97),
        ("ephemeral-storage", &["10Gi", "1Gi"][..], 60),
        ("example.com/gpu", &["2", "1", "0"][..], 40),
        ("hugepages-2Mi", &["64Mi", "8Mi"][..], 30),
    ] {
        if random.percent(chance) {
            amounts.insert(key.to_owned(), (*random.pick(values)).into());
        }
    }
    let mut spec = Map::new();
    if random.percent(if aim.contains("Taint") || mixture { 15 } else { 3 }) {
        spec.insert("unschedulable".to_owned(), true.into());
    }
    let tainted = if aim.contains("Taint") {
        70
    } else if mixture {
        25
    } else {
        5
    };
    if random.percent(tainted) {
        let taint = |random: &mut Random| {
            let mut taint = json!({"key": random.pick(&["dedicated", "gpu", "old"]), "effect": random.pick(&["NoSchedule", "NoExecute", "PreferNoSchedule"])});
            if random.percent(60) {
                taint["value"] = (*random.pick(&["a", "b"])).into();
            }
            taint
        };
        let mut taints: Vec<Value> = Vec::new();
        for _ in 0..=random.below(2) {
            let new = taint(random);
            if !taints.iter().any(|old| old["key"] == new["key"] && old["effect"] == new["effect"]) {
                taints.push(new);
            }
        }
        spec.insert("taints".to_owned(), taints.into());
    }
    let mut status = json!({"allocatable": amounts, "capacity": amounts});
    if aim == "ImageLocality" || (mixture && random.percent(30)) {
        let image = |random: &mut Random| {
            let names = *random.pick(&[&["app:1"][..], &["big:latest"][..], &["docker.io/x/tool:2", "tool:2"][..]]);
            json!({"names": names, "sizeBytes": 1_000_000 * (1 + random.below(1500))})
        };
        status["images"] = (0..random.below(4)).map(|_| image(random)).collect::<Vec<_>>().into();
    }
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": spec, "status": status})
}

fn services_and_budgets(random: &mut Random, aim: &str) -> Vec<Value> {
    let mut out = Vec::new();
    let service = match aim {
        "PodTopologySpread default" => 100,
        "mixture" => 40,
        _ => 8,
    };
    if random.percent(service) {
        for index in 0..=random.below(2) {
            let mut selector = json!({"app": random.pick(&["a", "b"])});
            if random.percent(25) {
                selector["v"] = "1".into();
            }
            out.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": format!("svc{index}"), "namespace": "default"},
                "spec": {"selector": selector, "ports": [{"port": 80}]}}));
        }
    }
    let budgets = match aim {
        "DefaultPreemption" => 50,
        "mixture" => 25,
        _ => 0,
    };
    if random.percent(budgets) {
        for index in 0..=random.below(2) {
            let selector = random
                .pick(&[json!({"matchLabels": {"app": "a"}}), json!({"matchLabels": {"app": "b"}}), json!({})])
                .clone();
            out.push(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": format!("pdb{index}"), "namespace": "default"},
                "spec": {"maxUnavailable": 1, "selector": selector}, "status": {"disruptionsAllowed": random.below(3),
                "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}}));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_its_cases() {
        let text = |seed| (0..50).map(|number| format!("{:?}", case(seed, number, None, &[]))).collect::<Vec<_>>();
        assert_eq!(text(3), text(3));
        assert_ne!(text(3), text(4));
    }

    #[test]
    fn every_aim_is_met() {
        let met = |aim: &&str| (0..400).any(|number| case(1, number, None, &[]).aim == *aim);
        assert!(AIMS.iter().all(met));
    }
}
