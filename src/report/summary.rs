//! The counts at the end of every report.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::diag::{Class, Finding, Severity};
use crate::diff::{Action, Change};
use crate::model::Bundle;
use crate::simulate::{Placement, Verdict};

/// The `summary` of the JSON report, and what only people are told.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub findings: Severities,
    pub objects: usize,
    pub files: usize,
    pub unjudged: usize,
    pub not_rendered: usize,
    /// Pods by verdict; absent without a placement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pods: Option<BTreeMap<&'static str, usize>>,
    /// Changes by action; absent where nothing is compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<BTreeMap<&'static str, usize>>,
    /// Errors by class.
    #[serde(skip)]
    pub classes: BTreeMap<Class, usize>,
    #[serde(skip)]
    pub suppressed: usize,
    /// Findings that `--fix` mends.
    #[serde(skip)]
    pub fixable: usize,
    #[serde(skip)]
    pub skipped: usize,
}

/// Findings by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Severities {
    pub error: usize,
    pub warning: usize,
    pub info: usize,
}

impl Summary {
    /// Counts; suppressed findings stand apart.
    pub fn new(
        bundle: &Bundle,
        findings: &[Finding],
        placement: Option<&Placement>,
        changes: Option<&[Change]>,
    ) -> Summary {
        let counts = &bundle.counts;
        let mut summary = Summary {
            objects: counts.objects,
            files: counts.files,
            unjudged: counts.unjudged,
            not_rendered: counts.not_rendered,
            skipped: counts.skipped,
            pods: placement.map(count_pods),
            changes: changes.map(count_changes),
            ..Summary::default()
        };
        for finding in findings {
            if finding.suppressed.is_some() {
                summary.suppressed += 1;
                continue;
            }
            match finding.severity {
                Severity::Error => {
                    summary.findings.error += 1;
                    *summary.classes.entry(finding.class).or_default() += 1;
                }
                Severity::Warning => summary.findings.warning += 1,
                Severity::Info => summary.findings.info += 1,
            }
            summary.fixable += usize::from(finding.diagnostic.fix.as_ref().is_some_and(|fix| fix.safe));
        }
        summary
    }
}

/// Name of a verdict in the JSON report.
pub fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Scheduled => "scheduled",
        Verdict::Pending => "pending",
        Verdict::Rejected => "rejected",
        Verdict::Gated => "gated",
        Verdict::Bypassed => "bypassed",
        Verdict::Unknown => "unknown",
    }
}

/// Name of an action in the JSON report.
pub fn action_name(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Replace => "replace",
        Action::Delete => "delete",
        Action::Unchanged => "unchanged",
        Action::Keep => "keep",
        Action::Conflict => "conflict",
    }
}

fn count_pods(placement: &Placement) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::from([("pending", 0), ("scheduled", 0)]);
    for pod in &placement.pods {
        *counts.entry(verdict_name(pod.verdict)).or_default() += 1;
    }
    counts
}

fn count_changes(changes: &[Change]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for change in changes {
        *counts.entry(action_name(change.action)).or_default() += 1;
    }
    counts
}

/// `1 error`, `2 errors`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
