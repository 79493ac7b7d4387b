//! Persistent volumes and their claims.
//!
//! `pkg/apis/core/validation/validation.go`; data sources are evened out before as in
//! `pkg/api/persistentvolumeclaim/util.go` (Kubernetes 1.36).

use super::super::content::{NameRule, is_dns1123_label, is_dns1123_subdomain};
use super::super::errors::{Errors, Shown};
use super::super::meta::{validate_label_selector, validate_object_meta, validate_template_object_meta};
use super::super::obj::Obj;
use super::affinity::validate_node_selector;
use super::plugin::validate_persistent_plugin;
use super::resources::{validate_basic_resource, validate_positive_quantity_value, validate_resource_quantity_value};
use super::security::one_of;
use crate::model::path::Path;

const ACCESS_MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const VOLUME_MODES: [&str; 2] = ["Block", "Filesystem"];

/// The sources of persistent volumes in upstream's order, with the path of a second one where it differs.
const SOURCES: [(&str, &str); 22] = [
    ("hostPath", ""),
    ("gcePersistentDisk", ""),
    ("awsElasticBlockStore", ""),
    ("glusterfs", ""),
    ("flocker", ""),
    ("nfs", ""),
    ("rbd", ""),
    ("quobyte", ""),
    ("cephfs", "cephFS"),
    ("iscsi", ""),
    ("cinder", ""),
    ("fc", ""),
    ("flexVolume", ""),
    ("azureFile", ""),
    ("vsphereVolume", ""),
    ("photonPersistentDisk", ""),
    ("portworxVolume", ""),
    ("azureDisk", ""),
    ("scaleIO", ""),
    ("local", ""),
    ("storageos", ""),
    ("csi", ""),
];

/// `ValidatePersistentVolume`.
pub(crate) fn validate_persistent_volume(errs: &mut Errors, volume: Obj) {
    let path = Path::root("spec");
    validate_object_meta(errs, volume.at("metadata"), NameRule::Subdomain);
    validate_persistent_volume_spec(errs, volume.at("spec"), volume.at("metadata").str("name"), &path);
}

fn validate_class(errs: &mut Errors, name: &str, path: &Path) {
    if !name.is_empty() {
        errs.invalid_each(path, name, &is_dns1123_subdomain(name));
    }
}

/// The access modes of volumes and claims.
fn validate_access_modes(errs: &mut Errors, spec: Obj, missing: &str, selector: Option<&Path>, path: &Path) {
    let modes = spec.strings("accessModes");
    if modes.is_empty() {
        errs.required(path, missing);
    }
    if let Some(selector) = selector.filter(|_| spec.at("selector").has()) {
        validate_label_selector(errs, spec.at("selector"), selector);
    }
    for mode in modes.iter().filter(|mode| !ACCESS_MODES.contains(mode)) {
        errs.not_supported(path, Shown::Typed(mode), &ACCESS_MODES);
    }
    let other = |mode: &&str| ACCESS_MODES.contains(mode) && *mode != "ReadWriteOncePod";
    if modes.contains(&"ReadWriteOncePod") && modes.iter().any(other) {
        errs.forbidden(path, "may not use ReadWriteOncePod with other access modes");
    }
}

/// `ValidatePersistentVolumeSpec`.
fn validate_persistent_volume_spec(errs: &mut Errors, spec: Obj, name: &str, path: &Path) {
    validate_access_modes(errs, spec, "", None, &path.child("accessModes"));
    validate_capacity(errs, spec, &path.child("capacity"));
    let policies = ["Delete", "Recycle", "Retain"];
    if !spec.str("persistentVolumeReclaimPolicy").is_empty() {
        one_of(errs, spec, "persistentVolumeReclaimPolicy", &policies, path);
    }
    let affinity = spec.at("nodeAffinity");
    let affinity_path = path.child("nodeAffinity");
    if affinity.at("required").has() {
        validate_node_selector(errs, affinity.at("required"), &affinity_path.child("required"));
    } else if affinity.has() {
        errs.required(&affinity_path.child("required"), "must specify required node constraints");
    }
    validate_sources(errs, spec, name, path);
    let root = spec.at("hostPath").str("path");
    let is_root =
        !root.is_empty() && root.split('/').all(|part| part.is_empty() || part == ".") && root.starts_with('/');
    if is_root && spec.str("persistentVolumeReclaimPolicy") == "Recycle" {
        let detail = "may not be 'recycle' for a hostPath mount of '/'";
        errs.forbidden(&path.child("persistentVolumeReclaimPolicy"), detail);
    }
    validate_class(errs, spec.str("storageClassName"), &path.child("storageClassName"));
    one_of(errs, spec, "volumeMode", &VOLUME_MODES, path);
    if let Some(class) = spec.opt_str("volumeAttributesClassName") {
        let at = path.child("volumeAttributesClassName");
        if class.is_empty() {
            errs.required(&at, "an empty string is disallowed");
        }
        validate_class(errs, class, &at);
        if !spec.at("csi").has() {
            errs.required(&path.child("csi"), "has to be specified when using volumeAttributesClassName");
        }
    }
}

