//! What the volume controller and a provisioner do for claims that the scheduler has decided about.

use serde_json::{Value, json};

use super::volumes::DRIVER;
use crate::server::Server;

/// Binds the claims of a pod to the volumes that the scheduler chose, or makes those it asked for.
pub(super) fn bind_claims(server: &Server, pod: &Value) -> Result<(), String> {
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or("default");
    for volume in pod["spec"]["volumes"].as_array().into_iter().flatten() {
        let Some(name) = volume["persistentVolumeClaim"]["claimName"].as_str() else { continue };
        let path = format!("/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}");
        let claim = server.send("GET", &path, "")?.body;
        if !claim["spec"].is_object() || claim["spec"]["volumeName"].is_string() {
            continue;
        }
        let volumes = server.send("GET", "/api/v1/persistentvolumes", "")?.body;
        let mut volumes = volumes["items"].as_array().into_iter().flatten();
        let reserved = |volume: &&Value| {
            let claim = &volume["spec"]["claimRef"];
            claim["name"] == name && claim["namespace"] == namespace
        };
        if let Some(volume) = volumes.find(reserved) {
            bind(server, &path, volume["metadata"]["name"].as_str().unwrap_or_default())?;
        } else if let Some(node) = claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"].as_str() {
            let volume = provision(server, &claim, node)?;
            bind(server, &path, &volume)?;
        }
    }
    Ok(())
}

fn bind(server: &Server, claim: &str, volume: &str) -> Result<(), String> {
    server.patch(
        claim,
        &json!({"metadata": {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}}, "spec": {"volumeName": volume}}),
    )?;
    server.patch(&format!("{claim}/status"), &json!({"status": {"phase": "Bound"}}))?;
    server.patch(&format!("/api/v1/persistentvolumes/{volume}/status"), &json!({"status": {"phase": "Bound"}}))?;
    Ok(())
}

/// Makes a volume that is reachable where the class's topologies have the node.
fn provision(server: &Server, claim: &Value, node: &str) -> Result<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let class_name = text(&claim["spec"]["storageClassName"]);
    let class = server.send("GET", &format!("/apis/storage.k8s.io/v1/storageclasses/{class_name}"), "")?.body;
    let node = server.send("GET", &format!("/api/v1/nodes/{node}"), "")?.body;
    let name = format!("pvc-{}-{}", text(&claim["metadata"]["namespace"]), text(&claim["metadata"]["name"]));
    let mut volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {"capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]}, "accessModes": claim["spec"]["accessModes"],
            "storageClassName": class_name, "persistentVolumeReclaimPolicy": "Retain", "csi": {"driver": DRIVER, "volumeHandle": name},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": claim["metadata"]["namespace"], "name": claim["metadata"]["name"]}}});
    let topologies = class["allowedTopologies"].as_array().into_iter().flatten();
    let keys = topologies.flat_map(|term| term["matchLabelExpressions"].as_array().into_iter().flatten());
    let pins: Vec<Value> = keys
        .filter_map(|wanted| {
            let key = wanted["key"].as_str()?;
            let value = node["metadata"]["labels"][key].as_str()?;
            Some(json!({"key": key, "operator": "In", "values": [value]}))
        })
        .collect();
    if !pins.is_empty() {
        volume["spec"]["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": [{"matchExpressions": pins}]}});
    }
    let reply = server.send("POST", "/api/v1/persistentvolumes", &volume.to_string())?;
    if reply.code >= 300 && reply.code != 409 {
        return Err(format!("{} {name}: {}", reply.code, reply.body["message"]));
    }
    Ok(name)
}
