//! What may not change: the answers to updates.
//!
//! The `Validate…Update` functions of `pkg/apis/*/validation` and `pkg/registry/*/*/strategy.go` (Kubernetes 1.36).

use serde_json::Value;

use super::content::NameRule;
use super::core::pod::validate_pod_template_spec;
use super::core::{self, config, node, quota, service_update, storage as volumes};
use super::errors::{Errors, Shown, json_string};
use super::meta::{
    label_selector_json, validate_immutable_field, validate_object_meta, validate_object_meta_accessor,
    validate_object_meta_accessor_update, validate_object_meta_update,
};
use super::obj::Obj;
use super::{apps, autoscaling, batch, internal, networking, pod_security, policy, rbac, storage};
use crate::diag::Cause;
use crate::model::path::Path;
use crate::yaml::View;

/// What judges an update of one kind: the new object, then the old one.
type Update = fn(&mut Errors, Obj, Obj);

const KINDS: &[(&str, &str, Update)] = &[
    ("", "ConfigMap", config_map),
    ("", "Endpoints", endpoints),
    ("", "LimitRange", |errs, new, _| quota::validate_limit_range(errs, new)),
    ("", "Namespace", namespace),
    ("", "Node", node::validate_node_on_update),
    ("", "PersistentVolume", persistent_volume),
    ("", "PersistentVolumeClaim", persistent_volume_claim),
    ("", "Pod", super::update_pod::validate_pod_update),
    ("", "PodTemplate", pod_template),
    ("", "ReplicationController", replication_controller),
    ("", "ResourceQuota", resource_quota),
    ("", "Secret", secret),
    ("", "Service", service_update::validate_service_update),
    ("", "ServiceAccount", service_account),
    ("apps", "DaemonSet", daemon_set),
    ("apps", "Deployment", deployment),
    ("apps", "ReplicaSet", replica_set),
    ("apps", "StatefulSet", stateful_set),
    ("autoscaling", "HorizontalPodAutoscaler", horizontal_pod_autoscaler),
    ("batch", "CronJob", cron_job),
    ("batch", "Job", job),
    ("networking.k8s.io", "Ingress", ingress),
    ("networking.k8s.io", "IngressClass", ingress_class),
    ("networking.k8s.io", "NetworkPolicy", network_policy),
    ("node.k8s.io", "RuntimeClass", runtime_class),
    ("policy", "PodDisruptionBudget", |errs, new, _| policy::validate_pod_disruption_budget(errs, new)),
    ("rbac.authorization.k8s.io", "ClusterRole", cluster_role),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding", cluster_role_binding),
    ("rbac.authorization.k8s.io", "Role", role),
    ("rbac.authorization.k8s.io", "RoleBinding", role_binding),
    ("scheduling.k8s.io", "PriorityClass", priority_class),
    ("storage.k8s.io", "StorageClass", storage_class),
];

/// The causes for which the API server would refuse to turn the old object into the new one. Both are defaulted; what
/// the server has filled into the old one (uid, status) may be missing in both.
pub fn update(group: &str, kind: &str, old: View<'_>, new: View<'_>) -> Vec<Cause> {
    let Some((_, _, validate)) = KINDS.iter().find(|(a, b, _)| *a == group && *b == kind) else {
        return Vec::new();
    };
    let mut errs = Errors::new();
    let (old, new) = (Obj(Some(old)), Obj(Some(new)));
    // `validateCommonFields` of apiserver `pkg/registry/rest/update.go` checks the metadata of all kinds first.
    let (meta, path) = (new.at("metadata"), Path::root("metadata"));
    validate_object_meta_accessor(&mut errs, meta, NameRule::PathSegment, &path);
    // The server keeps the generation of the old object.
    errs.retain(|cause| cause.field != "metadata.generation");
    validate_object_meta_accessor_update(&mut errs, meta, old.at("metadata"), &path);
    validate(&mut errs, new, old);
    errs.retain(|cause| cause.field != "metadata.generation");
    if errs.is_empty() && kind == "Namespace" {
        pod_security::validate_namespace_update(&mut errs, new, old);
    }
    errs.into_causes()
}

fn spec_path() -> Path<'static> {
    Path::root("spec")
}

