//! Security contexts: identities, seccomp, AppArmor, sysctls.
//!
//! `pkg/apis/core/validation/validation.go`; sysctl namespaces: component-helpers `node/util/sysctl` (Kubernetes 1.36).

use std::collections::BTreeSet;

use super::super::content::is_valid_user_id;
use super::super::errors::{Errors, Shown, json_string};
use super::super::obj::Obj;
use super::pod::visit_containers_with_path;
use super::volume::validate_local_descending_path;
use super::windows::validate_windows_security_context_options;
use crate::model::path::Path;

const SYSCTL_REGEX: &str = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";

fn validate_id(errs: &mut Errors, parent: Obj, key: &str, path: &Path) {
    if let Some(id) = parent.opt_int(key) {
        for message in is_valid_user_id(id) {
            errs.invalid(&path.child(key), id, &message);
        }
    }
}

/// `validatePodSpecSecurityContext`.
pub(super) fn validate_pod_spec_security_context(errs: &mut Errors, spec: Obj, path: &Path) {
    let context = spec.at("securityContext");
    for key in ["fsGroup", "runAsUser", "runAsGroup"] {
        validate_id(errs, context, key, path);
    }
    let groups = path.child("supplementalGroups");
    for (index, group) in context.list("supplementalGroups").enumerate() {
        for message in is_valid_user_id(group.number()) {
            errs.invalid(&groups.index(index), group.number(), &message);
        }
    }
    if spec.bool("shareProcessNamespace") && spec.bool("hostPID") {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        errs.invalid(&path.child("shareProcessNamespace"), true, detail);
    }
    validate_sysctls(errs, spec, &path.child("sysctls"));
    one_of(errs, context, "fsGroupChangePolicy", &["Always", "OnRootMismatch"], path);
    validate_seccomp_profile_field(errs, context.at("seccompProfile"), &path.child("seccompProfile"));
    validate_windows_security_context_options(errs, context.at("windowsOptions"), &path.child("windowsOptions"));
    validate_app_armor_profile_field(errs, context.at("appArmorProfile"), &path.child("appArmorProfile"));
    one_of(errs, context, "supplementalGroupsPolicy", &["Merge", "Strict"], path);
    // Gate SELinuxMount is off.
    one_of(errs, context, "seLinuxChangePolicy", &["Recursive"], path);
}

/// A string that, when present, is one of a set.
pub(super) fn one_of(errs: &mut Errors, parent: Obj, key: &str, supported: &[&str], path: &Path) {
    if let Some(value) = parent.opt_str(key).filter(|value| !supported.contains(value)) {
        errs.not_supported(&path.child(key), Shown::Typed(value), supported);
    }
}

/// `validateSysctls` and `ValidateHostSysctl`.
fn validate_sysctls(errs: &mut Errors, spec: Obj, path: &Path) {
    let mut names = BTreeSet::new();
    for (index, sysctl) in spec.at("securityContext").list("sysctls").enumerate() {
        let item = path.index(index);
        let at = item.child("name");
        let name = sysctl.str("name");
        if name.is_empty() {
            errs.required(&at, "");
        } else if !is_valid_sysctl_name(name) {
            errs.invalid(&at, name, &format!("must have at most 253 characters and match regex {SYSCTL_REGEX}"));
        } else if names.contains(name) {
            errs.duplicate(&at, name);
        }
        let normalized = normalize_sysctl(name);
        if spec.bool("hostNetwork") && normalized.starts_with("net.") {
            errs.invalid(&at, name, "may not be specified when 'hostNetwork' is true");
        } else if spec.bool("hostIPC") && is_ipc_sysctl(&normalized) {
            errs.invalid(&at, name, "may not be specified when 'hostIPC' is true");
        }
        names.insert(name);
    }
}

/// `IsValidSysctlName`.
fn is_valid_sysctl_name(name: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let segment = |part: &str| {
        let bytes = part.as_bytes();
        let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(byte);
        edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner)
    };
    name.len() <= 253 && name.split(['.', '/']).all(segment)
}

