//! What is hard to predict, or said by others than the API server itself: older versions in the record of an object,
//! drift, what injectors and aggregation fill in, webhooks and policies, finalizers, lists with a key twice.

use std::net::TcpListener;
use std::path::Path;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::apply::{contains, deployment, expect, kplan, service, set, write};
use crate::plane::{Namespace, Needs, Plane, trial};
use crate::proxy::{Fault, Proxy};
use crate::support;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("truth::applied_in_an_older_version", Needs::Own, older_version),
        trial("truth::autoscaler_of_version_one", Needs::Own, autoscaler),
        trial("truth::drift_beside_the_manifest", Needs::Own, drift),
        trial("truth::what_is_being_deleted", Needs::Own, going),
        trial("truth::finalizer_holds_a_replacement", Needs::Own, held),
        trial("truth::certificates_of_an_injector", Needs::Own, injected),
        trial("truth::aggregated_role", Needs::Own, aggregated),
        trial("truth::webhooks_that_do_not_answer", Needs::Own, silent_webhooks),
        trial("truth::webhook_without_dry_run", Needs::Own, no_dry_run),
        trial("truth::policies_refuse_and_change", Needs::Own, policies),
        trial("truth::webhook_comes_after_its_pods", Needs::Own, webhook_last),
        trial("truth::keys_that_stand_twice", Needs::Own, twice),
    ]
}

fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

fn plan(plane: &Plane, folder: &Path, namespace: &Namespace<'_>) -> Result<Value, Failed> {
    let run = kplan(plane, folder, namespace, &["plan", "--output", "json"]);
    Ok(run.report().map_err(|error| format!("{error}: {}", run.shown()))?)
}

fn apply(plane: &Plane, folder: &Path, namespace: &Namespace<'_>) -> Result<(), Failed> {
    let run = kplan(plane, folder, namespace, &["apply", "--yes"]);
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown().into())
}

/// The fields of the one change that is not `unchanged`, as `remove spec.b`.
fn fields(report: &Value) -> Vec<String> {
    let changes = report["changes"].as_array().into_iter().flatten();
    let open = changes.filter(|change| change["action"] != "unchanged");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    open.flat_map(|change| change["fields"].as_array().into_iter().flatten())
        .map(|field| format!("{} {}", text(&field["op"]), text(&field["path"])))
        .collect()
}

/// A name that no other test has, for what has no namespace.
fn mark(namespace: &Namespace<'_>) -> String {
    namespace.name.rsplit('-').next().unwrap_or_default().to_owned()
}

/// kubectl applied another version of the API, which may be gone meanwhile: what it set and nobody writes goes away.
fn older_version(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("older")?;
    let (plural, kind) = (format!("olds{}", mark(&namespace)), format!("Old{}", mark(&namespace)));
    let version = |name: &str, storage: bool| {
        json!({"name": name, "served": true, "storage": storage, "schema": {"openAPIV3Schema": {"type": "object",
            "x-kubernetes-preserve-unknown-fields": true}}})
    };
    let definition = |versions: &[Value]| {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.example.com")}, "spec": {"group": "example.com", "scope": "Namespaced",
                "names": {"plural": plural, "kind": kind}, "versions": versions}})
    };
    let thing = |version: &str, name: &str, spec: Value| json!({"apiVersion": format!("example.com/{version}"), "kind": kind, "metadata": {"name": name}, "spec": spec});
    plane.apply(&definition(&[version("v1alpha1", false), version("v1", true)]).to_string())?;
    plane.kubectl(&["wait", "--for=condition=Established", &format!("crd/{plural}.example.com"), "--timeout=30s"]);
    let result = (|| {
        for (name, arguments) in [("a", &["apply"][..]), ("b", &["apply", "--server-side"])] {
            let all = [arguments, &["--filename=-", "-n", &namespace.name]].concat();
            let old = thing("v1alpha1", name, json!({"kept": 1, "gone": 2, "inner": {"x": 1, "y": 2}}));
            let run = plane.kubectl_stdin(&all, &old.to_string());
            expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
        }
        let own = thing("v1alpha1", "c", json!({"kept": 1, "gone": 2, "inner": {"x": 1, "y": 2}}));
        apply(plane, &set("older-own", &[own]), &namespace)?;
        let wanted = |name: &str| thing("v1", name, json!({"kept": 1, "inner": {"x": 1}}));
        for name in ["a", "b", "c"] {
            if name == "b" {
                // For ever after server-side apply says `request to convert CR to an invalid group/version`.
                plane.apply(&definition(&[version("v1", true)]).to_string())?;
            }
            let folder = set(&format!("older-{name}"), &[wanted(name)]);
            let report = plan(plane, &folder, &namespace)?;
            expect(&json!(fields(&report)), json!(["remove spec.gone", "remove spec.inner.y"]))?;
            apply(plane, &folder, &namespace)?;
            let live = namespace.get(&[&format!("{plural}.example.com"), name])?;
            expect(&live["spec"], json!({"kept": 1, "inner": {"x": 1}}))?;
            expect(&json!(fields(&plan(plane, &folder, &namespace)?)), json!([]))?;
        }
        Ok(())
    })();
    plane.kubectl(&["delete", "customresourcedefinition", &format!("{plural}.example.com"), "--wait=false"]);
    result
}

