//! Which rule of the catalogue explains a cause.

use crate::diag::Cause;
use crate::model::names;

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
    if is_name(field) && cause.reason == "FieldValueInvalid" {
        return "name-invalid";
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

/// Names of the object itself, of its containers and of its node.
fn is_name(field: &str) -> bool {
    let container = field.ends_with("].name") && field.contains("ontainers[") && field.matches('[').count() == 1;
    matches!(field, "metadata.name" | "metadata.generateName") || field.ends_with("spec.nodeName") || container
}

/// What to do about a cause, where more can be said than the server says.
pub(super) fn help(rule: &str, cause: &Cause) -> Option<String> {
    match rule {
        "name-invalid" => {
            let name = cause.message.strip_prefix("Invalid value: \"")?.split_once('"')?.0;
            let lower = name.to_lowercase().replace(['_', ' '], "-");
            let valid = lower != name && names::is_dns1123_subdomain(&lower).is_empty();
            valid.then(|| format!("did you mean `{lower}`?"))
        }
        "selector-missing" => Some("add spec.selector with the labels of the pod template".to_owned()),
        "selector-template-mismatch" => {
            Some("give the pod template the labels of spec.selector, or select the labels that it has".to_owned())
        }
        "api-unsupported" | "restart-policy-invalid" => {
            let (value, supported) =
                cause.message.strip_prefix("Unsupported value: ")?.split_once(": supported values: ")?;
            let value = value.trim_matches('"');
            let supported: Vec<&str> = supported.split(", ").map(|value| value.trim_matches('"')).collect();
            let near = supported.iter().find(|near| near.eq_ignore_ascii_case(value));
            let near = near.or_else(|| supported.iter().find(|near| strsim::osa_distance(near, value) <= 2));
            match (near, &supported[..]) {
                (Some(near), _) => Some(format!("did you mean `{near}`?")),
                (None, [only]) => Some(format!("write `{only}`")),
                _ => None,
            }
        }
        _ => None,
    }
}