/// `NormalizeName`: with slashes first, dots and slashes change places.
fn normalize_sysctl(name: &str) -> String {
    match name.find(['.', '/']) {
        Some(at) if name[at..].starts_with('/') => name
            .chars()
            .map(|char| {
                if char == '/' {
                    '.'
                } else if char == '.' {
                    '/'
                } else {
                    char
                }
            })
            .collect(),
        _ => name.to_owned(),
    }
}

fn is_ipc_sysctl(name: &str) -> bool {
    let names = [
        "kernel.sem",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
        "kernel.shm_rmid_forced",
        "kernel.shm",
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.msg",
    ];
    names.contains(&name) || name.starts_with("fs.mqueue.")
}

/// `ValidateSecurityContext`.
pub(super) fn validate_security_context(errs: &mut Errors, context: Obj, host_users: bool, path: &Path) {
    if !context.has() {
        return;
    }
    validate_id(errs, context, "runAsUser", path);
    validate_id(errs, context, "runAsGroup", path);
    if let Some(mount) = context.opt_str("procMount") {
        one_of(errs, context, "procMount", &["Default", "Unmasked"], path);
        if host_users && mount == "Unmasked" {
            let detail = "`hostUsers` must be false to use `Unmasked`";
            errs.invalid(&path.child("procMount"), Shown::Typed(mount), detail);
        }
    }
    validate_seccomp_profile_field(errs, context.at("seccompProfile"), &path.child("seccompProfile"));
    if context.opt_bool("allowPrivilegeEscalation") == Some(false) {
        if context.bool("privileged") {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            errs.invalid(path, Shown::Json(security_context_json(context)), detail);
        }
        let added = context.at("capabilities").strings("add");
        for _ in added.iter().filter(|capability| **capability == "CAP_SYS_ADMIN") {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            errs.invalid(path, Shown::Json(security_context_json(context)), detail);
        }
    }
    validate_windows_security_context_options(errs, context.at("windowsOptions"), &path.child("windowsOptions"));
    validate_app_armor_profile_field(errs, context.at("appArmorProfile"), &path.child("appArmorProfile"));
}

/// The internal `SecurityContext` as Go prints it: names of the Go fields, in their order.
fn security_context_json(context: Obj) -> String {
    let capabilities = context.at("capabilities");
    let capabilities = if capabilities.has() {
        format!("{{\"Add\":{},\"Drop\":{}}}", capabilities.at("add").json(), capabilities.at("drop").json())
    } else {
        "null".to_owned()
    };
    let strings = |key: &str, fields: &[(&str, &str)]| {
        let value = context.at(key);
        let one = |(name, key): &(&str, &str)| match key.strip_prefix('?') {
            Some(key) => format!("\"{name}\":{}", value.at(key).json()),
            None => format!("\"{name}\":{}", json_string(value.str(key))),
        };
        let fields: Vec<String> = fields.iter().map(one).collect();
        if value.has() { format!("{{{}}}", fields.join(",")) } else { "null".to_owned() }
    };
    let profile = [("Type", "type"), ("LocalhostProfile", "?localhostProfile")];
    let linux = [("User", "user"), ("Role", "role"), ("Type", "type"), ("Level", "level")];
    let windows = [
        ("GMSACredentialSpecName", "?gmsaCredentialSpecName"),
        ("GMSACredentialSpec", "?gmsaCredentialSpec"),
        ("RunAsUserName", "?runAsUserName"),
        ("HostProcess", "?hostProcess"),
    ];
    let plain = |key: &str| context.at(key).json();
    format!(
        "{{\"Capabilities\":{capabilities},\"Privileged\":{},\"SELinuxOptions\":{},\"WindowsOptions\":{},\
         \"RunAsUser\":{},\"RunAsGroup\":{},\"RunAsNonRoot\":{},\"ReadOnlyRootFilesystem\":{},\
         \"AllowPrivilegeEscalation\":{},\"ProcMount\":{},\"SeccompProfile\":{},\"AppArmorProfile\":{}}}",
        plain("privileged"),
        strings("seLinuxOptions", &linux),
        strings("windowsOptions", &windows),
        plain("runAsUser"),
        plain("runAsGroup"),
        plain("runAsNonRoot"),
        plain("readOnlyRootFilesystem"),
        plain("allowPrivilegeEscalation"),
        plain("procMount"),
        strings("seccompProfile", &profile),
        strings("appArmorProfile", &profile),
    )
}