/// The versions of an autoscaler differ in form, not only in name.
fn autoscaler(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("hpa-one")?;
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let old = json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "labels": {"old": "x"}}, "spec": {"scaleTargetRef": target, "minReplicas": 2,
            "maxReplicas": 4, "targetCPUUtilizationPercentage": 60}});
    let run = plane.kubectl_stdin(&["apply", "--filename=-", "-n", &namespace.name], &old.to_string());
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
    let memory = json!({"type": "Resource", "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 70}}});
    let new = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": target, "maxReplicas": 4, "metrics": [memory]}});
    let folder = set("hpa-one", &[new]);
    std::fs::write(folder.join("kplan.yaml"), "failOn: error\nrules: {hpa-target-missing: off}\n")?;
    let report = plan(plane, &folder, &namespace)?;
    let planned = report["changes"][0]["fields"].clone();
    let removed = fields(&report).into_iter().filter(|field| field.starts_with("remove")).collect::<Vec<_>>();
    apply(plane, &folder, &namespace)?;
    let live = namespace.get(&["hpa", "web"])?;
    // What is planned is what is there then.
    expect(&json!(fields(&plan(plane, &folder, &namespace)?)), json!([])).map_err(|_| planned.to_string())?;
    expect(&live["metadata"]["labels"], Value::Null)?;
    expect(&json!(removed), json!(["remove metadata.labels"])).map_err(|_| planned.to_string())?;
    expect(&live["spec"]["minReplicas"], json!(1))?;
    expect(&live["spec"]["metrics"][0]["resource"]["name"], json!("memory"))
}

fn drift(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("drift")?;
    let folder = set("drift", &[config_map("c", json!({"a": "b", "c": "d"})), deployment("web", 1, "web:1")]);
    apply(plane, &folder, &namespace)?;
    namespace.kubectl(&["patch", "configmap", "c", "--patch", "{\"data\":{\"extra\":\"x\"}}"]);
    namespace.kubectl(&["set", "env", "deployment/web", "DEBUG=1"]);
    namespace.kubectl(&["annotate", "deployment/web", "example.com/note=y"]);
    namespace.kubectl(&["rollout", "restart", "deployment/web"]);
    let report = plan(plane, &folder, &namespace)?;
    expect(&json!(fields(&report)), json!([]))?;
    let notes = report["notes"].to_string();
    let name = &namespace.name;
    contains(
        &notes,
        &format!("drift beside ConfigMap {name}/c: data.extra set by \\\"kubectl-patch\\\"; not in the manifest"),
    )?;
    contains(&notes, "spec.template.spec.containers[0].env[0].name set by \\\"kubectl-set\\\"")?;
    contains(&notes, "metadata.annotations[example.com/note] set by \\\"kubectl-annotate\\\"")?;
    expect(&json!(notes.contains("restartedAt")), json!(false))?;
    // What was applied and is another now is drift of the object itself.
    namespace.kubectl(&["patch", "configmap", "c", "--patch", "{\"data\":{\"a\":\"c\"}}"]);
    let report = plan(plane, &folder, &namespace)?;
    expect(&json!(fields(&report)), json!(["change data.a"]))?;
    let changes = report["changes"].as_array().cloned().unwrap_or_default();
    let why = changes.iter().find(|change| change["action"] == "update").map(|change| change["why"].to_string());
    contains(&why.unwrap_or_default(), "drift: data.a was changed by \\\"kubectl-patch\\\" since it was applied")
}

fn going(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("goes")?;
    let folder = set("goes", &[config_map("c", json!({"a": "b"})), config_map("d", json!({"a": "b"}))]);
    apply(plane, &folder, &namespace)?;
    let hold = |list: &str| format!("{{\"metadata\":{{\"finalizers\":{list}}}}}");
    namespace.kubectl(&["patch", "configmap", "c", "--patch", &hold("[\"example.com/hold\"]")]);
    namespace.kubectl(&["delete", "configmap", "c", "--wait=false"]);
    write(&folder, &[config_map("c", json!({"a": "b"})), config_map("d", json!({"a": "c"}))]);
    let run = kplan(plane, &folder, &namespace, &["apply", "--yes"]);
    expect(&json!(run.code), json!(1)).map_err(|_| run.shown())?;
    contains(&run.stdout, "it is being deleted since ")?;
    contains(&run.stdout, "held by its finalizers: example.com/hold")?;
    contains(&run.stderr, &format!("nothing was applied: ConfigMap {}/c is being deleted", namespace.name))?;
    expect(&namespace.get(&["configmap", "d"])?["data"], json!({"a": "b"}))?;
    namespace.kubectl(&["patch", "configmap", "c", "--patch", &hold("null")]);
    apply(plane, &folder, &namespace)
}

fn held(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("held")?;
    let frozen = |value: &str| {
        let mut map = config_map("c", json!({"a": value}));
        map["immutable"] = json!(true);
        map["metadata"]["finalizers"] = json!(["example.com/hold"]);
        map
    };
    let folder = set("held", &[frozen("b")]);
    apply(plane, &folder, &namespace)?;
    write(&folder, &[frozen("c")]);
    let run = kplan(plane, &folder, &namespace, &["apply", "--yes", "--timeout", "2s"]);
    let release = "{\"metadata\":{\"finalizers\":null}}";
    namespace.kubectl(&["patch", "configmap", "c", "--type=merge", "--patch", release]);
    expect(&json!(run.code), json!(4)).map_err(|_| run.shown())?;
    contains(&run.stdout, "deleted to be made anew, but held by its finalizers: example.com/hold")?;
    let gone = || namespace.kubectl(&["get", "configmap", "c"]).stderr.contains("NotFound");
    plane.wait("it is gone", std::time::Duration::from_secs(10), gone)?;
    // A second run makes it.
    apply(plane, &folder, &namespace)?;
    expect(&namespace.get(&["configmap", "c"])?["data"], json!({"a": "c"}))?;
    namespace.kubectl(&["patch", "configmap", "c", "--type=merge", "--patch", release]);
    Ok(())
}

fn webhook(name: &str, client: Value, namespace: &Namespace<'_>) -> Value {
    json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": format!("{name}-{}", namespace.name)}, "webhooks": [{"name": format!("{name}.example.com"),
            "clientConfig": client, "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 1,
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace.name}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["CREATE", "UPDATE"]}]}]})
}

