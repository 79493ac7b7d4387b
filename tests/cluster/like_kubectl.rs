//! What kubectl's own tests of `diff` and `apply` look at (`test/cmd/diff.sh`, `test/cmd/apply.sh`), asked of kplan.
//! More on custom resources and on removals after client-side apply is in `come_true`; conflicts name the manager in
//! `read_only` and `apply`, definition and object in one pass are in `apply`.

use std::path::Path;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::apply::{contains, deployment, expect, kplan, service, set, write};
use crate::plane::{Namespace, Needs, Plane, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("like_kubectl::absent_object", Needs::Own, absent),
        trial("like_kubectl::nothing_after_apply", Needs::Own, nothing_after_apply),
        trial("like_kubectl::exit_codes", Needs::Own, exit_codes),
        trial("like_kubectl::one_name_in_two_kinds", Needs::Own, one_name),
        trial("like_kubectl::unions_are_cleared", Needs::Own, unions),
        trial("like_kubectl::written_unions_are_cleared", Needs::Own, written_unions),
        trial("like_kubectl::unions_of_others_are_not", Needs::Own, owned_unions),
        trial("like_kubectl::label_selector", Needs::Own, label_selector),
        trial("like_kubectl::namespace_mismatch", Needs::Own, namespace_mismatch),
        trial("like_kubectl::cluster_ip", Needs::Own, cluster_ip),
        trial("like_kubectl::bad_one_in_the_middle", Needs::Own, bad_one),
        trial("like_kubectl::own_manager", Needs::Own, own_manager),
        trial("like_kubectl::secrets_are_masked", Needs::Own, secrets),
    ]
}

fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

fn apply(plane: &Plane, folder: &Path, namespace: &Namespace<'_>) -> Result<(), Failed> {
    let run = kplan(plane, folder, namespace, &["apply", "--yes"]);
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown().into())
}

fn changes(plane: &Plane, folder: &Path, namespace: &Namespace<'_>, arguments: &[&str]) -> Result<Vec<String>, Failed> {
    let run = kplan(plane, folder, namespace, &[arguments, &["--output", "json"]].concat());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let changes = run.report()?["changes"].as_array().cloned().unwrap_or_default();
    let one = |change: &Value| {
        format!("{} {}/{}", text(&change["action"]), text(&change["object"]["kind"]), text(&change["object"]["name"]))
    };
    Ok(changes.iter().map(one).collect())
}

fn absent(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("absent")?;
    let folder = set("absent", &[config_map("c", json!({"a": "b"}))]);
    for command in ["diff", "plan"] {
        expect(&json!(changes(plane, &folder, &namespace, &[command])?), json!(["create ConfigMap/c"]))?;
        let run = namespace.kubectl(&["get", "configmap", "c"]);
        contains(&run.stderr, "NotFound")?;
    }
    Ok(())
}

fn nothing_after_apply(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("nothing")?;
    let folder = set("nothing", &[config_map("c", json!({"a": "b"})), deployment("web", 1, "web:1"), service("web")]);
    apply(plane, &folder, &namespace)?;
    let version =
        || -> Result<Value, Failed> { Ok(namespace.get(&["configmap", "c"])?["metadata"]["resourceVersion"].clone()) };
    let before = version()?;
    for command in ["diff", "plan"] {
        let found = changes(plane, &folder, &namespace, &[command, "--exit-code"])?;
        expect(&json!(found.iter().all(|change| change.starts_with("unchanged"))), json!(true))?;
        let run = kplan(plane, &folder, &namespace, &[command, "--exit-code"]);
        expect(&json!(run.code), json!(0))?;
    }
    expect(&version()?, before.clone())?;
    write(&folder, &[config_map("c", json!({"a": "c"}))]);
    for command in ["diff", "plan"] {
        expect(&json!(changes(plane, &folder, &namespace, &[command])?), json!(["update ConfigMap/c"]))?;
    }
    expect(&version()?, before)
}

fn exit_codes(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("codes")?;
    let folder = set("codes", &[config_map("c", json!({"a": "b"}))]);
    let code = |arguments: &[&str]| json!(kplan(plane, &folder, &namespace, arguments).code);
    expect(&code(&["diff"]), json!(0))?;
    expect(&code(&["diff", "--exit-code"]), json!(1))?;
    write(&folder, &[config_map("c", json!({"a": 1}))]);
    expect(&code(&["diff"]), json!(1))?;
    expect(&code(&["diff", "--base", "no-such-base"]), json!(2))?;
    std::fs::remove_file(folder.join("set.yaml"))?;
    expect(&code(&["diff"]), json!(3))
}

