//! IP addresses and address ranges, read leniently and then judged.
//!
//! Rules and texts: apimachinery `pkg/util/validation/ip.go` (Kubernetes 1.36); the lenient reading
//! is that of `k8s.io/utils/net`, which ignores leading zeros.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Numbers from here on are out of any range.
const BIG: u32 = 0xFF_FFFF;

/// An address with a prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// The address as written, bits beyond the prefix included.
    pub address: IpAddr,
    /// Bits in the prefix, counted in the address as written (32 or 128).
    pub prefix: u32,
}

impl Cidr {
    /// The first address of the range.
    pub fn network(&self) -> IpAddr {
        match self.address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - self.prefix.min(32)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128 - self.prefix.min(128)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        }
    }

    /// Whether an address lies in the range. IPv4 addresses written as IPv6 count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (own, prefix) = short(self.network(), self.prefix);
        let other = address.to_canonical();
        own.is_ipv4() == other.is_ipv4() && Cidr { address: other, prefix }.network() == own
    }

    /// The range as the API prints it: `10.0.0.0/8`.
    pub fn canonical(&self) -> String {
        let (address, prefix) = short(self.network(), self.prefix);
        format!("{address}/{prefix}")
    }

    fn bits(&self) -> u32 {
        if self.address.is_ipv4() { 32 } else { 128 }
    }
}

/// An IPv4 address written as IPv6 becomes IPv4, prefix and all.
fn short(address: IpAddr, prefix: u32) -> (IpAddr, u32) {
    let canonical = address.to_canonical();
    let cut = if canonical.is_ipv4() == address.is_ipv4() { 0 } else { 96 };
    (canonical, prefix.saturating_sub(cut))
}

/// Reads an address, ignoring leading zeros.
pub fn parse_ip_sloppy(text: &str) -> Option<IpAddr> {
    match text.bytes().find(|b| matches!(b, b'.' | b':'))? {
        b'.' => parse_v4(text).map(IpAddr::V4),
        _ => parse_v6(text).map(IpAddr::V6),
    }
}

/// Reads an address and a prefix length, ignoring leading zeros.
pub fn parse_cidr_sloppy(text: &str) -> Option<Cidr> {
    let (address, mask) = text.split_once('/')?;
    let address = parse_v4(address).map(IpAddr::V4);
    let address = address.or_else(|| parse_v6(text.split_once('/')?.0).map(IpAddr::V6))?;
    let (prefix, rest) = number(mask, 10)?;
    let cidr = Cidr { address, prefix };
    (rest.is_empty() && prefix <= cidr.bits()).then_some(cidr)
}

/// A number at the start of the text, and what follows it.
fn number(text: &str, radix: u32) -> Option<(u32, &str)> {
    let mut value = 0_u32;
    let mut end = 0;
    for c in text.chars() {
        let Some(digit) = c.to_digit(radix) else {
            break;
        };
        value = value * radix + digit;
        if value >= BIG {
            return None;
        }
        end += 1;
    }
    (end > 0).then(|| (value, &text[end..]))
}

fn parse_v4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut rest = text;
    for (i, octet) in octets.iter_mut().enumerate() {
        if i > 0 {
            rest = rest.strip_prefix('.')?;
        }
        let (value, after) = number(rest, 10)?;
        *octet = u8::try_from(value).ok()?;
        rest = after;
    }
    rest.is_empty().then(|| Ipv4Addr::from(octets))
}

fn parse_v6(text: &str) -> Option<Ipv6Addr> {
    let mut groups: Vec<u16> = Vec::with_capacity(8);
    let mut ellipsis = None;
    let mut rest = text;
    if let Some(after) = rest.strip_prefix("::") {
        ellipsis = Some(0);
        rest = after;
        if rest.is_empty() {
            return Some(Ipv6Addr::UNSPECIFIED);
        }
    }
    while groups.len() < 8 {
        let (value, after) = number(rest, 16)?;
        let value = u16::try_from(value).ok()?;
        if after.starts_with('.') {
            if (ellipsis.is_none() && groups.len() != 6) || groups.len() > 6 {
                return None;
            }
            let bits = parse_v4(rest)?.to_bits();
            groups.extend([(bits >> 16) as u16, bits as u16]);
            rest = "";
            break;
        }
        groups.push(value);
        rest = after;
        if rest.is_empty() {
            break;
        }
        rest = rest.strip_prefix(':').filter(|rest| !rest.is_empty())?;
        if let Some(after) = rest.strip_prefix(':') {
            if ellipsis.is_some() {
                return None;
            }
            ellipsis = Some(groups.len());
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
    }
    if !rest.is_empty() || ellipsis.is_some() != (groups.len() < 8) {
        return None;
    }
    let at = ellipsis.unwrap_or(0);
    groups.splice(at..at, std::iter::repeat_n(0, 8 - groups.len()));
    <[u16; 8]>::try_from(groups).ok().map(Ipv6Addr::from)
}

fn is_4_in_6(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some())
}

