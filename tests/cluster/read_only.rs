//! `plan` and `diff` only look: every request that they send is noted, and no secret is in what they say.

use std::path::Path;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::api::{Api, KINDS, Objects};
use crate::plane::{Namespace, Needs, Plane, trial};
use crate::proxy::{Fault, Proxy, Request};
use crate::support::{self, Run};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("read_only::new_namespace_and_kind", Needs::Cluster, new_namespace_and_kind),
        trial("read_only::sixty_objects", Needs::Cluster, sixty_objects),
        trial("read_only::conflicts", Needs::Cluster, conflicts),
        trial("read_only::ports_of_nodes", Needs::Cluster, ports_of_nodes),
        trial("read_only::secrets_and_autoscaler", Needs::Cluster, secrets_and_autoscaler),
        trial("read_only::three_hundred_objects", Needs::Cluster, |plane| many_objects(plane, 300)),
        trial("read_only::thousand_objects", Needs::Cluster, |plane| many_objects(plane, 1_000)),
        trial("read_only::no_secret_is_shown", Needs::Cluster, no_secret_is_shown),
    ]
}

/// A folder with these objects.
fn folder(name: &str, objects: &[Value]) -> Result<std::path::PathBuf, Failed> {
    let folder = support::folder(&format!("read-only-{name}"));
    std::fs::write(
        folder.join("all.json"),
        json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string(),
    )?;
    Ok(folder)
}

fn object(version: &str, kind: &str, name: &str, rest: &Value) -> Value {
    let mut object = json!({ "apiVersion": version, "kind": kind, "metadata": { "name": name } });
    for (key, value) in rest.as_object().into_iter().flatten() {
        object[key] = value.clone();
    }
    object
}

fn deployment(name: &str, replicas: u64, image: &str) -> Value {
    let labels = json!({ "app": name });
    let pod =
        json!({ "containers": [{ "name": "web", "image": image, "resources": { "requests": { "cpu": "10m" } } }] });
    let template = json!({ "metadata": { "labels": labels }, "spec": pod });
    let spec = json!({ "replicas": replicas, "selector": { "matchLabels": labels }, "template": template });
    object("apps/v1", "Deployment", name, &json!({ "spec": spec }))
}

/// Runs plan and diff through a proxy; gives the requests and the runs, after holding them against what may be sent.
fn watched(plane: &Plane, folder: &Path, namespace: &str) -> Result<Vec<(Vec<Request>, Run)>, Failed> {
    let api = Api::new(plane)?;
    let before = versions(&api.everything(namespace, &KINDS)?);
    let mut runs = Vec::new();
    for command in ["plan", "diff"] {
        let proxy = Proxy::start(plane, |_| Fault::Pass)?;
        let arguments = [command, ".", "--base", "cluster", "--namespace", namespace, "--output", "json"];
        let mut kplan = support::command(folder, &arguments);
        kplan.arg("--kubeconfig").arg(proxy.kubeconfig());
        let run = support::finish(kplan);
        let requests = proxy.requests();
        let wrong = requests.iter().filter(|request| !only_looks(request));
        support::verdict(wrong.map(|request| format!("{command} sends {}", request.shown())).collect())?;
        if !requests.iter().any(|request| request.path.contains(&format!("/namespaces/{namespace}"))) {
            return Err(format!("{command} asks nothing: {}", run.shown()).into());
        }
        runs.push((requests, run));
    }
    support::verdict(support::difference(&before, &versions(&api.everything(namespace, &KINDS)?)))?;
    Ok(runs)
}

fn versions(objects: &Objects) -> Vec<String> {
    // The status of what runs goes on by itself; each write of a spec counts the generation up.
    let managers = |object: &Value| -> Vec<String> {
        let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
        let own = entries.filter(|entry| entry["subresource"].is_null());
        own.map(|entry| format!("{} {}", entry["manager"], entry["time"])).collect()
    };
    let shown = |(title, object): (&String, &Value)| format!("{title} {:?}", managers(object));
    objects.iter().filter(|(_, object)| object["metadata"]["ownerReferences"].is_null()).map(shown).collect()
}

/// Reading, asking for rights, and asking what would come of it.
fn only_looks(request: &Request) -> bool {
    let asks_for_rights = request.method == "POST"
        && request.path.starts_with("/apis/authorization.k8s.io/v1/")
        && request.path.ends_with("reviews");
    let dry_run = ["PATCH", "POST"].contains(&request.method.as_str())
        && request.query.split('&').any(|parameter| parameter == "dryRun=All");
    (request.method == "GET" || asks_for_rights || dry_run) && !is_subresource(&request.path)
}

