//! `kplan apply` on a real control plane: what beginners do, what goes wrong, and what is said of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::plane::{Namespace, Needs, Plane, trial};
use crate::proxy::{Fault, Proxy};
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
        trial("apply::replacement_is_refused", Needs::Own, replacement),
        trial("apply::refused_objects_stop_it", Needs::Own, refused),
        trial("apply::partial_failure", Needs::Own, partial_failure),
        trial("apply::interrupted", Needs::Own, interrupted),
        trial("apply::connection_lost", Needs::Own, connection_lost),
        trial("apply::changed_meanwhile", Needs::Own, changed_meanwhile),
        trial("apply::time_outs", Needs::Own, time_outs),
        trial("apply::what_is_settled_is_not_asked_again", Needs::Own, settled),
        trial("apply::question", Needs::Own, question),
    ]
}

/// A folder with these manifests.
fn set(name: &str, manifests: &[Value]) -> PathBuf {
    let folder = support::folder(&format!("apply-{name}"));
    write(&folder, manifests);
    folder
}

fn write(folder: &Path, manifests: &[Value]) {
    let texts: Vec<String> = manifests.iter().map(|manifest| format!("{manifest}\n")).collect();
    fs::write(folder.join("set.yaml"), texts.join("---\n")).unwrap();
}

fn deployment(name: &str, replicas: u64, image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"name": name}},
        "template": {"metadata": {"labels": {"name": name, "app": "web"}},
            "spec": {"containers": [{"name": "main", "image": image, "ports": [{"containerPort": 80}]}]}}}})
}

fn service(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}})
}

fn kplan(plane: &Plane, folder: &Path, namespace: &Namespace<'_>, arguments: &[&str]) -> Run {
    let all = [arguments, &[".", "-n", &namespace.name, "--context", "kplan-test"]].concat();
    plane.kplan(folder, &all)
}

/// Applies; gives the report.
fn apply(plane: &Plane, folder: &Path, namespace: &Namespace<'_>, more: &[&str]) -> (Run, Value) {
    let run = kplan(plane, folder, namespace, &[&["apply", "--yes", "--output", "json"], more].concat());
    let report = run.report().unwrap_or_default();
    (run, report)
}

fn applied(plane: &Plane, folder: &Path, namespace: &Namespace<'_>) -> Result<Value, Failed> {
    let (run, report) = apply(plane, folder, namespace, &[]);
    if run.code == Some(0) { Ok(report) } else { Err(run.shown().into()) }
}

fn planned(plane: &Plane, folder: &Path, namespace: &Namespace<'_>) -> Result<Value, Failed> {
    let run = kplan(plane, folder, namespace, &["plan", "--output", "json"]);
    Ok(run.report().map_err(|error| format!("{error}: {}", run.shown()))?)
}

/// The change of an object, `Deployment/web`.
fn change<'a>(report: &'a Value, object: &str) -> &'a Value {
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

fn expect(found: &Value, wanted: Value) -> Result<(), Failed> {
    if *found == wanted { Ok(()) } else { Err(format!("expected {wanted}, found {found}").into()) }
}

fn contains(text: &str, part: &str) -> Result<(), Failed> {
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
    let slices = namespace.get(&["endpointslices", "-l", "kubernetes.io/service-name=web"])?;
    let endpoints: usize =
        slices["items"].as_array().unwrap().iter().map(|slice| slice["endpoints"].as_array().map_or(0, Vec::len)).sum();
    expect(&json!(endpoints), json!(4))?;
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
    web["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "1000"}});
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
    let run = kplan(plane, &folder, &namespace, &["apply", "--yes", "--trouble-timeout", "2s", "--fail-on", "error"]);
    expect(&json!(run.code), json!(4))?;
    contains(&run.stdout, "exceeded quota: few")
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
    let (run, report) = apply(plane, &folder, &namespace, &[]);
    expect(&json!(run.code), json!(1))?;
    expect(&report["changes"][0]["action"], json!("replace"))?;
    contains(&run.stderr, "can only be made anew")?;
    expect(&namespace.get(&["job", "migrate"])?["metadata"]["uid"], uid)
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

fn partial_failure(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("partial")?;
    let config =
        |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}});
    let mut web = deployment("web", 1, "web:1.0");
    web["spec"]["template"]["spec"]["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": "bad"}}]);
    let folder = set("partial", &[config("bad"), web]);
    let proxy = Proxy::start(plane, |request| {
        let writes = request.method == "PATCH" && !request.query.contains("dryRun");
        if writes && request.path.ends_with("/bad") {
            return Fault::status(403, "Forbidden", "configmaps \"bad\" is forbidden: no", &[]);
        }
        Fault::Pass
    })?;
    let arguments =
        ["apply", "--yes", ".", "--output", "json", "-n", &namespace.name, "--context", "kplan-test", "--kubeconfig"];
    let run = support::kplan(&folder, &[&arguments[..], &[proxy.kubeconfig().to_str().unwrap()]].concat());
    expect(&json!(run.code), json!(4)).map_err(|_| run.shown())?;
    let applied = run.report()?["applied"].clone();
    expect(&applied[0]["state"], json!("failed"))?;
    contains(applied[0]["message"].as_str().unwrap_or_default(), "is forbidden: no")?;
    expect(&applied[1]["state"], json!("notStarted"))?;
    expect(&namespace.get(&["deployments"])?["items"], json!([]))
}

