//! Volumes of pods.
//!
//! `pkg/apis/core/validation/validation.go` (Kubernetes 1.36).

use std::collections::{BTreeMap, BTreeSet};

use super::super::content::{NameRule, name_messages};
use super::super::errors::{Errors, Shown, quote};
use super::super::meta::validate_dns1123_label;
use super::super::obj::Obj;
use super::container::validate_pull_policy;
use super::env::{VOLUME_FIELD_PATHS, validate_container_resource_field_selector, validate_object_field_selector};
use super::plugin::{self, required};
use super::projected::validate_projection_sources;
use super::storage::{validate_persistent_volume_claim_spec, validate_pvc_template_meta};
use crate::model::path::Path;

/// What a volume belongs to: a pod by name, or a template.
#[derive(Clone, Copy)]
pub(super) struct Owner<'a> {
    /// Empty for templates.
    pub(super) name: &'a str,
    pub(super) is_pod: bool,
}

/// The volume sources in upstream's order, with the path of a second one where it differs.
const SOURCES: [(&str, &str); 29] = [
    ("hostPath", ""),
    ("gitRepo", ""),
    ("gcePersistentDisk", ""),
    ("awsElasticBlockStore", ""),
    ("secret", ""),
    ("nfs", ""),
    ("iscsi", ""),
    ("glusterfs", ""),
    ("flocker", ""),
    ("persistentVolumeClaim", ""),
    ("rbd", ""),
    ("cinder", ""),
    ("cephfs", "cephFS"),
    ("quobyte", ""),
    ("downwardAPI", "downwarAPI"),
    ("fc", ""),
    ("flexVolume", ""),
    ("configMap", ""),
    ("azureFile", ""),
    ("vsphereVolume", ""),
    ("photonPersistentDisk", ""),
    ("portworxVolume", ""),
    ("azureDisk", ""),
    ("storageos", ""),
    ("projected", ""),
    ("scaleIO", ""),
    ("csi", ""),
    ("ephemeral", ""),
    ("image", ""),
];

/// `ValidateVolumes`; gives the valid ones by name.
pub(super) fn validate_volumes<'a>(
    errs: &mut Errors,
    volumes: &[Obj<'a>],
    owner: Owner,
    path: &Path,
) -> BTreeMap<&'a str, Obj<'a>> {
    let created: BTreeSet<String> = volumes
        .iter()
        .filter(|volume| !owner.name.is_empty() && volume.at("ephemeral").has())
        .map(|volume| format!("{}-{}", owner.name, volume.str("name")))
        .collect();
    let mut valid = BTreeMap::new();
    for (index, volume) in volumes.iter().enumerate() {
        let at = path.index(index);
        let name = volume.str("name");
        let before = errs.len();
        validate_volume_source(errs, *volume, owner, &at);
        if name.is_empty() {
            errs.required(&at.child("name"), "");
        } else {
            validate_dns1123_label(errs, name, &at.child("name"));
        }
        if valid.contains_key(name) {
            errs.duplicate(&at.child("name"), name);
        }
        if errs.len() == before {
            valid.insert(name, *volume);
        }
        let claim = volume.at("persistentVolumeClaim").str("claimName");
        if volume.at("persistentVolumeClaim").has() && created.contains(claim) {
            let claim_path = at.child("persistentVolumeClaim");
            let detail = "must not reference a PVC that gets created for an ephemeral volume";
            errs.invalid(&claim_path.child("claimName"), claim, detail);
        }
    }
    valid
}

/// `validateVolumeSource`; a volume without a source is an emptyDir by default.
fn validate_volume_source(errs: &mut Errors, volume: Obj, owner: Owner, path: &Path) {
    let empty_dir = volume.at("emptyDir");
    if empty_dir.has() && empty_dir.at("sizeLimit").quantity().sign() < 0 {
        let at = path.child("emptyDir");
        errs.forbidden(&at.child("sizeLimit"), "SizeLimit field must be a valid resource quantity");
    }
    let mut found = empty_dir.has();
    for (key, second) in SOURCES {
        let source = volume.at(key);
        if !source.has() {
            continue;
        }
        if found {
            let at = path.child(if second.is_empty() { key } else { second });
            errs.forbidden(&at, "may not specify more than 1 volume type");
        } else {
            found = true;
            validate_source(errs, key, source, owner, &path.child(key));
            if key == "ephemeral" {
                validate_ephemeral_name(errs, volume.str("name"), owner, path);
            }
        }
        if key == "iscsi" && source.at("initiatorName").has() {
            plugin::iscsi_name(errs, volume.str("name"), source, path);
        }
    }
}

fn validate_ephemeral_name(errs: &mut Errors, volume: &str, owner: Owner, path: &Path) {
    if owner.name.is_empty() || volume.is_empty() {
        return;
    }
    let claim = format!("{}-{volume}", owner.name);
    for message in name_messages(NameRule::Subdomain, &claim, false) {
        let detail = format!("PVC name {}: {message}", quote(&claim));
        errs.invalid(&path.child("name"), volume, &detail);
    }
}