fn validate_capacity(errs: &mut Errors, spec: Obj, path: &Path) {
    let capacity = spec.map("capacity");
    if capacity.is_empty() {
        errs.required(path, "");
    }
    if capacity.len() != 1 || !spec.at("capacity").at("storage").has() {
        let shown: Vec<String> = capacity
            .iter()
            .map(|(name, value)| {
                let quoted = super::super::errors::json_string;
                format!("{}:{}", quoted(name), quoted(&value.quantity().canonical()))
            })
            .collect();
        let shown = if spec.at("capacity").has() { format!("{{{}}}", shown.join(",")) } else { "null".to_owned() };
        errs.not_supported(path, Shown::Json(shown), &["storage"]);
    }
    for (name, value) in capacity {
        let key = path.key(name);
        validate_basic_resource(errs, &value.quantity(), &key);
        validate_positive_quantity_value(errs, &value.quantity(), &key);
    }
}

fn validate_sources(errs: &mut Errors, spec: Obj, name: &str, path: &Path) {
    let mut found = false;
    for (key, second) in SOURCES {
        let source = spec.at(key);
        if !source.has() {
            continue;
        }
        // Upstream forgets to count others in front of flexVolume.
        if found && key != "flexVolume" {
            let at = path.child(if second.is_empty() { key } else { second });
            errs.forbidden(&at, "may not specify more than 1 volume type");
            continue;
        }
        found = true;
        validate_persistent_plugin(errs, key, source, name, &path.child(key));
        if key == "local" && !spec.at("nodeAffinity").has() {
            errs.required(&path.child("nodeAffinity"), "Local volume requires node affinity");
        }
    }
    if !found {
        errs.required(path, "must specify a volume type");
    }
}

/// `ValidatePersistentVolumeClaim`.
pub(crate) fn validate_persistent_volume_claim(errs: &mut Errors, claim: Obj) {
    validate_object_meta(errs, claim.at("metadata"), NameRule::Subdomain);
    validate_persistent_volume_claim_spec(errs, claim.at("spec"), &Path::root("spec"));
}

/// The metadata of a claim template.
pub(super) fn validate_pvc_template_meta(errs: &mut Errors, meta: Obj, path: &Path) {
    validate_template_object_meta(errs, meta, path);
}

/// `ValidatePersistentVolumeClaimSpec`.
pub(crate) fn validate_persistent_volume_claim_spec(errs: &mut Errors, spec: Obj, path: &Path) {
    let selector = path.child("selector");
    let missing = "at least 1 access mode is required";
    validate_access_modes(errs, spec, missing, Some(&selector), &path.child("accessModes"));
    let resources = path.child("resources");
    let storage_path = resources.key("storage");
    let storage = spec.at("resources").at("requests").at("storage");
    if !storage.has() {
        errs.required(&storage_path, "");
    } else if validate_positive_quantity_value(errs, &storage.quantity(), &storage_path) {
        validate_resource_quantity_value(errs, "storage", &storage.quantity(), &storage_path);
    }
    validate_class(errs, spec.str("storageClassName"), &path.child("storageClassName"));
    one_of(errs, spec, "volumeMode", &VOLUME_MODES, path);
    validate_data_sources(errs, spec, path);
    let class = spec.str("volumeAttributesClassName");
    validate_class(errs, class, &path.child("volumeAttributesClassName"));
}

/// `validateDataSource`, `validateDataSourceRef` and that they agree.
fn validate_data_sources(errs: &mut Errors, spec: Obj, path: &Path) {
    let (source, reference) = (spec.at("dataSource"), spec.at("dataSourceRef"));
    validate_data_source(errs, source, &path.child("dataSource"));
    validate_data_source(errs, reference, &path.child("dataSourceRef"));
    if !source.has() || !reference.has() {
        return;
    }
    let equal = ["apiGroup", "kind", "name"].iter().all(|key| source.opt_str(key) == reference.opt_str(key));
    // Upstream shows the path object, which prints as an empty struct.
    let shown = || Shown::Json("{}".to_owned());
    if !reference.str("namespace").is_empty() {
        errs.invalid(path, shown(), "may not be specified when dataSourceRef.namespace is specified");
    } else if !equal {
        errs.invalid(path, shown(), "must match dataSourceRef");
    }
}

fn validate_data_source(errs: &mut Errors, source: Obj, path: &Path) {
    if !source.has() {
        return;
    }
    super::plugin::required(errs, source, &["name", "kind"], path);
    let group = source.str("apiGroup");
    if group.is_empty() && source.str("kind") != "PersistentVolumeClaim" {
        let detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
        errs.invalid(path, source.str("kind"), detail);
    }
    if !group.is_empty() {
        errs.invalid_each(&path.child("apiGroup"), group, &is_dns1123_subdomain(group));
    }
    let namespace = source.str("namespace");
    if !namespace.is_empty() {
        errs.invalid_each(&path.child("namespace"), namespace, &is_dns1123_label(namespace));
    }
}
