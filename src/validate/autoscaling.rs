//! The autoscaling group: HorizontalPodAutoscalers.
//!
//! `pkg/apis/autoscaling/validation/validation.go`; v1 is judged as the v2 object that it converts to, see
//! `pkg/apis/autoscaling/v1/conversion.go` (Kubernetes 1.36).

use super::content::{NameRule, is_valid_path_segment_name};
use super::core::resources::{quantity_json, validate_container_resource_name, validate_nonnegative_quantity};
use super::errors::{Errors, Shown};
use super::meta::{validate_dns1123_label, validate_object_meta};
use super::obj::Obj;
use crate::model::path::Path;

const SOURCES: [(&str, &str); 5] = [
    ("object", "Object"),
    ("external", "External"),
    ("pods", "Pods"),
    ("resource", "Resource"),
    ("containerResource", "ContainerResource"),
];

/// `ValidateHorizontalPodAutoscaler`.
pub(super) fn validate_horizontal_pod_autoscaler(errs: &mut Errors, autoscaler: Obj) {
    validate_object_meta(errs, autoscaler.at("metadata"), NameRule::Subdomain);
    validate_horizontal_pod_autoscaler_spec(errs, autoscaler.at("spec"), Obj::NONE, &Path::root("spec"));
}

/// `validateHorizontalPodAutoscalerSpec`; gate HPAScaleToZero is off.
pub(super) fn validate_horizontal_pod_autoscaler_spec(errs: &mut Errors, spec: Obj, old: Obj, path: &Path) {
    let (least, most) = (spec.opt_int("minReplicas").unwrap_or(1), spec.int("maxReplicas"));
    let at = path.child("maxReplicas");
    if least < 1 {
        errs.invalid(&path.child("minReplicas"), least, "must be greater than or equal to 1");
    }
    if most == 0 {
        errs.required(&at, "must be set and greater than 0");
    } else if most < 0 {
        errs.invalid(&at, most, "must be greater than or equal to 1");
    }
    if most < least {
        errs.invalid(&at, most, "must be greater than or equal to `minReplicas`");
    }
    let target = spec.at("scaleTargetRef");
    let before = old.at("scaleTargetRef");
    let same = old.has() && ["apiVersion", "kind"].iter().all(|key| target.str(key) == before.str(key));
    let core = same || target.str("kind") == "ReplicationController";
    validate_cross_version_object_reference(errs, target, core, &path.child("scaleTargetRef"));
    validate_metrics(errs, spec, least, &path.child("metrics"));
    for key in ["scaleUp", "scaleDown"] {
        let behavior = path.child("behavior");
        validate_scaling_rules(errs, spec.at("behavior").at(key), &behavior.child(key));
    }
}

/// `ValidateCrossVersionObjectReference` and `ValidateAPIVersion`; `core` is whether the core group will do.
fn validate_cross_version_object_reference(errs: &mut Errors, reference: Obj, core: bool, path: &Path) {
    for key in ["kind", "name"] {
        let value = reference.str(key);
        if value.is_empty() {
            errs.required(&path.child(key), "");
        } else {
            errs.invalid_each(&path.child(key), value, &is_valid_path_segment_name(value));
        }
    }
    let version = reference.str("apiVersion");
    let at = path.child("apiVersion");
    if version.matches('/').count() > 1 {
        errs.invalid(&at, version, &format!("unexpected GroupVersion string: {version}"));
    } else if !core && version.split_once('/').is_none_or(|(group, _)| group.is_empty()) {
        errs.invalid(&at, version, "apiVersion must specify API group");
    }
}

/// `validateMetrics`.
fn validate_metrics(errs: &mut Errors, spec: Obj, least: i64, path: &Path) {
    let mut custom = false;
    for (index, metric) in spec.list("metrics").enumerate() {
        validate_metric_spec(errs, metric, &path.index(index));
        custom |= ["Object", "External"].contains(&metric.str("type"));
    }
    if let Some(percent) = spec.opt_int("targetCPUUtilizationPercentage").filter(|percent| *percent < 1) {
        // v1 has one metric, which converts to the first of v2.
        let (item, resource) = (path.index(0), "resource");
        let resource = item.child(resource);
        let target = resource.child("target");
        errs.invalid(&target.child("averageUtilization"), percent, "must be greater than 0");
    }
    if least == 0 && !custom {
        let detail = "must specify at least one Object or External metric to support scaling to zero replicas";
        errs.forbidden(path, detail);
    }
}

/// `validateScalingRules`; defaulting has filled in policies that are missing, but not an empty list.
fn validate_scaling_rules(errs: &mut Errors, rules: Obj, path: &Path) {
    if !rules.has() {
        return;
    }
    let window = path.child("stabilizationWindowSeconds");
    if let Some(seconds) = rules.opt_int("stabilizationWindowSeconds") {
        if seconds < 0 {
            errs.invalid(&window, seconds, "must be greater than or equal to zero");
        }
        if seconds > 3600 {
            errs.invalid(&window, seconds, "must be less than or equal to 3600");
        }
    }
    super::one_of(errs, rules, "selectPolicy", &["Disabled", "Max", "Min"], path);
    let policies = path.child("policies");
    if rules.len("policies") == 0 {
        errs.required(&policies, "must specify at least one Policy");
    }
    for (index, policy) in rules.list("policies").enumerate() {
        validate_scaling_policy(errs, policy, &policies.index(index));
    }
    let tolerance = rules.at("tolerance");
    if tolerance.has() {
        validate_nonnegative_quantity(errs, &tolerance.quantity(), &path.child("tolerance"));
    }
}

