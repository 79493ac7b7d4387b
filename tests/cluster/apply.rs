//! `kplan apply` on a real control plane: what beginners do, what goes wrong, and what is said of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::plane::{Namespace, Needs, Plane, trial};
use crate::support::{self, Run};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("apply::canary", Needs::Own, canary),
        trial("apply::image_update", Needs::Own, image_update),
        trial("apply::bad_image", Needs::Own, bad_image),
        trial("apply::crash", Needs::Own, crash),
        trial("apply::unschedulable", Needs::Own, unschedulable),
        trial("apply::quota", Needs::Own, quota),
        trial("apply::scale", Needs::Own, scale),
        trial("apply::label_off", Needs::Own, label_off),
        trial("apply::namespace_in_one_go", Needs::Own, namespace_in_one_go),
        trial("apply::definition_in_one_go", Needs::Own, definition_in_one_go),
        trial("apply::node_port", Needs::Own, node_port),
        trial("apply::autoscaler", Needs::Own, autoscaler),
        trial("apply::conflict", Needs::Own, conflict),
        trial("apply::takes_over_from_kubectl", Needs::Own, takes_over),
        trial("apply::secret_keys_go_away", Needs::Own, secret_keys),
        trial("apply::replacement", Needs::Own, replacement),
        trial("apply::replacement_by_name", Needs::Own, replacement_by_name),
        trial("apply::refused_objects_stop_it", Needs::Own, refused),
    ]
}

/// A folder with these manifests.
pub fn set(name: &str, manifests: &[Value]) -> PathBuf {
    let folder = support::folder(&format!("apply-{name}"));
    write(&folder, manifests);
    folder
}

pub fn write(folder: &Path, manifests: &[Value]) {
    let texts: Vec<String> = manifests.iter().map(|manifest| format!("{manifest}\n")).collect();
    fs::write(folder.join("set.yaml"), texts.join("---\n")).unwrap();
}

pub fn deployment(name: &str, replicas: u64, image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"name": name}},
        "template": {"metadata": {"labels": {"name": name, "app": "web"}},
            "spec": {"containers": [{"name": "main", "image": image, "ports": [{"containerPort": 80}]}]}}}})
}

pub fn service(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}})
}

pub fn kplan(plane: &Plane, folder: &Path, namespace: &Namespace<'_>, arguments: &[&str]) -> Run {
    let all = [arguments, &[".", "-n", &namespace.name, "--context", "kplan-test"]].concat();
    plane.kplan(folder, &all)
}

/// Applies; gives the report.
fn apply(plane: &Plane, folder: &Path, namespace: &Namespace<'_>, more: &[&str]) -> (Run, Value) {
    let run = kplan(plane, folder, namespace, &[&["apply", "--yes", "--output", "json"], more].concat());
    let report = run.report().unwrap_or_default();
    (run, report)
}

pub fn applied(plane: &Plane, folder: &Path, namespace: &Namespace<'_>) -> Result<Value, Failed> {
    let (run, report) = apply(plane, folder, namespace, &[]);
    if run.code == Some(0) { Ok(report) } else { Err(run.shown().into()) }
}

pub fn planned(plane: &Plane, folder: &Path, namespace: &Namespace<'_>) -> Result<Value, Failed> {
    let run = kplan(plane, folder, namespace, &["plan", "--output", "json"]);
    Ok(run.report().map_err(|error| format!("{error}: {}", run.shown()))?)
}

/// The change of an object, `Deployment/web`.
pub fn change<'a>(report: &'a Value, object: &str) -> &'a Value {
    let is = |change: &&Value| {
        format!("{}/{}", change["object"]["kind"].as_str().unwrap(), change["object"]["name"].as_str().unwrap())
            == object
    };
    report["changes"].as_array().and_then(|changes| changes.iter().find(is)).unwrap_or(&Value::Null)
}

