//! Changes that put one thing in the place of another which may not stand beside it, and such as leave a field out: whoever
//! applied the old one, kplan takes it away.

use serde_json::{Value, json};

use super::changes::Change;
use super::set::{By, Gen, Made, edited};

const MAIN: &str = "/spec/template/spec/containers/0";

/// The old objects were applied by kplan, or by kubectl in one of its ways: its own apply would then be refused.
fn switch(g: &mut Gen, old: &Value, edits: &[(&str, Value)]) -> Made {
    let by = [By::Kplan, By::Kubectl, By::KubectlServer, By::Created][g.number(0, 3) as usize];
    let made = Made::edit(old.clone(), edits).by(by);
    if matches!(by, By::Kplan) { made } else { made.beyond_kubectl() }
}

fn stateful(g: &Gen, replicas: u64) -> Value {
    let mut set = g.stateful_set(replicas, "db:1");
    set["spec"]["podManagementPolicy"] = json!("OrderedReady");
    set
}

/// All of them, in the form of [`super::changes::CHANGES`].
pub const SWITCHES: &[(&str, &str, Change)] = &[
    ("Deployment", "value to reference", |g| {
        let field = json!({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}});
        let old = g.deployment(2, "web:1");
        switch(g, &old, &[(&format!("{MAIN}/env/0"), field)])
    }),
    ("Deployment", "reference to value", |g| {
        let field = json!({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}});
        let old = edited(&g.deployment(1, "web:1"), &[(&format!("{MAIN}/env/0"), field)]);
        switch(g, &old, &[(&format!("{MAIN}/env/0"), json!({"name": "A", "value": "1"}))])
    }),
    ("Deployment", "probe of another kind", |g| {
        let probe = json!({"httpGet": {"path": "/", "port": 80}, "periodSeconds": 5});
        let old = edited(&g.deployment(1, "web:1"), &[(&format!("{MAIN}/readinessProbe"), probe)]);
        switch(g, &old, &[(&format!("{MAIN}/readinessProbe"), json!({"tcpSocket": {"port": 80}}))])
    }),
    ("Deployment", "volume of another kind", |g| {
        let mut old = g.deployment(1, "web:1");
        old["spec"]["template"]["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {"medium": "Memory"}}]);
        let host = json!({"name": "v", "hostPath": {"path": "/srv"}});
        switch(g, &old, &[("/spec/template/spec/volumes/0", host)])
    }),
    ("Deployment", "rolling update to Recreate", |g| {
        let mut old = g.deployment(1, "web:1");
        old["spec"]["strategy"] =
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}});
        switch(g, &old, &[("/spec/strategy", json!({"type": "Recreate"}))])
    }),
    ("Deployment", "replicas left out", |g| {
        let old = g.deployment(3, "web:1");
        switch(g, &old, &[("/spec/replicas", Value::Null)]).with(&[g.service(80)])
    }),
    ("Deployment", "environment in another order", |g| {
        let old = g.deployment(1, "web:1");
        let env = json!([{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]);
        switch(g, &old, &[(&format!("{MAIN}/env"), env)])
    }),
    ("Deployment", "limits left out", |g| {
        let mut old = g.deployment(1, "web:1");
        let both = json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "10m", "memory": "16Mi"}});
        old["spec"]["template"]["spec"]["containers"][0]["resources"] = both;
        let edit = if g.number(0, 1) == 0 {
            format!("{MAIN}/resources/limits")
        } else {
            format!("{MAIN}/resources/limits/cpu")
        };
        switch(g, &old, &[(&edit, Value::Null)])
    }),
    ("Deployment", "container of another name", |g| {
        let old = g.deployment(1, "web:1");
        switch(g, &old, &[(&format!("{MAIN}/name"), json!("other"))])
    }),
    ("StatefulSet", "replicas left out", |g| {
        let old = stateful(g, 2);
        switch(g, &old, &[("/spec/replicas", Value::Null)]).with(&[g.service(80)])
    }),
    ("CronJob", "suspended", |g| {
        let job = g.job("job:1")["spec"].clone();
        let spec = json!({"schedule": "0 3 * * *", "timeZone": "Etc/UTC", "jobTemplate": {"spec": job}});
        let old = g.object("batch/v1", "CronJob", json!({ "spec": spec }));
        switch(g, &old, &[("/spec/suspend", json!(true)), ("/spec/timeZone", Value::Null)])
    }),
    ("ConfigMap", "text to bytes", |g| {
        let old = g.config_map(json!({"a": "1", "b": "2"}));
        switch(g, &old, &[("/data/a", Value::Null), ("/binaryData", json!({"a": "MQ=="}))])
    }),
    ("Secret", "key renamed", |g| {
        let old = g.secret(json!({"a": "first-value"}));
        switch(g, &old, &[("/stringData", json!({"b": "first-value"}))])
    }),
    ("PodDisruptionBudget", "minimum to maximum", |g| {
        let spec = json!({"selector": {"matchLabels": {"app": g.name}}, "minAvailable": 1});
        let old = g.object("policy/v1", "PodDisruptionBudget", json!({ "spec": spec }));
        let edits = [("/spec/minAvailable", Value::Null), ("/spec/maxUnavailable", json!(1))];
        switch(g, &old, &edits).with(&[g.deployment(2, "web:1")])
    }),
    ("Service", "affinity left out", |g| {
        let mut old = g.service(80);
        old["spec"]["sessionAffinity"] = json!("ClientIP");
        old["spec"]["sessionAffinityConfig"] = json!({"clientIP": {"timeoutSeconds": 60}});
        let edits = [("/spec/sessionAffinity", Value::Null), ("/spec/sessionAffinityConfig", Value::Null)];
        switch(g, &old, &edits).with(&[g.deployment(1, "web:1")])
    }),
    ("Service", "from LoadBalancer", |g| {
        let mut old = g.service(80);
        old["spec"]["type"] = json!("LoadBalancer");
        old["spec"]["externalTrafficPolicy"] = json!("Local");
        let edits = [("/spec/type", json!("ClusterIP")), ("/spec/externalTrafficPolicy", Value::Null)];
        switch(g, &old, &edits).with(&[g.deployment(1, "web:1")])
    }),
    ("Service", "to ExternalName", |g| {
        let spec = json!({"type": "ExternalName", "externalName": "example.com"});
        let old = g.service(80);
        switch(g, &old, &[("/spec", spec)]).with(&[g.deployment(1, "web:1")])
    }),
    ("Ingress", "backend in the place of rules", |g| {
        let backend = json!({"service": {"name": g.name, "port": {"number": 80}}});
        let rule = json!({"host": "a.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}});
        let old = g.object("networking.k8s.io/v1", "Ingress", json!({"spec": {"rules": [rule]}}));
        switch(g, &old, &[("/spec", json!({ "defaultBackend": backend }))])
            .with(&[g.service(80), g.deployment(1, "web:1")])
    }),
    ("NetworkPolicy", "block in the place of pods", |g| {
        let spec = json!({"podSelector": {"matchLabels": {"app": g.name}}, "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"role": "a"}}}]}]});
        let old = g.object("networking.k8s.io/v1", "NetworkPolicy", json!({ "spec": spec }));
        switch(g, &old, &[("/spec/ingress/0/from/0", json!({"ipBlock": {"cidr": "10.0.0.0/8"}}))])
    }),
    ("HorizontalPodAutoscaler", "metric of another kind", |g| {
        let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": g.name});
        let metric = |target: Value| json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
        let part = metric(json!({"type": "Utilization", "averageUtilization": 50}));
        let whole = metric(json!({"type": "AverageValue", "averageValue": "500m"}));
        let spec = json!({"scaleTargetRef": target, "maxReplicas": 4, "metrics": [part], "behavior": {"scaleDown":
            {"stabilizationWindowSeconds": 60}}});
        let old = g.object("autoscaling/v2", "HorizontalPodAutoscaler", json!({ "spec": spec }));
        let edits = [("/spec/metrics/0", whole), ("/spec/behavior", Value::Null)];
        switch(g, &old, &edits).with(&[g.deployment(1, "web:1")])
    }),
];
