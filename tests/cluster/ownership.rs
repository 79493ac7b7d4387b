//! Whose fields are whose: the managers of other tools, and what the command line and `kplan.yaml` say of them.

use std::path::Path;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::apply::{contains, deployment, expect, kplan, set, write};
use crate::plane::{Namespace, Needs, Plane, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("ownership::other_tools", Needs::Own, other_tools),
        trial("ownership::taken_over_with_what_goes_away", Needs::Own, taken_over),
        trial("ownership::rules_by_field", Needs::Own, rules),
        trial("ownership::mutating_controller", Needs::Own, mutating_controller),
        trial("ownership::scaled_by_hand", Needs::Own, scaled),
        trial("ownership::in_the_place_of_kubectls", Needs::Own, switched),
    ]
}

fn web(replicas: u64, labels: Value, annotations: Value) -> Value {
    let mut web = deployment("web", replicas, "web:1");
    web["metadata"]["labels"] = labels;
    web["metadata"]["annotations"] = annotations;
    web
}

/// Writes as another tool does: by server-side apply, or by an update under its name.
fn write_as(
    namespace: &Namespace<'_>,
    plane: &Plane,
    manager: &str,
    by_apply: bool,
    object: &Value,
) -> Result<(), Failed> {
    let manager = format!("--field-manager={manager}");
    let place = ["--filename=-", "-n", &namespace.name];
    let mut arguments = match by_apply {
        true => vec!["apply", "--server-side", "--force-conflicts"],
        false if namespace.kubectl(&["get", "deployment", "web"]).code == Some(0) => vec!["replace"],
        false => vec!["create"],
    };
    arguments.push(&manager);
    let run = plane.kubectl_stdin(&[&arguments[..], &place].concat(), &object.to_string());
    Ok(expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?)
}

fn change(plane: &Plane, folder: &Path, namespace: &Namespace<'_>, more: &[&str]) -> Result<Value, Failed> {
    let run = kplan(plane, folder, namespace, &[&["plan", "--output", "json"], more].concat());
    Ok(run.report().map_err(|error| format!("{error}: {}", run.shown()))?["changes"][0].clone())
}

fn applied(plane: &Plane, folder: &Path, namespace: &Namespace<'_>, more: &[&str], code: i32) -> Result<(), Failed> {
    let run = kplan(plane, folder, namespace, &[&["apply", "--yes"], more].concat());
    expect(&json!(run.code), json!(code)).map_err(|_| run.shown().into())
}

fn unchanged(plane: &Plane, folder: &Path, namespace: &Namespace<'_>, more: &[&str]) -> Result<(), Failed> {
    let change = change(plane, folder, namespace, more)?;
    expect(&change["action"], json!("unchanged")).map_err(|_| change.to_string().into())
}

/// Names of managers, and whether they apply on the server's side.
const TOOLS: [(&str, bool); 4] =
    [("helm", false), ("kapp", false), ("kustomize-controller", true), ("argocd-controller", true)];

/// What another tool set stops an apply; it can be left, taken, or the tool be succeeded.
fn other_tools(plane: &Plane) -> Result<(), Failed> {
    for (manager, by_apply) in TOOLS {
        let namespace = plane.namespace("tool")?;
        let live = || namespace.get(&["deployment", "web"]);
        write_as(
            &namespace,
            plane,
            manager,
            by_apply,
            &web(2, json!({"tier": "theirs"}), json!({"example.com/a": "theirs"})),
        )?;
        let ours = web(1, json!({"tier": "ours"}), json!({"example.com/a": "ours"}));
        let folder = set(&format!("tool-{manager}"), &[ours]);
        let found = change(plane, &folder, &namespace, &[])?;
        expect(&found["action"], json!("conflict")).map_err(|_| found.to_string())?;
        for path in ["spec.replicas", "metadata.labels.tier", "metadata.annotations[example.com/a]"] {
            let field = found["fields"].as_array().unwrap().iter().find(|field| field["path"] == path);
            expect(&field.cloned().unwrap_or_default()["owner"], json!(manager)).map_err(|_| found.to_string())?;
        }
        let version = live()?["metadata"]["resourceVersion"].clone();
        applied(plane, &folder, &namespace, &[], 1)?;
        expect(&live()?["metadata"]["generation"], json!(1))?;
        applied(plane, &folder, &namespace, &["--conflicts", "leave"], 0)
            .map_err(|error| format!("{manager}: {error:?}, {version}"))?;
        let left = live()?;
        expect(
            &json!([
                left["spec"]["replicas"],
                left["metadata"]["labels"]["tier"],
                left["metadata"]["annotations"]["example.com/a"]
            ]),
            json!([2, "theirs", "theirs"]),
        )
        .map_err(|_| format!("{manager}: {left}"))?;
        unchanged(plane, &folder, &namespace, &["--conflicts", "leave"])?;
        applied(plane, &folder, &namespace, &["--take-over", manager], 0)?;
        let taken = live()?;
        expect(
            &json!([
                taken["spec"]["replicas"],
                taken["metadata"]["labels"]["tier"],
                taken["metadata"]["annotations"]["example.com/a"]
            ]),
            json!([1, "ours", "ours"]),
        )
        .map_err(|_| format!("{manager}: {taken}"))?;
        unchanged(plane, &folder, &namespace, &[])?;
    }
    Ok(())
}

