//! Updates of pods.
//!
//! `ValidatePodUpdate` in `pkg/apis/core/validation/validation.go` (Kubernetes 1.36).

use serde_json::Value;

use super::core::pod::validate_pod_metadata_and_spec;
use super::errors::{Errors, Shown};
use super::internal;
use super::meta::validate_object_meta_update;
use super::obj::Obj;
use crate::model::path::Path;

const UPDATABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// `ValidatePodUpdate`.
pub(super) fn validate_pod_update(errs: &mut Errors, new: Obj, old: Obj) {
    let path = Path::root("spec");
    let (spec, before) = (new.at("spec"), old.at("spec"));
    validate_object_meta_update(errs, new, old);
    validate_pod_metadata_and_spec(errs, new.at("metadata"), spec);
    for key in ["containers", "initContainers"] {
        if spec.len(key) != before.len(key) {
            errs.forbidden(&path.child(key), "pod updates may not add or remove containers");
            return;
        }
    }
    if !validate_deadline(errs, spec, before, &path.child("activeDeadlineSeconds")) {
        return;
    }
    validate_only_added_tolerations(errs, spec, before, &path.child("tolerations"));
    validate_only_deleted_gates(errs, spec, before, &path.child("schedulingGates"));
    let old_tree = internal::tree("PodSpec", before, Obj::NONE);
    let mut munged = internal::tree("PodSpec", spec, Obj::NONE);
    munge(&mut munged, &old_tree);
    if before.len("schedulingGates") > 0 {
        munge_gated(&mut munged, &old_tree);
    }
    if munged != old_tree {
        let diff = internal::diff("PodSpec", &old_tree, &munged);
        let detail = format!("pod updates may not change fields other than {UPDATABLE}\n{diff}");
        errs.forbidden(&path, &detail);
    }
}

/// Whether the deadline allows to go on.
fn validate_deadline(errs: &mut Errors, new: Obj, old: Obj, path: &Path) -> bool {
    let most = i64::from(i32::MAX);
    let before = old.opt_int("activeDeadlineSeconds");
    match new.opt_int("activeDeadlineSeconds") {
        Some(seconds) if !(0..=most).contains(&seconds) => {
            errs.invalid(path, seconds, &super::content::inclusive_range_error(0, most));
            false
        }
        Some(seconds) if before.is_some_and(|before| before < seconds) => {
            errs.invalid(path, seconds, "must be less than or equal to previous value");
            false
        }
        None if before.is_some() => {
            let detail = "must not update from a positive integer to nil value";
            errs.invalid(path, Shown::Json("null".to_owned()), detail);
            true
        }
        _ => true,
    }
}

/// `validateOnlyAddedTolerations`.
fn validate_only_added_tolerations(errs: &mut Errors, new: Obj, old: Obj, path: &Path) {
    let fields = ["key", "operator", "value", "effect"];
    let same = |a: Obj, b: Obj| fields.iter().all(|key| a.str(key) == b.str(key));
    let kept = |before: Obj| new.list("tolerations").any(|after| same(before, after));
    if !old.list("tolerations").all(kept) {
        errs.forbidden(path, "existing toleration can not be modified except its tolerationSeconds");
        return;
    }
    super::core::toleration::validate_tolerations(errs, new, path);
}

/// `validateOnlyDeletedSchedulingGates`.
fn validate_only_deleted_gates(errs: &mut Errors, new: Obj, old: Obj, path: &Path) {
    for (index, gate) in new.list("schedulingGates").enumerate() {
        let name = gate.str("name");
        if !old.list("schedulingGates").any(|before| before.str("name") == name) {
            let at = path.index(index);
            let detail = format!("only deletion is allowed, but found new scheduling gate '{name}'");
            errs.forbidden(&at.child("name"), &detail);
        }
    }
}

/// What may change is taken from the old spec.
fn munge(new: &mut Value, old: &Value) {
    for key in ["Containers", "InitContainers"] {
        let images: Vec<Value> =
            old[key].as_array().into_iter().flatten().map(|container| container["Image"].clone()).collect();
        for (container, image) in new[key].as_array_mut().into_iter().flatten().zip(images) {
            container["Image"] = image;
        }
    }
    for key in ["ActiveDeadlineSeconds", "SchedulingGates", "Tolerations"] {
        new[key] = old[key].clone();
    }
    let grace = "TerminationGracePeriodSeconds";
    if old[grace].as_i64().is_some_and(|seconds| seconds < 0) && new[grace].as_i64() == Some(1) {
        new[grace] = old[grace].clone();
    }
}

/// A gated pod may narrow where it runs; only additions are meant, which is not looked into further here.
fn munge_gated(new: &mut Value, old: &Value) {
    new["NodeSelector"] = old["NodeSelector"].clone();
    if new["Affinity"].is_object() && old["Affinity"].is_object() {
        new["Affinity"]["NodeAffinity"] = old["Affinity"]["NodeAffinity"].clone();
    }
}
