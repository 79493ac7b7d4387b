//! What a plan says will come of it, held against what then comes of it: quotas and limits at the peak of a rollout, in
//! the server's words; budgets; places of pods; versions of custom resources.

use std::path::Path;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::apply::{applied, change, contains, deployment, expect, kplan, planned, set, write};
use crate::plane::{Namespace, Needs, Plane, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("consequences::quota_at_the_peak", Needs::Own, quota_at_the_peak),
        trial("consequences::quota_of_a_scale", Needs::Own, quota_of_a_scale),
        trial("consequences::quota_of_a_stateful_set", Needs::Own, quota_of_a_stateful_set),
        trial("consequences::limits_of_a_template", Needs::Own, limits_of_a_template),
        trial("consequences::budget", Needs::Own, budget),
        trial("consequences::places", Needs::Own, places),
        trial("consequences::claims_of_a_provisioner", Needs::Own, claims),
        trial("consequences::stored_version", Needs::Own, stored_version),
    ]
}

fn quota(hard: &Value) -> String {
    json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "room"}, "spec": {"hard": hard}})
        .to_string()
}

/// Waits until the quota counts what is there.
fn counted(plane: &Plane, namespace: &Namespace<'_>, resource: &str, used: &str) -> Result<(), Failed> {
    let is_so = || {
        let quota = namespace.get(&["resourcequota", "room"]).unwrap_or_default();
        quota["status"]["used"][resource] == used
    };
    plane.wait("the quota counts what is there", Duration::from_secs(20), is_so)
}

/// What is planned for an object, then applied without waiting.
fn why(plane: &Plane, folder: &Path, namespace: &Namespace<'_>, object: &str) -> Result<(String, u64), Failed> {
    let report = planned(plane, folder, namespace)?;
    let change = change(&report, object);
    let run = kplan(plane, folder, namespace, &["apply", "--yes", "--wait=false"]);
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
    Ok((change["why"].as_str().unwrap_or_default().to_owned(), change["restarts"].as_u64().unwrap_or_default()))
}

/// Holds a text against the controller's own events of pods that it may not make. The first of them may still count a pod
/// that has just gone.
fn tells_refusal(plane: &Plane, namespace: &Namespace<'_>, text: &str) -> Result<(), Failed> {
    let words = || -> Vec<String> {
        let events = namespace.get(&["events", "--field-selector=reason=FailedCreate"]).unwrap_or_default();
        let messages = events["items"].as_array().into_iter().flatten().filter_map(|event| event["message"].as_str());
        messages.filter_map(|message| Some(message.split_once("is forbidden: ")?.1.to_owned())).collect()
    };
    let told = || words().iter().any(|words| text.contains(words.as_str()));
    let waited = plane.wait("a pod is refused", Duration::from_secs(20), told);
    waited.map_err(|_| format!("the controller says {:#?}, and kplan\n{text}", words()).into())
}

/// Pods by template: those with this image, and all.
fn pods(namespace: &Namespace<'_>, image: &str) -> Result<(u64, u64), Failed> {
    let list = namespace.get(&["pods"])?;
    let alive = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
    let pods: Vec<&Value> = list["items"].as_array().into_iter().flatten().filter(alive).collect();
    let new = pods.iter().filter(|pod| pod["spec"]["containers"][0]["image"] == image).count();
    Ok((new as u64, pods.len() as u64))
}

fn quota_at_the_peak(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("peak")?;
    namespace.apply(&quota(&json!({"pods": "3"})))?;
    let folder = set("peak", &[deployment("web", 3, "web:1.0")]);
    applied(plane, &folder, &namespace)?;
    counted(plane, &namespace, "pods", "3")?;
    write(&folder, &[deployment("web", 3, "web:1.1")]);
    let human = kplan(plane, &folder, &namespace, &["plan"]);
    contains(&human.stdout, "quota room: pods 3 → 3 of 3")?;
    let (why, restarts) = why(plane, &folder, &namespace, "Deployment/web")?;
    contains(&why, "the rollout stalls after 0 of 3 new pods, more are forbidden: ")?;
    tells_refusal(plane, &namespace, &why)?;
    expect(&json!(restarts), json!(0))?;
    std::thread::sleep(Duration::from_secs(3));
    expect(&json!(pods(&namespace, "web:1.1")?), json!([0, 3]))?;
    // With room for one more all of them are replaced.
    namespace.apply(&quota(&json!({"pods": "4"})))?;
    let finished = || pods(&namespace, "web:1.1").is_ok_and(|found| found == (3, 3));
    plane.wait("the rollout goes on", Duration::from_secs(90), finished)
}

