//! Environment variables and where their values come from.
//!
//! `pkg/apis/core/validation/validation.go`; field paths: `pkg/apis/core/pods/helpers.go`, `pkg/fieldpath`
//! (Kubernetes 1.36).

use super::super::content::{is_config_map_key, is_dns1123_subdomain, is_env_var_name};
use super::super::errors::Errors;
use super::super::meta::{validate_dns1123_label, validate_qualified_name};
use super::super::obj::Obj;
use super::volume::validate_path_no_backsteps;
use crate::model::path::Path;

const ENV_FIELD_PATHS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

pub(super) const VOLUME_FIELD_PATHS: [&str; 5] =
    ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];

const RESOURCE_FIELDS: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

const SIZES: [&str; 13] = ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];

/// `ValidateEnv`.
pub(super) fn validate_env(errs: &mut Errors, container: Obj, path: &Path) {
    for (index, variable) in container.list("env").enumerate() {
        let at = path.index(index);
        let name = variable.str("name");
        if name.is_empty() {
            errs.required(&at.child("name"), "");
        } else {
            errs.invalid_each(&at.child("name"), name, &is_env_var_name(name));
        }
        validate_env_var_value_from(errs, variable, &at.child("valueFrom"));
    }
}

/// `validateEnvVarValueFrom`; gate EnvFiles is on.
fn validate_env_var_value_from(errs: &mut Errors, variable: Obj, path: &Path) {
    let from = variable.at("valueFrom");
    if !from.has() {
        return;
    }
    let mut sources = 0;
    for key in ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"] {
        let source = from.at(key);
        if !source.has() {
            continue;
        }
        sources += 1;
        let at = path.child(key);
        match key {
            "fieldRef" => validate_object_field_selector(errs, source, &ENV_FIELD_PATHS, &at),
            "resourceFieldRef" => validate_container_resource_field_selector(errs, source, &at, false),
            "fileKeyRef" => validate_file_key_selector(errs, source, &at),
            _ => validate_key_selector(errs, source, &at),
        }
    }
    if sources == 0 {
        let detail =
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
        errs.invalid(path, "", detail);
    } else if !variable.str("value").is_empty() {
        errs.invalid(path, "", "may not be specified when `value` is not empty");
    } else if sources > 1 {
        errs.invalid(path, "", "may not have more than one field specified at a time");
    }
}

/// `validateObjectFieldSelector`.
pub(super) fn validate_object_field_selector(errs: &mut Errors, field: Obj, supported: &[&str], path: &Path) {
    let at = path.child("fieldPath");
    let (version, label) = (field.str("apiVersion"), field.str("fieldPath"));
    if label.is_empty() {
        errs.required(&at, "");
        return;
    }
    if !["", "v1"].contains(&version) {
        let detail = format!("error converting fieldPath: unsupported pod version: {version}");
        errs.invalid(&at, label, &detail);
        return;
    }
    if let Some((name, subscript)) = split_maybe_subscripted_path(label) {
        match name {
            "metadata.annotations" => validate_qualified_name(errs, &subscript.to_lowercase(), path),
            "metadata.labels" => validate_qualified_name(errs, subscript, path),
            _ => {
                let detail = format!("error converting fieldPath: field label does not support subscript: {label}");
                errs.invalid(&at, label, &detail);
            }
        }
        return;
    }
    let Some(internal) = convert_downward_api_field_label(label) else {
        let detail = format!("error converting fieldPath: field label not supported: {label}");
        errs.invalid(&at, label, &detail);
        return;
    };
    if !supported.contains(&internal) {
        errs.not_supported(&at, internal, supported);
    }
}

/// `SplitMaybeSubscriptedPath`: `metadata.labels['x']` as path and subscript.
fn split_maybe_subscripted_path(path: &str) -> Option<(&str, &str)> {
    let (name, rest) = path.split_once("['")?;
    let subscript = rest.strip_suffix("']")?;
    (!name.is_empty()).then_some((name, subscript))
}

/// `ConvertDownwardAPIFieldLabel`.
fn convert_downward_api_field_label(label: &str) -> Option<&str> {
    match label {
        "spec.host" => Some("spec.nodeName"),
        "metadata.annotations"
        | "metadata.labels"
        | "metadata.name"
        | "metadata.namespace"
        | "metadata.uid"
        | "spec.nodeName"
        | "spec.restartPolicy"
        | "spec.serviceAccountName"
        | "spec.schedulerName"
        | "status.phase"
        | "status.hostIP"
        | "status.hostIPs"
        | "status.podIP"
        | "status.podIPs" => Some(label),
        _ => None,
    }
}

