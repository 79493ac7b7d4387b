//! Small sets placed from end to end; what the real scheduler says of pods is in `tests/placement_cases`.

use serde_json::Value;

use super::nodes::Inventory;
use super::{Verdict, prepare};
use crate::config::Settings;
use crate::model::{Bundle, Full, Object, ParsedFile, Role, SetId};
use crate::source::{Source, SourceText};
use crate::yaml;

/// A set with these objects, as they stand.
pub fn bundle(objects: &[Value]) -> Bundle {
    let mut bundle = Bundle::default();
    let text: SourceText = objects.iter().map(|object| format!("{object}\n")).collect::<String>().into();
    let file = yaml::read(&text);
    let id = bundle.sources.add(Source::new("test.json", text));
    for document in &file.documents {
        let Some(root) = document.root else { continue };
        let view = file.tree.view(root);
        let meta = |key: &str| view.at(&["metadata", key]).and_then(yaml::View::str).map(str::to_owned);
        let kind = view.get_str("kind").unwrap_or("").to_owned();
        let cluster_scoped = [
            "Node",
            "Namespace",
            "PriorityClass",
            "RuntimeClass",
            "PersistentVolume",
            "StorageClass",
            "CSINode",
            "CSIDriver",
        ];
        let namespace = meta("namespace").or_else(|| Some("default".to_owned()));
        bundle.objects.push(Object {
            file: id,
            document: document.index,
            set: SetId(0),
            root,
            api_version: view.get_str("apiVersion").unwrap_or("").to_owned(),
            name: meta("name").unwrap_or_default(),
            namespace: namespace.filter(|_| !cluster_scoped.contains(&kind.as_str())),
            kind,
            full: Full::Unknown,
            admitted: None,
            template_at: None,
        });
    }
    bundle.files.push(ParsedFile {
        tree: file.tree,
        documents: file.documents,
        comments: file.comments,
        role: Role::Manifest,
    });
    bundle
}

fn node(name: &str, cpu: &str, memory: &str) -> Value {
    let amounts = serde_json::json!({"cpu": cpu, "memory": memory, "pods": "110"});
    serde_json::json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {}, "status": {"allocatable": amounts}})
}

fn deployment(name: &str, replicas: i64, cpu: &str, memory: &str) -> Value {
    serde_json::json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": "app:1", "resources": {"requests": {"cpu": cpu, "memory": memory}}}]}}}})
}

fn simulate(objects: &[Value]) -> (super::Placement, Vec<crate::diag::Diagnostic>) {
    let bundle = bundle(objects);
    super::run(&bundle, &Inventory::from_bundle(&bundle), &Settings::default())
}

fn changes(placement: &super::Placement) -> Vec<&str> {
    placement.remedies.iter().map(|remedy| remedy.change.as_str()).collect()
}

#[test]
fn insufficient_cpu() {
    let (placement, found) = simulate(&[
        node("one", "1", "2Gi"),
        deployment("web", 3, "200m", "200Mi"),
        deployment("celery", 3, "200m", "200Mi"),
        deployment("beat", 1, "200m", "200Mi"),
    ]);
    let pending = placement.pods.iter().filter(|pod| pod.verdict == Verdict::Pending).count();
    assert_eq!((placement.pods.len(), pending, found.len()), (7, 2, 1));
    assert_eq!(found[0].rule, "pod-unschedulable");
    assert_eq!(found[0].message, "2 of 7 pods find no node");
    assert_eq!(found[0].field.as_deref(), Some("spec.template.spec.containers[0].resources.requests.cpu"));
    assert_eq!(found[0].related.len(), 1);
    assert_eq!(
        changes(&placement),
        ["requests.cpu ≤ 142m for web, celery and beat", "one more node with ≥ 400m cpu and ≥ 400Mi memory"]
    );
}

