//! Node and pod affinity.
//!
//! `pkg/apis/core/validation/validation.go` (Kubernetes 1.36).

use std::collections::BTreeSet;

use super::super::content::{is_dns1123_label, is_dns1123_subdomain, is_valid_label_value};
use super::super::errors::{Errors, Shown};
use super::super::meta::{validate_label_selector, validate_qualified_name};
use super::super::obj::Obj;
use crate::model::path::Path;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// `validateAffinity`.
pub(super) fn validate_affinity(errs: &mut Errors, affinity: Obj, path: &Path) {
    validate_node_affinity(errs, affinity.at("nodeAffinity"), &path.child("nodeAffinity"));
    for key in ["podAffinity", "podAntiAffinity"] {
        validate_pod_affinity(errs, affinity.at(key), &path.child(key));
    }
}

/// `validateNodeAffinity`.
fn validate_node_affinity(errs: &mut Errors, affinity: Obj, path: &Path) {
    let required = affinity.at(REQUIRED);
    if required.has() {
        validate_node_selector(errs, required, &path.child(REQUIRED));
    }
    let preferred = path.child(PREFERRED);
    for (index, term) in affinity.list(PREFERRED).enumerate() {
        let at = preferred.index(index);
        validate_weight(errs, term, &at);
        validate_node_selector_term(errs, term.at("preference"), false, &at.child("preference"));
    }
}

fn validate_weight(errs: &mut Errors, term: Obj, path: &Path) {
    let weight = term.int("weight");
    if !(1..=100).contains(&weight) {
        errs.invalid(&path.child("weight"), weight, "must be in the range 1-100");
    }
}

/// `ValidateNodeSelector`.
pub(super) fn validate_node_selector(errs: &mut Errors, selector: Obj, path: &Path) {
    let terms = path.child("nodeSelectorTerms");
    if selector.len("nodeSelectorTerms") == 0 {
        errs.required(&terms, "must have at least one node selector term");
    }
    for (index, term) in selector.list("nodeSelectorTerms").enumerate() {
        validate_node_selector_term(errs, term, true, &terms.index(index));
    }
}

/// `ValidateNodeSelectorTerm`; label values are only checked in required terms.
fn validate_node_selector_term(errs: &mut Errors, term: Obj, values: bool, path: &Path) {
    let expressions = path.child("matchExpressions");
    for (index, requirement) in term.list("matchExpressions").enumerate() {
        validate_node_selector_requirement(errs, requirement, values, &expressions.index(index));
    }
    let fields = path.child("matchFields");
    for (index, requirement) in term.list("matchFields").enumerate() {
        validate_node_field_selector_requirement(errs, requirement, &fields.index(index));
    }
}