fn is_empty(plane: &Plane, folder: &Path, namespace: &Namespace<'_>) -> Result<(), Failed> {
    let report = planned(plane, folder, namespace)?;
    let changes = report["changes"].as_array().cloned().unwrap_or_default();
    let open: Vec<&Value> = changes.iter().filter(|change| change["action"] != "unchanged").collect();
    if open.is_empty() && !changes.is_empty() { Ok(()) } else { Err(format!("not empty: {open:?}").into()) }
}

pub fn expect(found: &Value, wanted: Value) -> Result<(), Failed> {
    if *found == wanted { Ok(()) } else { Err(format!("expected {wanted}, found {found}").into()) }
}

pub fn contains(text: &str, part: &str) -> Result<(), Failed> {
    if text.contains(part) { Ok(()) } else { Err(format!("no {part:?} in:\n{text}").into()) }
}

/// uids of the pods of a label, without those that go.
fn pods(namespace: &Namespace<'_>, label: &str) -> Result<Vec<String>, Failed> {
    let list = namespace.get(&["pods", "-l", label])?;
    let alive = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
    let uid = |pod: &Value| pod["metadata"]["uid"].as_str().unwrap().to_owned();
    Ok(list["items"].as_array().unwrap().iter().filter(alive).map(uid).collect())
}

/// Runs something while the fewest available replicas of `web` are noted.
fn fewest_ready<T>(namespace: &Namespace<'_>, work: impl FnOnce() -> T) -> (T, u64) {
    let (ended, fewest) = (AtomicBool::new(false), AtomicU64::new(u64::MAX));
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                let status = namespace.get(&["deployment", "web"]).unwrap_or_default();
                fewest.fetch_min(status["status"]["availableReplicas"].as_u64().unwrap_or(0), Ordering::Relaxed);
            }
        });
        let result = work();
        ended.store(true, Ordering::Relaxed);
        result
    });
    (result, fewest.into_inner())
}

fn canary(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("canary")?;
    let folder = set("canary", &[deployment("web", 3, "web:1.0"), deployment("canary", 1, "web:2.0"), service("web")]);
    let report = planned(plane, &folder, &namespace)?;
    contains(change(&report, "Service/web")["why"].as_str().unwrap_or_default(), "endpoints 3 + 1")?;
    applied(plane, &folder, &namespace)?;
    let endpoints = || -> usize {
        let slices = namespace.get(&["endpointslices", "-l", "kubernetes.io/service-name=web"]).unwrap_or_default();
        let slices = slices["items"].as_array().cloned().unwrap_or_default();
        slices.iter().map(|slice| slice["endpoints"].as_array().map_or(0, Vec::len)).sum()
    };
    plane.wait("three endpoints and one", Duration::from_secs(10), || endpoints() == 4)?;
    is_empty(plane, &folder, &namespace)
}

fn image_update(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("image")?;
    let folder = set("image", &[deployment("web", 3, "web:1.0")]);
    applied(plane, &folder, &namespace)?;
    let before = pods(&namespace, "name=web")?;
    write(&folder, &[deployment("web", 3, "web:1.1")]);
    let report = planned(plane, &folder, &namespace)?;
    let planned = change(&report, "Deployment/web");
    expect(&planned["restarts"], json!(3))?;
    expect(&planned["fidelity"], json!("server"))?;
    expect(&planned["fields"][0]["path"], json!("spec.template.spec.containers[0].image"))?;
    expect(&planned["fields"].as_array().unwrap().len().into(), json!(1))?;
    let (result, fewest) = fewest_ready(&namespace, || applied(plane, &folder, &namespace));
    expect(&result?["applied"][0]["state"], json!("done"))?;
    expect(&json!(fewest), json!(3))?;
    let after = pods(&namespace, "name=web")?;
    expect(&json!(before.iter().filter(|uid| after.contains(uid)).count()), json!(0))?;
    is_empty(plane, &folder, &namespace)
}

