//! Warnings about pods and pod templates.
//!
//! `pkg/api/pod/warnings.go`, `pkg/api/node/util.go` (Kubernetes 1.36).

use std::collections::{BTreeMap, BTreeSet};

use super::super::content::{is_valid_label_value, warnings_for_ip};
use super::super::errors::quote;
use super::super::obj::Obj;
use super::super::warnings::{GONE, claim_spec};
use super::pod::visit_containers_with_path;
use crate::model::path::Path;

/// `GetNodeLabelDeprecatedMessage`.
pub(crate) fn node_label_message(key: &str) -> Option<&'static str> {
    Some(match key {
        "beta.kubernetes.io/arch" => "deprecated since v1.14; use \"kubernetes.io/arch\" instead",
        "beta.kubernetes.io/os" => "deprecated since v1.14; use \"kubernetes.io/os\" instead",
        "failure-domain.beta.kubernetes.io/region" => {
            "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead"
        }
        "failure-domain.beta.kubernetes.io/zone" => {
            "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"
        }
        "beta.kubernetes.io/instance-type" => {
            "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"
        }
        "app.kubernetes.io/created-by" => "deprecated since v1.9",
        "scheduler.alpha.kubernetes.io/preferAvoidPods" => "deprecated since v1.22; use Taints and Tolerations instead",
        "node-role.kubernetes.io/master" => "use \"node-role.kubernetes.io/control-plane\" instead",
        _ => return None,
    })
}

/// `GetWarningsForNodeSelectorTerm`.
pub(crate) fn warnings_for_node_selector_term(out: &mut Vec<String>, term: Obj, values: bool, path: &Path) {
    let list = path.child("matchExpressions");
    for (index, requirement) in term.list("matchExpressions").enumerate() {
        let at = list.index(index);
        let key = requirement.str("key");
        if let Some(text) = node_label_message(key) {
            out.push(format!("{}: {key} is {text}", at.child("key")));
        }
        let values_path = at.child("values");
        for (place, value) in requirement.strings("values").into_iter().enumerate().filter(|_| values) {
            for message in is_valid_label_value(value) {
                out.push(format!("{}: {value} is invalid, {message}", values_path.index(place)));
            }
        }
    }
}

/// Warns of a number of bytes with a fraction.
pub(crate) fn fractional_bytes(out: &mut Vec<String>, list: Obj, name: &str, path: &Path) {
    let value = list.at(name);
    if value.has() && value.quantity().milli_value() % 1000 != 0 {
        let text = quote(&value.quantity().canonical());
        out.push(format!("{}: fractional byte value {text} is invalid, must be an integer", path.key(name)));
    }
}

/// `warningsForPodSpecAndMeta`; `path` is that of a template, and missing for pods.
pub(crate) fn warnings_for_pod(out: &mut Vec<String>, meta: Obj, spec: Obj, path: Option<&Path>) {
    let (spec_root, meta_root) = (Path::root("spec"), Path::root("metadata"));
    let spec_path = path.map_or(spec_root, |path| path.child("spec"));
    let meta_path = path.map_or(meta_root, |path| path.child("metadata"));
    let annotations = meta_path.child("annotations");
    warnings_for_nodes(out, spec, &spec_path);
    warnings_for_spread(out, spec, &spec_path.child("topologySpreadConstraints"));
    for (key, text) in [
        (
            "scheduler.alpha.kubernetes.io/critical-pod",
            "non-functional in v1.16+; use the \"priorityClassName\" field instead",
        ),
        ("security.alpha.kubernetes.io/sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"),
        ("security.alpha.kubernetes.io/unsafe-sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"),
    ] {
        if meta.at("annotations").entry(key).is_some() {
            out.push(format!("{}: {text}", annotations.key(key)));
        }
    }
    warnings_for_volumes(out, spec, &spec_path.child("volumes"));
    super::overlap::warnings_for_overlapping_virtual_paths(out, spec);
    warnings_for_duplicates(out, spec, &spec_path);
    for name in ["memory", "ephemeral-storage"] {
        fractional_bytes(out, spec.at("overhead"), name, &spec_path.child("overhead"));
    }
    warnings_for_containers(out, meta.at("annotations"), spec, path.is_some(), &spec_path, &annotations);
    warnings_for_ports(out, spec, &spec_path);
    if spec.opt_int("terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0) {
        let at = spec_path.child("terminationGracePeriodSeconds");
        out.push(format!("{at}: must be >= 0; negative values are invalid and will be treated as 1"));
    }
    warnings_for_affinity(out, spec.at("affinity"), &spec_path.child("affinity"));
    let dns = spec_path.child("dnsConfig");
    let servers = dns.child("nameservers");
    for (index, ip) in spec.at("dnsConfig").strings("nameservers").into_iter().enumerate() {
        let at = servers.index(index);
        out.extend(warnings_for_ip(ip).into_iter().map(|text| format!("{at}: {text}")));
    }
    let aliases = spec_path.child("hostAliases");
    for (index, alias) in spec.list("hostAliases").enumerate() {
        let item = aliases.index(index);
        let at = item.child("ip");
        out.extend(warnings_for_ip(alias.str("ip")).into_iter().map(|text| format!("{at}: {text}")));
    }
}

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

