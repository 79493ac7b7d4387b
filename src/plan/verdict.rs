//! What is said of one change: how much it can hurt, why, and how many pods it replaces.

use crate::diff::Risk;

/// Risk, reason and restarts of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub risk: Risk,
    pub why: String,
    pub restarts: u64,
}

impl Default for Verdict {
    fn default() -> Verdict {
        Verdict { risk: Risk::Safe, why: String::new(), restarts: 0 }
    }
}

impl Verdict {
    pub(super) fn new(risk: Risk, why: impl Into<String>) -> Verdict {
        Verdict { risk, why: why.into(), restarts: 0 }
    }

    pub(super) fn safe(why: impl Into<String>) -> Verdict {
        Verdict::new(Risk::Safe, why)
    }

    /// Takes in what else is true: the worse risk counts and its reason comes first.
    pub(super) fn add(&mut self, other: Verdict) {
        let parts = if other.risk < self.risk { [&other.why, &self.why] } else { [&self.why, &other.why] };
        let why: Vec<&str> = parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        self.why = why.join("; ");
        self.risk = self.risk.min(other.risk);
        self.restarts += other.restarts;
    }
}

/// `1 pod`, `3 pods`.
pub(super) fn plural(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