#[test]
fn memory_too_big_and_taints() {
    let mut master = node("my-master", "2", "2Gi");
    master["spec"] = serde_json::json!({"taints": [{"key": "node-role.kubernetes.io/master", "effect": "NoSchedule"}]});
    let (_, found) = simulate(&[master.clone(), node("my-node", "2", "2Gi"), deployment("web", 1, "100m", "3Gi")]);
    assert_eq!(found.iter().map(|one| one.rule).collect::<Vec<_>>(), ["request-exceeds-node"]);
    assert_eq!(found[0].message, "requests 3Gi memory, the most that a node has is 2Gi (my-node) even when empty");
    master["metadata"]["labels"]["test123_env"] = "prod".into();
    let mut web = deployment("web", 10, "0", "0");
    web["spec"]["template"]["spec"]["nodeSelector"] = serde_json::json!({"test123_env": "prod"});
    let (placement, found) = simulate(&[master, node("my-node", "2", "2Gi"), web.clone()]);
    assert_eq!(found.iter().map(|one| one.rule).collect::<Vec<_>>(), ["taint-conflict"]);
    assert_eq!(found[0].field.as_deref(), Some("spec.template.spec.nodeSelector"));
    assert_eq!(
        changes(&placement),
        [
            "a toleration for the taint node-role.kubernetes.io/master:NoSchedule",
            "the taint node-role.kubernetes.io/master:NoSchedule removed from my-master"
        ]
    );
    let (placement, found) = simulate(&[node("my-node", "2", "2Gi"), web]);
    assert_eq!(found.iter().map(|one| one.rule).collect::<Vec<_>>(), ["pod-unschedulable"]);
    assert_eq!(changes(&placement), ["label test123_env=prod on node my-node"]);
}

#[test]
fn rollout_of_sms_web() {
    let (placement, found) = simulate(&[node("big", "4", "8Gi"), deployment("sms-web", 6, "100m", "200Mi")]);
    let rollout = &placement.rollouts[0];
    assert_eq!((rollout.fits, rollout.peak_pods, rollout.lowest_ready, found.len()), (true, 8, 5, 0));
    let (placement, _) = simulate(&[node("small", "600m", "8Gi"), deployment("sms-web", 6, "100m", "200Mi")]);
    let rollout = &placement.rollouts[0];
    assert_eq!((rollout.fits, rollout.peak_pods, rollout.lowest_ready), (true, 8, 5));
    let mut strict = deployment("sms-web", 3, "200m", "200Mi");
    strict["spec"]["strategy"] = serde_json::json!({"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}});
    let (placement, _) = simulate(&[node("small", "600m", "8Gi"), strict]);
    let rollout = &placement.rollouts[0];
    let stall = rollout.stalls.as_ref().unwrap();
    assert_eq!((rollout.fits, rollout.peak_pods, rollout.lowest_ready, stall.step), (false, 4, 3, 2));
    assert!(stall.message.starts_with("0/1 nodes are available: 1 Insufficient cpu."));
}

/// Pods in their places: one at a time goes and comes again, unless nodes may surge.
#[test]
fn rollouts_of_ordinals_and_nodes() {
    let mut db = deployment("db", 3, "100m", "200Mi");
    db["kind"] = "StatefulSet".into();
    let mut agent = deployment("agent", 1, "100m", "10Mi");
    agent["kind"] = "DaemonSet".into();
    let mut surging = deployment("surging", 1, "100m", "10Mi");
    surging["kind"] = "DaemonSet".into();
    surging["spec"]["updateStrategy"] = serde_json::json!({"rollingUpdate": {"maxSurge": "50%", "maxUnavailable": 0}});
    let mut by_hand = surging.clone();
    by_hand["metadata"]["name"] = "by-hand".into();
    by_hand["spec"]["updateStrategy"] = serde_json::json!({"type": "OnDelete"});
    let (placement, _) = simulate(&[node("a", "1", "8Gi"), node("b", "1", "8Gi"), db, agent, surging, by_hand]);
    let rollouts: Vec<_> =
        placement.rollouts.iter().map(|one| (&*one.owner, one.fits, one.peak_pods, one.lowest_ready)).collect();
    let expected = [("StatefulSet/db", true, 3, 2), ("DaemonSet/agent", true, 2, 1), ("DaemonSet/surging", true, 3, 2)];
    assert_eq!(rollouts, expected);
}

/// A live pod on node `a`; `owner` is the kind of its controller.
fn live_pod(name: &str, owner: &str, cpu: &str, tolerations: Value) -> Value {
    let mut pod = serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"nodeName": "a",
        "tolerations": tolerations, "containers": [{"name": "c", "image": "nginx", "resources": {"requests": {"cpu": cpu}}}]}});
    if !owner.is_empty() {
        pod["metadata"]["ownerReferences"] = serde_json::json!([{"kind": owner, "name": "owner", "controller": true}]);
    }
    pod
}

