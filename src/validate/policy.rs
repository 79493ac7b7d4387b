//! The policy, scheduling and node groups.
//!
//! `pkg/apis/policy/validation/validation.go`, `pkg/apis/scheduling/validation/validation.go`,
//! `pkg/apis/node/validation/validation.go` (Kubernetes 1.36).

use std::collections::BTreeSet;

use super::apps::{is_not_more_than_100_percent, validate_positive_int_or_percent};
use super::content::{NameRule, is_dns1123_label};
use super::core::pod::validate_preemption_policy;
use super::core::resources::validate_overhead;
use super::core::toleration::validate_tolerations;
use super::errors::{Errors, Shown, json_string};
use super::meta::{
    label_selector_json, validate_label_selector, validate_labels, validate_object_meta, validate_object_meta_accessor,
};
use super::obj::Obj;
use crate::model::path::Path;

/// `ValidatePodDisruptionBudget`; the metadata are checked after it, and only when nothing else is wrong.
pub(super) fn validate_pod_disruption_budget(errs: &mut Errors, budget: Obj) {
    let path = Path::root("spec");
    let spec = budget.at("spec");
    let (least, most) = (spec.at("minAvailable"), spec.at("maxUnavailable"));
    if least.has() && most.has() {
        let shown = format!(
            "{{\"MinAvailable\":{},\"Selector\":{},\"MaxUnavailable\":{},\"UnhealthyPodEvictionPolicy\":{}}}",
            least.json(),
            label_selector_json(spec.at("selector")),
            most.json(),
            spec.at("unhealthyPodEvictionPolicy").json()
        );
        errs.invalid(&path, Shown::Json(shown), "minAvailable and maxUnavailable cannot be both set");
    }
    for (key, value) in [("minAvailable", least), ("maxUnavailable", most)] {
        if value.has() {
            validate_positive_int_or_percent(errs, value, &path.child(key));
            is_not_more_than_100_percent(errs, value, &path.child(key));
        }
    }
    validate_label_selector(errs, spec.at("selector"), &path.child("selector"));
    super::one_of(errs, spec, "unhealthyPodEvictionPolicy", &["AlwaysAllow", "IfHealthyBudget"], &path);
}

/// `ValidatePriorityClass`.
pub(super) fn validate_priority_class(errs: &mut Errors, class: Obj) {
    validate_object_meta(errs, class.at("metadata"), NameRule::Subdomain);
    let (name, value) = (class.at("metadata").str("name"), class.int("value"));
    if name.starts_with("system-") {
        if let Some(problem) = system_priority_class_problem(name, value, class.bool("globalDefault")) {
            let detail = format!(
                "priority class names with 'system-' prefix are reserved for system use only. error: {problem}"
            );
            errs.forbidden(&Path::root("metadata.name"), &detail);
        }
    } else if value > 1_000_000_000 {
        let detail = "maximum allowed value of a user defined priority is 1000000000";
        errs.forbidden(&Path::root("value"), detail);
    }
    validate_preemption_policy(errs, class, &Path::root("preemptionPolicy"));
}

/// `IsKnownSystemPriorityClass` (`pkg/apis/scheduling/v1/helpers.go`).
fn system_priority_class_problem(name: &str, value: i64, global: bool) -> Option<String> {
    let known = match name {
        "system-node-critical" => 2_000_001_000,
        "system-cluster-critical" => 2_000_000_000,
        _ => return Some(format!("{name} is not a known system priority class")),
    };
    if value != known {
        return Some(format!("value of {name} PriorityClass must be {known}"));
    }
    global.then(|| format!("globalDefault of {name} PriorityClass must be false"))
}

/// `ValidateRuntimeClass`.
pub(super) fn validate_runtime_class(errs: &mut Errors, class: Obj) {
    // Of apimachinery, not of core: finalizers need no domain.
    validate_object_meta_accessor(errs, class.at("metadata"), NameRule::Subdomain, &Path::root("metadata"));
    let handler = class.str("handler");
    let path = Path::root("handler");
    if handler.is_empty() {
        errs.required(&path, "");
    } else {
        errs.invalid_each(&path, handler, &is_dns1123_label(handler));
    }
    if class.at("overhead").has() {
        validate_overhead(errs, class.at("overhead").at("podFixed"), &Path::root("overhead"));
    }
    let scheduling = class.at("scheduling");
    let path = Path::root("scheduling");
    validate_labels(errs, scheduling.at("nodeSelector"), &path.child("nodeSelector"));
    let at = path.child("tolerations");
    validate_tolerations(errs, scheduling, &at);
    let mut seen = BTreeSet::new();
    for (index, toleration) in scheduling.list("tolerations").enumerate() {
        let fields = ["key", "operator", "value", "effect"].map(|key| toleration.str(key));
        if !seen.insert(fields) {
            let shown = format!(
                "{{\"Key\":{},\"Operator\":{},\"Value\":{},\"Effect\":{},\"TolerationSeconds\":{}}}",
                json_string(fields[0]),
                json_string(fields[1]),
                json_string(fields[2]),
                json_string(fields[3]),
                toleration.at("tolerationSeconds").json()
            );
            errs.duplicate(&at.index(index), Shown::Json(shown));
        }
    }
}