/// Whoever else fills in the certificate of a webhook keeps it, whether the manifest has one or not.
fn injected(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("injected")?;
    let contexts = plane.kubectl(&["config", "view", "--raw", "--output=json"]);
    let config: Value = serde_json::from_str(&contexts.stdout)?;
    let mut known: Vec<String> = config["clusters"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|cluster| cluster["cluster"]["certificate-authority-data"].as_str().map(str::to_owned))
        .collect();
    known.sort();
    known.dedup();
    let [first, second, ..] = known.as_slice() else { return Err("two certificates are needed".into()) };
    let client = |bundle: Option<&str>| {
        let mut client = json!({"service": {"name": "hook", "namespace": namespace.name}});
        if let Some(bundle) = bundle {
            client["caBundle"] = bundle.into();
        }
        client
    };
    let mut result = Ok(());
    for (name, written) in [("bare", None), ("placed", Some(first.as_str()))] {
        let hook = webhook(name, client(written), &namespace);
        let title = hook["metadata"]["name"].as_str().unwrap().to_owned();
        let folder = set(&format!("injected-{name}"), &[hook]);
        std::fs::write(folder.join("kplan.yaml"), "rules: {webhook-service-missing: off}\n")?;
        result = result.and_then(|()| {
            let all = [".", "--context", "kplan-test", "--force-conflicts", "--output", "json"];
            let applied = || {
                let run = plane.kplan(&folder, &[&["apply", "--yes"], &all[..]].concat());
                expect(&json!(run.code), json!(0)).map_err(|_| Failed::from(run.shown()))
            };
            applied()?;
            let patch = json!([{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": second}]);
            let arguments = [
                "patch",
                "validatingwebhookconfiguration",
                &title,
                "--type=json",
                "--field-manager=cainjector",
                "--patch",
            ];
            let run = plane.kubectl(&[&arguments[..], &[&patch.to_string()]].concat());
            expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
            let report = plane.kplan(&folder, &[&["plan"], &all[..]].concat()).report()?;
            expect(&json!(fields(&report)), json!([]))?;
            applied()?;
            let live = plane.get(&["validatingwebhookconfiguration", &title])?;
            expect(&live["webhooks"][0]["clientConfig"]["caBundle"], json!(second))
        });
        plane.kubectl(&["delete", "validatingwebhookconfiguration", &title, "--ignore-not-found"]);
    }
    result
}

/// The rules of a role that aggregates others are no difference, live or in a snapshot.
fn aggregated(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("aggregated")?;
    let label = format!("example.com/{}", mark(&namespace));
    let role = |name: String, rest: Value| {
        let mut role =
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}});
        rest.as_object().into_iter().flatten().for_each(|(key, value)| role[key] = value.clone());
        role
    };
    let rules = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]);
    let mut part = role(format!("part-{}", namespace.name), json!({ "rules": rules }));
    part["metadata"]["labels"] = json!({ label.clone(): "true" });
    let selectors = json!({"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]});
    let whole = format!("whole-{}", namespace.name);
    let folder = set("aggregated", &[part, role(whole.clone(), json!({"aggregationRule": selectors, "rules": []}))]);
    let result = (|| {
        apply(plane, &folder, &namespace)?;
        let filled = || plane.get(&["clusterrole", &whole]).is_ok_and(|role| role["rules"] == rules);
        plane.wait("the rules are filled in", std::time::Duration::from_secs(20), filled)?;
        expect(&json!(fields(&plan(plane, &folder, &namespace)?)), json!([]))?;
        let run = plane.kplan(&folder, &["snapshot", "--output", "cluster.json", "--context", "kplan-test"]);
        expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
        let offline =
            support::kplan(&folder, &["plan", "set.yaml", "--base", "snapshot:cluster.json", "--output", "json"]);
        expect(&json!(fields(&offline.report()?)), json!([]))
    })();
    plane.kubectl(&["delete", "clusterrole", &whole, &format!("part-{}", namespace.name), "--ignore-not-found"]);
    result
}

/// One message that names the webhook, and a cluster that is as it was.
fn silent_webhooks(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("silent")?;
    // It takes connections and never says anything.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let cases =
        [("closed", closed, "connection refused"), ("silent", silent.local_addr()?, "context deadline exceeded")];
    for (name, address, words) in cases {
        let hook = webhook(name, json!({"url": format!("https://{address}/")}), &namespace);
        let title = hook["metadata"]["name"].as_str().unwrap().to_owned();
        plane.apply(&hook.to_string())?;
        let folder = set(&format!("silent-{name}"), &[config_map("c", json!({"a": "b"})), service("web")]);
        let refused = || {
            let run = kplan(plane, &folder, &namespace, &["plan"]);
            run.code == Some(1)
        };
        let result = plane.wait("the webhook counts", std::time::Duration::from_secs(20), refused).and_then(|()| {
            let run = kplan(plane, &folder, &namespace, &["apply", "--yes"]);
            expect(&json!(run.code), json!(1)).map_err(|_| run.shown())?;
            let flat = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
            contains(&flat, &format!("failed calling webhook \"{name}.example.com\""))?;
            contains(&flat, words)?;
            contains(&namespace.kubectl(&["get", "service", "web"]).stderr, "NotFound")
        });
        plane.kubectl(&["delete", "validatingwebhookconfiguration", &title]);
        result?;
    }
    Ok(())
}

/// Of the server's own making only where a webhook was made for a version that is gone; its words are those of
/// `NewDryRunUnsupportedErr` (`apiserver/pkg/admission/plugin/webhook/errors`).
fn no_dry_run(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("no-dry-run")?;
    let words = "admission webhook \"audit.example.com\" does not support dry run";
    let proxy = Proxy::start(plane, |request| match request.query.contains("dryRun") {
        true => Fault::status(400, "BadRequest", words, &[]),
        false => Fault::Pass,
    })?;
    let folder = set("no-dry-run", &[config_map("c", json!({"a": "b"}))]);
    let kubeconfig = proxy.kubeconfig().to_str().unwrap().to_owned();
    let arguments = ["plan", ".", "--output", "json", "-n", &namespace.name, "--context", "kplan-test", "--kubeconfig"];
    let run = support::kplan(&folder, &[&arguments[..], &[&kubeconfig]].concat());
    let change = run.report()?["changes"][0].clone();
    expect(&json!([change["action"], change["fidelity"]]), json!(["create", "approx"]))?;
    contains(change["why"].as_str().unwrap_or_default(), words)
}

/// Policies of the cluster refuse with their name, and what they change is planned as it will be.
fn policies(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("policies")?;
    let name = |what: &str| format!("{what}-{}", namespace.name);
    let here = json!({"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
        "operations": ["CREATE", "UPDATE"]}], "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace.name}}});
    let object = |kind: &str, what: &str, spec: Value| json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name(what)}, "spec": spec});
    let forbids = json!({"matchConstraints": here, "failurePolicy": "Fail",
        "validations": [{"expression": "!('bad' in object.data)", "message": "bad is not allowed"}]});
    let adds = json!({"matchConstraints": here, "failurePolicy": "Fail", "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration":
            {"expression": "Object{data: {\"level\": \"high\"}}"}}]});
    let all = [
        object("ValidatingAdmissionPolicy", "forbids", forbids),
        object(
            "ValidatingAdmissionPolicyBinding",
            "forbids",
            json!({"policyName": name("forbids"), "validationActions": ["Deny"]}),
        ),
        object("MutatingAdmissionPolicy", "adds", adds),
        object("MutatingAdmissionPolicyBinding", "adds", json!({"policyName": name("adds")})),
    ];
    all.iter().try_for_each(|object| plane.apply(&object.to_string()))?;
    let result = (|| {
        let folder = set("policies", &[config_map("c", json!({"bad": "x"}))]);
        let refused = || kplan(plane, &folder, &namespace, &["plan"]).stdout.contains("bad is not allowed");
        plane.wait("the policies count", std::time::Duration::from_secs(30), refused)?;
        let run = kplan(plane, &folder, &namespace, &["apply", "--yes"]);
        expect(&json!(run.code), json!(1)).map_err(|_| run.shown())?;
        contains(&run.stdout.split_whitespace().collect::<Vec<_>>().join(" "), &name("forbids"))?;
        contains(&namespace.kubectl(&["get", "configmap", "c"]).stderr, "NotFound")?;
        write(&folder, &[config_map("c", json!({"level": "low"}))]);
        let added = || {
            let dry = ["create", "configmap", "x", "--dry-run=server", "--output=json"];
            namespace.kubectl(&dry).stdout.contains("high")
        };
        plane.wait("the policy changes objects", std::time::Duration::from_secs(30), added)?;
        let planned = plan(plane, &folder, &namespace)?["changes"][0]["fields"].clone();
        let data = planned.as_array().into_iter().flatten().find(|field| field["path"] == "data");
        expect(&data.map(|field| field["after"].clone()).unwrap_or_default(), json!({"level": "high"}))?;
        apply(plane, &folder, &namespace)?;
        expect(&namespace.get(&["configmap", "c"])?["data"], json!({"level": "high"}))?;
        let notes = plan(plane, &folder, &namespace)?["notes"].to_string();
        let name = name("adds");
        let words = format!(
            "stored otherwise than written: data.level of ConfigMap {}/c; MutatingAdmissionPolicy {name} may do that",
            namespace.name
        );
        contains(&notes, &words)?;
        // It changes it back each time, so there is nothing to do.
        expect(&json!(fields(&plan(plane, &folder, &namespace)?)), json!([]))?;
        write(&folder, &[config_map("c", json!({"level": "low", "a": "b"}))]);
        expect(&json!(fields(&plan(plane, &folder, &namespace)?)), json!(["add data.a"]))?;
        apply(plane, &folder, &namespace)?;
        expect(&namespace.get(&["configmap", "c"])?["data"], json!({"a": "b", "level": "high"}))
    })();
    for object in all.iter().rev() {
        let kind = object["kind"].as_str().unwrap().to_lowercase();
        plane.kubectl(&["delete", &kind, object["metadata"]["name"].as_str().unwrap(), "--wait=false"]);
    }
    result
}

