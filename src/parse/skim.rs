//! What is read of a pod that a controller made: a cluster has them in thousands, each a copy of a template that is read.

/// Kinds whose pods are copies of a template, which the state holds too; what operators make may be all there is to see.
const CONTROLLERS: [&str; 5] =
    ["\"DaemonSet\"", "\"Job\"", "\"ReplicaSet\"", "\"ReplicationController\"", "\"StatefulSet\""];

/// Of the spec.
const SPEC: [&str; 4] = ["dnsPolicy", "enableServiceLinks", "serviceAccount", "terminationGracePeriodSeconds"];

/// Of a container: what it runs and how the kubelet watches over it.
const CONTAINER: [&str; 13] = [
    "args",
    "command",
    "env",
    "envFrom",
    "imagePullPolicy",
    "lifecycle",
    "livenessProbe",
    "readinessProbe",
    "securityContext",
    "startupProbe",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "volumeMounts",
];

/// Of a volume: what needs no disk.
const VOLUME: [&str; 4] = ["configMap", "downwardAPI", "projected", "secret"];

/// Of the status.
const STATUS: [&str; 5] = ["hostIP", "hostIPs", "podIP", "podIPs", "qosClass"];

/// Of the status of a container.
const CONTAINER_STATUS: [&str; 6] =
    ["allocatedResourcesStatus", "containerID", "image", "imageID", "user", "volumeMounts"];

/// Passes over what no stage asks of the pods of controllers in a list. A pod is known as one by its
/// `ownerReferences`, which an API server writes before the rest.
pub(super) fn pods() -> impl FnMut(&[&str], &str) -> bool {
    let (mut is_owned, mut all_pods) = (false, false);
    // Of the owner that is being read.
    let (mut makes_copies, mut controls) = (false, false);
    move |keys, value| {
        match keys {
            ["kind"] => all_pods = value.starts_with("\"PodList\""),
            ["items", "metadata"] => is_owned = false,
            ["items", "metadata", "ownerReferences", key] => {
                match *key {
                    "apiVersion" => (makes_copies, controls) = (false, false),
                    "kind" => makes_copies = CONTROLLERS.iter().any(|kind| value.starts_with(kind)),
                    "controller" => controls = value.starts_with("true"),
                    _ => {}
                }
                is_owned |= makes_copies && controls;
            }
            _ => {}
        }
        is_owned
            && match keys {
                ["items", "metadata", "managedFields"] => all_pods,
                ["items", "spec", key] => SPEC.contains(key),
                ["items", "spec", "containers" | "initContainers", key] => CONTAINER.contains(key),
                ["items", "spec", "volumes", key] => VOLUME.contains(key),
                ["items", "status", key] => STATUS.contains(key),
                ["items", "status", "containerStatuses" | "initContainerStatuses", key] => {
                    CONTAINER_STATUS.contains(key)
                }
                _ => false,
            }
    }
}
