//! Updates of Services.
//!
//! `ValidateServiceUpdate` in `pkg/apis/core/validation/validation.go`, and what the strategy drops before
//! (Kubernetes 1.36).

use super::super::errors::{Errors, Shown, json_string};
use super::super::obj::Obj;
use super::service::{Service, validate_service, validate_service_cluster_ips_related_fields};
use crate::model::path::Path;

/// `ValidateServiceUpdate`.
pub(crate) fn validate_service_update(errs: &mut Errors, new: Obj, old: Obj) {
    let (service, before) = (Service::new(new, old), Service::new(old, Obj::NONE));
    let mut early = Errors::new();
    validate_service_cluster_ips_related_fields(&mut early, service, &Path::root("spec"));
    if !early.is_empty() {
        *errs = early;
        return;
    }
    super::super::meta::validate_object_meta_update(errs, new, old);
    validate_upgrade_downgrade_cluster_ips(errs, before, service);
    validate_upgrade_downgrade_ip_families(errs, before, service);
    let class = |service: Service| service.spec.at("loadBalancerClass").json();
    if before.kind() == "LoadBalancer" && service.kind() == "LoadBalancer" && class(before) != class(service) {
        let shown = Shown::Json(class(service));
        errs.invalid(&Path::root("spec.loadBalancerClass"), shown, "may not change once set");
    }
    let checked = |service: Service| {
        let local = service.spec.str("externalTrafficPolicy") == "Local";
        if local && service.kind() == "LoadBalancer" { service.spec.int("healthCheckNodePort") } else { 0 }
    };
    if checked(before) != 0 && checked(service) != 0 && checked(before) != checked(service) {
        errs.forbidden(&Path::root("spec.healthCheckNodePort"), "field is immutable");
    }
    validate_service(errs, service);
    drop_type_dependent_fields(errs, service, before);
}

/// `dropTypeDependentFields` of `pkg/registry/core/service/strategy.go`: what belonged to the old type and was left as it
/// was is dropped before anything is validated, so nothing is said of it.
fn drop_type_dependent_fields(errs: &mut Errors, new: Service, old: Service) {
    let ports = |service: Service| ["NodePort", "LoadBalancer"].contains(&service.kind());
    let balances = |service: Service| service.kind() == "LoadBalancer";
    let checked = |service: Service| balances(service) && service.spec.str("externalTrafficPolicy") == "Local";
    let same = |key: &str| new.spec.at(key).same(old.spec.at(key));
    let node_ports = |service: Service| -> Vec<i64> {
        service.spec.list("ports").map(|port| port.int("nodePort")).filter(|port| *port != 0).collect()
    };
    let mut dropped: Vec<&str> = Vec::new();
    if ports(old) && !ports(new) && node_ports(new) == node_ports(old) {
        dropped.push("nodePort");
    }
    if checked(old) && !checked(new) && same("healthCheckNodePort") {
        dropped.push("healthCheckNodePort");
    }
    if old.externally_accessible() && !new.externally_accessible() && same("externalTrafficPolicy") {
        dropped.push("externalTrafficPolicy");
    }
    for key in ["allocateLoadBalancerNodePorts", "loadBalancerClass"] {
        if balances(old) && !balances(new) && same(key) {
            dropped.push(key);
        }
    }
    errs.retain(|cause| !dropped.iter().any(|key| cause.field.rsplit('.').next() == Some(*key)));
}

/// `validateUpgradeDowngradeClusterIPs`; addresses that the new service leaves out are taken from the old one.
fn validate_upgrade_downgrade_cluster_ips(errs: &mut Errors, old: Service, new: Service) {
    let (ips, before) = (new.cluster_ips(), old.cluster_ips());
    let external = [old.kind(), new.kind()].contains(&"ExternalName");
    if external || (old.is_headless() && new.is_headless()) || ips.is_empty() || before.is_empty() {
        return;
    }
    let path = Path::root("spec.clusterIPs");
    let list: Vec<String> = ips.iter().map(|ip| json_string(ip)).collect();
    let shown = || Shown::Json(format!("[{}]", list.join(",")));
    let compared = if ips.len() == before.len() { ips.len() } else { 1 };
    for index in (0..compared).filter(|index| ips.get(*index) != before.get(*index)) {
        errs.invalid(&path.index(index), shown(), "may not change once set");
    }
    if before.len() > ips.len() && new.spec.str("ipFamilyPolicy") != "SingleStack" {
        let shown = Shown::Json(new.spec.at("ipFamilyPolicy").json());
        let detail = "must be set to 'SingleStack' when releasing the secondary clusterIP";
        errs.invalid(&Path::root("spec.ipFamilyPolicy"), shown, detail);
    }
}

/// `validateUpgradeDowngradeIPFamilies`.
fn validate_upgrade_downgrade_ip_families(errs: &mut Errors, old: Service, new: Service) {
    let (families, before) = (new.spec.strings("ipFamilies"), old.spec.strings("ipFamilies"));
    let external = [old.kind(), new.kind()].contains(&"ExternalName");
    if external || old.is_headless() || new.is_headless() || families.is_empty() || before.is_empty() {
        return;
    }
    let path = Path::root("spec.ipFamilies");
    let compared = if families.len() == before.len() { families.len() } else { 1 };
    for _ in (0..compared).filter(|index| families.get(*index) != before.get(*index)) {
        errs.invalid(&path.index(0), new.spec.at("ipFamilies"), "may not change once set");
    }
}
