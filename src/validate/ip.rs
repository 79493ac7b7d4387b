//! IP addresses and CIDRs in fields; gate StrictIPCIDRValidation is on since Kubernetes 1.36.
//!
//! apimachinery `pkg/util/validation/ip.go`, k8s.io/utils `net` (Kubernetes 1.36).

use super::errors::Errors;
use crate::model::names;
pub(super) use crate::model::names::{parse_cidr_sloppy, parse_ip_sloppy};
use crate::model::path::Path;

/// `IsIPv6String`.
pub(super) fn is_ipv6_string(text: &str) -> bool {
    parse_ip_sloppy(text).is_some_and(|ip| ip.to_canonical().is_ipv6())
}

/// `IsDualStackIPStrings`: at least one address of each family.
pub(super) fn is_dual_stack(ips: &[&str]) -> bool {
    let families: Vec<bool> = ips.iter().map(|ip| is_ipv6_string(ip)).collect();
    families.contains(&true) && families.contains(&false)
}

/// `IsValidIPForLegacyField`; tells whether it is one. What stood in the old object may stay.
pub(super) fn is_valid_ip_for_legacy_field(errs: &mut Errors, path: &Path, value: &str, old: &[&str]) -> bool {
    if old.contains(&value) {
        return true;
    }
    let messages = names::is_valid_ip_for_legacy_field(value, true);
    errs.invalid_each(path, value, &messages);
    messages.is_empty()
}

/// `IsValidCIDRForLegacyField`.
pub(super) fn is_valid_cidr_for_legacy_field(errs: &mut Errors, path: &Path, value: &str, old: &[&str]) {
    if !old.contains(&value) {
        errs.invalid_each(path, value, &names::is_valid_cidr_for_legacy_field(value, true));
    }
}
