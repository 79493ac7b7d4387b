//! The plane itself: what the other tests take for granted of it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::plane::{Namespace, Needs, Node, Plane, trial};
use crate::proxy::{Fault, Proxy};
use crate::support;

const SOON: Duration = Duration::from_secs(30);

pub fn trials() -> Vec<Trial> {
    vec![
        trial("plane::deployment_becomes_available", Needs::Cluster, deployment),
        trial("plane::job_completes", Needs::Cluster, job),
        trial("plane::namespace_goes_away", Needs::Cluster, namespace_goes),
        trial("plane::missing_image", Needs::Own, missing_image),
        trial("plane::crash_loop", Needs::Own, crash_loop),
        trial("plane::job_fails", Needs::Own, job_fails),
        trial("plane::unready", Needs::Own, unready),
        trial("plane::claims_get_volumes", Needs::Own, claims),
        trial("plane::nodes_of_one_test", Needs::Own, nodes),
        trial("plane::users", Needs::Own, users),
        trial("plane::mishaps_on_the_way", Needs::Own, mishaps),
        trial("plane::proxy_notes_and_injects", Needs::Cluster, proxy),
        trial("plane::proxy_streams_and_cuts", Needs::Cluster, streams),
        trial("plane::ends_with_its_input", Needs::Own, ends_with_input),
        trial("plane::ends_with_a_killed_parent", Needs::Own, ends_with_parent),
        trial("plane::ends_when_killed_itself", Needs::Own, ends_when_killed),
    ]
}

fn workload(kind: &str, image: &str) -> String {
    let (version, spec) = match kind {
        "Job" => ("batch/v1", json!({ "backoffLimit": 0 })),
        _ => ("apps/v1", json!({ "replicas": 2, "selector": { "matchLabels": { "app": "web" } } })),
    };
    let mut object = json!({ "apiVersion": version, "kind": kind, "metadata": { "name": "web" }, "spec": spec });
    object["spec"]["template"] = json!({
        "metadata": { "labels": { "app": "web" } },
        "spec": { "containers": [{ "name": "web", "image": image }] },
    });
    if kind == "Job" {
        object["spec"]["template"]["spec"]["restartPolicy"] = json!("Never");
    }
    object.to_string()
}

/// The field of the object `web` or of its pods, for `wait`; null where there is none.
fn field(namespace: &Namespace<'_>, kind: &str, pointer: &str) -> Value {
    let objects = namespace.get(&[kind]).unwrap_or_default();
    objects["items"][0].pointer(pointer).cloned().unwrap_or_default()
}

const STATE: &str = "/status/containerStatuses/0/state";

fn is(actual: &Value, expected: &Value) -> Result<(), Failed> {
    if actual == expected { Ok(()) } else { Err(format!("expected {expected}, not {actual}").into()) }
}

fn deployment(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("available")?;
    namespace.apply(&workload("Deployment", "registry.k8s.io/pause:3.10"))?;
    plane.wait("two are available", SOON, || field(&namespace, "deployments", "/status/availableReplicas") == 2)
}

fn job(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("job")?;
    let job = workload("Job", "busybox:1.37").replace("\"image\"", "\"command\":[\"true\"],\"image\"");
    namespace.apply(&job)?;
    plane.wait("the job succeeds", SOON, || field(&namespace, "jobs", "/status/succeeded") == 1)
}

fn namespace_goes(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("going")?;
    namespace.apply(&workload("Deployment", "registry.k8s.io/pause:3.10"))?;
    let name = namespace.name.clone();
    drop(namespace);
    let gone = || plane.kubectl(&["get", "namespace", &name]).stderr.contains("NotFound");
    plane.wait("the namespace is gone", SOON, gone)
}

fn missing_image(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("missing")?;
    namespace.apply(&workload("Deployment", "web:missing"))?;
    let error = "rpc error: code = NotFound desc = failed to pull and unpack image \"docker.io/library/web:missing\": \
                 failed to resolve reference \"docker.io/library/web:missing\": \
                 docker.io/library/web:missing: not found";
    let first = json!({ "waiting": { "reason": "ErrImagePull", "message": error } });
    plane.wait("ErrImagePull", SOON, || field(&namespace, "pods", STATE) == first)?;
    let message = format!("Back-off pulling image \"web:missing\": ErrImagePull: {error}");
    let second = json!({ "waiting": { "reason": "ImagePullBackOff", "message": message } });
    plane.wait("ImagePullBackOff", SOON, || field(&namespace, "pods", STATE) == second)?;
    is(&field(&namespace, "pods", "/status/phase"), &json!("Pending"))
}

