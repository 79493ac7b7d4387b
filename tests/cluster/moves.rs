//! Objects that come to another namespace or become another kind while the old ones stay in the cluster.

use std::path::Path;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::apply::{change, contains, deployment, expect, service, set, write};
use crate::plane::{Needs, Plane, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("moves::to_another_namespace", Needs::Own, namespaces),
        trial("moves::within_an_applyset", Needs::Own, members),
        trial("moves::to_another_kind", Needs::Own, kinds),
    ]
}

fn within(namespace: &str, mut object: Value) -> Value {
    object["metadata"]["namespace"] = json!(namespace);
    object
}

fn run(plane: &Plane, folder: &Path, command: &[&str]) -> Result<Value, Failed> {
    let all = [command, &[".", "--context", "kplan-test", "--output", "json"]].concat();
    let run = plane.kplan(folder, &all);
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
    Ok(run.report()?)
}

fn why<'a>(report: &'a Value, object: &str) -> &'a str {
    change(report, object)["why"].as_str().unwrap_or_default()
}

/// Without an ApplySet only the likeness tells, and another environment of the same set looks like that too. No other test
/// has objects of these names.
fn namespaces(plane: &Plane) -> Result<(), Failed> {
    let (old, new) = (plane.namespace("move-from")?, plane.namespace("move-to")?);
    let all = |namespace: &str| {
        [deployment("mover", 1, "web:1"), deployment("other", 1, "web:1"), service("mover")]
            .map(|o| within(namespace, o))
    };
    let folder = set("moves-namespace", &all(&old.name));
    run(plane, &folder, &["apply", "--yes"])?;
    // What others apply is theirs.
    old.apply(&deployment("theirs", 1, "web:1").to_string())?;
    let [mover, mut other, service] = all(&new.name);
    other["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:2");
    write(&folder, &[mover, other, service, within(&new.name, deployment("theirs", 1, "web:1"))]);
    let report = run(plane, &folder, &["plan"])?;
    let words = format!("the same is in namespace {}, outside of this set", old.name);
    contains(why(&report, "Deployment/mover"), &words)?;
    contains(why(&report, "Service/mover"), &words)?;
    for other in ["Deployment/other", "Deployment/theirs"] {
        expect(&json!(why(&report, other).contains("namespace")), json!(false))
            .map_err(|_| report["changes"].to_string())?;
    }
    run(plane, &folder, &["apply", "--yes"])?;
    expect(&old.get(&["deployment", "mover"])?["metadata"]["name"], json!("mover"))?;
    expect(&json!(why(&run(plane, &folder, &["plan"])?, "Deployment/mover")), json!(""))
}

/// What was a member and is in the manifests no more has moved for certain, of whatever kind it is.
fn members(plane: &Plane) -> Result<(), Failed> {
    let (old, new) = (plane.namespace("member-from")?, plane.namespace("member-to")?);
    let config = |namespace: &str, value: &str| {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": value}});
        within(namespace, map)
    };
    let folder = set("moves-member", &[config(&old.name, "b")]);
    let parent = format!("applySet: {{parent: web, namespace: {}}}\n", old.name);
    std::fs::write(folder.join("kplan.yaml"), parent)?;
    run(plane, &folder, &["apply", "--yes"])?;
    write(&folder, &[config(&new.name, "c")]);
    let report = run(plane, &folder, &["plan"])?;
    let words = format!("moves here from namespace {}, where it stays until it is deleted", old.name);
    contains(why(&report, "ConfigMap/c"), &words)?;
    run(plane, &folder, &["apply", "--yes"])?;
    expect(&old.get(&["configmap", "c"])?["data"], json!({"a": "b"}))
}

fn kinds(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("move-kind")?;
    let folder = set("moves-kind", &[within(&namespace.name, deployment("web", 1, "web:1"))]);
    run(plane, &folder, &["apply", "--yes"])?;
    let mut stateful = within(&namespace.name, deployment("web", 1, "web:1"));
    stateful["kind"] = json!("StatefulSet");
    write(&folder, &[stateful]);
    let report = run(plane, &folder, &["plan"])?;
    contains(why(&report, "StatefulSet/web"), "Deployment/web has the same pod labels, outside of this set")?;
    let snapshot = plane.kplan(&folder, &["snapshot", "--output", "cluster.json", "--context", "kplan-test"]);
    expect(&json!(snapshot.code), json!(0)).map_err(|_| snapshot.shown())?;
    let arguments = ["plan", "set.yaml", "--base", "snapshot:cluster.json", "--output", "json"];
    let report = crate::support::kplan(&folder, &arguments).report()?;
    contains(why(&report, "StatefulSet/web"), "Deployment/web has the same pod labels, outside of this set")
}
