//! What the Go types cannot tell: kinds whose types are deleted, and types
//! that look like kinds but never were resources.

use super::go::Life;
use super::kinds::has_come;

/// Kinds that servers dropped, as `APIVERSION KINDS INTRODUCED DEPRECATED
/// REMOVED REPLACEMENT`; `-` is unknown or none, `*` in the replacement stands
/// for the same kind. The dates are from the lifecycle marks of the releases
/// of k8s.io/api that still had the types; where there were no marks, REMOVED
/// is the first release without the types. What the Go types of this release
/// say of a removal wins.
const REMOVED: &str = "\
auditregistration.k8s.io/v1alpha1 AuditSink 1.13 - 1.19 -
autoscaling/v2beta1 HorizontalPodAutoscaler 1.8 1.22 1.25 autoscaling/v2/*
autoscaling/v2beta2 HorizontalPodAutoscaler 1.12 1.23 1.26 autoscaling/v2/*
batch/v2alpha1 CronJob - - 1.21 batch/v1/*
certificates.k8s.io/v1alpha1 PodCertificateRequest 1.34 - 1.35 certificates.k8s.io/v1beta1/*
discovery.k8s.io/v1alpha1 EndpointSlice 1.16 - 1.21 discovery.k8s.io/v1/*
extensions/v1beta1 PodSecurityPolicy 1.2 1.11 1.16 -
flowcontrol.apiserver.k8s.io/v1alpha1 FlowSchema,PriorityLevelConfiguration 1.18 1.20 1.21 flowcontrol.apiserver.k8s.io/v1/*
networking.k8s.io/v1alpha1 ClusterCIDR 1.25 1.28 1.29 -
networking.k8s.io/v1alpha1 IPAddress,ServiceCIDR 1.27 1.30 1.33 networking.k8s.io/v1/*
node.k8s.io/v1alpha1 RuntimeClass - - - node.k8s.io/v1/*
policy/v1beta1 PodSecurityPolicy 1.10 1.21 1.25 -
rbac.authorization.k8s.io/v1alpha1 Role,RoleBinding,ClusterRole,ClusterRoleBinding - - - rbac.authorization.k8s.io/v1/*
resource.k8s.io/v1alpha1 ResourceClaim,ResourceClaimTemplate 1.26 - 1.27 resource.k8s.io/v1/*
resource.k8s.io/v1alpha1 PodScheduling,ResourceClass 1.26 - 1.27 -
resource.k8s.io/v1alpha2 ResourceClaim,ResourceClaimTemplate,ResourceSlice - - 1.31 resource.k8s.io/v1/*
resource.k8s.io/v1alpha2 PodSchedulingContext,ResourceClaimParameters,ResourceClass,ResourceClassParameters - - 1.31 -
resource.k8s.io/v1alpha3 DeviceClass,ResourceClaim,ResourceClaimTemplate,ResourceSlice 1.31 - 1.34 resource.k8s.io/v1/*
resource.k8s.io/v1alpha3 PodSchedulingContext 1.31 - 1.32 -
scheduling.k8s.io/v1alpha1 PriorityClass - 1.14 - scheduling.k8s.io/v1/*
scheduling.k8s.io/v1alpha1 Workload 1.35 - 1.36 scheduling.k8s.io/v1alpha2/*
settings.k8s.io/v1alpha1 PodPreset - - 1.20 -
storagemigration.k8s.io/v1alpha1 StorageVersionMigration 1.30 1.33 1.35 storagemigration.k8s.io/v1beta1/*
";

/// Kinds with metadata that belong to webhooks, subresources or storage.
pub(super) const NEVER_SERVED: &[(&str, &str)] = &[
    ("v1", "PodStatusResult"),
    ("v1", "RangeAllocation"),
    ("apidiscovery.k8s.io/v2", "APIGroupDiscovery"),
    ("apidiscovery.k8s.io/v2beta1", "APIGroupDiscovery"),
    ("imagepolicy.k8s.io/v1alpha1", "ImageReview"),
];

/// The rows of the table that are gone in a version.
pub(super) fn table(version: &str) -> Result<Vec<(String, String, Life)>, String> {
    let mut rows = Vec::new();
    for row in REMOVED.lines().filter(|row| !row.is_empty()) {
        let words: Vec<&str> = row.split_whitespace().collect();
        let [api_version, kinds, introduced, deprecated, removed, replacement] = words[..] else {
            return Err(format!("the table of removed kinds has a bad row: {row}"));
        };
        if removed != "-" && !has_come(Some(removed), version)? {
            continue;
        }
        let known = |word: &str| (word != "-").then(|| word.to_owned());
        for kind in kinds.split(',') {
            let life = Life {
                introduced: known(introduced),
                deprecated: known(deprecated),
                removed: known(removed),
                replacement: known(&replacement.replace('*', kind)),
            };
            rows.push((api_version.to_owned(), kind.to_owned(), life));
        }
    }
    Ok(rows)
}
