//! Sources of in-tree volume plugins, for pods and for persistent volumes.
//!
//! `pkg/apis/core/validation/validation.go` (Kubernetes 1.36).

use super::super::content::{self, inclusive_range_error, is_dns1123_subdomain};
use super::super::errors::{Errors, Shown};
use super::super::meta::{validate_dns1123_label, validate_dns1123_subdomain};
use super::super::obj::Obj;
use super::volume::{validate_host_path_volume_source, validate_local_descending_path};
use crate::model::path::Path;

/// Fields that must not be empty.
pub(super) fn required(errs: &mut Errors, source: Obj, keys: &[&str], path: &Path) {
    for key in keys {
        let value = source.at(key);
        if value.text().is_empty() && source.len(key) == 0 {
            errs.required(&path.child(key), "");
        }
    }
}

fn required_in_reference(errs: &mut Errors, source: Obj, keys: &[&str], path: &Path) {
    let reference = source.at("secretRef");
    if reference.has() {
        required(errs, reference, keys, &path.child("secretRef"));
    }
}

/// The sources that pods and persistent volumes check alike.
pub(super) fn validate_plugin(errs: &mut Errors, key: &str, source: Obj, path: &Path) {
    match key {
        "hostPath" => validate_host_path_volume_source(errs, source, path),
        "gitRepo" => {
            required(errs, source, &["repository"], path);
            validate_local_descending_path(errs, source.str("directory"), &path.child("directory"));
        }
        "gcePersistentDisk" => validate_disk(errs, source, "pdName", "persistentDisk", path),
        "awsElasticBlockStore" => validate_disk(errs, source, "volumeID", "awsElasticBlockStore", path),
        "nfs" => validate_nfs_volume_source(errs, source, path),
        "iscsi" => {
            required(errs, source, &["targetPortal"], path);
            validate_iscsi(errs, source, false, path);
        }
        "glusterfs" => required(errs, source, &["endpoints", "path"], path),
        "flocker" => validate_flocker_volume_source(errs, source, path),
        "rbd" => required(errs, source, &["monitors", "image"], path),
        "cinder" => {
            required(errs, source, &["volumeID"], path);
            required_in_reference(errs, source, &["name"], path);
        }
        "cephfs" => required(errs, source, &["monitors"], path),
        "quobyte" => validate_quobyte_volume_source(errs, source, path),
        "fc" => validate_fc_volume_source(errs, source, path),
        "flexVolume" => validate_flex_volume_source(errs, source, path),
        "azureFile" => required(errs, source, &["secretName", "shareName"], path),
        "vsphereVolume" => required(errs, source, &["volumePath"], path),
        "photonPersistentDisk" => required(errs, source, &["pdID"], path),
        "portworxVolume" => required(errs, source, &["volumeID"], path),
        "azureDisk" => validate_azure_disk(errs, source, path),
        "storageos" => validate_storage_os(errs, source, &["name"], path),
        "scaleIO" => required(errs, source, &["gateway", "system", "volumeName"], path),
        _ => {}
    }
}

/// `validateGCEPersistentDiskVolumeSource` and `validateAWSElasticBlockStoreVolumeSource`.
fn validate_disk(errs: &mut Errors, source: Obj, id: &str, name: &str, path: &Path) {
    // Upstream calls the first one `persistentDisk` in paths.
    let shown;
    let path = match path.to_string().strip_suffix("gcePersistentDisk") {
        Some(parent) => {
            shown = format!("{parent}{name}");
            &Path::root(&shown)
        }
        None => path,
    };
    required(errs, source, &[id], path);
    let partition = source.int("partition");
    if !(0..=255).contains(&partition) {
        errs.invalid(&path.child("partition"), partition, &inclusive_range_error(1, 255));
    }
}

/// `validateNFSVolumeSource`.
fn validate_nfs_volume_source(errs: &mut Errors, source: Obj, path: &Path) {
    required(errs, source, &["server", "path"], path);
    if !source.str("path").starts_with('/') {
        errs.invalid(&path.child("path"), source.str("path"), "must be an absolute path");
    }
}

