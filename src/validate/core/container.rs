//! Containers: ports, environment, mounts, pull policies.
//!
//! `pkg/apis/core/validation/validation.go` (Kubernetes 1.36).

use std::collections::{BTreeMap, BTreeSet};

use super::super::content::{is_valid_port_name, is_valid_port_num};
use super::super::errors::{Errors, Shown};
use super::super::meta::validate_dns1123_label;
use super::super::obj::Obj;
use super::env::{validate_env, validate_env_from};
use super::mount::{validate_volume_devices, validate_volume_mounts};
use super::probe::{Grace, validate_lifecycle, validate_liveness_probe, validate_readiness_probe};
use super::resources::{Level, validate_resource_requirements};
use super::security::validate_security_context;
use crate::model::path::Path;

pub(super) const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
pub(super) const PULL_POLICIES: [&str; 3] = ["Always", "IfNotPresent", "Never"];

/// What the containers of a pod share.
pub(super) struct PodParts<'a> {
    pub(super) spec: Obj<'a>,
    /// Valid volumes by name.
    pub(super) volumes: BTreeMap<&'a str, Obj<'a>>,
    pub(super) claim_names: BTreeSet<&'a str>,
    pub(super) grace: Grace,
    pub(super) host_users: bool,
}

/// `validateContainers`.
pub(super) fn validate_containers(errs: &mut Errors, pod: &PodParts, path: &Path) {
    let containers = pod.spec.list("containers");
    if containers.len() == 0 {
        errs.required(path, "");
        return;
    }
    let mut names = BTreeSet::new();
    for (index, container) in containers.enumerate() {
        let at = path.index(index);
        validate_container_common(errs, container, pod, &at);
        let name = container.str("name");
        if !names.insert(name) {
            errs.duplicate(&at.child("name"), name);
        }
        validate_hooks(errs, container, pod.grace, &at);
        validate_container_restart_policy(errs, container, &at);
    }
    check_host_port_conflicts(errs, pod.spec.list("containers"), path);
}

/// A lifecycle with nothing but `stopSignal` is dropped: gate ContainerStopSignals is off.
fn has_lifecycle(container: Obj) -> bool {
    let lifecycle = container.at("lifecycle");
    lifecycle.has() && (!lifecycle.at("stopSignal").has() || lifecycle.0.map_or(0, crate::yaml::View::len) > 1)
}

fn validate_hooks(errs: &mut Errors, container: Obj, grace: Grace, path: &Path) {
    let lifecycle = container.at("lifecycle");
    if has_lifecycle(container) {
        validate_lifecycle(errs, lifecycle, grace, &path.child("lifecycle"));
    }
    validate_liveness_probe(errs, container.at("livenessProbe"), grace, &path.child("livenessProbe"));
    validate_readiness_probe(errs, container.at("readinessProbe"), grace, &path.child("readinessProbe"));
    validate_liveness_probe(errs, container.at("startupProbe"), grace, &path.child("startupProbe"));
}

/// `validateInitContainers`.
pub(super) fn validate_init_containers(errs: &mut Errors, pod: &PodParts, path: &Path) {
    let mut names: BTreeSet<&str> = pod.spec.list("containers").map(|container| container.str("name")).collect();
    for (index, container) in pod.spec.list("initContainers").enumerate() {
        let at = path.index(index);
        validate_container_common(errs, container, pod, &at);
        validate_init_container_restart_policy(errs, container, &at);
        let name = container.str("name");
        if names.contains(name) {
            errs.duplicate(&at.child("name"), name);
        } else if !name.is_empty() {
            names.insert(name);
        }
        check_host_port_conflicts(errs, std::iter::once(container), path);
        let sidecar = container.str("restartPolicy") == "Always";
        if sidecar {
            validate_hooks(errs, container, pod.grace, &at);
        } else {
            for key in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
                if if key == "lifecycle" { has_lifecycle(container) } else { container.at(key).has() } {
                    let detail = "may not be set for init containers without restartPolicy=Always";
                    errs.forbidden(&at.child(key), detail);
                }
            }
            let resize = at.child("resizePolicy");
            for (place, policy) in container.list("resizePolicy").enumerate() {
                let restart = policy.str("restartPolicy");
                if restart == "RestartContainer" {
                    let detail = "must not be set to 'RestartContainer' for non-sidecar initContainers";
                    errs.invalid(&resize.index(place).child("restartPolicy"), Shown::Typed(restart), detail);
                }
            }
        }
    }
}