/// What a tool set and the manifest has not goes away with `--take-over`, as it was planned, and not without.
fn taken_over(plane: &Plane) -> Result<(), Failed> {
    for (manager, by_apply) in TOOLS {
        let namespace = plane.namespace("over")?;
        let mut theirs = web(1, json!({"tier": "a", "old": "x"}), json!({"example.com/old": "y"}));
        theirs["spec"]["template"]["spec"]["containers"][0]["env"] =
            json!([{"name": "OLD", "value": "1"}, {"name": "A", "value": "2"}]);
        write_as(&namespace, plane, manager, by_apply, &theirs)?;
        let mut ours = web(1, json!({"tier": "a"}), json!({}));
        ours["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{"name": "A", "value": "2"}]);
        let folder = set(&format!("over-{manager}"), &[ours]);
        unchanged(plane, &folder, &namespace, &[])?;
        let more = ["--take-over", manager];
        let found = change(plane, &folder, &namespace, &more)?;
        let fields: Vec<Value> = found["fields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|field| json!([field["op"], field["path"], field["owner"]]))
            .collect();
        let expected = json!([
            ["remove", "metadata.annotations", manager],
            ["remove", "metadata.labels.old", manager],
            ["remove", "spec.template.spec.containers[0].env[0]", manager]
        ]);
        expect(&json!(fields), expected).map_err(|error| format!("{manager}: {error:?}"))?;
        applied(plane, &folder, &namespace, &more, 0)?;
        let live = namespace.get(&["deployment", "web"])?;
        let env = &live["spec"]["template"]["spec"]["containers"][0]["env"];
        expect(&json!([live["metadata"]["labels"], env]), json!([{"tier": "a"}, [{"name": "A", "value": "2"}]]))?;
        expect(&live["metadata"]["annotations"]["example.com/old"], Value::Null)?;
        unchanged(plane, &folder, &namespace, &[])?;
    }
    Ok(())
}

/// The first rule of `conflicts:` that fits a field counts; what none is about follows the command line.
fn rules(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("rules")?;
    let theirs = web(3, json!({"tier": "theirs"}), json!({"example.com/a": "theirs"}));
    write_as(&namespace, plane, "robot", true, &theirs)?;
    let folder = set("rules", &[web(1, json!({"tier": "ours"}), json!({"example.com/a": "ours"}))]);
    let rules = "conflicts:\n- {kind: Service, action: force}\n- {kind: Deployment, path: spec.replicas, manager: 'rob*', action: leave}\n\
        - {path: metadata.labels.*, action: force}\n- {manager: somebody, action: force}\n";
    std::fs::write(folder.join("kplan.yaml"), rules)?;
    let found = change(plane, &folder, &namespace, &[])?;
    expect(&found["action"], json!("conflict"))?;
    let why = found["why"].as_str().unwrap_or_default();
    contains(why, "metadata.annotations[example.com/a] owned by \"robot\"")?;
    expect(&json!(why.contains("spec.replicas")), json!(false))?;
    applied(plane, &folder, &namespace, &[], 1)?;
    std::fs::write(folder.join("kplan.yaml"), format!("{rules}- {{path: 'metadata.annotations*', action: leave}}\n"))?;
    let found = change(plane, &folder, &namespace, &[])?;
    let why = found["why"].as_str().unwrap_or_default();
    contains(why, "takes over metadata.labels.tier owned by \"robot\"")?;
    contains(why, "leaves ")?;
    applied(plane, &folder, &namespace, &[], 0)?;
    let live = namespace.get(&["deployment", "web"])?;
    expect(
        &json!([
            live["spec"]["replicas"],
            live["metadata"]["labels"]["tier"],
            live["metadata"]["annotations"]["example.com/a"]
        ]),
        json!([3, "ours", "theirs"]),
    )?;
    unchanged(plane, &folder, &namespace, &[])
}

/// A controller that writes back what it wants, as an update: a conflict, and left alone where a rule says so.
fn mutating_controller(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("mutating")?;
    let with_cpu = |cpu: &str, image: &str| {
        let mut web = deployment("web", 1, image);
        web["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": cpu}});
        web
    };
    let folder = set("mutating", &[with_cpu("10m", "web:1")]);
    applied(plane, &folder, &namespace, &[], 0)?;
    let patch =
        json!([{"op": "replace", "path": "/spec/template/spec/containers/0/resources/requests/cpu", "value": "50m"}]);
    let arguments = ["patch", "deployment", "web", "--field-manager=vpa-updater", "--type=json", "--patch"];
    namespace.kubectl(&[&arguments[..], &[&patch.to_string()]].concat());
    let path = "spec.template.spec.containers[0].resources.requests.cpu";
    let found = change(plane, &folder, &namespace, &[])?;
    expect(&found["action"], json!("conflict"))?;
    contains(found["why"].as_str().unwrap_or_default(), &format!("{path} owned by \"vpa-updater\""))?;
    let rule = "conflicts:\n- {path: '*.resources.requests.*', manager: vpa-*, action: leave}\n";
    std::fs::write(folder.join("kplan.yaml"), rule)?;
    unchanged(plane, &folder, &namespace, &[])?;
    write(&folder, &[with_cpu("10m", "web:2")]);
    let found = change(plane, &folder, &namespace, &[])?;
    let paths: Vec<&Value> = found["fields"].as_array().unwrap().iter().map(|field| &field["path"]).collect();
    expect(&json!(paths), json!(["spec.template.spec.containers[0].image"]))?;
    applied(plane, &folder, &namespace, &[], 0)?;
    let container = namespace.get(&["deployment", "web"])?["spec"]["template"]["spec"]["containers"][0].clone();
    expect(&json!([container["image"], container["resources"]["requests"]["cpu"]]), json!(["web:2", "50m"]))?;
    unchanged(plane, &folder, &namespace, &[])
}