fn crash_loop(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("crash")?;
    namespace.apply(&workload("Deployment", "crash:1"))?;
    let reason = format!("{STATE}/waiting/reason");
    plane.wait("CrashLoopBackOff", SOON, || field(&namespace, "pods", &reason) == "CrashLoopBackOff")?;
    let pods = namespace.get(&["pods"])?;
    let pod = &pods["items"][0];
    let status = &pod["status"]["containerStatuses"][0];
    let id = format!("{}_{}({})", text(&pod["metadata"]["name"]), namespace.name, text(&pod["metadata"]["uid"]));
    is(
        &status["state"]["waiting"]["message"],
        &json!(format!("back-off 10s restarting failed container=web pod={id}")),
    )?;
    is(&status["lastState"]["terminated"]["exitCode"], &json!(1))?;
    is(&status["lastState"]["terminated"]["reason"], &json!("Error"))?;
    is(&status["restartCount"], &json!(1))?;
    is(&status["ready"], &json!(false))?;
    is(&pod["status"]["phase"], &json!("Running"))?;
    let count = "/status/containerStatuses/0/restartCount";
    plane.wait("it restarts", SOON, || field(&namespace, "pods", count) == 2)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn job_fails(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("fails")?;
    namespace.apply(&workload("Job", "fails:1"))?;
    plane.wait("the job fails", SOON, || field(&namespace, "jobs", "/status/failed") == 1)?;
    is(&field(&namespace, "pods", "/status/phase"), &json!("Failed"))?;
    is(&field(&namespace, "pods", &format!("{STATE}/terminated/exitCode")), &json!(3))
}

fn unready(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("unready")?;
    namespace.apply(&workload("Deployment", "unready:1"))?;
    plane.wait("it runs", SOON, || field(&namespace, "pods", "/status/phase") == "Running")?;
    let unhealthy = || {
        let events = namespace.get(&["events", "--field-selector=reason=Unhealthy"]).unwrap_or_default();
        events["items"][0]["message"] == "Readiness probe failed: HTTP probe failed with statuscode: 503"
    };
    plane.wait("its probe fails", SOON, unhealthy)?;
    is(&field(&namespace, "deployments", "/status/unavailableReplicas"), &json!(2))
}

fn claims(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("claims")?;
    let mut set = json!({ "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": { "name": "web" } });
    let claim = json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } });
    let container =
        json!({ "name": "web", "image": "web:1", "volumeMounts": [{ "name": "data", "mountPath": "/data" }] });
    set["spec"] = json!({
        "replicas": 2,
        "serviceName": "web",
        "selector": { "matchLabels": { "app": "web" } },
        "template": { "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [container] } },
        "volumeClaimTemplates": [{ "metadata": { "name": "data" }, "spec": claim }],
    });
    namespace.apply(&set.to_string())?;
    plane.wait("both are ready", SOON, || field(&namespace, "statefulsets", "/status/readyReplicas") == 2)?;
    let volume = field(&namespace, "persistentvolumeclaims", "/spec/volumeName");
    drop(namespace);
    let gone = || plane.kubectl(&["get", "persistentvolume", text(&volume)]).stderr.contains("NotFound");
    plane.wait("the volume goes with its claim", SOON, gone)
}

fn nodes(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("nodes")?;
    let pool = plane.nodes(&[
        Node { name: "small", cpu: "1", memory: "1Gi", ..Node::default() },
        Node { name: "kept", cpu: "8", memory: "1Gi", taints: &[("gpu", "yes", "NoSchedule")], ..Node::default() },
    ])?;
    let mut pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "web" }, "spec": pool.placement() });
    let resources = json!({ "requests": { "cpu": "800m" } });
    pod["spec"]["containers"] = json!([{ "name": "web", "image": "web:1", "resources": resources }]);
    namespace.apply(&pod.to_string())?;
    let node = format!("{}-small", pool.name);
    plane.wait("it runs on the one node", SOON, || field(&namespace, "pods", "/spec/nodeName") == node.as_str())?;
    pod["metadata"]["name"] = json!("web-2");
    namespace.apply(&pod.to_string())?;
    let refused = || {
        let pod = namespace.get(&["pod", "web-2"]).unwrap_or_default();
        pod["status"]["conditions"][0]["message"].as_str().is_some_and(|message| message.contains("1 Insufficient cpu"))
    };
    plane.wait("the scheduler's sentence", SOON, refused)
}

