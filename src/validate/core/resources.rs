//! Resource names, quantities, requests and limits.
//!
//! `pkg/apis/core/validation/validation.go` and `pkg/apis/core/helper/helpers.go` (Kubernetes 1.36).

use std::collections::BTreeSet;

use super::super::content::is_qualified_name;
use super::super::errors::{Errors, Shown, json_string};
use super::super::meta::validate_dns1123_label;
use super::super::obj::Obj;
use crate::model::path::Path;
use crate::model::quantity::Quantity;

const INTEGER_RESOURCES: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];

const COMPUTE_RESOURCES: [&str; 9] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
];

/// `IsHugePageResourceName`.
pub(crate) fn is_huge_page_resource_name(name: &str) -> bool {
    name.starts_with("hugepages-")
}

fn is_quota_huge_page_resource_name(name: &str) -> bool {
    is_huge_page_resource_name(name) || name.starts_with("requests.hugepages-")
}

/// `IsNativeResource`.
pub(crate) fn is_native_resource(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// `IsExtendedResourceName`.
pub(crate) fn is_extended_resource_name(name: &str) -> bool {
    !is_native_resource(name)
        && !name.starts_with("requests.")
        && is_qualified_name(&format!("requests.{name}")).is_empty()
}

/// `IsOvercommitAllowed`.
pub(crate) fn is_overcommit_allowed(name: &str) -> bool {
    is_native_resource(name) && !is_huge_page_resource_name(name)
}

/// `IsStandardQuotaResourceName`.
pub(super) fn is_standard_quota_resource_name(name: &str) -> bool {
    COMPUTE_RESOURCES.contains(&name)
        || INTEGER_RESOURCES.contains(&name)
        || name == "requests.storage"
        || is_quota_huge_page_resource_name(name)
}

fn is_standard_resource_name(name: &str) -> bool {
    is_standard_quota_resource_name(name) || name == "storage"
}

/// `IsIntegerResourceName`.
fn is_integer_resource_name(name: &str) -> bool {
    INTEGER_RESOURCES.contains(&name) || is_extended_resource_name(name)
}

/// A quantity as Go prints it where the value itself is shown.
pub(crate) fn quantity_json(quantity: &Quantity) -> Shown<'static> {
    Shown::Json(json_string(&quantity.canonical()))
}

/// `ValidateNonnegativeQuantity`.
pub(crate) fn validate_nonnegative_quantity(errs: &mut Errors, value: &Quantity, path: &Path) {
    if value.sign() < 0 {
        errs.invalid(path, value.canonical().as_str(), "must be greater than or equal to 0");
    }
}

/// `ValidatePositiveQuantityValue`; tells whether it is positive.
pub(super) fn validate_positive_quantity_value(errs: &mut Errors, value: &Quantity, path: &Path) -> bool {
    if value.sign() <= 0 {
        errs.invalid(path, value.canonical().as_str(), "must be greater than zero");
    }
    value.sign() > 0
}

/// `ValidateResourceQuantityValue`.
pub(super) fn validate_resource_quantity_value(errs: &mut Errors, name: &str, value: &Quantity, path: &Path) {
    validate_nonnegative_quantity(errs, value, path);
    if is_integer_resource_name(name) && value.milli_value() % 1000 != 0 {
        errs.invalid(path, quantity_json(value), "must be an integer");
    }
}

/// `validateBasicResource`.
pub(super) fn validate_basic_resource(errs: &mut Errors, value: &Quantity, path: &Path) {
    if value.value() < 0 {
        errs.invalid(path, value.value(), "must be a valid resource quantity");
    }
}

/// `validateResourceName`; tells whether it is one.
pub(super) fn validate_resource_name(errs: &mut Errors, name: &str, path: &Path) -> bool {
    let messages = is_qualified_name(name);
    for message in &messages {
        errs.invalid(path, Shown::Typed(name), message);
    }
    if !messages.is_empty() {
        return false;
    }
    if !name.contains('/') && !is_standard_resource_name(name) {
        errs.invalid(path, Shown::Typed(name), "must be a standard resource type or fully qualified");
        return false;
    }
    true
}

/// `validateContainerResourceName`.
pub(crate) fn validate_container_resource_name(errs: &mut Errors, name: &str, path: &Path) {
    validate_resource_name(errs, name, path);
    let standard = ["cpu", "memory", "ephemeral-storage"].contains(&name) || is_huge_page_resource_name(name);
    // A second slash is a bad name already, yet upstream goes on.
    if !name.contains('/') {
        if !standard {
            errs.invalid(path, Shown::Typed(name), "must be a standard resource for containers");
        }
    } else if !is_native_resource(name) && !is_extended_resource_name(name) {
        errs.invalid(path, Shown::Typed(name), "doesn't follow extended resource name standard");
    }
}

/// `validatePodResourceName`.
fn validate_pod_resource_name(errs: &mut Errors, name: &str, path: &Path) {
    if validate_resource_name(errs, name, path)
        && !["cpu", "memory"].contains(&name)
        && !is_huge_page_resource_name(name)
    {
        errs.not_supported(path, Shown::Typed(name), &["cpu", "hugepages-", "memory"]);
    }
}

