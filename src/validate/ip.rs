//! IP addresses and CIDRs as the API reads them.
//!
//! Rules and texts: apimachinery `pkg/util/validation/ip.go`, k8s.io/utils `net` (Kubernetes 1.36; gate
//! StrictIPCIDRValidation is on since 1.36).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::errors::{Errors, quote};
use crate::model::path::Path;

/// `ParseIPSloppy`: leading zeros are allowed in IPv4.
pub fn parse_ip_sloppy(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return text.parse::<Ipv6Addr>().ok().map(|ip| ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4));
    }
    let mut octets = [0u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = part.trim_start_matches('0');
        *octet = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    }
    parts.next().is_none().then(|| IpAddr::V4(Ipv4Addr::from(octets)))
}

/// `IsIPv6String`.
pub fn is_ipv6_string(text: &str) -> bool {
    matches!(parse_ip_sloppy(text), Some(IpAddr::V6(_)))
}

/// `IsDualStackIPStrings`: at least one address of each family.
pub fn is_dual_stack(ips: &[&str]) -> bool {
    let families: Vec<bool> = ips.iter().map(|ip| is_ipv6_string(ip)).collect();
    families.contains(&true) && families.contains(&false)
}

/// A network: its address, masked, and the length of the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// As written, not masked.
    pub address: IpAddr,
    pub network: IpAddr,
    pub length: u32,
}

impl Cidr {
    /// `net.IPNet.Contains`.
    pub fn contains(&self, ip: IpAddr) -> bool {
        same_family(self.network, ip) && mask(ip, self.length) == self.network
    }

    fn bits(&self) -> u32 {
        if self.network.is_ipv4() { 32 } else { 128 }
    }
}

fn same_family(a: IpAddr, b: IpAddr) -> bool {
    a.is_ipv4() == b.is_ipv4()
}

fn mask(ip: IpAddr, length: u32) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - length.min(32)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(ip) & mask))
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - length.min(128)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(ip) & mask))
        }
    }
}

/// `ParseCIDRSloppy`.
pub fn parse_cidr_sloppy(text: &str) -> Option<Cidr> {
    let (ip, length) = text.split_once('/')?;
    if length.is_empty() || length.len() > 9 || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut length: u32 = length.parse().ok()?;
    let address = parse_ip_sloppy(ip)?;
    if ip.contains(':') && length > 128 {
        return None;
    }
    if ip.contains(':') && address.is_ipv4() {
        length = length.saturating_sub(96);
    }
    let bits = if address.is_ipv4() { 32 } else { 128 };
    (length <= bits).then(|| Cidr { address, network: mask(address, length), length })
}

fn has_leading_zeros(ip: &str) -> bool {
    !ip.contains(':') && ip.split('.').any(|part| part.len() > 1 && part.starts_with('0'))
}

fn is_mapped(ip: &str) -> bool {
    ip.parse::<Ipv6Addr>().is_ok_and(|ip| ip.to_ipv4_mapped().is_some())
}

/// `IsValidIPForLegacyField`; tells whether it is one.
pub fn is_valid_ip_for_legacy_field(errs: &mut Errors, path: &Path, value: &str, old: &[&str]) -> bool {
    if old.contains(&value) {
        return true;
    }
    if parse_ip_sloppy(value).is_none() {
        errs.invalid(path, value, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
        return false;
    }
    if has_leading_zeros(value) {
        errs.invalid(path, value, "must not have leading 0s");
        return false;
    }
    if is_mapped(value) {
        errs.invalid(path, value, "must not be an IPv4-mapped IPv6 address");
        return false;
    }
    true
}

/// `IsValidCIDRForLegacyField`.
pub fn is_valid_cidr_for_legacy_field(errs: &mut Errors, path: &Path, value: &str, old: &[&str]) {
    if old.contains(&value) {
        return;
    }
    let Some(cidr) = parse_cidr_sloppy(value) else {
        errs.invalid(path, value, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
        return;
    };
    let (ip, length) = value.split_once('/').unwrap_or((value, ""));
    if has_leading_zeros(ip) || (length.len() > 1 && length.starts_with('0')) {
        errs.invalid(path, value, "must not have leading 0s in IP or prefix length");
    } else if is_mapped(ip) {
        errs.invalid(path, value, "must not have an IPv4-mapped IPv6 address");
    } else if cidr.address != cidr.network {
        errs.invalid(path, value, "must not have bits set beyond the prefix length");
    }
}

/// `GetWarningsForIP`.
pub fn warnings_for_ip(path: &Path, value: &str) -> Option<String> {
    let ip = parse_ip_sloppy(value)?;
    if has_leading_zeros(value) || is_mapped(value) {
        return Some(format!(
            "{path}: non-standard IP address {} is invalid: use {}",
            quote(value),
            quote(&ip.to_string())
        ));
    }
    (ip.is_ipv6() && ip.to_string() != value).then(|| {
        format!(
            "{path}: IPv6 address {} should be in RFC 5952 canonical format ({})",
            quote(value),
            quote(&ip.to_string())
        )
    })
}

/// `GetWarningsForCIDR`.
pub fn warnings_for_cidr(path: &Path, value: &str) -> Vec<String> {
    let Some(cidr) = parse_cidr_sloppy(value) else {
        return Vec::new();
    };
    let canonical = quote(&format!("{}/{}", cidr.network, cidr.length));
    let mut warnings = Vec::new();
    if cidr.address != cidr.network {
        let single = quote(&format!("{}/{}", cidr.address, cidr.bits()));
        warnings.push(format!(
            "{path}: CIDR value {} is ambiguous in this context (should be {canonical} or {single}?)",
            quote(value)
        ));
    }
    let (ip, length) = value.split_once('/').unwrap_or((value, ""));
    if has_leading_zeros(ip) || is_mapped(ip) || (length.len() > 1 && length.starts_with('0')) {
        warnings.push(format!("{path}: non-standard CIDR value {} is invalid: use {canonical}", quote(value)));
    }
    if warnings.is_empty() && cidr.address.is_ipv6() && canonical != quote(value) {
        warnings.push(format!(
            "{path}: IPv6 CIDR value {} should be in RFC 5952 canonical format ({canonical})",
            quote(value)
        ));
    }
    warnings
}