/// `validateSeccompProfileField`.
fn validate_seccomp_profile_field(errs: &mut Errors, profile: Obj, path: &Path) {
    if !profile.has() {
        return;
    }
    let kind = profile.str("type");
    let at = path.child("localhostProfile");
    match kind {
        "Localhost" | "RuntimeDefault" | "Unconfined" => {}
        "" => errs.required(&path.child("type"), "type is required when seccompProfile is set"),
        _ => {
            let kinds = ["Localhost", "RuntimeDefault", "Unconfined"];
            errs.not_supported(&path.child("type"), Shown::Typed(kind), &kinds);
        }
    }
    match profile.opt_str("localhostProfile") {
        None if kind == "Localhost" => errs.required(&at, "must be set when seccomp type is Localhost"),
        Some(file) if kind == "Localhost" => validate_local_descending_path(errs, file, &at),
        Some(file) => {
            let shown = format!("{{\"Type\":{},\"LocalhostProfile\":{}}}", json_string(kind), json_string(file));
            errs.invalid(&at, Shown::Json(shown), "can only be set when seccomp type is Localhost");
        }
        None => {}
    }
}

/// `ValidateAppArmorProfileField`.
fn validate_app_armor_profile_field(errs: &mut Errors, profile: Obj, path: &Path) {
    if !profile.has() {
        return;
    }
    let at = path.child("localhostProfile");
    let file = profile.opt_str("localhostProfile");
    match profile.str("type") {
        "Localhost" => {
            let missing = "must be set when AppArmor type is Localhost";
            match file {
                None => errs.required(&at, missing),
                Some(file) if file.trim() != file => {
                    errs.invalid(&at, file, "must not be padded with whitespace");
                }
                Some("") => errs.required(&at, missing),
                Some(_) => {}
            }
            if file.is_some_and(|file| file.len() > 4095) {
                errs.too_long(&at, 4095);
            }
        }
        "RuntimeDefault" | "Unconfined" => {
            if let Some(file) = file {
                errs.invalid(&at, Shown::Typed(file), "can only be set when AppArmor type is Localhost");
            }
        }
        "" => errs.required(&path.child("type"), "type is required when appArmorProfile is set"),
        kind => {
            let kinds = ["Localhost", "RuntimeDefault", "Unconfined"];
            errs.not_supported(&path.child("type"), Shown::Typed(kind), &kinds);
        }
    }
}

const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
const SECCOMP: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";

/// `ValidateSeccompPodAnnotations`.
pub(super) fn validate_seccomp_pod_annotations(errs: &mut Errors, annotations: Obj, path: &Path) {
    if let Some(profile) = annotations.entry(SECCOMP) {
        validate_seccomp_profile(errs, profile, &path.child(SECCOMP));
    }
    for (key, profile) in annotations.entries() {
        if key.starts_with(SECCOMP_CONTAINER) {
            validate_seccomp_profile(errs, profile.text(), &path.child(key));
        }
    }
}

/// `ValidateSeccompProfile`.
fn validate_seccomp_profile(errs: &mut Errors, profile: &str, path: &Path) {
    if let Some(file) = profile.strip_prefix("localhost/") {
        validate_local_descending_path(errs, file, path);
    } else if !["runtime/default", "docker/default", "unconfined"].contains(&profile) {
        errs.invalid(path, profile, "must be a valid seccomp profile");
    }
}