fn bad_image(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("bad-image")?;
    let folder = set("bad-image", &[deployment("web", 3, "web:1.0")]);
    applied(plane, &folder, &namespace)?;
    write(&folder, &[deployment("web", 3, "web:missing")]);
    let work = || kplan(plane, &folder, &namespace, &["apply", "--yes", "--trouble-timeout", "3s"]);
    let (run, fewest) = fewest_ready(&namespace, work);
    expect(&json!(run.code), json!(4))?;
    expect(&json!(fewest), json!(3))?;
    contains(&run.stdout, "done 0 · failed 1 · not started 0 · nothing was rolled back")?;
    contains(&run.stdout, "failed: Deployment")?;
    contains(&run.stdout, "ImagePull")?;
    contains(&run.stdout, "web:missing")
}

fn crash(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("crash")?;
    let folder = set("crash", &[deployment("web", 1, "crash:1")]);
    let run = kplan(plane, &folder, &namespace, &["apply", "--yes", "--trouble-timeout", "2s"]);
    expect(&json!(run.code), json!(4))?;
    contains(&run.stdout, "exit code 1")
}

fn unschedulable(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("room")?;
    let mut web = deployment("web", 1, "web:1.0");
    web["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "100"}});
    let folder = set("room", &[web]);
    let (run, report) = apply(plane, &folder, &namespace, &["--unschedulable-timeout", "1s"]);
    expect(&json!(run.code), json!(4))?;
    let sentence = "Insufficient cpu";
    contains(report["applied"][0]["message"].as_str().unwrap_or_default(), sentence)?;
    let pod = &report["placement"]["pods"][0];
    let live = namespace.get(&["pods"])?;
    let conditions = live["items"][0]["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let scheduled =
        conditions.iter().find(|condition| condition["type"] == "PodScheduled").cloned().unwrap_or_default();
    expect(&pod["message"], scheduled["message"].clone())
}

fn quota(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("quota")?;
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}});
    namespace.apply(&quota.to_string())?;
    let folder = set("quota", &[deployment("web", 3, "web:1.0")]);
    let sentence = "exceeded quota: few";
    let run = kplan(plane, &folder, &namespace, &["apply", "--yes"]);
    expect(&json!(run.code), json!(1))?;
    contains(&run.stdout, sentence)?;
    // Whoever does not want to know it before learns it from the pods.
    fs::write(folder.join("kplan.yaml"), "rules: {quota-exceeded: off}\n").unwrap();
    let run = kplan(plane, &folder, &namespace, &["apply", "--yes", "--trouble-timeout", "2s"]);
    expect(&json!(run.code), json!(4))?;
    contains(&run.stdout, sentence)
}

fn scale(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("scale")?;
    let folder = set("scale", &[deployment("web", 3, "web:1.0")]);
    applied(plane, &folder, &namespace)?;
    for replicas in [4, 10, 1] {
        let before = pods(&namespace, "name=web")?;
        write(&folder, &[deployment("web", replicas, "web:1.0")]);
        let report = planned(plane, &folder, &namespace)?;
        expect(&change(&report, "Deployment/web")["restarts"], json!(0))?;
        applied(plane, &folder, &namespace)?;
        let many = || pods(&namespace, "name=web").unwrap().len() as u64 == replicas;
        plane.wait("as many pods as replicas", Duration::from_secs(10), many)?;
        let after = pods(&namespace, "name=web")?;
        let kept = before.iter().filter(|uid| after.contains(uid)).count();
        expect(&json!(kept), json!(before.len().min(after.len())))?;
        is_empty(plane, &folder, &namespace)?;
    }
    Ok(())
}

fn pod(name: &str, labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [{"name": "main", "image": "web:1.0", "ports": [{"containerPort": 80}]}]}})
}

fn label_off(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("label")?;
    let folder = set("label", &[pod("a", json!({"app": "web"})), pod("b", json!({"app": "web"})), service("web")]);
    applied(plane, &folder, &namespace)?;
    let before = pods(&namespace, "app=web")?;
    write(&folder, &[pod("a", json!({"app": "web"})), pod("b", json!({"debug": "yes"})), service("web")]);
    let report = planned(plane, &folder, &namespace)?;
    contains(change(&report, "Pod/b")["why"].as_str().unwrap_or_default(), "leaves Service web")?;
    expect(&change(&report, "Pod/b")["restarts"], json!(0))?;
    applied(plane, &folder, &namespace)?;
    expect(&json!(pods(&namespace, "app=web")?), json!(before[..1]))?;
    expect(&json!(pods(&namespace, "debug=yes")?), json!(before[1..]))?;
    is_empty(plane, &folder, &namespace)
}

