//! Random storage: claims that are bound, that wait for a pod or that nothing serves, and who mounts them.

use serde_json::{Value, json};

use super::generate::{HOSTNAME, ZONE};
use crate::random::Random;

pub(super) const DRIVER: &str = "csi.example.com";

fn uses_claims(aim: &str) -> bool {
    aim.starts_with("Volume") || aim == "NodeVolumeLimits"
}

/// Classes, volumes, claims and limits of a case.
pub(super) fn objects(random: &mut Random, aim: &str, prefix: &str, nodes: usize) -> Vec<Value> {
    if !(uses_claims(aim) || aim == "mixture" && random.percent(40)) {
        return Vec::new();
    }
    let mut out = classes(random, aim, prefix);
    for index in 0..2 + random.below(3) {
        claim(random, aim, prefix, index, &mut out);
    }
    for index in 0..random.below(3) {
        let class = *random.pick(&["local", "local", "made", "other"]);
        let mut volume = volume(random, aim, &format!("{prefix}-free{index}"), &format!("{prefix}-{class}"));
        // Different sizes: of equal ones the scheduler takes any.
        volume["spec"]["capacity"]["storage"] = format!("{}Mi", 1024 * (1 + random.below(6)) + index + 1).into();
        out.push(volume);
    }
    let limits = match aim {
        "NodeVolumeLimits" => 80,
        "mixture" => 20,
        _ => 0,
    };
    for index in 0..nodes {
        if random.percent(limits) {
            let mut driver = json!({"name": DRIVER, "nodeID": "x", "topologyKeys": []});
            if random.percent(85) {
                driver["allocatable"] = json!({"count": random.below(3)});
            }
            out.push(json!({"apiVersion": "storage.k8s.io/v1", "kind": "CSINode", "metadata": {"name": format!("n{index}")}, "spec": {"drivers": [driver]}}));
        }
    }
    if aim == "VolumeBinding capacity" {
        out.extend(capacities(random, prefix));
    }
    out
}

fn classes(random: &mut Random, aim: &str, prefix: &str) -> Vec<Value> {
    let class = |name: &str, provisioner: &str, mode: &str| {
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": format!("{prefix}-{name}")},
            "provisioner": provisioner, "volumeBindingMode": mode})
    };
    let mut made = class("made", DRIVER, "WaitForFirstConsumer");
    if random.percent(if aim.contains("capacity") { 25 } else { 50 }) {
        let (key, values) = *random.pick(&[(ZONE, ["a", "b"]), (HOSTNAME, ["n0", "n1"]), ("disk", ["ssd", "none"])]);
        made["allowedTopologies"] = json!([{"matchLabelExpressions": [{"key": key, "values": values}]}]);
    }
    vec![
        class("local", "kubernetes.io/no-provisioner", "WaitForFirstConsumer"),
        made,
        class("now", DRIVER, "Immediate"),
    ]
}

fn volume(random: &mut Random, aim: &str, name: &str, class: &str) -> Value {
    let mode = if random.percent(70) { "ReadWriteOnce" } else { *random.pick(&["ReadWriteMany", "ReadWriteOncePod"]) };
    let driver = if random.percent(85) { DRIVER } else { "other.example.com" };
    let mut out = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name, "labels": {}},
        "spec": {"capacity": {"storage": "5Gi"}, "accessModes": [mode], "storageClassName": class, "persistentVolumeReclaimPolicy": "Retain",
            "csi": {"driver": driver, "volumeHandle": name}}, "status": {"phase": "Available"}});
    if random.percent(if aim == "VolumeZone" { 85 } else { 10 }) {
        let (key, value) = *random.pick(&[
            (ZONE, "a"),
            (ZONE, "a__b"),
            (ZONE, "c"),
            ("topology.kubernetes.io/region", "r"),
            ("failure-domain.beta.kubernetes.io/zone", "b"),
            ("failure-domain.beta.kubernetes.io/region", "s"),
        ]);
        out["metadata"]["labels"][key] = value.into();
    }
    if random.percent(if aim == "VolumeZone" { 15 } else { 55 }) {
        let (key, values) = *random.pick(&[(HOSTNAME, ["n0", "n1"]), (ZONE, ["a", "b"]), ("disk", ["ssd", "x"])]);
        let term = json!({"matchExpressions": [{"key": key, "operator": "In", "values": values}]});
        out["spec"]["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": [term]}});
    }
    out
}

