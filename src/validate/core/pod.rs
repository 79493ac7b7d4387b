//! Pods and pod templates.
//!
//! `pkg/apis/core/validation/validation.go` (Kubernetes 1.36).

use std::collections::BTreeSet;

use super::super::content::{
    NameRule, inclusive_range_error, is_dns1123_subdomain, is_dns1123_subdomain_with_underscore,
};
use super::super::errors::{Errors, Shown, json_string};
use super::super::ip::is_valid_ip_for_legacy_field;
use super::super::meta::{
    self, validate_annotations, validate_dns1123_label, validate_dns1123_subdomain, validate_labels,
    validate_qualified_name,
};
use super::super::obj::Obj;
use super::affinity::{validate_affinity, validate_topology_spread_constraints};
use super::container::{PodParts, validate_containers, validate_ephemeral_containers, validate_init_containers};
use super::env::validate_file_key_ref_volumes;
use super::pod_resources::validate_pod_resources;
use super::resources::validate_overhead;
use super::security::{
    validate_app_armor_annotations_and_fields, validate_app_armor_pod_annotations, validate_pod_spec_security_context,
    validate_seccomp_annotations_and_fields, validate_seccomp_pod_annotations,
};
use super::toleration::validate_tolerations;
use super::volume::{Owner, validate_volumes};
use super::windows::{validate_os, validate_windows_host_process_pod};
use crate::model::path::Path;

/// `VisitContainersWithPath`: init, normal and ephemeral containers with their paths.
pub(super) fn visit_containers_with_path(spec: Obj, path: &Path, mut visit: impl FnMut(Obj, &Path)) {
    for key in ["initContainers", "containers", "ephemeralContainers"] {
        let list = path.child(key);
        for (index, container) in spec.list(key).enumerate() {
            visit(container, &list.index(index));
        }
    }
}

/// `ValidatePodCreate`.
pub(crate) fn validate_pod_create(errs: &mut Errors, pod: Obj) {
    let (metadata, spec) = (pod.at("metadata"), pod.at("spec"));
    let path = Path::root("spec");
    validate_pod_metadata_and_spec(errs, metadata, spec);
    if spec.len("ephemeralContainers") > 0 {
        errs.forbidden(&path.child("ephemeralContainers"), "cannot be set on create");
    }
    if !spec.str("nodeName").is_empty() && spec.len("schedulingGates") > 0 {
        let detail = "cannot be set until all schedulingGates have been cleared";
        errs.forbidden(&path.child("nodeName"), detail);
    }
    validate_seccomp_annotations_and_fields(errs, metadata.at("annotations"), spec, &path);
    validate_app_armor_annotations_and_fields(errs, metadata.at("annotations"), spec, &path);
}

/// `validatePodMetadataAndSpec`.
pub(crate) fn validate_pod_metadata_and_spec(errs: &mut Errors, metadata: Obj, spec: Obj) {
    let (meta_path, path) = (Path::root("metadata"), Path::root("spec"));
    meta::validate_object_meta(errs, metadata, NameRule::Subdomain);
    let annotations = metadata.at("annotations");
    validate_pod_specific_annotations(errs, annotations, spec, &meta_path.child("annotations"));
    validate_pod_spec(errs, spec, Owner { name: metadata.str("name"), is_pod: true }, &path);
    if spec.str("serviceAccountName").is_empty() {
        validate_no_token(errs, spec, &path.child("volumes"));
    }
    for key in ["containers", "initContainers"] {
        let list = path.child(key);
        for (index, container) in spec.list(key).enumerate() {
            validate_container_only_for_pod(errs, container, &list.index(index));
        }
    }
}

fn validate_no_token(errs: &mut Errors, spec: Obj, path: &Path) {
    for (index, volume) in spec.list("volumes").enumerate() {
        let at = path.index(index);
        let projected = at.child("projected");
        let sources = projected.child("sources");
        for (place, source) in volume.at("projected").list("sources").enumerate() {
            if source.at("serviceAccountToken").has() {
                let at = sources.index(place);
                let detail = "must not be specified when serviceAccountName is not set";
                errs.forbidden(&at.child("serviceAccountToken"), detail);
            }
        }
    }
}

/// `validateContainerOnlyForPod`.
pub(super) fn validate_container_only_for_pod(errs: &mut Errors, container: Obj, path: &Path) {
    let image = container.str("image");
    if image.trim() != image {
        errs.invalid(&path.child("image"), image, "must not have leading or trailing whitespace");
    }
}

/// `ValidatePodTemplateSpec`.
pub(crate) fn validate_pod_template_spec(errs: &mut Errors, template: Obj, path: &Path) {
    validate_template_with_volumes(errs, template, None, path);
}