/// Whether a path leads below an object: `status`, `scale`, `exec`.
fn is_subresource(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let inside = match parts.as_slice() {
        ["api", _, inside @ ..] | ["apis", _, _, inside @ ..] => inside,
        _ => return false,
    };
    let inside = match inside {
        ["namespaces", _, inside @ ..] if !inside.is_empty() => inside,
        inside => inside,
    };
    inside.len() > 2
}

/// Actions of a report by object.
fn actions(run: &Run) -> Result<Vec<String>, Failed> {
    let report = run.report()?;
    let changes = report["changes"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(changes
        .map(|change| {
            format!(
                "{} {}/{}",
                text(&change["action"]),
                text(&change["object"]["kind"]),
                text(&change["object"]["name"])
            )
        })
        .collect())
}

fn expect(run: &Run, expected: &[String]) -> Result<(), Failed> {
    let wrong = support::difference(expected, &actions(run)?);
    if wrong.is_empty() { Ok(()) } else { Err(format!("{}\n{}", wrong.join("\n"), run.shown()).into()) }
}

fn new_namespace_and_kind(plane: &Plane) -> Result<(), Failed> {
    let name = super::situations::unique("new");
    let group = format!("{name}.example.com");
    let schema = json!({ "type": "object", "properties": { "spec": { "type": "object", "properties": { "size": { "type": "integer" } } } } });
    let version = json!({ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema } });
    let names = json!({ "kind": "Thing", "plural": "things" });
    let spec = json!({ "group": group, "scope": "Namespaced", "names": names, "versions": [version] });
    let objects = [
        object("v1", "Namespace", &name, &Value::Null),
        object(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            &format!("things.{group}"),
            &json!({ "spec": spec }),
        ),
        object(&format!("{group}/v1"), "Thing", "t", &json!({ "spec": { "size": 3 } })),
        object("v1", "ConfigMap", "settings", &json!({ "data": { "level": "x" } })),
        deployment("web", 2, "nginx:1.27"),
    ];
    let folder = folder(&name, &objects)?;
    let runs = watched(plane, &folder, &name)?;
    let created: Vec<String> = objects.iter().map(|object| format!("create {}", crate::api::title(object))).collect();
    runs.iter().try_for_each(|(_, run)| expect(run, &created))?;
    let run = plane.kubectl(&["get", "namespace", &name]);
    if run.stderr.contains("NotFound") { Ok(()) } else { Err(format!("the namespace: {}", run.shown()).into()) }
}

/// Half of them are there already, a third of these in another state.
fn sixty_objects(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("sixty")?;
    let make = |number: usize, level: &str| match number % 3 {
        0 => object("v1", "ConfigMap", &format!("c-{number}"), &json!({ "data": { "level": level } })),
        1 => object("v1", "ServiceAccount", &format!("s-{number}"), &json!({ "automountServiceAccountToken": true })),
        _ => deployment(&format!("d-{number}"), 0, &format!("nginx:1.{}", level.len())),
    };
    let old: Vec<Value> = (0..30).map(|number| make(number, "old")).collect();
    apply(&namespace, "kplan", &old)?;
    let new: Vec<Value> = (0..60).map(|number| make(number, "longer")).collect();
    let folder = folder(&namespace.name, &new)?;
    let action = |(number, object): (usize, &Value)| {
        let action = if number >= 30 {
            "create"
        } else if old[number] == *object {
            "unchanged"
        } else {
            "update"
        };
        format!("{action} {}", crate::api::title(object))
    };
    let expected: Vec<String> = new.iter().enumerate().map(action).collect();
    for (requests, run) in watched(plane, &folder, &namespace.name)? {
        expect(&run, &expected)?;
        few(&requests, 60)?;
    }
    Ok(())
}

/// At most 1.2 requests an object; what is the same for every set, discovery and the cluster's state, apart where the
/// set is small.
fn few(requests: &[Request], objects: usize) -> Result<(), Failed> {
    let fixed = if objects < 100 { 40 } else { 0 };
    let most = objects * 12 / 10 + fixed;
    if requests.len() <= most {
        return Ok(());
    }
    let mut shown: Vec<String> = requests.iter().map(Request::shown).collect();
    shown.truncate(60);
    Err(format!("{} requests for {objects} objects\n{}", requests.len(), shown.join("\n")).into())
}