fn tainted(name: &str, effects: &[&str]) -> Value {
    let mut node = node(name, "1", "8Gi");
    let taints: Vec<Value> =
        effects.iter().map(|effect| serde_json::json!({"key": "down", "effect": effect})).collect();
    node["spec"] = serde_json::json!({ "taints": taints });
    node
}

/// What runs can go elsewhere with its node, but for pods that nobody makes anew.
#[test]
fn losses_of_what_runs() {
    let nobodys = serde_json::json!([]);
    let live =
        bundle(&[live_pod("web-1", "ReplicaSet", "300m", nobodys.clone()), live_pod("naked", "", "300m", nobodys)]);
    let nodes = Inventory::from_bundle(&bundle(&[node("a", "1", "8Gi"), node("b", "1", "8Gi")])).nodes;
    let inventory = Inventory { nodes, live: Some(&live), ..Inventory::default() };
    let (placement, _) = super::run(&bundle(&[]), &inventory, &Settings::default());
    let pending: Vec<&[String]> = placement.losses.iter().map(|loss| &*loss.pending).collect();
    assert_eq!(pending, [&["default/naked".to_owned()][..], &[]]);
    assert_eq!(placement.drains[0].pending, ["default/naked"]);
}

/// A budget counts the pods that are wanted, and only those that are ready keep it.
#[test]
fn drains_under_budgets() {
    let budget = |key: &str, amount: Value| {
        serde_json::json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"},
            "spec": {key: amount, "selector": {"matchLabels": {"app": "web"}}}})
    };
    let blocked = |objects: &[Value]| {
        let (placement, _) = simulate(objects);
        placement.drains.iter().filter(|drain| !drain.blocked.is_empty()).count()
    };
    // Of four two have room, on a node each.
    let set = |budget: Value| {
        let nodes = ["a", "b"].map(|name| node(name, "1", "8Gi"));
        [&nodes[..], &[deployment("web", 4, "600m", "10Mi"), budget]].concat()
    };
    assert_eq!(blocked(&set(budget("maxUnavailable", 2.into()))), 2);
    assert_eq!(blocked(&set(budget("maxUnavailable", 3.into()))), 0);
    assert_eq!(blocked(&set(budget("minAvailable", "50%".into()))), 2);
    assert_eq!(blocked(&set(budget("minAvailable", "25%".into()))), 0);
}

