//! The changes: kind, name, and how it is made.

use serde_json::{Value, json};

use super::set::{By, Gen, Made, RBAC, edited};

/// Makes a change.
pub type Change = fn(&mut Gen) -> Made;

const TEMPLATE: &str = "/spec/template/spec/containers/0";

/// All of them.
pub const CHANGES: &[(&str, &str, Change)] = &[
    ("Deployment", "scale", |g| {
        let (from, to) = g.two(1, 4);
        Made::one(g.deployment(from, "web:1"), g.deployment(to, "web:1")).with(&[g.service(80)])
    }),
    ("Deployment", "image", |g| {
        let pods = g.number(1, 3);
        Made::one(g.deployment(pods, "web:1"), g.deployment(pods, "web:2")).with(&[g.service(80)])
    }),
    ("Deployment", "environment", |g| {
        let at = |part: &str| format!("{TEMPLATE}/env/{part}");
        let edit = match g.number(0, 3) {
            0 => (at("0/value"), json!("3")),
            1 => (at("-"), json!({"name": "C", "value": "x"})),
            2 => (at("1"), Value::Null),
            _ => (at("0"), json!({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}})),
        };
        Made::edit(g.deployment(2, "web:1"), &[(&edit.0, edit.1)])
    }),
    ("Deployment", "labels", |g| {
        let mut old = g.deployment(1, "web:1");
        old["metadata"]["labels"]["tier"] = json!("a");
        let new = if g.number(0, 1) == 0 { json!("b") } else { Value::Null };
        Made::edit(old, &[("/metadata/labels/tier", new)])
    }),
    ("Deployment", "template label", |g| {
        Made::edit(g.deployment(2, "web:1"), &[("/spec/template/metadata/labels/version", json!("2"))])
            .with(&[g.service(80)])
    }),
    ("Deployment", "ports", |g| {
        let edit = match g.number(0, 2) {
            0 => ("/spec/template/spec/containers/0/ports/-", json!({"containerPort": 81})),
            1 => ("/spec/template/spec/containers/0/ports/0/name", json!("http")),
            _ => ("/spec/template/spec/containers/0/ports/-", json!({"containerPort": 80, "protocol": "UDP"})),
        };
        Made::edit(g.deployment(1, "web:1"), &[edit])
    }),
    ("Deployment", "selector", |g| {
        let labels = json!({"app": g.name, "more": "x"});
        Made::edit(
            g.deployment(2, "web:1"),
            &[("/spec/selector/matchLabels", labels.clone()), ("/spec/template/metadata/labels", labels)],
        )
        .replacing("Deployment")
    }),
    ("Deployment", "strategy to Recreate", |g| {
        let mut old = g.deployment(1, "web:1");
        old["spec"]["strategy"] = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}});
        Made::edit(old, &[("/spec/strategy", json!({"type": "Recreate"}))])
    }),
    ("Deployment", "volume source", |g| {
        let mut old = g.deployment(1, "web:1");
        old["spec"]["template"]["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
        let host = json!([{"name": "v", "hostPath": {"path": "/srv"}}]);
        Made::edit(old, &[("/spec/template/spec/volumes", host)])
    }),
    ("Deployment", "written otherwise", |g| {
        let mut old = g.deployment(1, "web:1");
        old["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"] =
            json!({"cpu": "1000m", "memory": "0.5Gi"});
        Made::edit(
            old,
            &[("/spec/template/spec/containers/0/resources/requests", json!({"cpu": 1, "memory": "512Mi"}))],
        )
    }),
    ("Deployment", "nothing", |g| Made::edit(g.deployment(1, "web:1"), &[]).with(&[g.service(80)])),
    ("Deployment", "nothing after kubectl apply", |g| Made::edit(g.deployment(1, "web:1"), &[]).by(By::Kubectl)),
    ("Deployment", "removal after kubectl apply", |g| {
        let mut old = g.deployment(2, "web:1");
        old["metadata"]["annotations"] = json!({"note": "x"});
        old["spec"]["template"]["spec"]["containers"][0]["livenessProbe"] =
            json!({"httpGet": {"path": "/", "port": 80}});
        old["spec"]["template"]["spec"]["nodeSelector"] = json!({"kubernetes.io/os": "linux"});
        let edit = match g.number(0, 4) {
            0 => (format!("{TEMPLATE}/env/1"), Value::Null),
            1 => ("/metadata/annotations".to_owned(), Value::Null),
            2 => (format!("{TEMPLATE}/livenessProbe"), Value::Null),
            3 => ("/spec/template/spec/nodeSelector".to_owned(), Value::Null),
            _ => (format!("{TEMPLATE}/resources"), Value::Null),
        };
        Made::edit(old, &[(&edit.0, edit.1)]).by(By::Kubectl)
    }),
    ("Deployment", "removal after kubectl apply --server-side", |g| {
        let mut old = g.deployment(1, "web:1");
        old["spec"]["template"]["spec"]["containers"]
            .as_array_mut()
            .unwrap()
            .push(json!({"name": "side", "image": "side:1"}));
        let edit = match g.number(0, 1) {
            0 => ("/spec/template/spec/containers/1", Value::Null),
            _ => ("/spec/template/spec/containers/0/env", Value::Null),
        };
        Made::edit(old, &[edit]).by(By::KubectlServer)
    }),
    ("Deployment", "removal after kubectl create", |g| {
        Made::edit(g.deployment(1, "web:1"), &[("/spec/template/spec/containers/0/env/0", Value::Null)]).by(By::Created)
    }),
    ("Deployment", "scaled by kubectl", |g| {
        let (written, live) = g.two(1, 3);
        let target = format!("deployment/{}", g.name);
        let scale = ["scale", &target, &format!("--replicas={live}")];
        Made::edit(g.deployment(written, "web:1"), &[]).then(&scale, &Value::Null)
    }),
    ("Deployment", "field of another manager", |g| {
        let other = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata":
            {"name": g.name, "namespace": g.namespace, "annotations": {"other": "1"}}});
        let apply = ["apply", "--server-side", "--field-manager=other", "--filename=-"];
        Made::one(g.deployment(1, "web:1"), g.deployment(1, "web:2")).then(&apply, &other)
    }),
    ("Deployment", "autoscaled", |g| {
        let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": g.name});
        let spec = json!({"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 4});
        let scaler = g.object("autoscaling/v2", "HorizontalPodAutoscaler", json!({ "spec": spec }));
        Made::one(g.deployment(3, "web:1"), g.deployment(1, "web:2")).with(&[scaler])
    }),
    ("Deployment", "new container", |g| {
        Made::edit(
            g.deployment(1, "web:1"),
            &[("/spec/template/spec/containers/-", json!({"name": "side", "image": "side:1"}))],
        )
    }),
    ("Deployment", "new", |g| {
        let pods = g.number(1, 3);
        Made::new(vec![], vec![g.deployment(pods, "web:1"), g.service(80), g.config_map(json!({"a": "b"}))])
    }),
    ("StatefulSet", "scale", |g| {
        let (from, to) = g.two(1, 3);
        Made::one(g.stateful_set(from, "db:1"), g.stateful_set(to, "db:1")).with(&[g.service(80)])
    }),
    ("StatefulSet", "image", |g| {
        Made::one(g.stateful_set(2, "db:1"), g.stateful_set(2, "db:2")).with(&[g.service(80)])
    }),
    ("StatefulSet", "partition", |g| {
        let mut old = g.stateful_set(3, "db:1");
        old["spec"]["updateStrategy"] = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
        Made::edit(old, &[("/spec/template/spec/containers/0/image", json!("db:2"))])
    }),
    ("StatefulSet", "service name", |g| {
        Made::edit(g.stateful_set(2, "db:1"), &[("/spec/serviceName", json!("other"))]).replacing("StatefulSet")
    }),
    ("StatefulSet", "claim templates", |g| {
        let claim = |size: &str| {
            json!([{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}}}}])
        };
        let mut old = g.stateful_set(1, "db:1");
        old["spec"]["volumeClaimTemplates"] = claim("1Gi");
        Made::edit(old, &[("/spec/volumeClaimTemplates", claim("2Gi"))]).replacing("StatefulSet")
    }),
    ("DaemonSet", "image", |g| {
        let mut old = g.deployment(1, "agent:1");
        old["kind"] = json!("DaemonSet");
        old["spec"].as_object_mut().unwrap().shift_remove("replicas");
        Made::edit(old, &[("/spec/template/spec/containers/0/image", json!("agent:2"))])
    }),
    ("DaemonSet", "image, OnDelete", |g| {
        let mut old = g.deployment(1, "agent:1");
        old["kind"] = json!("DaemonSet");
        old["spec"].as_object_mut().unwrap().shift_remove("replicas");
        old["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
        Made::edit(old, &[("/spec/template/spec/containers/0/image", json!("agent:2"))])
    }),
    ("ReplicaSet", "scale and image", |g| {
        let (from, to) = g.two(1, 3);
        let mut old = g.deployment(from, "web:1");
        old["kind"] = json!("ReplicaSet");
        Made::edit(old, &[("/spec/replicas", json!(to)), ("/spec/template/spec/containers/0/image", json!("web:2"))])
    }),
    ("ReplicationController", "scale", |g| {
        let (from, to) = g.two(1, 3);
        let spec =
            |replicas: u64| json!({"replicas": replicas, "selector": {"app": g.name}, "template": g.template("web:1")});
        Made::one(
            g.object("v1", "ReplicationController", json!({"spec": spec(from)})),
            g.object("v1", "ReplicationController", json!({"spec": spec(to)})),
        )
    }),
    ("Pod", "annotation", |g| {
        let old = g.object("v1", "Pod", json!({"spec": g.pod("web:1")}));
        Made::edit(old, &[("/metadata/annotations", json!({"note": "x"}))]).by(By::Kubectl)
    }),
    ("Pod", "label off", |g| {
        let old = g.object("v1", "Pod", json!({"spec": g.pod("web:1")}));
        let other = edited(&old, &[("/metadata/name", json!(format!("{}-b", g.name)))]);
        Made::edit(old, &[("/metadata/labels", json!({"debug": "yes"}))]).with(&[other, g.service(80)])
    }),
    ("Pod", "command", |g| {
        let old = g.object("v1", "Pod", json!({"spec": g.pod("web:1")}));
        Made::edit(old, &[("/spec/containers/0/command", json!(["run"]))]).replacing("Pod")
    }),
    ("Job", "template", |g| Made::one(g.job("job:1"), g.job("job:2")).replacing("Job")),
    ("Job", "label", |g| Made::edit(g.job("job:1"), &[("/metadata/labels/more", json!("x"))])),
    ("CronJob", "schedule and image", |g| {
        let mut job = g.job("job:1")["spec"].clone();
        job["template"]["metadata"] = json!({"labels": {"app": g.name}});
        let old =
            g.object("batch/v1", "CronJob", json!({"spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": job}}}));
        Made::edit(
            old,
            &[
                ("/spec/schedule", json!("0 4 * * *")),
                ("/spec/jobTemplate/spec/template/spec/containers/0/image", json!("job:2")),
            ],
        )
    }),
    ("Service", "port", |g| Made::one(g.service(80), g.service(81)).with(&[g.deployment(2, "web:1")])),
    ("Service", "another port", |g| {
        Made::edit(g.service(80), &[("/spec/ports/-", json!({"name": "more", "port": 80, "protocol": "UDP"}))])
    }),
    ("Service", "selector", |g| {
        let to = if g.number(0, 1) == 0 { "elsewhere".to_owned() } else { format!("{}-b", g.name) };
        let mut other = g.deployment(1, "web:1");
        let name = format!("{}-b", g.name);
        other["metadata"]["name"] = json!(name);
        other["spec"]["selector"]["matchLabels"]["app"] = json!(name);
        other["spec"]["template"]["metadata"]["labels"]["app"] = json!(name);
        Made::edit(g.service(80), &[("/spec/selector/app", json!(to))]).with(&[g.deployment(2, "web:1"), other])
    }),
    ("Service", "to NodePort", |g| Made::edit(g.service(80), &[("/spec/type", json!("NodePort"))])),
    ("Service", "from NodePort", |g| {
        let mut old = g.service(80);
        old["spec"]["type"] = json!("NodePort");
        Made::edit(old, &[("/spec/type", json!("ClusterIP"))])
    }),
    ("Service", "headless", |g| Made::edit(g.service(80), &[("/spec/clusterIP", json!("None"))]).replacing("Service")),
    ("Service", "selector removed after kubectl apply", |g| {
        let mut old = g.service(80);
        old["spec"]["selector"]["tier"] = json!("a");
        Made::edit(old, &[("/spec/selector/tier", Value::Null)]).by(By::Kubectl).with(&[g.deployment(1, "web:1")])
    }),
    ("ConfigMap", "data", |g| {
        let edit = match g.number(0, 2) {
            0 => ("/data/a", json!("2")),
            1 => ("/data/c", json!("3")),
            _ => ("/data/b", Value::Null),
        };
        let mut reader = g.deployment(1, "web:1");
        reader["spec"]["template"]["spec"]["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": g.name}}]);
        Made::edit(g.config_map(json!({"a": "1", "b": "2"})), &[edit]).with(&[reader])
    }),
    ("ConfigMap", "key removed after kubectl apply", |g| {
        Made::edit(g.config_map(json!({"a": "1", "b": "2"})), &[("/data/b", Value::Null)]).by(By::Kubectl)
    }),
    ("ConfigMap", "key of another manager", |g| {
        let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata":
            {"name": g.name, "namespace": g.namespace}, "data": {"theirs": "x"}});
        let apply = ["apply", "--server-side", "--field-manager=other", "--filename=-"];
        Made::edit(g.config_map(json!({"a": "1", "b": "2"})), &[("/data/b", Value::Null)])
            .by(By::Kubectl)
            .then(&apply, &other)
    }),
    ("ConfigMap", "immutable", |g| {
        let mut old = g.config_map(json!({"a": "1"}));
        old["immutable"] = json!(true);
        Made::edit(old, &[("/data/a", json!("2"))]).replacing("ConfigMap")
    }),
    ("ConfigMap", "hash", |g| {
        let (old, new) = (format!("{}-7dgkc9tm5h", g.name), format!("{}-4b2hgf5k8t", g.name));
        let mut reader = g.deployment(1, "web:1");
        reader["spec"]["template"]["spec"]["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": old}}]);
        let changed = edited(&reader, &[("/spec/template/spec/containers/0/envFrom/0/configMapRef/name", json!(new))]);
        Made::new(
            vec![g.named("v1", "ConfigMap", &old, json!({"data": {"a": "1"}})), reader],
            vec![g.named("v1", "ConfigMap", &new, json!({"data": {"a": "2"}})), changed],
        )
    }),
    ("Secret", "value", |g| {
        Made::one(g.secret(json!({"a": "first-value", "b": "second-value"})), g.secret(json!({"a": "third-value"})))
    }),
    ("Secret", "key removed after kubectl apply", |g| {
        let secret = |data: Value| g.object("v1", "Secret", json!({ "data": data }));
        Made::one(secret(json!({"a": "Zmlyc3Q=", "b": "c2Vjb25k"})), secret(json!({"a": "Zmlyc3Q="}))).by(By::Kubectl)
    }),
    ("Secret", "type", |g| {
        let mut old = g.secret(json!({"a": "first-value"}));
        old["type"] = json!("Opaque");
        Made::edit(old, &[("/type", json!("example.com/other"))]).replacing("Secret")
    }),
    ("ServiceAccount", "token", |g| {
        let old = g.object("v1", "ServiceAccount", json!({}));
        Made::edit(old, &[("/automountServiceAccountToken", json!(false))])
    }),
    ("Role", "rules", |g| {
        let rule = |verbs: Value| json!([{"apiGroups": [""], "resources": ["pods"], "verbs": verbs}]);
        let old = g.object(RBAC, "Role", json!({"rules": rule(json!(["get"]))}));
        Made::edit(old, &[("/rules", rule(json!(["get", "list"])))]).by(By::Kubectl)
    }),
    ("RoleBinding", "subjects", |g| {
        let old = g.binding("RoleBinding", "view");
        let more = json!({"kind": "User", "name": "somebody", "apiGroup": "rbac.authorization.k8s.io"});
        Made::edit(old, &[("/subjects/-", more)])
    }),
    ("RoleBinding", "role", |g| {
        Made::one(g.binding("RoleBinding", "view"), g.binding("RoleBinding", "edit")).replacing("RoleBinding")
    }),
    ("ClusterRole", "rules", |g| {
        let rules = |verb: &str| json!([{"apiGroups": [""], "resources": ["nodes"], "verbs": [verb]}]);
        let old = g.shared(RBAC, "ClusterRole", json!({"rules": rules("get")}));
        Made::edit(old, &[("/rules", rules("list"))])
    }),
    ("ClusterRole", "aggregation", |g| {
        let rule =
            json!({"clusterRoleSelectors": [{"matchLabels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}}]});
        let old = g.shared(RBAC, "ClusterRole", json!({"aggregationRule": rule, "rules": []}));
        Made::edit(old, &[("/metadata/labels/more", json!("x"))])
    }),
    ("ClusterRoleBinding", "role", |g| {
        Made::one(g.binding("ClusterRoleBinding", "view"), g.binding("ClusterRoleBinding", "edit"))
            .replacing("ClusterRoleBinding")
    }),
    ("NetworkPolicy", "ingress", |g| {
        let spec = json!({"podSelector": {"matchLabels": {"app": g.name}}, "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"role": "a"}}}], "ports": [{"port": 80}]}]});
        let old = g.object("networking.k8s.io/v1", "NetworkPolicy", json!({ "spec": spec }));
        Made::edit(old, &[("/spec/ingress/0/ports/-", json!({"port": 81, "protocol": "UDP"}))])
    }),
    ("Ingress", "rules", |g| {
        let which = g.number(0, 1);
        let path = |port: u64| json!({"path": "/", "pathType": "Prefix", "backend": {"service": {"name": g.name, "port": {"number": port}}}});
        let spec = json!({"rules": [{"host": "a.example.com", "http": {"paths": [path(80)]}}]});
        let old = g.object("networking.k8s.io/v1", "Ingress", json!({ "spec": spec }));
        let edit = match which {
            0 => ("/spec/rules/0/host", json!("b.example.com")),
            _ => ("/spec/rules/-", json!({"host": "c.example.com", "http": {"paths": [path(80)]}})),
        };
        Made::edit(old, &[edit]).with(&[g.service(80), g.deployment(1, "web:1")])
    }),
    ("IngressClass", "controller", |g| {
        let old = g.shared("networking.k8s.io/v1", "IngressClass", json!({"spec": {"controller": "example.com/a"}}));
        Made::edit(old, &[("/spec/controller", json!("example.com/b"))]).replacing("IngressClass")
    }),
    ("HorizontalPodAutoscaler", "maximum", |g| {
        let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": g.name});
        let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}});
        let spec = json!({"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 4, "metrics": [metric]});
        let old = g.object("autoscaling/v2", "HorizontalPodAutoscaler", json!({ "spec": spec }));
        let edit = match g.number(0, 1) {
            0 => ("/spec/maxReplicas", json!(6)),
            _ => ("/spec/metrics/0/resource/target/averageUtilization", json!(70)),
        };
        Made::edit(old, &[edit]).with(&[g.deployment(1, "web:1")])
    }),
    ("PodDisruptionBudget", "minimum", |g| {
        let selector = json!({"matchLabels": {"app": g.name}});
        let old =
            g.object("policy/v1", "PodDisruptionBudget", json!({"spec": {"selector": selector, "minAvailable": 1}}));
        let new = edited(&old, &[("/spec/minAvailable", Value::Null), ("/spec/maxUnavailable", json!(1))]);
        Made::one(old, new).with(&[g.deployment(2, "web:1")])
    }),
    ("PersistentVolumeClaim", "access", |g| {
        let spec = |mode: &str| json!({"storageClassName": "standard", "accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}});
        let claim = |mode: &str| g.object("v1", "PersistentVolumeClaim", json!({"spec": spec(mode)}));
        Made::one(claim("ReadWriteOnce"), claim("ReadOnlyMany")).replacing("PersistentVolumeClaim")
    }),
    ("PersistentVolumeClaim", "label", |g| {
        let spec = json!({"storageClassName": "standard", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
        let old = g.object("v1", "PersistentVolumeClaim", json!({ "spec": spec }));
        Made::edit(old, &[("/metadata/labels/more", json!("x"))])
    }),
    ("PersistentVolume", "source", |g| {
        let spec = json!({"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": g.name,
            "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": "/a"}});
        let old = g.shared("v1", "PersistentVolume", json!({ "spec": spec }));
        Made::edit(old, &[("/spec/hostPath/path", json!("/b"))]).replacing("PersistentVolume")
    }),
    ("PersistentVolume", "reclaim policy", |g| {
        let spec = json!({"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": g.name,
            "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": "/a"}});
        let old = g.shared("v1", "PersistentVolume", json!({ "spec": spec }));
        Made::edit(old, &[("/spec/persistentVolumeReclaimPolicy", json!("Recycle"))])
    }),
    ("StorageClass", "parameters", |g| {
        let old = g.shared(
            "storage.k8s.io/v1",
            "StorageClass",
            json!({"provisioner": "example.com/p", "parameters": {"a": "1"}}),
        );
        Made::edit(old, &[("/parameters/a", json!("2"))]).replacing("StorageClass")
    }),
    ("PriorityClass", "value", |g| {
        let old = g.shared("scheduling.k8s.io/v1", "PriorityClass", json!({"value": 10, "description": "some"}));
        if g.number(0, 1) == 0 {
            Made::edit(old, &[("/description", json!("other"))])
        } else {
            Made::edit(old, &[("/value", json!(11))]).replacing("PriorityClass")
        }
    }),
    ("RuntimeClass", "handler", |g| {
        let old = g.shared("node.k8s.io/v1", "RuntimeClass", json!({"handler": "a"}));
        Made::edit(old, &[("/handler", json!("b"))]).replacing("RuntimeClass")
    }),
    ("ResourceQuota", "limits", |g| {
        let (from, to) = g.two(50, 60);
        let quota =
            |pods: u64| g.object("v1", "ResourceQuota", json!({"spec": {"hard": {"count/widgets.example.com": pods}}}));
        Made::one(quota(from), quota(to))
    }),
    ("LimitRange", "defaults", |g| {
        let range =
            |cpu: &str| json!({"spec": {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": cpu}}]}});
        Made::one(g.object("v1", "LimitRange", range("100Gi")), g.object("v1", "LimitRange", range("200Gi")))
    }),
    ("Namespace", "label", |g| {
        let old = g.shared("v1", "Namespace", json!({}));
        let inside = |data: &str| {
            let mut map = g.config_map(json!({ "a": data }));
            map["metadata"]["namespace"] = json!(g.name);
            map
        };
        Made::new(
            vec![old.clone(), inside("1")],
            vec![edited(&old, &[("/metadata/labels/more", json!("x"))]), inside("2")],
        )
    }),
    ("Namespace", "new, with objects", |g| {
        let name = g.name.clone();
        let inside = |mut object: Value| {
            object["metadata"]["namespace"] = json!(name);
            object
        };
        let mut web = g.deployment(1, "web:1");
        web["spec"]["template"]["spec"]["serviceAccountName"] = json!(g.name);
        let new = vec![
            inside(web),
            inside(g.service(80)),
            inside(g.object("v1", "ServiceAccount", json!({}))),
            g.shared("v1", "Namespace", json!({})),
        ];
        Made::new(vec![], new)
    }),
    ("CustomResourceDefinition", "new, with object and namespace", |g| {
        let (definition, mut thing) = g.definition();
        thing["metadata"]["namespace"] = json!(g.name);
        Made::new(vec![], vec![thing, definition, g.shared("v1", "Namespace", json!({}))])
    }),
    ("CustomResourceDefinition", "column", |g| {
        let (definition, _) = g.definition();
        let column = json!([{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}]);
        Made::edit(definition, &[("/spec/versions/0/additionalPrinterColumns", column)])
    }),
    ("Custom resource", "spec", |g| {
        let (definition, thing) = g.definition();
        Made::edit(thing, &[("/spec/size", json!(2))]).with(&[definition])
    }),
    ("Custom resource", "field removed", |g| {
        let (definition, mut thing) = g.definition();
        thing["spec"]["color"] = json!("blue");
        Made::edit(thing, &[("/spec/color", Value::Null)]).with(&[definition])
    }),
    ("Custom resource", "immutable by rule", |g| {
        let kind = "Custom";
        let (definition, thing) = g.definition();
        Made::edit(thing, &[("/spec/fixed", json!("b"))]).with(&[definition]).replacing(kind)
    }),
    ("ValidatingWebhookConfiguration", "rules", |g| {
        let service = json!({"service": {"name": g.name, "namespace": g.namespace, "path": "/"}});
        let rule = |operation: &str| json!([{"apiGroups": ["example.com"], "apiVersions": ["v1"], "operations": [operation], "resources": ["none"]}]);
        let hook = json!([{"name": "a.example.com", "clientConfig": service, "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "failurePolicy": "Ignore", "rules": rule("CREATE")}]);
        let old =
            g.shared("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", json!({ "webhooks": hook }));
        Made::edit(old, &[("/webhooks/0/rules", rule("UPDATE"))]).with(&[g.service(80), g.deployment(1, "web:1")])
    }),
    ("Lease", "holder", |g| {
        let old = g.object(
            "coordination.k8s.io/v1",
            "Lease",
            json!({"spec": {"holderIdentity": "a", "leaseDurationSeconds": 30}}),
        );
        Made::edit(old, &[("/spec/holderIdentity", json!("b"))])
    }),
    ("EndpointSlice", "endpoints", |g| {
        let rest = json!({"addressType": "IPv4", "endpoints": [{"addresses": ["192.0.2.1"]}], "ports": [{"port": 80}]});
        let old = g.object("discovery.k8s.io/v1", "EndpointSlice", rest);
        Made::edit(old, &[("/endpoints/-", json!({"addresses": ["192.0.2.2"]}))])
    }),
    ("ValidatingAdmissionPolicy", "expression", |g| {
        let matches = json!({"resourceRules": [{"apiGroups": ["example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["none"]}]});
        let old = g.shared(
            "admissionregistration.k8s.io/v1",
            "ValidatingAdmissionPolicy",
            json!({"spec": {"matchConstraints": matches, "validations": [{"expression": "true"}]}}),
        );
        Made::edit(old, &[("/spec/validations/0/expression", json!("1 == 1"))])
    }),
    ("Deployment", "taken over from helm", |g| {
        let mut old = g.deployment(1, "web:1");
        old["metadata"]["labels"]["chart"] = json!("web-1");
        let helm = ["apply", "--server-side", "--field-manager=helm", "--filename=-"];
        let new = edited(&old, &[("/metadata/labels/chart", Value::Null), ("/spec/replicas", json!(2))]);
        Made::new(vec![], vec![new]).then(&helm, &old)
    }),
    ("ConfigMap", "left to its owner", |g| {
        let theirs = g.config_map(json!({"theirs": "x"}));
        let keda = ["apply", "--server-side", "--field-manager=keda-operator", "--filename=-"];
        Made::new(vec![], vec![g.config_map(json!({"theirs": "y", "ours": "1"}))]).then(&keda, &theirs)
    }),
    ("Deployment", "everything removed after kubectl apply", |g| {
        let mut old = g.deployment(1, "web:1");
        let pod = &mut old["spec"]["template"]["spec"];
        pod["securityContext"] = json!({"runAsUser": 1000, "fsGroup": 2000});
        pod["terminationGracePeriodSeconds"] = json!(5);
        pod["volumes"] = json!([{"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {}}]);
        pod["containers"][0]["volumeMounts"] =
            json!([{"name": "a", "mountPath": "/a"}, {"name": "b", "mountPath": "/b"}]);
        pod["containers"][0]["args"] = json!(["x", "y"]);
        old["spec"]["strategy"] = json!({"rollingUpdate": {"maxSurge": 2}});
        old["spec"]["minReadySeconds"] = json!(1);
        let new = g.deployment(1, "web:1");
        Made::one(old, new).by(By::Kubectl)
    }),
    ("Service", "ports removed after kubectl apply", |g| {
        let mut old = g.service(80);
        let more =
            json!([{"name": "http", "port": 80, "targetPort": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}]);
        old["spec"]["ports"] = more;
        old["spec"]["sessionAffinity"] = json!("ClientIP");
        old["spec"]["externalIPs"] = json!(["192.0.2.1"]);
        Made::one(old, g.service(80)).by(By::Kubectl)
    }),
    ("Ingress", "host removed after kubectl create", |g| {
        let rule = |host: &str| {
            json!({"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix",
            "backend": {"service": {"name": g.name, "port": {"number": 80}}}}]}})
        };
        let old = g.object(
            "networking.k8s.io/v1",
            "Ingress",
            json!({"spec": {"ingressClassName": "none", "rules": [rule("a.example.com"), rule("b.example.com")]}}),
        );
        let new = edited(&old, &[("/spec/rules/1", Value::Null), ("/spec/ingressClassName", Value::Null)]);
        let others = [g.service(80), g.deployment(1, "web:1")];
        Made::one(old, new).by(By::Created).with(&others)
    }),
];
