//! A snapshot of a large cluster: nodes, the Deployments' ReplicaSets and their running pods, with what the API server
//! and a kubelet add to them.

use serde_json::{Value, json};

use kplan::snapshot::{About, document};

/// The text of a snapshot with pods of so many Deployments.
pub fn text(nodes: usize, pods: usize, kinds: usize) -> String {
    let mut objects: Vec<Value> = (0..nodes).map(node).collect();
    objects.extend((0..kinds).map(deployment));
    objects.extend((0..kinds).map(|kind| replica_set(kind, pods / kinds)));
    objects.extend((0..pods).map(|number| pod(number, number % kinds, number % nodes)));
    let about = About { kube_version: "v1.36.3".to_owned(), taken: TIME.to_owned(), ..About::default() };
    document(objects, &about)
}

const TIME: &str = "2026-11-20T08:15:30Z";

fn uid(space: usize, number: usize) -> String {
    format!("{:08x}-{space:04x}-4a7b-9c3d-{number:012x}", number.wrapping_mul(0x9e37_79b9) & 0xffff_ffff)
}

fn node(number: usize) -> Value {
    let name = format!("node-{number}");
    let amounts = json!({
        "cpu": "4", "ephemeral-storage": "95491281146", "hugepages-1Gi": "0", "hugepages-2Mi": "0",
        "memory": "32Gi", "pods": "110",
    });
    let condition = |kind: &str, status: &str, reason: &str| json!({"type": kind, "status": status, "reason": reason, "message": reason, "lastTransitionTime": TIME});
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name, "uid": uid(1, number), "creationTimestamp": TIME,
            "labels": {
                "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
                "node.kubernetes.io/instance-type": "m5.xlarge", "topology.kubernetes.io/region": "region1",
                "topology.kubernetes.io/zone": format!("zone{}", number % 10),
            },
        },
        "spec": {"podCIDR": format!("10.{}.{}.0/24", number / 256, number % 256), "providerID": format!("cloud:///{number}")},
        "status": {
            "addresses": [{"type": "InternalIP", "address": format!("172.16.{}.{}", number / 256, number % 256)}],
            "allocatable": amounts, "capacity": amounts,
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID"),
                condition("Ready", "True", "KubeletReady"),
            ],
            "nodeInfo": {
                "architecture": "amd64", "containerRuntimeVersion": "containerd://2.1.4", "kernelVersion": "6.12.0",
                "kubeletVersion": "v1.36.3", "operatingSystem": "linux", "osImage": "Linux", "bootID": uid(2, number),
                "kubeProxyVersion": "", "machineID": uid(3, number), "systemUUID": uid(4, number),
            },
        },
    })
}

fn labels(kind: usize) -> Value {
    json!({"app.kubernetes.io/name": format!("app-{kind}"), "app.kubernetes.io/part-of": "shop", "team": format!("team{}", kind % 20)})
}

fn template(kind: usize) -> Value {
    let requests = json!({"cpu": format!("{}m", 100 + kind % 97), "memory": format!("{}Mi", 200 + kind % 61)});
    let probe = |path: &str| {
        json!({
            "httpGet": {"path": path, "port": "http", "scheme": "HTTP"}, "failureThreshold": 3, "periodSeconds": 10,
            "successThreshold": 1, "timeoutSeconds": 1,
        })
    };
    json!({
        "containers": [{
            "name": "app", "image": format!("registry.example.com/shop/app-{kind}:1.{}.0", kind % 30),
            "imagePullPolicy": "IfNotPresent",
            "env": [
                {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
                {"name": "LOG_LEVEL", "value": "info"},
                {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": format!("app-{kind}"), "key": "url"}}},
            ],
            "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
            "readinessProbe": probe("/ready"), "livenessProbe": probe("/live"),
            "resources": {"requests": requests, "limits": {"memory": format!("{}Mi", 200 + kind % 61)}},
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        }],
        "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler",
        "securityContext": {"runAsNonRoot": true, "runAsUser": 1000}, "terminationGracePeriodSeconds": 30,
    })
}

fn meta(kind: usize, name: String, owner: Option<Value>, number: usize, space: usize) -> Value {
    let mut meta = json!({
        "name": name, "namespace": format!("team{}", kind % 20), "labels": labels(kind), "uid": uid(space, number),
        "creationTimestamp": TIME,
    });
    if let Some(owner) = owner {
        meta["ownerReferences"] = json!([owner]);
    }
    meta
}

fn owner(kind: &str, name: String, uid: String) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true, "blockOwnerDeletion": true,
    })
}

fn deployment(kind: usize) -> Value {
    let mut spec = json!({"replicas": 100, "selector": {"matchLabels": labels(kind)}});
    spec["template"] = json!({"metadata": {"labels": labels(kind)}, "spec": template(kind)});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta(kind, format!("app-{kind}"), None, kind, 5),
        "spec": spec,
    })
}

fn replica_set(kind: usize, replicas: usize) -> Value {
    let owner = owner("Deployment", format!("app-{kind}"), uid(5, kind));
    let spec = json!({
        "replicas": replicas, "selector": {"matchLabels": labels(kind)},
        "template": {"metadata": {"labels": labels(kind)}, "spec": template(kind)},
    });
    let name = format!("app-{kind}-6c9f7d");
    json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta(kind, name, Some(owner), kind, 6), "spec": spec})
}

fn pod(number: usize, kind: usize, node: usize) -> Value {
    let owner = owner("ReplicaSet", format!("app-{kind}-6c9f7d"), uid(6, kind));
    let mut spec = template(kind);
    let token = format!("kube-api-access-{:05x}", number);
    spec["nodeName"] = json!(format!("node-{node}"));
    spec["serviceAccountName"] = json!("default");
    spec["enableServiceLinks"] = json!(true);
    spec["preemptionPolicy"] = json!("PreemptLowerPriority");
    spec["priority"] = json!(0);
    let toleration =
        |key: &str| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
    spec["tolerations"] =
        json!([toleration("node.kubernetes.io/not-ready"), toleration("node.kubernetes.io/unreachable")]);
    spec["containers"][0]["volumeMounts"] =
        json!([{"name": token, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true}]);
    spec["volumes"] = json!([{"name": token, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ]}}]);
    let condition =
        |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": TIME, "lastProbeTime": null});
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": meta(kind, format!("app-{kind}-6c9f7d-{number:05x}"), Some(owner), number, 7),
        "spec": spec,
        "status": {
            "phase": "Running", "qosClass": "Burstable", "startTime": TIME,
            "hostIP": format!("172.16.{}.{}", node / 256, node % 256), "podIP": format!("10.0.{}.{}", number / 256, number % 256),
            "conditions": [condition("PodReadyToStartContainers"), condition("Initialized"), condition("Ready"),
                condition("ContainersReady"), condition("PodScheduled")],
            "containerStatuses": [{
                "name": "app", "image": format!("registry.example.com/shop/app-{kind}:1.{}.0", kind % 30),
                "imageID": format!("registry.example.com/shop/app-{kind}@sha256:{:064x}", kind),
                "containerID": format!("containerd://{:064x}", number),
                "lastState": {}, "ready": true, "restartCount": 0, "started": true,
                "state": {"running": {"startedAt": TIME}},
            }],
        },
    })
}
