//! Who reads a ConfigMap or Secret, and what becomes of the readers when it changes.

use std::collections::BTreeSet;

use super::state::{State, Workload};
use crate::yaml::View;

/// One sentence on the readers of a ConfigMap or Secret. `restarts` tells whether a workload (`Deployment/web`)
/// restarts anyway.
pub(super) fn of(
    kind: &str,
    namespace: &str,
    name: &str,
    state: &State<'_>,
    restarts: &dyn Fn(&str) -> bool,
) -> String {
    let mut readers = Vec::new();
    let mut ways = BTreeSet::new();
    let mut all_restart = true;
    for workload in state.workloads(namespace) {
        let found = ways_of(workload, kind, name);
        if !found.is_empty() {
            let title = workload.item.title();
            all_restart &= restarts(&title);
            readers.push(format!("{title} ({})", found.iter().copied().collect::<Vec<_>>().join(", ")));
            ways.extend(found);
        }
    }
    for ingress in state.of_kind("Ingress").filter(|ingress| ingress.namespace() == namespace && kind == "Secret") {
        let mut tls = ingress.view.get("spec").into_iter().flat_map(|spec| spec.list("tls"));
        if tls.any(|tls| tls.get_str("secretName") == Some(name)) {
            readers.push(format!("{} (tls)", ingress.title()));
            ways.insert("tls");
        }
    }
    if readers.is_empty() {
        return "nothing in the set reads it".to_owned();
    }
    format!("read by {}: {}", readers.join(", "), effect(&ways, all_restart))
}

fn effect(ways: &BTreeSet<&str>, all_restart: bool) -> String {
    if ways.iter().all(|way| *way == "tls" || *way == "pull") {
        return "taken up without a restart".to_owned();
    }
    if all_restart {
        return "restarts in this plan".to_owned();
    }
    let frozen = ways.iter().any(|way| ["env", "envFrom", "subPath"].contains(way));
    let mut parts = vec!["no pod restarts by itself"];
    if frozen {
        parts.push("variables and subPath files stay as they are until it does");
    }
    if ways.contains("volume") {
        parts.push("mounted files follow within about a minute");
    }
    parts.join(", ")
}

/// How a workload reads an object: `env`, `envFrom`, `volume`, `subPath`, `pull`.
fn ways_of(workload: &Workload<'_>, kind: &str, name: &str) -> BTreeSet<&'static str> {
    let (env, env_from, source, name_key) = match kind {
        "Secret" => ("secretKeyRef", "secretRef", "secret", "secretName"),
        _ => ("configMapKeyRef", "configMapRef", "configMap", "name"),
    };
    let named = |view: Option<View<'_>>, key: &str| view.and_then(|view| view.get_str(key)) == Some(name);
    let spec = workload.template.spec;
    let mut ways = BTreeSet::new();
    let mounted = |volume: View<'_>| {
        let mut projected = volume.get("projected").into_iter().flat_map(|projected| projected.list("sources"));
        named(volume.get(source), name_key) || projected.any(|part| named(part.get(source), "name"))
    };
    let volumes: BTreeSet<&str> =
        spec.list("volumes").filter(|volume| mounted(*volume)).filter_map(|volume| volume.get_str("name")).collect();
    for container in workload.template.containers() {
        let view = container.view;
        if view.list("env").any(|var| named(var.at(&["valueFrom", env]), "name")) {
            ways.insert("env");
        }
        if view.list("envFrom").any(|from| named(from.get(env_from), "name")) {
            ways.insert("envFrom");
        }
        for mount in view.list("volumeMounts") {
            if mount.get_str("name").is_some_and(|name| volumes.contains(name)) {
                let part = mount.get("subPath").or_else(|| mount.get("subPathExpr"));
                ways.insert(if part.is_some() { "subPath" } else { "volume" });
            }
        }
    }
    if kind == "Secret" && spec.list("imagePullSecrets").any(|secret| secret.get_str("name") == Some(name)) {
        ways.insert("pull");
    }
    ways
}