/// A webhook is not there before its pods are ready: they would never be.
fn webhook_last(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("hook-last")?;
    let client = json!({"service": {"name": "web", "namespace": namespace.name, "path": "/"}});
    let hook = webhook("last", client, &namespace);
    let title = hook["metadata"]["name"].as_str().unwrap().to_owned();
    let folder = set("hook-last", &[hook, deployment("web", 1, "unready:1"), service("web")]);
    let run = kplan(plane, &folder, &namespace, &["apply", "--yes", "--timeout", "3s", "--wait=false"]);
    let made = plane.get(&["validatingwebhookconfiguration", &title]).is_ok();
    expect(&json!([run.code, json!(made)]), json!([4, false])).map_err(|_| run.shown())?;
    write(
        &folder,
        &[
            webhook("last", json!({"service": {"name": "web", "namespace": namespace.name}}), &namespace),
            deployment("web", 1, "web:1"),
            service("web"),
        ],
    );
    let run = kplan(plane, &folder, &namespace, &["apply", "--yes", "--wait=false"]);
    let made = plane.get(&["validatingwebhookconfiguration", &title]).is_ok();
    let ready = namespace.get(&["deployment", "web"])?["status"]["readyReplicas"].clone();
    plane.kubectl(&["delete", "validatingwebhookconfiguration", &title, "--ignore-not-found"]);
    expect(&json!([run.code, json!(made), ready]), json!([0, true, 1])).map_err(|_| run.shown().into())
}