fn claim(random: &mut Random, aim: &str, prefix: &str, index: usize, out: &mut Vec<Value>) {
    let name = format!("{prefix}-d{index}");
    let bound = random.percent(match aim {
        "VolumeZone" | "NodeVolumeLimits" => 85,
        "VolumeBinding" | "VolumeBinding capacity" => 25,
        _ => 60,
    });
    let class = format!("{prefix}-{}", random.pick(&["local", "made", "made", "now"]));
    let namespace = if random.percent(10) { "other" } else { "default" };
    let exclusive = random.percent(if aim == "VolumeRestrictions" { 60 } else { 8 });
    let mode = if exclusive { "ReadWriteOncePod" } else { "ReadWriteOnce" };
    // Different sizes: the smaller claim chooses first.
    let size = format!("{}Mi", 512 * (1 + random.below(8)) + index);
    let mut claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": namespace},
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": size}}, "storageClassName": class}});
    if !bound {
        if random.percent(10) {
            claim["spec"]["selector"] = json!({"matchLabels": {"tier": "x"}});
        }
        return out.push(claim);
    }
    let volume_name = format!("{prefix}-v{index}");
    claim["spec"]["volumeName"] = volume_name.clone().into();
    claim["metadata"]["annotations"] = json!({"pv.kubernetes.io/bind-completed": "yes"});
    claim["status"] = json!({"phase": "Bound"});
    if random.percent(3) {
        // Bound to a volume that is gone.
        claim["status"]["phase"] = (*random.pick(&["Lost", "Bound"])).into();
        return out.push(claim);
    }
    let mut volume = volume(random, aim, &volume_name, &class);
    volume["spec"]["claimRef"] =
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace, "name": name});
    volume["spec"]["accessModes"] = json!([mode]);
    volume["status"]["phase"] = "Bound".into();
    out.extend([volume, claim]);
}

fn capacities(random: &mut Random, prefix: &str) -> Vec<Value> {
    let mut out = Vec::new();
    if random.percent(85) {
        out.push(json!({"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": DRIVER}, "spec": {"storageCapacity": random.percent(85)}}));
    }
    for index in 0..random.below(4) {
        let topologies = [
            json!({"matchLabels": {ZONE: "a"}}),
            json!({"matchLabels": {ZONE: "b"}}),
            json!({"matchExpressions": [{"key": "disk", "operator": "Exists"}]}),
            json!({}),
        ];
        let topology = random.pick(&topologies).clone();
        let class = *random.pick(&["made", "made", "now"]);
        let mut one = json!({"apiVersion": "storage.k8s.io/v1", "kind": "CSIStorageCapacity",
            "metadata": {"name": format!("{prefix}-c{index}"), "namespace": "default"},
            "storageClassName": format!("{prefix}-{class}"), "nodeTopology": topology});
        if random.percent(85) {
            one["capacity"] = format!("{}Gi", random.below(6)).into();
        }
        if random.percent(30) {
            one["maximumVolumeSize"] = format!("{}Gi", 1 + random.below(3)).into();
        }
        out.push(one);
    }
    out
}

/// Gives a pod volumes of the case.
pub(super) fn mount(random: &mut Random, aim: &str, objects: &[Value], pod: &mut Value) {
    let disks = if aim == "VolumeRestrictions" {
        50
    } else if aim == "mixture" {
        8
    } else {
        0
    };
    let mut volumes: Vec<Value> = Vec::new();
    if random.percent(disks) {
        volumes.push(disk(random));
    }
    let namespace = pod["metadata"]["namespace"].clone();
    let claims: Vec<&str> = objects
        .iter()
        .filter(|object| object["kind"] == "PersistentVolumeClaim" && object["metadata"]["namespace"] == namespace)
        .filter_map(|object| object["metadata"]["name"].as_str())
        .collect();
    let chance = if uses_claims(aim) { 75 } else { 40 };
    // A pod that runs has its claims already.
    let bound = |name: &str| {
        objects.iter().any(|object| object["metadata"]["name"] == name && object["spec"].get("volumeName").is_some())
    };
    let runs = pod["spec"].get("nodeName").is_some();
    if !claims.is_empty() && random.percent(chance) {
        let name = *random.pick(&claims);
        if !runs || bound(name) {
            volumes.push(json!({"name": "v0", "persistentVolumeClaim": {"claimName": name}}));
        }
        let second = *random.pick(&claims);
        if random.percent(25) && second != name && (!runs || bound(second)) {
            volumes.push(json!({"name": "v1", "persistentVolumeClaim": {"claimName": second}}));
        }
    }
    if uses_claims(aim) && random.percent(3) && !runs {
        volumes.push(json!({"name": "v2", "persistentVolumeClaim": {"claimName": "absent"}}));
    }
    if !volumes.is_empty() {
        pod["spec"]["volumes"] = volumes.into();
    }
}

fn disk(random: &mut Random) -> Value {
    let read_only = random.percent(50);
    match random.below(4) {
        0 => json!({"name": "k", "gcePersistentDisk": {"pdName": "one", "readOnly": read_only}}),
        1 => json!({"name": "k", "awsElasticBlockStore": {"volumeID": "vol-1"}}),
        2 => {
            json!({"name": "k", "iscsi": {"targetPortal": "1.2.3.4", "iqn": "iqn.2026-01.x:y", "lun": 0, "readOnly": read_only}})
        }
        _ => {
            json!({"name": "k", "rbd": {"monitors": [random.pick(&["m1", "m2"])], "image": "i", "pool": random.pick(&["p", "rbd"]), "readOnly": read_only}})
        }
    }
}