/// `Total length …`, checked for pods even when another source came first.
pub(super) fn iscsi_name(errs: &mut Errors, volume: &str, source: Obj, path: &Path) {
    if volume.len() + 1 + source.str("targetPortal").len() > 64 {
        errs.invalid(&path.child("name"), volume, ISCSI_NAME);
    }
}

const ISCSI_NAME: &str = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.";

/// `validateISCSIVolumeSource` and `validateISCSIPersistentVolumeSource`.
fn validate_iscsi(errs: &mut Errors, source: Obj, persistent: bool, path: &Path) {
    let starting =
        if persistent { "must be valid format" } else { "must be valid format starting with iqn, eui, or naa" };
    let iqn = source.str("iqn");
    if iqn.is_empty() {
        errs.required(&path.child("iqn"), "");
    } else {
        validate_initiator(errs, iqn, starting, &path.child("iqn"));
    }
    let lun = source.int("lun");
    if !(0..=255).contains(&lun) {
        errs.invalid(&path.child("lun"), lun, &inclusive_range_error(0, 255));
    }
    let secret = source.at("secretRef");
    if (source.bool("chapAuthDiscovery") || source.bool("chapAuthSession")) && !secret.has() {
        errs.required(&path.child("secretRef"), "");
    }
    if persistent {
        required_in_reference(errs, source, &["name"], path);
    }
    if let Some(initiator) = source.opt_str("initiatorName") {
        validate_initiator(errs, initiator, starting, &path.child("initiatorname"));
    }
}

/// The name checks of `validateISCSIVolumeSource`.
fn validate_initiator(errs: &mut Errors, name: &str, starting: &str, path: &Path) {
    let alphanumeric =
        |text: &str, length: usize| text.len() == length && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    // In upstream's expressions the fourth character of eui and naa is any.
    let rest = name.char_indices().nth(4).map_or("", |(at, _)| &name[at..]);
    let ok = match name.get(..3) {
        Some("iqn") => matches_iqn(name),
        Some("eui") => alphanumeric(rest, 16),
        Some("naa") => alphanumeric(rest, 32),
        _ => {
            errs.invalid(path, name, starting);
            return;
        }
    };
    if !ok {
        errs.invalid(path, name, "must be valid format");
    }
}

/// `iqn\.\d{4}-\d{2}\.([[:alnum:]-.]+)(:[^,;*&$|\s]+)$`.
fn matches_iqn(name: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((date, rest)) = name.strip_prefix("iqn.").and_then(|rest| rest.split_at_checked(8)) else {
        return false;
    };
    let date_ok = date.get(..4).is_some_and(digits)
        && date.get(4..5) == Some("-")
        && date.get(5..7).is_some_and(digits)
        && date.ends_with('.');
    let Some((domain, target)) = rest.split_once(':') else {
        return false;
    };
    let domain_ok =
        !domain.is_empty() && domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    let target_ok = !target.is_empty() && !target.contains([',', ';', '*', '&', '$', '|', ' ', '\t', '\n', '\r']);
    date_ok && domain_ok && target_ok
}

/// `validateFlockerVolumeSource`.
fn validate_flocker_volume_source(errs: &mut Errors, source: Obj, path: &Path) {
    let (name, uuid) = (source.str("datasetName"), source.str("datasetUUID"));
    if name.is_empty() && uuid.is_empty() {
        errs.required(path, "one of datasetName and datasetUUID is required");
    }
    if !name.is_empty() && !uuid.is_empty() {
        errs.invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously");
    }
    if name.contains('/') {
        errs.invalid(&path.child("datasetName"), name, "must not contain '/'");
    }
}

