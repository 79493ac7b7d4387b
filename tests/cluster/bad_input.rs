//! Clusters that do not answer, and what users get wrong about them: one clear message each, the right exit code, and a
//! cluster that nobody touched.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::plane::{Needs, Plane, trial};
use crate::proxy::{Fault, Proxy};
use crate::support::{self, Run};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("bad_input::the_way_to_the_server", Needs::Own, the_way),
        trial("bad_input::contexts", Needs::Cluster, contexts),
        trial("bad_input::kubeconfigs", Needs::Cluster, kubeconfigs),
        trial("bad_input::no_rights", Needs::Own, no_rights),
        trial("bad_input::some_rights", Needs::Own, some_rights),
        trial("bad_input::rights_to_give_rights", Needs::Own, giving),
        trial("bad_input::storms", Needs::Cluster, storms),
        trial("bad_input::no_answer", Needs::Cluster, no_answer),
        trial("bad_input::broken_answers", Needs::Cluster, broken_answers),
        trial("bad_input::namespace_goes", Needs::Cluster, namespace_goes),
        trial("bad_input::no_namespace", Needs::Cluster, no_namespace),
        trial("bad_input::too_large", Needs::Cluster, too_large),
        trial("bad_input::unknown_kind", Needs::Cluster, unknown_kind),
        trial("bad_input::dead_api_service", Needs::Own, dead_api_service),
        trial("bad_input::proxies_of_the_environment", Needs::Cluster, proxies),
    ]
}

const SET: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: default}\ndata: {a: b}\n";

fn folder(name: &str, text: &str) -> std::path::PathBuf {
    let folder = support::folder(&format!("bad-input-{name}"));
    std::fs::write(folder.join("set.yaml"), text).unwrap();
    folder
}

/// The exit code, no output on stdout, and one error that has all parts.
fn fails(run: &Run, code: i32, parts: &[&str]) -> Result<(), Failed> {
    let errors = run.stderr.matches("error: ").count();
    let missing: Vec<&&str> = parts.iter().filter(|part| !run.stderr.contains(**part)).collect();
    let panics = run.stderr.contains("panicked");
    if run.code == Some(code) && errors == 1 && missing.is_empty() && run.stdout.is_empty() && !panics {
        return Ok(());
    }
    Err(format!("expected exit {code}, one error with {parts:?}; found {}", run.shown()).into())
}

fn the_way(plane: &Plane) -> Result<(), Failed> {
    let folder = folder("way", SET);
    let cases = [
        ("unreachable", &["cannot reach https://127.0.0.1:", "Connection refused", "help: "][..]),
        ("wrong-ca", &["is not trusted", "certificate-authority-data"]),
        ("expired", &["401 Unauthorized", "log in again"]),
        ("exec-hangs", &["the credential plugin", "gave no answer in 20 s"]),
    ];
    for (name, parts) in cases {
        for command in
            [&["plan", "."][..], &["diff", ".", "--base", "cluster"], &["apply", "--yes", "."], &["snapshot"]]
        {
            // A plugin that hangs takes its time; once is enough.
            if name != "exec-hangs" || command[0] == "plan" {
                let run = plane.kplan(&folder, &[command, &["--context", &plane.context(name)]].concat());
                fails(&run, 2, parts)?;
            }
        }
    }
    let run = plane.kplan(&folder, &["plan", ".", "--context", &plane.context("exec")]);
    if run.code == Some(0) { Ok(()) } else { Err(run.shown().into()) }
}

fn contexts(plane: &Plane) -> Result<(), Failed> {
    let folder = folder("contexts", SET);
    let run = plane.kplan(&folder, &["plan", ".", "--context", "kplan-tset"]);
    fails(&run, 2, &["context `kplan-tset` is not in the kubeconfig", "kplan-test", "help: "])?;
    let mut command = plane.kplan_command(&folder, &["apply", "--yes", "."]);
    command.env("CI", "true");
    fails(&support::finish(command), 2, &["no context is named, and CI is set", "--context"])?;
    std::fs::write(folder.join("kplan.yaml"), "contexts: [prod, staging]\n")?;
    let run = plane.kplan(&folder, &["plan", ".", "--context", "kplan-test"]);
    fails(&run, 2, &["kplan.yaml does not allow context `kplan-test`", "prod, staging"])?;
    // One context of the config is the one that is meant.
    std::fs::write(folder.join("kplan.yaml"), "contexts: [kplan-test]\n")?;
    let run = plane.kplan(&folder, &["plan", "."]);
    if run.code == Some(0) && run.stdout.contains("context kplan-test") { Ok(()) } else { Err(run.shown().into()) }
}

