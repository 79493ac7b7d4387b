//! Which kinds are read of a cluster.

use std::collections::{BTreeMap, BTreeSet};

/// Kinds that decide where pods land and how many there may be, or that manifests refer to from anywhere.
pub const EVERYWHERE: [(&str, &str); 21] = [
    ("v1", "Namespace"),
    ("v1", "Node"),
    ("v1", "PersistentVolume"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Pod"),
    ("v1", "ReplicationController"),
    ("v1", "ResourceQuota"),
    ("v1", "LimitRange"),
    ("v1", "Service"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "StatefulSet"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("batch/v1", "Job"),
    ("networking.k8s.io/v1", "IngressClass"),
    ("node.k8s.io/v1", "RuntimeClass"),
    ("policy/v1", "PodDisruptionBudget"),
    ("scheduling.k8s.io/v1", "PriorityClass"),
    ("storage.k8s.io/v1", "CSINode"),
    ("storage.k8s.io/v1", "StorageClass"),
];

/// Kinds that pods read, in the namespaces of the set.
pub const NEARBY: [(&str, &str); 3] = [("v1", "ConfigMap"), ("v1", "Secret"), ("v1", "ServiceAccount")];

/// What a snapshot holds besides: content, rights, definitions and policies.
pub const REST: [(&str, &str); 16] = [
    ("batch/v1", "CronJob"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("storage.k8s.io/v1", "CSIDriver"),
    ("storage.k8s.io/v1", "CSIStorageCapacity"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("apiregistration.k8s.io/v1", "APIService"),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
];

/// Kinds that are read where objects of a kind are in the set, in the namespaces of these: they refer to them, or add to
/// what they do.
pub const REFERRED: [(&str, (&str, &str)); 4] = [
    ("ClusterRoleBinding", ("rbac.authorization.k8s.io/v1", "ClusterRole")),
    ("RoleBinding", ("rbac.authorization.k8s.io/v1", "ClusterRole")),
    ("RoleBinding", ("rbac.authorization.k8s.io/v1", "Role")),
    ("NetworkPolicy", ("networking.k8s.io/v1", "NetworkPolicy")),
];

/// All that a snapshot holds, in the form of [`crate::model::Live::whole`].
pub(super) fn held() -> BTreeMap<String, BTreeSet<String>> {
    let kinds = EVERYWHERE.iter().chain(&NEARBY).chain(&REST);
    kinds.map(|(_, kind)| ((*kind).to_owned(), BTreeSet::new())).collect()
}