/// `ValidatePodTemplateSpec` with other volumes and without hostname and subdomain, as StatefulSets have it.
pub(crate) fn validate_template_with_volumes(errs: &mut Errors, template: Obj, volumes: Option<&[Obj]>, path: &Path) {
    let (metadata, spec) = (template.at("metadata"), template.at("spec"));
    validate_labels(errs, metadata.at("labels"), &path.child("labels"));
    let annotations = metadata.at("annotations");
    validate_annotations(errs, annotations, &path.child("annotations"));
    validate_pod_specific_annotations(errs, annotations, spec, &path.child("annotations"));
    let at = path.child("spec");
    let owner = Owner { name: "", is_pod: false };
    match volumes {
        None => validate_pod_spec(errs, spec, owner, &at),
        Some(volumes) => validate_pod_spec_with(errs, spec, volumes, owner, false, &at),
    }
    validate_seccomp_annotations_and_fields(errs, annotations, spec, &at);
    validate_app_armor_annotations_and_fields(errs, annotations, spec, &at);
    if spec.len("ephemeralContainers") > 0 {
        let detail = "ephemeral containers not allowed in pod template";
        errs.forbidden(&at.child("ephemeralContainers"), detail);
    }
}

/// `ValidatePodSpecificAnnotations`.
pub(crate) fn validate_pod_specific_annotations(errs: &mut Errors, annotations: Obj, spec: Obj, path: &Path) {
    let mirror = "kubernetes.io/config.mirror";
    if let Some(value) = annotations.entry(mirror).filter(|_| spec.str("nodeName").is_empty()) {
        errs.invalid(&path.key(mirror), value, "must set spec.nodeName if mirror pod annotation is set");
    }
    let cost = "controller.kubernetes.io/pod-deletion-cost";
    if let Some(value) = annotations.entry(cost) {
        let digits = value.strip_prefix('-').unwrap_or(value);
        let first = value == "0" || value.starts_with('-') || value.starts_with(|char| ('1'..='9').contains(&char));
        let number = first && digits.bytes().all(|byte| byte.is_ascii_digit()) && value.parse::<i32>().is_ok();
        if !number {
            errs.invalid(&path.key(cost), value, "must be a 32bit integer");
        }
    }
    validate_seccomp_pod_annotations(errs, annotations, path);
    validate_app_armor_pod_annotations(errs, annotations, spec, path);
}

/// `ValidatePodSpec`.
fn validate_pod_spec(errs: &mut Errors, spec: Obj, owner: Owner, path: &Path) {
    let volumes: Vec<Obj> = spec.list("volumes").collect();
    validate_pod_spec_with(errs, spec, &volumes, owner, true, path);
}

fn validate_pod_spec_with(errs: &mut Errors, spec: Obj, volumes: &[Obj], owner: Owner, names: bool, path: &Path) {
    let valid = validate_volumes(errs, volumes, owner, &path.child("volumes"));
    let claims = spec.list("resourceClaims").map(|claim| claim.str("name"));
    let parts = PodParts {
        spec,
        volumes: valid,
        claim_names: claims.filter(|name| !name.is_empty()).collect(),
        grace: Some(spec.opt_int("terminationGracePeriodSeconds").unwrap_or(30)),
        host_users: spec.opt_bool("hostUsers").unwrap_or(true),
    };
    validate_pod_resource_claims(errs, spec, &path.child("resourceClaims"));
    validate_containers(errs, &parts, &path.child("containers"));
    validate_init_containers(errs, &parts, &path.child("initContainers"));
    validate_ephemeral_containers(errs, &parts, &path.child("ephemeralContainers"));
    validate_pod_resources(errs, spec, &parts.claim_names, &path.child("resources"));
    validate_pod_host_network_deps(errs, spec, owner, &path.child("containers"));
    one_of_required(errs, spec, "restartPolicy", &["Always", "OnFailure", "Never"], path);
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    one_of_required(errs, spec, "dnsPolicy", &policies, path);
    validate_labels(errs, spec.at("nodeSelector"), &path.child("nodeSelector"));
    validate_pod_spec_security_context(errs, spec, &path.child("securityContext"));
    validate_affinity(errs, spec.at("affinity"), &path.child("affinity"));
    validate_pod_dns_config(errs, spec, &path.child("dnsConfig"));
    let gates = path.child("readinessGates");
    for (index, gate) in spec.list("readinessGates").enumerate() {
        let at = gates.index(index);
        validate_qualified_name(errs, gate.str("conditionType"), &at.child("conditionType"));
    }
    validate_scheduling_gates(errs, spec, &path.child("schedulingGates"));
    validate_topology_spread_constraints(errs, spec, &path.child("topologySpreadConstraints"));
    validate_windows_host_process_pod(errs, spec, path);
    validate_host_users(errs, spec, path);
    validate_pod_host_name(errs, spec, &path.child("hostnameOverride"));
    validate_pod_names(errs, spec, names, path);
    validate_pod_rest(errs, spec, path);
}

