//! Kubernetes versions.

use std::fmt;
use std::str::FromStr;

/// A Kubernetes minor version, `1.36`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
}

impl Version {
    /// The newest version whose answers were verified against a real control plane.
    pub const DEFAULT: Version = Version::new(1, 36);

    pub const fn new(major: u32, minor: u32) -> Version {
        Version { major, minor }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Version {
    type Err = String;

    /// Reads `1.36`, `v1.36` and `1.36.3`; the patch does not matter.
    fn from_str(text: &str) -> Result<Version, String> {
        let bad = || format!("`{text}` is no Kubernetes version; write it as 1.36");
        let mut parts = text.strip_prefix('v').unwrap_or(text).split('.');
        let mut number = || parts.next().and_then(|part| part.parse().ok()).ok_or_else(bad);
        let version = Version::new(number()?, number()?);
        let patch_ok = parts.next().is_none_or(|patch| patch.parse::<u32>().is_ok());
        if patch_ok && parts.next().is_none() { Ok(version) } else { Err(bad()) }
    }
}