fn quota_of_a_scale(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("scale-quota")?;
    namespace.apply(&quota(&json!({"pods": "4"})))?;
    let folder = set("scale-quota", &[deployment("web", 2, "web:1.0")]);
    applied(plane, &folder, &namespace)?;
    counted(plane, &namespace, "pods", "2")?;
    write(&folder, &[deployment("web", 5, "web:1.0")]);
    let (why, _) = why(plane, &folder, &namespace, "Deployment/web")?;
    contains(&why, "1 of 3 new pods are forbidden: ")?;
    tells_refusal(plane, &namespace, &why)?;
    plane.wait("as many as the quota has room for", Duration::from_secs(20), || {
        pods(&namespace, "web:1.0").is_ok_and(|found| found == (4, 4))
    })
}

fn quota_of_a_stateful_set(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("stateful-quota")?;
    namespace.apply(&quota(&json!({"requests.memory": "3Gi"})))?;
    let make = |image: &str, memory: &str| {
        let mut set = deployment("db", 3, image);
        set["kind"] = json!("StatefulSet");
        set["spec"]["serviceName"] = json!("db");
        set["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"requests": {"memory": memory}});
        set
    };
    let folder = set("stateful-quota", &[make("db:1.0", "1Gi")]);
    applied(plane, &folder, &namespace)?;
    counted(plane, &namespace, "requests.memory", "3Gi")?;
    write(&folder, &[make("db:1.1", "2Gi")]);
    let (why, restarts) = why(plane, &folder, &namespace, "StatefulSet/db")?;
    contains(&why, "the rollout stalls after 0 of 3 new pods, more are forbidden: ")?;
    tells_refusal(plane, &namespace, &why)?;
    expect(&json!(restarts), json!(0))?;
    std::thread::sleep(Duration::from_secs(3));
    expect(&json!(pods(&namespace, "db:1.1")?), json!([0, 2]))
}

fn limits_of_a_template(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("limits")?;
    let make = |cpu: &str| {
        let mut web = deployment("web", 2, "web:1.0");
        web["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"limits": {"cpu": cpu}});
        web
    };
    let folder = set("limits", &[make("1")]);
    applied(plane, &folder, &namespace)?;
    let limits = json!([{"type": "Container", "max": {"cpu": "1"}}]);
    let range =
        json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"}, "spec": {"limits": limits}});
    namespace.apply(&range.to_string())?;
    write(&folder, &[make("2")]);
    std::fs::write(folder.join("kplan.yaml"), "rules: {limitrange-violation: warning}\n")?;
    let (why, restarts) = why(plane, &folder, &namespace, "Deployment/web")?;
    contains(&why, "the rollout stalls after 0 of 2 new pods, more are forbidden: ")?;
    tells_refusal(plane, &namespace, &why)?;
    expect(&json!(restarts), json!(0))
}

/// The controller's own count of what it allows, before and after.
fn budget(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("budget")?;
    let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
        "spec": {"minAvailable": "60%", "selector": {"matchLabels": {"name": "web"}}}});
    let folder = set("budget", &[deployment("web", 3, "web:1.0"), budget.clone()]);
    applied(plane, &folder, &namespace)?;
    let allows = |number: u64| {
        let is_so = || {
            let live = namespace.get(&["poddisruptionbudget", "web"]).unwrap_or_default();
            live["status"]["disruptionsAllowed"] == number
                && live["status"]["observedGeneration"] == live["metadata"]["generation"]
        };
        plane.wait(&format!("{number} evictions"), Duration::from_secs(30), is_so)
    };
    allows(1)?;
    write(&folder, &[deployment("web", 2, "web:1.0"), budget.clone()]);
    let report = planned(plane, &folder, &namespace)?;
    contains(change(&report, "Deployment/web")["why"].as_str().unwrap_or_default(), "then allows no eviction")?;
    let of_budget = change(&report, "PodDisruptionBudget/web");
    contains(of_budget["why"].as_str().unwrap_or_default(), "evictions at once 1 → 0")?;
    applied(plane, &folder, &namespace)?;
    allows(0)?;
    let mut loose = budget;
    loose["spec"]["minAvailable"] = json!(1);
    write(&folder, &[deployment("web", 2, "web:1.0"), loose]);
    let report = planned(plane, &folder, &namespace)?;
    let of_budget = change(&report, "PodDisruptionBudget/web");
    contains(of_budget["why"].as_str().unwrap_or_default(), "evictions at once 0 → 1")?;
    applied(plane, &folder, &namespace)?;
    allows(1)
}