fn validate_source(errs: &mut Errors, key: &str, source: Obj, owner: Owner, path: &Path) {
    match key {
        "secret" => validate_items_source(errs, source, "secretName", path),
        "configMap" => validate_items_source(errs, source, "name", path),
        "persistentVolumeClaim" => required(errs, source, &["claimName"], path),
        "downwardAPI" => validate_downward_api_volume_source(errs, source, path),
        "projected" => {
            validate_mode(errs, source, "defaultMode", path);
            validate_projection_sources(errs, source, path);
        }
        "csi" => plugin::validate_csi_volume_source(errs, source, path),
        "ephemeral" => validate_ephemeral_volume_source(errs, source, path),
        "image" => {
            if owner.is_pod && source.str("reference").is_empty() {
                errs.required(&path.child("reference"), "");
            }
            validate_pull_policy(errs, source.str("pullPolicy"), &path.child("pullPolicy"));
        }
        _ => plugin::validate_plugin(errs, key, source, path),
    }
}

/// A file mode: `0777` is the largest.
pub(super) fn validate_mode(errs: &mut Errors, parent: Obj, key: &str, path: &Path) {
    if let Some(mode) = parent.opt_int(key).filter(|mode| !(0..=0o777).contains(mode)) {
        errs.invalid(&path.child(key), mode, "must be a number between 0 and 0777 (octal), both inclusive");
    }
}

/// `validateSecretVolumeSource` and `validateConfigMapVolumeSource`.
fn validate_items_source(errs: &mut Errors, source: Obj, name: &str, path: &Path) {
    required(errs, source, &[name], path);
    validate_mode(errs, source, "defaultMode", path);
    let items = path.child("items");
    for (index, item) in source.list("items").enumerate() {
        validate_key_to_path(errs, item, &items.index(index));
    }
}

/// `validateKeyToPath`.
pub(super) fn validate_key_to_path(errs: &mut Errors, item: Obj, path: &Path) {
    required(errs, item, &["key", "path"], path);
    validate_local_non_reserved_path(errs, item.str("path"), &path.child("path"));
    validate_mode(errs, item, "mode", path);
}

/// `validateDownwardAPIVolumeSource`; its files have the path of the volume, as upstream has it.
fn validate_downward_api_volume_source(errs: &mut Errors, source: Obj, path: &Path) {
    validate_mode(errs, source, "defaultMode", path);
    for file in source.list("items") {
        validate_downward_api_volume_file(errs, file, path);
    }
}

/// `validateDownwardAPIVolumeFile`.
pub(super) fn validate_downward_api_volume_file(errs: &mut Errors, file: Obj, path: &Path) {
    required(errs, file, &["path"], path);
    validate_local_non_reserved_path(errs, file.str("path"), &path.child("path"));
    let (field, resource) = (file.at("fieldRef"), file.at("resourceFieldRef"));
    if field.has() {
        validate_object_field_selector(errs, field, &VOLUME_FIELD_PATHS, &path.child("fieldRef"));
        if resource.has() {
            errs.invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously");
        }
    } else if resource.has() {
        validate_container_resource_field_selector(errs, resource, &path.child("resourceFieldRef"), true);
    } else {
        errs.required(path, "one of fieldRef and resourceFieldRef is required");
    }
    validate_mode(errs, file, "mode", path);
}

/// `validateEphemeralVolumeSource` and `ValidatePersistentVolumeClaimTemplate`.
fn validate_ephemeral_volume_source(errs: &mut Errors, source: Obj, path: &Path) {
    let template = source.at("volumeClaimTemplate");
    let at = path.child("volumeClaimTemplate");
    if !template.has() {
        errs.required(&at, "");
        return;
    }
    validate_pvc_template_meta(errs, template.at("metadata"), &at.child("metadata"));
    validate_persistent_volume_claim_spec(errs, template.at("spec"), &at.child("spec"));
}

/// `validateHostPathVolumeSource` and `validateHostPathType`.
pub(super) fn validate_host_path_volume_source(errs: &mut Errors, source: Obj, path: &Path) {
    if source.str("path").is_empty() {
        errs.required(&path.child("path"), "");
        return;
    }
    validate_path_no_backsteps(errs, source.str("path"), &path.child("path"));
    let kinds = ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
    if !kinds.contains(&source.str("type")) {
        errs.not_supported(&path.child("type"), Shown::Typed(source.str("type")), &kinds);
    }
}

/// `validateLocalDescendingPath`.
pub(super) fn validate_local_descending_path(errs: &mut Errors, target: &str, path: &Path) {
    if target.starts_with('/') {
        errs.invalid(path, target, "must be a relative path");
    }
    validate_path_no_backsteps(errs, target, path);
}

/// Whether a path has `..` as a part.
pub(super) fn has_backsteps(target: &str) -> bool {
    target.split('/').any(|part| part == "..")
}

/// `validatePathNoBacksteps`.
pub(super) fn validate_path_no_backsteps(errs: &mut Errors, target: &str, path: &Path) {
    if has_backsteps(target) {
        errs.invalid(path, target, "must not contain '..'");
    }
}

/// `ValidateLocalNonReservedPath`.
pub(super) fn validate_local_non_reserved_path(errs: &mut Errors, target: &str, path: &Path) {
    validate_local_descending_path(errs, target, path);
    if target.starts_with("..") && !target.starts_with("../") {
        errs.invalid(path, target, "must not start with '..'");
    }
}