fn namespace_in_one_go(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("parent")?;
    let name = format!("{}-new", namespace.name);
    let inside = |mut object: Value| {
        object["metadata"]["namespace"] = name.clone().into();
        object
    };
    let own = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let folder = set("namespace", &[inside(deployment("web", 1, "web:1.0")), own, inside(service("web"))]);
    let all = ["--context", "kplan-test", "--output", "json"];
    let report = plane.kplan(&folder, &[&["plan", "."], &all[..]].concat()).report()?;
    expect(&change(&report, "Deployment/web")["fidelity"], json!("dummy"))?;
    expect(&change(&report, &format!("Namespace/{name}"))["fidelity"], json!("server"))?;
    let run = plane.kplan(&folder, &[&["apply", "--yes", "."], &all[..]].concat());
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
    let report = plane.kplan(&folder, &[&["plan", "."], &all[..]].concat()).report()?;
    let open = report["changes"].as_array().unwrap().iter().filter(|change| change["action"] != "unchanged").count();
    plane.kubectl(&["delete", "namespace", &name, "--wait=false"]);
    expect(&json!(open), json!(0))
}

fn definition_in_one_go(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("definition")?;
    let plural = format!("things{}", namespace.name.rsplit('-').next().unwrap());
    let kind = format!("Thing{}", namespace.name.rsplit('-').next().unwrap());
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.example.com")}, "spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object",
                "properties": {"spec": {"type": "object", "properties": {
                    "size": {"type": "integer"}, "color": {"type": "string", "default": "red"}}}}}}}]}});
    let thing = |size: u64| json!({"apiVersion": "example.com/v1", "kind": kind, "metadata": {"name": "one"}, "spec": {"size": size}});
    let folder = set("definition", &[thing(1), definition.clone()]);
    let result = (|| {
        let report = planned(plane, &folder, &namespace)?;
        let planned = change(&report, &format!("{kind}/one"));
        expect(&planned["fidelity"], json!("approx"))?;
        contains(planned["why"].as_str().unwrap_or_default(), "its CustomResourceDefinition is new")?;
        applied(plane, &folder, &namespace)?;
        is_empty(plane, &folder, &namespace)?;
        write(&folder, &[thing(2), definition]);
        let report = self::planned(plane, &folder, &namespace)?;
        expect(
            &change(&report, &format!("{kind}/one"))["fields"],
            json!([{"path": "spec.size", "op": "change",
            "before": 1, "after": 2, "sensitive": false, "owner": null}]),
        )?;
        applied(plane, &folder, &namespace)?;
        is_empty(plane, &folder, &namespace)
    })();
    plane.kubectl(&["delete", "customresourcedefinition", &format!("{plural}.example.com"), "--wait=false"]);
    result
}

fn node_port(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("node-port")?;
    let mut public = service("web");
    public["spec"]["type"] = "NodePort".into();
    let folder = set("node-port", &[deployment("web", 1, "web:1.0"), public.clone()]);
    applied(plane, &folder, &namespace)?;
    let port = namespace.get(&["service", "web"])?["spec"]["ports"][0]["nodePort"].clone();
    is_empty(plane, &folder, &namespace)?;
    public["metadata"]["labels"] = json!({"a": "b"});
    write(&folder, &[deployment("web", 1, "web:1.0"), public]);
    applied(plane, &folder, &namespace)?;
    expect(&namespace.get(&["service", "web"])?["spec"]["ports"][0]["nodePort"], port)?;
    is_empty(plane, &folder, &namespace)
}

