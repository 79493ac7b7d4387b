//! Placement, rules and comparisons on the state of a cluster. `fixtures/simulate/live-*` hold what a 1.36.3 control plane
//! did with the manifests, `fixtures/snapshot` snapshots of the same one.
#![allow(clippy::unwrap_used)]

mod support;

#[path = "support/rollout.rs"]
mod rollout;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{kplan, root};

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Where a pod of the report is in the end.
fn place(pod: &Value) -> String {
    let end = if pod["settled"].is_null() { pod } else { &pod["settled"] };
    end["node"].as_str().unwrap_or("-").to_owned()
}

/// What kplan says of a case otherwise than the cluster did.
fn differences(case: &Path) -> Vec<String> {
    let answer: Value = serde_json::from_str(&fs::read_to_string(case.join("answer.json")).unwrap()).unwrap();
    let run = kplan(case, &["simulate", "manifests.yaml", "--snapshot", "snapshot.json", "--output", "json"]);
    let report = match run.report() {
        Ok(report) => report,
        Err(error) => return vec![error],
    };
    let pods: Vec<&Value> = list(&report["placement"], "pods").collect();
    let owners: BTreeSet<&str> = pods.iter().map(|pod| text(pod, "owner")).collect();
    let mut wrong = Vec::new();
    for owner in owners {
        let ours: Vec<&&Value> = pods.iter().filter(|pod| pod["owner"] == owner).collect();
        let real: Vec<&Value> = list(&answer, "pods").filter(|pod| pod["owner"] == owner).collect();
        let mut nodes: Vec<String> = ours.iter().map(|pod| place(pod)).collect();
        let mut wanted: Vec<String> = real.iter().map(|pod| pod["node"].as_str().unwrap_or("-").to_owned()).collect();
        nodes.sort();
        wanted.sort();
        if nodes != wanted {
            wrong.push(format!("{owner} is on {nodes:?}, in the cluster on {wanted:?}"));
        }
        let said: BTreeSet<&str> =
            ours.iter().filter(|pod| place(pod) == "-").map(|pod| text(pod, "message")).collect();
        let heard: BTreeSet<&str> =
            real.iter().filter(|pod| pod["node"].is_null()).map(|pod| text(pod, "message")).collect();
        if said != heard {
            wrong.push(format!("{owner}: {said:?}\n    the scheduler says {heard:?}"));
        }
        // Pods of a StatefulSet keep their names; which pod of a DaemonSet is replaced first is random.
        if owner.starts_with("Deployment/") {
            let gone: Vec<&str> = list(&answer, "gone").filter_map(Value::as_str).collect();
            let kept = real.iter().filter(|pod| pod["kept"] == true);
            let kept: Vec<&str> = kept.map(|pod| text(pod, "name")).collect();
            // Which ones go is open where they became ready in the same second: as many stay as stayed there.
            let stay = ours.iter().map(|pod| text(pod, "name"));
            let stay = stay.filter(|name| kept.contains(name) || gone.contains(name)).count();
            if stay != kept.len() {
                wrong.push(format!("{owner}: {stay} of its pods stay, in the cluster {}", kept.len()));
            }
        }
    }
    let victims: BTreeSet<String> = pods
        .iter()
        .flat_map(|pod| list(pod, "victims"))
        .map(|name| name.as_str().unwrap_or_default().to_owned())
        .collect();
    let evicted: BTreeSet<String> =
        list(&answer, "evicted").map(|name| name.as_str().unwrap_or_default().to_owned()).collect();
    if victims != evicted {
        wrong.push(format!("victims are {victims:?}, in the cluster {evicted:?}"));
    }
    wrong
}

