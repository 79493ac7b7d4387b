//! The scheduler's sentence: `FitError.Error` and what the PostFilter plugins add, by version.

use std::collections::HashMap;

use super::filters::Rejection;
use super::preemption::Preemption;
use crate::model::Version;

/// Status of nodes that preemption does not look at.
pub const NOT_HELPFUL: &str = "Preemption is not helpful for scheduling";

/// `0/N nodes are available: …`: a histogram of reasons, sorted as bytes. `absent` is the reason of the nodes
/// that have no rejection of their own; each comes with the number of its nodes.
pub fn fit_error<'a>(total: usize, rejections: impl Iterator<Item = (&'a Rejection, usize)>, absent: &str) -> String {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut explicit = 0;
    for (rejection, nodes) in rejections {
        explicit += nodes;
        for reason in &rejection.reasons {
            *counts.entry(reason).or_default() += nodes;
        }
    }
    if total > explicit {
        *counts.entry(absent).or_default() += total - explicit;
    }
    let mut lines: Vec<String> = counts.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    lines.sort_unstable();
    match lines.is_empty() {
        true => format!("0/{total} nodes are available:"),
        false => format!("0/{total} nodes are available: {}.", lines.join(", ")),
    }
}

/// The whole sentence for a pod that no node takes.
pub fn unschedulable(fit_error: String, preemption: &Preemption, version: Version) -> String {
    let tail = match preemption {
        Preemption::Nominated { .. } => return fit_error,
        Preemption::Never => "not eligible due to preemptionPolicy=Never.",
        Preemption::NoCandidate(text) => text,
    };
    // The plugin for resource claims speaks first in these versions.
    let claims = if has_claims_half(version) { "no new claims to deallocate, " } else { "" };
    format!("{fit_error} {claims}preemption: {tail}")
}

/// The whole sentence where PreFilter turns the pod away: the filters never ran.
pub fn prefilter(total: usize, rejection: &Rejection, version: Version) -> String {
    let text = rejection.reasons.join(", ");
    if version >= Version::new(1, 34) {
        // The plugin for resource claims does not find its own state and that error is all that is said.
        return format!("0/{total} nodes are available: {text}. not found");
    }
    let tail = fit_error(total, std::iter::empty(), NOT_HELPFUL);
    format!("0/{total} nodes are available: {text}. preemption: {tail}")
}

fn has_claims_half(version: Version) -> bool {
    (Version::new(1, 34)..Version::new(1, 37)).contains(&version)
}
