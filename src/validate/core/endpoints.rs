//! Endpoints.
//!
//! `pkg/apis/core/validation/validation.go` (Kubernetes 1.36).

use ::core::net::IpAddr;

use super::super::content::{NameRule, is_dns1123_subdomain, is_valid_port_num};
use super::super::errors::Errors;
use super::super::ip::{is_valid_ip_for_legacy_field, parse_ip_sloppy};
use super::super::meta::{validate_dns1123_label, validate_object_meta, validate_qualified_name};
use super::super::obj::Obj;
use super::container::validate_protocol;
use crate::model::path::Path;

/// `ValidateEndpointsCreate`.
pub(crate) fn validate_endpoints_create(errs: &mut Errors, endpoints: Obj) {
    validate_endpoints(errs, endpoints, Obj::NONE);
}

/// `ValidateEndpoints`; subsets that an update leaves as they are may stay.
pub(crate) fn validate_endpoints(errs: &mut Errors, endpoints: Obj, old: Obj) {
    validate_object_meta(errs, endpoints.at("metadata"), NameRule::Subdomain);
    if old.has() && endpoints.at("subsets").same(old.at("subsets")) {
        return;
    }
    let path = Path::root("subsets");
    for (index, subset) in endpoints.list("subsets").enumerate() {
        validate_endpoint_subset(errs, subset, &path.index(index));
    }
}

/// `validateEndpointSubsets`.
fn validate_endpoint_subset(errs: &mut Errors, subset: Obj, path: &Path) {
    if subset.len("addresses") == 0 && subset.len("notReadyAddresses") == 0 {
        errs.required(path, "must specify `addresses` or `notReadyAddresses`");
    }
    for key in ["addresses", "notReadyAddresses"] {
        let list = path.child(key);
        for (index, address) in subset.list(key).enumerate() {
            validate_endpoint_address(errs, address, &list.index(index));
        }
    }
    let ports = path.child("ports");
    for (index, port) in subset.list("ports").enumerate() {
        validate_endpoint_port(errs, port, subset.len("ports") > 1, &ports.index(index));
    }
}

/// `validateEndpointAddress`.
fn validate_endpoint_address(errs: &mut Errors, address: Obj, path: &Path) {
    let ip = address.str("ip");
    is_valid_ip_for_legacy_field(errs, &path.child("ip"), ip, &[]);
    let name = address.str("hostname");
    if !name.is_empty() {
        validate_dns1123_label(errs, name, &path.child("hostname"));
    }
    if let Some(node) = address.opt_str("nodeName") {
        errs.invalid_each(&path.child("nodeName"), node, &is_dns1123_subdomain(node));
    }
    validate_endpoint_ip(errs, ip, &path.child("ip"));
}

/// `ValidateEndpointIP`.
pub(super) fn validate_endpoint_ip(errs: &mut Errors, text: &str, path: &Path) {
    let Some(ip) = parse_ip_sloppy(text) else {
        errs.invalid(path, text, "must be a valid IP address");
        return;
    };
    let ip = ip.to_canonical();
    if ip.is_unspecified() {
        errs.invalid(path, text, &format!("may not be unspecified ({text})"));
    }
    if ip.is_loopback() {
        errs.invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
    }
    let (unicast, multicast) = match ip {
        IpAddr::V4(ip) => (ip.is_link_local(), ip.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(ip) => (ip.segments()[0] & 0xffc0 == 0xfe80, ip.segments()[0] & 0xff0f == 0xff02),
    };
    if unicast {
        errs.invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    }
    if multicast {
        errs.invalid(path, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
    }
}

/// `validateEndpointPort`.
fn validate_endpoint_port(errs: &mut Errors, port: Obj, named: bool, path: &Path) {
    let name = port.str("name");
    if named && name.is_empty() {
        errs.required(&path.child("name"), "");
    } else if !name.is_empty() {
        validate_dns1123_label(errs, name, &path.child("name"));
    }
    let number = port.int("port");
    for message in is_valid_port_num(number) {
        errs.invalid(&path.child("port"), number, &message);
    }
    validate_protocol(errs, port.str("protocol"), &path.child("protocol"));
    if let Some(protocol) = port.opt_str("appProtocol") {
        validate_qualified_name(errs, protocol, &path.child("appProtocol"));
    }
}