/// `ValidateImmutableField` of a label selector.
fn immutable_selector(errs: &mut Errors, new: Obj, old: Obj) {
    let (new, old) = (new.at("spec").at("selector"), old.at("spec").at("selector"));
    if !new.same(old) || new.has() != old.has() {
        let shown = Shown::Json(label_selector_json(new));
        errs.invalid(&Path::root("spec.selector"), shown, "field is immutable");
    }
}

fn endpoints(errs: &mut Errors, new: Obj, old: Obj) {
    validate_object_meta_update(errs, new, old);
    core::endpoints::validate_endpoints(errs, new, old);
}

fn namespace(errs: &mut Errors, new: Obj, old: Obj) {
    // `PrepareForUpdate` keeps the finalizers of the spec.
    validate_object_meta(errs, new.at("metadata"), NameRule::Label);
    validate_object_meta_update(errs, new, old);
}

fn pod_template(errs: &mut Errors, new: Obj, old: Obj) {
    validate_object_meta_update(errs, new, old);
    validate_pod_template_spec(errs, new.at("template"), &Path::root("template"));
}

fn deployment(errs: &mut Errors, new: Obj, old: Obj) {
    validate_object_meta_update(errs, new, old);
    apps::validate_deployment_spec(errs, new.at("spec"), &spec_path());
    immutable_selector(errs, new, old);
}

fn replica_set(errs: &mut Errors, new: Obj, old: Obj) {
    validate_object_meta_update(errs, new, old);
    apps::validate_replica_set_spec(errs, new.at("spec"), &spec_path());
    immutable_selector(errs, new, old);
}

fn daemon_set(errs: &mut Errors, new: Obj, old: Obj) {
    validate_object_meta_update(errs, new, old);
    immutable_selector(errs, new, old);
    apps::validate_daemon_set_spec(errs, new.at("spec"), &spec_path());
}

/// The fields of a StatefulSet that may change.
const STATEFUL: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

fn stateful_set(errs: &mut Errors, new: Obj, old: Obj) {
    validate_object_meta_update(errs, new, old);
    apps::validate_stateful_set_spec(errs, new.at("spec"), true, &spec_path());
    if differing(new.at("spec"), old.at("spec")).iter().any(|key| !STATEFUL.contains(key)) {
        let allowed: Vec<String> = STATEFUL.iter().map(|key| format!("'{key}'")).collect();
        let detail = format!(
            "updates to statefulset spec for fields other than {} and {} are forbidden",
            allowed[..STATEFUL.len() - 1].join(", "),
            allowed[STATEFUL.len() - 1]
        );
        errs.forbidden(&spec_path(), &detail);
    }
}

/// The fields in which two objects differ.
fn differing<'a>(new: Obj<'a>, old: Obj<'a>) -> Vec<&'a str> {
    let mut keys: Vec<&str> = new.entries().into_iter().chain(old.entries()).map(|(key, _)| key).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.retain(|key| !new.at(key).same(old.at(key)));
    keys
}

fn replication_controller(errs: &mut Errors, new: Obj, old: Obj) {
    validate_object_meta_update(errs, new, old);
    core::namespace::validate_replication_controller_spec(errs, new.at("spec"), &spec_path());
}

/// `ValidateJobUpdate`.
fn job(errs: &mut Errors, new: Obj, old: Obj) {
    batch::validate_job_to_update(errs, new);
    validate_object_meta_update(errs, new, old);
    batch::validate_job_spec_to_update(errs, new, &spec_path());
    let path = spec_path();
    let (new_spec, old_spec) = (new.at("spec"), old.at("spec"));
    validate_completions(errs, new_spec, old_spec, &path.child("completions"));
    immutable_selector(errs, new, old);
    validate_pod_template_update(errs, new_spec, old_spec, &path.child("template"));
    for key in ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"] {
        let (new, old) = (new_spec.at(key), old_spec.at(key));
        if !new.same(old) {
            let shown = Shown::Json(batch::internal_json(key, new));
            errs.invalid(&path.child(key), shown, "field is immutable");
        }
    }
}