/// `ValidateNodeSelectorRequirement`.
fn validate_node_selector_requirement(errs: &mut Errors, requirement: Obj, check: bool, path: &Path) {
    let values = path.child("values");
    let count = requirement.len("values");
    match requirement.str("operator") {
        "In" | "NotIn" if count == 0 => {
            errs.required(&values, "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if count > 0 => {
            errs.forbidden(&values, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        "Gt" | "Lt" if count != 1 => {
            errs.required(&values, "must be specified single value when `operator` is 'Lt' or 'Gt'");
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        operator => {
            errs.invalid(&path.child("operator"), Shown::Typed(operator), "not a valid selector operator");
        }
    }
    validate_qualified_name(errs, requirement.str("key"), &path.child("key"));
    if check {
        for (index, value) in requirement.strings("values").into_iter().enumerate() {
            errs.invalid_each(&values.index(index), value, &is_valid_label_value(value));
        }
    }
}

/// `ValidateNodeFieldSelectorRequirement`.
fn validate_node_field_selector_requirement(errs: &mut Errors, requirement: Obj, path: &Path) {
    let values = path.child("values");
    match requirement.str("operator") {
        "In" | "NotIn" if requirement.len("values") != 1 => {
            errs.required(&values, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
        }
        "In" | "NotIn" => {}
        operator => {
            errs.invalid(&path.child("operator"), Shown::Typed(operator), "not a valid selector operator");
        }
    }
    let key = requirement.str("key");
    if key != "metadata.name" {
        errs.invalid(&path.child("key"), key, "not a valid field selector key");
        return;
    }
    for (index, value) in requirement.strings("values").into_iter().enumerate() {
        errs.invalid_each(&values.index(index), value, &is_dns1123_subdomain(value));
    }
}

/// `validatePodAffinity` and `validatePodAntiAffinity`.
fn validate_pod_affinity(errs: &mut Errors, affinity: Obj, path: &Path) {
    let required = path.child(REQUIRED);
    for (index, term) in affinity.list(REQUIRED).enumerate() {
        validate_pod_affinity_term(errs, term, &required.index(index));
    }
    let preferred = path.child(PREFERRED);
    for (index, term) in affinity.list(PREFERRED).enumerate() {
        let at = preferred.index(index);
        validate_weight(errs, term, &at);
        validate_pod_affinity_term(errs, term.at("podAffinityTerm"), &at.child("podAffinityTerm"));
    }
}

/// `validatePodAffinityTerm`; the path of namespaces has no `s`, as upstream has it.
fn validate_pod_affinity_term(errs: &mut Errors, term: Obj, path: &Path) {
    for key in ["labelSelector", "namespaceSelector"] {
        validate_label_selector(errs, term.at(key), &path.child(key));
    }
    for name in term.strings("namespaces") {
        errs.invalid_each(&path.child("namespace"), name, &is_dns1123_label(name));
    }
    validate_match_label_keys(errs, term, path);
    let key = path.child("topologyKey");
    if term.str("topologyKey").is_empty() {
        errs.required(&key, "can not be empty");
    }
    validate_qualified_name(errs, term.str("topologyKey"), &key);
}

/// `ValidateMatchLabelKeysAndMismatchLabelKeys`.
pub(super) fn validate_match_label_keys(errs: &mut Errors, term: Obj, path: &Path) {
    let selector = term.at("labelSelector");
    for key in ["matchLabelKeys", "mismatchLabelKeys"] {
        validate_label_keys(errs, &term.strings(key), selector, &path.child(key));
    }
    let (matching, other) = (term.strings("matchLabelKeys"), term.strings("mismatchLabelKeys"));
    if selector.has() {
        let mut seen: BTreeSet<&str> = selector.map("matchLabels").into_iter().map(|(key, _)| key).collect();
        for requirement in selector.list("matchExpressions") {
            let key = requirement.str("key");
            if let Some(index) = matching.iter().rposition(|other| *other == key)
                && seen.contains(key)
            {
                errs.invalid(&path.index(index), key, "exists in both matchLabelKeys and labelSelector");
            }
            seen.insert(key);
        }
    }
    let matching_path = path.child("matchLabelKeys");
    for (index, key) in matching.into_iter().enumerate() {
        if other.contains(&key) {
            let detail = "exists in both matchLabelKeys and mismatchLabelKeys";
            errs.invalid(&matching_path.index(index), key, detail);
        }
    }
}

/// `validateLabelKeys`.
fn validate_label_keys(errs: &mut Errors, keys: &[&str], selector: Obj, path: &Path) {
    if !keys.is_empty() && !selector.has() {
        errs.forbidden(path, "must not be specified when labelSelector is not set");
        return;
    }
    for (index, key) in keys.iter().enumerate() {
        validate_qualified_name(errs, key, &path.index(index));
    }
}

/// `validateTopologySpreadConstraints`.
pub(super) fn validate_topology_spread_constraints(errs: &mut Errors, spec: Obj, path: &Path) {
    let constraints: Vec<Obj> = spec.list("topologySpreadConstraints").collect();
    for (index, constraint) in constraints.iter().enumerate() {
        let at = path.index(index);
        let (key, action) = (constraint.str("topologyKey"), constraint.str("whenUnsatisfiable"));
        let skew = constraint.int("maxSkew");
        if skew <= 0 {
            errs.invalid(&at.child("maxSkew"), skew, "must be greater than zero");
        }
        if key.is_empty() {
            errs.required(&at.child("topologyKey"), "can not be empty");
        }
        let actions = ["DoNotSchedule", "ScheduleAnyway"];
        if !actions.contains(&action) {
            errs.not_supported(&at.child("whenUnsatisfiable"), Shown::Typed(action), &actions);
        }
        let again = |other: &Obj| other.str("topologyKey") == key && other.str("whenUnsatisfiable") == action;
        if constraints.iter().skip(index + 1).any(again) {
            let shown = format!("{{{key}, {action}}}");
            errs.duplicate(&at.child("{topologyKey, whenUnsatisfiable}"), shown.as_str());
        }
        validate_min_domains(errs, *constraint, action, &at.child("minDomains"));
        for policy in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            super::security::one_of(errs, *constraint, policy, &["Honor", "Ignore"], &at);
        }
        validate_match_label_keys(errs, *constraint, &at);
        validate_label_selector(errs, constraint.at("labelSelector"), &at.child("labelSelector"));
    }
}

/// `validateMinDomains`.
fn validate_min_domains(errs: &mut Errors, constraint: Obj, action: &str, path: &Path) {
    let Some(domains) = constraint.opt_int("minDomains") else {
        return;
    };
    if domains <= 0 {
        errs.invalid(path, domains, "must be greater than zero");
    }
    if action != "DoNotSchedule" {
        let detail = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
        errs.invalid(path, domains, &detail);
    }
}