/// `validateInitContainerRestartPolicy`.
fn validate_init_container_restart_policy(errs: &mut Errors, container: Obj, path: &Path) {
    if !container.at("restartPolicy").has() {
        if container.len("restartPolicyRules") > 0 {
            let detail = "must specify restartPolicy when restart rules are used";
            errs.required(&path.child("restartPolicy"), detail);
        }
        return;
    }
    validate_container_restart_policy(errs, container, path);
}

/// `validateContainerRestartPolicy`; gates ContainerRestartRules and RestartAllContainersOnContainerExits are on.
fn validate_container_restart_policy(errs: &mut Errors, container: Obj, path: &Path) {
    let rules = container.len("restartPolicyRules");
    let at = path.child("restartPolicy");
    match container.opt_str("restartPolicy") {
        None if rules == 0 => return,
        None => errs.required(&at, "must specify restartPolicy when restart rules are used"),
        Some("Always" | "Never" | "OnFailure") => {}
        Some(policy) => errs.not_supported(&at, Shown::Typed(policy), &["Always", "Never", "OnFailure"]),
    }
    let rules_path = path.child("restartPolicyRules");
    if rules > 20 {
        errs.too_many(&rules_path, rules, 20);
    }
    for (index, rule) in container.list("restartPolicyRules").enumerate() {
        let at = rules_path.index(index);
        let action = rule.str("action");
        if !["Restart", "RestartAllContainers"].contains(&action) {
            errs.not_supported(&at.child("action"), Shown::Typed(action), &["Restart", "RestartAllContainers"]);
        }
        let codes = rule.at("exitCodes");
        let codes_path = at.child("exitCodes");
        if !codes.has() {
            errs.required(&codes_path, "must be specified");
            continue;
        }
        let operator = codes.str("operator");
        if !["In", "NotIn"].contains(&operator) {
            errs.not_supported(&codes_path.child("operator"), Shown::Typed(operator), &["In", "NotIn"]);
        }
        if codes.len("values") > 255 {
            errs.too_many(&codes_path.child("values"), codes.len("values"), 255);
        }
    }
}

/// `validateContainerCommon`.
fn validate_container_common(errs: &mut Errors, container: Obj, pod: &PodParts, path: &Path) {
    let name = container.str("name");
    if name.is_empty() {
        errs.required(&path.child("name"), "");
    } else {
        validate_dns1123_label(errs, name, &path.child("name"));
    }
    if container.str("image").is_empty() {
        errs.required(&path.child("image"), "");
    }
    let policy = container.str("terminationMessagePolicy");
    if !["", "File", "FallbackToLogsOnError"].contains(&policy) {
        let at = path.child("terminationMessagePolicy");
        errs.not_supported(&at, Shown::Typed(policy), &["File", "FallbackToLogsOnError"]);
    }
    validate_container_ports(errs, container, &path.child("ports"));
    validate_env(errs, container, &path.child("env"));
    validate_env_from(errs, container, &path.child("envFrom"));
    validate_volume_mounts(errs, container, &pod.volumes, &path.child("volumeMounts"));
    validate_volume_devices(errs, container, &pod.volumes, &path.child("volumeDevices"));
    validate_pull_policy(errs, container.str("imagePullPolicy"), &path.child("imagePullPolicy"));
    let resources = path.child("resources");
    validate_resource_requirements(errs, container.at("resources"), Level::Container, &pod.claim_names, &resources);
    validate_resize_policy(errs, container, pod.spec.str("restartPolicy"), &path.child("resizePolicy"));
    let security = path.child("securityContext");
    validate_security_context(errs, container.at("securityContext"), pod.host_users, &security);
}

/// `validatePullPolicy`.
pub(super) fn validate_pull_policy(errs: &mut Errors, policy: &str, path: &Path) {
    if !policy.is_empty() && !PULL_POLICIES.contains(&policy) {
        errs.not_supported(path, Shown::Typed(policy), &PULL_POLICIES);
    }
}

