//! The apps group: Deployments, ReplicaSets, StatefulSets, DaemonSets.
//!
//! `pkg/apis/apps/validation/validation.go` (Kubernetes 1.36).

use super::content::{NameRule, is_valid_percent};
use super::core::pod::{validate_pod_specific_annotations, validate_pod_template_spec, validate_template_with_volumes};
use super::core::storage::validate_persistent_volume_claim_spec;
use super::errors::{Errors, Shown, json_string};
use super::meta::{
    Selector, is_empty_selector, label_selector_json, nonnegative, validate_annotations, validate_dns1123_label,
    validate_label_selector, validate_labels, validate_nonnegative_field, validate_object_meta,
};
use super::obj::Obj;
use crate::model::path::Path;

const MISMATCH: &str = "`selector` does not match template `labels`";

/// `ValidateDeployment`.
pub(super) fn validate_deployment(errs: &mut Errors, deployment: Obj) {
    validate_object_meta(errs, deployment.at("metadata"), NameRule::Subdomain);
    validate_deployment_spec(errs, deployment.at("spec"), &Path::root("spec"));
}

/// `ValidateDeploymentSpec`.
pub(super) fn validate_deployment_spec(errs: &mut Errors, spec: Obj, path: &Path) {
    nonnegative(errs, spec, "replicas", path);
    let selector = validate_selector(errs, spec, "deployment", "invalid label selector", path);
    if !selector.is_bad() {
        validate_pod_template_spec_for_replica_set(errs, spec, selector, &path.child("template"));
    }
    validate_deployment_strategy(errs, spec.at("strategy"), &path.child("strategy"));
    nonnegative(errs, spec, "minReadySeconds", path);
    nonnegative(errs, spec, "revisionHistoryLimit", path);
    let deadline = spec.opt_int("progressDeadlineSeconds").unwrap_or(600);
    let at = path.child("progressDeadlineSeconds");
    validate_nonnegative_field(errs, deadline, &at);
    if deadline <= spec.int("minReadySeconds") {
        errs.invalid(&at, deadline, "must be greater than minReadySeconds");
    }
}

/// The checks of `spec.selector`, in upstream's order; `unreadable` is the detail for one that cannot be used.
fn validate_selector<'a>(errs: &mut Errors, spec: Obj<'a>, kind: &str, unreadable: &str, path: &Path) -> Selector<'a> {
    let selector = spec.at("selector");
    let at = path.child("selector");
    if !selector.has() {
        errs.required(&at, "");
    } else {
        validate_label_selector(errs, selector, &at);
        if is_empty_selector(selector) {
            let detail = format!("empty selector is invalid for {kind}");
            errs.invalid(&at, Shown::Json(label_selector_json(selector)), &detail);
        }
    }
    let read = Selector::new(selector);
    if read.is_bad() {
        errs.invalid(&at, Shown::Json(label_selector_json(selector)), unreadable);
    }
    read
}

fn validate_match(errs: &mut Errors, selector: Selector, template: Obj, path: &Path) {
    let labels = template.at("metadata").at("labels");
    if !selector.is_empty() && !selector.matches(labels) {
        let metadata = path.child("metadata");
        errs.invalid(&metadata.child("labels"), labels, MISMATCH);
    }
}

fn validate_only_always(errs: &mut Errors, template: Obj, kind: &str, path: &Path) {
    let spec = template.at("spec");
    let at = path.child("spec");
    let policy = spec.str("restartPolicy");
    if !["", "Always"].contains(&policy) {
        errs.not_supported(&at.child("restartPolicy"), Shown::Typed(policy), &["Always"]);
    }
    if spec.at("activeDeadlineSeconds").has() {
        let detail = format!("activeDeadlineSeconds in {kind} is not Supported");
        errs.forbidden(&at.child("activeDeadlineSeconds"), &detail);
    }
}

/// `ValidatePodTemplateSpecForReplicaSet`.
fn validate_pod_template_spec_for_replica_set(errs: &mut Errors, spec: Obj, selector: Selector, path: &Path) {
    let template = spec.at("template");
    validate_match(errs, selector, template, path);
    validate_pod_template_spec(errs, template, path);
    validate_only_always(errs, template, "ReplicaSet", path);
}

