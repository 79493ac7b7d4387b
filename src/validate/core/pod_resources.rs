//! Resources of a whole pod.
//!
//! `validatePodResources` in `pkg/apis/core/validation/validation.go`; sums: component-helpers `resource/helpers.go`
//! (Kubernetes 1.36).

use std::collections::{BTreeMap, BTreeSet};

use super::super::errors::Errors;
use super::super::obj::Obj;
use super::resources::{Level, is_huge_page_resource_name, validate_resource_requirements};
use crate::model::path::Path;
use crate::model::quantity::Quantity;

type Sum<'a> = BTreeMap<&'a str, Quantity>;

/// `validatePodResources`; the path is the resources of the pod.
pub(super) fn validate_pod_resources(errs: &mut Errors, spec: Obj, claims: &BTreeSet<&str>, path: &Path) {
    let resources = spec.at("resources");
    if !resources.has() {
        return;
    }
    if spec.at("os").str("name") == "windows" {
        errs.forbidden(path, "may not be set for a windows pod");
        return;
    }
    if resources.at("claims").has() {
        errs.forbidden(&path.child("claims"), "claims may not be set for Resources at pod-level");
    }
    validate_resource_requirements(errs, resources, Level::Pod, claims, path);
    validate_pod_resource_consistency(errs, spec, path);
}

/// `validatePodResourceConsistency`; some of its paths are odd, as upstream has them.
fn validate_pod_resource_consistency(errs: &mut Errors, spec: Obj, path: &Path) {
    let resources = spec.at("resources");
    let (requests, limits) = (path.child("requests"), path.child("limits"));
    for (name, sum) in aggregate(spec, "requests") {
        let own = resources.at("requests").at(name);
        if own.has() && sum > own.quantity() {
            let detail =
                format!("must be greater than or equal to aggregate container requests of {}", sum.canonical());
            errs.invalid(&requests.key(name), own.quantity().canonical().as_str(), &detail);
        }
    }
    for (name, sum) in aggregate(spec, "limits") {
        let own = resources.at("limits").at(name);
        if is_huge_page_resource_name(name) && own.has() && sum > own.quantity() {
            let detail = format!("must be greater than or equal to aggregate container limits of {}", sum.canonical());
            errs.invalid(&limits.key(name), own.quantity().canonical().as_str(), &detail);
        }
    }
    let containers = path.child("containers");
    for (index, container) in spec.list("containers").enumerate() {
        let at = containers.index(index);
        for (name, limit) in container.at("resources").map("limits") {
            let (limit, own) = (limit.quantity(), resources.at("limits").at(name));
            if own.has() && limit > own.quantity() {
                let detail = format!("must be less than or equal to pod limits of {}", own.quantity().canonical());
                errs.invalid(&at.key(name).child("limits"), limit.canonical().as_str(), &detail);
            }
        }
    }
}

/// `AggregateContainerRequests` and `AggregateContainerLimits`.
fn aggregate<'a>(spec: Obj<'a>, key: &str) -> Sum<'a> {
    let mut total = Sum::new();
    for container in spec.list("containers") {
        add(&mut total, container, key);
    }
    let (mut sidecars, mut largest) = (Sum::new(), Sum::new());
    for container in spec.list("initContainers") {
        let mut own = Sum::new();
        if container.str("restartPolicy") == "Always" {
            add(&mut total, container, key);
            add(&mut sidecars, container, key);
            raise(&mut largest, &sidecars);
        } else {
            add(&mut own, container, key);
            for (name, value) in &sidecars {
                *own.entry(name).or_insert_with(|| Quantity::from_i64(0)) += value;
            }
            raise(&mut largest, &own);
        }
    }
    raise(&mut total, &largest);
    total
}

fn add<'a>(sum: &mut Sum<'a>, container: Obj<'a>, key: &str) {
    for (name, value) in container.at("resources").map(key) {
        let value = value.quantity();
        match sum.get_mut(name) {
            Some(total) => *total += &value,
            None => {
                sum.insert(name, value);
            }
        }
    }
}

fn raise<'a>(sum: &mut Sum<'a>, other: &Sum<'a>) {
    for (name, value) in other {
        if sum.get(name).is_none_or(|own| own < value) {
            sum.insert(name, value.clone());
        }
    }
}