/// Stored lists may hold a key twice, from before server-side apply; manifests may not.
fn twice(plane: &Plane) -> Result<(), Failed> {
    let namespace = plane.namespace("twice")?;
    let with = |env: Value| {
        let mut web = deployment("web", 1, "web:1");
        web["spec"]["template"]["spec"]["containers"][0]["env"] = env;
        web
    };
    let double = json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}, {"name": "A", "value": "3"}]);
    let run =
        plane.kubectl_stdin(&["create", "--filename=-", "-n", &namespace.name], &with(double.clone()).to_string());
    expect(&json!(run.code), json!(0)).map_err(|_| run.shown())?;
    let single = json!([{"name": "A", "value": "3"}, {"name": "B", "value": "2"}]);
    let folder = set("twice", &[with(single.clone())]);
    let report = plan(plane, &folder, &namespace)?;
    expect(&report["changes"][0]["action"], json!("update"))?;
    apply(plane, &folder, &namespace)?;
    let live = namespace.get(&["deployment", "web"])?;
    expect(&live["spec"]["template"]["spec"]["containers"][0]["env"], single)?;
    expect(&json!(fields(&plan(plane, &folder, &namespace)?)), json!([]))?;
    // Written twice, the server refuses to apply it.
    let version = live["metadata"]["generation"].clone();
    write(&folder, &[with(double)]);
    let run = kplan(plane, &folder, &namespace, &["apply", "--yes"]);
    expect(&json!(run.code), json!(1)).map_err(|_| run.shown())?;
    contains(&run.stdout, "duplicate")?;
    expect(&namespace.get(&["deployment", "web"])?["metadata"]["generation"], version)
}
