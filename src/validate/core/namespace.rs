//! Namespaces and replication controllers.
//!
//! `pkg/apis/core/validation/validation.go` (Kubernetes 1.36).

use super::super::content::NameRule;
use super::super::errors::{Errors, Shown};
use super::super::meta::{nonnegative, validate_kube_finalizer_name, validate_object_meta, validate_qualified_name};
use super::super::obj::Obj;
use super::pod::validate_pod_template_spec;
use crate::model::path::Path;

/// `ValidateNamespace`.
pub(crate) fn validate_namespace(errs: &mut Errors, namespace: Obj) {
    validate_object_meta(errs, namespace.at("metadata"), NameRule::Label);
    let path = Path::root("spec.finalizers");
    for name in namespace.at("spec").strings("finalizers") {
        validate_qualified_name(errs, name, &path);
        validate_kube_finalizer_name(errs, name, &path);
    }
}

/// `ValidateReplicationController`.
pub(crate) fn validate_replication_controller(errs: &mut Errors, controller: Obj) {
    validate_object_meta(errs, controller.at("metadata"), NameRule::Subdomain);
    validate_replication_controller_spec(errs, controller.at("spec"), &Path::root("spec"));
}

/// `ValidateReplicationControllerSpec`; the selector is the template's labels by default.
pub(crate) fn validate_replication_controller_spec(errs: &mut Errors, spec: Obj, path: &Path) {
    let template = spec.at("template");
    let labels = template.at("metadata").at("labels");
    let selector = if spec.len("selector") > 0 { spec.at("selector") } else { labels };
    nonnegative(errs, spec, "minReadySeconds", path);
    if selector.entries().is_empty() {
        errs.required(&path.child("selector"), "");
    }
    nonnegative(errs, spec, "replicas", path);
    let at = path.child("template");
    if !template.has() {
        errs.required(&at, "");
        return;
    }
    if !selector.entries().iter().all(|(key, value)| labels.entry(key) == Some(value.text())) {
        let metadata = at.child("metadata");
        errs.invalid(&metadata.child("labels"), labels, "`selector` does not match template `labels`");
    }
    validate_pod_template_spec(errs, template, &at);
    let pod = at.child("spec");
    let policy = template.at("spec").str("restartPolicy");
    if !["", "Always"].contains(&policy) {
        errs.not_supported(&pod.child("restartPolicy"), Shown::Typed(policy), &["Always"]);
    }
    if template.at("spec").at("activeDeadlineSeconds").has() {
        let detail = "activeDeadlineSeconds in ReplicationController is not Supported";
        errs.forbidden(&pod.child("activeDeadlineSeconds"), detail);
    }
}