fn interrupted(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("interrupt")?;
    let folder = set("interrupt", &[deployment("web", 1, "unready:1")]);
    let arguments = ["apply", "--yes", ".", "--output", "json", "-n", &namespace.name, "--context", "kplan-test"];
    let mut command = plane.kplan_command(&folder, &arguments);
    let child = command.spawn()?;
    let there = || namespace.get(&["deployment", "web"]).is_ok();
    plane.wait("the Deployment is there", Duration::from_secs(30), there)?;
    std::thread::sleep(Duration::from_millis(500));
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
    let since = Instant::now();
    let output = child.wait_with_output()?;
    expect(&json!(output.status.code()), json!(4))?;
    expect(&json!(since.elapsed() < Duration::from_secs(10)), json!(true))?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    expect(&report["applied"][0]["state"], json!("failed"))?;
    contains(report["applied"][0]["message"].as_str().unwrap_or_default(), "interrupted before it was ready")
}

fn connection_lost(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("lost")?;
    let folder = set("lost", &[deployment("web", 1, "unready:1")]);
    let written = std::sync::Arc::new(AtomicBool::new(false));
    let proxy = Proxy::start(plane, move |request| {
        if written.load(Ordering::Relaxed) {
            return Fault::Drop;
        }
        written.store(request.method == "PATCH" && !request.query.contains("dryRun"), Ordering::Relaxed);
        Fault::Pass
    })?;
    let arguments = [
        "apply",
        "--yes",
        ".",
        "-n",
        &namespace.name,
        "--request-timeout",
        "2s",
        "--context",
        "kplan-test",
        "--kubeconfig",
    ];
    let run = support::kplan(&folder, &[&arguments[..], &[proxy.kubeconfig().to_str().unwrap()]].concat());
    expect(&json!(run.code), json!(4)).map_err(|_| run.shown())?;
    contains(&run.stdout, "applied, but not seen ready: cannot reach http://127.0.0.1:")
}

fn time_outs(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("time-out")?;
    let folder = set("time-out", &[deployment("web", 2, "unready:1")]);
    for (flag, words) in
        [("--timeout=2s", "not ready after 2s: 0/2 ready"), ("--total-timeout=2s", "when the whole run had taken 2s")]
    {
        // The second round has something to change as well.
        write(&folder, &[deployment("web", 2, &format!("unready:{}", flag.len()))]);
        let run = kplan(plane, &folder, &namespace, &["apply", "--yes", flag]);
        expect(&json!(run.code), json!(4)).map_err(|_| run.shown())?;
        contains(&run.stdout, words)?;
    }
    write(&folder, &[deployment("web", 3, "unready:1")]);
    let run = kplan(plane, &folder, &namespace, &["apply", "--yes", "--wait=false"]);
    Ok(expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?)
}

/// Dry runs that a plan sends through a proxy, and the actions of its changes.
fn dry_runs(plane: &Plane, folder: &Path, namespace: &Namespace<'_>) -> Result<(usize, Value), Failed> {
    let proxy = Proxy::start(plane, |_| Fault::Pass)?;
    let kubeconfig = proxy.kubeconfig().to_str().unwrap().to_owned();
    let arguments = ["plan", ".", "--output", "json", "-n", &namespace.name, "--context", "kplan-test", "--kubeconfig"];
    let report = support::kplan(folder, &[&arguments[..], &[&kubeconfig]].concat()).report()?;
    let actions = report["changes"].as_array().unwrap().iter().map(|change| change["action"].clone()).collect();
    Ok((proxy.requests().iter().filter(|request| request.query.contains("dryRun")).count(), actions))
}