/// `ValidateReplicaSet`.
pub(super) fn validate_replica_set(errs: &mut Errors, set: Obj) {
    validate_object_meta(errs, set.at("metadata"), NameRule::Subdomain);
    validate_replica_set_spec(errs, set.at("spec"), &Path::root("spec"));
}

/// `ValidateReplicaSetSpec`; it says deployment too.
pub(super) fn validate_replica_set_spec(errs: &mut Errors, spec: Obj, path: &Path) {
    nonnegative(errs, spec, "replicas", path);
    nonnegative(errs, spec, "minReadySeconds", path);
    let selector = validate_selector(errs, spec, "deployment", "invalid label selector", path);
    if !selector.is_bad() {
        validate_pod_template_spec_for_replica_set(errs, spec, selector, &path.child("template"));
    }
}

/// A number or percentage of `spec.key`, or its default.
fn int_or_percent(value: Obj) -> i64 {
    match value.0.and_then(crate::yaml::View::str) {
        Some(text) => text.strip_suffix('%').unwrap_or(text).parse().unwrap_or(0),
        None => value.number(),
    }
}

/// `ValidatePositiveIntOrPercent`.
pub(super) fn validate_positive_int_or_percent(errs: &mut Errors, value: Obj, path: &Path) {
    match value.0.and_then(crate::yaml::View::str) {
        Some(text) => {
            for message in is_valid_percent(text) {
                errs.invalid(path, Shown::Typed(text), &message);
            }
        }
        None => validate_nonnegative_field(errs, value.number(), path),
    }
}

/// `IsNotMoreThan100Percent`.
pub(super) fn is_not_more_than_100_percent(errs: &mut Errors, value: Obj, path: &Path) {
    let Some(text) = value.0.and_then(crate::yaml::View::str) else {
        return;
    };
    if is_valid_percent(text).is_empty() && (int_or_percent(value) > 100 || text.len() > 19) {
        errs.invalid(path, Shown::Typed(text), "must not be greater than 100%");
    }
}

/// `ValidateDeploymentStrategy`.
fn validate_deployment_strategy(errs: &mut Errors, strategy: Obj, path: &Path) {
    let rolling = strategy.at("rollingUpdate");
    let at = path.child("rollingUpdate");
    match strategy.str("type") {
        "Recreate" if rolling.has() => {
            errs.forbidden(&at, "may not be specified when strategy `type` is 'Recreate'");
        }
        "Recreate" => {}
        // Missing parts are 25 %.
        "" | "RollingUpdate" => {
            let parts = ["maxUnavailable", "maxSurge"].map(|key| (key, rolling.at(key)));
            for (key, value) in parts.iter().filter(|(_, value)| value.has()) {
                validate_positive_int_or_percent(errs, *value, &at.child(key));
            }
            if parts.iter().all(|(_, value)| value.has() && int_or_percent(*value) == 0) {
                let unavailable = &at.child("maxUnavailable");
                errs.invalid(unavailable, parts[0].1, "may not be 0 when `maxSurge` is 0");
            }
            is_not_more_than_100_percent(errs, parts[0].1, &at.child("maxUnavailable"));
        }
        kind => {
            let shown = strategy_json(kind, rolling, &[("MaxUnavailable", "maxUnavailable"), ("MaxSurge", "maxSurge")]);
            errs.not_supported(path, Shown::Json(shown), &["Recreate", "RollingUpdate"]);
        }
    }
}

/// An update strategy as Go prints the internal one; int-or-string fields that are missing are 0.
fn strategy_json(kind: &str, rolling: Obj, fields: &[(&str, &str)]) -> String {
    let one = |(name, key): &(&str, &str)| {
        let value = rolling.at(key);
        let shown = if value.has() { value.json() } else { "0".to_owned() };
        format!("\"{name}\":{shown}")
    };
    let inner: Vec<String> = fields.iter().map(one).collect();
    let rolling = if rolling.has() { format!("{{{}}}", inner.join(",")) } else { "null".to_owned() };
    format!("{{\"Type\":{},\"RollingUpdate\":{rolling}}}", json_string(kind))
}