/// `validateResourceQuantityHugePageValue`.
fn validate_huge_page_value(errs: &mut Errors, name: &str, value: &Quantity, path: &Path) {
    let page = name.strip_prefix("hugepages-").and_then(|size| Quantity::parse(size).ok());
    let divisible = page.is_some_and(|page| {
        page.sign() > 0 && page.milli_value() % 1000 == 0 && value.value().checked_rem(page.value()) == Some(0)
    });
    if !divisible {
        let detail = format!("{} is not positive integer multiple of {name}", value.canonical());
        errs.invalid(path, value.canonical().as_str(), &detail);
    }
}

/// Whose resources are validated: names differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Container,
    Pod,
}

/// `validateResourceRequirements`.
pub(crate) fn validate_resource_requirements(
    errs: &mut Errors,
    requirements: Obj,
    level: Level,
    claim_names: &BTreeSet<&str>,
    path: &Path,
) {
    let (mut compute, mut huge) = validate_limit_values(errs, requirements.at("limits"), level, path);
    for (name, value) in requirements.map("requests") {
        validate_request(errs, requirements, name, &value.quantity(), level, path);
        huge |= is_huge_page_resource_name(name);
        compute |= name == "cpu" || name == "memory";
    }
    if !compute && huge {
        errs.forbidden(path, "HugePages require cpu or memory");
    }
    validate_resource_claim_names(errs, requirements, claim_names, &path.child("claims"));
}

fn validate_named_quantity(errs: &mut Errors, name: &str, value: &Quantity, level: Level, path: &Path) {
    match level {
        Level::Container => validate_container_resource_name(errs, name, path),
        Level::Pod => validate_pod_resource_name(errs, name, path),
    }
    validate_resource_quantity_value(errs, name, value, path);
}

fn validate_request(errs: &mut Errors, all: Obj, name: &str, value: &Quantity, level: Level, path: &Path) {
    let requests = path.child("requests");
    let key = requests.key(name);
    validate_named_quantity(errs, name, value, level, &key);
    let limit = all.at("limits").at(name);
    if limit.has() {
        let limit = limit.quantity();
        let shown = value.canonical();
        if *value != limit && !is_overcommit_allowed(name) {
            let detail = format!("must be equal to {name} limit of {}", limit.canonical());
            errs.invalid(&requests, shown.as_str(), &detail);
        } else if *value > limit {
            let detail = format!("must be less than or equal to {name} limit of {}", limit.canonical());
            errs.invalid(&requests, shown.as_str(), &detail);
        }
    } else if !is_overcommit_allowed(name) {
        errs.required(&path.child("limits"), "Limit must be set for non overcommitable resources");
    }
    if is_huge_page_resource_name(name) {
        validate_huge_page_value(errs, name, value, &key);
    }
}

/// `validateResourceClaimNames`.
fn validate_resource_claim_names(errs: &mut Errors, requirements: Obj, pod: &BTreeSet<&str>, path: &Path) {
    let mut names = BTreeSet::new();
    for (index, claim) in requirements.list("claims").enumerate() {
        let at = path.index(index);
        let (name, request) = (claim.str("name"), claim.str("request"));
        if name.is_empty() {
            errs.required(&at, "");
            continue;
        }
        if names.contains(name) {
            errs.duplicate(&at, name);
        } else {
            let mut key = name.to_owned();
            if !request.is_empty() {
                validate_dns1123_label(errs, request, &at.child("request"));
                key = format!("{name}/{request}");
            }
            if names.contains(&key) {
                errs.duplicate(&at, key.as_str());
            } else if request.is_empty() {
                let same = |other: &&String| other.split_once('/').is_some_and(|(head, _)| head == name);
                for _ in names.iter().filter(same) {
                    errs.duplicate(&at, name);
                }
            }
            names.insert(key);
        }
        if !pod.contains(name) {
            let listed: Vec<&str> = pod.iter().copied().collect();
            let which =
                if listed.is_empty() { " which is empty".to_owned() } else { format!(": {}", listed.join(", ")) };
            let detail = format!("must be one of the names in pod.spec.resourceClaims{which}");
            errs.not_found(&at, name, &detail);
        }
    }
}

/// Checks limits; tells whether cpu or memory, and whether huge pages are among them.
fn validate_limit_values(errs: &mut Errors, limits: Obj, level: Level, path: &Path) -> (bool, bool) {
    let at = path.child("limits");
    let (mut compute, mut huge) = (false, false);
    for (name, value) in limits.entries() {
        let key = at.key(name);
        validate_named_quantity(errs, name, &value.quantity(), level, &key);
        if is_huge_page_resource_name(name) {
            huge = true;
            validate_huge_page_value(errs, name, &value.quantity(), &key);
        }
        compute |= name == "cpu" || name == "memory";
    }
    (compute, huge)
}

/// `validateOverhead`: a list of resources checked as the limits of a container.
pub(crate) fn validate_overhead(errs: &mut Errors, overhead: Obj, path: &Path) {
    let (compute, huge) = validate_limit_values(errs, overhead, Level::Container, path);
    if !compute && huge {
        errs.forbidden(path, "HugePages require cpu or memory");
    }
}
