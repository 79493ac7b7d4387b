//! The defaults that hold whenever a field is not set.

use super::draft::{Draft, Literal};
use crate::schema::Field;
use crate::yaml::NodeId;
use Literal::{Bool, Int, Map, Str, Strings};

/// Type, then its fields; sorted by type. Of types in `io.k8s.api` the prefix is left out.
pub(super) const TABLE: [(&str, &[(&str, Literal<'static>)]); 50] = [
    ("admissionregistration.v1.MatchResources", &MATCH),
    ("admissionregistration.v1.MutatingAdmissionPolicySpec", &[("failurePolicy", Str("Fail"))]),
    ("admissionregistration.v1.MutatingWebhook", &MUTATING_WEBHOOK),
    ("admissionregistration.v1.NamedRuleWithOperations", &[("scope", Str("*"))]),
    ("admissionregistration.v1.RuleWithOperations", &[("scope", Str("*"))]),
    ("admissionregistration.v1.ServiceReference", &[("port", Int(443))]),
    ("admissionregistration.v1.ValidatingAdmissionPolicySpec", &[("failurePolicy", Str("Fail"))]),
    ("admissionregistration.v1.ValidatingWebhook", &WEBHOOK),
    ("apps.v1.DaemonSetSpec", &[("revisionHistoryLimit", Int(10))]),
    ("apps.v1.DeploymentSpec", &DEPLOYMENT),
    ("apps.v1.ReplicaSetSpec", &[("replicas", Int(1))]),
    ("apps.v1.StatefulSetOrdinals", &[("start", Int(0))]),
    ("apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy", &RETENTION),
    ("apps.v1.StatefulSetSpec", &STATEFUL_SET),
    ("autoscaling.v1.HorizontalPodAutoscalerSpec", &[("minReplicas", Int(1))]),
    ("autoscaling.v2.HorizontalPodAutoscalerSpec", &[("minReplicas", Int(1))]),
    ("batch.v1.CronJobSpec", &CRON_JOB),
    ("batch.v1.PodFailurePolicyOnPodConditionsPattern", &[("status", Str("True"))]),
    ("core.v1.ConfigMapVolumeSource", &[("defaultMode", Int(420))]),
    ("core.v1.Container", &CONTAINER),
    ("core.v1.DownwardAPIVolumeSource", &[("defaultMode", Int(420))]),
    ("core.v1.EndpointPort", &[("protocol", Str("TCP"))]),
    ("core.v1.EphemeralContainer", &CONTAINER),
    ("core.v1.Event", &[("reportingComponent", Str("")), ("reportingInstance", Str(""))]),
    ("core.v1.GRPCAction", &[("service", Str(""))]),
    ("core.v1.HTTPGetAction", &[("path", Str("/")), ("scheme", Str("HTTP"))]),
    ("core.v1.HostPathVolumeSource", &[("type", Str(""))]),
    ("core.v1.ObjectFieldSelector", &[("apiVersion", Str("v1"))]),
    ("core.v1.PersistentVolumeClaimSpec", &[("volumeMode", Str("Filesystem"))]),
    ("core.v1.PersistentVolumeSpec", &PERSISTENT_VOLUME),
    ("core.v1.PodSpec", &POD),
    ("core.v1.Probe", &PROBE),
    ("core.v1.ProjectedVolumeSource", &[("defaultMode", Int(420))]),
    // A quantity that is not set is written as zero.
    ("core.v1.ResourceFieldSelector", &[("divisor", Str("0"))]),
    ("core.v1.Secret", &[("type", Str("Opaque"))]),
    ("core.v1.SecretVolumeSource", &[("defaultMode", Int(420))]),
    ("core.v1.ServiceAccountTokenProjection", &[("expirationSeconds", Int(3600))]),
    ("discovery.v1.EndpointPort", &[("name", Str("")), ("protocol", Str("TCP"))]),
    ("flowcontrol.v1.ExemptPriorityLevelConfiguration", &EXEMPT),
    ("flowcontrol.v1.FlowSchemaSpec", &[("matchingPrecedence", Int(1000))]),
    ("flowcontrol.v1.LimitedPriorityLevelConfiguration", &LIMITED),
    ("flowcontrol.v1.QueuingConfiguration", &QUEUING),
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ServiceReference", &[("port", Int(443))]),
    ("io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.ServiceReference", &[("port", Int(443))]),
    ("networking.v1.IngressClassParametersReference", &[("scope", Str("Cluster"))]),
    ("networking.v1.NetworkPolicyPort", &[("protocol", Str("TCP"))]),
    ("rbac.v1.RoleRef", &[("apiGroup", Str("rbac.authorization.k8s.io"))]),
    ("scheduling.v1.PriorityClass", &[("preemptionPolicy", Str("PreemptLowerPriority")), ("value", Int(0))]),
    ("storage.v1.CSIDriverSpec", &CSI_DRIVER),
    ("storage.v1.StorageClass", &STORAGE_CLASS),
];

const MATCH: [(&str, Literal<'static>); 3] =
    [("matchPolicy", Str("Equivalent")), ("namespaceSelector", Map), ("objectSelector", Map)];
const WEBHOOK: [(&str, Literal<'static>); 5] =
    [("failurePolicy", Str("Fail")), MATCH[0], MATCH[1], MATCH[2], ("timeoutSeconds", Int(10))];
const MUTATING_WEBHOOK: [(&str, Literal<'static>); 6] =
    [WEBHOOK[0], MATCH[0], MATCH[1], MATCH[2], WEBHOOK[4], ("reinvocationPolicy", Str("Never"))];
const DEPLOYMENT: [(&str, Literal<'static>); 3] =
    [("replicas", Int(1)), ("revisionHistoryLimit", Int(10)), ("progressDeadlineSeconds", Int(600))];
const STATEFUL_SET: [(&str, Literal<'static>); 5] = [
    ("podManagementPolicy", Str("OrderedReady")),
    ("serviceName", Str("")),
    ("persistentVolumeClaimRetentionPolicy", Map),
    ("replicas", Int(1)),
    ("revisionHistoryLimit", Int(10)),
];
const RETENTION: [(&str, Literal<'static>); 2] = [("whenDeleted", Str("Retain")), ("whenScaled", Str("Retain"))];
const CRON_JOB: [(&str, Literal<'static>); 4] = [
    ("concurrencyPolicy", Str("Allow")),
    ("suspend", Bool(false)),
    ("successfulJobsHistoryLimit", Int(3)),
    ("failedJobsHistoryLimit", Int(1)),
];
const CONTAINER: [(&str, Literal<'static>); 2] =
    [("terminationMessagePath", Str("/dev/termination-log")), ("terminationMessagePolicy", Str("File"))];
const PERSISTENT_VOLUME: [(&str, Literal<'static>); 2] =
    [("persistentVolumeReclaimPolicy", Str("Retain")), ("volumeMode", Str("Filesystem"))];
const POD: [(&str, Literal<'static>); 5] = [
    ("dnsPolicy", Str("ClusterFirst")),
    ("restartPolicy", Str("Always")),
    ("securityContext", Map),
    ("terminationGracePeriodSeconds", Int(30)),
    ("schedulerName", Str("default-scheduler")),
];
const PROBE: [(&str, Literal<'static>); 4] = [
    ("timeoutSeconds", Int(1)),
    ("periodSeconds", Int(10)),
    ("successThreshold", Int(1)),
    ("failureThreshold", Int(3)),
];
const EXEMPT: [(&str, Literal<'static>); 2] = [("nominalConcurrencyShares", Int(0)), ("lendablePercent", Int(0))];
const LIMITED: [(&str, Literal<'static>); 2] = [("nominalConcurrencyShares", Int(30)), ("lendablePercent", Int(0))];
const QUEUING: [(&str, Literal<'static>); 3] =
    [("handSize", Int(8)), ("queues", Int(64)), ("queueLengthLimit", Int(50))];
const CSI_DRIVER: [(&str, Literal<'static>); 7] = [
    ("attachRequired", Bool(true)),
    ("podInfoOnMount", Bool(false)),
    ("storageCapacity", Bool(false)),
    ("fsGroupPolicy", Str("ReadWriteOnceWithFSType")),
    ("volumeLifecycleModes", Strings(&["Persistent"])),
    ("requiresRepublish", Bool(false)),
    ("seLinuxMount", Bool(false)),
];
const STORAGE_CLASS: [(&str, Literal<'static>); 2] =
    [("reclaimPolicy", Str("Delete")), ("volumeBindingMode", Str("Immediate"))];

/// A default that the type itself declares (`+default=`); of a field that is no pointer, zero is no value.
pub(super) fn declared(draft: &mut Draft, node: NodeId, field: &Field, json: &str) {
    let text = json.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let literal = match (text, json) {
        (Some(text), _) => Str(text),
        (None, "true" | "false") => Bool(json == "true"),
        (None, number) => match number.parse() {
            Ok(number) => Int(number),
            Err(_) => return,
        },
    };
    if field.pointer || !matches!(literal, Str("") | Bool(false) | Int(0)) {
        draft.default(node, &field.name, literal);
    }
}

#[cfg(test)]
mod tests {
    use super::TABLE;
    use crate::model::Version;
    use crate::schema::Schema;

    #[test]
    fn the_table_is_sorted_and_names_fields_that_exist() {
        assert!(TABLE.is_sorted_by_key(|(type_id, _)| *type_id));
        let schema = Schema::of(Version::DEFAULT).unwrap();
        for (name, fields) in TABLE {
            let id = if name.starts_with("io.k8s.") { name.to_owned() } else { format!("io.k8s.api.{name}") };
            let type_ = schema.type_(schema.type_id(&id).unwrap_or_else(|| panic!("{id}")));
            for (field, _) in fields {
                assert!(type_.field(field).is_some(), "{id}.{field}");
            }
        }
    }
}
