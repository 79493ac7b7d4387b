//! `kplan apply` where it does not run to its end: refusals of one object, Ctrl-C, lost connections, time-outs, somebody
//! else's hand, and the answer no.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::apply::{applied, contains, deployment, expect, kplan, service, set, write};
use crate::plane::{Namespace, Needs, Plane, trial};
use crate::proxy::{Fault, Proxy};
use crate::support;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("apply::partial_failure", Needs::Own, partial_failure),
        trial("apply::interrupted", Needs::Own, interrupted),
        trial("apply::connection_lost", Needs::Own, connection_lost),
        trial("apply::time_outs", Needs::Own, time_outs),
        trial("apply::what_is_settled_is_not_asked_again", Needs::Own, settled),
        trial("apply::changed_meanwhile", Needs::Own, changed_meanwhile),
        trial("apply::question", Needs::Own, question),
        trial("apply::gate_fails", Needs::Own, gate_fails),
    ]
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

/// A definition whose kind another one has: others wait for it, so its failure ends the run, `--wait=false` or not.
fn gate_fails(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("gate")?;
    let id = namespace.name.rsplit('-').next().unwrap().to_owned();
    let definition = |plural: &str| {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}{id}.example.com")}, "spec": {"group": "example.com", "scope": "Namespaced",
                "names": {"plural": format!("{plural}{id}"), "kind": format!("Gate{id}")},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]}})
    };
    let folder = set("gate", &[definition("first")]);
    let result = applied(plane, &folder, &namespace).and_then(|_| {
        write(&folder, &[definition("second")]);
        let run = kplan(plane, &folder, &namespace, &["apply", "--yes", "--wait=false"]);
        expect(&json!(run.code), json!(4)).map_err(|_| run.shown())?;
        contains(&run.stdout, "failed 1")
    });
    for plural in ["first", "second"] {
        plane.kubectl(&["delete", "customresourcedefinition", &format!("{plural}{id}.example.com"), "--wait=false"]);
    }
    result
}