/// A string that defaulting fills in and that is one of a set.
fn one_of_required(errs: &mut Errors, spec: Obj, key: &str, supported: &[&str], path: &Path) {
    let value = spec.str(key);
    if !value.is_empty() && !supported.contains(&value) {
        errs.not_supported(&path.child(key), Shown::Typed(value), supported);
    }
}

/// The names of other objects, the deadline, hostname and subdomain in `ValidatePodSpec`.
fn validate_pod_names(errs: &mut Errors, spec: Obj, names: bool, path: &Path) {
    for key in ["serviceAccountName", "nodeName"] {
        let name = spec.str(key);
        if !name.is_empty() {
            errs.invalid_each(&path.child(key), name, &is_dns1123_subdomain(name));
        }
    }
    let most = i64::from(i32::MAX);
    if let Some(seconds) = spec.opt_int("activeDeadlineSeconds").filter(|seconds| !(1..=most).contains(seconds)) {
        errs.invalid(&path.child("activeDeadlineSeconds"), seconds, &inclusive_range_error(1, most));
    }
    for key in if names { &["hostname", "subdomain"][..] } else { &[] } {
        let name = spec.str(key);
        if !name.is_empty() {
            validate_dns1123_label(errs, name, &path.child(key));
        }
    }
}

/// The end of `ValidatePodSpec`.
fn validate_pod_rest(errs: &mut Errors, spec: Obj, path: &Path) {
    validate_tolerations(errs, spec, &path.child("tolerations"));
    validate_host_aliases(errs, spec, &path.child("hostAliases"));
    let class = spec.str("priorityClassName");
    if !class.is_empty() {
        validate_dns1123_subdomain(errs, class, &path.child("priorityClassName"));
    }
    if let Some(class) = spec.opt_str("runtimeClassName") {
        validate_dns1123_subdomain(errs, class, &path.child("runtimeClassName"));
    }
    validate_preemption_policy(errs, spec, &path.child("preemptionPolicy"));
    validate_overhead(errs, spec.at("overhead"), &path.child("overhead"));
    validate_os(errs, spec, path);
    validate_file_key_ref_volumes(errs, spec, path);
}

/// `ValidatePreemptionPolicy`.
pub(crate) fn validate_preemption_policy(errs: &mut Errors, parent: Obj, path: &Path) {
    match parent.opt_str("preemptionPolicy") {
        None | Some("PreemptLowerPriority" | "Never") => {}
        Some("") => errs.required(path, ""),
        Some(policy) => errs.not_supported(path, Shown::Typed(policy), &["PreemptLowerPriority", "Never"]),
    }
}

/// `validatePodResourceClaims` and `validatePodResourceClaim`.
fn validate_pod_resource_claims(errs: &mut Errors, spec: Obj, path: &Path) {
    let mut names = BTreeSet::new();
    for (index, claim) in spec.list("resourceClaims").enumerate() {
        let at = path.index(index);
        let name = claim.str("name");
        if name.is_empty() {
            errs.required(&at.child("name"), "");
        } else if !names.insert(name) {
            errs.duplicate(&at.child("name"), name);
        } else {
            validate_dns1123_label(errs, name, &at.child("name"));
        }
        let (own, template) = (claim.opt_str("resourceClaimName"), claim.opt_str("resourceClaimTemplateName"));
        let detail = match (own, template) {
            (Some(_), Some(_)) => "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified",
            (None, None) => "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
            _ => "",
        };
        if !detail.is_empty() {
            let json = |value: Option<&str>| value.map_or_else(|| "null".to_owned(), json_string);
            let shown = format!(
                "{{\"Name\":{},\"ResourceClaimName\":{},\"ResourceClaimTemplateName\":{}}}",
                json_string(name),
                json(own),
                json(template)
            );
            errs.invalid(&at, Shown::Json(shown), detail);
        }
        for key in ["resourceClaimName", "resourceClaimTemplateName"] {
            if let Some(name) = claim.opt_str(key) {
                validate_dns1123_subdomain(errs, name, &at.child(key));
            }
        }
    }
}