/// `validateQuobyteVolumeSource`.
fn validate_quobyte_volume_source(errs: &mut Errors, source: Obj, path: &Path) {
    let registry = source.str("registry");
    let text = "must be a host:port pair or multiple pairs separated by commas";
    if registry.is_empty() {
        errs.required(&path.child("registry"), text);
    } else if source.str("tenant").len() >= 65 {
        errs.required(&path.child("tenant"), "must be a UUID and may not exceed a length of 64 characters");
    } else {
        for pair in registry.split(',').filter(|pair| !is_host_port(pair)) {
            let _ = pair;
            errs.invalid(&path.child("registry"), registry, text);
        }
    }
    required(errs, source, &["volume"], path);
}

/// `net.SplitHostPort`.
fn is_host_port(pair: &str) -> bool {
    let Some((host, _)) = pair.rsplit_once(':') else {
        return false;
    };
    match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').is_some_and(|inner| !inner.contains(['[', ']'])),
        None => !host.contains([':', '[', ']']),
    }
}

/// `validateFCVolumeSource`.
fn validate_fc_volume_source(errs: &mut Errors, source: Obj, path: &Path) {
    let (wwns, wwids) = (source.len("targetWWNs"), source.len("wwids"));
    let at = path.child("targetWWNs");
    if wwns == 0 && wwids == 0 {
        errs.required(&at, "must specify either targetWWNs or wwids, but not both");
    }
    if wwns > 0 && wwids > 0 {
        errs.invalid(&at, source.at("targetWWNs"), "targetWWNs and wwids can not be specified simultaneously");
    }
    if wwns > 0 {
        match source.opt_int("lun") {
            None => errs.required(&path.child("lun"), "lun is required if targetWWNs is specified"),
            Some(lun) if !(0..=255).contains(&lun) => {
                errs.invalid(&path.child("lun"), lun, &inclusive_range_error(0, 255));
            }
            Some(_) => {}
        }
    }
}

/// `validateFlexVolumeSource`.
fn validate_flex_volume_source(errs: &mut Errors, source: Obj, path: &Path) {
    required(errs, source, &["driver"], path);
    let options = path.child("options");
    for (key, _) in source.map("options") {
        let domain = format!(".{}", key.split('/').next().unwrap_or(key).to_lowercase());
        if domain.ends_with(".kubernetes.io") || domain.ends_with(".k8s.io") {
            errs.invalid(&options.key(key), key, "kubernetes.io and k8s.io namespaces are reserved");
        }
    }
}

/// `validateAzureDisk`.
fn validate_azure_disk(errs: &mut Errors, source: Obj, path: &Path) {
    required(errs, source, &["diskName", "diskURI"], path);
    let uri = source.str("diskURI");
    let modes = ["None", "ReadOnly", "ReadWrite"];
    if let Some(mode) = source.opt_str("cachingMode").filter(|mode| !modes.contains(mode)) {
        errs.not_supported(&path.child("cachingMode"), Shown::Typed(mode), &modes);
    }
    let Some(kind) = source.opt_str("kind") else {
        return;
    };
    let kinds = ["Dedicated", "Managed", "Shared"];
    if !kinds.contains(&kind) {
        errs.not_supported(&path.child("kind"), Shown::Typed(kind), &kinds);
    }
    let (prefix, example) = if kind == "Managed" {
        (
            "/subscriptions/",
            "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
        )
    } else {
        ("https://", "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd")
    };
    if !uri.starts_with(prefix) {
        errs.not_supported(&path.child("diskURI"), uri, &[example]);
    }
}

/// `validateStorageOSVolumeSource` and `validateStorageOSPersistentVolumeSource`.
fn validate_storage_os(errs: &mut Errors, source: Obj, reference: &[&str], path: &Path) {
    let (name, namespace) = (source.str("volumeName"), source.str("volumeNamespace"));
    if name.is_empty() {
        errs.required(&path.child("volumeName"), "");
    } else {
        validate_dns1123_label(errs, name, &path.child("volumeName"));
    }
    if !namespace.is_empty() {
        validate_dns1123_label(errs, namespace, &path.child("volumeNamespace"));
    }
    required_in_reference(errs, source, reference, path);
}