fn users(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("users")?;
    namespace.apply(&workload("Deployment", "web:1"))?;
    let as_user = |user: &str, arguments: &[&str]| {
        let context = plane.context(user);
        let mut all = vec!["--context", &context, "--namespace", &namespace.name];
        all.extend(arguments);
        plane.kubectl(&all)
    };
    let scale = ["scale", "deployment", "web", "--replicas=3"];
    let image = ["set", "image", "deployment", "web", "web=web:2"];
    let config = ["create", "configmap", "settings"];
    let cases: [(&str, &[&str], &str); 9] = [
        ("reader", &["get", "deployments,pods,nodes,customresourcedefinitions"], ""),
        ("reader", &["get", "secrets"], "User \"reader\" cannot list resource \"secrets\""),
        ("reader", &config, "User \"reader\" cannot create resource \"configmaps\""),
        ("reader", &image, "User \"reader\" cannot patch resource \"deployments\""),
        ("partial", &config, ""),
        ("partial", &image, "User \"partial\" cannot patch resource \"deployments\""),
        ("partial", &scale, "User \"partial\" cannot patch resource \"deployments/scale\""),
        ("partial", &["get", "secrets"], "User \"partial\" cannot list resource \"secrets\""),
        ("nobody", &["get", "pods"], "User \"nobody\" cannot list resource \"pods\""),
    ];
    for (user, arguments, error) in cases {
        let run = as_user(user, arguments);
        if (run.code == Some(0)) != error.is_empty() || !run.stderr.contains(error) {
            return Err(format!("{user} {arguments:?}: {}", run.shown()).into());
        }
    }
    Ok(())
}

fn mishaps(plane: &Plane) -> Result<(), Failed> {
    let cases = [
        ("expired", "Unauthorized"),
        ("wrong-ca", "certificate signed by unknown authority"),
        ("unreachable", "127.0.0.1:1 was refused"),
    ];
    let version = |context: &str| plane.kubectl(&["--context", &plane.context(context), "get", "--raw", "/version"]);
    for (context, error) in cases {
        let run = version(context);
        if run.code == Some(0) || !run.stderr.contains(error) {
            return Err(format!("{context}: {}", run.shown()).into());
        }
    }
    let run = version("exec");
    if run.code != Some(0) {
        return Err(run.shown().into());
    }
    let mut hanging = plane.kubectl_command(&["--context", "kplan-exec-hangs", "get", "--raw", "/version"]);
    let mut hanging = hanging.spawn()?;
    std::thread::sleep(Duration::from_secs(3));
    let ended = hanging.try_wait()?;
    hanging.kill()?;
    hanging.wait()?;
    if ended.is_some() { Err("exec-hangs does not hang".into()) } else { Ok(()) }
}

/// A request by kubectl through a proxy.
fn through(plane: &Plane, proxy: &Proxy, arguments: &[&str]) -> support::Run {
    let mut command = plane.kubectl_command(&[]);
    command.arg("--kubeconfig").arg(proxy.kubeconfig()).args(arguments);
    support::finish(command)
}

fn proxy(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("proxy")?;
    let refused = AtomicUsize::new(0);
    let proxy = Proxy::start(plane, move |request| {
        if request.method == "PATCH" && refused.fetch_add(1, Ordering::Relaxed) == 0 {
            return Fault::status(429, "TooManyRequests", "slow down", &[("retry-after", "1")]);
        }
        Fault::Pass
    })?;
    let path = format!("/api/v1/namespaces/{}/configmaps", namespace.name);
    let apply = ["apply", "--server-side", "--dry-run=server", "--filename=-", "--namespace", &namespace.name];
    let mut command = plane.kubectl_command(&[]);
    command.arg("--kubeconfig").arg(proxy.kubeconfig()).args(apply);
    let settings = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings" } }).to_string();
    let run = support::finish_with(command, settings.as_bytes());
    if run.code != Some(0) {
        return Err(run.shown().into());
    }
    let patches: Vec<_> = proxy.requests().into_iter().filter(|request| request.method == "PATCH").collect();
    let shown: Vec<String> = patches.iter().map(|request| format!("{} {:?}", request.path, request.status)).collect();
    let path = format!("{path}/settings");
    let expected = [format!("{path} Some(429)"), format!("{path} Some(201)")];
    support::verdict(support::difference(&expected, &shown))?;
    let whole = patches.iter().all(|request| request.query.contains("dryRun=All") && !request.body.is_empty());
    let waited = patches[1].at - patches[0].at >= Duration::from_millis(900);
    if whole && waited { Ok(()) } else { Err(format!("{patches:?}").into()) }
}