/// `ValidateDaemonSet`.
pub(super) fn validate_daemon_set(errs: &mut Errors, set: Obj) {
    validate_object_meta(errs, set.at("metadata"), NameRule::Subdomain);
    validate_daemon_set_spec(errs, set.at("spec"), &Path::root("spec"));
}

/// `ValidateDaemonSetSpec`.
pub(super) fn validate_daemon_set_spec(errs: &mut Errors, spec: Obj, path: &Path) {
    let selector = spec.at("selector");
    let at = path.child("selector");
    let template = spec.at("template");
    let template_path = path.child("template");
    validate_label_selector(errs, selector, &at);
    let read = Selector::new(selector);
    let labels = template.at("metadata").at("labels");
    if !read.is_bad() && !read.matches(labels) {
        let metadata = template_path.child("metadata");
        errs.invalid(&metadata.child("labels"), labels, MISMATCH);
    }
    if selector.has() && is_empty_selector(selector) {
        let shown = Shown::Json(label_selector_json(selector));
        errs.invalid(&at, shown, "empty selector is invalid for daemonset");
    }
    validate_pod_template_spec(errs, template, &template_path);
    validate_only_always(errs, template, "DaemonSet", &template_path);
    nonnegative(errs, spec, "minReadySeconds", path);
    validate_daemon_set_update_strategy(errs, spec.at("updateStrategy"), &path.child("updateStrategy"));
    nonnegative(errs, spec, "revisionHistoryLimit", path);
}

/// `ValidateDaemonSetUpdateStrategy`.
fn validate_daemon_set_update_strategy(errs: &mut Errors, strategy: Obj, path: &Path) {
    let rolling = strategy.at("rollingUpdate");
    let at = path.child("rollingUpdate");
    match strategy.str("type") {
        "OnDelete" => {}
        "" | "RollingUpdate" => {
            let (unavailable, surge) = (rolling.at("maxUnavailable"), rolling.at("maxSurge"));
            let (unavailable_path, surge_path) = (at.child("maxUnavailable"), at.child("maxSurge"));
            validate_positive_int_or_percent(errs, unavailable, &unavailable_path);
            validate_positive_int_or_percent(errs, surge, &surge_path);
            is_not_more_than_100_percent(errs, unavailable, &unavailable_path);
            is_not_more_than_100_percent(errs, surge, &surge_path);
            // A missing maxUnavailable is 1 by default.
            let has_unavailable = !unavailable.has() || int_or_percent(unavailable) != 0;
            match (has_unavailable, int_or_percent(surge) != 0) {
                (true, true) => errs.invalid(&surge_path, surge, "may not be set when maxUnavailable is non-zero"),
                (false, false) => errs.required(&unavailable_path, "cannot be 0 when maxSurge is 0"),
                _ => {}
            }
        }
        kind => {
            let shown = strategy_json(kind, rolling, &[("MaxUnavailable", "maxUnavailable"), ("MaxSurge", "maxSurge")]);
            errs.not_supported(path, Shown::Json(shown), &["RollingUpdate", "OnDelete"]);
        }
    }
}

/// `ValidateStatefulSet`.
pub(super) fn validate_stateful_set(errs: &mut Errors, set: Obj) {
    validate_object_meta(errs, set.at("metadata"), NameRule::Label);
    validate_stateful_set_spec(errs, set.at("spec"), false, &Path::root("spec"));
}

