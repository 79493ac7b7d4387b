//! What the PodSecurity admission plugin says of the labels of a namespace.
//!
//! pod-security-admission `admission/admission.go`, `api/helpers.go` (Kubernetes 1.36).

use super::errors::Errors;
use super::obj::Obj;
use crate::model::path::Path;

const LEVELS: [&str; 3] = ["privileged", "baseline", "restricted"];

/// `ValidateNamespace` of a namespace that is created.
pub(super) fn validate_namespace(errs: &mut Errors, namespace: Obj) {
    policy_to_evaluate(errs, namespace.at("metadata").at("labels"));
}

/// `ValidateNamespace` of one that is changed: labels that were wrong before may stay.
pub(super) fn validate_namespace_update(errs: &mut Errors, new: Obj, old: Obj) {
    let (mut found, mut before) = (Errors::new(), Errors::new());
    policy_to_evaluate(&mut found, new.at("metadata").at("labels"));
    policy_to_evaluate(&mut before, old.at("metadata").at("labels"));
    let found = found.into_causes();
    if found != before.into_causes() {
        policy_to_evaluate(errs, new.at("metadata").at("labels"));
    }
}

/// `PolicyToEvaluate`, as far as it finds errors.
fn policy_to_evaluate(errs: &mut Errors, labels: Obj) {
    let path = Path::root("metadata.labels");
    for mode in ["enforce", "audit", "warn"] {
        let level = format!("pod-security.kubernetes.io/{mode}");
        if let Some(value) = labels.entry(&level).filter(|value| !LEVELS.contains(value)) {
            errs.invalid(&path.key(&level), value, &format!("must be one of {}", LEVELS.join(", ")));
        }
        let version = format!("{level}-version");
        if let Some(value) = labels.entry(&version).filter(|value| !is_version(value)) {
            errs.invalid(&path.key(&version), value, "must be \"latest\" or \"v1.x\"");
        }
    }
}

/// `ParseVersion`.
fn is_version(text: &str) -> bool {
    let minor = text.strip_prefix("v1.").unwrap_or_default();
    let is_number = !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit());
    text == "latest" || is_number && (minor == "0" || !minor.starts_with('0')) && minor.parse::<i64>().is_ok()
}
