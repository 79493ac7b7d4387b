//! PodSecurity: what the labels of a namespace allow its pods.
//!
//! pod-security-admission `admission/admission.go`, `api/helpers.go` (Kubernetes 1.36).

use std::fmt;

use super::pod_security_checks::{BASELINE, RESTRICTED, Subject};
use crate::yaml::View;

/// The version whose checks `latest` stands for.
const LATEST: u32 = 36;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    #[default]
    Privileged,
    Baseline,
    Restricted,
}

/// A level and the minor version of Kubernetes whose checks it means; none is the latest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LevelVersion {
    level: Level,
    minor: Option<u32>,
}

impl fmt::Display for LevelVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Privileged => "privileged",
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        };
        match self.minor {
            None => write!(out, "{level}:latest"),
            Some(minor) => write!(out, "{level}:v1.{minor}"),
        }
    }
}

/// What holds in a namespace.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy {
    enforce: LevelVersion,
    warn: LevelVersion,
    audit: LevelVersion,
}

impl Policy {
    /// `PolicyToEvaluate`. Labels that are wrong were refused before; `default` says what holds without a label.
    pub(super) fn of<'t>(labels: Option<View<'t>>, default: impl Fn(&str) -> Option<&'t str>) -> Policy {
        let own = |name: &str| labels?.get_str(&format!("pod-security.kubernetes.io/{name}"));
        let label = |name: &str| own(name).or_else(|| default(name));
        let enforce = LevelVersion { level: level(label("enforce")), minor: minor(label("enforce-version")) };
        let mut warn = LevelVersion { level: level(label("warn")), minor: minor(label("warn-version")) };
        if label("warn").is_none() && enforce.level > warn.level {
            warn.level = enforce.level;
            if label("warn-version").is_none() {
                warn.minor = enforce.minor;
            }
        }
        let audit = LevelVersion { level: level(label("audit")), minor: minor(label("audit-version")) };
        Policy { enforce, warn, audit }
    }

    /// Why a pod is refused, without its name.
    pub fn enforced(&self, metadata: Option<View<'_>>, spec: View<'_>) -> Option<String> {
        let detail = evaluate(self.enforce, metadata, spec, true)?;
        Some(format!("violates PodSecurity \"{}\": {detail}", self.enforce))
    }

    /// What the server warns of where it takes the pod, or an object with a pod template.
    pub fn warning(&self, metadata: Option<View<'_>>, spec: View<'_>, is_pod: bool) -> Option<String> {
        let detail = evaluate(self.warn, metadata, spec, is_pod)?;
        Some(format!("would violate PodSecurity \"{}\": {detail}", self.warn))
    }

    /// What the server notes in its audit log, where nobody who applies the object sees it.
    pub fn audited(&self, metadata: Option<View<'_>>, spec: View<'_>, is_pod: bool) -> Option<String> {
        let detail = evaluate(self.audit, metadata, spec, is_pod)?;
        Some(format!("would violate PodSecurity \"{}\": {detail}", self.audit))
    }
}

fn level(label: Option<&str>) -> Level {
    match label {
        Some("baseline") => Level::Baseline,
        Some("restricted") => Level::Restricted,
        _ => Level::Privileged,
    }
}

fn minor(label: Option<&str>) -> Option<u32> {
    label?.strip_prefix("v1.")?.parse().ok()
}

/// All that a level forbids, as one sentence (`AggregateCheckResult.ForbiddenDetail`).
fn evaluate(level: LevelVersion, metadata: Option<View<'_>>, spec: View<'_>, is_pod: bool) -> Option<String> {
    let subject = Subject { metadata, spec, is_pod, minor: level.minor.unwrap_or(LATEST).min(LATEST) };
    let restricted = level.level == Level::Restricted;
    let baseline = if level.level == Level::Privileged { &[][..] } else { BASELINE };
    let baseline = baseline.iter().filter(|check| !restricted || !check.overridden(subject.minor));
    let more = if restricted { RESTRICTED } else { &[][..] };
    let found: Vec<String> = baseline
        .chain(more)
        .filter(|check| check.since <= subject.minor)
        .filter_map(|check| (check.find)(&subject))
        .map(
            |found| if found.detail.is_empty() { found.reason } else { format!("{} ({})", found.reason, found.detail) },
        )
        .collect();
    (!found.is_empty()).then(|| found.join(", "))
}