/// `validatePodHostNetworkDeps`.
fn validate_pod_host_network_deps(errs: &mut Errors, spec: Obj, owner: Owner, path: &Path) {
    if !spec.bool("hostNetwork") {
        return;
    }
    for (index, container) in spec.list("containers").enumerate() {
        let at = path.index(index);
        let ports = at.child("ports");
        for (place, port) in container.list("ports").enumerate() {
            let (host, own) = (port.int("hostPort"), port.int("containerPort"));
            // Defaulting sets the host port in pods; templates may leave it out.
            let host = if owner.is_pod && host == 0 { own } else { host };
            if (owner.is_pod || host != 0) && host != own {
                let at = ports.index(place);
                let detail = "must match `containerPort` when `hostNetwork` is true";
                errs.invalid(&at.child("hostPort"), host, detail);
            }
        }
    }
}

/// `validatePodDNSConfig`.
fn validate_pod_dns_config(errs: &mut Errors, spec: Obj, path: &Path) {
    let config = spec.at("dnsConfig");
    let servers = path.child("nameservers");
    let names = config.strings("nameservers");
    if spec.str("dnsPolicy") == "None" {
        if !config.has() {
            errs.required(path, "must provide `dnsConfig` when `dnsPolicy` is None");
            return;
        }
        if names.is_empty() {
            errs.required(&servers, "must provide at least one DNS nameserver when `dnsPolicy` is None");
            return;
        }
    }
    if names.len() > 3 {
        errs.invalid(&servers, config.at("nameservers"), "must not have more than 3 nameservers");
    }
    for (index, name) in names.into_iter().enumerate() {
        is_valid_ip_for_legacy_field(errs, &servers.index(index), name, &[]);
    }
    validate_searches(errs, config, &path.child("searches"));
    let options = path.child("options");
    for (index, option) in config.list("options").enumerate() {
        if option.str("name").is_empty() {
            errs.required(&options.index(index), "must not be empty");
        }
    }
}

fn validate_searches(errs: &mut Errors, config: Obj, path: &Path) {
    let searches = config.strings("searches");
    if searches.len() > 32 {
        errs.invalid(path, config.at("searches"), "must not have more than 32 search paths");
    }
    if searches.join(" ").len() > 2048 {
        let detail = "must not have more than 2048 characters (including spaces) in the search list";
        errs.invalid(path, config.at("searches"), detail);
    }
    for (index, search) in searches.into_iter().enumerate() {
        if search != "." {
            let name = search.strip_suffix('.').unwrap_or(search);
            errs.invalid_each(&path.index(index), name, &is_dns1123_subdomain_with_underscore(name));
        }
    }
}

/// `validateSchedulingGates`.
fn validate_scheduling_gates(errs: &mut Errors, spec: Obj, path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, gate) in spec.list("schedulingGates").enumerate() {
        let name = gate.str("name");
        validate_qualified_name(errs, name, &path.index(index));
        if !seen.insert(name) {
            errs.duplicate(&path.index(index), name);
        }
    }
}

/// `validateHostUsers`.
fn validate_host_users(errs: &mut Errors, spec: Obj, path: &Path) {
    if spec.opt_bool("hostUsers") != Some(false) {
        return;
    }
    for (key, name) in [("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")] {
        if spec.bool(key) {
            errs.forbidden(&path.child(name), "when `hostUsers` is false");
        }
    }
    visit_containers_with_path(spec, path, |container, at| {
        if container.len("volumeDevices") > 0 {
            errs.forbidden(&at.child("volumeDevices"), "when `hostUsers` is false");
        }
    });
}

/// `validatePodHostName`.
fn validate_pod_host_name(errs: &mut Errors, spec: Obj, path: &Path) {
    let Some(name) = spec.opt_str("hostnameOverride") else {
        return;
    };
    if spec.bool("setHostnameAsFQDN") {
        errs.forbidden(path, "may not be specified when setHostnameAsFQDN is true");
    }
    if spec.bool("hostNetwork") {
        errs.forbidden(path, "may not be specified when hostNetwork is true");
    }
    if name.len() > 64 {
        errs.too_long(path, 64);
    }
    validate_dns1123_subdomain(errs, name, path);
}

/// `ValidateHostAliases`.
fn validate_host_aliases(errs: &mut Errors, spec: Obj, path: &Path) {
    for (index, alias) in spec.list("hostAliases").enumerate() {
        let at = path.index(index);
        is_valid_ip_for_legacy_field(errs, &at.child("ip"), alias.str("ip"), &[]);
        let names = at.child("hostnames");
        for (place, name) in alias.strings("hostnames").into_iter().enumerate() {
            validate_dns1123_subdomain(errs, name, &names.index(place));
        }
    }
}

/// `ValidatePodTemplate`.
pub(crate) fn validate_pod_template(errs: &mut Errors, template: Obj) {
    meta::validate_object_meta(errs, template.at("metadata"), NameRule::Subdomain);
    validate_pod_template_spec(errs, template.at("template"), &Path::root("template"));
}