/// `validateCompletions`: an indexed job may change them together with its parallelism.
fn validate_completions(errs: &mut Errors, new: Obj, old: Obj, path: &Path) {
    let (completions, before) = (new.at("completions"), old.at("completions"));
    if completions.same(before) {
        return;
    }
    if new.str("completionMode") != "Indexed" {
        errs.invalid(path, completions, "field is immutable");
    } else if completions.has() && completions.number() != new.int("parallelism") {
        errs.invalid(path, completions, "can only be modified in tandem with spec.parallelism");
    }
}

/// The fields that a suspended job that never started may change.
const SCHEDULING: [&str; 3] = ["nodeSelector", "tolerations", "schedulingGates"];

/// `validatePodTemplateUpdate`.
fn validate_pod_template_update(errs: &mut Errors, new: Obj, old: Obj, path: &Path) {
    let (template, before) = (new.at("template"), old.at("template"));
    if template.same(before) {
        return;
    }
    if old.bool("suspend") {
        let spec = differing(template.at("spec"), before.at("spec"));
        let bad = |key: &&str| !SCHEDULING.contains(key) && !["affinity", "containers", "initContainers"].contains(key);
        if !spec.iter().any(bad) {
            return;
        }
        let shown = Shown::Json(internal::json("PodSpec", template.at("spec")));
        errs.invalid(&path.child("spec"), shown, "field is immutable");
        return;
    }
    let shown = Shown::Json(internal::json("PodTemplateSpec", template));
    errs.invalid(path, shown, "field is immutable");
}

fn cron_job(errs: &mut Errors, new: Obj, old: Obj) {
    validate_object_meta_update(errs, new, old);
    batch::validate_cron_job_spec(errs, new.at("spec"), old.at("spec"), &spec_path());
}

/// `ValidatePersistentVolumeClaimUpdate`.
fn persistent_volume_claim(errs: &mut Errors, new: Obj, old: Obj) {
    validate_object_meta_update(errs, new, old);
    volumes::validate_persistent_volume_claim(errs, new);
    // `allowInvalidAPIGroupInDataSourceOrRef`
    if ["dataSource", "dataSourceRef"].iter().any(|key| old.at("spec").at(key).at("apiGroup").has()) {
        let fields = ["spec.dataSource.apiGroup", "spec.dataSourceRef.apiGroup"];
        errs.retain(|cause| !fields.contains(&cause.field.as_str()));
    }
    let bound = new.at("status").str("phase") == "Bound" || old.at("status").str("phase") == "Bound";
    let (spec, before) = (new.at("spec"), old.at("spec"));
    let kind = "PersistentVolumeClaimSpec";
    let (mut after_tree, mut before_tree) =
        (internal::tree(kind, spec, Obj::NONE), internal::tree(kind, before, Obj::NONE));
    if before.str("volumeName").is_empty() {
        copy(&after_tree, &mut before_tree, "VolumeName");
    }
    if !before.at("storageClassName").has() && spec.at("storageClassName").has() {
        copy(&before_tree, &mut after_tree, "StorageClassName");
    }
    if bound {
        copy(&before_tree, &mut after_tree, "VolumeAttributesClassName");
        let size = before_tree["Resources"]["Requests"]["storage"].clone();
        if !after_tree["Resources"]["Requests"].is_null() {
            after_tree["Resources"]["Requests"]["storage"] = size;
        }
    }
    if after_tree != before_tree {
        let detail = format!(
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n{}",
            internal::diff(kind, &before_tree, &after_tree)
        );
        errs.forbidden(&spec_path(), &detail);
    }
    let size = |spec: Obj| spec.at("resources").at("requests").at("storage").quantity();
    let status = old.at("status").at("capacity").at("storage").quantity();
    if size(spec) < size(before) && size(spec) <= status {
        let detail = "field can not be less than status.capacity";
        errs.forbidden(&Path::root("spec.resources.requests.storage"), detail);
    }
    validate_immutable_field(errs, spec.at("volumeMode"), before.at("volumeMode"), &Path::root("volumeMode"));
}

fn copy(from: &Value, to: &mut Value, key: &str) {
    to[key] = from[key].clone();
}