fn kubeconfigs(plane: &Plane) -> Result<(), Failed> {
    let folder = folder("kubeconfigs", SET);
    let cases = [
        ("a: [", &["cannot read the kubeconfig"][..]),
        ("apiVersion: v1\nkind: Config\n", &["no context is chosen"]),
        (
            "contexts: [{name: c, context: {cluster: gone, user: u}}]\ncurrent-context: c\n",
            &["context `c` is of cluster `gone`"],
        ),
        (
            "clusters: [{name: k, cluster: {server: 'localhost:1'}}]\n\
            contexts: [{name: c, context: {cluster: k, user: u}}]\ncurrent-context: c\n",
            &["server `localhost:1`"],
        ),
        (
            "clusters: [{name: k, cluster: {server: 'https://localhost:1', certificate-authority-data: '%%'}}]\n\
            contexts: [{name: c, context: {cluster: k, user: u}}]\ncurrent-context: c\n",
            &["certificate-authority-data is no base64"],
        ),
        (
            "clusters: [{name: k, cluster: {server: 'https://localhost:1'}}]\ncurrent-context: c\n\
            contexts: [{name: c, context: {cluster: k, user: u}}]\n\
            users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-plugin}}}]\n",
            &["the credential plugin `no-such-plugin`", "failed"],
        ),
    ];
    let file = plane.scratch.join("broken-kubeconfig");
    for (text, parts) in cases {
        std::fs::write(&file, text)?;
        let run = support::kplan(&folder, &["apply", "--yes", ".", "--kubeconfig", file.to_str().unwrap()]);
        fails(&run, 2, parts)?;
    }
    let run = support::kplan(&folder, &["plan", ".", "--context", "c", "--kubeconfig", "no-such-file"]);
    fails(&run, 2, &["cannot read the kubeconfig no-such-file", "No such file"])
}

fn no_rights(plane: &Plane) -> Result<(), Failed> {
    let folder = folder("no-rights", SET);
    let run = plane.kplan(&folder, &["plan", ".", "--output", "json", "--context", &plane.context("nobody")]);
    let report = run.report()?;
    let change = &report["changes"][0];
    if change["fidelity"] != "approx" || !change["why"].as_str().unwrap_or_default().contains("cannot patch") {
        return Err(format!("not told: {change}").into());
    }
    // What may not be read is told together, and so are the rights that are missing.
    let notes = report["notes"].to_string();
    let told = ["Node, ", "cannot list them at the cluster scope", "no right to create, get or patch configmaps"];
    let few = report["notes"].as_array().is_some_and(|notes| notes.len() <= 6);
    if run.code == Some(0) && few && told.iter().all(|part| notes.contains(part)) {
        Ok(())
    } else {
        Err(run.shown().into())
    }
}

fn some_rights(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("some-rights")?;
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n---\n\
        apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n\
        spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: 'web:1'}]}}}\n";
    let folder = folder("some-rights", text);
    let partial = plane.context("partial");
    let all = ["--output", "json", "-n", &namespace.name, "--context", &partial];
    let report = plane.kplan(&folder, &[&["plan", "."], &all[..]].concat()).report()?;
    let fidelity: Vec<&Value> =
        report["changes"].as_array().unwrap().iter().map(|change| &change["fidelity"]).collect();
    if json!(fidelity) != json!(["server", "approx"]) {
        return Err(format!("{fidelity:?}").into());
    }
    let right = format!("no right to patch deployments.apps in namespace {}", namespace.name);
    let is_named =
        |report: &Value| report["notes"].to_string().contains(&format!("{right}, which apply needs for Deployment"));
    if !is_named(&report) || report["notes"].to_string().contains("configmaps") {
        return Err(format!("{}", report["notes"]).into());
    }
    // Nothing is begun that cannot be ended.
    let run = plane.kplan(&folder, &[&["apply", "--yes", "."], &all[..]].concat());
    let made = namespace.get(&["configmap", "c"]).is_ok();
    let named = run.stderr.contains("you have no right to patch deployments.apps");
    if run.code == Some(1) && !made && named { Ok(()) } else { Err(run.shown().into()) }
}