fn autoscaler(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("autoscaler")?;
    let scaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
        "spec": {"minReplicas": 1, "maxReplicas": 9, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]}});
    let web = |image: &str| {
        let mut web = deployment("web", 2, image);
        web["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "10m"}});
        web
    };
    let folder = set("autoscaler", &[web("web:1.0"), scaler.clone()]);
    let (run, _) = apply(plane, &folder, &namespace, &["--fail-on", "error"]);
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
    // What the autoscaler does: another manager sets the number.
    namespace.kubectl(&["scale", "deployment/web", "--replicas=5"]);
    write(&folder, &[web("web:1.1"), scaler]);
    let report = planned(plane, &folder, &namespace)?;
    let planned = change(&report, "Deployment/web");
    contains(planned["why"].as_str().unwrap_or_default(), "replicas are left to HorizontalPodAutoscaler web")?;
    let paths: Vec<&Value> = planned["fields"].as_array().unwrap().iter().map(|field| &field["path"]).collect();
    expect(&json!(paths), json!(["spec.template.spec.containers[0].image"]))?;
    applied(plane, &folder, &namespace)?;
    expect(&namespace.get(&["deployment", "web"])?["spec"]["replicas"], json!(5))?;
    is_empty(plane, &folder, &namespace)
}

fn conflict(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("conflict")?;
    let folder = set("conflict", &[deployment("web", 2, "web:1.0")]);
    applied(plane, &folder, &namespace)?;
    let theirs = deployment("web", 3, "web:1.0").to_string();
    let arguments =
        ["apply", "--server-side", "--force-conflicts", "--field-manager=robot", "--filename=-", "-n", &namespace.name];
    plane.kubectl_stdin(&arguments, &theirs);
    let report = planned(plane, &folder, &namespace)?;
    let planned = change(&report, "Deployment/web");
    expect(&planned["action"], json!("conflict"))?;
    let field = planned["fields"].as_array().unwrap().iter().find(|field| field["path"] == "spec.replicas");
    expect(&field.cloned().unwrap_or_default()["owner"], json!("robot"))?;
    contains(planned["why"].as_str().unwrap_or_default(), "spec.replicas owned by \"robot\"")?;
    let (run, _) = apply(plane, &folder, &namespace, &[]);
    expect(&json!(run.code), json!(1))?;
    contains(&run.stderr, "--force-conflicts")?;
    expect(&namespace.get(&["deployment", "web"])?["spec"]["replicas"], json!(3))?;
    let (run, _) = apply(plane, &folder, &namespace, &["--force-conflicts"]);
    expect(&json!(run.code), json!(0))?;
    expect(&namespace.get(&["deployment", "web"])?["spec"]["replicas"], json!(2))?;
    is_empty(plane, &folder, &namespace)
}

fn takes_over(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("take-over")?;
    let old = deployment("web", 2, "web:1.0").to_string();
    plane.kubectl_stdin(&["apply", "--filename=-", "-n", &namespace.name], &old);
    let folder = set("take-over", &[deployment("web", 3, "web:1.0")]);
    let report = planned(plane, &folder, &namespace)?;
    let planned = change(&report, "Deployment/web");
    expect(&planned["action"], json!("update"))?;
    contains(
        planned["why"].as_str().unwrap_or_default(),
        "takes over spec.replicas owned by \"kubectl-client-side-apply\"",
    )?;
    applied(plane, &folder, &namespace)?;
    expect(&namespace.get(&["deployment", "web"])?["spec"]["replicas"], json!(3))?;
    is_empty(plane, &folder, &namespace)
}