/// `ValidateStatefulSetSpec`; an update checks neither claim templates nor the service name.
pub(super) fn validate_stateful_set_spec(errs: &mut Errors, spec: Obj, update: bool, path: &Path) {
    validate_stateful_set_policies(errs, spec, path);
    let claims = path.child("volumeClaimTemplates");
    for (index, claim) in spec.list("volumeClaimTemplates").enumerate().filter(|_| !update) {
        let at = claims.index(index);
        validate_persistent_volume_claim_spec(errs, claim.at("spec"), &at.child("spec"));
    }
    nonnegative(errs, spec, "replicas", path);
    nonnegative(errs, spec, "minReadySeconds", path);
    validate_nonnegative_field(errs, spec.at("ordinals").int("start"), &path.child("ordinals.start"));
    let service = spec.str("serviceName");
    if !update && !service.is_empty() {
        validate_dns1123_label(errs, service, &path.child("serviceName"));
    }
    let selector = validate_selector(errs, spec, "statefulset", "", path);
    let template = path.child("template");
    if !selector.is_bad() {
        validate_pod_template_spec_for_stateful_set(errs, spec, selector, &template);
    }
    validate_only_always(errs, spec.at("template"), "StatefulSet", &template);
}

fn validate_stateful_set_policies(errs: &mut Errors, spec: Obj, path: &Path) {
    let management = spec.str("podManagementPolicy");
    if !["", "OrderedReady", "Parallel"].contains(&management) {
        let detail = "must be 'OrderedReady' or 'Parallel'";
        errs.invalid(&path.child("podManagementPolicy"), Shown::Typed(management), detail);
    }
    let strategy = spec.at("updateStrategy");
    let rolling = strategy.at("rollingUpdate");
    let at = path.child("updateStrategy");
    match strategy.str("type") {
        "" | "RollingUpdate" => {
            let rolling_path = at.child("rollingUpdate");
            validate_nonnegative_field(errs, rolling.int("partition"), &rolling_path.child("partition"));
        }
        "OnDelete" if rolling.has() => {
            let shown = Shown::Json(stateful_rolling_json(rolling));
            let detail = "only allowed for updateStrategy 'RollingUpdate'";
            errs.invalid(&at.child("rollingUpdate"), shown, detail);
        }
        "OnDelete" => {}
        kind => {
            let rolling = if rolling.has() { stateful_rolling_json(rolling) } else { "null".to_owned() };
            let shown = format!("{{\"Type\":{},\"RollingUpdate\":{rolling}}}", json_string(kind));
            errs.invalid(&at, Shown::Json(shown), "must be 'RollingUpdate' or 'OnDelete'");
        }
    }
    let retention = spec.at("persistentVolumeClaimRetentionPolicy");
    let at = path.child("persistentVolumeClaimRetentionPolicy");
    for key in ["whenDeleted", "whenScaled"] {
        let policy = retention.str(key);
        if !["", "Retain", "Delete"].contains(&policy) {
            errs.not_supported(&at.child(key), Shown::Typed(policy), &["Retain", "Delete"]);
        }
    }
}

/// Gate MaxUnavailableStatefulSet is off: the field is dropped.
fn stateful_rolling_json(rolling: Obj) -> String {
    format!("{{\"Partition\":{},\"MaxUnavailable\":null}}", rolling.int("partition"))
}

/// `ValidatePodTemplateSpecForStatefulSet`: claim templates count as volumes of their name; labels and annotations
/// are checked twice, as upstream does.
fn validate_pod_template_spec_for_stateful_set(errs: &mut Errors, spec: Obj, selector: Selector, path: &Path) {
    let template = spec.at("template");
    validate_match(errs, selector, template, path);
    let claims: Vec<&str> = spec.list("volumeClaimTemplates").map(|claim| claim.at("metadata").str("name")).collect();
    let (tree, roots) = super::made::claim_volumes(&claims);
    let mut volumes: Vec<Obj> = roots.iter().map(|root| Obj(Some(tree.view(*root)))).collect();
    volumes.extend(template.at("spec").list("volumes").filter(|volume| !claims.contains(&volume.str("name"))));
    validate_template_with_volumes(errs, template, Some(&volumes), path);
    let metadata = template.at("metadata");
    validate_labels(errs, metadata.at("labels"), &path.child("labels"));
    validate_annotations(errs, metadata.at("annotations"), &path.child("annotations"));
    let annotations = path.child("annotations");
    validate_pod_specific_annotations(errs, metadata.at("annotations"), template.at("spec"), &annotations);
}
