//! Volume mounts and devices of a container.
//!
//! `pkg/apis/core/validation/validation.go` (Kubernetes 1.36).

use std::collections::{BTreeMap, BTreeSet};

use super::super::errors::{Errors, Shown};
use super::super::obj::Obj;
use super::volume::{has_backsteps, validate_local_descending_path};
use crate::model::path::Path;

/// `ValidateVolumeMounts`; some of its paths have no index, as upstream has it.
pub(super) fn validate_volume_mounts(errs: &mut Errors, container: Obj, volumes: &BTreeMap<&str, Obj>, path: &Path) {
    let mut points = BTreeSet::new();
    let devices: Vec<Obj> = container.list("volumeDevices").collect();
    for (index, mount) in container.list("volumeMounts").enumerate() {
        let at = path.index(index);
        let (name, point) = (mount.str("name"), mount.str("mountPath"));
        if name.is_empty() {
            errs.required(&at.child("name"), "");
        }
        if !volumes.contains_key(name) {
            errs.not_found(&at.child("name"), name, "");
        }
        if point.is_empty() {
            errs.required(&at.child("mountPath"), "");
        }
        if !points.insert(point) {
            errs.invalid(&at.child("mountPath"), point, "must be unique");
        }
        if devices.iter().any(|device| device.str("name") == name) {
            errs.invalid(&at.child("name"), name, "must not already exist in volumeDevices");
        }
        if devices.iter().any(|device| device.str("devicePath") == point) {
            errs.invalid(&at.child("mountPath"), point, "must not already exist as a path in volumeDevices");
        }
        validate_sub_path(errs, mount, path, &at);
        validate_mount_propagation(errs, mount, container, &path.child("mountPropagation"));
        validate_mount_recursive_read_only(errs, mount, &path.child("recursiveReadOnly"));
    }
}

fn validate_sub_path(errs: &mut Errors, mount: Obj, path: &Path, at: &Path) {
    let (sub, expression) = (mount.str("subPath"), mount.str("subPathExpr"));
    if !sub.is_empty() {
        validate_local_descending_path(errs, sub, &path.child("subPath"));
    }
    if !expression.is_empty() {
        if !sub.is_empty() {
            errs.invalid(&at.child("subPathExpr"), expression, "subPathExpr and subPath are mutually exclusive");
        }
        validate_local_descending_path(errs, expression, &path.child("subPathExpr"));
    }
}

/// `validateMountPropagation`.
fn validate_mount_propagation(errs: &mut Errors, mount: Obj, container: Obj, path: &Path) {
    let Some(mode) = mount.opt_str("mountPropagation") else {
        return;
    };
    let supported = ["Bidirectional", "HostToContainer", "None"];
    if !supported.contains(&mode) {
        errs.not_supported(path, Shown::Typed(mode), &supported);
    }
    if mode == "Bidirectional" && !container.at("securityContext").bool("privileged") {
        errs.forbidden(path, "Bidirectional mount propagation is available only to privileged containers");
    }
}

/// `validateMountRecursiveReadOnly`.
fn validate_mount_recursive_read_only(errs: &mut Errors, mount: Obj, path: &Path) {
    match mount.opt_str("recursiveReadOnly") {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if !mount.bool("readOnly") {
                errs.forbidden(path, "may only be specified when readOnly is true");
            }
            if mount.opt_str("mountPropagation").is_some_and(|mode| mode != "None") {
                errs.forbidden(path, "may only be specified when mountPropagation is None or not specified");
            }
        }
        Some(value) => errs.not_supported(path, Shown::Typed(value), &["Disabled", "Enabled", "IfPossible"]),
    }
}

/// `ValidateVolumeDevices`.
pub(super) fn validate_volume_devices(errs: &mut Errors, container: Obj, volumes: &BTreeMap<&str, Obj>, path: &Path) {
    let (mut paths, mut names) = (BTreeSet::new(), BTreeSet::new());
    let mounts: Vec<Obj> = container.list("volumeMounts").collect();
    for (index, device) in container.list("volumeDevices").enumerate() {
        let at = path.index(index);
        let (name, point) = (device.str("name"), device.str("devicePath"));
        let (name_path, point_path) = (at.child("name"), at.child("devicePath"));
        if name.is_empty() {
            errs.required(&name_path, "");
        }
        if names.contains(name) {
            errs.invalid(&name_path, name, "must be unique");
        }
        match volumes.get(name) {
            Some(volume) if !volume.at("persistentVolumeClaim").has() && !volume.at("ephemeral").has() => {
                let detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                errs.invalid(&name_path, name, detail);
            }
            Some(_) => {}
            None => errs.not_found(&name_path, name, ""),
        }
        if point.is_empty() {
            errs.required(&point_path, "");
        }
        if paths.contains(point) {
            errs.invalid(&point_path, point, "must be unique");
        }
        if has_backsteps(point) {
            errs.invalid(&point_path, point, "can not contain backsteps ('..')");
        } else {
            paths.insert(point);
        }
        if mounts.iter().any(|mount| mount.str("name") == name) {
            errs.invalid(&name_path, name, "must not already exist in volumeMounts");
        }
        if mounts.iter().any(|mount| mount.str("mountPath") == point) {
            errs.invalid(&point_path, point, "must not already exist as a path in volumeMounts");
        }
        if !name.is_empty() {
            names.insert(name);
        }
    }
}