fn secret_keys(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("secret")?;
    let secret =
        |keys: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": keys});
    let folder = set("secret", &[secret(json!({"user": "somebody-1", "password": "correct-horse"}))]);
    applied(plane, &folder, &namespace)?;
    is_empty(plane, &folder, &namespace)?;
    write(&folder, &[secret(json!({"user": "somebody-2"}))]);
    let run = kplan(plane, &folder, &namespace, &["plan", "--output", "json"]);
    let report = run.report()?;
    let fields = change(&report, "Secret/s")["fields"].clone();
    expect(&fields[0]["path"], json!("data.password"))?;
    expect(&fields[0]["op"], json!("remove"))?;
    expect(&fields[1]["op"], json!("change"))?;
    for secret in ["correct-horse", "Y29ycmVjdC1ob3JzZQ", "somebody-"] {
        expect(&json!(run.stdout.contains(secret) || run.stderr.contains(secret)), json!(false))?;
    }
    applied(plane, &folder, &namespace)?;
    expect(&namespace.get(&["secret", "s"])?["data"], json!({"user": "c29tZWJvZHktMg=="}))?;
    is_empty(plane, &folder, &namespace)
}

fn replacement(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("replace")?;
    let job = |image: &str| {
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"}, "spec": {
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": image}]}}}})
    };
    let folder = set("replace", &[job("job:1")]);
    applied(plane, &folder, &namespace)?;
    let uid = namespace.get(&["job", "migrate"])?["metadata"]["uid"].clone();
    write(&folder, &[job("job:2")]);
    let report = planned(plane, &folder, &namespace)?;
    expect(&change(&report, "Job/migrate")["action"], json!("replace"))?;
    contains(change(&report, "Job/migrate")["why"].as_str().unwrap_or_default(), "runs again")?;
    applied(plane, &folder, &namespace)?;
    let live = namespace.get(&["job", "migrate"])?;
    expect(&json!(live["metadata"]["uid"] == uid), json!(false))?;
    expect(&live["spec"]["template"]["spec"]["containers"][0]["image"], json!("job:2"))?;
    is_empty(plane, &folder, &namespace)
}

/// What serves is made anew only where its kind is named, and what is merely wrong never is.
fn replacement_by_name(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("replace-name")?;
    let folder = set("replace-name", &[deployment("web", 1, "web:1.0")]);
    applied(plane, &folder, &namespace)?;
    let uid = namespace.get(&["deployment", "web"])?["metadata"]["uid"].clone();
    let mut other = deployment("web", 1, "web:1.0");
    other["spec"]["selector"]["matchLabels"] = json!({"app": "web"});
    write(&folder, &[other.clone()]);
    let report = planned(plane, &folder, &namespace)?;
    contains(
        change(&report, "Deployment/web")["why"].as_str().unwrap_or_default(),
        "needs --allow-replace Deployment",
    )?;
    let (run, _) = apply(plane, &folder, &namespace, &[]);
    expect(&json!(run.code), json!(1))?;
    contains(&run.stderr, "can only be made anew, which --allow-replace Deployment allows")?;
    // A new one would be refused too.
    other["spec"]["selector"]["matchLabels"] = json!({"app": "elsewhere"});
    write(&folder, &[other.clone()]);
    let (run, report) = apply(plane, &folder, &namespace, &["--allow-replace", "Deployment"]);
    expect(&json!(run.code), json!(1))?;
    expect(&change(&report, "Deployment/web")["action"], json!("update"))?;
    expect(&namespace.get(&["deployment", "web"])?["metadata"]["uid"], uid.clone())?;
    other["spec"]["selector"]["matchLabels"] = json!({"app": "web"});
    write(&folder, &[other]);
    let (run, _) = apply(plane, &folder, &namespace, &["--allow-replace", "deployment"]);
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
    expect(&json!(namespace.get(&["deployment", "web"])?["metadata"]["uid"] == uid), json!(false))?;
    is_empty(plane, &folder, &namespace)
}

fn refused(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("refused")?;
    let mut wrong = service("wrong");
    wrong["spec"]["ports"][0]["port"] = json!(70000);
    let folder = set("refused", &[deployment("web", 1, "web:1.0"), wrong]);
    let (run, report) = apply(plane, &folder, &namespace, &[]);
    expect(&json!(run.code), json!(1))?;
    contains(&run.stderr, "nothing was applied")?;
    expect(&report["findings"][0]["class"], json!("rejected"))?;
    expect(&namespace.get(&["deployments"])?["items"], json!([]))
}