/// An address in a field older than strict checks (`IsValidIPForLegacyField`). `strict` is the
/// gate StrictIPCIDRValidation.
pub fn is_valid_ip_for_legacy_field(value: &str, strict: bool) -> Vec<String> {
    let Some(address) = parse_ip_sloppy(value) else {
        let message = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        return vec![message.to_owned()];
    };
    if !strict {
        return Vec::new();
    }
    let mut errors = Vec::new();
    if value.parse::<IpAddr>().is_err() {
        errors.push("must not have leading 0s".to_owned());
    } else if is_4_in_6(address) {
        errors.push("must not be an IPv4-mapped IPv6 address".to_owned());
    }
    errors
}

/// An address in a newer field, which must be written in its one canonical form.
pub fn is_valid_ip(value: &str) -> Vec<String> {
    let errors = is_valid_ip_for_legacy_field(value, true);
    let Some(address) = parse_ip_sloppy(value).filter(|_| errors.is_empty()) else {
        return errors;
    };
    let canonical = address.to_canonical().to_string();
    different(value, &canonical)
}

fn different(value: &str, canonical: &str) -> Vec<String> {
    let wrong = value != canonical;
    wrong.then(|| format!("must be in canonical form (\"{canonical}\")")).into_iter().collect()
}

/// Whether an address range is written without superfluous zeros.
fn strict_cidr(value: &str) -> bool {
    let Some((address, bits)) = value.rsplit_once('/') else {
        return false;
    };
    let zeros = bits.len() > 1 && bits.starts_with('0');
    address.parse::<IpAddr>().is_ok() && !zeros
}

/// An address range in a field older than strict checks (`IsValidCIDRForLegacyField`). `strict` is
/// the gate StrictIPCIDRValidation.
pub fn is_valid_cidr_for_legacy_field(value: &str, strict: bool) -> Vec<String> {
    let Some(cidr) = parse_cidr_sloppy(value) else {
        let message = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
        return vec![message.to_owned()];
    };
    let message = if !strict {
        None
    } else if !strict_cidr(value) {
        Some("must not have leading 0s in IP or prefix length")
    } else if is_4_in_6(cidr.address) {
        Some("must not have an IPv4-mapped IPv6 address")
    } else if cidr.network() != cidr.address {
        Some("must not have bits set beyond the prefix length")
    } else {
        None
    };
    message.map(str::to_owned).into_iter().collect()
}

/// An address range in a newer field, which must be written in its one canonical form.
pub fn is_valid_cidr(value: &str) -> Vec<String> {
    let errors = is_valid_cidr_for_legacy_field(value, true);
    let Some(cidr) = parse_cidr_sloppy(value).filter(|_| errors.is_empty()) else {
        return errors;
    };
    different(value, &cidr.canonical())
}

/// An address with the prefix length of its network: `10.9.8.7/24`.
pub fn is_valid_interface_address(value: &str) -> Vec<String> {
    let Some(cidr) = parse_cidr_sloppy(value) else {
        let message = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)";
        return vec![message.to_owned()];
    };
    let address = cidr.address.to_canonical();
    let over = address.is_ipv4() && cidr.prefix > 32;
    // As in the API this can fall below zero.
    let prefix = i64::from(cidr.prefix) - if over { 96 } else { 0 };
    different(value, &format!("{address}/{prefix}"))
}

/// The warning the API gives for an address it accepts, without the field path in front.
pub fn warnings_for_ip(value: &str) -> Vec<String> {
    let Some(address) = parse_ip_sloppy(value) else {
        return Vec::new();
    };
    let canonical = address.to_canonical().to_string();
    if value.parse::<IpAddr>().is_err() || is_4_in_6(address) {
        return vec![format!("non-standard IP address \"{value}\" is invalid: use \"{canonical}\"")];
    }
    if address.is_ipv6() && value != canonical {
        return vec![format!("IPv6 address \"{value}\" should be in RFC 5952 canonical format (\"{canonical}\")")];
    }
    Vec::new()
}

/// The warnings the API gives for an address range it accepts, without the field path in front.
pub fn warnings_for_cidr(value: &str) -> Vec<String> {
    let Some(cidr) = parse_cidr_sloppy(value) else {
        return Vec::new();
    };
    let canonical = cidr.canonical();
    let mut warnings = Vec::new();
    if cidr.address != cidr.network() {
        let single = format!("{}/{}", cidr.address.to_canonical(), cidr.bits());
        warnings.push(format!(
            "CIDR value \"{value}\" is ambiguous in this context (should be \"{canonical}\" or \"{single}\"?)"
        ));
    }
    if !strict_cidr(value) || is_4_in_6(cidr.address) {
        warnings.push(format!("non-standard CIDR value \"{value}\" is invalid: use \"{canonical}\""));
    }
    let plain = format!("{}/{}", cidr.address, cidr.prefix);
    if warnings.is_empty() && cidr.address.is_ipv6() && value != plain {
        warnings.push(format!("IPv6 CIDR value \"{value}\" should be in RFC 5952 canonical format (\"{plain}\")"));
    }
    warnings
}