/// Whoever gives rights must have them, or `escalate` and `bind`: the table names which of these is missing.
fn giving(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("giving")?;
    let name = &namespace.name;
    let rules =
        "[{apiGroups: [rbac.authorization.k8s.io], resources: [roles, rolebindings], verbs: [get, create, patch]}]";
    let access = format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: clerk}}\n---\n\
        apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: clerk}}\nrules: {rules}\n---\n\
        apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {{name: clerk}}\n\
        roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: clerk}}\n\
        subjects: [{{kind: ServiceAccount, name: clerk, namespace: {name}}}]\n"
    );
    namespace.apply(&access)?;
    let token = namespace.kubectl(&["create", "token", "clerk"]).stdout.trim().to_owned();
    let mut config: Value = serde_json::from_str(&plane.kubectl(&["config", "view", "--raw", "--output=json"]).stdout)?;
    for user in config["users"].as_array_mut().into_iter().flatten() {
        user["user"] = json!({ "token": token });
    }
    let file = plane.scratch.join(format!("{name}-kubeconfig"));
    std::fs::write(&file, config.to_string())?;
    let binding = |name: &str, kind: &str, role: &str| {
        format!(
            "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {{name: {name}}}\n\
            roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {kind}, name: {role}}}\n\
            subjects: [{{kind: User, name: x, apiGroup: rbac.authorization.k8s.io}}]\n"
        )
    };
    let strong = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: strong}\n\
        rules: [{apiGroups: [''], resources: [secrets], verbs: [get]}]\n";
    let folder = folder("giving", &[strong, &binding("all", "ClusterRole", "cluster-admin")].concat());
    let all = [".", "-n", name, "--context", "kplan-test", "--kubeconfig", file.to_str().unwrap()];
    let run = support::kplan(&folder, &[&["plan", "--output", "json"], &all[..]].concat());
    let notes = run.report().map_err(|error| format!("{error}: {}", run.shown()))?["notes"].to_string();
    for (right, object) in [("escalate roles", "Role"), ("bind clusterroles", "RoleBinding")] {
        let words = format!(
            "no right to {right}.rbac.authorization.k8s.io in namespace {name}, which apply needs for {object}"
        );
        if !notes.contains(&words) {
            return Err(format!("no {words:?} in {notes}").into());
        }
    }
    let run = support::kplan(&folder, &[&["apply", "--yes"], &all[..]].concat());
    let made = namespace.get(&["role", "strong"]).is_ok();
    if run.code == Some(1) && !made { Ok(()) } else { Err(run.shown().into()) }
}

fn through(proxy: &Proxy, folder: &std::path::Path, arguments: &[&str]) -> Run {
    let all = ["--context", "kplan-test", "--kubeconfig", proxy.kubeconfig().to_str().unwrap()];
    support::kplan(folder, &[arguments, &all].concat())
}

fn storms(plane: &Plane) -> Result<(), Failed> {
    let folder = folder("storms", SET);
    // Every request meets a busy server twice: kplan asks again.
    for code in [429, 500, 503] {
        let seen = Mutex::new(HashMap::new());
        let proxy = Proxy::start(plane, move |request| {
            let mut seen = seen.lock().unwrap();
            let count: &mut usize = seen.entry((request.path.clone(), request.query.clone())).or_default();
            *count += 1;
            if *count > 2 { Fault::Pass } else { Fault::status(code, "Busy", "try later", &[("retry-after", "0")]) }
        })?;
        let run = through(&proxy, &folder, &["plan", "."]);
        if run.code != Some(0) {
            return Err(format!("{code}: {}", run.shown()).into());
        }
    }
    let proxy = Proxy::start(plane, |_| Fault::status(429, "TooManyRequests", "slow down", &[]))?;
    let run = through(&proxy, &folder, &["plan", "."]);
    fails(&run, 2, &["answered 429 to GET /version, 4 times", "slow down", "overloaded"])?;
    let proxy = Proxy::start(plane, |request| match request.query.contains("dryRun") {
        true => Fault::status(500, "InternalError", "etcd is on fire", &[]),
        false => Fault::Pass,
    })?;
    let run = through(&proxy, &folder, &["plan", "."]);
    let told = run.stdout.contains("etcd is on fire");
    if run.code == Some(1) && told && proxy.requests().len() < 60 { Ok(()) } else { Err(run.shown().into()) }
}

fn no_answer(plane: &Plane) -> Result<(), Failed> {
    let folder = folder("no-answer", SET);
    let proxy = Proxy::start(plane, |_| Fault::Hang)?;
    let run = through(&proxy, &folder, &["plan", ".", "--request-timeout", "1s"]);
    fails(&run, 2, &["gave no answer in 1 s", "--request-timeout"])?;
    if run.time > Duration::from_secs(20) { Err(format!("it took {:?}", run.time).into()) } else { Ok(()) }
}