/// `ValidateCSIDriverName`.
pub(crate) fn validate_csi_driver_name(errs: &mut Errors, name: &str, path: &Path) {
    if name.is_empty() {
        errs.required(path, "");
        return;
    }
    if name.len() > 63 {
        errs.too_long(path, 63);
    }
    errs.invalid_each(path, name, &is_dns1123_subdomain(&name.to_lowercase()));
}

/// `validateCSIVolumeSource`.
pub(super) fn validate_csi_volume_source(errs: &mut Errors, source: Obj, path: &Path) {
    validate_csi_driver_name(errs, source.str("driver"), &path.child("driver"));
    let reference = source.at("nodePublishSecretRef");
    if !reference.has() {
        return;
    }
    let name = reference.str("name");
    if name.is_empty() {
        required(errs, reference, &["name"], &path.child("nodePublishSecretRef"));
    } else {
        errs.invalid_each(&path.child("name"), name, &is_dns1123_subdomain(name));
    }
}

/// The sources of persistent volumes where they differ from those of pods.
pub(super) fn validate_persistent_plugin(errs: &mut Errors, key: &str, source: Obj, volume: &str, path: &Path) {
    match key {
        "glusterfs" => {
            validate_plugin(errs, key, source, path);
            validate_endpoints_namespace(errs, source, path);
        }
        "iscsi" => {
            let portal = source.str("targetPortal");
            required(errs, source, &["targetPortal"], path);
            if source.at("initiatorName").has() && volume.len() + 1 + portal.len() > 64 {
                errs.invalid(&path.child("targetportal"), portal, ISCSI_NAME);
            }
            validate_iscsi(errs, source, true, path);
        }
        "cinder" => {
            required(errs, source, &["volumeID"], path);
            required_in_reference(errs, source, &["name", "namespace"], path);
        }
        "azureFile" => {
            validate_plugin(errs, key, source, path);
            if source.opt_str("secretNamespace") == Some("") {
                errs.required(&path.child("secretNamespace"), "");
            }
        }
        "storageos" => validate_storage_os(errs, source, &["name", "namespace"], path),
        "local" => {
            if source.str("path").is_empty() {
                errs.required(&path.child("path"), "");
            } else {
                super::volume::validate_path_no_backsteps(errs, source.str("path"), &path.child("path"));
            }
        }
        "csi" => validate_csi_persistent_volume_source(errs, source, path),
        _ => validate_plugin(errs, key, source, path),
    }
}

fn validate_endpoints_namespace(errs: &mut Errors, source: Obj, path: &Path) {
    let at = path.child("endpointsNamespace");
    match source.opt_str("endpointsNamespace") {
        None => {}
        Some("") => {
            errs.invalid(&at, "", "if the endpointnamespace is set, it must be a valid namespace name");
        }
        Some(name) => errs.invalid_each(&at, name, &content::is_dns1123_label(name)),
    }
}

/// `validateCSIPersistentVolumeSource` and `validatePVSecretReference`.
fn validate_csi_persistent_volume_source(errs: &mut Errors, source: Obj, path: &Path) {
    validate_csi_driver_name(errs, source.str("driver"), &path.child("driver"));
    required(errs, source, &["volumeHandle"], path);
    for key in
        ["controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef"]
    {
        let reference = source.at(key);
        if !reference.has() {
            continue;
        }
        let at = path.child(key);
        let (name, namespace) = (reference.str("name"), reference.str("namespace"));
        if name.is_empty() {
            errs.required(&at.child("name"), "");
        } else {
            validate_dns1123_subdomain(errs, name, &at.child("name"));
        }
        if namespace.is_empty() {
            errs.required(&at.child("namespace"), "");
        } else {
            validate_dns1123_label(errs, namespace, &at.child("namespace"));
        }
    }
}