/// Applies on the server's side as some manager.
fn apply(namespace: &Namespace<'_>, manager: &str, objects: &[Value]) -> Result<(), Failed> {
    let folder = folder(&format!("{}-{manager}", namespace.name), objects)?;
    let file = folder.join("all.json").display().to_string();
    let run = namespace.kubectl(&["apply", "--server-side", "--field-manager", manager, "--filename", &file]);
    if run.code == Some(0) { Ok(()) } else { Err(run.shown().into()) }
}

/// A field that another manager owns costs a second question, which is a dry run too.
fn conflicts(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("conflicts")?;
    apply(&namespace, "flux", &[deployment("web", 0, "nginx:1.26")])?;
    let folder = folder(&namespace.name, &[deployment("web", 0, "nginx:1.27")])?;
    for (requests, run) in watched(plane, &folder, &namespace.name)? {
        expect(&run, &["conflict Deployment/web".to_owned()])?;
        let forced = requests.iter().filter(|request| request.query.contains("force=true")).count();
        let owner = &run.report()?["changes"][0]["fields"][0]["owner"];
        if forced != 1 || owner != "flux" {
            return Err(format!("asked {forced} times with force, owner {owner}").into());
        }
    }
    Ok(())
}

/// A port that the dry run makes up is not the one that will be; the one that is written is.
fn ports_of_nodes(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("ports")?;
    let service = |rest: Value| object("v1", "Service", "web", &json!({ "spec": rest }));
    apply(&namespace, "kplan", &[service(json!({ "ports": [{ "port": 80 }] }))])?;
    for written in [None, Some(31777)] {
        let mut port = json!({ "port": 80 });
        if let Some(number) = written {
            port["nodePort"] = json!(number);
        }
        let folder = folder(&namespace.name, &[service(json!({ "type": "NodePort", "ports": [port] }))])?;
        for (_, run) in watched(plane, &folder, &namespace.name)? {
            expect(&run, &["update Service/web".to_owned()])?;
            let report = run.report()?;
            let fields = report["changes"][0]["fields"].as_array().into_iter().flatten();
            let planned = fields.filter(|field| field["path"] == "spec.ports[0].nodePort").map(|field| &field["after"]);
            let planned: Vec<Option<u64>> = planned.map(Value::as_u64).collect();
            if planned != written.map(Some).into_iter().collect::<Vec<_>>() {
                return Err(format!("node ports {planned:?}, not {written:?}").into());
            }
        }
    }
    Ok(())
}

