//! Tolerations and taints.
//!
//! `pkg/apis/core/validation/validation.go` (Kubernetes 1.36).

use std::collections::BTreeSet;

use super::super::content::is_valid_label_value;
use super::super::errors::{Errors, Shown, json_string};
use super::super::meta::validate_qualified_name;
use super::super::obj::Obj;
use crate::model::path::Path;

/// `ValidateTolerations`; gate TaintTolerationComparisonOperators is off.
pub(crate) fn validate_tolerations(errs: &mut Errors, parent: Obj, path: &Path) {
    for (index, toleration) in parent.list("tolerations").enumerate() {
        validate_toleration(errs, toleration, &path.index(index));
    }
}

fn validate_toleration(errs: &mut Errors, toleration: Obj, path: &Path) {
    let (key, operator) = (toleration.str("key"), toleration.str("operator"));
    let (value, effect) = (toleration.str("value"), toleration.str("effect"));
    let at = path.child("operator");
    if key.is_empty() {
        if operator != "Exists" {
            let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errs.invalid(&at, Shown::Typed(operator), detail);
        }
    } else {
        validate_qualified_name(errs, key, &path.child("key"));
    }
    if toleration.at("tolerationSeconds").has() && effect != "NoExecute" {
        let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
        errs.invalid(&path.child("effect"), Shown::Typed(effect), detail);
    }
    match operator {
        "" | "Equal" => {
            let messages = is_valid_label_value(value);
            if !messages.is_empty() {
                errs.invalid(&at, value, &messages.join(";"));
            }
        }
        "Exists" if !value.is_empty() => {
            errs.invalid(&at, value, "value must be empty when `operator` is 'Exists'");
        }
        "Exists" => {}
        "Lt" | "Gt" => errs.not_supported(&at, Shown::Typed(operator), &["Equal", "Exists", "Lt", "Gt"]),
        _ => errs.not_supported(&at, Shown::Typed(operator), &["Equal", "Exists"]),
    }
    if !effect.is_empty() {
        validate_taint_effect(errs, effect, &path.child("effect"));
    }
}

/// `validateTaintEffect`.
fn validate_taint_effect(errs: &mut Errors, effect: &str, path: &Path) {
    let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    if !effects.contains(&effect) {
        errs.not_supported(path, Shown::Typed(effect), &effects);
    }
}

/// `validateNodeTaints`; the path is `metadata.taints`, as upstream has it.
pub(super) fn validate_node_taints(errs: &mut Errors, spec: Obj, path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, taint) in spec.list("taints").enumerate() {
        let at = path.index(index);
        let (key, value, effect) = (taint.str("key"), taint.str("value"), taint.str("effect"));
        validate_qualified_name(errs, key, &at.child("key"));
        let messages = is_valid_label_value(value);
        if !messages.is_empty() {
            errs.invalid(&at.child("value"), value, &messages.join(";"));
        }
        if effect.is_empty() {
            errs.required(&at.child("effect"), "");
        } else {
            validate_taint_effect(errs, effect, &at.child("effect"));
        }
        if !seen.insert((effect, key)) {
            let shown = format!(
                "{{\"Key\":{},\"Value\":{},\"Effect\":{},\"TimeAdded\":null}}",
                json_string(key),
                json_string(value),
                json_string(effect)
            );
            errs.duplicate_detail(&at, Shown::Json(shown), "taints must be unique by key and effect pair");
        }
    }
}