/// `ValidatePersistentVolumeUpdate`.
fn persistent_volume(errs: &mut Errors, new: Obj, old: Obj) {
    volumes::validate_persistent_volume(errs, new);
    // `ValidatePersistentVolumeUpdate` validates once more what the strategy has validated.
    volumes::validate_persistent_volume(errs, new);
    let (spec, before) = (new.at("spec"), old.at("spec"));
    let kind = "PersistentVolumeSource";
    let (mut after_tree, before_tree) =
        (internal::tree(kind, spec, Obj::NONE), internal::tree(kind, before, Obj::NONE));
    let expand = "controllerExpandSecretRef";
    if before.at("csi").has() && !before.at("csi").at(expand).has() && spec.at("csi").has() {
        after_tree["CSI"]["ControllerExpandSecretRef"] = Value::Null;
    }
    if after_tree != before_tree {
        let detail = format!(
            "spec.persistentvolumesource is immutable after creation\n{}",
            internal::diff(kind, &before_tree, &after_tree)
        );
        errs.forbidden(&Path::root("spec.persistentvolumesource"), &detail);
    }
    validate_immutable_field(errs, spec.at("volumeMode"), before.at("volumeMode"), &Path::root("volumeMode"));
    let affinity = before.at("nodeAffinity");
    if affinity.has() && !spec.at("nodeAffinity").same(affinity) {
        let detail = "field is immutable, except for updating from beta label to GA";
        let selector = spec.at("nodeAffinity").at("required");
        let shown = match spec.at("nodeAffinity").has() {
            true => format!("{{\"Required\":{}}}", internal::json("?NodeSelector", selector)),
            false => "null".to_owned(),
        };
        errs.invalid(&Path::root("nodeAffinity"), Shown::Json(shown), detail);
    }
    if before.at("volumeAttributesClassName").has() && !spec.at("volumeAttributesClassName").has() {
        let detail = "update from non-nil value to nil is forbidden";
        errs.forbidden(&Path::root("spec.volumeAttributesClassName"), detail);
    }
}

/// What `immutable: true` freezes.
fn frozen(errs: &mut Errors, new: Obj, old: Obj, keys: &[&str]) {
    if !old.bool("immutable") {
        return;
    }
    let detail = "field is immutable when `immutable` is set";
    if !new.bool("immutable") {
        errs.forbidden(&Path::root("immutable"), detail);
    }
    for key in keys {
        if !new.at(key).same(old.at(key)) {
            errs.forbidden(&Path::root(key), detail);
        }
    }
}

fn config_map(errs: &mut Errors, new: Obj, old: Obj) {
    validate_object_meta_update(errs, new, old);
    frozen(errs, new, old, &["data", "binaryData"]);
    config::validate_config_map(errs, new);
}

fn secret(errs: &mut Errors, new: Obj, old: Obj) {
    validate_object_meta_update(errs, new, old);
    let kind =
        |secret: Obj| if secret.str("type").is_empty() { "Opaque".to_owned() } else { secret.str("type").into() };
    if kind(new) != kind(old) {
        errs.invalid(&Path::root("type"), Shown::Typed(&kind(new)), "field is immutable");
    }
    frozen(errs, new, old, &["data"]);
    config::validate_secret(errs, new);
}

fn service_account(errs: &mut Errors, new: Obj, old: Obj) {
    validate_object_meta_update(errs, new, old);
    config::validate_service_account(errs, new);
}

fn resource_quota(errs: &mut Errors, new: Obj, old: Obj) {
    validate_object_meta_update(errs, new, old);
    quota::validate_resource_quota_spec(errs, new.at("spec"), &spec_path());
    let sorted = |quota: Obj| {
        let list: Vec<String> = quota.at("spec").strings("scopes").into_iter().map(str::to_owned).collect();
        list.into_iter().collect::<std::collections::BTreeSet<_>>()
    };
    if sorted(new) != sorted(old) {
        errs.invalid(&Path::root("spec.scopes"), new.at("spec").at("scopes"), "field is immutable");
    }
}

fn horizontal_pod_autoscaler(errs: &mut Errors, new: Obj, old: Obj) {
    validate_object_meta_update(errs, new, old);
    autoscaling::validate_horizontal_pod_autoscaler_spec(errs, new.at("spec"), old.at("spec"), &spec_path());
}