fn settled(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("settled")?;
    let mut headless = service("web");
    headless["spec"]["clusterIP"] = "None".into();
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}});
    let folder = set("settled", &[deployment("web", 1, "web:1.0"), headless, config]);
    applied(plane, &folder, &namespace)?;
    expect(&json!(dry_runs(plane, &folder, &namespace)?), json!([0, ["unchanged", "unchanged", "unchanged"]]))?;
    // What others add is theirs, and what they change is seen.
    namespace.kubectl(&["annotate", "deployment/web", "note=other"]);
    expect(&json!(dry_runs(plane, &folder, &namespace)?), json!([0, ["unchanged", "unchanged", "unchanged"]]))?;
    namespace.kubectl(&["set", "image", "deployment/web", "main=web:2.0"]);
    namespace.kubectl(&["patch", "configmap", "c", "--patch", "{\"data\":{\"a\":\"c\"}}"]);
    let (asked, actions) = dry_runs(plane, &folder, &namespace)?;
    let updates = actions.as_array().unwrap().iter().filter(|action| *action == "update").count();
    expect(&json!([asked, updates]), json!([4, 2]))
}

/// Somebody changes the object between the plan and the apply.
fn changed_meanwhile(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("meanwhile")?;
    let folder = set("meanwhile", &[deployment("web", 1, "web:1.0")]);
    applied(plane, &folder, &namespace)?;
    write(&folder, &[deployment("web", 1, "web:1.1")]);
    let cases = [
        (vec!["set", "image", "deployment/web", "main=web:9"], 4, "conflict with \"kubectl-set\""),
        (vec!["set", "image", "deployment/web", "main=web:1.0"], 0, ""),
        (vec!["annotate", "deployment/web", "note=other"], 0, ""),
        (vec!["delete", "deployment/web"], 4, "it was deleted since the plan"),
    ];
    for (arguments, code, words) in cases {
        write(&folder, &[deployment("web", 1, &format!("web:{}", arguments.join("-").len()))]);
        if arguments.contains(&"main=web:1.0") {
            namespace.kubectl(&["set", "image", "deployment/web", "main=web:1.0"]);
        }
        let command = plane.kubectl_command(&[&arguments[..], &["-n", &namespace.name]].concat());
        let line: Vec<std::ffi::OsString> =
            std::iter::once(command.get_program()).chain(command.get_args()).map(ToOwned::to_owned).collect();
        let done = AtomicBool::new(false);
        let proxy = Proxy::start(plane, move |request| {
            let writes = request.method == "PATCH" && !request.query.contains("dryRun");
            if writes && !done.swap(true, Ordering::Relaxed) {
                std::process::Command::new(&line[0]).args(&line[1..]).output().unwrap();
            }
            Fault::Pass
        })?;
        let arguments = ["apply", "--yes", ".", "-n", &namespace.name, "--context", "kplan-test", "--kubeconfig"];
        let run = support::kplan(&folder, &[&arguments[..], &[proxy.kubeconfig().to_str().unwrap()]].concat());
        expect(&json!(run.code), json!(code)).map_err(|_| run.shown())?;
        contains(&run.stdout, words)?;
    }
    Ok(())
}

fn question(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("question")?;
    let folder = set("question", &[deployment("web", 1, "web:1.0")]);
    let run = kplan(plane, &folder, &namespace, &["apply"]);
    expect(&json!(run.code), json!(2))?;
    contains(&run.stderr, "--yes")?;
    for (answer, code, there) in [("n\n", 1, false), ("\n", 1, false), ("y\n", 0, true)] {
        let program = env!("CARGO_BIN_EXE_kplan");
        let kubeconfig = plane.kubeconfig().display();
        let line = format!("{program} apply . -n {} --context kplan-test --kubeconfig {kubeconfig}", namespace.name);
        // `script` gives it a terminal.
        let mut command = std::process::Command::new("script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(&folder);
        command.env_remove("CI").env("NO_COLOR", "1");
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let run = support::finish_with(command, answer.as_bytes());
        expect(&json!(run.code), json!(code)).map_err(|_| run.shown())?;
        contains(&run.stdout, "Apply 1 change to context kplan-test (https://127.0.0.1:")?;
        expect(&json!(namespace.get(&["deployment", "web"]).is_ok()), json!(there))?;
    }
    Ok(())
}