fn warnings_for_nodes(out: &mut Vec<String>, spec: Obj, path: &Path) {
    let selector = path.child("nodeSelector");
    for (key, _) in spec.map("nodeSelector") {
        if let Some(text) = node_label_message(key) {
            out.push(format!("{}: {text}", selector.key(key)));
        }
    }
    let node = spec.at("affinity").at("nodeAffinity");
    let affinity = path.child("affinity");
    let node_path = affinity.child("nodeAffinity");
    let required = node_path.child(REQUIRED);
    let terms = required.child("nodeSelectorTerms");
    for (index, term) in node.at(REQUIRED).list("nodeSelectorTerms").enumerate() {
        warnings_for_node_selector_term(out, term, false, &terms.index(index));
    }
    let preferred = node_path.child(PREFERRED);
    for (index, term) in node.list(PREFERRED).enumerate() {
        let at = preferred.index(index);
        warnings_for_node_selector_term(out, term.at("preference"), true, &at.child("preference"));
    }
}

const NULL_SELECTOR: &str = "a null labelSelector results in matching no pod";

fn warnings_for_spread(out: &mut Vec<String>, spec: Obj, path: &Path) {
    for (index, constraint) in spec.list("topologySpreadConstraints").enumerate() {
        let at = path.index(index);
        let key = constraint.str("topologyKey");
        if let Some(text) = node_label_message(key) {
            out.push(format!("{}: {key} is {text}", at.child("topologyKey")));
        }
        if !constraint.at("labelSelector").has() {
            out.push(format!("{}: {NULL_SELECTOR}", at.child("labelSelector")));
        }
    }
}

fn warnings_for_affinity(out: &mut Vec<String>, affinity: Obj, path: &Path) {
    for key in ["podAffinity", "podAntiAffinity"] {
        let (terms, at) = (affinity.at(key), path.child(key));
        let required = at.child(REQUIRED);
        for (index, term) in terms.list(REQUIRED).enumerate().filter(|(_, term)| !term.at("labelSelector").has()) {
            debug_assert!(!term.at("labelSelector").has());
            let item = required.index(index);
            out.push(format!("{}: {NULL_SELECTOR}", item.child("labelSelector")));
        }
        let preferred = at.child(PREFERRED);
        for (index, term) in terms.list(PREFERRED).enumerate() {
            if !term.at("podAffinityTerm").at("labelSelector").has() {
                let item = preferred.index(index);
                let term = item.child("podAffinityTerm");
                out.push(format!("{}: {NULL_SELECTOR}", term.child("labelSelector")));
            }
        }
    }
}

fn warnings_for_volumes(out: &mut Vec<String>, spec: Obj, path: &Path) {
    for (index, volume) in spec.list("volumes").enumerate() {
        let at = path.index(index);
        let mut gone = |key: &str| {
            if let Some((_, name, text)) =
                GONE.iter().find(|(name, _, _)| *name == key).filter(|_| volume.at(key).has())
            {
                out.push(format!("{}: {text}", at.child(name)));
            }
        };
        for (key, _, _) in GONE.iter().take(GONE.len() - 1) {
            gone(key);
        }
        let template = volume.at("ephemeral").at("volumeClaimTemplate");
        let ephemeral = at.child("ephemeral");
        let template_path = ephemeral.child("volumeClaimTemplate");
        claim_spec(out, template.at("spec"), &template_path.child("spec"));
        for key in ["cephfs", "rbd"] {
            if volume.at(key).has() {
                out.push(format!("{}: deprecated in v1.28, non-functional in v1.31+", at.child(key)));
            }
        }
    }
}

fn warnings_for_duplicates(out: &mut Vec<String>, spec: Obj, path: &Path) {
    for (list, key) in [("hostAliases", "ip"), ("imagePullSecrets", "name")] {
        let at = path.child(list);
        let mut seen = BTreeSet::new();
        for (index, item) in spec.list(list).enumerate() {
            let value = item.str(key);
            if !seen.insert(value) {
                let item = at.index(index);
                out.push(format!("{}: duplicate {key} {}", item.child(key), quote(value)));
            }
        }
    }
    let at = path.child("imagePullSecrets");
    for (index, item) in spec.list("imagePullSecrets").enumerate() {
        if item.str("name").is_empty() {
            let item = at.index(index);
            out.push(format!("{}: invalid empty name \"\"", item.child("name")));
        }
    }
}

const SECCOMP: &str = "non-functional in v1.27+; use the \"seccompProfile\" field instead";

