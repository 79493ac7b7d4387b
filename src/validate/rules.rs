//! Which rule of the catalogue explains a cause.

use crate::diag::Cause;

/// Kinds whose pods are chosen by `spec.selector`.
const SELECTING: [&str; 4] = ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"];
/// Kinds with a pod template that restricts `restartPolicy`.
const TEMPLATED: [&str; 7] =
    ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController", "Job", "CronJob"];

/// The id of the rule that explains a cause of an object of this kind.
pub fn rule_for(kind: &str, cause: &Cause) -> &'static str {
    let field = cause.field.as_str();
    let required = cause.reason == "FieldValueRequired";
    if SELECTING.contains(&kind) && field == "spec.selector" && required {
        return "selector-missing";
    }
    if cause.message.ends_with("`selector` does not match template `labels`") {
        return "selector-template-mismatch";
    }
    if TEMPLATED.contains(&kind) && field.ends_with("template.spec.restartPolicy") {
        return "restart-policy-invalid";
    }
    if field == "metadata.name" || field == "metadata.generateName" {
        return "name-invalid";
    }
    if cause.message.contains("provided port is not in the valid range") {
        return "nodeport-collision";
    }
    match cause.reason {
        "FieldValueRequired" => "api-required",
        "FieldValueNotSupported" => "api-unsupported",
        "FieldValueDuplicate" => "api-duplicate",
        "FieldValueForbidden" => "api-forbidden",
        "FieldValueNotFound" => "api-not-found",
        "FieldValueTooLong" | "FieldValueTooMany" => "api-too-long",
        _ => "api-invalid",
    }
}
