//! The names of time zones.
//!
//! Rules and texts: Go `time.LoadLocation`. `zones.txt` holds the names in Go 1.26's own copy of the
//! IANA database 2025c, in byte order.

/// Checks that a time zone exists. The error is Go's text. The names are exact: `europe/zurich` does
/// not exist, and neither does a bare `Europe`.
pub fn check_zone(name: &str) -> Result<(), String> {
    if matches!(name, "" | "UTC" | "Local") {
        return Ok(());
    }
    if name.contains("..") || name.starts_with(['/', '\\']) {
        return Err("time: invalid location name".to_owned());
    }
    if include_str!("zones.txt").split_whitespace().any(|known| known == name) {
        return Ok(());
    }
    Err(format!("unknown time zone {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        for name in ["", "UTC", "Local", "Europe/Zurich", "America/Argentina/Ushuaia", "EST5EDT"] {
            assert_eq!(check_zone(name), Ok(()), "{name}");
        }
        let unknown = |name: &str| Err(format!("unknown time zone {name}"));
        for name in ["europe/zurich", "Europe", "Europe/Zurich ", "Mars/Olympus"] {
            assert_eq!(check_zone(name), unknown(name));
        }
        assert_eq!(check_zone("../etc"), Err("time: invalid location name".to_owned()));
    }
}