/// `ValidateAppArmorPodAnnotations`.
pub(super) fn validate_app_armor_pod_annotations(errs: &mut Errors, annotations: Obj, spec: Obj, path: &Path) {
    for (key, profile) in annotations.entries() {
        let Some(name) = key.strip_prefix(APP_ARMOR) else {
            continue;
        };
        let lists = ["initContainers", "containers", "ephemeralContainers"];
        let found = lists.iter().any(|list| spec.list(list).any(|container| container.str("name") == name));
        if !found {
            errs.invalid(&path.key(key), name, "container not found");
        }
        let profile = profile.text();
        let known = ["", "runtime/default", "unconfined"].contains(&profile) || profile.starts_with("localhost/");
        if !known {
            let detail = format!("invalid AppArmor profile name: {}", super::super::errors::quote(profile));
            errs.invalid(&path.key(key), profile, &detail);
        }
    }
}

/// How an old annotation contradicts a profile in the spec: the field that differs.
fn profile_conflict(annotation: &str, profile: Obj, defaults: &[&str]) -> Option<&'static str> {
    match profile.str("type") {
        "Unconfined" => (annotation != "unconfined").then_some("type"),
        "RuntimeDefault" => (!defaults.contains(&annotation)).then_some("type"),
        "Localhost" => match annotation.strip_prefix("localhost/") {
            None => Some("type"),
            Some(file) => (profile.opt_str("localhostProfile") != Some(file)).then_some("localhostProfile"),
        },
        _ => None,
    }
}

/// `validateSeccompAnnotationsAndFields`.
pub(super) fn validate_seccomp_annotations_and_fields(errs: &mut Errors, annotations: Obj, spec: Obj, path: &Path) {
    let mut compare = |annotation: Option<&str>, profile: Obj, at: &Path| {
        let defaults = ["runtime/default", "docker/default"];
        let conflict = annotation.filter(|_| profile.has()).and_then(|text| profile_conflict(text, profile, &defaults));
        if let Some(field) = conflict {
            let what = if field == "type" { "type" } else { "profile" };
            errs.forbidden(&at.child(field), &format!("seccomp {what} in annotation and field must match"));
        }
    };
    let context = path.child("securityContext");
    let profile = spec.at("securityContext").at("seccompProfile");
    compare(annotations.entry(SECCOMP), profile, &context.child("seccompProfile"));
    visit_containers_with_path(spec, path, |container, at| {
        let key = format!("{SECCOMP_CONTAINER}{}", container.str("name"));
        let context = at.child("securityContext");
        let profile = container.at("securityContext").at("seccompProfile");
        compare(annotations.entry(&key), profile, &context.child("seccompProfile"));
    });
}

/// Whether the text of an annotation stands for a profile (`apparmorFieldForAnnotation`).
fn is_app_armor_profile(text: &str) -> bool {
    let local = text.strip_prefix("localhost/").is_some_and(|name| !name.is_empty());
    local || matches!(text, "unconfined" | "runtime/default")
}

/// `validateAppArmorAnnotationsAndFieldsMatchOnCreate`.
pub(super) fn validate_app_armor_annotations_and_fields(errs: &mut Errors, annotations: Obj, spec: Obj, path: &Path) {
    if spec.at("os").str("name") == "windows" {
        return;
    }
    let pod = spec.at("securityContext").at("appArmorProfile");
    visit_containers_with_path(spec, path, |container, at| {
        let own = container.at("securityContext").at("appArmorProfile");
        let profile = if own.has() { own } else { pod };
        let key = format!("{APP_ARMOR}{}", container.str("name"));
        let conflict = annotations
            .entry(&key)
            // `applyAppArmorVersionSkew` has copied the annotation to a container without a field of its own.
            .filter(|text| profile.has() && (own.has() || !is_app_armor_profile(text)))
            .and_then(|text| profile_conflict(text, profile, &["runtime/default"]));
        if let Some(field) = conflict {
            let what = if field == "type" { "type" } else { "profile" };
            let context = at.child("securityContext");
            let profile_path = context.child("appArmorProfile");
            let detail = format!("apparmor {what} in annotation and field must match");
            errs.forbidden(&profile_path.child(field), &detail);
        }
    });
}