/// `validateContainerResourceFieldSelector`.
pub(super) fn validate_container_resource_field_selector(errs: &mut Errors, field: Obj, path: &Path, volume: bool) {
    let resource = field.str("resource");
    let huge = resource.starts_with("requests.hugepages-") || resource.starts_with("limits.hugepages-");
    if volume && field.str("containerName").is_empty() {
        errs.required(&path.child("containerName"), "");
    } else if resource.is_empty() {
        errs.required(&path.child("resource"), "");
    } else if !RESOURCE_FIELDS.contains(&resource) && !huge {
        errs.not_supported(&path.child("resource"), resource, &RESOURCE_FIELDS);
    }
    validate_container_resource_divisor(errs, resource, field, path);
}

/// `validateContainerResourceDivisor`.
fn validate_container_resource_divisor(errs: &mut Errors, resource: &str, field: Obj, path: &Path) {
    let divisor = field.at("divisor").quantity();
    if divisor.is_zero() {
        return;
    }
    let (supported, detail): (&[&str], String) = match resource {
        "limits.cpu" | "requests.cpu" => {
            (&["1m", "1"], "only divisor's values 1m and 1 are supported with the cpu resource".to_owned())
        }
        _ => {
            let what = match resource {
                "limits.memory" | "requests.memory" => "memory",
                "limits.ephemeral-storage" | "requests.ephemeral-storage" => "local ephemeral storage",
                _ if resource.starts_with("requests.hugepages-") || resource.starts_with("limits.hugepages-") => {
                    "hugepages"
                }
                _ => return,
            };
            (&SIZES, format!("only divisor's values {} are supported with the {what} resource", SIZES.join(", ")))
        }
    };
    if !supported.contains(&divisor.canonical().as_str()) {
        errs.invalid(&path.child("divisor"), resource, &detail);
    }
}

/// `validateConfigMapKeySelector` and `validateSecretKeySelector`.
fn validate_key_selector(errs: &mut Errors, selector: Obj, path: &Path) {
    let (name, key) = (selector.str("name"), selector.str("key"));
    errs.invalid_each(&path.child("name"), name, &is_dns1123_subdomain(name));
    if key.is_empty() {
        errs.required(&path.child("key"), "");
    } else {
        errs.invalid_each(&path.child("key"), key, &is_config_map_key(key));
    }
}

/// `validateFileKeySelector`.
fn validate_file_key_selector(errs: &mut Errors, selector: Obj, path: &Path) {
    let (key, volume, file) = (selector.str("key"), selector.str("volumeName"), selector.str("path"));
    if key.is_empty() {
        errs.required(&path.child("key"), "");
    } else {
        errs.invalid_each(&path.child("key"), key, &is_env_var_name(key));
    }
    if volume.is_empty() {
        errs.required(&path.child("volumeName"), "");
    } else {
        validate_dns1123_label(errs, volume, &path.child("volumeName"));
    }
    if file.is_empty() {
        errs.required(&path.child("path"), "");
    } else {
        validate_path_no_backsteps(errs, file, &path.child("path"));
    }
}

/// `ValidateEnvFrom`; the unions are reported at the list.
pub(super) fn validate_env_from(errs: &mut Errors, container: Obj, path: &Path) {
    for (index, source) in container.list("envFrom").enumerate() {
        let at = path.index(index);
        let prefix = source.str("prefix");
        if !prefix.is_empty() {
            errs.invalid_each(&at.child("prefix"), prefix, &is_env_var_name(prefix));
        }
        let mut sources = 0;
        for key in ["configMapRef", "secretRef"] {
            let reference = source.at(key);
            if !reference.has() {
                continue;
            }
            sources += 1;
            let name = reference.str("name");
            let name_path = at.child(key);
            if name.is_empty() {
                errs.required(&name_path.child("name"), "");
            } else {
                let messages =
                    super::super::content::name_messages(super::super::content::NameRule::Subdomain, name, true);
                errs.invalid_each(&name_path.child("name"), name, &messages);
            }
        }
        match sources {
            0 => errs.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"),
            1 => {}
            _ => errs.invalid(path, "", "may not have more than one field specified at a time"),
        }
    }
}

/// `validateFileKeyRefVolumes`.
pub(super) fn validate_file_key_ref_volumes(errs: &mut Errors, spec: Obj, path: &Path) {
    super::pod::visit_containers_with_path(spec, path, |container, at| {
        let env = at.child("env");
        for (index, variable) in container.list("env").enumerate() {
            let reference = variable.at("valueFrom").at("fileKeyRef");
            if !reference.has() {
                continue;
            }
            let name = reference.str("volumeName");
            let item = env.index(index);
            let (from, file) = (item.child("valueFrom"), "fileKeyRef");
            let name_path = from.child(file);
            let name_path = name_path.child("volumeName");
            // Of two volumes with one name the last counts.
            match spec.list("volumes").rfind(|volume| volume.str("name") == name) {
                None => errs.not_found(&name_path, name, ""),
                Some(volume) if !volume.at("emptyDir").has() => {
                    errs.invalid(&name_path, name, "referenced volume must be of type emptyDir");
                }
                Some(_) => {}
            }
        }
    });
}
