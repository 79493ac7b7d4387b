//! What the API server's validation (HTTP 422) says about an object.
//!
//! Each function follows the one of upstream with the same name in snake case; the head of a file names upstream's
//! file. Input are defaulted objects; what is missing counts as Go's zero value, or as its default.

mod apps;
mod autoscaling;
mod batch;
mod content;
mod core;
mod errors;
mod fixes;
mod internal;
mod ip;
mod made;
mod meta;
mod networking;
mod obj;
mod pod_failure;
mod pod_security;
mod policy;
mod quotas;
mod rbac;
mod rules;
mod schedule;
mod stage;
mod storage;
#[cfg(test)]
mod tests;
mod update;
mod update_pod;
mod update_warnings;
mod warnings;

pub use errors::{Errors, Shown, status_message};
pub use rules::rule_for;
pub use stage::run;
pub use update::update;
pub use update_warnings::update_warnings;
pub use warnings::{deprecation, warnings};

use self::core::{config, endpoints, namespace, node, pod, quota, service, storage as volumes};
use content::NameRule;
use obj::Obj;

use crate::diag::Cause;
use crate::model::path::Path;
use crate::yaml::View;

/// What judges an object of one kind.
type Validate = fn(&mut Errors, Obj);

/// Group, kind and the function that validates a create.
const KINDS: &[(&str, &str, Validate)] = &[
    ("", "ConfigMap", config::validate_config_map),
    ("", "Endpoints", endpoints::validate_endpoints_create),
    ("", "LimitRange", quota::validate_limit_range),
    ("", "Namespace", namespace::validate_namespace),
    ("", "Node", node::validate_node),
    ("", "PersistentVolume", volumes::validate_persistent_volume),
    ("", "PersistentVolumeClaim", volumes::validate_persistent_volume_claim),
    ("", "Pod", pod::validate_pod_create),
    ("", "PodTemplate", pod::validate_pod_template),
    ("", "ReplicationController", namespace::validate_replication_controller),
    ("", "ResourceQuota", quota::validate_resource_quota),
    ("", "Secret", config::validate_secret),
    ("", "Service", service::validate_service_create),
    ("", "ServiceAccount", config::validate_service_account),
    ("apps", "DaemonSet", apps::validate_daemon_set),
    ("apps", "Deployment", apps::validate_deployment),
    ("apps", "ReplicaSet", apps::validate_replica_set),
    ("apps", "StatefulSet", apps::validate_stateful_set),
    ("autoscaling", "HorizontalPodAutoscaler", autoscaling::validate_horizontal_pod_autoscaler),
    ("batch", "CronJob", batch::validate_cron_job_create),
    ("batch", "Job", batch::validate_job),
    ("networking.k8s.io", "Ingress", networking::validate_ingress_create),
    ("networking.k8s.io", "IngressClass", networking::validate_ingress_class),
    ("networking.k8s.io", "NetworkPolicy", networking::validate_network_policy),
    ("node.k8s.io", "RuntimeClass", policy::validate_runtime_class),
    ("policy", "PodDisruptionBudget", policy::validate_pod_disruption_budget),
    ("rbac.authorization.k8s.io", "ClusterRole", rbac::validate_cluster_role),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding", rbac::validate_cluster_role_binding),
    ("rbac.authorization.k8s.io", "Role", rbac::validate_role),
    ("rbac.authorization.k8s.io", "RoleBinding", rbac::validate_role_binding),
    ("scheduling.k8s.io", "PriorityClass", policy::validate_priority_class),
    ("storage.k8s.io", "StorageClass", storage::validate_storage_class),
];

/// Kinds whose generation the server sets itself (`PrepareForCreate` in `pkg/registry/*/*/strategy.go`).
const GENERATED: [&str; 14] = [
    "PriorityClass",
    "IngressClass",
    "NetworkPolicy",
    "Ingress",
    "PodDisruptionBudget",
    "DaemonSet",
    "StatefulSet",
    "Deployment",
    "ReplicaSet",
    "Job",
    "CronJob",
    "Pod",
    "PodTemplate",
    "ReplicationController",
];

/// The causes for which the API server would refuse to create an object, in its order; nothing for unknown kinds.
/// The object is defaulted (`defaults::object`).
pub fn object(group: &str, kind: &str, view: View<'_>) -> Vec<Cause> {
    let Some((_, _, validate)) = KINDS.iter().find(|(a, b, _)| *a == group && *b == kind) else {
        return Vec::new();
    };
    let object = Obj(Some(view));
    let mut errs = Errors::new();
    validate(&mut errs, object);
    // A LimitRange without a name is given one.
    let is_generation = |cause: &Cause| GENERATED.contains(&kind) && cause.field == "metadata.generation";
    errs.retain(|cause| !is_generation(cause));
    if errs.is_empty() && kind != "LimitRange" {
        // `BeforeCreate` of apiserver `pkg/registry/rest/create.go` checks the metadata of all kinds once more.
        let meta = Path::root("metadata");
        meta::validate_object_meta_accessor(&mut errs, object.at("metadata"), NameRule::PathSegment, &meta);
    }
    errs.retain(|cause| !is_generation(cause));
    if errs.is_empty() && kind == "Namespace" {
        pod_security::validate_namespace(&mut errs, object);
    }
    errs.into_causes()
}

/// A string that, when present, is one of a set.
fn one_of(errs: &mut Errors, parent: Obj, key: &str, supported: &[&str], path: &Path) {
    if let Some(value) = parent.opt_str(key).filter(|value| !supported.contains(value)) {
        errs.not_supported(&path.child(key), Shown::Typed(value), supported);
    }
}