/// What a taint of effect NoExecute drives off holds no room, and comes again elsewhere before the set does.
#[test]
fn taints_evict_what_runs() {
    let bears = |seconds: Value| serde_json::json!([{"key": "down", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds}]);
    let live = bundle(&[
        live_pod("driven-off", "ReplicaSet", "600m", serde_json::json!([])),
        live_pod("soon", "ReplicaSet", "100m", bears(0.into())),
        live_pod("daemon", "DaemonSet", "50m", serde_json::json!([])),
        live_pod("naked", "", "50m", serde_json::json!([])),
        live_pod("late", "ReplicaSet", "100m", bears(60.into())),
        live_pod("later", "ReplicaSet", "500m", bears(300.into())),
        live_pod("bears", "ReplicaSet", "50m", bears(Value::Null)),
    ]);
    let set = bundle(&[deployment("web", 1, "200m", "10Mi")]);
    let names = |pods: &[&str]| pods.iter().map(|name| format!("default/{name}")).collect::<Vec<_>>();
    let run = |effects: &[&str]| {
        let nodes = Inventory::from_bundle(&bundle(&[tainted("a", effects), node("b", "1", "8Gi")])).nodes;
        super::run(&set, &Inventory { nodes, live: Some(&live), ..Inventory::default() }, &Settings::default()).0
    };
    let placement = run(&["NoSchedule"]);
    assert_eq!((placement.nodes[0].pods.len(), placement.evictions.len()), (7, 0));
    let placement = run(&["NoSchedule", "NoExecute"]);
    assert_eq!(placement.nodes[0].pods, names(&["late", "later", "bears"]));
    assert_eq!(placement.nodes[1].pods, names(&["driven-off", "soon", "web-0"]));
    let told: Vec<(u64, &[String], &[String])> =
        placement.evictions.iter().map(|one| (one.after, &*one.pods, &*one.pending)).collect();
    let expected = [
        (0, names(&["driven-off", "soon", "daemon", "naked"]), vec![]),
        (60, names(&["late"]), vec![]),
        (300, names(&["later"]), names(&["later"])),
    ];
    let expected: Vec<(u64, &[String], &[String])> =
        expected.iter().map(|(after, pods, pending)| (*after, &**pods, &**pending)).collect();
    assert_eq!(told, expected);
}

#[test]
fn claims_daemons_and_autoscalers() {
    let claim = serde_json::json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "my-pvc"},
        "spec": {"accessModes": ["ReadWriteMany"], "storageClassName": "manual", "resources": {"requests": {"storage": "1Gi"}}}});
    let volume = |size: &str| {
        serde_json::json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "my-pv"},
        "spec": {"accessModes": ["ReadWriteMany"], "storageClassName": "manual", "capacity": {"storage": size}, "hostPath": {"path": "/x"}}})
    };
    let mut web = deployment("web", 1, "300m", "1Gi");
    web["spec"]["template"]["spec"]["volumes"] =
        serde_json::json!([{"name": "v", "persistentVolumeClaim": {"claimName": "my-pvc"}}]);
    let (placement, found) = simulate(&[node("n", "1", "8Gi"), claim.clone(), volume("1Gi"), web.clone()]);
    assert_eq!((placement.pods[0].verdict, found.len()), (Verdict::Scheduled, 0));
    let (placement, found) = simulate(&[node("n", "1", "8Gi"), claim, volume("500Mi"), web]);
    assert_eq!(
        placement.pods[0].message.as_deref(),
        Some("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found")
    );
    assert!(
        found[0]
            .help
            .as_deref()
            .unwrap()
            .contains("claim my-pvc is not bound: volume my-pv has 500Mi, the claim asks for 1Gi")
    );
    let autoscaler = serde_json::json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "minReplicas": 2, "maxReplicas": 5}});
    let mut daemon = deployment("agent", 1, "100m", "10Mi");
    daemon["kind"] = "DaemonSet".into();
    let (placement, _) = simulate(&[
        node("n", "1", "8Gi"),
        node("m", "1", "8Gi"),
        deployment("web", 1, "300m", "1Gi"),
        autoscaler,
        daemon,
    ]);
    let names: Vec<&str> = placement.pods.iter().map(|pod| pod.name.as_str()).collect();
    assert_eq!(names, ["web-0", "web-1", "agent-0", "agent-1"]);
    assert_eq!((placement.scales[0].replicas, placement.scales[0].pending), (5, 0));
    assert!(placement.losses.iter().all(|loss| loss.pending.is_empty()));
}