fn one_name(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("one-name")?;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "x"}});
    let folder = set("one-name", &[config_map("x", json!({"a": "b"})), account.clone()]);
    apply(plane, &folder, &namespace)?;
    write(&folder, &[config_map("x", json!({"a": "c"})), account]);
    let found = changes(plane, &folder, &namespace, &["plan"])?;
    expect(&json!(found), json!(["update ConfigMap/x", "unchanged ServiceAccount/x"]))
}

/// A workload with one pod template, whose union at `key` of the spec and volume are these.
fn workload(kind: &str, key: &str, strategy: &Value, volume: &Value) -> Value {
    let mut object = deployment("web", 1, "web:1");
    object["kind"] = json!(kind);
    object["spec"][key] = strategy.clone();
    object["spec"]["template"]["spec"]["volumes"] = json!([volume]);
    if kind == "DaemonSet" {
        object["spec"].as_object_mut().unwrap().remove("replicas");
    }
    object
}

/// `kubectl diff` as kplan has nothing more to say, and neither has kplan.
fn nothing_is_left(plane: &Plane, folder: &Path, namespace: &Namespace<'_>, kind: &str) -> Result<(), Failed> {
    let found = changes(plane, folder, namespace, &["plan"])?;
    expect(&json!(found), json!([format!("unchanged {kind}/web")]))?;
    let file = folder.join("set.yaml").display().to_string();
    let run = namespace.kubectl(&["diff", "--server-side", "--field-manager=kplan", "--filename", &file]);
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown().into())
}

/// Members of unions that are owned go as the server's apply takes them; those that only the server wrote, which it keeps
/// and then refuses, go too. Each row: kind, key of the strategy, the new one, and whether the server refuses it.
const UNIONS: [(&str, &str, &str, bool); 3] = [
    ("Deployment", "strategy", "Recreate", true),
    ("StatefulSet", "updateStrategy", "OnDelete", true),
    ("DaemonSet", "updateStrategy", "OnDelete", false),
];

fn unions(plane: &Plane) -> Result<(), Failed> {
    let (host, empty) = (json!({"name": "v", "hostPath": {"path": "/srv"}}), json!({"name": "v"}));
    for (kind, key, new, refused) in UNIONS {
        let namespace = plane.namespace("unions")?;
        let live = || namespace.get(&[kind, "web"]);
        let new = json!({ "type": new });
        let folder = set(&format!("unions-{kind}"), &[workload(kind, key, &json!({}), &empty)]);
        let file = folder.join("set.yaml").display().to_string();
        let apply = || -> Result<(), Failed> {
            let run = kplan(plane, &folder, &namespace, &["apply", "--yes", "--wait=false"]);
            expect(&json!(run.code), json!(0)).map_err(|_| run.shown().into())
        };
        let kubectl = || namespace.kubectl(&["apply", "--server-side", "--field-manager=kplan", "--filename", &file]);
        apply()?;
        contains(&live()?["spec"][key].to_string(), "rollingUpdate")?;
        for (strategy, volume) in [(&new, &empty), (&new, &host)] {
            write(&folder, &[workload(kind, key, strategy, volume)]);
            if refused || volume == &host {
                expect(&json!(kubectl().code), json!(1))?;
            }
            let run = kplan(plane, &folder, &namespace, &["plan", "--output", "json"]);
            let change = run.report()?["changes"][0].clone();
            let fields = |op: &str| {
                let fields = change["fields"].as_array().into_iter().flatten().filter(|field| field["op"] == op);
                fields.map(|field| field["path"].clone()).collect::<Vec<_>>()
            };
            let cleared = match (volume == &host, refused) {
                (true, _) => vec![json!("spec.template.spec.volumes[0].emptyDir")],
                (false, true) => vec![json!(format!("spec.{key}.rollingUpdate"))],
                (false, false) => Vec::new(),
            };
            let found = json!([change["action"], change["fidelity"], fields("remove")]);
            expect(&found, json!(["update", "server", cleared])).map_err(|_| change.to_string())?;
            let before = live()?["metadata"]["generation"].as_u64();
            apply()?;
            let after = live()?;
            // In one step: no pod is made twice.
            expect(&json!(after["metadata"]["generation"].as_u64()), json!(before.map(|number| number + 1)))?;
            nothing_is_left(plane, &folder, &namespace, kind)?;
        }
        let live = live()?;
        let volumes = &live["spec"]["template"]["spec"]["volumes"];
        expect(volumes, json!([{"name": "v", "hostPath": {"path": "/srv", "type": ""}}]))?;
        if refused {
            expect(&live["spec"][key], new)?;
        }
    }
    Ok(())
}