fn secrets_and_autoscaler(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("scaled")?;
    let autoscaler = |most: u64| {
        let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" });
        let metric = json!({ "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 60 } } });
        let spec = json!({ "scaleTargetRef": target, "minReplicas": 2, "maxReplicas": most, "metrics": [metric] });
        object("autoscaling/v2", "HorizontalPodAutoscaler", "web", &json!({ "spec": spec }))
    };
    let secret = |value: &str| object("v1", "Secret", "s", &json!({ "stringData": { "password": value } }));
    apply(&namespace, "kplan", &[deployment("web", 2, "nginx:1.27"), autoscaler(4), secret("one")])?;
    let set = [deployment("web", 2, "nginx:1.27"), autoscaler(6), secret("two")];
    let folder = folder(&namespace.name, &set)?;
    let expected = ["unchanged Deployment/web", "update HorizontalPodAutoscaler/web", "update Secret/s"];
    for (_, run) in watched(plane, &folder, &namespace.name)? {
        expect(&run, &expected.map(str::to_owned))?;
    }
    Ok(())
}

/// Whether nothing of it is there, or all. Secrets are read one by one, since others than those are not to be read: of
/// them there are as many as applications have.
fn many_objects(plane: &Plane, count: usize) -> Result<(), Failed> {
    let namespace = plane.namespace("many")?;
    let rules = json!([{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get"] }]);
    let make = |number: usize| match number % 10 {
        0..=2 => deployment(&format!("d-{number}"), 0, "nginx:1.27"),
        3..=5 => object("v1", "ConfigMap", &format!("c-{number}"), &json!({ "data": { "level": "x" } })),
        6..=7 => {
            object("v1", "ServiceAccount", &format!("a-{number}"), &json!({ "automountServiceAccountToken": true }))
        }
        8 => object("rbac.authorization.k8s.io/v1", "Role", &format!("r-{number}"), &json!({ "rules": rules })),
        _ => object("v1", "Secret", &format!("s-{number}"), &json!({ "stringData": { "level": "x" } })),
    };
    let objects: Vec<Value> = (0..count).map(make).collect();
    let folder = folder(&namespace.name, &objects)?;
    for action in ["create", "unchanged"] {
        if action == "unchanged" {
            apply(&namespace, "kplan", &objects)?;
        }
        let expected: Vec<String> =
            objects.iter().map(|object| format!("{action} {}", crate::api::title(object))).collect();
        for (requests, run) in watched(plane, &folder, &namespace.name)? {
            expect(&run, &expected)?;
            few(&requests, objects.len())?;
        }
    }
    Ok(())
}

/// Values of secrets, of the set and of the cluster.
const HIDDEN: [&str; 6] = [
    "live-5531-walnut",
    "live-\"7714\"-hazel",
    "live-9902-extra",
    "set-2208-almond",
    "set-\\3317\\-pecan",
    "set-4410-dull",
];

const FORMATS: [&str; 9] = ["human", "concise", "json", "jsonl", "markdown", "github", "gitlab", "junit", "sarif"];

fn no_secret_is_shown(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("hidden")?;
    let secret = |name: &str, rest: Value| object("v1", "Secret", name, &rest);
    let live = [
        secret("changed", json!({ "stringData": { "password": HIDDEN[0], "quoted": HIDDEN[1], "gone": HIDDEN[2] } })),
        secret("frozen", json!({ "immutable": true, "stringData": { "password": HIDDEN[0] } })),
        secret("typed", json!({ "type": "example.com/a", "stringData": { "password": HIDDEN[1] } })),
    ];
    // As kubectl does it on its side: the whole object stands in an annotation too.
    let folder_live = folder(&format!("{}-live", namespace.name), &live)?;
    let run = namespace.kubectl(&["apply", "--filename", &folder_live.join("all.json").display().to_string()]);
    if run.code != Some(0) {
        return Err(run.shown().into());
    }
    let docker = json!({ "type": "kubernetes.io/dockerconfigjson", "stringData": { ".dockerconfigjson": HIDDEN[3] } });
    let encoded = base64(HIDDEN[4]);
    let sets = [
        vec![
            secret("changed", json!({ "stringData": { "password": HIDDEN[3] }, "data": { "quoted": encoded } })),
            secret("made", json!({ "stringData": { "password": HIDDEN[5] } })),
        ],
        vec![secret("frozen", json!({ "immutable": true, "stringData": { "password": HIDDEN[3] } }))],
        vec![secret("typed", json!({ "type": "example.com/b", "stringData": { "password": HIDDEN[4] } }))],
        vec![secret("docker", docker), secret("broken", json!({ "data": { "password": HIDDEN[5] } }))],
    ];
    let mut wrong = Vec::new();
    for (number, set) in sets.iter().enumerate() {
        let folder = folder(&format!("{}-{number}", namespace.name), set)?;
        for format in FORMATS {
            for command in [&["plan", "--base", "cluster"][..], &["diff", "--base", "cluster"], &["check"]] {
                wrong.extend(shown(plane, &folder, &namespace.name, command, format));
            }
        }
        wrong.extend(shown(plane, &folder, &namespace.name, &["apply", "--yes", "--force-conflicts"], "human"));
    }
    support::verdict(wrong)
}

/// The hidden texts that a run shows, as they are or in base64.
fn shown(plane: &Plane, folder: &Path, namespace: &str, command: &[&str], format: &str) -> Vec<String> {
    let run = plane.kplan(folder, &[command, &[".", "--namespace", namespace, "-vv", "--output", format]].concat());
    let mut wrong = Vec::new();
    // Formats with a line a finding are empty where there is none.
    if run.stdout.is_empty() && !["concise", "github", "jsonl"].contains(&format) {
        wrong.push(format!("{command:?} {format} says nothing: {}", run.shown()));
    }
    for value in HIDDEN {
        let escaped = json!(value).to_string();
        let code = base64(value);
        let forms = [value, escaped.trim_matches('"'), code.trim_end_matches('=')];
        for (place, text) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
            if let Some(line) = text.lines().find(|line| forms.iter().any(|form| line.contains(form))) {
                let line: String = line.chars().take(300).collect();
                wrong.push(format!("{command:?} {format} {place} shows {value}: {line}"));
            }
        }
    }
    wrong
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut code = String::new();
    for bytes in text.as_bytes().chunks(3) {
        let number = bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)) << (8 * (3 - bytes.len()));
        for place in 0..4 {
            let digit = char::from(DIGITS[number >> (18 - 6 * place) & 63]);
            code.push(if place <= bytes.len() { digit } else { '=' });
        }
    }
    code
}