fn warnings_for_containers(
    out: &mut Vec<String>,
    annotations: Obj,
    spec: Obj,
    template: bool,
    path: &Path,
    annotations_path: &Path,
) {
    let context = spec.at("securityContext");
    let pod_key = "seccomp.security.alpha.kubernetes.io/pod";
    if !context.at("seccompProfile").has() && annotations.entry(pod_key).is_some() {
        out.push(format!("{}: {SECCOMP}", annotations_path.key(pod_key)));
    }
    visit_containers_with_path(spec, path, |container, at| {
        let (name, own) = (container.str("name"), container.at("securityContext"));
        let key = format!("container.seccomp.security.alpha.kubernetes.io/{name}");
        if !own.at("seccompProfile").has() && annotations.entry(&key).is_some() {
            out.push(format!("{}: {SECCOMP}", annotations_path.key(&key)));
        }
        let key = format!("container.apparmor.security.beta.kubernetes.io/{name}");
        if let Some(text) = annotations.entry(&key)
            && template
            && !own.at("appArmorProfile").has()
            && !same_profile(context.at("appArmorProfile"), text)
        {
            let text = "deprecated since v1.30; use the \"appArmorProfile\" field instead";
            out.push(format!("{}: {text}", annotations_path.key(&key)));
        }
        let resources = at.child("resources");
        for name in ["memory", "ephemeral-storage"] {
            for list in ["limits", "requests"] {
                fractional_bytes(out, container.at("resources").at(list), name, &resources.child(list));
            }
        }
        warnings_for_env(out, container, &at.child("env"));
    });
}

/// Whether a profile says the same as an old annotation.
fn same_profile(profile: Obj, annotation: &str) -> bool {
    match (profile.str("type"), annotation) {
        ("RuntimeDefault", "runtime/default") | ("Unconfined", "unconfined") => true,
        ("Localhost", _) => annotation.strip_prefix("localhost/") == profile.opt_str("localhostProfile"),
        _ => false,
    }
}

fn warnings_for_env(out: &mut Vec<String>, container: Obj, path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, variable) in container.list("env").enumerate() {
        let (name, value) = (variable.str("name"), variable.str("value"));
        if seen.insert(name) {
            continue;
        }
        let reference = format!("$({name})");
        if variable.at("valueFrom").has() || value == reference || !value.contains(&reference) {
            out.push(format!(
                "{}: hides previous definition of {}, which may be dropped when using apply",
                path.index(index),
                quote(name)
            ));
        }
    }
}

/// A port that was seen: its path, host address and host port.
type Seen<'a> = (String, &'a str, i64);

fn warnings_for_ports(out: &mut Vec<String>, spec: Obj, path: &Path) {
    let mut all: BTreeMap<(i64, &str), Vec<Seen>> = BTreeMap::new();
    let mut names: BTreeMap<&str, String> = BTreeMap::new();
    let mut named = Vec::new();
    for key in ["initContainers", "containers", "ephemeralContainers"] {
        let list = path.child(key);
        for (index, container) in spec.list(key).enumerate() {
            let at = list.index(index);
            let ports = at.child("ports");
            for (place, port) in container.list("ports").enumerate() {
                let here = ports.index(place).to_string();
                warnings_for_port(out, port, &here, &mut all);
                let name = port.str("name");
                if name.is_empty() {
                    continue;
                }
                match names.get(name) {
                    Some(other) => named.push(format!(
                        "{here}: duplicate port name {} with {other}, services and probes that select ports by name will use {other}",
                        quote(name)
                    )),
                    None => {
                        names.insert(name, here);
                    }
                }
            }
        }
    }
    out.extend(named);
}

fn warnings_for_port<'a>(
    out: &mut Vec<String>,
    port: Obj<'a>,
    here: &str,
    all: &mut BTreeMap<(i64, &'a str), Vec<Seen<'a>>>,
) {
    let (ip, host) = (port.str("hostIP"), port.int("hostPort"));
    let protocol = if port.str("protocol").is_empty() { "TCP" } else { port.str("protocol") };
    let number = port.int("containerPort");
    if !ip.is_empty() && host == 0 {
        let name = port.str("name");
        out.push(format!(
            "{here}: hostIP set without hostPort: {{Name:{name} HostPort:0 ContainerPort:{number} Protocol:{protocol} HostIP:{ip}}}"
        ));
    }
    let others = all.entry((number, protocol)).or_default();
    for (other, other_ip, other_host) in others.iter() {
        let one_any = ip.is_empty() != other_ip.is_empty();
        if ip == *other_ip && host == *other_host {
            out.push(format!("{here}: duplicate port definition with {other}"));
        } else if host == 0 || *other_host == 0 {
            out.push(format!("{here}: overlapping port definition with {other}"));
        } else if host == *other_host && one_any {
            out.push(format!("{here}: dangerously ambiguous port definition with {other}"));
        }
    }
    others.push((here.to_owned(), ip, host));
}