/// What kplan has written of the old member goes with all that the server added to it.
fn written_unions(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("written-unions")?;
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}});
    let empty = json!({"name": "v", "emptyDir": {"medium": "Memory"}});
    let folder = set("written-unions", &[workload("Deployment", "strategy", &rolling, &empty)]);
    apply(plane, &folder, &namespace)?;
    contains(&namespace.get(&["deployment", "web"])?["spec"]["strategy"].to_string(), "maxUnavailable")?;
    let (recreate, host) = (json!({"type": "Recreate"}), json!({"name": "v", "hostPath": {"path": "/srv"}}));
    write(&folder, &[workload("Deployment", "strategy", &recreate, &host)]);
    apply(plane, &folder, &namespace)?;
    let live = namespace.get(&["deployment", "web"])?;
    expect(&live["spec"]["strategy"], recreate)?;
    let volumes = &live["spec"]["template"]["spec"]["volumes"];
    expect(volumes, json!([{"name": "v", "hostPath": {"path": "/srv", "type": ""}}]))?;
    nothing_is_left(plane, &folder, &namespace, "Deployment")
}

/// What another manager has set of the old member is not cleared: the server's refusal stands, in the words that kubectl
/// gets. What kubectl's client-side apply recorded is.
fn owned_unions(plane: &Plane) -> Result<(), Failed> {
    let (namespace, volume) = (plane.namespace("owned-unions")?, json!({"name": "v"}));
    let folder = set("owned-unions", &[workload("Deployment", "strategy", &json!({}), &volume)]);
    let file = folder.join("set.yaml").display().to_string();
    let run = namespace.kubectl(&["apply", "--filename", &file]);
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
    write(&folder, &[workload("Deployment", "strategy", &json!({"type": "Recreate"}), &volume)]);
    apply(plane, &folder, &namespace)?;
    expect(&namespace.get(&["deployment", "web"])?["spec"]["strategy"], json!({"type": "Recreate"}))?;
    nothing_is_left(plane, &folder, &namespace, "Deployment")?;
    write(&folder, &[workload("Deployment", "strategy", &json!({}), &volume)]);
    apply(plane, &folder, &namespace)?;
    let patch = json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": 2}}}}).to_string();
    let run = namespace.kubectl(&["patch", "deployment", "web", "--field-manager=robot", "--patch", &patch]);
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
    write(&folder, &[workload("Deployment", "strategy", &json!({"type": "Recreate"}), &volume)]);
    let run = namespace.kubectl(&["apply", "--server-side", "--field-manager=kplan", "--filename", &file]);
    let words = run.stderr.split_once("is invalid: ").map(|(_, words)| words.trim()).unwrap_or_default();
    contains(words, "may not be specified when strategy `type` is 'Recreate'")?;
    contains(&kplan(plane, &folder, &namespace, &["plan"]).stdout, words)?;
    let run = kplan(plane, &folder, &namespace, &["apply", "--yes", "--force-conflicts"]);
    expect(&json!(run.code), json!(1)).map_err(|_| run.shown())?;
    expect(&namespace.get(&["deployment", "web"])?["spec"]["strategy"]["rollingUpdate"]["maxSurge"], json!(2))
}

fn label_selector(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("selector")?;
    let labelled = |name: &str, label: &str| {
        let mut map = config_map(name, json!({"a": "b"}));
        map["metadata"]["labels"] = json!({ "part": label });
        map
    };
    let folder = set("selector", &[labelled("a", "one"), labelled("b", "two")]);
    let found = changes(plane, &folder, &namespace, &["plan", "-l", "part=two"])?;
    expect(&json!(found), json!(["create ConfigMap/b"]))?;
    let run = kplan(plane, &folder, &namespace, &["apply", "--yes", "-l", "part=two"]);
    expect(&json!(run.code), json!(0))?;
    contains(&namespace.kubectl(&["get", "configmap", "a"]).stderr, "NotFound")?;
    expect(&namespace.get(&["configmap", "b"])?["data"]["a"], json!("b"))
}

fn namespace_mismatch(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("mismatch")?;
    let mut map = config_map("c", json!({"a": "b"}));
    map["metadata"]["namespace"] = json!("elsewhere");
    let folder = set("mismatch", &[map.clone()]);
    for command in [&["diff"][..], &["plan"], &["apply", "--yes"]] {
        let run = kplan(plane, &folder, &namespace, command);
        expect(&json!(run.code), json!(2)).map_err(|_| run.shown())?;
        contains(&run.stderr, "ConfigMap elsewhere/c names another namespace")?;
    }
    map["metadata"]["namespace"] = json!(namespace.name);
    write(&folder, &[map]);
    apply(plane, &folder, &namespace)
}