/// `kubectl scale` is a hand of the same people: drift, put back; left alone where that is asked for.
fn scaled(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("scaled")?;
    let folder = set("scaled", &[deployment("web", 1, "web:1")]);
    applied(plane, &folder, &namespace, &[], 0)?;
    namespace.kubectl(&["scale", "deployment/web", "--replicas=3"]);
    std::fs::write(folder.join("kplan.yaml"), "conflicts:\n- {path: spec.replicas, action: leave}\n")?;
    unchanged(plane, &folder, &namespace, &[])?;
    applied(plane, &folder, &namespace, &[], 0)?;
    expect(&namespace.get(&["deployment", "web"])?["spec"]["replicas"], json!(3))?;
    std::fs::remove_file(folder.join("kplan.yaml"))?;
    let found = change(plane, &folder, &namespace, &[])?;
    expect(&found["action"], json!("update"))?;
    contains(found["why"].as_str().unwrap_or_default(), "drift: spec.replicas was changed by \"kubectl\"")?;
    applied(plane, &folder, &namespace, &[], 0)?;
    expect(&namespace.get(&["deployment", "web"])?["spec"]["replicas"], json!(1))?;
    unchanged(plane, &folder, &namespace, &[])
}

/// What may not stand beside what kubectl applied takes its place, also beside items of others; the server refuses to merge
/// both.
fn switched(plane: &Plane) -> Result<(), Failed> {
    let with = |env: Value, probe: Value| {
        let mut web = web(1, json!({}), json!({}));
        let container = &mut web["spec"]["template"]["spec"]["containers"][0];
        (container["env"], container["readinessProbe"]) = (env, probe);
        web
    };
    let old = with(json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]), json!({"httpGet": {"port": 80}}));
    let source = json!({"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}});
    let new = with(
        json!([{"name": "B", "value": "2"}, {"name": "A", "valueFrom": source}]),
        json!({"tcpSocket": {"port": 80}}),
    );
    for arguments in [&["apply"][..], &["apply", "--server-side"], &["create"]] {
        let namespace = plane.namespace("switched")?;
        let all = [arguments, &["--filename=-", "-n", &namespace.name]].concat();
        let run = plane.kubectl_stdin(&all, &old.to_string());
        expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
        let theirs = json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "env": [{"name": "C", "value": "3"}]}]}}}});
        let patch = ["patch", "deployment", "web", "--field-manager=injector", "--patch", &theirs.to_string()];
        let run = namespace.kubectl(&patch);
        expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
        let folder = set("switched", std::slice::from_ref(&new));
        let file = folder.join("set.yaml").display().to_string();
        let kubectl = namespace.kubectl(&[
            "apply",
            "--server-side",
            "--field-manager=kplan",
            "--force-conflicts",
            "--filename",
            &file,
        ]);
        contains(&kubectl.stderr, "may not specify more than 1 handler type").map_err(|_| kubectl.shown())?;
        let planned = change(plane, &folder, &namespace, &[])?;
        expect(&json!([planned["action"], planned["fidelity"], planned["restarts"]]), json!(["update", "server", 1]))
            .map_err(|_| planned.to_string())?;
        applied(plane, &folder, &namespace, &[], 0)?;
        let container = namespace.get(&["deployment", "web"])?["spec"]["template"]["spec"]["containers"][0].clone();
        let mut env = container["env"].as_array().cloned().unwrap_or_default();
        env.sort_by_key(|item| item["name"].to_string());
        let wanted =
            json!([{"name": "A", "valueFrom": source}, {"name": "B", "value": "2"}, {"name": "C", "value": "3"}]);
        expect(&json!(env), wanted)?;
        let probe = &container["readinessProbe"];
        expect(&json!([probe["httpGet"], probe["tcpSocket"]]), json!([null, {"port": 80}]))?;
        unchanged(plane, &folder, &namespace, &[])?;
    }
    Ok(())
}