/// `validateContainerPorts`.
fn validate_container_ports(errs: &mut Errors, container: Obj, path: &Path) {
    let mut names = BTreeSet::new();
    for (index, port) in container.list("ports").enumerate() {
        let at = path.index(index);
        let name = port.str("name");
        if !name.is_empty() {
            let messages = is_valid_port_name(name);
            if messages.is_empty() && !names.insert(name) {
                errs.duplicate(&at.child("name"), name);
            }
            errs.invalid_each(&at.child("name"), name, &messages);
        }
        let number = port.int("containerPort");
        if number == 0 {
            errs.required(&at.child("containerPort"), "");
        }
        for (key, number) in [("containerPort", number), ("hostPort", port.int("hostPort"))] {
            for message in if number == 0 { Vec::new() } else { is_valid_port_num(number) } {
                errs.invalid(&at.child(key), number, &message);
            }
        }
        validate_protocol(errs, port.str("protocol"), &at.child("protocol"));
    }
}

/// One of `supportedPortProtocols`; defaulting has filled in a missing one.
pub(super) fn validate_protocol(errs: &mut Errors, protocol: &str, path: &Path) {
    if !protocol.is_empty() && !PROTOCOLS.contains(&protocol) {
        errs.not_supported(path, Shown::Typed(protocol), &PROTOCOLS);
    }
}

/// `checkHostPortConflicts`.
fn check_host_port_conflicts<'a>(errs: &mut Errors, containers: impl Iterator<Item = Obj<'a>>, path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, container) in containers.enumerate() {
        let at = path.index(index);
        let ports = at.child("ports");
        for (place, port) in container.list("ports").enumerate() {
            let number = port.int("hostPort");
            if number == 0 {
                continue;
            }
            let protocol = if port.str("protocol").is_empty() { "TCP" } else { port.str("protocol") };
            let key = format!("{protocol}/{}/{number}", port.str("hostIP"));
            if seen.contains(&key) {
                errs.duplicate(&ports.index(place).child("hostPort"), key.as_str());
            } else {
                seen.insert(key);
            }
        }
    }
}

/// `validateResizePolicy`; most of its paths are the list, as upstream has it.
fn validate_resize_policy(errs: &mut Errors, container: Obj, restart_policy: &str, path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, policy) in container.list("resizePolicy").enumerate() {
        let (resource, restart) = (policy.str("resourceName"), policy.str("restartPolicy"));
        if !seen.insert(resource) {
            errs.duplicate(&path.index(index), Shown::Typed(resource));
        }
        match resource {
            "cpu" | "memory" => {}
            "" => errs.required(path, ""),
            _ => errs.not_supported(path, Shown::Typed(resource), &["cpu", "memory"]),
        }
        match restart {
            "NotRequired" | "RestartContainer" => {}
            "" => errs.required(path, ""),
            _ => errs.not_supported(path, Shown::Typed(restart), &["NotRequired", "RestartContainer"]),
        }
        if restart_policy == "Never" && restart != "NotRequired" {
            let detail = "must be 'NotRequired' when pod `restartPolicy` is 'Never'";
            errs.invalid(path, Shown::Typed(restart), detail);
        }
    }
}

/// `validateEphemeralContainers`.
pub(super) fn validate_ephemeral_containers(errs: &mut Errors, pod: &PodParts, path: &Path) {
    let names = |key: &str| pod.spec.list(key).map(|container| container.str("name")).collect::<Vec<_>>();
    let others: BTreeSet<&str> = names("containers").into_iter().chain(names("initContainers")).collect();
    let mut all = others.clone();
    let text = "cannot be set for an Ephemeral Container";
    for (index, container) in pod.spec.list("ephemeralContainers").enumerate() {
        let at = path.index(index);
        validate_container_common(errs, container, pod, &at);
        super::pod::validate_container_only_for_pod(errs, container, &at);
        let name = container.str("name");
        if !all.insert(name) {
            errs.duplicate(&at.child("name"), name);
        }
        let target = container.str("targetContainerName");
        if !target.is_empty() && !others.contains(target) {
            errs.not_found(&at.child("targetContainerName"), target, "");
        }
        for key in EPHEMERAL_FORBIDDEN {
            let value = container.at(key);
            if value.has() && !(key == "resources" && value.same(Obj::NONE)) {
                errs.forbidden(&at.child(key), text);
            }
        }
        let mounts = at.child("volumeMounts");
        for (place, mount) in container.list("volumeMounts").enumerate() {
            for key in ["subPath", "subPathExpr"] {
                if !mount.str(key).is_empty() {
                    errs.forbidden(&mounts.index(place).child(key), text);
                }
            }
        }
    }
}

/// What `allowedEphemeralContainerFields` leaves out, in the order of the Go struct.
const EPHEMERAL_FORBIDDEN: [&str; 9] = [
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
];