fn cluster_ip(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("cluster-ip")?;
    let folder = set("cluster-ip", &[service("web")]);
    apply(plane, &folder, &namespace)?;
    let address = namespace.get(&["service", "web"])?["spec"]["clusterIP"].clone();
    let mut other = service("web");
    other["spec"]["clusterIP"] = json!("None");
    write(&folder, &[other]);
    let run = kplan(plane, &folder, &namespace, &["apply", "--yes"]);
    expect(&json!(run.code), json!(1))?;
    contains(&run.stderr, "--allow-replace Service")?;
    contains(&run.stdout, "may not change once set")?;
    expect(&namespace.get(&["service", "web"])?["spec"]["clusterIP"], address)
}

fn bad_one(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("bad-one")?;
    let mut bad = service("bad");
    bad["spec"]["ports"][0]["port"] = json!(0);
    let folder = set("bad-one", &[config_map("a", json!({})), bad, config_map("z", json!({}))]);
    let found = changes(plane, &folder, &namespace, &["plan"])?;
    expect(&json!(found.len()), json!(3))?;
    let run = kplan(plane, &folder, &namespace, &["apply", "--yes"]);
    expect(&json!(run.code), json!(1))?;
    contains(&run.stdout, "Service")?;
    for name in ["a", "z"] {
        contains(&namespace.kubectl(&["get", "configmap", name]).stderr, "NotFound")?;
    }
    Ok(())
}

fn own_manager(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("manager")?;
    let folder = set("manager", &[config_map("c", json!({"a": "b"}))]);
    apply(plane, &folder, &namespace)?;
    let live = namespace.get(&["configmap", "c", "--show-managed-fields"])?;
    let entry = &live["metadata"]["managedFields"][0];
    expect(&json!([entry["manager"], entry["operation"]]), json!(["kplan", "Apply"]))?;
    expect(&live["metadata"]["annotations"], Value::Null)?;
    // After kubectl's own client-side apply all becomes kplan's with the first change.
    let other = config_map("d", json!({"a": "b", "gone": "x"}));
    let run = namespace.kubectl(&["create", "configmap", "d", "--from-literal=a=b", "--from-literal=gone=x"]);
    expect(&json!(run.code), json!(0))?;
    plane.kubectl_stdin(&["apply", "--filename=-", "-n", &namespace.name], &other.to_string());
    write(&folder, &[config_map("d", json!({"a": "b"}))]);
    apply(plane, &folder, &namespace)?;
    let live = namespace.get(&["configmap", "d", "--show-managed-fields"])?;
    expect(&live["data"], json!({"a": "b"}))?;
    expect(&live["metadata"]["annotations"], Value::Null)?;
    let managers = live["metadata"]["managedFields"].as_array().map(Vec::len);
    expect(&json!([managers, live["metadata"]["managedFields"][0]["manager"]]), json!([1, "kplan"]))
}

/// Created, removed, with a key more, changed, less: no value is in any output.
fn secrets(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("masked")?;
    let secret = |data: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data});
    let hidden = ["b3BlbiBzZXNhbWU", "open sesame", "c2h1dCBzZXNhbWU", "shut sesame"];
    let (open, shut) = ("b3BlbiBzZXNhbWU=", "c2h1dCBzZXNhbWU=");
    let folder = set("masked", &[secret(json!({ "a": open }))]);
    let steps = [json!({"a": open}), json!({"a": open, "b": shut}), json!({"a": shut, "b": shut}), json!({"b": shut})];
    for data in steps {
        write(&folder, &[secret(data.clone())]);
        for output in ["human", "json", "markdown", "concise", "sarif", "junit", "github", "gitlab"] {
            let run = kplan(plane, &folder, &namespace, &["plan", "-vvv", "--output", output]);
            let shown = hidden.iter().find(|text| run.stdout.contains(**text) || run.stderr.contains(**text));
            expect(&json!(shown), Value::Null)?;
        }
        let run = kplan(plane, &folder, &namespace, &["apply", "--yes", "-vvv"]);
        let shown = hidden.iter().find(|text| run.stdout.contains(**text) || run.stderr.contains(**text));
        expect(&json!([run.code, shown]), json!([0, null]))?;
        expect(&namespace.get(&["secret", "s"])?["data"], data)?;
    }
    Ok(())
}
