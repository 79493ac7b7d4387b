//! What the parameters of other tools' checks are in ours: the rule, the parameter, and its value.

use serde_json::{Value, json};

use crate::yaml::View;

type Given = (&'static str, &'static str, Value);

/// Parameters that a check of another tool has built in, where ours has another default.
pub(super) fn built_in(tool: &str, id: &str) -> Vec<Given> {
    match (tool, id) {
        ("kube-linter", "minimum-three-replicas") => vec![("replicas-single", "min", 3.into())],
        ("kube-linter", "hpa-minimum-three-replicas") => vec![("hpa-min-low", "min", 3.into())],
        ("kube-linter", "drop-net-raw-capability") => vec![("capability-not-dropped", "drop", json!(["NET_RAW"]))],
        ("kube-linter", "required-label-owner") => {
            vec![("required-labels", "labels", json!({"owner": ".*"})), ("required-labels", "kinds", json!(LIKE))]
        }
        ("kube-linter", "required-annotation-email") => vec![
            ("required-annotations", "annotations", json!({"email": ".+@.+"})),
            ("required-annotations", "kinds", json!(LIKE)),
        ],
        _ => Vec::new(),
    }
}

/// What kube-linter calls DeploymentLike.
const LIKE: [&str; 9] = [
    "CronJob",
    "DaemonSet",
    "Deployment",
    "DeploymentConfig",
    "Job",
    "Pod",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
];

/// A custom check of kube-linter over one of its templates; nothing where ours cannot say the same.
pub(super) fn kube_linter(check: View<'_>) -> Vec<Given> {
    let Some(params) = check.get("params") else { return Vec::new() };
    let text = |key: &str| params.get_str(key).unwrap_or_default();
    let number = |key: &str| params.get_int(key).filter(|number| *number > 0).map(Value::from);
    let texts = |key: &str| -> Vec<&str> { params.list(key).filter_map(View::str).collect() };
    let plain = |key: &str| literal(text(key));
    let given = match check.get_str("template").unwrap_or_default() {
        "required-label" => plain("key").map(|key| ("required-labels", "labels", json!({key: whole(text("value"))}))),
        "required-annotation" => {
            plain("key").map(|key| ("required-annotations", "annotations", json!({key: whole(text("value"))})))
        }
        "forbidden-annotation" if text("value").is_empty() => {
            plain("key").map(|key| ("forbidden-annotations", "annotations", json!([key])))
        }
        "disallowed-api-obj" if text("version").is_empty() => {
            let any = |key: &str| if text(key).is_empty() { Some("*") } else { plain(key) };
            let names = any("group").zip(any("kind")).filter(|names| *names != ("*", "*"));
            names.map(|(group, kind)| ("kind-forbidden", "kinds", json!([format!("{group}/{kind}")])))
        }
        "minimum-replicas" => number("minReplicas").map(|least| ("replicas-single", "min", least)),
        "hpa-minimum-replicas" => number("minReplicas").map(|least| ("hpa-min-low", "min", least)),
        "anti-affinity" => number("minReplicas").map(|least| ("no-pod-spreading", "minReplicas", least)),
        "env-var" if text("value").is_empty() => plain("name").map(|name| ("env-policy", "forbidden", json!([name]))),
        "host-mounts" => {
            let dirs: Option<Vec<&str>> = texts("dirs").into_iter().map(literal).collect();
            dirs.filter(|dirs| !dirs.is_empty()).map(|dirs| ("host-path-sensitive", "paths", json!(dirs)))
        }
        "verify-container-capabilities" => {
            let names: Vec<&str> =
                texts("forbiddenCapabilities").into_iter().map(|n| if n == "all" { "ALL" } else { n }).collect();
            (!names.is_empty() && texts("exceptions").is_empty())
                .then(|| ("capability-not-dropped", "drop", json!(names)))
        }
        _ => None,
    };
    let scope: Vec<&str> =
        check.get("scope").into_iter().flat_map(|scope| scope.list("objectKinds")).filter_map(View::str).collect();
    let has_kinds = |given: &Given| ["labels", "annotations"].contains(&given.1);
    let kinds =
        given.as_ref().filter(|given| has_kinds(given) && !scope.is_empty() && !scope.contains(&"Any")).map(|given| {
            let named =
                scope.iter().flat_map(|kind| if *kind == "DeploymentLike" { LIKE.to_vec() } else { vec![*kind] });
            (given.0, "kinds", json!(named.collect::<Vec<&str>>()))
        });
    given.into_iter().chain(kinds).collect()
}

/// A custom check of polaris whose schema sets upper bounds of resources or where images come from.
pub(super) fn polaris(check: View<'_>) -> Vec<Given> {
    let Some(schema) = check.get("schema") else { return Vec::new() };
    let limits = ["properties", "resources", "properties", "limits", "properties"];
    let most = |resource: &str| schema.at(&limits)?.at(&[resource, "resourceMaximum"]);
    let text = |view: View<'_>| Value::from(view.str().unwrap_or_else(|| view.written()));
    let caps = ["cpu", "memory"].into_iter().filter_map(|name| Some(("resource-cap", name, text(most(name)?))));
    let pattern = schema.at(&["properties", "image", "pattern"]).and_then(View::str);
    let start = pattern.and_then(|pattern| pattern.strip_prefix('^')).map(|start| start.replace("\\.", "."));
    let registry =
        start.filter(|start| start.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./-:".contains(&byte)));
    let registry =
        registry.map(|start| ("image-registry-not-allowed", "allowed", json!([start.trim_end_matches('/')])));
    caps.chain(registry).collect()
}

/// The text that a regular expression stands for, if it is only one.
fn literal(regex: &str) -> Option<&str> {
    let text = regex.strip_prefix('^').unwrap_or(regex);
    let text = text.strip_suffix('$').unwrap_or(text);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"./-_".contains(&byte);
    (!text.is_empty() && text.bytes().all(plain)).then_some(text)
}

/// A regular expression that may fit any part, as one for the whole.
fn whole(regex: &str) -> String {
    let start = regex.strip_prefix('^').map_or_else(|| format!(".*{regex}"), str::to_owned);
    match start.strip_suffix('$') {
        Some(all) => all.to_owned(),
        None => format!("{}.*", start.trim_end_matches(".*")),
    }
}