#[test]
fn inventories() {
    let read = |text: &str| Inventory::from_text(&SourceText::from(text));
    let nodes = read("nodes:\n- {name: w, count: 2, cpu: 4, memory: 8Gi, zone: a, taints: [k=v:NoSchedule]}\n- {name: m, cpu: '2', memory: 2Gi, pods: 5}\n").unwrap().nodes;
    let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!((names, nodes[0].allocatable.cpu, nodes[2].max_pods), (vec!["w-1", "w-2", "m"], 4000, 5));
    assert_eq!(nodes[1].labels.get("kubernetes.io/hostname").map(String::as_str), Some("w-2"));
    let message = |text: &str| read(text).unwrap_err().remove(0).message;
    assert_eq!(message("nodes:\n- {name: a, cpu: -1, memory: 1Gi}\n"), "node `a`: cpu `-1` is negative");
    assert_eq!(
        message("nodes:\n- {name: a, cpu: 1, memory: 1g}\n"),
        "node `a`: memory `1g` is no quantity; write 4, 500m or 8Gi"
    );
    assert_eq!(message("nodes:\n- {name: a, cpu: 0, memory: 1Gi}\n"), "node `a`: cpu `0` is zero; nothing would fit");
    assert!(
        message("nodes:\n- {name: a, cpu: 1, memory: 1Gi}\n- {name: a, cpu: 1, memory: 1Gi}\n").contains("given twice")
    );
    assert!(message("nodes:\n- {name: a, cpus: 1}\n").starts_with("`cpus` is no field"));
}

/// What LimitRanges add is counted against quotas, pod after pod.
#[test]
fn replicas_share_the_quota_of_their_namespace() {
    let meta = |name: &str| serde_json::json!({ "name": name });
    let template = serde_json::json!({ "metadata": { "labels": { "app": "web" } },
        "spec": { "containers": [{ "name": "web", "image": "nginx" }] } });
    let objects = [
        serde_json::json!({ "apiVersion": "v1", "kind": "LimitRange", "metadata": meta("bounds"),
            "spec": { "limits": [{ "type": "Container", "defaultRequest": { "cpu": "400m" } }] } }),
        serde_json::json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta("compute"),
            "spec": { "hard": { "requests.cpu": "1" } } }),
        serde_json::json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("web"),
            "spec": { "replicas": 3, "selector": { "matchLabels": { "app": "web" } }, "template": template } }),
    ];
    let bundle = bundle(&objects);
    let (_, expansion) = prepare(&bundle, &Inventory::from_bundle(&bundle), &Settings::default());
    let rejected: Vec<Option<&str>> = expansion.replicas.iter().map(|replica| replica.rejected.as_deref()).collect();
    let refusal = "pods \"web-2\" is forbidden: exceeded quota: compute, requested: requests.cpu=400m, \
                   used: requests.cpu=800m, limited: requests.cpu=1";
    assert_eq!(rejected, [None, None, Some(refusal)]);
}

/// A ReplicaSet under a full quota gets its pods when old ones have gone, but nothing tells it then.
#[test]
fn a_rollout_under_a_full_quota_waits() {
    let refused = |pods: &str| {
        let template = serde_json::json!({ "metadata": { "labels": { "app": "web" } },
            "spec": { "containers": [{ "name": "web", "image": "nginx" }] } });
        let strategy =
            serde_json::json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 1 } });
        let objects = [
            node("a", "8", "8Gi"),
            serde_json::json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "few" },
                "spec": { "hard": { "pods": pods } } }),
            serde_json::json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
                "spec": { "replicas": 4, "selector": { "matchLabels": { "app": "web" } }, "strategy": strategy,
                    "template": template } }),
        ];
        let bundle = bundle(&objects);
        let (placement, _) = super::run(&bundle, &Inventory::from_bundle(&bundle), &Settings::default());
        let rollout = placement.rollouts.first().unwrap();
        assert!(rollout.fits);
        rollout.refused.clone()
    };
    let why = refused("4").unwrap();
    assert!(why.contains("exceeded quota: few, requested: pods=1, used: pods=4, limited: pods=4"), "{why}");
    assert_eq!(refused("5"), None);
}
