//! References in an open world, where what a folder lacks may be in the cluster, and in a closed one, where a snapshot says
//! what the cluster has.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use support::kplan;

/// A rule with an object that refers to something, and what that is.
struct Case {
    rule: &'static str,
    /// What the set holds.
    set: Value,
    /// What would have to be there.
    target: Value,
    /// Severity in an open world, and in a closed one.
    open: Option<&'static str>,
    closed: &'static str,
    /// Whether a snapshot holds objects of the kind.
    is_held: bool,
}

fn main() {
    let arguments = Arguments::from_args();
    let trials = cases().into_iter().map(|case| Trial::test(format!("world::{}", case.rule), move || judge(&case)));
    let mut trials: Vec<Trial> = trials.collect();
    trials.push(Trial::test("world::every_missing_rule_is_tried", every_rule));
    libtest_mimic::run(&arguments, trials).exit();
}

fn meta(kind: &str, api: &str, name: &str) -> Value {
    json!({"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "default"}})
}

fn with(mut object: Value, fields: Value) -> Value {
    object.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    object
}

/// A Deployment whose pods have these fields besides a container.
fn workload(fields: Value) -> Value {
    let spec = with(json!({"containers": [{"name": "a", "image": "example.com/a:1"}]}), fields);
    let template = json!({"metadata": {"labels": {"app": "a"}}, "spec": spec});
    let spec = json!({"selector": {"matchLabels": {"app": "a"}}, "template": template});
    with(meta("Deployment", "apps/v1", "a"), json!({"spec": spec}))
}

fn cluster_wide(mut object: Value) -> Value {
    object["metadata"].as_object_mut().unwrap().remove("namespace");
    object
}

fn container(fields: Value) -> Value {
    workload(json!({"containers": [with(json!({"name": "a", "image": "example.com/a:1"}), fields)]}))
}

fn env(source: Value) -> Value {
    container(json!({"env": [{"name": "A", "valueFrom": source}]}))
}

fn service(name: &str) -> Value {
    let spec = json!({"selector": {"app": "a"}, "ports": [{"port": 80, "name": "http"}]});
    with(meta("Service", "v1", name), json!({"spec": spec}))
}

const RBAC: &str = "rbac.authorization.k8s.io";

fn binding(role: &str, subject: &str) -> Value {
    with(
        meta("RoleBinding", "rbac.authorization.k8s.io/v1", "a"),
        json!({"roleRef": {"apiGroup": RBAC, "kind": "Role", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": subject, "namespace": "default"}]}),
    )
}

fn hpa() -> Value {
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"});
    with(
        meta("HorizontalPodAutoscaler", "autoscaling/v2", "a"),
        json!({"spec": {"scaleTargetRef": target, "maxReplicas": 3}}),
    )
}

fn ingress(spec: Value) -> Value {
    with(meta("Ingress", "networking.k8s.io/v1", "a"), json!({"spec": spec}))
}

fn webhook() -> Value {
    let service = json!({"name": "guard", "namespace": "default"});
    cluster_wide(with(
        meta("ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1", "a"),
        json!({"webhooks": [{"name": "a.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "clientConfig": {"service": service}, "failurePolicy": "Ignore"}]}),
    ))
}

fn route(fields: Value) -> Value {
    with(meta("HTTPRoute", "gateway.networking.k8s.io/v1", "a"), json!({"spec": fields}))
}

#[allow(clippy::too_many_lines)]
fn cases() -> Vec<Case> {
    let case = |rule, set, target, open, closed| Case { rule, set, target, open, closed, is_held: true };
    let error = Some("error");
    let warning = Some("warning");
    let config = meta("ConfigMap", "v1", "settings");
    let secret = meta("Secret", "v1", "login");
    let claim = with(
        meta("PersistentVolumeClaim", "v1", "data"),
        json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}),
    );
    let class = |kind: &str, api: &str, fields: Value| cluster_wide(with(meta(kind, api, "special"), fields));
    let volume = json!({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]});
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    let tls =
        json!({"tls": [{"secretName": "cert", "hosts": ["a.example.com"]}], "rules": [{"host": "a.example.com"}]});
    let mut of_class = claim.clone();
    of_class["spec"]["storageClassName"] = json!("special");
    let certificate = with(
        secret.clone(),
        json!({"type": "kubernetes.io/tls",
        "data": {"tls.crt": "", "tls.key": ""}}),
    );
    let mut certificate_named = certificate.clone();
    certificate_named["metadata"]["name"] = json!("cert");
    let mut full_config = config.clone();
    full_config["data"] = json!({"level": "1"});
    let role = with(meta("Role", "rbac.authorization.k8s.io/v1", "reader"), json!({"rules": []}));
    let mut elsewhere = config.clone();
    elsewhere["metadata"]["namespace"] = json!("shop");
    let certified = with(
        meta("Certificate", "cert-manager.io/v1", "a"),
        json!({"spec": {"secretName": "s", "issuerRef": {"name": "acme"}}}),
    );
    let vpa = with(
        meta("VerticalPodAutoscaler", "autoscaling.k8s.io/v1", "a"),
        json!({"spec": {"targetRef":
        {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}}}),
    );
    let mut cases = vec![
        case(
            "configmap-missing",
            env(json!({"configMapKeyRef": {"name": "settings", "key": "level"}})),
            full_config.clone(),
            error,
            "error",
        ),
        case(
            "secret-missing",
            container(json!({"envFrom": [{"secretRef": {"name": "login"}}]})),
            secret.clone(),
            error,
            "error",
        ),
        case(
            "pull-secret-missing",
            workload(json!({"imagePullSecrets": [{"name": "login"}]})),
            secret,
            warning,
            "warning",
        ),
        case("pvc-missing", workload(volume), claim, error, "error"),
        case(
            "service-account-missing",
            workload(json!({"serviceAccountName": "robot"})),
            meta("ServiceAccount", "v1", "robot"),
            warning,
            "error",
        ),
        case("ingress-backend-missing", ingress(json!({"defaultBackend": backend})), service("web"), error, "error"),
        case("ingress-tls-secret-missing", ingress(tls), certificate_named, warning, "warning"),
        case("hpa-target-missing", hpa(), workload(json!({})), error, "error"),
        case("role-ref-missing", binding("reader", "default"), role, error, "error"),
        case(
            "rbac-subject-missing",
            binding("system:reader", "robot"),
            meta("ServiceAccount", "v1", "robot"),
            warning,
            "warning",
        ),
        case("webhook-service-missing", webhook(), service("guard"), None, "error"),
        case(
            "route-backend-missing",
            route(json!({"rules": [{"backendRefs": [{"name": "web", "port": 80}]}]})),
            service("web"),
            error,
            "error",
        ),
        case("vpa-target-missing", vpa, workload(json!({})), warning, "warning"),
        case("namespace-missing", elsewhere, cluster_wide(meta("Namespace", "v1", "shop")), None, "error"),
        case(
            "priority-class-missing",
            workload(json!({"priorityClassName": "special"})),
            class("PriorityClass", "scheduling.k8s.io/v1", json!({"value": 1})),
            None,
            "error",
        ),
        case(
            "runtime-class-missing",
            workload(json!({"runtimeClassName": "special"})),
            class("RuntimeClass", "node.k8s.io/v1", json!({"handler": "h"})),
            None,
            "error",
        ),
        // No error: a volume of the class may be made by hand, and some controllers go by the name alone.
        case(
            "storage-class-missing",
            of_class,
            class("StorageClass", "storage.k8s.io/v1", json!({"provisioner": "p.example.com"})),
            None,
            "warning",
        ),
        case(
            "ingress-class-missing",
            ingress(json!({"ingressClassName": "special", "rules": [{"host": "a.example.com"}]})),
            class("IngressClass", "networking.k8s.io/v1", json!({"spec": {"controller": "c.example.com/c"}})),
            None,
            "warning",
        ),
        case("cert-issuer-missing", certified, meta("Issuer", "cert-manager.io/v1", "acme"), None, ""),
        case(
            "gateway-ref-missing",
            route(json!({"parentRefs": [{"name": "edge"}]})),
            meta("Gateway", "gateway.networking.k8s.io/v1", "edge"),
            None,
            "",
        ),
    ];
    // Of the kinds of others a snapshot says nothing.
    for case in cases.iter_mut().filter(|case| case.closed.is_empty()) {
        case.is_held = false;
    }
    cases
}

/// Rules on names that are missing all have a case, and those that look for labels have tests of their own.
fn every_rule() -> Result<(), Failed> {
    let known: Vec<&str> = cases().iter().map(|case| case.rule).collect();
    let without = [
        "configmap-key-missing",
        "cpu-limit-missing",
        "cpu-request-missing",
        "cpu-unit-missing",
        "fsgroup-missing",
        "liveness-probe-missing",
        "memory-limit-missing",
        "memory-request-missing",
        "pdb-missing",
        "readiness-probe-missing",
        "reference-grant-missing",
        "schema-missing",
        "secret-key-missing",
        "selector-missing",
        "service-targetport-missing",
        "servicemonitor-port-missing",
    ];
    let rules = kplan::lint::catalog::RULES.iter().map(|rule| rule.id);
    let lacking: Vec<&str> =
        rules.filter(|id| id.ends_with("-missing") && !known.contains(id) && !without.contains(id)).collect();
    match lacking[..] {
        [] => Ok(()),
        _ => Err(format!("no case for {lacking:?}").into()),
    }
}

fn snapshot(items: &[&Value], unread: &[&str]) -> String {
    let unread: Vec<Value> = unread.iter().map(|kind| json!({"kind": kind, "why": "forbidden"})).collect();
    let notes = json!({"kplan.dev/snapshot": "v1", "kplan.dev/objects": items.len().to_string(),
        "kplan.dev/unread": json!(unread).to_string()});
    json!({"apiVersion": "v1", "kind": "List", "metadata": {"annotations": notes}, "items": items}).to_string()
}

/// Severities of the findings of the rule.
fn found(case: &Case, home: &Path, more: &[&str]) -> Vec<String> {
    let run = kplan(home, &[&["check", "set.json", "--tier", "recommended", "--output", "json"], more].concat());
    let findings = run.findings().unwrap_or_else(|error| panic!("{error}"));
    findings.iter().filter(|f| f.text("rule") == case.rule).map(|f| f.text("severity").to_owned()).collect()
}

fn judge(case: &Case) -> Result<(), Failed> {
    let home = support::folder(&format!("worlds-{}", case.rule));
    fs::create_dir_all(home.join(".git")).unwrap();
    fs::write(home.join("set.json"), case.set.to_string()).unwrap();
    let kind = case.target["kind"].as_str().unwrap();
    let name = case.target["metadata"]["name"].as_str().unwrap();
    let closed = home.join("closed.json");
    let expect = |what: &str, wanted: Option<&str>, more: &[&str]| -> Result<(), Failed> {
        let (found, wanted) = (found(case, &home, more), Vec::from_iter(wanted.map(str::to_owned)));
        if found == wanted { Ok(()) } else { Err(format!("{what}: {found:?} in the place of {wanted:?}").into()) }
    };
    expect("a folder alone", case.open, &[])?;
    let snapshot_is = |text: String| fs::write(&closed, text).unwrap();
    snapshot_is(snapshot(&[], &[]));
    expect("a cluster without it", Some(case.closed).filter(|_| case.is_held), &["--snapshot", "closed.json"])?;
    snapshot_is(snapshot(&[], &[kind]));
    expect("a cluster whose objects were not read", None, &["--snapshot", "closed.json"])?;
    snapshot_is(snapshot(&[&case.target], &[]));
    expect("a cluster with it", None, &["--snapshot", "closed.json"])?;
    snapshot_is(snapshot(&[], &[]));
    fs::write(home.join("kplan.yaml"), format!("assumeExists: ['{kind} *{name}']\n")).unwrap();
    expect("assumed to exist", None, &["--snapshot", "closed.json"])?;
    expect("assumed to exist, without a cluster", None, &[])
}