fn broken_answers(plane: &Plane) -> Result<(), Failed> {
    let folder = folder("broken-answers", SET);
    let page = Fault::Status { code: 200, headers: Vec::new(), body: "<html>log in</html>".to_owned() };
    let proxy = Proxy::start(plane, move |_| page.clone())?;
    fails(&through(&proxy, &folder, &["plan", "."]), 2, &["is no Kubernetes API server"])?;
    let proxy =
        Proxy::start(plane, |request| if request.query.contains("dryRun") { Fault::Cut(200) } else { Fault::Pass })?;
    fails(&through(&proxy, &folder, &["plan", "."]), 2, &["cannot reach http://127.0.0.1:"])?;
    let proxy =
        Proxy::start(plane, |request| if request.path.starts_with("/api/v1/") { Fault::Drop } else { Fault::Pass })?;
    fails(&through(&proxy, &folder, &["plan", "."]), 2, &["cannot reach http://127.0.0.1:"])
}

fn namespace_goes(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("going")?;
    let hold = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hold, finalizers: [example.com/hold]}\n";
    namespace.apply(hold)?;
    plane.kubectl(&["delete", "namespace", &namespace.name, "--wait=false"]);
    let folder = folder("going", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n");
    let all = ["--yes", ".", "-n", &namespace.name, "--context", "kplan-test"];
    let run = plane.kplan(&folder, &[&["apply"], &all[..]].concat());
    namespace.kubectl(&[
        "patch",
        "configmap",
        "hold",
        "--type=merge",
        "--patch",
        "{\"metadata\":{\"finalizers\":null}}",
    ]);
    let told = run.stdout.contains("because it is being terminated") && run.stderr.contains("nothing was applied");
    if run.code == Some(1) && told { Ok(()) } else { Err(run.shown().into()) }
}

fn no_namespace(plane: &Plane) -> Result<(), Failed> {
    let folder = folder("no-namespace", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n");
    let run = plane.kplan(&folder, &["plan", ".", "-n", "no-such-namespace", "--context", "kplan-test"]);
    let told = run.stdout.contains("namespaces \"no-such-namespace\" not found");
    if run.code == Some(1) && told { Ok(()) } else { Err(run.shown().into()) }
}

fn too_large(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("large")?;
    let text =
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{a: {}}}\n", "x".repeat(4 << 20));
    let folder = folder("large", &text);
    let all = [".", "-n", &namespace.name, "--context", "kplan-test"];
    let run = plane.kplan(&folder, &[&["apply", "--yes"], &all[..]].concat());
    let words = run.stdout.contains("equest entity too large") || run.stdout.contains("Too long");
    if run.code == Some(1) && words { Ok(()) } else { Err(run.shown().chars().take(2000).collect::<String>().into()) }
}

fn unknown_kind(plane: &Plane) -> Result<(), Failed> {
    let folder = folder("unknown-kind", "apiVersion: example.org/v1\nkind: Nothing\nmetadata: {name: n}\n");
    let run = plane.kplan(&folder, &["plan", ".", "--context", "kplan-test"]);
    let told = run.stdout.contains("no matches for kind \"Nothing\" in version \"example.org/v1\"");
    if run.code == Some(1) && told { Ok(()) } else { Err(run.shown().into()) }
}

fn dead_api_service(plane: &Plane) -> Result<(), Failed> {
    let dead = "apiVersion: apiregistration.k8s.io/v1\nkind: APIService\nmetadata: {name: v1beta1.dead.example.com}\n\
        spec: {group: dead.example.com, version: v1beta1, groupPriorityMinimum: 100, versionPriority: 100,\n  \
        insecureSkipTLSVerify: true, service: {name: nothing, namespace: default}}\n";
    plane.apply(dead)?;
    let folder =
        folder("dead", &format!("{SET}---\napiVersion: dead.example.com/v1beta1\nkind: Body\nmetadata: {{name: b}}\n"));
    let run = plane.kplan(&folder, &["plan", ".", "--output", "json", "--context", "kplan-test"]);
    plane.kubectl(&["delete", "apiservice", "v1beta1.dead.example.com"]);
    let report = run.report()?;
    let fidelity: Vec<&Value> =
        report["changes"].as_array().unwrap().iter().map(|change| &change["fidelity"]).collect();
    let named = run.stdout.contains("dead.example.com/v1beta1");
    if run.code == Some(1) && named && fidelity.contains(&&json!("server")) { Ok(()) } else { Err(run.shown().into()) }
}

fn proxies(plane: &Plane) -> Result<(), Failed> {
    let folder = folder("proxies", SET);
    let with = |no_proxy: &str| {
        let mut command = plane.kplan_command(&folder, &["plan", ".", "--context", "kplan-test"]);
        command.env("HTTPS_PROXY", "http://127.0.0.1:9").env("NO_PROXY", no_proxy);
        support::finish(command)
    };
    // kube 5.0.0 holds it against the proxy's address, and refuses the comma at the end.
    let run = with("127.0.0.0/8,");
    if run.code != Some(0) {
        return Err(run.shown().into());
    }
    fails(&with("example.com"), 2, &["cannot reach https://127.0.0.1:"])
}
