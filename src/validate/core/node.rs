//! Nodes.
//!
//! `pkg/apis/core/validation/validation.go` (Kubernetes 1.36).

use ::core::net::IpAddr;

use super::super::content::NameRule;
use super::super::errors::Errors;
use super::super::ip::{is_valid_cidr_for_legacy_field, parse_ip_sloppy};
use super::super::meta::{validate_object_meta, validate_object_meta_update};
use super::super::obj::Obj;
use super::resources::validate_resource_quantity_value;
use super::toleration::validate_node_taints;
use crate::model::path::Path;

/// `ValidateNode`, its status only as far as resources.
pub(crate) fn validate_node(errs: &mut Errors, node: Obj) {
    validate_object_meta(errs, node.at("metadata"), NameRule::Subdomain);
    validate_node_taints(errs, node.at("spec"), &Path::root("metadata.taints"));
    validate_node_resources(errs, node);
    validate_pod_cidrs(errs, node, &Path::root("spec.podCIDRs"));
}

/// `ValidateNodeResources`.
fn validate_node_resources(errs: &mut Errors, node: Obj) {
    let status = Path::root("status");
    for key in ["capacity", "allocatable"] {
        let list = status.child(key);
        for (name, value) in node.at("status").map(key) {
            validate_resource_quantity_value(errs, name, &value.quantity(), &list.child(name));
        }
    }
}

/// The list of a node's ranges; a `podCIDR` that does not begin the list takes its place
/// (`pkg/apis/core/v1/conversion.go`).
fn pod_cidrs<'a>(node: Obj<'a>) -> Vec<&'a str> {
    let spec = node.at("spec");
    match (spec.strings("podCIDRs"), spec.str("podCIDR")) {
        (list, "") => list,
        (list, one) if list.first() != Some(&one) => vec![one],
        (list, _) => list,
    }
}

/// The last part of `ValidateNode`.
fn validate_pod_cidrs(errs: &mut Errors, node: Obj, path: &Path) {
    let cidrs = pod_cidrs(node);
    for (index, cidr) in cidrs.iter().enumerate() {
        is_valid_cidr_for_legacy_field(errs, &path.index(index), cidr, &[]);
    }
    if cidrs.len() < 2 {
        return;
    }
    let family = |cidr: &&str| {
        let ip = cidr.split_once('/').and_then(|(ip, _)| parse_ip_sloppy(ip))?;
        Some(matches!(ip, IpAddr::V6(_)))
    };
    let families: Vec<Option<bool>> = cidrs.iter().map(family).collect();
    if let Some(bad) = families.iter().position(Option::is_none) {
        let cause = format!(
            "invalid PodCIDRs. failed to check with dual stack with error:invalid CIDR[{bad}]: <nil> (invalid CIDR address: {})",
            cidrs[bad]
        );
        errs.internal(path, &cause);
    }
    let both = families.contains(&Some(true)) && families.contains(&Some(false)) && !families.contains(&None);
    if !both || cidrs.len() > 2 {
        let list: Vec<String> = cidrs.iter().map(|cidr| super::super::errors::json_string(cidr)).collect();
        let shown = super::super::errors::Shown::Json(format!("[{}]", list.join(",")));
        errs.invalid(path, shown, "may specify no more than one CIDR for each IP family");
    }
}

/// What the strategy calls: `ValidateNode`, then `ValidateNodeUpdate`.
pub(crate) fn validate_node_on_update(errs: &mut Errors, new: Obj, old: Obj) {
    validate_node(errs, new);
    validate_object_meta_update(errs, new, old);
    validate_node_resources(errs, new);
    let (cidrs, before) = (pod_cidrs(new), pod_cidrs(old));
    let detail = "node updates may not change podCIDR except from \"\" to valid";
    let changes = match (before.len(), cidrs.len()) {
        (0, _) => 0,
        (a, b) if a != b => 1,
        _ => cidrs.iter().zip(&before).filter(|(new, old)| new != old).count(),
    };
    for _ in 0..changes {
        errs.forbidden(&Path::root("spec.podCIDRs"), detail);
    }
    let (id, before) = (new.at("spec").str("providerID"), old.at("spec").str("providerID"));
    if !before.is_empty() && id != before {
        let detail = "node updates may not change providerID except from \"\" to valid";
        errs.forbidden(&Path::root("spec.providerID"), detail);
    }
    validate_node_taints(errs, new.at("spec"), &Path::root("metadata.taints"));
    if new.at("spec").str("externalID") != old.at("spec").str("externalID") {
        errs.forbidden(&Path::root("spec.externalID"), "may not be updated");
    }
}