/// Where the pods are, and where they then come to.
fn places(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("places")?;
    let node = |name| crate::plane::Node { name, cpu: "4", memory: "8Gi", ..crate::plane::Node::default() };
    let pool = plane.nodes(&[node("a"), node("b")])?;
    let make = |node: &str| {
        let mut web = deployment("web", 2, "web:1.0");
        let mut spec = pool.placement();
        spec["nodeSelector"]["kubernetes.io/hostname"] = json!(format!("{}-{node}", pool.name));
        for (key, value) in spec.as_object().into_iter().flatten() {
            web["spec"]["template"]["spec"][key] = value.clone();
        }
        web
    };
    let folder = set("places", &[make("a")]);
    applied(plane, &folder, &namespace)?;
    write(&folder, &[make("b")]);
    let human = kplan(plane, &folder, &namespace, &["plan"]);
    contains(&human.stdout, &format!("pods: {0}-a ×2 → {0}-b ×2", pool.name))?;
    applied(plane, &folder, &namespace)?;
    let list = namespace.get(&["pods"])?;
    let alive = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
    let nodes: Vec<&Value> =
        list["items"].as_array().into_iter().flatten().filter(alive).map(|pod| &pod["spec"]["nodeName"]).collect();
    expect(&json!(nodes), json!([format!("{}-b", pool.name), format!("{}-b", pool.name)]))
}

/// A new claim of a class with a provisioner gets its volume; one of a class without waits, and so do its pods.
fn claims(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("claims")?;
    let class = format!("by-hand-{}", namespace.name);
    let none = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": class},
        "provisioner": "kubernetes.io/no-provisioner"});
    plane.apply(&none.to_string())?;
    let make = |name: &str, class: &str| {
        let mut db = deployment(name, 1, "db:1");
        db["kind"] = json!("StatefulSet");
        db["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}, "spec": {"storageClassName": class,
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]);
        let container = &mut db["spec"]["template"]["spec"]["containers"][0];
        container["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
        db
    };
    let result = (|| {
        let folder = set("claims", &[make("made", "standard"), make("waits", &class)]);
        let report = planned(plane, &folder, &namespace)?;
        let pods = report["placement"]["pods"].as_array().into_iter().flatten();
        let verdicts: Vec<&Value> = pods.map(|pod| &pod["verdict"]).collect();
        expect(&json!(verdicts), json!(["scheduled", "pending"]))?;
        let run = kplan(plane, &folder, &namespace, &["apply", "--yes", "--wait=false"]);
        expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
        let phase =
            |name: &str| namespace.get(&["pod", name]).map(|pod| pod["status"]["phase"].clone()).unwrap_or_default();
        plane.wait("the pod runs", Duration::from_secs(20), || phase("made-0") == "Running")?;
        expect(&phase("waits-0"), json!("Pending"))
    })();
    plane.kubectl(&["delete", "storageclass", &class]);
    result
}

/// A version that objects are stored in cannot be taken out; the server's words are the plan's.
fn stored_version(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("stored")?;
    let group = format!("{}.example.com", namespace.name);
    let schema = json!({"openAPIV3Schema": {"type": "object"}});
    let make = |versions: &[(&str, bool)]| {
        let versions: Vec<Value> = versions
            .iter()
            .map(|(name, storage)| json!({"name": name, "served": true, "storage": storage, "schema": schema}))
            .collect();
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("things.{group}")},
            "spec": {"group": group, "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"}, "versions": versions}})
    };
    let folder = set("stored", &[make(&[("v1beta1", true)])]);
    applied(plane, &folder, &namespace)?;
    write(&folder, &[make(&[("v1", true)])]);
    let report = planned(plane, &folder, &namespace)?;
    let definition = change(&report, &format!("CustomResourceDefinition/things.{group}"));
    let why = definition["why"].as_str().unwrap_or_default();
    contains(why, "status.storedVersions[0]: Invalid value: \"v1beta1\": missing from spec.versions")?;
    contains(why, "v1beta1 served no more")?;
    // The snapshot knows as much.
    let run = plane.kplan(&folder, &["snapshot", "--context", "kplan-test", "--output", "snapshot.json"]);
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
    let run = plane.kplan(
        &folder,
        &["plan", "set.yaml", "--base", "snapshot:snapshot.json", "-n", &namespace.name, "--output", "json"],
    );
    let report = run.report()?;
    let offline = change(&report, &format!("CustomResourceDefinition/things.{group}"));
    expect(&json!([offline["action"], offline["why"]]), json!([definition["action"], why]))?;
    let run = namespace.kubectl(&["delete", "crd", &format!("things.{group}")]);
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown().into())
}