fn streams(plane: &Plane) -> Result<(), Failed> {
    let cut = |request: &crate::proxy::Request| match request.path.as_str() {
        "/version" => Fault::Cut(300),
        "/livez" => Fault::Drop,
        _ => Fault::Pass,
    };
    let proxy = Proxy::start(plane, cut)?;
    for path in ["/version", "/livez"] {
        let run = through(plane, &proxy, &["get", "--raw", path]);
        if run.code == Some(0) || !run.stderr.contains("EOF") {
            return Err(format!("{path}: {}", run.shown()).into());
        }
    }
    // A long answer arrives whole, and a watch while it goes on.
    let whole = plane.kubectl(&["get", "--raw", "/openapi/v2"]);
    let passed = through(plane, &proxy, &["get", "--raw", "/openapi/v2"]);
    if passed.code != Some(0) || passed.stdout != whole.stdout {
        return Err(format!("{} bytes, not {}", passed.stdout.len(), whole.stdout.len()).into());
    }
    let path = "/api/v1/namespaces?watch=1&timeoutSeconds=20";
    let mut command = plane.kubectl_command(&[]);
    command.arg("--kubeconfig").arg(proxy.kubeconfig()).args(["get", "--raw", path]);
    let mut watch = command.spawn()?;
    let mut line = String::new();
    BufReader::new(watch.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let goes_on = watch.try_wait()?.is_none();
    watch.kill()?;
    watch.wait()?;
    if line.contains("\"ADDED\"") && goes_on { Ok(()) } else { Err(format!("{goes_on}, {line}").into()) }
}

/// A plane started by a shell script in which SERVE is the command; with the plane's folder.
fn serve(script: &str) -> Result<(Child, String), Failed> {
    let mut shell = Command::new("sh");
    let command = format!("'{}' run --quiet --package xtask -- cluster serve", env!("CARGO"));
    shell.args(["-c", &script.replace("SERVE", &command)]).current_dir(support::root());
    let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(shell.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let home = line.trim_end().strip_suffix("/kubeconfig").ok_or("no kubeconfig")?.to_owned();
    let processes = processes(&home)?;
    if processes.len() < 6 { Err(format!("not all components run: {processes:?}").into()) } else { Ok((shell, home)) }
}

/// The processes, zombies aside, that work in a plane's folder.
fn processes(home: &str) -> Result<Vec<String>, Failed> {
    let output = Command::new("ps").args(["-axww", "-o", "pid=,stat=,args="]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let ours = text.lines().filter(|line| line.contains(home));
    let living = ours.filter(|line| !line.split_whitespace().nth(1).is_some_and(|state| state.starts_with('Z')));
    Ok(living.map(str::to_owned).collect())
}

fn is_gone(plane: &Plane, home: &str) -> Result<(), Failed> {
    let gone = || processes(home).is_ok_and(|left| left.is_empty()) && !std::path::Path::new(home).exists();
    plane.wait("no process and no file is left", SOON, gone)
}

fn ends_with_input(plane: &Plane) -> Result<(), Failed> {
    let (mut shell, home) = serve("SERVE")?;
    let mut input = shell.stdin.take().ok_or("no input")?;
    input.write_all(b"only the end ends it\n")?;
    std::thread::sleep(Duration::from_millis(500));
    if processes(&home)?.len() < 6 {
        return Err("it ended before its input did".into());
    }
    drop(input);
    shell.wait()?;
    is_gone(plane, &home)
}

/// The parent, which alone holds the other end of the pipe, is killed.
fn ends_with_parent(plane: &Plane) -> Result<(), Failed> {
    let pipe = support::folder("plane-pipe").join("pipe").display().to_string();
    let (mut shell, home) = serve(&format!("mkfifo '{pipe}'; SERVE < '{pipe}' & exec 3> '{pipe}'; wait"))?;
    shell.kill()?;
    shell.wait()?;
    is_gone(plane, &home)
}

/// The process that was called is killed while its input is open.
fn ends_when_killed(plane: &Plane) -> Result<(), Failed> {
    let (mut shell, home) = serve("exec 3<&0; SERVE <&3 3<&- & wait")?;
    let input = shell.stdin.take();
    let children = Command::new("pgrep").args(["-P", &shell.id().to_string()]).output()?;
    let child = String::from_utf8_lossy(&children.stdout).trim().to_owned();
    if !Command::new("kill").args(["-KILL", &child]).status()?.success() {
        return Err(format!("no process {child}").into());
    }
    shell.wait()?;
    is_gone(plane, &home)?;
    drop(input);
    Ok(())
}
