//! Objects that come into being, as short as they can be written: the rest is filled in.

use serde_json::{Value, json};

use super::changes::Change;
use super::set::{Gen, Made, RBAC};

fn new(objects: Vec<Value>) -> Made {
    Made::new(vec![], objects)
}

/// A kind of `apps/v1` around the pods of a Deployment.
fn workload(g: &Gen, kind: &str, spec: Value) -> Value {
    let mut all = json!({"selector": {"matchLabels": {"app": g.name}}, "template": {"metadata": {"labels": {"app": g.name}},
        "spec": {"containers": [{"name": "main", "image": "web", "resources": {"requests": {"cpu": "10m"}}}]}}});
    spec.as_object().into_iter().flatten().for_each(|(key, value)| all[key] = value.clone());
    g.object("apps/v1", kind, json!({ "spec": all }))
}

fn volumes(g: &Gen) -> Value {
    let projected = json!({"sources": [{"configMap": {"name": g.name}}, {"serviceAccountToken": {"path": "t"}}]});
    json!([{"name": "a"}, {"name": "b", "hostPath": {"path": "/srv"}}, {"name": "c", "configMap": {"name": g.name}},
        {"name": "d", "secret": {"secretName": g.name, "optional": true}}, {"name": "e", "projected": projected},
        {"name": "f", "downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]}}])
}

/// All of them, in the form of [`super::changes::CHANGES`].
pub const NEWS: &[(&str, &str, Change)] = &[
    ("Deployment", "new, with probes and volumes", |g| {
        let mut web = workload(g, "Deployment", json!({"strategy": {"rollingUpdate": {"maxSurge": "50%"}}}));
        let pod = &mut web["spec"]["template"]["spec"];
        pod["volumes"] = volumes(g);
        let container = &mut pod["containers"][0];
        container["livenessProbe"] = json!({"httpGet": {"port": 80}});
        container["readinessProbe"] = json!({"grpc": {"port": 80}});
        container["startupProbe"] = json!({"exec": {"command": ["true"]}});
        container["resources"] = json!({"limits": {"cpu": 1, "memory": "1024Mi"}});
        container["ports"] = json!([{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}]);
        container["env"] = json!([{"name": "A"}, {"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "C", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]);
        container["securityContext"] = json!({"capabilities": {"drop": ["ALL"]}});
        pod["initContainers"] = json!([{"name": "side", "image": "side:latest", "restartPolicy": "Always"}]);
        new(vec![web, g.config_map(json!({"a": "b"}))])
    }),
    ("StatefulSet", "new, with claims", |g| {
        let claim = json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1024Mi"}}}});
        let spec = json!({"volumeClaimTemplates": [claim]});
        new(vec![workload(g, "StatefulSet", spec), g.service(80)])
    }),
    ("DaemonSet", "new", |g| new(vec![workload(g, "DaemonSet", json!({}))])),
    ("ReplicaSet", "new", |g| new(vec![workload(g, "ReplicaSet", json!({"replicas": 2}))])),
    ("CronJob", "new", |g| {
        let pod = json!({"restartPolicy": "OnFailure", "containers": [{"name": "m", "image": "job:1"}]});
        let spec = json!({"schedule": "@daily", "jobTemplate": {"spec": {"template": {"spec": pod}}}});
        new(vec![g.object("batch/v1", "CronJob", json!({ "spec": spec }))])
    }),
    ("Service", "new, of all types", |g| {
        let of =
            |name: &str, spec: Value| g.named("v1", "Service", &format!("{}-{name}", g.name), json!({ "spec": spec }));
        let ports =
            json!([{"port": 80, "name": "a"}, {"port": 53, "protocol": "UDP", "name": "b", "targetPort": "dns"}]);
        new(vec![
            of("plain", json!({"selector": {"app": g.name}, "ports": [{"port": 80}]})),
            of("none", json!({"clusterIP": "None", "selector": {"app": g.name}, "ports": ports})),
            of("ports", json!({"type": "NodePort", "selector": {"app": g.name}, "ports": ports})),
            of("out", json!({"type": "LoadBalancer", "selector": {"app": g.name}, "ports": ports})),
            of("name", json!({"type": "ExternalName", "externalName": "example.com"})),
            of("sticky", json!({"sessionAffinity": "ClientIP", "ports": [{"port": 1}]})),
        ])
    }),
    ("Ingress", "new, with policies", |g| {
        let backend = json!({"service": {"name": g.name, "port": {"number": 80}}});
        let path = json!({"path": "/", "pathType": "Prefix", "backend": backend});
        let rules = json!([{"http": {"paths": [path]}}]);
        let policy = json!({"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}], "egress": [{}]});
        new(vec![
            g.object("networking.k8s.io/v1", "Ingress", json!({"spec": {"rules": rules}})),
            g.object("networking.k8s.io/v1", "NetworkPolicy", json!({ "spec": policy })),
            g.service(80),
        ])
    }),
    ("Role", "new, with bindings", |g| {
        let rules = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]);
        new(vec![
            g.object("v1", "ServiceAccount", json!({})),
            g.object(RBAC, "Role", json!({ "rules": rules })),
            g.shared(RBAC, "ClusterRole", json!({ "rules": rules })),
            g.binding("RoleBinding", "view"),
            g.binding("ClusterRoleBinding", "view"),
        ])
    }),
    ("StorageClass", "new, with other classes", |g| {
        new(vec![
            g.shared("storage.k8s.io/v1", "StorageClass", json!({"provisioner": "example.com/none"})),
            g.shared("scheduling.k8s.io/v1", "PriorityClass", json!({"value": 7})),
            g.shared("node.k8s.io/v1", "RuntimeClass", json!({"handler": "h"})),
            g.shared("networking.k8s.io/v1", "IngressClass", json!({"spec": {"controller": "example.com/a"}})),
            g.object("policy/v1", "PodDisruptionBudget", json!({"spec": {"selector": {}, "maxUnavailable": 1}})),
        ])
    }),
    ("HorizontalPodAutoscaler", "new", |g| {
        let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": g.name});
        let scaler = json!({"scaleTargetRef": target, "maxReplicas": 3, "behavior": {"scaleUp": {"policies": [
            {"type": "Pods", "value": 1, "periodSeconds": 15}]}}});
        let scaler = g.object("autoscaling/v2", "HorizontalPodAutoscaler", json!({ "spec": scaler }));
        new(vec![workload(g, "Deployment", json!({})), scaler])
    }),
    ("Custom resource", "new, with its definition of defaults", |g| {
        let (mut definition, mut thing) = g.definition();
        let port = json!({"type": "object", "properties": {"protocol": {"type": "string", "default": "TCP"}}});
        let spec = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        spec["properties"]["ports"] = json!({"type": "array", "items": port});
        thing["spec"]["ports"] = json!([{}]);
        new(vec![definition, thing])
    }),
    ("Custom resource", "new, of a definition that is there", |g| {
        let (definition, thing) = g.definition();
        Made::new(vec![definition.clone()], vec![definition, thing])
    }),
];