/// `validateScalingPolicy`.
fn validate_scaling_policy(errs: &mut Errors, policy: Obj, path: &Path) {
    let kind = policy.str("type");
    if !["Percent", "Pods"].contains(&kind) {
        errs.not_supported(&path.child("type"), Shown::Typed(kind), &["Percent", "Pods"]);
    }
    let (value, period) = (policy.int("value"), policy.int("periodSeconds"));
    if value <= 0 {
        errs.invalid(&path.child("value"), value, "must be greater than zero");
    }
    if period <= 0 {
        errs.invalid(&path.child("periodSeconds"), period, "must be greater than zero");
    }
    if period > 1800 {
        errs.invalid(&path.child("periodSeconds"), period, "must be less than or equal to 1800");
    }
}

/// `validateMetricSpec`.
fn validate_metric_spec(errs: &mut Errors, metric: Obj, path: &Path) {
    let kinds = ["ContainerResource", "External", "Object", "Pods", "Resource"];
    let kind = metric.str("type");
    let at = path.child("type");
    if kind.is_empty() {
        errs.required(&at, "must specify a metric source type");
    }
    let known = kinds.contains(&kind);
    if !known {
        errs.not_supported(&at, Shown::Typed(kind), &kinds);
    }
    let mut present = Vec::new();
    for (key, _) in SOURCES {
        let source = metric.at(key);
        if source.has() {
            present.push(key);
            if present.len() == 1 {
                validate_source(errs, key, source, &path.child(key));
            }
        }
    }
    let expected = SOURCES.iter().find(|(_, name)| *name == kind).map_or("", |(key, _)| *key);
    if !known {
        errs.not_supported(&at, Shown::Typed(kind), &kinds);
    } else if !metric.at(expected).has() {
        errs.required(&path.child(expected), "must populate information for the given metric source");
    }
    if present.len() != 1 {
        present.sort_unstable();
        for key in present.into_iter().filter(|key| *key != expected) {
            errs.forbidden(&path.child(key), "must populate the given metric source only");
        }
    }
}

/// `validateObjectSource`, `validateExternalSource`, `validatePodsSource`, `validateResourceSource` and
/// `validateContainerResourceSource`.
fn validate_source(errs: &mut Errors, key: &str, source: Obj, path: &Path) {
    match key {
        "object" => {
            let described = path.child("describedObject");
            validate_cross_version_object_reference(errs, source.at("describedObject"), true, &described);
            validate_metric_identifier(errs, source, path);
        }
        "external" | "pods" => validate_metric_identifier(errs, source, path),
        _ => validate_resource_name(errs, key, source, path),
    }
    let target = source.at("target");
    let at = path.child("target");
    validate_metric_target(errs, target, &at);
    let (value, average) = (target.at("value").has(), target.at("averageValue").has());
    let utilization = target.at("averageUtilization").has();
    match key {
        "object" if !value && !average => {
            errs.required(&at.child("averageValue"), "must set either a target value or averageValue");
        }
        "external" if !value && !average => {
            let detail = "must set either a target value for metric or a per-pod target";
            errs.required(&at.child("averageValue"), detail);
        }
        "external" if value && average => {
            let detail = "may not set both a target value for metric and a per-pod target";
            errs.forbidden(&at.child("value"), detail);
        }
        "pods" if !average => {
            errs.required(&at.child("averageValue"), "must specify a positive target averageValue");
        }
        "resource" | "containerResource" if !utilization && !average => {
            let detail = "must set either a target raw value or a target utilization";
            errs.required(&at.child("averageUtilization"), detail);
        }
        "resource" | "containerResource" if utilization && average => {
            let detail = "may not set both a target raw value and a target utilization";
            errs.forbidden(&at.child("averageValue"), detail);
        }
        _ => {}
    }
}

fn validate_resource_name(errs: &mut Errors, key: &str, source: Obj, path: &Path) {
    let name = source.str("name");
    let at = path.child("name");
    if name.is_empty() {
        errs.required(&at, "must specify a resource name");
    } else if key == "containerResource" {
        validate_container_resource_name(errs, name, &at);
    }
    if key == "containerResource" {
        let container = source.str("container");
        let at = path.child("container");
        if container.is_empty() {
            errs.required(&at, "must specify a container");
        } else {
            validate_dns1123_label(errs, container, &at);
        }
    }
}

/// `validateMetricTarget`.
fn validate_metric_target(errs: &mut Errors, target: Obj, path: &Path) {
    let kind = target.str("type");
    let at = path.child("type");
    if kind.is_empty() {
        errs.required(&at, "must specify a metric target type");
    }
    if !["Utilization", "Value", "AverageValue"].contains(&kind) {
        errs.invalid(&at, Shown::Typed(kind), "must be either Utilization, Value, or AverageValue");
    }
    for key in ["value", "averageValue"] {
        let value = target.at(key);
        if value.has() && value.quantity().sign() != 1 {
            errs.invalid(&path.child(key), quantity_json(&value.quantity()), "must be positive");
        }
    }
    if let Some(percent) = target.opt_int("averageUtilization").filter(|percent| *percent < 1) {
        errs.invalid(&path.child("averageUtilization"), percent, "must be greater than 0");
    }
}

/// `validateMetricIdentifier`.
fn validate_metric_identifier(errs: &mut Errors, source: Obj, path: &Path) {
    let name = source.at("metric").str("name");
    let metric = path.child("metric");
    let at = metric.child("name");
    if name.is_empty() {
        errs.required(&at, "must specify a metric name");
    } else {
        errs.invalid_each(&at, name, &is_valid_path_segment_name(name));
    }
}