#[test]
fn sets_land_as_they_did_in_the_cluster() {
    let mut cases: Vec<PathBuf> =
        fs::read_dir(root().join("fixtures/simulate")).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.is_dir());
    cases.sort();
    assert!(cases.len() >= 10, "{} cases", cases.len());
    let mut wrong = String::new();
    for case in &cases {
        for line in differences(case) {
            wrong.push_str(&format!("{}: {line}\n", case.file_name().unwrap().to_string_lossy()));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Changes of Deployments, StatefulSets and DaemonSets, as `tests/cluster/rollouts.rs` recorded them: whether they got
/// through, how many pods stayed ready, and what the scheduler said where they stalled.
#[test]
fn rollouts_go_as_they_did_in_the_cluster() {
    let mut rows = support::recorded("rollouts-1.36");
    let nodes = rows.remove(0)["nodes"].as_array().unwrap().clone();
    assert!(rows.len() >= 10, "{} rows", rows.len());
    let mut wrong = String::new();
    for mut row in rows {
        let folder = support::folder("live-rollout");
        // Those that were played alone have nodes of their own.
        let nodes = row["nodes"].as_array().unwrap_or(&nodes);
        let live = rollout::snapshot(nodes.iter().chain(list(&row, "live")).cloned().collect());
        let mut new = row["new"].as_array().unwrap().clone();
        let one = rollout::said(&folder, &live, &new).unwrap();
        new.reverse();
        let other = rollout::said(&folder, &live, &new).unwrap();
        row["said"] = json!([one, other]);
        for line in rollout::differences(&row) {
            wrong.push_str(&format!("seed {} ({}): {line}\n", row["seed"], text(&row, "what")));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Runs kplan on `fixtures/snapshot/unchanged`, on manifests with one text replaced.
fn changed(name: &str, command: &str, from: &str, to: &str, more: &[&str]) -> Value {
    let case = root().join("fixtures/snapshot/unchanged");
    let home = support::folder(&format!("live-{name}"));
    fs::create_dir_all(home.join(".git")).unwrap();
    fs::copy(case.join("snapshot.json"), home.join("snapshot.json")).unwrap();
    let manifests = fs::read_to_string(case.join("manifests.yaml")).unwrap();
    let written = manifests.replacen(from, to, 1);
    assert_eq!(written == manifests, from == to, "{from} is not in the manifests");
    fs::write(home.join("manifests.yaml"), written).unwrap();
    let arguments = [&[command, "manifests.yaml", "--output", "json"], more].concat();
    kplan(&home, &arguments).report().unwrap()
}

const BASE: [&str; 2] = ["--base", "snapshot:snapshot.json"];

#[test]
fn what_was_applied_is_unchanged() {
    let report = changed("unchanged", "diff", "", "", &BASE);
    let changes: Vec<&Value> = list(&report, "changes").collect();
    let differing: Vec<String> = changes
        .iter()
        .filter(|change| change["action"] != "unchanged")
        .map(|change| format!("{} {} {}", change["action"], change["object"], change["fields"]))
        .collect();
    let [secret] = &differing[..] else { panic!("{differing:#?}") };
    assert!(secret.contains("Secret") && secret.ends_with("[]"), "{secret}");
    let why = changes.iter().find(|change| change["object"]["kind"] == "Secret").unwrap();
    assert!(text(why, "why").contains("data.password") && text(why, "why").contains("not known"), "{why}");
    // What only the cluster has is nobody's change.
    assert_eq!(report["summary"]["changes"], json!({"unchanged": changes.len() - 1, "update": 1}));
}

/// The fields of an object's change, and its why.
fn fields(report: &Value, kind: &str, name: &str) -> (String, Vec<String>) {
    let mut changes = list(report, "changes");
    let change = changes.find(|change| change["object"]["kind"] == kind && change["object"]["name"] == name).unwrap();
    let fields = list(change, "fields").map(|field| format!("{} {}", text(field, "op"), text(field, "path")));
    (text(change, "action").to_owned(), fields.collect())
}

#[test]
fn one_change_is_one_change() {
    let report = changed("image", "plan", "web:1.0", "web:1.1", &BASE);
    let image = "change spec.template.spec.containers[0].image".to_owned();
    assert_eq!(fields(&report, "Deployment", "web"), ("update".to_owned(), vec![image]));
    let report = changed("latest", "diff", "worker:1.0", "worker:latest", &BASE);
    // The default of another tag does not come back: nobody wrote it.
    assert_eq!(fields(&report, "Deployment", "worker").1, ["change spec.template.spec.containers[0].image"]);
    let report = changed("secret", "diff", "  password: correct", "  user: me\n  password: correct", &BASE);
    assert_eq!(fields(&report, "Secret", "login"), ("update".to_owned(), vec!["add data.user".to_owned()]));
    let report = changed("port", "diff", "    - port: 80", "    - port: 81", &BASE);
    let found = fields(&report, "Service", "web");
    assert_eq!(found, ("update".to_owned(), vec!["remove spec.ports[0]".to_owned(), "add spec.ports[0]".to_owned()]));
}

#[test]
fn an_autoscaler_of_the_cluster_owns_the_replicas() {
    let only = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: worker\n  namespace: shop\nspec:\n  replicas: 1\n  \
                selector:\n    matchLabels:\n      app: worker\n  template:\n    metadata:\n      labels:\n        app: worker\n    \
                spec:\n      containers:\n        - name: worker\n          image: registry.example/worker:1.0\n          \
                resources:\n            requests:\n              cpu: 100m\n";
    let home = support::folder("live-autoscaler");
    fs::create_dir_all(home.join(".git")).unwrap();
    let snapshot = root().join("fixtures/snapshot/unchanged/snapshot.json");
    fs::write(home.join("worker.yaml"), only).unwrap();
    let snapshot = snapshot.to_str().unwrap();
    let run = kplan(&home, &["check", "worker.yaml", "--tier", "strict", "--snapshot", snapshot, "--output", "json"]);
    assert!(
        run.findings().unwrap().iter().any(|finding| finding.text("rule") == "hpa-fixed-replicas"),
        "{}",
        run.shown()
    );
    let run = kplan(&home, &["simulate", "worker.yaml", "--snapshot", snapshot, "--output", "json"]);
    let report = run.report().unwrap();
    assert_eq!(list(&report["placement"], "pods").count(), 2, "{}", report["placement"]["pods"]);
}

const REFERENCES: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: reader, namespace: shop}
spec:
  serviceAccountName: web
  volumes:
    - name: uploads
      persistentVolumeClaim: {claimName: uploads}
  containers:
    - name: reader
      image: registry.example/reader:1.0
      # Less than what the LimitRange of the namespace would give it.
      resources: {limits: {memory: 16Mi}}
      envFrom:
        - configMapRef: {name: settings}
      env:
        - name: PASSWORD
          valueFrom: {secretKeyRef: {name: login, key: password}}
        - name: USER
          valueFrom: {secretKeyRef: {name: login, key: usr}}
---
apiVersion: v1
kind: Service
metadata: {name: front, namespace: shop}
spec:
  type: NodePort
  selector: {app: web}
  ports:
    - {port: 80, targetPort: http, nodePort: NODE_PORT}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: other, namespace: shop}
spec:
  defaultBackend:
    service: {name: web, port: {number: 81}}
"#;

#[test]
fn references_reach_into_the_cluster() {
    let home = support::folder("live-references");
    fs::create_dir_all(home.join(".git")).unwrap();
    let path = root().join("fixtures/snapshot/unchanged/snapshot.json");
    let snapshot: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let web = list(&snapshot, "items").find(|item| item["kind"] == "Service" && item["metadata"]["name"] == "web");
    let port = web.unwrap()["spec"]["ports"][0]["nodePort"].to_string();
    fs::write(home.join("set.yaml"), REFERENCES.replace("NODE_PORT", &port)).unwrap();
    let rules = |more: &[&str]| -> Vec<String> {
        let run = kplan(&home, &[&["check", "set.yaml", "--output", "json"], more].concat());
        let mut rules: Vec<String> =
            run.findings().unwrap().iter().map(|found| found.text("rule").to_owned()).collect();
        rules.sort();
        rules
    };
    let with = rules(&["--snapshot", path.to_str().unwrap()]);
    assert_eq!(with, ["ingress-backend-missing", "nodeport-collision", "secret-key-missing"]);
    let without = rules(&[]);
    for rule in ["configmap-missing", "pvc-missing", "service-account-missing", "service-no-match"] {
        assert!(without.iter().any(|found| found == rule), "{rule} is not in {without:?}");
    }
}