fn ingress(errs: &mut Errors, new: Obj, old: Obj) {
    validate_object_meta_update(errs, new, old);
    networking::validate_ingress(errs, new);
}

fn ingress_class(errs: &mut Errors, new: Obj, old: Obj) {
    validate_object_meta_update(errs, new, old);
    let (name, before) = (new.at("spec").str("controller"), old.at("spec").str("controller"));
    if name != before {
        errs.invalid(&Path::root("spec.controller"), name, "field is immutable");
    }
    networking::validate_ingress_class(errs, new);
}

fn network_policy(errs: &mut Errors, new: Obj, old: Obj) {
    validate_object_meta_update(errs, new, old);
    networking::validate_network_policy_spec(errs, new.at("spec"), old.at("spec"), &spec_path());
}

fn role(errs: &mut Errors, new: Obj, old: Obj) {
    rbac::validate_role(errs, new);
    validate_object_meta_update(errs, new, old);
}

fn cluster_role(errs: &mut Errors, new: Obj, old: Obj) {
    rbac::validate_cluster_role(errs, new);
    validate_object_meta_update(errs, new, old);
}

fn role_binding(errs: &mut Errors, new: Obj, old: Obj) {
    rbac::validate_role_binding(errs, new);
    validate_object_meta_update(errs, new, old);
    same_role(errs, new, old);
}

fn cluster_role_binding(errs: &mut Errors, new: Obj, old: Obj) {
    rbac::validate_cluster_role_binding(errs, new);
    validate_object_meta_update(errs, new, old);
    same_role(errs, new, old);
}

fn same_role(errs: &mut Errors, new: Obj, old: Obj) {
    let group = |role: Obj| match role.at("roleRef").str("apiGroup") {
        "" => "rbac.authorization.k8s.io".to_owned(),
        group => group.to_owned(),
    };
    let same = |key: &str| new.at("roleRef").str(key) == old.at("roleRef").str(key);
    if group(new) != group(old) || !same("kind") || !same("name") {
        let role = new.at("roleRef");
        let shown = format!(
            "{{\"APIGroup\":{},\"Kind\":{},\"Name\":{}}}",
            json_string(&group(new)),
            json_string(role.str("kind")),
            json_string(role.str("name"))
        );
        errs.invalid(&Path::root("roleRef"), Shown::Json(shown), "cannot change roleRef");
    }
}

fn priority_class(errs: &mut Errors, new: Obj, old: Obj) {
    validate_object_meta_update(errs, new, old);
    if new.int("value") != old.int("value") {
        errs.forbidden(&Path::root("value"), "may not be changed in an update.");
    }
    let policy = |class: Obj| class.opt_str("preemptionPolicy").unwrap_or("PreemptLowerPriority").to_owned();
    if policy(new) != policy(old) {
        let shown = policy(new);
        errs.invalid(&Path::root("preemptionPolicy"), Shown::Typed(&shown), "field is immutable");
    }
}

fn runtime_class(errs: &mut Errors, new: Obj, old: Obj) {
    policy::validate_runtime_class(errs, new);
    let path = Path::root("metadata");
    validate_object_meta_accessor_update(errs, new.at("metadata"), old.at("metadata"), &path);
    if new.str("handler") != old.str("handler") {
        errs.invalid(&Path::root("handler"), new.str("handler"), "field is immutable");
    }
}

fn storage_class(errs: &mut Errors, new: Obj, old: Obj) {
    storage::validate_storage_class(errs, new);
    validate_object_meta_update(errs, new, old);
    for (key, default) in
        [("parameters", ""), ("provisioner", ""), ("reclaimPolicy", "Delete"), ("volumeBindingMode", "Immediate")]
    {
        let (value, before) = (new.at(key), old.at(key));
        let text = |value: Obj| if value.has() { value.json() } else { json_string(default) };
        let same = if key == "parameters" { value.same(before) } else { text(value) == text(before) };
        if !same {
            let shown = if key == "parameters" { value.json() } else { text(value) };
            errs.invalid(&Path::root(key), Shown::Json(shown), "field is immutable");
        }
    }
}
